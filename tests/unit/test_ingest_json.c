/*
 * test_ingest_json.c - PUT and POST /data with JSON: what is stored, quarantined, refused, and what
 * the sender is told.
 */
#include "tests/unit/support_sensor.h"

#include "app/core/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define READING                                                                                    \
    "{\"time\":\"2025-09-14 18:04:51-0600\",\"type\":\"F007TH\",\"channel\":\"1\","                \
    "\"rolling_code\":107,\"temperature\":744,\"humidity\":35,\"battery_ok\":true}"
#define OTHER                                                                                      \
    "{\"time\":\"2025-09-14 18:04:53.5-0600\",\"channel\":4,\"rolling_code\":245,"                 \
    "\"temperature\":156,\"humidity\":21}"

static struct sensor_app test;

static int start(void **state)
{
    (void)state;
    sensor_app_start(&test, "sensor: { max_body_bytes = 100000; };");
    return 0;
}

static int stop(void **state)
{
    (void)state;
    sensor_app_stop(&test);
    return 0;
}

static void expect_stored(size_t index, const char *hex)
{
    char got[2 * RECORD_BYTES + 1];
    assert_true(index < test.memory.count);
    for (size_t i = 0; i < RECORD_BYTES; i++)
        snprintf(got + 2 * i, 3, "%02x", test.memory.records[index].bytes[i]);
    assert_string_equal(got, hex);
}

static void expect_rejected(size_t index, enum record_reject reason, const char *raw)
{
    assert_true(index < test.memory.rejected_count);
    const struct memory_rejected *rejected = &test.memory.rejected[index];
    assert_int_equal(rejected->reason, reason);
    assert_string_equal(rejected->source, "json");
    assert_int_equal(rejected->raw.length, strlen(raw));
    assert_memory_equal(rejected->raw.data, raw, strlen(raw));
}

/* ---- Good ones ---- */

static void one_object_becomes_one_record(void **state)
{
    (void)state;
    assert_int_equal(sensor_app_put(&test, NULL, VIEW(READING "\n")), 200);
    sensor_app_expect_body(&test, "{\"accepted\":1,\"duplicate\":0,\"quarantined\":0,"
                                  "\"first\":\"2025-09-15T00:04:51.000Z\","
                                  "\"last\":\"2025-09-15T00:04:51.000Z\"}\n");
    assert_string_equal(test_sink_header(&test.sink, "Content-Type"), "application/json");
    expect_stored(0, "1994ab048b806b23c2300093");
}

static void sent_again_it_is_a_duplicate(void **state)
{
    (void)state;
    assert_int_equal(sensor_app_put(&test, NULL, VIEW(READING)), 200);
    assert_int_equal(sensor_app_request(&test, "POST", "/data", test.writer, NULL, VIEW(READING)),
                     200);
    sensor_app_expect_part(&test, "{\"accepted\":0,\"duplicate\":1,\"quarantined\":0,\"first\":\"");
    assert_int_equal(test.memory.count, 1);
}

static void an_array_is_many(void **state)
{
    (void)state;
    assert_int_equal(
        sensor_app_put(&test, "application/json", VIEW(" [ " OTHER " ,\n" READING "\n] ")), 200);
    sensor_app_expect_body(&test, "{\"accepted\":2,\"duplicate\":0,\"quarantined\":0,"
                                  "\"first\":\"2025-09-15T00:04:51.000Z\","
                                  "\"last\":\"2025-09-15T00:04:53.500Z\"}\n");
    assert_int_equal(sensor_app_put(&test, NULL, VIEW("[]")), 200);
    sensor_app_expect_body(&test, "{\"accepted\":0,\"duplicate\":0,\"quarantined\":0,"
                                  "\"first\":null,\"last\":null}\n");
}

