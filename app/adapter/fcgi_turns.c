/*
 * fcgi_turns.c - atomics for the threads that are awake, a list under a mutex for those that are
 * parked.
 *
 * No event waits for ever: whenever nobody is seated though somebody is parked, the watchman is
 * awake. It goes to sleep, and threads park, under the lock; each says so before it looks at the
 * other's word for the last time.
 */
#include "app/adapter/fcgi_turns.h"

#include <time.h>

void fcgi_turns_init(struct fcgi_turns *turns, bool (*events_wait)(void *context), void *context)
{
    *turns = (struct fcgi_turns){.events_wait = events_wait, .context = context};
    atomic_init(&turns->seats, 1);
    atomic_init(&turns->needed, 1);
    pthread_mutex_init(&turns->lock, NULL);
    pthread_cond_init(&turns->traffic, NULL);
}

void fcgi_turns_clean(struct fcgi_turns *turns)
{
    pthread_cond_destroy(&turns->traffic);
    pthread_mutex_destroy(&turns->lock);
}

void fcgi_turn_init(struct fcgi_turn *turn, struct fcgi_turns *turns)
{
    *turn = (struct fcgi_turn){.turns = turns};
    pthread_cond_init(&turn->wake, NULL);
}

void fcgi_turn_clean(struct fcgi_turn *turn)
{
    pthread_cond_destroy(&turn->wake);
}

/* ---- Threads ---- */

bool fcgi_turn_seek(struct fcgi_turn *turn)
{
    struct fcgi_turns *turns = turn->turns;
    if (turn->waits) {
        turn->waits = false;
        atomic_fetch_sub(&turns->waiting, 1);
    }
    unsigned seated = atomic_load(&turns->seated);
    turn->seated = false;
    while (!turn->seated && seated < atomic_load(&turns->seats)) {
        turn->seated = atomic_compare_exchange_weak(&turns->seated, &seated, seated + 1);
    }
    return turn->seated;
}

/* With the lock. */
static void rouse_watchman(struct fcgi_turns *turns)
{
    if (atomic_load(&turns->watchman_sleeps)) {
        atomic_store(&turns->watchman_sleeps, false);
        pthread_cond_signal(&turns->traffic);
    }
}

/* With the lock. */
static void unpark(struct fcgi_turns *turns, unsigned count)
{
    while (turns->parked && count > 0) {
        struct fcgi_turn *turn = turns->parked;
        turns->parked = turn->next;
        turn->parked = false;
        pthread_cond_signal(&turn->wake);
        count--;
    }
}

static void park(struct fcgi_turns *turns, struct fcgi_turn *turn)
{
    pthread_mutex_lock(&turns->lock);
    if (!turns->ended) {
        turn->parked = true;
        turn->next = turns->parked;
        turns->parked = turn;
        rouse_watchman(turns); /* who was seated when this one looked may be gone */
    }
    while (turn->parked) {
        pthread_cond_wait(&turn->wake, &turns->lock);
    }
    pthread_mutex_unlock(&turns->lock);
}

void fcgi_turn_found(struct fcgi_turn *turn, bool found)
{
    struct fcgi_turns *turns = turn->turns;
    if (found) {
        atomic_fetch_add(&turns->taken, 1);
    }
    if (turn->seated) {
        atomic_fetch_sub(&turns->seated, 1);
    }
    if (found && atomic_load(&turns->watchman_sleeps)) {
        pthread_mutex_lock(&turns->lock);
        rouse_watchman(turns);
        pthread_mutex_unlock(&turns->lock);
    }
    if (!found && !turn->seated) {
        park(turns, turn);
    }
}

static void raise(atomic_uint *to, unsigned least)
{
    unsigned value = atomic_load(to);
    while (value < least && !atomic_compare_exchange_weak(to, &value, least)) {
    }
}

void fcgi_turn_pass_on(struct fcgi_turn *turn)
{
    struct fcgi_turns *turns = turn->turns;
    if (!turn->waits) {
        turn->waits = true;
        const unsigned seats = atomic_fetch_add(&turns->waiting, 1) + 2;
        raise(&turns->needed, seats);
        raise(&turns->seats, seats);
    }
    if (atomic_load(&turns->seated) == 0) {
        pthread_mutex_lock(&turns->lock);
        unpark(turns, 1);
        pthread_mutex_unlock(&turns->lock);
    }
}

void fcgi_turns_end(struct fcgi_turns *turns)
{
    pthread_mutex_lock(&turns->lock);
    turns->ended = true;
    rouse_watchman(turns);
    while (turns->parked) {
        unpark(turns, 1);
    }
    pthread_mutex_unlock(&turns->lock);
}

/* ---- The watchman ---- */

/* Until something is taken, or somebody parks. */
static void sleep_until_traffic(struct fcgi_turns *turns, unsigned taken)
{
    pthread_mutex_lock(&turns->lock);
    atomic_store(&turns->watchman_sleeps, true);
    if (atomic_load(&turns->taken) != taken ||
        (turns->parked && atomic_load(&turns->seated) == 0)) {
        atomic_store(&turns->watchman_sleeps, false);
    }
    while (atomic_load(&turns->watchman_sleeps) && !turns->ended) {
        pthread_cond_wait(&turns->traffic, &turns->lock);
    }
    pthread_mutex_unlock(&turns->lock);
}

/* How many threads the round is to unpark, when the one before unparked so many. */
static unsigned relief(struct fcgi_turns *turns, unsigned taken, unsigned before)
{
    if (atomic_load(&turns->seated) > 0) {
        return 0;
    }
    if (taken < FCGI_TURNS_FEW && turns->events_wait(turns->context)) {
        return before > 0 ? before * 2 : 1;
    }
    return taken == 0 ? 1 : 0;
}

static bool has_ended(struct fcgi_turns *turns)
{
    pthread_mutex_lock(&turns->lock);
    const bool ended = turns->ended;
    pthread_mutex_unlock(&turns->lock);
    return ended;
}

void fcgi_turns_watch(struct fcgi_turns *turns)
{
    const struct timespec round = {.tv_nsec = FCGI_TURNS_ROUND_US * 1000L};
    unsigned before = atomic_load(&turns->taken);
    unsigned count = 0;
    for (unsigned rounds = 1; !has_ended(turns); rounds++) {
        clock_nanosleep(CLOCK_MONOTONIC, 0, &round, NULL);
        const unsigned now = atomic_load(&turns->taken);
        count = relief(turns, now - before, count);
        pthread_mutex_lock(&turns->lock);
        unpark(turns, count);
        pthread_mutex_unlock(&turns->lock);
        if (rounds % FCGI_TURNS_SEATS_ROUNDS == 0) {
            const unsigned needed =
                atomic_exchange(&turns->needed, atomic_load(&turns->waiting) + 1);
            atomic_store(&turns->seats, needed);
        }
        if (now == before) {
            sleep_until_traffic(turns, now);
        }
        before = now;
    }
}
