/*
 * test_series_names.c - the names of the series: what a file may say, and whose a reading is.
 */
#include "support.h"

#include "app/core/memory.h"
#include "handlers/sensor/series/series_names.h"

#include <stdio.h>
#include <string.h>

#define JANUARY  INT64_C(1704067200000) /* 2024-01-01T00:00:00Z */
#define FEBRUARY INT64_C(1738368000000) /* 2025-02-01T00:00:00Z */

static const char freezer[] =
    "{\"version\":1,\"series\":["
    "{\"id\":\"freezer\",\"name\":\"Freezer\",\"unit\":\"F\",\"place\":\"Cellar\","
    "\"stale_after_s\":900,\"transmitters\":["
    "{\"channel\":5,\"rolling_code\":31,\"from\":\"2025-02-01T00:00:00Z\",\"to\":null},"
    "{\"channel\":5,\"rolling_code\":107,\"from\":\"2024-01-01T00:00:00Z\","
    "\"to\":\"2025-02-01T00:00:00Z\"}]},"
    "{\"id\":\"attic\",\"unit\":\"C\",\"transmitters\":["
    "{\"channel\":5,\"rolling_code\":107,\"from\":\"2025-02-01T00:00:00Z\"}]},"
    "{\"id\":\"empty\"}]}\n";

static struct series_names *good(const char *text)
{
    struct error_record error = {0};
    struct series_names *names = series_names_parse(view_of(text), SERIES_STALE_AFTER_MS, &error);
    if (!names)
        fail_msg("refused: %s", error.detail);
    return names;
}

/* Refused as CORRUPT, with these words in the detail. */
static void refuse(const char *text, const char *words)
{
    struct error_record error = {0};
    struct series_names *names = series_names_parse(view_of(text), SERIES_STALE_AFTER_MS, &error);
    if (names)
        fail_msg("taken: %s", text);
    assert_int_equal(error.code, HEARTH_CORRUPT);
    if (!strstr(error.detail, words))
        fail_msg("'%s' does not say '%s'", error.detail, words);
}

/* A file with one series, whose members are these. */
static void refuse_series(const char *members, const char *words)
{
    char text[2048];
    snprintf(text, sizeof text, "{\"version\":1,\"series\":[{%s}]}", members);
    refuse(text, words);
}

static void refuse_transmitter(const char *members, const char *words)
{
    char text[1024];
    snprintf(text, sizeof text, "\"id\":\"a\",\"transmitters\":[{%s}]", members);
    refuse_series(text, words);
}

/* ---- Whose is it? ---- */

static void assert_id(const struct series_names *names, int channel, int code, int64_t time_ms,
                      const char *expected)
{
    char id[SERIES_ID_BYTES];
    series_names_id(names, series_names_find(names, channel, code, time_ms), id);
    assert_string_equal(id, expected);
}

static void a_reading_belongs_to_the_series_whose_window_holds_it(void **state)
{
    (void)state;
    struct series_names *names = good(freezer);
    assert_id(names, 5, 107, JANUARY - 1, "5-107");
    assert_id(names, 5, 107, JANUARY, "freezer");
    assert_id(names, 5, 107, FEBRUARY - 1, "freezer");
    assert_id(names, 5, 107, FEBRUARY, "attic");
    assert_id(names, 5, 107, INT64_MAX - 1, "attic");
    assert_id(names, 5, 31, FEBRUARY - 1, "5-31");
    assert_id(names, 5, 31, FEBRUARY, "freezer");
    assert_id(names, 6, 31, FEBRUARY, "6-31");
    assert_id(names, 1, 0, 0, "1-0");
    assert_id(names, 16, 255, 0, "16-255");
    series_names_free(names);
}

