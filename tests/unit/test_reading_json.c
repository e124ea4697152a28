/*
 * test_reading_json.c - one reading as a JSON object: every member, every unit, every reason to
 * refuse it; and decimal numbers, which are never taken through binary ones.
 */
#include "tests/unit/support.h"
#include "tests/unit/support_chance.h"

#include "handlers/sensor/record/reading_json.h"
#include "handlers/sensor/text/decimal.h"
#include "handlers/sensor/text/ingest_json_scan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct time_zones *zones;

static int make_zones(void **state)
{
    (void)state;
    zones = time_zones_new(TIME_ZONE_DIRECTORY);
    return zones ? 0 : 1;
}

static int free_zones(void **state)
{
    (void)state;
    time_zones_free(zones);
    return 0;
}

struct outcome {
    enum record_reject reject;
    struct reading reading;
    uint64_t ignored;
    struct error_record error;
};

static struct outcome read_in(const char *text, enum temperature_unit unit, const char *zone)
{
    const struct reading_options options = {
        .unit = unit, .time_zone = view_of(zone), .zones = zones, .now_ms = 1757894700000};
    struct outcome outcome = {.reject = REJECT_COUNT};
    struct json_extent extent;
    if (!ingest_json_scan(view_of(text), &extent) || extent.bytes != strlen(text))
        fail_msg("no JSON: %s", text);
    outcome.reject = reading_from_json(view_of(text), &options, &outcome.reading, &outcome.ignored,
                                       &outcome.error);
    return outcome;
}

static struct outcome read_text(const char *text)
{
    return read_in(text, UNIT_TENTHS_F, "UTC");
}

/* A reading with these members besides channel and code. */
static struct outcome read_with(const char *members, enum temperature_unit unit)
{
    char text[512];
    snprintf(text, sizeof text, "{\"channel\":1,\"rolling_code\":107,%s}", members);
    return read_in(text, unit, "UTC");
}

static void assert_reading(const struct outcome *outcome, const struct reading *expected)
{
    struct record got, wanted;
    assert_int_equal(outcome->reject, REJECT_NONE);
    assert_int_equal(record_encode(&outcome->reading, &got), REJECT_NONE);
    assert_int_equal(record_encode(expected, &wanted), REJECT_NONE);
    assert_memory_equal(&got, &wanted, sizeof got);
}

/* ---- Whole readings ---- */

static void the_station_s_own_form_is_read(void **state)
{
    (void)state;
    struct outcome outcome =
        read_text("{\"time\":\"2025-09-14 18:04:51-0600\",\"type\":\"F007TH\",\"channel\":\"1\","
                  "\"rolling_code\":107,\"temperature\":744,\"humidity\":35,\"battery_ok\":true,"
                  "\"relay\":false,\"occupied\":true}");
    const struct reading expected = {.time_ms = 1757894691000,
                                     .channel = 1,
                                     .rolling_code = 107,
                                     .raw = 1144,
                                     .humidity = 35,
                                     .occupied = true};
    assert_reading(&outcome, &expected);
    assert_int_equal(outcome.ignored, 0);
}

static void rtl_433_s_form_is_read(void **state)
{
    (void)state;
    struct outcome outcome = read_text(
        "{\"time\":\"2025-09-15 00:04:51\",\"model\":\"Ambientweather-F007TH\",\"id\":165,"
        "\"channel\":3,\"battery_ok\":0,\"temperature_F\":9.900,\"humidity\":57,\"mic\":\"CRC\","
        "\"rssi\":-0.7,\"snr\":12.5}");
    const struct reading expected = {.time_ms = 1757894691000,
                                     .channel = 3,
                                     .rolling_code = 165,
                                     .raw = 499,
                                     .humidity = 57,
                                     .battery_low = true,
                                     .signal = 1};
    assert_reading(&outcome, &expected);
    assert_int_equal(outcome.ignored, 1); /* snr */
}

