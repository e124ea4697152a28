/*
 * test_request_parse.c - from an adapter's input to a request: what it holds, and what each limit
 * and each malformed part answers.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/core/memory.h"
#include "hearth/limits.h"
#include "support.h"

static struct arena *arena;
static struct clock_manual manual;

static const struct request_limits limits = {
    .max_head_bytes = 65536,
    .max_headers = 200,
    .max_header_bytes = 16384,
    .max_target_bytes = 8192,
    .max_query_pairs = 256,
    .max_body_bytes = 1000,
    .timeout_ms = 60000,
};

static int set_up(void **state)
{
    (void)state;
    clock_manual_init(&manual, 1757872791123);
    arena = arena_new(LIMIT_ARENA_BYTES);
    return arena ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    memory_fail_after(-1);
    arena_free(arena);
    return 0;
}

/* A request with headers "Name: value\n...". */
static enum hearth_error parse(const char *method, const char *target, const char *headers,
                               struct request *request)
{
    struct test_request input = {.method = method, .target = target, .headers = headers};
    return test_parse(arena, &input, request);
}

static void expect_ok(const char *method, const char *target, const char *headers,
                      struct request *request)
{
    enum hearth_error result = parse(method, target, headers, request);
    if (result != HEARTH_OK)
        fail_msg("%s %s: %s (%s)", method, target, error_name(result), request->error->detail);
}

static void expect_error(const char *method, const char *target, const char *headers,
                         enum hearth_error expected, const char *detail)
{
    struct request request;
    enum hearth_error result = parse(method, target, headers, &request);
    if (result != expected)
        fail_msg("%s %s: %s, not %s", method, target, error_name(result), error_name(expected));
    assert_string_equal(request.error->detail, detail);
    assert_int_equal(request.error->code, expected);
    assert_true(request.error->public_detail);
    /* Whatever fails, it can be answered and logged. */
    assert_non_null(request.body);
    assert_string_equal(method, arena_copy(arena, request.method_name).data);
    assert_int_equal(request.request_id.length, 16);
    assert_int_equal(strlen(request.trace.trace_id), 32);
}

#define expect_view(view, text) assert_string_equal(arena_copy(arena, view).data, text)

static void a_request_is_data(void **state)
{
    (void)state;
    struct request request;
    expect_ok("GET", "/a/b?x=1&y=two+words&x=%C3%A9",
              "Host: example.org:8080\nAccept: text/html\nX-Two: 1\nx-two: 2\n", &request);
    assert_int_equal(request.method, METHOD_GET);
    expect_view(request.method_name, "GET");
    expect_view(request.raw_path, "/a/b");
    expect_view(request.path, "/a/b");
    expect_view(request.raw_query, "x=1&y=two+words&x=%C3%A9");
    assert_true(request.has_query);
    assert_int_equal(request.query.count, 3);
    expect_view(request.query.items[2].name, "x");
    expect_view(request_query(&request, "x"), "1");
    expect_view(request_query(&request, "y"), "two words");
    expect_view(request.query.items[2].value, "\xc3\xa9");
    assert_null(request_query(&request, "z").data);
    expect_view(request.host, "example.org:8080");
    expect_view(request.scheme, "http");
    expect_view(request.client_address, "127.0.0.1");
    assert_true(request.client_is_loopback);
    expect_view(request_header(&request, "X-TWO"), "1");
    assert_int_equal(request_header_count(&request, "X-Two"), 2);
    assert_null(request_header(&request, "X-Three").data);
    assert_int_equal(request.headers.count, 4);
    assert_null(request.route);
    assert_int_equal(request.body->declared_bytes, -1);
    assert_null(request.body->source);
}

