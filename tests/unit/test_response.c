/*
 * test_response.c - the response builder: its two states, what it holds back and what it refuses.
 */
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

#define ok(call)     assert_int_equal(call, HEARTH_OK)
#define misuse(call) assert_int_equal(call, HEARTH_MISUSE)

/* ---- The usual ways ---- */

static void a_short_answer_gets_its_length(void **state)
{
    (void)state;
    ok(response_set_status(&test.response, 201));
    ok(response_add_header(&test.response, VIEW("Content-Type"), VIEW("text/plain")));
    ok(response_write(&test.response, VIEW("one ")));
    ok(response_write_format(&test.response, "%s %d", "two", 3));
    assert_int_equal(test.sink.heads, 0);
    ok(response_finish(&test.response));
    assert_int_equal(test.sink.heads, 1);
    assert_int_equal(test.sink.status, 201);
    assert_int_equal(test.sink.content_length, 9);
    assert_string_equal(test_sink_body(&test.sink), "one two 3");
    assert_string_equal(test_sink_header(&test.sink, "content-type"), "text/plain");
    assert_int_equal(test.sink.finishes, 1);
    assert_int_equal(test.sink.aborts, 0);
    assert_int_equal(test.response.state, RESPONSE_FINISHED);
}

static void what_is_sent_at_once_has_all(void **state)
{
    (void)state;
    ok(response_send(&test.response, 404, VIEW("text/plain"), VIEW("gone")));
    assert_int_equal(test.sink.status, 404);
    assert_int_equal(test.sink.content_length, 4);
    assert_string_equal(test_sink_body(&test.sink), "gone");
    assert_string_equal(test_sink_header(&test.sink, "Content-Type"), "text/plain");
    assert_int_equal(test.sink.finishes, 1);
    response_test_again(&test, false);
    ok(response_send(&test.response, 204, VIEW_NONE, VIEW_NONE));
    assert_int_equal(test.sink.content_length, -1);
    assert_null(test_sink_header(&test.sink, "Content-Type"));
    response_test_again(&test, false);
    misuse(response_send(&test.response, 204, VIEW_NONE, VIEW("x")));
    assert_int_equal(test.response.state, RESPONSE_HEAD);
}

static void an_empty_answer_has_the_length_zero(void **state)
{
    (void)state;
    ok(response_finish(&test.response));
    assert_int_equal(test.sink.status, 200);
    assert_int_equal(test.sink.content_length, 0);
    assert_int_equal(test.sink.body.length, 0);
}

static void an_answer_as_long_as_the_hold_gets_a_length_and_a_longer_one_none(void **state)
{
    (void)state;
    ok(response_write(&test.response, response_test_filled(LIMIT_RESPONSE_HOLD - 1)));
    ok(response_write(&test.response, VIEW("y")));
    assert_int_equal(test.sink.heads, 0);
    ok(response_finish(&test.response));
    assert_int_equal(test.sink.content_length, LIMIT_RESPONSE_HOLD);
    assert_int_equal(test.sink.body.length, LIMIT_RESPONSE_HOLD);
    response_test_again(&test, false);
    ok(response_write(&test.response, response_test_filled(LIMIT_RESPONSE_HOLD)));
    assert_int_equal(test.sink.heads, 0);
    ok(response_write(&test.response, VIEW("y")));
    assert_int_equal(test.sink.heads, 1);
    ok(response_finish(&test.response));
    assert_int_equal(test.sink.content_length, -1);
    assert_int_equal(test.sink.body.length, LIMIT_RESPONSE_HOLD + 1);
    assert_int_equal(test.sink.body.data[LIMIT_RESPONSE_HOLD], 'y');
}

static void one_large_write_goes_straight_through(void **state)
{
    (void)state;
    ok(response_write(&test.response, response_test_filled(LIMIT_RESPONSE_HOLD + 1)));
    assert_int_equal(test.sink.heads, 1);
    assert_int_equal(test.sink.body.length, LIMIT_RESPONSE_HOLD + 1);
    ok(response_finish(&test.response));
}

