/*
 * test_manifest_damage.c - everything that can be wrong with a manifest is found, and named; what a
 * crash leaves at its end is not taken for it.
 */
#include "support_manifest.h"

#include <stdlib.h>
#include <string.h>

/* ---- Damage ---- */

static void a_line_that_is_no_row_is_named(void **state)
{
    struct made_store *test = *state;
    struct manifest_text text;
    manifest_take_text(test, FILE_2025, &text);
    text.lines[1][4] = 'X';
    manifest_put_text(test, FILE_2025, &text);
    manifest_expect_corrupt(test, "manifest/2025.ndjson line 2", "not a row");
}

/* By somebody who makes its checksum right. */
static void a_changed_row_breaks_the_chain_behind_it(void **state)
{
    struct made_store *test = *state;
    struct manifest_text text;
    struct manifest_row row;
    char changed[MANIFEST_ROW_BYTES];
    manifest_take_text(test, FILE_2026, &text);
    assert_true(manifest_row_parse(view_of(text.lines[0]), &row));
    row.sha256[0] ^= 1;
    changed[manifest_row_format(&row, changed) - 1] = '\0';
    text.lines[0] = changed;
    manifest_put_text(test, FILE_2026, &text);
    manifest_expect_corrupt(test, "manifest/2026.ndjson line 2", "chain is broken");
}

static void rows_that_changed_places_are_found(void **state)
{
    struct made_store *test = *state;
    struct manifest_text text;
    manifest_take_text(test, FILE_2026, &text);
    char *first = text.lines[0];
    text.lines[0] = text.lines[1];
    text.lines[1] = first;
    manifest_put_text(test, FILE_2026, &text);
    manifest_expect_corrupt(test, "manifest/2026.ndjson line 1", "chain is broken");
}

static void a_missing_row_is_found(void **state)
{
    struct made_store *test = *state;
    struct manifest_text text;
    manifest_take_text(test, FILE_2025, &text);
    for (size_t i = 1; i + 1 < text.count; i++)
        text.lines[i] = text.lines[i + 1];
    text.count--;
    manifest_put_text(test, FILE_2025, &text);
    manifest_expect_corrupt(test, "manifest/2025.ndjson line 2", "chain is broken");
}

static void a_missing_year_is_found(void **state)
{
    struct made_store *test = *state;
    made_store_remove(test, FILE_2026);
    manifest_expect_corrupt(test, "manifest/2027.ndjson line 1",
                            "file of a year before is missing");
    made_store_remove(test, FILE_2027);
    manifest_expect_rows(test, 6, 0); /* nothing says that there was more... */
    struct manifest_position position = {0}, until = test->position;
    struct seen_rows seen;
    struct error_record error = {0};
    assert_int_equal(manifest_read_rows(test, &position, &until, &seen, NULL, &error),
                     HEARTH_CORRUPT);
    assert_non_null(strstr(error.detail, "2027.ndjson is missing")); /* ...but the keeper does */
}

static void the_first_year_missing_is_found(void **state)
{
    struct made_store *test = *state;
    made_store_remove(test, FILE_2025);
    manifest_expect_corrupt(test, "manifest/2026.ndjson line 1",
                            "file of a year before is missing");
}

static void another_stores_manifest_is_found(void **state)
{
    struct made_store *test = *state;
    test->id[3] ^= 1;
    manifest_expect_corrupt(test, "manifest/2025.ndjson line 1", "chain is broken");
}

static void both_sides_of_a_fork_are_named(void **state)
{
    struct made_store *test = *state;
    struct manifest_text text;
    char fork[MANIFEST_ROW_BYTES];
    manifest_take_text(test, FILE_2026, &text);
    /* Somebody sealed another file 6 behind file 5. */
    struct manifest_row row;
    assert_true(manifest_row_parse(view_of(text.lines[1]), &row));
    row.slots++;
    fork[manifest_row_format(&row, fork) - 1] = '\0';
    text.lines[2] = fork;
    manifest_put_text(test, FILE_2026, &text);
    manifest_expect_corrupt(test, "manifest/2026.ndjson line 2 and manifest/2026.ndjson line 3",
                            "forks");
}

static void a_fork_across_years_is_named(void **state)
{
    struct made_store *test = *state;
    struct manifest_text text, later;
    manifest_take_text(test, FILE_2025, &text);
    manifest_take_text(test, FILE_2027, &later);
    later.lines[0] = text.lines[5];
    manifest_put_text(test, FILE_2027, &later);
    manifest_expect_corrupt(test, "manifest/2025.ndjson line 6 and manifest/2027.ndjson line 1",
                            "forks");
    free(text.bytes);
}

