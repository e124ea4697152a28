/*
 * test_sensor_handlers.c - what the sensor module shows: rows of JSON, the page, and to whom.
 */
#include "tests/unit/support_chance.h"
#include "tests/unit/support_sensor.h"

#include "handlers/sensor/record/scale.h"

#include <json-c/json.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct sensor_app test;

static int start(void **state)
{
    (void)state;
    sensor_app_start(&test, "sensor: { time_zone = \"America/Denver\"; };");
    chance_seed(31);
    return 0;
}

static int start_private(void **state)
{
    (void)state;
    sensor_app_start(&test, "sensor: { public = false; };");
    return 0;
}

static int stop(void **state)
{
    (void)state;
    sensor_app_stop(&test);
    return 0;
}

static void add(int64_t time_ms, int channel, int raw)
{
    const struct reading reading = {.time_ms = time_ms,
                                    .channel = channel,
                                    .rolling_code = 100 + channel,
                                    .raw = raw,
                                    .humidity = 40 + channel};
    memory_readings_add(&test.memory, &reading);
}

/* ---- Temperatures ---- */

static void scales_convert_to_the_nearest_tenth(void **state)
{
    (void)state;
    for (int raw = 0; raw < RAW_ABSENT; raw++) {
        const struct reading f = {.scale = SCALE_TENTHS_F, .raw = raw};
        const struct reading c = {.scale = SCALE_TENTHS_C, .raw = raw};
        assert_int_equal(reading_tenths_f(&f), raw - 400);
        assert_int_equal(reading_tenths_c(&c), raw - 1000);
        assert_int_equal(reading_tenths_c(&f), lround((raw - 400 - 320) / 1.8));
        assert_int_equal(reading_tenths_f(&c), lround((raw - 1000) * 1.8 + 320));
    }
}

/* ---- Rows ---- */

static void a_row_has_the_legacy_members(void **state)
{
    (void)state;
    const struct reading full = {.time_ms = 1757894691123,
                                 .channel = 5,
                                 .rolling_code = 15,
                                 .raw = 1144,
                                 .humidity = 47,
                                 .battery_low = true,
                                 .signal = 63,
                                 .relay = true};
    const struct reading bare = {.time_ms = 1757894692000,
                                 .channel = 16,
                                 .rolling_code = 15,
                                 .scale = SCALE_TENTHS_C,
                                 .raw = RAW_ABSENT,
                                 .humidity = 0};
    const struct reading cold = {.time_ms = 1757894693000,
                                 .channel = 1,
                                 .rolling_code = 0,
                                 .scale = SCALE_TENTHS_C,
                                 .raw = 877,
                                 .humidity = HUMIDITY_ABSENT};
    memory_readings_add(&test.memory, &full);
    memory_readings_add(&test.memory, &bare);
    memory_readings_add(&test.memory, &cold);
    static const char rows[] =
        "[{\"sensor_timestamp\":\"2025-09-15 00:04:51\",\"channel\":5,\"rawTemp\":1236,"
        "\"humidity\":47,\"signalStrength\":-63,\"batteryLow\":true},\n"
        "{\"sensor_timestamp\":\"2025-09-15 00:04:52\",\"channel\":16,\"rawTemp\":null,"
        "\"humidity\":0,\"signalStrength\":null,\"batteryLow\":false},\n"
        "{\"sensor_timestamp\":\"2025-09-15 00:04:53\",\"channel\":1,\"rawTemp\":877,"
        "\"humidity\":null,\"signalStrength\":null,\"batteryLow\":false}]\n";
    assert_int_equal(sensor_app_get(&test, "/data"), 200);
    sensor_app_expect_body(&test, rows);
    assert_string_equal(test_sink_header(&test.sink, "Content-Type"), "application/json");
    assert_string_equal(test_sink_header(&test.sink, "Cache-Control"), "no-cache");
    assert_int_equal(sensor_app_get(&test, "/temp/data"), 200);
    sensor_app_expect_body(&test, rows);
}

