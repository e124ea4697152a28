/*
 * summary_format.h - the stored form of summaries, for the files that read, build and write them.
 * The layout stands at the head of summary_file.c; these are its sizes and the way around in it.
 */
#ifndef HEARTH_SENSOR_SUMMARY_FORMAT_H
#define HEARTH_SENSOR_SUMMARY_FORMAT_H

#include "handlers/sensor/series/series_names.h"
#include "handlers/sensor/summary/summary.h"

#include <endian.h>
#include <stdatomic.h>
#include <string.h>

enum {
    SUMMARY_VERSION = 1,
    SUMMARY_HEAD_BYTES = 64,
    SUMMARY_DAY_BYTES = 80,
    SUMMARY_SOURCE_BYTES = 16,
    SUMMARY_SERIES_BYTES = 40,
    SUMMARY_ALIGNMENT = 8,
    SUMMARY_GROUP_BLOCKS = 8, /* blocks in a group */
    /* So many bytes may so many readings take, and no block is smaller than... */
    SUMMARY_READING_BYTES = 29,
    SUMMARY_READINGS = 10,
    SUMMARY_BLOCK_MINIMUM = 64,
    SUMMARY_PATH_BYTES = 2048 + 64,
};

#define SUMMARY_MAGIC UINT64_C(0x731A687472616568) /* "hearth", 0x1A, "s" */

/* What a series has in a day. */
enum {
    SUMMARY_HAS_TEMPERATURE = 1,
    SUMMARY_HAS_HUMIDITY = 2,
    SUMMARY_SAME_CLOCK = 4, /* every reading has both or neither: their times are the same */
    SUMMARY_KINDS = 7,
};

/* A clock of a node, all u32, and a track. */
enum {
    CLOCK_COUNT = 0,
    CLOCK_FIRST_MS = 4,
    CLOCK_LAST_MS = 8,
    CLOCK_COVERED_MS = 12,
    CLOCK_GAP_MS = 16,
    CLOCK_BYTES = 20,
    TRACK_INTEGRAL = 0, /* i64 */
    TRACK_MIN_MS = 8,   /* u32 */
    TRACK_MAX_MS = 12,
    TRACK_FIRST = 16, /* i16 */
    TRACK_LAST = 18,
    TRACK_MIN = 20,
    TRACK_MAX = 22,
    TRACK_BYTES = 24,
};

static inline size_t summary_align(size_t bytes)
{
    return (bytes + SUMMARY_ALIGNMENT - 1) / SUMMARY_ALIGNMENT * SUMMARY_ALIGNMENT;
}

static inline size_t summary_node_bytes(size_t clocks, size_t tracks)
{
    return summary_align(clocks * CLOCK_BYTES + tracks * TRACK_BYTES);
}

/* How many clocks and tracks a series of that kind has. */
static inline unsigned summary_tracks_of(unsigned kind)
{
    return (kind & 1) + (kind >> 1 & 1);
}

static inline unsigned summary_clocks_of(unsigned kind)
{
    return summary_tracks_of(kind) - (kind >> 2 & 1);
}

/* What a series of that kind takes of a node. */
static inline uint32_t summary_entry_bytes(unsigned kind)
{
    return summary_clocks_of(kind) * CLOCK_BYTES + summary_tracks_of(kind) * TRACK_BYTES;
}

/* Blocks of a day of so many records; 0 = the whole day is all there is. */
static inline size_t summary_block_count(size_t records, size_t block_records)
{
    return block_records == 0 ? 0 : (records + block_records - 1) / block_records;
}

static inline size_t summary_group_count(size_t blocks)
{
    return blocks <= SUMMARY_GROUP_BLOCKS
               ? 0
               : (blocks + SUMMARY_GROUP_BLOCKS - 1) / SUMMARY_GROUP_BLOCKS;
}

/* What stands before the nodes of a day's blocks: the first record of each, eight bytes of all of
 * them and then four of all. */
