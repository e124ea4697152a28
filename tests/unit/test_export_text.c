/*
 * test_export_text.c - GET /api/v1/export.csv and .ndjson: each reading a line, in units that are
 * said, and the form that Accept prefers.
 */
#include "tests/unit/support_chance.h"
#include "tests/unit/support_query.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MINUTE QUERY_MINUTE
#define HOUR   QUERY_HOUR
#define T0     QUERY_T0

static struct sensor_app test;

static int start(void **state)
{
    (void)state;
    sensor_app_start(&test, NULL);
    query_write_names(&test, query_names);
    chance_seed(37);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    sensor_app_stop(&test);
    return 0;
}

static int get(const char *target, const char *token, const char *headers)
{
    return sensor_app_request(&test, "GET", target, token, headers, VIEW_NONE);
}

static void add_three(void)
{
    const struct reading readings[] = {
        {.time_ms = T0 + 123,
         .channel = 5,
         .rolling_code = 107,
         .raw = 744 + RAW_F_OFFSET,
         .humidity = 35,
         .battery_low = true,
         .signal = 63,
         .relay = true},
        {.time_ms = T0 + 1000,
         .channel = 1,
         .rolling_code = 2,
         .scale = SCALE_TENTHS_C,
         .raw = RAW_C_OFFSET - 5,
         .humidity = HUMIDITY_ABSENT,
         .time_quality = TIME_SERVER},
        {.time_ms = T0 + 2000,
         .channel = 1,
         .rolling_code = 2,
         .raw = RAW_ABSENT,
         .humidity = 100,
         .occupied = true,
         .time_quality = TIME_SUSPECT},
    };
    for (size_t i = 0; i < sizeof readings / sizeof readings[0]; i++)
        memory_readings_add(&test.memory, &readings[i]);
}

static void csv_has_a_head_line_with_units(void **state)
{
    (void)state;
    add_three();
    assert_int_equal(get("/api/v1/export.csv", NULL, NULL), 200);
    assert_string_equal(test_sink_header(&test.sink, "Content-Type"),
                        "text/csv; header=present; charset=utf-8");
    assert_string_equal(test_sink_header(&test.sink, "Content-Disposition"),
                        "attachment; filename=\"hearth-readings.csv\"");
    sensor_app_expect_body(
        &test,
        "time,series,name,channel,rolling_code,temperature_F,humidity_percent,battery_low,"
        "signal_dbm,time_quality\r\n"
        "2025-09-14T00:00:00.123Z,freezer,\"Freezer \"\"big\"\"\",5,107,74.4,35,true,-63,sender\r\n"
        "2025-09-14T00:00:01Z,1-2,,1,2,31.1,,false,,server\r\n"
        "2025-09-14T00:00:02Z,1-2,,1,2,,100,false,,suspect\r\n");
}

static void csv_takes_units_zones_and_series(void **state)
{
    (void)state;
    add_three();
    assert_int_equal(
        get("/api/v1/export.csv?unit=C&tz=America/Denver&series=1-2&quality=good", NULL, NULL),
        200);
    sensor_app_expect_body(
        &test, "time,series,name,channel,rolling_code,temperature_C,humidity_percent,battery_low,"
               "signal_dbm,time_quality\r\n"
               "2025-09-13T18:00:01-06:00,1-2,,1,2,-0.5,,false,,server\r\n");
}

static void relay_and_occupied_are_columns_of_those_who_may(void **state)
{
    (void)state;
    add_three();
    assert_int_equal(get("/api/v1/export.csv?channel=1", test.reader, NULL), 200);
    sensor_app_expect_part(&test, ",time_quality,relay,occupied\r\n");
    sensor_app_expect_part(&test, ",,100,false,,suspect,false,true\r\n");
    assert_int_equal(get("/api/v1/export.csv?channel=1", test.writer, NULL), 200);
    assert_null(strstr(test_sink_body(&test.sink), "relay"));
    assert_int_equal(get("/api/v1/export.ndjson", NULL, NULL), 200);
    assert_null(strstr(test_sink_body(&test.sink), "relay"));
    assert_int_equal(get("/api/v1/export.ndjson", test.reader, NULL), 200);
    sensor_app_expect_part(&test, ",\"relay\":true,\"occupied\":false}\n");
}

