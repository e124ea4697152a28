/*
 * object_store_list_suite.c - the suite for any object store: lists, and a model that says what any
 * sequence of writes must leave.
 */
#include "object_store_suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hearth/limits.h"
#include "support_object_store.h"

/* ---- Lists ---- */

static const char *const listed[] = {
    "a",  "a!",       "a-b", "a.b/c", "a/b", "a/b-c", "a/b/c",         "a/b/d",    "a/b0",
    "a0", "a0/x/y/z", "b/1", "b/10",  "b/2", "ba",    "caf\xc3\xa9/x", "zz/y/x/w", "\xc3\xa9",
};
enum { LISTED_COUNT = sizeof listed / sizeof listed[0] };

/* Puts them in an order that is not that of the list. */
static void put_listed(struct object_store *store)
{
    for (size_t i = 0; i < LISTED_COUNT; i++)
        store_put(store, listed[(i * 7 + 3) % LISTED_COUNT], "content");
}

/* What a list must give, from the sorted array. True when the limit cut it. */
static bool expected_list(const char *prefix, const char *after, size_t limit, struct buffer *out)
{
    size_t count = 0;
    for (size_t i = 0; i < LISTED_COUNT; i++) {
        if (strncmp(listed[i], prefix, strlen(prefix)) != 0 ||
            (after && strcmp(listed[i], after) <= 0))
            continue;
        if (limit > 0 && count++ == limit)
            return true;
        assert_int_equal(buffer_append_text(out, listed[i]), HEARTH_OK);
        assert_int_equal(buffer_append_byte(out, ' '), HEARTH_OK);
    }
    return false;
}

static void a_list_is_in_the_order_of_the_bytes_with_any_prefix_start_and_limit(void **state)
{
    static const char *const prefixes[] = {"",          "a",    "a/",  "a/b",  "a/b/",  "a0",
                                           "b/1",       "b/1/", "caf", "none", "a/b/c", "zz/y/x/w",
                                           "zz/y/x/w/", "/",    "..",  "zz/",  "\xc3"};
    static const char *const afters[] = {NULL,     "",     "a",   "a/",  "a/b",  "a/b/",
                                         "a/b/c",  "a/z",  "a.c", "a0/", "b/10", "~",
                                         "zz/y/x", "\xff", "A",   "a!"};
    struct object_store *store = *state;
    for (size_t i = 1; i < LISTED_COUNT; i++)
        assert_true(strcmp(listed[i - 1], listed[i]) < 0);
    put_listed(store);
    for (size_t p = 0; p < sizeof prefixes / sizeof prefixes[0]; p++) {
        for (size_t a = 0; a < sizeof afters / sizeof afters[0]; a++) {
            for (size_t limit = 0; limit < 5; limit++) {
                struct buffer expected, got;
                bool more = true;
                buffer_init(&expected, 10000);
                buffer_init(&got, 10000);
                bool cut = expected_list(prefixes[p], afters[a], limit, &expected);
                store_list_into(store, prefixes[p], afters[a], limit, &got, &more);
                if (!view_equal(buffer_view(&got), buffer_view(&expected)) || more != cut)
                    fail_msg("prefix '%s' after '%s' limit %zu: '%.*s' (more %d), not '%.*s'",
                             prefixes[p], afters[a] ? afters[a] : "(none)", limit,
                             VIEW_ARGUMENTS(buffer_view(&got)), more,
                             VIEW_ARGUMENTS(buffer_view(&expected)));
                buffer_clean(&expected);
                buffer_clean(&got);
            }
        }
    }
}

struct page {
    char last[LIMIT_OBJECT_KEY + 1];
    struct buffer keys;
};

static bool note_page(void *context, const struct object_entry *entry)
{
    struct page *page = context;
    snprintf(page->last, sizeof page->last, "%s", entry->key);
    return store_note_key(&page->keys, entry);
}

static void pages_put_together_are_the_whole_list(void **state)
{
    struct object_store *store = *state;
    put_listed(store);
    char *whole = store_keys(store, "");
    for (size_t limit = 1; limit <= LISTED_COUNT + 1; limit++) {
        struct page page = {.last = ""};
        bool more = true;
        size_t pages = 0;
        buffer_init(&page.keys, 10000);
        while (more) {
            struct object_list_options options = {
                .prefix = "", .after = pages ? page.last : NULL, .limit = limit};
            assert_int_equal(store->list(store, &options, note_page, &page, &more, NULL),
                             HEARTH_OK);
            pages++;
        }
        assert_int_equal(pages, (LISTED_COUNT + limit - 1) / limit);
        assert_true(view_equal(buffer_view(&page.keys), view_of(whole)));
        buffer_clean(&page.keys);
    }
    free(whole);
}

struct census {
    struct object_store *store;
    size_t count, stop_at;
    bool with_etags;
};

