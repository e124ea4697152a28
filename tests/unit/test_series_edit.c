/*
 * test_series_edit.c - changes of series.json: what they do, what is refused, and that no failure
 * leaves half a file.
 */
#include "support.h"

#include "handlers/sensor/series/series_edit.h"
#include "support_faults.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define FEBRUARY INT64_C(1738368000000) /* 2025-02-01T00:00:00Z */
#define MARCH    INT64_C(1740787200000)

static char *directory;

static int make_directory(void **state)
{
    (void)state;
    directory = test_directory_make();
    return directory ? 0 : -1;
}

static int remove_directory(void **state)
{
    (void)state;
    test_directory_remove(directory);
    return 0;
}

static struct series_edit *begin(void)
{
    struct error_record error = {0};
    struct series_edit *edit = series_edit_open(&file_system, directory, &clock_system, &error);
    if (!edit)
        fail_msg("not opened: %s", error.detail);
    return edit;
}

static void end(struct series_edit *edit)
{
    struct error_record error = {0};
    if (series_edit_save(edit, &error) != HEARTH_OK)
        fail_msg("not saved: %s", error.detail);
    series_edit_close(edit);
}

static void end_refused(struct series_edit *edit, const char *words)
{
    struct error_record error = {0};
    assert_int_equal(series_edit_save(edit, &error), HEARTH_CONFLICT);
    if (!strstr(error.detail, words))
        fail_msg("'%s' does not say '%s'", error.detail, words);
    series_edit_close(edit);
}

static struct series_names *load(void)
{
    struct error_record error = {0};
    struct series_names *names = series_names_load(directory, SERIES_STALE_AFTER_MS, &error);
    if (!names)
        fail_msg("not loaded: %s", error.detail);
    return names;
}

static struct series_window window(int channel, int code, int64_t from_ms, int64_t to_ms)
{
    return (struct series_window){channel, code, from_ms, to_ms, 0};
}

/* The series "freezer", 5-107 from the beginning on. */
static void make_freezer(void)
{
    struct series_edit *edit = begin();
    const struct series_window first = window(5, 107, 0, INT64_MAX);
    assert_int_equal(series_edit_add(edit, "freezer", NULL), HEARTH_OK);
    assert_int_equal(series_edit_name(edit, "freezer", "Freezer", NULL), HEARTH_OK);
    assert_int_equal(series_edit_alias(edit, "freezer", &first, NULL), HEARTH_OK);
    end(edit);
}

static void a_series_is_made_and_described(void **state)
{
    (void)state;
    make_freezer();
    struct series_edit *edit = begin();
    assert_int_equal(series_names_count(series_edit_names(edit)), 1);
    assert_int_equal(series_edit_place(edit, "freezer", "Cellar \xc3\xa4", NULL), HEARTH_OK);
    assert_int_equal(series_edit_unit(edit, "freezer", SERIES_UNIT_C, NULL), HEARTH_OK);
    assert_int_equal(series_edit_limit(edit, "freezer", 900, NULL), HEARTH_OK);
    end(edit);
    struct series_names *names = load();
    const struct named_series *series = series_names_get(names, 0);
    assert_string_equal(series->name, "Freezer");
    assert_string_equal(series->place, "Cellar \xc3\xa4");
    assert_int_equal(series->unit, SERIES_UNIT_C);
    assert_int_equal(series->stale_after_ms, 900000);
    assert_int_equal(series_names_find(names, 5, 107, 1), 0);
    series_names_free(names);
}

static void what_was_set_goes_back_to_the_default(void **state)
{
    (void)state;
    a_series_is_made_and_described(NULL);
    struct series_edit *edit = begin();
    assert_int_equal(series_edit_unit(edit, "freezer", SERIES_UNIT_DEFAULT, NULL), HEARTH_OK);
    assert_int_equal(series_edit_limit(edit, "freezer", 0, NULL), HEARTH_OK);
    end(edit);
    struct series_names *names = load();
    assert_int_equal(series_names_get(names, 0)->unit, SERIES_UNIT_DEFAULT);
    assert_int_equal(series_names_get(names, 0)->stale_after_ms, SERIES_STALE_AFTER_MS);
    series_names_free(names);
}

static void a_change_of_battery_ends_what_was_open(void **state)
{
    (void)state;
    make_freezer();
    struct series_edit *edit = begin();
    const struct series_window next = window(5, 31, FEBRUARY, INT64_MAX);
    assert_int_equal(series_edit_alias(edit, "freezer", &next, NULL), HEARTH_OK);
    end(edit);
    struct series_names *names = load();
    const struct named_series *series = series_names_get(names, 0);
    assert_int_equal(series->window_count, 2);
    assert_int_equal(series->windows[0].rolling_code, 107);
    assert_int_equal(series->windows[0].to_ms, FEBRUARY);
    assert_int_equal(series->windows[1].from_ms, FEBRUARY);
    assert_int_equal(series->windows[1].to_ms, INT64_MAX);
    series_names_free(names);
}

