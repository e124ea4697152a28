/*
 * test_manifest.c - reading the manifest, and reading on; files and memory that fail.
 */
#include "support_manifest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/core/memory.h"
#include "support_faults.h"

/* ---- Reading on ---- */

static void all_rows_come_in_order(void **state)
{
    static const uint64_t sequences[] = {1, 2, 3, 3, 3, 4, 5, 6, 7, 8};
    struct made_store *test = *state;
    struct manifest_position position = {0};
    struct seen_rows seen;
    uint64_t left;
    assert_int_equal(manifest_read_rows(test, &position, NULL, &seen, &left, NULL), HEARTH_OK);
    assert_int_equal(seen.count, 10);
    for (size_t i = 0; i < seen.count; i++)
        assert_int_equal(seen.files[i].sequence, sequences[i]);
    assert_int_equal(seen.files[3].day, DAY + 4);
    assert_int_equal(left, 0);
    assert_memory_equal(&position, &test->position, sizeof position);
}

static void a_store_without_a_manifest_has_no_rows(void **state)
{
    struct made_store test;
    (void)state;
    made_store_init(&test);
    manifest_expect_rows(&test, 0, 0);
    snprintf(test.store + strlen(test.store), 16, "/nowhere");
    manifest_expect_rows(&test, 0, 0);
    made_store_clean(&test);
}

static void reading_goes_on_where_it_was(void **state)
{
    struct made_store test;
    struct manifest_position position = {0};
    struct seen_rows seen;
    (void)state;
    made_store_init(&test);
    for (uint64_t sequence = 1; sequence <= 30; sequence++) {
        size_t rows = sequence % 3 + 1;
        int32_t year = 2024 + (int32_t)(sequence / 10);
        made_store_rows(&test, sequence, DAY, (uint32_t)rows, year);
        const struct manifest_position until = test.position;
        assert_int_equal(manifest_read_rows(&test, &position, &until, &seen, NULL, NULL),
                         HEARTH_OK);
        assert_int_equal(seen.count, rows);
        assert_int_equal(seen.files[0].sequence, sequence);
        assert_memory_equal(&position, &until, sizeof position);
        assert_int_equal(manifest_read_rows(&test, &position, &until, &seen, NULL, NULL),
                         HEARTH_OK);
        assert_int_equal(seen.count, 0);
    }
    made_store_clean(&test);
}

static void what_is_behind_the_published_end_is_not_looked_at(void **state)
{
    struct made_store *test = *state;
    struct manifest_position position = {0}, until = test->position;
    struct seen_rows seen;
    size_t size;
    char *bytes = made_store_read(test, FILE_2027, &size);
    bytes = realloc(bytes, size + 100);
    memset(bytes + size, 'x', 100);
    made_store_write(test, FILE_2027, bytes, size + 100);
    made_store_write(test, "manifest/2028.ndjson", "rubbish\n", 8);
    assert_int_equal(manifest_read_rows(test, &position, &until, &seen, NULL, NULL), HEARTH_OK);
    assert_int_equal(seen.count, 10);
    free(bytes);
}

static void a_published_end_within_a_set_is_damage(void **state)
{
    struct made_store *test = *state;
    struct manifest_position position = {0}, until = {.year = 2025};
    struct seen_rows seen;
    struct error_record error = {0};
    struct manifest_text text;
    manifest_take_text(test, FILE_2025, &text);
    for (size_t i = 0; i < 3; i++)
        until.bytes += strlen(text.lines[i]) + 1;
    free(text.bytes);
    assert_int_equal(manifest_read_rows(test, &position, &until, &seen, NULL, &error),
                     HEARTH_CORRUPT);
    until.bytes -= 7;
    assert_int_equal(manifest_read_rows(test, &position, &until, &seen, NULL, &error),
                     HEARTH_CORRUPT);
}

static void the_visitors_error_ends_the_reading(void **state)
{
    struct made_store *test = *state;
    struct manifest_position position = {0}, untouched = {0};
    struct seen_rows seen = {.fail_with = HEARTH_CLIENT_GONE};
    assert_int_equal(manifest_read(&file_system, test->store, test->id, &position, NULL,
                                   manifest_see_row, &seen, NULL, NULL),
                     HEARTH_CLIENT_GONE);
    assert_int_equal(seen.count, 1);
    assert_memory_equal(&position, &untouched, sizeof position);
}

/* ---- Files and memory that fail ---- */

static void whatever_fails_is_an_error_and_nothing_moves(void **state)
{
    struct made_store *test = *state;
    struct fault_files faults;
    struct seen_rows seen;
    int64_t calls = 1;
    for (int64_t fail_at = 0; fail_at <= calls; fail_at++) { /* first none */
        struct manifest_position position = {0}, untouched = {0};
        fault_files_init(&faults);
        faults.fail_at = fail_at;
        faults.kind = FAULT_ERRNO;
        faults.number = 5;
        seen = (struct seen_rows){.count = 0};
        enum hearth_error code = manifest_read(&faults.files, test->store, test->id, &position,
                                               NULL, manifest_see_row, &seen, NULL, NULL);
        calls = faults.calls > calls ? faults.calls : calls;
        if (code == HEARTH_OK) /* a close that failed */
            assert_int_equal(seen.count, 10);
        else
            assert_memory_equal(&position, &untouched, sizeof position);
    }
    assert_true(calls > 8);
}

static void memory_that_runs_out_is_an_error(void **state)
{
    struct made_store *test = *state;
    enum hearth_error code = HEARTH_NO_MEMORY;
    for (int64_t count = 0; code == HEARTH_NO_MEMORY && count < 20; count++) {
        struct manifest_position position = {0};
        struct seen_rows seen;
        memory_fail_after(count);
        code = manifest_read_rows(test, &position, NULL, &seen, NULL, NULL);
        memory_fail_after(-1);
        assert_true(code == HEARTH_OK || code == HEARTH_NO_MEMORY);
    }
    assert_int_equal(code, HEARTH_OK);
}

#define STORY(name) cmocka_unit_test_setup_teardown(name, manifest_setup, manifest_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY(all_rows_come_in_order),
        cmocka_unit_test(a_store_without_a_manifest_has_no_rows),
        cmocka_unit_test(reading_goes_on_where_it_was),
        STORY(what_is_behind_the_published_end_is_not_looked_at),
        STORY(a_published_end_within_a_set_is_damage),
        STORY(the_visitors_error_ends_the_reading),
        STORY(whatever_fails_is_an_error_and_nothing_moves),
        STORY(memory_that_runs_out_is_an_error),
    };
    return cmocka_run_group_tests_name("manifest", tests, NULL, NULL);
}
