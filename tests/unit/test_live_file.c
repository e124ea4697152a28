/*
 * test_live_file.c - the files of the embedded store: their names, appending, rolling, poisoning,
 * the full disk.
 */
#include "support_live.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "handlers/sensor/live/live_records.h"
#include "handlers/sensor/live/live_span.h"

/* ---- Names ---- */

static void names_of_live_files_come_back_as_they_went(void **state)
{
    static const struct live_name names[] = {
        {1, false, 0},         {7, true, 98304},      {99999999, false, 0},
        {100000000, false, 0}, {UINT64_MAX, true, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char text[LIVE_NAME_BYTES];
        struct live_name parsed;
        live_name_format(&names[i], text);
        assert_true(live_name_parse(text, &parsed));
        assert_int_equal(parsed.sequence, names[i].sequence);
        assert_int_equal(parsed.poisoned, names[i].poisoned);
        assert_int_equal(parsed.trusted_bytes, names[i].trusted_bytes);
    }
    char text[LIVE_NAME_BYTES];
    live_name_format(&names[1], text);
    assert_string_equal(text, "00000007.poisoned-98304.bin");
    live_name_format(&names[0], text);
    assert_string_equal(text, "00000001.bin");
}

static void other_names_are_no_live_files(void **state)
{
    static const char *const others[] = {
        "",
        ".bin",
        "1.bin",
        "0000001.bin",
        "00000001",
        "00000001.bin.tmp",
        "00000001.bin~",
        "0000000a.bin",
        "-0000001.bin",
        "00000001..bin",
        "00000001.poisoned.bin",
        "00000001.poisoned-.bin",
        "00000001.poisoned-x.bin",
        "00000001.poison-12.bin",
        "99999999999999999999.bin",
        "00000001.12.bin",
    };
    (void)state;
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        struct live_name parsed;
        if (live_name_parse(others[i], &parsed))
            fail_msg("%s was taken for a live file", others[i]);
    }
}

/* ---- What readers go by ---- */

static void a_file_not_yet_published_is_not_read(void **state)
{
    struct live_case *test = *state;
    struct live_published published = {0};
    struct live_spans spans = {0};
    struct record record = live_reading(1);
    for (int i = 1; i <= 4; i++) {
        char name[32];
        snprintf(name, sizeof name, i == 2 ? "%08d.poisoned-12.bin" : "%08d.bin", i);
        live_file_write(test, name, &record, sizeof record);
    }
    live_file_write(test, "00000000.poisoned-0.bin", &record, sizeof record); /* nothing of it */
    assert_int_equal(
        live_spans_refresh(&spans, &file_system, test->options.directory, &published, false, NULL),
        HEARTH_UNAVAILABLE);
    live_publish(&published, &(struct live_state){.sequence = 3, .synced_bytes = RECORD_BYTES});
    assert_int_equal(
        live_spans_refresh(&spans, &file_system, test->options.directory, &published, false, NULL),
        HEARTH_OK);
    static const int64_t expected[] = {LIVE_SPAN_TO_END, 12, RECORD_BYTES};
    assert_int_equal(spans.count, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(spans.spans[i].name.sequence, i + 1);
        assert_int_equal(spans.spans[i].bytes, expected[i]);
    }
    live_spans_clean(&spans);
}

/* The file as the table sees it. */
static void expect_known(struct live_records *records, const struct record *record, bool known)
{
    assert_int_equal(live_records_find(records, record), known ? IDENTITY_KNOWN : IDENTITY_NEW);
}

