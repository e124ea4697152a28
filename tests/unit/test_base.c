/*
 * test_base.c - errors and views.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/support.h"

/* ---- Errors ---- */

static void names_are_spelled_as_in_the_table(void **state)
{
    (void)state;
    assert_string_equal(error_name(HEARTH_OK), "OK");
    assert_string_equal(error_name(HEARTH_BODY_TOO_LARGE), "BODY_TOO_LARGE");
    assert_string_equal(error_name(HEARTH_DEADLINE), "DEADLINE");
    for (int i = 0; i < HEARTH_ERROR_COUNT; i++)
        for (int k = 0; k < i; k++)
            assert_string_not_equal(error_name((enum hearth_error)i),
                                    error_name((enum hearth_error)k));
}

static void every_error_has_a_status_and_a_title(void **state)
{
    (void)state;
    assert_int_equal(error_http_status(HEARTH_OK), 200);
    assert_int_equal(error_http_status(HEARTH_BODY_TOO_LARGE), 413);
    assert_int_equal(error_http_status(HEARTH_NO_MEMORY), 503);
    for (int i = HEARTH_OK + 1; i < HEARTH_ERROR_COUNT; i++) {
        assert_in_range(error_http_status((enum hearth_error)i), 400, 599);
        assert_true(strlen(error_title((enum hearth_error)i)) > 0);
    }
}

static void a_number_outside_the_set_is_an_internal_error(void **state)
{
    (void)state;
    const int outside[] = {HEARTH_ERROR_COUNT, 9999, -1};
    for (size_t i = 0; i < 3; i++) {
        enum hearth_error error = (enum hearth_error)outside[i];
        assert_string_equal(error_name(error), "UNKNOWN");
        assert_int_equal(error_http_status(error), 500);
        assert_string_equal(error_title(error), "Internal error");
    }
}

