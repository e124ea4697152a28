/*
 * record_merge.c - several ascending runs as one: a heap of runs, and galloping in the first.
 *
 * The run with the smallest record gives everything that stands before the smallest record of all
 * others, which is one of the heap's second row. Equal readings of different runs follow each other
 * in that order, since what tells them apart (time quality) stands at a record's end.
 */
#include "handlers/sensor/snapshot/record_merge.h"

#include "handlers/sensor/disk/live_memory.h"

#include "handlers/sensor/record/record.h"

static bool before(const struct record *a, const struct record *b)
{
    uint64_t high_a = record_high(a), high_b = record_high(b);
    return high_a != high_b ? high_a < high_b : record_low(a) < record_low(b);
}

size_t record_lower_bound(const struct record *records, size_t count, int64_t time_ms)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (record_time_ms(&records[middle]) < time_ms)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The first from `at` on that is not before `limit`. `*at` is. */
static const struct record *gallop(const struct record *at, const struct record *end,
                                   const struct record *limit)
{
    size_t low = 0, high = 1, count = (size_t)(end - at);
    while (high < count && before(&at[high], limit)) {
        low = high;
        high = high * 2 + 1;
    }
    if (high > count)
        high = count;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (before(&at[middle], limit))
            low = middle;
        else
            high = middle;
    }
    return at + high;
}

/* ---- The heap ---- */

static void sift_down(struct record_merge *merge, size_t at)
{
    struct merge_run moving = merge->runs[at];
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= merge->count)
            break;
        if (child + 1 < merge->count && before(merge->runs[child + 1].at, merge->runs[child].at))
            child++;
        if (!before(merge->runs[child].at, moving.at))
            break;
        merge->runs[at] = merge->runs[child];
        at = child;
    }
    merge->runs[at] = moving;
}

enum hearth_error record_merge_init(struct record_merge *merge, const struct day_run *runs,
                                    size_t count)
{
    merge->count = 0;
    merge->started = false;
    merge->runs = merge->inline_runs;
    if (count > RECORD_MERGE_INLINE)
        merge->runs = memory_new(count * sizeof *merge->runs);
    if (!merge->runs)
        return HEARTH_NO_MEMORY;
    for (size_t i = 0; i < count; i++)
        if (runs[i].count > 0)
            merge->runs[merge->count++] =
                (struct merge_run){runs[i].records, runs[i].records + runs[i].count};
    for (size_t i = merge->count / 2; i > 0; i--)
        sift_down(merge, i - 1);
    return HEARTH_OK;
}

void record_merge_clean(struct record_merge *merge)
{
    if (merge->runs != merge->inline_runs)
        memory_free(merge->runs);
    merge->runs = merge->inline_runs;
    merge->count = 0;
}

/* The smallest record of all runs but the first. */
static const struct record *second(const struct record_merge *merge)
{
    const struct record *left = merge->runs[1].at;
    if (merge->count > 2 && before(merge->runs[2].at, left))
        return merge->runs[2].at;
    return left;
}

static void take_first(struct record_merge *merge, const struct record *end)
{
    merge->runs[0].at = end;
    if (end == merge->runs[0].end)
        merge->runs[0] = merge->runs[--merge->count];
    if (merge->count > 1)
        sift_down(merge, 0);
}

bool record_merge_next(struct record_merge *merge, struct day_run *stretch)
{
    while (merge->count > 0) {
        const struct merge_run *first = &merge->runs[0];
        const struct record *from = first->at, *end = first->end;
        if (merge->count > 1)
            end = gallop(from, end, second(merge));
        /* Only a stretch's first can stand in another run, too: it was handed out from there. */
        if (merge->started && record_same(from, &merge->last))
            from++;
        take_first(merge, end);
        if (from == end)
            continue;
        merge->last = end[-1];
        merge->started = true;
        *stretch = (struct day_run){from, (size_t)(end - from)};
        return true;
    }
    return false;
}
