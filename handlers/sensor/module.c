/*
 * module.c - the sensor module: configuration rows, routes, and the life of its state.
 *
 * Readings come in through ingest.c and its dialects, lie in a reading store, and go out through
 * query_*.c, export*.c and page.c. In a pool, the keeper's hooks (keeper.h) write; everything
 * else here runs in workers.
 */
#include "app/core/config_validate.h"
#include "app/http/objects_open.h"
#include "handlers/sensor/embedded_store.h"
#include "handlers/sensor/ingest/influx.h"
#include "handlers/sensor/keeper/keeper.h"
#include "handlers/sensor/sensor.h"
#include "handlers/sensor/series/series_names.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Configuration ---- */

static bool validate_time_zone(struct view value, char *why, size_t why_size)
{
    struct time_zone *zone = time_zone_load(TIME_ZONE_DIRECTORY, value, NULL);
    if (!zone)
        snprintf(why, why_size, "is not a time zone in " TIME_ZONE_DIRECTORY);
    time_zone_free(zone);
    return zone != NULL;
}

static const struct config_row rows[] = {
    {.key = "sensor.directory",
     .restart = true,
     .type = CONFIG_STRING,
     .initial = "",
     .validate = config_validate_directory,
     .text = "Where readings are kept. Empty: the directory `sensor` in state.directory. One pool "
             "at a time uses it."},
    {.key = "sensor.public",
     .type = CONFIG_BOOLEAN,
     .initial = "true",
     .text = "May anyone read the readings? If not, reading takes a token with the scope "
             "data:read. Relay and occupied take that scope in any case."},
    {.key = "sensor.max_body_bytes",
     .type = CONFIG_INTEGER,
     .minimum = 1024,
     .maximum = 1 << 30,
     .initial = "8388608",
     .text =
         "The largest body of readings taken in one request; a larger one is answered with "
         "413. Of a packed body it holds for what it unpacks to, so that a small one cannot take "
         "more memory."},
    {.key = "sensor.max_json_depth",
     .type = CONFIG_INTEGER,
     .minimum = 3,
     .maximum = 128,
     .initial = "16",
     .text = "How deep a reading in JSON may be nested. A reading is flat; this bounds what "
             "unknown members may bring."},
    {.key = "sensor.station_name",
     .type = CONFIG_STRING,
     .maximum = 80,
     .initial = "Hearth",
     .text = "What the place of the sensors is called: the name on the dashboard."},
    {.key = "sensor.time_zone",
     .type = CONFIG_STRING,
     .maximum = 64,
     .initial = "UTC",
     .validate = validate_time_zone,
     .text = "The station's time zone (an IANA name, as America/Denver): what pages show. A "
             "sender's zone goes with its token."},
    {.key = "sensor.commit_timeout_ms",
     .type = CONFIG_INTEGER,
     .minimum = 100,
     .maximum = 600000,
     .initial = "10000",
     .text = "How long a request waits for its readings to be durable before it is answered with "
             "503."},
    {.key = "sensor.live_bytes",
     .type = CONFIG_INTEGER,
     .minimum = 1200,
     .maximum = 1 << 30,
     .initial = "8388608",
     .text = "A live file is finished above this size."},
    {.key = "sensor.future_tolerance_s",
     .type = CONFIG_INTEGER,
     .minimum = 0,
     .maximum = 31536000,
     .initial = "600",
     .text = "A reading further ahead of its receipt is suspect: it is stored and exported, but "
             "is no part of queries."},
    {.key = "sensor.stale_after_s",
     .type = CONFIG_INTEGER,
     .minimum = 1,
     .maximum = 31536000,
     .initial = "7200",
     .text = "How long a value holds when nothing new comes: transmitters send only changes. "
             "Beyond it there is no data. For series that `hearth series` gives no limit of their "
             "own."},
};
const struct config_rows sensor_rows = {rows, sizeof rows / sizeof rows[0]};

/* Each store takes what it does not know for damage, or for its own. */
static void check_directory(const struct config *config, struct config_problems *problems)
{
    char objects[PATH_MAX];
    const struct services services = {.config = config};
    struct live_store_options readings;
    struct error_record error;
    bool own = config_string(config, "sensor.directory")[0] != '\0';
    const char *key = own ? "sensor.directory" : "objects.directory";
    if (live_store_options_from(&services, &readings, &error) == HEARTH_OK &&
        objects_directory(config, objects, sizeof objects) &&
        config_same_directory(readings.directory, objects))
        config_problem_add(problems, config_origin(config, key), key,
                           "objects and readings would share one directory, %s", objects);
}

