/*
 * clock.c - the system's clock, and one that stands still for tests.
 */
#include "hearth/clock.h"

#include <time.h>

static int64_t system_wall_ms(const struct clock *clock)
{
    (void)clock;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t system_monotonic_ns(const struct clock *clock)
{
    (void)clock;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

const struct clock clock_system = {system_wall_ms, system_monotonic_ns};

/* The clock is the first member, so its address is that of the whole. */
static int64_t manual_wall_ms(const struct clock *clock)
{
    return atomic_load(&((const struct clock_manual *)clock)->wall_ms_now);
}

static int64_t manual_monotonic_ns(const struct clock *clock)
{
    return atomic_load(&((const struct clock_manual *)clock)->monotonic_ns_now);
}

void clock_manual_init(struct clock_manual *manual, int64_t wall_ms)
{
    manual->clock = (struct clock){manual_wall_ms, manual_monotonic_ns};
    atomic_init(&manual->wall_ms_now, wall_ms);
    /* Not zero: code that takes 0 for "never" must not pass its tests by luck. */
    atomic_init(&manual->monotonic_ns_now, 1000000000);
}

void clock_manual_advance_ms(struct clock_manual *manual, int64_t milliseconds)
{
    atomic_fetch_add(&manual->wall_ms_now, milliseconds);
    atomic_fetch_add(&manual->monotonic_ns_now, milliseconds * 1000000);
}
