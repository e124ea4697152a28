/*
 * sealed_index.c - have we got this reading in a sealed file?
 *
 * A file is cut into blocks of a fixed number of records; most files are one. Of a larger one the
 * first record of each block is kept, which says where to look. The place in a block is found by
 * galloping from the last one: steps that double, then a binary search.
 *
 * Suspect readings may have any time, and are no part of a day. Since most times are far from all
 * of them, the gap around the last question is remembered: within it nothing needs to be looked at.
 */
#include "handlers/sensor/sealed/sealed_index.h"

#include "handlers/sensor/disk/live_memory.h"

#include "handlers/sensor/record/record.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    BLOCK_RECORDS = 16384,
    KEPT_RECORDS = 1 << 20, /* 12 MB */
    PATH_BYTES = 2048 + SEALED_NAME_BYTES,
    DAY_MS = 86400000,
};

struct sealed_block {
    struct sealed_block **place; /* in its grid */
    uint32_t count;
    uint64_t used;
    struct record records[];
};

/* The blocks of a file. */
struct sealed_grid {
    uint32_t count;
    struct sealed_block **blocks; /* NULL where it is not kept */
    struct record fences[];       /* the first record of each; not filled where there is only one */
};

void sealed_index_init(struct sealed_index *index, struct file_operations *files, const char *store)
{
    *index = (struct sealed_index){.files = files, .store = store, .day = INT64_MIN};
}

/* ---- Blocks ---- */

static void drop_block(struct sealed_index *index, size_t place)
{
    struct sealed_block *block = index->blocks[place];
    *block->place = NULL;
    index->block_records -= block->count;
    index->blocks[place] = index->blocks[--index->block_count];
    memory_free(block);
}

static void drop_oldest_block(struct sealed_index *index)
{
    size_t oldest = 0;
    for (size_t i = 1; i < index->block_count; i++)
        if (index->blocks[i]->used < index->blocks[oldest]->used)
            oldest = i;
    drop_block(index, oldest);
}

/* Blocks and grids. */
static void drop_all(struct sealed_index *index)
{
    while (index->block_count > 0)
        drop_block(index, index->block_count - 1);
    for (size_t i = 0; i < index->count; i++) {
        memory_free(index->entries[i].grid);
        index->entries[i].grid = NULL;
    }
}

/* Room for a block of so many records in the list. */
static bool make_room(struct sealed_index *index, uint32_t count)
{
    while (index->block_count > 0 && index->block_records + count > KEPT_RECORDS)
        drop_oldest_block(index);
    if (index->block_count < index->block_capacity)
        return true;
    size_t capacity = index->block_capacity ? index->block_capacity * 2 : 16;
    struct sealed_block **grown =
        memory_resize(index->blocks, capacity * sizeof(struct sealed_block *));
    if (!grown)
        return false;
    index->blocks = grown;
    index->block_capacity = capacity;
    return true;
}

static void keep_block(struct sealed_index *index, struct sealed_block *block,
                       struct sealed_block **place)
{
    block->place = place;
    *place = block;
    index->blocks[index->block_count++] = block;
    index->block_records += block->count;
}

/* ---- Files ---- */

static int open_sealed(struct sealed_index *index, const struct sealed_file *file,
                       char path[PATH_BYTES], struct error_record *error)
{
    char name[SEALED_NAME_BYTES];
    struct file_status status;
    sealed_name_format(file, name);
    snprintf(path, PATH_BYTES, "%.2047s/%s", index->store, name);
    int opened = file_open(index->files, path, O_RDONLY, 0, error);
    if (opened < 0)
        return -1;
    enum hearth_error code = file_status_of(index->files, opened, path, &status, error);
    if (code == HEARTH_OK && status.size_bytes != (uint64_t)file->records * RECORD_BYTES)
        code =
            error_set_internal(error, HEARTH_CORRUPT, 0, "%s has another size than it had", path);
    if (code == HEARTH_OK)
        return opened;
    file_close(index->files, opened);
    errno = code == HEARTH_CORRUPT ? ENOENT : EIO;
    return -1;
}

/* A sealed file that is missing is damage. */
static enum hearth_error opening_error(struct error_record *error)
{
    enum hearth_error code = error_from_errno(errno);
    if (code == HEARTH_NOT_FOUND) {
        code = HEARTH_CORRUPT;
        if (error)
            error->code = code;
    }
    return code;
}

static enum hearth_error read_records(struct sealed_index *index, int file, const char *path,
                                      uint32_t first, uint32_t count, struct record *records,
                                      struct error_record *error)
{
    size_t got, bytes = (size_t)count * sizeof *records;
    enum hearth_error code = file_read_all(index->files, file, path, records, bytes,
                                           (uint64_t)first * RECORD_BYTES, &got, error);
    if (code == HEARTH_OK && got < bytes)
        code = error_set_internal(error, HEARTH_CORRUPT, 0, "%s became shorter", path);
    return code;
}