static void without_a_time_it_is_the_server_s(void **state)
{
    (void)state;
    struct outcome outcome = read_text("{\"channel\":1,\"rolling_code\":1,\"humidity\":50}");
    const struct reading expected = {.time_ms = 1757894700000,
                                     .channel = 1,
                                     .rolling_code = 1,
                                     .raw = RAW_ABSENT,
                                     .humidity = 50,
                                     .time_quality = TIME_SERVER};
    assert_reading(&outcome, &expected);
    outcome = read_text("{\"time\":null,\"channel\":1,\"rolling_code\":1,\"humidity\":50}");
    assert_reading(&outcome, &expected);
}

static void a_time_without_an_offset_is_in_the_sender_s_zone(void **state)
{
    static const char text[] = "{\"time\":\"2025-09-14 18:04:51.250\",\"channel\":1,"
                               "\"rolling_code\":1,\"humidity\":50}";
    (void)state;
    assert_int_equal(read_in(text, UNIT_F, "UTC").reading.time_ms, 1757873091250);
    assert_int_equal(read_in(text, UNIT_F, "America/Denver").reading.time_ms, 1757894691250);
    assert_int_equal(read_in(text, UNIT_F, "Asia/Kathmandu").reading.time_ms, 1757852391250);
    struct outcome outcome = read_in(text, UNIT_F, "Nowhere/Atlantis");
    assert_int_equal(outcome.reject, REJECT_BAD_TIME);
    assert_int_equal(outcome.error.code, HEARTH_NOT_FOUND);
}

static void unknown_members_are_ignored_and_counted(void **state)
{
    (void)state;
    struct outcome outcome = read_with("\"humidity\":50,\"_ts\":1757838005.5,\"deep\":{\"a\":[1]},"
                                       "\"type\":\"F007TH\",\"model\":null,\"mic\":\"CRC\"",
                                       UNIT_F);
    assert_int_equal(outcome.reject, REJECT_NONE);
    assert_int_equal(outcome.ignored, 2);
}

static void of_two_members_of_one_name_the_last_counts(void **state)
{
    (void)state;
    struct outcome outcome = read_with("\"humidity\":50,\"humidity\":51", UNIT_F);
    assert_int_equal(outcome.reject, REJECT_NONE);
    assert_int_equal(outcome.reading.humidity, 51);
}

static void escapes_in_names_and_texts_are_understood(void **state)
{
    (void)state;
    struct outcome outcome = read_text(
        "{\"t\\u0069me\":\"2025-09-14\\u002018:04:51\\u002d0600\",\"channel\":\"\\u0033\","
        "\"rolling_code\":1,\"humidity\":5,\"t\\u00e9\":1,\"a\\\"b\\\\\":\"\\n\"}");
    assert_int_equal(outcome.reject, REJECT_NONE);
    assert_int_equal(outcome.reading.time_ms, 1757894691000);
    assert_int_equal(outcome.reading.channel, 3);
    assert_int_equal(outcome.ignored, 2);
    assert_int_equal(read_with("\"humidity\":5,\"time\":\"\\u00e9\"", UNIT_F).reject,
                     REJECT_BAD_TIME);
}

static void a_text_of_escapes_without_end_is_no_time(void **state)
{
    char text[2048];
    (void)state;
    size_t length = (size_t)snprintf(text, sizeof text, "\"humidity\":5,\"time\":\"");
    for (int i = 0; i < 70; i++)
        length += (size_t)snprintf(text + length, sizeof text - length, "\\u0031");
    snprintf(text + length, sizeof text - length, "\"");
    char whole[2200];
    snprintf(whole, sizeof whole, "{\"channel\":1,\"rolling_code\":1,%s}", text);
    assert_int_equal(read_text(whole).reject, REJECT_BAD_TIME);
}

static void the_rows_that_are_given_out_are_read(void **state)
{
    (void)state;
    struct outcome outcome =
        read_in("{\"sensor_timestamp\":\"2025-09-15 00:04:51\",\"channel\":5,\"rawTemp\":1186,"
                "\"humidity\":47,\"signalStrength\":-63,\"batteryLow\":true,\"id\":9}",
                UNIT_F, "America/Denver");
    const struct reading expected = {.time_ms = 1757894691000,
                                     .channel = 5,
                                     .rolling_code = 9,
                                     .scale = SCALE_TENTHS_C,
                                     .raw = 1186,
                                     .humidity = 47,
                                     .battery_low = true,
                                     .signal = 63};
    assert_reading(&outcome, &expected);
    outcome = read_with("\"rawTemp\":4095", UNIT_F);
    assert_int_equal(outcome.reject, REJECT_TEMPERATURE_RANGE);
}

