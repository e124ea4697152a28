/*
 * reading_store_suite.c - what every reading store must do, written against the function table.
 */
#include "reading_store_suite.h"

#include <stdlib.h>
#include <string.h>

#define START_MS INT64_C(1757894691000)

static int64_t time_of(int number)
{
    return START_MS + (int64_t)number * 1000;
}

static const struct reading_store_suite *chosen;

/* ---- What the stories share ---- */

int suite_setup(void **state)
{
    struct suite_store *suite = calloc(1, sizeof *suite);
    assert_non_null(suite);
    suite->storage = chosen->make();
    suite->store = chosen->open(suite->storage);
    assert_non_null(suite->store);
    *state = suite;
    return 0;
}

int suite_teardown(void **state)
{
    struct suite_store *suite = *state;
    suite->store->free(suite->store);
    chosen->clean(suite->storage);
    free(suite);
    return 0;
}

void suite_reopen(struct suite_store *suite)
{
    suite->store->free(suite->store);
    suite->store = chosen->open(suite->storage);
    assert_non_null(suite->store);
}

uint64_t suite_random(struct suite_random *random)
{
    random->state ^= random->state << 13;
    random->state ^= random->state >> 7;
    random->state ^= random->state << 17;
    return random->state;
}

struct reading suite_random_reading(struct suite_random *random)
{
    uint64_t bits = suite_random(random);
    return (struct reading){
        .time_ms = START_MS + (int64_t)(suite_random(random) % 1000000),
        .channel = (int)(bits & 3) + 1,
        .rolling_code = (int)(bits >> 2 & 3),
        .scale = (enum reading_scale)(bits >> 4 & 1),
        .raw = (int)(bits >> 5 & 3),
        .humidity = (int)(bits >> 7 & 63),
        .signal = (int)(bits >> 14 & 127),
        .battery_low = bits >> 21 & 1,
        .time_quality = (enum time_quality)(bits >> 22 & 3),
    };
}

struct record suite_record(const struct reading *reading)
{
    struct record record;
    assert_int_equal(record_encode(reading, &record), REJECT_NONE);
    return record;
}

struct record suite_number(int number)
{
    const struct reading reading = {
        .time_ms = time_of(number),
        .channel = number % 8 + 1,
        .rolling_code = 50 + number % 8,
        .raw = number % 4000,
        .humidity = 40,
    };
    return suite_record(&reading);
}

static struct append_result append_all(struct suite_store *suite, const struct record *records,
                                       size_t count, const struct rejected_reading *rejected,
                                       size_t rejected_count)
{
    struct append_result result;
    struct error_record error = {0};
    int64_t deadline_ns = clock_monotonic_ns(&clock_system) + INT64_C(30000000000);
    enum hearth_error code = suite->store->append(suite->store, records, count, rejected,
                                                  rejected_count, deadline_ns, &result, &error);
    if (code != HEARTH_OK)
        fail_msg("append: %s %s", error_name(code), error.detail);
    return result;
}

struct append_result suite_append(struct suite_store *suite, const struct record *records,
                                  size_t count)
{
    return append_all(suite, records, count, NULL, 0);
}

static enum hearth_error take_block(void *context, const struct record *records, size_t count)
{
    struct suite_list *list = context;
    list->records = realloc(list->records, (list->count + count + 1) * sizeof *records);
    assert_non_null(list->records);
    memcpy(list->records + list->count, records, count * sizeof *records);
    list->count += count;
    return HEARTH_OK;
}

void suite_range(struct suite_store *suite, const struct reading_range *range,
                 struct suite_list *list)
{
    struct error_record error = {0};
    *list = (struct suite_list){calloc(1, sizeof *list->records), 0};
    enum hearth_error code = suite->store->range(suite->store, range, take_block, list, &error);
    if (code != HEARTH_OK)
        fail_msg("range: %s %s", error_name(code), error.detail);
    for (size_t i = 1; i < list->count; i++) {
        const struct record *before = &list->records[i - 1], *after = &list->records[i];
        assert_true(memcmp(before, after, sizeof *before) < 0);
        assert_false(record_same(before, after));
    }
}

void suite_everything(struct suite_store *suite, struct suite_list *list)
{
    const struct reading_range all = {
        .from_ms = 0, .to_ms = INT64_MAX, .rolling_code = -1, .with_suspect = true};
    suite_range(suite, &all, list);
}

void suite_list_clean(struct suite_list *list)
{
    free(list->records);
    *list = (struct suite_list){0};
}

