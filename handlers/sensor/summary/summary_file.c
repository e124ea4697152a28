/*
 * summary_file.c - summaries of a year as they are mapped.
 *
 * All numbers are little-endian, every part begins at a multiple of 8 bytes, what fills up to it is
 * zero. Checksums are checksum64 (checksum64.h). Times are milliseconds after the beginning of the
 * UTC day.
 *
 *   head, 64 bytes
 *      0   8  "hearth", 0x1A, 's'
 *      8   4  version, 1
 *     12   4  year
 *     16   4  days
 *     20   4  sources
 *     24   8  bytes of the whole file
 *     32   8  where the index begins
 *     40   8  checksum of the index
 *     48   8  zero
 *     56   8  checksum of the 56 bytes before
 *
 *   blocks of the days, one after the other; of each day
 *      8 a block  the first eight bytes of its first record, as a number
 *      4 a block  the last four
 *      nodes of the groups, nodes of the blocks
 *
 *   totals of the days, one after the other, so that a wide query reads little else; of each day
 *      40 a series, ascending by channel and rolling code
 *         0   2  (channel - 1) * 256 + rolling code
 *         2   1  what it has: 1 temperature, 2 humidity, 4 both in the same readings
 *         3   1  zero
 *         4   4  readings
 *         8   8  its staleness limit, ms
 *        16  12  its first record
 *        28  12  its last record
 *      the node of the whole day
 *
 *   index
 *      80 a day, ascending
 *         0   4  day since 1970-01-01
 *         4   4  records
 *         8   4  records in a block; 0 = there are no blocks
 *        12   4  time of the last record
 *        16   4  series
 *        20   4  clocks
 *        24   4  tracks
 *        28   4  sources
 *        32   4  the first of them
 *        36   4  zero
 *        40   8  where its totals begin
 *        48   8  checksum of them
 *        56   8  where its blocks begin
 *        64   8  checksum of them
 *        72   8  zero
 *      16 a source: the sealed files, of each day ascending
 *         0   8  sequence
 *         8   4  records
 *        12   4  zero
 *
 * A block is so many consecutive records of the merge of the day's files (the last block has what
 * is left), a group eight blocks; a day of at most eight blocks has no groups. A node holds the
 * digests of all series for one block, group or day, in the order of the series: clocks, which are
 * the times of a series' readings, and tracks, which are the values of a quantity. A series with
 * one quantity has a clock and a track; one with both has a clock and a track for each, temperature
 * first, but where every reading has both or neither, the two tracks follow one clock.
 *
 *   clock, 20 bytes                          track, 24 bytes
 *      0   4  count                             0   8  integral, signed
 *      4   4  time of the first reading         8   4  time of the minimum
 *      8   4  of the last                      12   4  of the maximum
 *     12   4  covered, ms                      16   2  first value, signed
 *     16   4  longest gap, ms                  18   2  last
 *                                              20   2  minimum
 *                                              22   2  maximum
 *
 * as in digest.h; of a series without readings there all is 0.
 *
 * So 8 series with both quantities take 544 bytes a block, which has some 220 records.
 */
#include "handlers/sensor/summary/summary_format.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "handlers/sensor/disk/live_memory.h"
#include "handlers/sensor/disk/mapped_ranges.h"
#include "handlers/sensor/record/checksum64.h"

struct summary_file {
    const unsigned char *bytes; /* mapped */
    struct mapped_range *range;
    size_t size;
    size_t count, source_count;
    const unsigned char *index, *sources;
    struct summary_day *days;
    struct summary_checked *checked;
};

bool summary_path(const char *store, int32_t year, char path[SUMMARY_PATH_BYTES])
{
    int length = snprintf(path, SUMMARY_PATH_BYTES, "%s/summary/%04d.sum", store, (int)year);
    return length > 0 && length < SUMMARY_PATH_BYTES;
}

void summary_day_measure(struct summary_day *day)
{
    day->node_bytes = summary_node_bytes(day->clocks, day->tracks);
    day->blocks = summary_block_count(day->records, day->block_records);
    day->groups = summary_group_count(day->blocks);
    day->totals_bytes = day->series_count * SUMMARY_SERIES_BYTES + day->node_bytes;
    day->blocks_bytes =
        summary_keys_bytes(day->blocks) + (day->groups + day->blocks) * day->node_bytes;
}

/* ---- Opening ---- */

static bool head_whole(const struct summary_file *file, int32_t year)
{
    const unsigned char *head = file->bytes;
    return file->size >= SUMMARY_HEAD_BYTES && summary_read64(head) == SUMMARY_MAGIC &&
           summary_read32(head + 8) == SUMMARY_VERSION &&
           summary_read32(head + 12) == (uint32_t)year && summary_read64(head + 24) == file->size &&
           summary_read64(head + 56) == checksum64(head, 56);
}

