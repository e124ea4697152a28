/*
 * test_snapshot_faults.c - readers of a store that is damaged, of which calls fail, and without
 * memory.
 */
#include "support_snapshot.h"

#include <stdlib.h>
#include <string.h>

#include "app/core/memory.h"

/* ---- What goes wrong ---- */

static enum hearth_error read_everything(struct snapshot_story *story, struct error_record *error)
{
    struct snapshot *snapshot;
    struct story_list list = {0};
    *error = (struct error_record){0};
    enum hearth_error code = snapshot_open(story->snapshots, &snapshot, error);
    if (code == HEARTH_OK)
        code = snapshot_range(snapshot, &story_everything, story_take_block, &list, error);
    snapshot_close(snapshot);
    free(list.records);
    return code;
}

static void make_two_days(struct snapshot_story *story)
{
    for (int day = 0; day < 2; day++) {
        struct record records[3] = {story_reading(day, 1), story_reading(day, 2),
                                    story_at(DAY_MS * 5, 1, TIME_SUSPECT)};
        records[2] = story_at((5 + day) * DAY_MS, 1, TIME_SUSPECT);
        made_store_append(&story->store, records, 3);
        made_store_seal_current(&story->store, YEAR);
    }
}

static void a_sealed_file_that_is_not_what_the_manifest_says_is_named(void **state)
{
    static const char *const names[] = {"sealed/2025/09-15.00000002.bin", "suspect/00000002.bin"};
    struct snapshot_story *story = *state;
    struct error_record error;
    make_two_days(story);
    for (size_t i = 0; i < 2; i++) {
        size_t size;
        char *bytes = made_store_read(&story->store, names[i], &size);
        struct snapshots *snapshots = story->snapshots;
        for (int kind = 0; kind < 4; kind++) {
            if (kind == 0)
                made_store_remove(&story->store, names[i]);
            else if (kind < 3)
                made_store_write(&story->store, names[i], bytes, size - (kind == 1 ? 1 : size));
            else
                made_store_write(&story->store, names[i], bytes, size);
            story->snapshots =
                snapshots_new(&file_system, story->store.store, &story->store.published);
            enum hearth_error code = read_everything(story, &error);
            assert_int_equal(code, kind < 3 ? HEARTH_CORRUPT : HEARTH_OK);
            if (kind < 3)
                assert_non_null(strstr(error.detail, names[i]));
            snapshots_free(story->snapshots);
        }
        story->snapshots = snapshots;
        free(bytes);
    }
    assert_int_equal(read_everything(story, &error), HEARTH_OK);
}

static void a_damaged_manifest_is_an_error_until_it_is_mended(void **state)
{
    struct snapshot_story *story = *state;
    struct error_record error;
    size_t size;
    make_two_days(story);
    char *bytes = made_store_read(&story->store, "manifest/2025.ndjson", &size);
    bytes[20] ^= 1;
    made_store_write(&story->store, "manifest/2025.ndjson", bytes, size);
    assert_int_equal(read_everything(story, &error), HEARTH_CORRUPT);
    assert_non_null(strstr(error.detail, "manifest/2025.ndjson line 1"));
    bytes[20] ^= 1;
    made_store_write(&story->store, "manifest/2025.ndjson", bytes, size);
    assert_int_equal(read_everything(story, &error), HEARTH_OK);
    free(bytes);
}

static void whatever_file_call_fails_the_next_reader_sees_all(void **state)
{
    struct snapshot_story *story = *state;
    struct error_record error;
    int64_t calls = 1;
    make_two_days(story);
    for (int64_t fail_at = 0; fail_at <= calls; fail_at++) { /* first none */
        struct snapshots *snapshots = story->snapshots;
        fault_files_init(&story->faults);
        story->snapshots =
            snapshots_new(&story->faults.files, story->store.store, &story->store.published);
        story->faults.fail_at = fail_at;
        story->faults.kind = FAULT_ERRNO;
        story->faults.number = 5;
        enum hearth_error code = read_everything(story, &error);
        assert_true(code == HEARTH_OK || code == HEARTH_IO);
        calls = story->faults.calls > calls ? story->faults.calls : calls;
        story->faults.fail_at = 0;
        struct snapshot *snapshot = story_snapshot(story);
        struct story_list list;
        story_range(snapshot, &story_everything, &list);
        assert_int_equal(list.count, 6);
        free(list.records);
        snapshot_close(snapshot);
        snapshots_free(story->snapshots);
        story->snapshots = snapshots;
    }
    assert_in_range(calls, 10, 200);
}

static enum hearth_error use_all(struct snapshot_story *story)
{
    struct snapshot *snapshot;
    struct reading_series series[32];
    struct story_list list = {0};
    size_t count;
    enum hearth_error code = snapshot_open(story->snapshots, &snapshot, NULL);
    if (code == HEARTH_OK)
        code = snapshot_range(snapshot, &story_everything, story_take_block, &list, NULL);
    if (code == HEARTH_OK)
        code = snapshot_series(snapshot, series, 32, &count, NULL);
    snapshot_close(snapshot);
    free(list.records);
    struct tail_cursor cursor = {0};
    struct tail_result result;
    struct record got[4];
    return code == HEARTH_OK ? snapshots_tail(story->snapshots, &cursor, got, 4, &result, NULL)
                             : code;
}

static void memory_that_runs_out_is_an_error_and_nothing_is_lost(void **state)
{
    struct snapshot_story *story = *state;
    make_two_days(story);
    for (int i = 0; i < 10; i++) {
        struct record record = story_reading(i, 7);
        made_store_append(&story->store, &record, 1);
    }
    enum hearth_error code = HEARTH_NO_MEMORY;
    int64_t count = 0;
    for (; code == HEARTH_NO_MEMORY && count < 300; count++) {
        struct snapshots *snapshots =
            snapshots_new(&file_system, story->store.store, &story->store.published);
        struct snapshots *kept = story->snapshots;
        story->snapshots = snapshots;
        memory_fail_after(count);
        code = use_all(story);
        memory_fail_after(-1);
        assert_true(code == HEARTH_OK || code == HEARTH_NO_MEMORY);
        struct snapshot *snapshot = story_snapshot(story);
        struct story_list list;
        story_range(snapshot, &story_everything, &list);
        assert_int_equal(list.count, 16);
        free(list.records);
        snapshot_close(snapshot);
        snapshots_free(snapshots);
        story->snapshots = kept;
    }
    assert_int_equal(code, HEARTH_OK);
    assert_true(count > 10);
}

#define STORY(name) cmocka_unit_test_setup_teardown(name, story_setup, story_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY(a_sealed_file_that_is_not_what_the_manifest_says_is_named),
        STORY(a_damaged_manifest_is_an_error_until_it_is_mended),
        STORY(whatever_file_call_fails_the_next_reader_sees_all),
        STORY(memory_that_runs_out_is_an_error_and_nothing_is_lost),
    };
    return cmocka_run_group_tests_name("snapshots of what is damaged", tests, NULL, NULL);
}