static void bytes_of_all_sizes_arrive_in_order(void **state)
{
    (void)state;
    struct buffer expected;
    buffer_init(&expected, 1 << 20);
    for (size_t i = 0; i < 400; i++) {
        char piece[128];
        size_t length = i * 37 % sizeof piece;
        memset(piece, (int)('a' + i % 26), sizeof piece);
        buffer_append(&expected, view_from(piece, length));
        ok(response_write(&test.response, view_from(piece, length)));
    }
    ok(response_finish(&test.response));
    assert_true(view_equal(buffer_view(&test.sink.body), buffer_view(&expected)));
    buffer_clean(&expected);
}

static void a_long_format_is_not_cut(void **state)
{
    (void)state;
    ok(response_write_format(&test.response, "%.*s|", VIEW_ARGUMENTS(response_test_filled(511))));
    ok(response_write_format(&test.response, "%.*s|", VIEW_ARGUMENTS(response_test_filled(30000))));
    ok(response_finish(&test.response));
    assert_int_equal(test.sink.body.length, 512 + 30001);
    assert_int_equal(test.sink.body.data[511], '|');
    assert_int_equal(test.sink.body.data[512 + 30000], '|');
}

static void flushing_sends_what_there_is(void **state)
{
    (void)state;
    ok(response_write(&test.response, VIEW("abc")));
    ok(response_flush(&test.response));
    assert_int_equal(test.sink.heads, 1);
    assert_int_equal(test.sink.content_length, -1);
    assert_string_equal(test_sink_body(&test.sink), "abc");
    assert_int_equal(test.sink.flushes, 1);
    ok(response_write(&test.response, VIEW("d")));
    assert_string_equal(test_sink_body(&test.sink), "abcd");
    ok(response_finish(&test.response));
    /* A sink without buffers has nothing to flush. */
    response_test_again(&test, false);
    test.sink.sink.flush = NULL;
    ok(response_flush(&test.response));
    assert_int_equal(test.sink.heads, 1);
}

/* ---- Stated lengths ---- */

static void a_stated_length_sends_the_head_with_the_first_byte(void **state)
{
    (void)state;
    ok(response_set_length(&test.response, 5));
    ok(response_write(&test.response, VIEW("ab")));
    assert_int_equal(test.sink.heads, 1);
    assert_int_equal(test.sink.content_length, 5);
    ok(response_write(&test.response, VIEW("cde")));
    ok(response_finish(&test.response));
    assert_string_equal(test_sink_body(&test.sink), "abcde");
}

static void more_than_stated_is_misuse_and_nothing_of_it_is_sent(void **state)
{
    (void)state;
    ok(response_set_length(&test.response, 3));
    misuse(response_write(&test.response, VIEW("abcd")));
    assert_int_equal(test.sink.heads, 0);
    assert_int_equal(test.response.state, RESPONSE_HEAD);
    ok(response_write(&test.response, VIEW("ab")));
    misuse(response_write(&test.response, VIEW("cd")));
    ok(response_write(&test.response, VIEW("c")));
    misuse(response_write(&test.response, VIEW("d")));
    ok(response_write(&test.response, VIEW("")));
    ok(response_finish(&test.response));
    assert_string_equal(test_sink_body(&test.sink), "abc");
}

static void fewer_than_stated_aborts(void **state)
{
    (void)state;
    ok(response_set_length(&test.response, 3));
    ok(response_write(&test.response, VIEW("ab")));
    misuse(response_finish(&test.response));
    assert_int_equal(test.sink.aborts, 1);
    assert_int_equal(test.sink.finishes, 0);
    assert_int_equal(test.response.state, RESPONSE_ABORTED);
    response_test_again(&test, false);
    ok(response_set_length(&test.response, 1));
    misuse(response_finish(&test.response));
    assert_int_equal(test.sink.heads, 0);
    assert_int_equal(test.sink.aborts, 1);
}

static void a_length_must_be_expressible(void **state)
{
    (void)state;
    misuse(response_set_length(&test.response, UINT64_MAX));
    ok(response_set_length(&test.response, INT64_MAX));
}

/* ---- HEAD, 204, 304 ---- */

static void head_counts_and_sends_nothing(void **state)
{
    (void)state;
    response_test_begin(&test, true);
    ok(response_write(&test.response, VIEW("abc")));
    ok(response_finish(&test.response));
    assert_int_equal(test.sink.content_length, 3);
    assert_int_equal(test.sink.body.length, 0);
    response_test_again(&test, true);
    ok(response_set_length(&test.response, 1000));
    ok(response_write(&test.response, response_test_filled(600)));
    ok(response_write(&test.response, response_test_filled(400)));
    misuse(response_write(&test.response, VIEW("x")));
    ok(response_finish(&test.response));
    assert_int_equal(test.sink.content_length, 1000);
    assert_int_equal(test.sink.body.length, 0);
}

