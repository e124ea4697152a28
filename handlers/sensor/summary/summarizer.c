/*
 * summarizer.c - brings the summary of a year up to date. Which days are new the summary file says
 * itself; the staleness limits come from the names of the series.
 */
#include "handlers/sensor/summary/summarizer.h"

#include "handlers/sensor/series/series_names.h"
#include "handlers/sensor/summary/summary.h"

#define DAY_MS INT64_C(86400000)

struct limits {
    const struct series_names *names; /* NULL = none of use */
    int64_t stale_after_ms;
};

static int64_t limit_of(void *context, int channel, int rolling_code, int32_t day)
{
    const struct limits *limits = context;
    if (!limits->names)
        return limits->stale_after_ms;
    uint32_t series = series_names_find(limits->names, channel, rolling_code, day * DAY_MS);
    return series_names_limit_ms(limits->names, series);
}

enum hearth_error summarizer_year(void *context, int32_t year, struct error_record *error)
{
    const struct summarizer *summarizer = context;
    struct snapshot *snapshot;
    struct summary_progress progress = {0};
    enum hearth_error code = snapshot_open(summarizer->snapshots, &snapshot, error);
    if (code != HEARTH_OK)
        return code;
    int64_t stale_after_ms =
        summarizer->stale_after_ms > 0 ? summarizer->stale_after_ms : SERIES_STALE_AFTER_MS;
    struct series_names *names = series_names_load(summarizer->store, stale_after_ms, NULL);
    struct limits limits = {names, stale_after_ms};
    code = summary_write(summarizer->files, summarizer->store, snapshot, year, false, limit_of,
                         &limits, &progress, error);
    series_names_free(names);
    snapshot_close(snapshot);
    return code;
}
