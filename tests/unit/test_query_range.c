/*
 * test_query_range.c - GET /api/v1/range: what is said of each bucket, in which unit, and for which
 * series.
 */
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

static int start_named(void **state)
{
    int result = start(state);
    query_write_names(&test, query_names);
    return result;
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

/* ---- What is said of a bucket ---- */

static void m4_has_four_values_and_their_times(void **state)
{
    (void)state;
    query_add_four_hours(&test);
    struct json_object *answer = ask(T0 + 6 * HOUR, "&points=6");
    query_expect(answer, "from", "1757808000000");
    query_expect(answer, "to", "1757829600000");
    query_expect(answer, "function", "\"m4\"");
    query_expect(answer, "unit", "\"F\"");
    query_expect(answer, "zone", "\"America/Denver\"");
    query_expect(
        answer, "times",
        "[1757808000000,1757811600000,1757815200000,1757818800000,1757822400000,1757826000000]");
    query_expect(answer, "series.0.id", "\"1-1\"");
    query_expect(answer, "series.0.new", "true");
    query_expect(answer, "series.0.channel", "1");
    query_expect(answer, "series.0.rolling_code", "1");
    query_expect(answer, "series.0.stale_after_ms", "7200000");
    /* The second bucket holds 68.2; so does the end of the fifth, of 70.2 at 02:10. */
    query_expect(answer, "series.0.temperature.first", "[70,68.2,70.2,70.2,70.2,null]");
    query_expect(answer, "series.0.temperature.last", "[68.2,68.2,70.2,70.2,70.2,null]");
    query_expect(answer, "series.0.temperature.min", "[68.2,68.2,70.2,70.2,70.2,null]");
    query_expect(answer, "series.0.temperature.max", "[72.5,68.2,70.2,70.2,70.2,null]");
    query_expect(answer, "series.0.temperature.first_ms", "[600000,0,600000,0,0,null]");
    query_expect(answer, "series.0.temperature.last_ms", "[3000000,0,600000,0,0,null]");
    query_expect(answer, "series.0.temperature.min_ms", "[3000000,0,600000,0,0,null]");
    query_expect(answer, "series.0.temperature.max_ms", "[1200000,0,600000,0,0,null]");
    query_expect(answer, "series.0.humidity.max", "[41,41,41,null,null,null]");
    query_expect(answer, "series.0.humidity.max_ms", "[1200000,0,0,null,null,null]");
    json_object_put(answer);
}

static void a_mean_is_weighted_by_time(void **state)
{
    (void)state;
    query_add_four_hours(&test);
    struct json_object *answer = ask(T0 + 6 * HOUR, "&points=6&fn=mean");
    query_expect(answer, "function", "\"mean\"");
    /* 10 minutes of 70, 30 of 72.5, 10 of 68.2. */
    query_expect(answer, "series.0.temperature.mean", "[71.14,68.2,69.867,70.2,70.2,null]");
    query_expect(answer, "series.0.temperature.coverage", "[0.833,1,1,1,0.167,0]");
    query_expect(answer, "series.0.humidity.coverage", "[0.833,1,0.833,0,0,0]");
    query_expect(answer, "series.0.temperature.first", "missing");
    json_object_put(answer);
}

static void nothing_is_held_beyond_now(void **state)
{
    (void)state;
    add(SENSOR_TEST_NOW - 30 * MINUTE, 1, 1, 700, 40);
    add(SENSOR_TEST_NOW - 15 * MINUTE, 1, 1, 720, 40);
    /* Half an hour of two is over: a quarter at 70, a quarter at 72. */
    assert_int_equal(
        sensor_app_get(&test, "/api/v1/range?from=now-30m&to=now%2B90m&points=1&fn=mean"), 200);
    assert_non_null(strstr(test_sink_body(&test.sink), "\"mean\":[71],\"coverage\":[0.25]"));
    assert_int_equal(sensor_app_get(&test, "/api/v1/range?from=now&to=now%2B1h&fn=mean&points=1"),
                     200);
    assert_non_null(strstr(test_sink_body(&test.sink), "\"series\":[]"));
    struct json_object *answer = ask(SENSOR_TEST_NOW + HOUR, "&points=1&fn=m4");
    query_expect(answer, "series.0.temperature.last", "[72]");
    json_object_put(answer);
}

/* A clock that goes before ours by a little does not make its reading invisible. */
static void a_reading_ahead_of_now_is_shown_without_time(void **state)
{
    (void)state;
    add(SENSOR_TEST_NOW - 15 * MINUTE, 1, 1, 700, 40);
    add(SENSOR_TEST_NOW + 2000, 1, 1, 720, 40);
    assert_int_equal(
        sensor_app_get(&test, "/api/v1/range?from=now-15m&to=now%2B15m&fn=mean&points=2"), 200);
    assert_non_null(strstr(test_sink_body(&test.sink), "\"mean\":[70,72],\"coverage\":[1,0]"));
}

static void min_and_max_come_alone(void **state)
{
    (void)state;
    query_add_four_hours(&test);
    struct json_object *answer = ask(T0 + HOUR, "&points=1&fn=min");
    query_expect(answer, "series.0.temperature", "{\"min\":[68.2],\"min_ms\":[3000000]}");
    json_object_put(answer);
    answer = ask(T0 + HOUR, "&points=1&fn=max&quantity=humidity");
    query_expect(answer, "series.0.humidity", "{\"max\":[41],\"max_ms\":[1200000]}");
    query_expect(answer, "series.0.temperature", "missing");
    json_object_put(answer);
}

static void raw_readings_come_as_they_are(void **state)
{
    (void)state;
    query_add_four_hours(&test);
    struct json_object *answer = ask(T0 + 6 * HOUR, "&fn=raw");
    query_expect(answer, "times", "missing");
    query_expect(answer, "series.0.temperature.time",
                 "[1757808600000,1757809200000,1757811000000,1757815800000]");
    query_expect(answer, "series.0.temperature.value", "[70,72.5,68.2,70.2]");
    query_expect(answer, "series.0.humidity.time", "[1757808600000,1757809200000,1757811000000]");
    query_expect(answer, "series.0.humidity.value", "[40,41,41]");
    json_object_put(answer);
}

static void a_reading_at_the_very_end_is_its_own_mean(void **state)
{
    (void)state;
    add(T0 + HOUR - 1, 1, 1, 700, 50);
    struct json_object *answer = ask(T0 + HOUR, "&points=1&fn=mean");
    query_expect(answer, "series.0.temperature.mean", "[70]");
    query_expect(answer, "series.0.temperature.coverage", "[0]");
    json_object_put(answer);
}

/* ---- Rows ---- */

static void rows_are_objects_where_there_is_something(void **state)
{
    (void)state;
    query_add_four_hours(&test);
    add(T0 + 30 * MINUTE, 2, 7, 500, -1);
    struct json_object *answer = ask(T0 + 2 * HOUR, "&points=2&fn=mean&rows=1");
    assert_int_equal(json_object_array_length(answer), 4);
    query_expect(answer, "0",
                 "{\"time\":1757808000000,\"series\":\"1-1\","
                 "\"temperature\":{\"mean\":71.14,\"coverage\":0.833},"
                 "\"humidity\":{\"mean\":40.8,\"coverage\":0.833}}");
    query_expect(answer, "1",
                 "{\"time\":1757808000000,\"series\":\"2-7\","
                 "\"temperature\":{\"mean\":50,\"coverage\":0.5},\"humidity\":null}");
    query_expect(answer, "3.series", "\"2-7\"");
    json_object_put(answer);
    answer = ask(T0 + 6 * HOUR, "&fn=raw&rows=1");
    assert_int_equal(json_object_array_length(answer), 5);
    query_expect(answer, "1.temperature", "72.5");
    query_expect(
        answer, "2",
        "{\"time\":1757809800000,\"series\":\"2-7\",\"temperature\":50,\"humidity\":null}");
    json_object_put(answer);
    answer = ask(T0 + HOUR, "&points=1&rows=1&quantity=humidity");
    assert_int_equal(json_object_array_length(answer), 1);
    query_expect(answer, "0.humidity",
                 "{\"first\":40,\"last\":41,\"min\":40,\"max\":41,\"first_ms\":600000,"
                 "\"last_ms\":3000000,\"min_ms\":600000,\"max_ms\":1200000}");
    query_expect(answer, "0.temperature", "missing");
    json_object_put(answer);
}

static void nothing_is_an_empty_array(void **state)
{
    (void)state;
    struct json_object *answer = ask(T0 + HOUR, "&rows=1");
    assert_int_equal(json_object_array_length(answer), 0);
    json_object_put(answer);
    answer = ask(T0 + HOUR, "&points=3");
    query_expect(answer, "series", "[]");
    query_expect(answer, "times", "[1757808000000,1757809200000,1757810400000]");
    json_object_put(answer);
    answer = ask(T0, "");
    query_expect(answer, "times", "[]");
    json_object_put(answer);
}

/* ---- Series, units, names ---- */

static void names_units_and_limits_are_the_series_own(void **state)
{
    (void)state;
    add(T0 + 10 * MINUTE, 5, 107, 140, 20);
    add(T0 + 10 * MINUTE, 2, 9, 680, 20);
    add(T0 + 10 * MINUTE, 3, 9, 320, 20);
    struct json_object *answer = ask(T0 + 3 * HOUR, "&points=6&fn=max");
    query_expect(answer, "series.0.id", "\"freezer\"");
    query_expect(answer, "series.0.name", "\"Freezer \\\"big\\\"\"");
    query_expect(answer, "series.0.place", "\"Cellar\"");
    query_expect(answer, "series.0.new", "false");
    query_expect(answer, "series.0.unit", "\"C\"");
    query_expect(answer, "series.0.stale_after_ms", "1800000");
    query_expect(answer, "series.0.temperature.max", "[-10,-10,null,null,null,null]");
    query_expect(answer, "series.1.id", "\"porch\"");
    query_expect(answer, "series.1.temperature.max", "[68,68,68,68,68,null]");
    query_expect(answer, "series.2.id", "\"3-9\"");
    query_expect(answer, "series.2.name", "\"\"");
    query_expect(answer, "series.2.unit", "\"F\"");
    json_object_put(answer);
    answer = ask(T0 + 3 * HOUR, "&points=6&fn=max&unit=F&series=freezer");
    query_expect(answer, "series.0.temperature.max", "[14,14,null,null,null,null]");
    assert_int_equal(json_object_array_length(json_object_object_get(answer, "series")), 1);
    json_object_put(answer);
    answer = ask(T0 + 3 * HOUR, "&points=1&fn=max&unit=C&series=3-9,porch");
    query_expect(answer, "unit", "\"C\"");
    query_expect(answer, "series.0.temperature.max", "[20]");
    query_expect(answer, "series.1.temperature.max", "[0]");
    json_object_put(answer);
}

static void a_series_goes_on_with_its_next_transmitter(void **state)
{
    (void)state;
    add(T0 + 5 * HOUR + 50 * MINUTE, 5, 107, 140, 20);
    add(T0 + 6 * HOUR + 10 * MINUTE, 6, 31, 320, 20);
    add(T0 + 6 * HOUR + 20 * MINUTE, 5, 107, 500, 20); /* out of its window: somebody else's */
    struct json_object *answer = ask(T0 + 8 * HOUR, "&points=8&fn=min&quantity=temperature");
    query_expect(answer, "series.0.id", "\"freezer\"");
    query_expect(answer, "series.0.channel", "6");
    query_expect(answer, "series.0.rolling_code", "31");
    query_expect(answer, "series.0.temperature.min", "[null,null,null,null,null,-10,0,null]");
    query_expect(answer, "series.1.id", "\"5-107\"");
    query_expect(answer, "series.1.temperature.min", "[null,null,null,null,null,null,50,50]");
    json_object_put(answer);
}

static void series_are_chosen_by_id_and_channel(void **state)
{
    (void)state;
    add(T0 + MINUTE, 5, 107, 140, 20);
    add(T0 + MINUTE, 5, 1, 150, 20);
    add(T0 + MINUTE, 6, 1, 160, 20);
    add(T0 + MINUTE, 2, 9, 170, 20);
    struct json_object *answer = ask(T0 + HOUR, "&points=1&channel=5&rows=1");
    assert_int_equal(json_object_array_length(answer), 2);
    query_expect(answer, "0.series", "\"freezer\"");
    query_expect(answer, "1.series", "\"5-1\"");
    json_object_put(answer);
    answer = ask(T0 + HOUR, "&points=1&channel=6&rows=1"); /* the freezer moved there */
    assert_int_equal(json_object_array_length(answer), 2);
    json_object_put(answer);
    answer = ask(T0 + HOUR, "&points=1&channel=6&rows=1&series=6-1,porch");
    assert_int_equal(json_object_array_length(answer), 1);
    json_object_put(answer);
    answer = ask(T0 + HOUR, "&fn=raw&rows=1&series=porch,%205-1");
    assert_int_equal(json_object_array_length(answer), 2);
    json_object_put(answer);
}

static void a_series_that_is_named_is_there_also_when_empty(void **state)
{
    (void)state;
    add(T0 + MINUTE, 5, 107, 140, 20);
    struct json_object *answer = ask(T0 + HOUR, "&points=2&fn=min&series=16-255,freezer");
    query_expect(answer, "series.0.id", "\"freezer\"");
    query_expect(answer, "series.1.id", "\"16-255\"");
    query_expect(answer, "series.1.humidity.min", "[null,null]");
    json_object_put(answer);
}

static void suspects_take_quality_all(void **state)
{
    const struct reading suspect = {.time_ms = T0 + MINUTE,
                                    .channel = 1,
                                    .raw = 1000,
                                    .humidity = 5,
                                    .time_quality = TIME_SUSPECT};
    (void)state;
    memory_readings_add(&test.memory, &suspect);
    struct json_object *answer = ask(T0 + HOUR, "&points=1&rows=1");
    assert_int_equal(json_object_array_length(answer), 0);
    json_object_put(answer);
    answer = ask(T0 + HOUR, "&points=1&rows=1&quality=all");
    assert_int_equal(json_object_array_length(answer), 1);
    json_object_put(answer);
    answer = ask(T0 + HOUR, "&fn=raw&rows=1&quality=all");
    assert_int_equal(json_object_array_length(answer), 1);
    json_object_put(answer);
}

/* ---- Time ---- */

static void days_are_those_of_the_zone(void **state)
{
    (void)state;
    /* A reading an hour from 2025-11-01T00:00Z; on the 2nd Denver has 25 hours. */
    static const int64_t begin = INT64_C(1761955200000);
    for (int i = 0; i < 96; i++)
        add(begin + i * HOUR + 1, 1, 1, 700 + i, 50);
    static const char question[] = "/api/v1/range?from=1761955200000&to=1762300800000&bucket=day"
                                   "&fn=max&quantity=temperature";
    struct json_object *answer = query_get(&test, question);
    query_expect(answer, "times",
                 "[1761955200000,1761976800000,1762063200000,1762153200000,1762239600000]");
    query_expect(answer, "series.0.temperature.max", "[70.5,72.9,75.4,77.8,79.5]");
    json_object_put(answer);
    char target[300];
    snprintf(target, sizeof target, "%s&tz=Asia/Tokyo", question);
    answer = query_get(&test, target);
    query_expect(answer, "zone", "\"Asia/Tokyo\"");
    query_expect(answer, "times",
                 "[1761955200000,1762009200000,1762095600000,1762182000000,1762268400000]");
    json_object_put(answer);
}

static void by_default_it_is_the_seven_days_up_to_the_newest(void **state)
{
    (void)state;
    add(T0 + 5 * MINUTE, 1, 1, 700, 50);
    struct json_object *answer = query_get(&test, "/api/v1/range");
    query_expect(answer, "from", "1757203500001");
    query_expect(answer, "to", "1757808300001");
    assert_int_equal(json_object_array_length(json_object_object_get(answer, "times")), 1000);
    json_object_put(answer);
    answer = query_get(&test, "/api/v1/range?from=now-100y&to=now");
    query_expect(answer, "from", "0");
    json_object_put(answer);
    /* From behind the newest there is nothing. */
    answer = query_get(&test, "/api/v1/range?from=now%2b1h");
    query_expect(answer, "times", "[]");
    json_object_put(answer);
}

static void an_empty_store_has_an_answer(void **state)
{
    (void)state;
    struct json_object *answer = query_get(&test, "/api/v1/range");
    query_expect(answer, "to", "1757894700001");
    query_expect(answer, "series", "[]");
    json_object_put(answer);
}

/* ---- Chance: columns and rows say the same, and it is what the readings say ---- */

static void columns_and_rows_agree(struct json_object *columns, struct json_object *rows,
                                   const char *member, const char *after)
{
    struct json_object *times = json_object_object_get(columns, "times");
    struct json_object *series = json_object_object_get(columns, "series");
    size_t found = 0;
    for (size_t i = 0; i < json_object_array_length(rows); i++) {
        struct json_object *row = json_object_array_get_idx(rows, i);
        int64_t time = json_object_get_int64(json_object_object_get(row, "time"));
        const char *id = json_object_get_string(json_object_object_get(row, "series"));
        size_t bucket = 0, s = 0;
        while (json_object_get_int64(json_object_array_get_idx(times, bucket)) != time)
            bucket++;
        while (strcmp(json_object_get_string(
                          json_object_object_get(json_object_array_get_idx(series, s), "id")),
                      id) != 0)
            s++;
        char path[100], expected[100];
        const char *const quantities[] = {"temperature", "humidity"};
        for (int q = 0; q < 2; q++) {
            snprintf(path, sizeof path, "%s.%s", quantities[q], member);
            bool there = json_object_object_get(row, quantities[q]) != NULL;
            snprintf(expected, sizeof expected, "%s", there ? query_at(row, path) : "null");
            snprintf(path, sizeof path, "series.%zu.%s.%s.%zu", s, quantities[q], member, bucket);
            query_expect(columns, path, expected);
            snprintf(path, sizeof path, "%s.%s", quantities[q], after);
            snprintf(expected, sizeof expected, "%s", there ? query_at(row, path) : "null");
            snprintf(path, sizeof path, "series.%zu.%s.%s.%zu", s, quantities[q], after, bucket);
            query_expect(columns, path, strcmp(after, "coverage") == 0 && !there ? "0" : expected);
            found += there;
        }
    }
    size_t values = 0;
    for (size_t s = 0; s < json_object_array_length(series); s++) {
        for (size_t bucket = 0; bucket < json_object_array_length(times); bucket++) {
            char path[100];
            snprintf(path, sizeof path, "series.%zu.temperature.%s.%zu", s, member, bucket);
            values += strcmp(query_at(columns, path), "null") != 0;
            snprintf(path, sizeof path, "series.%zu.humidity.%s.%zu", s, member, bucket);
            values += strcmp(query_at(columns, path), "null") != 0;
        }
    }
    assert_int_equal(found, values);
}

static void any_readings_say_the_same_in_columns_and_rows(void **state)
{
    static const char *const functions[][3] = {
        {"m4", "first", "last_ms"}, {"mean", "mean", "coverage"}, {"min", "min", "min_ms"}};
    (void)state;
    for (int i = 0; i < 300; i++) {
        struct reading reading = sensor_random_reading();
        reading.channel = 1 + chance(3);
        reading.rolling_code = 9 + chance(2);
        reading.time_ms = T0 + chance((int)DAY);
        memory_readings_add(&test.memory, &reading);
    }
    for (size_t i = 0; i < 3; i++) {
        char query[100];
        int points = 1 + chance(40);
        snprintf(query, sizeof query, "&fn=%s&points=%d", functions[i][0], points);
        struct json_object *columns = ask(T0 + DAY, query);
        snprintf(query, sizeof query, "&fn=%s&points=%d&rows=1", functions[i][0], points);
        struct json_object *rows = ask(T0 + DAY, query);
        columns_and_rows_agree(columns, rows, functions[i][1], functions[i][2]);
        json_object_put(columns);
        json_object_put(rows);
    }
}

int main(void)
{
#define STORY(name) cmocka_unit_test_setup_teardown(name, start, stop)
#define NAMED(name) cmocka_unit_test_setup_teardown(name, start_named, stop)
    const struct CMUnitTest tests[] = {
        STORY(m4_has_four_values_and_their_times),
        STORY(a_mean_is_weighted_by_time),
        STORY(nothing_is_held_beyond_now),
        STORY(a_reading_ahead_of_now_is_shown_without_time),
        STORY(min_and_max_come_alone),
        STORY(raw_readings_come_as_they_are),
        STORY(a_reading_at_the_very_end_is_its_own_mean),
        STORY(rows_are_objects_where_there_is_something),
        STORY(nothing_is_an_empty_array),
        NAMED(names_units_and_limits_are_the_series_own),
        NAMED(a_series_goes_on_with_its_next_transmitter),
        NAMED(series_are_chosen_by_id_and_channel),
        NAMED(a_series_that_is_named_is_there_also_when_empty),
        STORY(suspects_take_quality_all),
        STORY(days_are_those_of_the_zone),
        STORY(by_default_it_is_the_seven_days_up_to_the_newest),
        STORY(an_empty_store_has_an_answer),
        NAMED(any_readings_say_the_same_in_columns_and_rows),
    };
    return cmocka_run_group_tests_name("range queries", tests, NULL, NULL);
}
