/*
 * test_live_faults.c - every file operation of a store's life fails once, in every way it can, and
 * the process dies at every one.
 *
 * A life: open, append (good readings, duplicates, bad records, rejected texts, over the end of a
 * file and of a day), close, open again. In each run one call fails; the runs end when one goes
 * through untouched. Whatever came of it: what was acknowledged is there, nothing stands twice, the
 * store opens.
 */
#include "support_live.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app/core/memory.h"
#include "support_keeper.h"

enum { APPENDS = 14, PER_APPEND = 3, MAX_CALLS = 2000 };

/* What was promised; in shared memory, since the process may die. */
struct ledger {
    bool acknowledged[APPENDS * PER_APPEND];
    bool sent[APPENDS * PER_APPEND];
    int rejected[APPENDS]; /* acknowledged: the text of append i is in the quarantine */
    int refused;           /* appends that came back with an error */
    int opens_failed;
    struct live_published published; /* outlives the keeper, not the pool */
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
    run->live.options.live_bytes = UINT64_C(10) * RECORD_BYTES;
}

static void run_clean(struct run *run)
{
    munmap(run->ledger, sizeof *run->ledger);
    live_case_clean(&run->live);
}

/* ---- A life ---- */

/* As a keeper does: the same published state from one to the next. */
static struct live_store *open_once(struct run *run)
{
    struct live_store *live = NULL;
    struct error_record error = {0};
    enum hearth_error code = live_store_prepare(&run->live.options, &error);
    if (code == HEARTH_OK)
        code = live_store_open(&run->live.options, &run->ledger->published, &live, &error);
    if (code == HEARTH_OK)
        return live;
    run->ledger->opens_failed++;
    assert_int_not_equal(code, HEARTH_CORRUPT);
    return NULL;
}

/* The master tries again: after one failure the next try must do. */
static struct live_store *open_patiently(struct run *run)
{
    struct live_store *live = open_once(run);
    for (int more = run->live.faults.storm ? 200 : 1; !live && more > 0; more--)
        live = open_once(run);
    assert_non_null(live);
    return live;
}

/* Three readings, one of them sent before, a bad record, a rejected text. */
static void append_some(struct run *run, struct live_store *live, int number)
{
    struct ledger *ledger = run->ledger;
    struct record records[PER_APPEND + 2];
    char text[32];
    int first = number * PER_APPEND;
    for (int i = 0; i < PER_APPEND; i++) {
        records[i] = live_reading(first + i);
        ledger->sent[first + i] = true;
    }
    records[PER_APPEND] = live_reading(first > 0 ? first - 1 : 0);
    ledger->sent[first > 0 ? first - 1 : 0] = true;
    records[PER_APPEND + 1] = live_bad_record(first);
    snprintf(text, sizeof text, "not a reading %d.", number);
    const struct quarantine_entry rejected = {
        .reason = "NOT_JSON", .source = VIEW("json"), .raw = view_of(text)};
    bool with_bad = number % 3 == 1, with_text = number % 3 == 2;
    struct live_entry entry = {.records = records,
                               .record_count = PER_APPEND + (with_bad ? 2 : 1),
                               .rejected = &rejected,
                               .rejected_count = with_text ? 1 : 0};
    live_store_commit(live, &entry, 1);
    if (entry.outcome != HEARTH_OK) {
        ledger->refused++;
        clock_manual_advance_ms(&run->live.clock, 1000); /* a failing disk is asked again then */
        return;
    }
    for (int i = 0; i < PER_APPEND; i++)
        ledger->acknowledged[first + i] = true;
    ledger->acknowledged[first > 0 ? first - 1 : 0] = true; /* a duplicate is a promise, too */
    ledger->rejected[number] = with_text;
}

static void live_a_life(struct run *run)
{
    struct live_store *live = open_patiently(run);
    for (int i = 0; i < APPENDS; i++) {
        append_some(run, live, i);
        if (i == APPENDS / 2) {
            live_store_close(live);
            live = open_patiently(run);
            clock_manual_advance_ms(&run->live.clock, 86400000);
            live_store_tick(live);
        }
    }
    live_store_close(live);
}

