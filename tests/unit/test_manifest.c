/*
 * test_manifest.c - the manifest: rows there and back, reading on, and everything that can be wrong
 * with it.
 */
#include "support_made.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support_faults.h"

#include "app/core/memory.h"

enum { DAY = 20345, MANY_ROWS = 40000 };

/* ---- Reading ---- */

struct seen {
    struct sealed_file files[256];
    size_t count;
    enum hearth_error fail_with;
};

static enum hearth_error see(void *context, const struct manifest_row *row)
{
    struct seen *seen = context;
    if (seen->count < sizeof seen->files / sizeof seen->files[0])
        seen->files[seen->count] = row->file;
    seen->count++;
    return seen->fail_with;
}

static enum hearth_error read_all(const struct made_store *test, struct manifest_position *position,
                                  const struct manifest_position *until, struct seen *seen,
                                  uint64_t *left, struct error_record *error)
{
    *seen = (struct seen){.count = 0};
    return manifest_read(&file_system, test->store, test->id, position, until, see, seen, left,
                         error);
}

static void expect_rows(const struct made_store *test, size_t rows, uint64_t left_expected)
{
    struct manifest_position position = {0};
    struct seen seen;
    uint64_t left = 77;
    struct error_record error = {0};
    enum hearth_error code = read_all(test, &position, NULL, &seen, &left, &error);
    if (code != HEARTH_OK)
        fail_msg("%s", error.detail);
    assert_int_equal(seen.count, rows);
    assert_int_equal(left, left_expected);
}

/* It is damaged, and the detail says so in these words. */
static void expect_corrupt(const struct made_store *test, const char *words, const char *more)
{
    struct manifest_position position = {0}, untouched = {0};
    struct seen seen;
    uint64_t left;
    struct error_record error = {0};
    enum hearth_error code = read_all(test, &position, NULL, &seen, &left, &error);
    if (code != HEARTH_CORRUPT || !strstr(error.detail, words) || !strstr(error.detail, more))
        fail_msg("%s: %s", error_name(code), error.detail);
    assert_memory_equal(&position, &untouched, sizeof position);
}

/* ---- Changing what stands ---- */

enum { LINES = 64 };

struct text {
    char *bytes;
    size_t size, count;
    char *lines[LINES]; /* terminated, without '\n' */
};

static void take_text(const struct made_store *test, const char *name, struct text *text)
{
    text->bytes = made_store_read(test, name, &text->size);
    assert_non_null(text->bytes);
    text->count = 0;
    for (char *at = text->bytes; *at && text->count < LINES;) {
        char *end = strchr(at, '\n');
        assert_non_null(end);
        *end = '\0';
        text->lines[text->count++] = at;
        at = end + 1;
    }
}

static void put_text(const struct made_store *test, const char *name, struct text *text)
{
    char *bytes = calloc(text->size + text->count * 2 + 1, 1);
    size_t length = 0;
    for (size_t i = 0; i < text->count; i++) {
        size_t line = strlen(text->lines[i]);
        memcpy(bytes + length, text->lines[i], line);
        bytes[length + line] = '\n';
        length += line + 1;
    }
    made_store_write(test, name, bytes, length);
    free(bytes);
    free(text->bytes);
}

#define FILE_2025 "manifest/2025.ndjson"
#define FILE_2026 "manifest/2026.ndjson"
#define FILE_2027 "manifest/2027.ndjson"

static int setup(void **state)
{
    struct made_store *test = calloc(1, sizeof *test);
    made_store_init(test);
    /* Live file 3 has three parts, all others one; 5 to 7 in the next year, 8 in the one after. */
    for (uint64_t sequence = 1; sequence <= 4; sequence++)
        made_store_rows(test, sequence, DAY + (int)sequence, sequence == 3 ? 3 : 1, 2025);
    for (uint64_t sequence = 5; sequence <= 7; sequence++)
        made_store_rows(test, sequence, DAY + (int)sequence, 1, 2026);
    made_store_rows(test, 8, DAY + 8, 1, 2027);
    *state = test;
    return 0;
}

static int teardown(void **state)
{
    made_store_clean(*state);
    free(*state);
    return 0;
}

