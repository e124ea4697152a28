/*
 * test_dispatch_log.c - what a request leaves behind for whoever looks for it: where its time went,
 * which span of a trace it was, and a line that no client can forge.
 */
#include <stdio.h>
#include <string.h>

#include "hearth/limits.h"
#include "support_stories.h"

#define TRACE_ID "0af7651916cd43dd8448eb211c80319c"
#define CALLER   "b7ad6b7169203331"

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

/* ---- Traces ---- */

/* The answer to the last request names the span of its line in the log. */
static void expect_traced(const char *flags)
{
    struct json_object *line = app_case_log(&stories_case);
    const char *span = app_case_logged(line, "span_id");
    char expected[TRACE_HEADER_SIZE];
    assert_string_equal(app_case_logged(line, "trace_id"), TRACE_ID);
    assert_non_null(span);
    assert_int_equal(strlen(span), 16);
    assert_string_not_equal(span, CALLER);
    snprintf(expected, sizeof expected, "00-%s-%s-%s", TRACE_ID, span, flags);
    assert_string_equal(header("traceresponse"), expected);
    json_object_put(line);
}

static void a_caller_with_a_trace_learns_our_span(void **state)
{
    (void)state;
    app_case_ask(&stories_case, "GET", "/hello", "traceparent: 00-" TRACE_ID "-" CALLER "-01\n");
    expect_traced("01");
    app_case_ask(&stories_case, "GET", "/hello", "traceparent: 00-" TRACE_ID "-" CALLER "-00\n");
    expect_traced("00");
    /* Of errors too, also of a request that was never understood. */
    static const char *const targets[] = {"/nowhere", "/fail?code=8", "/..", "/hello?%zz"};
    for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++) {
        app_case_ask(&stories_case, "GET", targets[i],
                     "traceparent: 00-" TRACE_ID "-" CALLER "-01\n");
        expect_traced("01");
    }
}

static size_t count_header(const char *name)
{
    struct view rest = buffer_view(&stories_case.sink.headers);
    size_t count = 0;
    while (rest.length > 0) {
        struct view line = view_split(&rest, '\n');
        count +=
            view_equal_ignore_case(view_slice(line, 0, view_index_of(line, ':')), view_of(name));
    }
    return count;
}

static void our_span_replaces_an_upstreams(void **state)
{
    (void)state;
    app_case_ask(&stories_case, "GET", "/any", "traceparent: 00-" TRACE_ID "-" CALLER "-01\n");
    expect_traced("01");
    assert_int_equal(count_header("traceresponse"), 1);
    assert_string_equal(header("X-Kept-Header"), "kept");
    app_case_ask(&stories_case, "GET", "/any", NULL);
    assert_string_equal(header("traceresponse"), "the upstream's");
}

static void without_a_callers_trace_there_is_no_answer_to_it(void **state)
{
    (void)state;
    static const char *const headers[] = {
        NULL,
        "traceparent: 00-" TRACE_ID "-" CALLER "\n",
        "traceparent: 00-00000000000000000000000000000000-" CALLER "-01\n",
        "traceparent: ff-" TRACE_ID "-" CALLER "-01\n",
        "traceparent: 00-" TRACE_ID "-" CALLER "-01\ntraceparent: 00-" TRACE_ID "-" CALLER "-01\n",
    };
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
        assert_int_equal(app_case_ask(&stories_case, "GET", "/hello", headers[i]), 200);
        assert_null(header("traceresponse"));
        struct json_object *line = app_case_log(&stories_case);
        assert_int_equal(strlen(app_case_logged(line, "trace_id")), 32);
        assert_int_equal(strlen(app_case_logged(line, "span_id")), 16);
        json_object_put(line);
    }
}

/* ---- Time ---- */

enum { READ_US = 20000, HEAD_US = 1000, WRITE_US = 2000, FLUSH_US = 4000, FINISH_US = 8000 };

/* An adapter every call of which takes its time, or a part of it. */
struct slow_adapter {
    struct test_sink sink; /* the first member */
    struct response_sink plain;
    int64_t divisor;
};

static void pass_us(const struct slow_adapter *adapter, int64_t microseconds)
{
    stories_case.clock.monotonic_ns_now += microseconds * 1000 / adapter->divisor;
}

static struct slow_adapter *adapter_of(struct response_sink *sink)
{
    return (struct slow_adapter *)(void *)sink;
}

static enum hearth_error slow_head(struct response_sink *sink, const struct response_head *head)
{
    pass_us(adapter_of(sink), HEAD_US);
    return adapter_of(sink)->plain.head(sink, head);
}

