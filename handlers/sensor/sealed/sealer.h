/*
 * sealer.h - turns finished live files into sealed files, the oldest first.
 *
 * For each: sealed files, rows of the manifest, publishing, summaries of the touched years, removal
 * of the live file, publishing. Wherever that is broken off, the next try or the next opening goes
 * on: without its rows a live file is sealed again, to the same files; with them it is only
 * removed.
 *
 * Commits go on meanwhile, from other threads: the store's lock is held only to ask for the next
 * file and to publish. sealer_run: any thread, one at a time.
 */
#ifndef HEARTH_SENSOR_SEALER_H
#define HEARTH_SENSOR_SEALER_H

#include "handlers/sensor/live/live_store.h"

/* Brings the summaries of a year up to date. What fails here costs speed, and nothing else. */
typedef enum hearth_error sealer_summary_fn(void *context, int32_t year,
                                            struct error_record *error);

struct sealer;

/* `store` and `context` must outlive it; `summarize` may be NULL. A store has one sealer at a time.
 * NULL: NO_MEMORY. */
struct sealer *sealer_new(struct live_store *store, sealer_summary_fn *summarize, void *context,
                          struct error_record *error);
void sealer_free(struct sealer *sealer); /* NULL is allowed; no call may be running */

/* Is there a finished file, and was no failure of late (of that file, or of all)? Not
 * while it runs. */
bool sealer_is_due(struct sealer *sealer);
/* Seals all finished files; with `finish`, first finishes what is written to, and tries all that
 * could not be read. What fails is logged once, and due again after a minute. A file that cannot be
 * read is passed over, and the others are sealed; then its error is given back. Errors: DISK_FULL,
 * IO, CORRUPT, NO_MEMORY, and UNAVAILABLE (told to end); the live files stand, and nothing is lost.
 */
enum hearth_error sealer_run(struct sealer *sealer, bool finish, struct error_record *error);
/* A run ends before the next file. Any thread. */
void sealer_end(struct sealer *sealer);

#endif
