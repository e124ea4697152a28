/*
 * test_ingest_rejects.c - what is no reading: quarantined word for word, neighbours together, and
 * never at a cost out of proportion to what came.
 */
#include "tests/unit/support_sensor.h"

#include "handlers/sensor/text/ingest_json_scan.h"
#include "hearth/limits.h"

#include <stdio.h>
#include <string.h>

#define GOOD(minute)                                                                               \
    "{\"time\":\"2025-09-14T18:" minute ":00Z\",\"channel\":1,\"rolling_code\":1,\"humidity\":5}"
#define DRY(humidity) "{\"channel\":1,\"rolling_code\":1,\"humidity\":" humidity "}"

static const size_t large_body = 1u << 20, records_sent = 80000;

static struct sensor_app test;
static struct buffer body;

static int start(void **state)
{
    (void)state;
    sensor_app_start(&test, "");
    buffer_init(&body, 4 * large_body);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    buffer_clean(&body);
    sensor_app_stop(&test);
    return 0;
}

static int put_lines(struct view text)
{
    return sensor_app_put(&test, "application/x-ndjson", text);
}

static void expect_rejected(size_t index, enum record_reject reason, struct view raw)
{
    assert_true(index < test.memory.rejected_count);
    const struct memory_rejected *rejected = &test.memory.rejected[index];
    assert_int_equal(rejected->reason, reason);
    assert_int_equal(rejected->raw.length, raw.length);
    assert_memory_equal(rejected->raw.data, raw.data, raw.length);
}

/* Every rejected text is a part of the body, they come in its order, none is long. Gives back the
 * sum of their lengths. */
static size_t expect_in_order(struct view sent)
{
    size_t sum = 0;
    for (size_t i = 0; i < test.memory.rejected_count; i++) {
        struct view raw = test.memory.rejected[i].raw;
        size_t at = view_find(sent, raw);
        assert_true(at != SIZE_MAX);
        assert_true(raw.length <= 4096);
        sent = view_skip(sent, at + raw.length);
        sum += raw.length;
    }
    return sum;
}

static int64_t rejected_metric(const char *labels)
{
    return metric_value(
        metrics_counter(test.metrics, "hearth_readings_rejected_total", "", labels));
}

/* ---- Neighbours ---- */

static void bad_lines_side_by_side_are_kept_as_one_text(void **state)
{
    (void)state;
    assert_int_equal(put_lines(VIEW("1\n[] \r\n\n  true\n")), 200);
    sensor_app_expect_part(&test, "\"quarantined\":3,");
    sensor_app_expect_part(&test, "\"reasons\":{\"WRONG_TYPE\":3}");
    assert_int_equal(test.memory.rejected_count, 1);
    expect_rejected(0, REJECT_WRONG_TYPE, VIEW("1\n[] \r\n\n  true"));
    assert_int_equal(rejected_metric("reason=\"WRONG_TYPE\""), 3);
    assert_int_equal(metric_value(metrics_counter(test.metrics, "hearth_readings_received_total",
                                                  "", "dialect=\"json\",outcome=\"quarantined\"")),
                     3);
}

static void so_are_elements_of_an_array(void **state)
{
    (void)state;
    assert_int_equal(sensor_app_put(&test, NULL, VIEW("[ [],\n {} , {\"channel\":1},{}, 7]")), 200);
    sensor_app_expect_part(&test, "\"quarantined\":5,");
    sensor_app_expect_part(&test, "\"reasons\":{\"MISSING_MEMBER\":3,\"WRONG_TYPE\":2}");
    assert_int_equal(test.memory.rejected_count, 3);
    expect_rejected(0, REJECT_WRONG_TYPE, VIEW("[]"));
    expect_rejected(1, REJECT_MISSING_MEMBER, VIEW("{} , {\"channel\":1},{}"));
    expect_rejected(2, REJECT_WRONG_TYPE, VIEW("7"));
}

static void a_good_reading_between_two_bad_ones_is_stored(void **state)
{
    (void)state;
    assert_int_equal(put_lines(VIEW("1\n2\n" GOOD("04") "\n3\n" GOOD("05") "\n4\n5")), 200);
    sensor_app_expect_part(&test, "{\"accepted\":2,\"duplicate\":0,\"quarantined\":5,");
    assert_int_equal(test.memory.count, 2);
    assert_int_equal(test.memory.rejected_count, 3);
    expect_rejected(0, REJECT_WRONG_TYPE, VIEW("1\n2"));
    expect_rejected(1, REJECT_WRONG_TYPE, VIEW("3"));
    expect_rejected(2, REJECT_WRONG_TYPE, VIEW("4\n5"));
}

