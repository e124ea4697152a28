/*
 * fcgi_places.h - how many threads of a worker may wait for their peers at once.
 *
 * One count for all kinds of waiting: for the rest of a head, for a body, for room in the socket of
 * an answer. Counts apart would each be right and together hold every thread. Who finds no place
 * does not wait, or only for a moment; see fcgi_loop.c for what it does instead.
 */
#ifndef HEARTH_FCGI_PLACES_H
#define HEARTH_FCGI_PLACES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

/* How long a thread may wait that has no place: as long as a front takes that is not withholding
 * anything. */
enum { FCGI_WITHOUT_PLACE_MS = 25 };

/* Shared by the threads of a process; any of them may call. */
struct fcgi_places {
    atomic_int taken;
    int limit;
};

/* Of so many threads the last quarter, at least the last one, never waits; of one thread, none is
 * left. */
size_t fcgi_places_reserve(size_t threads);
void fcgi_places_init(struct fcgi_places *places, size_t threads);
/* False: there is no place. NULL always has one. */
bool fcgi_places_take(struct fcgi_places *places);
/* Once for each that was taken. NULL is allowed. */
void fcgi_places_give_back(struct fcgi_places *places);
bool fcgi_places_all_taken(struct fcgi_places *places);

#endif
