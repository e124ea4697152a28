/*
 * support_import.h - imports fed in pieces, and what came out of them.
 */
#ifndef TESTS_SUPPORT_IMPORT_H
#define TESTS_SUPPORT_IMPORT_H

#include "tests/unit/support.h"

#include "handlers/sensor/transfer/import.h"

#define IMPORT_TEST_NOW INT64_C(1757894700000) /* 2025-09-15T00:05:00Z */

enum { IMPORT_MAX_READINGS = 64, IMPORT_MAX_TEXTS = 32, IMPORT_TEXT_BYTES = 256 };

struct import_test {
    struct import_options options; /* of the next import */
    struct error_record error;
    struct import_counts counts;

    /* What came out. */
    struct record records[IMPORT_MAX_READINGS];
    size_t count, batches;
    char texts[IMPORT_MAX_TEXTS][IMPORT_TEXT_BYTES]; /* "REASON source: raw" */
    size_t text_count;
    uint64_t rejected, position;
    enum hearth_error fail; /* what a batch gives back */
};

/* The test's own options: no rolling code, UTC, tenths of degF. */
void import_test_init(struct import_test *test);
/* Forgets what came out. */
void import_test_clear(struct import_test *test);
enum hearth_error import_test_feed(struct import_test *test, struct import *import,
                                   struct view bytes, size_t step);
/* A whole file in pieces of `step`. */
enum hearth_error import_test_run_in(struct import_test *test, enum import_format format,
                                     struct view bytes, size_t step);
/* In one piece, and in pieces of every size up to 50: the same comes out, and no error. */
void import_test_run(struct import_test *test, enum import_format format, struct view bytes);
/* The record that came out at this place. */
struct reading import_test_reading(const struct import_test *test, size_t index);
void import_test_expect_text(const struct import_test *test, size_t index, const char *text);

#endif
