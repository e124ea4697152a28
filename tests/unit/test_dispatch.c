/*
 * test_dispatch.c - from a request's input to a finished answer, with a module of the test's own:
 * routing, error answers, CORS, what handlers may leave undone, bulkheads, the log and the metrics.
 */
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hearth/limits.h"
#include "support_dispatch.h"

static struct app_case test;

/* ---- The module ---- */

static sem_t slow_entered, slow_go;

static enum hearth_error hello(const struct request *request, struct response *response,
                               void *state)
{
    (void)request;
    (void)state;
    clock_manual_advance_ms(&test.clock, 12);
    return response_send(response, 200, VIEW("text/plain"), VIEW("hello"));
}

static enum hearth_error greet(const struct request *request, struct response *response,
                               void *state)
{
    struct view name = request_parameter(request, "name");
    (void)state;
    return response_write_format(response, "hello %.*s", VIEW_ARGUMENTS(name));
}

static enum hearth_error echo(const struct request *request, struct response *response, void *state)
{
    struct buffer body;
    (void)state;
    buffer_init(&body, 1 << 20);
    enum hearth_error result = body_read_all(request->body, &body);
    if (result == HEARTH_OK)
        result = response_send(response, 200, VIEW("text/plain"), buffer_view(&body));
    buffer_clean(&body);
    return result;
}

static enum hearth_error failing(const struct request *request, struct response *response,
                                 void *state)
{
    (void)state;
    (void)response;
    uint64_t code = 0;
    assert_true(view_to_uint64(request_query(request, "code"), &code));
    if (request_query(request, "secret").data)
        return request_fail_internal(request, (enum hearth_error)code, 5, "a secret path");
    return request_fail(request, (enum hearth_error)code, "for the client");
}

static enum hearth_error half_said(const struct request *request, struct response *response,
                                   void *state)
{
    (void)request;
    (void)state;
    enum hearth_error result = response_set_header(response, VIEW("X-Half"), VIEW("said"));
    if (result == HEARTH_OK)
        result = response_write(response, VIEW("the beginning of an answer"));
    return result == HEARTH_OK ? HEARTH_DISK_FULL : result;
}

static enum hearth_error broken_off(const struct request *request, struct response *response,
                                    void *state)
{
    static char large[LIMIT_RESPONSE_HOLD + 1];
    (void)request;
    (void)state;
    enum hearth_error result = response_write(response, view_from(large, sizeof large));
    return result == HEARTH_OK ? request_fail_internal(request, HEARTH_IO, 0, "half way") : result;
}

static enum hearth_error too_short(const struct request *request, struct response *response,
                                   void *state)
{
    (void)request;
    (void)state;
    enum hearth_error result = response_set_length(response, 10);
    return result == HEARTH_OK ? response_write(response, VIEW("short")) : result;
}

static enum hearth_error late(const struct request *request, struct response *response, void *state)
{
    (void)request;
    (void)state;
    enum hearth_error result = response_send(response, 200, VIEW("text/plain"), VIEW("done"));
    return result == HEARTH_OK ? HEARTH_CORRUPT : result;
}

static enum hearth_error gone(const struct request *request, struct response *response, void *state)
{
    (void)request;
    (void)response;
    (void)state;
    return HEARTH_CLIENT_GONE;
}

static enum hearth_error giving_up(const struct request *request, struct response *response,
                                   void *state)
{
    (void)request;
    (void)state;
    response_abort(response);
    return HEARTH_OK;
}

static enum hearth_error slow(const struct request *request, struct response *response, void *state)
{
    (void)request;
    (void)state;
    sem_post(&slow_entered);
    sem_wait(&slow_go);
    return response_send(response, 200, VIEW("text/plain"), VIEW("at last"));
}

static enum hearth_error own_headers(const struct request *request, struct response *response,
                                     void *state)
{
    static const struct pair headers[] = {
        {{"X-Request-Id", 12}, {"the upstream's", 14}},
        {{"x-content-type-options", 22}, {"none", 4}},
        {{"Access-Control-Allow-Origin", 27}, {"https://upstream", 16}},
        {{"Access-Control-Allow-Credentials", 32}, {"true", 4}},
        {{"X-Kept-Header", 13}, {"kept", 4}},
    };
    (void)request;
    (void)state;
    enum hearth_error result = HEARTH_OK;
    for (size_t i = 0; i < 5 && result == HEARTH_OK; i++)
        result = response_add_header(response, headers[i].name, headers[i].value);
    return result;
}