static void ndjson_has_an_object_a_line(void **state)
{
    (void)state;
    add_three();
    assert_int_equal(get("/api/v1/export.ndjson", NULL, NULL), 200);
    assert_string_equal(test_sink_header(&test.sink, "Content-Type"), "application/x-ndjson");
    sensor_app_expect_body(
        &test,
        "{\"time\":\"2025-09-14T00:00:00.123Z\",\"series\":\"freezer\",\"channel\":5,"
        "\"rolling_code\":107,\"temperature_F\":74.4,\"humidity\":35,\"battery_ok\":false,"
        "\"signal\":-63,\"time_quality\":\"sender\"}\n"
        "{\"time\":\"2025-09-14T00:00:01Z\",\"series\":\"1-2\",\"channel\":1,\"rolling_code\":2,"
        "\"temperature_C\":-0.5,\"humidity\":null,\"battery_ok\":true,\"signal\":null,"
        "\"time_quality\":\"server\"}\n"
        "{\"time\":\"2025-09-14T00:00:02Z\",\"series\":\"1-2\",\"channel\":1,\"rolling_code\":2,"
        "\"temperature_F\":null,\"humidity\":100,\"battery_ok\":true,\"signal\":null,"
        "\"time_quality\":\"suspect\"}\n");
    assert_int_equal(get("/api/v1/export.ndjson?unit=F&channel=1&quality=good", NULL, NULL), 200);
    sensor_app_expect_part(&test, "\"temperature_F\":31.1,");
}

/* Sent back, every line is one that stands already. */
static void what_goes_out_as_ndjson_can_come_in(void **state)
{
    struct buffer copy;
    char expected[100];
    (void)state;
    while (test.memory.count < 2000) {
        struct reading reading = sensor_random_reading();
        if (reading.raw == RAW_ABSENT && reading.humidity == HUMIDITY_ABSENT)
            continue; /* in JSON such a reading is refused */
        if (reading.raw == RAW_ABSENT)
            reading.scale = SCALE_TENTHS_F; /* the sender's unit, which decides there */
        memory_readings_add(&test.memory, &reading);
    }
    assert_int_equal(get("/api/v1/export.ndjson?tz=Asia/Kolkata", test.reader, NULL), 200);
    buffer_init(&copy, 1u << 24);
    assert_int_equal(buffer_append(&copy, buffer_view(&test.sink.body)), HEARTH_OK);
    assert_int_equal(sensor_app_put(&test, "application/x-ndjson", buffer_view(&copy)), 200);
    snprintf(expected, sizeof expected, "\"accepted\":0,\"duplicate\":%zu,\"quarantined\":0",
             test.memory.count);
    sensor_app_expect_part(&test, expected);
    buffer_clean(&copy);
}

static void nothing_is_a_head_line_or_no_line(void **state)
{
    (void)state;
    assert_int_equal(get("/api/v1/export.csv", NULL, NULL), 200);
    sensor_app_expect_body(&test,
                           "time,series,name,channel,rolling_code,temperature_F,humidity_percent,"
                           "battery_low,signal_dbm,time_quality\r\n");
    assert_int_equal(get("/api/v1/export.ndjson", NULL, NULL), 200);
    assert_int_equal(test.sink.body.length, 0);
}

static void the_zone_is_that_of_each_time(void **state)
{
    (void)state;
    /* An hour before and after clocks went back in Denver. */
    query_add(&test, INT64_C(1762068600000), 1, 1, 700, 40);
    query_add(&test, INT64_C(1762072200000), 1, 1, 700, 40);
    assert_int_equal(get("/api/v1/export.csv?tz=America/Denver", NULL, NULL), 200);
    sensor_app_expect_part(&test, "\r\n2025-11-02T01:30:00-06:00,");
    sensor_app_expect_part(&test, "\r\n2025-11-02T01:30:00-07:00,");
}

static void accept_chooses_the_form(void **state)
{
    static const char *const cases[][2] = {
        {NULL, "text/csv; header=present; charset=utf-8"},
        {"Accept: */*\n", "text/csv; header=present; charset=utf-8"},
        {"Accept: application/x-ndjson\n", "application/x-ndjson"},
        {"Accept: text/csv;q=0.5, application/*\n", "application/x-ndjson"},
        {"Accept: application/octet-stream, text/csv;q=0.9\n", "application/octet-stream"},
        {"Accept: text/*, application/x-ndjson;q=0.8\n", "text/csv; header=present; charset=utf-8"},
    };
    (void)state;
    add_three();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(get("/api/v1/export?channel=1", NULL, cases[i][0]), 200);
        assert_string_equal(test_sink_header(&test.sink, "Content-Type"), cases[i][1]);
        assert_string_equal(test_sink_header(&test.sink, "Vary"), "Accept");
    }
    assert_int_equal(get("/api/v1/export", NULL, "Accept: image/png\n"), 406);
    sensor_app_expect_part(&test, "text/csv, application/x-ndjson or application/octet-stream");
    /* An address with its form in it has that one, whatever is accepted. */
    assert_int_equal(get("/api/v1/export.csv", NULL, "Accept: image/png\n"), 200);
}

