/*
 * aggregate_sums.c - readings to sums, and sums to the tracks of a bucket.
 *
 * The loop over the records is what a query without summaries consists of: it takes the record
 * apart in registers, finds the sum by (channel, rolling code) in a table, and has no branch that
 * depends on a value. Both quantities of a reading are summed at a time (sum_pair.h).
 */
#include "handlers/sensor/aggregate/aggregate_sums.h"

#include "handlers/sensor/disk/live_memory.h"
#include "handlers/sensor/record/record.h"

enum { FIRST_CAPACITY = 32 };
/* Longer than all the time that a record can say. */
#define LIMIT_MAX_MS (INT64_C(1) << 43)

enum hearth_error sums_init(struct sums *sums, const struct bucket_query *query)
{
    size_t all = series_names_count(query->names) + SERIES_PLACES;
    memset(sums, 0, sizeof *sums);
    sums->query = query;
    sums->by_series = memory_new_zero(all, sizeof(struct series_sum *));
    return sums->by_series ? HEARTH_OK : HEARTH_NO_MEMORY;
}

void sums_clean(struct sums *sums)
{
    for (size_t i = 0; i < sums->count; i++)
        memory_free(sums->ordered[i]);
    memory_free(sums->ordered);
    memory_free(sums->tracks);
    memory_free(sums->by_series);
}

void sums_enter(struct sums *sums, int64_t time_ms)
{
    sums->segment_ms = time_ms;
    memset(sums->by_place, 0, sizeof sums->by_place);
}

/* ---- Which sum is whose? ---- */

static void begin(struct series_sum *sum)
{
    for (int i = 0; i < QUANTITY_COUNT; i++) {
        struct sum_clock *clock = &sum->clocks[i];
        clock->count = clock->stale_ms = clock->gap_ms = 0;
    }
    sum->tracks.integral = pair_both(0);
    sum->tracks.min_key = pair_both(PAIR_GREATEST);
    sum->tracks.max_key = pair_both(PAIR_LEAST);
}

static struct series_sum *sum_new(struct sums *sums, uint32_t series)
{
    struct series_sum *sum = memory_new_zero(1, sizeof *sum);
    if (!sum)
        return NULL;
    int64_t limit_ms = series_names_limit_ms(sums->query->names, series);
    if (limit_ms > LIMIT_MAX_MS)
        limit_ms = LIMIT_MAX_MS;
    sum->series = series;
    sum->limit_ms = limit_ms < 0 ? 0 : (uint64_t)limit_ms;
    sum->shared = true;
    begin(sum);
    for (int i = 0; i < QUANTITY_COUNT; i++)
        sum->clocks[i].last_ms = sum->held_since_ms[i] = SUM_NEVER;
    return sum;
}

static bool grow(struct sums *sums)
{
    size_t capacity = sums->capacity ? 2 * sums->capacity : FIRST_CAPACITY;
    struct series_sum **ordered =
        memory_resize(sums->ordered, capacity * sizeof(struct series_sum *));
    if (!ordered)
        return false;
    sums->ordered = ordered;
    struct bucket_track *tracks =
        memory_resize(sums->tracks, QUANTITY_COUNT * capacity * sizeof *sums->tracks);
    if (!tracks)
        return false;
    sums->tracks = tracks;
    sums->capacity = capacity;
    return true;
}

static struct series_sum *insert(struct sums *sums, uint32_t series)
{
    if (sums->count == sums->capacity && !grow(sums))
        return NULL;
    struct series_sum *sum = sum_new(sums, series);
    if (!sum)
        return NULL;
    size_t at = sums->count++;
    for (; at > 0 && sums->ordered[at - 1]->series > series; at--)
        sums->ordered[at] = sums->ordered[at - 1];
    sums->ordered[at] = sum;
    sums->by_series[series] = sum;
    return sum;
}

static struct series_sum *find(struct sums *sums, unsigned place)
{
    const struct bucket_query *query = sums->query;
    uint32_t series = series_names_find(query->names, (int)(place >> 8) + 1, (int)(place & 255),
                                        sums->segment_ms);
    if (query->wanted && !query->wanted[series])
        return &sums->unwanted;
    struct series_sum *sum = sums->by_series[series];
    if (!sum)
        sum = insert(sums, series);
    if (!sum)
        sums->no_memory = true;
    return sum ? sum : &sums->unwanted;
}

struct series_sum *sums_of_place(struct sums *sums, unsigned place)
{
    struct series_sum *sum = sums->by_place[place];
    if (!sum)
        sum = sums->by_place[place] = find(sums, place);
    return sum;
}

/* ---- Readings ---- */

static void add_one(struct series_sum *sum, int quantity, uint64_t time_ms, uint64_t lifted)
{
    struct sum_clock *clock = &sum->clocks[quantity];
    struct sum_tracks *tracks = &sum->tracks;
    uint64_t held_ms = sum_clock_hold(clock, time_ms, sum->limit_ms);
    if (clock->count++ == 0)
        tracks->first[quantity] = lifted;
    clock->last_ms = time_ms;
    tracks->integral[quantity] += tracks->last[quantity] * held_ms;
    tracks->last[quantity] = lifted;
    sum_track_limits(tracks, (unsigned)quantity, sum_min_key(lifted, time_ms),
                     sum_max_key(lifted, time_ms));
}