static void a_run_goes_with_all_that_it_knows(void **state)
{
    struct live_case *test = *state;
    struct live_records records;
    struct record slots[20];
    for (int i = 0; i < 20; i++)
        slots[i] = live_reading(i);
    live_file_write(test, "00000001.bin", slots, 10 * sizeof *slots);
    live_file_write(test, "00000002.bin", slots + 10, 10 * sizeof *slots);
    live_records_init(&records, &file_system, test->options.directory);
    for (uint32_t file = 0; file < 2; file++) {
        assert_int_equal(
            live_records_add(&records, &(struct live_name){.sequence = file + 1}, 10, NULL),
            HEARTH_OK);
        struct live_run *run = live_records_last(&records);
        assert_int_equal(identity_reserve(&run->identity, 10), HEARTH_OK);
        for (uint32_t slot = 0; slot < 10; slot++)
            identity_insert(&run->identity, &slots[10 * file + slot], slot);
    }
    for (int i = 0; i < 20; i++)
        expect_known(&records, &slots[i], true);
    assert_int_equal(live_records_readings(&records), 20);
    live_records_drop(&records, records.runs[0]->name.sequence);
    for (int i = 0; i < 20; i++)
        expect_known(&records, &slots[i], i >= 10);
    assert_int_equal(records.slots, 10);
    assert_int_equal(live_records_readings(&records), 10);
    live_records_clean(&records);
}

static void a_slot_written_again_is_read_again(void **state)
{
    struct live_case *test = *state;
    struct live_records records;
    struct record slots[10];
    for (int i = 0; i < 10; i++)
        slots[i] = live_reading(i);
    live_file_write(test, "00000001.bin", slots, sizeof slots);
    live_records_init(&records, &file_system, test->options.directory);
    assert_int_equal(live_records_add(&records, &(struct live_name){.sequence = 1}, 10, NULL),
                     HEARTH_OK);
    struct identity *identity = &live_records_last(&records)->identity;
    assert_int_equal(identity_reserve(identity, 10), HEARTH_OK);
    identity_insert(identity, &slots[9], 9);
    expect_known(&records, &slots[9], true);
    live_records_resize_last(&records, 5); /* cut */
    identity_clear(identity);
    slots[9] = live_reading(77);
    live_file_write(test, "00000001.bin", slots, sizeof slots);
    live_records_resize_last(&records, 10); /* and appended to */
    assert_int_equal(identity_reserve(identity, 10), HEARTH_OK);
    identity_insert(identity, &slots[9], 9);
    expect_known(&records, &slots[9], true);
    live_records_clean(&records);
}

/* ---- Appending and rolling ---- */

static void a_reading_is_twelve_bytes_in_the_first_file(void **state)
{
    struct live_case *test = *state;
    struct reading_store *store = live_case_open(test);
    struct append_result result = live_append_number(store, 3);
    assert_int_equal(result.accepted, 1);
    assert_int_equal(result.first_ms, LIVE_START_MS + 3000);
    assert_int_equal(result.last_ms, LIVE_START_MS + 3000);
    size_t size;
    unsigned char *bytes = live_file_bytes(test, "00000001.bin", &size);
    struct record expected = live_reading(3);
    assert_int_equal(size, RECORD_BYTES);
    assert_memory_equal(bytes, &expected, RECORD_BYTES);
    free(bytes);
    store->free(store);
}

static void an_empty_store_makes_no_live_file(void **state)
{
    struct live_case *test = *state;
    struct reading_store *store = live_case_open(test);
    live_append(store, NULL, 0, HEARTH_OK);
    size_t count;
    free(live_everything(store, &count));
    assert_int_equal(count, 0);
    store->free(store);
    assert_int_equal(live_file_count(test), 0);
}

static void a_batch_is_synced_once(void **state)
{
    struct live_case *test = *state;
    struct record records[100];
    test->options.files = &test->faults.files;
    struct reading_store *store = live_case_open(test);
    for (int i = 0; i < 100; i++)
        records[i] = live_reading(i);
    live_append(store, records, 50, HEARTH_OK);
    int before = test->faults.syncs;
    live_append(store, records + 50, 50, HEARTH_OK);
    assert_int_equal(test->faults.syncs, before + 1);
    live_append(store, records, 100, HEARTH_OK); /* all duplicates: nothing to sync */
    assert_int_equal(test->faults.syncs, before + 1);
    store->free(store);
}

