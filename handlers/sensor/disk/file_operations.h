/*
 * file_operations.h - the calls through which the store touches files.
 *
 * A function table, always there, so that a test can fail the Nth call, cut a write short, fill the
 * disk, or write down the order of what was done. `file_system` is the operating system's.
 *
 * The members behave like the calls they are named after: -1 and errno on failure, and they may be
 * interrupted (EINTR) or do less than asked. The file_* functions below are what the store calls:
 * they go on after EINTR and after a short read or write. Any thread; the table must not change
 * while it is used.
 */
#ifndef HEARTH_SENSOR_FILE_OPERATIONS_H
#define HEARTH_SENSOR_FILE_OPERATIONS_H

#include "hearth/base.h"

#include <sys/types.h>

/* What a directory holds, name by name, in no order; return false to stop. */
typedef bool file_visit_fn(void *context, const char *name);

struct file_status {
    uint64_t size_bytes;
    int64_t modified_ms;
    uint64_t device, inode; /* together: which file it is */
};

struct file_operations {
    int (*open)(struct file_operations *files, const char *path, int flags, mode_t mode);
    int (*close)(struct file_operations *files, int file);
    ssize_t (*pread)(struct file_operations *files, int file, void *bytes, size_t count,
                     off_t offset);
    ssize_t (*pwrite)(struct file_operations *files, int file, const void *bytes, size_t count,
                      off_t offset);
    int (*ftruncate)(struct file_operations *files, int file, off_t length);
    int (*fdatasync)(struct file_operations *files, int file);
    int (*fsync)(struct file_operations *files, int file); /* directories */
    int (*status)(struct file_operations *files, int file, struct file_status *status);
    int (*rename)(struct file_operations *files, const char *from, const char *to);
    /* The same, but where `to` stands nothing is done: EEXIST. */
    int (*rename_new)(struct file_operations *files, const char *from, const char *to);
    int (*unlink)(struct file_operations *files, const char *path);
    int (*mkdir)(struct file_operations *files, const char *path, mode_t mode);
    int (*list)(struct file_operations *files, const char *path, file_visit_fn *visit,
                void *context);
};

extern struct file_operations file_system;

/* Each fills `error` (may be NULL) with the error that errno means, and a detail that names `path`,
 * which is for the message alone where a file is given. */

/* A descriptor, closed on exec, or -1. */
int file_open(struct file_operations *files, const char *path, int flags, mode_t mode,
              struct error_record *error);
void file_close(struct file_operations *files, int file); /* -1 is ignored */
/* All of it. A short write goes on where it stopped; `*written` says how far it came. */
HEARTH_MUST_CHECK enum hearth_error file_write_all(struct file_operations *files, int file,
                                                   const char *path, const void *bytes,
                                                   size_t count, uint64_t offset, size_t *written,
                                                   struct error_record *error);
/* As much as there is, up to `count`: `*got` is smaller only at the end of the file. */
HEARTH_MUST_CHECK enum hearth_error file_read_all(struct file_operations *files, int file,
                                                  const char *path, void *bytes, size_t count,
                                                  uint64_t offset, size_t *got,
                                                  struct error_record *error);
HEARTH_MUST_CHECK enum hearth_error file_cut(struct file_operations *files, int file,
                                             const char *path, uint64_t length,
                                             struct error_record *error);
HEARTH_MUST_CHECK enum hearth_error file_sync(struct file_operations *files, int file,
                                              const char *path, struct error_record *error);
HEARTH_MUST_CHECK enum hearth_error file_status_of(struct file_operations *files, int file,
                                                   const char *path, struct file_status *status,
                                                   struct error_record *error);
HEARTH_MUST_CHECK enum hearth_error file_rename(struct file_operations *files, const char *from,
                                                const char *to, struct error_record *error);
/* The same, but never in the place of another file. `*stands`: there is one, and nothing was done.
 */
HEARTH_MUST_CHECK enum hearth_error file_rename_new(struct file_operations *files, const char *from,
                                                    const char *to, bool *stands,
                                                    struct error_record *error);
/* A file that is not there is as good as removed. */
HEARTH_MUST_CHECK enum hearth_error file_remove(struct file_operations *files, const char *path,
                                                struct error_record *error);
/* Does the name lead to that file? What is written to a removed one goes with it. Errors: NOT_FOUND
 * (it was removed or moved), IO and the like. */
HEARTH_MUST_CHECK enum hearth_error file_confirm(struct file_operations *files, const char *path,
                                                 uint64_t device, uint64_t inode,
                                                 struct error_record *error);
HEARTH_MUST_CHECK enum hearth_error file_list(struct file_operations *files, const char *path,
                                              file_visit_fn *visit, void *context,
                                              struct error_record *error);
/* Makes names created or renamed in a directory last. */
HEARTH_MUST_CHECK enum hearth_error
file_sync_directory(struct file_operations *files, const char *path, struct error_record *error);
/* Makes the names of the directories above last, up to where the device ends or may not be read:
 * who made one of them may have died before. */
HEARTH_MUST_CHECK enum hearth_error file_sync_above(struct file_operations *files, const char *path,
                                                    struct error_record *error);
/* The directory and those above it, each made to last; standing ones are left alone. */
HEARTH_MUST_CHECK enum hearth_error
file_make_directories(struct file_operations *files, const char *path, struct error_record *error);

#endif
