/*
 * live_file.c - the live file that is written to. Its format is the record, twelve bytes after
 * twelve bytes (hearth/reading_store.h): no header, no framing.
 *
 * Why a failed sync poisons: after one, the kernel may hold pages as clean that never reached the
 * disk, and a second sync would say yes to nothing. What was synced before is on the disk.
 */
#include "handlers/sensor/live/live_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

void live_file_init(struct live_file *live, struct file_operations *files, const char *store)
{
    *live = (struct live_file){.files = files, .store = store, .file = -1};
}

void live_file_close(struct live_file *live)
{
    file_close(live->files, live->file);
    live->file = -1;
}

static void take_name(struct live_file *live, uint64_t sequence)
{
    live_file_close(live);
    live->sequence = sequence;
    live->synced_bytes = 0;
    live->poisoned = live->lost = false;
    live_path(live->store, &(struct live_name){.sequence = sequence}, live->path);
}

/* Which file it is, and how long. */
static enum hearth_error note_identity(struct live_file *live, struct file_status *status,
                                       struct error_record *error)
{
    enum hearth_error code = file_status_of(live->files, live->file, live->path, status, error);
    if (code == HEARTH_OK) {
        live->device = status->device;
        live->inode = status->inode;
    }
    return code;
}

static enum hearth_error require_empty(struct live_file *live, struct error_record *error)
{
    struct file_status status;
    enum hearth_error code = note_identity(live, &status, error);
    if (code == HEARTH_OK && status.size_bytes != 0)
        code = error_set_internal(error, HEARTH_CORRUPT, 0, "%s stands already", live->path);
    return code;
}

enum hearth_error live_file_create(struct live_file *live, uint64_t sequence,
                                   struct error_record *error)
{
    char directory[LIVE_PATH_BYTES];
    live_directory_path(live->store, directory);
    take_name(live, sequence);
    live->file = file_open(live->files, live->path, O_RDWR | O_CREAT, 0640, error);
    if (live->file < 0)
        return error_from_errno(errno);
    enum hearth_error code = require_empty(live, error);
    if (code == HEARTH_OK)
        code = file_sync_directory(live->files, directory, error);
    if (code != HEARTH_OK)
        live_file_close(live);
    return code;
}

enum hearth_error live_file_open(struct live_file *live, uint64_t sequence, uint64_t synced_bytes,
                                 struct error_record *error)
{
    take_name(live, sequence);
    live->synced_bytes = synced_bytes;
    live->file = file_open(live->files, live->path, O_RDWR, 0, error);
    if (live->file < 0)
        return error_from_errno(errno);
    struct file_status status;
    enum hearth_error code = note_identity(live, &status, error);
    if (code != HEARTH_OK)
        live_file_close(live);
    return code;
}

enum hearth_error live_file_confirm(struct live_file *live, struct error_record *error)
{
    enum hearth_error code =
        file_confirm(live->files, live->path, live->device, live->inode, error);
    if (code != HEARTH_NOT_FOUND)
        return code;
    live->lost = true;
    return error_set_internal(error, HEARTH_UNAVAILABLE, 0, "%s was removed or moved", live->path);
}

/* A write stopped short. With a full disk the file is good again once it is cut back. */
static void after_failed_write(struct live_file *live, enum hearth_error code)
{
    live->poisoned = code != HEARTH_DISK_FULL || file_cut(live->files, live->file, live->path,
                                                          live->synced_bytes, NULL) != HEARTH_OK;
}

enum hearth_error live_file_append(struct live_file *live, const struct record *records,
                                   size_t count, struct error_record *error)
{
    size_t bytes = count * sizeof *records, written;
    if (live->poisoned || live->file < 0)
        return error_set_internal(error, HEARTH_MISUSE, 0, "%s is not written to", live->path);
    enum hearth_error code = file_write_all(live->files, live->file, live->path, records, bytes,
                                            live->synced_bytes, &written, error);
    if (code != HEARTH_OK) {
        after_failed_write(live, code);
        return code;
    }
    code = file_sync(live->files, live->file, live->path, error);
    if (code == HEARTH_OK)
        code = live_file_confirm(live, error);
    if (code != HEARTH_OK)
        live->poisoned = !live->lost;
    else
        live->synced_bytes += bytes;
    return code;
}

/* Was it renamed by the attempt before, of which only the last step failed? */
static bool renamed_already(struct live_file *live, const char *aside)
{
    int file = file_open(live->files, aside, O_RDONLY, 0, NULL);
    file_close(live->files, file);
    return file >= 0;
}

enum hearth_error live_file_set_aside(struct live_file *live, struct error_record *error)
{
    char aside[LIVE_PATH_BYTES], directory[LIVE_PATH_BYTES];
    struct live_name name = {live->sequence, true, live->synced_bytes};
    live_path(live->store, &name, aside);
    live_directory_path(live->store, directory);
    enum hearth_error code = file_rename(live->files, live->path, aside, error);
    if (code == HEARTH_NOT_FOUND && renamed_already(live, aside))
        code = HEARTH_OK;
    if (code == HEARTH_OK)
        code = file_sync_directory(live->files, directory, error);
    if (code == HEARTH_OK)
        live_file_close(live);
    return code;
}

enum hearth_error live_file_discard(struct live_file *live, struct error_record *error)
{
    char directory[LIVE_PATH_BYTES];
    live_directory_path(live->store, directory);
    enum hearth_error code = file_remove(live->files, live->path, error);
    if (code == HEARTH_OK)
        code = file_sync_directory(live->files, directory, error);
    if (code == HEARTH_OK)
        live_file_close(live);
    return code;
}
