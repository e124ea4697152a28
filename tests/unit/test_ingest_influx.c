/*
 * test_ingest_influx.c - InfluxDB line protocol at POST /write: what is stored, what is put
 * together, what is quarantined.
 */
#include "tests/unit/support_sensor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RTL_433                                                                                    \
    "Ambientweather-F007TH,id=165,channel=3,mic=CRC "                                              \
    "battery_ok=1,temperature_F=9.900001,humidity=57 1757894691123456789\n"
#define SENDER(metric, value) metric ",type=F007TH,channel=1,rolling_code=107 value=" value "\n"

static struct sensor_app test;
static struct buffer body;

static int start(void **state)
{
    (void)state;
    sensor_app_start(&test, "sensor: { max_body_bytes = 1000000; };");
    buffer_init(&body, 8u << 20);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    buffer_clean(&body);
    sensor_app_stop(&test);
    return 0;
}

static int write_to(const char *target, struct view lines)
{
    return sensor_app_request(&test, "POST", target, test.writer, NULL, lines);
}

static int write_lines(const char *lines)
{
    return write_to("/write?db=db", view_of(lines));
}

static void expect_readings(const char *summary)
{
    assert_string_equal(test_sink_header(&test.sink, "Hearth-Readings"), summary);
}

static struct reading stored(size_t index)
{
    struct reading reading = {0};
    assert_true(index < test.memory.count);
    assert_int_equal(record_decode(&test.memory.records[index], &reading), REJECT_NONE);
    return reading;
}

static void expect_rejected(size_t index, enum record_reject reason, const char *raw)
{
    assert_true(index < test.memory.rejected_count);
    const struct memory_rejected *rejected = &test.memory.rejected[index];
    assert_string_equal(rejected->source, "influx");
    assert_int_equal(rejected->reason, reason);
    if (!view_equal(rejected->raw, view_of(raw)))
        fail_msg("%.*s", VIEW_ARGUMENTS(rejected->raw));
}

/* ---- Readings ---- */

static void what_rtl_433_sends_is_stored(void **state)
{
    (void)state;
    assert_int_equal(write_lines(RTL_433), 204);
    assert_string_equal(test_sink_body(&test.sink), "");
    expect_readings("accepted=1, duplicate=0, quarantined=0");
    assert_non_null(test_sink_header(&test.sink, "X-Influxdb-Version"));
    const struct reading reading = stored(0);
    assert_int_equal(reading.time_ms, 1757894691123);
    assert_int_equal(reading.time_quality, TIME_SENDER);
    assert_int_equal(reading.channel, 3);
    assert_int_equal(reading.rolling_code, 165);
    assert_int_equal(reading.scale, SCALE_TENTHS_F);
    assert_int_equal(reading.raw, 499);
    assert_int_equal(reading.humidity, 57);
    assert_false(reading.battery_low);
    assert_int_equal(write_to("/api/v2/write?org=o&bucket=b", VIEW(RTL_433)), 204);
    expect_readings("accepted=0, duplicate=1, quarantined=0");
}

static void the_radio_s_repeats_are_one_reading(void **state)
{
    (void)state;
    assert_int_equal(write_lines(RTL_433 RTL_433 RTL_433), 204);
    expect_readings("accepted=1, duplicate=2, quarantined=0");
    assert_int_equal(metric_value(metrics_counter(test.metrics, "hearth_readings_received_total",
                                                  "", "dialect=\"influx\",outcome=\"duplicate\"")),
                     2);
}

static void three_metrics_of_one_moment_are_one_reading(void **state)
{
    (void)state;
    assert_int_equal(sensor_app_request(&test, "POST", "/write", test.denver, NULL,
                                        VIEW(SENDER("temperature", "74.4") SENDER("humidity", "35")
                                                 SENDER("sensor_battery_status", "false"))),
                     204);
    expect_readings("accepted=1, duplicate=0, quarantined=0");
    const struct reading reading = stored(0);
    assert_int_equal(reading.time_ms, SENSOR_TEST_NOW);
    assert_int_equal(reading.time_quality, TIME_SERVER);
    assert_int_equal(reading.raw, 1144);
    assert_int_equal(reading.humidity, 35);
    assert_true(reading.battery_low);
}

