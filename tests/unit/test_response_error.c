/*
 * test_response_error.c - the answers for errors: problem documents, pages, what they carry and
 * what they must not.
 */
#include <json-c/json.h>
#include <string.h>

#include "app/core/memory.h"
#include "hearth/limits.h"
#include "support_response.h"

static struct response_test test;

static int set_up(void **state)
{
    (void)state;
    return response_test_set_up(&test);
}

static int tear_down(void **state)
{
    (void)state;
    return response_test_tear_down(&test);
}

#define ok(call) assert_int_equal(call, HEARTH_OK)

static struct json_object *problem(void)
{
    struct json_object *document = json_tokener_parse(test_sink_body(&test.sink));
    assert_non_null(document);
    return document;
}

static const char *member(struct json_object *document, const char *key)
{
    struct json_object *value;
    return json_object_object_get_ex(document, key, &value) ? json_object_get_string(value) : NULL;
}

static const struct pairs none = {NULL, 0};

static void an_error_becomes_a_problem_document(void **state)
{
    (void)state;
    (void)request_fail(&test.request, HEARTH_BAD_BODY, "line %d has a \"quote\"", 3);
    response_error(&test.response, &test.request, HEARTH_BAD_BODY, false, none);
    assert_int_equal(test.sink.status, 400);
    assert_string_equal(test_sink_header(&test.sink, "Content-Type"), "application/problem+json");
    assert_string_equal(test_sink_header(&test.sink, "Cache-Control"), "no-store");
    assert_int_equal(test.sink.content_length, test.sink.body.length);
    struct json_object *document = problem();
    assert_string_equal(member(document, "type"), "about:blank");
    assert_string_equal(member(document, "title"), "Bad body");
    assert_string_equal(member(document, "status"), "400");
    assert_string_equal(member(document, "detail"), "line 3 has a \"quote\"");
    assert_string_equal(member(document, "request_id"),
                        arena_copy(test.arena, test.request.request_id).data);
    json_object_put(document);
    assert_int_equal(test.sink.finishes, 1);
}

static void an_internal_detail_stays_inside(void **state)
{
    (void)state;
    (void)request_fail_internal(&test.request, HEARTH_IO, 5, "/var/lib/hearth/secret");
    response_error(&test.response, &test.request, HEARTH_IO, false, none);
    assert_int_equal(test.sink.status, 503);
    assert_null(strstr(test_sink_body(&test.sink), "secret"));
    response_test_again(&test, false);
    response_error(&test.response, &test.request, HEARTH_IO, true, none);
    assert_null(strstr(test_sink_body(&test.sink), "secret"));
    /* A detail that was about another error is not about this one. */
    response_test_again(&test, false);
    (void)request_fail(&test.request, HEARTH_BAD_BODY, "about the body");
    response_error(&test.response, &test.request, HEARTH_NOT_FOUND, false, none);
    assert_null(strstr(test_sink_body(&test.sink), "about the body"));
}

static void people_get_a_page(void **state)
{
    (void)state;
    (void)request_fail(&test.request, HEARTH_NOT_FOUND, "no <script>alert(1)</script> here");
    response_error(&test.response, &test.request, HEARTH_NOT_FOUND, true, none);
    const char *body = test_sink_body(&test.sink);
    assert_int_equal(test.sink.status, 404);
    assert_string_equal(test_sink_header(&test.sink, "Content-Type"), "text/html; charset=utf-8");
    assert_non_null(test_sink_header(&test.sink, "Content-Security-Policy"));
    assert_non_null(strstr(body, "<title>Not found</title>"));
    assert_non_null(strstr(body, "no &lt;script&gt;alert(1)&lt;/script&gt; here"));
    assert_null(strstr(body, "<script"));
    assert_null(strstr(body, "http://"));
    assert_null(strstr(body, "https://"));
    assert_non_null(strstr(body, arena_copy(test.arena, test.request.request_id).data));
}

static void some_errors_have_headers_of_their_own(void **state)
{
    (void)state;
    response_error(&test.response, &test.request, HEARTH_BUSY, false, none);
    assert_int_equal(test.sink.status, 503);
    assert_string_equal(test_sink_header(&test.sink, "Retry-After"), "1");
    response_test_again(&test, false);
    response_error(&test.response, &test.request, HEARTH_DISK_FULL, false, none);
    assert_string_equal(test_sink_header(&test.sink, "Retry-After"), "5");
    response_test_again(&test, false);
    response_error(&test.response, &test.request, HEARTH_UNAUTHORIZED, false, none);
    assert_int_equal(test.sink.status, 401);
    assert_string_equal(test_sink_header(&test.sink, "WWW-Authenticate"),
                        "Bearer realm=\"hearth\"");
    response_test_again(&test, false);
    struct pair extra[] = {{VIEW("Retry-After"), VIEW("30")}, {VIEW("X-A"), VIEW("b")}};
    response_error(&test.response, &test.request, HEARTH_BUSY, false, (struct pairs){extra, 2});
    assert_string_equal(test_sink_header(&test.sink, "Retry-After"), "30");
    assert_string_equal(test_sink_header(&test.sink, "X-A"), "b");
}