static void head_may_leave_the_body_out(void **state)
{
    (void)state;
    response_test_begin(&test, true);
    ok(response_set_length(&test.response, 1000));
    ok(response_finish(&test.response));
    assert_int_equal(test.sink.content_length, 1000);
    response_test_again(&test, true);
    ok(response_finish(&test.response));
    assert_int_equal(test.sink.content_length, -1);
}

static void head_of_a_long_answer_is_as_get_would_send_it(void **state)
{
    (void)state;
    response_test_begin(&test, true);
    ok(response_write(&test.response, response_test_filled(LIMIT_RESPONSE_HOLD)));
    assert_int_equal(test.sink.heads, 0);
    ok(response_write(&test.response, VIEW("x")));
    assert_int_equal(test.sink.heads, 1);
    ok(response_finish(&test.response));
    assert_int_equal(test.sink.content_length, -1);
    assert_int_equal(test.sink.body.length, 0);
}

static void no_content_and_not_modified_have_no_body(void **state)
{
    (void)state;
    static const int statuses[] = {204, 304};
    for (size_t i = 0; i < 2; i++) {
        response_test_again(&test, false);
        ok(response_set_status(&test.response, statuses[i]));
        misuse(response_write(&test.response, VIEW("x")));
        ok(response_finish(&test.response));
        assert_int_equal(test.sink.status, statuses[i]);
        assert_int_equal(test.sink.content_length, -1);
        response_test_again(&test, false);
        ok(response_set_length(&test.response, 10));
        ok(response_set_status(&test.response, statuses[i]));
        ok(response_finish(&test.response));
        assert_int_equal(test.sink.content_length, -1);
        assert_int_equal(test.sink.aborts, 0);
    }
}

/* ---- Refusals ---- */

static void the_head_is_closed_by_the_body(void **state)
{
    (void)state;
    ok(response_write(&test.response, VIEW("")));
    assert_int_equal(test.response.state, RESPONSE_BODY);
    misuse(response_set_status(&test.response, 404));
    misuse(response_add_header(&test.response, VIEW("A"), VIEW("b")));
    misuse(response_set_header(&test.response, VIEW("A"), VIEW("b")));
    misuse(response_set_length(&test.response, 3));
    misuse(response_send(&test.response, 200, VIEW("text/plain"), VIEW("x")));
    ok(response_write(&test.response, VIEW("abc")));
    ok(response_finish(&test.response));
    assert_int_equal(test.sink.status, 200);
    assert_int_equal(test.sink.headers.length, 0);
    assert_string_equal(test_sink_body(&test.sink), "abc");
}

static void nothing_follows_the_end(void **state)
{
    (void)state;
    ok(response_send(&test.response, 200, VIEW("text/plain"), VIEW("abc")));
    misuse(response_write(&test.response, VIEW("x")));
    misuse(response_write_format(&test.response, "x"));
    misuse(response_flush(&test.response));
    misuse(response_finish(&test.response));
    misuse(response_restart(&test.response));
    misuse(response_set_status(&test.response, 500));
    response_abort(&test.response);
    assert_int_equal(test.sink.finishes, 1);
    assert_int_equal(test.sink.aborts, 0);
    assert_string_equal(test_sink_body(&test.sink), "abc");
    response_test_again(&test, false);
    response_abort(&test.response);
    response_abort(&test.response);
    misuse(response_write(&test.response, VIEW("x")));
    misuse(response_finish(&test.response));
    misuse(response_restart(&test.response));
    assert_int_equal(test.sink.aborts, 1);
    assert_int_equal(test.sink.heads, 0);
}

static void statuses_are_final_ones(void **state)
{
    (void)state;
    static const int bad[] = {-1, 0, 99, 100, 101, 199, 1000};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        misuse(response_set_status(&test.response, bad[i]));
    assert_int_equal(test.response.head.status, 200);
    ok(response_set_status(&test.response, 599));
}