/* ---- What must hold ---- */

static void expect_quarantined(struct run *run)
{
    char *text = live_quarantine_text(&run->live);
    for (int i = 0; i < APPENDS; i++) {
        char expected[48];
        snprintf(expected, sizeof expected, "not a reading %d.", i);
        size_t times = live_count_text(text, expected);
        /* Where cutting back failed as well as the sync, a line may stand in two files. */
        bool right = times == 1 || (times > 1 && run->live.faults.storm);
        if (run->ledger->rejected[i] && !right)
            fail_msg("rejected text %d is in the quarantine %zu times", i, times);
    }
    free(text);
}

/* With files that work again. */
static void expect_promises_kept(struct run *run)
{
    size_t count, known = 0;
    run->live.options.files = NULL;
    struct reading_store *store = live_case_open(&run->live);
    struct record *all = live_everything(store, &count);
    for (int i = 0; i < APPENDS * PER_APPEND; i++) {
        struct record record = live_reading(i);
        bool there = live_has(all, count, &record);
        known += there;
        if (run->ledger->acknowledged[i] && !there)
            fail_msg("reading %d was acknowledged and is lost", i);
        if (there && !run->ledger->sent[i])
            fail_msg("reading %d is there and was never sent", i);
    }
    assert_int_equal(known, count);
    live_expect_nothing_twice(&run->live);
    expect_quarantined(run);
    /* And it goes on: a resend of everything. */
    for (int i = 0; i < APPENDS * PER_APPEND; i++) {
        struct record record = live_reading(i);
        assert_int_equal(live_append_number(store, i).accepted, !live_has(all, count, &record));
    }
    store->free(store);
    live_expect_nothing_twice(&run->live);
    free(all);
}

/* ---- One failure ---- */

static int fail_each_call(enum fault_kind kind, int number)
{
    int runs = 0, refused = 0;
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
        if (untouched) /* nothing failed: everything was taken */
            assert_int_equal(run.ledger->refused + run.ledger->opens_failed, 0);
        expect_promises_kept(&run);
        run_clean(&run);
        assert_true(at < MAX_CALLS);
    }
    print_message("           %d runs, %d appends refused\n", runs, refused);
    assert_true(runs > 100); /* a life has so many calls */
    return refused;
}

static void any_call_may_fail_with_an_io_error(void **state)
{
    (void)state;
    fail_each_call(FAULT_ERRNO, EIO);
}

static void any_call_may_find_the_disk_full(void **state)
{
    (void)state;
    assert_true(fail_each_call(FAULT_ERRNO, ENOSPC) > 0);
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
    int refused = 0, opens_failed = 0;
    (void)state;
    for (uint32_t seed = 1; seed <= 300; seed++) {
        struct run run;
        run_init(&run);
        run.live.faults.storm = 10 + seed % 10 * 15;
        run.live.faults.storm_state = seed * 2654435761u;
        live_a_life(&run);
        refused += run.ledger->refused;
        opens_failed += run.ledger->opens_failed;
        expect_promises_kept(&run);
        run_clean(&run);
    }
    print_message("           %d appends refused, %d times not opened\n", refused, opens_failed);
    assert_true(refused > 100 && opens_failed > 10);
}

/* ---- Memory ---- */

/* Each append with room for `allocations` of them; gives back how many were refused. */
static int append_with_memory_for(struct run *run, int64_t allocations)
{
    struct live_store *live = open_patiently(run);
    for (int i = 0; i < APPENDS; i++) {
        memory_fail_after(allocations);
        append_some(run, live, i);
        memory_fail_after(-1);
    }
    memory_fail_after(allocations);
    struct live_store *again = NULL;
    struct live_published nothing = {0};
    if (live_store_open(&run->live.options, &nothing, &again, NULL) == HEARTH_OK)
        live_store_close(again);
    memory_fail_after(-1);
    live_store_close(live);
    return run->ledger->refused;
}

