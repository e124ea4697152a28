/*
 * test_aggregate.c - buckets from summaries and records, held against a naive model, bit for bit.
 */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/core/memory.h"
#include "handlers/sensor/record/record.h"
#include "support_chance.h"
#include "support_days.h"
#include "support_model.h"

#define HOUR_MS   INT64_C(3600000)
#define START_DAY 20345 /* 2025-09-14 */
#define START_MS  (START_DAY * DAY_MS)

enum { MOST_EDGES = 400 };

struct aggregate_case {
    struct test_days days;
    char *store;
    struct record *records; /* all there are, the live ones included */
    size_t count, capacity;
    struct series_names *names;
    int64_t summary_limit_ms[3]; /* of a transmitter, by its code, when the summary is written */
};

static int setup(void **state)
{
    struct aggregate_case *test = calloc(1, sizeof *test);
    test_days_init(&test->days);
    test->store = test_directory_make();
    *state = test;
    return 0;
}

static void clean_readings(struct aggregate_case *test)
{
    test_days_clean(&test->days);
    test_days_init(&test->days);
    series_names_free(test->names);
    test->names = NULL;
    test->count = 0;
}

static int teardown(void **state)
{
    struct aggregate_case *test = *state;
    memory_fail_after(-1);
    clean_readings(test);
    free(test->records);
    test_directory_remove(test->store);
    free(test);
    return 0;
}

static void name_series(struct aggregate_case *test, const char *json, int64_t default_ms)
{
    struct error_record error = {0};
    series_names_free(test->names);
    test->names = series_names_parse(view_of(json), default_ms, &error);
    if (!test->names)
        fail_msg("%s", error.detail);
}

static void remember(struct aggregate_case *test, const struct reading *reading)
{
    if (test->count == test->capacity) {
        test->capacity = test->capacity ? 2 * test->capacity : 1024;
        test->records = realloc(test->records, test->capacity * sizeof *test->records);
    }
    assert_int_equal(record_encode(reading, &test->records[test->count++]), REJECT_NONE);
}

static int64_t summary_limit(void *context, int channel, int rolling_code, int32_t day)
{
    const struct aggregate_case *test = context;
    (void)channel;
    (void)day;
    return test->summary_limit_ms[rolling_code % 3];
}

static void summarise(struct aggregate_case *test)
{
    assert_int_equal(test_days_summarise(&test->days, test->store, false, summary_limit, test),
                     HEARTH_OK);
}

/* ---- Compared ---- */

struct comparison {
    const struct model *model;
    size_t next;
};

static enum hearth_error compare_bucket(void *context, size_t bucket,
                                        const struct bucket_track *tracks, size_t count)
{
    struct comparison *comparison = context;
    assert_int_equal(bucket, comparison->next++);
    model_expect(comparison->model, bucket, tracks, count);
    return HEARTH_OK;
}

static struct aggregate_statistics run(struct aggregate_case *test,
                                       const struct bucket_query *query, const struct model *model)
{
    struct comparison comparison = {.model = model};
    struct aggregate_statistics statistics;
    struct error_record error = {0};
    enum hearth_error code = aggregate_run_over(&test->days.source, query, compare_bucket,
                                                &comparison, &statistics, &error);
    if (code != HEARTH_OK)
        fail_msg("%s: %s", error_name(code), error.detail);
    assert_int_equal(comparison.next, query->bucket_count);
    return statistics;
}

/* With summaries, and by scanning alone: both must be what the model says. */
static struct aggregate_statistics expect_model(struct aggregate_case *test,
                                                const struct bucket_query *query)
{
    struct model model;
    struct bucket_query scanning = *query;
    model_run(&model, query, test->records, test->count);
    struct aggregate_statistics statistics = run(test, query, &model);
    scanning.scan = true;
    struct aggregate_statistics scanned = run(test, &scanning, &model);
    assert_int_equal(scanned.days + scanned.blocks, 0);
    model_clean(&model);
    return statistics;
}

