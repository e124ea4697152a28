/*
 * support_import.c - imports fed in pieces, and what came out of them.
 */
#include "tests/unit/support_import.h"

#include <stdio.h>
#include <string.h>

static enum hearth_error keep(void *context, const struct import_batch *batch)
{
    struct import_test *test = context;
    if (test->fail)
        return test->fail;
    for (size_t i = 0; i < batch->count; i++, test->count++)
        if (test->count < IMPORT_MAX_READINGS)
            test->records[test->count] = batch->records[i];
    for (size_t i = 0; i < batch->rejected_count; i++) {
        const struct rejected_reading *text = &batch->rejected[i];
        assert_true(test->text_count < IMPORT_MAX_TEXTS);
        snprintf(test->texts[test->text_count++], IMPORT_TEXT_BYTES, "%s %s: %.*s",
                 record_reject_name(text->reason), text->source, VIEW_ARGUMENTS(text->raw));
        test->rejected += text->count;
    }
    test->batches++;
    assert_true(batch->position >= test->position);
    test->position = batch->position;
    return HEARTH_OK;
}

void import_test_init(struct import_test *test)
{
    *test = (struct import_test){.options = {.rolling_code = -1,
                                             .now_ms = IMPORT_TEST_NOW,
                                             .future_tolerance_ms = 600000,
                                             .batch = keep,
                                             .context = test}};
}

void import_test_clear(struct import_test *test)
{
    const struct import_options options = test->options;
    *test = (struct import_test){.options = options};
}

enum hearth_error import_test_feed(struct import_test *test, struct import *import,
                                   struct view bytes, size_t step)
{
    enum hearth_error code = HEARTH_OK;
    while (!code && bytes.length > 0) {
        code = import_feed(import, view_slice(bytes, 0, step), &test->error);
        bytes = view_skip(bytes, step);
    }
    return code ? code : import_finish(import, &test->error);
}

enum hearth_error import_test_run_in(struct import_test *test, enum import_format format,
                                     struct view bytes, size_t step)
{
    import_test_clear(test);
    test->options.format = format;
    struct import *import = import_new(&test->options, &test->error);
    assert_non_null(import);
    enum hearth_error code = import_test_feed(test, import, bytes, step);
    import_counts(import, &test->counts);
    import_free(import);
    return code;
}

void import_test_run(struct import_test *test, enum import_format format, struct view bytes)
{
    struct record first[IMPORT_MAX_READINGS];
    assert_int_equal(import_test_run_in(test, format, bytes, SIZE_MAX), HEARTH_OK);
    struct import_counts whole = test->counts;
    size_t count = test->count;
    memcpy(first, test->records, sizeof first);
    for (size_t step = 50; step > 0; step--) {
        assert_int_equal(import_test_run_in(test, format, bytes, step), HEARTH_OK);
        assert_int_equal(test->count, count);
        assert_memory_equal(first, test->records, count * sizeof first[0]);
        assert_memory_equal(&whole, &test->counts, sizeof whole);
    }
    assert_int_equal(import_test_run_in(test, format, bytes, SIZE_MAX), HEARTH_OK);
}

struct reading import_test_reading(const struct import_test *test, size_t index)
{
    struct reading reading = {0};
    assert_true(index < test->count);
    assert_int_equal(record_decode(&test->records[index], &reading), REJECT_NONE);
    return reading;
}

void import_test_expect_text(const struct import_test *test, size_t index, const char *text)
{
    assert_true(index < test->text_count);
    assert_string_equal(test->texts[index], text);
}