static const struct route routes[] = {
    {"GET", "/hello", hello, ROUTE_API, BULKHEAD_NONE},
    {"GET", "/hello/{name}", greet, ROUTE_PAGE, BULKHEAD_NONE},
    {"POST", "/echo", echo, ROUTE_API, BULKHEAD_NONE},
    {"POST", "/ignore", hello, ROUTE_API, BULKHEAD_NONE},
    {"GET", "/fail", failing, ROUTE_API, BULKHEAD_NONE},
    {"GET", "/page", failing, ROUTE_PAGE, BULKHEAD_NONE},
    {"GET", "/half", half_said, ROUTE_API, BULKHEAD_NONE},
    {"GET", "/broken", broken_off, ROUTE_API, BULKHEAD_NONE},
    {"GET", "/short", too_short, ROUTE_API, BULKHEAD_NONE},
    {"GET", "/late", late, ROUTE_API, BULKHEAD_NONE},
    {"GET", "/gone", gone, ROUTE_API, BULKHEAD_NONE},
    {"GET", "/giving-up", giving_up, ROUTE_API, BULKHEAD_NONE},
    {"GET", "/slow", slow, ROUTE_API, BULKHEAD_SLOW},
    {"GET", "/password", slow, ROUTE_API, BULKHEAD_PASSWORD},
    {"*", "/any", own_headers, ROUTE_API, BULKHEAD_NONE},
};

static const struct module stories = {
    .name = "stories", .routes = routes, .route_count = sizeof routes / sizeof routes[0]};
static const struct module *const modules[] = {&stories, NULL};

static int set_up(void **state)
{
    (void)state;
    sem_init(&slow_entered, 0, 0);
    sem_init(&slow_go, 0, 0);
    app_case_start(&test, modules, "", 6);
    return 0;
}

static int set_up_cors(void **state)
{
    (void)state;
    app_case_start(&test, modules,
                   "http: { cors_origins = (\"https://a.example\", \"http://b.example:81\"); "
                   "cors_headers = (\"authorization\", \"x-b\"); cors_max_age_s = 77; };",
                   6);
    return 0;
}

static int set_up_cors_for_all(void **state)
{
    (void)state;
    app_case_start(&test, modules, "http: { cors_origins = (\"*\"); };", 6);
    return 0;
}

static int set_up_quiet(void **state)
{
    (void)state;
    app_case_start(&test, modules, "log: { requests = false; };", 6);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    app_case_stop(&test);
    return 0;
}

#define header(name) test_sink_header(&test.sink, name)

static void expect_logged(const char *key, const char *expected)
{
    struct json_object *line = app_case_log(&test);
    const char *value = app_case_logged(line, key);
    if (!expected)
        assert_null(value);
    else if (!value)
        fail_msg("no %s in the log, expected %s", key, expected);
    else
        assert_string_equal(value, expected);
    json_object_put(line);
}

/* ---- Answers ---- */

static void a_request_is_answered(void **state)
{
    (void)state;
    assert_int_equal(app_case_ask(&test, "GET", "/hello", NULL), 200);
    assert_string_equal(test_sink_body(&test.sink), "hello");
    assert_string_equal(header("Content-Type"), "text/plain");
    assert_string_equal(header("X-Content-Type-Options"), "nosniff");
    assert_int_equal(strlen(header("X-Request-Id")), 16);
    assert_null(header("Server"));
    assert_null(header("Access-Control-Allow-Origin"));
    assert_null(header("Vary"));
}

static void a_handler_need_not_finish(void **state)
{
    (void)state;
    assert_int_equal(app_case_ask(&test, "GET", "/hello/you%2Fme", NULL), 200);
    assert_string_equal(test_sink_body(&test.sink), "hello you%2Fme");
    assert_int_equal(test.sink.content_length, 14);
    assert_int_equal(test.sink.finishes, 1);
}

static void head_is_get_without_its_body(void **state)
{
    (void)state;
    assert_int_equal(app_case_ask(&test, "HEAD", "/hello", NULL), 200);
    assert_int_equal(test.sink.content_length, 5);
    assert_int_equal(test.sink.body.length, 0);
    expect_logged("bytes", "0");
    assert_int_equal(app_case_ask(&test, "HEAD", "/nowhere", NULL), 404);
    assert_int_equal(test.sink.body.length, 0);
}

static void an_unknown_path_is_404(void **state)
{
    (void)state;
    assert_int_equal(app_case_ask(&test, "GET", "/nowhere", NULL), 404);
    assert_string_equal(header("Content-Type"), "application/problem+json");
    assert_int_equal(strlen(header("X-Request-Id")), 16);
    expect_logged("reason", "NOT_FOUND");
    expect_logged("route", NULL);
    assert_int_equal(app_case_ask(&test, "BREW", "/nowhere", NULL), 404);
    assert_int_equal(app_case_ask(&test, "GET", "/nowhere", "Accept: text/html\n"), 404);
    assert_string_equal(header("Content-Type"), "text/html; charset=utf-8");
}

static void an_unknown_method_on_a_known_path_is_405(void **state)
{
    (void)state;
    assert_int_equal(app_case_ask(&test, "BREW", "/hello", NULL), 405);
    assert_string_equal(header("Allow"), "GET, HEAD, OPTIONS");
    expect_logged("reason", "METHOD_NOT_ALLOWED");
    expect_logged("method", "BREW");
    expect_logged("route", "/hello");
    assert_int_equal(app_case_ask(&test, "GET", "/echo", NULL), 405);
    assert_string_equal(header("Allow"), "OPTIONS, POST");
}

