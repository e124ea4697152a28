/*
 * live_series.h - first, last, newest and count of each series, kept up as files grow.
 *
 * Live files are only ever appended to, so a call reads what came since the one before. Where the
 * keeper found readings that stand twice, what there is by then is counted once as a whole, sorted
 * and without doubles, as a range gives it out; a commit never adds any. The inside of the reader
 * (live_reader.c), which holds a lock around it.
 */
#ifndef HEARTH_SENSOR_LIVE_SERIES_H
#define HEARTH_SENSOR_LIVE_SERIES_H

#include "handlers/sensor/live_span.h"

enum { SERIES_CHANNELS = 16, SERIES_CODES = 256 };

struct series_entry {
    uint64_t count; /* 0 = no such series */
    int64_t first_ms, last_ms;
    struct record newest;
};

struct live_series {
    struct series_entry *channels[SERIES_CHANNELS]; /* SERIES_CODES each, made when needed */
    /* Everything before this is counted. */
    uint64_t sequence, slots;
    struct live_state seen; /* whose files these are */
};

/* Zeroed memory is an empty one. */
void live_series_clean(struct live_series *series);
/* Counts what is new in `spans`. Errors: NOT_FOUND (list again), IO, NO_MEMORY; calling it again is
 * right. */
HEARTH_MUST_CHECK enum hearth_error
live_series_update(struct live_series *series, struct file_operations *files, const char *store,
                   const struct live_spans *spans, struct error_record *error);
/* NULL when there is none. */
const struct series_entry *live_series_entry(const struct live_series *series, int channel,
                                             int rolling_code);

#endif