static void of_names_that_say_the_same_one_counts(void **state)
{
    (void)state;
    struct outcome outcome = read_with("\"humidity\":5,\"battery_ok\":0,\"battery_low\":false,"
                                       "\"id\":3,\"sensor_timestamp\":\"2025-09-15 00:04:51\","
                                       "\"time\":\"2025-09-15T00:04:52Z\"",
                                       UNIT_F);
    assert_int_equal(outcome.reject, REJECT_NONE);
    assert_true(outcome.reading.battery_low);
    assert_int_equal(outcome.reading.rolling_code, 107);
    assert_int_equal(outcome.reading.time_ms, 1757894692000);
    assert_int_equal(outcome.ignored, 3);
}

/* ---- Temperatures ---- */

static void every_unit_keeps_its_tenths(void **state)
{
    static const struct {
        const char *member;
        enum temperature_unit unit;
        enum reading_scale scale;
        int raw;
    } cases[] = {
        {"\"temperature\":744", UNIT_TENTHS_F, SCALE_TENTHS_F, 1144},
        {"\"temperature\":744.0", UNIT_TENTHS_F, SCALE_TENTHS_F, 1144},
        {"\"temperature\":744.5", UNIT_TENTHS_F, SCALE_TENTHS_F, 1145},
        {"\"temperature\":-0.5", UNIT_TENTHS_F, SCALE_TENTHS_F, 399},
        {"\"temperature\":-400", UNIT_TENTHS_F, SCALE_TENTHS_F, 0},
        {"\"temperature\":3694", UNIT_TENTHS_F, SCALE_TENTHS_F, 4094},
        {"\"temperature\":7.44e2", UNIT_TENTHS_F, SCALE_TENTHS_F, 1144},
        {"\"temperature\":235", UNIT_TENTHS_C, SCALE_TENTHS_C, 1235},
        {"\"temperature\":-1000", UNIT_TENTHS_C, SCALE_TENTHS_C, 0},
        {"\"temperature\":74.4", UNIT_F, SCALE_TENTHS_F, 1144},
        {"\"temperature\":74.45", UNIT_F, SCALE_TENTHS_F, 1145}, /* as a double: 74.4499... */
        {"\"temperature\":74.449999999999999999", UNIT_F, SCALE_TENTHS_F, 1144},
        {"\"temperature\":-74.45", UNIT_F, SCALE_TENTHS_F, 400 - 745},
        {"\"temperature\":1.15", UNIT_C, SCALE_TENTHS_C, 1012},
        {"\"temperature\":-1.15", UNIT_C, SCALE_TENTHS_C, 988},
        {"\"temperature\":21", UNIT_C, SCALE_TENTHS_C, 1210},
        {"\"temperature_F\":9.900001", UNIT_C, SCALE_TENTHS_F, 499},
        {"\"temperature_C\":-12.3", UNIT_F, SCALE_TENTHS_C, 877},
        {"\"temperature_F\":50.0,\"temperature\":744", UNIT_TENTHS_F, SCALE_TENTHS_F, 900},
        {"\"temperature_C\":10.0,\"temperature\":744", UNIT_TENTHS_F, SCALE_TENTHS_C, 1100},
        {"\"temperature_C\":10.0,\"temperature_F\":50.1", UNIT_F, SCALE_TENTHS_F, 901},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct outcome outcome = read_with(cases[i].member, cases[i].unit);
        if (cases[i].raw < 0) {
            assert_int_equal(outcome.reject, REJECT_TEMPERATURE_RANGE);
            continue;
        }
        if (outcome.reject || outcome.reading.raw != cases[i].raw ||
            outcome.reading.scale != cases[i].scale)
            fail_msg("%s: %s %d", cases[i].member, record_reject_name(outcome.reject),
                     outcome.reading.raw);
    }
}

