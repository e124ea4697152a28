/*
 * test_live_faults.c - every file operation of a store's life fails once, in every way it can, and
 * the process dies at every one.
 *
 * A life: open, append (good readings, duplicates, bad records, rejected texts, over the end of a
 * file and of a day), close, open again. In each run one call fails; the runs end when one goes
 * through untouched. Whatever came of it: what was acknowledged is there, nothing stands twice, the
 * store opens.
 */
#include "support_fault_runs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app/core/memory.h"

enum { APPENDS = 14, PER_APPEND = 3, READINGS = APPENDS * PER_APPEND, MAX_CALLS = 2000 };

/* ---- A life ---- */

static void prepare(struct live_case *live)
{
    live->options.live_bytes = UINT64_C(10) * RECORD_BYTES;
}

/* As a keeper does: the same published state from one to the next. */
static struct live_store *open_once(struct fault_run *run)
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
static struct live_store *open_patiently(struct fault_run *run)
{
    struct live_store *live = NULL;
    for (int tries = fault_run_tries(run); !live && tries > 0; tries--)
        live = open_once(run);
    assert_non_null(live);
    return live;
}

/* Three readings, one of them sent before, a bad record, a rejected text. */
static void append_some(struct fault_run *run, struct live_store *live, int number)
{
    struct fault_ledger *ledger = run->ledger;
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
    fault_run_acknowledge(run, first, PER_APPEND);
    fault_run_acknowledge(run, first > 0 ? first - 1 : 0, 1); /* a duplicate is a promise, too */
    ledger->kept[number] = with_text;
}

static void live_a_life(struct fault_run *run)
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

static void expect_quarantined(struct fault_run *run)
{
    char *text = live_quarantine_text(&run->live);
    for (int i = 0; i < APPENDS; i++) {
        char expected[48];
        snprintf(expected, sizeof expected, "not a reading %d.", i);
        size_t times = live_count_text(text, expected);
        /* Where cutting back failed as well as the sync, a line may stand in two files. */
        bool right = times == 1 || (times > 1 && run->live.faults.storm);
        if (run->ledger->kept[i] && !right)
            fail_msg("rejected text %d is in the quarantine %zu times", i, times);
    }
    free(text);
}

static const struct fault_story pool_story;

/* And it goes on: a resend of everything. */
static void expect_resend_taken(struct reading_store *store)
{
    size_t count;
    struct record *all = live_everything(store, &count);
    for (int i = 0; i < READINGS; i++) {
        struct record record = live_reading(i);
        assert_int_equal(live_append_number(store, i).accepted, !live_has(all, count, &record));
    }
    free(all);
}

/* With files that work again. */
static void expect_promises_kept(struct fault_run *run)
{
    run->live.options.files = NULL;
    struct reading_store *store = live_case_open(&run->live);
    fault_run_expect_stored(run, &pool_story, store);
    live_expect_nothing_twice(&run->live);
    expect_quarantined(run);
    expect_resend_taken(store);
    store->free(store);
    live_expect_nothing_twice(&run->live);
}

/* A successor in this pool, before that. */
static void expect_a_successor_to_keep_promises(struct fault_run *run)
{
    struct live_store *live = open_patiently(run);
    append_some(run, live, APPENDS - 1);
    live_store_close(live);
    expect_promises_kept(run);
}

static const struct fault_story pool_story = {
    .prepare = prepare,
    .live = live_a_life,
    .expect = expect_promises_kept,
    .reading = live_reading,
    .readings = READINGS,
    .least_calls = 100,
    .most_calls = MAX_CALLS,
};

static const struct fault_story keeper_story = {
    .prepare = prepare,
    .live = live_a_life,
    .expect = expect_a_successor_to_keep_promises,
    .reading = live_reading,
    .readings = READINGS,
    .least_calls = 100,
    .most_calls = MAX_CALLS,
};

/* ---- One failure ---- */

static int fail_each_call(enum fault_kind kind, int number)
{
    return fault_story_fail_each_call(&pool_story, kind, number).refused;
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
    (void)state;
    struct fault_sums sums = fault_story_storm(&pool_story, 300, 10, 15);
    assert_true(sums.refused > 100 && sums.opens_failed > 10);
}

/* ---- Memory ---- */

/* Each append with room for `allocations` of them; gives back how many were refused. */
static int append_with_memory_for(struct fault_run *run, int64_t allocations)
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
        struct fault_run run;
        fault_run_init(&run, &pool_story);
        refused = append_with_memory_for(&run, allocations++);
        expect_promises_kept(&run);
        fault_run_clean(&run);
        assert_true(allocations < 100);
    } while (refused > 0);
    assert_true(allocations > 4);
}

