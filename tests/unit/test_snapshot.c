/*
 * test_snapshot.c - the whole store at one moment: live and sealed readings side by side, days and
 * their runs, ranges.
 */
#include "support_snapshot.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "handlers/sensor/record/record.h"

/* ---- Live and sealed ---- */

static void nothing_is_seen_before_the_keeper_publishes(void **state)
{
    struct snapshot_story *story = *state;
    struct live_published nothing = {0};
    struct snapshots *snapshots = snapshots_new(&file_system, story->store.store, &nothing);
    struct snapshot *snapshot;
    assert_int_equal(snapshot_open(snapshots, &snapshot, NULL), HEARTH_UNAVAILABLE);
    assert_null(snapshot);
    snapshot_close(snapshot);
    snapshots_free(snapshots);
    snapshots_free(NULL);
}

static void an_empty_store_has_no_days(void **state)
{
    struct snapshot *snapshot = story_snapshot(*state);
    struct day_runs runs;
    story_expect(snapshot, NULL, 0);
    assert_int_equal(snapshot_next_day(snapshot, INT32_MIN), INT32_MAX);
    assert_int_equal(snapshot_previous_day(snapshot, INT32_MAX), INT32_MIN);
    assert_int_equal(snapshot_day(snapshot, DAY, true, &runs, NULL), HEARTH_OK);
    assert_int_equal(runs.count, 0);
    snapshot_release(snapshot, &runs);
    assert_int_equal(snapshot_day(snapshot, INT32_MIN, false, &runs, NULL), HEARTH_OK);
    assert_int_equal(runs.count, 0);
    snapshot_close(snapshot);
}

static void what_is_appended_is_there_and_a_snapshot_stays_as_it_was(void **state)
{
    struct snapshot_story *story = *state;
    struct snapshot *snapshots[20];
    struct record records[20];
    for (int i = 0; i < 20; i++) {
        records[i] = story_reading(0, i);
        made_store_append(&story->store, &records[i], 1);
        snapshots[i] = story_snapshot(story);
        if (i % 7 == 6)
            made_store_seal_current(&story->store, YEAR);
    }
    for (int i = 0; i < 20; i++) {
        struct store_state seen;
        story_expect(snapshots[i], records, (size_t)i + 1);
        snapshot_state(snapshots[i], &seen);
        assert_int_equal(seen.readings, i + 1);
        snapshot_close(snapshots[i]);
    }
}

static void sealing_moves_readings_and_loses_none(void **state)
{
    struct snapshot_story *story = *state;
    struct record records[60];
    for (int i = 0; i < 60; i++)
        records[i] = story_reading(i / 20, i % 20);
    for (int i = 0; i < 60; i += 10) {
        made_store_append(&story->store, &records[i], 10);
        struct snapshot *before = story_snapshot(story);
        made_store_seal_current(&story->store, YEAR);
        struct snapshot *after = story_snapshot(story);
        story_expect(before, records, (size_t)i + 10);
        story_expect(after, records, (size_t)i + 10);
        const struct sealed_file *files;
        assert_int_equal(snapshot_sealed_files(after, &files), i / 10 + 1);
        assert_int_equal(snapshot_sealed_files(before, &files), i / 10);
        snapshot_close(before);
        snapshot_close(after);
    }
}

static void a_file_that_is_set_aside_is_found_under_its_new_name(void **state)
{
    struct snapshot_story *story = *state;
    struct record records[3] = {story_reading(0, 1), story_reading(0, 2), story_reading(0, 3)};
    char from[1200], to[1200];
    made_store_append(&story->store, records, 2);
    snapshot_close(story_snapshot(story));
    made_store_append(&story->store, records + 2, 1);
    /* The keeper set it aside while nobody looked; what is behind the trusted bytes is not read. */
    made_store_path(&story->store, "live/00000001.bin", from);
    made_store_path(&story->store, "live/00000001.poisoned-36.bin", to);
    made_store_next(&story->store);
    assert_int_equal(rename(from, to), 0);
    story->store.state.file_generation += 2;
    made_store_publish(&story->store);
    struct snapshot *snapshot = story_snapshot(story);
    story_expect(snapshot, records, 3);
    snapshot_close(snapshot);
}

