/*
 * support_memory_store.c - an object store in memory: a sorted list under one lock.
 */
#include "support_memory_store.h"

#include "hearth/clock.h"
#include "support.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct memory_store *of(struct object_store *store)
{
    return (struct memory_store *)store;
}

/* The object, or where it would stand. The lock is held. */
static struct memory_object **place_of(struct memory_store *memory, const char *key)
{
    struct memory_object **place = &memory->objects;
    while (*place && strcmp((*place)->key, key) < 0)
        place = &(*place)->next;
    return place;
}

static struct memory_object *find(struct memory_store *memory, const char *key)
{
    struct memory_object *object = *place_of(memory, key);
    return object && strcmp(object->key, key) == 0 ? object : NULL;
}

static void describe(const struct memory_object *object, struct object_info *info)
{
    unsigned char hash[32];
    if (!info)
        return;
    assert_int_equal(EVP_Digest(object->content, object->length, hash, NULL, EVP_sha256(), NULL),
                     1);
    *info = (struct object_info){.size_bytes = object->length, .modified_ms = object->modified_ms};
    size_t length = 0;
    info->etag[length++] = '"';
    for (size_t i = 0; i < sizeof hash; i++, length += 2)
        snprintf(info->etag + length, 3, "%02x", hash[i]);
    info->etag[length++] = '"';
    info->etag[length] = '\0';
}

static char *copy_of(const char *data, size_t length)
{
    char *copy = malloc(length + 1);
    assert_non_null(copy);
    if (length > 0)
        memcpy(copy, data, length);
    copy[length] = '\0';
    return copy;
}

static enum hearth_error refuse_read(struct memory_store *memory, const char *key,
                                     struct error_record *error)
{
    if (memory->before_read)
        memory->before_read(memory, memory->context);
    if (!object_key_valid(view_of(key)))
        return error_set(error, HEARTH_BAD_REQUEST, "not a key");
    return error_set_internal(error, memory->fail, 0, "the test said so");
}

static bool tag_equals(const struct memory_object *object, struct view tag)
{
    struct object_info info;
    describe(object, &info);
    return view_equal(view_of(info.etag), tag);
}

/* What of the object is asked for, judged under the lock. */
static enum hearth_error choose(const struct memory_object *object,
                                const struct object_get_options *options, struct view *part,
                                bool *modified)
{
    *part = view_from(object->content, object->length);
    *modified = true;
    if (!options)
        return HEARTH_OK;
    if (options->if_match.length > 0 && !tag_equals(object, options->if_match))
        return HEARTH_PRECONDITION_FAILED;
    if (options->if_none_match.length > 0 && tag_equals(object, options->if_none_match)) {
        *modified = false;
        *part = VIEW_NONE;
        return HEARTH_OK;
    }
    if (options->offset > 0 && options->offset >= object->length)
        return HEARTH_RANGE_NOT_SATISFIABLE;
    *part = view_slice(*part, (size_t)options->offset,
                       options->length > 0 ? (size_t)options->length : object->length);
    return HEARTH_OK;
}

static enum hearth_error memory_get(struct object_store *store, const char *key,
                                    const struct object_get_options *options,
                                    object_receive_fn *receive, void *context,
                                    struct object_info *info, bool *modified,
                                    struct error_record *error)
{
    struct memory_store *memory = of(store);
    struct view part = VIEW_NONE;
    char *copy = NULL;
    bool changed = true;
    memory->gets++;
    enum hearth_error outcome = refuse_read(memory, key, error);
    if (outcome != HEARTH_OK)
        return outcome;
    pthread_mutex_lock(&memory->lock);
    const struct memory_object *object = find(memory, key);
    outcome = object ? choose(object, options, &part, &changed) : HEARTH_NOT_FOUND;
    if (outcome == HEARTH_OK) {
        describe(object, info);
        copy = copy_of(part.data, part.length);
    }
    pthread_mutex_unlock(&memory->lock);
    if (modified)
        *modified = changed;
    if (outcome == HEARTH_OK && part.length > 0)
        outcome = receive(context, view_from(copy, part.length));
    free(copy);
    return error_set(error, outcome, "%s", key);
}

static enum hearth_error memory_head(struct object_store *store, const char *key,
                                     struct object_info *info, struct error_record *error)
{
    struct memory_store *memory = of(store);
    memory->heads++;
    enum hearth_error outcome = refuse_read(memory, key, error);
    if (outcome != HEARTH_OK)
        return outcome;
    pthread_mutex_lock(&memory->lock);
    const struct memory_object *object = find(memory, key);
    if (object)
        describe(object, info);
    pthread_mutex_unlock(&memory->lock);
    return object ? HEARTH_OK : error_set(error, HEARTH_NOT_FOUND, "%s", key);
}

/* The lock is held. */
static void store_object(struct memory_store *memory, const char *key, struct view content)
{
    struct memory_object **place = place_of(memory, key);
    struct memory_object *object = find(memory, key);
    if (!object) {
        object = calloc(1, sizeof *object);
        assert_non_null(object);
        object->key = copy_of(key, strlen(key));
        object->next = *place;
        *place = object;
    }
    free(object->content);
    object->content = copy_of(content.data, content.length);
    object->length = content.length;
    object->modified_ms = clock_wall_ms(&clock_system);
}

