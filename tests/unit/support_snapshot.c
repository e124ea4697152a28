/*
 * support_snapshot.c - what the tests of snapshots share.
 */
#include "support_snapshot.h"

#include <stdlib.h>
#include <string.h>

#include "support_chance.h"

int story_setup(void **state)
{
    struct snapshot_story *story = calloc(1, sizeof *story);
    made_store_init(&story->store);
    fault_files_init(&story->faults);
    story->snapshots =
        snapshots_new(&story->faults.files, story->store.store, &story->store.published);
    assert_non_null(story->snapshots);
    chance_seed(11);
    *state = story;
    return 0;
}

int story_teardown(void **state)
{
    struct snapshot_story *story = *state;
    snapshots_free(story->snapshots);
    made_store_clean(&story->store);
    free(story);
    return 0;
}

struct snapshot *story_snapshot(struct snapshot_story *story)
{
    struct error_record error = {0};
    struct snapshot *snapshot;
    enum hearth_error code = snapshot_open(story->snapshots, &snapshot, &error);
    if (code != HEARTH_OK)
        fail_msg("open: %s %s", error_name(code), error.detail);
    return snapshot;
}

struct record story_at(int64_t time_ms, int channel, enum time_quality quality)
{
    const struct reading reading = {.time_ms = time_ms,
                                    .channel = channel,
                                    .rolling_code = channel * 3,
                                    .raw = 1000,
                                    .humidity = 50,
                                    .time_quality = quality};
    return live_reading_of(&reading);
}

/* Noon of a day, and so many seconds. */
struct record story_reading(int day, int second)
{
    return story_at((DAY + day) * DAY_MS + DAY_MS / 2 + second * INT64_C(1000), second % 4 + 1,
                    TIME_SENDER);
}

enum hearth_error story_take_block(void *context, const struct record *records, size_t count)
{
    struct story_list *list = context;
    list->records = realloc(list->records, (list->count + count) * sizeof *records);
    assert_non_null(list->records);
    memcpy(list->records + list->count, records, count * sizeof *records);
    list->count += count;
    list->blocks++;
    if (count > list->largest)
        list->largest = count;
    return HEARTH_OK;
}

void story_range(struct snapshot *snapshot, const struct reading_range *range,
                 struct story_list *list)
{
    struct error_record error = {0};
    *list = (struct story_list){0};
    enum hearth_error code = snapshot_range(snapshot, range, story_take_block, list, &error);
    if (code != HEARTH_OK)
        fail_msg("range: %s %s", error_name(code), error.detail);
}

const struct reading_range story_everything = {
    .from_ms = INT64_MIN, .to_ms = INT64_MAX, .rolling_code = -1, .with_suspect = true};

void story_expect(struct snapshot *snapshot, const struct record *records, size_t count)
{
    struct story_list list;
    story_range(snapshot, &story_everything, &list);
    assert_int_equal(list.count, count);
    if (count > 0)
        assert_memory_equal(list.records, records, count * sizeof *records);
    free(list.records);
}