static void options_says_what_a_path_knows(void **state)
{
    (void)state;
    assert_int_equal(app_case_ask(&test, "OPTIONS", "/hello", NULL), 204);
    assert_string_equal(header("Allow"), "GET, HEAD, OPTIONS");
    assert_int_equal(test.sink.content_length, -1);
    assert_null(header("Access-Control-Allow-Methods"));
    assert_int_equal(app_case_ask(&test, "OPTIONS", "*", NULL), 204);
    assert_string_equal(header("Allow"), "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT");
    assert_int_equal(app_case_ask(&test, "OPTIONS", "/nowhere", NULL), 404);
    /* A row for any method has OPTIONS too. */
    assert_int_equal(app_case_ask(&test, "OPTIONS", "/any", NULL), 200);
}

static void our_headers_replace_an_upstreams(void **state)
{
    (void)state;
    assert_int_equal(app_case_ask(&test, "GET", "/any", NULL), 200);
    assert_int_equal(strlen(header("X-Request-Id")), 16);
    assert_string_equal(header("X-Content-Type-Options"), "nosniff");
    assert_string_equal(header("X-Kept-Header"), "kept");
    /* Without CORS of ours the upstream's stands. */
    assert_string_equal(header("Access-Control-Allow-Origin"), "https://upstream");
}

/* ---- Bad requests: a clear answer, the reason in the log ---- */

static char *repeated(const char *start, const char *part, size_t count, const char *end)
{
    size_t size = strlen(start) + strlen(part) * count + strlen(end) + 1;
    char *text = malloc(size);
    assert_non_null(text);
    size_t length = (size_t)snprintf(text, size, "%s", start);
    for (size_t i = 0; i < count; i++)
        length += (size_t)snprintf(text + length, size - length, "%s", part);
    snprintf(text + length, size - length, "%s", end);
    return text;
}

static void expect_bad(const char *method, const char *target, const char *headers, int status,
                       const char *reason)
{
    int got = app_case_ask(&test, method, target, headers);
    if (got != status)
        fail_msg("%s %.60s: %d, not %d", method, target, got, status);
    assert_non_null(header("X-Request-Id"));
    assert_string_equal(header("X-Content-Type-Options"), "nosniff");
    expect_logged("reason", reason);
    char wanted[16];
    snprintf(wanted, sizeof wanted, "%d", status);
    expect_logged("status", wanted);
    struct json_object *line = app_case_log(&test);
    assert_non_null(app_case_logged(line, "detail"));
    json_object_put(line);
}

static void bad_paths_are_400_with_their_reason(void **state)
{
    (void)state;
    static const char *const paths[] = {"/%",     "/%zz",  "/a%00",  "/..",           "/%2e%2e",
                                        "/..%2f", "/%2e.", "/..%5c", "/%c0%ae%c0%ae", "x"};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
        expect_bad("GET", paths[i], NULL, 400, "BAD_PATH");
    expect_logged("path", "x"); /* as it came */
}

static void limits_have_their_answers(void **state)
{
    (void)state;
    char *headers = repeated("", "x-a: b\n", 1000, "");
    expect_bad("GET", "/hello", headers, 431, "HEAD_TOO_LARGE");
    free(headers);
    headers = repeated("x-a: ", "x", 65536, "\n");
    expect_bad("GET", "/hello", headers, 431, "HEAD_TOO_LARGE");
    free(headers);
    char *target = repeated("/", "x", 9000, "");
    expect_bad("GET", target, NULL, 414, "URI_TOO_LONG");
    struct json_object *line = app_case_log(&test);
    assert_true(strlen(app_case_logged(line, "path")) <= 512);
    json_object_put(line);
    free(target);
    target = repeated("/hello?", "a=b&", 300, "");
    expect_bad("GET", target, NULL, 400, "BAD_QUERY");
    free(target);
    expect_bad("GET", "/hello?a=%zz", NULL, 400, "BAD_QUERY");
    expect_bad("GET", "/hello", "Content-Length: x\n", 400, "BAD_HEADER");
    expect_bad("G T", "/hello", NULL, 400, "BAD_REQUEST");
}

static int post(const char *target, const char *headers, const char *body)
{
    struct test_request request = {
        .method = "POST", .target = target, .headers = headers, .body = view_of(body)};
    return app_case_send(&test, &request);
}

