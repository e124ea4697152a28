/*
 * chart.h - readings as a chart drawn by the server: one line a series, in SVG.
 *
 * First chart_add takes every record of the span, in order of time; then chart_draw writes one
 * chart of one quantity. Memory comes from the arena and does not grow with the number of readings.
 */
#ifndef HEARTH_SENSOR_CHART_H
#define HEARTH_SENSOR_CHART_H

#include "handlers/sensor/time_zone.h"
#include "hearth/reading_store.h"

enum chart_quantity { CHART_TEMPERATURE, CHART_HUMIDITY, CHART_QUANTITIES };
enum {
    CHART_BUCKETS = 200, /* each gives a least and a greatest value, so 400 points a line */
    CHART_SERIES = 64,   /* lines beyond that would be a carpet; more series are counted */
    CHART_COLOURS = 12,  /* classes s0 to s11 of the style */
};

struct chart_bucket {
    uint32_t least_at, greatest_at; /* hundredths of the width + 1; 0 = the bucket is empty */
    int16_t least, greatest;        /* tenths of degF, or per cent */
};

struct chart_series {
    int channel, rolling_code;
    struct chart_bucket *buckets[CHART_QUANTITIES]; /* CHART_BUCKETS each */
};

struct chart {
    struct arena *arena;
    int64_t from_ms, to_ms;
    const struct time_zone *zone; /* for the days */
    struct chart_series series[CHART_SERIES];
    size_t series_count;
    uint16_t *index; /* channel and code to series + 1; 0 = none yet */
    size_t left_out; /* series that found no room */
};

/* Errors: NO_MEMORY. */
HEARTH_MUST_CHECK enum hearth_error chart_init(struct chart *chart, struct arena *arena,
                                               int64_t from_ms, int64_t to_ms,
                                               const struct time_zone *zone);
/* A range_visit_fn; `context` is the chart. Errors: NO_MEMORY, CORRUPT. */
enum hearth_error chart_add(void *context, const struct record *records, size_t count);
/* Puts the series in order of channel and code, as tables have them. */
void chart_sort(struct chart *chart);
/* The series' place after chart_sort, or -1. */
int chart_find(const struct chart *chart, int channel, int rolling_code);
/* An <svg>; nothing when no series has the quantity (then false). Failure sticks to `out`. */
bool chart_draw(const struct chart *chart, enum chart_quantity quantity, struct buffer *out);

/* 744 as "74.4". */
void append_tenths(struct buffer *out, int tenths);

#endif
