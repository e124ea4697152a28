/*
 * record_merge.h - several ascending runs of records as one, without copying them.
 *
 * The merge hands out stretches: as many records as stand together in one run before another run
 * has a smaller one. Days usually have one large run and a small one with late readings, so
 * stretches are long, and their ends are found by galloping (doubling steps, then a binary search).
 * A reading that stands in several runs comes once. One thread.
 *
 * Runs that are not in order give an order that is none, and nothing worse.
 */
#ifndef HEARTH_SENSOR_RECORD_MERGE_H
#define HEARTH_SENSOR_RECORD_MERGE_H

#include "handlers/sensor/snapshot/snapshot.h"

enum { RECORD_MERGE_INLINE = DAY_PARTS_INLINE };

struct record_merge {
    struct merge_run {
        const struct record *at, *end;
    } * runs;           /* a heap: the one with the smallest record is the first */
    size_t count;       /* of those not at their end */
    struct record last; /* handed out last */
    bool started;
    struct merge_run inline_runs[RECORD_MERGE_INLINE];
};

/* The runs' records must outlive the merge. Errors: NO_MEMORY. */
HEARTH_MUST_CHECK enum hearth_error record_merge_init(struct record_merge *merge,
                                                      const struct day_run *runs, size_t count);
void record_merge_clean(struct record_merge *merge);
/* The next stretch, at least one record; false at the end. */
bool record_merge_next(struct record_merge *merge, struct day_run *stretch);

/* The index of the first of `count` ascending records whose time is `time_ms` or later. */
size_t record_lower_bound(const struct record *records, size_t count, int64_t time_ms);

#endif
