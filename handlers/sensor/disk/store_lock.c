/*
 * store_lock.c - one keeper a store. The locks go straight to the system: they are no part of what
 * a fault test may fail, since nothing depends on their content.
 *
 * The directory is locked first: whoever has it is alone, whatever became of store.lock. On a file
 * system that cannot lock directories (NFS wants them open for writing) store.lock decides alone.
 */
#include "handlers/sensor/disk/store_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

enum { HOLDER_BYTES = 256, POLL_NS = 5000000 };

/* False with EAGAIN: another one has it. */
static bool try_lock_directory(int directory)
{
    int outcome;
    do
        outcome = flock(directory, LOCK_EX | LOCK_NB);
    while (outcome != 0 && errno == EINTR);
    return outcome == 0 || errno != EWOULDBLOCK;
}

static bool try_lock_file(int file)
{
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int outcome;
    do
        outcome = fcntl(file, F_OFD_SETLK, &whole);
    while (outcome != 0 && errno == EINTR);
    return outcome == 0;
}

static bool try_lock(const struct store_lock *lock)
{
    return try_lock_directory(lock->directory) && try_lock_file(lock->file);
}

/* The process id in a line of /proc/locks, when that is the directory's; else 0:
 * "12: FLOCK  ADVISORY  WRITE 4711 fe:01:131074 0 EOF" */
static uint64_t holder_in_line(struct view line, const char *place)
{
    enum { KIND = 1, PID = 4, PLACE = 5, FIELDS = 6 };
    struct view fields[FIELDS] = {0};
    uint64_t pid = 0;
    for (size_t count = 0; count < FIELDS && line.length > 0;) {
        struct view field = view_split(&line, ' ');
        if (field.length > 0)
            fields[count++] = field;
    }
    bool is_lock = view_equal(fields[KIND], VIEW("FLOCK")) &&
                   view_equal(fields[PLACE], view_of(place)) && view_to_uint64(fields[PID], &pid);
    return is_lock ? pid : 0;
}

/* Who locked the directory, as the kernel has it; 0 = it does not tell. */
static int64_t directory_holder(int directory)
{
    char line[256], place[64];
    struct stat status;
    uint64_t holder = 0;
    if (fstat(directory, &status) != 0)
        return 0;
    snprintf(place, sizeof place, "%02x:%02x:%ju", major(status.st_dev), minor(status.st_dev),
             (uintmax_t)status.st_ino);
    FILE *locks = fopen("/proc/locks", "re");
    while (locks && holder == 0 && fgets(line, sizeof line, locks))
        holder = holder_in_line(view_of(line), place);
    if (locks)
        fclose(locks);
    return (int64_t)holder;
}

/* For one whose store.lock was removed. */
static void describe_from_kernel(int directory, char *text, size_t size)
{
    int64_t pid = directory_holder(directory);
    char path[64], program[32] = "";
    if (pid <= 0) {
        snprintf(text, size, "another process");
        return;
    }
    snprintf(path, sizeof path, "/proc/%" PRId64 "/comm", pid);
    FILE *file = fopen(path, "re");
    if (!file || !fgets(program, sizeof program, file))
        snprintf(program, sizeof program, "a process");
    if (file)
        fclose(file);
    program[strcspn(program, "\n")] = '\0';
    snprintf(text, size, "%s, pid %" PRId64, program, pid);
}

/* Who holds it, as it says itself: "hearth-fcgi, pid 123, since 2025-..." */
static void describe_holder(const struct store_lock *lock, char *text, size_t size)
{
    char content[HOLDER_BYTES + 1];
    ssize_t got = pread(lock->file, content, HOLDER_BYTES, 0);
    content[got > 0 ? got : 0] = '\0';
    struct json_object *object = json_tokener_parse(content);
    struct json_object *program, *pid, *since;
    if (object && json_object_object_get_ex(object, "program", &program) &&
        json_object_object_get_ex(object, "pid", &pid) &&
        json_object_object_get_ex(object, "since", &since))
        snprintf(text, size, "%.60s, pid %" PRId64 ", since %.40s", json_object_get_string(program),
                 json_object_get_int64(pid), json_object_get_string(since));
    else
        describe_from_kernel(lock->directory, text, size);
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

static void close_both(struct store_lock *lock)
{
    if (lock->file >= 0)
        close(lock->file);
    if (lock->directory >= 0)
        close(lock->directory);
    lock->file = lock->directory = -1;
}

static enum hearth_error open_both(struct store_lock *lock, const char *directory,
                                   struct error_record *error)
{
    char path[4096];
    *lock = (struct store_lock){-1, -1};
    snprintf(path, sizeof path, "%s/store.lock", directory);
    lock->directory = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (lock->directory >= 0)
        lock->file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (lock->file >= 0)
        return HEARTH_OK;
    int number = errno;
    close_both(lock);
    return error_set_internal(error, error_from_errno(number), number, "open %s: %s", path,
                              strerror(number));
}

enum hearth_error store_lock_take(struct store_lock *lock, const char *directory,
                                  const struct clock *clock, store_lock_wait_fn *wait,
                                  void *context, struct error_record *error)
{
    char holder[HOLDER_BYTES];
    enum hearth_error code = open_both(lock, directory, error);
    if (code != HEARTH_OK)
        return code;
    while (!try_lock(lock)) {
        int number = errno;
        bool held = number == EAGAIN || number == EACCES;
        if (held && wait && wait(context)) {
            nanosleep(&(struct timespec){.tv_nsec = POLL_NS}, NULL);
            continue;
        }
        describe_holder(lock, holder, sizeof holder);
        close_both(lock);
        if (!held)
            return error_set_internal(error, HEARTH_IO, number, "lock %s/store.lock: %s", directory,
                                      strerror(number));
        return error_set_internal(error, HEARTH_LOCKED, 0, "locked by %s: %s", holder, directory);
    }
    name_holder(lock->file, clock);
    return HEARTH_OK;
}

void store_lock_release(struct store_lock *lock)
{
    if (lock->file < 0)
        return;
    /* Nobody shall read the name of one that has gone. The locks are given back by word, since a
     * child that was forked meanwhile may still have them open. */
    struct flock whole = {.l_type = F_UNLCK, .l_whence = SEEK_SET};
    if (ftruncate(lock->file, 0) != 0 || fcntl(lock->file, F_OFD_SETLK, &whole) != 0 ||
        flock(lock->directory, LOCK_UN) != 0)
        errno = 0;
    close_both(lock);
}