static void a_new_file_is_begun_above_the_size(void **state)
{
    struct live_case *test = *state;
    test->options.live_bytes = UINT64_C(10) * RECORD_BYTES;
    struct reading_store *store = live_case_open(test);
    for (int i = 0; i < 25; i++)
        live_append_number(store, i);
    assert_true(live_file_exists(test, "00000001.bin"));
    assert_true(live_file_exists(test, "00000003.bin"));
    assert_int_equal(live_file_count(test), 3);
    size_t size, count;
    free(live_file_bytes(test, "00000002.bin", &size));
    assert_int_equal(size, 10 * RECORD_BYTES);
    for (int i = 0; i < 25; i++)
        assert_int_equal(live_append_number(store, i).duplicate, 1);
    free(live_everything(store, &count));
    assert_int_equal(count, 25);
    store->free(store);
    store = live_case_open(test);
    for (int i = 0; i < 30; i++)
        assert_int_equal(live_append_number(store, i).accepted, i >= 25);
    store->free(store);
}

static void a_new_file_is_begun_when_the_day_is_over(void **state)
{
    struct live_case *test = *state;
    struct reading_store *store = live_case_open(test);
    live_append_number(store, 0);
    live_append_number(store, 1);
    assert_int_equal(live_file_count(test), 1);
    clock_manual_advance_ms(&test->clock, 86400000);
    live_append_number(store, 2);
    assert_int_equal(live_file_count(test), 2);
    size_t size;
    free(live_file_bytes(test, "00000002.bin", &size));
    assert_int_equal(size, RECORD_BYTES);
    store->free(store);
}

/* The keeper does so when it is idle; the file of the old day is then ready to be sealed. */
static void an_idle_store_finishes_the_day(void **state)
{
    struct live_case *test = *state;
    struct live_published published = {0};
    struct live_store *live;
    struct record record = live_reading(0);
    struct live_entry entry = {.records = &record, .record_count = 1};
    struct live_state now;
    assert_int_equal(live_store_prepare(&test->options, NULL), HEARTH_OK);
    assert_int_equal(live_store_open(&test->options, &published, &live, NULL), HEARTH_OK);
    live_store_commit(live, &entry, 1);
    live_store_tick(live);
    assert_int_equal(live_file_count(test), 1);
    clock_manual_advance_ms(&test->clock, 86400000);
    live_store_tick(live);
    assert_int_equal(live_file_count(test), 2);
    live_store_tick(live); /* and then there is nothing to finish */
    clock_manual_advance_ms(&test->clock, 86400000);
    live_store_tick(live);
    assert_int_equal(live_file_count(test), 2);
    assert_true(live_published_get(&published, &now));
    assert_int_equal(now.sequence, 2);
    assert_int_equal(now.synced_bytes, 0);
    assert_int_equal(now.readings, 1);
    live_store_close(live);
}

static void numbers_go_on_after_the_highest_that_stands(void **state)
{
    struct live_case *test = *state;
    struct record record = live_reading(1);
    test->options.live_bytes = RECORD_BYTES;
    live_file_write(test, "00000041.bin", &record, sizeof record);
    struct reading_store *store = live_case_open(test);
    live_append_number(store, 2);
    assert_true(live_file_exists(test, "00000042.bin"));
    store->free(store);
}

/* ---- Failing ---- */

