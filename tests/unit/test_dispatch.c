/*
 * test_dispatch.c - from a request's input to a finished answer: routing, bad requests, what
 * handlers may leave undone, and what they get wrong.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hearth/limits.h"
#include "support_stories.h"

static int set_up(void **state)
{
    (void)state;
    stories_start("");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    stories_stop();
    return 0;
}

#define header(name) test_sink_header(&stories_case.sink, name)

/* ---- Answers ---- */

static void a_request_is_answered(void **state)
{
    (void)state;
    assert_int_equal(app_case_ask(&stories_case, "GET", "/hello", NULL), 200);
    assert_string_equal(test_sink_body(&stories_case.sink), "hello");
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
    assert_int_equal(app_case_ask(&stories_case, "GET", "/hello/you%2Fme", NULL), 200);
    assert_string_equal(test_sink_body(&stories_case.sink), "hello you%2Fme");
    assert_int_equal(stories_case.sink.content_length, 14);
    assert_int_equal(stories_case.sink.finishes, 1);
}

static void head_is_get_without_its_body(void **state)
{
    (void)state;
    assert_int_equal(app_case_ask(&stories_case, "HEAD", "/hello", NULL), 200);
    assert_int_equal(stories_case.sink.content_length, 5);
    assert_int_equal(stories_case.sink.body.length, 0);
    stories_expect_logged("bytes", "0");
    assert_int_equal(app_case_ask(&stories_case, "HEAD", "/nowhere", NULL), 404);
    assert_int_equal(stories_case.sink.body.length, 0);
}

static void an_unknown_path_is_404(void **state)
{
    (void)state;
    assert_int_equal(app_case_ask(&stories_case, "GET", "/nowhere", NULL), 404);
    assert_string_equal(header("Content-Type"), "application/problem+json");
    assert_int_equal(strlen(header("X-Request-Id")), 16);
    stories_expect_logged("reason", "NOT_FOUND");
    stories_expect_logged("route", NULL);
    assert_int_equal(app_case_ask(&stories_case, "BREW", "/nowhere", NULL), 404);
    assert_int_equal(app_case_ask(&stories_case, "GET", "/nowhere", "Accept: text/html\n"), 404);
    assert_string_equal(header("Content-Type"), "text/html; charset=utf-8");
}

static void an_unknown_method_on_a_known_path_is_405(void **state)
{
    (void)state;
    assert_int_equal(app_case_ask(&stories_case, "BREW", "/hello", NULL), 405);
    assert_string_equal(header("Allow"), "GET, HEAD, OPTIONS");
    stories_expect_logged("reason", "METHOD_NOT_ALLOWED");
    stories_expect_logged("method", "BREW");
    stories_expect_logged("route", "/hello");
    assert_int_equal(app_case_ask(&stories_case, "GET", "/echo", NULL), 405);
    assert_string_equal(header("Allow"), "OPTIONS, POST");
}

static void options_says_what_a_path_knows(void **state)
{
    (void)state;
    assert_int_equal(app_case_ask(&stories_case, "OPTIONS", "/hello", NULL), 204);
    assert_string_equal(header("Allow"), "GET, HEAD, OPTIONS");
    assert_int_equal(stories_case.sink.content_length, -1);
    assert_null(header("Access-Control-Allow-Methods"));
    assert_int_equal(app_case_ask(&stories_case, "OPTIONS", "*", NULL), 204);
    assert_string_equal(header("Allow"), "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT");
    assert_int_equal(app_case_ask(&stories_case, "OPTIONS", "/nowhere", NULL), 404);
    /* A row for any method has OPTIONS too. */
    assert_int_equal(app_case_ask(&stories_case, "OPTIONS", "/any", NULL), 200);
}

