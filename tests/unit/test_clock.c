/*
 * test_clock.c - the calendar against the C library's, dates as HTTP writes them, and a clock that
 * stands still.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "hearth/clock.h"
#include "tests/unit/support.h"

static const int64_t first_ms = -62167219200000; /* 0000-01-01 */
static const int64_t last_ms = 253402300799999;  /* the end of 9999 */

static uint64_t random_bits = 88172645463325252u;

static uint64_t random_word(void)
{
    random_bits ^= random_bits << 13;
    random_bits ^= random_bits >> 7;
    random_bits ^= random_bits << 17;
    return random_bits;
}

/* From year 0 to 9999; half of them between 1970 and 2100. */
static int64_t random_ms(void)
{
    uint64_t word = random_word();
    if (word & 1)
        return (int64_t)((word >> 1) % 4102444800000u);
    return first_ms + (int64_t)((word >> 1) % (uint64_t)(last_ms - first_ms + 1));
}

static int64_t floor_seconds(int64_t ms)
{
    return ms / 1000 - (ms % 1000 < 0);
}

/* ---- The calendar ---- */

static void the_calendar_is_that_of_the_c_library(void **state)
{
    (void)state;
    for (int round = 0; round < 300000; round++) {
        int64_t ms = random_ms();
        struct civil_time civil;
        struct tm tm;
        time_t seconds = (time_t)floor_seconds(ms);
        civil_from_ms(ms, &civil);
        assert_non_null(gmtime_r(&seconds, &tm));
        if (civil.year != tm.tm_year + 1900 || civil.month != tm.tm_mon + 1 ||
            civil.day != tm.tm_mday || civil.hour != tm.tm_hour || civil.minute != tm.tm_min ||
            civil.second != tm.tm_sec || civil.weekday != tm.tm_wday ||
            civil.ms != (int)(ms - seconds * 1000) || civil_to_ms(&civil) != ms)
            fail_msg("%lld ms", (long long)ms);
    }
}

static void every_day_of_ten_thousand_years_follows_the_one_before(void **state)
{
    (void)state;
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    struct civil_time before, now;
    civil_from_ms(first_ms, &before);
    assert_int_equal(before.year, 0);
    for (int64_t ms = first_ms + 86400000; ms <= last_ms; ms += 86400000) {
        civil_from_ms(ms, &now);
        bool leap = before.year % 4 == 0 && (before.year % 100 != 0 || before.year % 400 == 0);
        bool month_ends = before.day == days[before.month - 1] + (leap && before.month == 2);
        assert_true(now.day == (month_ends ? 1 : before.day + 1));
        assert_true(now.month == (month_ends ? before.month % 12 + 1 : before.month));
        assert_true(now.year == before.year + (month_ends && before.month == 12));
        assert_true(now.weekday == (before.weekday + 1) % 7);
        before = now;
    }
    assert_int_equal(before.year, 9999);
}

static void fields_out_of_range_carry_over(void **state)
{
    (void)state;
    for (int round = 0; round < 100000; round++) {
        struct civil_time civil = {.year = (int)(random_word() % 4000),
                                   .month = (int)(random_word() % 100) - 50,
                                   .day = (int)(random_word() % 2000) - 1000,
                                   .hour = (int)(random_word() % 200) - 100,
                                   .minute = (int)(random_word() % 500) - 250,
                                   .second = (int)(random_word() % 500) - 250,
                                   .ms = (int)(random_word() % 5000) - 2500};
        struct tm tm = {.tm_year = civil.year - 1900,
                        .tm_mon = civil.month - 1,
                        .tm_mday = civil.day,
                        .tm_hour = civil.hour,
                        .tm_min = civil.minute,
                        .tm_sec = civil.second};
        assert_true(civil_to_ms(&civil) == (int64_t)timegm(&tm) * 1000 + civil.ms);
    }
}

static void no_number_is_too_far_for_the_calendar(void **state)
{
    (void)state;
    static const int64_t ends[] = {INT64_MIN, INT64_MIN + 1, INT64_MAX - 1, INT64_MAX};
    for (size_t i = 0; i < 4; i++) {
        struct civil_time civil;
        civil_from_ms(ends[i], &civil);
        assert_in_range(civil.month, 1, 12);
        assert_in_range(civil.day, 1, 31);
        assert_in_range(civil.weekday, 0, 6);
    }
    struct civil_time highest = {INT32_MAX, INT32_MAX, INT32_MAX, INT32_MAX,
                                 INT32_MAX, INT32_MAX, INT32_MAX, 0};
    struct civil_time lowest = {INT32_MIN, INT32_MIN, INT32_MIN, INT32_MIN,
                                INT32_MIN, INT32_MIN, INT32_MIN, 0};
    assert_true(civil_to_ms(&highest) > last_ms);
    assert_true(civil_to_ms(&lowest) < first_ms);
}

/* ---- Writing ---- */

