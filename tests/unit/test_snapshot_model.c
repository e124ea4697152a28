/*
 * test_snapshot_model.c - snapshots beside a model of a few lines, under random work with late
 * readings, suspects and seals, and a snapshot that is held meanwhile.
 */
#include "support_snapshot.h"

#include <stdlib.h>
#include <string.h>

#include "handlers/sensor/record/record.h"
#include "handlers/sensor/snapshot/record_merge.h"
#include "support_chance.h"

/* ---- Beside a model ---- */

enum { MODEL = 6000 };

struct model {
    struct record records[MODEL];
    size_t count;
};

static int compare_records(const void *a, const void *b)
{
    return memcmp(a, b, RECORD_BYTES);
}

static bool model_add(struct model *model, const struct record *record)
{
    for (size_t i = 0; i < model->count; i++)
        if (record_same(&model->records[i], record))
            return false;
    model->records[model->count++] = *record;
    return true;
}

static bool in_range(const struct reading_range *range, const struct record *record)
{
    int64_t time_ms = record_time_ms(record);
    return time_ms >= range->from_ms && time_ms < range->to_ms &&
           (range->channel == 0 || record_channel(record) == range->channel) &&
           (range->rolling_code < 0 || record_rolling_code(record) == range->rolling_code) &&
           (range->with_suspect || record_time_quality(record) != TIME_SUSPECT);
}

static int64_t random_time(void)
{
    return (DAY + chance(8)) * DAY_MS + chance((int)DAY_MS);
}

static void check_range(struct snapshot *snapshot, const struct model *model)
{
    int64_t from = random_time();
    const struct reading_range range = {
        .from_ms = chance(4) ? from : INT64_MIN,
        .to_ms = chance(4) ? from + chance(3) * DAY_MS + chance(5000000) : INT64_MAX,
        .channel = chance(2) ? chance(5) : 0,
        .rolling_code = chance(2) ? chance(15) : -1,
        .with_suspect = chance(2),
    };
    struct record *expected = calloc(MODEL, sizeof *expected);
    size_t count = 0;
    for (size_t i = 0; i < model->count; i++)
        if (in_range(&range, &model->records[i]))
            expected[count++] = model->records[i];
    qsort(expected, count, sizeof *expected, compare_records);
    struct story_list list;
    story_range(snapshot, &range, &list);
    assert_int_equal(list.count, count);
    if (count > 0)
        assert_memory_equal(list.records, expected, count * sizeof *expected);
    free(list.records);
    free(expected);
}

static void check_series(struct snapshot *snapshot, const struct model *model)
{
    struct reading_series series[32];
    struct latest_reading latest[32];
    size_t count, latest_count;
    uint64_t total = 0, expected = 0;
    assert_int_equal(snapshot_series(snapshot, series, 32, &count, NULL), HEARTH_OK);
    assert_int_equal(snapshot_latest(snapshot, latest, 32, &latest_count, NULL), HEARTH_OK);
    assert_int_equal(count, latest_count);
    for (size_t i = 0; i < model->count; i++)
        expected += record_time_quality(&model->records[i]) != TIME_SUSPECT;
    for (size_t i = 0; i < count; i++) {
        struct record newest = {{0}};
        int64_t first_ms = INT64_MAX;
        uint64_t found = 0;
        for (size_t k = 0; k < model->count; k++) {
            const struct record *record = &model->records[k];
            if (record_channel(record) != series[i].channel ||
                record_rolling_code(record) != series[i].rolling_code ||
                record_time_quality(record) == TIME_SUSPECT)
                continue;
            found++;
            if (record_time_ms(record) < first_ms)
                first_ms = record_time_ms(record);
            if (memcmp(record, &newest, sizeof newest) > 0)
                newest = *record;
        }
        assert_int_equal(series[i].count, found);
        assert_int_equal(series[i].first_ms, first_ms);
        assert_int_equal(series[i].last_ms, record_time_ms(&newest));
        assert_int_equal(latest[i].count, found);
        assert_memory_equal(&latest[i].record, &newest, sizeof newest);
        total += found;
    }
    assert_int_equal(total, expected);
}

/* Every day looked at, mapped and merged: together they are the store. */
static void check_days(struct snapshot *snapshot, const struct model *model)
{
    size_t count = 0, expected = 0;
    for (size_t i = 0; i < model->count; i++)
        expected += record_time_quality(&model->records[i]) != TIME_SUSPECT;
    for (int32_t day = snapshot_next_day(snapshot, INT32_MIN); day != INT32_MAX;
         day = snapshot_next_day(snapshot, day + 1)) {
        struct day_runs runs;
        struct record_merge merge;
        struct day_run stretch;
        assert_int_equal(snapshot_day(snapshot, day, false, &runs, NULL), HEARTH_OK);
        assert_true(runs.count > 0);
        assert_int_equal(record_merge_init(&merge, runs.runs, runs.count), HEARTH_OK);
        while (record_merge_next(&merge, &stretch)) {
            for (size_t i = 0; i < stretch.count; i++)
                assert_int_equal(record_time_ms(&stretch.records[i]) / DAY_MS, day);
            count += stretch.count;
        }
        record_merge_clean(&merge);
        snapshot_release(snapshot, &runs);
    }
    assert_int_equal(count, expected);
}

static void append_randomly(struct snapshot_story *story, struct model *model)
{
    struct record batch[60];
    size_t count = 0;
    for (int i = chance(60); i >= 0; i--) {
        const struct reading reading = {
            .time_ms = random_time(),
            .channel = chance(4) + 1,
            .rolling_code = chance(3),
            .raw = chance(4),
            .time_quality = chance(8) ? TIME_SENDER : TIME_SUSPECT,
        };
        struct record record = live_reading_of(&reading);
        if (model_add(model, &record))
            batch[count++] = record;
    }
    made_store_append(&story->store, batch, count);
}

static void a_naive_model_agrees_across_seals(void **state)
{
    struct snapshot_story *story = *state;
    struct model *model = calloc(1, sizeof *model);
    struct snapshot *old = NULL;
    struct model *old_model = calloc(1, sizeof *model);
    for (int step = 0; step < 120; step++) {
        append_randomly(story, model);
        if (chance(6) == 0)
            made_store_seal_current(&story->store, YEAR + step / 50);
        struct snapshot *snapshot = story_snapshot(story);
        check_range(snapshot, model);
        check_range(snapshot, model);
        if (chance(5) == 0)
            check_series(snapshot, model);
        if (chance(5) == 0)
            check_days(snapshot, model);
        if (old) {
            check_range(old, old_model);
            if (chance(5) == 0)
                check_series(old, old_model);
        }
        if (chance(10) == 0) {
            snapshot_close(old);
            old = snapshot;
            *old_model = *model;
        } else {
            snapshot_close(snapshot);
        }
    }
    snapshot_close(old);
    assert_true(model->count > 2000);
    free(model);
    free(old_model);
}

#define STORY(name) cmocka_unit_test_setup_teardown(name, story_setup, story_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY(a_naive_model_agrees_across_seals),
    };
    return cmocka_run_group_tests_name("snapshots beside a model", tests, NULL, NULL);
}
