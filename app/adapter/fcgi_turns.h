/*
 * fcgi_turns.h - which threads of a worker look for work, and which are parked.
 *
 * A thread that sleeps in epoll_wait is woken for every event, also when another would have been
 * back a moment later; each such wake-up takes the processor from the web server that the answer is
 * for. So there is one seat, which is what allows a thread to sleep there. The others may look, and
 * are parked when they find nothing.
 *
 * Who has taken an event leaves the seat and hands it to nobody: most answers are done in
 * microseconds. Others are awake soon all the same:
 *
 *   fcgi_turn_pass_on   a request that is known to wait (for a disk, a peer) says so first. As many
 *                       as wait at once, so many seats more there are for the next moment: their
 *                       threads come back together, and parking each of them costs more.
 *   the watchman        a thread of its own that looks once a round whether the work goes on. Where
 *                       it does not, it unparks one thread, then twice as many each round. It
 *                       sleeps while there is no traffic.
 *
 * "Leader/Followers" (Schmidt et al., Pattern-Oriented Software Architecture 2, 2000), where the
 * leader does not appoint a successor unless there is need of one.
 */
#ifndef HEARTH_FCGI_TURNS_H
#define HEARTH_FCGI_TURNS_H

#include <pthread.h>
#include <stdatomic.h>

#include "hearth/base.h"

enum {
    FCGI_TURNS_ROUND_US = 1000, /* of the watchman */
    FCGI_TURNS_FEW = 16,        /* events a round: fewer, and a thread more may help */
    FCGI_TURNS_SEATS_ROUNDS =
        128 /* then there are as many seats as were needed since the last time */
};

/* A thread's own. */
struct fcgi_turn {
    struct fcgi_turns *turns;
    bool seated;
    bool waits;  /* passed on, and has not sought since */
    bool parked; /* under the lock */
    pthread_cond_t wake;
    struct fcgi_turn *next;
};

struct fcgi_turns {
    bool (*events_wait)(void *context);
    void *context;

    atomic_uint seated, seats;
    atomic_uint waiting; /* requests that were passed on */
    atomic_uint needed;  /* seats, at most, since some were taken away last */
    atomic_uint taken;   /* events, ever; wraps */
    atomic_bool watchman_sleeps;

    pthread_mutex_t lock;     /* guards what follows */
    struct fcgi_turn *parked; /* the one whose caches are warmest first */
    pthread_cond_t traffic;   /* for the watchman */
    bool ended;
};

/* `events_wait`: is there an event that nobody has taken? Asked by the watchman alone. */
void fcgi_turns_init(struct fcgi_turns *turns, bool (*events_wait)(void *context), void *context);
/* No thread, nor the watchman, is inside any more. */
void fcgi_turns_clean(struct fcgi_turns *turns);

void fcgi_turn_init(struct fcgi_turn *turn, struct fcgi_turns *turns);
void fcgi_turn_clean(struct fcgi_turn *turn);

/* True: the thread has a seat and may wait for an event. False: it may only look. */
bool fcgi_turn_seek(struct fcgi_turn *turn);
/* What came of it; the seat is left. Who found nothing without a seat is parked in here. */
void fcgi_turn_found(struct fcgi_turn *turn, bool found);
/* The thread, which is serving, will wait: another one is unparked unless one is seated. Once or
 * more a request. */
void fcgi_turn_pass_on(struct fcgi_turn *turn);

/* The watchman's life, until the end. */
void fcgi_turns_watch(struct fcgi_turns *turns);
/* Nobody is parked from now on. Any thread. */
void fcgi_turns_end(struct fcgi_turns *turns);

#endif
