/*
 * test_query_range_conditions.c - GET /api/v1/range: what is refused, and what is answered without
 * reading anything.
 */
#include "app/core/memory.h"
#include "tests/unit/support_chance.h"
#include "tests/unit/support_query.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MINUTE QUERY_MINUTE
#define HOUR   QUERY_HOUR
#define DAY    QUERY_DAY
#define T0     QUERY_T0

static struct sensor_app test;

static int start(void **state)
{
    (void)state;
    sensor_app_start(&test, "sensor: { time_zone = \"America/Denver\"; };");
    chance_seed(83);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    sensor_app_stop(&test);
    return 0;
}

static void add(int64_t time_ms, int channel, int code, int tenths_f, int humidity)
{
    query_add(&test, time_ms, channel, code, tenths_f, humidity);
}

static struct json_object *ask(int64_t to_ms, const char *query)
{
    return query_range(&test, to_ms, query);
}

/* ---- What is refused ---- */

static void wrong_parameters_say_what_is_allowed(void **state)
{
    static const char *const cases[][2] = {
        {"fn=median", "m4, mean, min, max or raw"},
        {"fn=", "m4, mean, min, max or raw"},
        {"points=0", "from 1 to 10000"},
        {"points=10000000", "from 1 to 10000"},
        {"points=-1", "from 1 to 10000"},
        {"points=ten", "from 1 to 10000"},
        {"points=1.5", "from 1 to 10000"},
        {"bucket=year", "hour, day, week or month"},
        {"unit=K", "F or C"},
        {"quantity=pressure", "temperature or humidity"},
        {"tz=Mars/Olympus", "America/Denver"},
        {"tz=../../etc/passwd", "America/Denver"},
        {"tz=America", "America/Denver"},
        {"tz=", "America/Denver"},
        {"quality=best", "good or all"},
        {"rows=yes", "0 or 1"},
        {"series=", "/api/v1/series"},
        {"series=1-1,attic", "/api/v1/series"},
        {"series=17-1", "/api/v1/series"},
        {"channel=0", "from 1 to 16"},
        {"channel=17", "from 1 to 16"},
        {"from=yesterday", "milliseconds since 1970"},
        {"from=2025-02-29", "a day like 2025-09-14"},
        {"from=2025-02-2", "a day like 2025-09-14"},
        {"from=2025-02-28&tz=Mars/Olympus", "America/Denver"},
        {"to=99999999999999", "`to` must lie between 1970 and 2109"},
        {"to=4398046511105", "`to` must lie between 1970 and 2109"},
        {"from=-1", "`from` must lie between 1970 and 2109"},
        {"from=1&from=2", "`from` is there 2 times"},
        {"points=1&to=1&points=1", "`points` is there 2 times"},
        {"series=1-1&series=1-1", "`series` is there 2 times"},
        {"tz=UTC&tz=UTC", "`tz` is there 2 times"},
        {"fn=min&fn=max&fn=raw", "`fn` is there 3 times"},
        {"to=2025-09-31T00:00:00Z", "milliseconds since 1970"},
        {"from=now&to=now-1h", "`from` is after `to`"},
        {"from=0&to=now&bucket=hour", "10000 buckets"},
    };
    (void)state;
    query_add_four_hours(&test);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char target[200];
        snprintf(target, sizeof target, "/api/v1/range?%s", cases[i][0]);
        query_expect_refused(&test, target, cases[i][1]);
    }
}

static void a_day_is_its_midnight_in_the_zone(void **state)
{
    (void)state;
    struct json_object *answer =
        query_get(&test, "/api/v1/range?from=2024-02-29&to=2024-03-01&tz=America/Denver");
    query_expect(answer, "from", "1709190000000");
    query_expect(answer, "to", "1709276400000");
    json_object_put(answer);
    answer = query_get(&test, "/api/v1/range?from=2024-02-29&to=4398046511104&tz=UTC");
    query_expect(answer, "from", "1709164800000");
    query_expect(answer, "to", "4398046511104");
    json_object_put(answer);
    query_expect_refused(&test, "/api/v1/tail?after=&after=", "`after` is there 2 times");
    assert_int_equal(sensor_app_get(&test, "/data?from=2024-02-29&to=2024-03-01"), 200);
    assert_int_equal(sensor_app_get(&test, "/api/v1/export.csv?from=2024-02-29"), 200);
}

static void unknown_parameters_are_ignored(void **state)
{
    (void)state;
    query_add_four_hours(&test);
    struct json_object *answer = ask(T0 + HOUR, "&points=1&colour=blue&fn=min&_=17");
    query_expect(answer, "series.0.temperature.min", "[68.2]");
    json_object_put(answer);
}

