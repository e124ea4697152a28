/*
 * summary.h - block summaries: digests of blocks of readings, so that a wide query reads few
 * records.
 *
 *   summary/2025.sum   of the readings of UTC year 2025; derived from the sealed files,
 * rebuildable, never the truth
 *
 * For each UTC day: which sealed files it covers (sequences and counts); its series with their
 * first and last record and count; the digest of the whole day for each series and quantity; and
 * the digests of its blocks, where a block is a number of consecutive records of the merge of these
 * files. The byte layout stands at the head of summary_file.c; all is little-endian, versioned and
 * checksummed (head, index, and of each day its totals and its blocks), so that a damaged file is
 * found and passed over, never believed.
 *
 * A digest in it was made under a staleness limit, which stands with it. Under another limit it
 * holds only if it has no gap longer than the smaller of both; else its records are scanned.
 */
#ifndef HEARTH_SENSOR_SUMMARY_H
#define HEARTH_SENSOR_SUMMARY_H

#include "handlers/sensor/disk/file_operations.h"
#include "handlers/sensor/record/digest.h"
#include "handlers/sensor/sealed/sealed_file.h"
#include "handlers/sensor/snapshot/snapshot.h"

/* ---- Reading: a mapped file ---- */

struct summary_file;

/* Maps STORE/summary/YEAR.sum and checks its head. NULL: NOT_FOUND, CORRUPT, IO, NO_MEMORY. */
struct summary_file *summary_file_open(struct file_operations *files, const char *store,
                                       int32_t year, struct error_record *error);
void summary_file_close(struct summary_file *file); /* NULL is allowed */
/* A part of it could not be read: nothing that came from it may be believed. */
bool summary_file_damaged(const struct summary_file *file);
/* The summary of a day if it covers exactly these sealed files (ascending by sequence), is whole,
 * and there is one; else NULL. Lives as long as the file. Any thread. */
const struct summary_day *summary_file_day(const struct summary_file *file, int32_t day,
                                           const struct sealed_file *sealed, size_t count);
/* The days covered, in order: for verify and stat. */
size_t summary_file_days(const struct summary_file *file);

/* The raw series (channel, rolling code) of a day: count, first and last record. */
struct summary_series {
    int channel, rolling_code;
    uint64_t count; /* readings, whether they have a quantity or not */
    struct record first, last;
};
size_t summary_day_series_count(const struct summary_day *day);
void summary_day_series(const struct summary_day *day, size_t index, struct summary_series *series);

/* ---- Writing: the keeper and `hearth summary` ---- */

/* Staleness limit of a transmitter on a day, in ms (series_names.h). */
typedef int64_t summary_limit_fn(void *context, int channel, int rolling_code, int32_t day);

struct summary_progress {
    uint64_t days_done, days_all, days_built;
};

/* Writes STORE/summary/YEAR.sum anew (temporary file, sync, rename, directory sync) for the sealed
 * files in the snapshot's catalogue; days that the standing file covers rightly are copied, the
 * others built. `rebuild`: builds all. A day without sealed files leaves. Errors: IO, DISK_FULL,
 * CORRUPT (a sealed file), NO_MEMORY; then the old file stands. */
HEARTH_MUST_CHECK enum hearth_error summary_write(struct file_operations *files, const char *store,
                                                  struct snapshot *snapshot, int32_t year,
                                                  bool rebuild, summary_limit_fn *limit,
                                                  void *context, struct summary_progress *progress,
                                                  struct error_record *error);

/* Compares each digest of the day with its records. False: `error` says which block, series,
 * quantity and member differ. */
bool summary_day_verify(const struct summary_day *day, const struct day_runs *runs,
                        struct error_record *error);

#endif
