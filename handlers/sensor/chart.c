/*
 * chart.c - gathering readings for a chart.
 *
 * The span is cut into buckets; of each bucket a series keeps its least and its greatest value and
 * when they came, so that a line drawn through them shows every spike of the readings themselves.
 */
#include "handlers/sensor/chart.h"

#include "handlers/sensor/scale.h"

#include <stdlib.h>

enum { CODES = 256, CHANNELS = 16, FULL = 65535, WIDTH_UNITS = 100000 };

enum hearth_error chart_init(struct chart *chart, struct arena *arena, int64_t from_ms,
                             int64_t to_ms, const struct time_zone *zone)
{
    *chart = (struct chart){.arena = arena, .from_ms = from_ms, .to_ms = to_ms, .zone = zone};
    chart->index = arena_array(arena, (size_t)CHANNELS * CODES, sizeof *chart->index);
    return chart->index ? HEARTH_OK : HEARTH_NO_MEMORY;
}

static size_t slot_of(int channel, int rolling_code)
{
    return (size_t)(channel - 1) * CODES + (size_t)rolling_code;
}

static struct chart_series *new_series(struct chart *chart, const struct reading *reading)
{
    struct chart_series *series = &chart->series[chart->series_count];
    series->channel = reading->channel;
    series->rolling_code = reading->rolling_code;
    for (int i = 0; i < CHART_QUANTITIES; i++) {
        series->buckets[i] = arena_array(chart->arena, CHART_BUCKETS, sizeof(struct chart_bucket));
        if (!series->buckets[i])
            return NULL;
    }
    chart->series_count++;
    return series;
}

/* `*series` is NULL when it is one too many. */
static enum hearth_error series_of(struct chart *chart, const struct reading *reading,
                                   struct chart_series **series)
{
    uint16_t *place = &chart->index[slot_of(reading->channel, reading->rolling_code)];
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
    *series = new_series(chart, reading);
    *place = (uint16_t)chart->series_count;
    return *series ? HEARTH_OK : HEARTH_NO_MEMORY;
}

static void add_value(struct chart_bucket *bucket, uint32_t at, int value)
{
    if (bucket->least_at == 0 || value < bucket->least) {
        bucket->least = (int16_t)value;
        bucket->least_at = at;
    }
    if (bucket->greatest_at == 0 || value > bucket->greatest) {
        bucket->greatest = (int16_t)value;
        bucket->greatest_at = at;
    }
}

static enum hearth_error add_reading(struct chart *chart, const struct reading *reading)
{
    struct chart_series *series;
    if (reading->time_ms < chart->from_ms || reading->time_ms >= chart->to_ms)
        return HEARTH_OK;
    enum hearth_error error = series_of(chart, reading, &series);
    if (error || !series)
        return error;
    uint32_t at = (uint32_t)((reading->time_ms - chart->from_ms) * WIDTH_UNITS /
                             (chart->to_ms - chart->from_ms));
    size_t bucket = (size_t)at * CHART_BUCKETS / WIDTH_UNITS;
    if (reading->raw != RAW_ABSENT)
        add_value(&series->buckets[CHART_TEMPERATURE][bucket], at + 1, reading_tenths_f(reading));
    if (reading->humidity != HUMIDITY_ABSENT)
        add_value(&series->buckets[CHART_HUMIDITY][bucket], at + 1, reading->humidity);
    return HEARTH_OK;
}

enum hearth_error chart_add(void *context, const struct record *records, size_t count)
{
    struct chart *chart = context;
    for (size_t i = 0; i < count; i++) {
        struct reading reading;
        if (record_decode(&records[i], &reading))
            return HEARTH_CORRUPT;
        enum hearth_error error = add_reading(chart, &reading);
        if (error)
            return error;
    }
    return HEARTH_OK;
}

static int compare_series(const void *left, const void *right)
{
    const struct chart_series *a = left, *b = right;
    return a->channel != b->channel ? a->channel - b->channel : a->rolling_code - b->rolling_code;
}

void chart_sort(struct chart *chart)
{
    if (chart->series_count > 1)
        qsort(chart->series, chart->series_count, sizeof chart->series[0], compare_series);
    for (size_t i = 0; i < chart->series_count; i++)
        chart->index[slot_of(chart->series[i].channel, chart->series[i].rolling_code)] =
            (uint16_t)(i + 1);
}

int chart_find(const struct chart *chart, int channel, int rolling_code)
{
    uint16_t place = chart->index[slot_of(channel, rolling_code)];
    return place == 0 || place == FULL ? -1 : place - 1;
}