/* Both quantities, the first of the bucket or after a gap. */
static void add_both(struct series_sum *sum, uint64_t time_ms, sum_pair lifted)
{
    struct sum_clock *clock = &sum->clocks[0];
    struct sum_tracks *tracks = &sum->tracks;
    uint64_t held_ms = sum_clock_hold(clock, time_ms, sum->limit_ms);
    if (clock->count++ == 0)
        tracks->first = lifted;
    clock->last_ms = time_ms;
    tracks->integral += tracks->last * pair_both(held_ms);
    tracks->last = lifted;
    sum_tracks_limits(tracks, lifted, pair_both(time_ms), lifted, pair_both(time_ms));
    sum_follow(sum);
}

/* What is not as nearly all readings are. */
static void add_slowly(const struct sums *sums, struct series_sum *sum, uint64_t time_ms,
                       uint64_t temperature, bool has_temperature, uint64_t humidity,
                       bool has_humidity)
{
    if (sum == &sums->unwanted || (!has_temperature && !has_humidity))
        return;
    if (sum->shared && has_temperature && has_humidity) {
        add_both(sum, time_ms, pair_of(temperature, humidity));
        return;
    }
    sum_part(sum);
    if (has_temperature)
        add_one(sum, QUANTITY_TEMPERATURE, time_ms, temperature);
    if (has_humidity)
        add_one(sum, QUANTITY_HUMIDITY, time_ms, humidity);
}

/* The last eight bytes of a record. */
static inline uint64_t record_tail(const struct record *record)
{
    uint64_t tail;
    memcpy(&tail, record->bytes + 4, sizeof tail);
    return be64toh(tail);
}

/* As record_quantity, lifted. */
static inline uint64_t lifted_temperature(uint64_t tail, uint64_t raw)
{
    return tail >> 39 & 1 ? 9 * raw + (SUM_LIFT + 1600 - 9 * RAW_C_OFFSET)
                          : 5 * raw + (SUM_LIFT - 5 * RAW_F_OFFSET);
}

/* So soon after the one before that the gap is less than 2^32 ms. */
static inline void add_soon(struct sum_tracks *tracks, sum_pair lifted, uint64_t time_ms,
                            uint64_t gap_ms)
{
    sum_pair time = pair_both(time_ms);
    tracks->integral += pair_product(tracks->last, pair_both(gap_ms));
    tracks->last = lifted;
    sum_tracks_limits(tracks, lifted, time, lifted, time);
}

size_t sums_scan(struct sums *sums, const struct record *records, size_t count, uint64_t until_ms)
{
    const struct record *record = records, *end = records + count;
    for (; record < end; record++) {
        uint64_t time_ms = record_high(record) >> 20, tail = record_tail(record);
        if (time_ms >= until_ms)
            break;
        unsigned place = tail >> 40 & (SERIES_PLACES - 1);
        struct series_sum *sum = sums->by_place[place];
        if (!sum)
            sum = sums_of_place(sums, place);
        struct sum_clock *clock = &sum->clocks[0];
        uint64_t gap_ms = time_ms - clock->last_ms, raw = tail >> 27 & 4095,
                 humidity = tail >> 20 & 127, temperature = lifted_temperature(tail, raw);
        if (gap_ms >= sum->soon_ms || raw == RAW_ABSENT || humidity == HUMIDITY_ABSENT) {
            add_slowly(sums, sum, time_ms, temperature, raw != RAW_ABSENT, humidity + SUM_LIFT,
                       humidity != HUMIDITY_ABSENT);
            continue;
        }
        clock->count++;
        clock->gap_ms = gap_ms > clock->gap_ms ? gap_ms : clock->gap_ms;
        clock->last_ms = time_ms;
        add_soon(&sum->tracks, pair_of(temperature, humidity + SUM_LIFT), time_ms, gap_ms);
    }
    return (size_t)(record - records);
}

/* ---- Buckets ---- */

void sums_begin_bucket(struct sums *sums)
{
    for (size_t i = 0; i < sums->count; i++) {
        struct series_sum *sum = sums->ordered[i];
        if (!sum->shared && sum->clocks[0].last_ms == sum->clocks[1].last_ms)
            sum->shared = true;
        sum->soon_ms = 0;
        for (int q = 0; q < QUANTITY_COUNT; q++)
            sum->held_since_ms[q] = sum->clocks[sum->shared ? 0 : q].last_ms;
        sum->held = sum->tracks.last;
        begin(sum);
    }
}

static int32_t lowered(uint64_t lifted)
{
    return (int32_t)((int64_t)lifted - SUM_LIFT);
}

