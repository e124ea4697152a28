/*
 * fcgi_waiting.h - connections that are set aside, so that they hold no thread.
 *
 * Two kinds. One whose request has not all arrived, while threads are scarce: it goes back to the
 * others once it has arrived, or threads are free again. And one that was answered before its body
 * was read: what still comes is read and dropped, because closing at once could cost the peer the
 * answer: a front that sends all before it reads (Caddy) takes the failed sending for the outcome.
 * Both are closed when their time is over, the second also once its peer sends nothing for long. A
 * timer looks after them; while nobody waits, it does not run.
 */
#ifndef HEARTH_FCGI_WAITING_H
#define HEARTH_FCGI_WAITING_H

#include <pthread.h>
#include <stdatomic.h>

#include "hearth/base.h"

enum fcgi_watch_kind {
    FCGI_WATCH_CONNECTION,
    FCGI_WATCH_LISTENER,
    FCGI_WATCH_TIMER, /* of the waiting list */
    FCGI_WATCH_STOP
};

enum fcgi_wait_kind { FCGI_WAIT_HEAD, FCGI_WAIT_DRAIN };

/* What epoll hands back. A connection's belongs to the thread that serves it, to epoll, or to the
 * waiting list, to one at a time. */
struct fcgi_watch {
    enum fcgi_watch_kind kind;
    int fd;
    enum fcgi_wait_kind waits_for;
    int64_t wait_end_ns;     /* monotonic */
    int64_t pause_end_ns;    /* FCGI_WAIT_DRAIN: unless something more is sent */
    atomic_bool armed;       /* orders what its last owner did before what the next one does */
    struct fcgi_watch *next; /* in the waiting list */
    struct fcgi_watch *all_before, *all_behind; /* among all connections of the loop */
};

struct fcgi_waiting {
    int timer; /* for epoll, edge-triggered */
    size_t peek_bytes;
    void *context;
    /* The connection goes back to epoll. Called on the thread that ticks, without the lock. */
    void (*resume)(void *context, struct fcgi_watch *watch);
    /* Its time is over, or its peer has gone: close it. As above. */
    void (*expire)(void *context, struct fcgi_watch *watch);
    bool (*threads_are_scarce)(void *context);

    pthread_mutex_t lock; /* guards the rest; held without blocking calls */
    struct fcgi_watch *first;
    char *peeked; /* peek_bytes, from the first use on */
};

/* The caller has filled peek_bytes (the largest head that is looked for) and what follows it.
 * Errors: IO, NO_MEMORY. */
HEARTH_MUST_CHECK enum hearth_error fcgi_waiting_init(struct fcgi_waiting *waiting);
/* The connections that wait are not closed: they are given to `expire`. */
void fcgi_waiting_clean(struct fcgi_waiting *waiting);

/* Has all of a request's head arrived, so that reading it cannot block? Any thread. */
bool fcgi_waiting_head_arrived(struct fcgi_waiting *waiting, int connection);
/* Sets a connection aside. Any thread. */
void fcgi_waiting_add(struct fcgi_waiting *waiting, struct fcgi_watch *watch,
                      enum fcgi_wait_kind waits_for, int64_t milliseconds);
/* The timer has fired. Any thread. */
void fcgi_waiting_tick(struct fcgi_waiting *waiting);

#endif
