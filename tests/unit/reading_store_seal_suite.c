/*
 * reading_store_seal_suite.c - a reading store that is followed, sealed, and asked for buckets.
 */
#include "reading_store_suite.h"

#include <stdlib.h>
#include <string.h>

#include "handlers/sensor/aggregate/aggregate.h"

#define START_MS  INT64_C(1757894691000)
#define MINUTE_MS INT64_C(60000)
#define DAY_MS    INT64_C(86400000)

/* ---- Following ---- */

static struct tail_result tail(struct suite_store *suite, struct tail_cursor *cursor,
                               struct record *records, size_t capacity)
{
    struct tail_result result = {0};
    struct error_record error = {0};
    enum hearth_error code =
        suite->store->tail(suite->store, cursor, records, capacity, &result, &error);
    if (code != HEARTH_OK)
        fail_msg("tail: %s %s", error_name(code), error.detail);
    assert_true(result.count <= capacity);
    return result;
}

void who_follows_gets_what_arrives_in_its_order(void **state)
{
    struct suite_store *suite = *state;
    struct tail_cursor cursor = {0};
    struct record all[40], got[40];
    assert_int_equal(tail(suite, &cursor, got, 40).count, 0);
    for (int i = 0; i < 40; i++)
        all[i] = suite_number((i * 7) % 40);
    suite_append(suite, all, 15);
    struct tail_result result = tail(suite, &cursor, got, 40);
    assert_int_equal(result.count, 15);
    assert_false(result.reset || result.more);
    assert_memory_equal(got, all, 15 * sizeof *all);
    suite_append(suite, all, 40); /* 15 of them are duplicates */
    result = tail(suite, &cursor, got, 10);
    assert_int_equal(result.count, 10);
    assert_true(result.more);
    result = tail(suite, &cursor, got + 10, 30);
    assert_int_equal(result.count, 15);
    assert_false(result.more);
    assert_memory_equal(got, all + 15, 25 * sizeof *all);
    assert_int_equal(tail(suite, &cursor, got, 40).count, 0);
}

/* Either it is told to read the range again, or it gets all. */
void who_follows_misses_nothing_across_a_seal(void **state)
{
    struct suite_store *suite = *state;
    struct tail_cursor cursor = {0};
    struct record records[30], got[30];
    for (int i = 0; i < 30; i++)
        records[i] = suite_number(i);
    suite_append(suite, records, 10);
    assert_int_equal(tail(suite, &cursor, got, 30).count, 10);
    suite_append(suite, records + 10, 10);
    if (!suite_seal(suite))
        skip();
    suite_append(suite, records + 20, 5);
    struct tail_result result = tail(suite, &cursor, got, 30);
    if (result.reset)
        assert_int_equal(result.count, 0);
    else
        assert_int_equal(result.count, 15);
    suite_append(suite, records + 25, 5);
    result = tail(suite, &cursor, got, 30);
    assert_false(result.reset);
    assert_int_equal(result.count, 5);
    assert_memory_equal(got, records + 25, 5 * sizeof *got);
}

void a_cursor_that_leads_nowhere_is_reset(void **state)
{
    struct suite_store *suite = *state;
    struct tail_cursor cursor = {.sequence = 123456, .slot = 789};
    struct record record = suite_number(1), got[4];
    suite_append(suite, &record, 1);
    struct tail_result result = tail(suite, &cursor, got, 4);
    assert_true(result.reset);
    assert_int_equal(result.count, 0);
    record = suite_number(2);
    suite_append(suite, &record, 1);
    result = tail(suite, &cursor, got, 4);
    assert_false(result.reset);
    assert_int_equal(result.count, 1);
    assert_memory_equal(&got[0], &record, sizeof record);
}

/* ---- Sealing ---- */

/* Readings of a week, some late, some suspect. */
static void append_week(struct suite_store *suite, struct suite_random *random, size_t count)
{
    struct record *records = calloc(count, sizeof *records);
    for (size_t i = 0; i < count; i++) {
        struct reading reading = suite_random_reading(random);
        reading.time_ms = START_MS + (int64_t)(suite_random(random) % (uint64_t)(7 * DAY_MS));
        reading.time_quality = suite_random(random) % 9 ? TIME_SENDER : TIME_SUSPECT;
        records[i] = suite_record(&reading);
    }
    suite_append(suite, records, count);
    free(records);
}

struct seen {
    struct suite_list list;
    struct reading_series series[64];
    struct latest_reading latest[64];
    size_t series_count, latest_count;
    struct store_state state;
};

