/*
 * test_query_edges.c - where buckets begin and end: equal ones, and the hours, days, weeks and
 * months of real zones, whatever their clocks did.
 */
#include "handlers/sensor/query/query_edges.h"
#include "tests/unit/support.h"
#include "tests/unit/support_chance.h"

#include <stdio.h>
#include <string.h>

#define HOUR INT64_C(3600000)
#define DAY  INT64_C(86400000)

static struct arena *arena;
static struct time_zones *zones;
static struct error_record failure;

static int start(void **state)
{
    (void)state;
    arena = arena_new(8u << 20);
    zones = time_zones_new(TIME_ZONE_DIRECTORY);
    chance_seed(71);
    return arena && zones ? 0 : -1;
}

static int stop(void **state)
{
    (void)state;
    arena_free(arena);
    time_zones_free(zones);
    return 0;
}

struct made {
    const int64_t *ms;
    size_t count;
};

static const struct time_zone *zone_of(const char *name)
{
    const struct time_zone *zone = time_zones_find(zones, view_of(name), NULL);
    if (!zone)
        fail_msg("no zone %s", name);
    return zone;
}

static int64_t utc(int year, int month, int day, int hour, int minute)
{
    const struct civil_time civil = {
        .year = year, .month = month, .day = day, .hour = hour, .minute = minute};
    return civil_to_ms(&civil);
}

static enum hearth_error make(enum query_bucket bucket, size_t points, const char *zone,
                              int64_t from_ms, int64_t to_ms, struct made *made)
{
    const struct request request = {.arena = arena, .error = &failure};
    const struct query_parameters parameters = {.span = {.from_ms = from_ms, .to_ms = to_ms},
                                                .bucket = bucket,
                                                .points = points,
                                                .zone = zone_of(zone)};
    return query_edges_make(&request, &parameters, &made->ms, &made->count);
}

static struct made edges(enum query_bucket bucket, const char *zone, int64_t from_ms, int64_t to_ms)
{
    struct made made;
    assert_int_equal(make(bucket, 0, zone, from_ms, to_ms, &made), HEARTH_OK);
    assert_int_equal(made.ms[0], from_ms);
    assert_int_equal(made.ms[made.count], to_ms);
    for (size_t i = 0; i < made.count; i++)
        assert_true(made.ms[i] < made.ms[i + 1]);
    return made;
}

static int64_t length(const struct made *made, size_t bucket)
{
    return made->ms[bucket + 1] - made->ms[bucket];
}

/* ---- Equal ones ---- */

static void points_cut_the_span_as_the_formula_says(void **state)
{
    (void)state;
    for (int round = 0; round < 300; round++) {
        struct made made;
        size_t points = 1 + (size_t)chance(10000);
        int64_t from = (int64_t)(chance_next() % READING_TIME_MAX_MS);
        int64_t to =
            from + 1 + (int64_t)(chance_next() % (uint64_t)(1 + READING_TIME_MAX_MS - from));
        assert_int_equal(make(BUCKET_POINTS, points, "UTC", from, to, &made), HEARTH_OK);
        if (to - from < (int64_t)points)
            continue;
        assert_int_equal(made.count, points);
        for (size_t i = 0; i <= points; i++)
            assert_int_equal(made.ms[i], from + (int64_t)i * (to - from) / (int64_t)points);
        arena_reset(arena);
    }
}

static void a_span_shorter_than_its_points_has_fewer(void **state)
{
    struct made made;
    (void)state;
    assert_int_equal(make(BUCKET_POINTS, 1000, "UTC", 500, 507, &made), HEARTH_OK);
    assert_int_equal(made.count, 7);
    for (size_t i = 0; i <= 7; i++)
        assert_int_equal(made.ms[i], 500 + i);
    assert_int_equal(make(BUCKET_POINTS, 8, "UTC", 500, 507, &made), HEARTH_OK);
    assert_int_equal(made.count, 7);
    assert_int_equal(make(BUCKET_POINTS, 1000, "UTC", 500, 500, &made), HEARTH_OK);
    assert_int_equal(made.count, 0);
}

/* ---- Days ---- */

struct day_case {
    const char *zone;
    int year, month, day; /* the local day */
    int hours, minutes;   /* how long it was */
    int begin_hour;       /* of UTC, negative = the day before */
};