static void every_method_is_known_or_other(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum method method;
    } methods[] = {
        {"GET", METHOD_GET},         {"HEAD", METHOD_HEAD},      {"POST", METHOD_POST},
        {"PUT", METHOD_PUT},         {"PATCH", METHOD_PATCH},    {"DELETE", METHOD_DELETE},
        {"OPTIONS", METHOD_OPTIONS}, {"PROPFIND", METHOD_OTHER}, {"get", METHOD_OTHER},
        {"GETX", METHOD_OTHER},
    };
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        struct request request;
        expect_ok(methods[i].name, "/", NULL, &request);
        assert_int_equal(request.method, methods[i].method);
    }
    expect_error("", "/", NULL, HEARTH_BAD_REQUEST, "the method is malformed");
    expect_error("GE T", "/", NULL, HEARTH_BAD_REQUEST, "the method is malformed");
    expect_error("ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFG", "/", NULL, HEARTH_BAD_REQUEST,
                 "the method is malformed");
}

static void query_forms(void **state)
{
    (void)state;
    struct request request;
    expect_ok("GET", "/a", NULL, &request);
    assert_false(request.has_query);
    assert_int_equal(request.query.count, 0);
    expect_ok("GET", "/a?", NULL, &request);
    assert_true(request.has_query);
    assert_int_equal(request.query.count, 0);
    expect_ok("GET", "/a?&&a&b=&=c&d=e=f&", NULL, &request);
    assert_int_equal(request.query.count, 4);
    expect_view(request.query.items[0].name, "a");
    expect_view(request.query.items[0].value, "");
    assert_non_null(request_query(&request, "a").data);
    expect_view(request.query.items[1].name, "b");
    expect_view(request.query.items[2].name, "");
    expect_view(request.query.items[2].value, "c");
    expect_view(request.query.items[3].value, "e=f");
    expect_ok("GET", "/a?q=1?2/3#4&%71%3D=%26%2B+", NULL, &request);
    expect_view(request.query.items[0].value, "1?2/3#4");
    expect_view(request.query.items[1].name, "q=");
    expect_view(request.query.items[1].value, "&+ ");
    expect_ok("GET", "/a?text=line%0Aline", NULL, &request);
    expect_view(request_query(&request, "text"), "line\nline");
}

static void a_bad_query_is_refused(void **state)
{
    (void)state;
    expect_error("GET", "/?a=%", NULL, HEARTH_BAD_QUERY,
                 "the query has malformed percent-encoding");
    expect_error("GET", "/?%zz=1", NULL, HEARTH_BAD_QUERY,
                 "the query has malformed percent-encoding");
    expect_error("GET", "/?a=1%2", NULL, HEARTH_BAD_QUERY,
                 "the query has malformed percent-encoding");
    expect_error("GET", "/?a=%00", NULL, HEARTH_BAD_QUERY, "the query has a NUL");
    expect_error("GET", "/?a=\x01", NULL, HEARTH_BAD_QUERY, "the query has a control byte");
}

static const char *repeated(const char *start, const char *part, size_t count, const char *end)
{
    struct buffer text;
    buffer_init(&text, 16 << 20);
    buffer_append_text(&text, start);
    for (size_t i = 0; i < count; i++)
        buffer_append_text(&text, part);
    buffer_append_text(&text, end);
    const char *copy = arena_copy(arena, buffer_view(&text)).data;
    buffer_clean(&text);
    assert_non_null(copy);
    return copy;
}

static void as_many_query_pairs_as_the_limit_and_no_more(void **state)
{
    (void)state;
    struct request request;
    expect_ok("GET", repeated("/?", "a&&", 256, ""), NULL, &request);
    assert_int_equal(request.query.count, 256);
    expect_error("GET", repeated("/?", "a&", 257, ""), NULL, HEARTH_BAD_QUERY,
                 "the query has more than 256 pairs");
}

static void a_long_target_is_414(void **state)
{
    (void)state;
    struct request request;
    expect_ok("GET", repeated("/", "a", 8191, ""), NULL, &request);
    expect_error("GET", repeated("/", "a", 8192, ""), NULL, HEARTH_URI_TOO_LONG,
                 "the address has more than 8192 bytes");
    expect_error("GET", repeated("/?", "a", 8191, ""), NULL, HEARTH_URI_TOO_LONG,
                 "the address has more than 8192 bytes");
}

