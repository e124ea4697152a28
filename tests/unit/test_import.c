/*
 * test_import.c - files of readings: every format, columns, damage, going on after a break.
 */
#include "tests/unit/support.h"

#include "app/core/memory.h"
#include "handlers/sensor/import.h"
#include "handlers/sensor/import_csv.h"
#include "hearth/limits.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOW_MS INT64_C(1757894700000) /* 2025-09-15T00:05:00Z */
#define LINE(temperature)                                                                          \
    "{\"time\":\"2025-09-14 18:04:51-0600\",\"channel\":\"1\",\"rolling_code\":107,"               \
    "\"temperature\":" temperature ",\"humidity\":35,\"battery_ok\":true}\n"
#define HEADER "time,channel,rolling_code,temperature_F,humidity,battery_ok\n"

enum { MAX_READINGS = 64, MAX_TEXTS = 32, TEXT_BYTES = 256 };

/* What came out. */
static struct {
    struct record records[MAX_READINGS];
    size_t count, batches;
    char texts[MAX_TEXTS][TEXT_BYTES]; /* "REASON source: raw" */
    size_t text_count;
    uint64_t rejected, position;
    enum hearth_error fail;
} out;

static struct import_options options;
static struct error_record error;
static struct import_counts counts;

static enum hearth_error keep(void *context, const struct import_batch *batch)
{
    (void)context;
    if (out.fail)
        return out.fail;
    for (size_t i = 0; i < batch->count; i++, out.count++)
        if (out.count < MAX_READINGS)
            out.records[out.count] = batch->records[i];
    for (size_t i = 0; i < batch->rejected_count; i++) {
        const struct rejected_reading *text = &batch->rejected[i];
        assert_true(out.text_count < MAX_TEXTS);
        snprintf(out.texts[out.text_count++], TEXT_BYTES, "%s %s: %.*s",
                 record_reject_name(text->reason), text->source, VIEW_ARGUMENTS(text->raw));
        out.rejected += text->count;
    }
    out.batches++;
    assert_true(batch->position >= out.position);
    out.position = batch->position;
    return HEARTH_OK;
}

static struct reading got(size_t index)
{
    struct reading reading = {0};
    assert_true(index < out.count);
    assert_int_equal(record_decode(&out.records[index], &reading), REJECT_NONE);
    return reading;
}

static int reset(void **state)
{
    (void)state;
    memset(&out, 0, sizeof out);
    memset(&error, 0, sizeof error);
    options = (struct import_options){
        .rolling_code = -1, .now_ms = NOW_MS, .future_tolerance_ms = 600000, .batch = keep};
    return 0;
}

static enum hearth_error feed_all(struct import *import, struct view bytes, size_t step)
{
    enum hearth_error code = HEARTH_OK;
    while (!code && bytes.length > 0) {
        code = import_feed(import, view_slice(bytes, 0, step), &error);
        bytes = view_skip(bytes, step);
    }
    return code ? code : import_finish(import, &error);
}

static enum hearth_error run_in(enum import_format format, struct view bytes, size_t step)
{
    memset(&out, 0, sizeof out);
    options.format = format;
    struct import *import = import_new(&options, &error);
    assert_non_null(import);
    enum hearth_error code = feed_all(import, bytes, step);
    import_counts(import, &counts);
    import_free(import);
    return code;
}

/* In one piece, and in pieces of every size up to 50: the same comes out. */
static void run(enum import_format format, struct view bytes)
{
    struct record first[MAX_READINGS];
    assert_int_equal(run_in(format, bytes, SIZE_MAX), HEARTH_OK);
    struct import_counts whole = counts;
    size_t count = out.count;
    memcpy(first, out.records, sizeof first);
    for (size_t step = 50; step > 0; step--) {
        assert_int_equal(run_in(format, bytes, step), HEARTH_OK);
        assert_int_equal(out.count, count);
        assert_memory_equal(first, out.records, count * sizeof first[0]);
        assert_memory_equal(&whole, &counts, sizeof counts);
    }
    assert_int_equal(run_in(format, bytes, SIZE_MAX), HEARTH_OK);
}

static void expect_text(size_t index, const char *text)
{
    assert_true(index < out.text_count);
    assert_string_equal(out.texts[index], text);
}

/* ---- JSON lines ---- */

