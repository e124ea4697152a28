/*
 * support_model.c - the naive model of buckets.
 */
#include "tests/unit/support_model.h"

#include "tests/unit/support.h"

#include "handlers/sensor/record/record.h"

#include <stdlib.h>
#include <string.h>

/* A reading of one quantity. */
struct model_point {
    uint32_t series;
    enum quantity quantity;
    int64_t time_ms;
    int32_t value;
    size_t order; /* among the records */
};

static int32_t model_value(const struct reading *reading, enum quantity quantity)
{
    if (quantity == QUANTITY_HUMIDITY)
        return reading->humidity;
    return reading->scale == SCALE_TENTHS_F ? (reading->raw - 400) * 5
                                            : (reading->raw - 1000) * 9 + 1600;
}

static int compare_points(const void *a, const void *b)
{
    const struct model_point *left = a, *right = b;
    if (left->series != right->series)
        return left->series < right->series ? -1 : 1;
    if (left->quantity != right->quantity)
        return left->quantity < right->quantity ? -1 : 1;
    return (left->order > right->order) - (left->order < right->order);
}

static int compare_records(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct record));
}

/* The points of each series and quantity, in order; how many. */
static size_t points_of(const struct bucket_query *query, const struct record *records,
                        size_t count, struct model_point *points)
{
    struct record *sorted = malloc((count + 1) * sizeof *sorted);
    size_t found = 0;
    if (count > 0)
        memcpy(sorted, records, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, compare_records);
    for (size_t i = 0; i < count; i++) {
        struct reading reading;
        assert_int_equal(record_decode(&sorted[i], &reading), REJECT_NONE);
        if (i > 0 && record_same(&sorted[i], &sorted[i - 1]))
            continue;
        if (reading.time_quality == TIME_SUSPECT && !query->with_suspect)
            continue;
        uint32_t series =
            series_names_find(query->names, reading.channel, reading.rolling_code, reading.time_ms);
        for (unsigned q = 0; q < QUANTITY_COUNT; q++) {
            bool absent = q == QUANTITY_TEMPERATURE ? reading.raw == RAW_ABSENT
                                                    : reading.humidity == HUMIDITY_ABSENT;
            if (!absent && (!query->wanted || query->wanted[series]))
                points[found++] = (struct model_point){series, (enum quantity)q, reading.time_ms,
                                                       model_value(&reading, (enum quantity)q), i};
        }
    }
    free(sorted);
    qsort(points, found, sizeof *points, compare_points);
    return found;
}

static int64_t lesser(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static void add_point(struct digest *digest, const struct model_point *point,
                      const struct model_point *before, int64_t limit_ms)
{
    if (digest->count == 0 || point->value < digest->min) {
        digest->min = point->value;
        digest->min_ms = point->time_ms;
    }
    if (digest->count == 0 || point->value > digest->max) {
        digest->max = point->value;
        digest->max_ms = point->time_ms;
    }
    if (digest->count == 0) {
        digest->first = point->value;
        digest->first_ms = point->time_ms;
    } else {
        int64_t gap_ms = point->time_ms - before->time_ms;
        digest->gap_ms = gap_ms > digest->gap_ms ? gap_ms : digest->gap_ms;
        digest->covered_ms += lesser(gap_ms, limit_ms);
        digest->integral += before->value * lesser(gap_ms, limit_ms);
    }
    digest->last = point->value;
    digest->last_ms = point->time_ms;
    digest->count++;
}

/* What the points say about the bucket's time: each holds up to the next, its limit, the bucket's
 * end, or the end of what is known. */
static void add_holds(const struct bucket_query *query, const struct model_point *points,
                      size_t count, int64_t limit_ms, int64_t from_ms, int64_t to_ms,
                      struct bucket_track *track)
{
    if (query->known_until_ms > 0)
        to_ms = lesser(to_ms, query->known_until_ms);
    for (size_t i = 0; i < count; i++) {
        int64_t begin_ms = points[i].time_ms > from_ms ? points[i].time_ms : from_ms;
        int64_t end_ms = lesser(points[i].time_ms + limit_ms, to_ms);
        if (i + 1 < count)
            end_ms = lesser(end_ms, points[i + 1].time_ms);
        if (end_ms <= begin_ms)
            continue;
        track->covered_ms += end_ms - begin_ms;
        track->integral += points[i].value * (end_ms - begin_ms);
    }
}

/* The points are of one series and quantity. */
static bool track_of(const struct bucket_query *query, size_t bucket,
                     const struct model_point *points, size_t count, struct bucket_track *track)
{
    int64_t from_ms = query->edges_ms[bucket], to_ms = query->edges_ms[bucket + 1];
    int64_t limit_ms = series_names_limit_ms(query->names, points->series);
    bool is_known = query->known_until_ms == 0 || from_ms < query->known_until_ms;
    struct digest *digest = &track->digest;
    *track = (struct bucket_track){.series = points->series, .quantity = points->quantity};
    for (size_t i = 0; i < count; i++) {
        if (points[i].time_ms < from_ms) {
            track->held = points[i].time_ms + limit_ms > from_ms && is_known;
            track->held_since_ms = track->held ? points[i].time_ms : 0;
            track->held_value = track->held ? points[i].value : 0;
        } else if (points[i].time_ms < to_ms) {
            add_point(digest, &points[i], i > 0 ? &points[i - 1] : NULL, limit_ms);
        }
    }
    add_holds(query, points, count, limit_ms, from_ms, to_ms, track);
    return digest->count > 0 || track->held;
}

void model_run(struct model *model, const struct bucket_query *query, const struct record *records,
               size_t count)
{
    struct model_point *points = malloc((2 * count + 1) * sizeof *points);
    size_t found = points_of(query, records, count, points), kinds = 0;
    for (size_t i = 0; i < found; i++)
        kinds += i == 0 || points[i].series != points[i - 1].series ||
                 points[i].quantity != points[i - 1].quantity;
    model->tracks = malloc((kinds * query->bucket_count + 1) * sizeof *model->tracks);
    model->ends = malloc(query->bucket_count * sizeof *model->ends);
    model->count = 0;
    for (size_t bucket = 0; bucket < query->bucket_count; bucket++) {
        for (size_t from = 0, to; from < found; from = to) {
            for (to = from; to < found && points[to].series == points[from].series &&
                            points[to].quantity == points[from].quantity;)
                to++;
            model->count +=
                track_of(query, bucket, points + from, to - from, &model->tracks[model->count]);
        }
        model->ends[bucket] = model->count;
    }
    free(points);
}

void model_clean(struct model *model)
{
    free(model->tracks);
    free(model->ends);
}

void model_expect(const struct model *model, size_t bucket, const struct bucket_track *tracks,
                  size_t count)
{
    size_t from = bucket == 0 ? 0 : model->ends[bucket - 1];
    assert_int_equal(count, model->ends[bucket] - from);
    for (size_t i = 0; i < count; i++) {
        const struct bucket_track *track = &tracks[i], *right = &model->tracks[from + i];
        assert_int_equal(track->series, right->series);
        assert_int_equal(track->quantity, right->quantity);
        assert_memory_equal(&track->digest, &right->digest, sizeof track->digest);
        assert_int_equal(track->held, right->held);
        assert_int_equal(track->held_value, right->held_value);
        assert_int_equal(track->held_since_ms, right->held_since_ms);
        assert_int_equal(track->integral, right->integral);
        assert_int_equal(track->covered_ms, right->covered_ms);
    }
}