static inline size_t summary_keys_bytes(size_t blocks)
{
    return blocks * 8 + summary_align(blocks * 4);
}

/* What was found out about a stored part: nothing yet, or this. */
enum { SUMMARY_WHOLE = 1, SUMMARY_DAMAGED = 2 };

struct summary_checked {
    _Atomic unsigned char totals, blocks;
};

/* A day of a mapped file, or of one that is about to be written. */
struct summary_day {
    int32_t day;
    uint32_t records, block_records;
    uint32_t last_ms; /* of the last record, after the day's beginning */
    size_t series_count, clocks, tracks;
    size_t blocks, groups;
    size_t node_bytes;
    const unsigned char *totals; /* the series, then the node of the whole day */
    size_t totals_bytes;
    const unsigned char *keys; /* the first records of the blocks, then groups and blocks */
    size_t blocks_bytes;
    const unsigned char *sources;
    size_t source_count;
    uint64_t totals_checksum, blocks_checksum;
    struct summary_checked *checked;
};

/* Fills what follows from records, block_records, clocks and tracks. */
void summary_day_measure(struct summary_day *day);

/* Are the digests of the whole day as they were written? And those of the blocks? Looked at once.
 * Any thread. */
bool summary_day_totals_whole(const struct summary_day *day);
bool summary_day_blocks_whole(const struct summary_day *day);

/* ---- Members ---- */

static inline uint16_t summary_read16(const unsigned char *at)
{
    uint16_t number;
    memcpy(&number, at, sizeof number);
    return le16toh(number);
}

static inline uint32_t summary_read32(const unsigned char *at)
{
    uint32_t number;
    memcpy(&number, at, sizeof number);
    return le32toh(number);
}

static inline uint64_t summary_read64(const unsigned char *at)
{
    uint64_t number;
    memcpy(&number, at, sizeof number);
    return le64toh(number);
}

static inline void summary_write16(unsigned char *at, uint16_t number)
{
    number = htole16(number);
    memcpy(at, &number, sizeof number);
}

static inline void summary_write32(unsigned char *at, uint32_t number)
{
    number = htole32(number);
    memcpy(at, &number, sizeof number);
}

static inline void summary_write64(unsigned char *at, uint64_t number)
{
    number = htole64(number);
    memcpy(at, &number, sizeof number);
}

/* ---- Parts of a day ---- */

static inline const unsigned char *summary_series_at(const struct summary_day *day, size_t index)
{
    return day->totals + index * SUMMARY_SERIES_BYTES;
}

/* (channel - 1) * 256 + rolling code */
static inline unsigned summary_series_place(const unsigned char *series)
{
    return summary_read16(series);
}

static inline unsigned summary_series_kind(const unsigned char *series)
{
    return series[2];
}

static inline int64_t summary_series_limit_ms(const unsigned char *series)
{
    return (int64_t)summary_read64(series + 8);
}

static inline const unsigned char *summary_total_node(const struct summary_day *day)
{
    return day->totals + day->series_count * SUMMARY_SERIES_BYTES;
}

static inline const unsigned char *summary_group_node(const struct summary_day *day, size_t group)
{
    return day->keys + summary_keys_bytes(day->blocks) + group * day->node_bytes;
}

static inline const unsigned char *summary_block_node(const struct summary_day *day, size_t block)
{
    return summary_group_node(day, day->groups + block);
}

/* The first record of a block, as the two numbers of record.h. */
static inline uint64_t summary_block_high(const struct summary_day *day, size_t block)
{
    return summary_read64(day->keys + block * 8);
}

static inline uint32_t summary_block_low(const struct summary_day *day, size_t block)
{
    return summary_read32(day->keys + day->blocks * 8 + block * 4);
}

/* STORE/summary/YEAR.sum; false when the name is too long. */
bool summary_path(const char *store, int32_t year, char path[SUMMARY_PATH_BYTES]);

#endif
