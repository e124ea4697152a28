/*
 * test_import.c - files of readings: JSON lines and records, damage, going on after a break, which
 * format a file has.
 */
#include "tests/unit/support_import.h"

#include "app/core/memory.h"
#include "hearth/limits.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE(temperature)                                                                          \
    "{\"time\":\"2025-09-14 18:04:51-0600\",\"channel\":\"1\",\"rolling_code\":107,"               \
    "\"temperature\":" temperature ",\"humidity\":35,\"battery_ok\":true}\n"
#define HEADER "time,channel,rolling_code,temperature_F,humidity,battery_ok\n"

static struct import_test test;

static int start(void **state)
{
    (void)state;
    import_test_init(&test);
    return 0;
}

/* ---- JSON lines ---- */

static void json_lines_are_read(void **state)
{
    (void)state;
    import_test_run(&test, IMPORT_JSONL, VIEW(LINE("744") "\n  \r\n" LINE("745") LINE("746")));
    assert_int_equal(test.count, 3);
    assert_int_equal(import_test_reading(&test, 0).time_ms, 1757894691000);
    assert_int_equal(import_test_reading(&test, 0).raw, 1144);
    assert_int_equal(import_test_reading(&test, 0).time_quality, TIME_IMPORTED);
    assert_int_equal(import_test_reading(&test, 2).raw, 1146);
    assert_int_equal(test.counts.records, 3);
    assert_int_equal(test.counts.lines, 5);
    assert_int_equal(test.position, 5 + 3 * (sizeof LINE("744") - 1));
}

static void the_last_line_needs_no_newline(void **state)
{
    struct view bytes = VIEW(LINE("744") LINE("745"));
    (void)state;
    import_test_run(&test, IMPORT_JSONL, view_slice(bytes, 0, bytes.length - 1));
    assert_int_equal(test.count, 2);
    assert_int_equal(test.counts.lines, 2);
}

static void a_line_that_is_none_does_not_stop_the_rest(void **state)
{
    (void)state;
    import_test_run(&test, IMPORT_JSONL,
                    VIEW(LINE("744") "not json\n" LINE("99999") LINE("745") "[1]\n"));
    assert_int_equal(test.count, 2);
    assert_int_equal(test.counts.rejected, 3);
    assert_int_equal(test.counts.reasons[REJECT_NOT_JSON], 1);
    assert_int_equal(test.counts.reasons[REJECT_TEMPERATURE_RANGE], 1);
    assert_int_equal(test.counts.reasons[REJECT_WRONG_TYPE], 1);
    assert_int_equal(test.counts.first_lines[REJECT_NOT_JSON][0], 2);
    assert_int_equal(test.counts.first_lines[REJECT_NOT_JSON][1], 0);
    assert_int_equal(test.counts.first_lines[REJECT_TEMPERATURE_RANGE][0], 3);
    assert_int_equal(test.counts.first_lines[REJECT_WRONG_TYPE][0], 5);
    import_test_expect_text(&test, 0, "NOT_JSON jsonl: not json");
    import_test_expect_text(&test, 2, "WRONG_TYPE jsonl: [1]");
}

static void a_reading_without_a_time_is_none_in_a_file(void **state)
{
    (void)state;
    import_test_run(&test, IMPORT_JSONL,
                    VIEW("{\"channel\":1,\"rolling_code\":1,\"humidity\":5}\n"));
    assert_int_equal(test.count, 0);
    assert_int_equal(test.counts.reasons[REJECT_MISSING_MEMBER], 1);
}

static void zeros_of_a_power_loss_are_stripped_and_what_is_behind_them_kept(void **state)
{
    (void)state;
    import_test_run(&test, IMPORT_JSONL,
                    VIEW(LINE("744") "\0\0\0\0\0" LINE("745") "{\"time\":\"20\0\0\0" LINE("746")));
    assert_int_equal(test.count, 3);
    assert_int_equal(import_test_reading(&test, 1).raw, 1145);
    assert_int_equal(import_test_reading(&test, 2).raw, 1146);
    assert_int_equal(test.counts.nul_bytes, 8);
    assert_int_equal(test.counts.rejected, 1);
    assert_int_equal(test.counts.first_lines[REJECT_NOT_JSON][0], 3);
    import_test_expect_text(&test, 0, "NOT_JSON jsonl: {\"time\":\"20");
    import_test_run(&test, IMPORT_JSONL, VIEW("\0\0\0\0"));
    assert_int_equal(test.counts.rejected, 0);
}

