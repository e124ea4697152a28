/*
 * module.c - the operator's routes: is it alive, can it serve, what has it counted.
 */
#include <stdlib.h>

#include "handlers/ops/ops.h"

static const struct config_row rows[] = {
    {.key = "ops.metrics_token",
     .type = CONFIG_SECRET,
     .initial = "",
     .text = "A token that opens /metrics, sent as \"Authorization: Bearer TOKEN\". "
             "A token with the scope ops:read does too, and so does a client on this machine."},
};

static const struct route routes[] = {
    {"GET", "/healthz", ops_healthz, ROUTE_API, BULKHEAD_NONE},
    {"GET", "/readyz", ops_readyz, ROUTE_API, BULKHEAD_NONE},
    {"GET", "/metrics", ops_metrics, ROUTE_API, BULKHEAD_NONE},
};

/* What is true of the whole pool, so that each worker may say it. */
static void set_process_metrics(const struct services *services)
{
    metric_set(metrics_gauge(services->metrics, "hearth_build_info",
                             "1, with the version as a label.", "version=\"" HEARTH_VERSION "\""),
               1);
    struct metric *started =
        metrics_gauge(services->metrics, "hearth_process_start_time_seconds",
                      "When the pool was started, in seconds since the Unix epoch.", "");
    if (metric_value(started) == 0)
        metric_set(started, clock_wall_ms(services->clock) / 1000);
}

static enum hearth_error ops_start(const struct services *services, void **state,
                                   struct error_record *error)
{
    struct ops *ops = calloc(1, sizeof *ops);
    if (!ops)
        return error_set_internal(error, HEARTH_NO_MEMORY, 0, "no memory to start");
    ops->services = *services;
    ops->metrics_token = view_of(config_string(services->config, "ops.metrics_token"));
    set_process_metrics(services);
    *state = ops;
    return HEARTH_OK;
}

static void ops_stop(void *state)
{
    free(state);
}

const struct module ops_module = {
    .name = "ops",
    .rows = {rows, sizeof rows / sizeof rows[0]},
    .routes = routes,
    .route_count = sizeof routes / sizeof routes[0],
    .start = ops_start,
    .stop = ops_stop,
};
