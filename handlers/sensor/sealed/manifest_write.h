/*
 * manifest_write.h - the keeper's side of the manifest (manifest.h): rows are appended, and what a
 * crash left is mended. One thread at a time.
 */
#ifndef HEARTH_SENSOR_MANIFEST_WRITE_H
#define HEARTH_SENSOR_MANIFEST_WRITE_H

#include "handlers/sensor/sealed/manifest.h"

enum { MANIFEST_STORE_ID_BYTES = 16 };

/* One part of a live file, sealed. */
struct manifest_part {
    struct sealed_file file;
    unsigned char sha256[MANIFEST_HASH_BYTES];
};

struct manifest_writer {
    struct file_operations *files;
    const char *store;                 /* must outlive it */
    struct manifest_position position; /* behind the rows that count; they are on the disk */
    uint64_t sequence;                 /* the highest of a live file sealed, 0 = none */
    uint64_t sets;                     /* how many live files were sealed */
    bool poisoned;                     /* the file is written to no more, but replaced */
};

/* Does a finished live file stand that none of the rows visited is about, of the number `sequence`
 * (0 = any)? */
typedef bool manifest_live_fn(void *context, uint64_t sequence);

/* Reads the whole manifest, a row at a time (`visit` may be NULL), and cuts off what is behind the
 * last complete set of parts. That is only done when the live file of these rows still stands, from
 * which they are made again. Errors: CORRUPT (also: the end is damaged, and the live file is gone),
 * IO and the like, DISK_FULL, NO_MEMORY. */
HEARTH_MUST_CHECK enum hearth_error
manifest_writer_open(struct manifest_writer *writer, struct file_operations *files,
                     const char *store, const unsigned char store_id[MANIFEST_STORE_ID_BYTES],
                     manifest_live_fn *live_stands, manifest_visit_fn *visit, void *context,
                     struct error_record *error);
/* Makes certain that what was read is on the disk: a predecessor's last sync may have failed.
 * Needed before a live file is removed because its rows stand. Errors: IO and the like, DISK_FULL.
 */
HEARTH_MUST_CHECK enum hearth_error manifest_writer_confirm(struct manifest_writer *writer,
                                                            struct error_record *error);
/* Appends the rows of one live file, all or none, on the disk when it returns HEARTH_OK; moves
 * `position`. All parts have one sequence, which has no rows yet. `slots`: of the live file.
 * `year`: now, UTC; a clock that went back does not lead to an older file. After an error calling
 * it again is right. Errors: DISK_FULL, IO and the like, CORRUPT (the file is shorter than it was),
 * NO_MEMORY. */
HEARTH_MUST_CHECK enum hearth_error manifest_writer_append(struct manifest_writer *writer,
                                                           int32_t year,
                                                           const struct manifest_part *parts,
                                                           size_t count, uint64_t slots,
                                                           struct error_record *error);

#endif