static void a_temperature_that_was_replaced_counts_as_ignored(void **state)
{
    (void)state;
    assert_int_equal(read_with("\"temperature_C\":10,\"temperature\":744", UNIT_F).ignored, 1);
    assert_int_equal(read_with("\"temperature_C\":10,\"temperature\":null", UNIT_F).ignored, 0);
}

/* ---- What is refused, and why ---- */

static void each_refusal_has_its_reason(void **state)
{
    static const struct {
        const char *text;
        enum record_reject reject;
    } cases[] = {
        {"[]", REJECT_WRONG_TYPE},
        {"7", REJECT_WRONG_TYPE},
        {"\"x\"", REJECT_WRONG_TYPE},
        {"{}", REJECT_MISSING_MEMBER},
        {"{\"rolling_code\":1,\"humidity\":5}", REJECT_MISSING_MEMBER},
        {"{\"channel\":null,\"rolling_code\":1,\"humidity\":5}", REJECT_MISSING_MEMBER},
        {"{\"channel\":1,\"humidity\":5}", REJECT_MISSING_MEMBER},
        {"{\"channel\":1,\"rolling_code\":1}", REJECT_MISSING_MEMBER},
        {"{\"channel\":1,\"rolling_code\":1,\"temperature\":null,\"humidity\":null}",
         REJECT_MISSING_MEMBER},
        {"{\"channel\":0,\"rolling_code\":1,\"humidity\":5}", REJECT_CHANNEL_RANGE},
        {"{\"channel\":17,\"rolling_code\":1,\"humidity\":5}", REJECT_CHANNEL_RANGE},
        {"{\"channel\":\"17\",\"rolling_code\":1,\"humidity\":5}", REJECT_CHANNEL_RANGE},
        {"{\"channel\":\"99999999999\",\"rolling_code\":1,\"humidity\":5}", REJECT_CHANNEL_RANGE},
        {"{\"channel\":-1,\"rolling_code\":1,\"humidity\":5}", REJECT_CHANNEL_RANGE},
        {"{\"channel\":99999999999999999999,\"rolling_code\":1,\"humidity\":5}",
         REJECT_CHANNEL_RANGE},
        {"{\"channel\":1.5,\"rolling_code\":1,\"humidity\":5}", REJECT_WRONG_TYPE},
        {"{\"channel\":1.04,\"rolling_code\":1,\"humidity\":5}", REJECT_WRONG_TYPE},
        {"{\"channel\":\"A\",\"rolling_code\":1,\"humidity\":5}", REJECT_WRONG_TYPE},
        {"{\"channel\":\" 1\",\"rolling_code\":1,\"humidity\":5}", REJECT_WRONG_TYPE},
        {"{\"channel\":\"\",\"rolling_code\":1,\"humidity\":5}", REJECT_WRONG_TYPE},
        {"{\"channel\":true,\"rolling_code\":1,\"humidity\":5}", REJECT_WRONG_TYPE},
        {"{\"channel\":1,\"rolling_code\":256,\"humidity\":5}", REJECT_ROLLING_CODE_RANGE},
        {"{\"channel\":1,\"rolling_code\":-1,\"humidity\":5}", REJECT_ROLLING_CODE_RANGE},
        {"{\"channel\":1,\"rolling_code\":\"1\",\"humidity\":5}", REJECT_WRONG_TYPE},
        {"{\"channel\":1,\"id\":999,\"humidity\":5}", REJECT_ROLLING_CODE_RANGE},
        {"{\"channel\":1,\"rolling_code\":1,\"humidity\":101}", REJECT_HUMIDITY_RANGE},
        {"{\"channel\":1,\"rolling_code\":1,\"humidity\":127}", REJECT_HUMIDITY_RANGE},
        {"{\"channel\":1,\"rolling_code\":1,\"humidity\":100.5}", REJECT_HUMIDITY_RANGE},
        {"{\"channel\":1,\"rolling_code\":1,\"humidity\":-1}", REJECT_HUMIDITY_RANGE},
        {"{\"channel\":1,\"rolling_code\":1,\"humidity\":\"50\"}", REJECT_WRONG_TYPE},
        {"{\"channel\":1,\"rolling_code\":1,\"temperature\":3695}", REJECT_TEMPERATURE_RANGE},
        {"{\"channel\":1,\"rolling_code\":1,\"temperature\":-401}", REJECT_TEMPERATURE_RANGE},
        {"{\"channel\":1,\"rolling_code\":1,\"temperature\":1e300}", REJECT_TEMPERATURE_RANGE},
        {"{\"channel\":1,\"rolling_code\":1,\"temperature\":-1e999}", REJECT_TEMPERATURE_RANGE},
        {"{\"channel\":1,\"rolling_code\":1,\"temperature\":\"744\"}", REJECT_WRONG_TYPE},
        {"{\"channel\":1,\"rolling_code\":1,\"temperature\":[744]}", REJECT_WRONG_TYPE},
        {"{\"channel\":1,\"rolling_code\":1,\"humidity\":5,\"signal\":-128}", REJECT_SIGNAL_RANGE},
        {"{\"channel\":1,\"rolling_code\":1,\"humidity\":5,\"rssi\":\"-63\"}", REJECT_WRONG_TYPE},
        {"{\"channel\":1,\"rolling_code\":1,\"humidity\":5,\"battery_ok\":\"true\"}",
         REJECT_WRONG_TYPE},
        {"{\"channel\":1,\"rolling_code\":1,\"humidity\":5,\"battery_ok\":2}", REJECT_WRONG_TYPE},
        {"{\"channel\":1,\"rolling_code\":1,\"humidity\":5,\"battery_ok\":0.5}", REJECT_WRONG_TYPE},
        {"{\"channel\":1,\"rolling_code\":1,\"humidity\":5,\"relay\":-1}", REJECT_WRONG_TYPE},
        {"{\"channel\":1,\"rolling_code\":1,\"humidity\":5,\"occupied\":{}}", REJECT_WRONG_TYPE},
        {"{\"channel\":1,\"rolling_code\":1,\"humidity\":5,\"time\":1757894691}",
         REJECT_WRONG_TYPE},
        {"{\"channel\":1,\"rolling_code\":1,\"humidity\":5,\"time\":\"\"}", REJECT_BAD_TIME},
        {"{\"channel\":1,\"rolling_code\":1,\"humidity\":5,\"time\":\"1757894691\"}",
         REJECT_BAD_TIME},
        {"{\"channel\":1,\"rolling_code\":1,\"humidity\":5,\"time\":\"2025-02-30 00:00:00Z\"}",
         REJECT_BAD_TIME},
        {"{\"channel\":1,\"rolling_code\":1,\"humidity\":5,\"time\":\"1969-12-31 23:59:59Z\"}",
         REJECT_TIME_RANGE},
        {"{\"channel\":1,\"rolling_code\":1,\"humidity\":5,\"time\":\"2109-05-15 07:35:11.104Z\"}",
         REJECT_TIME_RANGE},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct outcome outcome = read_text(cases[i].text);
        if (outcome.reject != cases[i].reject)
            fail_msg("%s: %s", cases[i].text, record_reject_name(outcome.reject));
    }
}

