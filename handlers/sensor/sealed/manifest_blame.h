/*
 * manifest_blame.h - saying what is wrong with a manifest, once something is. The inside of
 * manifest_read.c.
 */
#ifndef HEARTH_SENSOR_MANIFEST_BLAME_H
#define HEARTH_SENSOR_MANIFEST_BLAME_H

#include "handlers/sensor/sealed/manifest.h"

/* STORE/manifest/YEAR.ndjson */
enum { MANIFEST_PATH_BYTES = 2048 + 32, MANIFEST_YEARS = 10000 };
void manifest_path(const char *store, int32_t year, char path[MANIFEST_PATH_BYTES]);

/* A row, or what should be one. */
struct manifest_place {
    int32_t year;
    uint64_t offset; /* of its first byte in the file */
};

/* CORRUPT: the file and the line of that place, and `what`. */
enum hearth_error manifest_blame(struct file_operations *files, const char *store,
                                 const struct manifest_place *place, const char *what,
                                 struct error_record *error);
/* CORRUPT: the row there does not follow the one before it. Looks for what may be behind it: an
 * earlier row with the same `previous` (a fork), or a year without a file. */
enum hearth_error manifest_blame_chain(struct file_operations *files, const char *store,
                                       const struct manifest_place *place,
                                       const struct manifest_row *row, const bool *years,
                                       struct error_record *error);

#endif
