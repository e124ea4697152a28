/*
 * ingest_line_protocol.c - readings as InfluxDB line protocol.
 *
 *   Ambientweather-F007TH,id=107,channel=1,mic=CRC battery_ok=1,temperature_F=74.4,humidity=35 NS
 *
 * or a metric a line, as f007th-send and others have it:
 *
 *   temperature,type=F007TH,channel=1,rolling_code=107 value=74.4 NS
 *   humidity,type=F007TH,channel=1,rolling_code=107 value=35 NS
 *   sensor_battery_status,type=F007TH,channel=1,rolling_code=107 value=true NS
 *
 * Tags and fields mean what reading_fields.h says, whichever of both they are; of two of one name
 * the last counts. A field `value` has the name of the measurement; otherwise that means nothing.
 *
 * Each line is a part of a reading. Parts of one transmitter and one time are put together within
 * one body, wherever they stand in it: a part joins the first of the last MERGE_STEPS readings that
 * it does not contradict, else it begins another, so that two readings of one moment stay two. A
 * part that adds nothing is a repetition (a radio sends everything three times). Temperatures in
 * both scales do not contradict each other: the one in degrees F stays.
 *
 * Every line stands for itself. One that is no line protocol, has a value that a reading cannot
 * have, or in the end neither temperature nor humidity, is rejected; the others are stored.
 */
#include "handlers/sensor/ingest/ingest_batch.h"

#include "app/core/memory.h"
#include "handlers/sensor/record/record.h"
#include "hearth/limits.h"

#include <string.h>

enum {
    MERGE_STEPS = 32,   /* readings of a bucket that are looked at */
    SHORTEST_LINE = 24, /* bytes of a line that is part of a reading, at the very least */
};
#define NO_PARTIAL UINT32_MAX

/* A line, as a part of the body. */
struct span {
    uint32_t at, length;
};

/* A reading as far as it is put together; small, since there is one a line. */
struct partial {
    struct record record;
    uint32_t has;      /* enum reading_has */
    struct span line;  /* the first that said something of it */
    uint32_t previous; /* of its bucket */
};

/* A line with neither temperature nor humidity, until it is known whether others bring them. */
struct lean_line {
    struct span line;
    uint32_t partial;
};

struct merge {
    struct ingest_batch *batch;
    struct view body;
    enum line_precision precision;
    struct buffer partials; /* struct partial, in the order of their first lines */
    struct buffer lean;     /* struct lean_line */
    uint32_t *buckets;      /* index of the newest partial */
    size_t bucket_count;    /* a power of 2 */
};

static const unsigned has_measured = HAS_TEMPERATURE | HAS_HUMIDITY;

static struct partial *partial_at(const struct merge *merge, uint32_t index)
{
    return (struct partial *)(void *)merge->partials.data + index;
}

static size_t partial_count(const struct merge *merge)
{
    return merge->partials.length / sizeof(struct partial);
}

static struct span span_of(const struct merge *merge, struct view line)
{
    return (struct span){(uint32_t)(line.data - merge->body.data), (uint32_t)line.length};
}

static struct view line_of(const struct merge *merge, struct span line)
{
    return view_slice(merge->body, line.at, line.length);
}

/* ---- A line's fields ---- */

static struct reading_value value_of(const struct line_item *item)
{
    static const enum value_kind kinds[] = {
        [LINE_TAG] = VALUE_UNTYPED, [LINE_FLOAT] = VALUE_NUMBER, [LINE_INTEGER] = VALUE_NUMBER,
        [LINE_STRING] = VALUE_TEXT, [LINE_TRUE] = VALUE_TRUE,    [LINE_FALSE] = VALUE_FALSE,
    };
    return (struct reading_value){kinds[item->kind], item->value};
}

static void take_items(struct line_cursor *cursor, struct reading_fields *fields, uint64_t *ignored)
{
    struct line_item item;
    while (line_item_next(cursor, &item)) {
        bool is_value = item.kind != LINE_TAG && view_equal(item.key, VIEW("value"));
        enum reading_field field = reading_field_of(is_value ? cursor->measurement : item.key);
        if (field == FIELD_COUNT)
            ++*ignored;
        else
            fields->values[field] = value_of(&item);
    }
}

/* ---- Putting together ---- */

static bool same_key(const struct record *record, const struct reading *reading)
{
    return record_time_ms(record) == reading->time_ms &&
           record_channel(record) == reading->channel &&
           record_rolling_code(record) == reading->rolling_code &&
           record_time_quality(record) == reading->time_quality;
}

