/*
 * digest.c - digests of readings: one more, or two that follow each other.
 *
 * Joining is the whole idea. Between two neighbours the earlier value holds until the later reading
 * or until it is stale; inside a digest that is summed up already, and between two digests the
 * neighbours are the last reading of one and the first of the other. So a join adds what lies
 * between them, and is the same as having added the readings one by one.
 */
#include "handlers/sensor/record/digest.h"

#include "handlers/sensor/record/record.h"

enum {
    FIFTIETHS_IN_TENTH_F = 5,
    FIFTIETHS_IN_TENTH_C = 9,
    FREEZING = 1600, /* 0 degC = 32 degF */
};

/* What lies between the last reading and the next one, which comes at `time_ms`. */
static void digest_hold(struct digest *digest, int64_t time_ms, int64_t limit_ms)
{
    int64_t gap_ms = time_ms - digest->last_ms;
    int64_t held_ms = gap_ms < limit_ms ? gap_ms : limit_ms;
    digest->integral += digest->last * held_ms;
    digest->covered_ms += held_ms;
    if (gap_ms > digest->gap_ms)
        digest->gap_ms = gap_ms;
}

void digest_add(struct digest *digest, int64_t time_ms, int32_t value, int64_t limit_ms)
{
    struct digest one = {.count = 1,
                         .first = value,
                         .last = value,
                         .min = value,
                         .max = value,
                         .first_ms = time_ms,
                         .last_ms = time_ms,
                         .min_ms = time_ms,
                         .max_ms = time_ms};
    digest_join(digest, &one, limit_ms);
}

void digest_join(struct digest *digest, const struct digest *next, int64_t limit_ms)
{
    if (next->count == 0)
        return;
    if (digest->count == 0) {
        *digest = *next;
        return;
    }
    digest_hold(digest, next->first_ms, limit_ms);
    digest->count += next->count;
    digest->last = next->last;
    digest->last_ms = next->last_ms;
    digest->integral += next->integral;
    digest->covered_ms += next->covered_ms;
    if (next->gap_ms > digest->gap_ms)
        digest->gap_ms = next->gap_ms;
    if (next->min < digest->min) {
        digest->min = next->min;
        digest->min_ms = next->min_ms;
    }
    if (next->max > digest->max) {
        digest->max = next->max;
        digest->max_ms = next->max_ms;
    }
}

static bool record_temperature(const struct record *record, int32_t *value)
{
    int32_t raw = (int32_t)((record_high(record) & 127) << 5 | record_low(record) >> 27);
    if (raw == RAW_ABSENT)
        return false;
    *value = record_high(record) >> 7 & 1 ? (raw - RAW_C_OFFSET) * FIFTIETHS_IN_TENTH_C + FREEZING
                                          : (raw - RAW_F_OFFSET) * FIFTIETHS_IN_TENTH_F;
    return true;
}

bool record_quantity(const struct record *record, enum quantity quantity, int32_t *value)
{
    if (quantity == QUANTITY_TEMPERATURE)
        return record_temperature(record, value);
    uint32_t humidity = record_low(record) >> 20 & 127;
    *value = (int32_t)humidity;
    return humidity != HUMIDITY_ABSENT;
}