/* ---- Death ---- */

static void the_keeper_may_die_at_any_call(void **state)
{
    (void)state;
    fault_story_die_at_each_call(&keeper_story);
}

static void the_pool_may_die_at_any_call(void **state)
{
    (void)state;
    fault_story_die_at_each_call(&pool_story);
}

/* A sync fails, and the process dies at one of the next calls: between the poisoning, the renaming,
 * the next file, the second try. */
static void the_keeper_may_die_after_a_failed_sync(void **state)
{
    int deaths = 0;
    (void)state;
    for (int64_t at = 1; at < MAX_CALLS; at++) {
        struct fault_run probe;
        fault_run_init(&probe, &pool_story);
        probe.live.faults.kind = FAULT_ERRNO;
        probe.live.faults.number = EIO;
        probe.live.faults.fail_at = at;
        live_a_life(&probe);
        bool is_sync = strcmp(probe.live.faults.log, "fdatasync") == 0;
        bool beyond = probe.live.faults.calls < at;
        fault_run_clean(&probe);
        for (int64_t later = 1; is_sync && later <= 8; later++, deaths++) {
            struct fault_run run;
            fault_run_init(&run, &pool_story);
            run.live.faults.kind = FAULT_ERRNO;
            run.live.faults.number = EIO;
            run.live.faults.fail_at = at;
            fault_run_die_at(&run, later % 2 == 0 ? &pool_story : &keeper_story, at + later);
            fault_run_clean(&run);
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
    struct fault_run run;
    (void)state;
    fault_run_init(&run, &pool_story);
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
    fault_run_clean(&run);
}

/* ---- Names that were not certain to last ---- */

static void every_opening_makes_the_names_last(void **state)
{
    struct fault_run run;
    (void)state;
    fault_run_init(&run, &pool_story);
    for (int i = 0; i < 3; i++) {
        struct live_store *live = NULL;
        assert_int_equal(live_store_prepare(&run.live.options, NULL), HEARTH_OK);
        run.live.faults.directory_syncs = 0;
        assert_int_equal(live_store_open(&run.live.options, &run.ledger->published, &live, NULL),
                         HEARTH_OK);
        assert_true(run.live.faults.directory_syncs >= 3); /* live/, the store, the one above */
        live_store_close(live);
    }
    fault_run_clean(&run);
}

/* ---- Another directory, the same shared area ---- */

static void what_one_store_published_does_not_touch_another(void **state)
{
    struct fault_run run;
    struct live_state now;
    struct live_published other = {0};
    struct live_store *live = NULL;
    (void)state;
    fault_run_init(&run, &pool_story);
    struct live_store_options second = run.live.options;
    second.live_bytes = 8u << 20;
    snprintf(second.directory, sizeof second.directory, "%s/second", run.live.directory);
    assert_int_equal(live_store_prepare(&second, NULL), HEARTH_OK);
    assert_int_equal(live_store_open(&second, &other, &live, NULL), HEARTH_OK);
    for (int i = 0; i < 50; i++)
        assert_int_equal(live_commit_number(live, i), HEARTH_OK);
    live_store_close(live);
    /* The first one's file is poisoned, and cannot be set aside. */
    live = open_patiently(&run);
    for (int i = 0; i < 5; i++)
        assert_int_equal(live_commit_number(live, 100 + i), HEARTH_OK);
    live_store_close(live);
    live_publish_condition(&run.ledger->published, LIVE_POISONED);
    assert_int_equal(live_store_open(&second, &run.ledger->published, &live, NULL), HEARTH_OK);
    live_store_state(live, &now);
    assert_int_equal(now.readings, 50);
    live_store_close(live);
    fault_run_clean(&run);
}

/* ---- A disk that stays full ---- */

static void a_disk_may_be_full_from_any_append_to_any_other(void **state)
{
    (void)state;
    for (int from = 0; from < APPENDS; from++) {
        for (int to = from + 1; to <= APPENDS; to++) {
            struct fault_run run;
            fault_run_init(&run, &pool_story);
            struct live_store *live = open_patiently(&run);
            for (int i = 0; i < APPENDS; i++) {
                run.live.faults.full = i >= from && i < to;
                int refused = run.ledger->refused;
                append_some(&run, live, i);
                assert_int_equal(run.ledger->refused - refused, i >= from && i < to);
            }
            live_store_close(live);
            expect_promises_kept(&run);
            fault_run_clean(&run);
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
