/*
 * live_span.c - the bytes of the live files that a reader may read, at one moment.
 */
#include "handlers/sensor/live/live_span.h"

#include "handlers/sensor/disk/live_memory.h"

#include <errno.h>
#include <fcntl.h>
#include <time.h>

enum { BLOCK_RECORDS = 4096, NAP_NS = 1000000, NAPS = 3000 };

static struct live_span make_span(const struct live_name *name, const struct live_state *state)
{
    struct live_span span = {.name = *name, .bytes = LIVE_SPAN_TO_END};
    if (name->poisoned)
        span.bytes = (int64_t)name->trusted_bytes;
    else if (name->sequence == state->sequence)
        span.bytes = (int64_t)state->synced_bytes;
    return span;
}

/* What the owner noted of a file. A finished one stays as it is, whatever its name becomes. */
static void keep_notes(struct live_span *span, const struct live_spans *old)
{
    for (size_t i = 0; i < old->count; i++)
        if (old->spans[i].name.sequence == span->name.sequence) {
            span->taken = old->spans[i].taken;
            span->finished = old->spans[i].finished;
        }
}

static enum hearth_error make_spans(const struct live_names *names, struct live_spans *spans,
                                    const struct live_state *state, struct error_record *error)
{
    struct live_spans made = {.state = *state, .listed = state->file_generation, .is_listed = true};
    made.spans = memory_new_zero(names->count + 1, sizeof *made.spans);
    if (!made.spans)
        return error_set_internal(error, HEARTH_NO_MEMORY, 0, "no memory for the live files");
    for (size_t i = 0; i < names->count; i++) {
        const struct live_name *name = &names->names[i];
        /* A file the keeper has made and not yet published. */
        if (!name->poisoned && name->sequence > state->sequence)
            continue;
        if (name->poisoned && name->trusted_bytes < RECORD_BYTES)
            continue;
        made.spans[made.count] = make_span(name, state);
        keep_notes(&made.spans[made.count++], spans);
    }
    live_spans_clean(spans);
    *spans = made;
    return HEARTH_OK;
}

/* Does the list still name all files, but for their lengths? While they are being changed it does
 * as long as the file written to is in it. */
static bool serves(const struct live_spans *spans, const struct live_state *state,
                   struct live_span **current)
{
    *current = NULL;
    if (!spans->is_listed || !live_state_same_directory(&spans->state, state))
        return false;
    for (size_t i = 0; i < spans->count; i++)
        if (!spans->spans[i].name.poisoned && spans->spans[i].name.sequence == state->sequence)
            *current = &spans->spans[i];
    return state->file_generation == spans->listed ||
           (state->file_generation == spans->listed + 1 && *current);
}

/* Lists the names; false when they may have changed meanwhile. */
static bool list_again(struct live_spans *spans, struct file_operations *files, const char *store,
                       const struct live_published *published, uint64_t generation,
                       enum hearth_error *code, struct error_record *error)
{
    struct live_names names;
    struct live_state after;
    *code = live_directory_list(files, store, &names, error);
    if (*code != HEARTH_OK)
        return true;
    bool same = live_published_get(published, &after) && after.file_generation == generation;
    if (same)
        *code = make_spans(&names, spans, &after, error);
    live_names_clean(&names);
    return same;
}

enum hearth_error live_spans_refresh(struct live_spans *spans, struct file_operations *files,
                                     const char *store, const struct live_published *published,
                                     bool again, struct error_record *error)
{
    struct live_state state;
    struct live_span *current;
    enum hearth_error code;
    for (int nap = 0; nap < NAPS; nap++) {
        if (!live_published_get(published, &state))
            return error_set_internal(error, HEARTH_UNAVAILABLE, 0, "the store is not open yet");
        if (!again && serves(spans, &state, &current)) {
            spans->state = state;
            if (current)
                current->bytes = (int64_t)state.synced_bytes;
            return HEARTH_OK;
        }
        if (state.file_generation % 2 == 0 &&
            list_again(spans, files, store, published, state.file_generation, &code, error))
            return code;
        nanosleep(&(struct timespec){.tv_nsec = NAP_NS}, NULL);
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
