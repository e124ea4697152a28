/*
 * aggregate_day.c - how a day is read with as little work as its cuts allow.
 *
 * The walk stands between two records of the merge of the day's files: in front of a block, or
 * inside one. From there to the next cut it takes the whole day, then groups, then blocks as long
 * as they end before the cut, and scans the block that the cut divides; behind the cut it goes on
 * in the same block. Without a summary the whole day is one block.
 *
 * A block is the n-th so many records of the merge, and its first record is known. So in each of
 * the small files its beginning is found by a binary search for that record, and in the largest one
 * it is what is left to make up the number.
 *
 * A digest was made under a limit. If the series has another one now, it says the same as long as
 * it has no gap longer than the smaller of both; else the digests below it are asked, and in the
 * end the records.
 *
 * Digests are read where they are mapped, a few here and a few there, so that their way into the
 * processor takes as long as joining them: those up to the next cut are found first and asked of
 * the memory all at once, then joined series by series.
 */
#include "handlers/sensor/aggregate/aggregate_day.h"

#include "handlers/sensor/disk/live_memory.h"
#include "handlers/sensor/record/record.h"
#include "handlers/sensor/snapshot/record_merge.h"

enum { CACHE_LINE_BYTES = 64, JOIN_NODES = 32 };

void day_walk_init(struct day_walk *walk, struct day_source *source, struct sums *sums,
                   struct aggregate_statistics *statistics)
{
    memset(walk, 0, sizeof *walk);
    walk->source = source;
    walk->sums = sums;
    walk->statistics = statistics;
}

void day_walk_clean(struct day_walk *walk)
{
    memory_free(walk->slices);
    memory_free(walk->positions);
    memory_free(walk->series);
}

static enum hearth_error no_memory(struct error_record *error)
{
    return error_set_internal(error, HEARTH_NO_MEMORY, 0, "no memory for the buckets");
}

/* ---- Digests ---- */

/* Under which limits was it summed, and what does that leave to be used? */
static uint64_t gap_allowed_ms(const struct series_sum *sum, const unsigned char *series)
{
    uint64_t stored_ms = (uint64_t)summary_series_limit_ms(series);
    if (stored_ms == sum->limit_ms)
        return UINT64_MAX;
    return stored_ms < sum->limit_ms ? stored_ms : sum->limit_ms;
}

void day_walk_renamed(struct day_walk *walk)
{
    uint32_t at = 0;
    walk->mixed = false;
    walk->series_count = 0;
    if (!walk->summary)
        return;
    for (size_t i = 0; i < walk->summary->series_count; i++) {
        const unsigned char *series = summary_series_at(walk->summary, i);
        unsigned kind = summary_series_kind(series);
        struct series_sum *sum = sums_of_place(walk->sums, summary_series_place(series));
        uint64_t gap_max_ms = gap_allowed_ms(sum, series);
        if (sum != &walk->sums->unwanted && kind != 0) {
            walk->series[walk->series_count++] = (struct day_series){sum, kind, at, gap_max_ms};
            walk->mixed |= gap_max_ms != UINT64_MAX;
        }
        at += summary_entry_bytes(kind);
    }
}

static bool reserve_series(struct day_walk *walk, size_t count)
{
    if (walk->series_capacity < count) {
        struct day_series *room = memory_resize(walk->series, count * sizeof *room);
        if (!room)
            return false;
        walk->series = room;
        walk->series_capacity = count;
    }
    return true;
}

static bool clock_usable(const struct day_series *series, const unsigned char *clock)
{
    return summary_read32(clock + CLOCK_GAP_MS) <= series->gap_max_ms;
}

static bool node_usable(const struct day_walk *walk, const unsigned char *node)
{
    if (!walk->mixed)
        return true;
    for (size_t i = 0; i < walk->series_count; i++) {
        const struct day_series *series = &walk->series[i];
        const unsigned char *clock = node + series->at;
        if (!clock_usable(series, clock) ||
            (summary_clocks_of(series->kind) == 2 &&
             !clock_usable(series, clock + CLOCK_BYTES + TRACK_BYTES)))
            return false;
    }
    return true;
}