static void a_body_and_its_length_must_agree(void **state)
{
    (void)state;
    assert_int_equal(post("/echo", NULL, "body"), 200);
    assert_string_equal(test_sink_body(&test.sink), "body");
    assert_int_equal(post("/echo", "Content-Length: 5\n", "body"), 400);
    expect_logged("reason", "BAD_LENGTH");
    assert_int_equal(post("/echo", "Content-Length: 3\n", "body"), 400);
    expect_logged("reason", "BAD_LENGTH");
    assert_int_equal(post("/echo", "Content-Length: 99999999999\n", "body"), 413);
    expect_logged("reason", "BODY_TOO_LARGE");
}

static void a_body_nobody_read_is_taken_off_the_line(void **state)
{
    (void)state;
    struct arena *arena = arena_new(LIMIT_ARENA_BYTES);
    static char content[3 << 20];
    struct test_body body;
    struct pair length = {VIEW("content-length"), VIEW("70000")};
    struct request_input input = {.method = VIEW("POST"),
                                  .target = VIEW("/ignore"),
                                  .headers = {&length, 1},
                                  .body = &body.source};
    test_body_init(&body, view_from(content, 70000), 0);
    app_handle(test.app, arena, &input, &test.sink.sink);
    assert_int_equal(body.content.length, 0);
    /* The answer went first: the client may be waiting for it before it sends the rest. */
    assert_int_equal(test.sink.flushes, 1);
    assert_int_equal(test.sink.finishes, 1);
    assert_string_equal(test_sink_body(&test.sink), "hello");
    /* Bounded: who sends without end is not read without end. */
    arena_reset(arena);
    test_sink_clean(&test.sink);
    test_sink_init(&test.sink);
    input.headers.count = 0;
    test_body_init(&body, view_from(content, sizeof content), 0);
    app_handle(test.app, arena, &input, &test.sink.sink);
    assert_int_equal(test.sink.finishes, 1);
    assert_in_range(sizeof content - body.content.length, LIMIT_BODY_DRAIN,
                    LIMIT_BODY_DRAIN + 65536);
    arena_free(arena);
}

/* A client that sends a byte a second. */
static enum hearth_error trickle(struct body_source *source, char *to, size_t capacity,
                                 size_t *length)
{
    (void)source;
    assert_true(capacity > 0);
    clock_manual_advance_ms(&test.clock, 1000);
    *to = 'x';
    *length = 1;
    return HEARTH_OK;
}

static void a_body_that_never_ends_is_not_waited_for(void **state)
{
    (void)state;
    struct arena *arena = arena_new(LIMIT_ARENA_BYTES);
    struct body_source body = {trickle};
    struct request_input input = {.method = VIEW("POST"), .target = VIEW("/ignore"), .body = &body};
    app_handle(test.app, arena, &input, &test.sink.sink);
    assert_int_equal(test.sink.finishes, 1);
    expect_logged("ms", "2012");
    arena_free(arena);
}

/* ---- Errors of handlers ---- */

static void an_api_answers_with_a_problem_and_a_page_by_accept(void **state)
{
    (void)state;
    char target[64];
    snprintf(target, sizeof target, "/fail?code=%d", HEARTH_CONFLICT);
    assert_int_equal(app_case_ask(&test, "GET", target, "Accept: text/html\n"), 409);
    assert_string_equal(header("Content-Type"), "application/problem+json");
    assert_non_null(strstr(test_sink_body(&test.sink), "for the client"));
    snprintf(target, sizeof target, "/page?code=%d", HEARTH_CONFLICT);
    assert_int_equal(app_case_ask(&test, "GET", target, "Accept: text/html\n"), 409);
    assert_string_equal(header("Content-Type"), "text/html; charset=utf-8");
    assert_int_equal(app_case_ask(&test, "GET", target, NULL), 409);
    assert_string_equal(header("Content-Type"), "application/problem+json");
}

static void a_secret_reaches_the_log_alone(void **state)
{
    (void)state;
    char target[64];
    snprintf(target, sizeof target, "/fail?secret=1&code=%d", HEARTH_IO);
    assert_int_equal(app_case_ask(&test, "GET", target, NULL), 503);
    assert_null(strstr(test_sink_body(&test.sink), "secret"));
    assert_non_null(strstr(test_sink_body(&test.sink), header("X-Request-Id")));
    expect_logged("detail", "a secret path");
    expect_logged("errno", "5");
    expect_logged("level", "error");
    expect_logged("path", "/fail");
}

static void an_answer_half_said_is_taken_back(void **state)
{
    (void)state;
    assert_int_equal(app_case_ask(&test, "GET", "/half", NULL), 503);
    assert_null(header("X-Half"));
    assert_null(strstr(test_sink_body(&test.sink), "beginning"));
    assert_string_equal(header("Retry-After"), "5");
    expect_logged("reason", "DISK_FULL");
}

static void an_answer_under_way_is_broken_off(void **state)
{
    (void)state;
    assert_int_equal(app_case_ask(&test, "GET", "/broken", NULL), 200);
    assert_int_equal(test.sink.aborts, 1);
    assert_int_equal(test.sink.finishes, 0);
    expect_logged("reason", "IO");
    expect_logged("aborted", "true");
    expect_logged("level", "error");
    expect_logged("status", "200");
    expect_logged("bytes", "8193");
}