static void while_names_change_a_reader_goes_on_with_what_it_knows(void **state)
{
    struct snapshot_story *story = *state;
    struct record records[2] = {story_reading(0, 1), story_reading(0, 2)};
    made_store_append(&story->store, records, 1);
    snapshot_close(story_snapshot(story));
    story->store.state.file_generation++; /* odd */
    made_store_append(&story->store, records + 1, 1);
    struct snapshot *snapshot = story_snapshot(story);
    story_expect(snapshot, records, 2);
    snapshot_close(snapshot);
}

static void another_store_in_the_same_place_is_noticed(void **state)
{
    struct snapshot_story *story = *state;
    struct record old[2] = {story_reading(0, 1), story_reading(0, 2)}, new = story_reading(0, 9);
    story->store.state.device = 1;
    story->store.state.inode = 1;
    made_store_append(&story->store, old, 2);
    made_store_seal_current(&story->store, YEAR);
    struct snapshot *before = story_snapshot(story);
    struct latest_reading latest[8];
    size_t count;
    assert_int_equal(snapshot_latest(before, latest, 8, &count, NULL), HEARTH_OK);
    assert_int_equal(count, 2);
    story_expect(before, old, 2);
    /* The directory is moved away, and another one comes. */
    struct made_store other;
    char aside[1200];
    made_store_init(&other);
    snprintf(aside, sizeof aside, "%s-aside", story->store.store);
    assert_int_equal(rename(story->store.store, aside), 0);
    assert_int_equal(rename(other.store, story->store.store), 0);
    struct live_published *published = &story->store.published;
    snprintf(other.store, sizeof other.store, "%s", story->store.store);
    other.state.device = 1;
    other.state.inode = 2;
    other.state.generation = 99;
    made_store_append(&other, &new, 1);
    made_store_seal_current(&other, YEAR);
    live_publish(published, &other.state);
    struct snapshot *after = story_snapshot(story);
    story_expect(after, &new, 1);
    assert_int_equal(snapshot_latest(after, latest, 8, &count, NULL), HEARTH_OK);
    assert_int_equal(count, 1);
    assert_memory_equal(&latest[0].record, &new, sizeof new);
    snapshot_close(before);
    snapshot_close(after);
    made_store_clean(&other);
}

/* ---- Days ---- */

static void days_are_found_forwards_and_backwards(void **state)
{
    static const int sealed_days[] = {0, 3, 4, 100, 4000};
    struct snapshot_story *story = *state;
    for (size_t i = 0; i < 5; i++) {
        struct record record = story_reading(sealed_days[i], 1);
        made_store_append(&story->store, &record, 1);
    }
    made_store_seal_current(&story->store, YEAR);
    struct record live[2] = {story_reading(2, 1), story_reading(5000, 1)};
    made_store_append(&story->store, live, 2);
    struct record suspect = story_at((DAY + 50) * DAY_MS, 1, TIME_SUSPECT);
    made_store_append(&story->store, &suspect, 1);
    static const int all[] = {0, 2, 3, 4, 100, 4000, 5000};
    struct snapshot *snapshot = story_snapshot(story);
    size_t at = 0;
    for (int32_t day = -3; day < 5010; day++) {
        while (at < 7 && all[at] < day)
            at++;
        assert_int_equal(snapshot_next_day(snapshot, DAY + day),
                         at < 7 ? DAY + all[at] : INT32_MAX);
        size_t before = at < 7 && all[at] == day ? at + 1 : at;
        assert_int_equal(snapshot_previous_day(snapshot, DAY + day),
                         before > 0 ? DAY + all[before - 1] : INT32_MIN);
    }
    int32_t next;
    assert_int_equal(snapshot_next_day(snapshot, INT32_MIN), DAY);
    assert_int_equal(snapshot_next_day(snapshot, INT32_MAX), INT32_MAX);
    assert_int_equal(snapshot_previous_day(snapshot, INT32_MIN), INT32_MIN);
    assert_int_equal(snapshot_previous_day(snapshot, INT32_MAX), DAY + 5000);
    assert_int_equal(snapshot_next_day_with_suspect(snapshot, DAY + 5, &next, NULL), HEARTH_OK);
    assert_int_equal(next, DAY + 50);
    assert_int_equal(snapshot_next_day(snapshot, DAY + 5), DAY + 100);
    snapshot_close(snapshot);
}