static struct reading_part part_of(const struct partial *partial)
{
    struct reading_part part = {.has = partial->has};
    if (record_decode(&partial->record, &part.reading))
        part.has = 0; /* cannot be: it was encoded here */
    return part;
}

static bool contradicts(const struct reading_part *a, const struct reading_part *b)
{
    unsigned both = a->has & b->has;
    return (both & HAS_TEMPERATURE && a->reading.scale == b->reading.scale &&
            a->reading.raw != b->reading.raw) ||
           (both & HAS_HUMIDITY && a->reading.humidity != b->reading.humidity) ||
           (both & HAS_BATTERY && a->reading.battery_low != b->reading.battery_low) ||
           (both & HAS_SIGNAL && a->reading.signal != b->reading.signal) ||
           (both & HAS_RELAY && a->reading.relay != b->reading.relay) ||
           (both & HAS_OCCUPIED && a->reading.occupied != b->reading.occupied);
}

/* Of what contradicts nothing. */
static bool adds_something(const struct reading_part *whole, const struct reading_part *part)
{
    bool is_better = part->has & HAS_TEMPERATURE && part->reading.scale == SCALE_TENTHS_F &&
                     whole->reading.scale == SCALE_TENTHS_C;
    return is_better || (part->has & ~whole->has) != 0;
}

/* `part` contradicts nothing in `whole`. */
static void join(struct reading_part *whole, const struct reading_part *part)
{
    struct reading *to = &whole->reading;
    const struct reading *from = &part->reading;
    bool has_better = whole->has & HAS_TEMPERATURE && to->scale == SCALE_TENTHS_F;
    if (part->has & HAS_TEMPERATURE && !has_better) {
        to->scale = from->scale;
        to->raw = from->raw;
    }
    if (part->has & HAS_HUMIDITY)
        to->humidity = from->humidity;
    if (part->has & HAS_SIGNAL)
        to->signal = from->signal;
    to->battery_low |= from->battery_low;
    to->relay |= from->relay;
    to->occupied |= from->occupied;
    whole->has |= part->has;
}

static uint32_t *bucket_of(const struct merge *merge, const struct reading *reading)
{
    uint64_t key = (uint64_t)reading->time_ms << 12 | (uint64_t)(reading->channel - 1) << 8 |
                   (uint64_t)reading->rolling_code;
    key *= UINT64_C(0x9E3779B97F4A7C15);
    return &merge->buckets[(key ^ key >> 32) & (merge->bucket_count - 1)];
}

/* The oldest of the last few that the part may join, or NO_PARTIAL. */
static uint32_t find_place(const struct merge *merge, uint32_t newest,
                           const struct reading_part *part)
{
    uint32_t found = NO_PARTIAL, at = newest;
    for (int step = 0; at != NO_PARTIAL && step < MERGE_STEPS; step++) {
        const struct partial *partial = partial_at(merge, at);
        if (same_key(&partial->record, &part->reading)) {
            const struct reading_part whole = part_of(partial);
            found = contradicts(&whole, part) ? found : at;
        }
        at = partial->previous;
    }
    return found;
}

static enum hearth_error begin_partial(struct merge *merge, const struct reading_part *part,
                                       struct view line, uint32_t *place)
{
    uint32_t *bucket = bucket_of(merge, &part->reading);
    struct partial partial = {.has = part->has, .line = span_of(merge, line), .previous = *bucket};
    enum record_reject reject = record_encode(&part->reading, &partial.record);
    if (reject)
        return ingest_batch_reject(merge->batch, reject, line);
    *place = (uint32_t)partial_count(merge);
    *bucket = *place;
    return buffer_append(&merge->partials, view_from((const char *)&partial, sizeof partial));
}

/* `*added`: it said something new. */
static enum hearth_error join_partial(const struct merge *merge, uint32_t place,
                                      const struct reading_part *part, bool *added)
{
    struct partial *partial = partial_at(merge, place);
    struct reading_part whole = part_of(partial);
    *added = adds_something(&whole, part);
    if (!*added) {
        merge->batch->repeated++;
        return HEARTH_OK;
    }
    join(&whole, part);
    partial->has = whole.has;
    return record_encode(&whole.reading, &partial->record) ? HEARTH_INTERNAL : HEARTH_OK;
}

static enum hearth_error add_part(struct merge *merge, const struct reading_part *part,
                                  struct view line)
{
    bool added = true;
    uint32_t place = find_place(merge, *bucket_of(merge, &part->reading), part);
    ingest_batch_part(merge->batch);
    enum hearth_error error = place == NO_PARTIAL ? begin_partial(merge, part, line, &place)
                                                  : join_partial(merge, place, part, &added);
    if (error || !added || place == NO_PARTIAL || part->has & has_measured)
        return error;
    const struct lean_line lean = {span_of(merge, line), place};
    return buffer_append(&merge->lean, view_from((const char *)&lean, sizeof lean));
}