static void an_answer_shorter_than_it_said_is_broken_off(void **state)
{
    (void)state;
    app_case_ask(&test, "GET", "/short", NULL);
    assert_int_equal(test.sink.aborts, 1);
    expect_logged("reason", "MISUSE");
    expect_logged("aborted", "true");
}

static void an_error_after_the_end_is_only_logged(void **state)
{
    (void)state;
    assert_int_equal(app_case_ask(&test, "GET", "/late", NULL), 200);
    assert_string_equal(test_sink_body(&test.sink), "done");
    assert_int_equal(test.sink.finishes, 1);
    expect_logged("reason", "CORRUPT");
    expect_logged("status", "200");
    expect_logged("aborted", NULL);
}

static void a_client_that_left_gets_no_answer(void **state)
{
    (void)state;
    app_case_ask(&test, "GET", "/gone", NULL);
    assert_int_equal(test.sink.heads, 0);
    assert_int_equal(test.sink.aborts, 1);
    expect_logged("reason", "CLIENT_GONE");
    expect_logged("status", "499");
    expect_logged("level", "info");
    app_case_ask(&test, "GET", "/giving-up", NULL);
    assert_int_equal(test.sink.aborts, 1);
    expect_logged("aborted", "true");
    expect_logged("level", "error");
}

static void a_sink_that_fails_is_logged(void **state)
{
    (void)state;
    struct arena *arena = arena_new(LIMIT_ARENA_BYTES);
    struct request_input input = {.method = VIEW("GET"), .target = VIEW("/hello")};
    test.sink.fail_head = HEARTH_CLIENT_GONE;
    app_handle(test.app, arena, &input, &test.sink.sink);
    assert_int_equal(test.sink.aborts, 1);
    assert_int_equal(test.sink.finishes, 0);
    expect_logged("reason", "CLIENT_GONE");
    expect_logged("status", "499");
    arena_free(arena);
}

static void a_request_without_memory_is_answered(void **state)
{
    (void)state;
    struct arena *arena = arena_new(64);
    struct request_input input = {.method = VIEW("GET"), .target = VIEW("/hello")};
    app_handle(test.app, arena, &input, &test.sink.sink);
    assert_int_equal(test.sink.status, 503);
    assert_int_equal(test.sink.finishes, 1);
    assert_non_null(strstr(test_sink_body(&test.sink), "Out of memory"));
    expect_logged("reason", "NO_MEMORY");
    arena_free(arena);
}

/* ---- CORS ---- */

static void an_allowed_origin_may_read_answers(void **state)
{
    (void)state;
    app_case_ask(&test, "GET", "/hello", "Origin: https://a.example\n");
    assert_string_equal(header("Access-Control-Allow-Origin"), "https://a.example");
    assert_string_equal(header("Vary"), "Origin");
    assert_null(header("Access-Control-Allow-Credentials"));
    app_case_ask(&test, "GET", "/hello", "Origin: https://other.example\n");
    assert_null(header("Access-Control-Allow-Origin"));
    assert_string_equal(header("Vary"), "Origin");
    app_case_ask(&test, "GET", "/hello", NULL);
    assert_null(header("Access-Control-Allow-Origin"));
    assert_string_equal(header("Vary"), "Origin");
    /* Errors can be read as well, also those of a request that was never understood. */
    assert_int_equal(app_case_ask(&test, "GET", "/..", "Origin: http://b.example:81\n"), 400);
    assert_string_equal(header("Access-Control-Allow-Origin"), "http://b.example:81");
    /* Ours replace an upstream's. */
    app_case_ask(&test, "GET", "/any", "Origin: https://other.example\n");
    assert_null(header("Access-Control-Allow-Origin"));
    assert_null(header("Access-Control-Allow-Credentials"));
}

static void a_preflight_is_answered(void **state)
{
    (void)state;
    assert_int_equal(app_case_ask(&test, "OPTIONS", "/echo",
                                  "Origin: https://a.example\n"
                                  "Access-Control-Request-Method: POST\n"),
                     204);
    assert_string_equal(header("Allow"), "OPTIONS, POST");
    assert_string_equal(header("Access-Control-Allow-Origin"), "https://a.example");
    assert_string_equal(header("Access-Control-Allow-Methods"), "OPTIONS, POST");
    assert_string_equal(header("Access-Control-Allow-Headers"), "authorization, x-b");
    assert_string_equal(header("Access-Control-Max-Age"), "77");
    /* Not for others, and not without a method. */
    assert_int_equal(app_case_ask(&test, "OPTIONS", "/echo",
                                  "Origin: https://other.example\n"
                                  "Access-Control-Request-Method: POST\n"),
                     204);
    assert_null(header("Access-Control-Allow-Methods"));
    app_case_ask(&test, "OPTIONS", "/echo", "Origin: https://a.example\n");
    assert_null(header("Access-Control-Allow-Methods"));
}