/* ---- Random readings ---- */

struct weather {
    int days, series, per_day;
    bool gaps, absences, scales, bursts, extremes;
};

static struct weather random_weather(void)
{
    return (struct weather){
        .days = 1 + chance(4),
        .series = 1 + chance(6),
        .per_day = 1 << chance(12),
        .gaps = chance(2),
        .absences = chance(2),
        .scales = chance(2),
        .bursts = chance(2),
        .extremes = chance(4) == 0,
    };
}

static struct reading random_reading(const struct weather *weather, int64_t time_ms)
{
    int series = chance(weather->series);
    struct reading reading = {
        .time_ms = time_ms,
        .channel = series % 3 + 1,
        .rolling_code = 40 + series,
        .scale = weather->scales && chance(3) == 0 ? SCALE_TENTHS_C : SCALE_TENTHS_F,
        .raw = weather->extremes ? chance(RAW_ABSENT) : 900 + chance(300),
        .humidity = chance(101),
        .signal = chance(128),
    };
    /* Series 4 has no humidity, and the others lose something now and then. */
    if (series == 4 || (weather->absences && chance(20) == 0))
        reading.humidity = HUMIDITY_ABSENT;
    if (weather->absences && chance(20) == 0)
        reading.raw = RAW_ABSENT;
    if (weather->absences && chance(50) == 0)
        reading.time_quality = TIME_SUSPECT;
    return reading;
}

static void random_readings(struct aggregate_case *test, const struct weather *weather)
{
    int64_t time_ms = START_MS + chance(1000), step_ms = DAY_MS / weather->per_day;
    while (time_ms < START_MS + weather->days * DAY_MS) {
        struct reading reading = random_reading(weather, time_ms);
        remember(test, &reading);
        if (weather->bursts && chance(3) == 0)
            continue; /* another one with the same time */
        time_ms += 1 + (int64_t)(chance_next() % (uint64_t)(2 * step_ms));
        if (weather->gaps && chance(200) == 0)
            time_ms += chance(30) * HOUR_MS;
    }
}

/* A reading stands in one sealed file: its identity decides in which. The live ones are those that
 * come last, and some that are sealed as well. */
static void store_readings(struct aggregate_case *test)
{
    int files = 1 + chance(4), live = chance(3) == 0 ? chance(300) : 0;
    struct record *part = malloc((test->count + 1) * sizeof *part);
    assert_int_equal(record_sort(test->records, test->count), HEARTH_OK);
    test->count = record_unique(test->records, test->count);
    if ((size_t)live > test->count)
        live = (int)test->count;
    size_t sealed = test->count - (size_t)live;
    unsigned char *file_of = calloc(sealed + 1, 1);
    for (size_t i = 0; i < sealed; i++)
        file_of[i] = (unsigned char)(chance(10) == 0 ? chance(files) : 0);
    for (int file = 0; file < files; file++) {
        size_t count = 0;
        for (size_t i = 0; i < sealed; i++)
            if (file_of[i] == file)
                part[count++] = test->records[i];
        test_days_seal(&test->days, part, count);
    }
    size_t twice = live > 0 && sealed > 0 ? (size_t)chance((int)(sealed < 100 ? sealed : 100)) : 0;
    test_days_live(&test->days, test->records + sealed - twice, (size_t)live + twice);
    free(file_of);
    free(part);
}

/* Two transmitters that share a thermometer's name over a change of battery, one with a window of
 * its own inside, one whose code comes again as another's. */