static void lines_are_known_by_type_or_by_look(void **state)
{
    static const char *const types[] = {
        NULL,
        "application/x-ndjson",
        "application/jsonl; charset=utf-8",
        "Application/X-NDJSON",
        "application/x-www-form-urlencoded",
    };
    (void)state;
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        assert_int_equal(
            sensor_app_put(&test, types[i], VIEW("\r\n" READING "\r\n\n  " OTHER "\n\n")), 200);
        sensor_app_expect_part(&test, i == 0 ? "\"accepted\":2,\"duplicate\":0"
                                             : "\"accepted\":0,\"duplicate\":2");
    }
    assert_int_equal(sensor_app_put(&test, "application/x-ndjson", VIEW(READING)), 200);
    sensor_app_expect_part(&test, "\"duplicate\":1");
}

static void an_object_over_several_lines_is_one(void **state)
{
    (void)state;
    assert_int_equal(sensor_app_put(&test, NULL,
                                    VIEW("{\n \"channel\": 1,\n \"rolling_code\": 2,\n"
                                         " \"humidity\": 3\n}\n")),
                     200);
    sensor_app_expect_part(&test, "\"accepted\":1");
}

static void the_token_says_unit_and_zone(void **state)
{
    static const char text[] = "{\"time\":\"2025-09-14 18:04:51\",\"channel\":1,"
                               "\"rolling_code\":107,\"temperature\":74.4,\"humidity\":35}";
    (void)state;
    assert_int_equal(sensor_app_request(&test, "PUT", "/data", test.denver, NULL, view_of(text)),
                     200);
    expect_stored(0, "1994ab048b806b23c2300093"); /* as if sent in tenths with its offset */
    assert_int_equal(sensor_app_request(&test, "PUT", "/data", test.metric, NULL, view_of(text)),
                     200);
    sensor_app_expect_part(&test, "\"first\":\"2025-09-14T18:04:51.000Z\"");
}

static void the_bare_token_is_enough(void **state)
{
    char headers[200];
    (void)state;
    snprintf(headers, sizeof headers, "Authorization: %s\n", test.writer);
    assert_int_equal(sensor_app_request(&test, "PUT", "/data", NULL, headers, VIEW(READING)), 200);
}

/* ---- Odd ones ---- */

static void impossible_values_are_quarantined_and_named(void **state)
{
    (void)state;
    assert_int_equal(
        sensor_app_put(&test, NULL,
                       VIEW("[" READING ",{\"channel\":1,\"rolling_code\":1,\"humidity\":101}, "
                            "{\"channel\":99,\"rolling_code\":1,\"humidity\":5},\"x\",null,"
                            "{\"channel\":2,\"rolling_code\":1,\"humidity\":102}]")),
        200);
    sensor_app_expect_body(&test, "{\"accepted\":1,\"duplicate\":0,\"quarantined\":5,"
                                  "\"first\":\"2025-09-15T00:04:51.000Z\","
                                  "\"last\":\"2025-09-15T00:04:51.000Z\","
                                  "\"reasons\":{\"CHANNEL_RANGE\":1,\"HUMIDITY_RANGE\":2,"
                                  "\"WRONG_TYPE\":2}}\n");
    expect_rejected(0, REJECT_HUMIDITY_RANGE,
                    "{\"channel\":1,\"rolling_code\":1,\"humidity\":101}");
    expect_rejected(1, REJECT_CHANNEL_RANGE, "{\"channel\":99,\"rolling_code\":1,\"humidity\":5}");
    expect_rejected(2, REJECT_WRONG_TYPE, "\"x\",null");
}

static void unknown_members_are_counted(void **state)
{
    (void)state;
    assert_int_equal(sensor_app_put(&test, NULL,
                                    VIEW("{\"channel\":1,\"rolling_code\":1,\"humidity\":5,"
                                         "\"_ts\":1757838005.5,\"snr\":[1,{\"a\":2}]}")),
                     200);
    sensor_app_expect_part(&test, "Z\",\"ignored\":2}\n");
    assert_int_equal(metric_value(metrics_counter(test.metrics,
                                                  "hearth_readings_ignored_members_total", "", "")),
                     2);
}