/* Joins the times of a clock; for how long the value before it held. */
static inline uint64_t join_clock(struct sum_clock *sum, const unsigned char *clock,
                                  uint64_t start_ms, uint64_t limit_ms)
{
    uint64_t gap_ms = summary_read32(clock + CLOCK_GAP_MS);
    uint64_t held_ms =
        sum_clock_hold(sum, start_ms + summary_read32(clock + CLOCK_FIRST_MS), limit_ms);
    sum->count += summary_read32(clock + CLOCK_COUNT);
    sum->last_ms = start_ms + summary_read32(clock + CLOCK_LAST_MS);
    sum->stale_ms += summary_read32(clock + CLOCK_LAST_MS) -
                     summary_read32(clock + CLOCK_FIRST_MS) -
                     summary_read32(clock + CLOCK_COVERED_MS);
    sum->gap_ms = gap_ms > sum->gap_ms ? gap_ms : sum->gap_ms;
    return held_ms;
}

static inline uint64_t lifted(const unsigned char *at)
{
    return (uint64_t)(int64_t)(int16_t)summary_read16(at) + SUM_LIFT;
}

/* Eight bytes of both tracks behind a clock. */
static inline sum_pair read_both(const unsigned char *entry, unsigned at)
{
    const unsigned char *tracks = entry + CLOCK_BYTES;
    return pair_of(summary_read64(tracks + at), summary_read64(tracks + TRACK_BYTES + at));
}

/* Joins the values of both tracks behind a clock; `first` when the bucket had none before. Of the
 * times and of the values several stand in eight bytes. */
static inline void join_tracks(struct sum_tracks *sum, const unsigned char *entry,
                               uint64_t start_ms, uint64_t held_ms, bool first)
{
    uint64_t covered_ms = summary_read32(entry + CLOCK_COVERED_MS);
    sum_parts lift = {SUM_LIFT, SUM_LIFT, SUM_LIFT, SUM_LIFT,
                      SUM_LIFT, SUM_LIFT, SUM_LIFT, SUM_LIFT};
    sum_pair times = read_both(entry, TRACK_MIN_MS),
             values = (sum_pair)((sum_parts)read_both(entry, TRACK_FIRST) + lift);
    sum_pair start = pair_both(start_ms);
    if (first)
        sum->first = values & 0xFFFF;
    sum->integral += sum->last * pair_both(held_ms) + read_both(entry, TRACK_INTEGRAL) +
                     pair_both(SUM_LIFT * covered_ms);
    sum->last = values >> 16 & 0xFFFF;
    sum_tracks_limits(sum, values >> 32 & 0xFFFF, start + (times & UINT32_MAX), values >> 48,
                      start + (times >> 32));
}

/* Of one series: a clock and the two tracks behind it, in nodes that follow each other. What is
 * summed stays in registers on the way through them. */
static void join_both(struct series_sum *sum, const unsigned char *const *nodes, size_t count,
                      uint32_t at, uint64_t start_ms)
{
    struct sum_clock clock = sum->clocks[0];
    struct sum_tracks tracks = sum->tracks;
    uint64_t limit_ms = sum->limit_ms;
    for (size_t i = 0; i < count; i++) {
        const unsigned char *entry = nodes[i] + at;
        if (summary_read32(entry + CLOCK_COUNT) == 0)
            continue;
        bool first = clock.count == 0;
        uint64_t held_ms = join_clock(&clock, entry, start_ms, limit_ms);
        join_tracks(&tracks, entry, start_ms, held_ms, first);
    }
    if (clock.count == 0)
        return;
    sum->clocks[0] = clock;
    sum->tracks = tracks;
    sum_follow(sum);
}

/* Joins the values of one track; `first` as above. */
static void join_track(struct sum_tracks *sum, unsigned quantity, const unsigned char *track,
                       const unsigned char *clock, uint64_t start_ms, uint64_t held_ms, bool first)
{
    uint64_t covered_ms = summary_read32(clock + CLOCK_COVERED_MS);
    uint64_t min_ms = start_ms + summary_read32(track + TRACK_MIN_MS),
             max_ms = start_ms + summary_read32(track + TRACK_MAX_MS);
    if (first)
        sum->first[quantity] = lifted(track + TRACK_FIRST);
    sum->integral[quantity] += sum->last[quantity] * held_ms +
                               summary_read64(track + TRACK_INTEGRAL) + SUM_LIFT * covered_ms;
    sum->last[quantity] = lifted(track + TRACK_LAST);
    sum_track_limits(sum, quantity, sum_min_key(lifted(track + TRACK_MIN), min_ms),
                     sum_max_key(lifted(track + TRACK_MAX), max_ms));
}

