/*
 * live_directory.h - the names of the live files, and which there are.
 *
 *   live/00000007.bin                  readings, 12 bytes each (hearth/reading_store.h). The
 * highest number is written to; the others are finished: never changed, synced to their end.
 *   live/00000007.poisoned-98304.bin   a sync of it failed: trusted up to byte 98304, never written
 *                                      or synced again. Trusted up to 0, it is removed.
 *
 * The number is decimal, at least 8 digits, and counts up for ever.
 */
#ifndef HEARTH_SENSOR_LIVE_DIRECTORY_H
#define HEARTH_SENSOR_LIVE_DIRECTORY_H

#include "handlers/sensor/disk/file_operations.h"

enum { LIVE_NAME_BYTES = 64, LIVE_PATH_BYTES = 2048 + 16 + LIVE_NAME_BYTES };

struct live_name {
    uint64_t sequence;
    bool poisoned;
    uint64_t trusted_bytes; /* of a poisoned one */
};

void live_name_format(const struct live_name *name, char text[LIVE_NAME_BYTES]);
/* False when `text` is not the name of a live file. */
bool live_name_parse(const char *text, struct live_name *name);
/* STORE/live/NAME; `store` is shorter than 2,048 bytes. */
void live_path(const char *store, const struct live_name *name, char path[LIVE_PATH_BYTES]);
/* STORE/live */
void live_directory_path(const char *store, char path[LIVE_PATH_BYTES]);

struct live_names {
    struct live_name *names; /* ascending by sequence */
    size_t count;
    size_t others; /* entries that are no live files */
};
/* What stands in STORE/live. Errors: IO and the like, NO_MEMORY. Free with live_names_clean. */
HEARTH_MUST_CHECK enum hearth_error live_directory_list(struct file_operations *files,
                                                        const char *store, struct live_names *names,
                                                        struct error_record *error);
void live_names_clean(struct live_names *names);

#endif
