/*
 * aggregate_sums.h - the sums of the series over a bucket, while its readings go by.
 *
 * What a digest is (digest.h), laid out for speed: the times of a series' readings are summed once
 * for both of its quantities as long as every reading has both, and a minimum and its time are one
 * number. One thread.
 */
#ifndef HEARTH_SENSOR_AGGREGATE_SUMS_H
#define HEARTH_SENSOR_AGGREGATE_SUMS_H

#include "handlers/sensor/aggregate/aggregate.h"
#include "handlers/sensor/aggregate/sum_pair.h"

enum {
    SUM_TIME_BITS = 42,
    SUM_LIFT = 16384, /* added to values while they are summed: all are between 8,000 and 2^16 */
};
#define SUM_TIME_MASK ((UINT64_C(1) << SUM_TIME_BITS) - 1)
#define SUM_NEVER     UINT64_MAX /* as last_ms: no reading yet */

struct sum_clock {
    uint64_t last_ms; /* stays over the end of a bucket, as `last` does */
    uint64_t count, first_ms, gap_ms;
    uint64_t stale_ms; /* between first and last reading, what is not covered */
};

/* Of both quantities. */
struct sum_tracks {
    sum_pair first, last, integral; /* of lifted values */
    /* The value above SUM_TIME_BITS, its time below; for the maximum the time is taken away instead
     * of added, so that of two equal ones the earlier is the greater. */
    sum_pair min_key, max_key;
};

struct series_sum {
    /* A reading that comes so soon after the one before it, with both quantities, is added in a few
     * steps; 0 = none, since the bucket is empty or the clocks are apart. */
    uint64_t soon_ms;
    struct sum_clock clocks[QUANTITY_COUNT]; /* while shared, the first is that of both */
    struct sum_tracks tracks;
    sum_pair held;
    uint64_t held_since_ms[QUANTITY_COUNT];
    uint64_t limit_ms;
    uint32_t series; /* index */
    bool shared;
    int64_t known_integral[QUANTITY_COUNT], known_ms[QUANTITY_COUNT]; /* see sums_known */
};

struct sums {
    const struct bucket_query *query;
    int64_t segment_ms;                         /* a time in the span for which by_place holds */
    struct series_sum *by_place[SERIES_PLACES]; /* NULL = not looked up yet */
    struct series_sum **by_series;              /* by index; NULL = none yet */
    struct series_sum **ordered;                /* ascending by index */
    size_t count, capacity;
    struct bucket_track *tracks; /* two for each of `capacity` */
    struct series_sum unwanted;  /* stands for every series that nobody asked for */
    bool no_memory;              /* sums are not whole */
};

/* Errors: NO_MEMORY. Clean it in any case. */
HEARTH_MUST_CHECK enum hearth_error sums_init(struct sums *sums, const struct bucket_query *query);
void sums_clean(struct sums *sums);

/* From now on readings are of that time or later, and transmitters may be other series. */
void sums_enter(struct sums *sums, int64_t time_ms);
/* The sum of a transmitter; never NULL, maybe &sums->unwanted. */
struct series_sum *sums_of_place(struct sums *sums, unsigned place);

/* Adds ascending records up to the first of `until_ms` or later; gives back how many. */
size_t sums_scan(struct sums *sums, const struct record *records, size_t count, uint64_t until_ms);

/* The readings up to here are those before the bucket that begins now. */
void sums_begin_bucket(struct sums *sums);
/* The readings up to here are those of the bucket that began at `from_ms` and before
 * known_until_ms, which is inside of it: nothing after that is covered. */
void sums_known(struct sums *sums, int64_t from_ms);
/* Fills sums->tracks for [from, to); how many. */
size_t sums_tracks(struct sums *sums, int64_t from_ms, int64_t to_ms);

/* ---- Inside ---- */

/* For how long the last value held up to a reading at `time_ms`. */
static inline uint64_t sum_clock_hold(struct sum_clock *clock, uint64_t time_ms, uint64_t limit_ms)
{
    if (clock->count == 0) {
        clock->first_ms = time_ms;
        return 0;
    }
    uint64_t gap_ms = time_ms - clock->last_ms;
    clock->gap_ms = gap_ms > clock->gap_ms ? gap_ms : clock->gap_ms;
    if (gap_ms <= limit_ms)
        return gap_ms;
    clock->stale_ms += gap_ms - limit_ms;
    return limit_ms;
}

static inline uint64_t sum_clock_covered(const struct sum_clock *clock)
{
    return clock->count == 0 ? 0 : clock->last_ms - clock->first_ms - clock->stale_ms;
}

/* Values and the times at which they came: are they the least or the greatest? */
static inline void sum_tracks_limits(struct sum_tracks *tracks, sum_pair min, sum_pair min_ms,
                                     sum_pair max, sum_pair max_ms)
{
    tracks->min_key = pair_least(tracks->min_key, (min << SUM_TIME_BITS) + min_ms);
    tracks->max_key = pair_greatest(tracks->max_key, (max << SUM_TIME_BITS) - max_ms);
}

/* The same of one quantity. */
static inline void sum_track_limits(struct sum_tracks *tracks, unsigned quantity, uint64_t min_key,
                                    uint64_t max_key)
{
    if (min_key < tracks->min_key[quantity])
        tracks->min_key[quantity] = min_key;
    if (max_key > tracks->max_key[quantity])
        tracks->max_key[quantity] = max_key;
}

static inline uint64_t sum_min_key(uint64_t lifted, uint64_t time_ms)
{
    return (lifted << SUM_TIME_BITS) + time_ms;
}

static inline uint64_t sum_max_key(uint64_t lifted, uint64_t time_ms)
{
    return (lifted << SUM_TIME_BITS) - time_ms;
}

/* The quantities' readings do not come together any more. */
static inline void sum_part(struct series_sum *sum)
{
    if (sum->shared)
        sum->clocks[QUANTITY_HUMIDITY] = sum->clocks[QUANTITY_TEMPERATURE];
    sum->shared = false;
    sum->soon_ms = 0;
}

/* Behind a reading or a digest of both quantities. What is soon is less than 2^32. */
static inline void sum_follow(struct series_sum *sum)
{
    uint64_t soon_ms = sum->limit_ms < UINT32_MAX ? sum->limit_ms + 1 : UINT32_MAX;
    sum->soon_ms = sum->shared ? soon_ms : 0;
}

#endif
