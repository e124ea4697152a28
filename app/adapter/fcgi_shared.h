/*
 * fcgi_shared.h - the one mapping that all processes of a pool share.
 *
 * In it: the metrics registry, a slot a worker process, and each module's own area. The master
 * makes it before it forks; it lasts as long as the pool, over deaths and reloads, and vanishes
 * with the last process.
 */
#ifndef HEARTH_FCGI_SHARED_H
#define HEARTH_FCGI_SHARED_H

#include "hearth/module.h"

/* Twice what pool.workers allows: at a reload the old workers and the new ones stand side by side.
 */
enum { FCGI_WORKER_SLOTS = 2 * 64 };

/* Written by the master, but `in_flight`, which is the worker's while it lives. */
struct fcgi_worker_slot {
    _Alignas(64) _Atomic int64_t pid; /* 0 = free */
    _Atomic int32_t in_flight;        /* requests being handled: threads that are busy */
    _Atomic uint32_t generation;      /* counts reloads */
};

struct fcgi_shared {
    void *base;
    size_t size_bytes;
    struct metrics *metrics;
    struct fcgi_worker_slot *slots; /* FCGI_WORKER_SLOTS */
    void **areas;                   /* one a module, in the modules' order; NULL = none */
    size_t *area_bytes;
    size_t max_threads; /* of all workers together, old and new */
};

/* `max_threads`: the most that can run at once. Errors: NO_MEMORY, and what a module's shared_init
 * says. On error nothing is left. */
HEARTH_MUST_CHECK enum hearth_error
fcgi_shared_create(struct fcgi_shared *shared, const struct module *const *modules,
                   const struct config *config, size_t max_threads, struct error_record *error);
void fcgi_shared_destroy(struct fcgi_shared *shared);
/* Does every module's area suffice for another configuration? False: `why` names the first that
 * does not. */
bool fcgi_shared_suffices(const struct fcgi_shared *shared, const struct module *const *modules,
                          const struct config *config, char *why, size_t why_size);

/* The series of a slot. */
struct fcgi_slot_metrics {
    struct metric *connections, *threads_busy, *parked;
};
void fcgi_slot_metrics_find(struct fcgi_slot_metrics *found, struct metrics *metrics, size_t slot);
/* A worker has ended: what it had counted counts no longer. */
void fcgi_slot_release(const struct fcgi_shared *shared, size_t slot);

#endif
