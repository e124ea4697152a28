/*
 * object_store_suite.c - the suite for any object store: objects, keys, ranges and conditions.
 */
#include "object_store_suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "hearth/limits.h"
#include "support_object_store.h"

static const struct object_get_options get_all = {.length = 0};

/* ---- Objects ---- */

static void what_was_put_is_what_a_get_gives(void **state)
{
    static const size_t sizes[] = {0, 1, 2, 65535, 65536, 65537, 262143, 262144, 262145, 1500000};
    struct object_store *store = *state;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        char *bytes = make_bytes(sizes[i], (unsigned)i);
        struct object_info put, head;
        struct view content = view_from(bytes, sizes[i]);
        assert_int_equal(store->put(store, "some/object.bin", content, NULL, &put, NULL),
                         HEARTH_OK);
        assert_int_equal(put.size_bytes, sizes[i]);
        assert_int_equal(store->head(store, "some/object.bin", &head, NULL), HEARTH_OK);
        assert_int_equal(head.size_bytes, sizes[i]);
        assert_string_equal(head.etag, put.etag);
        assert_int_equal(head.modified_ms / 1000, put.modified_ms / 1000);
        store_expect_bytes(store, "some/object.bin", content);
        free(bytes);
    }
}

static void an_object_that_was_never_put_is_not_found(void **state)
{
    struct object_store *store = *state;
    store_expect_missing(store, "nothing");
    store_expect_missing(store, "no/such/way/to/it");
    store_put(store, "a/b", "1");
    store_expect_missing(store, "a");
    store_expect_missing(store, "a/b/c");
    store_expect_missing(store, "a/bb");
}

static void a_put_replaces_the_whole_object(void **state)
{
    struct object_store *store = *state;
    store_put(store, "posts/one.md", "a long first version");
    store_put(store, "posts/one.md", "short");
    store_expect(store, "posts/one.md", "short");
    store_put(store, "posts/one.md", "");
    store_expect(store, "posts/one.md", "");
}

static void the_modification_time_is_now(void **state)
{
    struct object_store *store = *state;
    struct object_info info;
    int64_t before_ms = clock_wall_ms(&clock_system);
    assert_int_equal(store->put(store, "x", VIEW("x"), NULL, &info, NULL), HEARTH_OK);
    /* Stores keep whole seconds, or the ticks of a kernel's clock, and run on other machines. */
    assert_in_range(info.modified_ms, (uintmax_t)(before_ms - 5000),
                    (uintmax_t)(clock_wall_ms(&clock_system) + 5000));
}

static void equal_content_has_the_equal_tag_and_other_content_another(void **state)
{
    struct object_store *store = *state;
    char first[OBJECT_ETAG_SIZE], second[OBJECT_ETAG_SIZE], third[OBJECT_ETAG_SIZE];
    store_put(store, "a", "content");
    store_put(store, "deep/b", "content");
    store_put(store, "c", "Content");
    store_tag(store, "a", first);
    store_tag(store, "deep/b", second);
    store_tag(store, "c", third);
    assert_string_equal(first, second);
    assert_string_not_equal(first, third);
    assert_int_equal(first[0], '"');
    assert_int_equal(first[strlen(first) - 1], '"');
    store_put(store, "a", "other");
    store_tag(store, "a", second);
    assert_string_not_equal(first, second);
    store_put(store, "a", "content");
    store_tag(store, "a", second);
    assert_string_equal(first, second);
}

static void a_removed_object_is_gone_and_removing_it_again_is_no_error(void **state)
{
    struct object_store *store = *state;
    store_put(store, "a/b/c", "1");
    store_put(store, "a/d", "2");
    store_remove(store, "a/b/c");
    store_expect_missing(store, "a/b/c");
    store_expect(store, "a/d", "2");
    store_remove(store, "a/b/c");
    store_remove(store, "never/was/here");
    store_put(store, "a/b/c", "3");
    store_expect(store, "a/b/c", "3");
    store_remove(store, "a/b/c");
    store_remove(store, "a/d");
    store_expect_keys(store, "", "");
}