static void random_names(struct aggregate_case *test)
{
    char json[2048];
    long long change = START_MS / 1000 + chance(3 * 86400), again = change + chance(86400);
    struct civil_time a, b;
    civil_from_ms(change * 1000, &a);
    civil_from_ms(again * 1000, &b);
    snprintf(
        json, sizeof json,
        "{\"version\":1,\"series\":["
        "{\"id\":\"freezer\",\"stale_after_s\":%d,\"transmitters\":["
        "{\"channel\":1,\"rolling_code\":40,\"from\":null,\"to\":\"%04d-%02d-%02dT%02d:%02d:%"
        "02dZ\"},"
        "{\"channel\":2,\"rolling_code\":41,\"from\":\"%04d-%02d-%02dT%02d:%02d:%02dZ\",\"to\":"
        "null}]},"
        "{\"id\":\"attic\",\"stale_after_s\":%d,\"transmitters\":["
        "{\"channel\":1,\"rolling_code\":40,\"from\":\"%04d-%02d-%02dT%02d:%02d:%02dZ\",\"to\":"
        "null}]}]}",
        60 + 60 * chance(600), a.year, a.month, a.day, a.hour, a.minute, a.second, a.year, a.month,
        a.day, a.hour, a.minute, a.second, 60 + 60 * chance(600), b.year, b.month, b.day, b.hour,
        b.minute, b.second);
    name_series(test, chance(3) == 0 ? "" : json, chance(4) * HOUR_MS);
}

static int64_t random_edge(const struct aggregate_case *test)
{
    switch (chance(4)) {
    case 0:
        return START_MS + (int64_t)chance(6 * 24 * 4) * (HOUR_MS / 4);
    case 1:
        return test->count == 0
                   ? START_MS
                   : record_time_ms(&test->records[chance((int)test->count)]) + chance(3) - 1;
    default:
        return START_MS - 6 * HOUR_MS + (int64_t)(chance_next() % (uint64_t)(6 * DAY_MS));
    }
}

