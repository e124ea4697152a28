/*
 * summary_build.h - digests of a day made from its records.
 */
#ifndef HEARTH_SENSOR_SUMMARY_BUILD_H
#define HEARTH_SENSOR_SUMMARY_BUILD_H

#include "handlers/sensor/summary/summary_format.h"

struct summary_builder; /* keeps its memory from day to day; one thread */

struct summary_builder *summary_builder_new(void);          /* NULL when memory ran out */
void summary_builder_free(struct summary_builder *builder); /* NULL is allowed */

struct summary_build_options {
    summary_limit_fn *limit; /* Required. */
    void *context;
    uint32_t block_records; /* 0 = as the day's series ask for; UINT32_MAX = no blocks */
};

/* Digests the sealed runs of a day (not the live one). `*day` has no sources, and lives until the
 * next call. Errors: CORRUPT (a record that is damaged, of another day, out of order, or there
 * twice), NO_MEMORY. */
HEARTH_MUST_CHECK enum hearth_error summary_build_day(struct summary_builder *builder,
                                                      const struct day_runs *runs,
                                                      const struct summary_build_options *options,
                                                      const struct summary_day **day,
                                                      struct error_record *error);

#endif