static void check(const struct config *config, struct config_problems *problems)
{
    check_directory(config, problems);
    int64_t own = config_integer(config, "sensor.max_body_bytes");
    int64_t all = config_integer(config, "http.max_body_bytes");
    const char *origin = config_origin(config, "sensor.max_body_bytes");
    if (own > all && strcmp(origin, "default") != 0)
        config_problem_add(problems, origin, "sensor.max_body_bytes",
                           "is %lld, more than http.max_body_bytes, which is %lld", (long long)own,
                           (long long)all);
}

/* ---- Routes ---- */

const struct route sensor_routes[] = {
    {"PUT", "/data", sensor_ingest, ROUTE_API, BULKHEAD_NONE},
    {"POST", "/data", sensor_ingest, ROUTE_API, BULKHEAD_NONE},
    {"POST", "/write", influx_write_v1, ROUTE_API, BULKHEAD_NONE},
    {"POST", "/api/v2/write", influx_write_v2, ROUTE_API, BULKHEAD_NONE},
    {"GET", "/ping", influx_ping, ROUTE_API, BULKHEAD_NONE},
    {"GET", "/query", influx_query, ROUTE_API, BULKHEAD_NONE},
    {"POST", "/query", influx_query, ROUTE_API, BULKHEAD_NONE},
    /* Of any size, at the client's pace. */
    {"GET", "/data", sensor_rows_get, ROUTE_API, BULKHEAD_BULK},
    {"GET", "/temp/data", sensor_rows_get, ROUTE_API, BULKHEAD_BULK},
    {"GET", "/api/v1/range", sensor_range_get, ROUTE_API, BULKHEAD_BULK},
    {"GET", "/api/v1/export", sensor_export_get, ROUTE_API, BULKHEAD_BULK},
    {"GET", "/api/v1/export.csv", sensor_export_csv, ROUTE_API, BULKHEAD_BULK},
    {"GET", "/api/v1/export.ndjson", sensor_export_ndjson, ROUTE_API, BULKHEAD_BULK},
    {"GET", "/api/v1/export.bin", sensor_export_bin, ROUTE_API, BULKHEAD_BULK},
    /* A row a series, at most 1,000 readings, a page. */
    {"GET", "/api/v1/latest", sensor_latest_get, ROUTE_API, BULKHEAD_NONE},
    {"GET", "/api/v1/series", sensor_series_get, ROUTE_API, BULKHEAD_NONE},
    {"GET", "/api/v1/tail", sensor_tail_get, ROUTE_API, BULKHEAD_NONE},
    {"GET", "/temp", sensor_page, ROUTE_PAGE, BULKHEAD_NONE},
};
const size_t sensor_route_count = sizeof sensor_routes / sizeof sensor_routes[0];

/* ---- State ---- */

static struct metric *outcome_counter(struct metrics *metrics, enum sensor_dialect dialect,
                                      const char *outcome)
{
    char labels[80];
    snprintf(labels, sizeof labels, "dialect=\"%s\",outcome=\"%s\"", sensor_dialect_name(dialect),
             outcome);
    return metrics_counter(metrics, "hearth_readings_received_total",
                           "Readings received and answered for", labels);
}

static void make_metrics(struct metrics *metrics, struct sensor_metrics *made)
{
    char labels[80];
    for (int i = 0; i < DIALECT_COUNT; i++) {
        enum sensor_dialect dialect = (enum sensor_dialect)i;
        made->accepted[i] = outcome_counter(metrics, dialect, "accepted");
        made->duplicate[i] = outcome_counter(metrics, dialect, "duplicate");
        made->quarantined[i] = outcome_counter(metrics, dialect, "quarantined");
    }
    for (int i = 1; i < REJECT_COUNT; i++) {
        snprintf(labels, sizeof labels, "reason=\"%s\"", record_reject_name((enum record_reject)i));
        made->rejected[i] =
            metrics_counter(metrics, "hearth_readings_rejected_total",
                            "Readings received that cannot be records, by reason", labels);
    }
    made->ignored_members = metrics_counter(metrics, "hearth_readings_ignored_members_total",
                                            "Members, tags and fields that mean nothing", "");
}