static void a_series_says_what_the_file_says(void **state)
{
    (void)state;
    struct series_names *names = good(freezer);
    assert_int_equal(series_names_count(names), 3);
    const struct named_series *first = series_names_get(names, 0);
    assert_string_equal(first->id, "freezer");
    assert_string_equal(first->name, "Freezer");
    assert_string_equal(first->place, "Cellar");
    assert_int_equal(first->unit, SERIES_UNIT_F);
    assert_int_equal(first->stale_after_ms, 900000);
    assert_int_equal(first->window_count, 2);
    assert_int_equal(first->windows[0].rolling_code, 107);
    assert_int_equal(first->windows[0].from_ms, JANUARY);
    assert_int_equal(first->windows[0].to_ms, FEBRUARY);
    assert_int_equal(first->windows[1].rolling_code, 31);
    assert_int_equal(first->windows[1].to_ms, INT64_MAX);
    const struct named_series *second = series_names_get(names, 1);
    assert_int_equal(second->unit, SERIES_UNIT_C);
    assert_string_equal(second->name, "");
    assert_string_equal(second->place, "");
    assert_int_equal(second->stale_after_ms, SERIES_STALE_AFTER_MS);
    assert_int_equal(second->windows[0].series, 1);
    assert_int_equal(series_names_get(names, 2)->window_count, 0);
    assert_int_equal(series_names_get(names, 2)->unit, SERIES_UNIT_DEFAULT);
    assert_null(series_names_get(names, 3));
    series_names_free(names);
}

static void limits_are_the_series_own_or_the_default(void **state)
{
    (void)state;
    struct series_names *names = series_names_parse(view_of(freezer), 5000, NULL);
    assert_int_equal(series_names_limit_ms(names, 0), 900000);
    assert_int_equal(series_names_limit_ms(names, 1), 5000);
    assert_int_equal(series_names_limit_ms(names, 3 + 4 * 256 + 107), 5000);
    series_names_free(names);
}

static void windows_of_a_transmitter_ascend_and_most_have_none(void **state)
{
    (void)state;
    size_t count;
    struct series_names *names = good(freezer);
    const struct series_window *windows = series_names_windows(names, 5, 107, &count);
    assert_int_equal(count, 2);
    assert_int_equal(windows[0].series, 0);
    assert_int_equal(windows[1].series, 1);
    assert_int_equal(windows[1].from_ms, FEBRUARY);
    series_names_windows(names, 1, 0, &count);
    assert_int_equal(count, 0);
    series_names_windows(names, 16, 255, &count);
    assert_int_equal(count, 0);
    series_names_free(names);
}

static void ids_lead_to_indexes_and_back(void **state)
{
    (void)state;
    uint32_t index;
    char id[SERIES_ID_BYTES];
    struct series_names *names = good(freezer);
    assert_true(series_names_by_id(names, VIEW("attic"), &index));
    assert_int_equal(index, 1);
    assert_true(series_names_by_id(names, VIEW("16-255"), &index));
    assert_int_equal(index, 3 + SERIES_PLACES - 1);
    series_names_id(names, index, id);
    assert_string_equal(id, "16-255");
    static const char *const wrong[] = {"",     "att",  "attics", "0-1",  "17-1",  "1-256",
                                        "1-",   "-1",   "01-1",   "1-01", "1-1-1", "1--1",
                                        "+1-1", "1 -1", "5-107 ", "Attic"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_false(series_names_by_id(names, view_of(wrong[i]), &index));
    series_names_free(names);
}

static void no_file_means_no_names(void **state)
{
    (void)state;
    struct series_names *names = good("");
    assert_int_equal(series_names_count(names), 0);
    assert_id(names, 3, 7, 12345, "3-7");
    assert_null(series_names_get(names, 0));
    series_names_free(names);
    char *directory = test_directory_make();
    names = series_names_load(directory, 1000, NULL);
    assert_non_null(names);
    assert_int_equal(series_names_count(names), 0);
    series_names_free(names);
    test_directory_remove(directory);
}

static void the_version_follows_the_content_alone(void **state)
{
    (void)state;
    struct series_names *none = good(""), *a = good(freezer), *b = good(freezer);
    /* The first 64 bits of the SHA-256 of nothing. */
    assert_true(series_names_version(none) == UINT64_C(0xe3b0c44298fc1c14));
    assert_true(series_names_version(a) == series_names_version(b));
    assert_true(series_names_version(a) != series_names_version(none));
    series_names_free(none);
    series_names_free(a);
    series_names_free(b);
}

static void names_live_as_long_as_somebody_holds_them(void **state)
{
    (void)state;
    struct series_names *names = good(freezer);
    struct series_names *kept = series_names_keep(names);
    assert_ptr_equal(kept, names);
    series_names_free(names);
    assert_string_equal(series_names_get(kept, 0)->id, "freezer");
    series_names_free(kept);
    series_names_free(NULL);
}

/* ---- The rules ---- */

static void what_is_no_such_file_is_refused(void **state)
{
    (void)state;
    refuse("nonsense", "not a JSON object");
    refuse("[]", "not a JSON object, at byte 2: it is something else");
    refuse("{\"", "not a JSON object, at byte 2: it ends too early");
    refuse("{\"version\":1", "it ends too early");
    refuse("{\"version\":1} x", "not a JSON object");
    refuse("{\"version\":1,}", "not a JSON object");
    refuse("{}", "version must be 1");
    refuse("{\"version\":2,\"series\":[]}", "version must be 1");
    refuse("{\"version\":\"1\",\"series\":[]}", "version must be 1");
    refuse("{\"version\":1,\"series\":{}}", "series must be an array");
    refuse("{\"version\":1,\"series\":[7]}", "series 1: is not an object");
    refuse("{\"version\":1,\"series\":[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]}", "not a JSON object");
    series_names_free(good("{\"version\":1}"));
    series_names_free(good("{\"version\":1,\"series\":null}"));
    series_names_free(good(" {\"version\":1,\"series\":[],\"more\":[{}]} \n\n"));
}

static void ids_are_lower_case_words(void **state)
{
    (void)state;
    static const char *const wrong[] = {"",    "5-107", "-a",       "_a", "Freezer",
                                        "a b", "a.b",   "\xc3\xa4", "a/b"};
    char members[256], longest[80];
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        snprintf(members, sizeof members, "\"id\":\"%s\"", wrong[i]);
        refuse_series(members, "series 1: id must be");
    }
    refuse_series("\"name\":\"x\"", "series 1: id must be");
    refuse_series("\"id\":null", "series 1: id must be");
    refuse_series("\"id\":5", "series 1: id must be");
    refuse_series("\"id\":\"a\\u0000b\"", "series 1: id must be");
    memset(longest, 'a', sizeof longest);
    snprintf(members, sizeof members, "\"id\":\"%.65s\"", longest);
    refuse_series(members, "series 1: id must be");
    snprintf(members, sizeof members, "{\"version\":1,\"series\":[{\"id\":\"%.64s\"}]}", longest);
    series_names_free(good(members));
    series_names_free(good("{\"version\":1,\"series\":[{\"id\":\"a-b_9\"}]}"));
}

