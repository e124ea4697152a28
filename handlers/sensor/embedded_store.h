/*
 * embedded_store.h - the reading store (hearth/reading_store.h) over files of this machine.
 *
 * Two ways in, one code behind them. A worker of a pool hands what it appends to the keeper process
 * through the shared area and reads the files itself. A command, a test or a process without a pool
 * opens the store locally: it takes store.lock and is the keeper.
 */
#ifndef HEARTH_SENSOR_EMBEDDED_STORE_H
#define HEARTH_SENSOR_EMBEDDED_STORE_H

#include "handlers/sensor/live/live_store.h"
#include "hearth/module.h"
#include "hearth/reading_store.h"

/* For a worker: `services->shared` is the module's area. Without one (NULL) it is the same as
 * embedded_store_local. Everything in `services` must outlive the store. NULL on error: IO,
 * NO_MEMORY, and those of embedded_store_local. Free with store->free(store), from one thread, when
 * no call is running. */
struct reading_store *embedded_store_open(const struct services *services,
                                          struct error_record *error);

/* For a process without a pool: takes the lock and is the keeper; append commits on the caller's
 * thread, one at a time. NULL on error: LOCKED (at once; the detail names the holder), IO,
 * DISK_FULL, CORRUPT, NO_MEMORY. */
struct reading_store *embedded_store_local(const struct services *services,
                                           struct error_record *error);

/* The same with the options in hand. They are copied; clock, metrics and file operations must
 * outlive the store. */
struct reading_store *embedded_store_local_with(const struct live_store_options *options,
                                                struct error_record *error);

/* For reading what a keeper of this machine publishes in memory that both see: append gives
 * UNAVAILABLE, there is no seal. `published` must outlive it. NULL on error: NO_MEMORY. */
struct reading_store *embedded_store_reader(const struct live_store_options *options,
                                            const struct live_published *published,
                                            struct error_record *error);

/* sensor.directory, sensor.live_bytes and the services as options. Errors: BAD_REQUEST (the
 * directory's name is too long). */
HEARTH_MUST_CHECK enum hearth_error live_store_options_from(const struct services *services,
                                                            struct live_store_options *options,
                                                            struct error_record *error);

#endif
