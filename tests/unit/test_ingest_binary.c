/*
 * test_ingest_binary.c - POST /data with records of 12 bytes.
 */
#include "tests/unit/support_chance.h"
#include "tests/unit/support_sensor.h"

#include <stdlib.h>
#include <string.h>

static struct sensor_app test;

static int start(void **state)
{
    (void)state;
    sensor_app_start(&test, NULL);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    sensor_app_stop(&test);
    return 0;
}

static int send_bytes(const void *bytes, size_t length)
{
    return sensor_app_request(&test, "POST", "/data", test.writer,
                              "Content-Type: application/octet-stream\n", view_from(bytes, length));
}

static struct record record_at(int64_t time_ms, enum time_quality quality)
{
    const struct reading reading = {.time_ms = time_ms,
                                    .channel = 3,
                                    .rolling_code = 17,
                                    .raw = 1029,
                                    .humidity = 50,
                                    .time_quality = quality};
    struct record record;
    assert_int_equal(record_encode(&reading, &record), REJECT_NONE);
    return record;
}

static void records_are_stored_byte_for_byte(void **state)
{
    struct record records[500];
    (void)state;
    chance_seed(23);
    for (size_t i = 0; i < 500; i++) {
        struct reading reading = sensor_random_reading();
        reading.time_ms = SENSOR_TEST_NOW - 1000000 + (int64_t)i;
        assert_int_equal(record_encode(&reading, &records[i]), REJECT_NONE);
    }
    assert_int_equal(send_bytes(records, sizeof records), 200);
    sensor_app_expect_part(&test, "{\"accepted\":500,\"duplicate\":0,\"quarantined\":0,");
    assert_int_equal(test.memory.count, 500);
    assert_memory_equal(test.memory.records, records, sizeof records);
    assert_int_equal(send_bytes(records, sizeof records), 200);
    sensor_app_expect_part(&test, "{\"accepted\":0,\"duplicate\":500,\"quarantined\":0,");
}

static void a_byte_too_many_or_few_stores_nothing(void **state)
{
    struct record records[3];
    (void)state;
    for (size_t i = 0; i < 3; i++)
        records[i] = record_at(SENSOR_TEST_NOW - (int64_t)i, TIME_SENDER);
    for (size_t length = 0; length < 36; length++)
        if (length % 12 != 0 || length == 0)
            assert_int_equal(send_bytes(records, length), 400);
    assert_int_equal(test.memory.appends, 0);
    assert_string_equal(test_sink_header(&test.sink, "Content-Type"), "application/problem+json");
    sensor_app_expect_part(&test, "35 bytes are not a whole number of 12-byte records");
}

static void bad_records_are_quarantined_among_good_ones(void **state)
{
    struct record records[4];
    (void)state;
    for (size_t i = 0; i < 4; i++)
        records[i] = record_at(SENSOR_TEST_NOW - (int64_t)i, TIME_SENDER);
    records[0].bytes[5] ^= 1;
    memset(&records[1], 0, sizeof records[1]);
    records[2].bytes[0] |= 0x40;
    records[2].bytes[11] = record_checksum(records[2].bytes, 11);
    assert_int_equal(send_bytes(records, sizeof records), 200);
    sensor_app_expect_part(&test, "{\"accepted\":1,\"duplicate\":0,\"quarantined\":3,");
    sensor_app_expect_part(&test, "\"reasons\":{\"CHECKSUM\":");
    assert_int_equal(test.memory.count, 1);
    assert_int_equal(test.memory.rejected_count, 2); /* by reason */
    assert_int_equal(test.memory.rejected[0].raw.length, 24);
    assert_memory_equal(test.memory.rejected[0].raw.data, &records[0], 24);
    assert_int_equal(test.memory.rejected[1].reason, REJECT_VERSION);
    assert_memory_equal(test.memory.rejected[1].raw.data, &records[2], 12);
    assert_string_equal(test.memory.rejected[1].source, "binary");
}

static void a_time_that_cannot_be_is_marked_on_receipt(void **state)
{
    static const struct {
        int64_t time_ms;
        enum time_quality sent, stored;
    } cases[] = {
        {0, TIME_SENDER, TIME_SUSPECT},
        {1000, TIME_IMPORTED, TIME_SUSPECT},
        {2000, TIME_SUSPECT, TIME_SUSPECT},
        {INT64_C(946684799999), TIME_SENDER, TIME_SUSPECT},
        {INT64_C(946684800000), TIME_SENDER, TIME_SENDER},
        {SENSOR_TEST_NOW + 600000, TIME_SERVER, TIME_SERVER},
        {SENSOR_TEST_NOW + 600001, TIME_SERVER, TIME_SUSPECT},
        {READING_TIME_MAX_MS, TIME_SENDER, TIME_SUSPECT},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct record record = record_at(cases[i].time_ms, cases[i].sent), same = record;
        struct reading reading;
        assert_int_equal(send_bytes(&record, sizeof record), 200);
        assert_int_equal(test.memory.count, i + 1);
        assert_int_equal(record_decode(&test.memory.records[i], &reading), REJECT_NONE);
        assert_int_equal(reading.time_quality, cases[i].stored);
        assert_true(record_same(&test.memory.records[i], &same));
        assert_int_equal(send_bytes(&same, sizeof same), 200);
        sensor_app_expect_part(&test, "\"duplicate\":1");
    }
}

int main(void)
{
#define STORY(name) cmocka_unit_test_setup_teardown(name, start, stop)
    const struct CMUnitTest tests[] = {
        STORY(records_are_stored_byte_for_byte),
        STORY(a_byte_too_many_or_few_stores_nothing),
        STORY(bad_records_are_quarantined_among_good_ones),
        STORY(a_time_that_cannot_be_is_marked_on_receipt),
    };
    return cmocka_run_group_tests_name("ingest_binary", tests, NULL, NULL);
}