static void after_a_failed_sync_the_file_is_set_aside_and_the_batch_goes_on(void **state)
{
    struct live_case *test = *state;
    test->options.files = &test->faults.files;
    struct reading_store *store = live_case_open(test);
    for (int i = 0; i < 5; i++)
        live_append_number(store, i);
    test->faults.kind = FAULT_ERRNO;
    test->faults.number = EIO;
    test->faults.fail_at = test->faults.calls + 2; /* write, then sync */
    assert_int_equal(live_append_number(store, 5).accepted, 1);
    assert_string_equal(test->faults.log, "fdatasync");
    assert_false(live_file_exists(test, "00000001.bin"));
    assert_true(live_file_exists(test, "00000001.poisoned-60.bin"));
    size_t size, count;
    free(live_file_bytes(test, "00000002.bin", &size));
    assert_int_equal(size, RECORD_BYTES);
    /* What stands in the poisoned file behind what is trusted does not count... */
    struct record *all = live_everything(store, &count);
    assert_int_equal(count, 6);
    free(all);
    for (int i = 0; i < 6; i++)
        assert_int_equal(live_append_number(store, i).duplicate, 1);
    store->free(store);
    /* ...also after a restart. */
    test->options.files = NULL;
    store = live_case_open(test);
    free(live_everything(store, &count));
    assert_int_equal(count, 6);
    assert_int_equal(live_append_number(store, 6).accepted, 1);
    live_expect_nothing_twice(test);
    store->free(store);
}

static void a_poisoned_file_is_never_synced_again(void **state)
{
    struct live_case *test = *state;
    test->options.files = &test->faults.files;
    struct reading_store *store = live_case_open(test);
    live_append_number(store, 0);
    test->faults.kind = FAULT_ERRNO;
    test->faults.number = EIO;
    test->faults.fail_at = test->faults.calls + 2;
    int syncs = test->faults.syncs;
    live_append_number(store, 1);
    assert_int_equal(test->faults.syncs, syncs + 2); /* the one that failed, the next file's */
    store->free(store);
    test->faults.fail_at = 0;
    size_t size;
    free(live_file_bytes(test, "00000001.poisoned-12.bin", &size));
    store = live_case_open(test);
    live_append_number(store, 2);
    size_t again;
    free(live_file_bytes(test, "00000001.poisoned-12.bin", &again));
    assert_int_equal(again, size);
    store->free(store);
}

struct watched {
    struct reading_store *store;
    _Atomic int acknowledged, failures, looks;
    _Atomic bool ended;
};

static enum hearth_error add_count(void *context, const struct record *records, size_t count)
{
    (void)records;
    *(size_t *)context += count;
    return HEARTH_OK;
}

static void *watch(void *argument)
{
    struct watched *watched = argument;
    const struct reading_range all = {.to_ms = INT64_MAX, .rolling_code = -1};
    while (!atomic_load(&watched->ended)) {
        size_t count = 0, series_count;
        struct reading_series series[16];
        int before = atomic_load(&watched->acknowledged);
        if (watched->store->range(watched->store, &all, add_count, &count, NULL) != HEARTH_OK ||
            watched->store->series(watched->store, series, 16, &series_count, NULL) != HEARTH_OK ||
            count < (size_t)before)
            atomic_fetch_add(&watched->failures, 1);
        atomic_fetch_add(&watched->looks, 1);
    }
    return NULL;
}

static void readers_do_not_notice_that_files_are_set_aside(void **state)
{
    struct live_case *test = *state;
    pthread_t readers[2];
    int sent = 0;
    test->options.files = &test->faults.files;
    test->options.live_bytes = UINT64_C(50) * RECORD_BYTES;
    test->faults.fail_each_sync = 3;
    struct watched watched = {.store = live_case_open(test)};
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&readers[i], NULL, watch, &watched), 0);
    while (sent < 300 || (watched.looks < 20 && sent < 3000)) {
        live_append_number(watched.store, sent);
        atomic_store(&watched.acknowledged, ++sent);
    }
    atomic_store(&watched.ended, true);
    for (int i = 0; i < 2; i++)
        pthread_join(readers[i], NULL);
    assert_int_equal(watched.failures, 0);
    assert_true(live_file_count(test) > 100); /* so many were set aside */
    watched.store->free(watched.store);
    live_expect_nothing_twice(test);
}