static void times_are_written_as_the_c_library_does(void **state)
{
    (void)state;
    for (int round = 0; round < 50000; round++) {
        int64_t ms = random_ms();
        time_t seconds = (time_t)floor_seconds(ms);
        struct tm tm;
        char text[64], date[32], rfc3339[CLOCK_RFC3339_SIZE], http[CLOCK_HTTP_SIZE];
        gmtime_r(&seconds, &tm);
        clock_format_rfc3339(ms, rfc3339);
        snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", tm.tm_year + 1900,
                 tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
                 (int)(ms - seconds * 1000));
        assert_string_equal(rfc3339, text);
        clock_format_http(ms, http);
        strftime(date, sizeof date, "%a, %d %b", &tm);
        snprintf(text, sizeof text, "%s %04d %02d:%02d:%02d GMT", date, tm.tm_year + 1900,
                 tm.tm_hour, tm.tm_min, tm.tm_sec);
        assert_string_equal(http, text);
    }
}

static void years_beyond_four_digits_are_clamped(void **state)
{
    (void)state;
    char text[CLOCK_RFC3339_SIZE];
    clock_format_rfc3339(first_ms, text);
    assert_string_equal(text, "0000-01-01T00:00:00.000Z");
    clock_format_rfc3339(first_ms - 1, text);
    assert_string_equal(text, "0000-01-01T00:00:00.000Z");
    clock_format_rfc3339(INT64_MIN, text);
    assert_string_equal(text, "0000-01-01T00:00:00.000Z");
    clock_format_rfc3339(last_ms, text);
    assert_string_equal(text, "9999-12-31T23:59:59.999Z");
    clock_format_rfc3339(last_ms + 1, text);
    assert_string_equal(text, "9999-12-31T23:59:59.999Z");
    char http[CLOCK_HTTP_SIZE];
    clock_format_http(INT64_MAX, http);
    assert_string_equal(http, "Fri, 31 Dec 9999 23:59:59 GMT");
}

/* ---- Reading ---- */

static int64_t parse(const char *text)
{
    /* Not terminated where it ends: the parser must keep to the length. */
    char copy[128];
    struct view date = view_of(text);
    memset(copy, '9', sizeof copy);
    memcpy(copy, date.data, date.length);
    return clock_parse_http(copy, date.length);
}

static void the_three_forms_mean_the_same(void **state)
{
    (void)state;
    assert_true(parse("Sun, 06 Nov 1994 08:49:37 GMT") == 784111777000);
    assert_true(parse("Sunday, 06-Nov-94 08:49:37 GMT") == 784111777000);
    assert_true(parse("Sun Nov  6 08:49:37 1994") == 784111777000);
    assert_true(parse("Wed Nov 16 08:49:37 1994") == 784975777000);
}

static void what_is_written_is_read_back(void **state)
{
    (void)state;
    for (int round = 0; round < 50000; round++) {
        int64_t ms = random_ms(), second_ms = floor_seconds(ms) * 1000;
        time_t seconds = (time_t)(second_ms / 1000);
        char text[CLOCK_HTTP_SIZE], old[64];
        struct tm tm;
        clock_format_http(ms, text);
        assert_true(clock_parse_http(text, CLOCK_HTTP_SIZE - 1) == second_ms);
        gmtime_r(&seconds, &tm);
        if (tm.tm_year < -900)
            continue; /* asctime has no leading zeros */
        size_t length = strftime(old, sizeof old, "%a %b %e %H:%M:%S %Y", &tm);
        assert_true(clock_parse_http(old, length) == second_ms);
        if (tm.tm_year < 100 || tm.tm_year > 150)
            continue; /* far from now, two digits mean another century */
        char day[32], month[8];
        strftime(day, sizeof day, "%A, %d", &tm);
        strftime(month, sizeof month, "%b", &tm);
        length = (size_t)snprintf(old, sizeof old, "%s-%s-%02d %02d:%02d:%02d GMT", day, month,
                                  tm.tm_year % 100, tm.tm_hour, tm.tm_min, tm.tm_sec);
        assert_true(clock_parse_http(old, length) == second_ms);
    }
}

static void two_digits_are_at_most_fifty_years_ahead(void **state)
{
    (void)state;
    struct civil_time now, read;
    civil_from_ms(clock_wall_ms(&clock_system), &now);
    for (int year = 0; year < 100; year++) {
        char text[64];
        snprintf(text, sizeof text, "Monday, 01-Jun-%02d 00:00:00 GMT", year);
        int64_t ms = parse(text);
        civil_from_ms(ms, &read);
        assert_int_equal(read.year % 100, year);
        assert_in_range(read.year, now.year - 50, now.year + 50);
    }
}

static void a_leap_second_is_the_next_minutes_first(void **state)
{
    (void)state;
    assert_true(parse("Sat, 31 Dec 2016 23:59:60 GMT") == 1483228800000);
}

