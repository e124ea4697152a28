/*
 * series_totals.h - of each transmitter: how many readings, the first time, the newest record.
 *
 * Made of records in any order, or of the totals of days. One thread; zeroed memory is empty.
 */
#ifndef HEARTH_SENSOR_SERIES_TOTALS_H
#define HEARTH_SENSOR_SERIES_TOTALS_H

#include "hearth/reading_store.h"

enum { SERIES_TOTAL_PLACES = 16 * 256 }; /* (channel - 1) * 256 + rolling code */

struct series_total {
    uint16_t place;
    uint64_t count;
    int64_t first_ms;
    struct record newest; /* by its bytes */
};

struct series_totals {
    uint16_t *places; /* index + 1 of the total; 0 = none; NULL while there are none */
    struct series_total *totals;
    size_t count, capacity;
};

void series_totals_clean(struct series_totals *totals);
/* Errors of all: NO_MEMORY. _copy: `to` is empty. */
HEARTH_MUST_CHECK enum hearth_error series_totals_copy(struct series_totals *to,
                                                       const struct series_totals *from);
HEARTH_MUST_CHECK enum hearth_error series_totals_add(struct series_totals *totals,
                                                      const struct record *records, size_t count);
HEARTH_MUST_CHECK enum hearth_error series_totals_join(struct series_totals *totals,
                                                       const struct series_total *more);
/* NULL when there are none. */
const struct series_total *series_totals_get(const struct series_totals *totals, size_t place);

#endif
