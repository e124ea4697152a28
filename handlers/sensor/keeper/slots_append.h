/*
 * slots_append.h - an append of any size, through slots of a fixed one.
 */
#ifndef HEARTH_SENSOR_SLOTS_APPEND_H
#define HEARTH_SENSOR_SLOTS_APPEND_H

#include "handlers/sensor/keeper/slots.h"

struct slots_append {
    const struct record *records;
    size_t count;
    const struct rejected_reading *rejected;
    size_t rejected_count;
};

/* reading_store.append over slots, in rounds of as many slots as are free, up to 16; the result is
 * summed over those acknowledged, also when an error comes back. `pid` is this process's. */
HEARTH_MUST_CHECK enum hearth_error slots_append(struct slots *slots, int64_t pid,
                                                 const struct clock *clock,
                                                 const struct slots_append *append,
                                                 int64_t deadline_ns, struct append_result *result,
                                                 struct error_record *error);

#endif
