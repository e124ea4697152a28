/*
 * summarizer.h - brings the summary of a year up to date after sealing: what a sealer calls.
 */
#ifndef HEARTH_SENSOR_SUMMARIZER_H
#define HEARTH_SENSOR_SUMMARIZER_H

#include "handlers/sensor/disk/file_operations.h"

struct snapshots;

struct summarizer { /* all must outlive it */
    struct file_operations *files;
    const char *store;
    struct snapshots *snapshots; /* over what the sealing keeper publishes */
    int64_t stale_after_ms;      /* of series that say none; 0 = SERIES_STALE_AFTER_MS */
};

/* Fits sealer_summary_fn; `context` is the struct summarizer. Limits are those of series.json as it
 * is now; without a usable one, the default. Errors: those of snapshot_open and summary_write. */
HEARTH_MUST_CHECK enum hearth_error summarizer_year(void *context, int32_t year,
                                                    struct error_record *error);

#endif