static void ids_stand_once(void **state)
{
    (void)state;
    refuse("{\"version\":1,\"series\":[{\"id\":\"a\"},{\"id\":\"b\"},{\"id\":\"a\"}]}",
           "series 1 and 3 both have the id a");
}

static void names_and_places_are_short_text(void **state)
{
    (void)state;
    char members[512], longest[256];
    memset(longest, 'n', sizeof longest);
    refuse_series("\"id\":\"a\",\"name\":5", "series 1 (a): name must be");
    refuse_series("\"id\":\"a\",\"name\":\"a\\nb\"", "name must be");
    refuse_series("\"id\":\"a\",\"name\":\"a\\u0000b\"", "name must be");
    refuse_series("\"id\":\"a\",\"name\":\"\\u0085\"", "name must be");
    refuse_series("\"id\":\"a\",\"place\":\"\\u007f\"", "place must be");
    refuse_series("\"id\":\"a\",\"place\":[]", "place must be");
    snprintf(members, sizeof members, "\"id\":\"a\",\"name\":\"%.201s\"", longest);
    refuse_series(members, "name must be at most 200 bytes");
    struct series_names *names =
        good("{\"version\":1,\"series\":[{\"id\":\"a\",\"name\":\"K\\u00fcche \xf0\x9f\x94\xa5\","
             "\"place\":null}]}");
    assert_string_equal(series_names_get(names, 0)->name, "K\xc3\xbc"
                                                          "che \xf0\x9f\x94\xa5");
    assert_string_equal(series_names_get(names, 0)->place, "");
    series_names_free(names);
}

static void units_are_f_c_or_the_default(void **state)
{
    (void)state;
    refuse_series("\"id\":\"a\",\"unit\":\"K\"", "unit must be");
    refuse_series("\"id\":\"a\",\"unit\":\"f\"", "unit must be");
    refuse_series("\"id\":\"a\",\"unit\":1", "unit must be");
    struct series_names *names = good("{\"version\":1,\"series\":[{\"id\":\"a\",\"unit\":null}]}");
    assert_int_equal(series_names_get(names, 0)->unit, SERIES_UNIT_DEFAULT);
    series_names_free(names);
}

