/*
 * fcgi_children.h - the master's table of its children: workers in their slots, and the keeper.
 *
 * The table starts, counts, signals and buries; when that is done is the master's business
 * (fcgi_pool.c). Used by the master's one thread.
 */
#ifndef HEARTH_FCGI_CHILDREN_H
#define HEARTH_FCGI_CHILDREN_H

#include <sys/types.h>

#include "app/adapter/fcgi_child.h"
#include "app/adapter/fcgi_shared.h"
#include "app/adapter/fcgi_transport.h"

enum fcgi_child_state {
    FCGI_CHILD_NONE,     /* the place is free */
    FCGI_CHILD_STARTING, /* forked, has not reported */
    FCGI_CHILD_READY,
    FCGI_CHILD_ENDING /* was told to end */
};

struct fcgi_child {
    enum fcgi_child_state state;
    pid_t pid;
    uint32_t generation;
    size_t threads; /* of a worker */
    int report;     /* the pipe on which it reports, or -1 */
    int64_t started_ms;
    int64_t kill_ms; /* while ENDING: when it is killed; monotonic */
};

/* How soon the next one is started: at once, unless several have died young in a row. */
struct fcgi_backoff {
    unsigned young_deaths;
    int64_t next_start_ms; /* monotonic */
};

struct fcgi_children {
    const struct module *const *modules;
    const struct fcgi_shared *shared;
    enum fcgi_mode mode;
    int listener;
    int master_fds[2]; /* what a child must not hold: the lock, the signals; -1 = none */

    /* For those that are started next. */
    const struct config *config;
    size_t threads;
    uint32_t generation;

    struct fcgi_child workers[FCGI_WORKER_SLOTS];
    struct fcgi_child keeper;
    const struct module *keeper_module; /* NULL = no keeper in this pool */
    size_t keeper_index;
    struct fcgi_backoff worker_backoff, keeper_backoff;
    struct metric *workers_gauge, *worker_restarts, *keeper_restarts;
};

void fcgi_children_init(struct fcgi_children *children, const struct module *const *modules,
                        const struct fcgi_shared *shared);

int64_t fcgi_now_ms(void); /* monotonic */

/* Errors: NO_MEMORY (no process or pipe can be made), BUSY (all slots are taken). In the child it
 * does not return. */
HEARTH_MUST_CHECK enum hearth_error fcgi_children_start_worker(struct fcgi_children *children);
HEARTH_MUST_CHECK enum hearth_error fcgi_children_start_keeper(struct fcgi_children *children);

enum { FCGI_ANY_GENERATION = 0 };
/* Workers of a generation, in a state; FCGI_CHILD_NONE: in any. */
size_t fcgi_children_count(const struct fcgi_children *children, uint32_t generation,
                           enum fcgi_child_state state);
/* Of all workers together. */
size_t fcgi_children_threads(const struct fcgi_children *children);
/* Workers of other generations than this one. */
size_t fcgi_children_count_others(const struct fcgi_children *children, uint32_t generation);

/* Tells a child to end; it is killed when it has not ended after so long. */
void fcgi_child_end(struct fcgi_child *child, int64_t patience_ms);
/* Tells workers to end: those of a generation, or all but those of it. */
void fcgi_children_end(struct fcgi_children *children, uint32_t generation, bool others,
                       int64_t patience_ms);
void fcgi_children_signal(const struct fcgi_children *children, int number);
void fcgi_children_kill_overdue(struct fcgi_children *children);

/* What has happened to a child. */
struct fcgi_child_event {
    const char *role; /* "worker", "keeper" */
    bool is_keeper;
    bool expected;             /* it ended because it was told to */
    bool reported;             /* else: it ended */
    struct fcgi_report report; /* its last word, if any: code, detail */
    pid_t pid;
    uint32_t generation;
    enum fcgi_child_state before;
};
/* The next report that has come in, or child that has ended and was buried: what it held is given
 * back, and a successor's earliest start is set. False when there is none. */
bool fcgi_children_next_event(struct fcgi_children *children, struct fcgi_child_event *event);

#endif
