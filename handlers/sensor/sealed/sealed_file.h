/*
 * sealed_file.h - files of readings that never change, and their names.
 *
 *   sealed/2025/09-14.00000007.bin   readings of the UTC day 2025-09-14 out of live file 7
 *   suspect/00000007.bin             its suspect readings (time quality 2), of any day
 *
 * Content: records (hearth/reading_store.h), strictly ascending by their bytes, nothing else; every
 * one good. No two sealed files hold the same reading (bits 95..10). A day is one prefix: late
 * readings make another file beside the first.
 */
#ifndef HEARTH_SENSOR_SEALED_FILE_H
#define HEARTH_SENSOR_SEALED_FILE_H

#include "hearth/base.h"

enum { SEALED_NAME_BYTES = 64, SEALED_SUSPECT_DAY = INT32_MIN };

struct sealed_file {
    int32_t day;       /* days since 1970-01-01 UTC, or SEALED_SUSPECT_DAY */
    uint32_t records;  /* at least 1 */
    uint64_t sequence; /* of the live file it came from */
};

/* Its name below the store's directory. */
void sealed_name_format(const struct sealed_file *file, char name[SEALED_NAME_BYTES]);
/* Fills day and sequence; false when `name` is none. */
bool sealed_name_parse(struct view name, struct sealed_file *file);

#endif