static void metrics_are_put_together_wherever_they_stand(void **state)
{
    (void)state;
    for (int kind = 0; kind < 3; kind++)
        for (int i = 0; i < 1000; i++)
            buffer_append_format(&body, "m,channel=%d,id=%d %s=%d%s %lld\n", 1 + i % 16, i % 256,
                                 kind == 0   ? "temperature_C"
                                 : kind == 1 ? "humidity"
                                             : "battery_ok",
                                 kind == 2 ? i % 2 : i % 50, kind == 0 ? ".5" : "",
                                 (long long)(1757894691000 + i));
    assert_int_equal(write_to("/write?precision=ms", buffer_view(&body)), 204);
    expect_readings("accepted=1000, duplicate=0, quarantined=0");
    for (int i = 0; i < 1000; i++) {
        const struct reading reading = stored((size_t)i);
        assert_int_equal(reading.raw, 1000 + i % 50 * 10 + 5);
        assert_int_equal(reading.humidity, i % 50);
        assert_int_equal(reading.battery_low, i % 2 == 0);
    }
}

static void only_within_one_request(void **state)
{
    (void)state;
    assert_int_equal(write_lines("m,channel=1,id=1 humidity=5 1757894691000000000"), 204);
    assert_int_equal(write_lines("m,channel=1,id=1 temperature_F=5 1757894691000000000"), 204);
    assert_int_equal(test.memory.count, 2);
}

static void what_contradicts_is_another_reading(void **state)
{
    (void)state;
    assert_int_equal(
        write_to("/write?precision=s", VIEW("m,channel=1,id=1 temperature_F=70.0 1757894691\n"
                                            "m,channel=1,id=1 temperature_F=80.0 1757894691\n"
                                            "m,channel=1,id=1 humidity=30 1757894691\n"
                                            "m,channel=1,id=1 humidity=40 1757894691\n"
                                            "m,channel=1,id=1 battery_ok=0 1757894691\n"
                                            "m,channel=2,id=1 humidity=50 1757894691\n"
                                            "m,channel=1,id=2 humidity=60 1757894691\n"
                                            "m,channel=1,id=1 humidity=70 1757894692\n")),
        204);
    expect_readings("accepted=5, duplicate=0, quarantined=0");
    unsigned seen = 0;
    for (size_t i = 0; i < test.memory.count; i++) {
        const struct reading reading = stored(i);
        seen |= reading.raw == 1100 && reading.humidity == 30 ? 1u : 0;
        seen |= reading.raw == 1200 && reading.humidity == 40 ? 2u : 0;
        seen |= reading.humidity >= 50 && reading.raw == RAW_ABSENT ? 4u : 0;
    }
    assert_int_equal(seen, 7);
}

static void of_both_scales_fahrenheit_stays(void **state)
{
    (void)state;
    assert_int_equal(
        write_to("/write?precision=s", VIEW("m,channel=1,id=1 temperature_C=21.5 1757894691\n"
                                            "m,channel=1,id=1 temperature_F=70.7 1757894691\n"
                                            "m,channel=1,id=1 temperature_F=70.8 1757894692\n"
                                            "m,channel=1,id=1 temperature_C=21.6 1757894692\n")),
        204);
    assert_int_equal(test.memory.count, 2);
    assert_int_equal(stored(0).scale, SCALE_TENTHS_F);
    assert_int_equal(stored(0).raw, 1107);
    assert_int_equal(stored(1).raw, 1108);
}

static void tags_and_fields_mean_the_same(void **state)
{
    (void)state;
    assert_int_equal(write_lines("m channel=4i,id=17u,humidity=12,rssi=-63.2,relay=t,"
                                 "time=\"2025-09-15T00:04:51Z\",note=\"a b\"\n"),
                     204);
    const struct reading reading = stored(0);
    assert_int_equal(reading.channel, 4);
    assert_int_equal(reading.rolling_code, 17);
    assert_int_equal(reading.signal, 63);
    assert_true(reading.relay);
    assert_int_equal(reading.time_ms, 1757894691000);
    assert_int_equal(reading.time_quality, TIME_SENDER);
    assert_int_equal(metric_value(metrics_counter(test.metrics,
                                                  "hearth_readings_ignored_members_total", "", "")),
                     1);
}