/* A span of an hour, and 10,000 points of so many series. */
static void target_of(char *target, size_t size, int series)
{
    size_t length = (size_t)snprintf(target, size, "/api/v1/range?from=%lld&to=%lld&points=10000",
                                     (long long)T0, (long long)(T0 + HOUR));
    for (int i = 0; i < series; i++)
        length += (size_t)snprintf(target + length, size - length, "%s%d-%d",
                                   i == 0 ? "&series=" : ",", 1 + i % 16, i);
}

static void too_many_cells_are_refused_with_what_is_allowed(void **state)
{
    char target[600];
    (void)state;
    target_of(target, sizeof target, 50);
    assert_int_equal(sensor_app_get(&test, target), 200);
    target_of(target, sizeof target, 51);
    query_expect_refused(&test, target,
                         "at most 1000000; for 51 or more series and 2 quantities at most 9803");
    query_expect_refused(&test, target, "name fewer `series`");
}

/* Empty buckets are written, but take no memory. */
static void too_many_values_are_refused(void **state)
{
    char target[600];
    (void)state;
    for (int i = 0; i < 15; i++)
        add(T0, 1 + i, i, 700, 50);
    target_of(target, sizeof target, 0);
    assert_int_equal(sensor_app_get(&test, target), 200);
    add(T0, 16, 15, 700, 50);
    query_expect_refused(&test, target, "more than 300000 buckets");
    target_of(target, sizeof target, 15);
    assert_int_equal(sensor_app_get(&test, target), 200);
}

static void too_many_raw_readings_are_refused(void **state)
{
    (void)state;
    /* The store in memory is slow to fill in order of time only; 250,001 are given as one. */
    test.memory.capacity = 250001;
    test.memory.records = calloc(test.memory.capacity, sizeof *test.memory.records);
    assert_non_null(test.memory.records);
    for (size_t i = 0; i < test.memory.capacity; i++) {
        const struct reading reading = {
            .time_ms = T0 + (int64_t)i, .channel = 1, .raw = 1000, .humidity = 50};
        assert_int_equal(record_encode(&reading, &test.memory.records[i]), REJECT_NONE);
    }
    test.memory.count = 250000;
    assert_int_equal(sensor_app_get(&test, "/api/v1/range?fn=raw&from=0&to=now&rows=1"), 200);
    test.memory.count = 250001;
    query_expect_refused(&test, "/api/v1/range?fn=raw&from=0&to=now", "more than 250000 readings");
}

/* ---- Conditions ---- */

static void unchanged_it_is_304_and_reads_nothing(void **state)
{
    static const char target[] = "/api/v1/range?points=10";
    char headers[300];
    (void)state;
    query_add_four_hours(&test);
    assert_int_equal(sensor_app_get(&test, target), 200);
    assert_string_equal(test_sink_header(&test.sink, "Cache-Control"), "no-cache");
    snprintf(headers, sizeof headers, "If-None-Match: %s\n", test_sink_header(&test.sink, "ETag"));
    assert_int_equal(headers[sizeof "If-None-Match: " - 1], '"');
    int reads = test.memory.reads;
    assert_int_equal(sensor_app_request(&test, "GET", target, NULL, headers, VIEW_NONE), 304);
    assert_int_equal(sensor_app_request(&test, "HEAD", target, NULL, NULL, VIEW_NONE), 200);
    assert_non_null(strstr(headers, test_sink_header(&test.sink, "ETag")));
    assert_string_equal(test_sink_header(&test.sink, "Content-Type"), "application/json");
    assert_int_equal(test.sink.body.length, 0);
    assert_int_equal(test.memory.reads, reads);
    add(T0, 9, 9, 700, 50); /* late data show at once */
    assert_int_equal(sensor_app_request(&test, "GET", target, NULL, headers, VIEW_NONE), 200);
    snprintf(headers, sizeof headers, "If-None-Match: %s\n", test_sink_header(&test.sink, "ETag"));
    query_write_names(&test, query_names); /* and so do names */
    assert_int_equal(sensor_app_request(&test, "GET", target, NULL, headers, VIEW_NONE), 200);
}

static void another_question_has_another_etag(void **state)
{
    static const char *const queries[] = {
        "",           "points=10", "points=11",         "fn=mean",     "unit=F",
        "unit=C",     "tz=UTC",    "quantity=humidity", "rows=1",      "quality=all",
        "series=1-1", "channel=1", "bucket=day",        "bucket=week", "from=now-1h",
        "to=now",     "fn=raw",    "series=1-1,1-2",    "bucket=hour"};
    enum { COUNT = sizeof queries / sizeof queries[0] };
    char etags[COUNT][64];
    (void)state;
    query_add_four_hours(&test);
    for (size_t i = 0; i < COUNT; i++) {
        char target[100];
        snprintf(target, sizeof target, "/api/v1/range?%s", queries[i]);
        assert_int_equal(sensor_app_request(&test, "HEAD", target, NULL, NULL, VIEW_NONE), 200);
        snprintf(etags[i], sizeof etags[i], "%s", test_sink_header(&test.sink, "ETag"));
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(etags[i], etags[j]);
    }
    /* The same in other words. */
    assert_int_equal(sensor_app_request(&test, "HEAD",
                                        "/api/v1/range?x=1&series=1-2,%201-1,1-2&fn=m4", NULL, NULL,
                                        VIEW_NONE),
                     200);
    assert_string_equal(test_sink_header(&test.sink, "ETag"), etags[17]);
}

