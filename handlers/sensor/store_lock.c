/*
 * store_lock.c - store.lock: one keeper a store. The lock goes straight to the system: it is no
 * part of what a fault test may fail, since nothing depends on its content.
 */
#include "handlers/sensor/store_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { HOLDER_BYTES = 256, POLL_NS = 5000000 };

static bool try_lock(int file)
{
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int outcome;
    do
        outcome = fcntl(file, F_OFD_SETLK, &whole);
    while (outcome != 0 && errno == EINTR);
    return outcome == 0;
}

/* Who holds it, as it says itself: "hearth-fcgi, pid 123, since 2025-..." */
static void describe_holder(int file, char *text, size_t size)
{
    char content[HOLDER_BYTES + 1];
    ssize_t got = pread(file, content, HOLDER_BYTES, 0);
    content[got > 0 ? got : 0] = '\0';
    struct json_object *object = json_tokener_parse(content);
    struct json_object *program, *pid, *since;
    if (object && json_object_object_get_ex(object, "program", &program) &&
        json_object_object_get_ex(object, "pid", &pid) &&
        json_object_object_get_ex(object, "since", &since))
        snprintf(text, size, "%.60s, pid %" PRId64 ", since %.40s", json_object_get_string(program),
                 json_object_get_int64(pid), json_object_get_string(since));
    else
        snprintf(text, size, "another process");
    json_object_put(object);
}

/* That the name does not get in does no harm: the lock is held all the same. */
static void name_holder(int file, const struct clock *clock)
{
    char since[CLOCK_RFC3339_SIZE], content[HOLDER_BYTES];
    clock_format_rfc3339(clock_wall_ms(clock), since);
    int length = snprintf(content, sizeof content,
                          "{\"program\":\"%.60s\",\"pid\":%" PRId64 ",\"since\":\"%s\"}\n",
                          program_invocation_short_name, (int64_t)getpid(), since);
    if (ftruncate(file, 0) != 0 || pwrite(file, content, (size_t)length, 0) != length)
        errno = 0;
}

enum hearth_error store_lock_take(struct store_lock *lock, const char *directory,
                                  const struct clock *clock, store_lock_wait_fn *wait,
                                  void *context, struct error_record *error)
{
    char path[4096], holder[HOLDER_BYTES];
    lock->file = -1;
    snprintf(path, sizeof path, "%s/store.lock", directory);
    int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (file < 0)
        return error_set_internal(error, error_from_errno(errno), errno, "open %s: %s", path,
                                  strerror(errno));
    while (!try_lock(file)) {
        int number = errno;
        bool held = number == EAGAIN || number == EACCES;
        if (held && wait && wait(context)) {
            nanosleep(&(struct timespec){.tv_nsec = POLL_NS}, NULL);
            continue;
        }
        describe_holder(file, holder, sizeof holder);
        close(file);
        if (!held)
            return error_set_internal(error, HEARTH_IO, number, "lock %s: %s", path,
                                      strerror(number));
        return error_set_internal(error, HEARTH_LOCKED, 0, "locked by %s: %s", holder, directory);
    }
    name_holder(file, clock);
    lock->file = file;
    return HEARTH_OK;
}

void store_lock_release(struct store_lock *lock)
{
    if (lock->file < 0)
        return;
    /* Nobody shall read the name of one that has gone. The lock is given back by word, since a
     * child that was forked meanwhile may still have the file open. */
    struct flock whole = {.l_type = F_UNLCK, .l_whence = SEEK_SET};
    if (ftruncate(lock->file, 0) != 0 || fcntl(lock->file, F_OFD_SETLK, &whole) != 0)
        errno = 0;
    close(lock->file);
    lock->file = -1;
}