static void a_star_allows_every_origin_without_credentials(void **state)
{
    (void)state;
    app_case_ask(&test, "GET", "/hello", "Origin: https://any.example\n");
    assert_string_equal(header("Access-Control-Allow-Origin"), "*");
    assert_null(header("Vary"));
    assert_null(header("Access-Control-Allow-Credentials"));
    assert_int_equal(app_case_ask(&test, "OPTIONS", "/hello",
                                  "Origin: null\nAccess-Control-Request-Method: GET\n"),
                     204);
    assert_string_equal(header("Access-Control-Allow-Headers"), "authorization, content-type");
    assert_string_equal(header("Access-Control-Allow-Methods"), "GET, HEAD, OPTIONS");
}

/* ---- Bulkheads ---- */

struct slow_asker {
    pthread_t thread;
    const char *target;
    int status;
};

static void *ask_slow(void *context)
{
    struct slow_asker *asker = context;
    struct test_sink sink;
    struct test_request request = {.method = "GET", .target = asker->target};
    test_sink_init(&sink);
    test_app_request(test.app, &request, &sink);
    asker->status = sink.status;
    test_sink_clean(&sink);
    return NULL;
}

/* Fills a class that has two places, and asks once more. */
static void expect_two_places(const char *target)
{
    struct slow_asker askers[2];
    for (size_t i = 0; i < 2; i++) {
        askers[i] = (struct slow_asker){.target = target};
        assert_int_equal(pthread_create(&askers[i].thread, NULL, ask_slow, &askers[i]), 0);
        sem_wait(&slow_entered);
    }
    assert_int_equal(app_case_ask(&test, "GET", target, NULL), 503);
    assert_string_equal(header("Retry-After"), "1");
    expect_logged("reason", "BUSY");
    /* Others are not held up. */
    assert_int_equal(app_case_ask(&test, "GET", "/hello", NULL), 200);
    assert_true(app_case_metric(&test, "hearth_requests_in_flight") == 2);
    for (size_t i = 0; i < 2; i++)
        sem_post(&slow_go);
    for (size_t i = 0; i < 2; i++) {
        pthread_join(askers[i].thread, NULL);
        assert_int_equal(askers[i].status, 200);
    }
    /* The places are free again. */
    sem_post(&slow_go);
    assert_int_equal(app_case_ask(&test, "GET", target, NULL), 200);
    assert_true(app_case_metric(&test, "hearth_requests_in_flight") == 0);
}

static void a_full_bulkhead_refuses(void **state)
{
    (void)state;
    expect_two_places("/slow"); /* 6 threads: 2 of them */
}

static void hashing_has_two_places(void **state)
{
    (void)state;
    expect_two_places("/password");
}

/* ---- The log ---- */

static void a_request_leaves_one_line(void **state)
{
    (void)state;
    struct test_request request = {
        .method = "GET",
        .target = "/hello/%7Ename?token=geheim",
        .peer = "192.0.2.7",
        .headers = "Authorization: Bearer geheim\nUser-Agent: geheim\nCookie: a=geheim\n"
                   "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\n"};
    app_case_send(&test, &request);
    struct json_object *line = app_case_log(&test);
    assert_string_equal(app_case_logged(line, "level"), "info");
    assert_string_equal(app_case_logged(line, "request_id"), header("X-Request-Id"));
    assert_string_equal(app_case_logged(line, "trace_id"), "0af7651916cd43dd8448eb211c80319c");
    assert_string_equal(app_case_logged(line, "route"), "/hello/{name}");
    assert_string_equal(app_case_logged(line, "method"), "GET");
    assert_string_equal(app_case_logged(line, "path"), "/hello/~name");
    assert_string_equal(app_case_logged(line, "status"), "200");
    assert_string_equal(app_case_logged(line, "bytes"), "11");
    assert_string_equal(app_case_logged(line, "client"), "192.0.2.7");
    assert_null(app_case_logged(line, "reason"));
    assert_null(strstr(json_object_to_json_string(line), "geheim"));
    json_object_put(line);
    assert_int_equal(app_case_count_log(&test, "request"), 1);
    app_case_ask(&test, "GET", "/hello", NULL);
    expect_logged("ms", "12");
}

static void without_request_lines_failures_still_have_theirs(void **state)
{
    (void)state;
    app_case_ask(&test, "GET", "/hello", NULL);
    app_case_ask(&test, "GET", "/nowhere", NULL);
    assert_int_equal(app_case_count_log(&test, "request"), 0);
    app_case_ask(&test, "GET", "/half", NULL);
    assert_int_equal(app_case_count_log(&test, "request"), 1);
}

/* ---- Metrics ---- */