static void no_readings_are_no_rows(void **state)
{
    (void)state;
    assert_int_equal(sensor_app_get(&test, "/data"), 200);
    sensor_app_expect_body(&test, "[]\n");
}

static const char *row_text(struct json_object *rows, size_t index, const char *member)
{
    struct json_object *row = json_object_array_get_idx(rows, index), *value = NULL;
    assert_true(json_object_object_get_ex(row, member, &value));
    return json_object_get_string(value);
}

static int row_number(struct json_object *rows, size_t index, const char *member, int absent)
{
    struct json_object *row = json_object_array_get_idx(rows, index), *value = NULL;
    assert_true(json_object_object_get_ex(row, member, &value));
    return value ? json_object_get_int(value) : absent;
}

static struct json_object *get_rows(const char *target)
{
    assert_int_equal(sensor_app_get(&test, target), 200);
    struct json_object *rows = json_tokener_parse(test_sink_body(&test.sink));
    assert_non_null(rows);
    return rows;
}

/* Whatever was stored, the rows say it. */
static void any_reading_comes_back_in_its_row(void **state)
{
    (void)state;
    while (test.memory.count < 3000) {
        struct reading reading = sensor_random_reading();
        reading.time_quality = TIME_SENDER;
        memory_readings_add(&test.memory, &reading);
    }
    struct json_object *rows = get_rows("/data?from=0");
    assert_int_equal(json_object_array_length(rows), 3000);
    for (size_t i = 0; i < 3000; i++) {
        struct reading reading;
        char time[CLOCK_RFC3339_SIZE];
        assert_int_equal(record_decode(&test.memory.records[i], &reading), REJECT_NONE);
        clock_format_rfc3339(reading.time_ms, time);
        time[10] = ' ';
        time[19] = '\0';
        assert_string_equal(row_text(rows, i, "sensor_timestamp"), time);
        assert_int_equal(row_number(rows, i, "channel", 0), reading.channel);
        int raw = reading.raw == RAW_ABSENT ? -9999 : reading_tenths_c(&reading) + 1000;
        assert_int_equal(row_number(rows, i, "rawTemp", -9999), raw);
        assert_int_equal(row_number(rows, i, "humidity", HUMIDITY_ABSENT), reading.humidity);
        assert_int_equal(row_number(rows, i, "signalStrength", 0), -reading.signal);
        assert_string_equal(row_text(rows, i, "batteryLow"),
                            reading.battery_low ? "true" : "false");
    }
    json_object_put(rows);
}

static void by_default_it_is_the_seven_days_up_to_the_newest(void **state)
{
    static const int64_t newest = SENSOR_TEST_NOW - 90 * INT64_C(86400000);
    static const int64_t week = 7 * INT64_C(86400000);
    (void)state;
    add(newest - week - 1, 1, 1000);
    add(newest - week + 1, 2, 1000);
    add(newest, 3, 1000);
    struct json_object *rows = get_rows("/data");
    assert_int_equal(json_object_array_length(rows), 2);
    assert_int_equal(row_number(rows, 0, "channel", 0), 2);
    json_object_put(rows);
    char target[100];
    snprintf(target, sizeof target, "/data?to=%lld", (long long)newest);
    rows = get_rows(target);
    assert_int_equal(json_object_array_length(rows), 1); /* `to` itself is not in it */
    assert_int_equal(row_number(rows, 0, "channel", 0), 2);
    json_object_put(rows);
    rows = get_rows("/data?from=now-1h");
    assert_int_equal(json_object_array_length(rows), 0);
    json_object_put(rows);
}

static void suspects_show_only_when_all_are_asked_for(void **state)
{
    (void)state;
    add(SENSOR_TEST_NOW, 1, 1000);
    const struct reading future = {.time_ms = SENSOR_TEST_NOW + INT64_C(86400000) * 365,
                                   .channel = 2,
                                   .raw = 1000,
                                   .humidity = 1,
                                   .time_quality = TIME_SUSPECT};
    memory_readings_add(&test.memory, &future);
    struct json_object *rows = get_rows("/data");
    assert_int_equal(json_object_array_length(rows), 1);
    json_object_put(rows);
    rows = get_rows("/data?from=0&to=now%2b400d&quality=all");
    assert_int_equal(json_object_array_length(rows), 2);
    json_object_put(rows);
}

