/*
 * store_scan.c - what the files of a store say, from outside.
 *
 * The manifest is read before the live files are listed: a file that is sealed in between stands in
 * neither, and is passed over, but nothing is seen twice.
 */
#include "app/cli/store_scan.h"

#include "handlers/sensor/disk/file_operations.h"
#include "handlers/sensor/disk/mapped_ranges.h"
#include "handlers/sensor/disk/store_id.h"
#include "handlers/sensor/live/live_directory.h"
#include "handlers/sensor/record/record.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SCAN_PATH_BYTES = 2048 + 128, PAGE_BYTES = 4096 };

static enum hearth_error no_memory(struct error_record *error)
{
    return error_set_internal(error, HEARTH_NO_MEMORY, ENOMEM, "no memory to read the store");
}

/* ---- store.id ---- */

/* One that is missing is not made here. */
static enum hearth_error read_id(struct store_scan *scan, struct error_record *error)
{
    char path[SCAN_PATH_BYTES];
    snprintf(path, sizeof path, "%s/store.id", scan->store);
    if (access(path, F_OK) != 0)
        return error_set_internal(error, error_from_errno(errno), errno, "open %s", path);
    return store_id_open(&file_system, scan->store, NULL, scan->id, error);
}

/* ---- The manifest ---- */

static enum hearth_error take_row(void *context, const struct manifest_row *row)
{
    struct store_scan *scan = context;
    if (scan->count == scan->capacity) {
        size_t capacity = scan->capacity ? scan->capacity * 2 : 1024;
        struct manifest_row *grown = realloc(scan->rows, capacity * sizeof *grown);
        if (!grown)
            return HEARTH_NO_MEMORY;
        scan->rows = grown;
        scan->capacity = capacity;
    }
    scan->rows[scan->count++] = *row;
    scan->suspects += row->file.day == SEALED_SUSPECT_DAY;
    scan->sealed_records += row->file.records;
    scan->last = *row;
    if (row->file.sequence > scan->highest)
        scan->highest = row->file.sequence;
    return HEARTH_OK;
}

static int by_day(const void *left, const void *right)
{
    const struct sealed_file *a = &((const struct manifest_row *)left)->file;
    const struct sealed_file *b = &((const struct manifest_row *)right)->file;
    if (a->day != b->day)
        return a->day < b->day ? -1 : 1;
    return (a->sequence > b->sequence) - (a->sequence < b->sequence);
}

enum hearth_error store_scan_manifest(struct store_scan *scan, const char *store,
                                      struct error_record *error)
{
    *scan = (struct store_scan){.store = store};
    enum hearth_error code = read_id(scan, error);
    if (code == HEARTH_OK)
        code = manifest_read(&file_system, store, scan->id, &scan->position, NULL, take_row, scan,
                             &scan->left_bytes, error);
    if (scan->count > 1)
        qsort(scan->rows, scan->count, sizeof *scan->rows, by_day);
    scan->sealed_bytes = scan->sealed_records * RECORD_BYTES;
    return code;
}

void store_scan_clean(struct store_scan *scan)
{
    free(scan->rows);
    free(scan->live);
    free(scan->unreadable);
    *scan = (struct store_scan){0};
}

/* ---- Live files ---- */

struct live_reading_state {
    struct store_scan *scan;
    scan_bad_slot_fn *bad_slot;
    void *context;
    size_t capacity;
};

static enum hearth_error keep_live(struct live_reading_state *state, const struct record *record,
                                   struct error_record *error)
{
    struct store_scan *scan = state->scan;
    if (scan->live_count == state->capacity) {
        size_t capacity = state->capacity ? state->capacity * 2 : 65536;
        struct record *grown = realloc(scan->live, capacity * sizeof *grown);
        if (!grown)
            return no_memory(error);
        scan->live = grown;
        state->capacity = capacity;
    }
    scan->live[scan->live_count++] = *record;
    return HEARTH_OK;
}