static void a_bad_line_does_not_harm_the_others(void **state)
{
    (void)state;
    assert_int_equal(
        sensor_app_put(&test, NULL,
                       VIEW(READING "\n{\"channel\":\n\0\0{\"a\":1}\nnonsense\n[1]\n" OTHER)),
        200);
    sensor_app_expect_part(&test, "\"accepted\":2,\"duplicate\":0,\"quarantined\":4,");
    sensor_app_expect_part(&test, "\"reasons\":{\"WRONG_TYPE\":1,\"NOT_JSON\":3}");
    static const char together[] = "{\"channel\":\n\0\0{\"a\":1}\nnonsense";
    assert_int_equal(test.memory.rejected[0].raw.length, sizeof together - 1);
    assert_memory_equal(test.memory.rejected[0].raw.data, together, sizeof together - 1);
    expect_rejected(1, REJECT_WRONG_TYPE, "[1]");
}

static void a_line_of_nul_bytes_alone_is_refused(void **state)
{
    (void)state;
    assert_int_equal(sensor_app_put(&test, NULL, VIEW("\0\0\0" READING)), 400);
    assert_int_equal(sensor_app_put(&test, "application/x-ndjson", VIEW("\0\0\0" READING)), 200);
    sensor_app_expect_part(&test, "\"quarantined\":1");
}

static void what_is_not_json_is_refused_whole(void **state)
{
    static const char *const bodies[] = {
        "x",
        " ",
        "{",
        "[" READING,
        "[" READING ",]",
        "[" READING " " OTHER "]",
        "[" READING "] x",
        READING "x",
        READING " " OTHER,
        "{\"channel\":NaN,\"rolling_code\":1,\"humidity\":5}",
        "{\"channel\":1,\"rolling_code\":1,\"humidity\":5,\"x\":-Infinity}",
        "[{\"channel\":1,\"rolling_code\":1,\"humidity\":5},NaN]",
        "{'channel':1,'rolling_code':1,'humidity':5}",
        "{\"channel\":1,\"rolling_code\":1,\"humidity\":5.}",
        "{\"channel\":1,\"rolling_code\":1,\"humidity\":5,\"x\":\"a\tb\"}",
        "{\"channel\":1,\"rolling_code\":1,\"humidity\":5,\"x\":\"\xff\"}",
        "{\"channel\":01,\"rolling_code\":1,\"humidity\":5}",
        "{\"channel\":1,\"rolling_code\":1,\"humidity\":-00}",
        "{\"channel\":1,\"rolling_code\":1,\"humidity\":05.5}",
        "{\"channel\":1,\"rolling_code\":1,\"humidity\":-.5}",
        "{\"channel\":1,\"rolling_code\":1,\"humidity\":5e}",
        "{\"channel\":1,\"rolling_code\":1,\"humidity\":-}",
        "channel=1&humidity=5",
    };
    (void)state;
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        if (sensor_app_put(&test, NULL, view_of(bodies[i])) != 400)
            fail_msg("%s: %s", bodies[i], test_sink_body(&test.sink));
        assert_string_equal(test_sink_header(&test.sink, "Content-Type"),
                            "application/problem+json");
    }
    assert_int_equal(sensor_app_put(&test, NULL, VIEW("")), 400);
    assert_int_equal(test.memory.count, 0);
    assert_int_equal(test.memory.rejected_count, 0);
}

static void times_that_cannot_be_are_suspect_but_stored(void **state)
{
    static const char *const times[] = {"1999-12-31T23:59:59.999Z", "2025-09-15T00:15:00.001Z"};
    char text[200];
    struct reading reading;
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        snprintf(text, sizeof text,
                 "{\"time\":\"%s\",\"channel\":1,\"rolling_code\":1,\"humidity\":5}", times[i]);
        assert_int_equal(sensor_app_put(&test, NULL, view_of(text)), 200);
        assert_int_equal(record_decode(&test.memory.records[i], &reading), REJECT_NONE);
        assert_int_equal(reading.time_quality, TIME_SUSPECT);
    }
    snprintf(text, sizeof text,
             "{\"time\":\"2025-09-15T00:15:00Z\",\"channel\":1,"
             "\"rolling_code\":1,\"humidity\":5}");
    assert_int_equal(sensor_app_put(&test, NULL, view_of(text)), 200);
    assert_int_equal(record_decode(&test.memory.records[1], &reading), REJECT_NONE);
    assert_int_equal(reading.time_quality, TIME_SENDER);
}