static void a_bad_span_says_what_is_allowed(void **state)
{
    static const char *const targets[] = {"/data?from=", "/data?to=tomorrow",
                                          "/data?from=2025-09-31T00:00:00Z"};
    (void)state;
    for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++) {
        assert_int_equal(sensor_app_get(&test, targets[i]), 400);
        assert_string_equal(test_sink_header(&test.sink, "Content-Type"),
                            "application/problem+json");
        sensor_app_expect_part(&test, "milliseconds since 1970");
    }
    assert_int_equal(sensor_app_get(&test, "/data?from=now&to=now-1h"), 400);
    sensor_app_expect_part(&test, "`from` is after `to`");
}

static void unchanged_rows_are_304_and_late_ones_show_at_once(void **state)
{
    char headers[200];
    (void)state;
    add(SENSOR_TEST_NOW, 1, 1000);
    assert_int_equal(sensor_app_get(&test, "/data"), 200);
    snprintf(headers, sizeof headers, "If-None-Match: %s\n", test_sink_header(&test.sink, "ETag"));
    assert_int_equal(headers[sizeof "If-None-Match: " - 1], '"');
    assert_int_equal(sensor_app_request(&test, "GET", "/data", NULL, headers, VIEW_NONE), 304);
    assert_int_equal(test.sink.body.length, 0);
    assert_int_equal(sensor_app_request(&test, "GET", "/data?from=0", NULL, headers, VIEW_NONE),
                     200);
    add(SENSOR_TEST_NOW - 1000, 2, 1000);
    assert_int_equal(sensor_app_request(&test, "GET", "/data", NULL, headers, VIEW_NONE), 200);
    sensor_app_expect_part(&test, "\"channel\":2");
}

/* As many readings, up to the same time, in a store restored from elsewhere. */
static void another_store_has_another_etag(void **state)
{
    char headers[200];
    (void)state;
    add(SENSOR_TEST_NOW, 1, 1000);
    for (size_t i = 0; i < 3; i++) {
        static const char *const targets[] = {"/data", "/temp", "/api/v1/export.bin"};
        test.memory.id = 1;
        assert_int_equal(sensor_app_get(&test, targets[i]), 200);
        snprintf(headers, sizeof headers, "If-None-Match: %s\n",
                 test_sink_header(&test.sink, "ETag"));
        assert_int_equal(sensor_app_request(&test, "GET", targets[i], NULL, headers, VIEW_NONE),
                         304);
        test.memory.id = 2;
        assert_int_equal(sensor_app_request(&test, "GET", targets[i], NULL, headers, VIEW_NONE),
                         200);
    }
}

static void long_rows_come_in_chunks(void **state)
{
    (void)state;
    for (int i = 0; i < 20000; i++)
        add(SENSOR_TEST_NOW - 20000 + i, 1, 1000 + i % 100);
    struct json_object *rows = get_rows("/data");
    assert_int_equal(json_object_array_length(rows), 20000);
    json_object_put(rows);
    assert_int_equal(test.sink.content_length, -1);
}

static void a_store_that_breaks_leaves_no_complete_rows(void **state)
{
    (void)state;
    for (int i = 0; i < 2000; i++)
        add(SENSOR_TEST_NOW - 2000 + i, 1, 1000);
    test.memory.fail_after_blocks = 1;
    (void)sensor_app_get(&test, "/data");
    assert_true(test.sink.aborts == 1 || test.sink.status == 503);
    assert_int_equal(test.sink.finishes, test.sink.status == 503);
}

/* ---- Who may ---- */