static void errno_values_become_errors(void **state)
{
    (void)state;
    static const struct {
        int number;
        enum hearth_error error;
    } rows[] = {
        {ENOSPC, HEARTH_DISK_FULL},
        {EDQUOT, HEARTH_DISK_FULL},
        {ENOENT, HEARTH_NOT_FOUND},
        {ENOMEM, HEARTH_NO_MEMORY},
        {EEXIST, HEARTH_CONFLICT},
        {EPIPE, HEARTH_CLIENT_GONE},
        {ECONNRESET, HEARTH_CLIENT_GONE},
        {EIO, HEARTH_IO},
        {EACCES, HEARTH_IO},
        {0, HEARTH_IO},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_int_equal(error_from_errno(rows[i].number), rows[i].error);
}

static void a_record_says_who_may_read_its_detail(void **state)
{
    (void)state;
    struct error_record record;
    assert_int_equal(error_set(&record, HEARTH_BAD_BODY, "line %d is not JSON", 7),
                     HEARTH_BAD_BODY);
    assert_int_equal(record.code, HEARTH_BAD_BODY);
    assert_int_equal(record.number, 0);
    assert_true(record.public_detail);
    assert_string_equal(record.detail, "line 7 is not JSON");

    assert_int_equal(error_set_internal(&record, HEARTH_IO, EIO, "%s: fsync", "/x"), HEARTH_IO);
    assert_int_equal(record.number, EIO);
    assert_false(record.public_detail);
    assert_string_equal(record.detail, "/x: fsync");
}

static void an_operator_reads_the_systems_reason_once(void **state)
{
    (void)state;
    struct error_record record;
    char text[64];
    (void)error_set_internal(&record, HEARTH_IO, EACCES, "cannot make /x");
    error_describe(&record, HEARTH_IO, text, sizeof text);
    assert_string_equal(text, "cannot make /x: Permission denied");
    (void)error_set_internal(&record, HEARTH_IO, EACCES, "cannot make /x: Permission denied");
    error_describe(&record, HEARTH_IO, text, sizeof text);
    assert_string_equal(text, "cannot make /x: Permission denied");
    (void)error_set(&record, HEARTH_IO, "the address is taken");
    error_describe(&record, HEARTH_IO, text, sizeof text);
    assert_string_equal(text, "the address is taken");
    record.detail[0] = '\0';
    error_describe(&record, HEARTH_NO_MEMORY, text, sizeof text);
    assert_string_equal(text, error_title(HEARTH_NO_MEMORY));
    error_describe(NULL, HEARTH_NO_MEMORY, text, sizeof text);
    assert_string_equal(text, error_title(HEARTH_NO_MEMORY));
}

static void a_detail_is_cut_to_its_place(void **state)
{
    (void)state;
    struct error_record record;
    char text[1000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    error_set(&record, HEARTH_BAD_BODY, "%s", text);
    assert_int_equal(strlen(record.detail), sizeof record.detail - 1);
}

static void a_detail_may_quote_the_one_before(void **state)
{
    (void)state;
    struct error_record record;
    error_set(&record, HEARTH_BAD_BODY, "not JSON");
    error_set(&record, HEARTH_BAD_BODY, "line 3: %s", record.detail);
    assert_string_equal(record.detail, "line 3: not JSON");
}

static void nobody_need_keep_a_record(void **state)
{
    (void)state;
    assert_int_equal(error_set(NULL, HEARTH_BUSY, "x"), HEARTH_BUSY);
    assert_int_equal(error_set_internal(NULL, HEARTH_IO, EIO, "x"), HEARTH_IO);
}

/* ---- Views ---- */

static void all_empty_views_are_equal(void **state)
{
    (void)state;
    assert_true(view_equal(VIEW_NONE, VIEW("")));
    assert_true(view_equal(view_of(NULL), view_from("x", 0)));
    assert_true(view_equal_ignore_case(VIEW_NONE, VIEW("")));
    assert_true(view_equal_constant_time(VIEW_NONE, VIEW("")));
    assert_false(view_equal(VIEW_NONE, VIEW("a")));
}

static void views_compare_by_content(void **state)
{
    (void)state;
    assert_true(view_equal(VIEW("abc"), VIEW("abc")));
    assert_false(view_equal(VIEW("abc"), VIEW("abd")));
    assert_false(view_equal(VIEW("abc"), VIEW("ab")));
    assert_true(view_equal(view_from("a\0b", 3), VIEW("a\0b")));
    assert_false(view_equal(VIEW("a\0b"), VIEW("a\0c")));
    assert_true(view_equal_constant_time(VIEW("secret"), VIEW("secret")));
    assert_false(view_equal_constant_time(VIEW("secret"), VIEW("secres")));
    assert_false(view_equal_constant_time(VIEW("Secret"), VIEW("secret")));
    assert_false(view_equal_constant_time(VIEW("secret"), VIEW("secre")));
}

static void case_is_ignored_for_ascii_letters_alone(void **state)
{
    (void)state;
    assert_true(view_equal_ignore_case(VIEW("Content-TYPE"), VIEW("content-type")));
    /* The bytes that differ from a letter's neighbours in the case bit. */
    assert_false(view_equal_ignore_case(VIEW("@[`{"), VIEW("`{@[")));
    assert_false(view_equal_ignore_case(VIEW("\xC4"), VIEW("\xE4")));
    for (int a = 0; a < 256; a++)
        for (int b = 0; b < 256; b++) {
            char x = (char)a, y = (char)b;
            bool both_letters =
                a < 128 && b < 128 && (a | 32) == (b | 32) && (a | 32) >= 'a' && (a | 32) <= 'z';
            assert_int_equal(view_equal_ignore_case(view_from(&x, 1), view_from(&y, 1)),
                             a == b || both_letters);
        }
}

static void beginnings_and_ends_are_found(void **state)
{
    (void)state;
    assert_true(view_starts_with(VIEW("Bearer x"), VIEW("Bearer ")));
    assert_true(view_starts_with(VIEW("x"), VIEW_NONE));
    assert_true(view_starts_with(VIEW_NONE, VIEW_NONE));
    assert_false(view_starts_with(VIEW("Be"), VIEW("Bearer")));
    assert_false(view_starts_with(VIEW("bearer x"), VIEW("Bearer ")));
    assert_true(view_starts_with_ignore_case(VIEW("bEARER x"), VIEW("Bearer ")));
    assert_false(view_starts_with_ignore_case(VIEW("b"), VIEW("Bearer ")));
    assert_true(view_ends_with(VIEW("style.css"), VIEW(".css")));
    assert_true(view_ends_with(VIEW("x"), VIEW("")));
    assert_false(view_ends_with(VIEW("css"), VIEW(".css")));
    assert_false(view_ends_with(VIEW("style.csv"), VIEW(".css")));
}

static void slices_stay_within_the_text(void **state)
{
    (void)state;
    struct view text = VIEW("hearth");
    assert_true(view_equal(view_slice(text, 1, 3), VIEW("ear")));
    assert_true(view_equal(view_slice(text, 4, 100), VIEW("th")));
    assert_true(view_equal(view_slice(text, 6, 1), VIEW_NONE));
    assert_true(view_equal(view_slice(text, SIZE_MAX, SIZE_MAX), VIEW_NONE));
    assert_true(view_equal(view_slice(text, 1, SIZE_MAX), VIEW("earth")));
    assert_true(view_equal(view_skip(text, 2), VIEW("arth")));
    assert_ptr_equal(view_skip(text, 99).data, text.data + 6);
    assert_null(view_skip(VIEW_NONE, 3).data);
    assert_null(view_slice(VIEW_NONE, 0, 3).data);
}

static void blanks_are_trimmed_on_both_sides(void **state)
{
    (void)state;
    assert_true(view_equal(view_trim(VIEW(" \t a b\t ")), VIEW("a b")));
    assert_true(view_equal(view_trim(VIEW(" \t ")), VIEW_NONE));
    assert_true(view_equal(view_trim(VIEW_NONE), VIEW_NONE));
    assert_true(view_equal(view_trim(VIEW("\na\r")), VIEW("\na\r")));
}

static void characters_and_parts_are_found(void **state)
{
    (void)state;
    assert_int_equal(view_index_of(VIEW("a=b=c"), '='), 1);
    assert_int_equal(view_index_of(VIEW("abc"), '='), SIZE_MAX);
    assert_int_equal(view_index_of(VIEW("a\0b"), '\0'), 1);
    assert_int_equal(view_index_of(VIEW_NONE, 'a'), SIZE_MAX);
    assert_int_equal(view_find(VIEW("abcabd"), VIEW("abd")), 3);
    assert_int_equal(view_find(VIEW("abc"), VIEW("abcd")), SIZE_MAX);
    assert_int_equal(view_find(VIEW("abc"), VIEW_NONE), 0);
    assert_int_equal(view_find(VIEW_NONE, VIEW_NONE), 0);
    assert_int_equal(view_find(VIEW_NONE, VIEW("a")), SIZE_MAX);
}

static void a_split_ends_with_null_data(void **state)
{
    (void)state;
    static const char *const expected[] = {"a", "", "b", ""};
    struct view rest = VIEW("a,,b,");
    size_t parts = 0;
    while (rest.data) {
        struct view part = view_split(&rest, ',');
        assert_in_range(parts, 0, 3);
        assert_true(view_equal(part, view_of(expected[parts++])));
    }
    assert_int_equal(parts, 4);

    rest = VIEW("");
    assert_true(view_equal(view_split(&rest, ','), VIEW_NONE));
    assert_null(rest.data);
}

static void numbers_are_read_to_their_bounds(void **state)
{
    (void)state;
    uint64_t u = 1;
    assert_true(view_to_uint64(VIEW("0"), &u) && u == 0);
    assert_true(view_to_uint64(VIEW("18446744073709551615"), &u) && u == UINT64_MAX);
    assert_true(view_to_uint64(VIEW("00000000000000000000000000042"), &u) && u == 42);
    int64_t i = 1;
    assert_true(view_to_int64(VIEW("9223372036854775807"), &i) && i == INT64_MAX);
    assert_true(view_to_int64(VIEW("-9223372036854775808"), &i) && i == INT64_MIN);
    assert_true(view_to_int64(VIEW("-0"), &i) && i == 0);
    assert_true(view_to_int64(VIEW("-42"), &i) && i == -42);
}

static void what_is_no_number_changes_nothing(void **state)
{
    (void)state;
    static const char *const unsigned_bad[] = {"",    " 1",
                                               "1 ",  "+1",
                                               "-1",  "1a",
                                               "0x1", "18446744073709551616",
                                               "1e3", "99999999999999999999999"};
    static const char *const signed_bad[] = {
        "", "-", "--1", "+1", "- 1", "9223372036854775808", "-9223372036854775809"};
    uint64_t u = 7;
    for (size_t i = 0; i < sizeof unsigned_bad / sizeof unsigned_bad[0]; i++)
        assert_false(view_to_uint64(view_of(unsigned_bad[i]), &u));
    assert_false(view_to_uint64(VIEW("1\0"), &u));
    assert_int_equal(u, 7);
    int64_t s = 7;
    for (size_t i = 0; i < sizeof signed_bad / sizeof signed_bad[0]; i++)
        assert_false(view_to_int64(view_of(signed_bad[i]), &s));
    assert_int_equal(s, 7);
}

static void every_number_comes_back_from_its_text(void **state)
{
    (void)state;
    uint64_t bits = 88172645463325252u;
    for (int round = 0; round < 100000; round++) {
        bits ^= bits << 13;
        bits ^= bits >> 7;
        bits ^= bits << 17;
        /* All magnitudes alike, not only the largest. */
        int64_t number = (int64_t)bits >> (bits % 64), back;
        char text[32];
        snprintf(text, sizeof text, "%lld", (long long)number);
        assert_true(view_to_int64(view_of(text), &back));
        assert_true(back == number);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_spelled_as_in_the_table),
        cmocka_unit_test(every_error_has_a_status_and_a_title),
        cmocka_unit_test(a_number_outside_the_set_is_an_internal_error),
        cmocka_unit_test(errno_values_become_errors),
        cmocka_unit_test(a_record_says_who_may_read_its_detail),
        cmocka_unit_test(an_operator_reads_the_systems_reason_once),
        cmocka_unit_test(a_detail_is_cut_to_its_place),
        cmocka_unit_test(a_detail_may_quote_the_one_before),
        cmocka_unit_test(nobody_need_keep_a_record),
        cmocka_unit_test(all_empty_views_are_equal),
        cmocka_unit_test(views_compare_by_content),
        cmocka_unit_test(case_is_ignored_for_ascii_letters_alone),
        cmocka_unit_test(beginnings_and_ends_are_found),
        cmocka_unit_test(slices_stay_within_the_text),
        cmocka_unit_test(blanks_are_trimmed_on_both_sides),
        cmocka_unit_test(characters_and_parts_are_found),
        cmocka_unit_test(a_split_ends_with_null_data),
        cmocka_unit_test(numbers_are_read_to_their_bounds),
        cmocka_unit_test(what_is_no_number_changes_nothing),
        cmocka_unit_test(every_number_comes_back_from_its_text),
    };
    return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