static int compare_edges(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

static size_t random_edges(const struct aggregate_case *test, int64_t *edges)
{
    size_t count = (size_t)chance(chance(2) ? 8 : MOST_EDGES - 2) + 2, kept = 1;
    for (size_t i = 0; i < count; i++)
        edges[i] = random_edge(test);
    qsort(edges, count, sizeof *edges, compare_edges);
    for (size_t i = 1; i < count; i++)
        if (edges[i] != edges[kept - 1])
            edges[kept++] = edges[i];
    if (kept == 1)
        edges[kept++] = edges[0] + 1;
    return kept - 1;
}

static bool *random_wanted(const struct aggregate_case *test)
{
    size_t count = series_names_count(test->names) + SERIES_PLACES;
    bool *wanted = malloc(count);
    for (size_t i = 0; i < count; i++)
        wanted[i] = chance(2);
    return wanted;
}

static void random_query(struct aggregate_case *test)
{
    int64_t edges[MOST_EDGES];
    bool *wanted = chance(3) == 0 ? random_wanted(test) : NULL;
    struct bucket_query query = {
        .edges_ms = edges,
        .bucket_count = random_edges(test, edges),
        .names = test->names,
        .wanted = wanted,
        .with_suspect = chance(4) == 0,
        .known_until_ms = chance(2) ? random_edge(test) : 0,
    };
    expect_model(test, &query);
    free(wanted);
}

static void buckets_of_random_readings_are_those_of_the_model(void **state)
{
    struct aggregate_case *test = *state;
    chance_seed(3);
    for (int round = 0; round < 120; round++) {
        struct weather weather = random_weather();
        clean_readings(test);
        random_readings(test, &weather);
        store_readings(test);
        random_names(test);
        for (int i = 0; i < 3; i++) /* seldom the limits of the names: they were changed later */
            test->summary_limit_ms[i] = chance(4) * HOUR_MS;
        if (chance(5) > 0)
            summarise(test);
        for (int i = 0; i < 6; i++)
            random_query(test);
    }
}

/* ---- What serves ---- */

/* Three days, a reading each ten seconds from eight transmitters in turn, some of them late. */
static void steady_days(struct aggregate_case *test)
{
    static const struct weather calm = {.days = 3, .series = 4, .per_day = 8640};
    struct record late[3 * 8640 / 100 + 1];
    size_t kept = 0, late_count = 0;
    chance_seed(4);
    for (int64_t i = 0; i < INT64_C(3) * 8640; i++) {
        struct reading reading = random_reading(&calm, START_MS + i * 10000);
        remember(test, &reading);
    }
    struct record *rest = malloc(test->count * sizeof *rest);
    for (size_t i = 0; i < test->count; i++)
        if (i % 100 == 7)
            late[late_count++] = test->records[i];
        else
            rest[kept++] = test->records[i];
    test_days_seal(&test->days, rest, kept);
    test_days_seal(&test->days, late, late_count);
    free(rest);
    name_series(test, "", 2 * HOUR_MS);
    for (int i = 0; i < 3; i++)
        test->summary_limit_ms[i] = 2 * HOUR_MS;
    summarise(test);
}

static void whole_days_come_from_their_totals_alone(void **state)
{
    struct aggregate_case *test = *state;
    const int64_t edges[] = {START_MS, START_MS + DAY_MS, START_MS + 2 * DAY_MS,
                             START_MS + 3 * DAY_MS};
    const struct bucket_query query = {.edges_ms = edges, .bucket_count = 3};
    steady_days(test);
    struct bucket_query named = query;
    named.names = test->names;
    test->days.lose_records = true; /* none is looked at */
    struct model model;
    model_run(&model, &named, test->records, test->count);
    struct aggregate_statistics statistics = run(test, &named, &model);
    model_clean(&model);
    assert_int_equal(statistics.days, 3);
    assert_int_equal(statistics.blocks, 0);
    assert_int_equal(statistics.records, 0);
    assert_int_equal(test->days.maps, 3); /* of the writer of the summary */
}

static void an_edge_costs_the_block_that_it_cuts(void **state)
{
    struct aggregate_case *test = *state;
    steady_days(test);
    const int64_t edges[] = {START_MS, START_MS + DAY_MS + 5 * HOUR_MS + 1, START_MS + 3 * DAY_MS};
    const struct bucket_query query = {.edges_ms = edges, .bucket_count = 2, .names = test->names};
    struct aggregate_statistics statistics = expect_model(test, &query);
    assert_int_equal(statistics.days, 2);
    assert_in_range(statistics.blocks, 1, 30);
    assert_in_range(statistics.records, 1, 300);
}

static void days_of_23_and_25_hours_are_as_exact(void **state)
{
    struct aggregate_case *test = *state;
    steady_days(test);
    const int64_t edges[] = {START_MS - HOUR_MS, START_MS + 22 * HOUR_MS, START_MS + 47 * HOUR_MS,
                             START_MS + 71 * HOUR_MS};
    const struct bucket_query query = {.edges_ms = edges, .bucket_count = 3, .names = test->names};
    struct aggregate_statistics statistics = expect_model(test, &query);
    assert_in_range(statistics.records, 1, 800);
}

static void another_limit_with_short_gaps_still_uses_the_digests(void **state)
{
    struct aggregate_case *test = *state;
    steady_days(test);
    name_series(test, "", HOUR_MS);
    const int64_t edges[] = {START_MS, START_MS + 3 * DAY_MS};
    const struct bucket_query query = {.edges_ms = edges, .bucket_count = 1, .names = test->names};
    assert_int_equal(expect_model(test, &query).days, 3);
    name_series(test, "", 15000); /* shorter than many gaps */
    struct bucket_query shorter = query;
    shorter.names = test->names;
    struct aggregate_statistics statistics = expect_model(test, &shorter);
    assert_int_equal(statistics.days + statistics.blocks, 0);
    assert_int_equal(statistics.records, test->count);
}

static void a_day_with_a_late_reading_is_scanned_until_it_is_summed_anew(void **state)
{
    struct aggregate_case *test = *state;
    const struct reading late = {.time_ms = START_MS + DAY_MS + 77, .channel = 9, .humidity = 3};
    steady_days(test);
    remember(test, &late);
    test_days_live(&test->days, &test->records[test->count - 1], 1);
    const int64_t edges[] = {START_MS, START_MS + 3 * DAY_MS};
    const struct bucket_query query = {.edges_ms = edges, .bucket_count = 1, .names = test->names};
    struct aggregate_statistics statistics = expect_model(test, &query);
    assert_int_equal(statistics.days, 2);
    assert_int_equal(statistics.records, 8641);
    test_days_live(&test->days, NULL, 0);
    test_days_seal(&test->days, &test->records[test->count - 1], 1);
    assert_int_equal(expect_model(test, &query).records, 8641);
    summarise(test);
    statistics = expect_model(test, &query);
    assert_int_equal(statistics.days, 3);
    assert_int_equal(statistics.records, 0);
}

static void unwanted_series_are_in_no_bucket(void **state)
{
    struct aggregate_case *test = *state;
    steady_days(test);
    bool *wanted = calloc(SERIES_PLACES, sizeof *wanted);
    wanted[1 * 256 + 41] = true;
    const int64_t edges[] = {START_MS + 1234567, START_MS + 2 * DAY_MS};
    const struct bucket_query query = {
        .edges_ms = edges, .bucket_count = 1, .names = test->names, .wanted = wanted};
    expect_model(test, &query);
    free(wanted);
}

/* ---- Edges of everything ---- */

static void an_empty_store_has_empty_buckets(void **state)
{
    struct aggregate_case *test = *state;
    name_series(test, "", HOUR_MS);
    const int64_t edges[] = {INT64_MIN, -5, 0, 7, START_MS, INT64_MAX};
    const struct bucket_query query = {.edges_ms = edges, .bucket_count = 5, .names = test->names};
    expect_model(test, &query);
}

static void the_first_and_the_last_moment_there_are_can_be_asked_for(void **state)
{
    struct aggregate_case *test = *state;
    static const int64_t times[] = {0,      1,           DAY_MS - 2,         DAY_MS - 1,
                                    DAY_MS, 60 * DAY_MS, READING_TIME_MAX_MS};
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        const struct reading reading = {.time_ms = times[i],
                                        .channel = 16,
                                        .rolling_code = 255,
                                        .scale = SCALE_TENTHS_C,
                                        .raw = i % 2 ? RAW_ABSENT - 1 : 0};
        remember(test, &reading);
    }
    test_days_seal(&test->days, test->records, test->count);
    const int64_t edges[] = {INT64_MIN, 0, 1, 2, READING_TIME_MAX_MS, READING_TIME_MAX_MS + 1,
                             INT64_MAX};
    for (int months = 0; months < 2; months++) { /* also held for more than 2^32 ms */
        test->summary_limit_ms[0] = months ? 100 * DAY_MS : HOUR_MS;
        name_series(test, "", test->summary_limit_ms[0]);
        summarise(test);
        const struct bucket_query query = {
            .edges_ms = edges, .bucket_count = 6, .names = test->names};
        expect_model(test, &query);
    }
}

