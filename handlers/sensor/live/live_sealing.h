/*
 * live_sealing.h - the live store's side of sealing: what the sealer (sealer.c) asks it for. Each
 * takes the store's lock; commits go on between them.
 */
#ifndef HEARTH_SENSOR_LIVE_SEALING_H
#define HEARTH_SENSOR_LIVE_SEALING_H

#include "handlers/sensor/live/live_directory.h"
#include "handlers/sensor/live/live_store.h"
#include "handlers/sensor/sealed/manifest_write.h"
#include "handlers/sensor/sealed/sealed_index.h"

struct live_finished {
    struct live_name name;
    uint64_t slots;
};

/* The finished file with the lowest number above `after`; false when there is none. */
bool live_store_next_finished(struct live_store *store, uint64_t after,
                              struct live_finished *finished);
/* Finishes the file that is written to, unless it is empty: the next one is made. Errors:
 * DISK_FULL, IO and the like, UNAVAILABLE. */
HEARTH_MUST_CHECK enum hearth_error live_store_finish(struct live_store *store,
                                                      struct error_record *error);
/* Puts into the quarantine what is bad in it and not there already. Errors: DISK_FULL, IO and the
 * like. */
HEARTH_MUST_CHECK enum hearth_error
live_store_quarantine_slots(struct live_store *store, const struct live_finished *finished,
                            struct error_record *error);
/* Room for so many sealed files, so that taking them cannot fail. Errors: NO_MEMORY. */
HEARTH_MUST_CHECK enum hearth_error
live_store_reserve_sealed(struct live_store *store, size_t count, struct error_record *error);
/* The rows of the file stand (or it has none): its readings are asked of the sealed files from here
 * on, and it is no longer known as live. Publishes. */
void live_store_take_sealed(struct live_store *store, const struct live_finished *finished,
                            const struct manifest_part *parts, size_t count);
/* Removes the file, and publishes. Errors: IO and the like; the next opening removes it then. */
HEARTH_MUST_CHECK enum hearth_error live_store_remove_sealed(struct live_store *store,
                                                             const struct live_finished *finished,
                                                             struct error_record *error);
/* Fills an empty index with the sealed files that the store knows. Errors: NO_MEMORY. */
HEARTH_MUST_CHECK enum hearth_error live_store_copy_sealed(struct live_store *store,
                                                           struct sealed_index *sealed,
                                                           struct error_record *error);
/* A predecessor died between the rows and the removal of its live files: the number of the first
 * one; 0 = it did not. Summaries may be missing from there on. */
uint64_t live_store_interrupted(const struct live_store *store);
/* The manifest, which only the sealer writes to; and what the store was opened with. */
struct manifest_writer *live_store_manifest(struct live_store *store);
const struct live_store_options *live_store_options(const struct live_store *store);
struct file_operations *live_store_files(const struct live_store *store);

#endif