static void too_many_headers_are_431(void **state)
{
    (void)state;
    struct request request;
    expect_ok("GET", "/", repeated("", "a: b\n", 200, ""), &request);
    expect_error("GET", "/", repeated("", "a: b\n", 201, ""), HEARTH_HEAD_TOO_LARGE,
                 "there are more than 200 headers");
    expect_error("GET", "/", repeated("", "a: b\n", 1000, ""), HEARTH_HEAD_TOO_LARGE,
                 "there are more than 200 headers");
}

static void a_large_header_is_431(void **state)
{
    (void)state;
    struct request request;
    expect_ok("GET", "/", repeated("X-A: ", "x", 16384, "\n"), &request);
    expect_error("GET", "/", repeated("X-A: ", "x", 16385, "\n"), HEARTH_HEAD_TOO_LARGE,
                 "header X-A has more than 16384 bytes");
    expect_error("GET", "/", repeated("X-A: ", "x", 65536, "\n"), HEARTH_HEAD_TOO_LARGE,
                 "header X-A has more than 16384 bytes");
    /* Each within its limit, together beyond theirs. */
    const char *value = repeated("abcd: ", "x", 16380, "\n");
    expect_ok("GET", "/", repeated("", value, 4, ""), &request);
    expect_error("GET", "/", repeated("", value, 4, "a:\n"), HEARTH_HEAD_TOO_LARGE,
                 "the headers have more than 65536 bytes");
}

static void a_malformed_header_is_refused(void **state)
{
    (void)state;
    expect_error("GET", "/", "Bad Name: x\n", HEARTH_BAD_HEADER,
                 "header (unprintable) has a name or value that is not allowed");
    expect_error("GET", "/", ": x\n", HEARTH_BAD_HEADER,
                 "header (unprintable) has a name or value that is not allowed");
    expect_error("GET", "/",
                 "X-A: a\x01"
                 "b\n",
                 HEARTH_BAD_HEADER, "header X-A has a name or value that is not allowed");
    expect_error("GET", "/", "X-A: a\rb\n", HEARTH_BAD_HEADER,
                 "header X-A has a name or value that is not allowed");
    expect_error("GET", "/",
                 "X-Long: 0123456789abcdef0123\x7f"
                 "456789\n",
                 HEARTH_BAD_HEADER, "header X-Long has a name or value that is not allowed");
    struct request request;
    expect_ok("GET", "/", "X-A: a\tb \xc3\xa9 0123456789abcdef\n", &request);
}

/* Each byte alone, in a value long enough for the fast way and in one for the slow way. */
static void every_byte_of_a_value_is_judged_alike(void **state)
{
    (void)state;
    static const struct request_limits *const used = &limits;
    for (int byte = 0; byte < 256; byte++) {
        for (size_t place = 0; place < 20; place++) {
            char value[21] = "aaaaaaaaaaaaaaaaaaaa";
            value[place] = (char)byte;
            struct pair header = {VIEW("x-a"), {value, 20}};
            struct request_input input = {
                .method = VIEW("GET"), .target = VIEW("/"), .headers = {&header, 1}};
            struct request request;
            bool allowed = byte == '\t' || (byte >= 0x20 && byte != 0x7f);
            enum hearth_error result = request_parse(arena, &manual.clock, used, &input, &request);
            assert_int_equal(result, allowed ? HEARTH_OK : HEARTH_BAD_HEADER);
            arena_reset(arena);
        }
    }
}

