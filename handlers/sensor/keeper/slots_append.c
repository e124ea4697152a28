/*
 * slots_append.c - an append of any size, through slots of a fixed one.
 *
 * Each round claims a slot (waiting for it) and, while there is more than fits, further ones (as
 * they are free), fills and submits them all, rings once, and waits for each. So a large batch
 * costs a sync for every 5,440 readings and never keeps others from a slot for longer than a
 * commit.
 */
#include "handlers/sensor/keeper/slots_append.h"

#include "handlers/sensor/keeper/slot_text.h"

#include <string.h>
#include <sys/random.h>

enum { ROUND_SLOTS = 16 };

/* What is left of an append. */
struct cursor {
    const struct slots_append *append;
    size_t record;        /* the next one */
    size_t rejected;      /* the next one */
    size_t piece_at;      /* of its text */
    unsigned part, parts; /* of its text; parts 0 = not begun */
    uint64_t id;
};

static bool is_empty(const struct cursor *cursor)
{
    return cursor->record == cursor->append->count &&
           cursor->rejected == cursor->append->rejected_count;
}

static void fill_records(struct cursor *cursor, struct slot_body *body)
{
    size_t count = cursor->append->count - cursor->record;
    if (count > SLOT_RECORDS)
        count = SLOT_RECORDS;
    if (count > 0)
        memcpy(body->content, cursor->append->records + cursor->record, count * RECORD_BYTES);
    body->record_count = (uint32_t)count;
    cursor->record += count;
}

static void begin_text(struct cursor *cursor, struct view raw)
{
    cursor->piece_at = 0;
    cursor->part = 1;
    cursor->parts = (unsigned)slot_text_pieces(raw);
    cursor->id = 0;
    if (cursor->parts > 1 && getrandom(&cursor->id, sizeof cursor->id, 0) < 0)
        cursor->id = (uint64_t)(uintptr_t)raw.data;
}

/* The next piece of the current text; false when the body has no room for it. */
static bool fill_piece(struct cursor *cursor, struct slot_body *body)
{
    const struct rejected_reading *reading = &cursor->append->rejected[cursor->rejected];
    if (cursor->parts == 0)
        begin_text(cursor, reading->raw);
    size_t end = slot_text_piece_end(reading->raw, cursor->piece_at);
    const struct slot_piece piece = {
        .reading = reading,
        .at = cursor->piece_at,
        .length = end - cursor->piece_at,
        .part = cursor->part,
        .parts = cursor->parts,
        .id = cursor->id,
    };
    if (!slot_text_put(body, &piece))
        return false;
    cursor->piece_at = end;
    if (cursor->part++ == cursor->parts) {
        cursor->parts = 0;
        cursor->rejected++;
    }
    return true;
}

static void fill(struct cursor *cursor, struct slot_body *body)
{
    body->text_bytes = 0;
    fill_records(cursor, body);
    while (cursor->record == cursor->append->count &&
           cursor->rejected < cursor->append->rejected_count && fill_piece(cursor, body))
        ;
}

/* Waits for one slot of a round; the first failure of the append is what counts. */
static void collect(struct slots *slots, int slot, const struct clock *clock, int64_t deadline_ns,
                    struct append_result *sum, enum hearth_error *outcome,
                    struct error_record *error)
{
    struct slot_result result;
    enum hearth_error code = slots_wait(slots, slot, clock, deadline_ns, &result);
    int number = code == HEARTH_OK ? result.number : 0;
    if (code == HEARTH_OK)
        code = (enum hearth_error)result.error;
    if (code == HEARTH_OK)
        append_result_add(sum, &(struct append_result){result.accepted, result.duplicate,
                                                       result.quarantined, result.first_ms,
                                                       result.last_ms});
    else if (*outcome == HEARTH_OK)
        *outcome = error_set_internal(error, code, number, "the keeper: %s", error_name(code));
}

/* One round. */
static enum hearth_error run_round(struct slots *slots, int64_t pid, const struct clock *clock,
                                   struct cursor *cursor, int64_t deadline_ns,
                                   struct append_result *sum, struct error_record *error)
{
    int round[ROUND_SLOTS];
    size_t count = 0;
    int slot = slots_claim(slots, pid, clock, deadline_ns);
    if (slot == SLOT_NONE)
        return error_set_internal(error, HEARTH_DEADLINE, 0, "no free slot before the deadline");
    while (slot != SLOT_NONE) {
        fill(cursor, slots_body(slots, slot));
        slots_submit(slots, slot);
        round[count++] = slot;
        bool more = !is_empty(cursor) && count < ROUND_SLOTS;
        slot = more ? slots_try_claim(slots, pid) : SLOT_NONE;
    }
    slots_ring(slots);
    enum hearth_error outcome = HEARTH_OK;
    for (size_t i = 0; i < count; i++)
        collect(slots, round[i], clock, deadline_ns, sum, &outcome, error);
    return outcome;
}

enum hearth_error slots_append(struct slots *slots, int64_t pid, const struct clock *clock,
                               const struct slots_append *append, int64_t deadline_ns,
                               struct append_result *result, struct error_record *error)
{
    struct cursor cursor = {.append = append};
    enum hearth_error code = HEARTH_OK;
    *result = (struct append_result){.first_ms = -1, .last_ms = -1};
    while (code == HEARTH_OK && !is_empty(&cursor))
        code = run_round(slots, pid, clock, &cursor, deadline_ns, result, error);
    return code;
}
