/*
 * quarantine.c - the quarantine files, appended in the keeper's group commit.
 *
 * Lines are collected in a buffer and written behind what is known to be whole. The newest file is
 * opened at the first commit that needs it; a line that a crash tore is cut off then. After a
 * failed write or sync the file is left alone (cut back where that works) and the next number is
 * taken, for the reason given in live_file.c.
 */
#include "handlers/sensor/live/quarantine.h"

#include "handlers/sensor/disk/live_memory.h"
#include "hearth/telemetry.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    FILE_BYTES = 8 << 20,     /* a new file above this */
    WAITING_BYTES = 64 << 20, /* the most that one commit takes */
    KEPT_BYTES = 1 << 20,     /* buffer memory kept between commits */
    TAIL_BYTES = 65536,
    RETRY_NS = 1000000000, /* after a failure that the next file did not mend */
};

struct quarantine {
    struct file_operations *files;
    const struct clock *clock;
    char directory[QUARANTINE_PATH_BYTES]; /* STORE/quarantine */
    char path[QUARANTINE_PATH_BYTES];
    struct buffer waiting;
    uint64_t sequence; /* of the newest file; 0 = not looked for yet */
    int file;
    uint64_t synced_bytes;
    uint64_t device, inode; /* which file it is */
    int64_t retry_ns;       /* monotonic: nothing is written before; 0 = all is well */
};

enum hearth_error quarantine_open(struct file_operations *files, const char *store,
                                  const struct clock *clock, struct quarantine **quarantine,
                                  struct error_record *error)
{
    struct quarantine *made = memory_new_zero(1, sizeof *made);
    if (!made)
        return error_set_internal(error, HEARTH_NO_MEMORY, 0, "no memory for the quarantine");
    made->files = files;
    made->clock = clock;
    made->file = -1;
    buffer_init(&made->waiting, WAITING_BYTES);
    quarantine_directory_path(store, made->directory);
    enum hearth_error code = file_make_directories(files, made->directory, error);
    if (code != HEARTH_OK) {
        quarantine_close(made);
        return code;
    }
    *quarantine = made;
    return HEARTH_OK;
}

void quarantine_close(struct quarantine *quarantine)
{
    if (!quarantine)
        return;
    file_close(quarantine->files, quarantine->file);
    buffer_clean(&quarantine->waiting);
    memory_free(quarantine);
}

enum hearth_error quarantine_add(struct quarantine *quarantine,
                                 const struct quarantine_entry *entry)
{
    struct buffer *waiting = &quarantine->waiting;
    size_t before = waiting->length;
    enum hearth_error code = quarantine_line(waiting, entry, clock_wall_ms(quarantine->clock));
    if (code != HEARTH_OK) { /* the others keep their place */
        waiting->length = before;
        waiting->failed = HEARTH_OK;
    }
    return code;
}

bool quarantine_waits(const struct quarantine *quarantine)
{
    return quarantine->waiting.length > 0;
}

void quarantine_drop(struct quarantine *quarantine)
{
    if (quarantine->waiting.capacity > KEPT_BYTES)
        buffer_clean(&quarantine->waiting);
    buffer_reset(&quarantine->waiting);
}

/* ---- The files ---- */

void quarantine_directory_path(const char *store, char path[QUARANTINE_PATH_BYTES])
{
    snprintf(path, QUARANTINE_PATH_BYTES, "%.2047s/quarantine", store);
}

void quarantine_path(const char *directory, uint64_t sequence, char path[QUARANTINE_PATH_BYTES])
{
    snprintf(path, QUARANTINE_PATH_BYTES, "%.2079s/%08" PRIu64 ".ndjson", directory, sequence);
}

bool quarantine_name_parse(const char *name, uint64_t *sequence)
{
    struct view text = view_of(name);
    if (!view_ends_with(text, VIEW(".ndjson")))
        return false;
    text.length -= strlen(".ndjson");
    return text.length >= 8 && view_to_uint64(text, sequence);
}

static bool find_newest(void *context, const char *name)
{
    uint64_t *newest = context, sequence;
    if (quarantine_name_parse(name, &sequence) && sequence > *newest)
        *newest = sequence;
    return true;
}

/* Where the last newline before `size` ends: what is behind it was torn. */
static enum hearth_error whole_lines(struct quarantine *quarantine, uint64_t size, uint64_t *whole,
                                     struct error_record *error)
{
    char *tail = memory_new(TAIL_BYTES);
    enum hearth_error code = HEARTH_OK;
    if (!tail)
        return error_set_internal(error, HEARTH_NO_MEMORY, 0, "no memory to read the quarantine");
    *whole = 0;
    while (size > 0 && *whole == 0) {
        size_t step = size < TAIL_BYTES ? (size_t)size : TAIL_BYTES, got;
        size -= step;
        code = file_read_all(quarantine->files, quarantine->file, quarantine->path, tail, step,
                             size, &got, error);
        if (code != HEARTH_OK)
            break;
        const char *newline = memrchr(tail, '\n', got);
        if (newline)
            *whole = size + (uint64_t)(newline - tail) + 1;
    }
    memory_free(tail);
    return code;
}

