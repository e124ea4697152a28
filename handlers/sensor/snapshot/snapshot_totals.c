/*
 * snapshot_totals.c - the newest reading and the extent of each transmitter, without a scan of
 * history.
 *
 * The totals of what is sealed are made once, from the summaries' totals of days where they cover a
 * day and from the records where not, and then only for the files that came since: no two sealed
 * files hold the same reading. The totals of the live readings stand with the live copy.
 */
#include "handlers/sensor/snapshot/snapshot_parts.h"

#include "handlers/sensor/record/record.h"
#include "handlers/sensor/summary/summary.h"

enum { CODES = 256 };

/* ---- Of what is sealed ---- */

static enum hearth_error no_memory(struct error_record *error)
{
    return error_set_internal(error, HEARTH_NO_MEMORY, 0, "no memory for the totals of the series");
}

static enum hearth_error add_file(struct snapshot *snapshot, struct series_totals *totals,
                                  const struct sealed_file *file, struct error_record *error)
{
    struct sealed_map *map;
    enum hearth_error code = sealed_maps_pin(snapshot->owner->maps, file, &map, error);
    if (code != HEARTH_OK)
        return code;
    code = sealed_map_verify(map, 0, file->records, error);
    if (code == HEARTH_OK && series_totals_add(totals, map->records, file->records) != HEARTH_OK)
        code = no_memory(error);
    if (code == HEARTH_OK)
        code = sealed_map_check(map, error);
    sealed_maps_unpin(snapshot->owner->maps, &map, 1);
    return code;
}

static enum hearth_error add_summary(struct series_totals *totals, const struct summary_day *day,
                                     struct error_record *error)
{
    for (size_t i = 0; i < summary_day_series_count(day); i++) {
        struct summary_series series;
        summary_day_series(day, i, &series);
        const struct series_total total = {
            .place = (uint16_t)((series.channel - 1) * CODES + series.rolling_code),
            .count = series.count,
            .first_ms = record_time_ms(&series.first),
            .newest = series.last,
        };
        if (total.place >= SERIES_TOTAL_PLACES || series_totals_join(totals, &total) != HEARTH_OK)
            return no_memory(error);
    }
    return HEARTH_OK;
}

/* The files of a day from `first` on, of which `known` are in `old` and counted already. */
static enum hearth_error add_day(struct snapshot *snapshot, struct series_totals *totals,
                                 const struct catalogue *old, size_t *old_at, size_t first,
                                 size_t count, struct error_record *error)
{
    const struct sealed_file *files = snapshot->catalogue->files + first;
    const struct summary_day *summary = NULL;
    bool all_new = !old || *old_at == old->count || old->files[*old_at].day != files[0].day;
    enum hearth_error code = HEARTH_OK;
    if (all_new)
        summary = snapshot_summary(snapshot, files[0].day, first, count);
    if (summary)
        return add_summary(totals, summary, error);
    for (size_t i = 0; code == HEARTH_OK && i < count; i++) {
        bool known = old && *old_at < old->count && old->files[*old_at].day == files[i].day &&
                     old->files[*old_at].sequence == files[i].sequence;
        if (known)
            ++*old_at;
        else
            code = add_file(snapshot, totals, &files[i], error);
    }
    return code;
}

static enum hearth_error add_days(struct snapshot *snapshot, struct series_totals *totals,
                                  const struct catalogue *old, struct error_record *error)
{
    const struct catalogue *catalogue = snapshot->catalogue;
    size_t old_at = old ? old->suspect_count : 0, count;
    enum hearth_error code = HEARTH_OK;
    for (size_t at = catalogue->suspect_count; code == HEARTH_OK && at < catalogue->count;
         at += count) {
        count = catalogue_day_count(catalogue, at);
        code = add_day(snapshot, totals, old, &old_at, at, count, error);
    }
    return code;
}

/* Under totals_lock: those of the snapshot's catalogue, made from those of an earlier one if that
 * can be. */
