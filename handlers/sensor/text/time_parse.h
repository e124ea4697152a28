/*
 * time_parse.h - times as people and senders write them.
 *
 * RFC 3339 with the freedoms that real senders take: a blank, 'T' or 't' between date and time, an
 * offset with or without its colon ("-06:00", "-0600"), any number of decimals (cut to the
 * millisecond, so that a reading never moves into the next one). A time without an offset is local
 * to a zone that only the caller knows. Pure functions, no locale, no environment.
 */
#ifndef HEARTH_SENSOR_TIME_PARSE_H
#define HEARTH_SENSOR_TIME_PARSE_H

#include "hearth/base.h"

struct parsed_time {
    int64_t ms;      /* UTC when `has_offset`; else as if the local time were UTC */
    bool has_offset; /* "Z", "+02:00", "-0600" */
};

/* False when `text` is no such time, or no such day exists. Years 0000 to 9999. Second 60 is a leap
 * second and counts as the first of the next minute. */
HEARTH_MUST_CHECK bool time_parse(struct view text, struct parsed_time *time);

/* Time since 1970 as a number: seconds, with or without decimals, or whole milliseconds, which from
 * 10^11 on they are taken for (as milliseconds that is March 1973, as seconds the year 5138). False
 * when it is no such number. */
HEARTH_MUST_CHECK bool time_parse_epoch(struct view text, int64_t *ms);

/* A time in a query: epoch milliseconds ("1757894691000"), a time as above (UTC when it has no
 * offset, as all times in APIs; a blank where an unescaped '+' of the offset was), "now", or "now"
 * with a distance ("now-24h"; units ms s m h d w, y of 365 days). False when it is none of
 * these. */
HEARTH_MUST_CHECK bool time_parse_query(struct view text, int64_t now_ms, int64_t *ms);

/* A day, like 2025-09-14: its midnight as if it were UTC. False when it is none. */
HEARTH_MUST_CHECK bool time_parse_day(struct view text, int64_t *local_ms);

/* What time_parse_query takes, for messages. */
#define TIME_QUERY_FORMS                                                                           \
    "milliseconds since 1970, a time like 2025-09-14T18:04:51Z, or now-24h (units ms s m h d w y)"

#endif