static enum hearth_error open_file(struct quarantine *quarantine, struct error_record *error)
{
    quarantine_path(quarantine->directory, quarantine->sequence, quarantine->path);
    quarantine->file =
        file_open(quarantine->files, quarantine->path, O_RDWR | O_CREAT, 0640, error);
    if (quarantine->file < 0)
        return error_from_errno(errno);
    struct file_status status = {0};
    enum hearth_error code =
        file_status_of(quarantine->files, quarantine->file, quarantine->path, &status, error);
    quarantine->device = status.device;
    quarantine->inode = status.inode;
    if (code == HEARTH_OK)
        code = whole_lines(quarantine, status.size_bytes, &quarantine->synced_bytes, error);
    if (code == HEARTH_OK && quarantine->synced_bytes < status.size_bytes)
        code = file_cut(quarantine->files, quarantine->file, quarantine->path,
                        quarantine->synced_bytes, error);
    if (code == HEARTH_OK)
        code = file_sync_directory(quarantine->files, quarantine->directory, error);
    return code;
}

static void leave_file(struct quarantine *quarantine)
{
    file_close(quarantine->files, quarantine->file);
    quarantine->file = -1;
    quarantine->synced_bytes = 0;
}

/* A file to append to. */
static enum hearth_error require_file(struct quarantine *quarantine, struct error_record *error)
{
    if (quarantine->sequence == 0) {
        uint64_t newest = 0;
        enum hearth_error code =
            file_list(quarantine->files, quarantine->directory, find_newest, &newest, error);
        if (code != HEARTH_OK)
            return code;
        quarantine->sequence = newest ? newest : 1;
    }
    if (quarantine->file >= 0 && quarantine->synced_bytes > FILE_BYTES) {
        leave_file(quarantine);
        quarantine->sequence++;
    }
    if (quarantine->file >= 0)
        return HEARTH_OK;
    enum hearth_error code = open_file(quarantine, error);
    if (code != HEARTH_OK)
        leave_file(quarantine);
    return code;
}

/* What cannot be removed stays, and means nothing. */
static void remove_quietly(struct quarantine *quarantine)
{
    if (file_remove(quarantine->files, quarantine->path, NULL) != HEARTH_OK)
        LOG_WARN("sensor_file_left", LOG_TEXT("file", quarantine->path));
}

static enum hearth_error write_lines(struct quarantine *quarantine, struct error_record *error)
{
    struct view lines = buffer_view(&quarantine->waiting);
    size_t written;
    enum hearth_error code =
        file_write_all(quarantine->files, quarantine->file, quarantine->path, lines.data,
                       lines.length, quarantine->synced_bytes, &written, error);
    bool poisoned = code != HEARTH_OK && code != HEARTH_DISK_FULL;
    if (code == HEARTH_OK) {
        code = file_sync(quarantine->files, quarantine->file, quarantine->path, error);
        poisoned = code != HEARTH_OK;
    }
    if (code == HEARTH_OK) {
        quarantine->synced_bytes += lines.length;
        return HEARTH_OK;
    }
    bool cut = file_cut(quarantine->files, quarantine->file, quarantine->path,
                        quarantine->synced_bytes, NULL) == HEARTH_OK;
    if (poisoned || !cut) {
        if (quarantine->synced_bytes == 0) /* it holds nothing that was promised */
            remove_quietly(quarantine);
        leave_file(quarantine);
        quarantine->sequence++;
    }
    return code;
}

/* Somebody removed the file, maybe with its directory: both are made anew. */
static enum hearth_error begin_anew(struct quarantine *quarantine, struct error_record *error)
{
    leave_file(quarantine);
    quarantine->sequence = 0;
    return file_make_directories(quarantine->files, quarantine->directory, error);
}

/* One try. What was written counts when its name leads to it. `*again`: another file may take it.
 */
static enum hearth_error try_write(struct quarantine *quarantine, bool *again,
                                   struct error_record *error)
{
    enum hearth_error code = require_file(quarantine, error);
    if (code == HEARTH_OK)
        code = write_lines(quarantine, error);
    *again = code == HEARTH_IO || code == HEARTH_NOT_FOUND;
    if (code == HEARTH_OK) {
        code = file_confirm(quarantine->files, quarantine->path, quarantine->device,
                            quarantine->inode, error);
        *again = code == HEARTH_NOT_FOUND;
    }
    if (code == HEARTH_NOT_FOUND && begin_anew(quarantine, error) != HEARTH_OK)
        *again = false;
    return code == HEARTH_NOT_FOUND ? HEARTH_UNAVAILABLE : code;
}

enum hearth_error quarantine_commit(struct quarantine *quarantine, struct error_record *error)
{
    enum hearth_error code = HEARTH_OK;
    int64_t now_ns = clock_monotonic_ns(quarantine->clock);
    if (!quarantine_waits(quarantine))
        return HEARTH_OK;
    if (quarantine->retry_ns != 0 && now_ns < quarantine->retry_ns) {
        quarantine_drop(quarantine);
        return error_set_internal(error, HEARTH_UNAVAILABLE, 0, "the disk failed a moment ago");
    }
    bool again = true;
    for (int attempt = 0; attempt < 2 && again; attempt++)
        code = try_write(quarantine, &again, error);
    quarantine->retry_ns = again ? now_ns + RETRY_NS : 0;
    quarantine_drop(quarantine);
    return code;
}
