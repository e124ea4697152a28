/*
 * test_export.c - GET /api/v1/export.bin: the records as they are, whole or in part.
 */
#include "tests/unit/support_chance.h"
#include "tests/unit/support_sensor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct sensor_app test;

static int start(void **state)
{
    (void)state;
    sensor_app_start(&test, NULL);
    chance_seed(29);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    sensor_app_stop(&test);
    return 0;
}

static const char target[] = "/api/v1/export.bin";

static int export_with(const char *where, const char *token, const char *headers)
{
    return sensor_app_request(&test, "GET", where, token, headers, VIEW_NONE);
}

static void fill(size_t count)
{
    while (test.memory.count < count) {
        struct reading reading = sensor_random_reading();
        if (chance(20) == 0)
            reading.time_quality = TIME_SUSPECT;
        memory_readings_add(&test.memory, &reading);
    }
}

static void expect_records(size_t from, size_t count)
{
    assert_int_equal(test.sink.body.length, count * RECORD_BYTES);
    if (count > 0)
        assert_memory_equal(test.sink.body.data, test.memory.records + from, count * RECORD_BYTES);
}

static void everything_comes_in_order_suspects_too(void **state)
{
    (void)state;
    fill(5000);
    assert_int_equal(export_with(target, test.reader, NULL), 200);
    expect_records(0, 5000);
    assert_int_equal(test.sink.content_length, 60000);
    assert_string_equal(test_sink_header(&test.sink, "Content-Type"), "application/octet-stream");
    assert_string_equal(test_sink_header(&test.sink, "Content-Disposition"),
                        "attachment; filename=\"hearth-readings.bin\"");
    assert_string_equal(test_sink_header(&test.sink, "Accept-Ranges"), "bytes");
    assert_string_equal(test_sink_header(&test.sink, "Vary"), "Authorization");
}

static void what_goes_out_can_come_in(void **state)
{
    (void)state;
    fill(300);
    assert_int_equal(export_with(target, test.reader, NULL), 200);
    struct buffer copy;
    buffer_init(&copy, 1u << 20);
    assert_int_equal(buffer_append(&copy, buffer_view(&test.sink.body)), HEARTH_OK);
    assert_int_equal(sensor_app_request(&test, "POST", "/data", test.writer,
                                        "Content-Type: application/octet-stream\n",
                                        buffer_view(&copy)),
                     200);
    sensor_app_expect_part(&test, "{\"accepted\":0,\"duplicate\":300,\"quarantined\":0,");
    buffer_clean(&copy);
}

static void relay_and_occupied_take_a_scope(void **state)
{
    (void)state;
    fill(3000);
    assert_int_equal(export_with(target, NULL, NULL), 200);
    assert_int_equal(test.sink.body.length, 36000);
    for (size_t i = 0; i < 3000; i++) {
        struct record shown;
        struct reading public, stored;
        memcpy(&shown, test.sink.body.data + i * RECORD_BYTES, RECORD_BYTES);
        assert_int_equal(record_decode(&shown, &public), REJECT_NONE);
        assert_int_equal(record_decode(&test.memory.records[i], &stored), REJECT_NONE);
        assert_false(public.relay);
        assert_false(public.occupied);
        stored.relay = stored.occupied = false;
        struct record expected;
        assert_int_equal(record_encode(&stored, &expected), REJECT_NONE);
        assert_memory_equal(&shown, &expected, RECORD_BYTES);
    }
    /* A token that may not read is no better than none; neither is one that is unknown. */
    struct record first;
    memcpy(&first, test.sink.body.data, RECORD_BYTES);
    assert_int_equal(export_with(target, test.writer, NULL), 200);
    assert_memory_equal(test.sink.body.data, &first, RECORD_BYTES);
    assert_int_equal(export_with(target, "unknown", NULL), 200);
    assert_memory_equal(test.sink.body.data, &first, RECORD_BYTES);
}

static void a_damaged_record_gets_no_checksum_that_is_right(void **state)
{
    struct reading reading;
    struct record shown;
    (void)state;
    fill(3);
    assert_int_equal(record_decode(&test.memory.records[0], &reading), REJECT_NONE);
    reading.relay = true;
    assert_int_equal(record_encode(&reading, &test.memory.records[0]), REJECT_NONE);
    test.memory.records[0].bytes[7] ^= 1;
    assert_int_equal(export_with(target, NULL, NULL), 200);
    memcpy(&shown, test.sink.body.data, sizeof shown);
    assert_int_equal(record_decode(&shown, &reading), REJECT_CHECKSUM);
    assert_int_equal(shown.bytes[10] & 0x0c, 0);
}

