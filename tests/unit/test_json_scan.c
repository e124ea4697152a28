/*
 * test_json_scan.c - the scan of JSON text takes eight bytes in one step: every byte at every place
 * of a string, beside a naive reading of RFC 8259; and members, however they are set.
 */
#include "tests/unit/support.h"

#include "app/core/utf8.h"
#include "handlers/sensor/record/reading_fields.h"
#include "handlers/sensor/text/ingest_json_scan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LONGEST = 27 };

/* A string of `length` plain characters with `byte` at `at`, and what stands behind it. */
static size_t write_string(char *text, size_t length, size_t at, int byte)
{
    static const char behind[4] = {'"', ':', '1', '}'};
    text[0] = '"';
    memset(text + 1, 'a', length);
    if (at < length)
        text[1 + at] = (char)byte;
    memcpy(text + 1 + length, behind, sizeof behind);
    return length + 1 + sizeof behind;
}

/* How far it goes, byte by byte; 0 = it is none. */
static size_t naive_length(const char *text, size_t length)
{
    for (size_t at = 1; at < length;) {
        unsigned char c = (unsigned char)text[at];
        bool valid = true;
        size_t bytes = 1;
        if (c == '"')
            return at + 1;
        if (c < 0x20)
            return 0;
        if (c == '\\') /* what follows is an 'a' or a quote */
            bytes = text[at + 1] == '"' ? 2 : 0;
        else
            bytes = utf8_next(view_from(text + at, length - at), &valid);
        if (!valid || bytes == 0)
            return 0;
        at += bytes;
    }
    return 0;
}

static void any_byte_anywhere_in_a_string_is_seen(void **state)
{
    char text[LONGEST + 8];
    struct json_extent extent;
    (void)state;
    for (size_t length = 0; length <= LONGEST; length++)
        for (size_t at = 0; at < length; at++)
            for (int byte = 0; byte < 256; byte++) {
                size_t size = write_string(text, length, at, byte);
                size_t expected = naive_length(text, size);
                bool good = ingest_json_scan(view_from(text, size), &extent);
                if (good != (expected > 0) || (good && extent.bytes != expected))
                    fail_msg("byte %02x at %zu of %zu", (unsigned)byte, at, length);
            }
}

/* In memory of its own, so that nothing is read beyond. */
static void expect_cut_off(const char *text, size_t size)
{
    struct json_extent extent;
    char *cut = malloc(size);
    assert_non_null(cut);
    memcpy(cut, text, size);
    assert_false(ingest_json_scan(view_from(cut, size), &extent));
    free(cut);
}

static void strings_and_words_may_be_cut_off_anywhere(void **state)
{
    static const char *const words[] = {"true", "false", "null"};
    char text[LONGEST + 8];
    (void)state;
    for (size_t length = 0; length <= LONGEST; length++) {
        write_string(text, length, LONGEST, 0);
        for (size_t size = 1; size <= length + 1; size++)
            expect_cut_off(text, size);
    }
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        for (size_t size = 1; size < strlen(words[i]); size++)
            expect_cut_off(words[i], size);
}

static void members_are_taken_however_they_are_set(void **state)
{
    static const char *const values[] = {"1",
                                         "-2.50e+3",
                                         "true",
                                         "false",
                                         "null",
                                         "\"\"",
                                         "\"a, b: {\\\"c\\\"}\"",
                                         "[1,[2,{\"x\":\"]\"}]]",
                                         "{\"y\":{\"z\":[]}}",
                                         "{}"};
    static const char *const gaps[] = {"", " ", "\t\r\n  "};
    struct view key, value;
    char text[256];
    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
        for (size_t g = 0; g < sizeof gaps / sizeof gaps[0]; g++) {
            const char *gap = gaps[g];
            int length = snprintf(text, sizeof text, "%s\"k\"%s:%s%s%s,%s\"last\":%s%s}", gap, gap,
                                  gap, values[i], gap, gap, values[i], gap);
            struct view rest = view_from(text, (size_t)length);
            assert_true(ingest_json_member(&rest, &key, &value));
            assert_true(view_equal(key, VIEW("\"k\"")));
            assert_true(view_equal(value, view_of(values[i])));
            assert_true(ingest_json_member(&rest, &key, &value));
            assert_true(view_equal(key, VIEW("\"last\"")));
            assert_true(view_equal(value, view_of(values[i])));
            assert_false(ingest_json_member(&rest, &key, &value));
        }
}

/* ---- Names ---- */

static void every_name_is_found_and_nothing_like_it(void **state)
{
    static const struct {
        const char *name;
        enum reading_field field;
    } names[] = {
        {"time", FIELD_TIME},
        {"sensor_timestamp", FIELD_SENSOR_TIMESTAMP},
        {"channel", FIELD_CHANNEL},
        {"rolling_code", FIELD_ROLLING_CODE},
        {"id", FIELD_ID},
        {"temperature", FIELD_TEMPERATURE},
        {"temperature_F", FIELD_TEMPERATURE_F},
        {"temperature_C", FIELD_TEMPERATURE_C},
        {"rawTemp", FIELD_RAW_TEMP},
        {"humidity", FIELD_HUMIDITY},
        {"humidity_percent", FIELD_HUMIDITY},
        {"battery_ok", FIELD_BATTERY_OK},
        {"sensor_battery_status", FIELD_BATTERY_OK},
        {"battery_low", FIELD_BATTERY_LOW},
        {"batteryLow", FIELD_BATTERY_LOW},
        {"signal", FIELD_SIGNAL},
        {"signal_dbm", FIELD_SIGNAL},
        {"signalStrength", FIELD_SIGNAL},
        {"rssi", FIELD_RSSI},
        {"relay", FIELD_RELAY},
        {"occupied", FIELD_OCCUPIED},
        {"model", FIELD_SILENT},
        {"type", FIELD_SILENT},
        {"mic", FIELD_SILENT},
        {"series", FIELD_SILENT},
        {"name", FIELD_SILENT},
        {"time_quality", FIELD_SILENT},
        {"", FIELD_COUNT},
        {"i", FIELD_COUNT},
        {"times", FIELD_COUNT},
        {"channe", FIELD_COUNT},
        {"channex", FIELD_COUNT},
        {"sensor_battery_statu", FIELD_COUNT},
        {"sensor_battery_status_", FIELD_COUNT},
    };
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        assert_int_equal(reading_field_of(view_of(names[i].name)), names[i].field);
        assert_int_equal(reading_field_of_any_case(view_of(names[i].name)), names[i].field);
    }
    assert_int_equal(reading_field_of(VIEW("Channel")), FIELD_COUNT);
    assert_int_equal(reading_field_of_any_case(VIEW("CHANNEL")), FIELD_CHANNEL);
    assert_int_equal(reading_field_of_any_case(VIEW("rawtemp")), FIELD_RAW_TEMP);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_byte_anywhere_in_a_string_is_seen),
        cmocka_unit_test(strings_and_words_may_be_cut_off_anywhere),
        cmocka_unit_test(members_are_taken_however_they_are_set),
        cmocka_unit_test(every_name_is_found_and_nothing_like_it),
    };
    return cmocka_run_group_tests_name("json scan", tests, NULL, NULL);
}
