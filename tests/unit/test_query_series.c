/*
 * test_query_series.c - GET /api/v1/latest, /api/v1/series and /api/v1/tail.
 */
#include "tests/unit/support_query.h"

#include <stdio.h>
#include <string.h>

#define MINUTE QUERY_MINUTE
#define HOUR   QUERY_HOUR
#define DAY    QUERY_DAY
#define T0     QUERY_T0

static struct sensor_app test;

static int start(void **state)
{
    (void)state;
    sensor_app_start(&test, "sensor: { stale_after_s = 3600; };");
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

static size_t length(struct json_object *answer, const char *member)
{
    return json_object_array_length(json_object_object_get(answer, member));
}

/* ---- Latest ---- */

static void the_newest_reading_of_each_series(void **state)
{
    const struct reading full = {.time_ms = SENSOR_TEST_NOW - 5 * MINUTE,
                                 .channel = 3,
                                 .rolling_code = 15,
                                 .scale = SCALE_TENTHS_C,
                                 .raw = 1213,
                                 .humidity = 47,
                                 .battery_low = true,
                                 .signal = 63};
    (void)state;
    memory_readings_add(&test.memory, &full);
    add(SENSOR_TEST_NOW - 9 * MINUTE, 3, 15, 700, 40);
    add(SENSOR_TEST_NOW - HOUR, 1, 2, -9999, 40); /* the limit to the millisecond */
    struct json_object *answer = query_get(&test, "/api/v1/latest");
    query_expect(answer, "now", "1757894700000");
    assert_int_equal(length(answer, "series"), 2);
    query_expect(answer, "series.0",
                 "{\"id\":\"1-2\",\"name\":\"\",\"place\":\"\",\"channel\":1,\"rolling_code\":2,"
                 "\"new\":true,\"unit\":\"F\",\"stale_after_ms\":3600000,\"time\":1757891100000,"
                 "\"age_ms\":3600000,\"stale\":true,\"temperature\":null,\"humidity\":40,"
                 "\"battery_low\":false,\"signal_dbm\":null,\"count\":1}");
    query_expect(answer, "series.1",
                 "{\"id\":\"3-15\",\"name\":\"\",\"place\":\"\",\"channel\":3,\"rolling_code\":15,"
                 "\"new\":true,\"unit\":\"F\",\"stale_after_ms\":3600000,\"time\":1757894400000,"
                 "\"age_ms\":300000,\"stale\":false,\"temperature\":70.34,\"humidity\":47,"
                 "\"battery_low\":true,\"signal_dbm\":-63,\"count\":2}");
    json_object_put(answer);
    answer = query_get(&test, "/api/v1/latest?unit=C&channel=3");
    assert_int_equal(length(answer, "series"), 1);
    query_expect(answer, "series.0.temperature", "21.3");
    json_object_put(answer);
    assert_null(test_sink_header(&test.sink, "ETag"));
}

static void a_named_series_has_the_newest_of_its_transmitters(void **state)
{
    (void)state;
    add(T0 + HOUR, 5, 107, 140, 20);
    add(T0 + 7 * HOUR, 6, 31, 150, 20);
    struct json_object *answer = query_get(&test, "/api/v1/latest");
    assert_int_equal(length(answer, "series"), 1);
    query_expect(answer, "series.0.time", "1757833200000");
    json_object_put(answer);
    add(T0 + 8 * HOUR, 5, 107, 500, 20); /* the code came again, and belongs to nobody */
    answer = query_get(&test, "/api/v1/latest");
    assert_int_equal(length(answer, "series"), 2);
    query_expect(answer, "series.0.id", "\"freezer\"");
    query_expect(answer, "series.0.time", "1757833200000");
    query_expect(answer, "series.0.temperature", "-9.44");
    query_expect(answer, "series.0.count", "2");
    query_expect(answer, "series.0.new", "false");
    query_expect(answer, "series.1.id", "\"5-107\"");
    query_expect(answer, "series.1.temperature", "50");
    query_expect(answer, "series.1.count", "1");
    json_object_put(answer);
}

/* Its only transmitter is somebody else's by now: the store's latest of that code is not its own.
 */
static void a_retired_series_keeps_its_last_reading(void **state)
{
    (void)state;
    add(T0 + HOUR, 5, 107, 140, 20);
    add(T0 + 2 * HOUR, 5, 107, 150, 21);
    for (int i = 0; i < 10; i++)
        add(T0 + 8 * HOUR + i, 5, 107, 500, 20);
    struct json_object *answer = query_get(&test, "/api/v1/latest?series=freezer");
    assert_int_equal(length(answer, "series"), 1);
    query_expect(answer, "series.0.humidity", "21");
    query_expect(answer, "series.0.time", "1757815200000");
    query_expect(answer, "series.0.count", "2");
    json_object_put(answer);
}

static void suspects_and_nothing_are_no_latest(void **state)
{
    const struct reading suspect = {
        .time_ms = T0, .channel = 1, .raw = 1000, .humidity = 5, .time_quality = TIME_SUSPECT};
    (void)state;
    struct json_object *answer = query_get(&test, "/api/v1/latest");
    query_expect(answer, "series", "[]");
    json_object_put(answer);
    memory_readings_add(&test.memory, &suspect);
    answer = query_get(&test, "/api/v1/latest");
    query_expect(answer, "series", "[]");
    json_object_put(answer);
}

/* ---- Series ---- */

static void series_say_what_they_are_made_of(void **state)
{
    (void)state;
    add(T0 + HOUR, 5, 107, 140, 20);
    add(T0 + 2 * HOUR, 5, 107, 140, 20);
    add(T0 + 7 * HOUR, 6, 31, 150, 20);
    add(T0 + 3 * HOUR, 9, 8, 150, 20);
    struct json_object *answer = query_get(&test, "/api/v1/series");
    assert_int_equal(length(answer, "series"), 3);
    query_expect(answer, "series.0",
                 "{\"id\":\"freezer\",\"name\":\"Freezer \\\"big\\\"\",\"place\":\"Cellar\","
                 "\"channel\":6,\"rolling_code\":31,\"new\":false,\"unit\":\"C\","
                 "\"stale_after_ms\":1800000,\"first\":1757811600000,\"last\":1757833200000,"
                 "\"count\":3,\"transmitters\":["
                 "{\"channel\":5,\"rolling_code\":107,\"first\":1757811600000,"
                 "\"last\":1757815200000,\"count\":2,\"from\":1704067200000,\"to\":1757829600000},"
                 "{\"channel\":6,\"rolling_code\":31,\"first\":1757833200000,"
                 "\"last\":1757833200000,\"count\":1,\"from\":1757829600000,\"to\":null}]}");
    query_expect(answer, "series.1.id", "\"porch\"");
    query_expect(answer, "series.1.count", "0");
    query_expect(answer, "series.1.first", "null");
    query_expect(answer, "series.1.transmitters.0.last", "null");
    query_expect(answer, "series.2",
                 "{\"id\":\"9-8\",\"name\":\"\",\"place\":\"\",\"channel\":9,\"rolling_code\":8,"
                 "\"new\":true,\"unit\":\"F\",\"stale_after_ms\":3600000,\"first\":1757818800000,"
                 "\"last\":1757818800000,\"count\":1,\"transmitters\":["
                 "{\"channel\":9,\"rolling_code\":8,\"first\":1757818800000,"
                 "\"last\":1757818800000,\"count\":1,\"from\":null,\"to\":null}]}");
    json_object_put(answer);
    answer = query_get(&test, "/api/v1/series?series=9-8");
    assert_int_equal(length(answer, "series"), 1);
    json_object_put(answer);
}

static void a_code_that_came_again_is_counted_by_window(void **state)
{
    static const char names[] =
        "{\"version\":1,\"series\":["
        "{\"id\":\"a\",\"name\":\"\",\"unit\":\"F\",\"place\":\"\",\"stale_after_s\":7200,"
        "\"transmitters\":[{\"channel\":1,\"rolling_code\":7,\"from\":\"2025-09-14T01:00:00Z\","
        "\"to\":\"2025-09-14T02:00:00Z\"},{\"channel\":2,\"rolling_code\":7,"
        "\"from\":\"2025-09-14T02:00:00Z\",\"to\":\"2025-09-14T05:00:00Z\"},"
        "{\"channel\":1,\"rolling_code\":7,\"from\":\"2025-09-14T06:00:00Z\","
        "\"to\":\"2025-09-14T07:00:00Z\"}]},"
        "{\"id\":\"b\",\"name\":\"\",\"unit\":\"F\",\"place\":\"\",\"stale_after_s\":7200,"
        "\"transmitters\":[{\"channel\":1,\"rolling_code\":7,\"from\":\"2025-09-14T03:00:00Z\","
        "\"to\":\"2025-09-14T04:00:00Z\"}]}]}";
    (void)state;
    query_write_names(&test, names);
    for (int i = 0; i < 80; i++) /* ten an hour of one code, whoever's it is */
        add(T0 + i * INT64_C(6) * MINUTE, 1, 7, 700 + i, 40);
    for (int i = 0; i < 5; i++)
        add(T0 + 3 * HOUR + i, 2, 7, 700, 40);
    struct json_object *answer = query_get(&test, "/api/v1/series");
    assert_int_equal(length(answer, "series"), 3);
    query_expect(answer, "series.0.count", "25");
    query_expect(answer, "series.0.transmitters.0.count", "10");
    query_expect(answer, "series.0.transmitters.0.first", "1757811600000");
    query_expect(answer, "series.0.transmitters.0.last", "1757814840000");
    query_expect(answer, "series.0.transmitters.1.count", "5");
    query_expect(answer, "series.0.transmitters.2.count", "10");
    query_expect(answer, "series.1.count", "10");
    query_expect(answer, "series.2.id", "\"1-7\"");
    query_expect(answer, "series.2.count", "50");
    query_expect(answer, "series.2.first", "1757808000000");
    query_expect(answer, "series.2.last", "1757836440000");
    json_object_put(answer);
}

static void what_came_before_a_window_is_an_unnamed_series(void **state)
{
    static const char names[] =
        "{\"version\":1,\"series\":[{\"id\":\"a\",\"name\":\"\",\"unit\":\"F\",\"place\":\"\","
        "\"stale_after_s\":7200,\"transmitters\":[{\"channel\":1,\"rolling_code\":7,"
        "\"from\":\"2025-09-14T01:00:00Z\",\"to\":null}]}]}";
    (void)state;
    query_write_names(&test, names);
    add(T0 + HOUR - 1, 1, 7, 700, 40);
    add(T0 + HOUR, 1, 7, 710, 40);
    add(T0 + HOUR + 1, 1, 7, 720, 40);
    struct json_object *answer = query_get(&test, "/api/v1/series");
    query_expect(answer, "series.0.count", "2");
    query_expect(answer, "series.1.id", "\"1-7\"");
    query_expect(answer, "series.1.count", "1");
    json_object_put(answer);
    answer = query_get(&test, "/api/v1/latest");
    query_expect(answer, "series.0.temperature", "72");
    query_expect(answer, "series.1.temperature", "70");
    json_object_put(answer);
}

static void unchanged_series_are_304(void **state)
{
    char headers[200];
    (void)state;
    add(T0, 5, 107, 140, 20);
    assert_int_equal(sensor_app_get(&test, "/api/v1/series"), 200);
    snprintf(headers, sizeof headers, "If-None-Match: %s\n", test_sink_header(&test.sink, "ETag"));
    int reads = test.memory.reads;
    assert_int_equal(sensor_app_request(&test, "GET", "/api/v1/series", NULL, headers, VIEW_NONE),
                     304);
    assert_int_equal(test.memory.reads, reads);
    assert_int_equal(
        sensor_app_request(&test, "GET", "/api/v1/series?unit=C", NULL, headers, VIEW_NONE), 200);
    add(T0 + 1, 5, 107, 140, 20);
    assert_int_equal(sensor_app_request(&test, "GET", "/api/v1/series", NULL, headers, VIEW_NONE),
                     200);
}

/* ---- Tail ---- */

static struct json_object *follow(const char *cursor, const char *more)
{
    char target[200];
    snprintf(target, sizeof target, "/api/v1/tail?%s%.34s%s", cursor ? "after=" : "",
             cursor ? cursor + 1 : "", more);
    return query_get(&test, target);
}

static void a_tail_gives_what_came_in_the_order_it_came(void **state)
{
    char cursor[64];
    (void)state;
    add(T0 + 2000, 5, 107, 140, 20);
    add(T0 + 1000, 1, 2, 700, -1); /* late */
    struct json_object *answer = follow(NULL, "");
    query_expect(answer, "reset", "false");
    query_expect(answer, "more", "false");
    assert_int_equal(length(answer, "readings"), 2);
    query_expect(answer, "readings.0",
                 "{\"time\":1757808002000,\"series\":\"freezer\",\"channel\":5,"
                 "\"rolling_code\":107,\"unit\":\"C\",\"temperature\":-10,\"humidity\":20,"
                 "\"battery_low\":false,\"signal_dbm\":null}");
    query_expect(answer, "readings.1.series", "\"1-2\"");
    query_expect(answer, "readings.1.humidity", "null");
    snprintf(cursor, sizeof cursor, "%s", query_at(answer, "cursor"));
    json_object_put(answer);
    answer = follow(cursor, "");
    query_expect(answer, "readings", "[]");
    query_expect(answer, "cursor", cursor);
    json_object_put(answer);
    add(T0 + 500, 1, 2, 700, 40);
    answer = follow(cursor, "&unit=C");
    assert_int_equal(length(answer, "readings"), 1);
    query_expect(answer, "readings.0.temperature", "21.11");
    json_object_put(answer);
}

static void a_tail_is_cut_and_says_more(void **state)
{
    char cursor[64];
    (void)state;
    for (int i = 0; i < 1500; i++)
        add(T0 + i, 1 + i % 2, 1, 700, 40);
    struct json_object *answer = follow(NULL, "");
    assert_int_equal(length(answer, "readings"), 1000);
    query_expect(answer, "more", "true");
    snprintf(cursor, sizeof cursor, "%s", query_at(answer, "cursor"));
    json_object_put(answer);
    answer = follow(cursor, "&limit=400&channel=1");
    assert_int_equal(length(answer, "readings"), 200);
    query_expect(answer, "more", "true");
    json_object_put(answer);
    answer = follow(cursor, "&limit=500");
    query_expect(answer, "more", "false");
    json_object_put(answer);
}

static void a_cursor_into_what_was_sealed_is_reset(void **state)
{
    char cursor[64];
    (void)state;
    add(T0, 1, 1, 700, 40);
    struct json_object *answer = follow(NULL, "");
    snprintf(cursor, sizeof cursor, "%s", query_at(answer, "cursor"));
    json_object_put(answer);
    memory_readings_seal(&test.memory);
    add(T0 + 1, 1, 1, 700, 40);
    answer = follow(cursor, "");
    query_expect(answer, "reset", "true");
    query_expect(answer, "readings", "[]");
    snprintf(cursor, sizeof cursor, "%s", query_at(answer, "cursor"));
    json_object_put(answer);
    add(T0 + 2, 1, 1, 701, 40);
    answer = follow(cursor, "");
    query_expect(answer, "reset", "false");
    query_expect(answer, "readings.0.temperature", "70.1");
    json_object_put(answer);
}

static void suspects_show_in_the_tail_when_all_are_asked_for(void **state)
{
    const struct reading suspect = {
        .time_ms = T0, .channel = 1, .raw = 1000, .humidity = 5, .time_quality = TIME_SUSPECT};
    (void)state;
    memory_readings_add(&test.memory, &suspect);
    struct json_object *answer = follow(NULL, "");
    assert_int_equal(length(answer, "readings"), 0);
    json_object_put(answer);
    answer = follow(NULL, "quality=all");
    assert_int_equal(length(answer, "readings"), 1);
    json_object_put(answer);
}

static void what_is_no_cursor_is_refused(void **state)
{
    static const char *const cursors[] = {"",
                                          "0",
                                          "x",
                                          "0000000000000000000000000000000000",
                                          "now",
                                          "00000000000000010000000000000001zz",
                                          "000000000000000100000000000000010000"};
    (void)state;
    for (size_t i = 0; i < sizeof cursors / sizeof cursors[0]; i++) {
        char target[100];
        snprintf(target, sizeof target, "/api/v1/tail?after=%s", cursors[i]);
        query_expect_refused(&test, target, "`after` must be the `cursor` of an answer before");
    }
    query_expect_refused(&test, "/api/v1/tail?limit=0", "from 1 to 1000");
    query_expect_refused(&test, "/api/v1/tail?limit=1001", "from 1 to 1000");
    query_expect_refused(&test, "/api/v1/latest?unit=K", "F or C");
    query_expect_refused(&test, "/api/v1/series?series=nobody", "/api/v1/series lists them");
}

/* ---- Who may, and what breaks ---- */

static const char *const all_targets[] = {
    "/api/v1/range",  "/api/v1/latest",     "/api/v1/series",     "/api/v1/tail",
    "/api/v1/export", "/api/v1/export.csv", "/api/v1/export.bin", "/api/v1/export.ndjson"};

static void relay_and_occupied_never_show(void **state)
{
    const struct reading reading = {.time_ms = SENSOR_TEST_NOW,
                                    .channel = 1,
                                    .raw = 1000,
                                    .humidity = 5,
                                    .relay = true,
                                    .occupied = true};
    (void)state;
    memory_readings_add(&test.memory, &reading);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(
            sensor_app_request(&test, "GET", all_targets[i], test.reader, NULL, VIEW_NONE), 200);
        assert_null(strstr(test_sink_body(&test.sink), "relay"));
        assert_null(strstr(test_sink_body(&test.sink), "occupied"));
    }
}