static void no_header_smuggles_another(void **state)
{
    (void)state;
    static const struct pair bad[] = {
        {{"X-A", 3}, {"a\r\nSet-Cookie: x", 16}},
        {{"X-A", 3}, {"a\nb", 3}},
        {{"X-A", 3}, {"a\rb", 3}},
        {{"X-A", 3}, {"a\0b", 3}},
        {{"X-A", 3}, {"a\x7f", 2}},
        {{"X A", 3}, {"a", 1}},
        {{"X-A:", 4}, {"a", 1}},
        {{"X-A\r\nB", 6}, {"a", 1}},
        {{"", 0}, {"a", 1}},
        {{"Content-Length", 14}, {"3", 1}},
        {{"content-LENGTH", 14}, {"3", 1}},
        {{"Transfer-Encoding", 17}, {"chunked", 7}},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        misuse(response_add_header(&test.response, bad[i].name, bad[i].value));
        misuse(response_set_header(&test.response, bad[i].name, bad[i].value));
    }
    assert_int_equal(test.response.head.headers.count, 0);
    ok(response_add_header(&test.response, VIEW("X-A"), VIEW(" \ta\tb \xc3\xa9 ")));
    ok(response_add_header(&test.response, VIEW("X-Empty"), VIEW("")));
    ok(response_finish(&test.response));
    assert_string_equal(test_sink_header(&test.sink, "X-A"), "a\tb \xc3\xa9");
    assert_string_equal(test_sink_header(&test.sink, "X-Empty"), "");
}

static void setting_replaces_every_header_of_the_name(void **state)
{
    (void)state;
    ok(response_add_header(&test.response, VIEW("Link"), VIEW("1")));
    ok(response_add_header(&test.response, VIEW("Vary"), VIEW("Accept")));
    ok(response_add_header(&test.response, VIEW("link"), VIEW("2")));
    assert_true(response_has_header(&test.response, VIEW("LINK")));
    misuse(response_set_header(&test.response, VIEW("Link"), VIEW("a\nb")));
    assert_int_equal(test.response.head.headers.count, 3);
    ok(response_set_header(&test.response, VIEW("LINK"), VIEW("3")));
    assert_false(response_has_header(&test.response, VIEW("Lin")));
    ok(response_finish(&test.response));
    assert_true(view_equal(buffer_view(&test.sink.headers), VIEW("Vary: Accept\nLINK: 3\n")));
}

static void header_texts_are_copied(void **state)
{
    (void)state;
    char name[] = "X-A", value[] = "b";
    ok(response_add_header(&test.response, view_of(name), view_of(value)));
    name[2] = 'Z';
    value[0] = 'z';
    ok(response_finish(&test.response));
    assert_string_equal(test_sink_header(&test.sink, "X-A"), "b");
}

static void there_is_room_for_so_many_headers_and_no_more(void **state)
{
    (void)state;
    for (size_t i = 0; i < LIMIT_RESPONSE_HEADERS; i++)
        ok(response_add_header(&test.response, VIEW("X-A"), VIEW("b")));
    misuse(response_add_header(&test.response, VIEW("X-A"), VIEW("b")));
    misuse(response_set_header(&test.response, VIEW("X-B"), VIEW("b")));
    ok(response_set_header(&test.response, VIEW("X-A"), VIEW("c")));
    assert_int_equal(test.response.head.headers.count, 1);
}

static void a_restart_forgets_all(void **state)
{
    (void)state;
    ok(response_set_status(&test.response, 500));
    ok(response_add_header(&test.response, VIEW("X-A"), VIEW("b")));
    ok(response_write(&test.response, response_test_filled(3000)));
    ok(response_restart(&test.response));
    ok(response_write(&test.response, VIEW("new")));
    ok(response_finish(&test.response));
    assert_int_equal(test.sink.status, 200);
    assert_int_equal(test.sink.headers.length, 0);
    assert_int_equal(test.sink.content_length, 3);
    assert_string_equal(test_sink_body(&test.sink), "new");
    response_test_again(&test, false);
    ok(response_set_length(&test.response, 4));
    ok(response_restart(&test.response));
    ok(response_write(&test.response, VIEW("new")));
    ok(response_finish(&test.response));
    assert_int_equal(test.sink.content_length, 3);
}