static void json_lines_are_read(void **state)
{
    (void)state;
    run(IMPORT_JSONL, VIEW(LINE("744") "\n  \r\n" LINE("745") LINE("746")));
    assert_int_equal(out.count, 3);
    assert_int_equal(got(0).time_ms, 1757894691000);
    assert_int_equal(got(0).raw, 1144);
    assert_int_equal(got(0).time_quality, TIME_IMPORTED);
    assert_int_equal(got(2).raw, 1146);
    assert_int_equal(counts.records, 3);
    assert_int_equal(counts.lines, 5);
    assert_int_equal(out.position, 5 + 3 * (sizeof LINE("744") - 1));
}

static void the_last_line_needs_no_newline(void **state)
{
    struct view bytes = VIEW(LINE("744") LINE("745"));
    (void)state;
    run(IMPORT_JSONL, view_slice(bytes, 0, bytes.length - 1));
    assert_int_equal(out.count, 2);
    assert_int_equal(counts.lines, 2);
}

static void a_line_that_is_none_does_not_stop_the_rest(void **state)
{
    (void)state;
    run(IMPORT_JSONL, VIEW(LINE("744") "not json\n" LINE("99999") LINE("745") "[1]\n"));
    assert_int_equal(out.count, 2);
    assert_int_equal(counts.rejected, 3);
    assert_int_equal(counts.reasons[REJECT_NOT_JSON], 1);
    assert_int_equal(counts.reasons[REJECT_TEMPERATURE_RANGE], 1);
    assert_int_equal(counts.reasons[REJECT_WRONG_TYPE], 1);
    assert_int_equal(counts.first_lines[REJECT_NOT_JSON][0], 2);
    assert_int_equal(counts.first_lines[REJECT_NOT_JSON][1], 0);
    assert_int_equal(counts.first_lines[REJECT_TEMPERATURE_RANGE][0], 3);
    assert_int_equal(counts.first_lines[REJECT_WRONG_TYPE][0], 5);
    expect_text(0, "NOT_JSON jsonl: not json");
    expect_text(2, "WRONG_TYPE jsonl: [1]");
}

static void a_reading_without_a_time_is_none_in_a_file(void **state)
{
    (void)state;
    run(IMPORT_JSONL, VIEW("{\"channel\":1,\"rolling_code\":1,\"humidity\":5}\n"));
    assert_int_equal(out.count, 0);
    assert_int_equal(counts.reasons[REJECT_MISSING_MEMBER], 1);
}

static void zeros_of_a_power_loss_are_stripped_and_what_is_behind_them_kept(void **state)
{
    (void)state;
    run(IMPORT_JSONL,
        VIEW(LINE("744") "\0\0\0\0\0" LINE("745") "{\"time\":\"20\0\0\0" LINE("746")));
    assert_int_equal(out.count, 3);
    assert_int_equal(got(1).raw, 1145);
    assert_int_equal(got(2).raw, 1146);
    assert_int_equal(counts.nul_bytes, 8);
    assert_int_equal(counts.rejected, 1);
    assert_int_equal(counts.first_lines[REJECT_NOT_JSON][0], 3);
    expect_text(0, "NOT_JSON jsonl: {\"time\":\"20");
    run(IMPORT_JSONL, VIEW("\0\0\0\0"));
    assert_int_equal(counts.rejected, 0);
}

static void times_that_cannot_be_are_suspect(void **state)
{
    (void)state;
    run(IMPORT_JSONL,
        VIEW("{\"time\":\"1999-12-31T23:59:59Z\",\"channel\":1,\"id\":1,\"humidity\":5}\n"
             "{\"time\":\"2025-09-15T00:15:00.001Z\",\"channel\":1,\"id\":1,\"humidity\":5}\n"
             "{\"time\":\"2025-09-15T00:15:00Z\",\"channel\":1,\"id\":1,\"humidity\":5}\n"));
    assert_int_equal(out.count, 3);
    assert_int_equal(counts.suspect, 2);
    assert_int_equal(got(0).time_quality, TIME_SUSPECT);
    assert_int_equal(got(1).time_quality, TIME_SUSPECT);
    assert_int_equal(got(2).time_quality, TIME_IMPORTED);
}