static void a_private_store_asks_for_the_scope(void **state)
{
    static const char *const targets[] = {"/data", "/temp/data", "/temp", "/api/v1/export.bin"};
    (void)state;
    add(SENSOR_TEST_NOW, 1, 1000);
    for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++) {
        assert_int_equal(sensor_app_get(&test, targets[i]), 401);
        assert_int_equal(sensor_app_request(&test, "GET", targets[i], test.writer, NULL, VIEW_NONE),
                         403);
        assert_int_equal(sensor_app_request(&test, "GET", targets[i], test.reader, NULL, VIEW_NONE),
                         200);
        assert_string_equal(test_sink_header(&test.sink, "Cache-Control"), "private, no-cache");
    }
}

static void a_public_store_does_not_mind_foreign_credentials(void **state)
{
    (void)state;
    assert_int_equal(sensor_app_request(&test, "GET", "/data", NULL,
                                        "Authorization: Basic Zm9vOmJhcg==\n", VIEW_NONE),
                     200);
    assert_int_equal(sensor_app_request(&test, "GET", "/data", test.writer, NULL, VIEW_NONE), 200);
}

static void other_methods_are_named(void **state)
{
    (void)state;
    assert_int_equal(sensor_app_request(&test, "DELETE", "/data", NULL, NULL, VIEW_NONE), 405);
    const char *allow = test_sink_header(&test.sink, "Allow");
    assert_non_null(allow);
    assert_non_null(strstr(allow, "PUT"));
    assert_non_null(strstr(allow, "GET"));
    assert_int_equal(sensor_app_request(&test, "HEAD", "/data", NULL, NULL, VIEW_NONE), 200);
    assert_int_equal(test.sink.body.length, 0);
}

/* ---- The page ---- */

static void an_empty_store_says_how_to_send(void **state)
{
    (void)state;
    assert_int_equal(sensor_app_request(&test, "GET", "/temp", NULL,
                                        "Host: cabin.example:8080\nAccept: text/html\n", VIEW_NONE),
                     200);
    sensor_app_expect_part(&test, "There is no reading to show yet");
    sensor_app_expect_part(&test, "curl -X PUT http://cabin.example:8080/data");
    assert_null(strstr(test_sink_body(&test.sink), "<svg"));
}

static size_t count_parts(const char *text, const char *part)
{
    size_t count = 0;
    while ((text = strstr(text, part)) != NULL) {
        count++;
        text += strlen(part);
    }
    return count;
}

static void the_page_draws_and_lists_every_series(void **state)
{
    (void)state;
    for (int i = 0; i < 3000; i++)
        add(SENSOR_TEST_NOW - (int64_t)i * 200000, 1 + i % 8, 1000 + i % 200);
    assert_int_equal(sensor_app_get(&test, "/temp?plain=1"), 200);
    assert_string_equal(test_sink_header(&test.sink, "Content-Type"), "text/html; charset=utf-8");
    assert_non_null(
        strstr(test_sink_header(&test.sink, "Content-Security-Policy"), "default-src 'none'"));
    const char *body = test_sink_body(&test.sink);
    assert_int_equal(count_parts(body, "<path class=\"line "), 16);
    assert_int_equal(count_parts(body, "<tr><th scope=\"row\">"), 8);
    assert_int_equal(count_parts(body, "<li><span class=\"key s"), 8);
    assert_null(strstr(body, "=\"http")); /* asks no other host for anything */
    assert_null(strstr(body, "<script"));
    assert_null(strstr(body, "style="));
    sensor_app_expect_part(&test, "2025-09-14 18:05</time>"); /* Denver's time */
    sensor_app_expect_part(&test, "America/Denver");
}

static void a_spike_of_one_reading_is_drawn(void **state)
{
    (void)state;
    for (int i = 0; i < 20000; i++)
        add(SENSOR_TEST_NOW - (int64_t)i * 30000, 1, i == 7777 ? 2000 : 1000);
    assert_int_equal(sensor_app_get(&test, "/temp"), 200);
    /* 60 to 160 degF: the spike touches the top of the plot. */
    const char *path = strstr(test_sink_body(&test.sink), "<path class=\"line s0\"");
    assert_non_null(path);
    assert_non_null(strstr(path, " 0L"));
    assert_true(strchr(path, '>') - path < 8000);
}

