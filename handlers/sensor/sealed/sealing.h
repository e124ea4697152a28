/*
 * sealing.h - one finished live file becomes sealed files. The inside of the sealer (sealer.c): no
 * lock is held, nothing is published, and doing it again gives the same files.
 */
#ifndef HEARTH_SENSOR_SEALING_H
#define HEARTH_SENSOR_SEALING_H

#include "handlers/sensor/live/live_directory.h"
#include "handlers/sensor/sealed/manifest_write.h"
#include "handlers/sensor/sealed/sealed_index.h"
#include "hearth/reading_store.h"

struct sealing {
    struct file_operations *files;
    const char *store;
    uint64_t sequence;
    struct record *records; /* what is sealed, ascending; the suspects behind the others */
    size_t count, suspects;
    uint64_t bad_slots, doubled; /* what is not */
    uint64_t unasked;            /* may stand in a sealed file that could not be read */
    struct manifest_part *parts; /* a day each, ascending; then the suspects */
    size_t part_count;
    struct sealed_index *sealed; /* once it was split */
};

/* Takes up to 1.5 times the file's size in memory, until sealing_clean. Errors: CORRUPT (the file
 * is shorter than it was), IO and the like, NO_MEMORY. */
HEARTH_MUST_CHECK enum hearth_error sealing_read(struct sealing *sealing,
                                                 struct file_operations *files, const char *store,
                                                 const struct live_name *name, uint64_t slots,
                                                 struct error_record *error);
/* Sorts, drops what stands twice or in sealed files already, and splits by day. `sealed` must
 * outlive it. Errors: NO_MEMORY. */
HEARTH_MUST_CHECK enum hearth_error
sealing_split(struct sealing *sealing, struct sealed_index *sealed, struct error_record *error);
/* Writes the files; they are on the disk, and so are their names. Errors: CORRUPT (a name is taken
 * by what may not be lost), DISK_FULL, IO and the like, NO_MEMORY. */
HEARTH_MUST_CHECK enum hearth_error sealing_write(struct sealing *sealing,
                                                  struct error_record *error);
void sealing_clean(struct sealing *sealing);

#endif
