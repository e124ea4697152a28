/*
 * day_source.c - a snapshot's days.
 */
#include "handlers/sensor/summary/day_source.h"

static enum hearth_error source_next_day(struct day_source *source, int32_t day, bool with_suspect,
                                         int32_t *next, struct error_record *error)
{
    if (with_suspect)
        return snapshot_next_day_with_suspect(source->context, day, next, error);
    *next = snapshot_next_day(source->context, day);
    return HEARTH_OK;
}

static enum hearth_error source_look(struct day_source *source, int32_t day, bool with_suspect,
                                     struct day_runs *runs, struct error_record *error)
{
    return snapshot_day_look(source->context, day, with_suspect, runs, error);
}

static enum hearth_error source_map(struct day_source *source, struct day_runs *runs,
                                    struct error_record *error)
{
    return snapshot_day_map(source->context, runs, error);
}

static void source_release(struct day_source *source, struct day_runs *runs)
{
    snapshot_release(source->context, runs);
}

static size_t source_files(struct day_source *source, int32_t day, const struct sealed_file **files)
{
    return snapshot_day_files(source->context, day, files);
}

void day_source_of_snapshot(struct day_source *source, struct snapshot *snapshot)
{
    *source = (struct day_source){
        .next_day = source_next_day,
        .look = source_look,
        .map = source_map,
        .verify = snapshot_verify,
        .release = source_release,
        .files = source_files,
        .context = snapshot,
    };
}

enum hearth_error aggregate_run(struct snapshot *snapshot, const struct bucket_query *query,
                                bucket_visit_fn *visit, void *context,
                                struct aggregate_statistics *statistics, struct error_record *error)
{
    struct day_source source;
    day_source_of_snapshot(&source, snapshot);
    enum hearth_error code = aggregate_run_over(&source, query, visit, context, statistics, error);
    return code == HEARTH_OK ? snapshot_check(snapshot, error) : code;
}

enum hearth_error summary_write(struct file_operations *files, const char *store,
                                struct snapshot *snapshot, int32_t year, bool rebuild,
                                summary_limit_fn *limit, void *context,
                                struct summary_progress *progress, struct error_record *error)
{
    struct day_source source;
    day_source_of_snapshot(&source, snapshot);
    return summary_write_over(files, store, &source, year, rebuild, limit, context, progress,
                              error);
}