static void limits_are_a_second_to_a_year(void **state)
{
    (void)state;
    refuse_series("\"id\":\"a\",\"stale_after_s\":0", "stale_after_s must be");
    refuse_series("\"id\":\"a\",\"stale_after_s\":-1", "stale_after_s must be");
    refuse_series("\"id\":\"a\",\"stale_after_s\":31536001", "stale_after_s must be");
    refuse_series("\"id\":\"a\",\"stale_after_s\":1.5", "stale_after_s must be");
    refuse_series("\"id\":\"a\",\"stale_after_s\":\"60\"", "stale_after_s must be");
    struct series_names *names =
        good("{\"version\":1,\"series\":[{\"id\":\"a\",\"stale_after_s\":31536000},"
             "{\"id\":\"b\",\"stale_after_s\":null}]}");
    assert_int_equal(series_names_limit_ms(names, 0), INT64_C(31536000000));
    assert_int_equal(series_names_limit_ms(names, 1), SERIES_STALE_AFTER_MS);
    series_names_free(names);
}

static void transmitters_are_within_what_radios_send(void **state)
{
    (void)state;
    refuse_series("\"id\":\"a\",\"transmitters\":{}",
                  "series 1 (a): transmitters must be an array");
    refuse_series("\"id\":\"a\",\"transmitters\":[1]", "transmitter 1: is not an object");
    refuse_transmitter("\"rolling_code\":1", "transmitter 1: channel must be");
    refuse_transmitter("\"channel\":0,\"rolling_code\":1", "channel must be");
    refuse_transmitter("\"channel\":17,\"rolling_code\":1", "channel must be");
    refuse_transmitter("\"channel\":\"1\",\"rolling_code\":1", "channel must be");
    refuse_transmitter("\"channel\":1", "rolling_code must be");
    refuse_transmitter("\"channel\":1,\"rolling_code\":256", "rolling_code must be");
    refuse_transmitter("\"channel\":1,\"rolling_code\":-1", "rolling_code must be");
}

static void edges_are_times_and_in_order(void **state)
{
    (void)state;
    refuse_transmitter("\"channel\":1,\"rolling_code\":1,\"from\":\"soon\"", "from must be a time");
    refuse_transmitter("\"channel\":1,\"rolling_code\":1,\"from\":5", "from must be a time");
    refuse_transmitter("\"channel\":1,\"rolling_code\":1,\"to\":\"2025-02-30T00:00:00Z\"",
                       "to must be a time");
    refuse_transmitter("\"channel\":1,\"rolling_code\":1,\"from\":\"2025-02-01T00:00:00Z\","
                       "\"to\":\"2025-02-01T00:00:00Z\"",
                       "from must be before to");
    refuse_transmitter("\"channel\":1,\"rolling_code\":1,\"to\":\"1960-01-01T00:00:00Z\"",
                       "from must be before to");
    struct series_names *names = good(
        "{\"version\":1,\"series\":[{\"id\":\"a\",\"transmitters\":[{\"channel\":1,"
        "\"rolling_code\":1,\"from\":\"2025-01-31T17:00:00-07:00\",\"to\":\"2025-02-02\"}]}]}");
    assert_int_equal(series_names_get(names, 0)->windows[0].from_ms, FEBRUARY);
    assert_int_equal(series_names_get(names, 0)->windows[0].to_ms, FEBRUARY + 86400000);
    series_names_free(names);
}

static void windows_of_one_series_do_not_overlap(void **state)
{
    (void)state;
    refuse_series("\"id\":\"a\",\"transmitters\":["
                  "{\"channel\":2,\"rolling_code\":9,\"from\":\"2025-02-01T00:00:00Z\"},"
                  "{\"channel\":1,\"rolling_code\":8}]",
                  "a (1-8 from the beginning to now on) and "
                  "a (2-9 from 2025-02-01T00:00:00Z to now on) overlap");
    refuse_series("\"id\":\"a\",\"transmitters\":["
                  "{\"channel\":1,\"rolling_code\":8},{\"channel\":1,\"rolling_code\":8}]",
                  "overlap");
}

