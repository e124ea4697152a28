/*
 * dispatch_exchange.c - the sink between an answer and the adapter's.
 *
 * Whatever a handler does, restarts and error pages included, every answer passes here once. So
 * this is where the headers are added that no answer lacks, where bytes are counted, where the time
 * in the adapter is measured, and where the rest of an unread body is taken off the line before the
 * answer ends.
 *
 * A place in a bulkhead is given back before the end of the answer is sent: the client that has
 * seen it may ask again at once. But not before that end is all that is left to be sent, since the
 * rest may wait for the client: of a small answer that is sure, since any socket takes it whole; a
 * larger one is sent first, at the price of one more write.
 */
#include "app/adapter/dispatch_exchange.h"

#include <stddef.h>
#include <string.h>

#include "hearth/limits.h"

/* The sink is the first member. */
static struct exchange *exchange_of(struct response_sink *sink)
{
    return (struct exchange *)(void *)sink;
}

/* ---- Time ---- */

static int64_t now_ns(const struct exchange *exchange)
{
    return clock_monotonic_ns(exchange->app->options.clock);
}

/* ---- The head ---- */

enum { OWN_HEADERS = 3 };

/* Names that stand in an answer once, and then as we say. Looked at by length first. */
static bool is_own_header(struct view name, bool traced, bool cors)
{
    switch (name.length) {
    case sizeof "traceresponse" - 1:
        return traced && view_equal_ignore_case(name, VIEW("traceresponse"));
    case sizeof "X-Request-Id" - 1:
        return view_equal_ignore_case(name, VIEW("X-Request-Id"));
    case sizeof "X-Content-Type-Options" - 1:
        return view_equal_ignore_case(name, VIEW("X-Content-Type-Options"));
    case sizeof "Access-Control-Allow-Origin" - 1:
        return cors && view_equal_ignore_case(name, VIEW("Access-Control-Allow-Origin"));
    case sizeof "Access-Control-Allow-Credentials" - 1:
        return cors && view_equal_ignore_case(name, VIEW("Access-Control-Allow-Credentials"));
    default:
        return false;
    }
}

/* Tells a caller that has a trace which span of it was ours; the empty view for any other. */
static struct view trace_response(const struct request *request)
{
    if (request->trace.parent_id[0] == '\0')
        return VIEW_NONE;
    char *text = arena_alloc(request->arena, TRACE_HEADER_SIZE);
    if (!text)
        return VIEW_NONE;
    trace_format(&request->trace, text);
    return view_from(text, TRACE_HEADER_SIZE - 1);
}

/* Without memory the answer goes out with the headers that it has. */
static void add_own_headers(const struct exchange *exchange, struct pairs *headers)
{
    const struct request *request = &exchange->request;
    struct view trace = trace_response(request);
    struct pair cors[CORS_MAX_HEADERS];
    size_t cors_count = cors_answer_headers(exchange->app->http.cors, request, cors);
    size_t capacity = headers->count + OWN_HEADERS + cors_count, count = 0;
    struct pair *items = arena_alloc(request->arena, capacity * sizeof *items);
    if (!items)
        return;
    for (size_t i = 0; i < headers->count; i++)
        if (!is_own_header(headers->items[i].name, trace.length > 0, cors_count > 0))
            items[count++] = headers->items[i];
    items[count++] = (struct pair){VIEW("X-Request-Id"), request->request_id};
    items[count++] = (struct pair){VIEW("X-Content-Type-Options"), VIEW("nosniff")};
    if (trace.length > 0)
        items[count++] = (struct pair){VIEW("traceresponse"), trace};
    memcpy(items + count, cors, cors_count * sizeof *cors);
    *headers = (struct pairs){items, count + cors_count};
}

static enum hearth_error exchange_head(struct response_sink *sink, const struct response_head *head)
{
    struct exchange *exchange = exchange_of(sink);
    struct response_head whole = *head;
    add_own_headers(exchange, &whole.headers);
    int64_t begin_ns = now_ns(exchange);
    enum hearth_error result = exchange->outer->head(exchange->outer, &whole);
    exchange->sending_ns += now_ns(exchange) - begin_ns;
    if (result == HEARTH_OK)
        exchange->sent_status = head->status;
    return result;
}

/* ---- The body ---- */

static enum hearth_error exchange_write(struct response_sink *sink, struct view bytes)
{
    struct exchange *exchange = exchange_of(sink);
    int64_t begin_ns = now_ns(exchange);
    enum hearth_error result = exchange->outer->write(exchange->outer, bytes);
    exchange->sending_ns += now_ns(exchange) - begin_ns;
    if (result == HEARTH_OK)
        exchange->sent_bytes += bytes.length;
    return result;
}

static enum hearth_error exchange_flush(struct response_sink *sink)
{
    struct exchange *exchange = exchange_of(sink);
    int64_t begin_ns = now_ns(exchange);
    enum hearth_error result = exchange->outer->flush(exchange->outer);
    exchange->sending_ns += now_ns(exchange) - begin_ns;
    return result;
}