static void a_span_is_half_open(void **state)
{
    char where[200];
    (void)state;
    fill(400);
    int64_t from = record_time_ms(&test.memory.records[100]);
    int64_t to = record_time_ms(&test.memory.records[300]);
    snprintf(where, sizeof where, "%s?from=%lld&to=%lld", target, (long long)from, (long long)to);
    assert_int_equal(export_with(where, test.reader, NULL), 200);
    expect_records(100, 200);
    assert_null(test_sink_header(&test.sink, "Accept-Ranges"));
    snprintf(where, sizeof where, "%s?from=%lld", target, (long long)to);
    assert_int_equal(export_with(where, test.reader, NULL), 200);
    expect_records(300, 100);
    snprintf(where, sizeof where, "%s?to=%lld", target, (long long)from);
    assert_int_equal(export_with(where, test.reader, NULL), 200);
    expect_records(0, 100);
    snprintf(where, sizeof where, "%s?from=%lld&to=%lld", target, (long long)to, (long long)from);
    assert_int_equal(export_with(where, test.reader, NULL), 400);
    sensor_app_expect_part(&test, "`from` is after `to`");
    assert_int_equal(export_with("/api/v1/export.bin?from=soon", test.reader, NULL), 400);
    sensor_app_expect_part(&test, "now-24h");
}

static void an_empty_store_is_an_empty_file(void **state)
{
    (void)state;
    assert_int_equal(export_with(target, test.reader, NULL), 200);
    assert_int_equal(test.sink.content_length, 0);
    assert_int_equal(test.sink.body.length, 0);
}

static void parts_are_cut_to_the_byte(void **state)
{
    char header[100];
    (void)state;
    fill(200);
    test.memory.block_records = 7;
    for (int i = 0; i < 300; i++) {
        size_t first = (size_t)chance(2400), last = first + (size_t)chance(300);
        size_t end = last < 2400 ? last + 1 : 2400;
        bool with_scope = i % 2;
        snprintf(header, sizeof header, "Range: bytes=%zu-%zu\n", first, last);
        assert_int_equal(export_with(target, with_scope ? test.reader : NULL, header), 206);
        assert_int_equal(test.sink.body.length, end - first);
        assert_int_equal(test.sink.content_length, end - first);
        if (with_scope)
            assert_memory_equal(test.sink.body.data, (char *)test.memory.records + first,
                                end - first);
    }
    assert_int_equal(export_with(target, test.reader, "Range: bytes=-12\n"), 206);
    expect_records(199, 1);
    assert_int_equal(export_with(target, test.reader, "Range: bytes=2400-\n"), 416);
}

static void a_broken_download_goes_on_while_nothing_changed(void **state)
{
    char headers[300], etag[128];
    (void)state;
    fill(100);
    assert_int_equal(export_with(target, test.reader, NULL), 200);
    snprintf(etag, sizeof etag, "%s", test_sink_header(&test.sink, "ETag"));
    snprintf(headers, sizeof headers, "Range: bytes=600-\nIf-Range: %s\n", etag);
    assert_int_equal(export_with(target, test.reader, headers), 206);
    expect_records(50, 50);
    fill(101);
    assert_int_equal(export_with(target, test.reader, headers), 200);
    expect_records(0, 101);
}

static void unchanged_it_is_304_and_scopes_do_not_mix(void **state)
{
    char headers[300];
    (void)state;
    fill(10);
    assert_int_equal(export_with(target, test.reader, NULL), 200);
    snprintf(headers, sizeof headers, "If-None-Match: %s\n", test_sink_header(&test.sink, "ETag"));
    assert_int_equal(export_with(target, test.reader, headers), 304);
    assert_int_equal(export_with(target, NULL, headers), 200);
    fill(11);
    assert_int_equal(export_with(target, test.reader, headers), 200);
}

/* ---- A reading that comes in while the range is opened ---- */

static void slip_one_in(struct memory_readings *memory, void *context)
{
    const struct reading reading = {.time_ms =
                                        SENSOR_TEST_NOW - 40 * INT64_C(86400000) + *(int *)context,
                                    .channel = 1,
                                    .rolling_code = 1,
                                    .raw = 1000,
                                    .humidity = 50};
    ++*(int *)context;
    memory_readings_add(memory, &reading);
}