static void what_a_handler_said_about_its_error_is_kept(void **state)
{
    (void)state;
    ok(response_add_header(&test.response, VIEW("Retry-After"), VIEW("7")));
    ok(response_add_header(&test.response, VIEW("Allow"), VIEW("GET")));
    ok(response_add_header(&test.response, VIEW("Set-Cookie"), VIEW("a=b")));
    ok(response_add_header(&test.response, VIEW("Content-Type"), VIEW("image/png")));
    ok(response_set_length(&test.response, 99999));
    response_error(&test.response, &test.request, HEARTH_UNAVAILABLE, false, none);
    assert_string_equal(test_sink_header(&test.sink, "Retry-After"), "7");
    assert_string_equal(test_sink_header(&test.sink, "Allow"), "GET");
    assert_null(test_sink_header(&test.sink, "Set-Cookie"));
    assert_string_equal(test_sink_header(&test.sink, "Content-Type"), "application/problem+json");
    assert_int_equal(test.sink.content_length, test.sink.body.length);
}

static void an_error_after_the_head_breaks_the_answer(void **state)
{
    (void)state;
    ok(response_write(&test.response, response_test_filled(LIMIT_RESPONSE_HOLD + 1)));
    response_error(&test.response, &test.request, HEARTH_IO, false, none);
    assert_int_equal(test.sink.heads, 1);
    assert_int_equal(test.sink.status, 200);
    assert_int_equal(test.sink.aborts, 1);
    assert_int_equal(test.sink.finishes, 0);
    assert_int_equal(test.sink.body.length, LIMIT_RESPONSE_HOLD + 1);
    /* What is still held can be taken back. */
    response_test_again(&test, false);
    ok(response_write(&test.response, response_test_filled(LIMIT_RESPONSE_HOLD)));
    response_error(&test.response, &test.request, HEARTH_IO, false, none);
    assert_int_equal(test.sink.status, 503);
    assert_int_equal(test.sink.aborts, 0);
}

static void an_error_for_head_has_a_length_and_no_body(void **state)
{
    (void)state;
    response_test_begin(&test, true);
    response_error(&test.response, &test.request, HEARTH_NOT_FOUND, false, none);
    assert_int_equal(test.sink.status, 404);
    assert_int_equal(test.sink.body.length, 0);
    assert_true(test.sink.content_length > 50);
}

static void an_error_is_answered_without_any_memory(void **state)
{
    (void)state;
    struct arena *tight = arena_new(64);
    response_init(&test.response, tight, &test.sink.sink, false);
    response_error(&test.response, &test.request, HEARTH_NO_MEMORY, true, none);
    assert_int_equal(test.sink.status, 503);
    assert_string_equal(test_sink_header(&test.sink, "Content-Type"), "application/problem+json");
    assert_string_equal(test_sink_header(&test.sink, "Retry-After"), "5");
    assert_int_equal(test.sink.content_length, test.sink.body.length);
    struct json_object *document = problem();
    assert_string_equal(member(document, "status"), "503");
    json_object_put(document);
    assert_int_equal(test.sink.finishes, 1);
    arena_free(tight);
}

static void every_error_has_an_answer(void **state)
{
    (void)state;
    for (int code = HEARTH_BAD_REQUEST; code < HEARTH_ERROR_COUNT; code++) {
        response_test_again(&test, false);
        response_error(&test.response, &test.request, (enum hearth_error)code, code % 2, none);
        assert_int_equal(test.sink.status, error_http_status((enum hearth_error)code));
        assert_int_equal(test.sink.finishes, 1);
        assert_true(test.sink.body.length > 0);
    }
}

#define story(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        story(an_error_becomes_a_problem_document),
        story(an_internal_detail_stays_inside),
        story(people_get_a_page),
        story(some_errors_have_headers_of_their_own),
        story(what_a_handler_said_about_its_error_is_kept),
        story(an_error_after_the_head_breaks_the_answer),
        story(an_error_for_head_has_a_length_and_no_body),
        story(an_error_is_answered_without_any_memory),
        story(every_error_has_an_answer),
    };
    return cmocka_run_group_tests_name("response_error", tests, NULL, NULL);
}
