/*
 * test_sealer_faults.c - every file operation of a store that seals fails once, in every way it
 * can, and the process dies at every one.
 *
 * A life: open, append (late readings, suspects, duplicates, bad records), seal, append, seal,
 * close, open again, seal. In each run one call fails; the runs end when one goes through
 * untouched. Whatever came of it: what was acknowledged is there, nothing stands twice, every
 * sealed file is what the manifest says, the store opens and seals.
 */
#include "support_fault_runs.h"
#include "support_sealed.h"

#include <errno.h>

#include "app/core/memory.h"

enum { ROUNDS = 6, PER_ROUND = 8, READINGS = ROUNDS * PER_ROUND };

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

static void prepare(struct live_case *live)
{
    live->faults.dry = true;
}

static struct reading_store *open_once(struct fault_run *run)
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

static struct reading_store *open_patiently(struct fault_run *run)
{
    struct reading_store *store = NULL;
    for (int tries = fault_run_tries(run); !store && tries > 0; tries--)
        store = open_once(run);
    assert_non_null(store);
    return store;
}

static void append_round(struct fault_run *run, struct reading_store *store, int round)
{
    struct fault_ledger *ledger = run->ledger;
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
    fault_run_acknowledge(run, first, PER_ROUND);
    fault_run_acknowledge(run, again, 1); /* a duplicate is a promise, too */
}

static void seal(struct fault_run *run, struct reading_store *store)
{
    run->ledger->seals_failed += store->seal(store, INT64_MAX, NULL) != HEARTH_OK;
}

static void live_a_life(struct fault_run *run)
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

static const struct fault_story story;

static void expect_stored(struct fault_run *run, struct reading_store *store)
{
    fault_run_expect_stored(run, &story, store);
}

/* With files that work again. */
static void expect_promises_kept(struct fault_run *run)
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
    }
    fault_run_acknowledge(run, 0, READINGS);
    sealed_seal(store, HEARTH_OK);
    expect_stored(run, store);
    store->free(store);
    assert_int_equal(sealed_expect_sound(&run->live), READINGS);
    assert_int_equal(live_file_count(&run->live), 1);
}

static const struct fault_story story = {
    .prepare = prepare,
    .live = live_a_life,
    .expect = expect_promises_kept,
    .reading = reading_of,
    .readings = READINGS,
    .least_calls = 300,
    .most_calls = 4000,
};

/* ---- One failure ---- */

static int fail_each_call(enum fault_kind kind, int number)
{
    struct fault_sums sums = fault_story_fail_each_call(&story, kind, number);
    return sums.refused + sums.seals_failed;
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
    (void)state;
    struct fault_sums sums = fault_story_storm(&story, 150, 2, 8);
    assert_true(sums.refused > 20 && sums.opens_failed > 5 && sums.seals_failed > 20);
}

/* ---- A full disk ---- */

static void a_full_disk_leaves_the_live_files_until_there_is_room(void **state)
{
    struct fault_run run;
    (void)state;
    fault_run_init(&run, &story);
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
    fault_run_clean(&run);
}

/* ---- Memory ---- */

/* A seal with room for so many allocations; did it go through? What is derived, the summaries, may
 * be missing then. */
static bool seal_with_memory_for(struct fault_run *run, int64_t allocations)
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
        struct fault_run run;
        fault_run_init(&run, &story);
        sealed = seal_with_memory_for(&run, allocations++);
        fault_run_clean(&run);
        assert_true(allocations < 300);
    }
    for (int64_t more = 0; more < 60; more++) { /* in the summaries, after the seal */
        struct fault_run run;
        fault_run_init(&run, &story);
        assert_true(seal_with_memory_for(&run, allocations + more));
        fault_run_clean(&run);
    }
    assert_true(allocations > 4);
}

/* ---- Death ---- */

static void the_process_may_die_at_any_call(void **state)
{
    (void)state;
    fault_story_die_at_each_call(&story);
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