static void an_object_and_others_below_its_name_live_together(void **state)
{
    struct object_store *store = *state;
    store_put(store, "a", "the short one");
    store_put(store, "a/b", "below");
    store_put(store, "a/b/c", "further below");
    store_expect(store, "a", "the short one");
    store_expect(store, "a/b", "below");
    store_expect(store, "a/b/c", "further below");
    store_expect_keys(store, "", "a a/b a/b/c ");
    store_put(store, "a", "changed");
    store_remove(store, "a/b");
    store_expect(store, "a", "changed");
    store_expect_missing(store, "a/b");
    store_expect(store, "a/b/c", "further below");
    store_remove(store, "a");
    store_expect_keys(store, "", "a/b/c ");
    store_remove(store, "a/b/c");
    store_put(store, "a", "a file again");
    store_expect(store, "a", "a file again");
}

/* ---- Keys ---- */

static void a_text_that_is_no_key_is_refused_by_every_function(void **state)
{
    static const char *const bad[] = {
        "",
        "/",
        "/a",
        "a/",
        "a//b",
        ".",
        "..",
        "a/./b",
        "a/../b",
        "../a",
        "a/..",
        "./a",
        "a\\b",
        "\\",
        "a\nb",
        "a\x7f",
        "\x01",
        "a\xff",
        "\xc0\xaf",
        "a\xc3",
        "\xed\xa0\x80",
        "a/\xe2/",
        "\xf5\x80\x80\x80",
    };
    struct object_store *store = *state;
    struct object_info info;
    char long_key[LIMIT_OBJECT_KEY + 2];
    memset(long_key, 'k', sizeof long_key);
    for (size_t i = 100; i < sizeof long_key; i += 100)
        long_key[i] = '/';
    long_key[LIMIT_OBJECT_KEY + 1] = '\0';
    for (size_t i = 0; i <= sizeof bad / sizeof bad[0]; i++) {
        const char *key = i < sizeof bad / sizeof bad[0] ? bad[i] : long_key;
        struct buffer out;
        buffer_init(&out, 10);
        assert_false(object_key_valid(view_of(key)));
        assert_int_equal(store->put(store, key, VIEW("x"), NULL, NULL, NULL), HEARTH_BAD_REQUEST);
        assert_int_equal(store->head(store, key, &info, NULL), HEARTH_BAD_REQUEST);
        assert_int_equal(store->remove(store, key, VIEW_NONE, NULL), HEARTH_BAD_REQUEST);
        assert_int_equal(object_get_all(store, key, &out, NULL, NULL), HEARTH_BAD_REQUEST);
        buffer_clean(&out);
    }
    assert_false(object_key_valid(view_from("a\0b", 3)));
    store_expect_keys(store, "", "");
}

static void unusual_keys_are_kept_apart(void **state)
{
    static const char *const keys[] = {
        " ",
        "...",
        ".hidden",
        ".store",
        ".tmp/x",
        "..a",
        "100%",
        "a+b",
        "a b",
        "a%2Fb",
        "a&b=c?d",
        "caf\xc3\xa9",
        "cafe\xcc\x81",
        "C",
        "c",
        "~",
        "*",
        "a:b",
        "'\"",
        "\xe4\xbd\xa0\xe5\xa5\xbd",
        "\xf0\x9f\x94\xa5/\xf0\x9f\x8f\xa0",
    };
    struct object_store *store = *state;
    size_t count = sizeof keys / sizeof keys[0];
    for (size_t i = 0; i < count; i++)
        store_put(store, keys[i], keys[i]);
    for (size_t i = 0; i < count; i++)
        store_expect(store, keys[i], keys[i]);
    for (size_t i = 0; i < count; i++) {
        store_remove(store, keys[i]);
        store_expect_missing(store, keys[i]);
    }
    store_expect_keys(store, "", "");
}

static void the_longest_key_works(void **state)
{
    struct object_store *store = *state;
    char key[LIMIT_OBJECT_KEY + 1], deep[LIMIT_OBJECT_KEY];
    memset(key, 'k', sizeof key);
    for (size_t i = 200; i < sizeof key; i += 200)
        key[i] = '/';
    key[LIMIT_OBJECT_KEY] = '\0';
    for (size_t i = 0; i < sizeof deep; i++)
        deep[i] = i % 2 ? '/' : 'd'; /* 512 parts */
    deep[LIMIT_OBJECT_KEY - 1] = '\0';
    store_put(store, key, "long");
    store_put(store, deep, "deep");
    store_expect(store, key, "long");
    store_expect(store, deep, "deep");
    char *keys = store_keys(store, "");
    assert_int_equal(strlen(keys), strlen(key) + strlen(deep) + 2);
    free(keys);
    store_remove(store, key);
    store_remove(store, deep);
}

