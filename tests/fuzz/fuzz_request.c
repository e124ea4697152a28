/*
 * fuzz_request.c - whatever a front may hand over: parsed, routed, negotiated, answered.
 *
 * The input is a request as text: the method, a line feed, the target, a line feed, then headers
 * "Name: value", one a line; behind an empty line stands the body. What must hold, whatever comes:
 * a path that passes has no dot segment and is its own normal form; parameters lie in the path; a
 * range lies in the representation; the sink is ended once, and no header carries a line feed.
 */
#include <stdlib.h>
#include <string.h>

#include "app/http/path.h"
#include "app/http/router.h"
#include "hearth/limits.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            abort();                                                                               \
    } while (0)

enum { MAX_HEADERS = 64, REPRESENTATION_BYTES = 1000 };

/* ---- The peers ---- */

struct memory_body {
    struct body_source source;
    struct view rest;
};

static enum hearth_error read_memory(struct body_source *source, char *to, size_t capacity,
                                     size_t *length)
{
    struct memory_body *body = (struct memory_body *)source;
    struct view piece = view_slice(body->rest, 0, capacity);
    if (piece.length > 0)
        memcpy(to, piece.data, piece.length);
    body->rest = view_skip(body->rest, piece.length);
    *length = piece.length;
    return HEARTH_OK;
}

struct counting_sink {
    struct response_sink sink;
    int heads, ends;
    int64_t stated, written;
};

static enum hearth_error count_head(struct response_sink *sink, const struct response_head *head)
{
    struct counting_sink *counting = (struct counting_sink *)sink;
    CHECK(++counting->heads == 1 && counting->ends == 0);
    for (size_t i = 0; i < head->headers.count; i++) {
        CHECK(view_index_of(head->headers.items[i].value, '\n') == SIZE_MAX);
        CHECK(view_index_of(head->headers.items[i].name, ':') == SIZE_MAX);
    }
    counting->stated = head->content_length;
    return HEARTH_OK;
}

static enum hearth_error count_write(struct response_sink *sink, struct view bytes)
{
    struct counting_sink *counting = (struct counting_sink *)sink;
    CHECK(counting->heads == 1 && counting->ends == 0);
    counting->written += (int64_t)bytes.length;
    return HEARTH_OK;
}

static enum hearth_error count_finish(struct response_sink *sink)
{
    struct counting_sink *counting = (struct counting_sink *)sink;
    CHECK(counting->heads == 1 && ++counting->ends == 1);
    return HEARTH_OK;
}

static void count_abort(struct response_sink *sink)
{
    CHECK(++((struct counting_sink *)sink)->ends == 1);
}

/* ---- The routes ---- */

static enum hearth_error handler(const struct request *request, struct response *response,
                                 void *state)
{
    (void)request;
    (void)response;
    (void)state;
    return HEARTH_OK;
}

static const struct route routes[] = {
    {"GET", "/", handler, ROUTE_PAGE, BULKHEAD_NONE},
    {"GET", "/posts/{slug}", handler, ROUTE_PAGE, BULKHEAD_NONE},
    {"GET", "/posts/{slug}/edit", handler, ROUTE_PAGE, BULKHEAD_NONE},
    {"PUT", "/data", handler, ROUTE_API, BULKHEAD_NONE},
    {"GET", "/{a}/{b}/{c}", handler, ROUTE_PAGE, BULKHEAD_NONE},
    {"*", "/any/{rest...}", handler, ROUTE_API, BULKHEAD_NONE},
    {"GET", "/static/{path...}", handler, ROUTE_PAGE, BULKHEAD_NONE},
};

/* Made once: what is built from our own tables is not what is fuzzed. */
static struct router *router;
static struct trust_list *trusted;

static void prepare_once(void)
{
    static const char *const items[] = {"10.0.0.0/8", "unix"};
    char why[256];
    struct error_record error;
    if (router)
        return;
    router = router_new();
    trusted = trust_list_new(items, 2, why, sizeof why);
    struct log_options quiet = {.level = LOG_LEVEL_OFF};
    CHECK(router && trusted && log_configure(&quiet) == HEARTH_OK);
    for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++)
        CHECK(router_add(router, &routes[i], "fuzz", NULL, &error) == HEARTH_OK);
}

/* ---- What must hold ---- */

