/*
 * support_manifest.c - what the tests of the manifest share.
 */
#include "support_manifest.h"

#include <stdlib.h>
#include <string.h>

/* ---- Reading ---- */

enum hearth_error manifest_see_row(void *context, const struct manifest_row *row)
{
    struct seen_rows *seen = context;
    if (seen->count < sizeof seen->files / sizeof seen->files[0])
        seen->files[seen->count] = row->file;
    seen->count++;
    return seen->fail_with;
}

enum hearth_error manifest_read_rows(const struct made_store *test,
                                     struct manifest_position *position,
                                     const struct manifest_position *until, struct seen_rows *seen,
                                     uint64_t *left, struct error_record *error)
{
    *seen = (struct seen_rows){.count = 0};
    return manifest_read(&file_system, test->store, test->id, position, until, manifest_see_row,
                         seen, left, error);
}

void manifest_expect_rows(const struct made_store *test, size_t rows, uint64_t left_expected)
{
    struct manifest_position position = {0};
    struct seen_rows seen;
    uint64_t left = 77;
    struct error_record error = {0};
    enum hearth_error code = manifest_read_rows(test, &position, NULL, &seen, &left, &error);
    if (code != HEARTH_OK)
        fail_msg("%s", error.detail);
    assert_int_equal(seen.count, rows);
    assert_int_equal(left, left_expected);
}

/* It is damaged, and the detail says so in these words. */
void manifest_expect_corrupt(const struct made_store *test, const char *words, const char *more)
{
    struct manifest_position position = {0}, untouched = {0};
    struct seen_rows seen;
    uint64_t left;
    struct error_record error = {0};
    enum hearth_error code = manifest_read_rows(test, &position, NULL, &seen, &left, &error);
    if (code != HEARTH_CORRUPT || !strstr(error.detail, words) || !strstr(error.detail, more))
        fail_msg("%s: %s", error_name(code), error.detail);
    assert_memory_equal(&position, &untouched, sizeof position);
}

/* ---- Changing what stands ---- */

void manifest_take_text(const struct made_store *test, const char *name, struct manifest_text *text)
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

void manifest_put_text(const struct made_store *test, const char *name, struct manifest_text *text)
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

int manifest_setup(void **state)
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

int manifest_teardown(void **state)
{
    made_store_clean(*state);
    free(*state);
    return 0;
}