static void tell_bad(const struct live_reading_state *state, const struct live_name *name,
                     uint64_t slot, const char *reason, const void *bytes, size_t length)
{
    char text[LIVE_NAME_BYTES];
    if (!state->bad_slot)
        return;
    live_name_format(name, text);
    state->bad_slot(state->context, text, name->sequence, slot, reason, view_from(bytes, length));
}

static enum hearth_error take_slots(struct live_reading_state *state, const struct live_name *name,
                                    const unsigned char *bytes, size_t length, bool finished,
                                    struct error_record *error)
{
    enum hearth_error code = HEARTH_OK;
    size_t slots = length / RECORD_BYTES;
    for (size_t i = 0; code == HEARTH_OK && i < slots; i++) {
        struct record record;
        memcpy(&record, bytes + i * RECORD_BYTES, sizeof record);
        enum record_reject reject = record_check(&record);
        if (reject == REJECT_NONE)
            code = keep_live(state, &record, error);
        else
            tell_bad(state, name, i, record_reject_name(reject), record.bytes, RECORD_BYTES);
    }
    if (finished && length % RECORD_BYTES != 0)
        tell_bad(state, name, slots, "TORN_TAIL", bytes + slots * RECORD_BYTES,
                 length % RECORD_BYTES);
    state->scan->live_slots += slots;
    return code;
}

static enum hearth_error note_unreadable(struct store_scan *scan, const struct live_name *name,
                                         const struct error_record *why, struct error_record *error)
{
    size_t count = scan->unreadable_count + 1;
    struct unreadable_live *grown = realloc(scan->unreadable, count * sizeof *grown);
    if (!grown)
        return no_memory(error);
    scan->unreadable = grown;
    scan->unreadable_count = count;
    grown[count - 1].name = *name;
    snprintf(grown[count - 1].detail, sizeof grown->detail, "%s",
             why->number ? strerror(why->number) : error_name(why->code));
    return HEARTH_OK;
}

/* The bytes that count, to free. */
static enum hearth_error read_bytes(int file, const char *path, const struct live_name *name,
                                    unsigned char **bytes, size_t *length,
                                    struct error_record *error)
{
    struct file_status status;
    enum hearth_error code = file_status_of(&file_system, file, path, &status, error);
    if (code != HEARTH_OK)
        return code;
    size_t size = (size_t)status.size_bytes;
    if (name->poisoned && name->trusted_bytes < size)
        size = (size_t)name->trusted_bytes;
    *bytes = malloc(size + 1);
    return *bytes ? file_read_all(&file_system, file, path, *bytes, size, 0, length, error)
                  : no_memory(error);
}

static enum hearth_error read_live(struct live_reading_state *state, const struct live_name *name,
                                   bool finished, struct error_record *error)
{
    char path[LIVE_PATH_BYTES];
    struct error_record inner = {0};
    unsigned char *bytes = NULL;
    size_t length = 0;
    live_path(state->scan->store, name, path);
    int file = file_open(&file_system, path, O_RDONLY, 0, &inner);
    if (file < 0 && inner.code == HEARTH_NOT_FOUND)
        return HEARTH_OK; /* sealed meanwhile */
    enum hearth_error code =
        file < 0 ? inner.code : read_bytes(file, path, name, &bytes, &length, &inner);
    file_close(&file_system, file);
    state->scan->live_files++;
    if (code == HEARTH_OK) {
        state->scan->live_bytes += length;
        code = take_slots(state, name, bytes, length, finished, error);
    } else if (code == HEARTH_NO_MEMORY) {
        code = no_memory(error);
    } else {
        code = note_unreadable(state->scan, name, &inner, error);
    }
    free(bytes);
    return code;
}

bool store_scan_is_sealed(const struct store_scan *scan, uint64_t sequence)
{
    for (size_t i = 0; sequence <= scan->highest && i < scan->count; i++)
        if (scan->rows[i].file.sequence == sequence)
            return true;
    return false;
}