bool suite_seal(struct suite_store *suite)
{
    struct error_record error = {0};
    int64_t deadline_ns = clock_monotonic_ns(&clock_system) + INT64_C(30000000000);
    if (!suite->store->seal)
        return false;
    enum hearth_error code = suite->store->seal(suite->store, deadline_ns, &error);
    if (code != HEARTH_OK)
        fail_msg("seal: %s %s", error_name(code), error.detail);
    return true;
}

static void expect_result(struct append_result result, uint64_t accepted, uint64_t duplicate,
                          uint64_t quarantined)
{
    assert_int_equal(result.accepted, accepted);
    assert_int_equal(result.duplicate, duplicate);
    assert_int_equal(result.quarantined, quarantined);
}

static void expect_count(struct suite_store *suite, const struct reading_range *range, size_t count)
{
    struct suite_list list;
    suite_range(suite, range, &list);
    assert_int_equal(list.count, count);
    suite_list_clean(&list);
}

static void expect_everything(struct suite_store *suite, const struct record *records, size_t count)
{
    struct suite_list list;
    suite_everything(suite, &list);
    assert_int_equal(list.count, count);
    assert_memory_equal(list.records, records, count * sizeof *records);
    suite_list_clean(&list);
}

struct store_state suite_state(struct suite_store *suite)
{
    struct store_state state;
    assert_int_equal(suite->store->state(suite->store, &state, NULL), HEARTH_OK);
    return state;
}

/* ---- Stories: appending ---- */

static void a_new_store_is_empty(void **state)
{
    struct suite_store *suite = *state;
    struct latest_reading latest[4];
    struct reading_series series[4];
    size_t count = 7;
    expect_everything(suite, NULL, 0);
    assert_int_equal(suite->store->latest(suite->store, latest, 4, &count, NULL), HEARTH_OK);
    assert_int_equal(count, 0);
    count = 7;
    assert_int_equal(suite->store->series(suite->store, series, 4, &count, NULL), HEARTH_OK);
    assert_int_equal(count, 0);
    assert_int_equal(suite_state(suite).readings, 0);
    assert_int_equal(suite_state(suite).newest_ms, -1);
    struct append_result result = suite_append(suite, NULL, 0);
    expect_result(result, 0, 0, 0);
    assert_int_equal(result.first_ms, -1);
    assert_int_equal(result.last_ms, -1);
}

static void what_was_appended_is_seen_at_once(void **state)
{
    struct suite_store *suite = *state;
    for (int i = 0; i < 20; i++) {
        struct record record = suite_number(i);
        struct append_result result = suite_append(suite, &record, 1);
        expect_result(result, 1, 0, 0);
        assert_int_equal(result.first_ms, time_of(i));
        assert_int_equal(result.last_ms, time_of(i));
        struct store_state now = suite_state(suite);
        assert_int_equal(now.readings, i + 1);
        assert_int_equal(now.newest_ms, time_of(i));
        struct suite_list list;
        suite_everything(suite, &list);
        assert_int_equal(list.count, i + 1);
        assert_memory_equal(&list.records[i], &record, sizeof record);
        suite_list_clean(&list);
    }
}

static void late_readings_take_their_place(void **state)
{
    struct suite_store *suite = *state;
    struct record backwards[100], expected[100];
    for (int i = 0; i < 100; i++) {
        expected[i] = suite_number(i);
        backwards[i] = suite_number(99 - i);
    }
    struct append_result result = suite_append(suite, backwards, 100);
    expect_result(result, 100, 0, 0);
    assert_int_equal(result.first_ms, START_MS);
    assert_int_equal(result.last_ms, START_MS + 99000);
    expect_everything(suite, expected, 100);
}

static void a_reading_sent_again_is_a_duplicate(void **state)
{
    struct suite_store *suite = *state;
    struct record records[] = {suite_number(1), suite_number(2), suite_number(1)};
    expect_result(suite_append(suite, records, 3), 2, 1, 0);
    struct append_result result = suite_append(suite, records, 3);
    expect_result(result, 0, 3, 0);
    assert_int_equal(result.first_ms, START_MS + 1000); /* duplicates have times, too */
    assert_int_equal(result.last_ms, START_MS + 2000);
    expect_everything(suite, records, 2);
    assert_int_equal(suite_state(suite).readings, 2);
}

