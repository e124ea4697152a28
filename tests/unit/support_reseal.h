/*
 * support_reseal.h - the checksums of a summary's bytes made right again after they were changed,
 * as far as the bytes say where they belong. For what a checksum would hide: tests and fuzzing.
 */
#ifndef TESTS_SUPPORT_RESEAL_H
#define TESTS_SUPPORT_RESEAL_H

#include "handlers/sensor/record/checksum64.h"
#include "handlers/sensor/summary/summary_format.h"

static inline void reseal_part(unsigned char *bytes, size_t size, uint64_t at, uint64_t length,
                               unsigned char *checksum)
{
    if (at <= size && length <= size - at)
        summary_write64(checksum, checksum64(bytes + at, (size_t)length));
}

static inline void reseal_day(unsigned char *bytes, size_t size, unsigned char *entry)
{
    struct summary_day day = {.records = summary_read32(entry + 4),
                              .block_records = summary_read32(entry + 8),
                              .series_count = summary_read32(entry + 16),
                              .clocks = summary_read32(entry + 20),
                              .tracks = summary_read32(entry + 24)};
    if (day.series_count > SERIES_PLACES || day.tracks > 2 * day.series_count ||
        day.clocks > day.tracks)
        return;
    summary_day_measure(&day);
    reseal_part(bytes, size, summary_read64(entry + 40), day.totals_bytes, entry + 48);
    reseal_part(bytes, size, summary_read64(entry + 56), day.blocks_bytes, entry + 64);
}

static inline void reseal(unsigned char *bytes, size_t size)
{
    if (size < SUMMARY_HEAD_BYTES)
        return;
    uint64_t index = summary_read64(bytes + 32);
    size_t days = summary_read32(bytes + 16);
    for (size_t i = 0; i < days; i++) {
        uint64_t entry = index + i * SUMMARY_DAY_BYTES;
        if (index > size || entry + SUMMARY_DAY_BYTES > size)
            break;
        reseal_day(bytes, size, bytes + entry);
    }
    if (index <= size)
        reseal_part(bytes, size, index, size - index, bytes + 40);
    summary_write64(bytes + 56, checksum64(bytes, 56));
}

#endif
