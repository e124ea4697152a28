/*
 * record_sort.c - records in order: a natural merge sort.
 *
 * Live files hold readings as they came: long ascending runs, and here and there a late one. So the
 * runs that stand there already are found first, and neighbours are merged until one is left. A
 * merge moves the shorter side out of the way and needs no more memory than that. Where runs are
 * short (random order), blocks are first sorted by insertion, so that there are never more than
 * count / RUN_MINIMUM runs.
 */
#include "handlers/sensor/record/record.h"

#include "handlers/sensor/disk/live_memory.h"

#include <string.h>

enum { RUN_MINIMUM = 24 };

struct sorter {
    struct record *records;
    size_t *ends; /* where each run ends */
    size_t runs;
    struct record *aside; /* room for the shorter run of a merge */
    size_t aside_count;
};

static bool before(const struct record *a, const struct record *b)
{
    uint64_t high_a = record_high(a), high_b = record_high(b);
    return high_a != high_b ? high_a < high_b : record_low(a) < record_low(b);
}

/* Sorts [from, to), of which [from, sorted) is in order. */
static void insertion_sort(struct record *records, size_t from, size_t sorted, size_t to)
{
    for (size_t i = sorted; i < to; i++) {
        struct record moving = records[i];
        size_t at = i;
        while (at > from && before(&moving, &records[at - 1]))
            at--;
        memmove(&records[at + 1], &records[at], (i - at) * sizeof moving);
        records[at] = moving;
    }
}

/* The end of the run that begins at `from`, lengthened to RUN_MINIMUM where it is shorter. */
static size_t run_end(struct record *records, size_t from, size_t count)
{
    size_t end = from + 1;
    while (end < count && !before(&records[end], &records[end - 1]))
        end++;
    size_t wanted = count - from < RUN_MINIMUM ? count : from + RUN_MINIMUM;
    if (end >= wanted)
        return end;
    insertion_sort(records, from, end, wanted);
    return wanted;
}

static enum hearth_error set_aside(struct sorter *sorter, size_t from, size_t count)
{
    if (!sorter->aside || count > sorter->aside_count) {
        struct record *room = memory_resize(sorter->aside, count * sizeof *room);
        if (!room)
            return HEARTH_NO_MEMORY;
        sorter->aside = room;
        sorter->aside_count = count;
    }
    memcpy(sorter->aside, sorter->records + from, count * sizeof *sorter->aside);
    return HEARTH_OK;
}

/* The left run was set aside; fills from the left. */
static void merge_left(struct sorter *sorter, size_t from, size_t middle, size_t to)
{
    struct record *records = sorter->records;
    size_t left = 0, left_count = middle - from, right = middle, at = from;
    while (left < left_count && right < to) {
        bool take_right = before(&records[right], &sorter->aside[left]);
        records[at++] = take_right ? records[right++] : sorter->aside[left++];
    }
    memcpy(&records[at], &sorter->aside[left], (left_count - left) * sizeof *records);
}

/* The right run was set aside; fills from the right. */
static void merge_right(struct sorter *sorter, size_t from, size_t middle, size_t to)
{
    struct record *records = sorter->records;
    size_t left = middle, right = to - middle, at = to;
    while (left > from && right > 0) {
        bool take_left = before(&sorter->aside[right - 1], &records[left - 1]);
        records[--at] = take_left ? records[--left] : sorter->aside[--right];
    }
    memcpy(&records[at - right], sorter->aside, right * sizeof *records);
}

static enum hearth_error merge(struct sorter *sorter, size_t from, size_t middle, size_t to)
{
    const struct record *records = sorter->records;
    if (!before(&records[middle], &records[middle - 1]))
        return HEARTH_OK;
    /* What is in its place already takes no part. */
    while (from < middle && !before(&records[middle], &records[from]))
        from++;
    while (to > middle && !before(&records[to - 1], &records[middle - 1]))
        to--;
    bool left_shorter = middle - from <= to - middle;
    enum hearth_error error = left_shorter ? set_aside(sorter, from, middle - from)
                                           : set_aside(sorter, middle, to - middle);
    if (error != HEARTH_OK)
        return error;
    if (left_shorter)
        merge_left(sorter, from, middle, to);
    else
        merge_right(sorter, from, middle, to);
    return HEARTH_OK;
}

/* Merges neighbours once; half as many runs are left. */
static enum hearth_error merge_pass(struct sorter *sorter)
{
    size_t kept = 0, from = 0;
    for (size_t i = 0; i < sorter->runs; i += 2) {
        size_t end = sorter->ends[i];
        if (i + 1 < sorter->runs) {
            enum hearth_error error = merge(sorter, from, end, sorter->ends[i + 1]);
            if (error != HEARTH_OK)
                return error;
            end = sorter->ends[i + 1];
        }
        sorter->ends[kept++] = end;
        from = end;
    }
    sorter->runs = kept;
    return HEARTH_OK;
}

static bool is_sorted(const struct record *records, size_t count)
{
    for (size_t i = 1; i < count; i++)
        if (before(&records[i], &records[i - 1]))
            return false;
    return true;
}

static enum hearth_error find_runs(struct sorter *sorter, size_t count)
{
    sorter->ends = memory_new((count / RUN_MINIMUM + 1) * sizeof *sorter->ends);
    if (!sorter->ends)
        return HEARTH_NO_MEMORY;
    for (size_t from = 0; from < count;) {
        from = run_end(sorter->records, from, count);
        sorter->ends[sorter->runs++] = from;
    }
    return HEARTH_OK;
}

enum hearth_error record_sort(struct record *records, size_t count)
{
    if (is_sorted(records, count))
        return HEARTH_OK;
    struct sorter sorter = {.records = records};
    enum hearth_error error = find_runs(&sorter, count);
    while (error == HEARTH_OK && sorter.runs > 1)
        error = merge_pass(&sorter);
    memory_free(sorter.ends);
    memory_free(sorter.aside);
    return error;
}

size_t record_unique(struct record *records, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (kept == 0 || !record_same(&records[i], &records[kept - 1]))
            records[kept++] = records[i];
    return kept;
}