static void the_first_time_quality_stays(void **state)
{
    struct suite_store *suite = *state;
    struct reading reading = {.time_ms = START_MS, .channel = 4, .time_quality = TIME_IMPORTED};
    struct record first = suite_record(&reading);
    expect_result(suite_append(suite, &first, 1), 1, 0, 0);
    static const enum time_quality others[] = {TIME_SENDER, TIME_SERVER, TIME_SUSPECT};
    for (size_t i = 0; i < 3; i++) {
        reading.time_quality = others[i];
        struct record again = suite_record(&reading);
        expect_result(suite_append(suite, &again, 1), 0, 1, 0);
    }
    expect_everything(suite, &first, 1);
}

static void every_other_bit_makes_another_reading(void **state)
{
    struct suite_store *suite = *state;
    struct record base = suite_number(0), others[86];
    size_t count = 0;
    suite_append(suite, &base, 1);
    for (int bit = 2; bit < 86; bit++) { /* not the version, not time quality and checksum */
        struct record other = base;
        other.bytes[bit / 8] ^= (unsigned char)(128 >> bit % 8);
        other.bytes[11] = record_checksum(other.bytes, 11);
        struct reading fields;
        if (record_decode(&other, &fields) == REJECT_NONE)
            others[count++] = other;
    }
    assert_true(count > 80);
    expect_result(suite_append(suite, others, count), count, 0, 0);
    assert_int_equal(suite_state(suite).readings, count + 1);
}

static void a_bad_record_never_fails_the_good_ones(void **state)
{
    struct suite_store *suite = *state;
    struct record records[6], expected[3];
    for (int i = 0; i < 6; i++)
        records[i] = suite_number(i);
    records[1].bytes[11] ^= 1;   /* checksum */
    records[3].bytes[0] |= 0x80; /* version */
    records[4].bytes[8] |= 0x07; /* humidity, 40 + ... */
    records[4].bytes[9] |= 0x20;
    records[4].bytes[11] = record_checksum(records[4].bytes, 11);
    expected[0] = records[0];
    expected[1] = records[2];
    expected[2] = records[5];
    struct append_result result = suite_append(suite, records, 6);
    expect_result(result, 3, 0, 3);
    assert_int_equal(result.first_ms, START_MS);
    assert_int_equal(result.last_ms, START_MS + 5000);
    expect_everything(suite, expected, 3);
    result = suite_append(suite, &records[1], 1);
    expect_result(result, 0, 0, 1);
    assert_int_equal(result.first_ms, -1);
    assert_int_equal(result.last_ms, -1);
}

static void what_is_no_record_is_counted_as_quarantined(void **state)
{
    struct suite_store *suite = *state;
    char *large = malloc(100000);
    struct record record = suite_number(0);
    memset(large, 'x', 100000);
    const struct rejected_reading rejected[] = {
        {REJECT_NOT_JSON, VIEW("{\"time\":"), "json", 0},
        {REJECT_HUMIDITY_RANGE, VIEW("{\"humidity\":101}"), "json", 1},
        {REJECT_WRONG_TYPE, {"\xFF\x00\xFE", 3}, "binary", 1},
        {REJECT_MISSING_MEMBER, {large, 100000}, "json", 9},
        {REJECT_BAD_TIME, {"", 0}, "json", 1000},
    };
    /* A text counts for the readings in it. */
    expect_result(append_all(suite, &record, 1, rejected, 5), 1, 0, 1012);
    expect_result(append_all(suite, NULL, 0, rejected, 1), 0, 0, 1);
    assert_int_equal(suite_state(suite).readings, 1);
    free(large);
}

static void a_large_append_is_one_append(void **state)
{
    struct suite_store *suite = *state;
    enum { COUNT = 20000 };
    struct record *records = calloc(COUNT, sizeof *records);
    for (int i = 0; i < COUNT; i++)
        records[i] = suite_number(i);
    struct append_result result = suite_append(suite, records, COUNT);
    expect_result(result, COUNT, 0, 0);
    assert_int_equal(result.first_ms, START_MS);
    assert_int_equal(result.last_ms, time_of(COUNT - 1));
    expect_everything(suite, records, COUNT);
    expect_result(suite_append(suite, records, COUNT), 0, COUNT, 0);
    free(records);
}

/* ---- Stories: reading ---- */

