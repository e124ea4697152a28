/*
 * live_copy.c - the live readings in order, kept up as they come.
 *
 * New readings mostly belong at the end. They are sorted, those that stand already are passed over,
 * and the rest is merged from the back, which moves no more than what stands behind the first of
 * them.
 */
#include "handlers/sensor/live/live_copy.h"

#include "handlers/sensor/disk/live_memory.h"

#include "handlers/sensor/record/record.h"

#include <string.h>

struct live_copy *live_copy_new(void)
{
    struct live_copy *copy = memory_new_zero(1, sizeof *copy);
    if (copy)
        atomic_init(&copy->references, 1);
    return copy;
}

struct live_copy *live_copy_keep(struct live_copy *copy)
{
    atomic_fetch_add(&copy->references, 1);
    return copy;
}

static void part_clean(struct live_part *part)
{
    memory_free(part->records);
    memory_free(part->sources);
}

void live_copy_release(struct live_copy *copy)
{
    if (!copy || atomic_fetch_sub(&copy->references, 1) != 1)
        return;
    part_clean(&copy->good);
    part_clean(&copy->suspect);
    series_totals_clean(&copy->totals);
    memory_free(copy);
}

/* ---- Parts ---- */

static enum hearth_error part_reserve(struct live_part *part, size_t more)
{
    size_t needed = part->count + more;
    if (needed <= part->capacity)
        return HEARTH_OK;
    size_t capacity = needed + needed / 4 + 64;
    struct record *records = memory_resize(part->records, capacity * sizeof *records);
    if (!records)
        return HEARTH_NO_MEMORY;
    part->records = records;
    uint32_t *sources = memory_resize(part->sources, capacity * sizeof *sources);
    if (!sources)
        return HEARTH_NO_MEMORY;
    part->sources = sources;
    part->capacity = capacity;
    return HEARTH_OK;
}

static enum hearth_error part_copy(struct live_part *to, const struct live_part *from)
{
    enum hearth_error code = part_reserve(to, from->count);
    if (code != HEARTH_OK || from->count == 0)
        return code;
    memcpy(to->records, from->records, from->count * sizeof *to->records);
    memcpy(to->sources, from->sources, from->count * sizeof *to->sources);
    to->count = from->count;
    return HEARTH_OK;
}

static int compare(const struct record *a, const struct record *b)
{
    uint64_t high_a = record_high(a), high_b = record_high(b);
    if (high_a != high_b)
        return high_a < high_b ? -1 : 1;
    uint32_t low_a = record_low(a), low_b = record_low(b);
    return (low_a > low_b) - (low_a < low_b);
}

/* What decides whether two are the same is the front of a record, so they would stand side by side.
 */
static bool stands(const struct live_part *part, const struct record *record)
{
    size_t low = 0, high = part->count;
    if (high > 0 && compare(&part->records[high - 1], record) < 0)
        low = high; /* at the end, as most are */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare(&part->records[middle], record) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return (low > 0 && record_same(&part->records[low - 1], record)) ||
           (low < part->count && record_same(&part->records[low], record));
}

static size_t pass_over_known(const struct live_part *part, struct record *records, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (!stands(part, &records[i]))
            records[kept++] = records[i];
    return kept;
}

/* There is room, and none of them stands. */
static void part_merge(struct live_part *part, const struct record *records, size_t count,
                       uint32_t source)
{
    size_t old = part->count, at = part->count + count;
    part->count = at;
    while (count > 0) {
        bool take_old = old > 0 && compare(&part->records[old - 1], &records[count - 1]) > 0;
        at--;
        if (take_old)
            old--;
        else
            count--;
        part->records[at] = take_old ? part->records[old] : records[count];
        part->sources[at] = take_old ? part->sources[old] : source;
    }
}

static bool is_one_of(uint32_t source, const uint32_t *sources, size_t count)
{
    for (size_t i = count; i > 0; i--) /* most stand in the newest */
        if (sources[i - 1] == source)
            return true;
    return false;
}

static void part_keep_of(struct live_part *part, const uint32_t *sources, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < part->count; i++) {
        if (!is_one_of(part->sources[i], sources, count))
            continue;
        part->records[kept] = part->records[i];
        part->sources[kept++] = part->sources[i];
    }
    part->count = kept;
}

/* ---- All of it ---- */

enum hearth_error live_copy_own(struct live_copy **copy)
{
    if (atomic_load(&(*copy)->references) == 1)
        return HEARTH_OK;
    struct live_copy *made = live_copy_new();
    if (!made)
        return HEARTH_NO_MEMORY;
    enum hearth_error code = part_copy(&made->good, &(*copy)->good);
    if (code == HEARTH_OK)
        code = part_copy(&made->suspect, &(*copy)->suspect);
    if (code == HEARTH_OK)
        code = series_totals_copy(&made->totals, &(*copy)->totals);
    if (code != HEARTH_OK) {
        live_copy_release(made);
        return code;
    }
    live_copy_release(*copy);
    *copy = made;
    return HEARTH_OK;
}

/* Suspects to the end, both in the order they had; how many are good. */
static size_t divide(struct record *records, size_t count, struct record *suspect)
{
    size_t good = 0, others = 0;
    for (size_t i = 0; i < count; i++)
        if (record_time_quality(&records[i]) == TIME_SUSPECT)
            suspect[others++] = records[i];
        else
            records[good++] = records[i];
    if (others > 0)
        memcpy(records + good, suspect, others * sizeof *suspect);
    return good;
}

static size_t count_suspects(const struct record *records, size_t count)
{
    size_t suspects = 0;
    for (size_t i = 0; i < count; i++)
        suspects += record_time_quality(&records[i]) == TIME_SUSPECT;
    return suspects;
}

static enum hearth_error split(struct record *records, size_t count, size_t *good)
{
    size_t suspects = count_suspects(records, count);
    *good = count;
    if (suspects == 0)
        return HEARTH_OK;
    struct record *room = memory_new(suspects * sizeof *room);
    if (!room)
        return HEARTH_NO_MEMORY;
    *good = divide(records, count, room);
    memory_free(room);
    return HEARTH_OK;
}

/* Sorted, each once, none that stands; and room for them. */
static enum hearth_error prepare(struct live_part *part, struct record *records, size_t *count)
{
    enum hearth_error code = record_sort(records, *count);
    if (code != HEARTH_OK)
        return code;
    *count = pass_over_known(part, records, record_unique(records, *count));
    return part_reserve(part, *count);
}

enum hearth_error live_copy_add(struct live_copy *copy, uint64_t sequence, struct record *records,
                                size_t count)
{
    size_t good;
    enum hearth_error code = split(records, count, &good);
    if (code != HEARTH_OK)
        return code;
    struct record *others = records + good;
    size_t suspects = count - good;
    code = prepare(&copy->good, records, &good);
    if (code == HEARTH_OK)
        code = prepare(&copy->suspect, others, &suspects);
    if (code == HEARTH_OK)
        code = series_totals_add(&copy->totals, records, good);
    if (code != HEARTH_OK)
        return code;
    part_merge(&copy->good, records, good, (uint32_t)sequence);
    part_merge(&copy->suspect, others, suspects, (uint32_t)sequence);
    return HEARTH_OK;
}

enum hearth_error live_copy_keep_of(struct live_copy *copy, const uint32_t *sources, size_t count)
{
    part_keep_of(&copy->good, sources, count);
    part_keep_of(&copy->suspect, sources, count);
    series_totals_clean(&copy->totals);
    return series_totals_add(&copy->totals, copy->good.records, copy->good.count);
}