/* ---- Ranges and conditions of a get ---- */

static enum hearth_error to_buffer(void *context, struct view bytes)
{
    return buffer_append(context, bytes);
}

static enum hearth_error get_range(struct object_store *store, const char *key, uint64_t offset,
                                   uint64_t length, struct buffer *out, struct object_info *info)
{
    struct object_get_options options = {.offset = offset, .length = length};
    buffer_reset(out);
    return store->get(store, key, &options, to_buffer, out, info, NULL, NULL);
}

static void expect_range(struct object_store *store, uint64_t offset, uint64_t length,
                         struct view expected, uint64_t size)
{
    struct object_info info = {.size_bytes = 0};
    struct buffer out;
    buffer_init(&out, 10000000);
    assert_int_equal(get_range(store, "ranged", offset, length, &out, &info), HEARTH_OK);
    assert_int_equal(info.size_bytes, size);
    assert_int_equal(out.length, expected.length);
    if (expected.length > 0)
        assert_memory_equal(out.data, expected.data, expected.length);
    buffer_clean(&out);
}

static void a_range_gives_these_bytes_and_the_whole_size(void **state)
{
    static const size_t sizes[] = {10, 300000};
    struct object_store *store = *state;
    for (size_t i = 0; i < 2; i++) {
        size_t size = sizes[i];
        char *bytes = make_bytes(size, 7);
        struct view all = view_from(bytes, size);
        struct buffer out;
        buffer_init(&out, 100);
        assert_int_equal(store->put(store, "ranged", all, NULL, NULL, NULL), HEARTH_OK);
        expect_range(store, 0, 0, all, size);
        expect_range(store, 0, 1, view_slice(all, 0, 1), size);
        expect_range(store, 3, 4, view_slice(all, 3, 4), size);
        expect_range(store, 5, 0, view_skip(all, 5), size);
        expect_range(store, size - 1, 0, view_skip(all, size - 1), size);
        expect_range(store, size - 1, 100, view_skip(all, size - 1), size);
        expect_range(store, size / 2, size, view_skip(all, size / 2), size);
        expect_range(store, 2, UINT64_MAX, view_skip(all, 2), size);
        assert_int_equal(get_range(store, "ranged", size, 0, &out, NULL),
                         HEARTH_RANGE_NOT_SATISFIABLE);
        assert_int_equal(get_range(store, "ranged", UINT64_MAX, 5, &out, NULL),
                         HEARTH_RANGE_NOT_SATISFIABLE);
        assert_int_equal(out.length, 0);
        buffer_clean(&out);
        free(bytes);
    }
    store_put(store, "ranged", "");
    expect_range(store, 0, 0, VIEW_NONE, 0);
}

static void get_under(struct object_store *store, struct view if_match, struct view if_none_match,
                      enum hearth_error expected, bool expected_modified, const char *content)
{
    struct object_get_options options = {.if_match = if_match, .if_none_match = if_none_match};
    bool modified = true;
    struct object_info info = {.size_bytes = 999};
    struct buffer out;
    buffer_init(&out, 100);
    assert_int_equal(store->get(store, "tagged", &options, to_buffer, &out, &info, &modified, NULL),
                     expected);
    assert_int_equal(modified, expected_modified);
    assert_true(view_equal(buffer_view(&out), view_of(content)));
    if (expected == HEARTH_OK)
        assert_int_equal(info.size_bytes, strlen("content"));
    buffer_clean(&out);
}

static void a_get_answers_its_conditions(void **state)
{
    struct object_store *store = *state;
    char tag[OBJECT_ETAG_SIZE];
    struct view other = VIEW("\"0123\"");
    store_put(store, "tagged", "content");
    store_tag(store, "tagged", tag);
    /* Twice: a store may know a tag without reading, the second time. */
    for (int round = 0; round < 2; round++) {
        get_under(store, VIEW_NONE, view_of(tag), HEARTH_OK, false, "");
        get_under(store, VIEW_NONE, other, HEARTH_OK, true, "content");
        get_under(store, view_of(tag), VIEW_NONE, HEARTH_OK, true, "content");
        get_under(store, other, VIEW_NONE, HEARTH_PRECONDITION_FAILED, true, "");
        get_under(store, other, view_of(tag), HEARTH_PRECONDITION_FAILED, true, "");
        get_under(store, view_of(tag), view_of(tag), HEARTH_OK, false, "");
        nanosleep(&(struct timespec){.tv_nsec = 150000000}, NULL);
    }
}

