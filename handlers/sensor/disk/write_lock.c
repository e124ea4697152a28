/*
 * write_lock.c - straight to the system, as the store's lock: nothing depends on the file's
 * content.
 */
#include "handlers/sensor/disk/write_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

enum { POLL_NS = 20000000 };

/* False with EWOULDBLOCK: another one has it. */
static bool try_lock(int file)
{
    int outcome;
    do
        outcome = flock(file, LOCK_EX | LOCK_NB);
    while (outcome != 0 && errno == EINTR);
    return outcome == 0;
}

enum hearth_error write_lock_take(struct write_lock *lock, const char *path,
                                  const struct clock *clock, int64_t wait_ms,
                                  struct error_record *error)
{
    const int64_t end_ns = clock_monotonic_ns(clock) + wait_ms * 1000000;
    lock->file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (lock->file < 0)
        return error_set_internal(error, error_from_errno(errno), errno, "open %s", path);
    while (!try_lock(lock->file)) {
        const int number = errno;
        const bool over = clock_monotonic_ns(clock) >= end_ns;
        if (number != EWOULDBLOCK || over)
            write_lock_release(lock);
        if (number != EWOULDBLOCK)
            return error_set_internal(error, HEARTH_IO, number, "lock %s", path);
        if (over)
            return HEARTH_LOCKED;
        nanosleep(&(struct timespec){.tv_nsec = POLL_NS}, NULL);
    }
    return HEARTH_OK;
}

void write_lock_release(struct write_lock *lock)
{
    if (lock->file >= 0)
        close(lock->file);
    lock->file = -1;
}