static void a_full_disk_is_told_and_goes_away_by_itself(void **state)
{
    struct live_case *test = *state;
    struct record records[40];
    size_t count, size;
    test->options.files = &test->faults.files;
    struct reading_store *store = live_case_open(test);
    for (int i = 0; i < 40; i++)
        records[i] = live_reading(i);
    live_append(store, records, 10, HEARTH_OK);
    test->faults.full = true;
    live_append(store, records, 20, HEARTH_DISK_FULL);
    live_append(store, records, 20, HEARTH_DISK_FULL);
    free(live_everything(store, &count)); /* reads go on */
    assert_int_equal(count, 10);
    /* What was half written was cut back, and the file is good. */
    free(live_file_bytes(test, "00000001.bin", &size));
    assert_int_equal(size, 10 * RECORD_BYTES);
    test->faults.full = false;
    struct append_result result = live_append(store, records, 40, HEARTH_OK);
    assert_int_equal(result.accepted, 30);
    assert_int_equal(result.duplicate, 10);
    assert_int_equal(live_file_count(test), 1);
    live_expect_nothing_twice(test);
    store->free(store);
}

static void a_full_disk_does_not_keep_a_store_from_opening(void **state)
{
    struct live_case *test = *state;
    size_t count;
    struct reading_store *store = live_case_open(test);
    for (int i = 0; i < 10; i++)
        live_append_number(store, i);
    store->free(store);
    unsigned char torn[10 * RECORD_BYTES + 5];
    size_t size;
    unsigned char *bytes = live_file_bytes(test, "00000001.bin", &size);
    memcpy(torn, bytes, size);
    memset(torn + size, 0x5A, 5);
    free(bytes);
    live_file_write(test, "00000001.bin", torn, sizeof torn);
    test->options.files = &test->faults.files;
    test->faults.full = true;
    store = live_case_open(test);
    free(live_everything(store, &count));
    assert_int_equal(count, 10);
    struct record record = live_reading(10);
    live_append(store, &record, 1, HEARTH_DISK_FULL);
    test->faults.full = false;
    live_append(store, &record, 1, HEARTH_OK);
    /* The torn file could not be cut without its tail in the quarantine: it was finished. */
    assert_true(live_file_exists(test, "00000002.bin"));
    store->free(store);
    assert_int_equal(live_quarantine_lines(test), 0);
    store = live_case_open(test); /* now there is room */
    assert_int_equal(live_quarantine_lines(test), 1);
    free(live_everything(store, &count));
    assert_int_equal(count, 11);
    store->free(store);
}

#define LIVE_STORY(name)                                                                           \
    cmocka_unit_test_setup_teardown(name, live_case_set_up, live_case_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_of_live_files_come_back_as_they_went),
        cmocka_unit_test(other_names_are_no_live_files),
        LIVE_STORY(a_file_not_yet_published_is_not_read),
        LIVE_STORY(a_slot_written_again_is_read_again),
        LIVE_STORY(a_run_goes_with_all_that_it_knows),
        LIVE_STORY(a_reading_is_twelve_bytes_in_the_first_file),
        LIVE_STORY(an_empty_store_makes_no_live_file),
        LIVE_STORY(a_batch_is_synced_once),
        LIVE_STORY(a_new_file_is_begun_above_the_size),
        LIVE_STORY(a_new_file_is_begun_when_the_day_is_over),
        LIVE_STORY(an_idle_store_finishes_the_day),
        LIVE_STORY(numbers_go_on_after_the_highest_that_stands),
        LIVE_STORY(after_a_failed_sync_the_file_is_set_aside_and_the_batch_goes_on),
        LIVE_STORY(a_poisoned_file_is_never_synced_again),
        LIVE_STORY(readers_do_not_notice_that_files_are_set_aside),
        LIVE_STORY(a_full_disk_is_told_and_goes_away_by_itself),
        LIVE_STORY(a_full_disk_does_not_keep_a_store_from_opening),
    };
    return cmocka_run_group_tests_name("live files", tests, NULL, NULL);
}
