/*
 * series_names.c - loaded names: whose reading is it, and what is it called?
 *
 * A transmitter's windows stand side by side, ascending, and do not overlap, so that the last one
 * which begins before a reading is the only one that may hold it. Most transmitters have one or
 * none.
 */
#include "handlers/sensor/series/series_names_internal.h"

#include <stdio.h>

/* ---- References ---- */

struct series_names *series_names_keep(const struct series_names *names)
{
    /* A loaded one never changes; the count of those who hold it is no part of what it says. */
    struct series_names *kept = (struct series_names *)names;
    atomic_fetch_add_explicit(&kept->references, 1, memory_order_relaxed);
    return kept;
}

void series_names_free(struct series_names *names)
{
    if (names && atomic_fetch_sub_explicit(&names->references, 1, memory_order_acq_rel) == 1)
        arena_free(names->arena);
}

/* ---- What it says ---- */

uint64_t series_names_version(const struct series_names *names)
{
    return names->version;
}

size_t series_names_count(const struct series_names *names)
{
    return names->count;
}

const struct named_series *series_names_get(const struct series_names *names, uint32_t index)
{
    return index < names->count ? &names->series[index] : NULL;
}

const struct series_window *series_names_windows(const struct series_names *names, int channel,
                                                 int rolling_code, size_t *count)
{
    uint32_t place = series_place(channel, rolling_code);
    uint32_t first = names->first[place];
    *count = names->first[place + 1] - first;
    return names->by_transmitter + first;
}

uint32_t series_names_find(const struct series_names *names, int channel, int rolling_code,
                           int64_t time_ms)
{
    uint32_t place = series_place(channel, rolling_code);
    uint32_t low = names->first[place], high = names->first[place + 1];
    uint32_t first = low;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (names->by_transmitter[middle].from_ms <= time_ms)
            low = middle + 1;
        else
            high = middle;
    }
    if (low > first && time_ms < names->by_transmitter[low - 1].to_ms)
        return names->by_transmitter[low - 1].series;
    return (uint32_t)names->count + place;
}

int64_t series_names_limit_ms(const struct series_names *names, uint32_t index)
{
    return index < names->count ? names->series[index].stale_after_ms : names->default_stale_ms;
}

bool series_names_by_id(const struct series_names *names, struct view id, uint32_t *index)
{
    uint32_t place;
    if (series_place_parse(id, &place)) {
        *index = (uint32_t)names->count + place;
        return true;
    }
    for (uint32_t i = 0; i < names->count; i++) {
        if (!view_equal(view_of(names->series[i].id), id))
            continue;
        *index = i;
        return true;
    }
    return false;
}

void series_names_id(const struct series_names *names, uint32_t index, char id[SERIES_ID_BYTES])
{
    if (index < names->count) {
        snprintf(id, SERIES_ID_BYTES, "%s", names->series[index].id);
        return;
    }
    uint32_t place = index - (uint32_t)names->count;
    snprintf(id, SERIES_ID_BYTES, "%u-%u", place / 256 + 1, place % 256);
}