static void the_options_say_unit_zone_and_code(void **state)
{
    static const char text[] =
        "{\"time\":\"2025-09-14 18:04:51\",\"channel\":1,\"temperature\":21.5}\n";
    struct time_zone *denver = time_zone_load(TIME_ZONE_DIRECTORY, VIEW("America/Denver"), &error);
    (void)state;
    assert_non_null(denver);
    run(IMPORT_JSONL, view_of(text));
    assert_int_equal(counts.reasons[REJECT_MISSING_MEMBER], 1);
    options.zone = denver;
    options.unit = UNIT_C;
    options.rolling_code = 9;
    run(IMPORT_JSONL, view_of(text));
    assert_int_equal(out.count, 1);
    assert_int_equal(got(0).time_ms, 1757894691000);
    assert_int_equal(got(0).scale, SCALE_TENTHS_C);
    assert_int_equal(got(0).raw, 1215);
    assert_int_equal(got(0).rolling_code, 9);
    time_zone_free(denver);
}

static void a_file_without_line_ends_takes_no_memory(void **state)
{
    struct buffer bytes;
    (void)state;
    buffer_init(&bytes, 8u << 20);
    for (size_t i = 0; i < (size_t)10 * (LIMIT_READING_BYTES + 1); i++)
        buffer_append_byte(&bytes, 'x');
    buffer_append_text(&bytes, "\n" LINE("744"));
    for (size_t step = 1000; step < 2000000; step *= 30) {
        assert_int_equal(run_in(IMPORT_JSONL, buffer_view(&bytes), step), HEARTH_OK);
        assert_int_equal(out.count, 1);
        assert_int_equal(counts.reasons[REJECT_TOO_LARGE], 10);
    }
    buffer_clean(&bytes);
}

/* ---- CSV ---- */

static void a_csv_is_read_by_its_header(void **state)
{
    (void)state;
    run(IMPORT_CSV, VIEW(HEADER "2025-09-14 18:04:51-0600,1,107,74.4,35,1\n"
                                "2025-09-15T00:04:52Z,2,108,,36,0\r\n"
                                "1757894693,3,109,-3.05,,true\n"
                                "1757894694.5,4,110,70, 40 ,f\n"
                                "1757894695123,16,0,70,40,"));
    assert_int_equal(out.count, 5);
    assert_int_equal(got(0).raw, 1144);
    assert_int_equal(got(0).time_quality, TIME_IMPORTED);
    assert_int_equal(got(1).raw, RAW_ABSENT);
    assert_true(got(1).battery_low);
    assert_int_equal(got(2).raw, 400 - 31);
    assert_int_equal(got(2).humidity, HUMIDITY_ABSENT);
    assert_false(got(2).battery_low);
    assert_int_equal(got(3).time_ms, 1757894694500);
    assert_true(got(3).battery_low);
    assert_int_equal(got(4).time_ms, 1757894695123);
    assert_int_equal(got(4).channel, 16);
    assert_false(got(4).battery_low);
    assert_int_equal(counts.lines, 6);
}

static void columns_stand_in_any_order_case_and_separator(void **state)
{
    (void)state;
    run(IMPORT_CSV, VIEW("\xEF\xBB\xBF\"Humidity\";Note; TEMPERATURE_C ;Channel;ID;Time\n"
                         "35;\"a;\"\"b\"\"\nc\";21.5;1;107;2025-09-15T00:04:51Z\n"));
    assert_int_equal(out.count, 1);
    assert_int_equal(got(0).raw, 1215);
    assert_int_equal(got(0).humidity, 35);
    assert_int_equal(counts.lines, 3);
    run(IMPORT_CSV, VIEW("time\tchannel\tid\tbatteryLow\thumidity\n1757894691\t1\t1\t1\t5\n"));
    assert_int_equal(out.count, 1);
    assert_true(got(0).battery_low);
}

static void the_rows_that_are_given_out_come_back_from_csv(void **state)
{
    (void)state;
    options.rolling_code = 7;
    run(IMPORT_CSV, VIEW("sensor_timestamp,channel,rawTemp,humidity,signalStrength,batteryLow\n"
                         "2025-09-15 00:04:51,5,1186,47,-63,false\n"
                         "2025-09-15 00:04:52,5,null,47,NULL,\\N\n"));
    assert_int_equal(out.count, 2);
    assert_int_equal(got(0).time_ms, 1757894691000);
    assert_int_equal(got(0).raw, 1186);
    assert_int_equal(got(0).scale, SCALE_TENTHS_C);
    assert_int_equal(got(0).signal, 63);
    assert_int_equal(got(0).rolling_code, 7);
    assert_int_equal(got(1).raw, RAW_ABSENT);
}

