/*
 * keeper.h - the keeper of the readings: the one process that writes them.
 *
 * These functions are the sensor module's members of `struct module` (hearth/module.h), in the same
 * order and under the same rules. The shared area holds the slots in which workers hand their
 * batches over (slots.h) and the published state that readers go by (live_published.h).
 *
 * Configuration read here: sensor.directory ("" = state.directory + "/sensor"), sensor.live_bytes,
 * sensor.stale_after_s.
 */
#ifndef HEARTH_SENSOR_KEEPER_H
#define HEARTH_SENSOR_KEEPER_H

#include "hearth/module.h"

/* Bytes of the shared area for so many threads. Most of its pages are never touched. */
size_t sensor_shared_bytes(const struct config *config, size_t threads);
/* Makes the shared area ready, before any process is forked. Errors: MISUSE (no memory given). */
HEARTH_MUST_CHECK enum hearth_error sensor_shared_init(const struct config *config, void *shared,
                                                       size_t threads);

/* The keeper's life: takes store.lock (waiting for a predecessor of the same pool to finish),
 * recovers, calls control->ready once, commits batches until should_stop, gives the lock back.
 * Errors: LOCKED (the detail says by whom and where), CORRUPT, IO, DISK_FULL, NO_MEMORY. When the
 * store could not be opened, whoever waited has been answered UNAVAILABLE. */
HEARTH_MUST_CHECK enum hearth_error sensor_keeper_run(const struct services *services,
                                                      const struct keeper_control *control,
                                                      struct error_record *error);
/* Wakes the keeper, so that it looks at should_stop. Any process, any thread. */
void sensor_keeper_wake(void *shared);
/* The keeper's process is gone without having finished: answers everyone who waits for it with
 * UNAVAILABLE. Called by its parent; does nothing when a successor runs already. */
void sensor_keeper_died(void *shared);
/* A worker's process is gone: frees what it held, also while the keeper works on it. */
void sensor_worker_ended(void *shared, int64_t pid);

#endif
