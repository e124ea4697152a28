/*
 * test_line_protocol.c - InfluxDB line protocol by itself: lines, items, escapes, values, times.
 */
#include "tests/unit/support.h"

#include "handlers/sensor/ingest/line_protocol.h"
#include "hearth/limits.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "m|key=value;..." of a line, "@" and the timestamp behind it; tags as "key:value". */
static const char *describe(struct view line)
{
    static char text[4096];
    static const char *const kinds[] = {":", "=", "=i", "=\"", "=T", "=F"};
    struct line_cursor cursor;
    struct line_item item;
    if (!line_begin(line, &cursor))
        return "bad";
    int length = snprintf(text, sizeof text, "%.*s|", VIEW_ARGUMENTS(cursor.measurement));
    struct view timestamp = cursor.timestamp;
    while (line_item_next(&cursor, &item))
        length += snprintf(text + length, sizeof text - (size_t)length, "%.*s%s%.*s;",
                           VIEW_ARGUMENTS(item.key), kinds[item.kind], VIEW_ARGUMENTS(item.value));
    if (timestamp.data)
        snprintf(text + length, sizeof text - (size_t)length, "@%.*s", VIEW_ARGUMENTS(timestamp));
    return text;
}

static void a_line_is_taken_apart(void **state)
{
    static const struct {
        const char *line, *expected;
    } cases[] = {
        {"m f=1", "m|f=1;"},
        {"m,a=b f=1", "m|a:b;f=1;"},
        {"Ambientweather-F007TH,id=165,channel=3,mic=CRC "
         "battery_ok=1,temperature_F=9.900001,humidity=57 1795333655210651000",
         "Ambientweather-F007TH|id:165;channel:3;mic:CRC;battery_ok=1;temperature_F=9.900001;"
         "humidity=57;@1795333655210651000"},
        {"m f=-1.5e3 -7", "m|f=-1.5e3;@-7"},
        {"m f=1i,g=2u,h=-3i", "m|f=i1;g=i2;h=i-3;"},
        {"m a=t,b=T,c=true,d=True,e=TRUE", "m|a=Tt;b=TT;c=Ttrue;d=TTrue;e=TTRUE;"},
        {"m a=f,b=F,c=false,d=False,e=FALSE", "m|a=Ff;b=FF;c=Ffalse;d=FFalse;e=FFALSE;"},
        {"m f=\"a b,c=d\"", "m|f=\"a b,c=d;"},
        {"m f=\"\" 5", "m|f=\";@5"},
        {"m f=\"a\\\"b\\\\\",g=1", "m|f=\"a\\\"b\\\\;g=1;"},
        {"m f=\"a\nb\"", "m|f=\"a\nb;"},
        {"my\\ m\\,x,t\\=a\\ g=v\\,a\\ l\\=u f\\ k=1",
         "my\\ m\\,x|t\\=a\\ g:v\\,a\\ l\\=u;f\\ k=1;"},
        {"m,a=\"q\" f=1", "m|a:\"q\";f=1;"},
        {"m   f=1   5", "m|f=1;@5"},
        {"weather,loc=us-midwest temperature=82 1465839830100400200",
         "weather|loc:us-midwest;temperature=82;@1465839830100400200"},
        {"m=x f=1", "m=x|f=1;"},
        {"m\\\\ f=1", "bad"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_string_equal(describe(view_of(cases[i].line)), cases[i].expected);
}

static void what_is_no_line_is_refused(void **state)
{
    static const char *const lines[] = {
        "",           "m",           "m ",       "m f",       "m f=",     "m f=1,",     "m f=1,g",
        "m,a f=1",    "m,a= f=1",    "m,=b f=1", "m, f=1",    ",a=b f=1", " f=1",       "m f=1 x",
        "m f=1 1.5",  "m f=1 5 6",   "m f=1 5i", "m =1",      "m f=\"a",  "m f=\"a\"b", "m f=a",
        "m f=1x",     "m f=1ii",     "m f=-1u",  "m f=i",     "m f=--1",  "m f=NaN",    "m f=1e",
        "m f=tRUE",   "m,a=b=c f=1", "#m f=1",   "{\"a\":1}", "m f=1 -",  "m f=0x10",   "m f=1.2.3",
        "m f=\"\\\"", "m,a=b,c f=1",
    };
    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        if (strcmp(describe(view_of(lines[i])), "bad") != 0)
            fail_msg("%s: %s", lines[i], describe(view_of(lines[i])));
}

/* The lines of a body, "|" behind each. */
static const char *lines_of(const char *body)
{
    static char text[4096];
    struct view rest = view_of(body), line;
    size_t length = 0;
    text[0] = '\0';
    while (line_next(&rest, &line))
        length +=
            (size_t)snprintf(text + length, sizeof text - length, "%.*s|", VIEW_ARGUMENTS(line));
    return text;
}

static void lines_are_found_between_blanks_and_comments(void **state)
{
    (void)state;
    assert_string_equal(lines_of(""), "");
    assert_string_equal(lines_of("\n\n \n\r\n"), "");
    assert_string_equal(lines_of("m f=1"), "m f=1|");
    assert_string_equal(lines_of("# a comment\nm f=1\r\n  m f=2  \n\n#\nm f=3 "),
                        "m f=1|m f=2|m f=3|");
    assert_string_equal(lines_of("# one \"\nm f=1\n# two"), "m f=1|");
}

static void a_string_may_hold_newlines(void **state)
{
    (void)state;
    assert_string_equal(lines_of("m f=\"a\nb\" 5\nm f=1"), "m f=\"a\nb\" 5|m f=1|");
    assert_string_equal(lines_of("m f=1,g=\"\n\\\"\n\",h=2\nm f=1"),
                        "m f=1,g=\"\n\\\"\n\",h=2|m f=1|");
}

static void an_open_quote_costs_one_line(void **state)
{
    (void)state;
    assert_string_equal(lines_of("m f=\"a\nm f=1\nm f=2"), "m f=\"a|m f=1|m f=2|");
    assert_string_equal(lines_of("m f=\"a\nm f=\"b\nm f=2"), "m f=\"a|m f=\"b|m f=2|");
    /* A quote that is none, before the fields and within a value. */
    assert_string_equal(lines_of("m,a=\"x f=1\nm f=2"), "m,a=\"x f=1|m f=2|");
    assert_string_equal(lines_of("m f=1\"\nm f=2"), "m f=1\"|m f=2|");
    assert_string_equal(lines_of("m\\\nm f=2"), "m\\|m f=2|");
}

static void a_string_longer_than_a_reading_does_not_hide_lines(void **state)
{
    struct buffer body;
    struct view line, rest;
    (void)state;
    buffer_init(&body, (size_t)4 * LIMIT_READING_BYTES);
    buffer_append_text(&body, "m f=\"");
    while (body.length < (size_t)2 * LIMIT_READING_BYTES)
        buffer_append_text(&body, "\nm f=1");
    buffer_append_text(&body, "\"\n");
    rest = buffer_view(&body);
    assert_true(line_next(&rest, &line));
    assert_true(view_equal(line, VIEW("m f=\"")));
    assert_true(line_next(&rest, &line));
    assert_true(view_equal(line, VIEW("m f=1")));
    buffer_clean(&body);
}

static void timestamps_have_any_precision(void **state)
{
    static const struct {
        const char *precision, *text;
        int64_t ms;
    } cases[] = {
        {"ns", "1757894691123456789", 1757894691123},
        {"n", "999999", 0},
        {"n", "-1", -1},
        {"us", "1757894691123999", 1757894691123},
        {"u", "-1000", -1},
        {"u", "-1001", -2},
        {"ms", "1757894691123", 1757894691123},
        {"s", "1757894691", 1757894691000},
        {"m", "29298244", 1757894640000},
        {"h", "488304", 1757894400000},
        {"h", "9223372036854775807", INT64_MAX},
        {"h", "-9223372036854775807", INT64_MIN},
        {"ns", "9223372036854775807", 9223372036854},
    };
    static const char *const bad[] = {"", "NS", "ns ", "d", "sec", "w"};
    enum line_precision precision;
    int64_t ms;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_true(line_precision_parse(view_of(cases[i].precision), &precision));
        assert_true(line_time_parse(view_of(cases[i].text), precision, &ms));
        assert_int_equal(ms, cases[i].ms);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(line_precision_parse(view_of(bad[i]), &precision));
    assert_false(line_time_parse(view_of("9223372036854775808"), LINE_PRECISION_NS, &ms));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_is_taken_apart),
        cmocka_unit_test(what_is_no_line_is_refused),
        cmocka_unit_test(lines_are_found_between_blanks_and_comments),
        cmocka_unit_test(a_string_may_hold_newlines),
        cmocka_unit_test(an_open_quote_costs_one_line),
        cmocka_unit_test(a_string_longer_than_a_reading_does_not_hide_lines),
        cmocka_unit_test(timestamps_have_any_precision),
    };
    return cmocka_run_group_tests_name("line_protocol", tests, NULL, NULL);
}
