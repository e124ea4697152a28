/*
 * chart.c - gathering buckets for a chart.
 *
 * Of each bucket a series keeps its least and its greatest value and when they came, so that a line
 * drawn through them shows every spike of the readings themselves. A bucket into which a value is
 * only held has that value at its start.
 */
#include "handlers/sensor/page/chart.h"

#include "handlers/sensor/aggregate/aggregate.h"

#include <stdlib.h>

enum {
    FULL = 65535,
    WIDTH_UNITS = 100000,
    FIFTIETHS = 5, /* of a degree, in a tenth */
};

enum hearth_error chart_init(struct chart *chart, struct arena *arena, int64_t from_ms,
                             int64_t to_ms, const struct time_zone *zone,
                             const struct series_names *names)
{
    *chart = (struct chart){.arena = arena, .zone = zone, .names = names};
    for (int64_t i = 0; i <= CHART_BUCKETS; i++)
        chart->edges_ms[i] = from_ms + i * (to_ms - from_ms) / CHART_BUCKETS;
    chart->places =
        arena_array(arena, series_names_count(names) + SERIES_PLACES, sizeof *chart->places);
    return chart->places ? HEARTH_OK : HEARTH_NO_MEMORY;
}

static struct chart_series *new_series(struct chart *chart, uint32_t index)
{
    struct chart_series *series = &chart->series[chart->series_count];
    series->index = index;
    for (int i = 0; i < QUANTITY_COUNT; i++) {
        series->points[i] = arena_array(chart->arena, CHART_BUCKETS, sizeof(struct chart_point));
        if (!series->points[i])
            return NULL;
    }
    chart->series_count++;
    return series;
}

/* `*series` is NULL when it is one too many. */
static enum hearth_error series_of(struct chart *chart, uint32_t index,
                                   struct chart_series **series)
{
    uint16_t *place = &chart->places[index];
    *series = NULL;
    if (*place == FULL)
        return HEARTH_OK;
    if (*place > 0) {
        *series = &chart->series[*place - 1];
        return HEARTH_OK;
    }
    if (chart->series_count == CHART_SERIES) {
        *place = FULL;
        chart->left_out++;
        return HEARTH_OK;
    }
    *series = new_series(chart, index);
    *place = (uint16_t)chart->series_count;
    return *series ? HEARTH_OK : HEARTH_NO_MEMORY;
}

static uint32_t unit_of(const struct chart *chart, int64_t time_ms)
{
    int64_t from_ms = chart->edges_ms[0], to_ms = chart->edges_ms[CHART_BUCKETS];
    return (uint32_t)((time_ms - from_ms) * WIDTH_UNITS / (to_ms - from_ms)) + 1;
}

static int16_t value_of(enum quantity quantity, int32_t value)
{
    return (int16_t)(quantity == QUANTITY_TEMPERATURE ? value / FIFTIETHS : value);
}

static void take_track(const struct chart *chart, size_t bucket, const struct bucket_track *track,
                       struct chart_point *point)
{
    const struct digest *digest = &track->digest;
    if (digest->count > 0) {
        point->least = value_of(track->quantity, digest->min);
        point->greatest = value_of(track->quantity, digest->max);
        point->least_at = unit_of(chart, digest->min_ms);
        point->greatest_at = unit_of(chart, digest->max_ms);
    } else {
        point->least = point->greatest = value_of(track->quantity, track->held_value);
        point->least_at = point->greatest_at = unit_of(chart, chart->edges_ms[bucket]);
    }
}

enum hearth_error chart_bucket(void *context, size_t bucket, const struct bucket_track *tracks,
                               size_t count)
{
    struct chart *chart = context;
    for (size_t i = 0; i < count; i++) {
        struct chart_series *series;
        enum hearth_error error = series_of(chart, tracks[i].series, &series);
        if (error)
            return error;
        if (series)
            take_track(chart, bucket, &tracks[i], &series->points[tracks[i].quantity][bucket]);
    }
    return HEARTH_OK;
}

static int compare_series(const void *left, const void *right)
{
    const struct chart_series *a = left, *b = right;
    return (a->index > b->index) - (a->index < b->index);
}

void chart_sort(struct chart *chart)
{
    if (chart->series_count > 1)
        qsort(chart->series, chart->series_count, sizeof chart->series[0], compare_series);
    for (size_t i = 0; i < chart->series_count; i++)
        chart->places[chart->series[i].index] = (uint16_t)(i + 1);
}

int chart_find(const struct chart *chart, uint32_t index)
{
    uint16_t place = chart->places[index];
    return place == 0 || place == FULL ? -1 : place - 1;
}
