/*
 * dispatch.h - from a request's input to a finished answer, whatever the adapter.
 *
 * An app is the modules of one process, started over one configuration: router, limits, bulkheads,
 * CORS, access log, request metrics. Both adapters call app_handle for each request.
 */
#ifndef HEARTH_DISPATCH_H
#define HEARTH_DISPATCH_H

#include "hearth/module.h"

struct app;

struct app_options {
    const struct module *const *modules; /* Required. NULL-terminated, must outlive the app. */
    const struct config *config;         /* Required. Must outlive the app. */
    const struct clock *clock;           /* Required. Must outlive the app. */
    struct metrics *metrics;             /* Required. Must outlive the app. */
    void *const *shared; /* One pointer a module, in the modules' order; NULL = no shared areas. */
    size_t threads;      /* Required. Of this process: what bulkheads are counted against. */
    size_t worker;       /* Which process of the pool this is, from 1: a label of its gauges, which
                            begin at zero here, so that a dead predecessor leaves nothing. 0 = none. */
};

/* Opens the object store and auth, starts every module, builds the router. On error nothing is left
 * and `error` says which module and why. Before threads. */
HEARTH_MUST_CHECK enum hearth_error app_start(const struct app_options *options, struct app **app,
                                              struct error_record *error);
void app_stop(struct app *app); /* NULL is allowed; no request may be running */

/* One request, start to end: parse, route, bulkhead, handler, error answer, log line, metrics. The
 * sink has been finished or aborted when it returns. `arena` is the caller's, reset by the caller.
 * Any thread. */
void app_handle(struct app *app, struct arena *arena, const struct request_input *input,
                struct response_sink *sink);

/* Every table of rows that the program and `modules` have, for config_load and config_sample.
 * `tables` has room for `capacity`, and is filled no further; gives back how many there are. */
size_t app_config_tables(const struct module *const *modules, struct config_rows *tables,
                         size_t capacity);
/* config_load over all tables, then the checks of trusted proxies and CORS, then each module's
 * `check`. Errors and `problems` as for config_load. */
HEARTH_MUST_CHECK enum hearth_error app_config_load(const struct module *const *modules,
                                                    const char *path, struct config **config,
                                                    struct config_problems *problems);

#endif
