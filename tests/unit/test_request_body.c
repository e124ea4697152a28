/*
 * test_request_body.c - the body reader: lengths that agree and lengths that do not, limits, and
 * what is left is taken off the line.
 */
#include <string.h>

#include "support.h"

/* A body of `content` that declares `declared` bytes and may have `max_bytes`. */
static struct body body_of(struct test_body *source, struct view content, size_t step,
                           int64_t declared, uint64_t max_bytes)
{
    test_body_init(source, content, step);
    return (struct body){
        .source = &source->source, .declared_bytes = declared, .max_bytes = max_bytes};
}

static void bytes_come_in_order_until_the_end(void **state)
{
    (void)state;
    struct test_body source;
    struct body body = body_of(&source, VIEW("abcdefg"), 3, 7, 100);
    char piece[4];
    size_t length;
    assert_int_equal(body_read(&body, piece, sizeof piece, &length), HEARTH_OK);
    assert_memory_equal(piece, "abc", 3);
    assert_int_equal(length, 3);
    assert_int_equal(body_read(&body, piece, 2, &length), HEARTH_OK);
    assert_memory_equal(piece, "de", 2);
    assert_int_equal(body_read(&body, piece, sizeof piece, &length), HEARTH_OK);
    assert_int_equal(length, 2);
    assert_int_equal(body_read(&body, piece, sizeof piece, &length), HEARTH_OK);
    assert_int_equal(length, 0);
    assert_true(body.ended);
    assert_int_equal(body.read_bytes, 7);
    assert_int_equal(body_read(&body, piece, sizeof piece, &length), HEARTH_OK);
    assert_int_equal(length, 0);
}

static void there_may_be_no_body(void **state)
{
    (void)state;
    char piece[4];
    size_t length = 9;
    struct body none = {.declared_bytes = -1, .max_bytes = 100};
    assert_int_equal(body_read(&none, piece, sizeof piece, &length), HEARTH_OK);
    assert_int_equal(length, 0);
    struct body promised = {.declared_bytes = 5, .max_bytes = 100};
    assert_int_equal(body_read(&promised, piece, sizeof piece, &length), HEARTH_BAD_LENGTH);
    struct body zero = {.declared_bytes = 0, .max_bytes = 100};
    assert_int_equal(body_read(&zero, piece, sizeof piece, &length), HEARTH_OK);
    assert_int_equal(length, 0);
}

static void no_room_is_a_mistake_and_not_the_end(void **state)
{
    (void)state;
    struct test_body source;
    struct body body = body_of(&source, VIEW("abc"), 0, 3, 100);
    char piece[4];
    size_t length;
    assert_int_equal(body_read(&body, piece, 0, &length), HEARTH_MISUSE);
    assert_int_equal(body_read(&body, piece, 4, &length), HEARTH_OK);
    assert_int_equal(length, 3);
}

static enum hearth_error read_all(struct body *body, size_t max_bytes, struct buffer *out)
{
    buffer_init(out, max_bytes);
    return body_read_all(body, out);
}

static void expect_whole(struct view content, size_t step, int64_t declared)
{
    struct test_body source;
    struct buffer out;
    struct body body = body_of(&source, content, step, declared, 1 << 20);
    assert_int_equal(read_all(&body, 1 << 20, &out), HEARTH_OK);
    assert_true(view_equal(buffer_view(&out), content));
    assert_true(body.ended);
    buffer_clean(&out);
}

static void a_whole_body_is_read_in_any_steps(void **state)
{
    (void)state;
    static char content[50000];
    for (size_t i = 0; i < sizeof content; i++)
        content[i] = (char)(i * 7);
    static const size_t steps[] = {0, 1, 17, 16383, 16384, 16385};
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        size_t size = steps[i] == 1 ? 3000 : sizeof content;
        expect_whole(view_from(content, size), steps[i], (int64_t)size);
        expect_whole(view_from(content, size), steps[i], -1);
    }
    expect_whole(VIEW(""), 0, -1);
    expect_whole(VIEW(""), 0, 0);
}

static void a_buffer_that_just_fits_is_enough(void **state)
{
    (void)state;
    static const int64_t declarations[] = {-1, 6};
    for (size_t i = 0; i < 2; i++) {
        struct test_body source;
        struct buffer out;
        struct body body = body_of(&source, VIEW("abcdef"), 0, declarations[i], 100);
        assert_int_equal(read_all(&body, 6, &out), HEARTH_OK);
        assert_int_equal(out.length, 6);
        buffer_clean(&out);
        body = body_of(&source, VIEW("abcdef"), 0, declarations[i], 100);
        assert_int_equal(read_all(&body, 5, &out), HEARTH_BODY_TOO_LARGE);
        buffer_clean(&out);
    }
}

static void shorter_than_declared_is_a_bad_length(void **state)
{
    (void)state;
    struct test_body source;
    struct buffer out;
    struct body body = body_of(&source, VIEW("abc"), 0, 4, 100);
    assert_int_equal(read_all(&body, 100, &out), HEARTH_BAD_LENGTH);
    char piece[4];
    size_t length;
    assert_int_equal(body_read(&body, piece, 4, &length), HEARTH_BAD_LENGTH);
    assert_int_equal(length, 0);
    buffer_clean(&out);
}