/* ---- Order: by identity, which are the leading bits ---- */

enum { QUALITY_AND_CHECKSUM_BITS = 10 };

struct key {
    uint64_t high;
    uint32_t low;
};

static struct key key_of(const struct record *record)
{
    return (struct key){record_high(record), record_low(record) >> QUALITY_AND_CHECKSUM_BITS};
}

static bool before(const struct record *record, const struct key *key)
{
    uint64_t high = record_high(record);
    if (high != key->high)
        return high < key->high;
    return record_low(record) >> QUALITY_AND_CHECKSUM_BITS < key->low;
}

/* The first of [low, high) that is not before the key. */
static uint32_t lower_bound(const struct record *records, uint32_t low, uint32_t high,
                            const struct key *key)
{
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (before(&records[middle], key))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The same over all, from a guess. */
static uint32_t gallop(const struct record *records, uint32_t count, uint32_t at,
                       const struct key *key)
{
    uint32_t step = 1;
    if (at > count)
        at = count;
    if (at < count && before(&records[at], key)) {
        uint32_t low = at + 1;
        while (count - low > step && before(&records[low + step], key)) {
            low += step + 1;
            step *= 2;
        }
        return lower_bound(records, low, count - low > step ? low + step : count, key);
    }
    uint32_t high = at;
    while (high > step && !before(&records[high - step], key)) {
        high -= step;
        step *= 2;
    }
    return lower_bound(records, high > step ? high - step : 0, high, key);
}

/* ---- Which block ---- */

static struct sealed_grid *new_grid(uint32_t records)
{
    uint32_t count = (records + BLOCK_RECORDS - 1) / BLOCK_RECORDS;
    size_t fences = count * sizeof(struct record);
    size_t blocks = (sizeof(struct sealed_grid) + fences + 7) / 8 * 8;
    char *memory = memory_new_zero(1, blocks + count * sizeof(struct sealed_block *));
    struct sealed_grid *grid = (struct sealed_grid *)(void *)memory;
    if (!grid)
        return NULL;
    grid->count = count;
    grid->blocks = (struct sealed_block **)(void *)(memory + blocks);
    return grid;
}

static enum hearth_error learn_fences(struct sealed_index *index, struct sealed_grid *grid,
                                      int file, const char *path, struct error_record *error)
{
    enum hearth_error code = HEARTH_OK;
    for (uint32_t i = 0; grid->count > 1 && i < grid->count && code == HEARTH_OK; i++)
        code = read_records(index, file, path, i * BLOCK_RECORDS, 1, &grid->fences[i], error);
    return code;
}

/* The block that can hold the key. */
static uint32_t block_of(const struct sealed_grid *grid, const struct key *key)
{
    uint32_t low = 0, high = grid->count;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        struct key fence = key_of(&grid->fences[middle]);
        if (before(&grid->fences[middle], key) ||
            (fence.high == key->high && fence.low == key->low))
            low = middle;
        else
            high = middle;
    }
    return low;
}

static enum hearth_error read_block(struct sealed_index *index, const struct sealed_entry *entry,
                                    uint32_t number, int file, const char *path,
                                    struct error_record *error)
{
    uint32_t first = number * BLOCK_RECORDS, count = entry->file.records - first;
    if (count > BLOCK_RECORDS)
        count = BLOCK_RECORDS;
    struct sealed_block *block =
        make_room(index, count) ? memory_new(sizeof *block + count * sizeof(struct record)) : NULL;
    if (!block)
        return error_set_internal(error, HEARTH_NO_MEMORY, 0, "no memory to read %s", path);
    *block = (struct sealed_block){.count = count};
    enum hearth_error code = read_records(index, file, path, first, count, block->records, error);
    if (code == HEARTH_OK)
        keep_block(index, block, &entry->grid->blocks[number]);
    else
        memory_free(block);
    return code;
}

static enum hearth_error load_block(struct sealed_index *index, struct sealed_entry *entry,
                                    const struct key *key, struct error_record *error)
{
    char path[PATH_BYTES];
    struct sealed_grid *grid = entry->grid ? entry->grid : new_grid(entry->file.records);
    if (!grid)
        return error_set_internal(error, HEARTH_NO_MEMORY, 0, "no memory for the sealed files");
    enum hearth_error code = HEARTH_OK;
    int file = open_sealed(index, &entry->file, path, error);
    if (file < 0)
        code = opening_error(error);
    if (code == HEARTH_OK && !entry->grid)
        code = learn_fences(index, grid, file, path, error);
    if (code != HEARTH_OK && !entry->grid) {
        memory_free(grid);
        grid = NULL;
    }
    entry->grid = grid;
    if (code == HEARTH_OK)
        code = read_block(index, entry, block_of(grid, key), file, path, error);
    file_close(index->files, file);
    return code;
}