static void a_bare_temperature_is_in_the_token_s_unit(void **state)
{
    static const char line[] = "m,channel=1,id=1,humidity=5 temperature=235 1757894691000000000";
    (void)state;
    assert_int_equal(write_lines(line), 204);
    assert_int_equal(stored(0).raw, 635);
    assert_int_equal(
        sensor_app_request(&test, "POST", "/write", test.metric, NULL,
                           VIEW("m,channel=2,id=1 temperature=23.5 1757894691000000000")),
        204);
    assert_int_equal(stored(1).raw, 1235);
    assert_int_equal(stored(1).scale, SCALE_TENTHS_C);
}

static void every_precision_is_understood(void **state)
{
    static const struct {
        const char *query, *time;
    } cases[] = {{"", "1757894691000000000"},
                 {"?precision=n", "1757894691000000000"},
                 {"?precision=ns", "1757894691000000000"},
                 {"?precision=u", "1757894691000000"},
                 {"?precision=us", "1757894691000000"},
                 {"?precision=ms", "1757894691000"},
                 {"?precision=s", "1757894691"}};
    char line[100], target[40];
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        snprintf(target, sizeof target, "/write%s", cases[i].query);
        snprintf(line, sizeof line, "m,channel=1,id=1 humidity=5 %s", cases[i].time);
        assert_int_equal(write_to(target, view_of(line)), 204);
    }
    assert_int_equal(test.memory.count, 1);
    assert_int_equal(write_to("/write?precision=m", VIEW("m,channel=1,id=1 humidity=5 29298244")),
                     204);
    assert_int_equal(write_to("/write?precision=h", VIEW("m,channel=1,id=1 humidity=5 488304")),
                     204);
    assert_int_equal(test.memory.count, 3);
    assert_int_equal(write_to("/write?precision=d", VIEW(RTL_433)), 400);
    sensor_app_expect_body(&test,
                           "{\"error\":\"invalid precision (use ns, us, ms, s, m or h)\"}\n");
    assert_int_equal(write_to("/api/v2/write?precision=x", VIEW(RTL_433)), 400);
    sensor_app_expect_body(&test,
                           "{\"code\":\"invalid\",\"message\":\"invalid precision (use ns, us, "
                           "ms, s, m or h)\"}\n");
    assert_int_equal(test.memory.count, 3);
}

/* ---- What is no reading ---- */

static void a_bad_line_does_not_hold_up_the_others(void **state)
{
    (void)state;
    assert_int_equal(write_lines("# a comment\n" RTL_433 "not line protocol\n"
                                 "cpu,host=a usage_idle=93 1757894691000000000\n"
                                 "m,channel=17,id=1 humidity=5 1757894691000000000\n"
                                 "m,channel=1,id=1 humidity=101 1757894691000000000\n"
                                 "m,channel=1,id=1 humidity=5 9223372036854775807\n"
                                 "m,channel=1,id=1 humidity=5 -1\n\r\n"
                                 "m,channel=1,id=2 humidity=6 1757894691000000000\n"),
                     204);
    expect_readings("accepted=2, duplicate=0, quarantined=6");
    assert_int_equal(test.memory.rejected_count, 5);
    expect_rejected(0, REJECT_NOT_LINE_PROTOCOL, "not line protocol");
    expect_rejected(1, REJECT_MISSING_MEMBER, "cpu,host=a usage_idle=93 1757894691000000000");
    expect_rejected(2, REJECT_CHANNEL_RANGE, "m,channel=17,id=1 humidity=5 1757894691000000000");
    expect_rejected(3, REJECT_HUMIDITY_RANGE, "m,channel=1,id=1 humidity=101 1757894691000000000");
    expect_rejected(
        4, REJECT_TIME_RANGE,
        "m,channel=1,id=1 humidity=5 9223372036854775807\nm,channel=1,id=1 humidity=5 -1");
}

