/*
 * test_sealer_faults.c - every file operation of a store that seals fails once, in every way it
 * can, and the process dies at every one.
 *
 * A life: open, append (late readings, suspects, duplicates, bad records), seal, append, seal,
 * close, open again, seal. In each run one call fails; the runs end when one goes through
 * untouched. Whatever came of it: what was acknowledged is there, nothing stands twice, every
 * sealed file is what the manifest says, the store opens and seals.
 */
#include "support_sealed.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app/core/memory.h"
#include "support_keeper.h"

enum { ROUNDS = 6, PER_ROUND = 8, READINGS = ROUNDS * PER_ROUND, MAX_CALLS = 4000 };

/* What was promised; in shared memory, since the process may die. */
struct ledger {
    bool acknowledged[READINGS], sent[READINGS];
    int refused, opens_failed, seals_failed;
};

struct run {
    struct live_case live;
    struct ledger *ledger;
};

static void run_init(struct run *run)
{
    live_case_init(&run->live);
    run->ledger = shared_memory(sizeof *run->ledger);
    run->live.options.files = &run->live.faults.files;
    run->live.faults.dry = true;
}

static void run_clean(struct run *run)
{
    munmap(run->ledger, sizeof *run->ledger);
    live_case_clean(&run->live);
}

/* Over three days, some of them late, some suspect. */
static struct record reading_of(int number)
{
    const struct reading reading = {
        .time_ms = LIVE_START_MS + INT64_C(43200000) * (number * 7 % 5) + INT64_C(1000) * number,
        .channel = number % 8 + 1,
        .rolling_code = 100,
        .raw = 1000 + number,
        .humidity = 50,
        .time_quality = number % 11 == 5 ? TIME_SUSPECT : TIME_SENDER,
    };
    return live_reading_of(&reading);
}

/* ---- A life ---- */

static struct reading_store *open_once(struct run *run)
{
    struct error_record error = {0};
    struct reading_store *store = embedded_store_local_with(&run->live.options, &error);
    if (!store) {
        run->ledger->opens_failed++;
        if (error.code == HEARTH_CORRUPT)
            fail_msg("open: %s", error.detail);
    }
    return store;
}

static struct reading_store *open_patiently(struct run *run)
{
    struct reading_store *store = open_once(run);
    for (int more = run->live.faults.storm ? 200 : 1; !store && more > 0; more--)
        store = open_once(run);
    assert_non_null(store);
    return store;
}

static void append_round(struct run *run, struct reading_store *store, int round)
{
    struct ledger *ledger = run->ledger;
    struct record records[PER_ROUND + 2];
    struct append_result result;
    int first = round * PER_ROUND, again = first > 3 ? first - 3 : first;
    for (int i = 0; i < PER_ROUND; i++) {
        records[i] = reading_of(first + i);
        ledger->sent[first + i] = true;
    }
    records[PER_ROUND] = reading_of(again);
    records[PER_ROUND + 1] = live_bad_record(first);
    ledger->sent[again] = true;
    if (store->append(store, records, PER_ROUND + 2, NULL, 0, INT64_MAX, &result, NULL)) {
        ledger->refused++;
        return;
    }
    for (int i = 0; i < PER_ROUND; i++)
        ledger->acknowledged[first + i] = true;
    ledger->acknowledged[again] = true; /* a duplicate is a promise, too */
}

static void seal(struct run *run, struct reading_store *store)
{
    run->ledger->seals_failed += store->seal(store, INT64_MAX, NULL) != HEARTH_OK;
}

static void live_a_life(struct run *run)
{
    struct reading_store *store = open_patiently(run);
    for (int round = 0; round < ROUNDS; round++) {
        append_round(run, store, round);
        if (round % 2 == 1)
            seal(run, store);
        if (round == 3) {
            store->free(store);
            clock_manual_advance_ms(&run->live.clock, INT64_C(40) * 86400000);
            store = open_patiently(run);
        }
    }
    store->free(store);
}

/* ---- What must hold ---- */

static void expect_stored(struct run *run, struct reading_store *store)
{
    size_t count, known = 0;
    struct record *all = live_everything(store, &count);
    for (int i = 0; i < READINGS; i++) {
        struct record record = reading_of(i);
        bool there = live_has(all, count, &record);
        known += there;
        if (run->ledger->acknowledged[i] && !there)
            fail_msg("reading %d was acknowledged and is lost", i);
        if (there && !run->ledger->sent[i])
            fail_msg("reading %d is there and was never sent", i);
    }
    assert_int_equal(known, count);
    free(all);
}

/* With files that work again. */
static void expect_promises_kept(struct run *run)
{
    run->live.faults.kind = FAULT_NONE;
    run->live.faults.storm = 0;
    run->live.faults.death_at = 0;
    struct reading_store *store = live_case_open(&run->live);
    expect_stored(run, store);
    sealed_expect_sound(&run->live);
    sealed_seal(store, HEARTH_OK);
    expect_stored(run, store);
    for (int i = 0; i < READINGS; i++) {
        struct record record = reading_of(i);
        live_append(store, &record, 1, HEARTH_OK);
        run->ledger->sent[i] = run->ledger->acknowledged[i] = true;
    }
    sealed_seal(store, HEARTH_OK);
    expect_stored(run, store);
    store->free(store);
    assert_int_equal(sealed_expect_sound(&run->live), READINGS);
    assert_int_equal(live_file_count(&run->live), 1);
}

/* ---- One failure ---- */