static void a_million_readings_with_the_same_time_are_counted_once_each(void **state)
{
    struct aggregate_case *test = *state;
    for (int i = 0; i < 1000000; i++) {
        const struct reading reading = {.time_ms = START_MS + HOUR_MS,
                                        .channel = i % 2 + 1,
                                        .rolling_code = 0,
                                        .raw = i / 2 % 4000,
                                        .humidity = i / 8000 % 100,
                                        .relay = i / 800000 % 2};
        remember(test, &reading);
    }
    assert_int_equal(record_sort(test->records, test->count), HEARTH_OK);
    assert_int_equal(record_unique(test->records, test->count), 1000000);
    test_days_seal(&test->days, test->records, 600000);
    test_days_seal(&test->days, test->records + 600000, 400000);
    name_series(test, "", HOUR_MS);
    summarise(test);
    const int64_t edges[] = {START_MS + HOUR_MS - 1, START_MS + HOUR_MS, START_MS + HOUR_MS + 1,
                             START_MS + DAY_MS};
    const struct bucket_query query = {.edges_ms = edges, .bucket_count = 3, .names = test->names};
    expect_model(test, &query);
}

/* ---- Failing ---- */

static enum hearth_error refuse(void *context, size_t bucket, const struct bucket_track *tracks,
                                size_t count)
{
    int *calls = context;
    (void)tracks;
    (void)count;
    ++*calls;
    return bucket == 1 ? HEARTH_CLIENT_GONE : HEARTH_OK;
}

