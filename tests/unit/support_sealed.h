/*
 * support_sealed.h - what the tests of sealing share: what the manifest lists, and what must hold
 * of the files of a store whatever happened.
 */
#ifndef TESTS_SUPPORT_SEALED_H
#define TESTS_SUPPORT_SEALED_H

#include "support_live.h"

#include "handlers/sensor/sealed/manifest.h"

struct sealed_list {
    struct manifest_row *rows; /* as the manifest has them; to free */
    size_t count;
};

/* Fails the test when the manifest cannot be read. */
void sealed_list_read(const struct live_case *test, struct sealed_list *list);
void sealed_list_clean(struct sealed_list *list);
/* The row of a file, by its name; NULL when there is none. */
const struct manifest_row *sealed_list_find(const struct sealed_list *list, const char *name);
/* The records of a sealed file, to free; fails the test when it is missing. */
struct record *sealed_file_records(const struct live_case *test, const struct sealed_file *file,
                                   size_t *count);
/* Seals; fails the test unless the outcome is the expected one. */
void sealed_seal(struct reading_store *store, enum hearth_error expected);

/* Every listed file is there, whole, in order, of its day; no reading stands twice in them and in
 * the live files that are not sealed. Gives back how many readings there are in all. */
size_t sealed_expect_sound(const struct live_case *test);

#endif
