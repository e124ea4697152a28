/*
 * live_store.h - the keeper's side of the live readings (grows with the code behind it).
 */
#ifndef HEARTH_SENSOR_LIVE_STORE_H
#define HEARTH_SENSOR_LIVE_STORE_H

#include "hearth/base.h"
#include "hearth/clock.h"
#include "hearth/telemetry.h"

struct file_operations;

enum { LIVE_DIRECTORY_BYTES = 2048 }; /* of the store directory's name */

struct live_store_options {
    char directory[LIVE_DIRECTORY_BYTES]; /* Required. Made when it is missing. */
    uint64_t live_bytes;                  /* Required. A live file is finished above this size. */
    const struct clock *clock;            /* Required. Must outlive the store. */
    struct metrics *metrics;              /* NULL = not counted. Must outlive the store. */
    struct file_operations *files;        /* NULL = the system's. Must outlive the store. */
};

#endif