static void days_are_as_long_as_they_were(void **state)
{
    static const struct day_case cases[] = {
        {"America/Denver", 2025, 3, 9, 23, 0, 7},
        {"America/Denver", 2025, 11, 2, 25, 0, 6},
        {"America/Denver", 2025, 11, 3, 24, 0, 7},
        {"Europe/Berlin", 2025, 3, 30, 23, 0, -1},
        {"Europe/Berlin", 2025, 10, 26, 25, 0, -2},
        {"Australia/Lord_Howe", 2025, 4, 6, 24, 30, -11},
        {"Asia/Kathmandu", 2025, 6, 1, 24, 0, -6},  /* :15 */
        {"America/Havana", 2025, 11, 2, 25, 0, 4},  /* midnight comes twice */
        {"America/Santiago", 2025, 9, 7, 23, 0, 4}, /* there is no midnight */
        {"America/Santiago", 2025, 4, 5, 25, 0, 3}, /* clocks go back at midnight */
        {"UTC", 2025, 3, 9, 24, 0, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct day_case *one = &cases[i];
        int64_t noon = utc(one->year, one->month, one->day, one->begin_hour + 12, 0);
        struct made made = edges(BUCKET_DAY, one->zone, noon - 3 * DAY, noon + 3 * DAY);
        size_t bucket = 0;
        while (made.ms[bucket + 1] <= noon)
            bucket++;
        if (length(&made, bucket) != one->hours * HOUR + one->minutes * INT64_C(60000))
            fail_msg("%s %d-%d-%d has %lld minutes", one->zone, one->year, one->month, one->day,
                     (long long)(length(&made, bucket) / 60000));
        int64_t off = made.ms[bucket] - utc(one->year, one->month, one->day, one->begin_hour, 0);
        assert_in_range(off, 0, HOUR - 1);
    }
}

static void a_day_that_was_skipped_is_no_bucket(void **state)
{
    (void)state;
    /* In Apia the 30th of December 2011 did not take place. */
    struct made made =
        edges(BUCKET_DAY, "Pacific/Apia", utc(2011, 12, 28, 10, 0), utc(2012, 1, 1, 10, 0));
    assert_int_equal(made.ms[1], utc(2011, 12, 29, 10, 0));
    assert_int_equal(made.ms[2], utc(2011, 12, 30, 10, 0));
    assert_int_equal(made.ms[3], utc(2011, 12, 31, 10, 0));
    assert_int_equal(made.count, 4);
}

static void a_day_that_was_begun_twice_is_one_bucket(void **state)
{
    (void)state;
    /* In St. John's clocks went back from 00:01 to 23:01 of the day before. */
    struct made made =
        edges(BUCKET_DAY, "America/St_Johns", utc(2008, 11, 1, 12, 0), utc(2008, 11, 4, 12, 0));
    assert_int_equal(made.count, 4);
    assert_int_equal(made.ms[1], utc(2008, 11, 2, 2, 30));
    assert_int_equal(length(&made, 1), 25 * HOUR);
}

/* Whatever the zone: each edge within the span is the first moment of its local date. */
static void every_day_begins_with_its_date(void **state)
{
    static const char *const names[] = {"America/Denver", "Europe/London",       "Asia/Tehran",
                                        "Africa/Cairo",   "Australia/Lord_Howe", "Pacific/Chatham",
                                        "Asia/Gaza",      "America/Asuncion",    "Asia/Kolkata"};
    (void)state;
    for (int round = 0; round < 200; round++) {
        const char *name = names[chance(sizeof names / sizeof names[0])];
        int64_t from = (int64_t)(chance_next() % (uint64_t)utc(2040, 1, 1, 0, 0));
        struct made made = edges(BUCKET_DAY, name, from, from + 400 * DAY);
        for (size_t i = 1; i < made.count; i++) {
            int64_t day = time_zone_to_local_ms(zone_of(name), made.ms[i]) / DAY;
            int64_t before = time_zone_to_local_ms(zone_of(name), made.ms[i] - 1) / DAY;
            assert_true(day > before);
            assert_in_range(length(&made, i - 1), i == 1 ? 1 : 22 * HOUR, 26 * HOUR);
        }
        assert_in_range(made.count, 398, 402);
        arena_reset(arena);
    }
}

/* ---- Hours, weeks, months ---- */

static void hours_are_hours_also_when_clocks_change(void **state)
{
    (void)state;
    struct made made =
        edges(BUCKET_HOUR, "America/Denver", utc(2025, 11, 2, 6, 0), utc(2025, 11, 3, 7, 0));
    assert_int_equal(made.count, 25);
    for (size_t i = 0; i < made.count; i++)
        assert_int_equal(length(&made, i), HOUR);
    made = edges(BUCKET_HOUR, "Asia/Kolkata", utc(2025, 1, 1, 0, 0), utc(2025, 1, 1, 3, 0));
    assert_int_equal(made.count, 4); /* cut at the half hours of UTC */
    assert_int_equal(length(&made, 0), HOUR / 2);
    assert_int_equal(length(&made, 1), HOUR);
    /* 2025-04-05T15:00Z: from 02:00 back to 01:30. */
    made =
        edges(BUCKET_HOUR, "Australia/Lord_Howe", utc(2025, 4, 5, 14, 0), utc(2025, 4, 5, 17, 30));
    assert_int_equal(made.count, 4);
    assert_int_equal(made.ms[1], utc(2025, 4, 5, 15, 0));
    assert_int_equal(made.ms[2], utc(2025, 4, 5, 15, 30));
    assert_int_equal(made.ms[3], utc(2025, 4, 5, 16, 30));
    /* From 00:01 back to 23:01: the minute is no part of the hour that comes again. */
    made = edges(BUCKET_HOUR, "America/St_Johns", utc(2008, 11, 2, 1, 30), utc(2008, 11, 2, 4, 30));
    assert_int_equal(made.count, 4);
    assert_int_equal(made.ms[1], utc(2008, 11, 2, 2, 30));
    assert_int_equal(made.ms[2], utc(2008, 11, 2, 2, 31));
    assert_int_equal(made.ms[3], utc(2008, 11, 2, 3, 30));
}

static void weeks_begin_on_monday(void **state)
{
    (void)state;
    for (int round = 0; round < 50; round++) {
        int64_t from = (int64_t)(chance_next() % (uint64_t)utc(2040, 1, 1, 0, 0));
        struct made made = edges(BUCKET_WEEK, "America/Denver", from, from + 100 * DAY);
        for (size_t i = 1; i < made.count; i++) {
            struct civil_time civil;
            civil_from_ms(time_zone_to_local_ms(zone_of("America/Denver"), made.ms[i]), &civil);
            assert_int_equal(civil.weekday, 1);
            assert_int_equal(civil.hour * 60 + civil.minute, 0);
        }
        assert_in_range(made.count, 14, 16);
        arena_reset(arena);
    }
}

static void months_begin_on_their_first(void **state)
{
    (void)state;
    struct made made =
        edges(BUCKET_MONTH, "America/Denver", utc(2023, 12, 15, 0, 0), utc(2025, 1, 15, 0, 0));
    assert_int_equal(made.count, 14);
    assert_int_equal(made.ms[1], utc(2024, 1, 1, 7, 0));
    assert_int_equal(length(&made, 2), 29 * DAY);        /* a leap year */
    assert_int_equal(length(&made, 3), 31 * DAY - HOUR); /* March */
    assert_int_equal(made.ms[13], utc(2025, 1, 1, 7, 0));
}

static void the_first_days_of_all_have_buckets(void **state)
{
    (void)state;
    struct made made = edges(BUCKET_MONTH, "America/Denver", 0, utc(1970, 3, 1, 0, 0));
    assert_int_equal(made.count, 3); /* the last hours of 1969 there */
    assert_int_equal(made.ms[1], utc(1970, 1, 1, 7, 0));
    made = edges(BUCKET_WEEK, "UTC", 0, utc(1970, 1, 20, 0, 0));
    assert_int_equal(made.ms[1], utc(1970, 1, 5, 0, 0));
}

static void too_many_are_refused(void **state)
{
    struct made made;
    (void)state;
    int64_t to = utc(2025, 1, 1, 0, 0);
    assert_int_equal(make(BUCKET_HOUR, 0, "UTC", to - 10000 * HOUR, to, &made), HEARTH_OK);
    assert_int_equal(made.count, 10000);
    assert_int_equal(make(BUCKET_HOUR, 0, "UTC", to - 10000 * HOUR - 1, to, &made),
                     HEARTH_BAD_QUERY);
    assert_non_null(strstr(failure.detail, "10000"));
    assert_int_equal(make(BUCKET_DAY, 0, "UTC", 0, READING_TIME_MAX_MS, &made), HEARTH_BAD_QUERY);
    assert_int_equal(make(BUCKET_WEEK, 0, "UTC", 0, READING_TIME_MAX_MS, &made), HEARTH_OK);
    assert_int_equal(make(BUCKET_MONTH, 0, "UTC", 0, READING_TIME_MAX_MS, &made), HEARTH_OK);
}

int main(void)
{
#define STORY(name) cmocka_unit_test_setup_teardown(name, start, stop)
    const struct CMUnitTest tests[] = {
        STORY(points_cut_the_span_as_the_formula_says),
        STORY(a_span_shorter_than_its_points_has_fewer),
        STORY(days_are_as_long_as_they_were),
        STORY(a_day_that_was_skipped_is_no_bucket),
        STORY(a_day_that_was_begun_twice_is_one_bucket),
        STORY(every_day_begins_with_its_date),
        STORY(hours_are_hours_also_when_clocks_change),
        STORY(weeks_begin_on_monday),
        STORY(months_begin_on_their_first),
        STORY(the_first_days_of_all_have_buckets),
        STORY(too_many_are_refused),
    };
    return cmocka_run_group_tests_name("query edges", tests, NULL, NULL);
}