static void what_is_exported_can_be_imported(void **state)
{
    (void)state;
    run(IMPORT_CSV, VIEW("time,series,name,channel,rolling_code,temperature_F,humidity_percent,"
                         "battery_low,signal_dbm,time_quality,relay,occupied\r\n"
                         "2025-09-15T00:04:51Z,freezer,\"Freezer, cellar\",5,107,-3.5,35,true,-63,"
                         "sender,false,true\r\n"));
    assert_int_equal(out.count, 1);
    const struct reading reading = got(0);
    assert_int_equal(reading.time_ms, 1757894691000);
    assert_int_equal(reading.raw, 365);
    assert_int_equal(reading.humidity, 35);
    assert_true(reading.battery_low && reading.occupied && !reading.relay);
    assert_int_equal(reading.signal, 63);
    run(IMPORT_JSONL,
        VIEW("{\"time\":\"2025-09-15T00:04:51Z\",\"series\":\"freezer\",\"channel\":5,"
             "\"rolling_code\":107,\"temperature_C\":21.5,\"humidity\":null,"
             "\"battery_ok\":true,\"signal\":null,\"time_quality\":\"sender\"}\n"));
    assert_int_equal(out.count, 1);
    assert_int_equal(counts.ignored, 0);
}

static void columns_without_a_meaning_are_named(void **state)
{
    struct import *import;
    (void)state;
    options.format = IMPORT_CSV;
    import = import_new(&options, &error);
    assert_non_null(import);
    assert_string_equal(import_columns_ignored(import), "");
    assert_int_equal(
        import_feed(import, VIEW("time,channel,note,id,humidity,wind speed\n"), &error), HEARTH_OK);
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
        memset(&error, 0, sizeof error);
        assert_int_equal(run_in(IMPORT_CSV, view_of(cases[i].header), 7), HEARTH_BAD_BODY);
        if (!strstr(error.detail, cases[i].missing) && !strstr(error.detail, "malformed"))
            fail_msg("%s: %s", cases[i].header, error.detail);
    }
    assert_int_equal(run_in(IMPORT_CSV, VIEW(""), 7), HEARTH_OK);
    assert_int_equal(run_in(IMPORT_CSV, VIEW(HEADER), 7), HEARTH_OK);
    assert_int_equal(run_in(IMPORT_CSV, view_slice(VIEW(HEADER), 0, sizeof HEADER - 2), 7),
                     HEARTH_OK);
}

static void a_row_of_another_length_is_none(void **state)
{
    (void)state;
    run(IMPORT_CSV, VIEW(HEADER "1757894691,1,107,74.4,35\n"
                                "1757894691,1,107,74.4,35,1,x\n"
                                "1757894691,1,107,74.4,35,1,,\n"
                                "1757894691,1,107,\"74.4\"x,35,1\n"
                                "\n"
                                "1757894692,1,107,\"74.4\",35,1\n"));
    assert_int_equal(out.count, 2);
    assert_int_equal(counts.reasons[REJECT_NOT_CSV], 3);
    assert_int_equal(counts.first_lines[REJECT_NOT_CSV][0], 2);
    assert_int_equal(counts.first_lines[REJECT_NOT_CSV][2], 5);
    expect_text(1, "NOT_CSV csv: 1757894691,1,107,\"74.4\"x,35,1");
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
        run(IMPORT_CSV, view_of(text));
        if (counts.reasons[cases[i].reject] != 1)
            fail_msg("%s: %s", cases[i].row, out.texts[0]);
    }
}

static void a_quote_that_never_closes_costs_its_line(void **state)
{
    struct buffer bytes;
    (void)state;
    run(IMPORT_CSV, VIEW(HEADER "\"1757894691,1,107,74.4,35,1\n1757894692,1,107,74.4,35,1\n"));
    assert_int_equal(out.count, 1);
    assert_int_equal(counts.reasons[REJECT_NOT_CSV], 1);
    buffer_init(&bytes, 1u << 20);
    buffer_append_text(&bytes, HEADER "\"1757894691,1,107,74.4,35,1\n");
    while (bytes.length < (size_t)3 * LIMIT_READING_BYTES)
        buffer_append_text(&bytes, "1757894692,1,107,74.4,35,1\n");
    for (size_t step = 1000; step < 2000000; step *= 30) {
        assert_int_equal(run_in(IMPORT_CSV, buffer_view(&bytes), step), HEARTH_OK);
        assert_int_equal(counts.reasons[REJECT_NOT_CSV], 1);
        assert_int_equal(counts.records, counts.lines - 2);
    }
    buffer_clean(&bytes);
}

