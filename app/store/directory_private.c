/*
 * directory_private.c - the store's own corner: locks and temporary files.
 *
 * The lock is an open file description lock (fcntl(2), F_OFD_SETLK) on one byte of `.store\lock`,
 * its place being a hash of the key. Such a lock belongs to the open file, so it keeps threads
 * apart as well as processes, and the kernel gives it back when its holder dies. It is asked for
 * again and again rather than waited for, because the wait must end.
 *
 * Nothing here is kept open between writes, and nothing is made before the first: a directory that
 * is only read needs no right to write.
 */
#include "app/store/directory_store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "hearth/clock.h"

static const char lock_name[] = "lock";
static const char temporary_name[] = "tmp";

/* Opens a directory of ours, makes it when it is not there. */
static int open_or_make(int parent, const char *name)
{
    int directory = directory_enter(parent, view_of(name));
    if (directory >= 0 || errno != ENOENT)
        return directory;
    if (mkdirat(parent, name, 0700) != 0 && errno != EEXIST)
        return -1;
    return directory_enter(parent, view_of(name));
}

/* ---- Locks ---- */

/* FNV-1a, cut to what an off_t holds: two keys of one hash merely wait for each other. */
static off_t lock_place(struct view key)
{
    uint64_t hash = UINT64_C(0xCBF29CE484222325);
    for (size_t i = 0; i < key.length; i++)
        hash = (hash ^ (unsigned char)key.data[i]) * UINT64_C(0x100000001B3);
    return (off_t)(hash >> 2);
}

static int lock_wait(int file, off_t place, int wait_ms)
{
    struct flock range = {
        .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = place, .l_len = 1, .l_pid = 0};
    int64_t give_up_ns = clock_monotonic_ns(&clock_system) + wait_ms * INT64_C(1000000);
    long pause_ns = 50000;
    while (fcntl(file, F_OFD_SETLK, &range) != 0) {
        if (errno == EINTR)
            continue;
        if ((errno != EAGAIN && errno != EACCES) || clock_monotonic_ns(&clock_system) > give_up_ns)
            return -1;
        nanosleep(&(struct timespec){.tv_nsec = pause_ns}, NULL);
        if (pause_ns < 4000000)
            pause_ns *= 2;
    }
    return 0;
}

enum hearth_error directory_lock(const struct directory_store *directory, struct view key,
                                 int *lock, struct error_record *error)
{
    *lock = -1;
    int private = open_or_make(directory->root, directory_private_name);
    int file = private < 0
                   ? -1
                   : openat(private, lock_name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    directory_close(private);
    if (file < 0)
        return directory_failed(error, "cannot open the lock for an object", key);
    if (lock_wait(file, lock_place(key), directory->lock_wait_ms) != 0) {
        bool held = errno == EAGAIN || errno == EACCES;
        directory_close(file);
        if (!held)
            return directory_failed(error, "cannot lock an object", key);
        return error_set_internal(error, HEARTH_UNAVAILABLE, 0,
                                  "another writer has held the lock for %d ms: %.*s",
                                  directory->lock_wait_ms, VIEW_ARGUMENTS(key));
    }
    *lock = file;
    return HEARTH_OK;
}

/* ---- Temporary files ---- */

int directory_open_temporary(int root)
{
    int private = open_or_make(root, directory_private_name);
    int temporary = private < 0 ? -1 : open_or_make(private, temporary_name);
    directory_close(private);
    return temporary;
}

void directory_temporary_name(char name[DIRECTORY_TEMPORARY_NAME_SIZE])
{
    uint64_t number = 0;
    /* Only before the kernel's pool is ready can this fail; O_EXCL then finds a clash. */
    if (getrandom(&number, sizeof number, 0) != (ssize_t)sizeof number)
        number = (uint64_t)clock_monotonic_ns(&clock_system);
    snprintf(name, DIRECTORY_TEMPORARY_NAME_SIZE, "%016llx", (unsigned long long)number);
}

/* A leftover is a file or, from a move that did not finish, a directory with one object in it (and
 * that object's other name still stands). */
static void remove_leftover(int temporary, const char *name, bool is_directory)
{
    if (!is_directory) {
        unlinkat(temporary, name, 0);
        return;
    }
    int directory = directory_enter(temporary, view_of(name));
    if (directory >= 0)
        unlinkat(directory, directory_self_name, 0);
    directory_close(directory);
    unlinkat(temporary, name, AT_REMOVEDIR);
}

static void sweep_entries(DIR *entries, int64_t now_s)
{
    const struct dirent *entry;
    while ((entry = readdir(entries)) != NULL) {
        struct stat status;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
            fstatat(dirfd(entries), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0)
            continue;
        /* The change time: a rename leaves the modification time as old as it was. */
        if (status.st_ctim.tv_sec + DIRECTORY_LEFTOVER_S < now_s)
            remove_leftover(dirfd(entries), entry->d_name, S_ISDIR(status.st_mode));
    }
}

void directory_sweep(int root, int64_t now_s)
{
    int private = directory_enter(root, view_of(directory_private_name));
    int temporary = private < 0 ? -1 : directory_enter(private, view_of(temporary_name));
    directory_close(private);
    DIR *entries = temporary < 0 ? NULL : fdopendir(temporary);
    if (!entries) {
        directory_close(temporary);
        return;
    }
    sweep_entries(entries, now_s);
    closedir(entries);
}