struct refusal {
    int calls;
    struct object_info *info;
    uint64_t size_seen;
};

static enum hearth_error refuse(void *context, struct view bytes)
{
    struct refusal *refusal = context;
    (void)bytes;
    refusal->calls++;
    refusal->size_seen = refusal->info->size_bytes;
    return HEARTH_CLIENT_GONE;
}

static void a_receiver_that_fails_ends_the_get(void **state)
{
    static const size_t sizes[] = {10, 300000};
    struct object_store *store = *state;
    for (size_t i = 0; i < 2; i++) {
        char *bytes = make_bytes(sizes[i], 3);
        struct object_info info = {.size_bytes = 0};
        struct refusal refusal = {.info = &info};
        assert_int_equal(store->put(store, "k", view_from(bytes, sizes[i]), NULL, NULL, NULL),
                         HEARTH_OK);
        assert_int_equal(store->get(store, "k", &get_all, refuse, &refusal, &info, NULL, NULL),
                         HEARTH_CLIENT_GONE);
        assert_int_equal(refusal.calls, 1);
        assert_int_equal(refusal.size_seen, sizes[i]); /* info came before the first byte */
        free(bytes);
    }
}

struct replacement {
    struct object_store *store;
    struct buffer got;
    bool replaced;
};

static enum hearth_error replace_meanwhile(void *context, struct view bytes)
{
    struct replacement *replacement = context;
    if (!replacement->replaced) {
        replacement->replaced = true;
        store_put(replacement->store, "k", "a new and shorter version");
    }
    return buffer_append(&replacement->got, bytes);
}

static void a_get_sees_one_version_while_the_object_is_replaced(void **state)
{
    struct object_store *store = *state;
    size_t size = 1000000;
    char *bytes = make_bytes(size, 5);
    struct replacement replacement = {.store = store};
    buffer_init(&replacement.got, size + 1);
    assert_int_equal(store->put(store, "k", view_from(bytes, size), NULL, NULL, NULL), HEARTH_OK);
    assert_int_equal(
        store->get(store, "k", &get_all, replace_meanwhile, &replacement, NULL, NULL, NULL),
        HEARTH_OK);
    assert_int_equal(replacement.got.length, size);
    assert_memory_equal(replacement.got.data, bytes, size);
    store_expect(store, "k", "a new and shorter version");
    buffer_clean(&replacement.got);
    free(bytes);
}

static void the_whole_object_must_fit_into_the_buffer(void **state)
{
    struct object_store *store = *state;
    struct buffer out;
    store_put(store, "k", "0123456789");
    buffer_init(&out, 9);
    assert_int_equal(object_get_all(store, "k", &out, NULL, NULL), HEARTH_BODY_TOO_LARGE);
    buffer_clean(&out);
    buffer_init(&out, 10);
    assert_int_equal(object_get_all(store, "k", &out, NULL, NULL), HEARTH_OK);
    assert_true(view_equal(buffer_view(&out), VIEW("0123456789")));
    buffer_clean(&out);
}

/* ---- Conditional puts and removes ---- */

static void put_if_absent_creates_and_never_replaces(void **state)
{
    struct object_store *store = *state;
    if (!(store->capabilities & OBJECT_STORE_PUT_IF_ABSENT))
        skip();
    assert_int_equal(store_put_under(store, "posts/new.md", "first", true, NULL), HEARTH_OK);
    assert_int_equal(store_put_under(store, "posts/new.md", "second", true, NULL),
                     HEARTH_PRECONDITION_FAILED);
    store_expect(store, "posts/new.md", "first");
    store_remove(store, "posts/new.md");
    assert_int_equal(store_put_under(store, "posts/new.md", "third", true, NULL), HEARTH_OK);
    /* And where others stand below the name. */
    assert_int_equal(store_put_under(store, "posts", "the name itself", true, NULL), HEARTH_OK);
    assert_int_equal(store_put_under(store, "posts", "again", true, NULL),
                     HEARTH_PRECONDITION_FAILED);
    store_expect(store, "posts", "the name itself");
    store_expect_keys(store, "", "posts posts/new.md ");
}

