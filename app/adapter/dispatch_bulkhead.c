/*
 * dispatch_bulkhead.c - how many threads of a process each class of routes may hold, and all
 * classes together.
 *
 * All counts stand in one word, so that both limits are held against the same moment: with a
 * counter each, a request that enters its class and then finds no place among all would, while it
 * turns round, refuse others that have one.
 */
#include "app/adapter/dispatch_bulkhead.h"

enum {
    SLOW_LEAVES = 4,      /* for readings and pages, whatever upstreams do */
    PASSWORD_THREADS = 2, /* hashing is meant to be slow, and takes a core each */
    TOGETHER_LEAVE = 2,   /* for writes and small answers, whatever everybody else does */
    BITS = 16,            /* of one count */
    MOST = (1 << BITS) - 1,
};

/* All but `kept` of the threads, but one at least: a class that never has a place is no class. */
static size_t all_but(size_t threads, size_t kept)
{
    size_t limit = threads > kept ? threads - kept : 1;
    return limit < MOST ? limit : MOST;
}

void bulkheads_init(struct bulkheads *bulkheads, size_t threads)
{
    bulkheads->limits[BULKHEAD_NONE] = 0;
    bulkheads->limits[BULKHEAD_SLOW] = all_but(threads, SLOW_LEAVES);
    bulkheads->limits[BULKHEAD_BULK] = all_but(threads, threads - threads / 2);
    bulkheads->limits[BULKHEAD_PASSWORD] = PASSWORD_THREADS;
    bulkheads->limit_together = all_but(threads, TOGETHER_LEAVE);
    atomic_init(&bulkheads->held, 0);
}

static uint64_t one_of(enum bulkhead class)
{
    return UINT64_C(1) << (unsigned)class * BITS;
}

static size_t count_of(uint64_t held, size_t class)
{
    return (size_t)(held >> class * BITS & MOST);
}

static bool has_place(const struct bulkheads *bulkheads, uint64_t held, enum bulkhead class)
{
    size_t together = 0;
    for (size_t i = 0; i < BULKHEAD_COUNT; i++)
        together += count_of(held, i);
    return together < bulkheads->limit_together && count_of(held, class) < bulkheads->limits[class];
}

bool bulkhead_enter(struct bulkheads *bulkheads, enum bulkhead class)
{
    if (class == BULKHEAD_NONE)
        return true;
    uint64_t held = atomic_load_explicit(&bulkheads->held, memory_order_relaxed);
    while (has_place(bulkheads, held, class))
        if (atomic_compare_exchange_weak_explicit(&bulkheads->held, &held, held + one_of(class),
                                                  memory_order_relaxed, memory_order_relaxed))
            return true;
    return false;
}

void bulkhead_leave(struct bulkheads *bulkheads, enum bulkhead class)
{
    if (class != BULKHEAD_NONE)
        atomic_fetch_sub_explicit(&bulkheads->held, one_of(class), memory_order_relaxed);
}
