/*
 * snapshot_range.c - the records of a range, day by day, each day's runs merged as they stream.
 *
 * Long stretches that pass whole go out from where they stand, mapped or in the live copy; the rest
 * is put together in one block.
 */
#include "handlers/sensor/snapshot/snapshot_parts.h"

#include "handlers/sensor/disk/live_memory.h"

#include "handlers/sensor/record/record.h"
#include "handlers/sensor/snapshot/record_merge.h"

enum { BLOCK_RECORDS = 4096, DIRECT_RECORDS = 1024, PLACE_SHIFT = 8, PAGE_BYTES = 4096 };

struct ranging {
    const struct snapshot *snapshot;
    struct error_record *error;
    const struct reading_range *range;
    uint64_t mask, wanted; /* of a record's first 8 bytes: channel and code asked for */
    range_visit_fn *visit;
    void *context;
    struct record *block;
    size_t count;
};

/* ---- Filter ---- */

static void make_filter(struct ranging *ranging)
{
    const struct reading_range *range = ranging->range;
    if (range->channel != 0) {
        ranging->mask |= UINT64_C(0xF00) << PLACE_SHIFT;
        ranging->wanted |= (uint64_t)(range->channel - 1) << 8 << PLACE_SHIFT;
    }
    if (range->rolling_code >= 0) {
        ranging->mask |= UINT64_C(0xFF) << PLACE_SHIFT;
        ranging->wanted |= (uint64_t)range->rolling_code << PLACE_SHIFT;
    }
}

/* ---- Out ---- */

static enum hearth_error flush(struct ranging *ranging)
{
    size_t count = ranging->count;
    ranging->count = 0;
    enum hearth_error code = snapshot_check(ranging->snapshot, ranging->error);
    if (code != HEARTH_OK || count == 0)
        return code;
    return ranging->visit(ranging->context, ranging->block, count);
}

/* Reads a byte of each page, so that a bad one is found before anything of it is handed on. */
static enum hearth_error touch(const struct ranging *ranging, const struct record *records,
                               size_t count)
{
    const volatile unsigned char *bytes = records->bytes;
    size_t size = count * RECORD_BYTES;
    for (size_t at = 0; at < size; at += PAGE_BYTES)
        (void)bytes[at];
    (void)bytes[size - 1];
    return snapshot_check(ranging->snapshot, ranging->error);
}

static enum hearth_error give_directly(struct ranging *ranging, const struct day_run *stretch)
{
    enum hearth_error code = flush(ranging);
    for (size_t at = 0; code == HEARTH_OK && at < stretch->count; at += BLOCK_RECORDS) {
        size_t left = stretch->count - at, count = left < BLOCK_RECORDS ? left : BLOCK_RECORDS;
        code = touch(ranging, stretch->records + at, count);
        if (code == HEARTH_OK)
            code = ranging->visit(ranging->context, stretch->records + at, count);
    }
    return code;
}

static enum hearth_error give_copied(struct ranging *ranging, const struct day_run *stretch)
{
    enum hearth_error code = HEARTH_OK;
    for (size_t at = 0; code == HEARTH_OK && at < stretch->count;) {
        size_t step = BLOCK_RECORDS - ranging->count;
        if (step > stretch->count - at)
            step = stretch->count - at;
        memcpy(ranging->block + ranging->count, stretch->records + at,
               step * sizeof *ranging->block);
        ranging->count += step;
        at += step;
        if (ranging->count == BLOCK_RECORDS)
            code = flush(ranging);
    }
    return code;
}

static enum hearth_error give_filtered(struct ranging *ranging, const struct day_run *stretch)
{
    enum hearth_error code = HEARTH_OK;
    for (size_t i = 0; code == HEARTH_OK && i < stretch->count; i++) {
        const struct record *record = &stretch->records[i];
        if ((record_high(record) & ranging->mask) != ranging->wanted)
            continue;
        ranging->block[ranging->count++] = *record;
        if (ranging->count == BLOCK_RECORDS)
            code = flush(ranging);
    }
    return code;
}

static enum hearth_error give(struct ranging *ranging, const struct day_run *stretch)
{
    if (ranging->mask != 0)
        return give_filtered(ranging, stretch);
    return stretch->count >= DIRECT_RECORDS ? give_directly(ranging, stretch)
                                            : give_copied(ranging, stretch);
}

