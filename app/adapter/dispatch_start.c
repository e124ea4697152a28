/*
 * dispatch_start.c - making an app out of modules and a configuration, and taking it apart.
 *
 * What has been made is seen from the struct itself, so that a start that fails half way is undone
 * by the same function that ends an app.
 */
#include <stdlib.h>

#include "app/adapter/dispatch_app.h"
#include "app/http/objects_open.h"

static size_t count_modules(const struct module *const *modules)
{
    size_t count = 0;
    while (modules[count])
        count++;
    return count;
}

static enum hearth_error no_memory(struct error_record *error)
{
    return error_set_internal(error, HEARTH_NO_MEMORY, 0, "no memory to start");
}

/* ---- Services ---- */

static enum hearth_error start_services(struct app *app, struct error_record *error)
{
    const struct config *config = app->options.config;
    app->objects = objects_open(config, error);
    if (!app->objects)
        return error && error->code != HEARTH_OK ? error->code : HEARTH_IO;
    app->auth = auth_new(app->objects, app->options.clock,
                         config_integer(config, "auth.reload_interval_ms"));
    app->readiness = readiness_new();
    app->router = router_new();
    return app->auth && app->readiness && app->router ? HEARTH_OK : no_memory(error);
}

/* ---- Modules ---- */

static enum hearth_error add_routes(struct app *app, const struct app_module *started,
                                    struct error_record *error)
{
    const struct module *module = started->module;
    enum hearth_error result = HEARTH_OK;
    for (size_t i = 0; i < module->route_count && result == HEARTH_OK; i++)
        result = router_add(app->router, &module->routes[i], module->name, started->state, error);
    return result;
}

/* Puts the module's name before what it said. */
static enum hearth_error module_failed(const struct module *module, enum hearth_error result,
                                       struct error_record *error)
{
    int number = error && error->code == result ? error->number : 0;
    const char *why = error && error->detail[0] ? error->detail : error_title(result);
    return error_set_internal(error, result, number, "module %s: %s", module->name, why);
}

static enum hearth_error start_module(struct app *app, size_t index, struct error_record *error)
{
    const struct module *module = app->options.modules[index];
    struct app_module *started = &app->modules[index];
    started->module = module;
    started->services = (struct services){
        .config = app->options.config,
        .clock = app->options.clock,
        .metrics = app->options.metrics,
        .objects = app->objects,
        .auth = app->auth,
        .shared = app->options.shared ? app->options.shared[index] : NULL,
        .readiness = app->readiness,
    };
    if (module->start) {
        enum hearth_error result = module->start(&started->services, &started->state, error);
        if (result != HEARTH_OK)
            return module_failed(module, result, error);
    }
    app->module_count = index + 1;
    return add_routes(app, started, error);
}

static enum hearth_error start_modules(struct app *app, struct error_record *error)
{
    size_t count = count_modules(app->options.modules);
    enum hearth_error result = HEARTH_OK;
    app->modules = calloc(count + 1, sizeof *app->modules);
    if (!app->modules)
        return no_memory(error);
    for (size_t i = 0; i < count && result == HEARTH_OK; i++)
        result = start_module(app, i, error);
    return result;
}

static void stop_modules(struct app *app)
{
    while (app->module_count > 0) {
        struct app_module *started = &app->modules[--app->module_count];
        if (started->module->stop)
            started->module->stop(started->state);
    }
    free(app->modules);
}

/* ---- The app ---- */

static enum hearth_error start(struct app *app, struct error_record *error)
{
    enum hearth_error result = http_settings_init(&app->http, app->options.config, error);
    if (result == HEARTH_OK)
        result = start_services(app, error);
    if (result == HEARTH_OK)
        result = start_modules(app, error);
    if (result == HEARTH_OK)
        readiness_add(app->readiness, "auth", auth_is_ready, app->auth);
    if (result == HEARTH_OK && request_metrics_init(&app->metrics, app->options.metrics,
                                                    app->router, app->options.worker) != HEARTH_OK)
        result = no_memory(error);
    return result;
}

enum hearth_error app_start(const struct app_options *options, struct app **app,
                            struct error_record *error)
{
    struct app *made = calloc(1, sizeof *made);
    *app = NULL;
    if (error)
        *error = (struct error_record){.code = HEARTH_OK};
    if (!made)
        return no_memory(error);
    made->options = *options;
    made->log_requests = config_boolean(options->config, "log.requests");
    atomic_init(&made->busy_line_ns, INT64_MIN / 2);
    bulkheads_init(&made->bulkheads, options->threads);
    enum hearth_error result = start(made, error);
    if (result == HEARTH_OK)
        *app = made;
    else
        app_stop(made);
    return result;
}

void app_stop(struct app *app)
{
    if (!app)
        return;
    stop_modules(app);
    request_metrics_clean(&app->metrics);
    router_free(app->router);
    readiness_free(app->readiness);
    auth_free(app->auth);
    if (app->objects)
        app->objects->free(app->objects);
    http_settings_clean(&app->http);
    free(app);
}