static void slip_one_in(struct memory_readings *memory, void *context)
{
    const struct reading reading = {
        .time_ms = T0 + ++*(int *)context, .channel = 1, .raw = 1000, .humidity = 50};
    memory_readings_add(memory, &reading);
}

static void what_comes_in_meanwhile_makes_the_etag_weak(void **state)
{
    int number = 0;
    char headers[300];
    (void)state;
    query_add_four_hours(&test);
    test.memory.before_visit = slip_one_in;
    test.memory.before_visit_context = &number;
    assert_int_equal(sensor_app_get(&test, "/api/v1/range?points=10"), 200);
    assert_memory_equal(test_sink_header(&test.sink, "ETag"), "W/", 2);
    snprintf(headers, sizeof headers, "If-None-Match: %s\n", test_sink_header(&test.sink, "ETag"));
    test.memory.before_visit = NULL;
    assert_int_equal(
        sensor_app_request(&test, "GET", "/api/v1/range?points=10", NULL, headers, VIEW_NONE), 200);
}

static void a_store_that_breaks_is_503(void **state)
{
    (void)state;
    query_add_four_hours(&test);
    char target[200];
    snprintf(target, sizeof target, "/api/v1/range?from=0&points=3");
    test.memory.fail_read = HEARTH_IO;
    assert_int_equal(sensor_app_get(&test, target), 503);
    test.memory.fail_read = HEARTH_OK;
    assert_int_equal(sensor_app_get(&test, target), 200);
}

/* ---- Memory ---- */

/* 0 when the answer was broken off. */
static int get_with_little_memory(const char *target, int64_t allocations)
{
    const struct request_input input = {
        .method = VIEW("GET"), .target = view_of(target), .peer_address = VIEW("127.0.0.1")};
    struct arena *arena = arena_new(8u << 20);
    assert_non_null(arena);
    test_sink_clean(&test.sink);
    test_sink_init(&test.sink);
    memory_fail_after(allocations);
    app_handle(test.app, arena, &input, &test.sink.sink);
    memory_fail_after(-1);
    arena_free(arena);
    return test.sink.aborts > 0 ? 0 : test.sink.status;
}

/* Each allocation fails in turn, until none does: a 200 is always whole. */
static void running_out_of_memory_never_shortens_an_answer(void **state)
{
    static const char *const targets[] = {"/api/v1/range?from=0&points=700",
                                          "/api/v1/range?from=0&fn=raw&rows=1",
                                          "/api/v1/range?series=1-1,2-1",
                                          "/api/v1/range?from=now-2d&bucket=hour&tz=Asia/Tokyo",
                                          "/api/v1/latest?channel=1",
                                          "/api/v1/series",
                                          "/api/v1/tail",
                                          "/api/v1/export.csv",
                                          "/api/v1/export.bin?series=1-1",
                                          "/data"};
    (void)state;
    for (int i = 0; i < 600; i++)
        add(T0 + i * MINUTE, 1 + i % 3, 1, 700 + i % 50, 40);
    for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++) {
        assert_int_equal(sensor_app_get(&test, targets[i]), 200);
        size_t whole = test.sink.body.length;
        int status = 0, failures = 0;
        for (int64_t allocations = 0; status != 200; allocations++) {
            status = get_with_little_memory(targets[i], allocations);
            if (status != 200 && status != 503 && status != 0)
                fail_msg("%s: %d after %lld", targets[i], status, (long long)allocations);
            failures += status != 200;
        }
        assert_in_range(test.sink.body.length, whole, whole);
        assert_true(failures > 1);
    }
}

int main(void)
{
#define STORY(name) cmocka_unit_test_setup_teardown(name, start, stop)
    const struct CMUnitTest tests[] = {
        STORY(wrong_parameters_say_what_is_allowed),
        STORY(a_day_is_its_midnight_in_the_zone),
        STORY(unknown_parameters_are_ignored),
        STORY(too_many_cells_are_refused_with_what_is_allowed),
        STORY(too_many_values_are_refused),
        STORY(too_many_raw_readings_are_refused),
        STORY(unchanged_it_is_304_and_reads_nothing),
        STORY(another_question_has_another_etag),
        STORY(what_comes_in_meanwhile_makes_the_etag_weak),
        STORY(a_store_that_breaks_is_503),
        STORY(running_out_of_memory_never_shortens_an_answer),
    };
    return cmocka_run_group_tests_name("conditions of range queries", tests, NULL, NULL);
}