static bool check_entry(void *context, const struct object_entry *entry)
{
    struct census *census = context;
    struct object_info head;
    assert_int_equal(census->store->head(census->store, entry->key, &head, NULL), HEARTH_OK);
    assert_int_equal(entry->info.size_bytes, head.size_bytes);
    assert_int_equal(entry->info.modified_ms / 1000, head.modified_ms / 1000);
    if (census->with_etags)
        assert_string_equal(entry->info.etag, head.etag);
    return ++census->count != census->stop_at;
}

static void entries_carry_size_time_and_if_wanted_the_tag(void **state)
{
    struct object_store *store = *state;
    struct object_list_options options = {.prefix = ""};
    put_listed(store);
    store_put(store, "a0", "some other content");
    for (int with_etags = 0; with_etags < 2; with_etags++) {
        struct census census = {.store = store, .with_etags = with_etags};
        options.with_etags = with_etags;
        assert_int_equal(store->list(store, &options, check_entry, &census, NULL, NULL), HEARTH_OK);
        assert_int_equal(census.count, LISTED_COUNT);
    }
}

static void a_visitor_can_stop_the_list(void **state)
{
    struct object_store *store = *state;
    struct object_list_options options = {.prefix = ""};
    struct census census = {.store = store, .stop_at = 3};
    bool more = true;
    put_listed(store);
    assert_int_equal(store->list(store, &options, check_entry, &census, &more, NULL), HEARTH_OK);
    assert_int_equal(census.count, 3);
    assert_false(more); /* it was not the limit that cut it */
}

static bool remove_entry(void *context, const struct object_entry *entry)
{
    store_remove(context, entry->key);
    return true;
}

static void a_visitor_may_remove_what_it_is_shown(void **state)
{
    struct object_store *store = *state;
    struct object_list_options options = {.prefix = ""};
    put_listed(store);
    assert_int_equal(store->list(store, &options, remove_entry, store, NULL, NULL), HEARTH_OK);
    store_expect_keys(store, "", "");
}

/* ---- A model ---- */

static const char *const model_keys[] = {"a",     "a/b",  "a/b/c", "a/c", "b",        "b.d",
                                         "b.d/e", "b/.x", "c/d/e", "c/d", "\xc3\xa9", "c-d"};
enum { MODEL_KEYS = sizeof model_keys / sizeof model_keys[0] };

struct model {
    bool there[MODEL_KEYS];
    char content[MODEL_KEYS][16];
};

static void model_check(struct object_store *store, const struct model *model)
{
    size_t count = 0;
    for (size_t i = 0; i < MODEL_KEYS; i++) {
        if (model->there[i])
            store_expect(store, model_keys[i], model->content[i]);
        else
            store_expect_missing(store, model_keys[i]);
        count += model->there[i];
    }
    struct census census = {.store = store, .with_etags = true};
    struct object_list_options options = {.prefix = "", .with_etags = true};
    assert_int_equal(store->list(store, &options, check_entry, &census, NULL, NULL), HEARTH_OK);
    assert_int_equal(census.count, count);
}

static void any_sequence_of_writes_leaves_what_a_model_says(void **state)
{
    struct object_store *store = *state;
    bool conditional = store->capabilities & OBJECT_STORE_PUT_IF_ABSENT;
    struct model model = {.there = {false}};
    uint32_t random = 12345;
    for (int i = 0; i < 600; i++) {
        random = random * 1664525u + 1013904223u;
        size_t key = (random >> 8) % MODEL_KEYS;
        unsigned what = (random >> 20) % 5;
        char content[16];
        snprintf(content, sizeof content, "%d", i);
        if (what < 2) {
            store_remove(store, model_keys[key]);
            model.there[key] = false;
        } else {
            bool if_absent = what == 2 && conditional;
            bool refused = if_absent && model.there[key];
            assert_int_equal(store_put_under(store, model_keys[key], content, if_absent, NULL),
                             refused ? HEARTH_PRECONDITION_FAILED : HEARTH_OK);
            model.there[key] = true;
            if (!refused)
                memcpy(model.content[key], content, sizeof content);
        }
        if (i % 20 == 19)
            model_check(store, &model);
    }
}

int object_store_list_suite_run(const struct object_store_suite *suite)
{
    const struct CMUnitTest tests[] = {
        OBJECT_STORE_STORY(a_list_is_in_the_order_of_the_bytes_with_any_prefix_start_and_limit),
        OBJECT_STORE_STORY(pages_put_together_are_the_whole_list),
        OBJECT_STORE_STORY(entries_carry_size_time_and_if_wanted_the_tag),
        OBJECT_STORE_STORY(a_visitor_can_stop_the_list),
        OBJECT_STORE_STORY(a_visitor_may_remove_what_it_is_shown),
        OBJECT_STORE_STORY(any_sequence_of_writes_leaves_what_a_model_says),
    };
    return cmocka_run_group_tests_name(suite->name, tests, NULL, NULL);
}