/* ---- Rows ---- */

static struct manifest_row a_row(void)
{
    struct manifest_row row = {
        .file = {.day = DAY, .records = 3912, .sequence = 7}, .part = 1, .parts = 2, .slots = 4000};
    for (size_t i = 0; i < MANIFEST_HASH_BYTES; i++) {
        row.sha256[i] = (unsigned char)(i * 9);
        row.previous[i] = (unsigned char)(255 - i);
    }
    return row;
}

static void a_row_is_one_line_and_comes_back(void **state)
{
    (void)state;
    struct manifest_row row = a_row(), back;
    char text[MANIFEST_ROW_BYTES];
    memset(&back, 0, sizeof back);
    size_t length = manifest_row_format(&row, text);
    static const char expected[] =
        "{\"sequence\":7,\"part\":1,\"parts\":2,\"slots\":4000,"
        "\"file\":\"sealed/2025/09-14.00000007.bin\",\"records\":3912,"
        "\"sha256\":\"0009121b242d363f48515a636c757e879099a2abb4bdc6cfd8e1eaf3fc050e17\","
        "\"previous\":\"fffefdfcfbfaf9f8f7f6f5f4f3f2f1f0efeeedecebeae9e8e7e6e5e4e3e2e1e0\"}\n";
    assert_string_equal(text, expected);
    assert_int_equal(length, sizeof expected - 1);
    assert_true(manifest_row_parse(view_from(text, length - 1), &back));
    assert_int_equal(back.file.day, row.file.day);
    assert_int_equal(back.file.records, row.file.records);
    assert_int_equal(back.file.sequence, row.file.sequence);
    assert_int_equal(back.part, row.part);
    assert_int_equal(back.parts, row.parts);
    assert_int_equal(back.slots, row.slots);
    assert_memory_equal(back.sha256, row.sha256, sizeof row.sha256);
    assert_memory_equal(back.previous, row.previous, sizeof row.previous);
}

static void the_largest_row_fits(void **state)
{
    (void)state;
    struct manifest_row row = a_row(), back;
    row.file = (struct sealed_file){DAY, UINT32_MAX, UINT64_MAX};
    row.part = row.parts = UINT32_MAX;
    row.slots = UINT64_MAX;
    char text[MANIFEST_ROW_BYTES];
    size_t length = manifest_row_format(&row, text);
    assert_true(length < MANIFEST_ROW_BYTES);
    assert_true(manifest_row_parse(view_from(text, length - 1), &back));
}

/* Every byte of a row set to every value: it is no row then, or the very row that says so. */
static void what_differs_in_a_byte_is_another_row_or_none(void **state)
{
    (void)state;
    struct manifest_row row = a_row(), back;
    char text[MANIFEST_ROW_BYTES], changed[MANIFEST_ROW_BYTES], again[MANIFEST_ROW_BYTES];
    size_t length = manifest_row_format(&row, text), rows = 0;
    memcpy(changed, text, length);
    for (size_t at = 0; at + 1 < length; at++) {
        for (int value = 0; value < 256; value++) {
            changed[at] = (char)value;
            if (!manifest_row_parse(view_from(changed, length - 1), &back))
                continue;
            rows++;
            assert_int_equal(manifest_row_format(&back, again), length);
            assert_memory_equal(again, changed, length - 1);
        }
        changed[at] = text[at];
    }
    assert_true(rows > 2048);
    for (size_t cut = 0; cut + 1 < length; cut++)
        assert_false(manifest_row_parse(view_from(text, cut), &back));
    assert_false(manifest_row_parse(view_from(text, length), &back)); /* with its '\n' */
}