static void put_if_match_replaces_only_what_was_seen(void **state)
{
    struct object_store *store = *state;
    char tag[OBJECT_ETAG_SIZE];
    if (!(store->capabilities & OBJECT_STORE_PUT_IF_MATCH))
        skip();
    assert_int_equal(store_put_under(store, "k", "x", false, "\"0\""), HEARTH_PRECONDITION_FAILED);
    store_expect_missing(store, "k");
    store_put(store, "k", "one");
    store_tag(store, "k", tag);
    assert_int_equal(store_put_under(store, "k", "x", false, "\"0\""), HEARTH_PRECONDITION_FAILED);
    store_expect(store, "k", "one");
    assert_int_equal(store_put_under(store, "k", "two", false, tag), HEARTH_OK);
    assert_int_equal(store_put_under(store, "k", "three", false, tag), HEARTH_PRECONDITION_FAILED);
    store_expect(store, "k", "two");
    store_remove(store, "k");
    assert_int_equal(store_put_under(store, "k", "four", false, tag), HEARTH_PRECONDITION_FAILED);
    store_expect_missing(store, "k");
    assert_int_equal(store_put_under(store, "k", "five", true, tag), HEARTH_BAD_REQUEST);
}

static void remove_if_match_removes_only_what_was_seen(void **state)
{
    struct object_store *store = *state;
    char tag[OBJECT_ETAG_SIZE];
    if (!(store->capabilities & OBJECT_STORE_DELETE_IF_MATCH))
        skip();
    store_put(store, "k", "one");
    store_tag(store, "k", tag);
    store_put(store, "k", "two");
    assert_int_equal(store->remove(store, "k", view_of(tag), NULL), HEARTH_PRECONDITION_FAILED);
    store_expect(store, "k", "two");
    store_tag(store, "k", tag);
    assert_int_equal(store->remove(store, "k", view_of(tag), NULL), HEARTH_OK);
    store_expect_missing(store, "k");
    assert_int_equal(store->remove(store, "k", view_of(tag), NULL), HEARTH_PRECONDITION_FAILED);
}

/* ---- The suite ---- */

static int run_objects(const struct object_store_suite *suite)
{
    const struct CMUnitTest tests[] = {
        OBJECT_STORE_STORY(what_was_put_is_what_a_get_gives),
        OBJECT_STORE_STORY(an_object_that_was_never_put_is_not_found),
        OBJECT_STORE_STORY(a_put_replaces_the_whole_object),
        OBJECT_STORE_STORY(the_modification_time_is_now),
        OBJECT_STORE_STORY(equal_content_has_the_equal_tag_and_other_content_another),
        OBJECT_STORE_STORY(a_removed_object_is_gone_and_removing_it_again_is_no_error),
        OBJECT_STORE_STORY(an_object_and_others_below_its_name_live_together),
        OBJECT_STORE_STORY(a_text_that_is_no_key_is_refused_by_every_function),
        OBJECT_STORE_STORY(unusual_keys_are_kept_apart),
        OBJECT_STORE_STORY(the_longest_key_works),
        OBJECT_STORE_STORY(a_range_gives_these_bytes_and_the_whole_size),
        OBJECT_STORE_STORY(a_get_answers_its_conditions),
        OBJECT_STORE_STORY(a_receiver_that_fails_ends_the_get),
        OBJECT_STORE_STORY(a_get_sees_one_version_while_the_object_is_replaced),
        OBJECT_STORE_STORY(the_whole_object_must_fit_into_the_buffer),
        OBJECT_STORE_STORY(put_if_absent_creates_and_never_replaces),
        OBJECT_STORE_STORY(put_if_match_replaces_only_what_was_seen),
        OBJECT_STORE_STORY(remove_if_match_removes_only_what_was_seen),
    };
    return cmocka_run_group_tests_name(suite->name, tests, NULL, NULL);
}

int object_store_suite_run(const struct object_store_suite *suite)
{
    object_store_suite_choose(suite);
    return run_objects(suite) + object_store_list_suite_run(suite) +
           object_store_threads_suite_run(suite);
}