static void take_off_the_line(struct exchange *exchange)
{
    struct body *body = exchange->request.body;
    uint64_t end_bytes = body->read_bytes + LIMIT_BODY_DRAIN;
    int64_t end_ns = now_ns(exchange) + LIMIT_BODY_DRAIN_MS * INT64_C(1000000);
    /* A piece at a time; what cannot be read does no harm to the answer. */
    while (body_drain(body, 0) == HEARTH_BODY_TOO_LARGE && body->read_bytes < end_bytes &&
           now_ns(exchange) < end_ns)
        continue;
}

/* A client that is still sending must not wait for its answer until it has sent all: the answer
 * goes first. GET and HEAD have nothing worth the extra write. */
static enum hearth_error drain(struct exchange *exchange)
{
    struct body *body = exchange->request.body;
    enum method method = exchange->request.method;
    if (!body->source || body->ended)
        return HEARTH_OK;
    bool sending = method != METHOD_GET && method != METHOD_HEAD && body->declared_bytes != 0;
    if (sending && exchange->outer->flush) {
        enum hearth_error result = exchange_flush(&exchange->sink);
        if (result != HEARTH_OK)
            return result;
    }
    if (exchange->origin->leave)
        exchange->origin->leave(exchange->origin); /* a client that withholds it holds no thread */
    take_off_the_line(exchange);
    return HEARTH_OK;
}

static enum hearth_error give_place_back(struct exchange *exchange)
{
    enum hearth_error result = HEARTH_OK;
    bool may_wait = exchange->sent_bytes > LIMIT_RESPONSE_HOLD;
    if (exchange->held == BULKHEAD_NONE || (may_wait && !exchange->outer->settle))
        return HEARTH_OK;
    if (may_wait) {
        int64_t begin_ns = now_ns(exchange);
        result = exchange->outer->settle(exchange->outer, &may_wait);
        exchange->sending_ns += now_ns(exchange) - begin_ns;
    }
    if (result != HEARTH_OK || may_wait)
        return result;
    bulkhead_leave(&exchange->app->bulkheads, exchange->held);
    exchange->held = BULKHEAD_NONE;
    return HEARTH_OK;
}

static enum hearth_error exchange_finish(struct response_sink *sink)
{
    struct exchange *exchange = exchange_of(sink);
    enum hearth_error result = drain(exchange);
    if (result == HEARTH_OK)
        result = give_place_back(exchange);
    if (result != HEARTH_OK)
        return result;
    int64_t begin_ns = now_ns(exchange);
    result = exchange->outer->finish(exchange->outer);
    exchange->sending_ns += now_ns(exchange) - begin_ns;
    return result;
}

static void exchange_abort(struct response_sink *sink)
{
    struct exchange *exchange = exchange_of(sink);
    exchange->outer->abort(exchange->outer);
}

static bool exchange_client_gone(struct response_sink *sink)
{
    struct exchange *exchange = exchange_of(sink);
    return exchange->outer->client_gone(exchange->outer);
}

/* ---- The request's body ---- */

static enum hearth_error exchange_read(struct body_source *source, char *to, size_t capacity,
                                       size_t *length)
{
    struct exchange *exchange =
        (struct exchange *)(void *)((char *)source - offsetof(struct exchange, source));
    int64_t begin_ns = now_ns(exchange);
    enum hearth_error result = exchange->origin->read(exchange->origin, to, capacity, length);
    exchange->reading_ns += now_ns(exchange) - begin_ns;
    return result;
}

/* ---- Begin ---- */

enum hearth_error exchange_begin(struct exchange *exchange, struct app *app, struct arena *arena,
                                 const struct request_input *input, struct response_sink *outer)
{
    exchange->sink = (struct response_sink){
        .head = exchange_head,
        .write = exchange_write,
        .flush = outer->flush ? exchange_flush : NULL,
        .finish = exchange_finish,
        .abort = exchange_abort,
        .client_gone = outer->client_gone ? exchange_client_gone : NULL,
    };
    exchange->source.read = exchange_read;
    exchange->outer = outer;
    exchange->origin = input->body;
    exchange->app = app;
    exchange->target = NULL;
    exchange->held = BULKHEAD_NONE;
    exchange->sent_status = 0;
    exchange->sent_bytes = 0;
    exchange->reading_ns = 0;
    exchange->sending_ns = 0;
    enum hearth_error result =
        request_parse(arena, app->options.clock, &app->http.limits, input, &exchange->request);
    if (exchange->origin)
        exchange->request.body->source = &exchange->source;
    response_init(&exchange->response, arena, &exchange->sink,
                  exchange->request.method == METHOD_HEAD);
    return result;
}

int exchange_status(const struct exchange *exchange, enum hearth_error error)
{
    return exchange->sent_status ? exchange->sent_status : error_http_status(error);
}