static void a_range_includes_its_start_and_excludes_its_end(void **state)
{
    struct suite_store *suite = *state;
    struct record records[10];
    for (int i = 0; i < 10; i++)
        records[i] = suite_number(i);
    suite_append(suite, records, 10);
    struct reading_range range = {
        .from_ms = START_MS + 2000, .to_ms = START_MS + 5000, .rolling_code = -1};
    struct suite_list list;
    suite_range(suite, &range, &list);
    assert_int_equal(list.count, 3);
    assert_memory_equal(list.records, &records[2], 3 * sizeof records[0]);
    suite_list_clean(&list);
    range.to_ms = range.from_ms + 1;
    expect_count(suite, &range, 1);
    range.to_ms = range.from_ms;
    expect_count(suite, &range, 0);
    range.to_ms = range.from_ms - 1;
    expect_count(suite, &range, 0);
    range = (struct reading_range){.from_ms = INT64_MIN, .to_ms = INT64_MAX, .rolling_code = -1};
    expect_count(suite, &range, 10);
}

static void a_range_can_be_of_one_channel_or_one_code(void **state)
{
    struct suite_store *suite = *state;
    struct record records[40];
    for (int i = 0; i < 40; i++) {
        const struct reading reading = {
            .time_ms = START_MS + i, .channel = i % 4 + 1, .rolling_code = i % 5};
        records[i] = suite_record(&reading);
    }
    suite_append(suite, records, 40);
    struct reading_range range = {.to_ms = INT64_MAX, .rolling_code = -1};
    range.channel = 2;
    expect_count(suite, &range, 10);
    range.rolling_code = 3;
    expect_count(suite, &range, 2);
    range.channel = 0;
    expect_count(suite, &range, 8);
    range.rolling_code = 0;
    expect_count(suite, &range, 8);
    range.channel = 16;
    expect_count(suite, &range, 0);
}

static void suspects_are_read_only_by_those_who_ask(void **state)
{
    struct suite_store *suite = *state;
    struct record records[4];
    for (int i = 0; i < 4; i++) {
        const struct reading reading = {.time_ms = time_of(i),
                                        .channel = 1,
                                        .rolling_code = 9,
                                        .time_quality = (enum time_quality)i};
        records[i] = suite_record(&reading);
    }
    struct record future = suite_record(
        &(struct reading){.time_ms = START_MS * 2, .channel = 2, .time_quality = TIME_SUSPECT});
    suite_append(suite, records, 4);
    suite_append(suite, &future, 1);
    struct reading_range range = {.to_ms = INT64_MAX, .rolling_code = -1};
    expect_count(suite, &range, 3);
    range.with_suspect = true;
    expect_count(suite, &range, 5);
    struct latest_reading latest[4];
    struct reading_series series[4];
    size_t count;
    assert_int_equal(suite->store->latest(suite->store, latest, 4, &count, NULL), HEARTH_OK);
    assert_int_equal(count, 1);
    assert_int_equal(latest[0].count, 3);
    assert_int_equal(suite->store->series(suite->store, series, 4, &count, NULL), HEARTH_OK);
    assert_int_equal(count, 1);
    assert_int_equal(series[0].count, 3);
    assert_int_equal(suite_state(suite).newest_ms, START_MS + 3000);
    assert_int_equal(suite_state(suite).readings, 5);
}

static enum hearth_error refuse_second(void *context, const struct record *records, size_t count)
{
    int *visits = context;
    (void)records;
    (void)count;
    return ++*visits == 2 ? HEARTH_CLIENT_GONE : HEARTH_OK;
}

static void the_visitors_error_ends_the_range(void **state)
{
    struct suite_store *suite = *state;
    enum { COUNT = 20000 };
    struct record *records = calloc(COUNT, sizeof *records);
    const struct reading_range range = {.to_ms = INT64_MAX, .rolling_code = -1};
    int visits = 0;
    for (int i = 0; i < COUNT; i++)
        records[i] = suite_number(i);
    suite_append(suite, records, COUNT);
    assert_int_equal(suite->store->range(suite->store, &range, refuse_second, &visits, NULL),
                     HEARTH_CLIENT_GONE);
    assert_int_equal(visits, 2);
    free(records);
}