static void forms_and_questions_have_etags_of_their_own(void **state)
{
    static const char *const targets[] = {
        "/api/v1/export.csv",           "/api/v1/export.ndjson",
        "/api/v1/export.bin",           "/api/v1/export.csv?unit=C",
        "/api/v1/export.csv?from=1",    "/api/v1/export.csv?tz=Asia/Tokyo",
        "/api/v1/export.bin?channel=1", "/api/v1/export.bin?quality=good"};
    enum { COUNT = sizeof targets / sizeof targets[0] };
    char etags[COUNT][64], headers[1024];
    (void)state;
    add_three();
    for (size_t i = 0; i < COUNT; i++) {
        assert_int_equal(get(targets[i], NULL, NULL), 200);
        snprintf(etags[i], sizeof etags[i], "%s", test_sink_header(&test.sink, "ETag"));
        assert_int_equal(etags[i][0], '"');
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(etags[i], etags[j]);
        snprintf(headers, sizeof headers, "If-None-Match: %s\n", etags[i]);
        int reads = test.memory.reads;
        assert_int_equal(get(targets[i], NULL, headers), 304);
        assert_int_equal(test.memory.reads, reads);
        assert_int_equal(get(targets[i], test.reader, headers), 200);
    }
}

static void parts_of_the_records_that_are_wanted(void **state)
{
    (void)state;
    add_three();
    assert_int_equal(get("/api/v1/export.bin?series=1-2", test.reader, NULL), 200);
    assert_int_equal(test.sink.body.length, 24);
    assert_memory_equal(test.sink.body.data, test.memory.records + 1, 24);
    assert_null(test_sink_header(&test.sink, "Accept-Ranges"));
    assert_int_equal(get("/api/v1/export.bin?quality=good", test.reader, NULL), 200);
    assert_memory_equal(test.sink.body.data, test.memory.records, 24);
    assert_int_equal(get("/api/v1/export.csv", test.reader, "Range: bytes=0-11\n"), 200);
    assert_int_equal(get("/api/v1/export.bin", test.reader, "Range: bytes=12-23\n"), 206);
    assert_memory_equal(test.sink.body.data, test.memory.records + 1, 12);
}

static void wrong_parameters_say_what_is_allowed(void **state)
{
    (void)state;
    query_expect_refused(&test, "/api/v1/export.csv?unit=K", "F or C");
    query_expect_refused(&test, "/api/v1/export.ndjson?tz=Nowhere", "IANA");
    query_expect_refused(&test, "/api/v1/export.bin?quality=bad", "good or all");
    query_expect_refused(&test, "/api/v1/export.bin?series=x!", "/api/v1/series");
    query_expect_refused(&test, "/api/v1/export?from=now&to=0", "`from` is after `to`");
}

static void long_texts_come_in_chunks_and_break_visibly(void **state)
{
    (void)state;
    for (int i = 0; i < 5000; i++)
        query_add(&test, T0 + i, 1, 1, 700, 40);
    assert_int_equal(get("/api/v1/export.csv", NULL, NULL), 200);
    assert_int_equal(test.sink.content_length, -1);
    size_t lines = 0;
    for (const char *at = test_sink_body(&test.sink); (at = strstr(at, "\r\n")) != NULL; at += 2)
        lines++;
    assert_int_equal(lines, 5001);
    test.memory.fail_after_blocks = 2;
    (void)get("/api/v1/export.csv", NULL, NULL);
    assert_int_equal(test.sink.finishes, 0);
    assert_int_equal(test.sink.aborts, 1);
}

int main(void)
{
#define STORY(name) cmocka_unit_test_setup_teardown(name, start, stop)
    const struct CMUnitTest tests[] = {
        STORY(csv_has_a_head_line_with_units),
        STORY(csv_takes_units_zones_and_series),
        STORY(relay_and_occupied_are_columns_of_those_who_may),
        STORY(ndjson_has_an_object_a_line),
        STORY(what_goes_out_as_ndjson_can_come_in),
        STORY(nothing_is_a_head_line_or_no_line),
        STORY(the_zone_is_that_of_each_time),
        STORY(accept_chooses_the_form),
        STORY(forms_and_questions_have_etags_of_their_own),
        STORY(parts_of_the_records_that_are_wanted),
        STORY(wrong_parameters_say_what_is_allowed),
        STORY(long_texts_come_in_chunks_and_break_visibly),
    };
    return cmocka_run_group_tests_name("export as text", tests, NULL, NULL);
}