static void see(struct suite_store *suite, struct seen *seen)
{
    memset(seen, 0, sizeof *seen);
    suite_everything(suite, &seen->list);
    assert_int_equal(
        suite->store->series(suite->store, seen->series, 64, &seen->series_count, NULL), HEARTH_OK);
    assert_int_equal(
        suite->store->latest(suite->store, seen->latest, 64, &seen->latest_count, NULL), HEARTH_OK);
    seen->state = suite_state(suite);
}

static void expect_same(struct suite_store *suite, struct seen *before)
{
    struct seen after;
    see(suite, &after);
    assert_int_equal(after.list.count, before->list.count);
    assert_memory_equal(after.list.records, before->list.records,
                        after.list.count * sizeof *after.list.records);
    assert_int_equal(after.series_count, before->series_count);
    assert_int_equal(after.latest_count, before->latest_count);
    for (size_t i = 0; i < after.series_count; i++) {
        assert_int_equal(after.series[i].count, before->series[i].count);
        assert_int_equal(after.series[i].first_ms, before->series[i].first_ms);
        assert_int_equal(after.series[i].last_ms, before->series[i].last_ms);
        assert_int_equal(after.latest[i].count, before->latest[i].count);
        assert_memory_equal(&after.latest[i].record, &before->latest[i].record, RECORD_BYTES);
    }
    assert_int_equal(after.state.readings, before->state.readings);
    assert_int_equal(after.state.newest_ms, before->state.newest_ms);
    assert_true(after.state.generation >= before->state.generation);
    suite_list_clean(&after.list);
}

void sealing_changes_nothing_that_is_read(void **state)
{
    struct suite_store *suite = *state;
    struct suite_random random = {0xFACE};
    struct seen seen;
    for (int round = 0; round < 4; round++) {
        append_week(suite, &random, 300);
        see(suite, &seen);
        if (!suite_seal(suite)) {
            suite_list_clean(&seen.list);
            skip();
        }
        expect_same(suite, &seen);
        suite_reopen(suite);
        expect_same(suite, &seen);
        suite_list_clean(&seen.list);
    }
}

void a_sealed_reading_sent_again_is_a_duplicate(void **state)
{
    struct suite_store *suite = *state;
    struct record records[100];
    for (int i = 0; i < 100; i++) {
        const struct reading reading = {.time_ms = START_MS + i * DAY_MS / 20,
                                        .channel = i % 3 + 1,
                                        .time_quality = i % 10 ? TIME_SENDER : TIME_SUSPECT};
        records[i] = suite_record(&reading);
    }
    suite_append(suite, records, 60);
    if (!suite_seal(suite))
        skip();
    struct append_result result = suite_append(suite, records, 100);
    assert_int_equal(result.accepted, 40);
    assert_int_equal(result.duplicate, 60);
    suite_seal(suite);
    suite_reopen(suite);
    result = suite_append(suite, records, 100);
    assert_int_equal(result.accepted, 0);
    assert_int_equal(result.duplicate, 100);
    assert_int_equal(suite_state(suite).readings, 100);
}

/* ---- Buckets ---- */

enum { BUCKETS_MAX = 64, TRACKS_MAX = 512 };

struct buckets {
    size_t buckets, tracks;
    size_t first[BUCKETS_MAX + 1]; /* of a bucket's tracks */
    struct bucket_track all[TRACKS_MAX];
};

static enum hearth_error take_bucket(void *context, size_t bucket,
                                     const struct bucket_track *tracks, size_t count)
{
    struct buckets *buckets = context;
    assert_int_equal(bucket, buckets->buckets);
    assert_true(buckets->tracks + count <= TRACKS_MAX);
    for (size_t i = 0; i < count; i++)
        buckets->all[buckets->tracks++] = tracks[i];
    buckets->first[++buckets->buckets] = buckets->tracks;
    return HEARTH_OK;
}

static void aggregate(struct suite_store *suite, const int64_t *edges_ms, size_t count,
                      struct buckets *buckets)
{
    struct error_record error = {0};
    struct series_names *names =
        series_names_parse((struct view){NULL, 0}, SERIES_STALE_AFTER_MS, &error);
    assert_non_null(names);
    const struct bucket_query query = {.edges_ms = edges_ms, .bucket_count = count, .names = names};
    memset(buckets, 0, sizeof *buckets);
    enum hearth_error code =
        suite->store->aggregate(suite->store, &query, take_bucket, buckets, NULL, &error);
    if (code != HEARTH_OK)
        fail_msg("aggregate: %s %s", error_name(code), error.detail);
    assert_int_equal(buckets->buckets, count);
    series_names_free(names);
}

static void append_degrees(struct suite_store *suite, int minute, int tenths_f)
{
    const struct reading reading = {.time_ms = START_MS + minute * MINUTE_MS,
                                    .channel = 5,
                                    .rolling_code = 107,
                                    .raw = tenths_f + RAW_F_OFFSET,
                                    .humidity = HUMIDITY_ABSENT};
    struct record record = suite_record(&reading);
    suite_append(suite, &record, 1);
}