/* The block that can hold the key, if it is kept. */
static struct sealed_block *kept_block(const struct sealed_entry *entry, const struct key *key)
{
    return entry->grid ? entry->grid->blocks[block_of(entry->grid, key)] : NULL;
}

static enum hearth_error note_failure(const struct sealed_index *index, struct sealed_entry *entry,
                                      enum hearth_error code)
{
    if (index->holds_failures && code != HEARTH_NO_MEMORY)
        entry->failed = code;
    return code;
}

static enum hearth_error find_in(struct sealed_index *index, struct sealed_entry *entry,
                                 const struct key *key, bool *known, struct error_record *error)
{
    struct sealed_block *block = kept_block(entry, key);
    if (!block) {
        enum hearth_error code = entry->failed;
        if (code == HEARTH_OK)
            code = note_failure(index, entry, load_block(index, entry, key, error));
        if (code != HEARTH_OK)
            return code;
        block = kept_block(entry, key);
    }
    block->used = ++index->uses;
    entry->at = gallop(block->records, block->count, entry->at, key);
    if (entry->at < block->count) {
        struct key found = key_of(&block->records[entry->at]);
        *known = found.high == key->high && found.low == key->low;
    }
    return HEARTH_OK;
}

/* ---- Days ---- */

static size_t first_of_day(const struct sealed_index *index, int64_t day)
{
    size_t low = index->suspects, high = index->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (index->entries[middle].file.day < day)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void select_day(struct sealed_index *index, int64_t day)
{
    index->day = day;
    index->day_first = index->day_end = first_of_day(index, day);
    while (index->day_end < index->count && index->entries[index->day_end].file.day == day)
        index->day_end++;
}

/* ---- Suspects ---- */

static enum hearth_error learn_span(struct sealed_index *index, struct sealed_entry *entry,
                                    struct error_record *error)
{
    char path[PATH_BYTES];
    struct record first, last;
    int file = open_sealed(index, &entry->file, path, error);
    if (file < 0)
        return opening_error(error);
    enum hearth_error code = read_records(index, file, path, 0, 1, &first, error);
    if (code == HEARTH_OK)
        code = read_records(index, file, path, entry->file.records - 1, 1, &last, error);
    file_close(index->files, file);
    if (code == HEARTH_OK) {
        entry->first_ms = record_time_ms(&first);
        entry->last_ms = record_time_ms(&last);
        entry->has_span = true;
    }
    return code;
}

static void narrow(struct sealed_index *index, int64_t from_ms, int64_t to_ms)
{
    if (from_ms > index->quiet_from_ms)
        index->quiet_from_ms = from_ms;
    if (to_ms < index->quiet_to_ms)
        index->quiet_to_ms = to_ms;
}

/* The times beside the place that the last question led to; at the end of a block nothing is said
 * of what lies behind it. */
static void narrow_around(struct sealed_index *index, const struct sealed_entry *entry,
                          const struct key *key, int64_t time_ms)
{
    const struct sealed_block *block = kept_block(entry, key);
    bool before_known = entry->at > 0, after_known = entry->at < block->count;
    narrow(index, before_known ? record_time_ms(&block->records[entry->at - 1]) : time_ms,
           after_known ? record_time_ms(&block->records[entry->at]) : time_ms);
}

static enum hearth_error find_suspect(struct sealed_index *index, const struct key *key,
                                      int64_t time_ms, bool *known, struct error_record *error)
{
    enum hearth_error code = HEARTH_OK;
    if (time_ms > index->quiet_from_ms && time_ms < index->quiet_to_ms)
        return HEARTH_OK;
    index->quiet_from_ms = INT64_MIN;
    index->quiet_to_ms = INT64_MAX;
    for (size_t i = 0; i < index->suspects && code == HEARTH_OK && !*known; i++) {
        struct sealed_entry *entry = &index->entries[i];
        code = entry->failed;
        if (code == HEARTH_OK && !entry->has_span)
            code = note_failure(index, entry, learn_span(index, entry, error));
        if (code != HEARTH_OK)
            break;
        if (time_ms < entry->first_ms)
            narrow(index, INT64_MIN, entry->first_ms);
        else if (time_ms > entry->last_ms)
            narrow(index, entry->last_ms, INT64_MAX);
        else if ((code = find_in(index, entry, key, known, error)) == HEARTH_OK)
            narrow_around(index, entry, key, time_ms);
    }
    if (code != HEARTH_OK || *known) /* not all were asked */
        index->quiet_from_ms = index->quiet_to_ms = time_ms;
    return code;
}

/* ---- Asking ---- */

enum hearth_error sealed_index_find(struct sealed_index *index, const struct record *record,
                                    bool *known, struct error_record *error)
{
    enum hearth_error code = HEARTH_OK;
    *known = false;
    if (index->count == 0)
        return HEARTH_OK;
    int64_t time_ms = record_time_ms(record), day = time_ms / DAY_MS;
    const struct key key = key_of(record);
    if (day != index->day)
        select_day(index, day);
    for (size_t i = index->day_first; i < index->day_end && !*known; i++) {
        enum hearth_error one = find_in(index, &index->entries[i], &key, known, error);
        if (code == HEARTH_OK)
            code = one;
    }
    if (!*known && index->suspects > 0) {
        enum hearth_error one = find_suspect(index, &key, time_ms, known, error);
        if (code == HEARTH_OK)
            code = one;
    }
    return *known ? HEARTH_OK : code;
}

void sealed_index_hold_failures(struct sealed_index *index, bool hold)
{
    index->holds_failures = hold;
    for (size_t i = 0; i < index->count; i++)
        index->entries[i].failed = HEARTH_OK;
}

enum hearth_error sealed_index_newest(struct sealed_index *index, int64_t *newest_ms,
                                      struct error_record *error)
{
    char path[PATH_BYTES];
    *newest_ms = -1;
    enum hearth_error code = HEARTH_OK;
    for (size_t i = index->count; code == HEARTH_OK && i > index->suspects; i--) {
        const struct sealed_file *sealed = &index->entries[i - 1].file;
        struct record last;
        if (sealed->day != index->entries[index->count - 1].file.day)
            break;
        int file = open_sealed(index, sealed, path, error);
        if (file < 0)
            return opening_error(error);
        code = read_records(index, file, path, sealed->records - 1, 1, &last, error);
        file_close(index->files, file);
        if (code == HEARTH_OK && record_time_ms(&last) > *newest_ms)
            *newest_ms = record_time_ms(&last);
    }
    return code;
}

/* ---- Growing ---- */

void sealed_index_clean(struct sealed_index *index)
{
    drop_all(index);
    memory_free(index->blocks);
    memory_free(index->entries);
    sealed_index_init(index, index->files, index->store);
}

enum hearth_error sealed_index_reserve(struct sealed_index *index, size_t count)
{
    size_t capacity = index->capacity ? index->capacity : 64;
    while (capacity - index->count < count)
        capacity *= 2;
    if (capacity == index->capacity)
        return HEARTH_OK;
    struct sealed_entry *grown = memory_resize(index->entries, capacity * sizeof *grown);
    if (!grown)
        return HEARTH_NO_MEMORY;
    index->entries = grown;
    index->capacity = capacity;
    return HEARTH_OK;
}

static int compare_entries(const void *left, const void *right)
{
    const struct sealed_file *a = &((const struct sealed_entry *)left)->file,
                             *b = &((const struct sealed_entry *)right)->file;
    if (a->day != b->day)
        return a->day < b->day ? -1 : 1;
    return (a->sequence > b->sequence) - (a->sequence < b->sequence);
}

void sealed_index_add(struct sealed_index *index, const struct sealed_file *file)
{
    index->entries[index->count++] = (struct sealed_entry){.file = *file};
    index->readings += file->records;
    index->suspects += file->day == SEALED_SUSPECT_DAY;
}

static bool is_sorted(const struct sealed_index *index)
{
    for (size_t i = 1; i < index->count; i++)
        if (compare_entries(&index->entries[i - 1], &index->entries[i]) > 0)
            return false;
    return true;
}

void sealed_index_settle(struct sealed_index *index)
{
    if (!is_sorted(index))
        qsort(index->entries, index->count, sizeof *index->entries, compare_entries);
    index->day = INT64_MIN;
    index->quiet_from_ms = index->quiet_to_ms = 0;
}

bool sealed_index_has(const struct sealed_index *index, uint64_t sequence)
{
    for (size_t i = 0; i < index->count; i++)
        if (index->entries[i].file.sequence == sequence)
            return true;
    return false;
}

bool sealed_index_lists(const struct sealed_index *index, const struct sealed_file *file)
{
    const struct sealed_entry wanted = {.file = *file};
    return index->count > 0 && bsearch(&wanted, index->entries, index->count,
                                       sizeof *index->entries, compare_entries) != NULL;
}
