/*
 * stat_series.h - of each series in the store: how many readings, from when to when, how much of
 * the time they cover, and where there are gaps.
 *
 * A reading covers the time to the next one of its series, at most the series' staleness limit;
 * more than that between two is a gap.
 */
#ifndef HEARTH_CLI_STAT_SERIES_H
#define HEARTH_CLI_STAT_SERIES_H

#include "handlers/sensor/series/series_names.h"
#include "hearth/reading_store.h"

struct stat_series {
    uint64_t count, gaps;
    int64_t first_ms, last_ms;   /* valid when count > 0 */
    int64_t covered_ms;          /* between first and last */
    int64_t gap_ms, gap_from_ms; /* the longest one */
    struct record last;
};

struct stat_table {
    const struct series_names *names; /* must outlive it */
    struct stat_series *series;       /* by index (series_names.h) */
    size_t size;
    uint64_t suspects; /* passed over */
};

/* False when memory ran out. */
bool stat_table_init(struct stat_table *table, const struct series_names *names);
void stat_table_clean(struct stat_table *table);
/* Ascending records, behind all that came before. Suspect ones are counted and passed over. */
void stat_table_add(struct stat_table *table, const struct record *records, size_t count);
/* 0 to 1; 1 for a series with one reading. */
double stat_series_coverage(const struct stat_series *series);

#endif
