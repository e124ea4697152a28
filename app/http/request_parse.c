/*
 * request_parse.c - from an adapter's input to a request.
 *
 * In this order, so that even a request that fails can be answered and logged: what never fails
 * (method, raw path, ids), then the headers, then the path, then the query, then the rest. Views go
 * on pointing into the adapter's memory wherever nothing had to be decoded.
 */
#include <string.h>

#include "app/http/cookies.h"
#include "app/http/forwarded.h"
#include "app/http/headers.h"
#include "app/http/path.h"
#include "app/http/query.h"
#include "app/http/syntax.h"
#include "hearth/request.h"

enum {
    METHOD_MAX_BYTES = 32,     /* the longest registered one has 17 */
    REQUEST_ID_MAX_BYTES = 64, /* what a proxy's ids have, with room */
};

/* What hangs on a request by pointer. */
struct request_parts {
    struct error_record error;
    struct body body;
    char id[17];
};

/* Stands in when there is no memory even for that; the request is then answered at once. */
static _Thread_local struct request_parts spare_parts;

static struct request_parts *make_parts(struct arena *arena)
{
    struct request_parts *parts = arena_alloc(arena, sizeof *parts);
    if (!parts)
        parts = &spare_parts;
    parts->error.code = HEARTH_OK;
    parts->error.number = 0;
    parts->error.public_detail = false;
    parts->error.detail[0] = '\0';
    return parts;
}

static enum method method_of(struct view name)
{
    static const struct {
        struct view name;
        enum method method;
    } methods[] = {
        {{"GET", 3}, METHOD_GET},         {{"HEAD", 4}, METHOD_HEAD},
        {{"POST", 4}, METHOD_POST},       {{"PUT", 3}, METHOD_PUT},
        {{"PATCH", 5}, METHOD_PATCH},     {{"DELETE", 6}, METHOD_DELETE},
        {{"OPTIONS", 7}, METHOD_OPTIONS},
    };
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
        if (view_equal(name, methods[i].name))
            return methods[i].method;
    return METHOD_OTHER;
}

/* All that is needed to answer and to log, whatever comes next. */
static struct request_parts *begin(struct arena *arena, const struct clock *clock,
                                   const struct request_limits *limits,
                                   const struct request_input *input, struct request *request)
{
    struct request_parts *parts = make_parts(arena);
    *request = (struct request){
        .arena = arena,
        .clock = clock,
        .method = method_of(input->method),
        .method_name = input->method,
        .headers = input->headers,
        .scheme = VIEW("http"),
        .client_address = input->peer_address,
        .start_ns = clock_monotonic_ns(clock),
        .error = &parts->error,
        .body = &parts->body,
        .will_wait = input->will_wait,
        .will_wait_context = input->will_wait_context,
    };
    parts->body = (struct body){
        .source = input->body, .declared_bytes = -1, .max_bytes = limits->max_body_bytes};
    request->deadline_ns =
        input->deadline_ns ? input->deadline_ns : request->start_ns + limits->timeout_ms * 1000000;
    trace_random_id(parts->id);
    request->request_id = view_from(parts->id, sizeof parts->id - 1);
    struct view rest = input->target;
    request->raw_path = view_split(&rest, '?');
    request->has_query = rest.data != NULL;
    request->raw_query = rest;
    return parts;
}

static bool is_request_id(struct view text)
{
    if (text.length == 0 || text.length > REQUEST_ID_MAX_BYTES)
        return false;
    for (size_t i = 0; i < text.length; i++) {
        char c = text.data[i];
        bool allowed = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                       c == '.' || c == '_' || c == '-';
        if (!allowed)
            return false;
    }
    return true;
}

static void take_ids(struct request *request, const struct request_input *input,
                     const struct request_limits *limits, const struct known_headers *known)
{
    trace_begin(&request->trace, headers_single(known, KNOWN_TRACEPARENT));
    struct view id = headers_single(known, KNOWN_X_REQUEST_ID);
    if (is_request_id(id) && trust_list_has(limits->trusted, input->peer_address))
        request->request_id = id;
}