static enum hearth_error slow_write(struct response_sink *sink, struct view bytes)
{
    pass_us(adapter_of(sink), WRITE_US);
    return adapter_of(sink)->plain.write(sink, bytes);
}

static enum hearth_error slow_flush(struct response_sink *sink)
{
    pass_us(adapter_of(sink), FLUSH_US);
    return adapter_of(sink)->plain.flush(sink);
}

static enum hearth_error slow_finish(struct response_sink *sink)
{
    pass_us(adapter_of(sink), FINISH_US);
    return adapter_of(sink)->plain.finish(sink);
}

struct slow_body {
    struct body_source source; /* the first member */
    struct test_body plain;
    const struct slow_adapter *adapter;
};

static enum hearth_error slow_read(struct body_source *source, char *to, size_t capacity,
                                   size_t *length)
{
    struct slow_body *body = (struct slow_body *)(void *)source;
    pass_us(body->adapter, READ_US);
    return body->plain.source.read(&body->plain.source, to, capacity, length);
}

static void ask_slowly(const char *method, const char *target, const char *content, int64_t divisor)
{
    struct slow_adapter adapter = {.divisor = divisor};
    struct slow_body body = {.source = {.read = slow_read}, .adapter = &adapter};
    struct arena *arena = arena_new(LIMIT_ARENA_BYTES);
    test_sink_init(&adapter.sink);
    adapter.plain = adapter.sink.sink;
    adapter.sink.sink.head = slow_head;
    adapter.sink.sink.write = slow_write;
    adapter.sink.sink.flush = slow_flush;
    adapter.sink.sink.finish = slow_finish;
    test_body_init(&body.plain, view_of(content), 0);
    struct request_input input = {.method = view_of(method),
                                  .target = view_of(target),
                                  .body = content ? &body.source : NULL};
    assert_non_null(arena);
    app_handle(stories_case.app, arena, &input, &adapter.sink.sink);
    assert_int_equal(adapter.sink.status, 200);
    assert_int_equal(adapter.sink.finishes, 1);
    arena_free(arena);
    test_sink_clean(&adapter.sink);
}

static void expect_phases(const char *all, const char *body, const char *send)
{
    stories_expect_logged("ms", all);
    stories_expect_logged("body_ms", body);
    stories_expect_logged("send_ms", send);
}

static void the_line_says_where_the_time_went(void **state)
{
    (void)state;
    /* Two reads: the content and the end. Head, write and finish. */
    ask_slowly("POST", "/echo", "hello", 1);
    expect_phases("51", "40", "11");
    /* No body; 12 ms in the handler. */
    ask_slowly("GET", "/hello", NULL, 1);
    expect_phases("23", NULL, "11");
    /* What nobody read is taken off the line behind a flush, and is no time of the sink's. */
    ask_slowly("POST", "/ignore", "hello", 1);
    expect_phases("67", "40", "15");
}

static void a_phase_next_to_nothing_is_left_out(void **state)
{
    (void)state;
    /* 50 us in the body; 13.75 in the sink. */
    ask_slowly("POST", "/echo", "hello", 800);
    expect_phases("0.063", "0.05", NULL);
    ask_slowly("POST", "/echo", "hello", 801);
    expect_phases("0.063", NULL, NULL);
    app_case_ask(&stories_case, "GET", "/hello", NULL);
    expect_phases("12", NULL, NULL);
}

/* ---- Lines that clients write into ---- */

static size_t read_text(const char *path, char *text, size_t size)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t length = fread(text, 1, size - 1, file);
    fclose(file);
    text[length] = '\0';
    return length;
}

/* C0 and C1 controls (as bytes, and as UTF-8) but for the end of the line. */
static void expect_no_controls(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        unsigned char byte = (unsigned char)text[i], before = i ? (unsigned char)text[i - 1] : 0;
        if ((byte < 0x20 && i + 1 < length) || byte == 0x7F ||
            (before == 0xC2 && byte >= 0x80 && byte < 0xA0))
            fail_msg("byte %02x at %zu of %s", byte, i, text);
    }
}

static const char *const forged[] = {
    "\n2025-09-14T18:04:51.123Z ERROR forged status=200",
    "\r\n2025-09-14T18:04:51.123Z ERROR forged status=200",
    " status=999 route=/forged",
    "\" status=999",
    "\\\" status=999",
    "%0a%0d%1b[2J status=999",
    "\x1b[2J\x1b]0;title\x07",
    "\t\v\b\x7f",
    "\302\2332J\302\205",
    "\xff\xfe\xc2",
    "\xe2\x80\xa8\xe2\x80\xae",
};