/* Bytes behind what counts, in the place of a hash that is not known to be wrong. */
static void append_bytes(const struct made_store *test, const char *name, const void *more,
                         size_t count)
{
    size_t size = 0;
    char *bytes = made_store_read(test, name, &size);
    bytes = realloc(bytes, size + count + 1);
    memcpy(bytes + size, more, count);
    made_store_write(test, name, bytes, size + count);
    free(bytes);
}

static void a_torn_end_is_left(void **state)
{
    struct made_store *test = *state;
    char zeros[700] = {0};
    size_t size;
    char *whole = made_store_read(test, FILE_2027, &size);
    append_bytes(test, FILE_2027, whole, size / 2); /* half a row */
    manifest_expect_rows(test, 10, size / 2);
    made_store_write(test, FILE_2027, whole, size);
    append_bytes(test, FILE_2027, zeros, sizeof zeros);
    manifest_expect_rows(test, 10, sizeof zeros);
    append_bytes(test, FILE_2027, "\n", 1);
    manifest_expect_rows(test, 10, sizeof zeros + 1);
    free(whole);
}

static void an_incomplete_set_at_the_end_is_left(void **state)
{
    struct made_store *test = *state;
    struct manifest_position before = test->position;
    made_store_rows(test, 9, DAY, 4, 2027);
    size_t size, left;
    char *whole = made_store_read(test, FILE_2027, &size);
    for (size_t cut = (size_t)before.bytes; cut < size; cut++) {
        made_store_write(test, FILE_2027, whole, cut);
        manifest_expect_rows(test, 10, cut - before.bytes);
    }
    /* Parts of it were not written: a hole in the second row, the last ones whole. */
    made_store_write(test, FILE_2027, whole, size);
    left = size - (size_t)before.bytes;
    memset(whole + before.bytes + left / 4 + 10, 0, 200);
    made_store_write(test, FILE_2027, whole, size);
    manifest_expect_rows(test, 10, left);
    free(whole);
}

static void an_incomplete_set_of_a_new_year_is_left(void **state)
{
    struct made_store *test = *state;
    struct manifest_position position = {0};
    struct seen_rows seen;
    uint64_t left;
    made_store_rows(test, 9, DAY, 2, 2028);
    struct manifest_text text;
    manifest_take_text(test, "manifest/2028.ndjson", &text);
    text.count = 1;
    size_t length = strlen(text.lines[0]) + 1;
    manifest_put_text(test, "manifest/2028.ndjson", &text);
    assert_int_equal(manifest_read_rows(test, &position, NULL, &seen, &left, NULL), HEARTH_OK);
    assert_int_equal(seen.count, 10);
    assert_int_equal(left, length);
    assert_int_equal(position.year, 2028);
    assert_int_equal(position.bytes, 0);
}

static void damage_is_not_taken_for_a_torn_end(void **state)
{
    struct made_store *test = *state;
    struct manifest_text text;
    made_store_remove(test, FILE_2027);
    manifest_take_text(test, FILE_2026, &text);
    text.lines[1][0] = 'X'; /* of file 6; behind it stands the whole set of file 7 */
    manifest_put_text(test, FILE_2026, &text);
    manifest_expect_corrupt(test, "manifest/2026.ndjson line 2", "not a row");
    manifest_take_text(test, FILE_2025, &text);
    text.lines[5][0] = 'X'; /* the last of its year, and there is a next year */
    manifest_put_text(test, FILE_2025, &text);
    manifest_expect_corrupt(test, "manifest/2025.ndjson line 6", "not a row");
}

/* Two rows, well chained, that are no set. */
static void expect_no_set(uint64_t sequence, uint32_t part, uint32_t parts, uint64_t slots,
                          const char *words)
{
    struct made_store test;
    struct manifest_row row = {
        .file = {DAY, 10, 6}, .part = 1, .parts = 2, .slots = 20, .sha256 = {1}};
    made_store_init(&test);
    made_store_rows(&test, 5, DAY, 1, 2025);
    made_store_row(&test, &row, 2025);
    row.file.sequence = sequence;
    row.part = part;
    row.parts = parts;
    row.slots = slots;
    made_store_row(&test, &row, 2025);
    manifest_expect_corrupt(&test, "manifest/2025.ndjson line", words);
    made_store_clean(&test);
}

static void a_set_that_does_not_fit_is_found(void **state)
{
    (void)state;
    expect_no_set(7, 2, 2, 20, "the set of parts before it is not complete");
    expect_no_set(6, 1, 2, 20, "does not fit together");
    expect_no_set(6, 3, 3, 20, "does not fit together");
    expect_no_set(6, 2, 3, 20, "does not fit together");
    expect_no_set(6, 2, 2, 21, "does not fit together");
}