static void numbers_that_contradict_each_other_make_no_row(void **state)
{
    static const char *const from_to[][2] = {
        {"\"sequence\":7", "\"sequence\":8"},
        {"\"sequence\":7", "\"sequence\":07"},
        {"\"part\":1", "\"part\":0"},
        {"\"part\":1", "\"part\":3"},
        {"\"parts\":2", "\"parts\":0"},
        {"\"records\":3912", "\"records\":0"},
        {"\"records\":3912", "\"records\":4001"},
        {"\"slots\":4000", "\"slots\":3911"},
        {"\"slots\":4000", "\"slots\":+400"},
        {"\"sha256\"", "\"SHA256\""},
        {"{\"seq", "{ \"seq"},
        {"0009121b", "0009121B"},
        {"\"slots\":4000", "\"slots\":4e3"},
        {"\"slots\":4000,", ""},
    };
    (void)state;
    struct manifest_row row = a_row(), back;
    char text[MANIFEST_ROW_BYTES], changed[2 * MANIFEST_ROW_BYTES];
    text[manifest_row_format(&row, text) - 1] = '\0';
    for (size_t i = 0; i < sizeof from_to / sizeof from_to[0]; i++) {
        char *at = strstr(text, from_to[i][0]);
        assert_non_null(at);
        snprintf(changed, sizeof changed, "%.*s%s%s", (int)(at - text), text, from_to[i][1],
                 at + strlen(from_to[i][0]));
        if (manifest_row_parse(view_of(changed), &back))
            fail_msg("taken for a row: %s", changed);
    }
}

/* ---- Reading on ---- */

static void all_rows_come_in_order(void **state)
{
    static const uint64_t sequences[] = {1, 2, 3, 3, 3, 4, 5, 6, 7, 8};
    struct made_store *test = *state;
    struct manifest_position position = {0};
    struct seen seen;
    uint64_t left;
    assert_int_equal(read_all(test, &position, NULL, &seen, &left, NULL), HEARTH_OK);
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
    expect_rows(&test, 0, 0);
    snprintf(test.store + strlen(test.store), 16, "/nowhere");
    expect_rows(&test, 0, 0);
    made_store_clean(&test);
}

static void reading_goes_on_where_it_was(void **state)
{
    struct made_store test;
    struct manifest_position position = {0};
    struct seen seen;
    (void)state;
    made_store_init(&test);
    for (uint64_t sequence = 1; sequence <= 30; sequence++) {
        size_t rows = sequence % 3 + 1;
        int32_t year = 2024 + (int32_t)(sequence / 10);
        made_store_rows(&test, sequence, DAY, (uint32_t)rows, year);
        const struct manifest_position until = test.position;
        assert_int_equal(read_all(&test, &position, &until, &seen, NULL, NULL), HEARTH_OK);
        assert_int_equal(seen.count, rows);
        assert_int_equal(seen.files[0].sequence, sequence);
        assert_memory_equal(&position, &until, sizeof position);
        assert_int_equal(read_all(&test, &position, &until, &seen, NULL, NULL), HEARTH_OK);
        assert_int_equal(seen.count, 0);
    }
    made_store_clean(&test);
}

static void what_is_behind_the_published_end_is_not_looked_at(void **state)
{
    struct made_store *test = *state;
    struct manifest_position position = {0}, until = test->position;
    struct seen seen;
    size_t size;
    char *bytes = made_store_read(test, FILE_2027, &size);
    bytes = realloc(bytes, size + 100);
    memset(bytes + size, 'x', 100);
    made_store_write(test, FILE_2027, bytes, size + 100);
    made_store_write(test, "manifest/2028.ndjson", "rubbish\n", 8);
    assert_int_equal(read_all(test, &position, &until, &seen, NULL, NULL), HEARTH_OK);
    assert_int_equal(seen.count, 10);
    free(bytes);
}

static void a_published_end_within_a_set_is_damage(void **state)
{
    struct made_store *test = *state;
    struct manifest_position position = {0}, until = {.year = 2025};
    struct seen seen;
    struct error_record error = {0};
    struct text text;
    take_text(test, FILE_2025, &text);
    for (size_t i = 0; i < 3; i++)
        until.bytes += strlen(text.lines[i]) + 1;
    free(text.bytes);
    assert_int_equal(read_all(test, &position, &until, &seen, NULL, &error), HEARTH_CORRUPT);
    until.bytes -= 7;
    assert_int_equal(read_all(test, &position, &until, &seen, NULL, &error), HEARTH_CORRUPT);
}

