/*
 * test_series_book.c - the names of a process follow the file, and survive a wrong one.
 */
#include "support.h"

#include "handlers/sensor/series/series_names.h"
#include "hearth/telemetry.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct book_case {
    char *directory;
    char path[256], log[256];
    struct clock_manual clock;
    struct series_book *book;
};

static void open_case(struct book_case *test)
{
    test->directory = test_directory_make();
    snprintf(test->path, sizeof test->path, "%s/series.json", test->directory);
    snprintf(test->log, sizeof test->log, "%s/log", test->directory);
    const struct log_options options = {.level = LOG_LEVEL_INFO, .file = test->log};
    assert_int_equal(log_configure(&options), HEARTH_OK);
    clock_manual_init(&test->clock, 1757894691000);
    test->book = series_book_new(test->directory, 5000, &test->clock.clock);
    assert_non_null(test->book);
}

static void close_case(struct book_case *test)
{
    const struct log_options options = {.level = LOG_LEVEL_WARN};
    series_book_free(test->book);
    assert_int_equal(log_configure(&options), HEARTH_OK);
    test_directory_remove(test->directory);
}

/* A new file renamed over the old one, naming the series `id`. */
static void put(const struct book_case *test, const char *id)
{
    char path[300], text[128];
    snprintf(path, sizeof path, "%s.new", test->path);
    snprintf(text, sizeof text, "{\"version\":1,\"series\":[{\"id\":\"%s\"}]}", id);
    test_write_file(path, view_of(text));
    assert_int_equal(rename(path, test->path), 0);
}

static void assert_first(struct book_case *test, const char *id)
{
    struct series_names *names = series_book_get(test->book);
    assert_non_null(names);
    assert_int_equal(series_names_count(names), id ? 1 : 0);
    if (id)
        assert_string_equal(series_names_get(names, 0)->id, id);
    series_names_free(names);
}

static size_t complaints(const struct book_case *test)
{
    char line[4096];
    size_t count = 0;
    FILE *file = fopen(test->log, "r");
    while (file && fgets(line, sizeof line, file))
        count += strstr(line, "series_names_wrong") != NULL;
    if (file)
        fclose(file);
    return count;
}

static void a_change_is_seen_within_two_seconds_and_not_looked_for_before(void **state)
{
    (void)state;
    struct book_case test;
    open_case(&test);
    assert_first(&test, NULL);
    put(&test, "first");
    clock_manual_advance_ms(&test.clock, 1999);
    assert_first(&test, NULL);
    clock_manual_advance_ms(&test.clock, 1);
    assert_first(&test, "first");
    put(&test, "second");
    clock_manual_advance_ms(&test.clock, 2000);
    assert_first(&test, "second");
    assert_int_equal(unlink(test.path), 0);
    clock_manual_advance_ms(&test.clock, 2000);
    assert_first(&test, NULL);
    close_case(&test);
}

/* Two writes in place within one tick of the file system's clock leave the same times. */
static void an_edit_in_place_within_a_tick_is_seen(void **state)
{
    (void)state;
    struct book_case test;
    open_case(&test);
    for (int i = 0; i < 20; i++) {
        char text[64], id[16];
        snprintf(id, sizeof id, "s%02d", i);
        snprintf(text, sizeof text, "{\"version\":1,\"series\":[{\"id\":\"%s\"}]}", id);
        test_write_file(test.path, view_of(text));
        clock_manual_advance_ms(&test.clock, 2000);
        assert_first(&test, id);
    }
    close_case(&test);
}

static void the_same_names_are_kept_while_the_file_stays(void **state)
{
    (void)state;
    struct book_case test;
    open_case(&test);
    put(&test, "first");
    usleep(150000); /* the stamp settles after 100 ms */
    struct series_names *a = series_book_get(test.book);
    clock_manual_advance_ms(&test.clock, 2000);
    struct series_names *b = series_book_get(test.book);
    assert_ptr_equal(a, b);
    series_names_free(a);
    series_names_free(b);
    close_case(&test);
}

static void a_wrong_file_leaves_the_last_good_names_and_one_line_in_the_log(void **state)
{
    (void)state;
    struct book_case test;
    open_case(&test);
    put(&test, "good");
    assert_first(&test, "good");
    put(&test, "NOT AN ID");
    for (int i = 0; i < 3; i++) {
        clock_manual_advance_ms(&test.clock, 2000);
        assert_first(&test, "good");
    }
    assert_int_equal(complaints(&test), 1);
    put(&test, "ALSO NONE");
    clock_manual_advance_ms(&test.clock, 2000);
    assert_first(&test, "good");
    assert_int_equal(complaints(&test), 2);
    put(&test, "again");
    clock_manual_advance_ms(&test.clock, 2000);
    assert_first(&test, "again");
    assert_int_equal(complaints(&test), 2);
    close_case(&test);
}

static void a_file_that_is_wrong_from_the_start_gives_no_names(void **state)
{
    (void)state;
    struct book_case test;
    open_case(&test);
    put(&test, "NOT AN ID");
    assert_first(&test, NULL);
    assert_int_equal(complaints(&test), 1);
    assert_int_equal(unlink(test.path), 0);
    assert_int_equal(mkdir(test.path, 0700), 0);
    clock_manual_advance_ms(&test.clock, 2000);
    assert_first(&test, NULL);
    assert_int_equal(complaints(&test), 2);
    close_case(&test);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_change_is_seen_within_two_seconds_and_not_looked_for_before),
        cmocka_unit_test(an_edit_in_place_within_a_tick_is_seen),
        cmocka_unit_test(the_same_names_are_kept_while_the_file_stays),
        cmocka_unit_test(a_wrong_file_leaves_the_last_good_names_and_one_line_in_the_log),
        cmocka_unit_test(a_file_that_is_wrong_from_the_start_gives_no_names),
    };
    return cmocka_run_group_tests_name("series_book", tests, NULL, NULL);
}