static void a_private_store_asks_for_the_scope(void **state)
{
    (void)state;
    sensor_app_stop(&test);
    sensor_app_start(&test, "sensor: { public = false; };");
    for (size_t i = 0; i < sizeof all_targets / sizeof all_targets[0]; i++) {
        assert_int_equal(sensor_app_get(&test, all_targets[i]), 401);
        assert_int_equal(
            sensor_app_request(&test, "GET", all_targets[i], test.writer, NULL, VIEW_NONE), 403);
        assert_int_equal(
            sensor_app_request(&test, "GET", all_targets[i], test.reader, NULL, VIEW_NONE), 200);
        assert_string_equal(test_sink_header(&test.sink, "Cache-Control"), "private, no-cache");
    }
}

static void a_store_that_breaks_is_503(void **state)
{
    (void)state;
    add(T0, 5, 107, 140, 20);
    test.memory.fail_read = HEARTH_IO;
    for (size_t i = 0; i < sizeof all_targets / sizeof all_targets[0]; i++)
        assert_int_equal(sensor_app_get(&test, all_targets[i]), 503);
}

int main(void)
{
#define STORY(name) cmocka_unit_test_setup_teardown(name, start, stop)
#define NAMED(name) cmocka_unit_test_setup_teardown(name, start_named, stop)
    const struct CMUnitTest tests[] = {
        STORY(the_newest_reading_of_each_series),
        NAMED(a_named_series_has_the_newest_of_its_transmitters),
        NAMED(a_retired_series_keeps_its_last_reading),
        STORY(suspects_and_nothing_are_no_latest),
        NAMED(series_say_what_they_are_made_of),
        STORY(a_code_that_came_again_is_counted_by_window),
        STORY(what_came_before_a_window_is_an_unnamed_series),
        STORY(unchanged_series_are_304),
        NAMED(a_tail_gives_what_came_in_the_order_it_came),
        STORY(a_tail_is_cut_and_says_more),
        STORY(a_cursor_into_what_was_sealed_is_reset),
        STORY(suspects_show_in_the_tail_when_all_are_asked_for),
        STORY(what_is_no_cursor_is_refused),
        NAMED(relay_and_occupied_never_show),
        STORY(a_private_store_asks_for_the_scope),
        STORY(a_store_that_breaks_is_503),
    };
    return cmocka_run_group_tests_name("series and tail", tests, NULL, NULL);
}