static void join_apart(struct series_sum *sum, unsigned kind, const unsigned char *entry,
                       uint64_t start_ms)
{
    const unsigned char *clock = entry, *at = entry;
    sum_part(sum);
    for (unsigned i = 0; i < QUANTITY_COUNT; i++) {
        if (!(kind & (1u << i)))
            continue;
        if (i == QUANTITY_TEMPERATURE || !(kind & SUMMARY_SAME_CLOCK)) {
            clock = at;
            at += CLOCK_BYTES;
        }
        if (summary_read32(clock + CLOCK_COUNT) > 0) {
            bool first = sum->clocks[i].count == 0;
            uint64_t held_ms = join_clock(&sum->clocks[i], clock, start_ms, sum->limit_ms);
            join_track(&sum->tracks, i, at, clock, start_ms, held_ms, first);
        }
        at += TRACK_BYTES;
    }
}

/* Joins nodes that follow each other, one series after the other. */
static void join_nodes(struct day_walk *walk, const unsigned char *const *nodes, size_t count)
{
    for (size_t i = 0; i < walk->series_count; i++) {
        const struct day_series *series = &walk->series[i];
        if (series->sum->shared && (series->kind & SUMMARY_SAME_CLOCK))
            join_both(series->sum, nodes, count, series->at, walk->start_ms);
        else
            for (size_t n = 0; n < count; n++)
                join_apart(series->sum, series->kind, nodes[n] + series->at, walk->start_ms);
    }
}

/* ---- Records ---- */