/* ---- Who and how much ---- */

static void without_the_right_token_nothing_is_stored(void **state)
{
    (void)state;
    assert_int_equal(sensor_app_request(&test, "PUT", "/data", NULL, NULL, VIEW(READING)), 401);
    assert_non_null(test_sink_header(&test.sink, "WWW-Authenticate"));
    assert_int_equal(sensor_app_request(&test, "PUT", "/data", "wrong", NULL, VIEW(READING)), 401);
    assert_int_equal(sensor_app_request(&test, "PUT", "/data", test.reader, NULL, VIEW(READING)),
                     403);
    assert_int_equal(test.memory.appends, 0);
}

static void a_large_body_is_refused(void **state)
{
    (void)state;
    char *body = calloc(1, 100001);
    assert_non_null(body);
    memset(body, ' ', 100001);
    assert_int_equal(sensor_app_put(&test, NULL, view_from(body, 100001)), 413);
    memcpy(body, READING, sizeof READING - 1);
    assert_int_equal(sensor_app_put(&test, NULL, view_from(body, 100000)), 200);
    free(body);
}

static void a_body_in_another_coding_is_415(void **state)
{
    (void)state;
    assert_int_equal(sensor_app_request(&test, "PUT", "/data", test.writer,
                                        "Content-Encoding: br\n", VIEW("\x1f\x8b")),
                     415);
    assert_int_equal(sensor_app_request(&test, "PUT", "/data", test.writer,
                                        "Content-Encoding: gzip\n", VIEW("\x1f\x8b")),
                     400);
    assert_int_equal(sensor_app_request(&test, "PUT", "/data", test.writer,
                                        "Content-Encoding: identity\n", VIEW(READING)),
                     200);
}

static void a_store_that_fails_is_503_with_retry_after(void **state)
{
    static const enum hearth_error errors[] = {HEARTH_DISK_FULL, HEARTH_UNAVAILABLE,
                                               HEARTH_DEADLINE, HEARTH_IO, HEARTH_NO_MEMORY};
    (void)state;
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        test.memory.fail_append = errors[i];
        assert_int_equal(sensor_app_put(&test, NULL, VIEW(READING)), 503);
        assert_non_null(test_sink_header(&test.sink, "Retry-After"));
    }
    test.memory.fail_append = HEARTH_OK;
    assert_int_equal(sensor_app_put(&test, NULL, VIEW(READING)), 200);
}

static void a_zone_that_is_missing_keeps_the_reading_at_its_sender(void **state)
{
    static const char local[] = "{\"time\":\"2025-09-14 18:04:51\",\"channel\":1,"
                                "\"rolling_code\":1,\"humidity\":5}";
    (void)state;
    assert_int_equal(sensor_app_request(&test, "PUT", "/data", test.lost, NULL, view_of(local)),
                     503);
    assert_int_equal(sensor_app_request(&test, "PUT", "/data", test.lost, NULL, VIEW(READING)),
                     200);
}

static void many_readings_go_in_batches_and_all_are_counted(void **state)
{
    struct buffer body;
    (void)state;
    sensor_app_stop(&test);
    sensor_app_start(&test, "");
    buffer_init(&body, 8u << 20);
    for (int i = 0; i < 9000; i++)
        buffer_append_format(&body,
                             "{\"time\":\"2025-09-%02dT%02d:%02d:%02dZ\",\"channel\":1,"
                             "\"rolling_code\":1,\"humidity\":%d}\n%s",
                             1 + i / 3600, i / 150 % 24, i / 60 % 60, i % 60, i % 100,
                             i % 4 ? "" : "bad\n");
    assert_int_equal(sensor_app_put(&test, NULL, buffer_view(&body)), 200);
    sensor_app_expect_part(&test, ",\"quarantined\":2250,");
    sensor_app_expect_part(&test, "\"NOT_JSON\":2250");
    assert_int_equal(test.memory.rejected_count, 2250);
    assert_true(test.memory.appends > 2);
    buffer_clean(&body);
}

