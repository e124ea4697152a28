/*
 * live_records.c - the live files that are there, and which readings stand in them. Records are
 * read with pread, a block at a time: a mapping would end the keeper when a disk fails under it.
 */
#include "handlers/sensor/live/live_records.h"

#include "handlers/sensor/disk/live_memory.h"

#include <fcntl.h>
#include <string.h>

enum { BLOCK_RECORDS = 512 };

void live_records_init(struct live_records *records, struct file_operations *files,
                       const char *store)
{
    *records = (struct live_records){.files = files, .store = store, .file = -1};
}

/* ---- Reading a record ---- */

static void close_file(struct live_records *records)
{
    file_close(records->files, records->file);
    records->file = -1;
    records->file_run = records->block_run = NULL;
}

static bool open_run(struct live_records *records, const struct live_run *run)
{
    char path[LIVE_PATH_BYTES];
    if (records->file >= 0 && records->file_run == run)
        return true;
    close_file(records);
    live_path(records->store, &run->name, path);
    records->file = file_open(records->files, path, O_RDONLY, 0, NULL);
    records->file_run = run;
    return records->file >= 0;
}

/* Reads the block from that slot on. */
static bool read_block(struct live_records *records, const struct live_run *run, uint32_t slot)
{
    size_t got;
    if (!records->block)
        records->block = memory_new(BLOCK_RECORDS * sizeof *records->block);
    if (!records->block || !open_run(records, run))
        return false;
    uint32_t count = run->slots - slot;
    if (count > BLOCK_RECORDS)
        count = BLOCK_RECORDS;
    records->block_run = NULL;
    if (file_read_all(records->files, records->file, "a live file", records->block,
                      count * sizeof *records->block, (uint64_t)slot * RECORD_BYTES, &got,
                      NULL) != HEARTH_OK)
        return false;
    records->block_run = run;
    records->block_first = slot;
    records->block_count = (uint32_t)(got / RECORD_BYTES);
    return records->block_count > 0;
}

/* Fits identity_record_fn. */
static const struct record *record_at(void *context, uint32_t slot)
{
    const struct live_run *run = context;
    struct live_records *records = run->records;
    bool in_block = records->block_run == run && slot >= records->block_first &&
                    slot - records->block_first < records->block_count;
    if (!in_block && !read_block(records, run, slot))
        return NULL;
    return &records->block[slot - records->block_first];
}

/* ---- Runs ---- */

static void free_run(struct live_records *records, struct live_run *run)
{
    records->slots -= run->slots;
    if (records->file_run == run || records->block_run == run)
        close_file(records);
    identity_clean(&run->identity);
    memory_free(run);
}

void live_records_clean(struct live_records *records)
{
    while (records->count > 0)
        live_records_drop_last(records);
    close_file(records);
    memory_free(records->runs);
    memory_free(records->block);
    live_records_init(records, records->files, records->store);
}

static bool make_room(struct live_records *records)
{
    if (records->count < records->capacity)
        return true;
    size_t capacity = records->capacity ? records->capacity * 2 : 16;
    struct live_run **grown = memory_resize(records->runs, capacity * sizeof(struct live_run *));
    if (!grown)
        return false;
    records->runs = grown;
    records->capacity = capacity;
    return true;
}

enum hearth_error live_records_add(struct live_records *records, const struct live_name *name,
                                   uint64_t slots, struct error_record *error)
{
    if (slots > IDENTITY_NUMBER_MAX)
        return error_set_internal(error, HEARTH_UNAVAILABLE, 0, "too many readings in a file of %s",
                                  records->store);
    struct live_run *run = make_room(records) ? memory_new_zero(1, sizeof *run) : NULL;
    if (!run)
        return error_set_internal(error, HEARTH_NO_MEMORY, 0, "no memory for the live files");
    run->records = records;
    run->name = *name;
    run->slots = (uint32_t)slots;
    identity_init(&run->identity, record_at, run);
    records->runs[records->count++] = run;
    records->slots += slots;
    return HEARTH_OK;
}

struct live_run *live_records_last(const struct live_records *records)
{
    return records->count > 0 ? records->runs[records->count - 1] : NULL;
}

void live_records_resize_last(struct live_records *records, uint32_t slots)
{
    struct live_run *last = live_records_last(records);
    records->slots = records->slots - last->slots + slots;
    if (slots < last->slots && records->block_run == last)
        records->block_run = NULL;
    last->slots = slots;
}

void live_records_rename_last(struct live_records *records, const struct live_name *name)
{
    live_records_last(records)->name = *name;
    close_file(records);
}

void live_records_drop_last(struct live_records *records)
{
    free_run(records, records->runs[--records->count]);
}

void live_records_drop(struct live_records *records, uint64_t sequence)
{
    size_t at = 0;
    while (at < records->count && records->runs[at]->name.sequence != sequence)
        at++;
    if (at == records->count)
        return;
    free_run(records, records->runs[at]);
    records->count--;
    memmove(records->runs + at, records->runs + at + 1,
            (records->count - at) * sizeof(struct live_run *));
}

/* ---- Asking ---- */

/* The newest first: what is sent again was mostly sent a moment ago. */
enum identity_answer live_records_find(const struct live_records *records,
                                       const struct record *record)
{
    enum identity_answer answer = IDENTITY_NEW;
    for (size_t i = records->count; i > 0 && answer == IDENTITY_NEW; i--)
        answer = identity_find(&records->runs[i - 1]->identity, record);
    return answer;
}

uint64_t live_records_readings(const struct live_records *records)
{
    uint64_t readings = 0;
    for (size_t i = 0; i < records->count; i++)
        readings += records->runs[i]->identity.used;
    return readings;
}

uint64_t live_records_twice(const struct live_records *records)
{
    uint64_t twice = 0;
    for (size_t i = 0; i < records->count; i++)
        twice += records->runs[i]->twice;
    return twice;
}