static void times_that_cannot_be_are_suspect(void **state)
{
    (void)state;
    import_test_run(
        &test, IMPORT_JSONL,
        VIEW("{\"time\":\"1999-12-31T23:59:59Z\",\"channel\":1,\"id\":1,\"humidity\":5}\n"
             "{\"time\":\"2025-09-15T00:15:00.001Z\",\"channel\":1,\"id\":1,\"humidity\":5}\n"
             "{\"time\":\"2025-09-15T00:15:00Z\",\"channel\":1,\"id\":1,\"humidity\":5}\n"));
    assert_int_equal(test.count, 3);
    assert_int_equal(test.counts.suspect, 2);
    assert_int_equal(import_test_reading(&test, 0).time_quality, TIME_SUSPECT);
    assert_int_equal(import_test_reading(&test, 1).time_quality, TIME_SUSPECT);
    assert_int_equal(import_test_reading(&test, 2).time_quality, TIME_IMPORTED);
}

static void the_options_say_unit_zone_and_code(void **state)
{
    static const char text[] =
        "{\"time\":\"2025-09-14 18:04:51\",\"channel\":1,\"temperature\":21.5}\n";
    struct time_zone *denver =
        time_zone_load(TIME_ZONE_DIRECTORY, VIEW("America/Denver"), &test.error);
    (void)state;
    assert_non_null(denver);
    import_test_run(&test, IMPORT_JSONL, view_of(text));
    assert_int_equal(test.counts.reasons[REJECT_MISSING_MEMBER], 1);
    test.options.zone = denver;
    test.options.unit = UNIT_C;
    test.options.rolling_code = 9;
    import_test_run(&test, IMPORT_JSONL, view_of(text));
    assert_int_equal(test.count, 1);
    assert_int_equal(import_test_reading(&test, 0).time_ms, 1757894691000);
    assert_int_equal(import_test_reading(&test, 0).scale, SCALE_TENTHS_C);
    assert_int_equal(import_test_reading(&test, 0).raw, 1215);
    assert_int_equal(import_test_reading(&test, 0).rolling_code, 9);
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
        assert_int_equal(import_test_run_in(&test, IMPORT_JSONL, buffer_view(&bytes), step),
                         HEARTH_OK);
        assert_int_equal(test.count, 1);
        assert_int_equal(test.counts.reasons[REJECT_TOO_LARGE], 10);
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
    import_test_run(&test, IMPORT_BIN, view_from((const char *)records, sizeof records));
    assert_int_equal(test.count, 4);
    assert_int_equal(import_test_reading(&test, 1).time_quality, TIME_SERVER);
    assert_int_equal(import_test_reading(&test, 2).time_quality, TIME_SENDER);
    assert_int_equal(import_test_reading(&test, 3).time_quality, TIME_SUSPECT);
    assert_int_equal(test.counts.reasons[REJECT_CHECKSUM], 1);
    assert_int_equal(test.counts.first_lines[REJECT_CHECKSUM][0], 3);
    assert_int_equal(test.counts.nul_bytes, 12);
    assert_int_equal(test.counts.lines, 6);
    import_test_run(&test, IMPORT_BIN, view_from((const char *)records, sizeof records - 5));
    assert_int_equal(test.count, 3);
    assert_int_equal(test.counts.rejected, 2);
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
            import_test_clear(&test);
            test.options.format = cases[i].format;
            struct import *import = import_new(&test.options, &test.error);
            assert_non_null(import);
            assert_int_equal(import_feed(import, view_slice(bytes, 0, done), &test.error),
                             HEARTH_OK);
            import_free(import);
            /* ...and on from there. */
            import = import_new(&test.options, &test.error);
            assert_non_null(import);
            import_seek(import, test.position);
            if (!import_can_seek(import))
                assert_int_equal(import_feed(import, bytes, &test.error), HEARTH_OK);
            assert_true(import_can_seek(import));
            assert_int_equal(
                import_test_feed(&test, import, view_skip(bytes, (size_t)test.position), 11),
                HEARTH_OK);
            import_free(import);
            assert_int_equal(test.count, cases[i].rows);
            assert_int_equal(test.rejected, 1);
            assert_int_equal(test.position, bytes.length);
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
    assert_int_equal(import_test_run_in(&test, IMPORT_BIN,
                                        view_from((const char *)records, COUNT * sizeof *records),
                                        SIZE_MAX),
                     HEARTH_OK);
    assert_int_equal(test.batches, 2);
    assert_int_equal(test.count, COUNT);
    assert_int_equal(test.position, COUNT * sizeof *records);
    free(records);
}