/* ---- Records ---- */

static void make_record(struct record *record, int index, enum time_quality quality)
{
    const struct reading reading = {.time_ms = 1757894691000 + index,
                                    .channel = 1,
                                    .rolling_code = 7,
                                    .raw = 1000,
                                    .humidity = 50,
                                    .time_quality = quality};
    assert_int_equal(record_encode(&reading, record), REJECT_NONE);
}

static void records_keep_what_they_say(void **state)
{
    struct record records[6];
    (void)state;
    for (int i = 0; i < 6; i++)
        make_record(&records[i], i, (enum time_quality)(i % 4));
    records[2].bytes[11] ^= 1;
    memset(&records[3], 0, sizeof records[3]);
    make_record(&records[5], 700000, TIME_SENDER);
    run(IMPORT_BIN, view_from((const char *)records, sizeof records));
    assert_int_equal(out.count, 4);
    assert_int_equal(got(1).time_quality, TIME_SERVER);
    assert_int_equal(got(2).time_quality, TIME_SENDER);
    assert_int_equal(got(3).time_quality, TIME_SUSPECT);
    assert_int_equal(counts.reasons[REJECT_CHECKSUM], 1);
    assert_int_equal(counts.first_lines[REJECT_CHECKSUM][0], 3);
    assert_int_equal(counts.nul_bytes, 12);
    assert_int_equal(counts.lines, 6);
    run(IMPORT_BIN, view_from((const char *)records, sizeof records - 5));
    assert_int_equal(out.count, 3);
    assert_int_equal(counts.rejected, 2);
}

/* ---- Going on, failing ---- */

static void an_import_goes_on_where_it_was_broken_off(void **state)
{
    static const struct {
        enum import_format format;
        const char *text;
        size_t rows;
    } cases[] = {
        {IMPORT_JSONL, LINE("744") LINE("745") "bad\n" LINE("746") LINE("747"), 4},
        {IMPORT_CSV,
         HEADER "1757894691,1,1,70,40,1\n1757894692,1,1,70,40,1\nbad\n"
                "1757894693,1,1,70,40,1\n1757894694,1,1,70,40,1\n",
         4},
    };
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct view bytes = view_of(cases[i].text);
        for (size_t done = 0; done <= bytes.length; done++) {
            /* Up to somewhere... */
            memset(&out, 0, sizeof out);
            options.format = cases[i].format;
            struct import *import = import_new(&options, &error);
            assert_non_null(import);
            assert_int_equal(import_feed(import, view_slice(bytes, 0, done), &error), HEARTH_OK);
            import_free(import);
            /* ...and on from there. */
            import = import_new(&options, &error);
            assert_non_null(import);
            import_seek(import, out.position);
            if (!import_can_seek(import))
                assert_int_equal(import_feed(import, bytes, &error), HEARTH_OK);
            assert_true(import_can_seek(import));
            assert_int_equal(feed_all(import, view_skip(bytes, (size_t)out.position), 11),
                             HEARTH_OK);
            import_free(import);
            assert_int_equal(out.count, cases[i].rows);
            assert_int_equal(out.rejected, 1);
            assert_int_equal(out.position, bytes.length);
        }
    }
}

static void batches_are_bounded_and_say_how_far_they_go(void **state)
{
    enum { COUNT = IMPORT_BATCH_RECORDS + 10 };
    struct record *records = malloc(COUNT * sizeof *records);
    (void)state;
    assert_non_null(records);
    for (int i = 0; i < COUNT; i++)
        make_record(&records[i], i, TIME_SENDER);
    assert_int_equal(
        run_in(IMPORT_BIN, view_from((const char *)records, COUNT * sizeof *records), SIZE_MAX),
        HEARTH_OK);
    assert_int_equal(out.batches, 2);
    assert_int_equal(out.count, COUNT);
    assert_int_equal(out.position, COUNT * sizeof *records);
    free(records);
}

