/*
 * snapshot.h - all readings of the store at one moment, for one reader.
 *
 * A process has one `snapshots`; it knows the sealed files (from the manifest, read on as it
 * grows), keeps a sorted copy of the live readings, maps sealed files and summaries as they are
 * needed and keeps the newest mappings. A snapshot is what these were at one moment: everything
 * acknowledged before the call is in it, and it never changes; sealing, late readings and renames
 * go on beside it. Nothing sealed is copied.
 *
 * Any thread, many at once. A snapshot is used by one thread.
 *
 * The size of a file is compared with the manifest when it is mapped (CORRUPT). Where its disk
 * fails while it is read the reader sees zeros, and snapshot_check says so: whoever reads records
 * or summaries of a snapshot asks it before anything is made of them. The whole answers below do.
 */
#ifndef HEARTH_SENSOR_SNAPSHOT_H
#define HEARTH_SENSOR_SNAPSHOT_H

#include "handlers/sensor/live/live_published.h"
#include "handlers/sensor/sealed/sealed_file.h"
#include "hearth/reading_store.h"

struct file_operations;
struct snapshots;
struct snapshot;
struct summary_day;

/* `files` and `published` must outlive it; `store` is copied. NULL when memory ran out. */
struct snapshots *snapshots_new(struct file_operations *files, const char *store,
                                const struct live_published *published);
void snapshots_free(struct snapshots *snapshots); /* NULL is allowed; no snapshot may be open */

/* Errors: UNAVAILABLE (the keeper has not published yet, or the files were removed or moved),
 * CORRUPT (the manifest), IO, NO_MEMORY; then `*snapshot` is NULL. */
HEARTH_MUST_CHECK enum hearth_error
snapshot_open(struct snapshots *snapshots, struct snapshot **snapshot, struct error_record *error);
void snapshot_close(struct snapshot *snapshot); /* NULL is allowed; releases every day as well */

/* After reading: CORRUPT when a part of a file that is or was mapped for this snapshot could not be
 * read (the detail names it), so that nothing that was read may be believed. Costs little. */
HEARTH_MUST_CHECK enum hearth_error snapshot_check(const struct snapshot *snapshot,
                                                   struct error_record *error);

void snapshot_state(const struct snapshot *snapshot, struct store_state *state);

/* The sealed files of the snapshot, ascending by (day, sequence), without the suspect ones; and
 * those. Valid as long as the snapshot. */
size_t snapshot_sealed_files(const struct snapshot *snapshot, const struct sealed_file **files);
size_t snapshot_suspect_files(const struct snapshot *snapshot, const struct sealed_file **files);

/* ---- Days ---- */

/* The first UTC day >= `day` that has readings; INT32_MAX = none. Suspects do not count. */
int32_t snapshot_next_day(const struct snapshot *snapshot, int32_t day);
/* The last one <= `day`; INT32_MIN = none. */
int32_t snapshot_previous_day(const struct snapshot *snapshot, int32_t day);
/* As snapshot_next_day, counting suspects as well. Errors: those of snapshot_day. */
HEARTH_MUST_CHECK enum hearth_error snapshot_next_day_with_suspect(struct snapshot *snapshot,
                                                                   int32_t day, int32_t *next,
                                                                   struct error_record *error);

enum { DAY_PARTS_INLINE = 8 };

/* The readings of a day: `count` runs, each strictly ascending; a reading may stand in two of them
 * only when one is the live run: count it once (record_merge.h does). */
struct day_run {
    const struct record *records;
    size_t count;
};
struct day_runs {
    int32_t day;
    size_t count;
    struct day_run *runs;              /* the live run, if any, is the last one */
    const struct summary_day *summary; /* covers exactly these runs; NULL = there is none (always so
                                          when the live run is not empty) */
    size_t live_count;                 /* readings in the live run */
    struct day_run inline_runs[DAY_PARTS_INLINE];
    void *pinned; /* inside; do not copy this struct */
};
/* Maps what is not mapped yet. `with_suspect` adds the suspect readings of the day as runs (and
 * then there is no summary). Valid until snapshot_release. Errors: CORRUPT (the detail names the
 * file: it is missing or has another size), IO, NO_MEMORY. */
HEARTH_MUST_CHECK enum hearth_error snapshot_day(struct snapshot *snapshot, int32_t day,
                                                 bool with_suspect, struct day_runs *runs,
                                                 struct error_record *error);
/* The same in two steps, for whom the summary may be enough: _look maps nothing, so that the sealed
 * runs have their counts and no `records` (NULL) until _map gives them. Released as above, mapped
 * or not. Errors of _look: NO_MEMORY; with suspects those of snapshot_day. */
HEARTH_MUST_CHECK enum hearth_error snapshot_day_look(struct snapshot *snapshot, int32_t day,
                                                      bool with_suspect, struct day_runs *runs,
                                                      struct error_record *error);
HEARTH_MUST_CHECK enum hearth_error
snapshot_day_map(struct snapshot *snapshot, struct day_runs *runs, struct error_record *error);
/* Before `count` records from `records` on, which stand in run `run` of a day that is mapped, are
 * shown or summed: CORRUPT when one is not what was sealed (the detail names the file). */
HEARTH_MUST_CHECK enum hearth_error snapshot_verify(const struct day_runs *runs, size_t run,
                                                    const struct record *records, size_t count,
                                                    struct error_record *error);
void snapshot_release(struct snapshot *snapshot, struct day_runs *runs);
/* The sealed files of a day, ascending by sequence, none of them of suspects: what a summary of it
 * must cover, and the first of its runs. Valid as long as the snapshot. */
size_t snapshot_day_files(const struct snapshot *snapshot, int32_t day,
                          const struct sealed_file **files);

/* ---- Whole answers ---- */

/* As in hearth/reading_store.h. Streams; takes the memory of one block, whatever the range. */
HEARTH_MUST_CHECK enum hearth_error snapshot_range(struct snapshot *snapshot,
                                                   const struct reading_range *range,
                                                   range_visit_fn *visit, void *context,
                                                   struct error_record *error);
HEARTH_MUST_CHECK enum hearth_error snapshot_latest(struct snapshot *snapshot,
                                                    struct latest_reading *latest, size_t capacity,
                                                    size_t *count, struct error_record *error);
HEARTH_MUST_CHECK enum hearth_error snapshot_series(struct snapshot *snapshot,
                                                    struct reading_series *series, size_t capacity,
                                                    size_t *count, struct error_record *error);

/* What arrived, as in hearth/reading_store.h: from the live files, in their order. */
HEARTH_MUST_CHECK enum hearth_error
snapshots_tail(struct snapshots *snapshots, struct tail_cursor *cursor, struct record *records,
               size_t capacity, struct tail_result *result, struct error_record *error);

#endif
