/*
 * test_import_csv.c - files of readings as CSV: headers, columns, rows, quotes.
 */
#include "tests/unit/support_import.h"

#include "hearth/limits.h"

#include <stdio.h>
#include <string.h>

#define HEADER "time,channel,rolling_code,temperature_F,humidity,battery_ok\n"

static struct import_test test;

static int start(void **state)
{
    (void)state;
    import_test_init(&test);
    return 0;
}

static void a_csv_is_read_by_its_header(void **state)
{
    (void)state;
    import_test_run(&test, IMPORT_CSV,
                    VIEW(HEADER "2025-09-14 18:04:51-0600,1,107,74.4,35,1\n"
                                "2025-09-15T00:04:52Z,2,108,,36,0\r\n"
                                "1757894693,3,109,-3.05,,true\n"
                                "1757894694.5,4,110,70, 40 ,f\n"
                                "1757894695123,16,0,70,40,"));
    assert_int_equal(test.count, 5);
    assert_int_equal(import_test_reading(&test, 0).raw, 1144);
    assert_int_equal(import_test_reading(&test, 0).time_quality, TIME_IMPORTED);
    assert_int_equal(import_test_reading(&test, 1).raw, RAW_ABSENT);
    assert_true(import_test_reading(&test, 1).battery_low);
    assert_int_equal(import_test_reading(&test, 2).raw, 400 - 31);
    assert_int_equal(import_test_reading(&test, 2).humidity, HUMIDITY_ABSENT);
    assert_false(import_test_reading(&test, 2).battery_low);
    assert_int_equal(import_test_reading(&test, 3).time_ms, 1757894694500);
    assert_true(import_test_reading(&test, 3).battery_low);
    assert_int_equal(import_test_reading(&test, 4).time_ms, 1757894695123);
    assert_int_equal(import_test_reading(&test, 4).channel, 16);
    assert_false(import_test_reading(&test, 4).battery_low);
    assert_int_equal(test.counts.lines, 6);
}

static void columns_stand_in_any_order_case_and_separator(void **state)
{
    (void)state;
    import_test_run(&test, IMPORT_CSV,
                    VIEW("\xEF\xBB\xBF\"Humidity\";Note; TEMPERATURE_C ;Channel;ID;Time\n"
                         "35;\"a;\"\"b\"\"\nc\";21.5;1;107;2025-09-15T00:04:51Z\n"));
    assert_int_equal(test.count, 1);
    assert_int_equal(import_test_reading(&test, 0).raw, 1215);
    assert_int_equal(import_test_reading(&test, 0).humidity, 35);
    assert_int_equal(test.counts.lines, 3);
    import_test_run(&test, IMPORT_CSV,
                    VIEW("time\tchannel\tid\tbatteryLow\thumidity\n1757894691\t1\t1\t1\t5\n"));
    assert_int_equal(test.count, 1);
    assert_true(import_test_reading(&test, 0).battery_low);
}

static void the_rows_that_are_given_out_come_back_from_csv(void **state)
{
    (void)state;
    test.options.rolling_code = 7;
    import_test_run(&test, IMPORT_CSV,
                    VIEW("sensor_timestamp,channel,rawTemp,humidity,signalStrength,batteryLow\n"
                         "2025-09-15 00:04:51,5,1186,47,-63,false\n"
                         "2025-09-15 00:04:52,5,null,47,NULL,\\N\n"));
    assert_int_equal(test.count, 2);
    assert_int_equal(import_test_reading(&test, 0).time_ms, 1757894691000);
    assert_int_equal(import_test_reading(&test, 0).raw, 1186);
    assert_int_equal(import_test_reading(&test, 0).scale, SCALE_TENTHS_C);
    assert_int_equal(import_test_reading(&test, 0).signal, 63);
    assert_int_equal(import_test_reading(&test, 0).rolling_code, 7);
    assert_int_equal(import_test_reading(&test, 1).raw, RAW_ABSENT);
}

