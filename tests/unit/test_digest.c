/*
 * test_digest.c - digests of readings: one by one, and joined from any parts.
 */
#include "support.h"

#include <stdlib.h>
#include <string.h>

#include "handlers/sensor/record/checksum64.h"
#include "handlers/sensor/record/digest.h"
#include "support_chance.h"

#define HOUR_MS INT64_C(3600000)
#define START   INT64_C(1757894400000)

struct point {
    int64_t time_ms;
    int32_t value;
};

static struct digest digest_of(const struct point *points, size_t count, int64_t limit_ms)
{
    struct digest digest = {0};
    for (size_t i = 0; i < count; i++)
        digest_add(&digest, points[i].time_ms, points[i].value, limit_ms);
    return digest;
}

static void expect_equal(const struct digest *a, const struct digest *b)
{
    assert_memory_equal(a, b, sizeof *a);
}

/* ---- One by one ---- */

static void nothing_added_is_all_zero(void **state)
{
    static const struct digest zero;
    (void)state;
    struct digest digest = digest_of(NULL, 0, HOUR_MS);
    expect_equal(&digest, &zero);
}

static void one_reading_is_first_and_last_and_holds_for_no_time(void **state)
{
    (void)state;
    const struct point point = {START, -7};
    struct digest digest = digest_of(&point, 1, HOUR_MS);
    const struct digest expected = {.count = 1,
                                    .first = -7,
                                    .last = -7,
                                    .min = -7,
                                    .max = -7,
                                    .first_ms = START,
                                    .last_ms = START,
                                    .min_ms = START,
                                    .max_ms = START};
    expect_equal(&digest, &expected);
}

static void a_value_holds_until_the_next_one_but_not_longer_than_the_limit(void **state)
{
    (void)state;
    const struct point points[] = {
        {START, 10}, {START + 1000, 20}, {START + 1000 + 3 * HOUR_MS, 40}};
    struct digest digest = digest_of(points, 3, HOUR_MS);
    assert_int_equal(digest.integral, 10000 + 20 * HOUR_MS);
    assert_int_equal(digest.covered_ms, 1000 + HOUR_MS);
    assert_int_equal(digest.gap_ms, 3 * HOUR_MS);
    assert_int_equal(digest.first, 10);
    assert_int_equal(digest.last, 40);
}

static void of_equal_values_the_first_time_counts(void **state)
{
    (void)state;
    const struct point points[] = {
        {START, 5}, {START + 1, 3}, {START + 2, 9}, {START + 3, 3}, {START + 4, 9}};
    struct digest digest = digest_of(points, 5, HOUR_MS);
    assert_int_equal(digest.min, 3);
    assert_int_equal(digest.min_ms, START + 1);
    assert_int_equal(digest.max, 9);
    assert_int_equal(digest.max_ms, START + 2);
}

static void of_equal_times_the_later_reading_holds(void **state)
{
    (void)state;
    const struct point points[] = {{START, 5}, {START, 8}, {START + 10, 0}};
    struct digest digest = digest_of(points, 3, HOUR_MS);
    assert_int_equal(digest.first, 5);
    assert_int_equal(digest.integral, 80);
    assert_int_equal(digest.covered_ms, 10);
}

static void with_no_limit_at_all_nothing_holds(void **state)
{
    (void)state;
    const struct point points[] = {{START, 5}, {START + 10, 8}};
    struct digest digest = digest_of(points, 2, 0);
    assert_int_equal(digest.integral, 0);
    assert_int_equal(digest.covered_ms, 0);
    assert_int_equal(digest.gap_ms, 10);
}

/* ---- Joined ---- */

enum { POINTS = 60, ROUNDS = 3000 };

static void random_points(struct point *points, size_t count)
{
    int64_t time_ms = START + chance(1000);
    for (size_t i = 0; i < count; i++) {
        points[i] = (struct point){time_ms, chance(40) - 20};
        switch (chance(4)) {
        case 0:
            break; /* the same time again */
        case 1:
            time_ms += 4 * HOUR_MS;
            break;
        default:
            time_ms += chance((int)HOUR_MS);
        }
    }
}

/* Two cuts: the three parts are joined from the left, or the last two first. */
static void joined_parts_are_the_whole_however_it_is_cut(void **state)
{
    struct point points[POINTS];
    (void)state;
    chance_seed(1);
    for (int round = 0; round < ROUNDS; round++) {
        size_t count = (size_t)chance(POINTS + 1);
        size_t a = (size_t)chance((int)count + 1), b = a + (size_t)chance((int)(count - a) + 1);
        int64_t limit_ms = chance(3) * HOUR_MS / 2;
        random_points(points, count);
        struct digest whole = digest_of(points, count, limit_ms);
        struct digest left = digest_of(points, a, limit_ms),
                      middle = digest_of(points + a, b - a, limit_ms),
                      right = digest_of(points + b, count - b, limit_ms);
        struct digest joined = left;
        digest_join(&joined, &middle, limit_ms);
        digest_join(&joined, &right, limit_ms);
        expect_equal(&joined, &whole);
        digest_join(&middle, &right, limit_ms);
        digest_join(&left, &middle, limit_ms);
        expect_equal(&left, &whole);
    }
}