static void a_set_must_have_its_beginning_and_no_more_records_than_slots(void **state)
{
    struct made_store test;
    struct manifest_row row = {
        .file = {DAY, 10, 6}, .part = 2, .parts = 2, .slots = 20, .sha256 = {1}};
    (void)state;
    made_store_init(&test);
    made_store_row(&test, &row, 2025);
    manifest_expect_corrupt(&test, "manifest/2025.ndjson line 1", "begins in its middle");
    made_store_clean(&test);
    made_store_init(&test);
    row.part = 1;
    row.slots = 19;
    made_store_row(&test, &row, 2025);
    row.part = 2;
    made_store_row(&test, &row, 2025);
    manifest_expect_corrupt(&test, "manifest/2025.ndjson line 1", "more records than");
    made_store_clean(&test);
}

static void a_live_file_is_sealed_once(void **state)
{
    struct made_store test;
    (void)state;
    made_store_init(&test);
    made_store_rows(&test, 5, DAY, 1, 2025);
    made_store_rows(&test, 4, DAY + 9, 1, 2025); /* which could not be read in its turn */
    manifest_expect_rows(&test, 2, 0);
    made_store_rows(&test, 5, DAY + 9, 1, 2025);
    manifest_expect_corrupt(&test, "manifest/2025.ndjson line 3", "was sealed before");
    made_store_clean(&test);
}

static void a_year_must_not_end_within_a_set(void **state)
{
    struct made_store *test = *state;
    struct manifest_text text;
    manifest_take_text(test, FILE_2025, &text);
    text.count = 4;
    manifest_put_text(test, FILE_2025, &text);
    manifest_expect_corrupt(test, "manifest/2025.ndjson line 3", "ends within a set");
}

static enum hearth_error read_until(const struct made_store *test,
                                    const struct manifest_position *until, uint64_t *left)
{
    struct manifest_position position = {0};
    struct seen_rows seen;
    return manifest_read_rows(test, &position, until, &seen, left, NULL);
}

/* Every bit of the whole manifest in turn. A reader, who knows where it ends, is told; who opens it
 * takes a damaged last row for what a crash left, and looks for its live file. */
static void no_flipped_bit_goes_unseen(void **state)
{
    static const char *const names[] = {FILE_2025, FILE_2026, FILE_2027};
    struct made_store *test = *state;
    size_t step = getenv("HEARTH_TESTS") ? 1 : 37; /* all of them in the full run */
    for (size_t i = 0; i < 3; i++) {
        size_t size;
        char *bytes = made_store_read(test, names[i], &size);
        for (size_t bit = 0; bit < size * 8; bit += step) {
            uint64_t left = 0;
            bytes[bit / 8] = (char)(bytes[bit / 8] ^ 1 << bit % 8);
            made_store_write(test, names[i], bytes, size);
            assert_int_equal(read_until(test, &test->position, NULL), HEARTH_CORRUPT);
            enum hearth_error code = read_until(test, NULL, &left);
            assert_true(code == HEARTH_CORRUPT || (i == 2 && left == size));
            bytes[bit / 8] = (char)(bytes[bit / 8] ^ 1 << bit % 8);
        }
        made_store_write(test, names[i], bytes, size);
        free(bytes);
    }
}

#define STORY(name) cmocka_unit_test_setup_teardown(name, manifest_setup, manifest_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY(a_line_that_is_no_row_is_named),
        STORY(a_changed_row_breaks_the_chain_behind_it),
        STORY(rows_that_changed_places_are_found),
        STORY(a_missing_row_is_found),
        STORY(a_missing_year_is_found),
        STORY(the_first_year_missing_is_found),
        STORY(another_stores_manifest_is_found),
        STORY(both_sides_of_a_fork_are_named),
        STORY(a_fork_across_years_is_named),
        STORY(a_torn_end_is_left),
        STORY(an_incomplete_set_at_the_end_is_left),
        STORY(an_incomplete_set_of_a_new_year_is_left),
        STORY(damage_is_not_taken_for_a_torn_end),
        cmocka_unit_test(a_set_that_does_not_fit_is_found),
        cmocka_unit_test(a_set_must_have_its_beginning_and_no_more_records_than_slots),
        cmocka_unit_test(a_live_file_is_sealed_once),
        STORY(a_year_must_not_end_within_a_set),
        STORY(no_flipped_bit_goes_unseen),
    };
    return cmocka_run_group_tests_name("damaged manifests", tests, NULL, NULL);
}