static int fail_each_call(enum fault_kind kind, int number)
{
    int runs = 0, refused = 0, seals_failed = 0;
    bool untouched = false;
    for (int64_t at = 1; !untouched; at++, runs++) {
        struct run run;
        run_init(&run);
        run.live.faults.kind = kind;
        run.live.faults.number = number;
        run.live.faults.fail_at = at;
        live_a_life(&run);
        untouched = run.live.faults.calls < at;
        refused += run.ledger->refused;
        seals_failed += run.ledger->seals_failed;
        if (untouched) /* nothing failed: everything was taken */
            assert_int_equal(
                run.ledger->refused + run.ledger->opens_failed + run.ledger->seals_failed, 0);
        expect_promises_kept(&run);
        run_clean(&run);
        assert_true(at < MAX_CALLS);
    }
    print_message("           %d runs, %d appends refused, %d seals failed\n", runs, refused,
                  seals_failed);
    assert_true(runs > 300); /* a life has so many calls */
    return refused + seals_failed;
}

static void any_call_may_fail_with_an_io_error(void **state)
{
    (void)state;
    assert_true(fail_each_call(FAULT_ERRNO, EIO) > 50);
}

static void any_call_may_find_the_disk_full(void **state)
{
    (void)state;
    assert_true(fail_each_call(FAULT_ERRNO, ENOSPC) > 50);
}

static void any_call_may_be_interrupted_and_nobody_notices(void **state)
{
    (void)state;
    assert_int_equal(fail_each_call(FAULT_ERRNO, EINTR), 0);
}

static void any_write_may_be_short_and_nobody_notices(void **state)
{
    (void)state;
    assert_int_equal(fail_each_call(FAULT_SHORT_WRITE, 0), 0);
}

static void in_a_storm_of_failures_the_promise_holds(void **state)
{
    int refused = 0, opens_failed = 0, seals_failed = 0;
    (void)state;
    for (uint32_t seed = 1; seed <= 150; seed++) {
        struct run run;
        run_init(&run);
        run.live.faults.storm = 2 + seed % 10 * 8;
        run.live.faults.storm_state = seed * 2654435761u;
        live_a_life(&run);
        refused += run.ledger->refused;
        opens_failed += run.ledger->opens_failed;
        seals_failed += run.ledger->seals_failed;
        expect_promises_kept(&run);
        run_clean(&run);
    }
    print_message("           %d appends refused, %d times not opened, %d seals failed\n", refused,
                  opens_failed, seals_failed);
    assert_true(refused > 20 && opens_failed > 5 && seals_failed > 20);
}

/* ---- A full disk ---- */

static void a_full_disk_leaves_the_live_files_until_there_is_room(void **state)
{
    struct run run;
    (void)state;
    run_init(&run);
    struct reading_store *store = open_patiently(&run);
    append_round(&run, store, 0);
    atomic_store(&run.live.faults.full, true);
    for (int i = 0; i < 3; i++)
        sealed_seal(store, HEARTH_DISK_FULL);
    expect_stored(&run, store);
    assert_true(live_file_exists(&run.live, "00000001.bin"));
    atomic_store(&run.live.faults.full, false);
    sealed_seal(store, HEARTH_OK);
    expect_stored(&run, store);
    assert_false(live_file_exists(&run.live, "00000001.bin"));
    store->free(store);
    expect_promises_kept(&run);
    run_clean(&run);
}

/* ---- Memory ---- */

/* A seal with room for so many allocations; did it go through? What is derived, the summaries, may
 * be missing then. */
static bool seal_with_memory_for(struct run *run, int64_t allocations)
{
    struct reading_store *store = open_patiently(run);
    append_round(run, store, 0);
    append_round(run, store, 1);
    memory_fail_after(allocations);
    seal(run, store);
    memory_fail_after(-1);
    expect_stored(run, store);
    store->free(store);
    expect_promises_kept(run);
    return run->ledger->seals_failed == 0;
}

static void memory_may_run_out_at_any_allocation(void **state)
{
    int64_t allocations = 0;
    bool sealed = false;
    (void)state;
    while (!sealed) {
        struct run run;
        run_init(&run);
        sealed = seal_with_memory_for(&run, allocations++);
        run_clean(&run);
        assert_true(allocations < 300);
    }
    for (int64_t more = 0; more < 60; more++) { /* in the summaries, after the seal */
        struct run run;
        run_init(&run);
        assert_true(seal_with_memory_for(&run, allocations + more));
        run_clean(&run);
    }
    assert_true(allocations > 4);
}

/* ---- Death ---- */

/* The life in a child that ends before the call. */
static bool die_at(struct run *run, int64_t at)
{
    run->live.faults.death_at = at;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        live_a_life(run);
        _exit(7);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 7));
    expect_promises_kept(run);
    return WEXITSTATUS(status) == 7;
}

static void the_process_may_die_at_any_call(void **state)
{
    int runs = 0;
    bool lived = false;
    (void)state;
    for (int64_t at = 1; !lived; at++, runs++) {
        struct run run;
        run_init(&run);
        lived = die_at(&run, at);
        run_clean(&run);
        assert_true(at < MAX_CALLS);
    }
    print_message("           %d deaths\n", runs - 1);
    assert_true(runs > 300);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_call_may_fail_with_an_io_error),
        cmocka_unit_test(any_call_may_find_the_disk_full),
        cmocka_unit_test(any_call_may_be_interrupted_and_nobody_notices),
        cmocka_unit_test(any_write_may_be_short_and_nobody_notices),
        cmocka_unit_test(in_a_storm_of_failures_the_promise_holds),
        cmocka_unit_test(memory_may_run_out_at_any_allocation),
        cmocka_unit_test(a_full_disk_leaves_the_live_files_until_there_is_room),
        cmocka_unit_test(the_process_may_die_at_any_call),
    };
    return cmocka_run_group_tests_name("sealer faults", tests, NULL, NULL);
}