static void times_keep_their_milliseconds(void **state)
{
    (void)state;
    make_freezer();
    struct series_edit *edit = begin();
    const struct series_window next = window(5, 31, FEBRUARY + 7, INT64_MAX);
    assert_int_equal(series_edit_alias(edit, "freezer", &next, NULL), HEARTH_OK);
    end(edit);
    struct series_names *names = load();
    assert_int_equal(series_names_get(names, 0)->windows[1].from_ms, FEBRUARY + 7);
    series_names_free(names);
}

static void windows_that_overlap_are_refused_and_both_named(void **state)
{
    (void)state;
    make_freezer();
    struct series_edit *edit = begin();
    const struct series_window closed = window(5, 31, FEBRUARY, MARCH);
    assert_int_equal(series_edit_alias(edit, "freezer", &closed, NULL), HEARTH_OK);
    end_refused(edit, "freezer (5-107 from the beginning to now on) and "
                      "freezer (5-31 from 2025-02-01T00:00:00Z to 2025-03-01T00:00:00Z) overlap");
    edit = begin();
    const struct series_window same = window(5, 107, FEBRUARY, INT64_MAX);
    assert_int_equal(series_edit_add(edit, "attic", NULL), HEARTH_OK);
    assert_int_equal(series_edit_alias(edit, "attic", &same, NULL), HEARTH_OK);
    end_refused(edit, "freezer (5-107 from the beginning to now on) and "
                      "attic (5-107 from 2025-02-01T00:00:00Z to now on) overlap");
    struct series_names *names = load();
    assert_int_equal(series_names_count(names), 1);
    assert_int_equal(series_names_get(names, 0)->window_count, 1);
    series_names_free(names);
}

static void a_window_is_taken_out_again(void **state)
{
    (void)state;
    make_freezer();
    struct series_edit *edit = begin();
    const struct series_window second = window(5, 31, FEBRUARY, INT64_MAX);
    const struct series_window third = window(5, 107, MARCH, INT64_MAX);
    struct error_record error = {0};
    assert_int_equal(series_edit_alias(edit, "freezer", &second, NULL), HEARTH_OK);
    assert_int_equal(series_edit_alias(edit, "freezer", &third, NULL), HEARTH_OK);
    assert_int_equal(series_edit_unalias(edit, "freezer", 5, 107, -1, &error), HEARTH_CONFLICT);
    assert_non_null(strstr(error.detail, "2 windows of 5-107"));
    assert_int_equal(series_edit_unalias(edit, "freezer", 5, 107, MARCH, NULL), HEARTH_OK);
    assert_int_equal(series_edit_unalias(edit, "freezer", 5, 31, -1, NULL), HEARTH_OK);
    assert_int_equal(series_edit_unalias(edit, "freezer", 5, 31, -1, NULL), HEARTH_NOT_FOUND);
    assert_int_equal(series_edit_unalias(edit, "freezer", 5, 107, 0, NULL), HEARTH_OK);
    end(edit);
    struct series_names *names = load();
    assert_int_equal(series_names_get(names, 0)->window_count, 0);
    series_names_free(names);
}

static void a_series_is_forgotten(void **state)
{
    (void)state;
    make_freezer();
    struct series_edit *edit = begin();
    assert_int_equal(series_edit_forget(edit, "freezer", NULL), HEARTH_OK);
    end(edit);
    struct series_names *names = load();
    assert_int_equal(series_names_count(names), 0);
    series_names_free(names);
}

static void what_is_not_there_is_not_changed(void **state)
{
    (void)state;
    struct series_edit *edit = begin();
    struct error_record error = {0};
    const struct series_window some = window(5, 31, FEBRUARY, INT64_MAX);
    assert_int_equal(series_edit_name(edit, "attic", "x", &error), HEARTH_NOT_FOUND);
    assert_string_equal(error.detail, "there is no series attic");
    assert_int_equal(series_edit_place(edit, "attic", "x", NULL), HEARTH_NOT_FOUND);
    assert_int_equal(series_edit_unit(edit, "attic", SERIES_UNIT_F, NULL), HEARTH_NOT_FOUND);
    assert_int_equal(series_edit_limit(edit, "attic", 1, NULL), HEARTH_NOT_FOUND);
    assert_int_equal(series_edit_alias(edit, "attic", &some, NULL), HEARTH_NOT_FOUND);
    assert_int_equal(series_edit_unalias(edit, "attic", 1, 1, -1, NULL), HEARTH_NOT_FOUND);
    assert_int_equal(series_edit_forget(edit, "attic", NULL), HEARTH_NOT_FOUND);
    series_edit_close(edit);
}

