/*
 * aggregate_day.h - the readings of one day go into the sums, from its beginning to its end, a cut
 * at a time: whole days, groups and blocks from the summary, the rest record by record.
 */
#ifndef HEARTH_SENSOR_AGGREGATE_DAY_H
#define HEARTH_SENSOR_AGGREGATE_DAY_H

#include "handlers/sensor/aggregate/aggregate_sums.h"
#include "handlers/sensor/summary/day_source.h"
#include "handlers/sensor/summary/summary_format.h"

/* A series of the day's summary that somebody asked for, and where it goes. */
struct day_series {
    struct series_sum *sum;
    unsigned kind;
    uint32_t at;         /* in a node */
    uint64_t gap_max_ms; /* of a digest that may be used; UINT64_MAX = of any */
};

struct day_walk {
    struct day_source *source;
    struct sums *sums;
    struct aggregate_statistics *statistics;
    struct day_runs runs;
    const struct summary_day *summary; /* NULL = there is none to use */
    uint64_t start_ms;
    bool open, mapped;
    bool untouched;         /* nothing of it has been summed yet */
    size_t blocks, block;   /* the block that comes next, or in which the walk stands */
    bool inside;            /* between the records of it */
    struct day_run *slices; /* of each run, what is left of the block */
    size_t *positions;      /* where a block begins in each run, and where it ends */
    size_t slices_capacity;
    struct day_series *series; /* of the summary */
    size_t series_count, series_capacity;
    bool mixed; /* some series' digests may not be usable */
};

void day_walk_init(struct day_walk *walk, struct day_source *source, struct sums *sums,
                   struct aggregate_statistics *statistics);
void day_walk_clean(struct day_walk *walk);

/* Begins a day, at `from_ms` when that is later than its beginning. Errors: those of the source,
 * NO_MEMORY. Ended by day_walk_close, whatever comes. */
HEARTH_MUST_CHECK enum hearth_error day_walk_open(struct day_walk *walk, int32_t day,
                                                  int64_t from_ms, struct error_record *error);
void day_walk_close(struct day_walk *walk);
/* Sums the readings before `until_ms` which are not summed yet. */
HEARTH_MUST_CHECK enum hearth_error day_walk_to(struct day_walk *walk, int64_t until_ms,
                                                struct error_record *error);
/* Behind sums_enter: transmitters may be other series now. */
void day_walk_renamed(struct day_walk *walk);

#endif