static void what_is_no_date_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "Sun",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 06 Nov 1994 08:49:37 GMT ",
        " Sun, 06 Nov 1994 08:49:37 GMT",
        "sun, 06 Nov 1994 08:49:37 GMT",
        "Sun, 06 nov 1994 08:49:37 GMT",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 94 08:49:37 GMT",
        "Sun, 06 Nov 1994 8:49:37 GMT",
        "Sun, 06 Nov 1994 24:00:00 GMT",
        "Sun, 06 Nov 1994 08:60:37 GMT",
        "Sun, 06 Nov 1994 08:49:61 GMT",
        "Sun, 00 Nov 1994 08:49:37 GMT",
        "Sun, 31 Nov 1994 08:49:37 GMT",
        "Tue, 29 Feb 2100 08:49:37 GMT",
        "Sun, -6 Nov 1994 08:49:37 GMT",
        "Sun, 06 Xyz 1994 08:49:37 GMT",
        "Xyz, 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-1994 08:49:37 GMT",
        "Sun, 06-Nov-94 08:49:37 GMT",
        "Sun Nov 6 08:49:37 1994",
        "Sun Nov  6 08:49:37 1994 GMT",
        "Sun Nov  16 08:49:37 1994",
        "1994-11-06T08:49:37Z",
        "784111777",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (parse(bad[i]) != -1)
            fail_msg("\"%s\" was taken for a date", bad[i]);
}

static void a_byte_changed_anywhere_does_no_harm(void **state)
{
    (void)state;
    static const char *const good[] = {"Sun, 06 Nov 1994 08:49:37 GMT",
                                       "Sunday, 06-Nov-94 08:49:37 GMT",
                                       "Sun Nov  6 08:49:37 1994"};
    for (int round = 0; round < 200000; round++) {
        char text[64], again[CLOCK_HTTP_SIZE];
        struct view date = view_of(good[round % 3]);
        size_t length = date.length;
        memcpy(text, date.data, length);
        text[random_word() % length] = (char)random_word();
        if (random_word() % 4 == 0)
            length = random_word() % length;
        int64_t ms = clock_parse_http(text, length);
        if (ms == -1)
            continue;
        /* If it still is one, it is one that can be written. */
        assert_true(ms >= first_ms && ms <= last_ms + 1 && ms % 1000 == 0);
        clock_format_http(ms, again);
        assert_true(clock_parse_http(again, CLOCK_HTTP_SIZE - 1) == ms);
    }
}

/* ---- Clocks ---- */

static void the_system_clock_goes_forward(void **state)
{
    (void)state;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    int64_t wall_ms = clock_wall_ms(&clock_system), ns = clock_monotonic_ns(&clock_system);
    assert_in_range(wall_ms - (int64_t)now.tv_sec * 1000, 0, 10000);
    for (int i = 0; i < 1000; i++) {
        int64_t next_ns = clock_monotonic_ns(&clock_system);
        assert_true(next_ns >= ns);
        ns = next_ns;
    }
}

static void a_manual_clock_moves_when_told(void **state)
{
    (void)state;
    struct clock_manual manual;
    clock_manual_init(&manual, 1757873091123);
    int64_t start_ns = clock_monotonic_ns(&manual.clock);
    assert_true(start_ns > 0);
    assert_true(clock_wall_ms(&manual.clock) == 1757873091123);
    assert_true(clock_wall_ms(&manual.clock) == 1757873091123);
    clock_manual_advance_ms(&manual, 1500);
    assert_true(clock_wall_ms(&manual.clock) == 1757873092623);
    assert_true(clock_monotonic_ns(&manual.clock) == start_ns + 1500000000);
    manual.wall_ms_now = 7;
    assert_true(clock_wall_ms(&manual.clock) == 7);
    assert_true(clock_monotonic_ns(&manual.clock) == start_ns + 1500000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_calendar_is_that_of_the_c_library),
        cmocka_unit_test(every_day_of_ten_thousand_years_follows_the_one_before),
        cmocka_unit_test(fields_out_of_range_carry_over),
        cmocka_unit_test(no_number_is_too_far_for_the_calendar),
        cmocka_unit_test(times_are_written_as_the_c_library_does),
        cmocka_unit_test(years_beyond_four_digits_are_clamped),
        cmocka_unit_test(the_three_forms_mean_the_same),
        cmocka_unit_test(what_is_written_is_read_back),
        cmocka_unit_test(two_digits_are_at_most_fifty_years_ahead),
        cmocka_unit_test(a_leap_second_is_the_next_minutes_first),
        cmocka_unit_test(what_is_no_date_is_refused),
        cmocka_unit_test(a_byte_changed_anywhere_does_no_harm),
        cmocka_unit_test(the_system_clock_goes_forward),
        cmocka_unit_test(a_manual_clock_moves_when_told),
    };
    return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}
