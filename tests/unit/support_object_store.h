/*
 * support_object_store.h - what the tests of object stores share.
 */
#ifndef TESTS_SUPPORT_OBJECT_STORE_H
#define TESTS_SUPPORT_OBJECT_STORE_H

#include "object_store_suite.h"

/* ---- The storage under test; a test's state is a new handle on it ---- */

void object_store_suite_choose(const struct object_store_suite *suite);
int object_store_setup(void **state);
int object_store_teardown(void **state);
#define OBJECT_STORE_STORY(name)                                                                   \
    cmocka_unit_test_setup_teardown(name, object_store_setup, object_store_teardown)

/* ---- Each of these fails the test unless the store does as it says ---- */

void store_put(struct object_store *store, const char *key, const char *content);
void store_remove(struct object_store *store, const char *key);
/* The object is exactly that. */
void store_expect(struct object_store *store, const char *key, const char *content);
void store_expect_bytes(struct object_store *store, const char *key, struct view content);
void store_expect_missing(struct object_store *store, const char *key);
/* The keys, each with a blank behind it, in the order of the list. */
void store_expect_keys(struct object_store *store, const char *prefix, const char *expected);
/* The same, as a string to free. */
char *store_keys(struct object_store *store, const char *prefix);
/* Keys behind `after`, `limit` at most, appended to `keys`. */
void store_list_into(struct object_store *store, const char *prefix, const char *after,
                     size_t limit, struct buffer *keys, bool *more);
bool store_note_key(void *keys, const struct object_entry *entry);
/* The tag, from head. */
void store_tag(struct object_store *store, const char *key, char tag[OBJECT_ETAG_SIZE]);

/* ---- These leave the judgement to the caller; usable in threads and child processes ---- */

enum hearth_error store_put_under(struct object_store *store, const char *key, const char *content,
                                  bool if_absent, const char *if_match);
/* Adds one to the decimal number in the object, by get and conditional put, until it works. */
bool store_increment(struct object_store *store, const char *key);

/* Bytes that never repeat with a short period, so that a shifted piece shows. Free them. */
char *make_bytes(size_t size, unsigned seed);

#endif