static void what_went_out_cannot_be_taken_back(void **state)
{
    (void)state;
    ok(response_write(&test.response, VIEW("abc")));
    ok(response_flush(&test.response));
    misuse(response_restart(&test.response));
    ok(response_finish(&test.response));
    assert_string_equal(test_sink_body(&test.sink), "abc");
}

/* ---- A sink that fails ---- */

static void what_the_sink_says_sticks_and_ends_in_an_abort(void **state)
{
    (void)state;
    test.sink.fail_write = HEARTH_CLIENT_GONE;
    ok(response_write(&test.response, VIEW("held")));
    assert_int_equal(response_flush(&test.response), HEARTH_CLIENT_GONE);
    test.sink.fail_write = HEARTH_OK;
    assert_int_equal(response_write(&test.response, VIEW("x")), HEARTH_CLIENT_GONE);
    assert_int_equal(response_flush(&test.response), HEARTH_CLIENT_GONE);
    assert_true(response_client_gone(&test.response));
    assert_int_equal(response_finish(&test.response), HEARTH_CLIENT_GONE);
    assert_int_equal(test.sink.aborts, 1);
    assert_int_equal(test.sink.finishes, 0);
    assert_int_equal(test.sink.body.length, 0);
}

static void a_head_that_cannot_be_sent_fails_the_write(void **state)
{
    (void)state;
    test.sink.fail_head = HEARTH_IO;
    ok(response_set_length(&test.response, 3));
    assert_int_equal(response_write(&test.response, VIEW("abc")), HEARTH_IO);
    assert_int_equal(response_finish(&test.response), HEARTH_IO);
    assert_int_equal(test.sink.heads, 1);
    assert_int_equal(test.sink.aborts, 1);
}

static void the_sink_knows_whether_the_client_is_there(void **state)
{
    (void)state;
    assert_false(response_client_gone(&test.response));
    test.sink.gone = true;
    assert_true(response_client_gone(&test.response));
    test.sink.sink.client_gone = NULL;
    assert_false(response_client_gone(&test.response));
}

static void without_memory_headers_are_refused_and_bytes_are_not(void **state)
{
    (void)state;
    struct arena *tight = arena_new(64);
    response_init(&test.response, tight, &test.sink.sink, false);
    assert_int_equal(response_add_header(&test.response, VIEW("X-A"), VIEW("b")), HEARTH_NO_MEMORY);
    assert_int_equal(test.response.head.headers.count, 0);
    /* There is no room to hold anything back, so nothing is. */
    ok(response_write(&test.response, VIEW("abc")));
    assert_string_equal(test_sink_body(&test.sink), "abc");
    ok(response_finish(&test.response));
    assert_int_equal(test.sink.content_length, -1);
    arena_free(tight);
}

#define story(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        story(a_short_answer_gets_its_length),
        story(what_is_sent_at_once_has_all),
        story(an_empty_answer_has_the_length_zero),
        story(an_answer_as_long_as_the_hold_gets_a_length_and_a_longer_one_none),
        story(one_large_write_goes_straight_through),
        story(bytes_of_all_sizes_arrive_in_order),
        story(a_long_format_is_not_cut),
        story(flushing_sends_what_there_is),
        story(a_stated_length_sends_the_head_with_the_first_byte),
        story(more_than_stated_is_misuse_and_nothing_of_it_is_sent),
        story(fewer_than_stated_aborts),
        story(a_length_must_be_expressible),
        story(head_counts_and_sends_nothing),
        story(head_may_leave_the_body_out),
        story(head_of_a_long_answer_is_as_get_would_send_it),
        story(no_content_and_not_modified_have_no_body),
        story(the_head_is_closed_by_the_body),
        story(nothing_follows_the_end),
        story(statuses_are_final_ones),
        story(no_header_smuggles_another),
        story(setting_replaces_every_header_of_the_name),
        story(header_texts_are_copied),
        story(there_is_room_for_so_many_headers_and_no_more),
        story(a_restart_forgets_all),
        story(what_went_out_cannot_be_taken_back),
        story(what_the_sink_says_sticks_and_ends_in_an_abort),
        story(a_head_that_cannot_be_sent_fails_the_write),
        story(the_sink_knows_whether_the_client_is_there),
        story(without_memory_headers_are_refused_and_bytes_are_not),
    };
    return cmocka_run_group_tests_name("response", tests, NULL, NULL);
}
