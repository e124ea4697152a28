/*
 * query_inventory.h - which series there are, which transmitters they are made of, and how many
 * readings each gave.
 *
 * The store counts by transmitter (channel, rolling code). Nearly always one belongs to one series
 * and its count is taken over. Where a code came again as another series' the readings within each
 * window are counted through summaries; those that have neither temperature nor humidity are not
 * seen by that.
 */
#ifndef HEARTH_SENSOR_QUERY_INVENTORY_H
#define HEARTH_SENSOR_QUERY_INVENTORY_H

#include "handlers/sensor/query/query_parameters.h"

/* A transmitter while it was a series'. */
struct inventory_part {
    uint32_t series;
    int channel, rolling_code;
    bool windowed;          /* of a named series, from its window */
    int64_t from_ms, to_ms; /* the window; 0 and INT64_MAX = open */
    int64_t first_ms, last_ms;
    uint64_t count; /* 0 = none, then first and last say nothing */
    bool split;     /* the transmitter was other series' as well */
    uint64_t split_counts[QUANTITY_COUNT];
};

struct inventory {
    struct inventory_part *parts; /* by series, then by from_ms */
    size_t count;
};

/* Every named series with all its windows, every other transmitter that has readings. From the
 * arena. Errors: those of the store, NO_MEMORY. */
HEARTH_MUST_CHECK enum hearth_error query_inventory_take(const struct sensor *sensor,
                                                         const struct request *request,
                                                         const struct query_series *series,
                                                         struct inventory *inventory);

#endif
