/*
 * store_lock.h - one keeper a store.
 *
 * Two locks, held for the keeper's life; the kernel takes them away with the process, however that
 * ends: flock(2) on the store's directory, which nobody removes by mistake while it holds the
 * readings, and an open-file-description lock (fcntl(2), F_OFD_SETLK) on STORE/store.lock. That
 * file's content names the holder, one JSON object:
 * {"program":"hearth-fcgi","pid":123,"since":"2025-09-14T18:04:51.000Z"}. It counts only while the
 * locks are held. The file is never removed; when somebody else removes it, the directory stays
 * locked, and the kernel says by whom.
 */
#ifndef HEARTH_SENSOR_STORE_LOCK_H
#define HEARTH_SENSOR_STORE_LOCK_H

#include "hearth/base.h"
#include "hearth/clock.h"

struct store_lock {
    int file;      /* store.lock; -1 = not held */
    int directory; /* counts only while `file` is held */
};

/* May the wait go on? Asked every few milliseconds while another process holds the lock. */
typedef bool store_lock_wait_fn(void *context);

/* Takes the lock; the directory must stand. `wait` NULL = do not wait. Errors: LOCKED (the detail
 * says by whom, since when, and which directory), IO and the like. */
HEARTH_MUST_CHECK enum hearth_error store_lock_take(struct store_lock *lock, const char *directory,
                                                    const struct clock *clock,
                                                    store_lock_wait_fn *wait, void *context,
                                                    struct error_record *error);
void store_lock_release(struct store_lock *lock);

#endif
