/*
 * aggregate.c - buckets, one after the other, in one pass through the days.
 *
 * Time is divided by cuts: the edges of the buckets, the end of what is known, and wherever a
 * transmitter becomes another series or ceases to be one (series_names.h). Between two cuts every
 * reading belongs to one bucket and every transmitter to one series; aggregate_day.h sums what lies
 * between them. What is held into the first bucket comes from a span before it that is as long as
 * the longest limit, summed in the same way and shown to nobody.
 */
#include "handlers/sensor/aggregate/aggregate_day.h"
#include "handlers/sensor/disk/live_memory.h"

#include <stdlib.h>

#define AFTER_ALL_MS (READING_TIME_MAX_MS + 1)

struct aggregation {
    const struct bucket_query *query;
    bucket_visit_fn *visit;
    void *context;
    struct sums *sums;
    struct day_walk walk;
    int64_t from_ms;     /* where reading begins: before the first bucket */
    size_t edge;         /* the next one */
    int64_t *renames_ms; /* where transmitters change hands, ascending */
    size_t rename, rename_count;
    int64_t known_ms; /* query->known_until_ms while it is a cut to come, else INT64_MAX */
    bool finished;
    struct aggregate_statistics statistics;
};

/* ---- Cuts ---- */

static int compare_times(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

static void note_rename(struct aggregation *aggregation, int64_t time_ms)
{
    const struct bucket_query *query = aggregation->query;
    if (time_ms > aggregation->from_ms && time_ms < query->edges_ms[query->bucket_count])
        aggregation->renames_ms[aggregation->rename_count++] = time_ms;
}

static enum hearth_error list_renames(struct aggregation *aggregation)
{
    const struct series_names *names = aggregation->query->names;
    size_t count = 0, named = series_names_count(names);
    for (uint32_t i = 0; i < named; i++)
        count += series_names_get(names, i)->window_count;
    aggregation->renames_ms = memory_new((2 * count + 1) * sizeof *aggregation->renames_ms);
    if (!aggregation->renames_ms)
        return HEARTH_NO_MEMORY;
    for (uint32_t i = 0; i < named; i++) {
        const struct named_series *series = series_names_get(names, i);
        for (size_t w = 0; w < series->window_count; w++) {
            note_rename(aggregation, series->windows[w].from_ms);
            note_rename(aggregation, series->windows[w].to_ms);
        }
    }
    qsort(aggregation->renames_ms, aggregation->rename_count, sizeof *aggregation->renames_ms,
          compare_times);
    return HEARTH_OK;
}

static int64_t next_cut_ms(const struct aggregation *aggregation)
{
    int64_t cut_ms = aggregation->query->edges_ms[aggregation->edge];
    if (aggregation->known_ms < cut_ms)
        cut_ms = aggregation->known_ms;
    if (aggregation->rename < aggregation->rename_count &&
        aggregation->renames_ms[aggregation->rename] < cut_ms)
        cut_ms = aggregation->renames_ms[aggregation->rename];
    return cut_ms;
}

/* The bucket that ends at the next edge is whole; the one before the first is nobody's. */
static enum hearth_error finish_bucket(struct aggregation *aggregation)
{
    const int64_t *edges_ms = aggregation->query->edges_ms;
    size_t edge = aggregation->edge++;
    enum hearth_error code = HEARTH_OK;
    if (edge > 0) {
        size_t count = sums_tracks(aggregation->sums, edges_ms[edge - 1], edges_ms[edge]);
        code = aggregation->visit(aggregation->context, edge - 1, aggregation->sums->tracks, count);
    }
    sums_begin_bucket(aggregation->sums);
    aggregation->finished = edge == aggregation->query->bucket_count;
    return code;
}

static enum hearth_error cross_cut(struct aggregation *aggregation)
{
    int64_t cut_ms = next_cut_ms(aggregation);
    if (cut_ms == aggregation->known_ms) {
        sums_known(aggregation->sums, aggregation->query->edges_ms[aggregation->edge - 1]);
        aggregation->known_ms = INT64_MAX;
    }
    if (aggregation->query->edges_ms[aggregation->edge] == cut_ms) {
        enum hearth_error code = finish_bucket(aggregation);
        if (code != HEARTH_OK || aggregation->finished)
            return code;
    }
    bool renamed = false;
    for (; aggregation->rename < aggregation->rename_count &&
           aggregation->renames_ms[aggregation->rename] == cut_ms;
         aggregation->rename++)
        renamed = true;
    if (renamed) {
        sums_enter(aggregation->sums, cut_ms);
        if (aggregation->walk.open)
            day_walk_renamed(&aggregation->walk);
    }
    return HEARTH_OK;
}

/* Crosses the cuts up to there. */
static enum hearth_error cross_cuts(struct aggregation *aggregation, int64_t to_ms)
{
    enum hearth_error code = HEARTH_OK;
    while (code == HEARTH_OK && !aggregation->finished && next_cut_ms(aggregation) <= to_ms)
        code = cross_cut(aggregation);
    return code;
}

/* ---- Days ---- */

static enum hearth_error walk_day(struct aggregation *aggregation, int32_t day,
                                  struct error_record *error)
{
    struct day_walk *walk = &aggregation->walk;
    int64_t end_ms = (day + 1) * DAY_MS;
    enum hearth_error code = day_walk_open(walk, day, aggregation->from_ms, error);
    while (code == HEARTH_OK && !aggregation->finished && next_cut_ms(aggregation) < end_ms) {
        code = day_walk_to(walk, next_cut_ms(aggregation), error);
        if (code == HEARTH_OK)
            code = cross_cut(aggregation);
    }
    if (code == HEARTH_OK && !aggregation->finished)
        code = day_walk_to(walk, end_ms, error);
    day_walk_close(walk);
    return code;
}

static enum hearth_error walk_days(struct aggregation *aggregation, struct day_source *source,
                                   struct error_record *error)
{
    const struct bucket_query *query = aggregation->query;
    int64_t to_ms = query->edges_ms[query->bucket_count];
    int32_t day = (int32_t)(aggregation->from_ms / DAY_MS);
    enum hearth_error code = HEARTH_OK;
    for (; code == HEARTH_OK && !aggregation->finished && day < INT32_MAX; day++) {
        code = source->next_day(source, day, query->with_suspect, &day, error);
        if (code != HEARTH_OK || day == INT32_MAX || day * DAY_MS >= to_ms)
            break;
        code = cross_cuts(aggregation, day * DAY_MS);
        if (code == HEARTH_OK)
            code = walk_day(aggregation, day, error);
    }
    while (code == HEARTH_OK && !aggregation->finished)
        code = cross_cut(aggregation);
    return code;
}

/* ---- The query ---- */

/* Outside of the buckets the end of what is known divides nothing. */
static int64_t known_cut_ms(const struct bucket_query *query)
{
    int64_t known_ms = query->known_until_ms;
    bool inside = query->edges_ms[0] < known_ms && known_ms < query->edges_ms[query->bucket_count];
    return inside ? known_ms : INT64_MAX;
}

/* As far before the first bucket as any value may be held from. */
static int64_t reading_from_ms(const struct bucket_query *query)
{
    size_t named = series_names_count(query->names);
    int64_t from_ms = query->edges_ms[0],
            limit_ms = series_names_limit_ms(query->names, (uint32_t)named);
    for (uint32_t i = 0; i < named; i++)
        if ((!query->wanted || query->wanted[i]) &&
            series_names_limit_ms(query->names, i) > limit_ms)
            limit_ms = series_names_limit_ms(query->names, i);
    if (from_ms <= 0 || (limit_ms > 0 && from_ms < limit_ms))
        return 0;
    if (limit_ms > 0)
        from_ms -= limit_ms;
    return from_ms < AFTER_ALL_MS ? from_ms : AFTER_ALL_MS;
}

enum hearth_error aggregate_run_over(struct day_source *source, const struct bucket_query *query,
                                     bucket_visit_fn *visit, void *context,
                                     struct aggregate_statistics *statistics,
                                     struct error_record *error)
{
    struct aggregation aggregation = {
        .query = query,
        .visit = visit,
        .context = context,
        .from_ms = reading_from_ms(query),
        .known_ms = known_cut_ms(query),
    };
    aggregation.sums = memory_new(sizeof *aggregation.sums);
    if (!aggregation.sums)
        return error_set_internal(error, HEARTH_NO_MEMORY, 0, "no memory for the buckets");
    day_walk_init(&aggregation.walk, source, aggregation.sums, &aggregation.statistics);
    enum hearth_error code = sums_init(aggregation.sums, query);
    if (code == HEARTH_OK)
        code = list_renames(&aggregation);
    if (code != HEARTH_OK) {
        error_set_internal(error, code, 0, "no memory for the buckets");
    } else {
        sums_enter(aggregation.sums, aggregation.from_ms);
        code = walk_days(&aggregation, source, error);
    }
    day_walk_clean(&aggregation.walk);
    memory_free(aggregation.renames_ms);
    sums_clean(aggregation.sums);
    memory_free(aggregation.sums);
    if (statistics)
        *statistics = aggregation.statistics;
    return code;
}