static void content_length_is_one_number(void **state)
{
    (void)state;
    struct request request;
    expect_ok("PUT", "/", "Content-Length: 12\n", &request);
    assert_int_equal(request.body->declared_bytes, 12);
    assert_int_equal(request.body->max_bytes, 16777216);
    expect_ok("PUT", "/", "Content-Length: 12\ncontent-length: 12\n", &request);
    assert_int_equal(request.body->declared_bytes, 12);
    expect_ok("PUT", "/", "Content-Length: 0\n", &request);
    assert_int_equal(request.body->declared_bytes, 0);
    expect_error("PUT", "/", "Content-Length: 12\nContent-Length: 13\n", HEARTH_BAD_HEADER,
                 "there are two different Content-Lengths");
    static const char *const bad[] = {"Content-Length: \n",
                                      "Content-Length: -1\n",
                                      "Content-Length: +1\n",
                                      "Content-Length: 1,1\n",
                                      "Content-Length: 0x10\n",
                                      "Content-Length: 1 2\n",
                                      "Content-Length: 9223372036854775808\n",
                                      "Content-Length: 99999999999999999999\n"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        expect_error("PUT", "/", bad[i], HEARTH_BAD_HEADER, "Content-Length is no number");
}

static void cookies_keep_their_order_and_quotes(void **state)
{
    (void)state;
    struct request request;
    expect_ok("GET", "/", "Cookie: a=1; b=\"two\";c; =d; e=f=g, h\nCookie:a=3\n", &request);
    assert_int_equal(request.cookies.count, 4);
    expect_view(request_cookie(&request, "a"), "1");
    expect_view(request_cookie(&request, "b"), "\"two\"");
    expect_view(request_cookie(&request, "e"), "f=g, h");
    expect_view(request.cookies.items[3].value, "3");
    assert_null(request_cookie(&request, "c").data);
    assert_null(request_cookie(&request, "A").data);
    expect_ok("GET", "/", "Cookie: ;;; \n", &request);
    assert_int_equal(request.cookies.count, 0);
}

static void an_absolute_target_gives_host_and_path(void **state)
{
    (void)state;
    struct request request;
    expect_ok("GET", "http://other.example:81/a%62?q=1", "Host: example.org\n", &request);
    expect_view(request.host, "other.example:81");
    expect_view(request.path, "/ab");
    expect_view(request.raw_path, "/a%62");
    expect_view(request_query(&request, "q"), "1");
    expect_ok("GET", "HTTPS://x", NULL, &request);
    expect_view(request.path, "/");
    expect_view(request.host, "x");
    expect_error("GET", "http:///a", NULL, HEARTH_BAD_PATH, "the address has a malformed host");
    expect_error("GET", "http://a b/", NULL, HEARTH_BAD_PATH, "the address has a malformed host");
    expect_error("GET", "ftp://x/", NULL, HEARTH_BAD_PATH, "the path does not begin with '/'");
    expect_error("CONNECT", "example.org:443", NULL, HEARTH_BAD_PATH,
                 "the path does not begin with '/'");
}

static void a_star_is_the_path_of_options_alone(void **state)
{
    (void)state;
    struct request request;
    expect_ok("OPTIONS", "*", NULL, &request);
    expect_view(request.path, "*");
    expect_error("GET", "*", NULL, HEARTH_BAD_PATH, "the path does not begin with '/'");
    expect_error("GET", "", NULL, HEARTH_BAD_PATH, "the path does not begin with '/'");
    expect_error("GET", "?a", NULL, HEARTH_BAD_PATH, "the path does not begin with '/'");
}

static void there_is_one_host(void **state)
{
    (void)state;
    struct request request;
    expect_ok("GET", "/", "Host: [::1]:80\nhost: [::1]:80\n", &request);
    expect_view(request.host, "[::1]:80");
    expect_ok("GET", "/", NULL, &request);
    assert_int_equal(request.host.length, 0);
    expect_error("GET", "/", "Host: a\nHost: b\n", HEARTH_BAD_HEADER,
                 "there are two different Hosts");
    expect_error("GET", "/", "Host: a<b\n", HEARTH_BAD_HEADER, "Host is malformed");
    expect_error("GET", "/", "Host: a/b\n", HEARTH_BAD_HEADER, "Host is malformed");
}

static void a_trace_goes_on_or_begins(void **state)
{
    (void)state;
    struct request request;
    expect_ok("GET", "/", "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\n",
              &request);
    assert_string_equal(request.trace.trace_id, "0af7651916cd43dd8448eb211c80319c");
    assert_string_equal(request.trace.parent_id, "b7ad6b7169203331");
    assert_string_not_equal(request.trace.span_id, "b7ad6b7169203331");
    /* Two of them may disagree: neither counts. */
    expect_ok("GET", "/",
              "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\n"
              "traceparent: 00-1af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\n",
              &request);
    assert_string_equal(request.trace.parent_id, "");
    expect_ok("GET", "/", "traceparent: nonsense\n", &request);
    assert_string_equal(request.trace.parent_id, "");
    assert_int_equal(strlen(request.trace.trace_id), 32);
}

static void request_ids_are_our_own(void **state)
{
    (void)state;
    struct request first, second;
    expect_ok("GET", "/", "X-Request-Id: theirs\n", &first);
    expect_ok("GET", "/", NULL, &second);
    assert_int_equal(first.request_id.length, 16);
    assert_false(view_equal(first.request_id, second.request_id));
    assert_false(view_equal(first.request_id, VIEW("theirs")));
}

static void the_deadline_is_the_adapters_or_the_time_out(void **state)
{
    (void)state;
    struct request request;
    struct request_input input = {.method = VIEW("GET"), .target = VIEW("/")};
    manual.monotonic_ns_now = 5000000000;
    assert_int_equal(request_parse(arena, &manual.clock, &limits, &input, &request), HEARTH_OK);
    assert_int_equal(request.start_ns, 5000000000);
    assert_int_equal(request.deadline_ns, 65000000000);
    assert_int_equal(request_time_left_ms(&request), 60000);
    clock_manual_advance_ms(&manual, 59000);
    assert_int_equal(request_time_left_ms(&request), 1000);
    clock_manual_advance_ms(&manual, 5000);
    assert_int_equal(request_time_left_ms(&request), 0);
    input.deadline_ns = 99000000000;
    assert_int_equal(request_parse(arena, &manual.clock, &limits, &input, &request), HEARTH_OK);
    assert_int_equal(request.deadline_ns, 99000000000);
}

static void a_plain_request_takes_little_memory(void **state)
{
    (void)state;
    static struct pair headers[] = {
        {{"host", 4}, {"example.org", 11}},
        {{"accept", 6}, {"*/*", 3}},
        {{"user-agent", 10}, {"curl/7.88.1", 11}},
    };
    struct request_input input = {
        .method = VIEW("GET"), .target = VIEW("/data"), .headers = {headers, 3}};
    struct request request;
    assert_int_equal(request_parse(arena, &manual.clock, &limits, &input, &request), HEARTH_OK);
    assert_ptr_equal(request.path.data, input.target.data);
    assert_ptr_equal(request.headers.items, headers);
    size_t first_block_bytes = arena_used(arena);
    /* The rest of the first block is the answer's. */
    assert_non_null(arena_alloc(arena, first_block_bytes - 1024));
    assert_int_equal(arena_used(arena), first_block_bytes);
}

static void running_out_of_memory_leaves_a_request_that_can_be_answered(void **state)
{
    (void)state;
    static const char target[] = "/%61?b=%63&d=e";
    struct pair headers[] = {{VIEW("cookie"), VIEW("a=b")}};
    struct request_input input = {
        .method = VIEW("GET"), .target = view_of(target), .headers = {headers, 1}};
    struct arena *tight = arena_new(64); /* nothing fits */
    struct request request;
    assert_int_equal(request_parse(tight, &manual.clock, &limits, &input, &request),
                     HEARTH_NO_MEMORY);
    assert_non_null(request.error);
    assert_non_null(request.body);
    assert_int_equal(request.request_id.length, 16);
    assert_int_equal(request.error->code, HEARTH_NO_MEMORY);
    assert_true(view_equal(request.raw_path, VIEW("/%61")));
    arena_free(tight);
    memory_fail_after(0);
    assert_int_equal(request_parse(arena, &manual.clock, &limits, &input, &request),
                     HEARTH_NO_MEMORY);
    memory_fail_after(-1);
    assert_int_equal(request_parse(arena, &manual.clock, &limits, &input, &request), HEARTH_OK);
    expect_view(request_query(&request, "b"), "c");
}

/* ---- Accept ---- */

static int quality(const char *accept, const char *type)
{
    struct request request;
    char *header = accept ? arena_format(arena, "Accept: %s\n", accept) : NULL;
    expect_ok("GET", "/", header, &request);
    return request_accepts(&request, view_of(type));
}

static void accept_gives_each_type_its_quality(void **state)
{
    (void)state;
    assert_int_equal(quality(NULL, "text/html"), 1000);
    assert_int_equal(quality("", "text/html"), 1000);
    assert_int_equal(quality("text/html", "text/html"), 1000);
    assert_int_equal(quality("TEXT/Html", "text/html"), 1000);
    assert_int_equal(quality("text/html", "text/plain"), 0);
    assert_int_equal(quality("text/*;q=0.3, text/html;q=0.7, */*;q=0.1", "text/html"), 700);
    assert_int_equal(quality("text/*;q=0.3, text/html;q=0.7, */*;q=0.1", "text/plain"), 300);
    assert_int_equal(quality("text/*;q=0.3, text/html;q=0.7, */*;q=0.1", "image/png"), 100);
    assert_int_equal(quality("*/*;q=0.1, text/html;q=0", "text/html"), 0);
    assert_int_equal(quality("text/html;level=1;q=0.3, text/html;q=0.4", "text/html"), 400);
    assert_int_equal(quality("text/html;q=0.4, text/html;level=1;q=0.9", "text/html"), 400);
    assert_int_equal(quality("text/html ; q=0.123", "text/html"), 123);
    assert_int_equal(quality("text/html;Q=1.000", "text/html"), 1000);
    assert_int_equal(quality("text/html;q=0.5;ext=1", "text/html"), 500);
    /* What is malformed is passed over. */
    assert_int_equal(quality("text/html;q=2, */*;q=0.2", "text/html"), 200);
    assert_int_equal(quality("text/html;q=1.1, */*;q=0.2", "text/html"), 200);
    assert_int_equal(quality("text/html;q=0.1234, */*;q=0.2", "text/html"), 200);
    assert_int_equal(quality("text/html;q=, */*;q=0.2", "text/html"), 200);
    assert_int_equal(quality(",,;, /, text, text/html", "text/html"), 1000);
}

static void accept_may_come_in_several_headers(void **state)
{
    (void)state;
    struct request request;
    expect_ok("GET", "/", "Accept: text/plain;q=0.5\nAccept: text/html\n", &request);
    assert_int_equal(request_accepts(&request, VIEW("text/plain")), 500);
    assert_int_equal(request_accepts(&request, VIEW("text/html")), 1000);
    assert_true(request_prefers_html(&request));
}

static bool prefers_html(const char *accept)
{
    struct request request;
    expect_ok("GET", "/", accept ? arena_format(arena, "Accept: %s\n", accept) : NULL, &request);
    return request_prefers_html(&request);
}

static void browsers_prefer_html_and_programs_do_not(void **state)
{
    (void)state;
    assert_true(prefers_html("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"));
    assert_true(prefers_html("text/html"));
    assert_true(prefers_html("text/html, application/json;q=0.9"));
    assert_false(prefers_html(NULL));
    assert_false(prefers_html("*/*"));
    assert_false(prefers_html("application/json"));
    assert_false(prefers_html("application/json, text/html"));
    assert_false(prefers_html("text/html;q=0.8, application/problem+json"));
}

#define story(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        story(a_request_is_data),
        story(every_method_is_known_or_other),
        story(query_forms),
        story(a_bad_query_is_refused),
        story(as_many_query_pairs_as_the_limit_and_no_more),
        story(a_long_target_is_414),
        story(too_many_headers_are_431),
        story(a_large_header_is_431),
        story(a_malformed_header_is_refused),
        story(every_byte_of_a_value_is_judged_alike),
        story(content_length_is_one_number),
        story(cookies_keep_their_order_and_quotes),
        story(an_absolute_target_gives_host_and_path),
        story(a_star_is_the_path_of_options_alone),
        story(there_is_one_host),
        story(a_trace_goes_on_or_begins),
        story(request_ids_are_our_own),
        story(the_deadline_is_the_adapters_or_the_time_out),
        story(a_plain_request_takes_little_memory),
        story(running_out_of_memory_leaves_a_request_that_can_be_answered),
        story(accept_gives_each_type_its_quality),
        story(accept_may_come_in_several_headers),
        story(browsers_prefer_html_and_programs_do_not),
    };
    return cmocka_run_group_tests_name("request_parse", tests, NULL, NULL);
}
