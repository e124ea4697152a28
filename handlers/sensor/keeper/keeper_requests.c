/*
 * keeper_requests.c - asking the keeper to seal, through the shared area. Numbers wrap: they are
 * compared by their difference.
 */
#include "handlers/sensor/keeper/keeper_requests.h"

#include "handlers/sensor/keeper/shared_futex.h"

#include <limits.h>

enum { STEP_NS = 250000000, DEAD_KEEPER_NS = 1000000000 };

uint32_t keeper_requests_ask(struct keeper_requests *requests)
{
    return atomic_fetch_add(&requests->asked, 1) + 1;
}

bool keeper_requests_wait(const struct keeper_requests *requests)
{
    return atomic_load(&requests->asked) != atomic_load(&requests->served);
}

static bool has_come_to(uint32_t at, uint32_t number)
{
    return (int32_t)(at - number) >= 0;
}

bool keeper_requests_served(const struct keeper_requests *requests, uint32_t number,
                            enum hearth_error *outcome)
{
    if (!has_come_to(atomic_load(&requests->served), number))
        return false;
    *outcome = (enum hearth_error)atomic_load(&requests->outcome);
    return true;
}

void keeper_requests_serve(struct keeper_requests *requests, uint32_t number,
                           enum hearth_error outcome)
{
    atomic_store(&requests->outcome, (uint32_t)outcome);
    atomic_store(&requests->served, number);
    shared_futex_wake(&requests->served, INT_MAX);
}

enum hearth_error keeper_requests_seal(struct keeper_requests *requests, struct slots *slots,
                                       const struct clock *clock, int64_t deadline_ns,
                                       struct error_record *error)
{
    uint32_t number = keeper_requests_ask(requests);
    enum hearth_error outcome;
    int64_t dead_since_ns = -1;
    slots_ring(slots);
    for (;;) {
        uint32_t seen = atomic_load(&requests->served);
        if (keeper_requests_served(requests, number, &outcome))
            break;
        int64_t now_ns = clock_monotonic_ns(clock);
        if (!slots_keeper_is_dead(slots))
            dead_since_ns = -1;
        else if (dead_since_ns < 0)
            dead_since_ns = now_ns;
        if (dead_since_ns >= 0 && now_ns - dead_since_ns >= DEAD_KEEPER_NS)
            return error_set_internal(error, HEARTH_UNAVAILABLE, 0, "there is no keeper");
        if (now_ns >= deadline_ns)
            return error_set_internal(error, HEARTH_DEADLINE, 0, "the keeper is still sealing");
        int64_t left_ns = deadline_ns - now_ns;
        shared_futex_wait(&requests->served, seen, left_ns < STEP_NS ? left_ns : STEP_NS);
    }
    return outcome == HEARTH_OK
               ? outcome
               : error_set_internal(error, outcome, 0, "the keeper: %s", error_name(outcome));
}
