/*
 * live_span.c - the bytes of the live files that a reader may read, at one moment.
 */
#include "handlers/sensor/live_span.h"

#include "handlers/sensor/live_memory.h"

#include <errno.h>
#include <fcntl.h>
#include <time.h>

enum { BLOCK_RECORDS = 4096, LIST_ATTEMPTS = 600, FIRST_PAUSE_NS = 50000, PAUSE_NS = 10000000 };

/* A rename takes as long as the disk takes; a keeper that died in the middle has a successor soon.
 */
static void pause_before(int attempt)
{
    long nanoseconds = attempt < 8 ? (long)FIRST_PAUSE_NS << attempt : PAUSE_NS;
    if (attempt > 0)
        nanosleep(&(struct timespec){.tv_nsec = nanoseconds}, NULL);
}

static struct live_span make_span(const struct live_name *name, const struct live_state *state)
{
    struct live_span span = {.name = *name, .bytes = LIVE_SPAN_TO_END, .from_ms = 1, .to_ms = 0};
    if (name->poisoned)
        span.bytes = (int64_t)name->trusted_bytes;
    else if (name->sequence == state->sequence)
        span.bytes = (int64_t)state->synced_bytes;
    return span;
}

static enum hearth_error make_spans(const struct live_names *names, struct live_spans *spans,
                                    struct error_record *error)
{
    spans->count = 0;
    spans->spans = memory_new_zero(names->count + 1, sizeof *spans->spans);
    if (!spans->spans)
        return error_set_internal(error, HEARTH_NO_MEMORY, 0, "no memory for the live files");
    for (size_t i = 0; i < names->count; i++) {
        const struct live_name *name = &names->names[i];
        /* A file the keeper has made and not yet published. */
        if (!name->poisoned && name->sequence > spans->state.sequence)
            continue;
        if (name->poisoned && name->trusted_bytes < RECORD_BYTES)
            continue;
        spans->spans[spans->count++] = make_span(name, &spans->state);
    }
    return HEARTH_OK;
}

enum hearth_error live_spans_list(struct file_operations *files, const char *store,
                                  const struct live_published *published, struct live_spans *spans,
                                  struct error_record *error)
{
    struct live_names names;
    struct live_state after;
    *spans = (struct live_spans){0};
    /* Files may come and be renamed while the directory is read: then it is read again. */
    for (int attempt = 0; attempt < LIST_ATTEMPTS; attempt++) {
        pause_before(attempt);
        if (!live_published_get(published, &spans->state))
            return error_set_internal(error, HEARTH_UNAVAILABLE, 0, "the store is not open yet");
        if (spans->state.file_generation % 2 != 0)
            continue;
        enum hearth_error code = live_directory_list(files, store, &names, error);
        if (code != HEARTH_OK)
            return code;
        bool same = live_published_get(published, &after) &&
                    after.file_generation == spans->state.file_generation;
        if (same) {
            spans->state = after;
            code = make_spans(&names, spans, error);
        }
        live_names_clean(&names);
        if (same)
            return code;
    }
    return error_set_internal(error, HEARTH_UNAVAILABLE, 0, "the live files do not come to rest");
}

void live_spans_clean(struct live_spans *spans)
{
    memory_free(spans->spans);
    *spans = (struct live_spans){0};
}

static enum hearth_error span_slots(struct file_operations *files, int file, const char *path,
                                    const struct live_span *span, uint64_t *slots,
                                    struct error_record *error)
{
    struct file_status status;
    enum hearth_error code = file_status_of(files, file, path, &status, error);
    if (code != HEARTH_OK)
        return code;
    uint64_t bytes = status.size_bytes;
    if (span->bytes != LIVE_SPAN_TO_END && (uint64_t)span->bytes < bytes)
        bytes = (uint64_t)span->bytes;
    *slots = bytes / RECORD_BYTES;
    return HEARTH_OK;
}

static enum hearth_error read_slots(struct file_operations *files, int file, const char *path,
                                    uint64_t first, uint64_t end, live_block_fn *visit,
                                    void *context, struct error_record *error)
{
    enum hearth_error code = HEARTH_OK;
    size_t capacity = end - first < BLOCK_RECORDS ? (size_t)(end - first) : BLOCK_RECORDS;
    struct record *block = memory_new(capacity * sizeof *block);
    if (!block)
        return error_set_internal(error, HEARTH_NO_MEMORY, 0, "no memory to read the live files");
    while (code == HEARTH_OK && first < end) {
        size_t count = end - first < capacity ? (size_t)(end - first) : capacity, got;
        code = file_read_all(files, file, path, block, count * sizeof *block, first * RECORD_BYTES,
                             &got, error);
        if (code == HEARTH_OK)
            code = visit(context, block, got / RECORD_BYTES);
        if (got < count * sizeof *block)
            break;
        first += count;
    }
    memory_free(block);
    return code;
}

enum hearth_error live_span_read(struct file_operations *files, const char *store,
                                 const struct live_span *span, uint64_t first, live_block_fn *visit,
                                 void *context, uint64_t *slots, struct error_record *error)
{
    char path[LIVE_PATH_BYTES];
    live_path(store, &span->name, path);
    int file = file_open(files, path, O_RDONLY, 0, error);
    if (file < 0)
        return error_from_errno(errno);
    enum hearth_error code = span_slots(files, file, path, span, slots, error);
    if (code == HEARTH_OK && first < *slots)
        code = read_slots(files, file, path, first, *slots, visit, context, error);
    file_close(files, file);
    return code;
}
