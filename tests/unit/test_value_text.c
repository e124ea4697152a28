/*
 * test_value_text.c - numbers and values as text: exact, and without a double anywhere.
 */
#include "handlers/sensor/snapshot/tail_cursor.h"
#include "handlers/sensor/text/text_put.h"
#include "handlers/sensor/text/value_text.h"
#include "tests/unit/support.h"
#include "tests/unit/support_chance.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *ended(const char *text, char *end)
{
    *end = '\0';
    return text;
}

static const char *decimal(int64_t number, int places)
{
    static char text[TEXT_DECIMAL_BYTES + 1];
    return ended(text, text_put_decimal(text, number, places));
}

static const char *value(int32_t number, enum value_unit unit)
{
    static char text[TEXT_DECIMAL_BYTES + 1];
    return ended(text, value_put(text, number, unit));
}

static const char *time_text(int64_t time_ms, int offset_s)
{
    static char text[TEXT_TIME_BYTES + 1];
    return ended(text, text_put_time(text, time_ms, offset_s));
}

static void whole_numbers_are_written_to_their_bounds(void **state)
{
    static const int64_t numbers[] = {0, 1, -1, 9, 10, -10, 1757894691123, INT64_MAX, INT64_MIN};
    char text[TEXT_INTEGER_BYTES + 1], expected[32];
    (void)state;
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        snprintf(expected, sizeof expected, "%lld", (long long)numbers[i]);
        assert_string_equal(ended(text, text_put_integer(text, numbers[i])), expected);
    }
}

static void decimals_have_no_zeros_behind_them(void **state)
{
    (void)state;
    assert_string_equal(decimal(7440, 2), "74.4");
    assert_string_equal(decimal(7400, 2), "74");
    assert_string_equal(decimal(7405, 2), "74.05");
    assert_string_equal(decimal(-5, 2), "-0.05");
    assert_string_equal(decimal(-50, 3), "-0.05");
    assert_string_equal(decimal(0, 3), "0");
    assert_string_equal(decimal(-1000, 3), "-1");
    assert_string_equal(decimal(12, 0), "12");
    assert_string_equal(decimal(INT64_MIN, 9), "-9223372036.854775808");
}

/* What a sender gave in tenths comes out as those tenths. */
static void tenths_of_both_scales_come_out_as_they_went_in(void **state)
{
    char expected[32];
    (void)state;
    for (int tenths = -1000; tenths < 3700; tenths++) {
        snprintf(expected, sizeof expected, "%s%d.%d", tenths < 0 ? "-" : "", abs(tenths) / 10,
                 abs(tenths) % 10);
        if (tenths % 10 == 0)
            *strchr(expected, '.') = '\0';
        if (strcmp(expected, "-0") == 0)
            snprintf(expected, sizeof expected, "0");
        assert_string_equal(value(5 * tenths, VALUE_F), expected);
        assert_string_equal(value(9 * tenths + 1600, VALUE_C), expected);
    }
}

static void the_other_scale_is_rounded_to_hundredths(void **state)
{
    (void)state;
    for (int32_t v = -7400; v < 29446; v++) {
        assert_int_equal(value_hundredths(v, VALUE_F), v * 2);
        assert_int_equal(value_hundredths(v, VALUE_C), lround((v - 1600) / 0.9));
    }
    assert_string_equal(value(5 * 744, VALUE_C), "23.56");
    assert_string_equal(value(9 * 213 + 1600, VALUE_F), "70.34");
    assert_string_equal(value(35, VALUE_PERCENT), "35");
    assert_string_equal(value_unit_name(VALUE_C), "C");
}

