/*
 * support_faults.c - file operations that fail when a test says so.
 */
#include "support_faults.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The table is the first member. */
static struct fault_files *faults_of(struct file_operations *files)
{
    return (struct fault_files *)(void *)files;
}

/* By chance, as the state has it: repeatable. */
static bool storm_strikes(struct fault_files *faults, bool can_write_short)
{
    static const int numbers[] = {EIO, ENOSPC, EINTR, 0};
    uint32_t state = faults->storm_state;
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    faults->storm_state = state;
    if (state % 1000 >= faults->storm)
        return false;
    faults->number = numbers[state / 1000 % 4];
    faults->kind = faults->number ? FAULT_ERRNO : FAULT_SHORT_WRITE;
    return faults->kind == FAULT_ERRNO || can_write_short;
}

/* Counts a call; true when it is to fail, with errno set. */
static bool strikes(struct file_operations *files, const char *name, bool can_write_short)
{
    struct fault_files *faults = faults_of(files);
    int64_t call = atomic_fetch_add(&faults->calls, 1) + 1;
    if (faults->death_at != 0 && call >= faults->death_at)
        _exit(0);
    bool struck = faults->storm ? storm_strikes(faults, can_write_short) : call == faults->fail_at;
    if (!struck || faults->kind == FAULT_NONE)
        return false;
    if (faults->kind == FAULT_SHORT_WRITE && !can_write_short)
        return false;
    snprintf(faults->log, sizeof faults->log, "%s", name);
    atomic_fetch_add(&faults->failed, 1);
    errno = faults->number;
    return true;
}

/* A full disk. */
static bool no_room(struct file_operations *files)
{
    if (!atomic_load(&faults_of(files)->full))
        return false;
    atomic_fetch_add(&faults_of(files)->failed, 1);
    errno = ENOSPC;
    return true;
}

static int fault_open(struct file_operations *files, const char *path, int flags, mode_t mode)
{
    if (strikes(files, "open", false))
        return -1;
    if ((flags & O_CREAT) && access(path, F_OK) != 0 && no_room(files))
        return -1;
    int file = file_system.open(&file_system, path, flags, mode);
    if (file >= 0 && file < (int)sizeof faults_of(files)->is_unreadable)
        faults_of(files)->is_unreadable[file] =
            faults_of(files)->unreadable && strstr(path, faults_of(files)->unreadable);
    return file;
}

static int fault_close(struct file_operations *files, int file)
{
    (void)files;
    return file_system.close(&file_system, file);
}

static ssize_t fault_pread(struct file_operations *files, int file, void *bytes, size_t count,
                           off_t offset)
{
    struct fault_files *faults = faults_of(files);
    if (faults->unreadable && faults->is_unreadable[file]) {
        errno = EIO;
        return -1;
    }
    return strikes(files, "pread", false)
               ? -1
               : file_system.pread(&file_system, file, bytes, count, offset);
}

/* Writing over what stands there takes no room. */
static bool grows(int file, size_t count, off_t offset)
{
    struct file_status status = {0};
    file_system.status(&file_system, file, &status);
    return (uint64_t)offset + count > status.size_bytes;
}

static ssize_t fault_pwrite(struct file_operations *files, int file, const void *bytes,
                            size_t count, off_t offset)
{
    size_t half = count > 1 ? count / 2 : count;
    atomic_fetch_add(&faults_of(files)->asked_bytes, count);
    if (strikes(files, "pwrite", true)) {
        if (faults_of(files)->kind != FAULT_SHORT_WRITE)
            return -1;
        return file_system.pwrite(&file_system, file, bytes, half, offset);
    }
    if (!atomic_load(&faults_of(files)->full) || !grows(file, count, offset))
        return file_system.pwrite(&file_system, file, bytes, count, offset);
    if (count > 1) /* a full disk takes some of it */
        return file_system.pwrite(&file_system, file, bytes, half, offset);
    no_room(files);
    return -1;
}

static int fault_ftruncate(struct file_operations *files, int file, off_t length)
{
    return strikes(files, "ftruncate", false) ? -1
                                              : file_system.ftruncate(&file_system, file, length);
}

static int fault_fdatasync(struct file_operations *files, int file)
{
    struct fault_files *faults = faults_of(files);
    int syncs = atomic_fetch_add(&faults->syncs, 1) + 1;
    if (faults->fail_each_sync != 0 && syncs % faults->fail_each_sync == 0) {
        errno = EIO;
        return -1;
    }
    if (strikes(files, "fdatasync", false))
        return -1;
    return faults->dry ? 0 : file_system.fdatasync(&file_system, file);
}

static int fault_fsync(struct file_operations *files, int file)
{
    atomic_fetch_add(&faults_of(files)->directory_syncs, 1);
    if (strikes(files, "fsync", false))
        return -1;
    return faults_of(files)->dry ? 0 : file_system.fsync(&file_system, file);
}

static int fault_status(struct file_operations *files, int file, struct file_status *status)
{
    return strikes(files, "status", false) ? -1 : file_system.status(&file_system, file, status);
}

static int fault_rename(struct file_operations *files, const char *from, const char *to)
{
    return strikes(files, "rename", false) ? -1 : file_system.rename(&file_system, from, to);
}

static int fault_rename_new(struct file_operations *files, const char *from, const char *to)
{
    return strikes(files, "rename", false) ? -1 : file_system.rename_new(&file_system, from, to);
}

static int fault_unlink(struct file_operations *files, const char *path)
{
    return strikes(files, "unlink", false) ? -1 : file_system.unlink(&file_system, path);
}

static int fault_mkdir(struct file_operations *files, const char *path, mode_t mode)
{
    return strikes(files, "mkdir", false) || no_room(files)
               ? -1
               : file_system.mkdir(&file_system, path, mode);
}

static int fault_list(struct file_operations *files, const char *path, file_visit_fn *visit,
                      void *context)
{
    return strikes(files, "list", false) ? -1
                                         : file_system.list(&file_system, path, visit, context);
}

void fault_files_init(struct fault_files *faults)
{
    memset(faults, 0, sizeof *faults);
    faults->files = (struct file_operations){
        .open = fault_open,
        .close = fault_close,
        .pread = fault_pread,
        .pwrite = fault_pwrite,
        .ftruncate = fault_ftruncate,
        .fdatasync = fault_fdatasync,
        .fsync = fault_fsync,
        .status = fault_status,
        .rename = fault_rename,
        .rename_new = fault_rename_new,
        .unlink = fault_unlink,
        .mkdir = fault_mkdir,
        .list = fault_list,
    };
}
