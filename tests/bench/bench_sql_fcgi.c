/*
 * bench_sql_fcgi.c - the pool, the sensor module's own handlers, and SQLite or PostgreSQL behind
 * them: what the ingest benchmark holds Hearth's store against, so that nothing but the store
 * differs.
 *
 *   HEARTH_BENCH_STORE=sqlite:FILE|postgres:CONNINFO bench_sql_fcgi --config FILE
 */
#include <stdlib.h>
#include <string.h>

#include "app/adapter/fcgi_main.h"
#include "handlers/sensor/sensor.h"
#include "tests/bench/sql_store.h"

static struct reading_store *store_of(const char *address)
{
    if (address && strncmp(address, "sqlite:", 7) == 0)
        return sqlite_store_new(address + 7);
    if (address && strncmp(address, "postgres:", 9) == 0)
        return postgres_store_new(address + 9);
    return NULL;
}

static enum hearth_error start(const struct services *services, void **state,
                               struct error_record *error)
{
    struct sensor *sensor = NULL;
    struct reading_store *store = store_of(getenv("HEARTH_BENCH_STORE"));
    if (!store)
        return error_set(error, HEARTH_UNAVAILABLE, "HEARTH_BENCH_STORE does not open");
    enum hearth_error failed = sensor_new(services, store, &sensor, error);
    *state = sensor;
    return failed;
}

static void stop(void *state)
{
    sensor_free(state);
}

static const struct route routes[] = {
    {"PUT", "/data", sensor_ingest, ROUTE_API, BULKHEAD_NONE},
};

/* The rows are filled in main: the sensor module's own. */
static struct module sql_module = {
    .name = "sql",
    .routes = routes,
    .route_count = sizeof routes / sizeof routes[0],
    .start = start,
    .stop = stop,
};

const struct module *const hearth_modules[] = {&sql_module, NULL};

int main(int argc, char **argv)
{
    sql_module.rows = sensor_rows;
    return fcgi_main(argc, argv, hearth_modules);
}