/* ---- Days ---- */

/* Leaves of each run what is in the range; its first and last day are cut. */
static void clip(const struct reading_range *range, struct day_runs *runs)
{
    int64_t start_ms = (int64_t)runs->day * SNAPSHOT_DAY_MS, end_ms = start_ms + SNAPSHOT_DAY_MS;
    for (size_t i = 0; i < runs->count; i++) {
        struct day_run *run = &runs->runs[i];
        if (range->to_ms < end_ms)
            run->count = record_lower_bound(run->records, run->count, range->to_ms);
        size_t first = range->from_ms > start_ms
                           ? record_lower_bound(run->records, run->count, range->from_ms)
                           : 0;
        run->records += first;
        run->count -= first;
    }
}

static enum hearth_error give_merged(struct ranging *ranging, const struct day_runs *runs,
                                     struct error_record *error)
{
    struct record_merge merge;
    struct day_run stretch;
    enum hearth_error code = record_merge_init(&merge, runs->runs, runs->count);
    if (code != HEARTH_OK)
        return error_set_internal(error, code, 0, "no memory to merge the files of a day");
    while (code == HEARTH_OK && record_merge_next(&merge, &stretch))
        code = give(ranging, &stretch);
    record_merge_clean(&merge);
    return code;
}

static enum hearth_error give_day(struct snapshot *snapshot, struct ranging *ranging, int32_t day,
                                  struct error_record *error)
{
    struct day_runs runs;
    enum hearth_error code =
        snapshot_day(snapshot, day, ranging->range->with_suspect, &runs, error);
    if (code != HEARTH_OK)
        return code;
    for (size_t i = 0; code == HEARTH_OK && i < runs.count; i++)
        code = snapshot_verify(&runs, i, runs.runs[i].records, runs.runs[i].count, error);
    clip(ranging->range, &runs);
    if (code == HEARTH_OK)
        code = give_merged(ranging, &runs, error);
    snapshot_release(snapshot, &runs);
    return code;
}

static enum hearth_error find_day(struct snapshot *snapshot, const struct reading_range *range,
                                  int32_t from, int32_t *day, struct error_record *error)
{
    if (range->with_suspect)
        return snapshot_next_day_with_suspect(snapshot, from, day, error);
    *day = snapshot_next_day(snapshot, from);
    return HEARTH_OK;
}

static enum hearth_error give_days(struct snapshot *snapshot, struct ranging *ranging,
                                   struct error_record *error)
{
    const struct reading_range *range = ranging->range;
    int64_t from_ms = range->from_ms > 0 ? range->from_ms : 0;
    int64_t last_ms =
        range->to_ms - 1 < READING_TIME_MAX_MS ? range->to_ms - 1 : READING_TIME_MAX_MS;
    if (last_ms < from_ms)
        return HEARTH_OK;
    int32_t last = (int32_t)(last_ms / SNAPSHOT_DAY_MS), day;
    enum hearth_error code =
        find_day(snapshot, range, (int32_t)(from_ms / SNAPSHOT_DAY_MS), &day, error);
    while (code == HEARTH_OK && day <= last) {
        code = give_day(snapshot, ranging, day, error);
        if (code == HEARTH_OK)
            code = find_day(snapshot, range, day + 1, &day, error);
    }
    return code == HEARTH_OK ? flush(ranging) : code;
}

enum hearth_error snapshot_range(struct snapshot *snapshot, const struct reading_range *range,
                                 range_visit_fn *visit, void *context, struct error_record *error)
{
    struct ranging ranging = {
        .snapshot = snapshot, .error = error, .range = range, .visit = visit, .context = context};
    if (range->to_ms <= 0 || range->to_ms <= range->from_ms)
        return HEARTH_OK;
    make_filter(&ranging);
    ranging.block = memory_new(BLOCK_RECORDS * sizeof *ranging.block);
    if (!ranging.block)
        return error_set_internal(error, HEARTH_NO_MEMORY, 0, "no memory to read a range");
    enum hearth_error code = give_days(snapshot, &ranging, error);
    memory_free(ranging.block);
    if (code == HEARTH_OK)
        code = snapshot_check(snapshot, error);
    return code;
}