static void requests_are_counted(void **state)
{
    (void)state;
    app_case_ask(&test, "GET", "/hello", NULL);
    app_case_ask(&test, "GET", "/hello", NULL);
    app_case_ask(&test, "HEAD", "/hello", NULL);
    app_case_ask(&test, "BREW", "/any", NULL);
    app_case_ask(&test, "GET", "/nowhere/1", NULL);
    app_case_ask(&test, "GET", "/nowhere/2", NULL);
    app_case_ask(&test, "GET", "/half", NULL);
    const struct {
        const char *series;
        double value;
    } expected[] = {
        {"hearth_requests_total{route=\"/hello\",method=\"GET\",status=\"2xx\"}", 2},
        {"hearth_requests_total{route=\"/hello\",method=\"HEAD\",status=\"2xx\"}", 1},
        {"hearth_requests_total{route=\"/any\",method=\"OTHER\",status=\"2xx\"}", 1},
        {"hearth_requests_total{route=\"unmatched\",method=\"GET\",status=\"4xx\"}", 2},
        {"hearth_requests_total{route=\"/half\",method=\"GET\",status=\"5xx\"}", 1},
        {"hearth_requests_total{route=\"/hello\",method=\"GET\",status=\"5xx\"}", -1},
        {"hearth_errors_total{reason=\"NOT_FOUND\"}", 2},
        {"hearth_errors_total{reason=\"DISK_FULL\"}", 1},
        {"hearth_requests_in_flight", 0},
        {"hearth_request_seconds_count{route=\"/hello\"}", 3},
        {"hearth_request_seconds_bucket{route=\"/hello\",le=\"0.01\"}", 0},
        {"hearth_request_seconds_bucket{route=\"/hello\",le=\"0.025\"}", 3},
        {"hearth_request_seconds_sum{route=\"/hello\"}", 0.036},
    };
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        double value = app_case_metric(&test, expected[i].series);
        if (value < expected[i].value - 1e-9 || value > expected[i].value + 1e-9)
            fail_msg("%s is %g, not %g", expected[i].series, value, expected[i].value);
    }
    assert_true(app_case_metric(&test, "hearth_responses_bytes_total") > 10);
}

/* ---- Start and configuration ---- */

static enum hearth_error failing_start(const struct services *services, void **state,
                                       struct error_record *error)
{
    (void)services;
    (void)state;
    return error_set_internal(error, HEARTH_LOCKED, 11, "somebody else has it");
}

static int started, stopped;

static enum hearth_error counting_start(const struct services *services, void **state,
                                        struct error_record *error)
{
    (void)error;
    assert_non_null(services->objects);
    assert_non_null(services->auth);
    assert_non_null(services->readiness);
    *state = &started;
    started++;
    return HEARTH_OK;
}

static void counting_stop(void *state)
{
    assert_ptr_equal(state, &started);
    stopped++;
}

/* Starts `table` over the configuration of the running case. */
static enum hearth_error start_other(const struct module *const *table, struct error_record *error)
{
    struct app *app;
    struct app_options options = {.modules = table,
                                  .config = test.config,
                                  .clock = &test.clock.clock,
                                  .metrics = test.metrics,
                                  .threads = 1};
    enum hearth_error result = app_start(&options, &app, error);
    assert_true((app != NULL) == (result == HEARTH_OK));
    app_stop(app);
    return result;
}

static void a_module_that_does_not_start_takes_the_others_down(void **state)
{
    (void)state;
    static const struct module counting = {
        .name = "counting", .start = counting_start, .stop = counting_stop};
    static const struct module failing_module = {.name = "failing", .start = failing_start};
    static const struct module *const table[] = {&counting, &failing_module, &counting, NULL};
    struct error_record error;
    started = stopped = 0;
    assert_int_equal(start_other(table, &error), HEARTH_LOCKED);
    assert_string_equal(error.detail, "module failing: somebody else has it");
    assert_int_equal(error.number, 11);
    assert_int_equal(started, 1);
    assert_int_equal(stopped, 1);
    static const struct module *const good[] = {&counting, &counting, NULL};
    assert_int_equal(start_other(good, &error), HEARTH_OK);
    assert_int_equal(started, 3);
    assert_int_equal(stopped, 3);
}

static void two_modules_with_one_route_do_not_start(void **state)
{
    (void)state;
    static const struct module other = {.name = "other", .routes = routes, .route_count = 1};
    static const struct module *const table[] = {&stories, &other, NULL};
    struct error_record error;
    assert_int_equal(start_other(table, &error), HEARTH_MISUSE);
    assert_string_equal(error.detail,
                        "route GET /hello of module other is also /hello of module stories");
}

static void a_workers_gauge_begins_at_zero(void **state)
{
    (void)state;
    static const char series[] = "hearth_requests_in_flight{worker=\"3\"}";
    struct metric *gauge =
        metrics_gauge(test.metrics, "hearth_requests_in_flight", "", "worker=\"3\"");
    metric_set(gauge, 7); /* what a worker that died was doing */
    struct app *app;
    struct error_record error;
    struct app_options options = {.modules = modules,
                                  .config = test.config,
                                  .clock = &test.clock.clock,
                                  .metrics = test.metrics,
                                  .threads = 1,
                                  .worker = 3};
    assert_int_equal(app_start(&options, &app, &error), HEARTH_OK);
    assert_true(app_case_metric(&test, series) == 0);
    app_stop(app);
}

