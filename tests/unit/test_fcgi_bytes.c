/*
 * test_fcgi_bytes.c - FastCGI without a connection: records as bytes, parameters as texts.
 */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/adapter/fcgi_params.h"
#include "app/adapter/fcgi_records.h"

/* ---- Records ---- */

enum { HEAD_BYTES = 16 + 8 + 5 + 3 + 8 };

/* BEGIN_REQUEST, PARAMS with five bytes and three of padding, the empty PARAMS; then STDIN. */
static const unsigned char request[] = {1, 1, 0, 7, 0, 8, 0, 0, 0,   1, 0,   0,   0,   0, 0, 0, /**/
                                        1, 4, 0, 7, 0, 5, 3, 0, 1,   2, 'A', 'b', 'c', 0, 0, 0, /**/
                                        1, 4, 0, 7, 0, 0, 0, 0,                                 /**/
                                        1, 5, 0, 7, 0, 1, 0, 0, 'x',                            /**/
                                        1, 5, 0, 7, 0, 0, 0, 0};

static bool arrived(const void *bytes, size_t length)
{
    return fcgi_head_has_arrived(view_from(bytes, length));
}

static void a_head_has_arrived_with_its_last_byte_and_not_before(void **state)
{
    (void)state;
    for (size_t length = 0; length < HEAD_BYTES; length++) {
        assert_false(arrived(request, length));
    }
    for (size_t length = HEAD_BYTES; length <= sizeof request; length++) {
        assert_true(arrived(request, length));
    }
}

static void records_of_others_are_passed_over(void **state)
{
    (void)state;
    static const unsigned char ends_of_others[] = {
        1, 9, 0, 0, 0, 0, 0, 0, /* management */
        1, 4, 0, 8, 0, 0, 0, 0, /* the end of another request's parameters */
    };
    unsigned char bytes[sizeof request + sizeof ends_of_others];
    memcpy(bytes, ends_of_others, sizeof ends_of_others);
    memcpy(bytes + sizeof ends_of_others, request, sizeof request);
    assert_false(arrived(bytes, sizeof ends_of_others + HEAD_BYTES - 1));
    assert_true(arrived(bytes, sizeof ends_of_others + HEAD_BYTES));
    memcpy(bytes, request, 16);
    memcpy(bytes + 16, ends_of_others, sizeof ends_of_others);
    assert_false(arrived(bytes, 16 + sizeof ends_of_others));
}

static void what_no_request_begins_with_needs_no_waiting(void **state)
{
    (void)state;
    static const unsigned char other_version[8] = {2};
    static const unsigned char no_id[8] = {1, 1};
    unsigned char body_first[24];
    memcpy(body_first, request, 16);
    memcpy(body_first + 16, request + HEAD_BYTES, 8);
    assert_true(arrived("GET / HTTP/1.1\r\n", 16));
    assert_true(arrived(other_version, 8));
    assert_true(arrived(no_id, 8));
    assert_true(arrived(body_first, 24));
}

static void the_end_of_the_input_is_known_by_its_header(void **state)
{
    (void)state;
    assert_true(fcgi_record_is_input_end(request + sizeof request - 8));
    assert_false(fcgi_record_is_input_end(request + HEAD_BYTES));
    assert_false(fcgi_record_is_input_end(request + HEAD_BYTES - 8));
}

static void the_record_that_ends_a_request(void **state)
{
    (void)state;
    static const unsigned char expected[FCGI_END_REQUEST_BYTES] = {1, 3, 0x12, 0x34, 0, 8, 0,
                                                                   0, 0, 0,    0,    0, 3};
    unsigned char record[FCGI_END_REQUEST_BYTES];
    fcgi_record_write_end(record, 0x1234, FCGI_UNKNOWN_ROLE);
    assert_memory_equal(record, expected, sizeof expected);
}

/* ---- Parameters ---- */

enum { MAX_TEXTS = 24, TEXT_BYTES = 96 };

struct texts {
    char text[MAX_TEXTS][TEXT_BYTES];
    char *parameters[MAX_TEXTS + 1];
    struct arena *arena;
    struct fcgi_params params;
};

static int set_up(void **state)
{
    struct texts *texts = calloc(1, sizeof *texts);
    assert_non_null(texts);
    texts->arena = arena_new(1 << 20);
    assert_non_null(texts->arena);
    *state = texts;
    return 0;
}

static int tear_down(void **state)
{
    struct texts *texts = *state;
    arena_free(texts->arena);
    free(texts);
    return 0;
}

static const struct request_input *read_all(struct texts *texts, const char *const *list)
{
    size_t count = 0;
    for (; list[count]; count++) {
        assert_true(count < MAX_TEXTS && strlen(list[count]) < TEXT_BYTES);
        snprintf(texts->text[count], TEXT_BYTES, "%s", list[count]);
        texts->parameters[count] = texts->text[count];
    }
    texts->parameters[count] = NULL;
    assert_int_equal(fcgi_params_read(texts->arena, texts->parameters, &texts->params), HEARTH_OK);
    return &texts->params.input;
}

static void assert_view(struct view got, const char *expected)
{
    if (!view_equal(got, view_of(expected))) {
        fail_msg("got \"%.*s\", expected \"%s\"", VIEW_ARGUMENTS(got), expected);
    }
}

static void assert_headers(const struct request_input *input, const char *const *expected)
{
    size_t count = 0;
    for (; expected[2 * count]; count++) {
        assert_true(count < input->headers.count);
        assert_view(input->headers.items[count].name, expected[2 * count]);
        assert_view(input->headers.items[count].value, expected[2 * count + 1]);
    }
    assert_int_equal(input->headers.count, count);
}

