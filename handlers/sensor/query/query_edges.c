/*
 * query_edges.c - where the buckets of a query begin and end.
 *
 * Days, weeks and months are walked by their number (days since 1970, weeks, months), each turned
 * into the moment at which it begins. A zone may skip a whole day, or come back into one that has
 * begun (clocks set back over midnight): moments that are not after the edge before are passed
 * over, so that such days grow together.
 */
#include "handlers/sensor/query/query_edges.h"

static const int64_t hour_ms = 3600000, day_ms = 86400000;
enum { MONDAY = 4 /* 1970-01-05, in days */ };

struct edges {
    const struct query_parameters *parameters;
    int64_t *ms;
    size_t count, capacity;
};

/* Rounds towards the past. */
static int64_t floor_divide(int64_t number, int64_t divisor)
{
    return number / divisor - (number % divisor < 0 ? 1 : 0);
}

static bool add(struct edges *edges, int64_t ms)
{
    if (edges->count == edges->capacity)
        return false;
    edges->ms[edges->count++] = ms;
    return true;
}

/* ---- Equal ones ---- */

static void add_points(struct edges *edges)
{
    int64_t from = edges->parameters->span.from_ms;
    int64_t length = edges->parameters->span.to_ms - from;
    int64_t points = (int64_t)edges->parameters->points;
    if (points > length)
        points = length;
    for (int64_t i = 0; i <= points; i++)
        (void)add(edges, from + i * length / points);
}

/* ---- Hours ---- */

/* The first moment after `ms` at which the local time is a whole hour, or clocks are changed. */
static int64_t next_hour(const struct time_zone *zone, int64_t ms)
{
    int64_t local = time_zone_to_local_ms(zone, ms);
    int64_t next = ms + (floor_divide(local, hour_ms) + 1) * hour_ms - local;
    int64_t change_s = time_zone_next_change_s(zone, floor_divide(ms, 1000));
    if (change_s >= next / 1000)
        return next;
    int64_t change = change_s * 1000;
    int64_t shift =
        time_zone_to_local_ms(zone, change) - change - (time_zone_to_local_ms(zone, ms) - ms);
    return shift == 0 ? next : change;
}

static bool add_hours(struct edges *edges)
{
    int64_t to = edges->parameters->span.to_ms;
    for (int64_t ms = edges->parameters->span.from_ms; ms < to;
         ms = next_hour(edges->parameters->zone, ms))
        if (!add(edges, ms))
            return false;
    return add(edges, to);
}

/* ---- Days and longer ---- */

static int64_t month_of(int64_t day)
{
    struct civil_time civil;
    civil_from_ms(day * day_ms, &civil);
    return (int64_t)civil.year * 12 + civil.month - 1;
}

/* Which day, week or month a local day lies in. */
static int64_t number_of(enum query_bucket bucket, int64_t day)
{
    switch (bucket) {
    case BUCKET_MONTH:
        return month_of(day);
    case BUCKET_WEEK:
        return floor_divide(day - MONDAY, 7);
    case BUCKET_POINTS:
    case BUCKET_HOUR:
    case BUCKET_DAY:
    default:
        return day;
    }
}

/* Its first local day, at midnight, as if it were UTC. */
static int64_t local_begin_ms(enum query_bucket bucket, int64_t number)
{
    if (bucket == BUCKET_MONTH) {
        const struct civil_time civil = {
            .year = (int)(number / 12), .month = (int)(number % 12) + 1, .day = 1};
        return civil_to_ms(&civil);
    }
    return (bucket == BUCKET_WEEK ? number * 7 + MONDAY : number) * day_ms;
}

static bool add_calendar(struct edges *edges)
{
    const struct query_parameters *parameters = edges->parameters;
    enum query_bucket bucket = parameters->bucket;
    int64_t last = parameters->span.from_ms;
    int64_t day = floor_divide(time_zone_to_local_ms(parameters->zone, last), day_ms);
    if (!add(edges, last))
        return false;
    for (int64_t number = number_of(bucket, day) + 1;; number++) {
        int64_t ms = time_zone_to_utc_ms(parameters->zone, local_begin_ms(bucket, number));
        if (ms >= parameters->span.to_ms)
            return add(edges, parameters->span.to_ms);
        if (ms <= last)
            continue;
        if (!add(edges, ms))
            return false;
        last = ms;
    }
}

/* ---- All ---- */

/* No span has more edges. */
static size_t capacity_of(const struct query_parameters *parameters)
{
    static const int64_t least_ms[] = {
        [BUCKET_HOUR] = INT64_C(900000),      /* a quarter of an hour */
        [BUCKET_DAY] = INT64_C(43200000),     /* half a day */
        [BUCKET_WEEK] = INT64_C(518400000),   /* 6 days */
        [BUCKET_MONTH] = INT64_C(2332800000), /* 27 days */
    };
    if (parameters->bucket == BUCKET_POINTS)
        return parameters->points + 1;
    int64_t length = parameters->span.to_ms - parameters->span.from_ms;
    int64_t edges = length / least_ms[parameters->bucket] + 3;
    return edges < QUERY_BUCKETS_MAX + 1 ? (size_t)edges : QUERY_BUCKETS_MAX + 1;
}

static enum hearth_error refuse(const struct request *request)
{
    return request_fail(request, HEARTH_BAD_QUERY,
                        "`bucket` makes more than %d buckets between `from` and `to`; longer "
                        "buckets or a shorter span are allowed",
                        QUERY_BUCKETS_MAX);
}

enum hearth_error query_edges_make(const struct request *request,
                                   const struct query_parameters *parameters,
                                   const int64_t **edges_ms, size_t *bucket_count)
{
    struct edges edges = {.parameters = parameters, .capacity = capacity_of(parameters)};
    bool fits = true;
    *edges_ms = NULL;
    *bucket_count = 0;
    if (parameters->span.from_ms == parameters->span.to_ms)
        return HEARTH_OK;
    edges.ms = arena_array(request->arena, edges.capacity, sizeof *edges.ms);
    if (!edges.ms)
        return HEARTH_NO_MEMORY;
    if (parameters->bucket == BUCKET_POINTS)
        add_points(&edges);
    else
        fits = parameters->bucket == BUCKET_HOUR ? add_hours(&edges) : add_calendar(&edges);
    if (!fits)
        return refuse(request);
    *edges_ms = edges.ms;
    *bucket_count = edges.count - 1;
    return HEARTH_OK;
}
