/*
 * test_sealer_unreadable.c - a finished live file that cannot be read does not hold up the others,
 * and a sealed one keeps no store shut; nothing of them is lost or stored twice when they can be
 * read again.
 */
#include "support_sealed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support_metrics.h"

enum { PER_FILE = 50, RETRY_MS = 60000 };

static int setup(void **state)
{
    int result = live_case_set_up(state);
    struct live_case *test = *state;
    test->options.files = &test->faults.files;
    return result;
}

static void append_file(struct reading_store *store, int file)
{
    for (int i = 0; i < PER_FILE; i++)
        assert_int_equal(live_append_number(store, file * PER_FILE + i).accepted, 1);
}

static void expect_stored(struct reading_store *store, int expected)
{
    size_t count;
    struct record *all = live_everything(store, &count);
    assert_int_equal(count, expected);
    for (int i = 0; i < (int)count; i++) {
        struct record record = live_reading(i);
        assert_true(live_has(all, count, &record));
    }
    free(all);
}

static bool is_sealed(const struct live_case *test, uint64_t sequence)
{
    struct sealed_list list;
    bool found = false;
    sealed_list_read(test, &list);
    for (size_t i = 0; i < list.count; i++)
        found |= list.rows[i].file.sequence == sequence;
    sealed_list_clean(&list);
    return found;
}

/* Three files, of which the first cannot be read; the second is sealed. */
static struct reading_store *store_with_one_passed_over(struct live_case *test)
{
    struct reading_store *store = live_case_open(test);
    append_file(store, 0);
    expect_stored(store, PER_FILE);
    test->faults.unreadable = "live/00000001.bin";
    sealed_seal(store, HEARTH_IO);
    append_file(store, 1);
    sealed_seal(store, HEARTH_IO);
    append_file(store, 2);
    return store;
}

static void later_files_are_sealed(void **state)
{
    struct live_case *test = *state;
    struct reading_store *store = store_with_one_passed_over(test);
    assert_true(live_file_exists(test, "00000001.bin"));
    assert_false(live_file_exists(test, "00000002.bin"));
    assert_false(is_sealed(test, 1));
    assert_true(is_sealed(test, 2));
    expect_stored(store, 3 * PER_FILE); /* this process has read it before */
    store->free(store);
}

static void it_is_sealed_when_it_can_be_read_again(void **state)
{
    struct live_case *test = *state;
    struct reading_store *store = store_with_one_passed_over(test);
    test->faults.unreadable = NULL;
    sealed_seal(store, HEARTH_OK);
    assert_true(is_sealed(test, 1));
    assert_true(is_sealed(test, 3));
    assert_int_equal(live_file_count(test), 1);
    expect_stored(store, 3 * PER_FILE);
    for (int i = 0; i < 3 * PER_FILE; i++)
        assert_int_equal(live_append_number(store, i).duplicate, 1);
    store->free(store);
    assert_int_equal(sealed_expect_sound(test), 3 * PER_FILE);
    store = live_case_open(test);
    expect_stored(store, 3 * PER_FILE);
    store->free(store);
}

/* A resend of what may stand there is refused, or known; never taken. */
static void what_stands_in_it_is_not_taken_again(void **state)
{
    struct live_case *test = *state;
    struct reading_store *store = store_with_one_passed_over(test);
    int refused = 0;
    for (int i = 0; i < PER_FILE; i++) {
        struct append_result result;
        struct record record = live_reading(i);
        enum hearth_error code =
            store->append(store, &record, 1, NULL, 0, INT64_MAX, &result, NULL);
        refused += code == HEARTH_IO;
        assert_true(code == HEARTH_IO || result.duplicate == 1);
    }
    assert_true(refused > 0);
    test->faults.unreadable = NULL;
    for (int i = 0; i < PER_FILE; i++)
        assert_int_equal(live_append_number(store, i).duplicate, 1);
    sealed_seal(store, HEARTH_OK);
    store->free(store);
    assert_int_equal(sealed_expect_sound(test), 3 * PER_FILE);
}

/* Without it nobody could tell what is a duplicate; with it, it counts, although a later one is
 * sealed. */