static void headers_come_in_order_with_their_duplicates(void **state)
{
    const struct request_input *input = read_all(
        *state, (const char *[]){"HTTP_X_A=1", "REQUEST_METHOD=GET", "HTTP_X_B=", "HTTP_X_A=2",
                                 "REQUEST_URI=/a?b", "CONTENT_TYPE=text/plain", NULL});
    assert_headers(input, (const char *[]){"x-a", "1", "x-b", "", "x-a", "2", "content-type",
                                           "text/plain", NULL});
    assert_view(input->method, "GET");
    assert_view(input->target, "/a?b");
}

static void a_length_that_is_not_known_is_no_header(void **state)
{
    struct texts *texts = *state;
    static const char *const none[] = {"CONTENT_LENGTH=", "CONTENT_LENGTH=-1", "X=1"};
    for (size_t i = 0; i < 3; i++) {
        assert_headers(read_all(texts, (const char *[]){none[i], NULL}), (const char *[]){NULL});
        assert_int_equal(texts->params.declared_bytes, -1);
    }
    read_all(texts, (const char *[]){"CONTENT_LENGTH=0", NULL});
    assert_int_equal(texts->params.declared_bytes, 0);
    const struct request_input *input =
        read_all(texts, (const char *[]){"CONTENT_LENGTH=12x", "HTTP_CONTENT_LENGTH=12", NULL});
    assert_int_equal(texts->params.declared_bytes, -1);
    assert_headers(input, (const char *[]){"content-length", "12x", NULL});
}

static void two_of_a_trusted_name_are_none(void **state)
{
    const struct request_input *input =
        read_all(*state, (const char *[]){"REMOTE_ADDR=4", "HTTPS=on", "REMOTE_ADDR=4", "HTTPS=on",
                                          "REQUEST_SCHEME=http", NULL});
    assert_view(input->peer_address, "");
    assert_view(input->scheme, "http");
    assert_view(read_all(*state, (const char *[]){"HTTPS=on", "REQUEST_SCHEME=http", NULL})->scheme,
                "https");
}

static void forwarding_headers_that_come_twice_are_seen_to_come(void **state)
{
    const struct request_input *input =
        read_all(*state, (const char *[]){"HTTP_X_FORWARDED_FOR=1", "HTTP_x_forwarded_FOR=2",
                                          "HTTP_FORWARDED=3", "HTTP_FORWARDED=3", NULL});
    assert_headers(input, (const char *[]){"x-forwarded-for", "1", "x-forwarded-for", "2",
                                           "forwarded", "3", "forwarded", "3", NULL});
}

static void a_front_can_say_that_it_took_forwarding_headers_away(void **state)
{
    struct texts *texts = *state;
    assert_true(read_all(texts, (const char *[]){"HEARTH_FORWARDED=1", NULL})->forwarded);
    assert_false(read_all(texts, (const char *[]){"HEARTH_FORWARDED=", NULL})->forwarded);
    assert_false(read_all(texts, (const char *[]){"HTTP_HEARTH_FORWARDED=1", NULL})->forwarded);
}

static void the_target_is_put_together_when_the_front_does_not_say_it(void **state)
{
    struct texts *texts = *state;
    assert_view(read_all(texts, (const char *[]){"SCRIPT_NAME=/a b", "PATH_INFO=/100%/\xe9?#",
                                                 "QUERY_STRING=c=%20", NULL})
                    ->target,
                "/a%20b/100%25/%E9%3F%23?c=%20");
    assert_view(read_all(texts, (const char *[]){"REQUEST_URI=", NULL})->target, "/");
}

static void a_front_that_hides_breaks_is_known_by_its_name(void **state)
{
    struct texts *texts = *state;
    static const struct {
        const char *text;
        bool hides;
    } fronts[] = {{"SERVER_SOFTWARE=Caddy/v2.6.2", true},
                  {"SERVER_SOFTWARE=lighttpd/1.4.69", true},
                  {"SERVER_SOFTWARE=nginx/1.22.1", false},
                  {"SERVER_SOFTWARE=Apache/2.4.62 (Debian)", false},
                  {"HTTP_SERVER_SOFTWARE=Caddy", false}};
    for (size_t i = 0; i < sizeof fronts / sizeof fronts[0]; i++) {
        read_all(texts, (const char *[]){fronts[i].text, NULL});
        assert_int_equal(texts->params.front_hides_breaks, fronts[i].hides);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_head_has_arrived_with_its_last_byte_and_not_before),
        cmocka_unit_test(records_of_others_are_passed_over),
        cmocka_unit_test(what_no_request_begins_with_needs_no_waiting),
        cmocka_unit_test(the_end_of_the_input_is_known_by_its_header),
        cmocka_unit_test(the_record_that_ends_a_request),
        cmocka_unit_test_setup_teardown(headers_come_in_order_with_their_duplicates, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_length_that_is_not_known_is_no_header, set_up, tear_down),
        cmocka_unit_test_setup_teardown(two_of_a_trusted_name_are_none, set_up, tear_down),
        cmocka_unit_test_setup_teardown(forwarding_headers_that_come_twice_are_seen_to_come, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_front_can_say_that_it_took_forwarding_headers_away,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_target_is_put_together_when_the_front_does_not_say_it,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_front_that_hides_breaks_is_known_by_its_name, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests_name("fcgi bytes", tests, NULL, NULL);
}
