/*
 * dispatch_app.h - what an app holds. Made by dispatch_start.c, then read by all threads; what
 * changes (bulkheads, metrics) is atomic.
 */
#ifndef HEARTH_DISPATCH_APP_H
#define HEARTH_DISPATCH_APP_H

#include "app/adapter/dispatch.h"
#include "app/adapter/dispatch_bulkhead.h"
#include "app/adapter/dispatch_http.h"
#include "app/adapter/dispatch_metrics.h"

/* A module that was started. */
struct app_module {
    const struct module *module;
    struct services services;
    void *state;
};

struct app {
    struct app_options options;
    struct http_settings http;
    struct object_store *objects;
    struct auth *auth;
    struct readiness *readiness;
    struct app_module *modules;
    size_t module_count; /* of those that were started, in their order */
    struct router *router;
    struct request_metrics metrics;
    struct bulkheads bulkheads;
    bool log_requests;
    _Atomic int64_t busy_line_ns; /* when the log was last told of a request that found no place */
    _Atomic int64_t busy_untold;  /* how many since */
};

#endif