static enum hearth_error take_host(struct request *request, const struct known_headers *known)
{
    if (known->count[KNOWN_HOST] > 1) {
        for (size_t i = 0; i < request->headers.count; i++) {
            const struct pair *header = &request->headers.items[i];
            if (view_equal_ignore_case(header->name, VIEW("host")) &&
                !view_equal(view_trim(header->value), known->first[KNOWN_HOST]))
                return request_fail(request, HEARTH_BAD_HEADER, "there are two different Hosts");
        }
    }
    request->host = known->first[KNOWN_HOST];
    if (!syntax_is_host(request->host))
        return request_fail(request, HEARTH_BAD_HEADER, "Host is malformed");
    return HEARTH_OK;
}

static enum hearth_error take_headers(struct request *request, const struct request_input *input,
                                      const struct request_limits *limits)
{
    struct known_headers known;
    enum hearth_error result = headers_scan(&request->headers, limits, &known, request->error);
    take_ids(request, input, limits, &known);
    if (result == HEARTH_OK)
        result = take_host(request, &known);
    if (result == HEARTH_OK)
        result = headers_content_length(&request->headers, &known, &request->body->declared_bytes,
                                        request->error);
    if (result == HEARTH_OK && known.count[KNOWN_COOKIE] > 0)
        result =
            cookies_parse(request->arena, &request->headers, &request->cookies, request->error);
    /* Also of a bad request the log should say whence it came. */
    forwarded_resolve(request, input, limits->trusted, &known);
    return result;
}

/* "http://host/path": the host goes where the Host header's would, the path is what is left. */
static enum hearth_error split_absolute(struct request *request)
{
    struct view rest = request->raw_path;
    if (view_starts_with_ignore_case(rest, VIEW("http://")))
        rest = view_skip(rest, sizeof "http://" - 1);
    else if (view_starts_with_ignore_case(rest, VIEW("https://")))
        rest = view_skip(rest, sizeof "https://" - 1);
    else
        return HEARTH_OK;
    size_t slash = view_index_of(rest, '/');
    struct view host = view_slice(rest, 0, slash);
    if (host.length == 0 || !syntax_is_host(host))
        return request_fail(request, HEARTH_BAD_PATH, "the address has a malformed host");
    request->host = host;
    request->raw_path = slash == SIZE_MAX ? VIEW("/") : view_skip(rest, slash);
    return HEARTH_OK;
}

static enum hearth_error take_path(struct request *request)
{
    enum hearth_error result = split_absolute(request);
    if (result != HEARTH_OK)
        return result;
    if (request->method == METHOD_OPTIONS && view_equal(request->raw_path, VIEW("*"))) {
        request->path = request->raw_path;
        return HEARTH_OK;
    }
    return path_normalise(request->arena, request->raw_path, &request->path, request->error);
}

static enum hearth_error judge_method(const struct request *request)
{
    if (request->method != METHOD_OTHER)
        return HEARTH_OK;
    if (request->method_name.length > METHOD_MAX_BYTES || !syntax_is_token(request->method_name))
        return request_fail(request, HEARTH_BAD_REQUEST, "the method is malformed");
    return HEARTH_OK;
}

enum hearth_error request_parse(struct arena *arena, const struct clock *clock,
                                const struct request_limits *limits,
                                const struct request_input *input, struct request *request)
{
    struct request_parts *parts = begin(arena, clock, limits, input, request);
    enum hearth_error headers = take_headers(request, input, limits);
    if (parts == &spare_parts)
        return request_fail_internal(request, HEARTH_NO_MEMORY, 0, "no memory for the request");
    if (headers != HEARTH_OK)
        return headers;
    if (input->target.length > limits->max_target_bytes)
        return request_fail(request, HEARTH_URI_TOO_LONG, "the address has more than %zu bytes",
                            limits->max_target_bytes);
    enum hearth_error result = judge_method(request);
    if (result == HEARTH_OK)
        result = take_path(request);
    if (result == HEARTH_OK)
        result = query_parse(arena, request->raw_query, limits->max_query_pairs, &request->query,
                             request->error);
    return result;
}