static void a_transmitter_belongs_to_one_series_at_a_time(void **state)
{
    (void)state;
    refuse("{\"version\":1,\"series\":[{\"id\":\"a\",\"transmitters\":["
           "{\"channel\":1,\"rolling_code\":8,\"to\":\"2025-02-01T00:00:01Z\"}]},"
           "{\"id\":\"b\",\"transmitters\":["
           "{\"channel\":1,\"rolling_code\":8,\"from\":\"2025-02-01T00:00:00Z\"}]}]}",
           "a (1-8 from the beginning to 2025-02-01T00:00:01Z) and "
           "b (1-8 from 2025-02-01T00:00:00Z to now on) overlap");
    series_names_free(
        good("{\"version\":1,\"series\":[{\"id\":\"a\",\"transmitters\":["
             "{\"channel\":1,\"rolling_code\":8,\"to\":\"2025-02-01T00:00:00Z\"}]},"
             "{\"id\":\"b\",\"transmitters\":["
             "{\"channel\":1,\"rolling_code\":8,\"from\":\"2025-02-01T00:00:00Z\"},"
             "{\"channel\":1,\"rolling_code\":9,\"to\":\"2025-02-01T00:00:00Z\"}]}]}"));
}

static void there_is_room_for_a_thousand_series_and_no_more(void **state)
{
    (void)state;
    struct buffer text;
    struct error_record error = {0};
    buffer_init(&text, 1 << 20);
    buffer_append_text(&text, "{\"version\":1,\"series\":[{\"id\":\"s0\"}");
    for (int i = 1; i < SERIES_NAMED_MAX; i++)
        buffer_append_format(&text, ",{\"id\":\"s%d\"}", i);
    size_t length = text.length;
    buffer_append_text(&text, "]}");
    struct series_names *names = series_names_parse(buffer_view(&text), 1000, &error);
    assert_non_null(names);
    assert_int_equal(series_names_count(names), SERIES_NAMED_MAX);
    series_names_free(names);
    text.length = length;
    buffer_append_text(&text, ",{\"id\":\"more\"}]}");
    assert_null(series_names_parse(buffer_view(&text), 1000, &error));
    assert_non_null(strstr(error.detail, "at most 1024"));
    buffer_clean(&text);
}

static void out_of_memory_is_an_error_at_every_place(void **state)
{
    (void)state;
    for (int64_t count = 0;; count++) {
        struct error_record error = {0};
        memory_fail_after(count);
        struct series_names *names = series_names_parse(view_of(freezer), 1000, &error);
        memory_fail_after(-1);
        series_names_free(names);
        if (names) {
            assert_true(count > 0);
            return;
        }
        assert_int_equal(error.code, HEARTH_NO_MEMORY);
    }
}

static void a_file_that_is_wrong_is_named(void **state)
{
    (void)state;
    char path[256];
    struct error_record error = {0};
    char *directory = test_directory_make();
    snprintf(path, sizeof path, "%s/series.json", directory);
    test_write_file(path, VIEW("{\"version\":9}"));
    assert_null(series_names_load(directory, 1000, &error));
    assert_int_equal(error.code, HEARTH_CORRUPT);
    assert_non_null(strstr(error.detail, "/series.json: version must be 1"));
    test_write_file(path, view_of(freezer));
    struct series_names *names = series_names_load(directory, 1000, &error);
    assert_int_equal(series_names_count(names), 3);
    series_names_free(names);
    test_directory_remove(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reading_belongs_to_the_series_whose_window_holds_it),
        cmocka_unit_test(a_series_says_what_the_file_says),
        cmocka_unit_test(limits_are_the_series_own_or_the_default),
        cmocka_unit_test(windows_of_a_transmitter_ascend_and_most_have_none),
        cmocka_unit_test(ids_lead_to_indexes_and_back),
        cmocka_unit_test(no_file_means_no_names),
        cmocka_unit_test(the_version_follows_the_content_alone),
        cmocka_unit_test(names_live_as_long_as_somebody_holds_them),
        cmocka_unit_test(what_is_no_such_file_is_refused),
        cmocka_unit_test(ids_are_lower_case_words),
        cmocka_unit_test(ids_stand_once),
        cmocka_unit_test(names_and_places_are_short_text),
        cmocka_unit_test(units_are_f_c_or_the_default),
        cmocka_unit_test(limits_are_a_second_to_a_year),
        cmocka_unit_test(transmitters_are_within_what_radios_send),
        cmocka_unit_test(edges_are_times_and_in_order),
        cmocka_unit_test(windows_of_one_series_do_not_overlap),
        cmocka_unit_test(a_transmitter_belongs_to_one_series_at_a_time),
        cmocka_unit_test(there_is_room_for_a_thousand_series_and_no_more),
        cmocka_unit_test(out_of_memory_is_an_error_at_every_place),
        cmocka_unit_test(a_file_that_is_wrong_is_named),
    };
    return cmocka_run_group_tests_name("series_names", tests, NULL, NULL);
}