static void the_last_moment_of_42_bits_is_read(void **state)
{
    (void)state;
    struct outcome outcome = read_text("{\"channel\":1,\"rolling_code\":1,\"humidity\":5,"
                                       "\"time\":\"2109-05-15 07:35:11.103Z\"}");
    assert_int_equal(outcome.reject, REJECT_NONE);
    assert_int_equal(outcome.reading.time_ms, READING_TIME_MAX_MS);
}

static void small_things_are_forgiven(void **state)
{
    (void)state;
    assert_int_equal(read_with("\"humidity\":35.5", UNIT_F).reading.humidity, 36);
    assert_int_equal(read_with("\"humidity\":0.4", UNIT_F).reading.humidity, 0);
    assert_int_equal(read_with("\"humidity\":100.4", UNIT_F).reading.humidity, 100);
    assert_int_equal(read_with("\"humidity\":5,\"signal\":-63", UNIT_F).reading.signal, 63);
    assert_int_equal(read_with("\"humidity\":5,\"signal\":63", UNIT_F).reading.signal, 63);
    assert_int_equal(read_with("\"humidity\":5,\"rssi\":-12.6", UNIT_F).reading.signal, 13);
    assert_int_equal(read_with("\"humidity\":5,\"signal\":0", UNIT_F).reading.signal, 0);
    assert_int_equal(read_with("\"humidity\":5,\"signal\":-1,\"rssi\":-2", UNIT_F).reading.signal,
                     1);
    assert_false(read_with("\"humidity\":5", UNIT_F).reading.battery_low);
    assert_true(read_with("\"humidity\":5,\"battery_ok\":0", UNIT_F).reading.battery_low);
    assert_false(read_with("\"humidity\":5,\"battery_ok\":1.0", UNIT_F).reading.battery_low);
    assert_true(read_with("\"humidity\":5,\"relay\":1", UNIT_F).reading.relay);
    assert_int_equal(
        read_text("{\"channel\":1.0,\"rolling_code\":1e1,\"humidity\":5}").reading.rolling_code,
        10);
}