enum hearth_error store_scan_live(struct store_scan *scan, scan_bad_slot_fn *bad_slot,
                                  void *context, struct error_record *error)
{
    struct live_reading_state state = {.scan = scan, .bad_slot = bad_slot, .context = context};
    struct live_names names;
    enum hearth_error code = live_directory_list(&file_system, scan->store, &names, error);
    if (code == HEARTH_NOT_FOUND)
        return HEARTH_OK;
    if (code != HEARTH_OK)
        return code;
    for (size_t i = 0; code == HEARTH_OK && i < names.count; i++) {
        if (!store_scan_is_sealed(scan, names.names[i].sequence))
            code = read_live(&state, &names.names[i], i + 1 < names.count, error);
    }
    live_names_clean(&names);
    if (code == HEARTH_OK && scan->live_count > 0)
        code = record_sort(scan->live, scan->live_count);
    if (code == HEARTH_OK && scan->live_count > 0)
        scan->live_count = record_unique(scan->live, scan->live_count);
    return code;
}

/* ---- Sealed files ---- */

enum hearth_error scan_map_open(struct scan_map *map, const char *store,
                                const struct sealed_file *file, struct error_record *error)
{
    char name[SEALED_NAME_BYTES], path[SCAN_PATH_BYTES];
    struct stat status;
    *map = (struct scan_map){NULL, 0, NULL};
    sealed_name_format(file, name);
    snprintf(path, sizeof path, "%s/%s", store, name);
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0 || fstat(descriptor, &status) != 0)
        goto fail;
    if (status.st_size > 0) {
        void *mapped = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_SHARED, descriptor, 0);
        if (mapped == MAP_FAILED)
            goto fail;
        map->records = mapped;
        map->bytes = (size_t)status.st_size;
        map->range = mapped_range_add(mapped, map->bytes);
        madvise(mapped, map->bytes, MADV_SEQUENTIAL);
    }
    close(descriptor);
    return HEARTH_OK;
fail:;
    int number = errno;
    if (descriptor >= 0)
        close(descriptor);
    return error_set_internal(error, error_from_errno(number), number, "open %s", path);
}

bool scan_map_readable(const struct scan_map *map)
{
    const volatile unsigned char *bytes = (const volatile unsigned char *)map->records;
    for (size_t at = 0; at < map->bytes; at += PAGE_BYTES)
        (void)bytes[at];
    return !map->range || !mapped_range_damaged(map->range);
}

void scan_map_close(struct scan_map *map)
{
    mapped_range_remove(map->range);
    if (map->records)
        munmap((void *)map->records, map->bytes);
    *map = (struct scan_map){NULL, 0, NULL};
}

/* ---- Days ---- */

static size_t live_from(const struct store_scan *scan, int64_t time_ms)
{
    size_t low = 0, high = scan->live_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (record_time_ms(&scan->live[middle]) < time_ms)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

size_t store_scan_live_day(const struct store_scan *scan, int32_t day, size_t *count)
{
    size_t first = live_from(scan, (int64_t)day * 86400000);
    *count = live_from(scan, ((int64_t)day + 1) * 86400000) - first;
    return first;
}

/* The first row of `day` or later. */
static size_t row_from(const struct store_scan *scan, int32_t day)
{
    size_t low = scan->suspects, high = scan->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (scan->rows[middle].file.day < day)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

int32_t store_scan_next_day(const struct store_scan *scan, int32_t day)
{
    int32_t from = day == INT32_MIN ? 0 : day + 1, next = INT32_MAX;
    size_t row = row_from(scan, from);
    size_t live = live_from(scan, (int64_t)from * 86400000);
    if (row < scan->count)
        next = scan->rows[row].file.day;
    if (live < scan->live_count && scan_day_of(&scan->live[live]) < next)
        next = scan_day_of(&scan->live[live]);
    return next;
}

size_t store_scan_rows(const struct store_scan *scan, int32_t day, size_t *count)
{
    size_t first = row_from(scan, day), end = first;
    while (end < scan->count && scan->rows[end].file.day == day)
        end++;
    *count = end - first;
    return first;
}
