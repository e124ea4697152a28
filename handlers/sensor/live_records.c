/*
 * live_records.c - every slot of the live files under one number. Records are read with pread, a
 * block at a time: a mapping would end the keeper when a disk fails under it.
 */
#include "handlers/sensor/live_records.h"

#include "handlers/sensor/live_memory.h"

#include "handlers/sensor/identity.h"

#include <fcntl.h>
#include <string.h>

enum { BLOCK_RECORDS = 512 };

void live_records_init(struct live_records *records, struct file_operations *files,
                       const char *store)
{
    *records = (struct live_records){.files = files, .store = store, .file = -1};
}

static void close_file(struct live_records *records)
{
    file_close(records->files, records->file);
    records->file = -1;
}

void live_records_clean(struct live_records *records)
{
    close_file(records);
    memory_free(records->runs);
    memory_free(records->block);
    live_records_init(records, records->files, records->store);
}

enum hearth_error live_records_add(struct live_records *records, const struct live_name *name,
                                   uint64_t slots, struct error_record *error)
{
    if (slots > (uint64_t)IDENTITY_NUMBER_MAX - records->total)
        return error_set_internal(error, HEARTH_UNAVAILABLE, 0, "too many unsealed readings in %s",
                                  records->store);
    if (records->count == records->capacity) {
        size_t capacity = records->capacity ? records->capacity * 2 : 16;
        struct live_run *grown = memory_resize(records->runs, capacity * sizeof *grown);
        if (!grown)
            return error_set_internal(error, HEARTH_NO_MEMORY, 0, "no memory for the live files");
        records->runs = grown;
        records->capacity = capacity;
    }
    records->runs[records->count++] = (struct live_run){*name, records->total, (uint32_t)slots};
    records->total += (uint32_t)slots;
    return HEARTH_OK;
}

void live_records_resize_last(struct live_records *records, uint32_t slots)
{
    struct live_run *last = &records->runs[records->count - 1];
    records->total = last->first + slots;
    last->slots = slots;
    if (records->block_first + records->block_count > records->total)
        records->block_count = 0;
}

void live_records_rename_last(struct live_records *records, const struct live_name *name)
{
    records->runs[records->count - 1].name = *name;
    close_file(records);
}

void live_records_drop_last(struct live_records *records)
{
    records->count--;
    close_file(records);
}

/* The file that holds the number. */
static size_t find_run(const struct live_records *records, uint32_t number)
{
    size_t low = 0, high = records->count;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (records->runs[middle].first <= number)
            low = middle;
        else
            high = middle;
    }
    return low;
}

static bool open_run(struct live_records *records, size_t run)
{
    char path[LIVE_PATH_BYTES];
    if (records->file >= 0 && records->file_run == run)
        return true;
    close_file(records);
    live_path(records->store, &records->runs[run].name, path);
    records->file = file_open(records->files, path, O_RDONLY, 0, NULL);
    records->file_run = run;
    return records->file >= 0;
}

/* Reads the block from that number on, within its file. */
static bool read_block(struct live_records *records, uint32_t number)
{
    if (!records->block)
        records->block = memory_new(BLOCK_RECORDS * sizeof *records->block);
    size_t index = find_run(records, number), got;
    if (!records->block || !open_run(records, index))
        return false;
    const struct live_run *run = &records->runs[index];
    uint32_t slot = number - run->first, count = run->slots - slot;
    if (count > BLOCK_RECORDS)
        count = BLOCK_RECORDS;
    records->block_count = 0;
    if (file_read_all(records->files, records->file, "a live file", records->block,
                      count * sizeof *records->block, (uint64_t)slot * RECORD_BYTES, &got,
                      NULL) != HEARTH_OK)
        return false;
    records->block_first = number;
    records->block_count = (uint32_t)(got / RECORD_BYTES);
    return records->block_count > 0;
}

const struct record *live_records_at(void *context, uint32_t number)
{
    struct live_records *records = context;
    if (number >= records->total)
        return &records->batch[number - records->total];
    bool in_block =
        number >= records->block_first && number - records->block_first < records->block_count;
    if (!in_block && !read_block(records, number))
        return NULL;
    return &records->block[number - records->block_first];
}
