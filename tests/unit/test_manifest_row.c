/*
 * test_manifest_row.c - rows of the manifest as text, there and back, in one spelling only; and how
 * fast many are read.
 */
#include "support_manifest.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <zlib.h>

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
        "\"previous\":\"fffefdfcfbfaf9f8f7f6f5f4f3f2f1f0efeeedecebeae9e8e7e6e5e4e3e2e1e0\","
        "\"check\":\"5398cf00\"}\n";
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

/* Every byte of a row set to every value. */
static void what_differs_in_a_byte_is_no_row(void **state)
{
    (void)state;
    struct manifest_row row = a_row(), back;
    char text[MANIFEST_ROW_BYTES], changed[MANIFEST_ROW_BYTES];
    size_t length = manifest_row_format(&row, text);
    memcpy(changed, text, length);
    for (size_t at = 0; at + 1 < length; at++) {
        for (int value = 0; value < 256; value++) {
            changed[at] = (char)value;
            bool is_row = manifest_row_parse(view_from(changed, length - 1), &back);
            assert_int_equal(is_row, changed[at] == text[at]);
        }
        changed[at] = text[at];
    }
    for (size_t cut = 0; cut + 1 < length; cut++)
        assert_false(manifest_row_parse(view_from(text, cut), &back));
    assert_false(manifest_row_parse(view_from(text, length), &back)); /* with its '\n' */
}

/* Its checksum is right, whatever else is not. */
static void check_again(char *line)
{
    char *at = strstr(line, ",\"check\":\"");
    assert_non_null(at);
    unsigned long check = crc32(0, (unsigned char *)line, (unsigned)(at - line));
    snprintf(at, sizeof ",\"check\":\"01234567\"}", ",\"check\":\"%08lx\"}", check);
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
        check_again(changed);
        if (manifest_row_parse(view_of(changed), &back))
            fail_msg("taken for a row: %s", changed);
    }
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
    clock_t began = clock(); /* of this process, however busy the machine is */
    assert_int_equal(manifest_read(&file_system, test.store, test.id, &position, NULL, count_row,
                                   &records, NULL, NULL),
                     HEARTH_OK);
    print_message("%d rows read in %.1f ms\n", MANY_ROWS,
                  (double)(clock() - began) * 1e3 / CLOCKS_PER_SEC);
    assert_int_equal(records, MANY_ROWS * 10);
    made_store_clean(&test);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_row_is_one_line_and_comes_back),
        cmocka_unit_test(the_largest_row_fits),
        cmocka_unit_test(what_differs_in_a_byte_is_no_row),
        cmocka_unit_test(numbers_that_contradict_each_other_make_no_row),
        cmocka_unit_test(forty_thousand_rows_are_read_at_once),
    };
    return cmocka_run_group_tests_name("rows of the manifest", tests, NULL, NULL);
}
