/*
 * support_memory_store.h - an object store in memory, with a handle on what goes wrong.
 */
#ifndef TESTS_SUPPORT_MEMORY_STORE_H
#define TESTS_SUPPORT_MEMORY_STORE_H

#include "hearth/object_store.h"

#include <pthread.h>
#include <stdatomic.h>

struct memory_object {
    struct memory_object *next; /* in the order of the keys */
    char *key;
    char *content;
    size_t length;
    int64_t modified_ms;
};

struct memory_store {
    struct object_store store; /* pass &memory.store */
    pthread_mutex_t lock;      /* guards the objects */
    struct memory_object *objects;
    atomic_int heads, gets, puts;
    /* When not OK: what every call gives back instead of doing anything. */
    _Atomic enum hearth_error fail;
    /* Called before a put is judged, without the lock: what another process does meanwhile. */
    void (*before_put)(struct memory_store *memory, void *context);
    void *context;
    /* Called at the start of a head or get, without the lock. */
    void (*before_read)(struct memory_store *memory, void *context);
};

void memory_store_init(struct memory_store *memory);
void memory_store_clean(struct memory_store *memory);
/* Without conditions and without a test's interference. */
void memory_store_set(struct memory_store *memory, const char *key, const char *text);
/* A terminated copy that the caller frees, or NULL. */
char *memory_store_text(struct memory_store *memory, const char *key);

#endif