/* ---- Lines ---- */

static enum hearth_error add_line(struct merge *merge, struct view line)
{
    struct ingest_batch *batch = merge->batch;
    struct error_record *error = batch->options.error;
    struct reading_fields fields = {.has_time_ms = false};
    struct reading_part part;
    struct line_cursor cursor;
    if (line.length > LIMIT_READING_BYTES)
        return ingest_batch_reject(batch, REJECT_TOO_LARGE, line);
    if (!line_begin(line, &cursor))
        return ingest_batch_reject(batch, REJECT_NOT_LINE_PROTOCOL, line);
    fields.has_time_ms = cursor.timestamp.data &&
                         line_time_parse(cursor.timestamp, merge->precision, &fields.time_ms);
    if (cursor.timestamp.data && !fields.has_time_ms)
        return ingest_batch_reject(batch, REJECT_TIME_RANGE, line);
    take_items(&cursor, &fields, &batch->ignored);
    enum record_reject reject =
        reading_part_from_fields(&fields, &batch->options.reading, &part, &batch->ignored, error);
    if (reject && error->code)
        return error->code == HEARTH_NO_MEMORY ? HEARTH_NO_MEMORY : HEARTH_UNAVAILABLE;
    if (!reject && part.has == 0)
        reject = REJECT_MISSING_MEMBER;
    return reject ? ingest_batch_reject(batch, reject, line) : add_part(merge, &part, line);
}

static enum hearth_error add_lines(struct merge *merge, struct view body)
{
    struct view line;
    enum hearth_error error = HEARTH_OK;
    while (!error && line_next(&body, &line))
        error = add_line(merge, line);
    return error;
}

/* ---- What became of them ---- */

/* Is there nothing but the end of a line between the two? */
static bool is_next(struct span line, struct span other)
{
    return other.at - (line.at + line.length) <= sizeof "\r\n" - 1;
}

static enum hearth_error reject_lean_lines(const struct merge *merge)
{
    const struct lean_line *lean = (const void *)merge->lean.data;
    size_t count = merge->lean.length / sizeof *lean;
    enum hearth_error error = HEARTH_OK;
    bool rejected = false;
    for (size_t i = 0; !error && i < count; i++) {
        if (!rejected || !is_next(lean[i - 1].line, lean[i].line))
            ingest_batch_part(merge->batch);
        rejected = (partial_at(merge, lean[i].partial)->has & has_measured) == 0;
        if (rejected)
            error = ingest_batch_reject(merge->batch, REJECT_MISSING_MEMBER,
                                        line_of(merge, lean[i].line));
    }
    return error;
}

static enum hearth_error take_partials(const struct merge *merge)
{
    enum hearth_error error = HEARTH_OK;
    size_t count = partial_count(merge);
    for (uint32_t i = 0; !error && i < count; i++) {
        const struct partial *partial = partial_at(merge, i);
        struct reading_part part = part_of(partial);
        if (part.has & has_measured)
            error =
                ingest_batch_reading(merge->batch, &part.reading, line_of(merge, partial->line));
    }
    return error;
}

static enum hearth_error merge_init(struct merge *merge, struct view body)
{
    size_t most = body.length / SHORTEST_LINE + 1;
    buffer_init(&merge->partials, most * sizeof(struct partial));
    buffer_init(&merge->lean, most * sizeof(struct lean_line));
    merge->bucket_count = 16;
    while (merge->bucket_count < most / 4)
        merge->bucket_count *= 2;
    merge->buckets = memory_new(merge->bucket_count * sizeof *merge->buckets);
    if (!merge->buckets)
        return HEARTH_NO_MEMORY;
    memset(merge->buckets, 0xff, merge->bucket_count * sizeof *merge->buckets);
    return HEARTH_OK;
}

enum hearth_error ingest_line_protocol(struct ingest_batch *batch, struct view body,
                                       enum line_precision precision)
{
    struct merge merge = {.batch = batch, .body = body, .precision = precision};
    enum hearth_error error = merge_init(&merge, body);
    if (!error)
        error = add_lines(&merge, body);
    if (!error)
        error = reject_lean_lines(&merge);
    if (!error)
        error = take_partials(&merge);
    memory_free(merge.buckets);
    buffer_clean(&merge.lean);
    buffer_clean(&merge.partials);
    return error;
}