static void memory_may_run_out_at_any_allocation(void **state)
{
    int64_t allocations = 0;
    int refused;
    (void)state;
    do {
        struct run run;
        run_init(&run);
        refused = append_with_memory_for(&run, allocations++);
        expect_promises_kept(&run);
        run_clean(&run);
        assert_true(allocations < 100);
    } while (refused > 0);
    assert_true(allocations > 4);
}

/* ---- Death ---- */

/* The life in a child that ends before the call; then a successor in this pool, or a new pool. */
static bool die_at(struct run *run, int64_t at, bool new_pool)
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
    run->live.faults.death_at = 0;
    run->live.faults.kind = FAULT_NONE;
    if (!new_pool) {
        struct live_store *live = open_patiently(run);
        append_some(run, live, APPENDS - 1);
        live_store_close(live);
    }
    expect_promises_kept(run);
    return WEXITSTATUS(status) == 7;
}

static void die_at_each_call(bool new_pool)
{
    int runs = 0;
    bool lived = false;
    for (int64_t at = 1; !lived; at++, runs++) {
        struct run run;
        run_init(&run);
        lived = die_at(&run, at, new_pool);
        run_clean(&run);
        assert_true(at < MAX_CALLS);
    }
    print_message("           %d deaths\n", runs - 1);
    assert_true(runs > 100);
}

static void the_keeper_may_die_at_any_call(void **state)
{
    (void)state;
    die_at_each_call(false);
}

static void the_pool_may_die_at_any_call(void **state)
{
    (void)state;
    die_at_each_call(true);
}

/* A sync fails, and the process dies at one of the next calls: between the poisoning, the renaming,
 * the next file, the second try. */
static void the_keeper_may_die_after_a_failed_sync(void **state)
{
    int deaths = 0;
    (void)state;
    for (int64_t at = 1; at < MAX_CALLS; at++) {
        struct run probe;
        run_init(&probe);
        probe.live.faults.kind = FAULT_ERRNO;
        probe.live.faults.number = EIO;
        probe.live.faults.fail_at = at;
        live_a_life(&probe);
        bool is_sync = strcmp(probe.live.faults.log, "fdatasync") == 0;
        bool beyond = probe.live.faults.calls < at;
        run_clean(&probe);
        for (int64_t later = 1; is_sync && later <= 8; later++, deaths++) {
            struct run run;
            run_init(&run);
            run.live.faults.kind = FAULT_ERRNO;
            run.live.faults.number = EIO;
            run.live.faults.fail_at = at;
            die_at(&run, at + later, later % 2 == 0);
            run_clean(&run);
        }
        if (beyond)
            break;
    }
    print_message("           %d deaths\n", deaths);
    assert_true(deaths > 80);
}