/* Whatever a reading is, written as JSON it comes back the same. */
static void any_reading_survives_json(void **state)
{
    (void)state;
    chance_seed(17);
    for (int i = 0; i < 20000; i++) {
        struct reading reading = {
            .time_ms = (int64_t)(chance_next() & READING_TIME_MAX_MS),
            .channel = 1 + chance(16),
            .rolling_code = chance(256),
            .scale = chance(2) ? SCALE_TENTHS_C : SCALE_TENTHS_F,
            .raw = chance(4095),
            .humidity = chance(101),
            .battery_low = chance(2),
            .signal = chance(128),
            .relay = chance(2),
            .occupied = chance(2),
        };
        bool celsius = reading.scale == SCALE_TENTHS_C;
        int tenths = reading.raw - (celsius ? RAW_C_OFFSET : RAW_F_OFFSET);
        char time[CLOCK_RFC3339_SIZE], text[512];
        clock_format_rfc3339(reading.time_ms, time);
        snprintf(text, sizeof text,
                 "{\"time\":\"%s\",\"channel\":%s%d%s,\"rolling_code\":%d,\"%s\":%s%d.%d,"
                 "\"humidity\":%d,\"battery_ok\":%s,\"signal\":%d,\"relay\":%s,\"occupied\":%d}",
                 time, i % 2 ? "\"" : "", reading.channel, i % 2 ? "\"" : "", reading.rolling_code,
                 celsius ? "temperature_C" : "temperature_F", tenths < 0 ? "-" : "",
                 abs(tenths) / 10, abs(tenths) % 10, reading.humidity,
                 reading.battery_low ? "false" : "true", i % 3 ? -reading.signal : reading.signal,
                 reading.relay ? "true" : "false", reading.occupied);
        struct outcome outcome = read_text(text);
        assert_reading(&outcome, &reading);
    }
}

/* ---- Decimals ---- */

static void decimals_are_rounded_as_written(void **state)
{
    static const struct {
        const char *text;
        int places;
        int64_t value;
    } cases[] = {
        {"0", 0, 0},
        {"744", 0, 744},
        {"744", 1, 7440},
        {"74.45", 1, 745},
        {"74.44", 1, 744},
        {"-74.45", 1, -745},
        {"-0.04", 1, 0},
        {"0.5", 0, 1},
        {"0.49999999999999999999999", 0, 0},
        {"1e2", 0, 100},
        {"1E+2", 1, 1000},
        {"12.5e-1", 0, 1},
        {"15e-1", 0, 2},
        {"5e-1", 0, 1},
        {"5e-2", 0, 0},
        {"9.99", 1, 100},
        {"0.00000000744e11", 0, 744},
        {"00012.3", 1, 123},
        {"1e99999999999999999999", 0, DECIMAL_LIMIT},
        {"-1e99999999999999999999", 0, -DECIMAL_LIMIT},
        {"1e-99999999999999999999", 0, 0},
        {"0e99999999999999999999", 0, 0},
        {"999999999999999999999999999999", 0, DECIMAL_LIMIT},
        {"999999999", 0, 999999999},
        {"-999999999", 0, -999999999},
        {"999999999", 1, DECIMAL_LIMIT},
        {"1000000000", 0, DECIMAL_LIMIT},
        {"-1000000000", 0, -DECIMAL_LIMIT},
        {"0000000000012", 0, 12},
        {"-0", 0, 0},
    };
    static const char *const bad[] = {"",   "-",    ".",   "1.2.3", "e5",  "1e", "1e+",
                                      "1x", "1e5x", "NaN", "1-",    "--1", "+1"};
    int64_t value;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (!decimal_round(view_of(cases[i].text), cases[i].places, &value) ||
            value != cases[i].value)
            fail_msg("%s: %lld", cases[i].text, (long long)value);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (decimal_round(view_of(bad[i]), 0, &value))
            fail_msg("%s was taken for %lld", bad[i], (long long)value);
}