static void a_silence_breaks_the_line(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++) {
        add(SENSOR_TEST_NOW - i * INT64_C(1000000), 1, 1000 + i);
        add(SENSOR_TEST_NOW - INT64_C(200000000) - i * INT64_C(1000000), 1, 1000 + i);
    }
    assert_int_equal(sensor_app_get(&test, "/temp"), 200);
    const char *path = strstr(test_sink_body(&test.sink), "<path class=\"line s0\"");
    assert_non_null(path);
    const char *end = strchr(path, '>');
    size_t begins = 0;
    for (const char *at = path; at < end; at++)
        begins += *at == 'M';
    assert_int_equal(begins, 2);
}

static void what_nobody_measures_has_no_chart(void **state)
{
    (void)state;
    const struct reading dry = {
        .time_ms = SENSOR_TEST_NOW, .channel = 1, .raw = 1000, .humidity = HUMIDITY_ABSENT};
    memory_readings_add(&test.memory, &dry);
    assert_int_equal(sensor_app_get(&test, "/temp"), 200);
    const char *body = test_sink_body(&test.sink);
    assert_null(strstr(body, "<h2>Humidity</h2>"));
    assert_non_null(strstr(body, "<h2>Temperature</h2>"));
}

static void four_thousand_series_fit(void **state)
{
    (void)state;
    for (int series = 0; series < 4096; series++) {
        struct reading reading = sensor_random_reading();
        reading.time_ms = SENSOR_TEST_NOW - series;
        reading.channel = 1 + series % 16;
        reading.rolling_code = series / 16;
        reading.humidity = 50; /* none at all is no line */
        reading.time_quality = TIME_SENDER;
        memory_readings_add(&test.memory, &reading);
    }
    assert_int_equal(sensor_app_get(&test, "/temp"), 200);
    sensor_app_expect_part(&test, "4072 more series are not drawn");
    assert_int_equal(count_parts(test_sink_body(&test.sink), "<tr><th scope=\"row\">"), 200);
    sensor_app_expect_part(&test, "3896 more series are not listed");
}

static void the_page_is_304_until_something_comes(void **state)
{
    char headers[200];
    (void)state;
    add(SENSOR_TEST_NOW, 1, 1000);
    assert_int_equal(sensor_app_get(&test, "/temp"), 200);
    snprintf(headers, sizeof headers, "If-None-Match: %s\n", test_sink_header(&test.sink, "ETag"));
    assert_int_equal(sensor_app_request(&test, "GET", "/temp", NULL, headers, VIEW_NONE), 304);
    add(SENSOR_TEST_NOW + 1, 1, 1000);
    assert_int_equal(sensor_app_request(&test, "GET", "/temp", NULL, headers, VIEW_NONE), 200);
}

int main(void)
{
#define STORY(name) cmocka_unit_test_setup_teardown(name, start, stop)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scales_convert_to_the_nearest_tenth),
        STORY(a_row_has_the_legacy_members),
        STORY(no_readings_are_no_rows),
        STORY(any_reading_comes_back_in_its_row),
        STORY(by_default_it_is_the_seven_days_up_to_the_newest),
        STORY(suspects_show_only_when_all_are_asked_for),
        STORY(a_bad_span_says_what_is_allowed),
        STORY(unchanged_rows_are_304_and_late_ones_show_at_once),
        STORY(another_store_has_another_etag),
        STORY(long_rows_come_in_chunks),
        STORY(a_store_that_breaks_leaves_no_complete_rows),
        cmocka_unit_test_setup_teardown(a_private_store_asks_for_the_scope, start_private, stop),
        STORY(a_public_store_does_not_mind_foreign_credentials),
        STORY(other_methods_are_named),
        STORY(an_empty_store_says_how_to_send),
        STORY(the_page_draws_and_lists_every_series),
        STORY(a_spike_of_one_reading_is_drawn),
        STORY(a_silence_breaks_the_line),
        STORY(what_nobody_measures_has_no_chart),
        STORY(four_thousand_series_fit),
        STORY(the_page_is_304_until_something_comes),
    };
    return cmocka_run_group_tests_name("sensor_handlers", tests, NULL, NULL);
}