static void late_readings_never_share_a_strong_etag(void **state)
{
    int number = 0;
    (void)state;
    fill(100);
    test.memory.before_visit = slip_one_in;
    test.memory.before_visit_context = &number;
    assert_int_equal(export_with(target, test.reader, NULL), 200);
    assert_int_equal(test.sink.body.length, 1200); /* the range was fixed before it came */
    assert_memory_equal(test_sink_header(&test.sink, "ETag"), "W/", 2);
    assert_int_equal(export_with(target, test.reader, "Range: bytes=0-11\n"), 200);
    assert_int_equal(test.sink.body.length, 101 * 12);
    test.memory.before_visit = NULL;
    assert_int_equal(export_with(target, test.reader, "Range: bytes=0-11\n"), 206);
    expect_records(0, 1);
}

static void a_store_that_breaks_in_the_middle_breaks_the_answer(void **state)
{
    (void)state;
    fill(2000);
    test.memory.block_records = 1000;
    test.memory.fail_after_blocks = 1;
    (void)export_with(target, test.reader, NULL);
    assert_int_equal(test.sink.finishes, 0);
    assert_int_equal(test.sink.aborts, 1);
    test.memory.fail_read = HEARTH_IO;
    assert_int_equal(export_with(target, test.reader, NULL), 503);
}

static void head_has_the_length_and_no_body(void **state)
{
    (void)state;
    fill(10);
    assert_int_equal(sensor_app_request(&test, "HEAD", target, test.reader, NULL, VIEW_NONE), 200);
    assert_int_equal(test.sink.content_length, 120);
    assert_int_equal(test.sink.body.length, 0);
}

static void count_ranges(struct memory_readings *memory, void *context)
{
    (void)memory;
    ++*(int *)context;
}

/* From what is known of the store: no reading is read for it. */
static void head_says_what_get_says_and_reads_nothing(void **state)
{
    static const char *const targets[] = {"/api/v1/export.bin", "/api/v1/export.bin?from=0",
                                          "/data", "/temp/data?from=0"};
    char etag[128], headers[200];
    int ranges = 0;
    (void)state;
    fill(2000);
    for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++) {
        assert_int_equal(export_with(targets[i], test.reader, NULL), 200);
        int64_t length = test.sink.content_length;
        snprintf(etag, sizeof etag, "%s", test_sink_header(&test.sink, "ETag"));
        test.memory.before_visit = count_ranges;
        test.memory.before_visit_context = &ranges;
        assert_int_equal(
            sensor_app_request(&test, "HEAD", targets[i], test.reader, NULL, VIEW_NONE), 200);
        assert_int_equal(test.sink.content_length, length);
        assert_string_equal(test_sink_header(&test.sink, "ETag"), etag);
        assert_non_null(test_sink_header(&test.sink, "Content-Type"));
        assert_int_equal(test.sink.finishes, 1);
        snprintf(headers, sizeof headers, "If-None-Match: %s\n", etag);
        assert_int_equal(
            sensor_app_request(&test, "HEAD", targets[i], test.reader, headers, VIEW_NONE), 304);
        test.memory.before_visit = NULL;
    }
    assert_int_equal(ranges, 0);
}

int main(void)
{
#define STORY(name) cmocka_unit_test_setup_teardown(name, start, stop)
    const struct CMUnitTest tests[] = {
        STORY(everything_comes_in_order_suspects_too),
        STORY(what_goes_out_can_come_in),
        STORY(relay_and_occupied_take_a_scope),
        STORY(a_damaged_record_gets_no_checksum_that_is_right),
        STORY(a_span_is_half_open),
        STORY(an_empty_store_is_an_empty_file),
        STORY(parts_are_cut_to_the_byte),
        STORY(a_broken_download_goes_on_while_nothing_changed),
        STORY(unchanged_it_is_304_and_scopes_do_not_mix),
        STORY(late_readings_never_share_a_strong_etag),
        STORY(a_store_that_breaks_in_the_middle_breaks_the_answer),
        STORY(head_has_the_length_and_no_body),
        STORY(head_says_what_get_says_and_reads_nothing),
    };
    return cmocka_run_group_tests_name("export", tests, NULL, NULL);
}