static void whole_numbers_are_known(void **state)
{
    static const char *const whole[] = {"7", "7.0", "0.7e1", "70e-1", "700.00e-2", "-7", "0e-99"};
    static const char *const not_whole[] = {"7.5",    "7.0001", "7e-1", "1e-999",
                                            "0.0e1x", "",       "-",    "7.00000000000000000001"};
    int64_t value;
    (void)state;
    for (size_t i = 0; i < sizeof whole / sizeof whole[0]; i++) {
        assert_true(decimal_whole(view_of(whole[i]), &value));
        assert_int_equal(value, i < 5 ? 7 : i == 5 ? -7 : 0);
    }
    for (size_t i = 0; i < sizeof not_whole / sizeof not_whole[0]; i++)
        assert_false(decimal_whole(view_of(not_whole[i]), &value));
    assert_true(decimal_whole(view_of("1e30"), &value));
    assert_int_equal(value, DECIMAL_LIMIT);
}

/* Against whole numbers: n / 1000 with one place is n / 100, rounded. */
static void decimals_agree_with_whole_numbers(void **state)
{
    (void)state;
    for (int n = -30000; n <= 30000; n++) {
        char text[32];
        int64_t value;
        int size = abs(n), expected = (size + 50) / 100 * (n < 0 ? -1 : 1);
        snprintf(text, sizeof text, "%s%d.%03d", n < 0 ? "-" : "", size / 1000, size % 1000);
        assert_true(decimal_round(view_of(text), 1, &value));
        assert_int_equal(value, expected);
        snprintf(text, sizeof text, "%de-3", n);
        assert_true(decimal_round(view_of(text), 1, &value));
        assert_int_equal(value, expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_station_s_own_form_is_read),
        cmocka_unit_test(rtl_433_s_form_is_read),
        cmocka_unit_test(without_a_time_it_is_the_server_s),
        cmocka_unit_test(a_time_without_an_offset_is_in_the_sender_s_zone),
        cmocka_unit_test(unknown_members_are_ignored_and_counted),
        cmocka_unit_test(of_two_members_of_one_name_the_last_counts),
        cmocka_unit_test(escapes_in_names_and_texts_are_understood),
        cmocka_unit_test(a_text_of_escapes_without_end_is_no_time),
        cmocka_unit_test(the_rows_that_are_given_out_are_read),
        cmocka_unit_test(of_names_that_say_the_same_one_counts),
        cmocka_unit_test(every_unit_keeps_its_tenths),
        cmocka_unit_test(a_temperature_that_was_replaced_counts_as_ignored),
        cmocka_unit_test(each_refusal_has_its_reason),
        cmocka_unit_test(the_last_moment_of_42_bits_is_read),
        cmocka_unit_test(small_things_are_forgiven),
        cmocka_unit_test(any_reading_survives_json),
        cmocka_unit_test(decimals_are_rounded_as_written),
        cmocka_unit_test(decimals_agree_with_whole_numbers),
        cmocka_unit_test(whole_numbers_are_known),
    };
    return cmocka_run_group_tests_name("reading_json", tests, make_zones, free_zones);
}