static void ask_and_expect_one_line(enum log_format format, const char *method, const char *target)
{
    char path[600], text[2 * LIMIT_LOG_LINE];
    snprintf(path, sizeof path, "%s/one-line.log", stories_case.directory);
    struct log_options options = {.level = LOG_LEVEL_INFO, .format = format, .file = path};
    remove(path);
    assert_int_equal(log_configure(&options), HEARTH_OK);
    app_case_ask(&stories_case, method, target, "X-Request-Id: a\033[2J\n");
    size_t length = read_text(path, text, sizeof text);
    assert_in_range(length, 100, LIMIT_LOG_LINE);
    assert_ptr_equal(strchr(text, '\n'), text + length - 1);
    expect_no_controls(text, length);
    if (format == LOG_FORMAT_JSON) {
        struct json_object *line = json_tokener_parse(text);
        assert_non_null(line);
        assert_string_not_equal(app_case_logged(line, "status"), "999");
        json_object_put(line);
    }
    /* A member of its own would stand outside of quotes. */
    bool quoted = false;
    for (const char *at = text; *at; at++) {
        if (*at == '\\' && quoted)
            at++;
        else if (*at == '"')
            quoted = !quoted;
        else if (!quoted && strncmp(at, " status=999", 11) == 0)
            fail_msg("forged: %s", text);
    }
    assert_false(quoted);
}

static void no_client_writes_lines_of_its_own(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof forged / sizeof forged[0]; i++) {
        char target[128], query[128], method[128];
        snprintf(target, sizeof target, "/hello%s", forged[i]);
        snprintf(query, sizeof query, "/hello?a=%s", forged[i]);
        snprintf(method, sizeof method, "GET%s", forged[i]);
        for (enum log_format format = LOG_FORMAT_JSON; format <= LOG_FORMAT_TEXT; format++) {
            ask_and_expect_one_line(format, "GET", target);
            ask_and_expect_one_line(format, "GET", query);
            ask_and_expect_one_line(format, method, "/hello");
        }
    }
}

static void no_client_writes_headers_into_an_answer(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof forged / sizeof forged[0]; i++) {
        char target[128], headers[256];
        snprintf(target, sizeof target, "/hello/%s%%0d%%0aX-Forged:%%20yes\r\nX-Forged: yes",
                 forged[i]);
        snprintf(headers, sizeof headers,
                 "Origin: a\rX-Forged: yes\nX-Request-Id: a\rb\n"
                 "traceparent: 00-" TRACE_ID "-" CALLER "-01\r\n");
        app_case_ask(&stories_case, "GET", target, headers);
        struct view head = buffer_view(&stories_case.sink.headers);
        assert_int_equal(view_find(head, VIEW("X-Forged")), SIZE_MAX);
        assert_int_equal(view_index_of(head, '\r'), SIZE_MAX);
        assert_int_equal(view_index_of(head, '\033'), SIZE_MAX);
    }
}

static size_t lines(void)
{
    return app_case_count_log(&stories_case, "request");
}

static void a_flood_that_finds_no_place_is_a_line_a_second(void **state)
{
    (void)state;
    char target[32];
    snprintf(target, sizeof target, "/fail?code=%d", HEARTH_BUSY);
    assert_int_equal(app_case_ask(&stories_case, "GET", target, NULL), 503);
    assert_int_equal(lines(), 1);
    stories_expect_logged("level", "warn");
    stories_expect_logged("reason", "BUSY");
    stories_expect_logged("busy_untold", NULL);
    for (int i = 0; i < 5; i++)
        assert_int_equal(app_case_ask(&stories_case, "GET", target, NULL), 503);
    assert_int_equal(lines(), 1);
    assert_int_equal(app_case_ask(&stories_case, "GET", "/hello", NULL), 200);
    assert_int_equal(lines(), 2); /* others have their lines */
    clock_manual_advance_ms(&stories_case.clock, 1000);
    assert_int_equal(app_case_ask(&stories_case, "GET", target, NULL), 503);
    assert_int_equal(lines(), 3);
    stories_expect_logged("busy_untold", "5");
}

#define story(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        story(a_caller_with_a_trace_learns_our_span),
        story(our_span_replaces_an_upstreams),
        story(without_a_callers_trace_there_is_no_answer_to_it),
        story(the_line_says_where_the_time_went),
        story(a_phase_next_to_nothing_is_left_out),
        story(a_flood_that_finds_no_place_is_a_line_a_second),
        story(no_client_writes_lines_of_its_own),
        story(no_client_writes_headers_into_an_answer),
    };
    return cmocka_run_group_tests_name("dispatch_log", tests, NULL, NULL);
}