static void an_error_of_the_visitor_ends_the_query(void **state)
{
    struct aggregate_case *test = *state;
    int calls = 0;
    steady_days(test);
    const int64_t edges[] = {START_MS, START_MS + 1, START_MS + 2, START_MS + 3};
    const struct bucket_query query = {.edges_ms = edges, .bucket_count = 3, .names = test->names};
    assert_int_equal(aggregate_run_over(&test->days.source, &query, refuse, &calls, NULL, NULL),
                     HEARTH_CLIENT_GONE);
    assert_int_equal(calls, 2);
}

static enum hearth_error ignore(void *context, size_t bucket, const struct bucket_track *tracks,
                                size_t count)
{
    (void)context;
    (void)bucket;
    (void)tracks;
    (void)count;
    return HEARTH_OK;
}

static void records_that_cannot_be_read_are_an_error(void **state)
{
    struct aggregate_case *test = *state;
    struct error_record error = {0};
    steady_days(test);
    test->days.lose_records = true;
    const int64_t edges[] = {START_MS, START_MS + HOUR_MS};
    const struct bucket_query query = {.edges_ms = edges, .bucket_count = 1, .names = test->names};
    assert_int_equal(aggregate_run_over(&test->days.source, &query, ignore, NULL, NULL, &error),
                     HEARTH_IO);
    assert_string_equal(error.detail, "the records are lost");
}

static void memory_that_runs_out_is_an_error_wherever_it_does(void **state)
{
    struct aggregate_case *test = *state;
    steady_days(test);
    const int64_t edges[] = {START_MS + HOUR_MS, START_MS + 2 * HOUR_MS, START_MS + 2 * DAY_MS};
    const struct bucket_query query = {.edges_ms = edges, .bucket_count = 2, .names = test->names};
    int64_t room = 0;
    for (;; room++) {
        memory_fail_after(room);
        enum hearth_error code =
            aggregate_run_over(&test->days.source, &query, ignore, NULL, NULL, NULL);
        memory_fail_after(-1);
        if (code == HEARTH_OK)
            break;
        assert_int_equal(code, HEARTH_NO_MEMORY);
    }
    assert_in_range(room, 5, 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define STORY(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        STORY(buckets_of_random_readings_are_those_of_the_model),
        STORY(whole_days_come_from_their_totals_alone),
        STORY(an_edge_costs_the_block_that_it_cuts),
        STORY(days_of_23_and_25_hours_are_as_exact),
        STORY(another_limit_with_short_gaps_still_uses_the_digests),
        STORY(a_day_with_a_late_reading_is_scanned_until_it_is_summed_anew),
        STORY(unwanted_series_are_in_no_bucket),
        STORY(an_empty_store_has_empty_buckets),
        STORY(the_first_and_the_last_moment_there_are_can_be_asked_for),
        STORY(a_million_readings_with_the_same_time_are_counted_once_each),
        STORY(an_error_of_the_visitor_ends_the_query),
        STORY(records_that_cannot_be_read_are_an_error),
        STORY(memory_that_runs_out_is_an_error_wherever_it_does),
    };
    return cmocka_run_group_tests_name("aggregate", tests, NULL, NULL);
}