static void a_text_ends_where_its_reason_does(void **state)
{
    (void)state;
    assert_int_equal(put_lines(VIEW(DRY("101") "\n" DRY("102") "\nx\ny\n" DRY("103") "\n\xff\n")),
                     200);
    sensor_app_expect_part(&test, "\"quarantined\":6,");
    assert_int_equal(test.memory.rejected_count, 4);
    expect_rejected(0, REJECT_HUMIDITY_RANGE, VIEW(DRY("101") "\n" DRY("102")));
    expect_rejected(1, REJECT_NOT_JSON, VIEW("x\ny"));
    expect_rejected(2, REJECT_HUMIDITY_RANGE, VIEW(DRY("103")));
    expect_rejected(3, REJECT_NOT_JSON, VIEW("\xff"));
}

static void two_requests_are_never_one_text(void **state)
{
    (void)state;
    assert_int_equal(put_lines(VIEW("1\n2")), 200);
    assert_int_equal(put_lines(VIEW("3\n")), 200);
    assert_int_equal(test.memory.rejected_count, 2);
}

/* ---- Floods ---- */

static void fill(const char *pattern)
{
    while (body.length < large_body)
        buffer_append_text(&body, pattern);
    assert_int_equal(buffer_status(&body), HEARTH_OK);
}

static void expect_quarantined(uint64_t count)
{
    char part[64];
    snprintf(part, sizeof part, "{\"accepted\":0,\"duplicate\":0,\"quarantined\":%llu,",
             (unsigned long long)count);
    sensor_app_expect_part(&test, part);
}

static void a_flood_of_one_kind_is_few_texts_and_all_of_it(void **state)
{
    (void)state;
    fill("1\n");
    assert_int_equal(put_lines(buffer_view(&body)), 200);
    expect_quarantined(body.length / 2);
    assert_true(test.memory.rejected_count <= body.length / 4000);
    /* all but the newline behind each */
    assert_int_equal(expect_in_order(buffer_view(&body)), body.length - test.memory.rejected_count);
}

static void a_flood_of_two_kinds_is_few_texts_too(void **state)
{
    (void)state;
    fill("1\nx\n");
    assert_int_equal(put_lines(buffer_view(&body)), 200);
    expect_quarantined(body.length / 2);
    assert_int_equal(rejected_metric("reason=\"WRONG_TYPE\""), body.length / 4);
    assert_int_equal(rejected_metric("reason=\"NOT_JSON\""), body.length / 4);
    assert_int_equal(rejected_metric("reason=\"MIXED\""), 0);
    assert_true(test.memory.rejected_count < 600);
    assert_int_equal(expect_in_order(buffer_view(&body)), body.length - test.memory.rejected_count);
    expect_rejected(0, REJECT_WRONG_TYPE, VIEW("1"));
    expect_rejected(1, REJECT_NOT_JSON, VIEW("x"));
    assert_int_equal(test.memory.rejected[test.memory.rejected_count - 1].reason, REJECT_MIXED);
}

static void a_flood_in_an_array_is_few_texts_and_all_of_it(void **state)
{
    (void)state;
    buffer_append_byte(&body, '[');
    fill("[],");
    buffer_append_text(&body, "[]]");
    assert_int_equal(sensor_app_put(&test, NULL, buffer_view(&body)), 200);
    expect_quarantined((body.length - 1) / 3);
    assert_true(test.memory.rejected_count <= body.length / 4000);
    assert_int_equal(expect_in_order(buffer_view(&body)),
                     body.length - 1 - test.memory.rejected_count);
}

static void a_flood_of_bad_records_is_few_texts_and_all_of_it(void **state)
{
    (void)state;
    assert_non_null(buffer_reserve(&body, RECORD_BYTES * records_sent));
    memset(body.data, 0xA5, RECORD_BYTES * records_sent);
    body.length = RECORD_BYTES * records_sent;
    assert_int_equal(sensor_app_put(&test, "application/octet-stream", buffer_view(&body)), 200);
    expect_quarantined(records_sent);
    assert_true(test.memory.rejected_count <= body.length / 4000);
    assert_int_equal(expect_in_order(buffer_view(&body)), body.length);
    for (size_t i = 0; i < test.memory.rejected_count; i++)
        assert_int_equal(test.memory.rejected[i].raw.length % RECORD_BYTES, 0);
}

/* ---- What parsing may cost ---- */

/* An object with so many members, of which some are in an array in an object within it. */
static void add_object(size_t members, size_t inner)
{
    buffer_append_text(&body, "{\"channel\":1,\"rolling_code\":1,\"humidity\":5");
    for (size_t i = 3; i < members - inner - (inner > 0); i++)
        buffer_append_format(&body, ",\"m%zu\":0", i);
    buffer_append_text(&body, inner > 0 ? ",\"object\":{\"array\":[0" : "");
    for (size_t i = 2; i < inner; i++)
        buffer_append_text(&body, ",0");
    buffer_append_text(&body, inner > 0 ? "]}}" : "}");
}