/* The only track of a bucket: of temperature, in fiftieths of a degree. */
static const struct bucket_track *only_track(const struct buckets *buckets, size_t bucket)
{
    assert_int_equal(buckets->first[bucket + 1] - buckets->first[bucket], 1);
    const struct bucket_track *track = &buckets->all[buckets->first[bucket]];
    assert_int_equal(track->quantity, QUANTITY_TEMPERATURE);
    return track;
}

/* 70.0, 71.0 and 69.0 degrees at minutes 0, 10 and 40; a hold lasts two hours. */
static void check_buckets(struct suite_store *suite)
{
    static const int minutes[] = {-10, 0, 20, 30, 50, 180, 240};
    struct buckets *buckets = calloc(1, sizeof *buckets);
    int64_t edges_ms[7];
    for (size_t i = 0; i < 7; i++)
        edges_ms[i] = START_MS + minutes[i] * MINUTE_MS;
    aggregate(suite, edges_ms, 6, buckets);
    assert_int_equal(buckets->first[1], 0); /* nothing before the first reading */
    const struct bucket_track *track = only_track(buckets, 1);
    assert_int_equal(track->digest.count, 2);
    assert_int_equal(track->digest.first, 3500);
    assert_int_equal(track->digest.last, 3550);
    assert_int_equal(track->digest.min, 3500);
    assert_int_equal(track->digest.max, 3550);
    assert_int_equal(track->digest.max_ms, START_MS + 10 * MINUTE_MS);
    assert_false(track->held);
    assert_int_equal(track->covered_ms, 20 * MINUTE_MS);
    assert_int_equal(track->integral, MINUTE_MS * 10 * (3500 + 3550));
    track = only_track(buckets, 2);
    assert_int_equal(track->digest.count, 0);
    assert_true(track->held);
    assert_int_equal(track->held_value, 3550);
    assert_int_equal(track->held_since_ms, START_MS + 10 * MINUTE_MS);
    assert_int_equal(track->covered_ms, 10 * MINUTE_MS);
    track = only_track(buckets, 3);
    assert_int_equal(track->digest.count, 1);
    assert_int_equal(track->digest.first, 3450);
    assert_true(track->held);
    assert_int_equal(track->integral, MINUTE_MS * 10 * (3550 + 3450));
    track = only_track(buckets, 4); /* held until minute 160 */
    assert_int_equal(track->digest.count, 0);
    assert_int_equal(track->covered_ms, 110 * MINUTE_MS);
    assert_int_equal(track->integral, MINUTE_MS * 110 * 3450);
    assert_int_equal(buckets->first[6], buckets->first[5]); /* and then there is no data */
    free(buckets);
}

void buckets_hold_their_readings_and_what_is_held_into_them(void **state)
{
    struct suite_store *suite = *state;
    if (!suite->store->aggregate)
        skip();
    append_degrees(suite, 40, 690); /* in no order */
    append_degrees(suite, 0, 700);
    append_degrees(suite, 10, 710);
    check_buckets(suite);
    if (!suite_seal(suite))
        return;
    check_buckets(suite);
    suite_reopen(suite);
    check_buckets(suite);
}

void buckets_are_the_same_live_and_sealed(void **state)
{
    struct suite_store *suite = *state;
    struct suite_random random = {0xBEEF};
    struct buckets *live = calloc(1, sizeof *live), *sealed = calloc(1, sizeof *sealed);
    int64_t edges_ms[20];
    for (int i = 0; i < 20; i++)
        edges_ms[i] = START_MS + (i - 2) * DAY_MS / 2;
    for (int round = 0; round < 3; round++) {
        append_week(suite, &random, 400);
        aggregate(suite, edges_ms, 19, live);
        if (!suite_seal(suite))
            break;
        aggregate(suite, edges_ms, 19, sealed);
        assert_int_equal(live->tracks, sealed->tracks);
        assert_memory_equal(live->first, sealed->first, sizeof live->first);
        for (size_t i = 0; i < live->tracks; i++) {
            const struct bucket_track *a = &live->all[i], *b = &sealed->all[i];
            assert_int_equal(a->series, b->series);
            assert_int_equal(a->quantity, b->quantity);
            assert_int_equal(a->digest.count, b->digest.count);
            assert_int_equal(a->digest.min, b->digest.min);
            assert_int_equal(a->digest.max_ms, b->digest.max_ms);
            assert_int_equal(a->integral, b->integral);
            assert_int_equal(a->covered_ms, b->covered_ms);
        }
    }
    free(live);
    free(sealed);
}
