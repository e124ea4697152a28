/*
 * support_manifest.h - what the tests of the manifest share: a manifest of three years, reading it,
 * and changing its lines.
 */
#ifndef TESTS_SUPPORT_MANIFEST_H
#define TESTS_SUPPORT_MANIFEST_H

#include "support_made.h"

enum { DAY = 20345, MANY_ROWS = 40000 };

#define FILE_2025 "manifest/2025.ndjson"
#define FILE_2026 "manifest/2026.ndjson"
#define FILE_2027 "manifest/2027.ndjson"

/* The state is a struct made_store: live files 1 to 4 sealed in 2025, the third in three parts, 5
 * to 7 in 2026, 8 in 2027; ten rows. */
int manifest_setup(void **state);
int manifest_teardown(void **state);

struct seen_rows {
    struct sealed_file files[256];
    size_t count;
    enum hearth_error fail_with;
};

/* A manifest_visit_fn over a struct seen_rows. */
enum hearth_error manifest_see_row(void *context, const struct manifest_row *row);
/* Empties `seen` first. */
enum hearth_error manifest_read_rows(const struct made_store *test,
                                     struct manifest_position *position,
                                     const struct manifest_position *until, struct seen_rows *seen,
                                     uint64_t *left, struct error_record *error);
/* Reading all of it gives so many rows and leaves so many bytes. */
void manifest_expect_rows(const struct made_store *test, size_t rows, uint64_t left_expected);
/* It is damaged, and the detail says so in these words. */
void manifest_expect_corrupt(const struct made_store *test, const char *words, const char *more);

enum { LINES = 64 };

struct manifest_text {
    char *bytes;
    size_t size, count;
    char *lines[LINES]; /* terminated, without '\n' */
};
/* Takes a file apart; puts the lines that there are then in its place, and frees them. */
void manifest_take_text(const struct made_store *test, const char *name,
                        struct manifest_text *text);
void manifest_put_text(const struct made_store *test, const char *name, struct manifest_text *text);

#endif
