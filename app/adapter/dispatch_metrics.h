/*
 * dispatch_metrics.h - what is counted of every request.
 *
 *     hearth_requests_total{route,method,status}   route is a pattern or "unmatched", method one of
 *                                                  the known ones or "OTHER", status "2xx" and so
 * on hearth_request_seconds{route}                histogram hearth_responses_bytes_total body bytes
 * handed to the front hearth_requests_in_flight{worker}            gauge
 *     hearth_errors_total{reason}                  reason as error_name() spells it
 *
 * Series are looked up at start, or at their first use where few of many are ever used, never again
 * after that: counting is a few relaxed atomics.
 */
#ifndef HEARTH_DISPATCH_METRICS_H
#define HEARTH_DISPATCH_METRICS_H

#include <stdatomic.h>

#include "app/http/router.h"

enum { METHOD_COUNT = METHOD_OPTIONS + 1, STATUS_CLASS_COUNT = 6 };

typedef struct metric *_Atomic atomic_metric;

struct route_metrics {
    const char *route;
    struct metric *seconds;
    atomic_metric requests[METHOD_COUNT][STATUS_CLASS_COUNT];
};

struct request_metrics {
    struct metrics *registry;
    struct metric *bytes, *in_flight;
    struct route_metrics *routes; /* by the router's index; the last is "unmatched" */
    size_t route_count;
    atomic_metric errors[HEARTH_ERROR_COUNT];
};

/* `worker` as in struct app_options. Errors: NO_MEMORY. */
HEARTH_MUST_CHECK enum hearth_error request_metrics_init(struct request_metrics *metrics,
                                                         struct metrics *registry,
                                                         const struct router *router,
                                                         size_t worker);
void request_metrics_clean(struct request_metrics *metrics);

struct request_measures {
    const struct router_target *target; /* NULL = unmatched */
    enum method method;
    int status;
    enum hearth_error error;
    uint64_t body_bytes;
    double seconds;
};

/* Any thread. */
void request_metrics_begin(struct request_metrics *metrics);
void request_metrics_end(struct request_metrics *metrics, const struct request_measures *measures);

#endif
