/*
 * record.h - what the store itself asks of a record, besides hearth/reading_store.h.
 */
#ifndef HEARTH_SENSOR_RECORD_H
#define HEARTH_SENSOR_RECORD_H

#include "hearth/reading_store.h"

#include <endian.h>
#include <string.h>

/* record_decode without taking the fields apart: REJECT_NONE, VERSION, CHECKSUM or HUMIDITY_RANGE.
 */
HEARTH_MUST_CHECK enum record_reject record_check(const struct record *record);
enum time_quality record_time_quality(const struct record *record);

/* The twelve bytes as two numbers: the first eight, the last four. */
static inline uint64_t record_high(const struct record *record)
{
    uint64_t high;
    memcpy(&high, record->bytes, sizeof high);
    return be64toh(high);
}

static inline uint32_t record_low(const struct record *record)
{
    uint32_t low;
    memcpy(&low, record->bytes + sizeof(uint64_t), sizeof low);
    return be32toh(low);
}

/* Sorts by bytes, which is by time; equal ones keep their order. Fast on what is nearly sorted.
 * Takes up to half of the records' bytes for the while. Errors: NO_MEMORY (the order is then
 * undefined, the records are all there). */
HEARTH_MUST_CHECK enum hearth_error record_sort(struct record *records, size_t count);
/* Of sorted records, keeps the first of those that are the same; gives back how many are left. */
size_t record_unique(struct record *records, size_t count);

#endif
