/*
 * test_series_book_threads.c - many threads ask for the names while the file is replaced under
 * them.
 */
#include "support.h"

#include "handlers/sensor/series/series_names.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

enum { THREADS = 4, ROUNDS = 200 };

struct shared_case {
    struct series_book *book;
    struct clock_manual clock;
    _Atomic bool over;
    _Atomic int wrong, asked;
};

/* Each content is whole: the name of its only series says which one it is. */
static bool is_whole(const struct series_names *names)
{
    size_t windows;
    if (series_names_count(names) == 0)
        return true;
    const struct named_series *series = series_names_get(names, 0);
    series_names_windows(names, 5, 107, &windows);
    return windows == 1 && strncmp(series->name, series->id, strlen(series->id)) == 0 &&
           series_names_find(names, 5, 107, 1) == 0;
}

static void *ask(void *context)
{
    struct shared_case *test = context;
    while (!atomic_load(&test->over)) {
        struct series_names *names = series_book_get(test->book);
        if (!names || !is_whole(names))
            atomic_fetch_add(&test->wrong, 1);
        series_names_free(names);
        atomic_fetch_add(&test->asked, 1);
    }
    return NULL;
}

static void replace(const char *directory, int round)
{
    char path[256], temporary[256], text[256];
    snprintf(path, sizeof path, "%s/series.json", directory);
    snprintf(temporary, sizeof temporary, "%s/series.json.new", directory);
    snprintf(text, sizeof text,
             "{\"version\":1,\"series\":[{\"id\":\"s%d\",\"name\":\"s%d is it\","
             "\"transmitters\":[{\"channel\":5,\"rolling_code\":107}]}]}",
             round, round);
    test_write_file(temporary, view_of(text));
    assert_int_equal(rename(temporary, path), 0);
}

static void nobody_sees_half_of_a_change_or_names_that_are_gone(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    struct shared_case test = {0};
    char *directory = test_directory_make();
    clock_manual_init(&test.clock, 1757894691000);
    test.book = series_book_new(directory, 1000, &test.clock.clock);
    assert_non_null(test.book);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ask, &test), 0);
    for (int round = 0; round < ROUNDS || atomic_load(&test.asked) < 10 * ROUNDS; round++) {
        replace(directory, round);
        clock_manual_advance_ms(&test.clock, 2000);
    }
    atomic_store(&test.over, true);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(atomic_load(&test.wrong), 0);
    series_book_free(test.book);
    test_directory_remove(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_sees_half_of_a_change_or_names_that_are_gone),
    };
    return cmocka_run_group_tests_name("series_book: threads", tests, NULL, NULL);
}
