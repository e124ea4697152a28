/*
 * dispatch_bulkhead.c - how many threads of a process each class of routes may hold.
 */
#include "app/adapter/dispatch_bulkhead.h"

enum {
    THREADS_KEPT_FREE = 4, /* for readings and pages, whatever upstreams do */
    PASSWORD_THREADS = 2,  /* hashing is meant to be slow, and takes a core each */
};

void bulkheads_init(struct bulkheads *bulkheads, size_t threads)
{
    for (size_t i = 0; i < BULKHEAD_COUNT; i++) {
        bulkheads->classes[i].limit = 0;
        atomic_init(&bulkheads->classes[i].held, 0);
    }
    bulkheads->classes[BULKHEAD_SLOW].limit =
        threads > THREADS_KEPT_FREE ? threads - THREADS_KEPT_FREE : 1;
    bulkheads->classes[BULKHEAD_PASSWORD].limit = PASSWORD_THREADS;
}

bool bulkhead_enter(struct bulkheads *bulkheads, enum bulkhead class)
{
    size_t limit = bulkheads->classes[class].limit;
    if (limit == 0)
        return true;
    _Atomic size_t *held = &bulkheads->classes[class].held;
    size_t now = atomic_load_explicit(held, memory_order_relaxed);
    while (now < limit)
        if (atomic_compare_exchange_weak_explicit(held, &now, now + 1, memory_order_relaxed,
                                                  memory_order_relaxed))
            return true;
    return false;
}

void bulkhead_leave(struct bulkheads *bulkheads, enum bulkhead class)
{
    if (bulkheads->classes[class].limit > 0)
        atomic_fetch_sub_explicit(&bulkheads->classes[class].held, 1, memory_order_relaxed);
}