static inline void fill_digest(struct digest *digest, const struct sum_clock *clock,
                               const struct sum_tracks *tracks, int quantity)
{
    uint64_t covered_ms = sum_clock_covered(clock), min_key = tracks->min_key[quantity],
             max_key = tracks->max_key[quantity];
    digest->count = clock->count;
    digest->first = lowered(tracks->first[quantity]);
    digest->last = lowered(tracks->last[quantity]);
    digest->min = lowered(min_key >> SUM_TIME_BITS);
    digest->max = lowered((max_key + SUM_TIME_MASK) >> SUM_TIME_BITS);
    digest->first_ms = (int64_t)clock->first_ms;
    digest->last_ms = (int64_t)clock->last_ms;
    digest->min_ms = (int64_t)(min_key & SUM_TIME_MASK);
    digest->max_ms = (int64_t)((0 - max_key) & SUM_TIME_MASK);
    digest->integral = (int64_t)(tracks->integral[quantity] - SUM_LIFT * covered_ms);
    digest->covered_ms = (int64_t)covered_ms;
    digest->gap_ms = (int64_t)clock->gap_ms;
}

/* For how long a value of `since_ms` holds between `from_ms` and `to_ms`. */
static inline uint64_t held_ms(int64_t since_ms, uint64_t limit_ms, int64_t from_ms, int64_t to_ms)
{
    int64_t until_ms = since_ms + (int64_t)limit_ms;
    if (until_ms > to_ms)
        until_ms = to_ms;
    return until_ms > from_ms ? (uint64_t)until_ms - (uint64_t)from_ms : 0;
}

/* What is held into the bucket: up to its first reading, or to its end. */
static inline bool fill_held(struct bucket_track *track, const struct series_sum *sum, int quantity,
                             int64_t from_ms)
{
    uint64_t since_ms = sum->held_since_ms[quantity];
    track->held = since_ms != SUM_NEVER && (int64_t)(since_ms + sum->limit_ms) > from_ms;
    track->held_value = track->held ? lowered(sum->held[quantity]) : 0;
    track->held_since_ms = track->held ? (int64_t)since_ms : 0;
    return track->held;
}

/* False when there is nothing to say. Every member is written once: there are many tracks. */
static inline bool fill_track(struct bucket_track *track, const struct series_sum *sum,
                              int quantity, int64_t from_ms, int64_t to_ms)
{
    const struct sum_clock *clock = &sum->clocks[sum->shared ? 0 : quantity];
    struct digest *digest = &track->digest;
    bool held = fill_held(track, sum, quantity, from_ms);
    uint64_t integral = 0, covered_ms = 0;
    int64_t first_ms = to_ms;
    if (clock->count > 0) {
        fill_digest(digest, clock, &sum->tracks, quantity);
        covered_ms = held_ms(digest->last_ms, sum->limit_ms, digest->last_ms, to_ms);
        integral = (uint64_t)digest->integral + (uint64_t)(int64_t)digest->last * covered_ms;
        covered_ms += (uint64_t)digest->covered_ms;
        first_ms = digest->first_ms;
    } else if (held) {
        memset(digest, 0, sizeof *digest);
    } else {
        return false;
    }
    if (held) {
        uint64_t before_ms = held_ms(track->held_since_ms, sum->limit_ms, from_ms, first_ms);
        integral += (uint64_t)(int64_t)track->held_value * before_ms;
        covered_ms += before_ms;
    }
    track->series = sum->series;
    track->quantity = (enum quantity)quantity;
    track->integral = (int64_t)integral;
    track->covered_ms = (int64_t)covered_ms;
    return true;
}

void sums_known(struct sums *sums, int64_t from_ms)
{
    int64_t until_ms = sums->query->known_until_ms;
    for (size_t i = 0; i < sums->count; i++) {
        struct series_sum *sum = sums->ordered[i];
        for (int quantity = 0; quantity < QUANTITY_COUNT; quantity++) {
            struct bucket_track track;
            bool any = fill_track(&track, sum, quantity, from_ms, until_ms);
            sum->known_integral[quantity] = any ? track.integral : 0;
            sum->known_ms[quantity] = any ? track.covered_ms : 0;
        }
    }
}

/* A bucket that goes on behind what is known, or is all behind it, has its readings, but no more
 * time than that. False when there is nothing to say. */
static bool fill_unknown(struct bucket_track *track, const struct series_sum *sum, int quantity,
                         bool begins_known)
{
    track->integral = begins_known ? sum->known_integral[quantity] : 0;
    track->covered_ms = begins_known ? sum->known_ms[quantity] : 0;
    if (!begins_known) {
        track->held = false;
        track->held_value = 0;
        track->held_since_ms = 0;
    }
    return track->held || track->digest.count > 0;
}

size_t sums_tracks(struct sums *sums, int64_t from_ms, int64_t to_ms)
{
    size_t count = 0;
    int64_t known_ms = sums->query->known_until_ms;
    bool whole = known_ms == 0 || to_ms <= known_ms;
    for (size_t i = 0; i < sums->count; i++) {
        const struct series_sum *sum = sums->ordered[i];
        for (int quantity = 0; quantity < QUANTITY_COUNT; quantity++) {
            struct bucket_track *track = &sums->tracks[count];
            bool any = fill_track(track, sum, quantity, from_ms, to_ms);
            count += any && (whole || fill_unknown(track, sum, quantity, from_ms < known_ms));
        }
    }
    return count;
}