/* The nearest thousandth, half away from zero, against long doubles, which hold it exactly. */
static void means_are_rounded_once(void **state)
{
    (void)state;
    chance_seed(5);
    for (int i = 0; i < 200000; i++) {
        int64_t covered = 1 + (int64_t)(chance_next() % (i % 2 ? 1000 : UINT64_C(4400000000000)));
        int64_t integral =
            (int64_t)((long double)covered * (chance(36846) - 7400) + (long double)chance(1000));
        long double mean = (long double)integral / (long double)covered;
        int64_t f = value_mean_thousandths(integral, covered, VALUE_F);
        int64_t c = value_mean_thousandths(integral, covered, VALUE_C);
        int64_t h = value_mean_thousandths(integral, covered, VALUE_PERCENT);
        assert_true(fabsl((long double)f - mean * 20) <= 0.5L + 1e-6L);
        assert_true(fabsl((long double)c - (mean - 1600) / 90 * 1000) <= 0.5L + 1e-6L);
        assert_true(fabsl((long double)h - mean * 1000) <= 0.5L + 1e-6L);
    }
    assert_int_equal(value_mean_thousandths(1, 40, VALUE_F), 1);   /* 0.0005 */
    assert_int_equal(value_mean_thousandths(-1, 40, VALUE_F), -1); /* -0.0005 */
    assert_int_equal(value_mean_thousandths(-1, 41, VALUE_F), 0);
    assert_int_equal(value_mean_thousandths(1600, 1, VALUE_C), 0);
    assert_int_equal(value_mean_thousandths(INT64_C(29446) * 4398046511104, 4398046511104, VALUE_C),
                     309400);
    assert_int_equal(value_mean_thousandths(INT64_C(-7400) * 4398046511104, 4398046511104, VALUE_C),
                     -100000);
}

static void coverage_is_between_nothing_and_all(void **state)
{
    (void)state;
    assert_int_equal(value_coverage_thousandths(0, 7), 0);
    assert_int_equal(value_coverage_thousandths(7, 7), 1000);
    assert_int_equal(value_coverage_thousandths(1, 2000), 1);
    assert_int_equal(value_coverage_thousandths(1, 2001), 0);
    assert_int_equal(value_coverage_thousandths(READING_TIME_MAX_MS, READING_TIME_MAX_MS + 1),
                     1000);
}

static void times_say_their_offset(void **state)
{
    (void)state;
    assert_string_equal(time_text(1757894691000, 0), "2025-09-15T00:04:51Z");
    assert_string_equal(time_text(1757894691007, -6 * 3600), "2025-09-14T18:04:51.007-06:00");
    assert_string_equal(time_text(1757894691123, 20700), "2025-09-15T05:49:51.123+05:45");
    assert_string_equal(time_text(0, -12 * 3600), "1969-12-31T12:00:00-12:00");
    assert_string_equal(time_text(READING_TIME_MAX_MS, 0), "2109-05-15T07:35:11.103Z");
    assert_string_equal(time_text(0, 45), "1970-01-01T00:00:00Z");
    assert_string_equal(time_text(0, -3645), "1969-12-31T23:00:00-01:00");
}

/* ---- Cursors ---- */

static void a_cursor_comes_back_from_its_text(void **state)
{
    char text[TAIL_CURSOR_DIGITS + 1];
    (void)state;
    chance_seed(6);
    for (int i = 0; i < 1000; i++) {
        const struct tail_cursor cursor = {chance_next(), chance_next()};
        struct tail_cursor parsed;
        tail_cursor_format(&cursor, text);
        assert_int_equal(strspn(text, "0123456789abcdef"), TAIL_CURSOR_DIGITS);
        assert_true(tail_cursor_parse(view_of(text), &parsed));
        assert_int_equal(parsed.sequence, cursor.sequence);
        assert_int_equal(parsed.slot, cursor.slot);
        int place = chance(TAIL_CURSOR_DIGITS);
        text[place] = text[place] == '0' ? '1' : '0';
        assert_false(tail_cursor_parse(view_of(text), &parsed));
        assert_false(tail_cursor_parse(view_from(text, TAIL_CURSOR_DIGITS - 1), &parsed));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_numbers_are_written_to_their_bounds),
        cmocka_unit_test(decimals_have_no_zeros_behind_them),
        cmocka_unit_test(tenths_of_both_scales_come_out_as_they_went_in),
        cmocka_unit_test(the_other_scale_is_rounded_to_hundredths),
        cmocka_unit_test(means_are_rounded_once),
        cmocka_unit_test(coverage_is_between_nothing_and_all),
        cmocka_unit_test(times_say_their_offset),
        cmocka_unit_test(a_cursor_comes_back_from_its_text),
    };
    return cmocka_run_group_tests_name("value text", tests, NULL, NULL);
}
