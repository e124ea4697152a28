/*
 * quarantine.c - the quarantine files: appended in the keeper's group commit, read back at
 * recovery.
 *
 * Lines are collected in a buffer and written behind what is known to be whole. The newest file is
 * opened at the first commit that needs it; a line that a crash tore is cut off then. After a
 * failed write or sync the file is left alone (cut back where that works) and the next number is
 * taken, for the reason given in live_file.c.
 */
#include "handlers/sensor/quarantine.h"

#include "handlers/sensor/live_memory.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    FILE_BYTES = 8 << 20,     /* a new file above this */
    WAITING_BYTES = 64 << 20, /* the most that one commit takes */
    KEPT_BYTES = 1 << 20,     /* buffer memory kept between commits */
    PATH_BYTES = 4096,
    TAIL_BYTES = 65536,
};

struct quarantine {
    struct file_operations *files;
    const struct clock *clock;
    char directory[PATH_BYTES - 32];
    char path[PATH_BYTES];
    struct buffer waiting;
    uint64_t sequence; /* of the newest file; 0 = not looked for yet */
    int file;
    uint64_t synced_bytes;
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
    snprintf(made->directory, sizeof made->directory, "%s/quarantine", store);
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

static bool parse_name(const char *name, uint64_t *sequence)
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
    if (parse_name(name, &sequence) && sequence > *newest)
        *newest = sequence;
    return true;
}

static void format_path(const struct quarantine *quarantine, uint64_t sequence,
                        char path[PATH_BYTES])
{
    snprintf(path, PATH_BYTES, "%s/%08" PRIu64 ".ndjson", quarantine->directory, sequence);
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
    format_path(quarantine, quarantine->sequence, quarantine->path);
    quarantine->file =
        file_open(quarantine->files, quarantine->path, O_RDWR | O_CREAT, 0640, error);
    if (quarantine->file < 0)
        return error_from_errno(errno);
    struct file_status status;
    enum hearth_error code =
        file_status_of(quarantine->files, quarantine->file, quarantine->path, &status, error);
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
        leave_file(quarantine);
        quarantine->sequence++;
    }
    return code;
}

enum hearth_error quarantine_commit(struct quarantine *quarantine, struct error_record *error)
{
    enum hearth_error code = HEARTH_OK;
    for (int attempt = 0; attempt < 2 && quarantine_waits(quarantine); attempt++) {
        code = require_file(quarantine, error);
        if (code == HEARTH_OK)
            code = write_lines(quarantine, error);
        if (code != HEARTH_IO) /* else the next file may take it */
            break;
    }
    quarantine_drop(quarantine);
    return code;
}

/* ---- What stands there already ---- */

struct known {
    struct quarantine *quarantine;
    struct quarantined_runs *runs;
    size_t capacity;
    enum hearth_error code;
    struct error_record *error;
};

static void add_run(struct known *known, const struct quarantined_run *run)
{
    struct quarantined_runs *runs = known->runs;
    if (runs->count == known->capacity) {
        size_t capacity = known->capacity ? known->capacity * 2 : 64;
        struct quarantined_run *grown = memory_resize(runs->runs, capacity * sizeof *grown);
        if (!grown) {
            known->code = error_set_internal(known->error, HEARTH_NO_MEMORY, 0,
                                             "no memory to read the quarantine");
            return;
        }
        runs->runs = grown;
        known->capacity = capacity;
    }
    runs->runs[runs->count++] = *run;
}

static uint64_t member(struct json_object *object, const char *name)
{
    struct json_object *value;
    return json_object_object_get_ex(object, name, &value) ? json_object_get_uint64(value) : 0;
}

static void read_line(struct known *known, struct json_tokener *tokener, struct view line)
{
    if (view_find(line, VIEW("\"source\":\"recovery\"")) == SIZE_MAX || line.length > INT32_MAX)
        return;
    json_tokener_reset(tokener);
    struct json_object *object = json_tokener_parse_ex(tokener, line.data, (int)line.length);
    struct json_object *sequence;
    if (json_object_object_get_ex(object, "sequence", &sequence))
        add_run(known, &(struct quarantined_run){member(object, "sequence"), member(object, "slot"),
                                                 member(object, "count")});
    json_object_put(object);
}

static enum hearth_error read_lines(struct known *known, struct view text)
{
    struct json_tokener *tokener = json_tokener_new();
    if (!tokener)
        return error_set_internal(known->error, HEARTH_NO_MEMORY, 0,
                                  "no memory to read the quarantine");
    size_t end;
    while (known->code == HEARTH_OK && (end = view_index_of(text, '\n')) != SIZE_MAX) {
        read_line(known, tokener, view_slice(text, 0, end));
        text = view_skip(text, end + 1);
    }
    json_tokener_free(tokener);
    return known->code;
}

static enum hearth_error read_file(struct known *known, const char *path)
{
    struct file_operations *files = known->quarantine->files;
    struct file_status status;
    char *text = NULL;
    int file = file_open(files, path, O_RDONLY, 0, known->error);
    if (file < 0)
        return error_from_errno(errno);
    enum hearth_error code = file_status_of(files, file, path, &status, known->error);
    if (code == HEARTH_OK && status.size_bytes > 0) {
        size_t got = 0;
        text = memory_new((size_t)status.size_bytes);
        if (!text)
            code =
                error_set_internal(known->error, HEARTH_NO_MEMORY, 0, "no memory to read %s", path);
        else
            code = file_read_all(files, file, path, text, (size_t)status.size_bytes, 0, &got,
                                 known->error);
        if (code == HEARTH_OK)
            code = read_lines(known, view_from(text, got));
    }
    memory_free(text);
    file_close(files, file);
    return code;
}

static bool read_one(void *context, const char *name)
{
    struct known *known = context;
    uint64_t sequence;
    char path[PATH_BYTES];
    if (!parse_name(name, &sequence))
        return true;
    format_path(known->quarantine, sequence, path);
    known->code = read_file(known, path);
    return known->code == HEARTH_OK;
}

static int compare_runs(const void *left, const void *right)
{
    const struct quarantined_run *a = left, *b = right;
    if (a->sequence != b->sequence)
        return a->sequence < b->sequence ? -1 : 1;
    return a->slot < b->slot ? -1 : a->slot > b->slot;
}

enum hearth_error quarantine_known(struct quarantine *quarantine, struct quarantined_runs *runs,
                                   struct error_record *error)
{
    *runs = (struct quarantined_runs){0};
    struct known known = {.quarantine = quarantine, .runs = runs, .error = error};
    enum hearth_error code =
        file_list(quarantine->files, quarantine->directory, read_one, &known, error);
    if (code == HEARTH_OK)
        code = known.code;
    if (code != HEARTH_OK)
        quarantined_runs_clean(runs);
    else if (runs->count > 1)
        qsort(runs->runs, runs->count, sizeof *runs->runs, compare_runs);
    return code;
}

/* Runs of one file do not overlap: the last one that begins at or before the slot decides. */
bool quarantined_runs_have(const struct quarantined_runs *runs, uint64_t sequence, uint64_t slot)
{
    const struct quarantined_run wanted = {sequence, slot, 0};
    size_t low = 0, high = runs->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare_runs(&runs->runs[middle], &wanted) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    const struct quarantined_run *run = low > 0 ? &runs->runs[low - 1] : NULL;
    return run && run->sequence == sequence && slot - run->slot < run->count;
}

void quarantined_runs_clean(struct quarantined_runs *runs)
{
    memory_free(runs->runs);
    *runs = (struct quarantined_runs){0};
}
