/*
 * chart.h - buckets as a chart drawn by the server: one line a series, in SVG.
 *
 * chart_init cuts the span into buckets; their digests come in through chart_bucket, in order; then
 * chart_draw writes one chart of one quantity. Memory comes from the arena and does not grow with
 * the number of readings.
 */
#ifndef HEARTH_SENSOR_CHART_H
#define HEARTH_SENSOR_CHART_H

#include "handlers/sensor/series/series_names.h"
#include "handlers/sensor/text/time_zone.h"
#include "hearth/reading_store.h"

enum {
    CHART_BUCKETS = 200, /* each gives a least and a greatest value, so 400 points a line */
    CHART_SERIES = 24,   /* lines beyond that would be a carpet; more series are counted */
    CHART_COLOURS = 8,   /* classes s0 to s7 of the style; then they come again, dashed */
};

struct chart_point {
    uint32_t least_at, greatest_at; /* hundredths of the width + 1; 0 = nothing is known */
    int16_t least, greatest;        /* tenths of degF, or per cent */
};

struct chart_series {
    uint32_t index;                             /* series_names.h */
    struct chart_point *points[QUANTITY_COUNT]; /* CHART_BUCKETS each */
};

struct chart {
    struct arena *arena;
    int64_t edges_ms[CHART_BUCKETS + 1];
    const struct time_zone *zone;     /* for the days */
    const struct series_names *names; /* must outlive the chart */
    struct chart_series series[CHART_SERIES];
    size_t series_count;
    uint16_t *places; /* by series index: place in `series` + 1; 0 = none yet */
    size_t left_out;  /* series that found no room */
};

/* A span of at least CHART_BUCKETS ms. Errors: NO_MEMORY. */
HEARTH_MUST_CHECK enum hearth_error chart_init(struct chart *chart, struct arena *arena,
                                               int64_t from_ms, int64_t to_ms,
                                               const struct time_zone *zone,
                                               const struct series_names *names);
/* `context` is the chart. Errors: NO_MEMORY. */
bucket_visit_fn chart_bucket;
/* Puts the series in order of their indexes, as tables have them. */
void chart_sort(struct chart *chart);
/* The series' place after chart_sort, or -1. */
int chart_find(const struct chart *chart, uint32_t index);
/* An <svg>; nothing when no series has the quantity (then false). Failure sticks to `out`. */
bool chart_draw(const struct chart *chart, enum quantity quantity, struct buffer *out);

/* "s3", "s3 dashed": the classes of the line at a place. */
void chart_append_classes(struct buffer *out, size_t place);

/* 744 as "74.4". */
void append_tenths(struct buffer *out, int tenths);

#endif
