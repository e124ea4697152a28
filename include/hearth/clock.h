/*
 * clock.h - time, injected.
 *
 * Wall time (UTC, milliseconds since the Unix epoch) is for records and for people; monotonic time
 * (nanoseconds since some moment before the program started) is for durations and deadlines. Code
 * that needs either takes a `const struct clock *`, so that a test owns the time. Both functions
 * may be called from any thread.
 */
#ifndef HEARTH_CLOCK_H
#define HEARTH_CLOCK_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

struct clock {
    int64_t (*wall_ms)(const struct clock *clock);
    int64_t (*monotonic_ns)(const struct clock *clock);
};

extern const struct clock clock_system; /* CLOCK_REALTIME and CLOCK_MONOTONIC */

/* A clock that stands still until it is told. Set the two members at will. */
struct clock_manual {
    struct clock clock; /* pass &manual.clock */
    _Atomic int64_t wall_ms_now;
    _Atomic int64_t monotonic_ns_now;
};
void clock_manual_init(struct clock_manual *manual, int64_t wall_ms);
/* Moves both. */
void clock_manual_advance_ms(struct clock_manual *manual, int64_t milliseconds);

static inline int64_t clock_wall_ms(const struct clock *clock)
{
    return clock->wall_ms(clock);
}

static inline int64_t clock_monotonic_ns(const struct clock *clock)
{
    return clock->monotonic_ns(clock);
}

/* Proleptic Gregorian calendar, UTC, no locale, no environment. */
struct civil_time {
    int year, month, day;         /* month 1..12, day 1..31 */
    int hour, minute, second, ms; /* second 0..59 */
    int weekday;                  /* 0 = Sunday */
};
void civil_from_ms(int64_t wall_ms, struct civil_time *civil);
int64_t
civil_to_ms(const struct civil_time *civil); /* ignores weekday; fields may be out of range */

enum {
    CLOCK_RFC3339_SIZE = sizeof "2025-09-14T18:04:51.123Z",
    CLOCK_HTTP_SIZE = sizeof "Sun, 14 Sep 2025 18:04:51 GMT",
};
/* Years 0..9999; clamped outside. Writes a terminated string of the sizes above. */
void clock_format_rfc3339(int64_t wall_ms, char text[CLOCK_RFC3339_SIZE]);
/* IMF-fixdate, RFC 9110 section 5.6.7. */
void clock_format_http(int64_t wall_ms, char text[CLOCK_HTTP_SIZE]);
/* All three date forms of RFC 9110, years of two digits by the system clock; -1 when it is none. */
int64_t clock_parse_http(const char *text, size_t length);

#endif
