/*
 * dispatch_bulkhead.h - how many threads of a process each class of routes may hold, and all
 * classes together (see enum bulkhead).
 *
 * Counted per process, in one atomic word; nothing waits: what finds its class full, or all
 * together at their limit, is refused.
 */
#ifndef HEARTH_DISPATCH_BULKHEAD_H
#define HEARTH_DISPATCH_BULKHEAD_H

#include <stdatomic.h>

#include "hearth/module.h"

struct bulkheads {
    size_t limits[BULKHEAD_COUNT]; /* of each class; that of BULKHEAD_NONE is not looked at */
    size_t limit_together;
    _Atomic uint64_t held; /* 16 bits a class */
};

/* `threads`: of the process, at least 1. */
void bulkheads_init(struct bulkheads *bulkheads, size_t threads);
/* False when there is no place; then nothing is held. BULKHEAD_NONE always has one. Any thread. */
bool bulkhead_enter(struct bulkheads *bulkheads, enum bulkhead class);
/* Once for each bulkhead_enter that was true. Any thread. */
void bulkhead_leave(struct bulkheads *bulkheads, enum bulkhead class);

#endif