static enum hearth_error make_totals(struct snapshot *snapshot, struct series_totals *made,
                                     struct error_record *error)
{
    struct snapshots *owner = snapshot->owner;
    const struct catalogue *old = owner->totals_catalogue;
    if (old &&
        (old->lineage != snapshot->catalogue->lineage || old->count > snapshot->catalogue->count))
        old = NULL;
    *made = (struct series_totals){0};
    if (old && series_totals_copy(made, &owner->totals) != HEARTH_OK)
        return no_memory(error);
    enum hearth_error code = add_days(snapshot, made, old, error);
    if (code == HEARTH_OK)
        code = snapshot_check(snapshot, error);
    if (code != HEARTH_OK)
        series_totals_clean(made);
    return code;
}

static enum hearth_error require_totals(struct snapshot *snapshot, struct error_record *error)
{
    struct snapshots *owner = snapshot->owner;
    struct series_totals made;
    if (owner->totals_catalogue == snapshot->catalogue)
        return HEARTH_OK;
    enum hearth_error code = make_totals(snapshot, &made, error);
    if (code != HEARTH_OK)
        return code;
    series_totals_clean(&owner->totals);
    catalogue_release(owner->totals_catalogue);
    owner->totals = made;
    owner->totals_catalogue = catalogue_keep(snapshot->catalogue);
    return HEARTH_OK;
}

/* ---- With what is live ---- */

/* The total of both at that place; false when there is none. */
static bool join_place(const struct series_totals *sealed, const struct series_totals *live,
                       size_t place, struct series_total *total)
{
    const struct series_total *a = series_totals_get(sealed, place);
    const struct series_total *b = series_totals_get(live, place);
    if (!a && !b)
        return false;
    *total = a ? *a : *b;
    if (!a || !b)
        return true;
    total->count += b->count;
    if (b->first_ms < total->first_ms)
        total->first_ms = b->first_ms;
    if (memcmp(&b->newest, &total->newest, sizeof b->newest) > 0)
        total->newest = b->newest;
    return true;
}

typedef void total_visit_fn(void *context, size_t index, const struct series_total *total);

/* Visits at most `capacity` of them, by channel and rolling code. */
static enum hearth_error each_total(struct snapshot *snapshot, size_t capacity, size_t *count,
                                    total_visit_fn *visit, void *context,
                                    struct error_record *error)
{
    struct snapshots *owner = snapshot->owner;
    struct series_total total;
    *count = 0;
    pthread_mutex_lock(&owner->totals_lock);
    enum hearth_error code = require_totals(snapshot, error);
    for (size_t place = 0; code == HEARTH_OK && place < SERIES_TOTAL_PLACES; place++)
        if (*count < capacity && join_place(&owner->totals, &snapshot->live->totals, place, &total))
            visit(context, (*count)++, &total);
    pthread_mutex_unlock(&owner->totals_lock);
    return code;
}

static void give_latest(void *context, size_t index, const struct series_total *total)
{
    struct latest_reading *latest = context;
    latest[index] = (struct latest_reading){total->newest, total->count};
}

enum hearth_error snapshot_latest(struct snapshot *snapshot, struct latest_reading *latest,
                                  size_t capacity, size_t *count, struct error_record *error)
{
    return each_total(snapshot, capacity, count, give_latest, latest, error);
}

static void give_series(void *context, size_t index, const struct series_total *total)
{
    struct reading_series *series = context;
    series[index] = (struct reading_series){
        .channel = total->place / CODES + 1,
        .rolling_code = total->place % CODES,
        .first_ms = total->first_ms,
        .last_ms = record_time_ms(&total->newest),
        .count = total->count,
    };
}

enum hearth_error snapshot_series(struct snapshot *snapshot, struct reading_series *series,
                                  size_t capacity, size_t *count, struct error_record *error)
{
    return each_total(snapshot, capacity, count, give_series, series, error);
}
