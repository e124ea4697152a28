/*
 * file_operations.c - the operating system's calls as a table, and what every caller of it needs:
 * going on after an interruption, finishing a short write, saying what failed.
 */
#include "handlers/sensor/disk/file_operations.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_BYTES = 4096 };

/* ---- The system's calls ---- */

static int system_open(struct file_operations *files, const char *path, int flags, mode_t mode)
{
    (void)files;
    return open(path, flags | O_CLOEXEC, mode);
}

static int system_close(struct file_operations *files, int file)
{
    (void)files;
    return close(file);
}

static ssize_t system_pread(struct file_operations *files, int file, void *bytes, size_t count,
                            off_t offset)
{
    (void)files;
    return pread(file, bytes, count, offset);
}

static ssize_t system_pwrite(struct file_operations *files, int file, const void *bytes,
                             size_t count, off_t offset)
{
    (void)files;
    return pwrite(file, bytes, count, offset);
}

static int system_ftruncate(struct file_operations *files, int file, off_t length)
{
    (void)files;
    return ftruncate(file, length);
}

static int system_fdatasync(struct file_operations *files, int file)
{
    (void)files;
    return fdatasync(file);
}

static int system_fsync(struct file_operations *files, int file)
{
    (void)files;
    return fsync(file);
}

static int system_status(struct file_operations *files, int file, struct file_status *status)
{
    (void)files;
    struct stat found;
    if (fstat(file, &found) != 0)
        return -1;
    status->size_bytes = (uint64_t)found.st_size;
    status->device = found.st_dev;
    status->inode = found.st_ino;
    status->modified_ms =
        (int64_t)found.st_mtim.tv_sec * 1000 + (int64_t)found.st_mtim.tv_nsec / 1000000;
    return 0;
}

static int system_rename(struct file_operations *files, const char *from, const char *to)
{
    (void)files;
    return rename(from, to);
}

/* Some file systems cannot rename that way: there it is looked first, which is as good as long as
 * only who holds the store's lock makes files. */
static int system_rename_new(struct file_operations *files, const char *from, const char *to)
{
    (void)files;
    if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS)
        return -1;
    if (faccessat(AT_FDCWD, to, F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
        errno = EEXIST;
        return -1;
    }
    return errno == ENOENT ? rename(from, to) : -1;
}

static int system_unlink(struct file_operations *files, const char *path)
{
    (void)files;
    return unlink(path);
}

static int system_mkdir(struct file_operations *files, const char *path, mode_t mode)
{
    (void)files;
    return mkdir(path, mode);
}

static int system_list(struct file_operations *files, const char *path, file_visit_fn *visit,
                       void *context)
{
    (void)files;
    DIR *directory = opendir(path);
    if (!directory)
        return -1;
    const struct dirent *entry;
    bool more = true;
    while (more && (errno = 0, entry = readdir(directory)) != NULL)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            more = visit(context, entry->d_name);
    int number = more ? errno : 0;
    closedir(directory);
    errno = number;
    return number == 0 ? 0 : -1;
}

struct file_operations file_system = {
    .open = system_open,
    .close = system_close,
    .pread = system_pread,
    .pwrite = system_pwrite,
    .ftruncate = system_ftruncate,
    .fdatasync = system_fdatasync,
    .fsync = system_fsync,
    .status = system_status,
    .rename = system_rename,
    .rename_new = system_rename_new,
    .unlink = system_unlink,
    .mkdir = system_mkdir,
    .list = system_list,
};

/* ---- What the store calls ---- */

static enum hearth_error failed(struct error_record *error, const char *what, const char *path)
{
    int number = errno;
    enum hearth_error code = error_from_errno(number);
    error_set_internal(error, code, number, "%s %s: %s", what, path, strerror(number));
    errno = number;
    return code;
}

int file_open(struct file_operations *files, const char *path, int flags, mode_t mode,
              struct error_record *error)
{
    int file;
    do
        file = files->open(files, path, flags, mode);
    while (file < 0 && errno == EINTR);
    if (file < 0)
        failed(error, "open", path);
    return file;
}

