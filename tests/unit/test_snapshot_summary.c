/*
 * test_snapshot_summary.c - summaries beside snapshots: found when they cover a day, mapped anew
 * when they are replaced, passed over when they are damaged; totals of series from them.
 */
#include "support_snapshot.h"

#include <stdlib.h>
#include <string.h>

#include "handlers/sensor/summary/summarizer.h"
#include "handlers/sensor/summary/summary.h"

static void summarize(struct snapshot_story *story)
{
    struct error_record error = {0};
    struct summarizer summarizer = {&file_system, story->store.store, story->snapshots, 0};
    enum hearth_error code = summarizer_year(&summarizer, YEAR, &error);
    if (code != HEARTH_OK)
        fail_msg("summary: %s %s", error_name(code), error.detail);
    made_store_publish(&story->store); /* another generation: readers look at once */
}

static void seal_day(struct snapshot_story *story, int day, int from, int count)
{
    for (int i = from; i < from + count; i++) {
        struct record record = story_reading(day, i * 60);
        made_store_append(&story->store, &record, 1);
    }
    made_store_seal_current(&story->store, YEAR);
}

static const struct summary_day *summary_of(struct snapshot *snapshot, int day)
{
    struct day_runs runs;
    assert_int_equal(snapshot_day_look(snapshot, DAY + day, false, &runs, NULL), HEARTH_OK);
    const struct summary_day *summary = runs.summary;
    snapshot_release(snapshot, &runs);
    return summary;
}

static void a_day_has_its_summary_while_that_covers_all_its_files(void **state)
{
    struct snapshot_story *story = *state;
    seal_day(story, 0, 0, 50);
    seal_day(story, 1, 0, 50);
    struct snapshot *snapshot = story_snapshot(story);
    assert_null(summary_of(snapshot, 0)); /* nobody made one */
    snapshot_close(snapshot);
    summarize(story);
    snapshot = story_snapshot(story);
    assert_non_null(summary_of(snapshot, 0));
    assert_non_null(summary_of(snapshot, 1));
    assert_null(summary_of(snapshot, 2));
    seal_day(story, 1, 50, 5); /* late ones */
    struct snapshot *after = story_snapshot(story);
    assert_non_null(summary_of(after, 0));
    assert_null(summary_of(after, 1));
    summarize(story);
    struct snapshot *newest = story_snapshot(story);
    assert_non_null(summary_of(newest, 1));
    assert_non_null(summary_of(snapshot, 1)); /* the old ones go on with the old file */
    assert_null(summary_of(after, 1));
    snapshot_close(snapshot);
    snapshot_close(after);
    snapshot_close(newest);
}

static void live_readings_of_a_day_leave_it_without_a_summary(void **state)
{
    struct snapshot_story *story = *state;
    struct record late = story_reading(0, 7), suspect = story_at(DAY * DAY_MS, 1, TIME_SUSPECT);
    seal_day(story, 0, 0, 50);
    summarize(story);
    made_store_append(&story->store, &suspect, 1);
    struct snapshot *snapshot = story_snapshot(story);
    struct day_runs runs;
    assert_int_equal(snapshot_day_look(snapshot, DAY, false, &runs, NULL), HEARTH_OK);
    assert_non_null(runs.summary);
    snapshot_release(snapshot, &runs);
    assert_int_equal(snapshot_day_look(snapshot, DAY, true, &runs, NULL), HEARTH_OK);
    assert_null(runs.summary);
    assert_int_equal(runs.count, 2);
    snapshot_release(snapshot, &runs);
    snapshot_close(snapshot);
    made_store_append(&story->store, &late, 1);
    snapshot = story_snapshot(story);
    assert_null(summary_of(snapshot, 0));
    snapshot_close(snapshot);
}

static void a_damaged_summary_is_passed_over(void **state)
{
    struct snapshot_story *story = *state;
    seal_day(story, 0, 0, 50);
    summarize(story);
    size_t size;
    char *bytes = made_store_read(&story->store, "summary/2025.sum", &size);
    assert_non_null(bytes);
    for (size_t at = 0; at < 16 && at < size; at++) {
        bytes[at] = (char)(bytes[at] ^ 0x20);
        made_store_write(&story->store, "summary/2025.sum", bytes, size);
        made_store_publish(&story->store);
        struct snapshot *snapshot = story_snapshot(story);
        struct story_list list;
        (void)summary_of(snapshot, 0); /* some or none, but no wrong one: see the summary's tests */
        story_range(snapshot, &story_everything, &list);
        assert_int_equal(list.count, 50);
        free(list.records);
        snapshot_close(snapshot);
        bytes[at] = (char)(bytes[at] ^ 0x20);
    }
    made_store_write(&story->store, "summary/2025.sum", "", 0);
    made_store_publish(&story->store);
    struct snapshot *snapshot = story_snapshot(story);
    assert_null(summary_of(snapshot, 0));
    snapshot_close(snapshot);
    free(bytes);
}

static void series_are_the_same_from_summaries_and_from_records(void **state)
{
    struct snapshot_story *story = *state;
    struct reading_series scanned[8], summed[8];
    size_t count, again;
    for (int day = 0; day < 5; day++)
        seal_day(story, day, 3 * day, 40);
    struct snapshot *snapshot = story_snapshot(story);
    assert_int_equal(snapshot_series(snapshot, scanned, 8, &count, NULL), HEARTH_OK);
    snapshot_close(snapshot);
    summarize(story);
    struct snapshots *fresh =
        snapshots_new(&story->faults.files, story->store.store, &story->store.published);
    assert_int_equal(snapshot_open(fresh, &snapshot, NULL), HEARTH_OK);
    int64_t calls = story->faults.calls;
    assert_int_equal(snapshot_series(snapshot, summed, 8, &again, NULL), HEARTH_OK);
    assert_in_range(story->faults.calls - calls, 1, 8); /* no sealed file was opened */
    assert_int_equal(again, count);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(summed[i].channel, scanned[i].channel);
        assert_int_equal(summed[i].rolling_code, scanned[i].rolling_code);
        assert_int_equal(summed[i].first_ms, scanned[i].first_ms);
        assert_int_equal(summed[i].last_ms, scanned[i].last_ms);
        assert_int_equal(summed[i].count, scanned[i].count);
    }
    snapshot_close(snapshot);
    snapshots_free(fresh);
}

#define STORY(name) cmocka_unit_test_setup_teardown(name, story_setup, story_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY(a_day_has_its_summary_while_that_covers_all_its_files),
        STORY(live_readings_of_a_day_leave_it_without_a_summary),
        STORY(a_damaged_summary_is_passed_over),
        STORY(series_are_the_same_from_summaries_and_from_records),
    };
    return cmocka_run_group_tests_name("summaries beside snapshots", tests, NULL, NULL);
}