static void with_no_long_gap_another_limit_makes_no_difference(void **state)
{
    struct point points[POINTS];
    (void)state;
    chance_seed(2);
    for (int round = 0; round < ROUNDS; round++) {
        random_points(points, POINTS);
        struct digest one = digest_of(points, POINTS, HOUR_MS),
                      other = digest_of(points, POINTS, 2 * HOUR_MS);
        if (one.gap_ms <= HOUR_MS)
            expect_equal(&one, &other);
        else
            assert_true(one.covered_ms < other.covered_ms);
    }
}

/* ---- What a record says ---- */

static struct record record_of(enum reading_scale scale, int raw, int humidity)
{
    const struct reading reading = {
        .time_ms = START, .channel = 3, .scale = scale, .raw = raw, .humidity = humidity};
    struct record record;
    assert_int_equal(record_encode(&reading, &record), REJECT_NONE);
    return record;
}

static void both_scales_meet_in_fiftieths_of_a_degree(void **state)
{
    static const struct {
        enum reading_scale scale;
        int raw;
        int32_t expected;
    } cases[] = {
        {SCALE_TENTHS_F, 400, 0},
        {SCALE_TENTHS_F, 0, -2000},
        {SCALE_TENTHS_F, 400 + 320, 1600},
        {SCALE_TENTHS_C, 1000, 1600},
        {SCALE_TENTHS_C, 1000 - 400, -2000},
        {SCALE_TENTHS_C, 0, -7400},
        {SCALE_TENTHS_F, 4094, 18470},
        {SCALE_TENTHS_C, 4094, 29446},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct record record = record_of(cases[i].scale, cases[i].raw, 50);
        int32_t value;
        assert_true(record_quantity(&record, QUANTITY_TEMPERATURE, &value));
        assert_int_equal(value, cases[i].expected);
    }
}

static void what_is_absent_is_no_value(void **state)
{
    (void)state;
    struct record no_temperature = record_of(SCALE_TENTHS_F, RAW_ABSENT, 0),
                  no_humidity = record_of(SCALE_TENTHS_C, 0, HUMIDITY_ABSENT);
    int32_t value;
    assert_false(record_quantity(&no_temperature, QUANTITY_TEMPERATURE, &value));
    assert_true(record_quantity(&no_temperature, QUANTITY_HUMIDITY, &value));
    assert_int_equal(value, 0);
    assert_true(record_quantity(&no_humidity, QUANTITY_TEMPERATURE, &value));
    assert_false(record_quantity(&no_humidity, QUANTITY_HUMIDITY, &value));
}

/* ---- The checksum of what is stored ---- */

static void the_checksum_is_the_published_one(void **state)
{
    char text[101];
    (void)state;
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)i;
    assert_true(checksum64("", 0) == UINT64_C(0xEF46DB3751D8E999));
    assert_true(checksum64("a", 1) == UINT64_C(0xD24EC4F1A98C6E5B));
    assert_true(checksum64("abc", 3) == UINT64_C(0x44BC2CF5AD770999));
    assert_true(checksum64(text, sizeof text) == UINT64_C(0xE99038495F85381E));
}

static void every_flipped_bit_changes_the_checksum(void **state)
{
    unsigned char bytes[77];
    (void)state;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)(i * 37);
    uint64_t whole = checksum64(bytes, sizeof bytes);
    for (size_t bit = 0; bit < 8 * sizeof bytes; bit++) {
        bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
        assert_true(checksum64(bytes, sizeof bytes) != whole);
        bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_added_is_all_zero),
        cmocka_unit_test(one_reading_is_first_and_last_and_holds_for_no_time),
        cmocka_unit_test(a_value_holds_until_the_next_one_but_not_longer_than_the_limit),
        cmocka_unit_test(of_equal_values_the_first_time_counts),
        cmocka_unit_test(of_equal_times_the_later_reading_holds),
        cmocka_unit_test(with_no_limit_at_all_nothing_holds),
        cmocka_unit_test(joined_parts_are_the_whole_however_it_is_cut),
        cmocka_unit_test(with_no_long_gap_another_limit_makes_no_difference),
        cmocka_unit_test(both_scales_meet_in_fiftieths_of_a_degree),
        cmocka_unit_test(what_is_absent_is_no_value),
        cmocka_unit_test(the_checksum_is_the_published_one),
        cmocka_unit_test(every_flipped_bit_changes_the_checksum),
    };
    return cmocka_run_group_tests_name("digest", tests, NULL, NULL);
}