static void what_is_exported_can_be_imported(void **state)
{
    (void)state;
    import_test_run(&test, IMPORT_CSV,
                    VIEW("time,series,name,channel,rolling_code,temperature_F,humidity_percent,"
                         "battery_low,signal_dbm,time_quality,relay,occupied\r\n"
                         "2025-09-15T00:04:51Z,freezer,\"Freezer, cellar\",5,107,-3.5,35,true,-63,"
                         "sender,false,true\r\n"));
    assert_int_equal(test.count, 1);
    const struct reading reading = import_test_reading(&test, 0);
    assert_int_equal(reading.time_ms, 1757894691000);
    assert_int_equal(reading.raw, 365);
    assert_int_equal(reading.humidity, 35);
    assert_true(reading.battery_low && reading.occupied && !reading.relay);
    assert_int_equal(reading.signal, 63);
    import_test_run(&test, IMPORT_JSONL,
                    VIEW("{\"time\":\"2025-09-15T00:04:51Z\",\"series\":\"freezer\",\"channel\":5,"
                         "\"rolling_code\":107,\"temperature_C\":21.5,\"humidity\":null,"
                         "\"battery_ok\":true,\"signal\":null,\"time_quality\":\"sender\"}\n"));
    assert_int_equal(test.count, 1);
    assert_int_equal(test.counts.ignored, 0);
}

static void columns_without_a_meaning_are_named(void **state)
{
    struct import *import;
    (void)state;
    test.options.format = IMPORT_CSV;
    import = import_new(&test.options, &test.error);
    assert_non_null(import);
    assert_string_equal(import_columns_ignored(import), "");
    assert_int_equal(
        import_feed(import, VIEW("time,channel,note,id,humidity,wind speed\n"), &test.error),
        HEARTH_OK);
    assert_string_equal(import_columns_ignored(import), "note, wind speed");
    import_free(import);
}

static void a_header_that_lacks_a_column_is_refused_by_its_name(void **state)
{
    static const struct {
        const char *header, *missing;
    } cases[] = {
        {"channel,id,humidity\n", "called time"},
        {"time,id,humidity\n", "called channel"},
        {"time,channel,humidity\n", "called rolling_code"},
        {"time,channel,id,relay\n", "or humidity"},
        {"2025-09-14 18:04:51-0600,1,107,74.4,35,1\n", "called time"},
        {"\"open\n", "called time"},
        {"\n\n  \n", "called time"},
        {"\"a\"b,c\n", "malformed"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(import_test_run_in(&test, IMPORT_CSV, view_of(cases[i].header), 7),
                         HEARTH_BAD_BODY);
        if (!strstr(test.error.detail, cases[i].missing) && !strstr(test.error.detail, "malformed"))
            fail_msg("%s: %s", cases[i].header, test.error.detail);
    }
    assert_int_equal(import_test_run_in(&test, IMPORT_CSV, VIEW(""), 7), HEARTH_OK);
    assert_int_equal(import_test_run_in(&test, IMPORT_CSV, VIEW(HEADER), 7), HEARTH_OK);
    assert_int_equal(
        import_test_run_in(&test, IMPORT_CSV, view_slice(VIEW(HEADER), 0, sizeof HEADER - 2), 7),
        HEARTH_OK);
}

static void a_column_that_is_there_twice_is_refused_by_its_name(void **state)
{
    (void)state;
    assert_int_equal(import_test_run_in(&test, IMPORT_CSV,
                                        VIEW("time,channel,id,humidity,note,note, Humidity\n"
                                             "1757894691,1,1,5,a,b,6\n"),
                                        7),
                     HEARTH_BAD_BODY);
    assert_non_null(strstr(test.error.detail, "has two columns for Humidity;"));
    assert_int_equal(
        import_test_run_in(&test, IMPORT_CSV,
                           VIEW("time,channel,id,humidity,note,note\n1757894691,1,1,5,a,b\n"), 7),
        HEARTH_OK);
}

static void a_row_of_another_length_is_none(void **state)
{
    (void)state;
    import_test_run(&test, IMPORT_CSV,
                    VIEW(HEADER "1757894691,1,107,74.4,35\n"
                                "1757894691,1,107,74.4,35,1,x\n"
                                "1757894691,1,107,74.4,35,1,,\n"
                                "1757894691,1,107,\"74.4\"x,35,1\n"
                                "\n"
                                "1757894692,1,107,\"74.4\",35,1\n"));
    assert_int_equal(test.count, 2);
    assert_int_equal(test.counts.reasons[REJECT_NOT_CSV], 3);
    assert_int_equal(test.counts.first_lines[REJECT_NOT_CSV][0], 2);
    assert_int_equal(test.counts.first_lines[REJECT_NOT_CSV][2], 5);
    import_test_expect_text(&test, 1, "NOT_CSV csv: 1757894691,1,107,\"74.4\"x,35,1");
}

static void values_that_cannot_be_are_rejected_with_their_reason(void **state)
{
    static const struct {
        const char *row;
        enum record_reject reject;
    } cases[] = {
        {"1757894691,17,1,70,40,1", REJECT_CHANNEL_RANGE},
        {"1757894691,A,1,70,40,1", REJECT_WRONG_TYPE},
        {"1757894691,1,256,70,40,1", REJECT_ROLLING_CODE_RANGE},
        {"1757894691,1,,70,40,1", REJECT_MISSING_MEMBER},
        {"1757894691,1,1,400,40,1", REJECT_TEMPERATURE_RANGE},
        {"1757894691,1,1,70,101,1", REJECT_HUMIDITY_RANGE},
        {"1757894691,1,1,70,40,maybe", REJECT_WRONG_TYPE},
        {"1757894691,1,1,,,1", REJECT_MISSING_MEMBER},
        {"soon,1,1,70,40,1", REJECT_BAD_TIME},
        {",1,1,70,40,1", REJECT_MISSING_MEMBER},
        {"99999999999999,1,1,70,40,1", REJECT_TIME_RANGE},
        {"-5,1,1,70,40,1", REJECT_BAD_TIME},
    };
    char text[200];
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        snprintf(text, sizeof text, HEADER "%s\n", cases[i].row);
        import_test_run(&test, IMPORT_CSV, view_of(text));
        if (test.counts.reasons[cases[i].reject] != 1)
            fail_msg("%s: %s", cases[i].row, test.texts[0]);
    }
}