/* As sensor_app_put, while the program has memory for so many allocations only. */
static int put_with_little_memory(int64_t allocations, struct view content)
{
    char authorization[AUTH_TOKEN_SIZE + 8];
    struct pair headers[] = {{VIEW("content-type"), VIEW("application/x-ndjson")},
                             {VIEW("authorization"), VIEW_NONE}};
    struct test_body body;
    struct request_input input = {.method = VIEW("PUT"),
                                  .target = VIEW("/data"),
                                  .headers = {headers, 2},
                                  .peer_address = VIEW("127.0.0.1"),
                                  .body = &body.source};
    struct arena *arena = arena_new(8u << 20);
    assert_non_null(arena);
    snprintf(authorization, sizeof authorization, "Bearer %s", test.writer);
    headers[1].value = view_of(authorization);
    test_body_init(&body, content, 0);
    test_sink_clean(&test.sink);
    test_sink_init(&test.sink);
    memory_fail_after(allocations);
    app_handle(test.app, arena, &input, &test.sink.sink);
    memory_fail_after(-1);
    arena_free(arena);
    return test.sink.aborts > 0 ? 0 : test.sink.status;
}

/* Each allocation fails in turn, until none does: a 200 is never for what is not there. */
static void running_out_of_memory_loses_nothing_that_was_answered_for(void **state)
{
    int status = 0;
    (void)state;
    for (int64_t allocations = 0; status != 200; allocations++) {
        status = put_with_little_memory(allocations, VIEW(READING "\nbad\n" OTHER));
        if (status != 200 && status != 503 && status != 0)
            fail_msg("after %lld allocations: %d", (long long)allocations, status);
        assert_true(allocations < 1000);
    }
    sensor_app_expect_part(&test, "\"quarantined\":1");
    assert_int_equal(test.memory.count, 2);
}

static void metrics_tell_what_came(void **state)
{
    static const char help[] = "";
    (void)state;
    assert_int_equal(sensor_app_put(&test, NULL, VIEW(READING "\n" READING "\nx")), 200);
    assert_int_equal(metric_value(metrics_counter(test.metrics, "hearth_readings_received_total",
                                                  help, "dialect=\"json\",outcome=\"accepted\"")),
                     1);
    assert_int_equal(metric_value(metrics_counter(test.metrics, "hearth_readings_received_total",
                                                  help, "dialect=\"json\",outcome=\"duplicate\"")),
                     1);
    assert_int_equal(metric_value(metrics_counter(test.metrics, "hearth_readings_rejected_total",
                                                  help, "reason=\"NOT_JSON\"")),
                     1);
}

int main(void)
{
#define STORY(name) cmocka_unit_test_setup_teardown(name, start, stop)
    const struct CMUnitTest tests[] = {
        STORY(one_object_becomes_one_record),
        STORY(sent_again_it_is_a_duplicate),
        STORY(an_array_is_many),
        STORY(lines_are_known_by_type_or_by_look),
        STORY(an_object_over_several_lines_is_one),
        STORY(the_token_says_unit_and_zone),
        STORY(the_bare_token_is_enough),
        STORY(impossible_values_are_quarantined_and_named),
        STORY(unknown_members_are_counted),
        STORY(a_bad_line_does_not_harm_the_others),
        STORY(a_line_of_nul_bytes_alone_is_refused),
        STORY(what_is_not_json_is_refused_whole),
        STORY(times_that_cannot_be_are_suspect_but_stored),
        STORY(without_the_right_token_nothing_is_stored),
        STORY(a_large_body_is_refused),
        STORY(a_body_in_another_coding_is_415),
        STORY(a_store_that_fails_is_503_with_retry_after),
        STORY(a_zone_that_is_missing_keeps_the_reading_at_its_sender),
        STORY(many_readings_go_in_batches_and_all_are_counted),
        STORY(running_out_of_memory_loses_nothing_that_was_answered_for),
        STORY(metrics_tell_what_came),
    };
    return cmocka_run_group_tests_name("ingest_json", tests, NULL, NULL);
}