static const struct config_row extra_rows[] = {
    {.key = "extra.word", .type = CONFIG_STRING, .initial = "a", .text = "A word."}};

static void extra_check(const struct config *config, struct config_problems *problems)
{
    if (strcmp(config_string(config, "extra.word"), "bad") == 0)
        config_problem_add(problems, config_origin(config, "extra.word"), "extra.word",
                           "must not be bad");
}

static void a_configuration_is_checked_by_every_module(void **state)
{
    (void)state;
    static const struct module extra = {
        .name = "extra", .rows = {extra_rows, 1}, .check = extra_check};
    static const struct module *const table[] = {&stories, &extra, NULL};
    struct config_rows tables[4];
    assert_int_equal(app_config_tables(table, tables, 4), 2);
    assert_ptr_equal(tables[1].rows, extra_rows);
    assert_int_equal(app_config_tables(table, tables, 1), 2);

    char path[512];
    struct config *config;
    struct config_problems problems;
    snprintf(path, sizeof path, "%s/other.conf", test.directory);
    test_write_file(path, VIEW("extra: { word = \"bad\"; };\n"));
    assert_int_equal(app_config_load(table, path, &config, &problems), HEARTH_BAD_REQUEST);
    assert_null(config);
    assert_int_equal(problems.count, 1);
    assert_string_equal(problems.items[0].key, "extra.word");
    assert_string_equal(problems.items[0].what, "must not be bad");
    assert_non_null(strstr(problems.items[0].where, "other.conf:1"));
    config_problems_clean(&problems);
    test_write_file(path, VIEW("extra: { word = \"good\"; };\n"));
    assert_int_equal(app_config_load(table, path, &config, &problems), HEARTH_OK);
    assert_string_equal(config_string(config, "extra.word"), "good");
    config_free(config);
    config_problems_clean(&problems);
}

static void bad_proxies_and_origins_are_problems(void **state)
{
    (void)state;
    char path[512];
    struct config *config;
    struct config_problems problems;
    snprintf(path, sizeof path, "%s/other.conf", test.directory);
    test_write_file(path, VIEW("http: { trusted_proxies = (\"10.0.0.0/99\");\n"
                               "cors_origins = (\"example.org\"); };\n"));
    assert_int_equal(app_config_load(modules, path, &config, &problems), HEARTH_BAD_REQUEST);
    assert_int_equal(problems.count, 2);
    assert_string_equal(problems.items[0].key, "http.trusted_proxies");
    assert_string_equal(problems.items[1].key, "http.cors_origins");
    config_problems_clean(&problems);
}

#define story(name)           cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define story_with(name, how) cmocka_unit_test_setup_teardown(name, how, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        story(a_request_is_answered),
        story(a_handler_need_not_finish),
        story(head_is_get_without_its_body),
        story(an_unknown_path_is_404),
        story(an_unknown_method_on_a_known_path_is_405),
        story(options_says_what_a_path_knows),
        story(our_headers_replace_an_upstreams),
        story(bad_paths_are_400_with_their_reason),
        story(limits_have_their_answers),
        story(a_body_and_its_length_must_agree),
        story(a_body_nobody_read_is_taken_off_the_line),
        story(a_body_that_never_ends_is_not_waited_for),
        story(an_api_answers_with_a_problem_and_a_page_by_accept),
        story(a_secret_reaches_the_log_alone),
        story(an_answer_half_said_is_taken_back),
        story(an_answer_under_way_is_broken_off),
        story(an_answer_shorter_than_it_said_is_broken_off),
        story(an_error_after_the_end_is_only_logged),
        story(a_client_that_left_gets_no_answer),
        story(a_sink_that_fails_is_logged),
        story(a_request_without_memory_is_answered),
        story_with(an_allowed_origin_may_read_answers, set_up_cors),
        story_with(a_preflight_is_answered, set_up_cors),
        story_with(a_star_allows_every_origin_without_credentials, set_up_cors_for_all),
        story(a_full_bulkhead_refuses),
        story(hashing_has_two_places),
        story(a_request_leaves_one_line),
        story_with(without_request_lines_failures_still_have_theirs, set_up_quiet),
        story(requests_are_counted),
        story(a_module_that_does_not_start_takes_the_others_down),
        story(two_modules_with_one_route_do_not_start),
        story(a_workers_gauge_begins_at_zero),
        story(a_configuration_is_checked_by_every_module),
        story(bad_proxies_and_origins_are_problems),
    };
    return cmocka_run_group_tests_name("dispatch", tests, NULL, NULL);
}