/* Does a part of so many bytes fit in front of the index? */
static bool part_fits(uint64_t at, uint64_t bytes, uint64_t end)
{
    return at % SUMMARY_ALIGNMENT == 0 && at >= SUMMARY_HEAD_BYTES && at <= end &&
           bytes <= end - at;
}

static bool index_whole(struct summary_file *file)
{
    const unsigned char *head = file->bytes;
    uint64_t at = summary_read64(head + 32);
    file->count = summary_read32(head + 16);
    file->source_count = summary_read32(head + 20);
    uint64_t bytes = (uint64_t)file->count * SUMMARY_DAY_BYTES +
                     (uint64_t)file->source_count * SUMMARY_SOURCE_BYTES;
    if (!part_fits(at, bytes, file->size) || bytes != file->size - at)
        return false;
    file->index = file->bytes + at;
    file->sources = file->index + file->count * SUMMARY_DAY_BYTES;
    return summary_read64(head + 40) == checksum64(file->index, bytes);
}

/* The sizes of a day as the index says them, as far as they can be. */
static bool day_sizes_read(const unsigned char *entry, struct summary_day *day)
{
    day->day = (int32_t)summary_read32(entry);
    day->records = summary_read32(entry + 4);
    day->block_records = summary_read32(entry + 8);
    day->last_ms = summary_read32(entry + 12);
    day->series_count = summary_read32(entry + 16);
    day->clocks = summary_read32(entry + 20);
    day->tracks = summary_read32(entry + 24);
    day->source_count = summary_read32(entry + 28);
    day->totals_checksum = summary_read64(entry + 48);
    day->blocks_checksum = summary_read64(entry + 64);
    return day->records > 0 && day->series_count <= SERIES_PLACES &&
           day->tracks <= 2 * day->series_count && day->clocks <= day->tracks;
}

static bool day_read(const struct summary_file *file, size_t number, struct summary_day *day)
{
    const unsigned char *entry = file->index + number * SUMMARY_DAY_BYTES;
    uint64_t end = (uint64_t)(file->index - file->bytes);
    uint64_t source = summary_read32(entry + 32), totals = summary_read64(entry + 40),
             blocks = summary_read64(entry + 56);
    if (!day_sizes_read(entry, day) || (number > 0 && day->day <= day[-1].day) ||
        source > file->source_count || day->source_count > file->source_count - source)
        return false;
    summary_day_measure(day);
    if (!part_fits(totals, day->totals_bytes, end) || !part_fits(blocks, day->blocks_bytes, end))
        return false;
    day->totals = file->bytes + totals;
    day->keys = file->bytes + blocks;
    day->sources = file->sources + source * SUMMARY_SOURCE_BYTES;
    day->checked = &file->checked[number];
    return true;
}

static enum hearth_error days_read(struct summary_file *file)
{
    file->days = memory_new_zero(file->count + 1, sizeof *file->days);
    file->checked = memory_new_zero(file->count + 1, sizeof *file->checked);
    if (!file->days || !file->checked)
        return HEARTH_NO_MEMORY;
    for (size_t i = 0; i < file->count; i++)
        if (!day_read(file, i, &file->days[i]))
            return HEARTH_CORRUPT;
    return HEARTH_OK;
}

static enum hearth_error file_map(struct summary_file *file, struct file_operations *files,
                                  const char *path, struct error_record *error)
{
    struct file_status status;
    int descriptor = file_open(files, path, O_RDONLY, 0, error);
    if (descriptor < 0)
        return error_from_errno(errno);
    enum hearth_error code = file_status_of(files, descriptor, path, &status, error);
    if (code == HEARTH_OK && status.size_bytes < SUMMARY_HEAD_BYTES)
        code = error_set_internal(error, HEARTH_CORRUPT, 0, "%s is cut short", path);
    void *bytes = MAP_FAILED;
    if (code == HEARTH_OK) {
        bytes = mmap(NULL, status.size_bytes, PROT_READ, MAP_SHARED, descriptor, 0);
        if (bytes == MAP_FAILED)
            code = error_set_internal(error, error_from_errno(errno), errno, "mmap %s", path);
    }
    file_close(files, descriptor);
    if (bytes == MAP_FAILED)
        return code;
    file->bytes = bytes;
    file->size = status.size_bytes;
    file->range = mapped_range_add(bytes, file->size);
    return file->range ? HEARTH_OK
                       : error_set_internal(error, HEARTH_NO_MEMORY, 0,
                                            "too many files are mapped for %s", path);
}

