/*
 * query_columns.h - the answer to a range query while it comes in: what each series has in each
 * bucket, or, for `raw`, its readings.
 *
 * The store gives bucket after bucket with all series in it, the answer wants series after series;
 * so what has come is kept, as numbers of the unit-less kind (digest.h), 48 bytes for each series
 * and quantity in a bucket that is not empty and 24 bytes for each raw reading.
 *
 * Bounds keep an answer finite: QUERY_CELLS_MAX on buckets x series x quantities, which all are
 * written, empty or not; QUERY_VALUES_MAX on those that are not empty, which all are kept; and
 * QUERY_READINGS_MAX on raw readings.
 */
#ifndef HEARTH_SENSOR_QUERY_COLUMNS_H
#define HEARTH_SENSOR_QUERY_COLUMNS_H

#include "handlers/sensor/aggregate/aggregate.h"
#include "handlers/sensor/live/cell_pool.h"
#include "handlers/sensor/query/query_parameters.h"

enum { QUERY_CELLS_MAX = 1000000, QUERY_VALUES_MAX = 300000, QUERY_READINGS_MAX = 250000 };

enum cell_value { CELL_FIRST, CELL_LAST, CELL_MIN, CELL_MAX, CELL_VALUES };

/* A series and quantity in a bucket. */
struct query_cell {
    uint32_t next; /* of the same series and quantity; 0 = none */
    uint16_t bucket;
    uint16_t track; /* series' place in `series` * QUANTITY_COUNT + quantity */
    union {
        struct {
            int16_t value[CELL_VALUES];
            int64_t after_ms[CELL_VALUES]; /* the bucket's start */
        };
        struct {
            int32_t mean_thousandths; /* in the series' unit */
            int32_t coverage_thousandths;
        };
    };
};

enum { QUERY_ABSENT = INT16_MIN };

/* A raw reading that has one of the quantities wanted. */
struct query_reading {
    int64_t time_ms;
    uint32_t next;                  /* of the same series; 0 = none */
    uint16_t series;                /* place in `series` */
    int16_t values[QUANTITY_COUNT]; /* QUERY_ABSENT = absent, or not wanted */
};

struct query_column {
    uint32_t first, last; /* of its cells; 0 = none. Of readings: with the quantity 0 */
};

struct query_one_series {
    uint32_t index;
    enum value_unit unit; /* of its temperatures */
    struct query_column columns[QUANTITY_COUNT];
};

struct query_columns {
    const struct request *request;
    const struct query_parameters *parameters;
    const int64_t *edges_ms;
    size_t bucket_count;
    struct query_one_series *series; /* in the order in which they came; see query_columns_sorted */
    size_t series_count, series_capacity;
    uint16_t *places; /* by index: place in `series` + 1 */
    struct cell_pool cells;
};

/* Series that were asked for by name are there from the start. Errors: BAD_QUERY (they are too
 * many for the buckets), NO_MEMORY; clean it either way. */
HEARTH_MUST_CHECK enum hearth_error query_columns_init(struct query_columns *columns,
                                                       const struct request *request,
                                                       const struct query_parameters *parameters,
                                                       const int64_t *edges_ms,
                                                       size_t bucket_count);
void query_columns_clean(struct query_columns *columns);

/* Both take the columns as context. Errors: BAD_QUERY (too much), NO_MEMORY; CORRUPT. */
bucket_visit_fn query_columns_bucket;
range_visit_fn query_columns_raw;

/* The places in `series` in the order of their indexes; NULL when memory ran out. */
const uint16_t *query_columns_sorted(const struct query_columns *columns);

static inline const struct query_cell *query_cell_get(const struct query_columns *columns,
                                                      uint32_t number)
{
    return number ? cell_pool_get(&columns->cells, number) : NULL;
}

static inline const struct query_reading *query_reading_get(const struct query_columns *columns,
                                                            uint32_t number)
{
    return number ? cell_pool_get(&columns->cells, number) : NULL;
}

#endif
