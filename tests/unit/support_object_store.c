/*
 * support_object_store.c - what the tests of object stores share.
 *
 * Every story also fails when it leaves a descriptor open.
 */
#include "support_object_store.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct object_store_suite *suite;

void object_store_suite_choose(const struct object_store_suite *which)
{
    suite = which;
}

static int descriptors_before;

static int count_descriptors(void)
{
    int count = 0;
    for (int file = 0; file < 1024; file++)
        count += fcntl(file, F_GETFD) != -1;
    return count;
}

int object_store_setup(void **state)
{
    suite->empty(suite->context);
    descriptors_before = count_descriptors();
    *state = suite->open(suite->context);
    return *state ? 0 : -1;
}

int object_store_teardown(void **state)
{
    struct object_store *store = *state;
    store->free(store);
    int left_open = count_descriptors() - descriptors_before;
    if (left_open != 0)
        print_error("%d descriptors were left open\n", left_open);
    return left_open != 0;
}

void store_put(struct object_store *store, const char *key, const char *content)
{
    struct error_record error = {.code = HEARTH_OK};
    if (store->put(store, key, view_of(content), NULL, NULL, &error) != HEARTH_OK)
        fail_msg("put %s: %s %s", key, error_name(error.code), error.detail);
}

void store_remove(struct object_store *store, const char *key)
{
    struct error_record error = {.code = HEARTH_OK};
    if (store->remove(store, key, VIEW_NONE, &error) != HEARTH_OK)
        fail_msg("remove %s: %s %s", key, error_name(error.code), error.detail);
}

void store_expect_bytes(struct object_store *store, const char *key, struct view content)
{
    struct error_record error = {.code = HEARTH_OK};
    struct object_info info;
    struct buffer out;
    buffer_init(&out, content.length + 1);
    enum hearth_error result = object_get_all(store, key, &out, &info, &error);
    if (result != HEARTH_OK)
        fail_msg("get %s: %s %s", key, error_name(result), error.detail);
    assert_int_equal(info.size_bytes, content.length);
    assert_int_equal(out.length, content.length);
    if (content.length > 0)
        assert_memory_equal(out.data, content.data, content.length);
    buffer_clean(&out);
}

void store_expect(struct object_store *store, const char *key, const char *content)
{
    store_expect_bytes(store, key, view_of(content));
}

void store_expect_missing(struct object_store *store, const char *key)
{
    struct object_info info;
    struct buffer out;
    buffer_init(&out, 100);
    assert_int_equal(store->head(store, key, &info, NULL), HEARTH_NOT_FOUND);
    assert_int_equal(object_get_all(store, key, &out, NULL, NULL), HEARTH_NOT_FOUND);
    assert_int_equal(out.length, 0);
    buffer_clean(&out);
}

void store_tag(struct object_store *store, const char *key, char tag[OBJECT_ETAG_SIZE])
{
    struct object_info info;
    assert_int_equal(store->head(store, key, &info, NULL), HEARTH_OK);
    snprintf(tag, OBJECT_ETAG_SIZE, "%s", info.etag);
}

bool store_note_key(void *context, const struct object_entry *entry)
{
    struct buffer *keys = context;
    return buffer_append_text(keys, entry->key) == HEARTH_OK &&
           buffer_append_byte(keys, ' ') == HEARTH_OK;
}

/* Keys behind `after`, `limit` at most; appended to `keys`. */
void store_list_into(struct object_store *store, const char *prefix, const char *after,
                     size_t limit, struct buffer *keys, bool *more)
{
    struct object_list_options options = {.prefix = prefix, .after = after, .limit = limit};
    struct error_record error = {.code = HEARTH_OK};
    enum hearth_error result = store->list(store, &options, store_note_key, keys, more, &error);
    if (result != HEARTH_OK)
        fail_msg("list: %s %s", error_name(result), error.detail);
}

char *store_keys(struct object_store *store, const char *prefix)
{
    struct buffer keys;
    buffer_init(&keys, 10000000);
    store_list_into(store, prefix, NULL, 0, &keys, NULL);
    assert_int_equal(buffer_append_byte(&keys, '\0'), HEARTH_OK);
    return keys.data;
}

void store_expect_keys(struct object_store *store, const char *prefix, const char *expected)
{
    char *keys = store_keys(store, prefix);
    assert_string_equal(keys, expected);
    free(keys);
}

/* Bytes that never repeat with a short period, so that a shifted piece shows. */
char *make_bytes(size_t size, unsigned seed)
{
    char *bytes = malloc(size + 1);
    assert_non_null(bytes);
    uint32_t state = seed * 2654435761u + 1;
    for (size_t i = 0; i < size; i++) {
        state = state * 1664525u + 1013904223u;
        bytes[i] = (char)(state >> 24);
    }
    return bytes;
}

enum hearth_error store_put_under(struct object_store *store, const char *key, const char *content,
                                  bool if_absent, const char *if_match)
{
    struct object_put_options options = {.if_absent = if_absent, .if_match = view_of(if_match)};
    return store->put(store, key, view_of(content), &options, NULL, NULL);
}

/* Reads the number and its tag together; "" stands for an object that is not there. */
static enum hearth_error read_number(struct object_store *store, const char *key, uint64_t *number,
                                     char tag[OBJECT_ETAG_SIZE])
{
    struct object_info info = {.etag = ""};
    struct buffer text;
    buffer_init(&text, 32);
    enum hearth_error result = object_get_all(store, key, &text, &info, NULL);
    if (!result && !view_to_uint64(buffer_view(&text), number))
        result = HEARTH_CORRUPT;
    snprintf(tag, OBJECT_ETAG_SIZE, "%s", info.etag);
    buffer_clean(&text);
    return result;
}

bool store_increment(struct object_store *store, const char *key)
{
    for (;;) {
        uint64_t number = 0;
        char tag[OBJECT_ETAG_SIZE], text[32];
        if (read_number(store, key, &number, tag) != HEARTH_OK)
            return false;
        snprintf(text, sizeof text, "%" PRIu64, number + 1);
        enum hearth_error result = store_put_under(store, key, text, false, tag);
        if (result != HEARTH_PRECONDITION_FAILED)
            return result == HEARTH_OK;
    }
}