static int put_object(size_t members, size_t inner)
{
    buffer_reset(&body);
    add_object(members, inner);
    return sensor_app_put(&test, NULL, buffer_view(&body));
}

static void too_many_members_are_not_parsed(void **state)
{
    static const size_t inner[] = {0, 2, 100, LIMIT_READING_MEMBERS - 4};
    (void)state;
    for (size_t i = 0; i < sizeof inner / sizeof inner[0]; i++) {
        assert_int_equal(put_object(LIMIT_READING_MEMBERS, inner[i]), 200);
        sensor_app_expect_part(&test, "{\"accepted\":1,\"duplicate\":0,\"quarantined\":0,");
        assert_int_equal(put_object(LIMIT_READING_MEMBERS + 1, inner[i]), 200);
        expect_quarantined(1);
        sensor_app_expect_part(&test, "\"reasons\":{\"TOO_LARGE\":1}");
        expect_rejected(i, REJECT_TOO_LARGE, buffer_view(&body));
        clock_manual_advance_ms(&test.clock, 1000);
    }
}

static void a_reading_that_is_too_long_is_not_parsed(void **state)
{
    (void)state;
    for (int more = 0; more < 2; more++) {
        buffer_reset(&body);
        buffer_append_text(&body, "{\"channel\":1,\"rolling_code\":1,\"humidity\":5,\"x\":\"");
        while (body.length < LIMIT_READING_BYTES - 2 + (size_t)more)
            buffer_append_byte(&body, 'y');
        buffer_append_text(&body, "\"}");
        assert_int_equal(sensor_app_put(&test, NULL, buffer_view(&body)), 200);
        sensor_app_expect_part(&test, more ? "\"reasons\":{\"TOO_LARGE\":1}" : "\"accepted\":1");
    }
    expect_rejected(0, REJECT_TOO_LARGE, buffer_view(&body));
}

static void what_is_too_large_does_not_harm_the_others(void **state)
{
    static const char *const between[] = {"\n", ","};
    (void)state;
    for (int form = 0; form < 2; form++) {
        buffer_reset(&body);
        buffer_append_text(&body, form ? "[" GOOD("06") "," : GOOD("06") "\n");
        size_t begin = body.length;
        add_object(1000, 0);
        size_t length = body.length - begin;
        buffer_append_text(&body, between[form]);
        buffer_append_text(&body, GOOD("07"));
        buffer_append_text(&body, form ? "]" : "\n");
        assert_int_equal(sensor_app_put(&test, NULL, buffer_view(&body)), 200);
        sensor_app_expect_part(&test, form ? "\"accepted\":0,\"duplicate\":2,\"quarantined\":1,"
                                           : "\"accepted\":2,\"duplicate\":0,\"quarantined\":1,");
        expect_rejected((size_t)form, REJECT_TOO_LARGE,
                        view_slice(buffer_view(&body), begin, length));
    }
}

static void lines_are_known_by_a_first_one_that_is_too_large(void **state)
{
    (void)state;
    add_object(1000, 0);
    buffer_append_text(&body, "\n" GOOD("08") "\n");
    assert_int_equal(sensor_app_put(&test, NULL, buffer_view(&body)), 200);
    sensor_app_expect_part(&test, "{\"accepted\":1,\"duplicate\":0,\"quarantined\":1,");
}

static void too_large_and_not_json_is_still_refused(void **state)
{
    static const char *const ends[] = {
        "", "}", "]]", "},]", ",\"x\"}]", ",\"x\":1 2}]", ",\"x\":tru\xE9}]", ",'x':1}]"};
    (void)state;
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        buffer_reset(&body);
        buffer_append_text(&body, "[" GOOD("09") ",");
        add_object(1000, 0);
        body.length--;
        buffer_append_text(&body, ends[i]);
        assert_int_equal(sensor_app_put(&test, NULL, buffer_view(&body)), 400);
    }
    assert_int_equal(test.memory.appends, 0);
}

