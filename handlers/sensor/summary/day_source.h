/*
 * day_source.h - the readings of a store, day by day, as those see them who digest them.
 *
 * Between the store and aggregate.c and summary_write.c: over a snapshot in the store, over arrays
 * in tests and benchmarks. All members as the snapshot_* functions of the same names (snapshot.h);
 * `verify` may be NULL: nothing can be wrong.
 */
#ifndef HEARTH_SENSOR_DAY_SOURCE_H
#define HEARTH_SENSOR_DAY_SOURCE_H

#include "handlers/sensor/aggregate/aggregate.h"
#include "handlers/sensor/summary/summary.h"

#define DAY_MS INT64_C(86400000)

struct day_source {
    enum hearth_error (*next_day)(struct day_source *source, int32_t day, bool with_suspect,
                                  int32_t *next, struct error_record *error);
    enum hearth_error (*look)(struct day_source *source, int32_t day, bool with_suspect,
                              struct day_runs *runs, struct error_record *error);
    enum hearth_error (*map)(struct day_source *source, struct day_runs *runs,
                             struct error_record *error);
    enum hearth_error (*verify)(const struct day_runs *runs, size_t run,
                                const struct record *records, size_t count,
                                struct error_record *error);
    void (*release)(struct day_source *source, struct day_runs *runs);
    size_t (*files)(struct day_source *source, int32_t day, const struct sealed_file **files);
    void *context;
};

void day_source_of_snapshot(struct day_source *source, struct snapshot *snapshot);

/* As aggregate_run and summary_write. */
HEARTH_MUST_CHECK enum hearth_error aggregate_run_over(struct day_source *source,
                                                       const struct bucket_query *query,
                                                       bucket_visit_fn *visit, void *context,
                                                       struct aggregate_statistics *statistics,
                                                       struct error_record *error);
HEARTH_MUST_CHECK enum hearth_error
summary_write_over(struct file_operations *files, const char *store, struct day_source *source,
                   int32_t year, bool rebuild, summary_limit_fn *limit, void *context,
                   struct summary_progress *progress, struct error_record *error);

#endif
