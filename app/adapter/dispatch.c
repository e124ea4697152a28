/*
 * dispatch.c - one request, start to end: parse, route, bulkhead, handler, error answer, log line,
 * metrics. Nothing here depends on who the adapter is or what a handler does.
 */
#include "app/adapter/dispatch.h"

#include <string.h>

#include "app/adapter/dispatch_exchange.h"

/* "OPTIONS *" asks for the server as a whole (RFC 9110 section 9.3.7). */
#define ALL_METHODS "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"

static const struct pairs no_headers = {NULL, 0};

/* ---- Without a handler ---- */

static enum hearth_error answer_options(struct exchange *exchange, struct view allow)
{
    struct response *response = &exchange->response;
    struct pair headers[CORS_MAX_HEADERS];
    size_t count =
        cors_preflight_headers(exchange->app->http.cors, &exchange->request, allow, headers);
    enum hearth_error result = response_set_status(response, 204);
    if (result == HEARTH_OK)
        result = response_add_header(response, VIEW("Allow"), allow);
    for (size_t i = 0; i < count && result == HEARTH_OK; i++)
        result = response_add_header(response, headers[i].name, headers[i].value);
    return result == HEARTH_OK ? response_finish(response) : result;
}

/* A pattern with a parameter matches addresses that lead nowhere, too. */
static bool has_address(const struct exchange *exchange, const struct router_target *target)
{
    const struct app *app = exchange->app;
    for (size_t i = 0; i < app->module_count; i++) {
        const struct module *module = app->modules[i].module;
        if (module->has_address && strcmp(module->name, target->module) == 0)
            return module->has_address(&exchange->request, target->state);
    }
    return true;
}

static enum hearth_error refuse_method(struct exchange *exchange, struct view allow)
{
    const struct request *request = &exchange->request;
    enum hearth_error result = response_add_header(&exchange->response, VIEW("Allow"), allow);
    if (result != HEARTH_OK)
        return result;
    return request_fail(request, HEARTH_METHOD_NOT_ALLOWED, "this address knows %.*s",
                        VIEW_ARGUMENTS(allow));
}

/* ---- With one ---- */

static enum hearth_error run_handler(struct exchange *exchange)
{
    const struct route *route = exchange->target->route;
    if (!bulkhead_enter(&exchange->app->bulkheads, route->bulkhead))
        return request_fail(&exchange->request, HEARTH_BUSY,
                            "too many requests of this kind are being handled");
    exchange->held = route->bulkhead;
    if (route->bulkhead != BULKHEAD_NONE)
        request_will_wait(&exchange->request);
    return route->handler(&exchange->request, &exchange->response, exchange->target->state);
}

static enum hearth_error serve(struct exchange *exchange)
{
    struct request *request = &exchange->request;
    struct router_match match;
    enum hearth_error result = router_find(exchange->app->router, request, &match);
    if (result == HEARTH_METHOD_NOT_ALLOWED && !has_address(exchange, match.other))
        return HEARTH_NOT_FOUND;
    if (result == HEARTH_METHOD_NOT_ALLOWED)
        return request->method == METHOD_OPTIONS ? answer_options(exchange, view_of(match.allow))
                                                 : refuse_method(exchange, view_of(match.allow));
    if (result == HEARTH_NOT_FOUND && request->method == METHOD_OPTIONS &&
        view_equal(request->path, VIEW("*")))
        return answer_options(exchange, VIEW(ALL_METHODS));
    if (result != HEARTH_OK)
        return result;
    exchange->target = match.target;
    return run_handler(exchange);
}

/* ---- The end ---- */

static bool error_is_page(const struct exchange *exchange)
{
    bool api = exchange->target && exchange->target->route->kind == ROUTE_API;
    return !api && request_prefers_html(&exchange->request);
}

/* What became of the body, when nobody has said more. */
static void explain_body(const struct exchange *exchange, enum hearth_error error)
{
    const struct request *request = &exchange->request;
    const struct body *body = request->body;
    unsigned long long read = body->read_bytes;
    if (body->failed != error || request->error->code == error)
        return;
    if (error == HEARTH_BODY_TOO_LARGE)
        request_fail(request, error, "the body may have at most %llu bytes here",
                     (unsigned long long)body->max_bytes);
    else if (error == HEARTH_BAD_LENGTH && body->ended)
        request_fail(request, error, "the body ended after %llu of the %lld bytes announced", read,
                     (long long)body->declared_bytes);
    else if (error == HEARTH_BAD_LENGTH)
        request_fail(request, error, "the body has more than the %lld bytes announced",
                     (long long)body->declared_bytes);
    else if (error == HEARTH_REQUEST_TIMEOUT)
        request_fail(request, error, "the body stopped coming after %llu bytes", read);
    else if (error == HEARTH_BUSY)
        request_fail(request, error, "the body did not come along, and no thread may wait for it");
}

/* Brings the answer to its end, whatever the handler left, and gives back what the request ended
 * with. */
static enum hearth_error conclude(struct exchange *exchange, enum hearth_error error)
{
    struct response *response = &exchange->response;
    bool open = response->state == RESPONSE_HEAD || response->state == RESPONSE_BODY;
    if (error == HEARTH_OK)
        return open ? response_finish(response) : response->failed;
    explain_body(exchange, error);
    if (!open)
        return error;
    if (error == HEARTH_CLIENT_GONE)
        response_abort(response); /* nobody is there to read it */
    else
        response_error(response, &exchange->request, error, error_is_page(exchange), no_headers);
    return error;
}

static void measure(const struct exchange *exchange, enum hearth_error error)
{
    struct app *app = exchange->app;
    int64_t duration_ns = clock_monotonic_ns(app->options.clock) - exchange->request.start_ns;
    struct request_measures measures = {
        .target = exchange->target,
        .method = exchange->request.method,
        .status = exchange_status(exchange, error),
        .error = error,
        .body_bytes = exchange->sent_bytes,
        .seconds = (double)duration_ns / 1e9,
    };
    request_metrics_end(&app->metrics, &measures);
    exchange_log(exchange, error, duration_ns);
}

void app_handle(struct app *app, struct arena *arena, const struct request_input *input,
                struct response_sink *sink)
{
    struct exchange exchange;
    request_metrics_begin(&app->metrics);
    enum hearth_error error = exchange_begin(&exchange, app, arena, input, sink);
    if (error == HEARTH_OK)
        error = serve(&exchange);
    error = conclude(&exchange, error);
    /* If it could not be given back before the end of the answer (dispatch_exchange.c). */
    bulkhead_leave(&app->bulkheads, exchange.held);
    measure(&exchange, error);
}
