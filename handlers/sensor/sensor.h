/*
 * sensor.h - the sensor module's state and its handlers, private to handlers/sensor.
 *
 * The state is made once per process and then only read; what changes lives in the store, in
 * atomics (metrics) or behind a lock of its own (time zones). Tests make one over a store of
 * theirs.
 */
#ifndef HEARTH_SENSOR_SENSOR_H
#define HEARTH_SENSOR_SENSOR_H

#include "handlers/sensor/text/time_zone.h"
#include "hearth/module.h"
#include "hearth/reading_store.h"

enum sensor_dialect { DIALECT_BINARY, DIALECT_JSON, DIALECT_INFLUX, DIALECT_COUNT };
const char *sensor_dialect_name(enum sensor_dialect dialect);

struct sensor_metrics {
    struct metric *accepted[DIALECT_COUNT], *duplicate[DIALECT_COUNT], *quarantined[DIALECT_COUNT];
    struct metric *rejected[REJECT_COUNT];
    struct metric *ignored_members;
};

struct series_book;

struct sensor {
    struct reading_store *store; /* owned */
    struct series_book *book;    /* owned; the current names of the series */
    struct auth *auth;
    const struct clock *clock;
    struct time_zones *zones;             /* owned */
    const struct time_zone *station_zone; /* of `zones` */
    const char *station_name;             /* of the configuration, as the next one */
    const char *station_zone_name;
    bool is_public;
    uint64_t max_body_bytes;
    int max_json_depth;
    int64_t commit_timeout_ms, future_tolerance_ms;
    int64_t stale_after_ms; /* of series that say nothing else */
    struct sensor_metrics metrics;
};

/* Takes `store` over, also on error. Errors: BAD_REQUEST (sensor.time_zone is not known here),
 * NO_MEMORY. */
HEARTH_MUST_CHECK enum hearth_error sensor_new(const struct services *services,
                                               struct reading_store *store, struct sensor **sensor,
                                               struct error_record *error);
void sensor_free(struct sensor *sensor); /* NULL is allowed */

extern const struct config_rows sensor_rows;
extern const struct route sensor_routes[];
extern const size_t sensor_route_count;

/* ---- Handlers; `state` is a struct sensor ---- */

handler_fn sensor_ingest;        /* PUT and POST /data */
handler_fn sensor_rows_get;      /* GET /data and /temp/data */
handler_fn sensor_range_get;     /* GET /api/v1/range */
handler_fn sensor_latest_get;    /* GET /api/v1/latest */
handler_fn sensor_series_get;    /* GET /api/v1/series */
handler_fn sensor_tail_get;      /* GET /api/v1/tail */
handler_fn sensor_export_get;    /* GET /api/v1/export: the form that Accept prefers */
handler_fn sensor_export_csv;    /* GET /api/v1/export.csv */
handler_fn sensor_export_ndjson; /* GET /api/v1/export.ndjson */
handler_fn sensor_export_bin;    /* GET /api/v1/export.bin */
handler_fn sensor_page;          /* GET /temp */

/* ---- Shared by the handlers that read ---- */

/* May this request read? `*with_private`: it may see relay and occupied, which takes scope
 * data:read. Without `sensor.public` that scope is needed to read at all. A token that is none is
 * refused only where it is needed. Adds Vary and Cache-Control. Errors: UNAUTHORIZED, FORBIDDEN,
 * UNAVAILABLE, those of the builder. */
HEARTH_MUST_CHECK enum hearth_error sensor_allow_reading(const struct sensor *sensor,
                                                         const struct request *request,
                                                         struct response *response,
                                                         bool *with_private);

struct sensor_span {
    int64_t from_ms, to_ms; /* from <= time < to */
    bool has_from, has_to;  /* were they asked for? */
};
/* `from` and `to` of the query; 0 and INT64_MAX when not there. Errors: BAD_QUERY (with what is
 * allowed). */
HEARTH_MUST_CHECK enum hearth_error sensor_query_span(const struct sensor *sensor,
                                                      const struct request *request,
                                                      struct sensor_span *span);

/* Asks for the state of the store; an error goes into the request's record. */
HEARTH_MUST_CHECK enum hearth_error
sensor_state(const struct sensor *sensor, const struct request *request, struct store_state *state);

#endif
