/*
 * directory_path.c - from keys to descriptors.
 *
 * Keys are walked segment by segment with openat and O_NOFOLLOW, so that no symbolic link, whoever
 * put it there and however fast it is swapped in, leads out of the directory. The way is a loop; it
 * holds two descriptors at most.
 */
#include "app/store/directory_store.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const char directory_self_name[] = ".self\\";
const char directory_private_name[] = ".store\\";

enum { OPEN_DIRECTORY = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC };

enum hearth_error directory_check_key(const char *key, struct error_record *error)
{
    struct view rest = view_of(key);
    if (!object_key_valid(rest))
        return error_set(error, HEARTH_BAD_REQUEST, "this is no key of an object");
    while (rest.data) {
        if (view_split(&rest, '/').length > DIRECTORY_NAME_BYTES)
            return error_set(error, HEARTH_BAD_REQUEST,
                             "a part of the key is longer than the %d bytes a file name holds",
                             DIRECTORY_NAME_BYTES);
    }
    return HEARTH_OK;
}

enum hearth_error directory_failed(struct error_record *error, const char *what, struct view key)
{
    int number = errno;
    enum hearth_error code = error_from_errno(number);
    if (code != HEARTH_DISK_FULL && code != HEARTH_NO_MEMORY)
        code = HEARTH_IO;
    return error_set_internal(error, code, number, "%s: %.*s", what, VIEW_ARGUMENTS(key));
}

struct view directory_parent(const char *key)
{
    const char *slash = strrchr(key, '/');
    return slash ? view_from(key, (size_t)(slash - key)) : VIEW_NONE;
}

const char *directory_leaf(const char *key)
{
    const char *slash = strrchr(key, '/');
    return slash ? slash + 1 : key;
}

void directory_close(int file)
{
    int number = errno;
    if (file >= 0)
        close(file);
    errno = number;
}

int directory_enter(int directory, struct view segment)
{
    char name[DIRECTORY_NAME_BYTES + 1];
    if (segment.length >= sizeof name) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(name, segment.data, segment.length);
    name[segment.length] = '\0';
    return openat(directory, name, OPEN_DIRECTORY);
}

int directory_open_path(int root, struct view path)
{
    int directory = openat(root, ".", OPEN_DIRECTORY);
    struct view rest = path.length > 0 ? path : VIEW_NONE;
    while (directory >= 0 && rest.data) {
        int inner = directory_enter(directory, view_split(&rest, '/'));
        directory_close(directory);
        directory = inner;
    }
    return directory;
}

/* Something else than a file stands under the name: its object, if it has one, is inside. */
static int open_self(int directory)
{
    int file =
        openat(directory, directory_self_name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    directory_close(directory);
    return file;
}

static int open_leaf(int directory, const char *name)
{
    struct stat status;
    /* O_NONBLOCK: a FIFO that somebody made must not hold the thread. */
    int file = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (file >= 0 && fstat(file, &status) == 0 && S_ISDIR(status.st_mode))
        file = open_self(file);
    if (file >= 0 && fstat(file, &status) == 0 && S_ISREG(status.st_mode))
        return file;
    if (file >= 0) {
        directory_close(file);
        errno = ENOENT;
    }
    return -1;
}

int directory_open_object(int root, const char *key)
{
    struct view parent = directory_parent(key);
    int directory = parent.length > 0 ? directory_open_path(root, parent) : root;
    int file = directory < 0 ? -1 : open_leaf(directory, directory_leaf(key));
    if (directory != root)
        directory_close(directory);
    /* A file where a directory should be, a symbolic link, a socket: no object there. */
    if (file < 0 && (errno == ENOTDIR || errno == ELOOP || errno == ENXIO || errno == ENODEV))
        errno = ENOENT;
    return file;
}

static int sync_directory(int directory)
{
    /* EINVAL: a file system that has no notion of it. */
    return fsync(directory) == 0 || errno == EINVAL ? 0 : -1;
}

int directory_sync_path(int root, struct view path)
{
    int directory = directory_open_path(root, VIEW_NONE);
    int result = directory < 0 ? -1 : sync_directory(directory);
    struct view rest = path.length > 0 ? path : VIEW_NONE;
    while (result == 0 && rest.data) {
        int inner = directory_enter(directory, view_split(&rest, '/'));
        directory_close(directory);
        directory = inner;
        if (inner >= 0)
            result = sync_directory(inner);
        else if (errno == ENOENT || errno == ENOTDIR)
            break;
        else
            result = -1;
    }
    directory_close(directory);
    return result;
}