static void a_day_is_its_files_and_the_live_run_behind_them(void **state)
{
    struct snapshot_story *story = *state;
    struct record records[40];
    for (int i = 0; i < 40; i++) {
        records[i] = story_reading(0, (i * 7) % 40);
        made_store_append(&story->store, &records[i], 1);
        if (i % 2 && i < 36)
            made_store_seal_current(&story->store, YEAR);
    }
    struct snapshot *snapshot = story_snapshot(story);
    struct day_runs runs, other;
    const struct sealed_file *files;
    assert_int_equal(snapshot_day_files(snapshot, DAY, &files), 18);
    assert_int_equal(snapshot_day_look(snapshot, DAY, false, &runs, NULL), HEARTH_OK);
    assert_int_equal(runs.count, 19);
    assert_int_equal(runs.live_count, 4);
    assert_null(runs.summary);
    for (size_t i = 0; i < 18; i++) {
        assert_int_equal(runs.runs[i].count, files[i].records);
        assert_null(runs.runs[i].records);
        assert_int_equal(files[i].sequence, i + 1);
    }
    assert_int_equal(runs.runs[18].count, 4);
    assert_non_null(runs.runs[18].records);
    assert_int_equal(snapshot_day_map(snapshot, &runs, NULL), HEARTH_OK);
    assert_int_equal(snapshot_day(snapshot, DAY, false, &other, NULL), HEARTH_OK);
    for (size_t i = 0; i < 19; i++) {
        assert_ptr_equal(runs.runs[i].records, other.runs[i].records);
        for (size_t k = 1; k < runs.runs[i].count; k++)
            assert_true(
                memcmp(&runs.runs[i].records[k - 1], &runs.runs[i].records[k], RECORD_BYTES) < 0);
    }
    snapshot_release(snapshot, &runs);
    snapshot_release(snapshot, &runs);
    assert_int_equal(snapshot_day(snapshot, DAY + 1, false, &runs, NULL), HEARTH_OK);
    assert_int_equal(runs.count, 0);
    snapshot_close(snapshot); /* with two days not released */
}

static void suspects_are_of_their_day_for_those_who_ask(void **state)
{
    struct snapshot_story *story = *state;
    struct record good = story_reading(0, 1), suspects[4];
    for (int i = 0; i < 4; i++)
        suspects[i] = story_at((DAY + i) * DAY_MS, 1, TIME_SUSPECT);
    made_store_append(&story->store, &good, 1);
    made_store_append(&story->store, suspects, 2);
    made_store_seal_current(&story->store, YEAR);
    made_store_append(&story->store, suspects + 2, 2);
    struct snapshot *snapshot = story_snapshot(story);
    const struct sealed_file *files;
    assert_int_equal(snapshot_suspect_files(snapshot, &files), 1);
    assert_int_equal(snapshot_sealed_files(snapshot, &files), 1);
    for (int i = 0; i < 4; i++) {
        struct day_runs runs;
        assert_int_equal(snapshot_day(snapshot, DAY + i, false, &runs, NULL), HEARTH_OK);
        assert_int_equal(runs.count, i == 0);
        snapshot_release(snapshot, &runs);
        assert_int_equal(snapshot_day(snapshot, DAY + i, true, &runs, NULL), HEARTH_OK);
        assert_int_equal(runs.count, i == 0 ? 2 : 1);
        assert_int_equal(runs.live_count, 0);
        assert_memory_equal(runs.runs[runs.count - 1].records, &suspects[i], RECORD_BYTES);
        snapshot_release(snapshot, &runs);
    }
    const struct reading_range plain = {.to_ms = INT64_MAX, .rolling_code = -1};
    struct story_list list;
    story_range(snapshot, &plain, &list);
    assert_int_equal(list.count, 1);
    free(list.records);
    story_range(snapshot, &story_everything, &list);
    assert_int_equal(list.count, 5);
    free(list.records);
    snapshot_close(snapshot);
}