static void a_store_is_opened_once_it_can_be_read(void **state)
{
    struct live_case *test = *state;
    struct error_record error = {0};
    struct reading_store *store = store_with_one_passed_over(test);
    store->free(store);
    assert_null(embedded_store_local_with(&test->options, &error));
    assert_int_equal(error.code, HEARTH_IO);
    assert_non_null(strstr(error.detail, "00000001.bin"));
    test->faults.unreadable = NULL;
    store = live_case_open(test);
    assert_true(live_file_exists(test, "00000001.bin"));
    expect_stored(store, 3 * PER_FILE);
    for (int i = 0; i < 3 * PER_FILE; i++)
        assert_int_equal(live_append_number(store, i).duplicate, 1);
    append_file(store, 3);
    sealed_seal(store, HEARTH_OK);
    expect_stored(store, 4 * PER_FILE);
    store->free(store);
    assert_true(is_sealed(test, 1));
    assert_int_equal(sealed_expect_sound(test), 4 * PER_FILE);
}

/* Its number is below one that is sealed: it is not written to again. */
static void the_only_live_file_may_be_older_than_what_is_sealed(void **state)
{
    struct live_case *test = *state;
    struct reading_store *store = store_with_one_passed_over(test);
    sealed_seal(store, HEARTH_IO);
    store->free(store);
    char path[4096];
    snprintf(path, sizeof path, "%s/live/00000004.bin", test->options.directory);
    assert_int_equal(remove(path), 0); /* empty */
    test->faults.unreadable = NULL;
    store = live_case_open(test);
    assert_int_equal(live_append_number(store, 3 * PER_FILE).accepted, 1);
    assert_true(live_file_exists(test, "00000004.bin"));
    sealed_seal(store, HEARTH_OK);
    expect_stored(store, 3 * PER_FILE + 1);
    store->free(store);
    assert_int_equal(sealed_expect_sound(test), 3 * PER_FILE + 1);
}

/* ---- Sealed files ---- */

#define SEALED_ONE "09-15.00000001.bin"

/* One sealed file, which cannot be read, and live readings of its day. */
static void store_with_sealed_one_unreadable(struct live_case *test)
{
    struct reading_store *store = live_case_open(test);
    append_file(store, 0);
    sealed_seal(store, HEARTH_OK);
    append_file(store, 1);
    store->free(store);
    test->faults.unreadable = SEALED_ONE;
}

static void expect_refused(struct reading_store *store, int number)
{
    struct append_result result;
    struct record record = live_reading(number);
    assert_int_equal(store->append(store, &record, 1, NULL, 0, INT64_MAX, &result, NULL),
                     HEARTH_IO);
}

/* What may stand in it is refused; other days go on. */
static void an_unreadable_sealed_file_keeps_no_store_shut(void **state)
{
    struct live_case *test = *state;
    struct test_registry *registry = test_registry_new(200);
    test->options.metrics = registry->metrics;
    store_with_sealed_one_unreadable(test);
    struct reading_store *store = live_case_open(test);
    assert_non_null(
        strstr(test_registry_render(registry), "\nhearth_sensor_unasked_readings_total 50\n"));
    expect_refused(store, 0);
    assert_int_equal(live_append_number(store, PER_FILE).duplicate, 1); /* it is live */
    assert_int_equal(live_append_number(store, 86400).accepted, 1);
    test->faults.unreadable = NULL;
    for (int i = 0; i < 2 * PER_FILE; i++)
        assert_int_equal(live_append_number(store, i).duplicate, 1);
    store->free(store);
    assert_int_equal(sealed_expect_sound(test), 2 * PER_FILE + 1);
    test_registry_free(registry);
}

static void it_holds_up_no_sealing(void **state)
{
    struct live_case *test = *state;
    store_with_sealed_one_unreadable(test);
    struct reading_store *store = live_case_open(test);
    sealed_seal(store, HEARTH_OK);
    assert_true(is_sealed(test, 2));
    expect_refused(store, 0);
    test->faults.unreadable = NULL;
    expect_stored(store, 2 * PER_FILE);
    for (int i = 0; i < 2 * PER_FILE; i++)
        assert_int_equal(live_append_number(store, i).duplicate, 1);
    store->free(store);
    assert_int_equal(sealed_expect_sound(test), 2 * PER_FILE);
    store = live_case_open(test);
    expect_stored(store, 2 * PER_FILE);
    store->free(store);
}