/* How many records stand before the first of a block, in one run. */
static size_t run_split(const struct day_run *run, uint64_t high, uint32_t low)
{
    size_t from = 0, to = run->count;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        const struct record *record = &run->records[middle];
        uint64_t record_number = record_high(record);
        if (record_number < high || (record_number == high && record_low(record) < low))
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

static size_t largest_run(const struct day_runs *runs)
{
    size_t largest = 0;
    for (size_t i = 1; i < runs->count; i++)
        if (runs->runs[i].count > runs->runs[largest].count)
            largest = i;
    return largest;
}

/* Where block `block` begins in each run; at blocks = where they end. */
static void split(const struct day_walk *walk, size_t block, size_t *at)
{
    const struct summary_day *summary = walk->summary;
    const struct day_runs *runs = &walk->runs;
    size_t largest = largest_run(runs), others = 0;
    if (block == 0 || block == walk->blocks) {
        for (size_t i = 0; i < runs->count; i++)
            at[i] = block == 0 ? 0 : runs->runs[i].count;
        return;
    }
    for (size_t i = 0; i < runs->count; i++) {
        if (i == largest)
            continue;
        at[i] = run_split(&runs->runs[i], summary_block_high(summary, block),
                          summary_block_low(summary, block));
        others += at[i];
    }
    size_t total = block * summary->block_records, count = runs->runs[largest].count;
    at[largest] = total < others ? 0 : total - others;
    if (at[largest] > count)
        at[largest] = count;
}

static bool reserve_slices(struct day_walk *walk, size_t count)
{
    if (walk->slices_capacity < count) {
        struct day_run *slices = memory_resize(walk->slices, count * sizeof *slices);
        if (slices)
            walk->slices = slices;
        size_t *positions = memory_resize(walk->positions, 2 * count * sizeof *positions);
        if (positions)
            walk->positions = positions;
        if (!slices || !positions)
            return false;
        walk->slices_capacity = count;
    }
    return true;
}

static enum hearth_error map(struct day_walk *walk, struct error_record *error)
{
    if (walk->mapped)
        return HEARTH_OK;
    enum hearth_error code = walk->source->map(walk->source, &walk->runs, error);
    walk->mapped = code == HEARTH_OK;
    if (code == HEARTH_OK && !reserve_slices(walk, walk->runs.count))
        code = no_memory(error);
    return code;
}

/* Stands in a block, in front of its first record of `from_ms` or later. */
static enum hearth_error enter(struct day_walk *walk, size_t block, int64_t from_ms,
                               struct error_record *error)
{
    enum hearth_error code = map(walk, error);
    if (code != HEARTH_OK)
        return code;
    size_t count = walk->runs.count, *begins = walk->positions, *ends = begins + count;
    split(walk, block, begins);
    split(walk, block + 1, ends);
    for (size_t i = 0; i < count; i++) {
        struct day_run *slice = &walk->slices[i];
        slice->records = walk->runs.runs[i].records + begins[i];
        slice->count = begins[i] < ends[i] ? ends[i] - begins[i] : 0;
        if (walk->source->verify)
            code = walk->source->verify(&walk->runs, i, slice->records, slice->count, error);
        if (code != HEARTH_OK)
            return code;
        if (from_ms > (int64_t)walk->start_ms) {
            size_t before = record_lower_bound(slice->records, slice->count, from_ms);
            slice->records += before;
            slice->count -= before;
        }
    }
    walk->inside = true;
    walk->block = block;
    return HEARTH_OK;
}

/* The time of a run's next record; behind all times when there is none. */
static inline uint64_t next_time(const struct day_run *slice)
{
    return slice->count > 0 ? record_high(slice->records) >> 20 : UINT64_MAX;
}

static void take(struct day_walk *walk, struct day_run *slice, size_t count)
{
    slice->records += count;
    slice->count -= count;
    walk->statistics->records += count;
}

/* The run whose next record is the first of all; `*behind_ms` is when the next one of another run
 * comes. NULL = all are at their end. */
static struct day_run *first_slice(const struct day_walk *walk, uint64_t *behind_ms)
{
    struct day_run *first = NULL;
    uint64_t first_ms = UINT64_MAX;
    *behind_ms = UINT64_MAX;
    for (size_t i = 0; i < walk->runs.count; i++) {
        uint64_t time_ms = next_time(&walk->slices[i]);
        if (time_ms < first_ms) {
            *behind_ms = first_ms;
            first_ms = time_ms;
            first = &walk->slices[i];
        } else if (time_ms < *behind_ms) {
            *behind_ms = time_ms;
        }
    }
    return first;
}

/* `least` and other runs go on at the same time: takes the smallest record of them, and no other
 * run's that is the same. */
static void scan_tie(struct day_walk *walk, struct day_run *least)
{
    uint64_t time_ms = next_time(least);
    for (size_t i = 0; i < walk->runs.count; i++) {
        struct day_run *slice = &walk->slices[i];
        if (next_time(slice) == time_ms && memcmp(slice->records, least->records, RECORD_BYTES) < 0)
            least = slice;
    }
    const struct record *record = least->records;
    (void)sums_scan(walk->sums, record, 1, UINT64_MAX);
    take(walk, least, 1);
    for (size_t i = 0; i < walk->runs.count; i++) {
        struct day_run *slice = &walk->slices[i];
        if (slice->count > 0 && slice != least && record_same(slice->records, record)) {
            slice->records++;
            slice->count--;
        }
    }
}

/* True when the block came to its end before `until_ms` did. A run is scanned up to the time at
 * which another one goes on. */
static bool scan(struct day_walk *walk, uint64_t until_ms)
{
    uint64_t behind_ms;
    struct day_run *slice;
    while ((slice = first_slice(walk, &behind_ms)) != NULL) {
        uint64_t time_ms = next_time(slice);
        if (time_ms >= until_ms)
            return false;
        if (time_ms == behind_ms)
            scan_tie(walk, slice);
        else
            take(walk, slice,
                 sums_scan(walk->sums, slice->records, slice->count,
                           behind_ms < until_ms ? behind_ms : until_ms));
    }
    return true;
}

/* ---- Cuts ---- */

/* The block that `until_ms` divides, or in front of which it falls: those from where the walk
 * stands up to there are before it. */
static size_t block_at(const struct day_walk *walk, uint64_t until_ms)
{
    size_t block = walk->block;
    if (walk->start_ms + walk->summary->last_ms < until_ms)
        return walk->blocks;
    while (block + 1 < walk->blocks &&
           summary_block_high(walk->summary, block + 1) >> 20 < until_ms)
        block++;
    return block;
}

static bool begins_before(const struct day_walk *walk, size_t block, uint64_t until_ms)
{
    return block < walk->blocks && summary_block_high(walk->summary, block) >> 20 < until_ms;
}

/* ---- What is read next, asked of the memory while there is other work ---- */

static inline void fetch(const void *memory, size_t bytes)
{
    for (size_t at = 0; at < bytes; at += CACHE_LINE_BYTES)
        __builtin_prefetch((const char *)memory + at);
}

/* Behind the records of the block mostly come the nodes after it. */
static void fetch_behind(const struct day_walk *walk)
{
    size_t block = walk->block + 1;
    if (!walk->summary || block >= walk->blocks)
        return;
    fetch(summary_block_node(walk->summary, block), walk->summary->node_bytes);
}

/* ---- Groups and blocks ---- */

/* The group or block in front of which the walk stands, if it serves and is in front of `end`; then
 * the walk stands behind it. NULL = neither. */
static const unsigned char *next_node(struct day_walk *walk, size_t end)
{
    const struct summary_day *summary = walk->summary;
    size_t block = walk->block, group = block / SUMMARY_GROUP_BLOCKS,
           behind = (group + 1) * SUMMARY_GROUP_BLOCKS;
    behind = behind < walk->blocks ? behind : walk->blocks;
    if (block % SUMMARY_GROUP_BLOCKS == 0 && group < summary->groups && behind <= end &&
        node_usable(walk, summary_group_node(summary, group))) {
        walk->block = behind;
        return summary_group_node(summary, group);
    }
    if (block >= end || !node_usable(walk, summary_block_node(summary, block)))
        return NULL;
    walk->block++;
    return summary_block_node(summary, block);
}

/* Joins what is in front of block `end`, as far as it serves. */
static void join_blocks(struct day_walk *walk, size_t end)
{
    const unsigned char *nodes[JOIN_NODES];
    size_t count;
    do {
        count = 0;
        while (count < JOIN_NODES && (nodes[count] = next_node(walk, end)) != NULL)
            fetch(nodes[count++], walk->summary->node_bytes);
        join_nodes(walk, nodes, count);
        walk->statistics->blocks += count;
    } while (count == JOIN_NODES);
}

/* Whether the day's blocks can be used, or all of it is one. */
static void begin_blocks(struct day_walk *walk)
{
    walk->untouched = false;
    if (walk->summary && (walk->summary->blocks == 0 || !summary_day_blocks_whole(walk->summary)))
        walk->summary = NULL;
    walk->blocks = walk->summary ? walk->summary->blocks : 1;
    walk->block = 0;
}

static enum hearth_error walk_blocks(struct day_walk *walk, uint64_t until_ms,
                                     struct error_record *error)
{
    for (;;) {
        if (walk->inside)
            fetch_behind(walk);
        if (walk->inside && !scan(walk, until_ms))
            return HEARTH_OK;
        if (walk->inside) {
            walk->inside = false;
            walk->block++;
        }
        if (walk->block >= walk->blocks)
            return HEARTH_OK;
        if (walk->summary) {
            size_t end = block_at(walk, until_ms);
            join_blocks(walk, end);
            if (!begins_before(walk, walk->block, until_ms))
                return HEARTH_OK;
        }
        enum hearth_error code = enter(walk, walk->block, 0, error);
        if (code != HEARTH_OK)
            return code;
    }
}

enum hearth_error day_walk_to(struct day_walk *walk, int64_t until_ms, struct error_record *error)
{
    uint64_t until = (uint64_t)until_ms;
    const unsigned char *total = walk->summary ? summary_total_node(walk->summary) : NULL;
    if (walk->untouched && total && walk->start_ms + walk->summary->last_ms < until &&
        node_usable(walk, total)) {
        join_nodes(walk, &total, 1);
        walk->untouched = false;
        walk->block = walk->blocks = 0;
        walk->statistics->days++;
        return HEARTH_OK;
    }
    if (walk->untouched)
        begin_blocks(walk);
    enum hearth_error code = walk_blocks(walk, until, error);
    return code == HEARTH_OK && walk->sums->no_memory ? no_memory(error) : code;
}

/* The last block that begins before `from_ms`. */
static size_t block_before(const struct day_walk *walk, uint64_t from_ms)
{
    size_t low = 0, high = walk->blocks;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (summary_block_high(walk->summary, middle) >> 20 < from_ms)
            low = middle;
        else
            high = middle;
    }
    return low;
}

/* ---- The day ---- */

enum hearth_error day_walk_open(struct day_walk *walk, int32_t day, int64_t from_ms,
                                struct error_record *error)
{
    const struct bucket_query *query = walk->sums->query;
    enum hearth_error code =
        walk->source->look(walk->source, day, query->with_suspect, &walk->runs, error);
    walk->open = code == HEARTH_OK;
    if (code != HEARTH_OK)
        return code;
    walk->summary = query->scan ? NULL : walk->runs.summary;
    walk->start_ms = (uint64_t)(day * DAY_MS);
    walk->untouched = true;
    walk->mapped = walk->inside = walk->mixed = false;
    if (walk->summary && !reserve_series(walk, walk->summary->series_count))
        return no_memory(error);
    day_walk_renamed(walk);
    if (from_ms <= (int64_t)walk->start_ms)
        return HEARTH_OK;
    begin_blocks(walk);
    return enter(walk, walk->summary ? block_before(walk, (uint64_t)from_ms) : 0, from_ms, error);
}

void day_walk_close(struct day_walk *walk)
{
    if (walk->open)
        walk->source->release(walk->source, &walk->runs);
    walk->open = false;
}