static enum hearth_error memory_put(struct object_store *store, const char *key,
                                    struct view content, const struct object_put_options *options,
                                    struct object_info *info, struct error_record *error)
{
    struct memory_store *memory = of(store);
    memory->puts++;
    if (memory->before_put)
        memory->before_put(memory, memory->context);
    if (!object_key_valid(view_of(key)) ||
        (options && options->if_absent && options->if_match.length > 0))
        return error_set(error, HEARTH_BAD_REQUEST, "not a key, or both conditions");
    if (memory->fail != HEARTH_OK)
        return error_set_internal(error, memory->fail, 0, "the test said so");
    pthread_mutex_lock(&memory->lock);
    const struct memory_object *object = find(memory, key);
    bool refused = options && options->if_absent && object;
    if (options && options->if_match.length > 0)
        refused = refused || !object || !tag_equals(object, options->if_match);
    if (!refused) {
        store_object(memory, key, content);
        describe(find(memory, key), info);
    }
    pthread_mutex_unlock(&memory->lock);
    return refused ? error_set(error, HEARTH_PRECONDITION_FAILED, "%s", key) : HEARTH_OK;
}

/* The first key behind `after` that has the prefix, as a copy; NULL when there is none. */
static char *next_key(struct memory_store *memory, const char *prefix, const char *after,
                      struct object_info *info)
{
    char *key = NULL;
    pthread_mutex_lock(&memory->lock);
    const struct memory_object *object = memory->objects;
    while (object && (!view_starts_with(view_of(object->key), view_of(prefix)) ||
                      (after && strcmp(object->key, after) <= 0)))
        object = object->next;
    if (object) {
        describe(object, info);
        key = copy_of(object->key, strlen(object->key));
    }
    pthread_mutex_unlock(&memory->lock);
    return key;
}

/* No lock is held while `visit` runs: it may use the store. */
static enum hearth_error memory_list(struct object_store *store,
                                     const struct object_list_options *options,
                                     object_visit_fn *visit, void *context, bool *more,
                                     struct error_record *error)
{
    struct memory_store *memory = of(store);
    struct object_entry entry = {0};
    char *key = NULL, *next;
    size_t visited = 0;
    bool go_on = true, cut = false;
    if (memory->fail != HEARTH_OK)
        return error_set_internal(error, memory->fail, 0, "the test said so");
    while (go_on && !cut &&
           (next = next_key(memory, options->prefix, key ? key : options->after, &entry.info))) {
        free(key);
        key = next;
        cut = options->limit > 0 && visited == options->limit;
        entry.key = key;
        visited++;
        go_on = cut || visit(context, &entry);
    }
    free(key);
    if (more)
        *more = cut;
    return HEARTH_OK;
}

static void free_object(struct memory_object *object)
{
    free(object->key);
    free(object->content);
    free(object);
}

static enum hearth_error memory_remove(struct object_store *store, const char *key,
                                       struct view if_match, struct error_record *error)
{
    struct memory_store *memory = of(store);
    if (!object_key_valid(view_of(key)))
        return error_set(error, HEARTH_BAD_REQUEST, "not a key");
    if (memory->fail != HEARTH_OK)
        return error_set_internal(error, memory->fail, 0, "the test said so");
    pthread_mutex_lock(&memory->lock);
    struct memory_object *object = find(memory, key);
    bool refused = if_match.length > 0 && (!object || !tag_equals(object, if_match));
    if (object && !refused) {
        *place_of(memory, key) = object->next;
        free_object(object);
    }
    pthread_mutex_unlock(&memory->lock);
    return refused ? error_set(error, HEARTH_PRECONDITION_FAILED, "%s", key) : HEARTH_OK;
}

/* It is a member of a test's own structure: memory_store_clean ends it. */
static void memory_free_nothing(struct object_store *store)
{
    (void)store;
}

void memory_store_init(struct memory_store *memory)
{
    memset(memory, 0, sizeof *memory);
    pthread_mutex_init(&memory->lock, NULL);
    memory->store = (struct object_store){
        .capabilities =
            OBJECT_STORE_PUT_IF_ABSENT | OBJECT_STORE_PUT_IF_MATCH | OBJECT_STORE_DELETE_IF_MATCH,
        .get = memory_get,
        .put = memory_put,
        .head = memory_head,
        .list = memory_list,
        .remove = memory_remove,
        .free = memory_free_nothing,
    };
}

void memory_store_clean(struct memory_store *memory)
{
    while (memory->objects) {
        struct memory_object *object = memory->objects;
        memory->objects = object->next;
        free_object(object);
    }
    pthread_mutex_destroy(&memory->lock);
}

void memory_store_set(struct memory_store *memory, const char *key, const char *text)
{
    pthread_mutex_lock(&memory->lock);
    store_object(memory, key, view_of(text));
    pthread_mutex_unlock(&memory->lock);
}

char *memory_store_text(struct memory_store *memory, const char *key)
{
    pthread_mutex_lock(&memory->lock);
    const struct memory_object *object = find(memory, key);
    char *text = object ? copy_of(object->content, object->length) : NULL;
    pthread_mutex_unlock(&memory->lock);
    return text;
}