static void the_visitors_error_ends_the_reading(void **state)
{
    struct made_store *test = *state;
    struct manifest_position position = {0}, untouched = {0};
    struct seen seen = {.fail_with = HEARTH_CLIENT_GONE};
    assert_int_equal(
        manifest_read(&file_system, test->store, test->id, &position, NULL, see, &seen, NULL, NULL),
        HEARTH_CLIENT_GONE);
    assert_int_equal(seen.count, 1);
    assert_memory_equal(&position, &untouched, sizeof position);
}

/* ---- Damage ---- */

static void a_line_that_is_no_row_is_named(void **state)
{
    struct made_store *test = *state;
    struct text text;
    take_text(test, FILE_2025, &text);
    text.lines[1][4] = 'X';
    put_text(test, FILE_2025, &text);
    expect_corrupt(test, "manifest/2025.ndjson line 2", "not a row");
}

static void a_changed_row_breaks_the_chain_behind_it(void **state)
{
    struct made_store *test = *state;
    struct text text;
    take_text(test, FILE_2026, &text);
    char *hash = strstr(text.lines[0], "\"sha256\":\"") + 10;
    *hash = *hash == 'a' ? 'b' : 'a';
    put_text(test, FILE_2026, &text);
    expect_corrupt(test, "manifest/2026.ndjson line 2", "chain is broken");
}

static void rows_that_changed_places_are_found(void **state)
{
    struct made_store *test = *state;
    struct text text;
    take_text(test, FILE_2026, &text);
    char *first = text.lines[0];
    text.lines[0] = text.lines[1];
    text.lines[1] = first;
    put_text(test, FILE_2026, &text);
    expect_corrupt(test, "manifest/2026.ndjson line 1", "chain is broken");
}

static void a_missing_row_is_found(void **state)
{
    struct made_store *test = *state;
    struct text text;
    take_text(test, FILE_2025, &text);
    for (size_t i = 1; i + 1 < text.count; i++)
        text.lines[i] = text.lines[i + 1];
    text.count--;
    put_text(test, FILE_2025, &text);
    expect_corrupt(test, "manifest/2025.ndjson line 2", "chain is broken");
}

static void a_missing_year_is_found(void **state)
{
    struct made_store *test = *state;
    made_store_remove(test, FILE_2026);
    expect_corrupt(test, "manifest/2027.ndjson line 1", "file of a year before is missing");
    made_store_remove(test, FILE_2027);
    expect_rows(test, 6, 0); /* nothing says that there was more... */
    struct manifest_position position = {0}, until = test->position;
    struct seen seen;
    struct error_record error = {0};
    assert_int_equal(read_all(test, &position, &until, &seen, NULL, &error), HEARTH_CORRUPT);
    assert_non_null(strstr(error.detail, "2027.ndjson is missing")); /* ...but the keeper does */
}

static void the_first_year_missing_is_found(void **state)
{
    struct made_store *test = *state;
    made_store_remove(test, FILE_2025);
    expect_corrupt(test, "manifest/2026.ndjson line 1", "file of a year before is missing");
}

static void another_stores_manifest_is_found(void **state)
{
    struct made_store *test = *state;
    test->id[3] ^= 1;
    expect_corrupt(test, "manifest/2025.ndjson line 1", "chain is broken");
}

static void both_sides_of_a_fork_are_named(void **state)
{
    struct made_store *test = *state;
    struct text text;
    char fork[MANIFEST_ROW_BYTES];
    take_text(test, FILE_2026, &text);
    /* Somebody sealed another file 6 behind file 5. */
    struct manifest_row row;
    assert_true(manifest_row_parse(view_of(text.lines[1]), &row));
    row.slots++;
    fork[manifest_row_format(&row, fork) - 1] = '\0';
    text.lines[2] = fork;
    put_text(test, FILE_2026, &text);
    expect_corrupt(test, "manifest/2026.ndjson line 2 and manifest/2026.ndjson line 3", "forks");
}