/* A batch costs a sync: the line that a piece breaks off in goes out with those behind it, unless
 * its text must. */
static void a_line_over_two_pieces_is_no_batch_of_its_own(void **state)
{
    static const struct {
        const char *first, *second;
        size_t batches, texts;
    } cases[] = {
        {LINE("744") LINE("745") "{\"time\":17578946", "91,\"channel\":2}\n" LINE("746"), 3, 1},
        {LINE("744") "{\"time\":\"2025-09-15 00:04:51Z\",\"chan",
         "nel\":2,\"rolling_code\":1,\"temperature\":7}\n" LINE("746"), 2, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        import_test_clear(&test);
        test.options.format = IMPORT_JSONL;
        struct import *import = import_new(&test.options, &test.error);
        assert_non_null(import);
        assert_int_equal(import_feed(import, view_of(cases[i].first), &test.error), HEARTH_OK);
        assert_int_equal(import_feed(import, view_of(cases[i].second), &test.error), HEARTH_OK);
        assert_int_equal(test.batches, cases[i].batches);
        assert_int_equal(test.count, 3);
        assert_int_equal(test.text_count, cases[i].texts);
        assert_int_equal(test.position, strlen(cases[i].first) + strlen(cases[i].second));
        import_free(import);
    }
}

static void an_error_of_the_batch_ends_the_import(void **state)
{
    struct import *import;
    (void)state;
    test.options.format = IMPORT_JSONL;
    import = import_new(&test.options, &test.error);
    assert_non_null(import);
    test.fail = HEARTH_DISK_FULL;
    assert_int_equal(import_feed(import, VIEW(LINE("744")), &test.error), HEARTH_DISK_FULL);
    import_free(import);
}

static void running_out_of_memory_is_an_error(void **state)
{
    (void)state;
    for (int64_t allocations = 0;; allocations++) {
        import_test_clear(&test);
        enum hearth_error code = HEARTH_NO_MEMORY;
        test.options.format = IMPORT_CSV;
        memory_fail_after(allocations);
        struct import *import = import_new(&test.options, &test.error);
        if (import)
            code = import_test_feed(&test, import, VIEW(HEADER "1757894691,1,1,70,40,1\nbad\n"), 9);
        import_free(import);
        memory_fail_after(-1);
        if (code == HEARTH_OK)
            break;
        assert_int_equal(code, HEARTH_NO_MEMORY);
        assert_true(allocations < 100);
    }
    assert_int_equal(test.count, 1);
    assert_int_equal(test.rejected, 1);
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
#define STORY(name) cmocka_unit_test_setup(name, start)
    const struct CMUnitTest tests[] = {
        STORY(json_lines_are_read),
        STORY(the_last_line_needs_no_newline),
        STORY(a_line_that_is_none_does_not_stop_the_rest),
        STORY(a_reading_without_a_time_is_none_in_a_file),
        STORY(zeros_of_a_power_loss_are_stripped_and_what_is_behind_them_kept),
        STORY(times_that_cannot_be_are_suspect),
        STORY(the_options_say_unit_zone_and_code),
        STORY(a_file_without_line_ends_takes_no_memory),
        STORY(records_keep_what_they_say),
        STORY(an_import_goes_on_where_it_was_broken_off),
        STORY(batches_are_bounded_and_say_how_far_they_go),
        STORY(a_line_over_two_pieces_is_no_batch_of_its_own),
        STORY(an_error_of_the_batch_ends_the_import),
        STORY(running_out_of_memory_is_an_error),
        STORY(formats_are_guessed_by_name_then_by_bytes),
    };
    return cmocka_run_group_tests_name("import", tests, NULL, NULL);
}
