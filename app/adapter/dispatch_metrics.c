/*
 * dispatch_metrics.c - what is counted of every request.
 *
 * A route answers few of the 48 combinations of method and status, so those series are made when
 * they are first counted. Two threads may make the same one at once: the registry gives both the
 * same. What the registry refuses is remembered too, since asking again takes its lock.
 */
#include "app/adapter/dispatch_metrics.h"

#include <stdio.h>
#include <stdlib.h>

enum { LABELS_SIZE = 192 };

/* From a cached page to a client on a bad line. */
static const double second_bounds[] = {0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025,
                                       0.05,    0.1,    0.25,  0.5,    1.0,   2.5,  10.0};

/* Stands for a series that the registry refused. */
static char refused_mark;
#define REFUSED ((struct metric *)(void *)&refused_mark)

static const char *const method_labels[METHOD_COUNT] = {
    [METHOD_OTHER] = "OTHER",   [METHOD_GET] = "GET",         [METHOD_HEAD] = "HEAD",
    [METHOD_POST] = "POST",     [METHOD_PUT] = "PUT",         [METHOD_PATCH] = "PATCH",
    [METHOD_DELETE] = "DELETE", [METHOD_OPTIONS] = "OPTIONS",
};
static const char *const status_labels[STATUS_CLASS_COUNT] = {"other", "1xx", "2xx",
                                                              "3xx",   "4xx", "5xx"};

static void route_metrics_init(struct route_metrics *metrics, struct metrics *registry,
                               const char *route)
{
    char labels[LABELS_SIZE] = "";
    metrics->route = route;
    if (metrics_label(labels, sizeof labels, "route", view_of(route)))
        metrics->seconds =
            metrics_histogram(registry, "hearth_request_seconds",
                              "From a request's arrival to the end of its answer.", labels,
                              second_bounds, sizeof second_bounds / sizeof second_bounds[0]);
    for (size_t method = 0; method < METHOD_COUNT; method++)
        for (size_t status = 0; status < STATUS_CLASS_COUNT; status++)
            atomic_init(&metrics->requests[method][status], NULL);
}

static struct metric *in_flight_gauge(struct metrics *registry, size_t worker)
{
    char labels[LABELS_SIZE] = "";
    if (worker > 0)
        snprintf(labels, sizeof labels, "worker=\"%zu\"", worker);
    struct metric *gauge =
        metrics_gauge(registry, "hearth_requests_in_flight", "Requests being handled.", labels);
    if (worker > 0)
        metric_set(gauge, 0);
    return gauge;
}

enum hearth_error request_metrics_init(struct request_metrics *metrics, struct metrics *registry,
                                       const struct router *router, size_t worker)
{
    size_t count = router_count(router);
    metrics->registry = registry;
    metrics->routes = calloc(count + 1, sizeof *metrics->routes);
    if (!metrics->routes)
        return HEARTH_NO_MEMORY;
    metrics->route_count = count;
    metrics->bytes =
        metrics_counter(registry, "hearth_responses_bytes_total", "Bytes of answers' bodies.", "");
    metrics->in_flight = in_flight_gauge(registry, worker);
    for (size_t i = 0; i < count; i++)
        route_metrics_init(&metrics->routes[i], registry, router_target(router, i)->route->pattern);
    route_metrics_init(&metrics->routes[count], registry, "unmatched");
    for (size_t i = 0; i < HEARTH_ERROR_COUNT; i++)
        atomic_init(&metrics->errors[i], NULL);
    return HEARTH_OK;
}

void request_metrics_clean(struct request_metrics *metrics)
{
    free(metrics->routes);
    metrics->routes = NULL;
}

/* The series in `place`, made at the first use. */
static struct metric *make_counter(struct metrics *registry, atomic_metric *place, const char *name,
                                   const char *help, const char *labels)
{
    struct metric *made = metrics_counter(registry, name, help, labels);
    atomic_store_explicit(place, made ? made : REFUSED, memory_order_release);
    return made;
}

static void count_request(struct request_metrics *metrics, struct route_metrics *route,
                          enum method method, int status)
{
    size_t class = status >= 100 && status < 600 ? (size_t)status / 100 : 0;
    atomic_metric *place = &route->requests[method][class];
    struct metric *counter = atomic_load_explicit(place, memory_order_acquire);
    if (!counter) {
        char labels[LABELS_SIZE] = "";
        if (metrics_label(labels, sizeof labels, "route", view_of(route->route)) &&
            metrics_label(labels, sizeof labels, "method", view_of(method_labels[method])) &&
            metrics_label(labels, sizeof labels, "status", view_of(status_labels[class])))
            counter = make_counter(metrics->registry, place, "hearth_requests_total",
                                   "Requests answered, or given up.", labels);
    }
    if (counter != REFUSED)
        metric_add(counter, 1);
}

static void count_error(struct request_metrics *metrics, enum hearth_error error)
{
    if (error <= HEARTH_OK || error >= HEARTH_ERROR_COUNT)
        return;
    atomic_metric *place = &metrics->errors[error];
    struct metric *counter = atomic_load_explicit(place, memory_order_acquire);
    if (!counter) {
        char labels[LABELS_SIZE] = "";
        if (metrics_label(labels, sizeof labels, "reason", view_of(error_name(error))))
            counter =
                make_counter(metrics->registry, place, "hearth_errors_total",
                             "Requests that ended in an error, by its name in the log.", labels);
    }
    if (counter != REFUSED)
        metric_add(counter, 1);
}

void request_metrics_begin(struct request_metrics *metrics)
{
    metric_change(metrics->in_flight, 1);
}

void request_metrics_end(struct request_metrics *metrics, const struct request_measures *measures)
{
    size_t index = measures->target ? measures->target->index : metrics->route_count;
    struct route_metrics *route = &metrics->routes[index];
    count_request(metrics, route, measures->method, measures->status);
    count_error(metrics, measures->error);
    if (measures->body_bytes > 0)
        metric_add(metrics->bytes, measures->body_bytes);
    metric_observe(route->seconds, measures->seconds);
    metric_change(metrics->in_flight, -1);
}
