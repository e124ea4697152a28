/*
 * live_file.h - the live file that is written to.
 *
 * Good until a write or a sync of it fails; then it is poisoned: never written or synced again, set
 * aside under a name that says how far it is trusted. A full disk alone does not poison a file, as
 * long as it can be cut back to what was synced. Lost when somebody removes or moves it. One
 * thread.
 */
#ifndef HEARTH_SENSOR_LIVE_FILE_H
#define HEARTH_SENSOR_LIVE_FILE_H

#include "handlers/sensor/live/live_directory.h"
#include "hearth/reading_store.h"

struct live_file {
    struct file_operations *files;
    const char *store; /* the store's directory; must outlive the file */
    uint64_t sequence;
    int file; /* -1 = not open */
    uint64_t synced_bytes;
    bool poisoned;
    bool lost;              /* its name does not lead to it any more */
    uint64_t device, inode; /* which file it is */
    char path[LIVE_PATH_BYTES];
};

/* Not open. */
void live_file_init(struct live_file *live, struct file_operations *files, const char *store);
void live_file_close(struct live_file *live);
/* Makes the file of that number, empty, its name made to last. Calling it again after a failure is
 * right. Errors: CORRUPT (it stands and is not empty), DISK_FULL, IO and the like; then it is not
 * open. */
HEARTH_MUST_CHECK enum hearth_error live_file_create(struct live_file *live, uint64_t sequence,
                                                     struct error_record *error);
/* Opens a standing file of which `synced_bytes` are synced. */
HEARTH_MUST_CHECK enum hearth_error live_file_open(struct live_file *live, uint64_t sequence,
                                                   uint64_t synced_bytes,
                                                   struct error_record *error);
/* Does its name still lead to it? What is written to a removed file goes with it. Errors:
 * UNAVAILABLE (it was removed or moved: `lost`), IO and the like. */
HEARTH_MUST_CHECK enum hearth_error live_file_confirm(struct live_file *live,
                                                      struct error_record *error);
/* Writes behind what is synced, syncs, and confirms. On error nothing counts: the file ends where
 * it did, or is poisoned, or lost. Errors: DISK_FULL, IO, UNAVAILABLE, MISUSE (poisoned or not
 * open). */
HEARTH_MUST_CHECK enum hearth_error live_file_append(struct live_file *live,
                                                     const struct record *records, size_t count,
                                                     struct error_record *error);
/* Removes a poisoned file of which nothing is synced, and closes it. Calling it again after a
 * failure is right. */
HEARTH_MUST_CHECK enum hearth_error live_file_discard(struct live_file *live,
                                                      struct error_record *error);
/* Gives a poisoned file its name and closes it. Calling it again after a failure is right. */
HEARTH_MUST_CHECK enum hearth_error live_file_set_aside(struct live_file *live,
                                                        struct error_record *error);

#endif