/* ---- Ranges ---- */

static void a_large_day_goes_out_in_blocks_from_where_it_stands(void **state)
{
    struct snapshot_story *story = *state;
    enum { COUNT = 20000 };
    struct record *records = calloc(COUNT, sizeof *records);
    for (int i = 0; i < COUNT; i++)
        records[i] = story_reading(0, i);
    made_store_append(&story->store, records, COUNT);
    made_store_seal_current(&story->store, YEAR);
    struct snapshot *snapshot = story_snapshot(story);
    struct story_list list;
    story_range(snapshot, &story_everything, &list);
    assert_int_equal(list.count, COUNT);
    assert_memory_equal(list.records, records, COUNT * sizeof *records);
    assert_true(list.largest <= 4096);
    free(list.records);
    struct reading_range range = story_everything;
    range.channel = 2;
    story_range(snapshot, &range, &list);
    assert_int_equal(list.count, COUNT / 4);
    free(list.records);
    snapshot_close(snapshot);
    free(records);
}

static enum hearth_error refuse(void *context, const struct record *records, size_t count)
{
    (void)context;
    (void)records;
    (void)count;
    return HEARTH_CLIENT_GONE;
}

static void the_visitors_error_comes_back(void **state)
{
    struct snapshot_story *story = *state;
    struct record record = story_reading(0, 0);
    made_store_append(&story->store, &record, 1);
    struct snapshot *snapshot = story_snapshot(story);
    assert_int_equal(snapshot_range(snapshot, &story_everything, refuse, NULL, NULL),
                     HEARTH_CLIENT_GONE);
    snapshot_close(snapshot);
}

/* ---- Fifty years ---- */

static void a_store_of_fifty_years_is_open_at_once(void **state)
{
    struct snapshot_story *story = *state;
    for (uint64_t sequence = 1; sequence <= 18250; sequence++)
        made_store_rows(&story->store, sequence, (int32_t)sequence, 2,
                        1970 + (int32_t)(sequence / 365));
    story->store.state.sequence = 20000;
    made_store_publish(&story->store);
    made_store_write(&story->store, "live/00020000.bin", "", 0);
    int64_t began_ns = clock_monotonic_ns(&clock_system);
    struct snapshot *snapshot = story_snapshot(story);
    int64_t opened_ns = clock_monotonic_ns(&clock_system);
    struct day_runs runs;
    size_t days = 0;
    for (int32_t day = snapshot_next_day(snapshot, 0); day != INT32_MAX;
         day = snapshot_next_day(snapshot, day + 1), days++) {
        assert_int_equal(snapshot_day_look(snapshot, day, false, &runs, NULL), HEARTH_OK);
        snapshot_release(snapshot, &runs);
    }
    print_message("36,500 rows opened in %.1f ms, %zu days looked at in %.2f ms\n",
                  (double)(opened_ns - began_ns) / 1e6, days,
                  (double)(clock_monotonic_ns(&clock_system) - opened_ns) / 1e6);
    assert_int_equal(days, 18251);
    snapshot_close(snapshot);
}

#define STORY(name) cmocka_unit_test_setup_teardown(name, story_setup, story_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY(nothing_is_seen_before_the_keeper_publishes),
        STORY(an_empty_store_has_no_days),
        STORY(what_is_appended_is_there_and_a_snapshot_stays_as_it_was),
        STORY(sealing_moves_readings_and_loses_none),
        STORY(a_file_that_is_set_aside_is_found_under_its_new_name),
        STORY(while_names_change_a_reader_goes_on_with_what_it_knows),
        STORY(another_store_in_the_same_place_is_noticed),
        STORY(days_are_found_forwards_and_backwards),
        STORY(a_day_is_its_files_and_the_live_run_behind_them),
        STORY(suspects_are_of_their_day_for_those_who_ask),
        STORY(a_large_day_goes_out_in_blocks_from_where_it_stands),
        STORY(the_visitors_error_comes_back),
        STORY(a_store_of_fifty_years_is_open_at_once),
    };
    return cmocka_run_group_tests_name("snapshots", tests, NULL, NULL);
}
