/*
 * snapshot_tail.c - what arrived, in the order of arrival: the slots of the live files, one file
 * after the other.
 *
 * The cursor is a file's number and a slot in it. Behind the last slot of a finished file it goes
 * on to the next file, so that it stays good when the finished one is sealed. A file that is sealed
 * may have got readings behind the cursor before, so a cursor into it is reset.
 */
#include "handlers/sensor/snapshot/snapshot_parts.h"

#include "handlers/sensor/disk/live_memory.h"

#include "handlers/sensor/record/record.h"

enum { ATTEMPTS = 10 };

struct tailing {
    struct record *records;
    size_t count, capacity;
    uint64_t slot; /* behind the last one taken */
    bool full;
};

static enum hearth_error take_slots(void *context, const struct record *slots, size_t count)
{
    struct tailing *tailing = context;
    for (size_t i = 0; i < count; i++) {
        if (record_check(&slots[i]) == REJECT_NONE) {
            tailing->full = tailing->count == tailing->capacity;
            if (tailing->full)
                return HEARTH_CONFLICT; /* enough; nobody sees this */
            tailing->records[tailing->count++] = slots[i];
        }
        tailing->slot++;
    }
    return HEARTH_OK;
}

/* The list of live files that are not sealed, for the call. */
static enum hearth_error copy_spans(struct snapshots *snapshots, bool again,
                                    struct live_spans *spans, struct error_record *error)
{
    *spans = (struct live_spans){0};
    pthread_mutex_lock(&snapshots->lock);
    enum hearth_error code = snapshots_refresh(snapshots, again, error);
    const struct live_spans *all = &snapshots->spans;
    if (code == HEARTH_OK)
        spans->spans = memory_new((all->count + 1) * sizeof *spans->spans);
    if (code == HEARTH_OK && !spans->spans)
        code = error_set_internal(error, HEARTH_NO_MEMORY, 0, "no memory for the live files");
    for (size_t i = 0; spans->spans && i < all->count; i++)
        if (!catalogue_has_live(snapshots->catalogue, all->spans[i].name.sequence))
            spans->spans[spans->count++] = all->spans[i];
    spans->state = snapshots->seen;
    pthread_mutex_unlock(&snapshots->lock);
    return code;
}

/* ---- The cursor ---- */

/* All of what is known of them was read by the refresh: `taken` is where they end. */
static size_t find_span(const struct live_spans *spans, const struct tail_cursor *cursor)
{
    for (size_t i = 0; i < spans->count; i++)
        if (spans->spans[i].name.sequence == cursor->sequence &&
            cursor->slot <= spans->spans[i].taken)
            return i;
    return SIZE_MAX;
}

/* The place of the next reading to come: in the file written to, or at the start of the next. */
static struct tail_cursor end_of(const struct live_spans *spans)
{
    struct tail_cursor end = {.sequence = spans->state.sequence};
    if (spans->count == 0)
        return end;
    const struct live_span *last = &spans->spans[spans->count - 1];
    if (!last->finished && last->name.sequence == end.sequence)
        end.slot = last->taken;
    else if (last->name.sequence >= end.sequence)
        end.sequence = last->name.sequence + 1;
    return end;
}

/* From the cursor on; the end that was reached stands in the cursor. */
static enum hearth_error read_on(struct snapshots *snapshots, const struct live_spans *spans,
                                 size_t at, struct tail_cursor *cursor, struct tailing *tailing,
                                 struct error_record *error)
{
    for (; at < spans->count; at++) {
        const struct live_span *span = &spans->spans[at];
        uint64_t slots;
        tailing->slot = cursor->sequence == span->name.sequence ? cursor->slot : 0;
        cursor->sequence = span->name.sequence;
        enum hearth_error code = HEARTH_OK;
        if (tailing->slot < span->taken)
            code = live_span_read(snapshots->files, snapshots->store, span, tailing->slot,
                                  take_slots, tailing, &slots, error);
        cursor->slot = tailing->slot;
        if (tailing->full)
            return HEARTH_OK;
        if (code != HEARTH_OK)
            return code;
    }
    return HEARTH_OK;
}

static bool is_start(const struct tail_cursor *cursor)
{
    return cursor->sequence == 0 && cursor->slot == 0;
}

/* One that stands at the start of a file that is not there yet, or at the very end. */
static bool is_end(const struct live_spans *spans, const struct tail_cursor *cursor)
{
    const struct tail_cursor end = end_of(spans);
    return cursor->sequence == end.sequence && cursor->slot == end.slot;
}

static enum hearth_error tail_of(struct snapshots *snapshots, const struct live_spans *spans,
                                 struct tail_cursor *cursor, struct tailing *tailing,
                                 struct tail_result *result, struct error_record *error)
{
    *result = (struct tail_result){0};
    size_t at = is_start(cursor) ? 0 : find_span(spans, cursor);
    if (at == SIZE_MAX && !is_end(spans, cursor)) {
        *cursor = end_of(spans);
        result->reset = true;
        return HEARTH_OK;
    }
    struct tail_cursor reached = *cursor;
    enum hearth_error code =
        at == SIZE_MAX ? HEARTH_OK : read_on(snapshots, spans, at, &reached, tailing, error);
    if (code != HEARTH_OK)
        return code;
    *cursor = tailing->full ? reached : end_of(spans);
    result->more = tailing->full;
    result->count = tailing->count;
    return HEARTH_OK;
}

enum hearth_error snapshots_tail(struct snapshots *snapshots, struct tail_cursor *cursor,
                                 struct record *records, size_t capacity,
                                 struct tail_result *result, struct error_record *error)
{
    enum hearth_error code = HEARTH_NOT_FOUND;
    for (int attempt = 0; attempt < ATTEMPTS && code == HEARTH_NOT_FOUND; attempt++) {
        struct tailing tailing = {.records = records, .capacity = capacity};
        struct live_spans spans;
        code = copy_spans(snapshots, attempt > 0, &spans, error);
        if (code == HEARTH_OK)
            code = tail_of(snapshots, &spans, cursor, &tailing, result, error);
        live_spans_clean(&spans);
    }
    if (code != HEARTH_NOT_FOUND)
        return code;
    return error_set_internal(error, HEARTH_UNAVAILABLE, 0,
                              "the readings in %s were removed or moved", snapshots->store);
}
