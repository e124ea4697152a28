/*
 * dispatch_log.c - the line that every request leaves in the log. Queries, bodies, credentials and
 * user agents stay out of it.
 *
 * `ms` is the whole, from the request's arrival to the end of its answer. Of it, `body_ms` went by
 * waiting for the request's body and reading it, `send_ms` in the adapter's sink, which waits for a
 * client that reads slowly; each is left out when it is next to nothing. The rest is the handler's.
 *
 * What found no place (BUSY) comes in floods, and its lines would be another one: there is at most
 * one a second and worker, with the number of those before it that have none.
 */
#include "app/adapter/dispatch_exchange.h"

enum {
    LOGGED_PATH_BYTES = 512, /* a path that is longer says no more */
    MAX_FIELDS = 18,
    SHORTEST_PHASE_NS = 50000,
};
#define BUSY_PAUSE_NS INT64_C(1000000000)

/* A server's own failure, or an answer that the client saw broken, is worth an error. */
static enum log_level level_of(const struct exchange *exchange, enum hearth_error error, int status)
{
    if (error == HEARTH_BUSY)
        return LOG_LEVEL_WARN; /* as it is meant to be */
    bool broken = exchange->response.state == RESPONSE_ABORTED && error != HEARTH_CLIENT_GONE;
    return status >= 500 || broken ? LOG_LEVEL_ERROR : LOG_LEVEL_INFO;
}

/* The path as it was understood or, when it was not, as it came. */
static struct view logged_path(const struct request *request)
{
    struct view path = request->path.length > 0 ? request->path : request->raw_path;
    return view_slice(path, 0, LOGGED_PATH_BYTES);
}

/* Whole microseconds: more digits would only say how a double is printed. */
static double milliseconds(int64_t duration_ns)
{
    int64_t microseconds = duration_ns / 1000;
    return (double)microseconds / 1000.0;
}

static size_t add_phase(const char *key, int64_t duration_ns, struct log_field *fields)
{
    if (duration_ns < SHORTEST_PHASE_NS)
        return 0;
    fields[0] = LOG_NUMBER(key, milliseconds(duration_ns));
    return 1;
}

/* What went wrong, after what every line has. */
static size_t add_reason(const struct exchange *exchange, enum hearth_error error,
                         struct log_field *fields)
{
    const struct error_record *record = exchange->request.error;
    size_t count = 0;
    if (error != HEARTH_OK)
        fields[count++] = LOG_TEXT("reason", error_name(error));
    /* A record of another error may tell why this one came. */
    if (error != HEARTH_OK && record->detail[0])
        fields[count++] = LOG_TEXT("detail", record->detail);
    if (error != HEARTH_OK && record->number != 0)
        fields[count++] = LOG_INTEGER("errno", record->number);
    if (exchange->response.state == RESPONSE_ABORTED)
        fields[count++] = LOG_BOOLEAN("aborted", true);
    return count;
}

/* Is it time for another line? Then `*untold` is how many were left out. */
static bool tell_busy(struct app *app, int64_t *untold)
{
    int64_t now_ns = clock_monotonic_ns(app->options.clock);
    int64_t before_ns = atomic_load(&app->busy_line_ns);
    if (now_ns - before_ns < BUSY_PAUSE_NS ||
        !atomic_compare_exchange_strong(&app->busy_line_ns, &before_ns, now_ns)) {
        atomic_fetch_add(&app->busy_untold, 1);
        return false;
    }
    *untold = atomic_exchange(&app->busy_untold, 0);
    return true;
}

void exchange_log(const struct exchange *exchange, enum hearth_error error, int64_t duration_ns)
{
    const struct request *request = &exchange->request;
    int status = exchange_status(exchange, error);
    enum log_level level = level_of(exchange, error, status);
    int64_t untold = 0;
    if ((!exchange->app->log_requests && level < LOG_LEVEL_WARN) || !log_enabled(level))
        return;
    if (error == HEARTH_BUSY && !tell_busy(exchange->app, &untold))
        return;
    struct log_field fields[MAX_FIELDS] = {
        LOG_VIEW("request_id", request->request_id),
        LOG_VIEW("trace_id",
                 view_from(request->trace.trace_id, sizeof request->trace.trace_id - 1)),
        LOG_VIEW("span_id", view_from(request->trace.span_id, sizeof request->trace.span_id - 1)),
        LOG_TEXT("route", request->route),
        LOG_VIEW("method", request->method_name),
        LOG_VIEW("path", logged_path(request)),
        LOG_INTEGER("status", status),
        LOG_INTEGER("bytes", (int64_t)exchange->sent_bytes),
        LOG_NUMBER("ms", milliseconds(duration_ns)),
        LOG_VIEW("client", request->client_address),
    };
    size_t count = 10;
    count += add_phase("body_ms", exchange->reading_ns, fields + count);
    count += add_phase("send_ms", exchange->sending_ns, fields + count);
    count += add_reason(exchange, error, fields + count);
    if (untold > 0)
        fields[count++] = LOG_INTEGER("busy_untold", untold);
    log_write(level, "request", fields, count);
}