void file_close(struct file_operations *files, int file)
{
    if (file >= 0)
        files->close(files, file);
}

enum hearth_error file_write_all(struct file_operations *files, int file, const char *path,
                                 const void *bytes, size_t count, uint64_t offset, size_t *written,
                                 struct error_record *error)
{
    *written = 0;
    while (*written < count) {
        ssize_t step = files->pwrite(files, file, (const char *)bytes + *written, count - *written,
                                     (off_t)(offset + *written));
        if (step < 0 && errno == EINTR)
            continue;
        if (step == 0)
            errno = EIO; /* a regular file that takes nothing and gives no reason */
        if (step <= 0)
            return failed(error, "write", path);
        *written += (size_t)step;
    }
    return HEARTH_OK;
}

enum hearth_error file_read_all(struct file_operations *files, int file, const char *path,
                                void *bytes, size_t count, uint64_t offset, size_t *got,
                                struct error_record *error)
{
    *got = 0;
    while (*got < count) {
        ssize_t step =
            files->pread(files, file, (char *)bytes + *got, count - *got, (off_t)(offset + *got));
        if (step < 0 && errno == EINTR)
            continue;
        if (step < 0)
            return failed(error, "read", path);
        if (step == 0)
            break;
        *got += (size_t)step;
    }
    return HEARTH_OK;
}

enum hearth_error file_cut(struct file_operations *files, int file, const char *path,
                           uint64_t length, struct error_record *error)
{
    int outcome;
    do
        outcome = files->ftruncate(files, file, (off_t)length);
    while (outcome != 0 && errno == EINTR);
    return outcome == 0 ? HEARTH_OK : failed(error, "cut", path);
}

enum hearth_error file_sync(struct file_operations *files, int file, const char *path,
                            struct error_record *error)
{
    int outcome;
    do
        outcome = files->fdatasync(files, file);
    while (outcome != 0 && errno == EINTR);
    return outcome == 0 ? HEARTH_OK : failed(error, "sync", path);
}

enum hearth_error file_status_of(struct file_operations *files, int file, const char *path,
                                 struct file_status *status, struct error_record *error)
{
    int outcome;
    do
        outcome = files->status(files, file, status);
    while (outcome != 0 && errno == EINTR);
    return outcome == 0 ? HEARTH_OK : failed(error, "status of", path);
}

enum hearth_error file_rename(struct file_operations *files, const char *from, const char *to,
                              struct error_record *error)
{
    int outcome;
    do
        outcome = files->rename(files, from, to);
    while (outcome != 0 && errno == EINTR);
    return outcome == 0 ? HEARTH_OK : failed(error, "rename", from);
}

enum hearth_error file_rename_new(struct file_operations *files, const char *from, const char *to,
                                  bool *stands, struct error_record *error)
{
    int outcome;
    do
        outcome = files->rename_new(files, from, to);
    while (outcome != 0 && errno == EINTR);
    *stands = outcome != 0 && errno == EEXIST;
    return outcome == 0 || *stands ? HEARTH_OK : failed(error, "rename", from);
}

enum hearth_error file_remove(struct file_operations *files, const char *path,
                              struct error_record *error)
{
    int outcome;
    do
        outcome = files->unlink(files, path);
    while (outcome != 0 && errno == EINTR);
    return outcome == 0 || errno == ENOENT ? HEARTH_OK : failed(error, "remove", path);
}

enum hearth_error file_confirm(struct file_operations *files, const char *path, uint64_t device,
                               uint64_t inode, struct error_record *error)
{
    struct file_status status;
    int file = file_open(files, path, O_RDONLY, 0, error);
    if (file < 0)
        return error_from_errno(errno);
    enum hearth_error code = file_status_of(files, file, path, &status, error);
    file_close(files, file);
    if (code == HEARTH_OK && (status.device != device || status.inode != inode))
        code = error_set_internal(error, HEARTH_NOT_FOUND, 0, "%s is another file", path);
    return code;
}

struct listing {
    file_visit_fn *visit;
    void *context;
    size_t visited;
};

