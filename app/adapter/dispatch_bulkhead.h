/*
 * dispatch_bulkhead.h - how many threads of a process each class of routes may hold.
 *
 * Counted per process, by one atomic a class; nothing waits: a full class refuses.
 */
#ifndef HEARTH_DISPATCH_BULKHEAD_H
#define HEARTH_DISPATCH_BULKHEAD_H

#include <stdatomic.h>

#include "hearth/module.h"

struct bulkheads {
    struct {
        size_t limit; /* 0 = none */
        _Atomic size_t held;
    } classes[BULKHEAD_COUNT];
};

void bulkheads_init(struct bulkheads *bulkheads, size_t threads);
/* False when the class is full; then nothing is held. Any thread. */
bool bulkhead_enter(struct bulkheads *bulkheads, enum bulkhead class);
void bulkhead_leave(struct bulkheads *bulkheads, enum bulkhead class);

#endif