static void the_scan_tells_extent_members_and_depth(void **state)
{
    static const struct {
        const char *text;
        size_t bytes, members, depth;
    } cases[] = {
        {"1,", 1, 0, 0},
        {"-0.5e+3 ", 7, 0, 0},
        {"\"\\u00e9\xC3\xA9\\\"\" x", 12, 0, 0},
        {"nullx", 4, 0, 0},
        {"{}{", 2, 0, 1},
        {"[ ]]", 3, 0, 1},
        {"[[],[]]", 7, 2, 2},
        {"{\"a\":{\"b\":[1,2,{}]},\"c\":true}", 29, 6, 4},
    };
    static const char *const bad[] = {
        "",          "]",           "[1",
        "[1,]",      "[,1]",        "[1 2]",
        "{\"a\"}",   "{1:2}",       "{\"a\":1,}",
        "{\"a\",1}", "[\"a\":1]",   "{\"a\":}",
        "[}",        "[{]}",        "nul",
        "\"\\x\"",   "\"\\u12g4\"", "\"\\u12",
        "\"\\",      "\"\xC3\"",    "\"\xED\xA0\x80\"",
        "\"a\nb\"",  "+1",          "01",
        "1.",        "NaN",         "'a'",
    };
    struct json_extent extent;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (!ingest_json_scan(view_of(cases[i].text), &extent))
            fail_msg("%s", cases[i].text);
        assert_int_equal(extent.bytes, cases[i].bytes);
        assert_int_equal(extent.members, cases[i].members);
        assert_int_equal(extent.depth, cases[i].depth);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (ingest_json_scan(view_of(bad[i]), &extent))
            fail_msg("%s", bad[i]);
}

/* ---- Depth ---- */

static void add_nested(int depth, int humidity)
{
    buffer_append_text(&body, "{\"x\":");
    for (int i = 1; i < depth; i++)
        buffer_append_byte(&body, '[');
    buffer_append_text(&body, depth > 1 ? "" : "0");
    for (int i = 1; i < depth; i++)
        buffer_append_byte(&body, ']');
    buffer_append_format(&body, ",\"channel\":1,\"rolling_code\":1,\"humidity\":%d}", humidity);
}

static void a_reading_nested_deeper_than_allowed_is_quarantined(void **state)
{
    static const int allowed[] = {3, 16, 128};
    char settings[64];
    (void)state;
    for (size_t i = 0; i < sizeof allowed / sizeof allowed[0]; i++) {
        sensor_app_stop(&test);
        snprintf(settings, sizeof settings, "sensor: { max_json_depth = %d; };", allowed[i]);
        sensor_app_start(&test, settings);
        for (int depth = allowed[i] - 1; depth <= allowed[i] + 1; depth++) {
            bool fits = depth <= allowed[i];
            buffer_reset(&body);
            add_nested(depth, depth % 100);
            struct view reading = buffer_view(&body);
            assert_int_equal(sensor_app_put(&test, NULL, reading), 200);
            sensor_app_expect_part(&test, fits ? "\"accepted\":1" : "\"TOO_LARGE\":1");
            assert_int_equal(put_lines(reading), 200);
            sensor_app_expect_part(&test, fits ? "\"duplicate\":1" : "\"TOO_LARGE\":1");
            if (!fits)
                expect_rejected(1, REJECT_TOO_LARGE, reading);
        }
    }
}

static void arrays_within_each_other_cost_nothing_either(void **state)
{
    (void)state;
    buffer_append_byte(&body, '[');
    for (int i = 0; i < 200000; i++)
        buffer_append_byte(&body, '[');
    for (int i = 0; i < 200000; i++)
        buffer_append_byte(&body, ']');
    assert_int_equal(sensor_app_put(&test, NULL, buffer_view(&body)), 400); /* it does not end */
    buffer_append_text(&body, "," GOOD("10") "]");
    assert_int_equal(sensor_app_put(&test, NULL, buffer_view(&body)), 200);
    sensor_app_expect_part(&test, "{\"accepted\":1,\"duplicate\":0,\"quarantined\":1,");
}

int main(void)
{
#define STORY(name) cmocka_unit_test_setup_teardown(name, start, stop)
    const struct CMUnitTest tests[] = {
        STORY(bad_lines_side_by_side_are_kept_as_one_text),
        STORY(so_are_elements_of_an_array),
        STORY(a_good_reading_between_two_bad_ones_is_stored),
        STORY(a_text_ends_where_its_reason_does),
        STORY(two_requests_are_never_one_text),
        STORY(a_flood_of_one_kind_is_few_texts_and_all_of_it),
        STORY(a_flood_of_two_kinds_is_few_texts_too),
        STORY(a_flood_in_an_array_is_few_texts_and_all_of_it),
        STORY(a_flood_of_bad_records_is_few_texts_and_all_of_it),
        STORY(too_many_members_are_not_parsed),
        STORY(a_reading_that_is_too_long_is_not_parsed),
        STORY(what_is_too_large_does_not_harm_the_others),
        STORY(lines_are_known_by_a_first_one_that_is_too_large),
        STORY(too_large_and_not_json_is_still_refused),
        STORY(the_scan_tells_extent_members_and_depth),
        STORY(a_reading_nested_deeper_than_allowed_is_quarantined),
        STORY(arrays_within_each_other_cost_nothing_either),
    };
    return cmocka_run_group_tests_name("ingest_rejects", tests, NULL, NULL);
}
