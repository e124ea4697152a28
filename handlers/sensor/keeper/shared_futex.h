/*
 * shared_futex.h - waiting for a word in memory that processes share (futex(2)). Both may return
 * for no reason: the caller looks at the word again.
 */
#ifndef HEARTH_SENSOR_SHARED_FUTEX_H
#define HEARTH_SENSOR_SHARED_FUTEX_H

#include <linux/futex.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static inline void shared_futex_wait(_Atomic uint32_t *word, uint32_t while_equal,
                                     int64_t nanoseconds)
{
    const struct timespec timeout = {.tv_sec = (time_t)(nanoseconds / 1000000000),
                                     .tv_nsec = (long)(nanoseconds % 1000000000)};
    syscall(SYS_futex, word, FUTEX_WAIT, while_equal, &timeout, NULL, 0);
}

static inline void shared_futex_wake(_Atomic uint32_t *word, int waiters)
{
    syscall(SYS_futex, word, FUTEX_WAKE, waiters, NULL, NULL, 0);
}

#endif
