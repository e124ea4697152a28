/*
 * support_memory_aggregate.c - buckets over a store in memory, the plainest way: each bucket and
 * series looks at all readings.
 */
#include "handlers/sensor/aggregate/aggregate.h"
#include "tests/unit/support.h"
#include "tests/unit/support_memory_readings.h"

#include <stdlib.h>

struct point {
    uint32_t series;
    int64_t time_ms;
    int32_t value;
};

struct points { /* of one quantity, in the order of the records */
    struct point *items;
    size_t count;
};

static bool is_in_query(const struct bucket_query *query, const struct record *record,
                        uint32_t *series)
{
    struct reading reading;
    assert_int_equal(record_decode(record, &reading), REJECT_NONE);
    *series =
        series_names_find(query->names, reading.channel, reading.rolling_code, reading.time_ms);
    return (query->with_suspect || reading.time_quality != TIME_SUSPECT) &&
           (!query->wanted || query->wanted[*series]);
}

static struct points collect(struct memory_readings *memory, const struct bucket_query *query,
                             enum quantity quantity)
{
    struct points points = {calloc(memory->count + 1, sizeof *points.items), 0};
    assert_non_null(points.items);
    pthread_mutex_lock(&memory->lock);
    for (size_t i = 0; i < memory->count; i++) {
        struct point *point = &points.items[points.count];
        const struct record *record = &memory->records[i];
        if (is_in_query(query, record, &point->series) &&
            record_quantity(record, quantity, &point->value)) {
            point->time_ms = record_time_ms(record);
            points.count++;
        }
    }
    pthread_mutex_unlock(&memory->lock);
    return points;
}

static void add_reading(struct digest *digest, const struct point *point)
{
    if (digest->count++ == 0) {
        *digest = (struct digest){1,
                                  point->value,
                                  point->value,
                                  point->value,
                                  point->value,
                                  point->time_ms,
                                  point->time_ms,
                                  point->time_ms,
                                  point->time_ms,
                                  0,
                                  0,
                                  0};
        return;
    }
    digest->last = point->value;
    digest->last_ms = point->time_ms;
    if (point->value < digest->min) {
        digest->min = point->value;
        digest->min_ms = point->time_ms;
    }
    if (point->value > digest->max) {
        digest->max = point->value;
        digest->max_ms = point->time_ms;
    }
}

/* The point and the time up to which it holds: the next of its series, or the limit. */
static void add_point(struct bucket_track *track, const struct points *points, size_t place,
                      int64_t limit_ms, int64_t from_ms, int64_t to_ms, int64_t known_ms)
{
    const struct point *point = &points->items[place];
    size_t next = place + 1;
    while (next < points->count && points->items[next].series != point->series)
        next++;
    int64_t end_ms = point->time_ms + limit_ms, begin_ms = point->time_ms;
    if (next < points->count && points->items[next].time_ms < end_ms)
        end_ms = points->items[next].time_ms;
    if (point->time_ms >= from_ms && point->time_ms < to_ms)
        add_reading(&track->digest, point);
    if (point->time_ms < from_ms) {
        track->held = point->time_ms + limit_ms > from_ms && from_ms < known_ms;
        track->held_value = point->value;
        track->held_since_ms = point->time_ms;
        begin_ms = from_ms;
    }
    end_ms = end_ms < to_ms ? end_ms : to_ms;
    end_ms = end_ms < known_ms ? end_ms : known_ms;
    if (end_ms > begin_ms) {
        track->covered_ms += end_ms - begin_ms;
        track->integral += (end_ms - begin_ms) * point->value;
    }
}

static struct bucket_track track_of(const struct bucket_query *query, const struct points *points,
                                    uint32_t series, enum quantity quantity, size_t bucket)
{
    struct bucket_track track = {.series = series, .quantity = quantity};
    int64_t limit_ms = series_names_limit_ms(query->names, series);
    for (size_t i = 0; i < points->count; i++)
        if (points->items[i].series == series)
            add_point(&track, points, i, limit_ms, query->edges_ms[bucket],
                      query->edges_ms[bucket + 1],
                      query->known_until_ms > 0 ? query->known_until_ms : INT64_MAX);
    return track;
}

static size_t fill_bucket(const struct bucket_query *query, const struct points points[],
                          const bool *met, size_t bucket, struct bucket_track *tracks)
{
    size_t count = 0, series = series_names_count(query->names) + SERIES_PLACES;
    for (uint32_t i = 0; i < series; i++) {
        for (int q = 0; met[i] && q < QUANTITY_COUNT; q++) {
            struct bucket_track track = track_of(query, &points[q], i, (enum quantity)q, bucket);
            if (track.held || track.digest.count > 0)
                tracks[count++] = track;
        }
    }
    return count;
}

enum hearth_error memory_readings_aggregate(struct reading_store *store,
                                            const struct bucket_query *query,
                                            bucket_visit_fn *visit, void *context,
                                            struct aggregate_statistics *statistics,
                                            struct error_record *error)
{
    struct memory_readings *memory = (struct memory_readings *)store;
    size_t series = series_names_count(query->names) + SERIES_PLACES;
    struct points points[QUANTITY_COUNT];
    enum hearth_error failed = HEARTH_OK;
    (void)statistics;
    memory->reads++;
    if (memory->fail_read)
        return error_set(error, memory->fail_read, "told to fail");
    bool *met = calloc(series, sizeof *met);
    struct bucket_track *tracks = calloc(series * QUANTITY_COUNT, sizeof *tracks);
    assert_non_null(met);
    assert_non_null(tracks);
    for (int q = 0; q < QUANTITY_COUNT; q++) {
        points[q] = collect(memory, query, (enum quantity)q);
        for (size_t i = 0; i < points[q].count; i++)
            met[points[q].items[i].series] = true;
    }
    if (memory->before_visit)
        memory->before_visit(memory, memory->before_visit_context);
    for (size_t i = 0; !failed && i < query->bucket_count; i++)
        failed = visit(context, i, tracks, fill_bucket(query, points, met, i, tracks));
    for (int q = 0; q < QUANTITY_COUNT; q++)
        free(points[q].items);
    free(tracks);
    free(met);
    return failed;
}
