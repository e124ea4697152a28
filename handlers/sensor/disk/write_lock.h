/*
 * write_lock.h - one process at a time writes something beside the readings: flock(2) on a file of
 * its own, which the kernel gives back with the process, however that ends.
 *
 * Readers do not look at it: what is written appears by rename. The keeper's own lock on the store
 * is store_lock.h.
 */
#ifndef HEARTH_SENSOR_WRITE_LOCK_H
#define HEARTH_SENSOR_WRITE_LOCK_H

#include "hearth/base.h"
#include "hearth/clock.h"

struct write_lock {
    int file; /* -1 = not held */
};

/* `path` is the lock's own file, made when it is missing. Waits up to `wait_ms` for another
 * process, or another thread, to give it back. Errors: LOCKED, with no detail: the caller knows
 * what is being written; IO and the like. */
HEARTH_MUST_CHECK enum hearth_error write_lock_take(struct write_lock *lock, const char *path,
                                                    const struct clock *clock, int64_t wait_ms,
                                                    struct error_record *error);
void write_lock_release(struct write_lock *lock); /* one that is not held is let be */

#endif