static void our_headers_replace_an_upstreams(void **state)
{
    (void)state;
    assert_int_equal(app_case_ask(&stories_case, "GET", "/any", NULL), 200);
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
    int got = app_case_ask(&stories_case, method, target, headers);
    if (got != status)
        fail_msg("%s %.60s: %d, not %d", method, target, got, status);
    assert_non_null(header("X-Request-Id"));
    assert_string_equal(header("X-Content-Type-Options"), "nosniff");
    stories_expect_logged("reason", reason);
    char wanted[16];
    snprintf(wanted, sizeof wanted, "%d", status);
    stories_expect_logged("status", wanted);
    struct json_object *line = app_case_log(&stories_case);
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
    stories_expect_logged("path", "x"); /* as it came */
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
    struct json_object *line = app_case_log(&stories_case);
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
    return app_case_send(&stories_case, &request);
}

static void a_body_and_its_length_must_agree(void **state)
{
    (void)state;
    assert_int_equal(post("/echo", NULL, "body"), 200);
    assert_string_equal(test_sink_body(&stories_case.sink), "body");
    assert_int_equal(post("/echo", "Content-Length: 5\n", "body"), 400);
    stories_expect_logged("reason", "BAD_LENGTH");
    assert_int_equal(post("/echo", "Content-Length: 3\n", "body"), 400);
    stories_expect_logged("reason", "BAD_LENGTH");
    assert_int_equal(post("/echo", "Content-Length: 99999999999\n", "body"), 413);
    stories_expect_logged("reason", "BODY_TOO_LARGE");
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
    app_handle(stories_case.app, arena, &input, &stories_case.sink.sink);
    assert_int_equal(body.content.length, 0);
    /* The answer went first: the client may be waiting for it before it sends the rest. */
    assert_int_equal(stories_case.sink.flushes, 1);
    assert_int_equal(stories_case.sink.finishes, 1);
    assert_string_equal(test_sink_body(&stories_case.sink), "hello");
    /* Bounded: who sends without end is not read without end. */
    arena_reset(arena);
    test_sink_clean(&stories_case.sink);
    test_sink_init(&stories_case.sink);
    input.headers.count = 0;
    test_body_init(&body, view_from(content, sizeof content), 0);
    app_handle(stories_case.app, arena, &input, &stories_case.sink.sink);
    assert_int_equal(stories_case.sink.finishes, 1);
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
    clock_manual_advance_ms(&stories_case.clock, 1000);
    *to = 'x';
    *length = 1;
    return HEARTH_OK;
}

static void a_body_that_never_ends_is_not_waited_for(void **state)
{
    (void)state;
    struct arena *arena = arena_new(LIMIT_ARENA_BYTES);
    struct body_source body = {.read = trickle};
    struct request_input input = {.method = VIEW("POST"), .target = VIEW("/ignore"), .body = &body};
    app_handle(stories_case.app, arena, &input, &stories_case.sink.sink);
    assert_int_equal(stories_case.sink.finishes, 1);
    stories_expect_logged("ms", "2012");
    arena_free(arena);
}

/* ---- Errors of handlers ---- */

static void an_api_answers_with_a_problem_and_a_page_by_accept(void **state)
{
    (void)state;
    char target[64];
    snprintf(target, sizeof target, "/fail?code=%d", HEARTH_CONFLICT);
    assert_int_equal(app_case_ask(&stories_case, "GET", target, "Accept: text/html\n"), 409);
    assert_string_equal(header("Content-Type"), "application/problem+json");
    assert_non_null(strstr(test_sink_body(&stories_case.sink), "for the client"));
    snprintf(target, sizeof target, "/page?code=%d", HEARTH_CONFLICT);
    assert_int_equal(app_case_ask(&stories_case, "GET", target, "Accept: text/html\n"), 409);
    assert_string_equal(header("Content-Type"), "text/html; charset=utf-8");
    assert_int_equal(app_case_ask(&stories_case, "GET", target, NULL), 409);
    assert_string_equal(header("Content-Type"), "application/problem+json");
}

static void a_secret_reaches_the_log_alone(void **state)
{
    (void)state;
    char target[64];
    snprintf(target, sizeof target, "/fail?secret=1&code=%d", HEARTH_IO);
    assert_int_equal(app_case_ask(&stories_case, "GET", target, NULL), 503);
    assert_null(strstr(test_sink_body(&stories_case.sink), "secret"));
    assert_non_null(strstr(test_sink_body(&stories_case.sink), header("X-Request-Id")));
    stories_expect_logged("detail", "a secret path");
    stories_expect_logged("errno", "5");
    stories_expect_logged("level", "error");
    stories_expect_logged("path", "/fail");
}