static void a_fork_across_years_is_named(void **state)
{
    struct made_store *test = *state;
    struct text text, later;
    take_text(test, FILE_2025, &text);
    take_text(test, FILE_2027, &later);
    later.lines[0] = text.lines[5];
    put_text(test, FILE_2027, &later);
    expect_corrupt(test, "manifest/2025.ndjson line 6 and manifest/2027.ndjson line 1", "forks");
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
    expect_rows(test, 10, size / 2);
    made_store_write(test, FILE_2027, whole, size);
    append_bytes(test, FILE_2027, zeros, sizeof zeros);
    expect_rows(test, 10, sizeof zeros);
    append_bytes(test, FILE_2027, "\n", 1);
    expect_rows(test, 10, sizeof zeros + 1);
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
        expect_rows(test, 10, cut - before.bytes);
    }
    /* Parts of it were not written: a hole in the second row, the last ones whole. */
    made_store_write(test, FILE_2027, whole, size);
    left = size - (size_t)before.bytes;
    memset(whole + before.bytes + left / 4 + 10, 0, 200);
    made_store_write(test, FILE_2027, whole, size);
    expect_rows(test, 10, left);
    free(whole);
}

static void an_incomplete_set_of_a_new_year_is_left(void **state)
{
    struct made_store *test = *state;
    struct manifest_position position = {0};
    struct seen seen;
    uint64_t left;
    made_store_rows(test, 9, DAY, 2, 2028);
    struct text text;
    take_text(test, "manifest/2028.ndjson", &text);
    text.count = 1;
    size_t length = strlen(text.lines[0]) + 1;
    put_text(test, "manifest/2028.ndjson", &text);
    assert_int_equal(read_all(test, &position, NULL, &seen, &left, NULL), HEARTH_OK);
    assert_int_equal(seen.count, 10);
    assert_int_equal(left, length);
    assert_int_equal(position.year, 2028);
    assert_int_equal(position.bytes, 0);
}

static void damage_is_not_taken_for_a_torn_end(void **state)
{
    struct made_store *test = *state;
    struct text text;
    made_store_remove(test, FILE_2027);
    take_text(test, FILE_2026, &text);
    text.lines[1][0] = 'X'; /* of file 6; behind it stands the whole set of file 7 */
    put_text(test, FILE_2026, &text);
    expect_corrupt(test, "manifest/2026.ndjson line 2", "not a row");
    take_text(test, FILE_2025, &text);
    text.lines[5][0] = 'X'; /* the last of its year, and there is a next year */
    put_text(test, FILE_2025, &text);
    expect_corrupt(test, "manifest/2025.ndjson line 6", "not a row");
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
    expect_corrupt(&test, "manifest/2025.ndjson line", words);
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
    expect_corrupt(&test, "manifest/2025.ndjson line 1", "begins in its middle");
    made_store_clean(&test);
    made_store_init(&test);
    row.part = 1;
    row.slots = 19;
    made_store_row(&test, &row, 2025);
    row.part = 2;
    made_store_row(&test, &row, 2025);
    expect_corrupt(&test, "manifest/2025.ndjson line 1", "more records than");
    made_store_clean(&test);
}

static void sequences_must_ascend(void **state)
{
    struct made_store test;
    (void)state;
    made_store_init(&test);
    made_store_rows(&test, 5, DAY, 1, 2025);
    made_store_rows(&test, 5, DAY + 9, 1, 2025);
    expect_corrupt(&test, "manifest/2025.ndjson line 2", "sequences do not ascend");
    made_store_clean(&test);
}

static void a_year_must_not_end_within_a_set(void **state)
{
    struct made_store *test = *state;
    struct text text;
    take_text(test, FILE_2025, &text);
    text.count = 4;
    put_text(test, FILE_2025, &text);
    expect_corrupt(test, "manifest/2025.ndjson line 3", "ends within a set");
}

