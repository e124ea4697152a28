/*
 * passed_over.c - the finished live files that could not be read. There are hardly ever any, so
 * they are a plain list.
 */
#include "handlers/sensor/sealed/passed_over.h"

#include "handlers/sensor/disk/live_memory.h"

void passed_over_clean(struct passed_over *passed)
{
    memory_free(passed->files);
    *passed = (struct passed_over){0};
}

static struct passed_file *find(const struct passed_over *passed, uint64_t sequence)
{
    for (size_t i = 0; i < passed->count; i++)
        if (passed->files[i].sequence == sequence)
            return &passed->files[i];
    return NULL;
}

enum hearth_error passed_over_add(struct passed_over *passed, uint64_t sequence,
                                  enum hearth_error reason, int64_t retry_ns)
{
    struct passed_file *file = find(passed, sequence);
    if (!file && passed->count == passed->capacity) {
        size_t capacity = passed->capacity ? passed->capacity * 2 : 8;
        struct passed_file *grown = memory_resize(passed->files, capacity * sizeof *grown);
        if (!grown)
            return HEARTH_NO_MEMORY;
        passed->files = grown;
        passed->capacity = capacity;
    }
    if (!file)
        file = &passed->files[passed->count++];
    *file = (struct passed_file){sequence, reason, retry_ns};
    return HEARTH_OK;
}

bool passed_over_remove(struct passed_over *passed, uint64_t sequence)
{
    struct passed_file *file = find(passed, sequence);
    if (!file)
        return false;
    *file = passed->files[--passed->count];
    return true;
}

enum hearth_error passed_over_reason(const struct passed_over *passed, uint64_t sequence)
{
    const struct passed_file *file = find(passed, sequence);
    return file ? file->reason : HEARTH_OK;
}

bool passed_over_is_due(const struct passed_over *passed, uint64_t sequence, int64_t now_ns)
{
    const struct passed_file *file = find(passed, sequence);
    return !file || now_ns >= file->retry_ns;
}