static void check_path(struct arena *arena, struct view path)
{
    struct view rest = view_skip(path, 1);
    CHECK(path.length > 0 && path.data[0] == '/');
    while (rest.data) {
        struct view segment = view_split(&rest, '/');
        CHECK(!view_equal(segment, VIEW("..")) && !view_equal(segment, VIEW(".")));
        CHECK(segment.length > 0 || !rest.data);
    }
    /* Encoded again, it reads back as it is. */
    char *encoded = arena_alloc(arena, 3 * path.length);
    size_t length = 0;
    CHECK(encoded);
    for (size_t i = 0; i < path.length; i++) {
        static const char digits[] = "0123456789abcdef";
        unsigned char byte = (unsigned char)path.data[i];
        if (byte == '/' || view_starts_with(view_skip(path, i), VIEW("%2F"))) {
            size_t kept = byte == '/' ? 1 : 3;
            memcpy(encoded + length, path.data + i, kept);
            length += kept;
            i += kept - 1;
            continue;
        }
        encoded[length++] = '%';
        encoded[length++] = digits[byte >> 4];
        encoded[length++] = digits[byte & 15];
    }
    struct view again;
    struct error_record error;
    CHECK(path_normalise(arena, view_from(encoded, length), &again, &error) == HEARTH_OK);
    CHECK(view_equal(again, path));
}

static void check_route(struct request *request)
{
    struct router_match match;
    enum hearth_error result = router_find(router, request, &match);
    CHECK(result == HEARTH_OK || result == HEARTH_NOT_FOUND || result == HEARTH_METHOD_NOT_ALLOWED);
    CHECK((result == HEARTH_OK) == (match.target != NULL));
    CHECK((result == HEARTH_METHOD_NOT_ALLOWED) == (match.allow[0] != '\0'));
    for (size_t i = 0; i < request->parameters.count; i++) {
        struct view value = request->parameters.items[i].value;
        CHECK(value.data >= request->path.data);
        CHECK(value.data + value.length <= request->path.data + request->path.length);
    }
}

static void answer(struct arena *arena, const struct request *request, enum hearth_error parsed)
{
    struct counting_sink counting = {.sink = {.head = count_head,
                                              .write = count_write,
                                              .finish = count_finish,
                                              .abort = count_abort}};
    struct representation representation = {VIEW("\"v1\""), 1757873091500, REPRESENTATION_BYTES};
    struct response response;
    struct byte_range range;
    enum condition_outcome outcome;
    static const char content[REPRESENTATION_BYTES];
    response_init(&response, arena, &counting.sink, request->method == METHOD_HEAD);
    if (parsed != HEARTH_OK) {
        response_error(&response, request, parsed, request_prefers_html(request),
                       (struct pairs){NULL, 0});
        CHECK(response.state == RESPONSE_FINISHED);
    } else {
        CHECK(response_negotiate(&response, request, &representation, &outcome, &range) ==
              HEARTH_OK);
        CHECK(range.first <= REPRESENTATION_BYTES &&
              range.length <= REPRESENTATION_BYTES - range.first);
        CHECK(outcome != CONDITION_SEND_RANGE || range.length > 0);
    }
    if (response.state == RESPONSE_HEAD) {
        CHECK(response_write(&response, view_from(content + range.first, range.length)) ==
              HEARTH_OK);
        CHECK(response_finish(&response) == HEARTH_OK);
    }
    CHECK(counting.heads == 1 && counting.ends == 1);
    if (counting.stated >= 0 && request->method != METHOD_HEAD)
        CHECK(counting.written == counting.stated);
}

static void read_body(const struct request *request)
{
    struct buffer out;
    buffer_init(&out, 4096);
    enum hearth_error result = body_read_all(request->body, &out);
    if (result == HEARTH_OK && request->body->declared_bytes >= 0)
        CHECK(out.length == (size_t)request->body->declared_bytes);
    body_drain(request->body, 65536);
    buffer_clean(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct request_limits defaults = {
        .max_head_bytes = 4096,
        .max_headers = 32,
        .max_header_bytes = 1024,
        .max_target_bytes = 2048,
        .max_query_pairs = 64,
        .max_body_bytes = 1024,
        .timeout_ms = 1000,
    };
    struct pair headers[MAX_HEADERS];
    struct view rest = {(const char *)data, size};
    prepare_once();
    struct request_limits limits = defaults;
    limits.trusted = trusted;
    struct request_input input = {.headers = {headers, 0}};
    input.method = view_split(&rest, '\n');
    input.target = view_split(&rest, '\n');
    while (rest.length > 0 && rest.data[0] != '\n' && input.headers.count < MAX_HEADERS) {
        struct view line = view_split(&rest, '\n'), name = view_split(&line, ':');
        headers[input.headers.count++] = (struct pair){name, view_trim(line)};
    }
    struct memory_body body = {{.read = read_memory}, view_skip(rest, 1)};
    input.body = &body.source;
    input.peer_address = size % 2 ? VIEW("10.0.0.1") : VIEW("127.0.0.1");

    struct arena *arena = arena_new(LIMIT_ARENA_BYTES);
    CHECK(arena);
    struct request request;
    enum hearth_error parsed = request_parse(arena, &clock_system, &limits, &input, &request);
    if (parsed == HEARTH_OK && !view_equal(request.path, VIEW("*")))
        check_path(arena, request.path);
    if (parsed == HEARTH_OK)
        check_route(&request);
    answer(arena, &request, parsed);
    read_body(&request);
    arena_free(arena);
    return 0;
}