static bool count_visit(void *context, const char *name)
{
    struct listing *listing = context;
    listing->visited++;
    return listing->visit(listing->context, name);
}

enum hearth_error file_list(struct file_operations *files, const char *path, file_visit_fn *visit,
                            void *context, struct error_record *error)
{
    struct listing listing = {visit, context, 0};
    int outcome;
    do
        outcome = files->list(files, path, count_visit, &listing);
    while (outcome != 0 && errno == EINTR && listing.visited == 0);
    return outcome == 0 ? HEARTH_OK : failed(error, "list", path);
}

enum hearth_error file_sync_directory(struct file_operations *files, const char *path,
                                      struct error_record *error)
{
    int directory = file_open(files, path, O_RDONLY | O_DIRECTORY, 0, error);
    if (directory < 0)
        return error_from_errno(errno);
    int outcome;
    do
        outcome = files->fsync(files, directory);
    while (outcome != 0 && errno == EINTR);
    enum hearth_error code = outcome == 0 ? HEARTH_OK : failed(error, "sync", path);
    file_close(files, directory);
    return code;
}

/* The directory's device; false when it may not be read. */
static bool device_of(struct file_operations *files, const char *path, uint64_t *device)
{
    struct file_status status = {0};
    int directory = file_open(files, path, O_RDONLY | O_DIRECTORY, 0, NULL);
    bool known =
        directory >= 0 && file_status_of(files, directory, path, &status, NULL) == HEARTH_OK;
    file_close(files, directory);
    *device = status.device;
    return known;
}

enum hearth_error file_sync_above(struct file_operations *files, const char *path,
                                  struct error_record *error)
{
    char above[PATH_BYTES];
    uint64_t device, other;
    char *slash;
    enum hearth_error code = HEARTH_OK;
    if (snprintf(above, sizeof above, "%s", path) >= PATH_BYTES || !device_of(files, path, &device))
        return code;
    while (code == HEARTH_OK && (slash = strrchr(above, '/')) != NULL && above[1] != '\0') {
        slash[slash == above] = '\0'; /* of "/a" there remains "/" */
        if (!device_of(files, above, &other) || other != device)
            break;
        code = file_sync_directory(files, above, error);
    }
    return code;
}

/* Makes path[0..length) and makes its name last in the directory above. */
static enum hearth_error make_directory(struct file_operations *files, char *path, size_t length,
                                        struct error_record *error)
{
    char after = path[length];
    path[length] = '\0';
    enum hearth_error code = HEARTH_OK;
    int outcome;
    do
        outcome = files->mkdir(files, path, 0750);
    while (outcome != 0 && errno == EINTR);
    if (outcome != 0 && errno != EEXIST)
        code = failed(error, "make directory", path);
    if (outcome == 0) {
        char *slash = strrchr(path, '/');
        char above[PATH_BYTES] = ".";
        if (slash)
            snprintf(above, sizeof above, "%.*s", slash == path ? 1 : (int)(slash - path), path);
        code = file_sync_directory(files, above, error);
    }
    path[length] = after;
    return code;
}

/* Is it there? Only its opening tells without asking for rights on those above it. */
static bool directory_stands(struct file_operations *files, const char *path)
{
    int directory = file_open(files, path, O_RDONLY | O_DIRECTORY, 0, NULL);
    file_close(files, directory);
    return directory >= 0;
}

enum hearth_error file_make_directories(struct file_operations *files, const char *path,
                                        struct error_record *error)
{
    char copy[PATH_BYTES];
    size_t length = strlen(path);
    if (length == 0 || length >= sizeof copy)
        return error_set_internal(error, HEARTH_IO, 0, "not a directory's name: %.100s", path);
    if (directory_stands(files, path))
        return HEARTH_OK;
    memcpy(copy, path, length + 1);
    for (size_t i = 1; i <= length; i++) {
        if (copy[i] != '/' && copy[i] != '\0')
            continue;
        enum hearth_error code = make_directory(files, copy, i, error);
        if (code != HEARTH_OK)
            return code;
    }
    return HEARTH_OK;
}
