/*
 * live_reader.h - reading the live files, in any process, while the keeper writes.
 *
 * Goes by what the keeper published (live_published.h) and by the names in the directory: the file
 * written to counts up to its synced length, one set aside up to the length in its name, a finished
 * one whole. Files are read with pread: a file that is cut or on a failing disk is an error, never
 * a signal. Every slot's checksum is checked; bad ones are passed over.
 *
 * Any thread, many at once.
 */
#ifndef HEARTH_SENSOR_LIVE_READER_H
#define HEARTH_SENSOR_LIVE_READER_H

#include "handlers/sensor/live_directory.h"
#include "handlers/sensor/live_published.h"
#include "hearth/reading_store.h"

struct live_reader;

/* `files` and `published` must outlive it; `store` is copied. NULL when memory ran out. */
struct live_reader *live_reader_new(struct file_operations *files, const char *store,
                                    const struct live_published *published);
void live_reader_free(struct live_reader *reader); /* NULL is allowed */

/* As in hearth/reading_store.h. Takes 12 bytes for each record that matches, for the while, and
 * half as much again where they are far from sorted. Errors: UNAVAILABLE (the keeper has not
 * published yet), IO, CORRUPT, NO_MEMORY, and the visitor's. */
HEARTH_MUST_CHECK enum hearth_error live_reader_range(struct live_reader *reader,
                                                      const struct reading_range *range,
                                                      range_visit_fn *visit, void *context,
                                                      struct error_record *error);
/* By channel and rolling code. Suspect readings do not count. */
HEARTH_MUST_CHECK enum hearth_error live_reader_latest(struct live_reader *reader,
                                                       struct latest_reading *latest,
                                                       size_t capacity, size_t *count,
                                                       struct error_record *error);
HEARTH_MUST_CHECK enum hearth_error live_reader_series(struct live_reader *reader,
                                                       struct reading_series *series,
                                                       size_t capacity, size_t *count,
                                                       struct error_record *error);

#endif