static void an_error_of_the_batch_ends_the_import(void **state)
{
    struct import *import;
    (void)state;
    options.format = IMPORT_JSONL;
    import = import_new(&options, &error);
    assert_non_null(import);
    out.fail = HEARTH_DISK_FULL;
    assert_int_equal(import_feed(import, VIEW(LINE("744")), &error), HEARTH_DISK_FULL);
    import_free(import);
}

static void running_out_of_memory_is_an_error(void **state)
{
    (void)state;
    for (int64_t allocations = 0;; allocations++) {
        memset(&out, 0, sizeof out);
        enum hearth_error code = HEARTH_NO_MEMORY;
        options.format = IMPORT_CSV;
        memory_fail_after(allocations);
        struct import *import = import_new(&options, &error);
        if (import)
            code = feed_all(import, VIEW(HEADER "1757894691,1,1,70,40,1\nbad\n"), 9);
        import_free(import);
        memory_fail_after(-1);
        if (code == HEARTH_OK)
            break;
        assert_int_equal(code, HEARTH_NO_MEMORY);
        assert_true(allocations < 100);
    }
    assert_int_equal(out.count, 1);
    assert_int_equal(out.rejected, 1);
}

/* ---- Formats ---- */

static void formats_are_guessed_by_name_then_by_bytes(void **state)
{
    struct record record;
    enum import_format format;
    make_record(&record, 0, TIME_SENDER);
    static const struct {
        const char *name, *bytes;
        int format; /* -1 = cannot tell */
    } cases[] = {
        {"a.jsonl", "", IMPORT_JSONL},
        {"/x.bin/a.ndjson", "", IMPORT_JSONL},
        {"a.JSON", "", IMPORT_JSONL},
        {"a.csv.part", "", IMPORT_CSV},
        {"readings.bin", "", IMPORT_BIN},
        {"/tmp/x.csv/readings", LINE("744"), IMPORT_JSONL},
        {"readings", "\n " LINE("744"), IMPORT_JSONL},
        {"readings", HEADER, IMPORT_CSV},
        {"readings", "time,channel,humidity\n", IMPORT_CSV},
        {"readings.txt", "hello\n", -1},
        {"csv", "", -1},
        {"", "", -1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        bool known = import_format_guess(view_of(cases[i].name), view_of(cases[i].bytes), &format);
        if (known != (cases[i].format >= 0) || (known && (int)format != cases[i].format))
            fail_msg("%s, %s", cases[i].name, cases[i].bytes);
    }
    assert_true(import_format_guess(VIEW("x"), view_from((const char *)&record, 12), &format));
    assert_int_equal(format, IMPORT_BIN);
    for (int i = 0; i < IMPORT_FORMAT_COUNT; i++) {
        const char *name = import_format_name((enum import_format)i);
        assert_true(import_format_parse(view_of(name), &format));
        assert_int_equal(format, i);
    }
}

int main(void)
{
#define STORY(name) cmocka_unit_test_setup(name, reset)
    const struct CMUnitTest tests[] = {
        STORY(json_lines_are_read),
        STORY(the_last_line_needs_no_newline),
        STORY(a_line_that_is_none_does_not_stop_the_rest),
        STORY(a_reading_without_a_time_is_none_in_a_file),
        STORY(zeros_of_a_power_loss_are_stripped_and_what_is_behind_them_kept),
        STORY(times_that_cannot_be_are_suspect),
        STORY(the_options_say_unit_zone_and_code),
        STORY(a_file_without_line_ends_takes_no_memory),
        STORY(a_csv_is_read_by_its_header),
        STORY(columns_stand_in_any_order_case_and_separator),
        STORY(the_rows_that_are_given_out_come_back_from_csv),
        STORY(what_is_exported_can_be_imported),
        STORY(columns_without_a_meaning_are_named),
        STORY(a_header_that_lacks_a_column_is_refused_by_its_name),
        STORY(a_row_of_another_length_is_none),
        STORY(values_that_cannot_be_are_rejected_with_their_reason),
        STORY(a_quote_that_never_closes_costs_its_line),
        STORY(records_keep_what_they_say),
        STORY(an_import_goes_on_where_it_was_broken_off),
        STORY(batches_are_bounded_and_say_how_far_they_go),
        STORY(an_error_of_the_batch_ends_the_import),
        STORY(running_out_of_memory_is_an_error),
        STORY(formats_are_guessed_by_name_then_by_bytes),
    };
    return cmocka_run_group_tests_name("import", tests, NULL, NULL);
}