static void the_latest_of_each_series_and_its_extent_are_known(void **state)
{
    struct suite_store *suite = *state;
    struct record records[24];
    for (int i = 0; i < 24; i++)
        records[(i * 7) % 24] = suite_number(i); /* in no order */
    suite_append(suite, records, 24);
    struct latest_reading latest[16];
    struct reading_series series[16];
    size_t count;
    assert_int_equal(suite->store->latest(suite->store, latest, 16, &count, NULL), HEARTH_OK);
    assert_int_equal(count, 8);
    for (int i = 0; i < 8; i++) {
        struct record expected = suite_number(16 + i);
        assert_memory_equal(&latest[i].record, &expected, sizeof expected);
        assert_int_equal(latest[i].count, 3);
    }
    assert_int_equal(suite->store->series(suite->store, series, 16, &count, NULL), HEARTH_OK);
    assert_int_equal(count, 8);
    for (int i = 0; i < 8; i++) {
        assert_int_equal(series[i].channel, i + 1);
        assert_int_equal(series[i].rolling_code, 50 + i);
        assert_int_equal(series[i].first_ms, time_of(i));
        assert_int_equal(series[i].last_ms, time_of(16 + i));
        assert_int_equal(series[i].count, 3);
    }
    struct record more = suite_number(24);
    suite_append(suite, &more, 1);
    assert_int_equal(suite->store->latest(suite->store, latest, 16, &count, NULL), HEARTH_OK);
    assert_memory_equal(&latest[0].record, &more, sizeof more);
    assert_int_equal(latest[0].count, 4);
    assert_int_equal(suite->store->latest(suite->store, latest, 3, &count, NULL), HEARTH_OK);
    assert_int_equal(count, 3);
    assert_int_equal(suite->store->series(suite->store, series, 3, &count, NULL), HEARTH_OK);
    assert_int_equal(count, 3);
}

static void the_generation_rises_with_what_a_reader_can_see(void **state)
{
    struct suite_store *suite = *state;
    uint64_t last = suite_state(suite).generation;
    for (int i = 0; i < 10; i++) {
        struct record record = suite_number(i);
        suite_append(suite, &record, 1);
        uint64_t now = suite_state(suite).generation;
        assert_true(now > last);
        last = now;
    }
    assert_true(suite_state(suite).stored_bytes >= UINT64_C(10) * RECORD_BYTES);
}

static void what_was_acknowledged_is_there_after_opening_again(void **state)
{
    struct suite_store *suite = *state;
    struct record records[50];
    if (!chosen->reopens)
        skip();
    for (int i = 0; i < 50; i++)
        records[i] = suite_number(i);
    for (int i = 0; i < 50; i += 10) {
        expect_result(suite_append(suite, &records[i], 10), 10, 0, 0);
        suite_reopen(suite);
        expect_everything(suite, records, (size_t)i + 10);
        expect_result(suite_append(suite, records, (size_t)i + 10), 0, (uint64_t)i + 10, 0);
        assert_int_equal(suite_state(suite).readings, i + 10);
        assert_int_equal(suite_state(suite).newest_ms, time_of(i + 9));
    }
}

#define STORY(name) cmocka_unit_test_setup_teardown(name, suite_setup, suite_teardown)

int reading_store_suite_run(const char *name, const struct reading_store_suite *suite)
{
    const struct CMUnitTest tests[] = {
        STORY(a_new_store_is_empty),
        STORY(what_was_appended_is_seen_at_once),
        STORY(late_readings_take_their_place),
        STORY(a_reading_sent_again_is_a_duplicate),
        STORY(the_first_time_quality_stays),
        STORY(every_other_bit_makes_another_reading),
        STORY(a_bad_record_never_fails_the_good_ones),
        STORY(what_is_no_record_is_counted_as_quarantined),
        STORY(a_large_append_is_one_append),
        STORY(a_range_includes_its_start_and_excludes_its_end),
        STORY(a_range_can_be_of_one_channel_or_one_code),
        STORY(suspects_are_read_only_by_those_who_ask),
        STORY(the_visitors_error_ends_the_range),
        STORY(the_latest_of_each_series_and_its_extent_are_known),
        STORY(the_generation_rises_with_what_a_reader_can_see),
        STORY(what_was_acknowledged_is_there_after_opening_again),
        STORY(who_follows_gets_what_arrives_in_its_order),
        STORY(who_follows_misses_nothing_across_a_seal),
        STORY(a_cursor_that_leads_nowhere_is_reset),
        STORY(sealing_changes_nothing_that_is_read),
        STORY(a_sealed_reading_sent_again_is_a_duplicate),
        STORY(buckets_hold_their_readings_and_what_is_held_into_them),
        STORY(buckets_are_the_same_live_and_sealed),
        STORY(a_naive_model_agrees),
        STORY(writers_and_readers_at_once_agree),
        STORY(the_same_readings_from_all_sides_are_stored_once),
    };
    chosen = suite;
    return _cmocka_run_group_tests(name, tests, sizeof tests / sizeof tests[0], NULL, NULL);
}