static void a_quote_that_never_closes_costs_its_line(void **state)
{
    struct buffer bytes;
    (void)state;
    import_test_run(&test, IMPORT_CSV,
                    VIEW(HEADER "\"1757894691,1,107,74.4,35,1\n1757894692,1,107,74.4,35,1\n"));
    assert_int_equal(test.count, 1);
    assert_int_equal(test.counts.reasons[REJECT_NOT_CSV], 1);
    buffer_init(&bytes, 1u << 20);
    buffer_append_text(&bytes, HEADER "\"1757894691,1,107,74.4,35,1\n");
    while (bytes.length < (size_t)3 * LIMIT_READING_BYTES)
        buffer_append_text(&bytes, "1757894692,1,107,74.4,35,1\n");
    for (size_t step = 1000; step < 2000000; step *= 30) {
        assert_int_equal(import_test_run_in(&test, IMPORT_CSV, buffer_view(&bytes), step),
                         HEARTH_OK);
        assert_int_equal(test.counts.reasons[REJECT_NOT_CSV], 1);
        assert_int_equal(test.counts.records, test.counts.lines - 2);
    }
    buffer_clean(&bytes);
}

int main(void)
{
#define STORY(name) cmocka_unit_test_setup(name, start)
    const struct CMUnitTest tests[] = {
        STORY(a_csv_is_read_by_its_header),
        STORY(columns_stand_in_any_order_case_and_separator),
        STORY(the_rows_that_are_given_out_come_back_from_csv),
        STORY(what_is_exported_can_be_imported),
        STORY(columns_without_a_meaning_are_named),
        STORY(a_header_that_lacks_a_column_is_refused_by_its_name),
        STORY(a_column_that_is_there_twice_is_refused_by_its_name),
        STORY(a_row_of_another_length_is_none),
        STORY(values_that_cannot_be_are_rejected_with_their_reason),
        STORY(a_quote_that_never_closes_costs_its_line),
    };
    return cmocka_run_group_tests_name("import_csv", tests, NULL, NULL);
}