/* Every bit of the whole manifest in turn: it is found, or only the last row's own word is hurt. */
static void no_flipped_bit_before_the_last_row_goes_unseen(void **state)
{
    static const char *const names[] = {FILE_2025, FILE_2026, FILE_2027};
    struct made_store *test = *state;
    size_t step = getenv("HEARTH_TESTS") ? 1 : 37; /* all of them in the full run */
    for (size_t i = 0; i < 3; i++) {
        size_t size;
        char *bytes = made_store_read(test, names[i], &size);
        for (size_t bit = 0; bit < size * 8; bit += step) {
            struct manifest_position position = {0};
            struct seen seen;
            uint64_t left = 0;
            bytes[bit / 8] = (char)(bytes[bit / 8] ^ 1 << bit % 8);
            made_store_write(test, names[i], bytes, size);
            enum hearth_error code = read_all(test, &position, NULL, &seen, &left, NULL);
            assert_true(code == HEARTH_OK || code == HEARTH_CORRUPT);
            if (i < 2)
                assert_int_equal(code, HEARTH_CORRUPT);
            bytes[bit / 8] = (char)(bytes[bit / 8] ^ 1 << bit % 8);
        }
        made_store_write(test, names[i], bytes, size);
        free(bytes);
    }
}

/* ---- Files and memory that fail ---- */

static void whatever_fails_is_an_error_and_nothing_moves(void **state)
{
    struct made_store *test = *state;
    struct fault_files faults;
    struct seen seen;
    int64_t calls = 1;
    for (int64_t fail_at = 0; fail_at <= calls; fail_at++) { /* first none */
        struct manifest_position position = {0}, untouched = {0};
        fault_files_init(&faults);
        faults.fail_at = fail_at;
        faults.kind = FAULT_ERRNO;
        faults.number = 5;
        seen = (struct seen){.count = 0};
        enum hearth_error code = manifest_read(&faults.files, test->store, test->id, &position,
                                               NULL, see, &seen, NULL, NULL);
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
        struct seen seen;
        memory_fail_after(count);
        code = read_all(test, &position, NULL, &seen, NULL, NULL);
        memory_fail_after(-1);
        assert_true(code == HEARTH_OK || code == HEARTH_NO_MEMORY);
    }
    assert_int_equal(code, HEARTH_OK);
}

/* ---- Speed ---- */

static enum hearth_error count_row(void *context, const struct manifest_row *row)
{
    *(uint64_t *)context += row->file.records;
    return HEARTH_OK;
}

static void forty_thousand_rows_are_read_at_once(void **state)
{
    struct made_store test;
    struct manifest_position position = {0};
    uint64_t records = 0;
    (void)state;
    made_store_init(&test);
    for (uint64_t sequence = 1; sequence <= MANY_ROWS / 1000; sequence++)
        made_store_rows(&test, sequence, (int)sequence * 1000, 1000, 2025);
    int64_t began_ns = clock_monotonic_ns(&clock_system);
    assert_int_equal(manifest_read(&file_system, test.store, test.id, &position, NULL, count_row,
                                   &records, NULL, NULL),
                     HEARTH_OK);
    print_message("%d rows read in %.1f ms\n", MANY_ROWS,
                  (double)(clock_monotonic_ns(&clock_system) - began_ns) / 1e6);
    assert_int_equal(records, MANY_ROWS * 10);
    made_store_clean(&test);
}

#define STORY(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_row_is_one_line_and_comes_back),
        cmocka_unit_test(the_largest_row_fits),
        cmocka_unit_test(what_differs_in_a_byte_is_another_row_or_none),
        cmocka_unit_test(numbers_that_contradict_each_other_make_no_row),
        STORY(all_rows_come_in_order),
        cmocka_unit_test(a_store_without_a_manifest_has_no_rows),
        cmocka_unit_test(reading_goes_on_where_it_was),
        STORY(what_is_behind_the_published_end_is_not_looked_at),
        STORY(a_published_end_within_a_set_is_damage),
        STORY(the_visitors_error_ends_the_reading),
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
        cmocka_unit_test(sequences_must_ascend),
        STORY(a_year_must_not_end_within_a_set),
        STORY(no_flipped_bit_before_the_last_row_goes_unseen),
        STORY(whatever_fails_is_an_error_and_nothing_moves),
        STORY(memory_that_runs_out_is_an_error),
        cmocka_unit_test(forty_thousand_rows_are_read_at_once),
    };
    return cmocka_run_group_tests_name("manifest", tests, NULL, NULL);
}