static void read_config(struct sensor *sensor, const struct config *config)
{
    sensor->is_public = config_boolean(config, "sensor.public");
    sensor->max_body_bytes = (uint64_t)config_integer(config, "sensor.max_body_bytes");
    sensor->max_json_depth = (int)config_integer(config, "sensor.max_json_depth");
    sensor->commit_timeout_ms = config_integer(config, "sensor.commit_timeout_ms");
    sensor->future_tolerance_ms = config_integer(config, "sensor.future_tolerance_s") * 1000;
    sensor->stale_after_ms = config_integer(config, "sensor.stale_after_s") * 1000;
    sensor->station_name = config_string(config, "sensor.station_name");
    sensor->station_zone_name = config_string(config, "sensor.time_zone");
}

static enum hearth_error make_book(struct sensor *sensor, const struct services *services,
                                   struct error_record *error)
{
    struct live_store_options options;
    enum hearth_error code = live_store_options_from(services, &options, error);
    if (code)
        return code;
    sensor->book = series_book_new(options.directory, sensor->stale_after_ms, services->clock);
    return sensor->book ? HEARTH_OK
                        : error_set_internal(error, HEARTH_NO_MEMORY, ENOMEM, "series names");
}

enum hearth_error sensor_new(const struct services *services, struct reading_store *store,
                             struct sensor **sensor, struct error_record *error)
{
    struct sensor *made = calloc(1, sizeof *made);
    *sensor = NULL;
    if (!made) {
        store->free(store);
        error_set_internal(error, HEARTH_NO_MEMORY, ENOMEM, "sensor module");
        return HEARTH_NO_MEMORY;
    }
    made->store = store;
    made->auth = services->auth;
    made->clock = services->clock;
    read_config(made, services->config);
    make_metrics(services->metrics, &made->metrics);
    made->zones = time_zones_new(TIME_ZONE_DIRECTORY);
    if (made->zones)
        made->station_zone = time_zones_find(made->zones, view_of(made->station_zone_name), error);
    if (!made->station_zone) {
        sensor_free(made);
        error_set_internal(error, HEARTH_BAD_REQUEST, 0,
                           "sensor.time_zone cannot be read from " TIME_ZONE_DIRECTORY);
        return HEARTH_BAD_REQUEST;
    }
    enum hearth_error code = make_book(made, services, error);
    if (code) {
        sensor_free(made);
        return code;
    }
    *sensor = made;
    return HEARTH_OK;
}

void sensor_free(struct sensor *sensor)
{
    if (!sensor)
        return;
    sensor->store->free(sensor->store);
    series_book_free(sensor->book);
    time_zones_free(sensor->zones);
    free(sensor);
}

static bool store_is_ready(void *context, char *why, size_t why_size)
{
    struct reading_store *store = context;
    struct store_state state;
    struct error_record error = {0};
    enum hearth_error failed = store->state(store, &state, &error);
    if (failed)
        snprintf(why, why_size, "%s",
                 error.public_detail && error.detail[0] ? error.detail : error_title(failed));
    return failed == HEARTH_OK;
}

static enum hearth_error start(const struct services *services, void **state,
                               struct error_record *error)
{
    struct sensor *sensor;
    struct reading_store *store = embedded_store_open(services, error);
    if (!store)
        return error->code ? error->code : HEARTH_INTERNAL;
    enum hearth_error failed = sensor_new(services, store, &sensor, error);
    if (failed)
        return failed;
    if (services->readiness)
        readiness_add(services->readiness, "store", store_is_ready, sensor->store);
    *state = sensor;
    return HEARTH_OK;
}

static void stop(void *state)
{
    sensor_free(state);
}

extern const struct module sensor_module;
const struct module sensor_module = {
    .name = "sensor",
    .rows = {rows, sizeof rows / sizeof rows[0]},
    .routes = sensor_routes,
    .route_count = sizeof sensor_routes / sizeof sensor_routes[0],
    .check = check,
    .shared_bytes = sensor_shared_bytes,
    .shared_init = sensor_shared_init,
    .start = start,
    .stop = stop,
    .keeper = sensor_keeper_run,
    .keeper_wake = sensor_keeper_wake,
    .keeper_died = sensor_keeper_died,
    .worker_ended = sensor_worker_ended,
};
