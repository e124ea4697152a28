/*
 * query_parameters.h - what a request wants to know, out of the query of its address.
 *
 * Each query_take_* looks at one parameter; what is not there has its default, what is not allowed
 * is BAD_QUERY with a text that says what is, and parameters that nobody asks for are ignored.
 */
#ifndef HEARTH_SENSOR_QUERY_PARAMETERS_H
#define HEARTH_SENSOR_QUERY_PARAMETERS_H

#include "handlers/sensor/sensor.h"
#include "handlers/sensor/series/series_names.h"
#include "handlers/sensor/text/value_text.h"

enum { QUERY_POINTS_DEFAULT = 1000, QUERY_BUCKETS_MAX = 10000 };

enum query_function { QUERY_M4, QUERY_MEAN, QUERY_MIN, QUERY_MAX, QUERY_RAW };
enum query_bucket { BUCKET_POINTS, BUCKET_HOUR, BUCKET_DAY, BUCKET_WEEK, BUCKET_MONTH };

/* Which series are asked for. */
struct query_series {
    const struct series_names *names; /* as long as the request lives */
    size_t index_count;               /* of series there can be */
    bool *wanted;                     /* by index; NULL = all */
    bool named;                       /* `series` named them: they are shown also when empty */
};

struct query_parameters {
    struct sensor_span span;
    enum query_function function;
    enum query_bucket bucket;
    size_t points; /* with BUCKET_POINTS */
    struct query_series series;
    enum series_unit unit; /* SERIES_UNIT_DEFAULT = each series in its own */
    bool quantities[QUANTITY_COUNT];
    struct view zone_name;
    const struct time_zone *zone;
    bool with_suspect;
    bool rows;
    int64_t known_until_ms; /* now, or the end of the span when that comes first */
};

/* Everything that GET /api/v1/range takes. Errors: BAD_QUERY, NO_MEMORY. */
HEARTH_MUST_CHECK enum hearth_error query_parameters_take(const struct sensor *sensor,
                                                          const struct request *request,
                                                          const struct store_state *state,
                                                          struct query_parameters *parameters);
/* The same in words that are the same for the same question, for ETags; failure sticks to `out`. */
void query_parameters_normalise(const struct query_parameters *parameters, struct buffer *out);

/* ---- One by one ---- */

/* `from` and `to`, completed: up to the newest reading (`now` when there is none), and the seven
 * days before; cut to what a reading's time can be. */
HEARTH_MUST_CHECK enum hearth_error query_take_span(const struct sensor *sensor,
                                                    const struct request *request,
                                                    const struct store_state *state,
                                                    struct sensor_span *span);
/* `series` and `channel`, over the current names. Errors also: NO_MEMORY. */
HEARTH_MUST_CHECK enum hearth_error query_take_series(const struct sensor *sensor,
                                                      const struct request *request,
                                                      struct query_series *series);
HEARTH_MUST_CHECK enum hearth_error query_take_unit(const struct request *request,
                                                    enum series_unit *unit);
/* `tz`, or the station's. Errors also: NO_MEMORY. */
HEARTH_MUST_CHECK enum hearth_error query_take_zone(const struct sensor *sensor,
                                                    const struct request *request,
                                                    struct view *name,
                                                    const struct time_zone **zone);
/* `quality`: `good`, or `all`, which has suspects as well; `*with_suspect` comes in as the default.
 */
HEARTH_MUST_CHECK enum hearth_error query_take_quality(const struct request *request,
                                                       bool *with_suspect);
/* The value of a parameter; NULL data when it is not there. Given twice it is BAD_QUERY: one of the
 * two would be passed over. */
HEARTH_MUST_CHECK enum hearth_error query_take_value(const struct request *request,
                                                     const char *name, struct view *value);
/* A whole number; `*number` comes in as the default. */
HEARTH_MUST_CHECK enum hearth_error query_take_number(const struct request *request,
                                                      const char *name, int64_t least, int64_t most,
                                                      int64_t *number);

/* ---- Series ---- */

static inline bool query_wants(const struct query_series *series, uint32_t index)
{
    return !series->wanted || series->wanted[index];
}

/* In which unit to show a series' temperatures. */
enum value_unit query_unit(const struct query_series *series, uint32_t index,
                           enum series_unit asked);
/* Its ids where some are wanted, in order, each behind a comma. */
void query_series_normalise(const struct query_series *series, struct buffer *out);

#endif