/* Dead before the file had its name: the successor knows, and does not sync it again. */
static void what_a_dead_keeper_poisoned_is_not_synced_by_its_successor(void **state)
{
    struct run run;
    (void)state;
    run_init(&run);
    struct live_store *live = open_patiently(&run);
    append_some(&run, live, 0);
    run.live.faults.kind = FAULT_ERRNO;
    run.live.faults.number = EIO;
    run.live.faults.fail_at = run.live.faults.calls + 2;  /* write, sync */
    run.live.faults.death_at = run.live.faults.calls + 3; /* rename */
    pid_t child = fork();
    if (child == 0) {
        struct record record = live_reading(PER_APPEND);
        live_store_commit(live, &(struct live_entry){.records = &record, .record_count = 1}, 1);
        _exit(7);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(WEXITSTATUS(status), 0);
    live_store_close(live);
    run.live.faults.death_at = 0;
    run.live.faults.fail_at = 0;
    assert_true(live_file_exists(&run.live, "00000001.bin"));
    int syncs = run.live.faults.syncs;
    live = open_patiently(&run);
    assert_int_equal(run.live.faults.syncs, syncs);
    assert_true(live_file_exists(&run.live, "00000001.poisoned-36.bin"));
    live_store_close(live);
    expect_promises_kept(&run);
    run_clean(&run);
}

/* ---- Names that were not certain to last ---- */

static void every_opening_makes_the_names_last(void **state)
{
    struct run run;
    (void)state;
    run_init(&run);
    for (int i = 0; i < 3; i++) {
        struct live_store *live = NULL;
        assert_int_equal(live_store_prepare(&run.live.options, NULL), HEARTH_OK);
        run.live.faults.directory_syncs = 0;
        assert_int_equal(live_store_open(&run.live.options, &run.ledger->published, &live, NULL),
                         HEARTH_OK);
        assert_true(run.live.faults.directory_syncs >= 3); /* live/, the store, the one above */
        live_store_close(live);
    }
    run_clean(&run);
}

/* ---- Another directory, the same shared area ---- */

static enum hearth_error commit_reading(struct live_store *live, int number)
{
    struct record record = live_reading(number);
    struct live_entry entry = {.records = &record, .record_count = 1};
    live_store_commit(live, &entry, 1);
    return entry.outcome;
}

static void what_one_store_published_does_not_touch_another(void **state)
{
    struct run run;
    struct live_state now;
    struct live_published other = {0};
    struct live_store *live = NULL;
    (void)state;
    run_init(&run);
    struct live_store_options second = run.live.options;
    second.live_bytes = 8u << 20;
    snprintf(second.directory, sizeof second.directory, "%s/second", run.live.directory);
    assert_int_equal(live_store_prepare(&second, NULL), HEARTH_OK);
    assert_int_equal(live_store_open(&second, &other, &live, NULL), HEARTH_OK);
    for (int i = 0; i < 50; i++)
        assert_int_equal(commit_reading(live, i), HEARTH_OK);
    live_store_close(live);
    /* The first one's file is poisoned, and cannot be set aside. */
    live = open_patiently(&run);
    for (int i = 0; i < 5; i++)
        assert_int_equal(commit_reading(live, 100 + i), HEARTH_OK);
    live_store_close(live);
    live_publish_condition(&run.ledger->published, LIVE_POISONED);
    assert_int_equal(live_store_open(&second, &run.ledger->published, &live, NULL), HEARTH_OK);
    live_store_state(live, &now);
    assert_int_equal(now.readings, 50);
    live_store_close(live);
    run_clean(&run);
}

/* ---- A disk that stays full ---- */

static void a_disk_may_be_full_from_any_append_to_any_other(void **state)
{
    (void)state;
    for (int from = 0; from < APPENDS; from++) {
        for (int to = from + 1; to <= APPENDS; to++) {
            struct run run;
            run_init(&run);
            struct live_store *live = open_patiently(&run);
            for (int i = 0; i < APPENDS; i++) {
                run.live.faults.full = i >= from && i < to;
                int refused = run.ledger->refused;
                append_some(&run, live, i);
                assert_int_equal(run.ledger->refused - refused, i >= from && i < to);
            }
            live_store_close(live);
            expect_promises_kept(&run);
            run_clean(&run);
        }
    }
}

int main(void)
{
    /* What a disk would do is played here: thousands of real syncs would add nothing but time. */
    if (access("/dev/shm", W_OK) == 0)
        setenv("TMPDIR", "/dev/shm", 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_call_may_fail_with_an_io_error),
        cmocka_unit_test(any_call_may_find_the_disk_full),
        cmocka_unit_test(any_call_may_be_interrupted_and_nobody_notices),
        cmocka_unit_test(any_write_may_be_short_and_nobody_notices),
        cmocka_unit_test(in_a_storm_of_failures_the_promise_holds),
        cmocka_unit_test(memory_may_run_out_at_any_allocation),
        cmocka_unit_test(the_keeper_may_die_at_any_call),
        cmocka_unit_test(the_pool_may_die_at_any_call),
        cmocka_unit_test(the_keeper_may_die_after_a_failed_sync),
        cmocka_unit_test(what_a_dead_keeper_poisoned_is_not_synced_by_its_successor),
        cmocka_unit_test(every_opening_makes_the_names_last),
        cmocka_unit_test(what_one_store_published_does_not_touch_another),
        cmocka_unit_test(a_disk_may_be_full_from_any_append_to_any_other),
    };
    return cmocka_run_group_tests_name("faults", tests, NULL, NULL);
}
