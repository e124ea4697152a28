/*
 * digest.h - what a run of readings of one series says about one quantity, and how two runs join.
 *
 * A digest is taken of readings in ascending order of their record bytes. Digests of runs that
 * follow each other join to the digest of both, exactly, in integers: whether records are added one
 * by one or in blocks makes no difference. That is what block summaries are made of (summary.h) and
 * what every bucket of a query is (aggregate.h).
 *
 * Values. Temperature is in fiftieths of a degree Fahrenheit, in which both of the radio's scales
 * are whole numbers: tenths of degF count 5 each, tenths of degC count 9 each, 0 degC is 1600.
 * Humidity is in percent.
 *
 * Transmitters send only changes, so a value holds from its reading to the next one of its series
 * ("hold last"), but at most for the series' staleness limit; beyond that there is no data. The
 * integral is the sum of value times milliseconds held, covered_ms the milliseconds held; both only
 * between the first and the last reading of the run. Mean = integral / covered_ms.
 */
#ifndef HEARTH_SENSOR_DIGEST_H
#define HEARTH_SENSOR_DIGEST_H

#include "hearth/reading_store.h"

struct digest {
    uint64_t count; /* readings that have the quantity; 0 = none, and all below is 0 */
    int32_t first, last, min, max;
    int64_t first_ms, last_ms;
    int64_t min_ms, max_ms; /* the first time that value came */
    int64_t integral, covered_ms;
    int64_t gap_ms; /* the longest time between two neighbours */
};

/* A reading behind all that were added: time_ms >= last_ms. */
void digest_add(struct digest *digest, int64_t time_ms, int32_t value, int64_t limit_ms);
/* `next` follows: next->first_ms >= digest->last_ms. Both were made with that limit, or have no gap
 * longer than the smaller of both limits. */
void digest_join(struct digest *digest, const struct digest *next, int64_t limit_ms);

/* The value of a record in the units above; false when it has none. The record is a good one. */
bool record_quantity(const struct record *record, enum quantity quantity, int32_t *value);

#endif