struct summary_file *summary_file_open(struct file_operations *files, const char *store,
                                       int32_t year, struct error_record *error)
{
    char path[SUMMARY_PATH_BYTES];
    struct summary_file *file = memory_new_zero(1, sizeof *file);
    if (!file || !summary_path(store, year, path)) {
        memory_free(file);
        error_set_internal(error, HEARTH_NO_MEMORY, 0, "no memory for a summary");
        return NULL;
    }
    enum hearth_error code = file_map(file, files, path, error);
    if (code == HEARTH_OK) {
        code = head_whole(file, year) && index_whole(file) ? days_read(file) : HEARTH_CORRUPT;
        if (summary_file_damaged(file))
            code = HEARTH_CORRUPT;
        if (code != HEARTH_OK)
            error_set_internal(error, code, 0, "%s: the summary cannot be used", path);
    }
    if (code == HEARTH_OK)
        return file;
    summary_file_close(file);
    return NULL;
}

void summary_file_close(struct summary_file *file)
{
    if (!file)
        return;
    mapped_range_remove(file->range);
    if (file->bytes)
        munmap((void *)file->bytes, file->size);
    memory_free(file->days);
    memory_free(file->checked);
    memory_free(file);
}

bool summary_file_damaged(const struct summary_file *file)
{
    return mapped_range_damaged(file->range);
}

/* ---- Days ---- */

/* The series ascend, and clocks and tracks are as many as the index says. */
static bool series_agree(const struct summary_day *day)
{
    size_t clocks = 0, tracks = 0;
    for (size_t i = 0; i < day->series_count; i++) {
        const unsigned char *series = summary_series_at(day, i);
        unsigned kind = summary_series_kind(series);
        if (kind > SUMMARY_KINDS ||
            ((kind & SUMMARY_SAME_CLOCK) != 0 && summary_tracks_of(kind) != 2) ||
            summary_series_place(series) >= SERIES_PLACES || summary_series_limit_ms(series) < 0 ||
            (i > 0 &&
             summary_series_place(series) <= summary_series_place(series - SUMMARY_SERIES_BYTES)))
            return false;
        clocks += summary_clocks_of(kind);
        tracks += summary_tracks_of(kind);
    }
    return clocks == day->clocks && tracks == day->tracks;
}

bool summary_day_totals_whole(const struct summary_day *day)
{
    unsigned char known = atomic_load_explicit(&day->checked->totals, memory_order_relaxed);
    if (known == 0) {
        bool whole =
            checksum64(day->totals, day->totals_bytes) == day->totals_checksum && series_agree(day);
        known = whole ? SUMMARY_WHOLE : SUMMARY_DAMAGED;
        atomic_store_explicit(&day->checked->totals, known, memory_order_relaxed);
    }
    return known == SUMMARY_WHOLE;
}

bool summary_day_blocks_whole(const struct summary_day *day)
{
    unsigned char known = atomic_load_explicit(&day->checked->blocks, memory_order_relaxed);
    if (known == 0) {
        bool whole = checksum64(day->keys, day->blocks_bytes) == day->blocks_checksum;
        known = whole ? SUMMARY_WHOLE : SUMMARY_DAMAGED;
        atomic_store_explicit(&day->checked->blocks, known, memory_order_relaxed);
    }
    return known == SUMMARY_WHOLE;
}

static const struct summary_day *find_day(const struct summary_file *file, int32_t day)
{
    size_t low = 0, high = file->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (file->days[middle].day < day)
            low = middle + 1;
        else
            high = middle;
    }
    return low < file->count && file->days[low].day == day ? &file->days[low] : NULL;
}

static bool day_covers(const struct summary_day *day, const struct sealed_file *sealed,
                       size_t count)
{
    uint64_t records = 0;
    if (day->source_count != count)
        return false;
    for (size_t i = 0; i < count; i++) {
        const unsigned char *source = day->sources + i * SUMMARY_SOURCE_BYTES;
        if (summary_read64(source) != sealed[i].sequence ||
            summary_read32(source + 8) != sealed[i].records)
            return false;
        records += sealed[i].records;
    }
    return records == day->records;
}

const struct summary_day *summary_file_day(const struct summary_file *file, int32_t day,
                                           const struct sealed_file *sealed, size_t count)
{
    const struct summary_day *found = find_day(file, day);
    return found && day_covers(found, sealed, count) && summary_day_totals_whole(found) ? found
                                                                                        : NULL;
}

size_t summary_file_days(const struct summary_file *file)
{
    return file->count;
}

size_t summary_day_series_count(const struct summary_day *day)
{
    return day->series_count;
}

void summary_day_series(const struct summary_day *day, size_t index, struct summary_series *series)
{
    const unsigned char *at = summary_series_at(day, index);
    series->channel = (int)(summary_series_place(at) >> 8) + 1;
    series->rolling_code = (int)(summary_series_place(at) & 255);
    series->count = summary_read32(at + 4);
    memcpy(&series->first, at + 16, sizeof series->first);
    memcpy(&series->last, at + 28, sizeof series->last);
}
