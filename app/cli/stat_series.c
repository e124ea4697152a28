/*
 * stat_series.c - counts, coverage and gaps of all series in one pass over the readings.
 */
#include "app/cli/stat_series.h"

#include "handlers/sensor/disk/live_memory.h"
#include "handlers/sensor/record/record.h"

bool stat_table_init(struct stat_table *table, const struct series_names *names)
{
    *table = (struct stat_table){.names = names};
    table->size = series_names_count(names) + SERIES_PLACES;
    table->series = memory_new_zero(table->size, sizeof *table->series);
    return table->series != NULL;
}

void stat_table_clean(struct stat_table *table)
{
    memory_free(table->series);
    table->series = NULL;
}

static void add_gap(struct stat_series *series, int64_t between_ms, int64_t limit_ms)
{
    bool is_gap = between_ms > limit_ms;
    series->covered_ms += is_gap ? limit_ms : between_ms;
    series->gaps += is_gap;
    if (!is_gap || between_ms <= series->gap_ms)
        return;
    series->gap_ms = between_ms;
    series->gap_from_ms = series->last_ms;
}

void stat_table_add(struct stat_table *table, const struct record *records, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct record *record = &records[i];
        int64_t ms = record_time_ms(record);
        if (record_time_quality(record) == TIME_SUSPECT) {
            table->suspects++;
            continue;
        }
        uint32_t index = series_names_find(table->names, record_channel(record),
                                           record_rolling_code(record), ms);
        struct stat_series *series = &table->series[index];
        if (series->count > 0)
            add_gap(series, ms - series->last_ms, series_names_limit_ms(table->names, index));
        else
            series->first_ms = ms;
        series->count++;
        series->last_ms = ms;
        series->last = *record;
    }
}

double stat_series_coverage(const struct stat_series *series)
{
    int64_t span_ms = series->last_ms - series->first_ms;
    return span_ms > 0 ? (double)series->covered_ms / (double)span_ms : 1.0;
}