static void what_no_file_may_say_is_refused_at_once(void **state)
{
    (void)state;
    make_freezer();
    struct series_edit *edit = begin();
    char longest[256] = {0};
    const struct series_window backwards = window(5, 31, MARCH, FEBRUARY);
    memset(longest, 'x', 201);
    assert_int_equal(series_edit_add(edit, "freezer", NULL), HEARTH_CONFLICT);
    assert_int_equal(series_edit_add(edit, "5-107", NULL), HEARTH_BAD_REQUEST);
    assert_int_equal(series_edit_add(edit, "", NULL), HEARTH_BAD_REQUEST);
    assert_int_equal(series_edit_name(edit, "freezer", longest, NULL), HEARTH_BAD_REQUEST);
    assert_int_equal(series_edit_name(edit, "freezer", "a\tb", NULL), HEARTH_BAD_REQUEST);
    assert_int_equal(series_edit_place(edit, "freezer", "\xff", NULL), HEARTH_BAD_REQUEST);
    assert_int_equal(series_edit_limit(edit, "freezer", 31536001, NULL), HEARTH_BAD_REQUEST);
    assert_int_equal(series_edit_alias(edit, "freezer", &backwards, NULL), HEARTH_BAD_REQUEST);
    end(edit);
}

static void members_that_are_not_known_stay(void **state)
{
    (void)state;
    char path[256], text[1024];
    snprintf(path, sizeof path, "%s/series.json", directory);
    test_write_file(path, VIEW("{\"version\":1,\"note\":\"by hand / \\u00e4\",\"series\":["
                               "{\"id\":\"a\",\"colour\":\"red\"}]}"));
    struct series_edit *edit = begin();
    assert_int_equal(series_edit_name(edit, "a", "A", NULL), HEARTH_OK);
    end(edit);
    FILE *file = fopen(path, "r");
    size_t got = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[got] = '\0';
    assert_non_null(strstr(text, "by hand / \xc3\xa4"));
    assert_non_null(strstr(text, "\"red\""));
    assert_int_equal(text[got - 1], '\n');
}

static void a_file_without_series_takes_the_first(void **state)
{
    (void)state;
    char path[256];
    snprintf(path, sizeof path, "%s/series.json", directory);
    test_write_file(path, VIEW("{\"version\":1,\"series\":null}"));
    make_freezer();
    test_write_file(path, VIEW("{\"version\":1}"));
    make_freezer();
}

static void a_wrong_file_is_not_touched(void **state)
{
    (void)state;
    char path[256];
    struct error_record error = {0};
    snprintf(path, sizeof path, "%s/series.json", directory);
    test_write_file(path, VIEW("{\"version\":1,\"series\":[{}]}"));
    assert_null(series_edit_open(&file_system, directory, &clock_system, &error));
    assert_int_equal(error.code, HEARTH_CORRUPT);
    assert_non_null(strstr(error.detail, "series.json: series 1: id must be"));
}

/* Every look takes a second of this clock. */
static int64_t hurried_ns(const struct clock *clock)
{
    static int64_t now_ns;
    (void)clock;
    return now_ns += 1000000000;
}

static void one_edits_at_a_time(void **state)
{
    (void)state;
    const struct clock hurried = {clock_system.wall_ms, hurried_ns};
    struct error_record error = {0};
    struct series_edit *first = begin();
    assert_null(series_edit_open(&file_system, directory, &hurried, &error));
    assert_int_equal(error.code, HEARTH_LOCKED);
    series_edit_close(first);
    series_edit_close(begin());
    series_edit_close(NULL);
}

/* Whatever call fails: the file is the old or the new one, and the next edit succeeds. */
static void no_failure_leaves_half_a_file(void **state)
{
    (void)state;
    make_freezer();
    for (int64_t call = 1;; call++) {
        struct fault_files faults;
        struct error_record error = {0};
        fault_files_init(&faults);
        faults.fail_at = call;
        faults.kind = call % 2 ? FAULT_ERRNO : FAULT_SHORT_WRITE;
        faults.number = ENOSPC;
        struct series_edit *edit =
            series_edit_open(&faults.files, directory, &clock_system, &error);
        enum hearth_error code =
            edit ? series_edit_name(edit, "freezer", "Other", &error) : error.code;
        if (code == HEARTH_OK)
            code = series_edit_save(edit, &error);
        series_edit_close(edit);
        struct series_names *names = load();
        const char *name = series_names_get(names, 0)->name;
        assert_true(strcmp(name, "Other") == 0 || (code && strcmp(name, "Freezer") == 0));
        series_names_free(names);
        if (code == HEARTH_OK && faults.failed == 0)
            return;
        edit = begin();
        assert_int_equal(series_edit_name(edit, "freezer", "Freezer", NULL), HEARTH_OK);
        end(edit);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_directory, remove_directory)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_series_is_made_and_described),
        TEST(what_was_set_goes_back_to_the_default),
        TEST(a_change_of_battery_ends_what_was_open),
        TEST(times_keep_their_milliseconds),
        TEST(windows_that_overlap_are_refused_and_both_named),
        TEST(a_window_is_taken_out_again),
        TEST(a_series_is_forgotten),
        TEST(what_is_not_there_is_not_changed),
        TEST(what_no_file_may_say_is_refused_at_once),
        TEST(members_that_are_not_known_stay),
        TEST(a_file_without_series_takes_the_first),
        TEST(a_wrong_file_is_not_touched),
        TEST(one_edits_at_a_time),
        TEST(no_failure_leaves_half_a_file),
    };
    return cmocka_run_group_tests_name("series_edit", tests, NULL, NULL);
}