static void a_part_that_no_other_completes_is_none(void **state)
{
    (void)state;
    assert_int_equal(
        write_to("/write?precision=s", VIEW("m,channel=1,id=1 battery_ok=0 1757894691\n"
                                            "m,channel=1,id=1 rssi=-63 1757894691\r\n"
                                            "m,channel=1,id=2 battery_ok=0 1757894691\n"
                                            "m,channel=1,id=3 relay=t 1757894691\n"
                                            "m,channel=1,id=2 humidity=40 1757894691\n"
                                            "m,channel=1,id=4 1757894691\n")),
        204);
    expect_readings("accepted=1, duplicate=0, quarantined=4");
    assert_true(stored(0).battery_low);
    assert_int_equal(test.memory.rejected_count, 3);
    expect_rejected(0, REJECT_NOT_LINE_PROTOCOL, "m,channel=1,id=4 1757894691");
    expect_rejected(1, REJECT_MISSING_MEMBER,
                    "m,channel=1,id=1 battery_ok=0 1757894691\n"
                    "m,channel=1,id=1 rssi=-63 1757894691");
    expect_rejected(2, REJECT_MISSING_MEMBER, "m,channel=1,id=3 relay=t 1757894691");
}

static void an_empty_body_is_nothing(void **state)
{
    (void)state;
    assert_int_equal(write_lines(""), 204);
    assert_int_equal(write_lines("\n# nothing\n"), 204);
    expect_readings("accepted=0, duplicate=0, quarantined=0");
    assert_int_equal(test.memory.appends, 0);
}

static void junk_costs_what_it_weighs(void **state)
{
    (void)state;
    while (body.length < 900000)
        buffer_append_text(&body, body.length % 2 ? "m f=\"\n" : "m,channel=1,id=1 relay=t\n");
    assert_int_equal(write_to("/write", buffer_view(&body)), 204);
    size_t sum = 0;
    for (size_t i = 0; i < test.memory.rejected_count; i++)
        sum += test.memory.rejected[i].raw.length;
    assert_true(sum <= body.length);
    assert_true(test.memory.rejected_count <= 2000);
}

static void thousands_of_parts_of_one_moment_take_no_time_squared(void **state)
{
    (void)state;
    for (int i = 0; i < 20000; i++)
        buffer_append_format(&body, "m,channel=1,id=1 temperature_F=%d.%d 5\n", i / 10 % 300,
                             i % 10);
    assert_int_equal(write_to("/write?precision=s", buffer_view(&body)), 204);
    assert_int_equal(test.memory.count, 3000);
}

static void a_batch_of_5000_lines_is_one_request(void **state)
{
    (void)state;
    for (int i = 0; i < 5000; i++)
        buffer_append_format(&body,
                             "Ambientweather-F007TH,id=%d,channel=%d,mic=CRC battery_ok=1,"
                             "temperature_F=%d.%d,humidity=%d %lld\n",
                             i % 256, 1 + i % 8, i % 100, i % 10, i % 101,
                             (long long)(1757000000000 + i) * 1000000);
    assert_int_equal(write_to("/write?db=x&rp=y&consistency=one", buffer_view(&body)), 204);
    expect_readings("accepted=5000, duplicate=0, quarantined=0");
    assert_int_equal(write_to("/write", buffer_view(&body)), 204);
    expect_readings("accepted=0, duplicate=5000, quarantined=0");
}

int main(void)
{
#define STORY(name) cmocka_unit_test_setup_teardown(name, start, stop)
    const struct CMUnitTest tests[] = {
        STORY(what_rtl_433_sends_is_stored),
        STORY(the_radio_s_repeats_are_one_reading),
        STORY(three_metrics_of_one_moment_are_one_reading),
        STORY(metrics_are_put_together_wherever_they_stand),
        STORY(only_within_one_request),
        STORY(what_contradicts_is_another_reading),
        STORY(of_both_scales_fahrenheit_stays),
        STORY(tags_and_fields_mean_the_same),
        STORY(a_bare_temperature_is_in_the_token_s_unit),
        STORY(every_precision_is_understood),
        STORY(a_bad_line_does_not_hold_up_the_others),
        STORY(a_part_that_no_other_completes_is_none),
        STORY(an_empty_body_is_nothing),
        STORY(junk_costs_what_it_weighs),
        STORY(thousands_of_parts_of_one_moment_take_no_time_squared),
        STORY(a_batch_of_5000_lines_is_one_request),
    };
    return cmocka_run_group_tests_name("ingest_influx", tests, NULL, NULL);
}