static void longer_than_declared_is_a_bad_length(void **state)
{
    (void)state;
    static const size_t steps[] = {0, 1, 2, 3};
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        struct test_body source;
        struct buffer out;
        struct body body = body_of(&source, VIEW("abcd"), steps[i], 3, 100);
        assert_int_equal(read_all(&body, 100, &out), HEARTH_BAD_LENGTH);
        buffer_clean(&out);
        body = body_of(&source, VIEW("abcd"), steps[i], 0, 100);
        assert_int_equal(read_all(&body, 100, &out), HEARTH_BAD_LENGTH);
        buffer_clean(&out);
    }
}

static void a_body_above_the_maximum_is_too_large(void **state)
{
    (void)state;
    struct test_body source;
    struct buffer out;
    /* Declared: refused before a byte is read. */
    struct body body = body_of(&source, VIEW("abcdef"), 0, 6, 5);
    assert_int_equal(read_all(&body, 100, &out), HEARTH_BODY_TOO_LARGE);
    assert_int_equal(source.content.length, 6);
    buffer_clean(&out);
    /* Not declared: when it passes the maximum. */
    body = body_of(&source, VIEW("abcdef"), 1, -1, 5);
    assert_int_equal(read_all(&body, 100, &out), HEARTH_BODY_TOO_LARGE);
    assert_int_equal(out.length, 5);
    buffer_clean(&out);
    body = body_of(&source, VIEW("abcdef"), 1, -1, 6);
    assert_int_equal(read_all(&body, 100, &out), HEARTH_OK);
    buffer_clean(&out);
}

static void a_route_may_lower_the_maximum_but_not_raise_it(void **state)
{
    (void)state;
    struct test_body source;
    struct body body = body_of(&source, VIEW("abcdef"), 0, 6, 100);
    assert_int_equal(body_limit(&body, 200), HEARTH_OK);
    assert_int_equal(body.max_bytes, 100);
    assert_int_equal(body_limit(&body, 6), HEARTH_OK);
    assert_int_equal(body_limit(&body, 5), HEARTH_BODY_TOO_LARGE);
    char piece[8];
    size_t length;
    assert_int_equal(body_read(&body, piece, sizeof piece, &length), HEARTH_BODY_TOO_LARGE);
    assert_int_equal(body_limit(&body, 500), HEARTH_BODY_TOO_LARGE);
}

static void what_the_source_says_sticks(void **state)
{
    (void)state;
    struct test_body source;
    struct buffer out;
    struct body body = body_of(&source, VIEW("abc"), 0, 10, 100);
    source.fail_at_end = HEARTH_CLIENT_GONE;
    assert_int_equal(read_all(&body, 100, &out), HEARTH_CLIENT_GONE);
    assert_int_equal(out.length, 3);
    source.fail_at_end = HEARTH_OK;
    char piece[8];
    size_t length;
    assert_int_equal(body_read(&body, piece, sizeof piece, &length), HEARTH_CLIENT_GONE);
    assert_int_equal(body_drain(&body, 100), HEARTH_CLIENT_GONE);
    buffer_clean(&out);
}

static void draining_takes_what_is_left_within_a_bound(void **state)
{
    (void)state;
    static char content[100000];
    struct test_body source;
    struct body body = body_of(&source, view_from(content, sizeof content), 0, -1, 1 << 20);
    char piece[10];
    size_t length;
    assert_int_equal(body_read(&body, piece, sizeof piece, &length), HEARTH_OK);
    assert_int_equal(body_drain(&body, 100000), HEARTH_OK);
    assert_true(body.ended);
    assert_int_equal(body.read_bytes, sizeof content);
    assert_int_equal(body_drain(&body, 0), HEARTH_OK);

    body = body_of(&source, view_from(content, sizeof content), 1000, -1, 1 << 20);
    assert_int_equal(body_drain(&body, 5000), HEARTH_BODY_TOO_LARGE);
    assert_false(body.ended);
    assert_int_equal(source.content.length, sizeof content - 6000);
}

static void a_refused_body_can_still_be_drained(void **state)
{
    (void)state;
    struct test_body source;
    struct buffer out;
    struct body body = body_of(&source, VIEW("abcdefghij"), 0, 10, 5);
    assert_int_equal(read_all(&body, 100, &out), HEARTH_BODY_TOO_LARGE);
    assert_int_equal(body_drain(&body, 100), HEARTH_OK);
    assert_int_equal(source.content.length, 0);
    /* It stays refused for whoever reads. */
    char piece[8];
    size_t length;
    assert_int_equal(body_read(&body, piece, sizeof piece, &length), HEARTH_BODY_TOO_LARGE);
    buffer_clean(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_come_in_order_until_the_end),
        cmocka_unit_test(there_may_be_no_body),
        cmocka_unit_test(no_room_is_a_mistake_and_not_the_end),
        cmocka_unit_test(a_whole_body_is_read_in_any_steps),
        cmocka_unit_test(a_buffer_that_just_fits_is_enough),
        cmocka_unit_test(shorter_than_declared_is_a_bad_length),
        cmocka_unit_test(longer_than_declared_is_a_bad_length),
        cmocka_unit_test(a_body_above_the_maximum_is_too_large),
        cmocka_unit_test(a_route_may_lower_the_maximum_but_not_raise_it),
        cmocka_unit_test(what_the_source_says_sticks),
        cmocka_unit_test(draining_takes_what_is_left_within_a_bound),
        cmocka_unit_test(a_refused_body_can_still_be_drained),
    };
    return cmocka_run_group_tests_name("request_body", tests, NULL, NULL);
}
