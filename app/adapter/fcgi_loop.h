/*
 * fcgi_loop.h - the connections of one worker process and the threads that serve them.
 *
 * All threads serve one epoll; none is tied to a connection. See fcgi_loop.c.
 */
#ifndef HEARTH_FCGI_LOOP_H
#define HEARTH_FCGI_LOOP_H

#include <stdatomic.h>

#include "app/adapter/fcgi_shared.h"
#include "app/adapter/fcgi_transport.h"
#include "app/adapter/fcgi_turns.h"

/* Answers the request that the exchange has begun: completes it or breaks it off. The arena is
 * empty, and reset afterwards; `turn` is passed on before it waits. Any thread of the loop, many at
 * once. */
typedef void fcgi_serve_fn(void *context, struct fcgi_exchange *exchange, struct arena *arena,
                           struct fcgi_turn *turn);

struct fcgi_loop_options {
    enum fcgi_mode mode;            /* Required. */
    int listener;                   /* Required. Does not block. */
    size_t threads;                 /* Required. How many will run the loop. */
    size_t max_head_bytes;          /* Required. http.max_head_bytes. */
    struct fcgi_time_limits limits; /* Required. */
    int64_t drain_ms;               /* Required. For a peer that sends on though it was answered. */
    struct fcgi_slot_metrics series; /* Required. */
    _Atomic int32_t *in_flight;      /* Required. Counts busy threads; must outlive the loop. */
    fcgi_serve_fn *serve;            /* Required. */
    void *context;
};

struct fcgi_loop;

/* NULL when memory ran out or the kernel refused (`error` says which). */
struct fcgi_loop *fcgi_loop_new(const struct fcgi_loop_options *options,
                                struct error_record *error);
/* Closes all connections. No thread may be in fcgi_loop_run. NULL is allowed. */
void fcgi_loop_free(struct fcgi_loop *loop);

/* A thread's life: serves until fcgi_loop_stop. Errors: NO_MEMORY. */
HEARTH_MUST_CHECK enum hearth_error fcgi_loop_run(struct fcgi_loop *loop);
/* The life of the watchman, one thread more (fcgi_turns.h). */
void fcgi_loop_watch(struct fcgi_loop *loop);

/* The following from any thread. */
void fcgi_loop_stop_accepting(struct fcgi_loop *loop); /* after taking what waits already */
void fcgi_loop_stop(struct fcgi_loop *loop);           /* all threads return when they are idle */
size_t fcgi_loop_connections(const struct fcgi_loop *loop);

#endif