/* Another file of the day that says yes is enough. */
static void it_does_not_hide_what_others_say(void **state)
{
    struct live_case *test = *state;
    store_with_sealed_one_unreadable(test);
    struct reading_store *store = live_case_open(test);
    sealed_seal(store, HEARTH_OK);
    for (int i = PER_FILE; i < 2 * PER_FILE; i++)
        assert_int_equal(live_append_number(store, i).duplicate, 1);
    store->free(store);
}

/* Taken while it was missing, sealed while it could not be read: it stands in both. Readers count
 * it once; only verifying says so. */
static void what_was_taken_while_it_was_missing_counts_once(void **state)
{
    struct live_case *test = *state;
    char path[4096], aside[4096];
    store_with_sealed_one_unreadable(test);
    snprintf(path, sizeof path, "%s/sealed/2025/" SEALED_ONE, test->options.directory);
    snprintf(aside, sizeof aside, "%s/aside", test->options.directory);
    assert_int_equal(rename(path, aside), 0);
    struct reading_store *store = live_case_open(test);
    assert_int_equal(live_append_number(store, 0).accepted, 1);
    assert_int_equal(rename(aside, path), 0);
    sealed_seal(store, HEARTH_OK);
    test->faults.unreadable = NULL;
    store->free(store);
    store = live_case_open(test);
    expect_stored(store, 2 * PER_FILE);
    assert_int_equal(live_append_number(store, 0).duplicate, 1);
    store->free(store);
}

/* ---- By itself ---- */

static void expect_unreadable(struct test_registry *registry, int files)
{
    char line[80];
    snprintf(line, sizeof line, "\nhearth_sensor_unreadable_live_files %d\n", files);
    if (!strstr(test_registry_render(registry), line))
        fail_msg("not %d unreadable files:\n%s", files, test_registry_render(registry));
}

static void it_is_tried_again_after_a_minute(void **state)
{
    struct live_case *test = *state;
    struct test_registry *registry = test_registry_new(200);
    test->options.seals_by_hand = false;
    test->options.live_bytes = (uint64_t)PER_FILE * RECORD_BYTES;
    test->options.metrics = registry->metrics;
    test->faults.unreadable = "live/00000001.bin";
    struct reading_store *store = live_case_open(test);
    for (int file = 0; file < 5; file++)
        append_file(store, file);
    expect_unreadable(registry, 1);
    assert_true(is_sealed(test, 3));
    assert_int_equal(live_file_count(test), 2);
    test->faults.unreadable = NULL;
    clock_manual_advance_ms(&test->clock, RETRY_MS - 1);
    live_append_number(store, 5 * PER_FILE);
    assert_false(is_sealed(test, 1));
    clock_manual_advance_ms(&test->clock, 1);
    live_append_number(store, 5 * PER_FILE + 1);
    assert_true(is_sealed(test, 1));
    expect_unreadable(registry, 0);
    expect_stored(store, 5 * PER_FILE + 2);
    store->free(store);
    test_registry_free(registry);
}

#define STORY(name) cmocka_unit_test_setup_teardown(name, setup, live_case_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY(later_files_are_sealed),
        STORY(it_is_sealed_when_it_can_be_read_again),
        STORY(what_stands_in_it_is_not_taken_again),
        STORY(a_store_is_opened_once_it_can_be_read),
        STORY(the_only_live_file_may_be_older_than_what_is_sealed),
        STORY(an_unreadable_sealed_file_keeps_no_store_shut),
        STORY(it_holds_up_no_sealing),
        STORY(it_does_not_hide_what_others_say),
        STORY(what_was_taken_while_it_was_missing_counts_once),
        STORY(it_is_tried_again_after_a_minute),
    };
    return cmocka_run_group_tests_name("sealer, unreadable files", tests, NULL, NULL);
}