static void an_answer_half_said_is_taken_back(void **state)
{
    (void)state;
    assert_int_equal(app_case_ask(&stories_case, "GET", "/half", NULL), 503);
    assert_null(header("X-Half"));
    assert_null(strstr(test_sink_body(&stories_case.sink), "beginning"));
    assert_string_equal(header("Retry-After"), "5");
    stories_expect_logged("reason", "DISK_FULL");
}

static void an_answer_under_way_is_broken_off(void **state)
{
    (void)state;
    assert_int_equal(app_case_ask(&stories_case, "GET", "/broken", NULL), 200);
    assert_int_equal(stories_case.sink.aborts, 1);
    assert_int_equal(stories_case.sink.finishes, 0);
    stories_expect_logged("reason", "IO");
    stories_expect_logged("aborted", "true");
    stories_expect_logged("level", "error");
    stories_expect_logged("status", "200");
    stories_expect_logged("bytes", "8193");
}

static void an_answer_shorter_than_it_said_is_broken_off(void **state)
{
    (void)state;
    app_case_ask(&stories_case, "GET", "/short", NULL);
    assert_int_equal(stories_case.sink.aborts, 1);
    stories_expect_logged("reason", "MISUSE");
    stories_expect_logged("aborted", "true");
}

static void an_error_after_the_end_is_only_logged(void **state)
{
    (void)state;
    assert_int_equal(app_case_ask(&stories_case, "GET", "/late", NULL), 200);
    assert_string_equal(test_sink_body(&stories_case.sink), "done");
    assert_int_equal(stories_case.sink.finishes, 1);
    stories_expect_logged("reason", "CORRUPT");
    stories_expect_logged("status", "200");
    stories_expect_logged("aborted", NULL);
}

static void a_client_that_left_gets_no_answer(void **state)
{
    (void)state;
    app_case_ask(&stories_case, "GET", "/gone", NULL);
    assert_int_equal(stories_case.sink.heads, 0);
    assert_int_equal(stories_case.sink.aborts, 1);
    stories_expect_logged("reason", "CLIENT_GONE");
    stories_expect_logged("status", "499");
    stories_expect_logged("level", "info");
    app_case_ask(&stories_case, "GET", "/giving-up", NULL);
    assert_int_equal(stories_case.sink.aborts, 1);
    stories_expect_logged("aborted", "true");
    stories_expect_logged("level", "error");
}

static void a_sink_that_fails_is_logged(void **state)
{
    (void)state;
    struct arena *arena = arena_new(LIMIT_ARENA_BYTES);
    struct request_input input = {.method = VIEW("GET"), .target = VIEW("/hello")};
    stories_case.sink.fail_head = HEARTH_CLIENT_GONE;
    app_handle(stories_case.app, arena, &input, &stories_case.sink.sink);
    assert_int_equal(stories_case.sink.aborts, 1);
    assert_int_equal(stories_case.sink.finishes, 0);
    stories_expect_logged("reason", "CLIENT_GONE");
    stories_expect_logged("status", "499");
    arena_free(arena);
}

static void a_request_without_memory_is_answered(void **state)
{
    (void)state;
    struct arena *arena = arena_new(64);
    struct request_input input = {.method = VIEW("GET"), .target = VIEW("/hello")};
    app_handle(stories_case.app, arena, &input, &stories_case.sink.sink);
    assert_int_equal(stories_case.sink.status, 503);
    assert_int_equal(stories_case.sink.finishes, 1);
    assert_non_null(strstr(test_sink_body(&stories_case.sink), "Out of memory"));
    stories_expect_logged("reason", "NO_MEMORY");
    arena_free(arena);
}

#define story(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

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
    };
    return cmocka_run_group_tests_name("dispatch", tests, NULL, NULL);
}
