/*
 * series_totals.c - counts and extents of the transmitters, found by channel and rolling code.
 */
#include "handlers/sensor/live/series_totals.h"

#include "handlers/sensor/disk/live_memory.h"

#include "handlers/sensor/record/record.h"

#include <string.h>

enum { PLACE_SHIFT = 8, PLACE_MASK = SERIES_TOTAL_PLACES - 1 }; /* in a record's first 8 bytes */

void series_totals_clean(struct series_totals *totals)
{
    memory_free(totals->places);
    memory_free(totals->totals);
    *totals = (struct series_totals){0};
}

enum hearth_error series_totals_copy(struct series_totals *to, const struct series_totals *from)
{
    *to = (struct series_totals){0};
    if (from->count == 0)
        return HEARTH_OK;
    to->places = memory_new(SERIES_TOTAL_PLACES * sizeof *to->places);
    to->totals = memory_new(from->count * sizeof *to->totals);
    if (!to->places || !to->totals) {
        series_totals_clean(to);
        return HEARTH_NO_MEMORY;
    }
    memcpy(to->places, from->places, SERIES_TOTAL_PLACES * sizeof *to->places);
    memcpy(to->totals, from->totals, from->count * sizeof *to->totals);
    to->count = to->capacity = from->count;
    return HEARTH_OK;
}

static bool has_room(struct series_totals *totals)
{
    if (!totals->places)
        totals->places = memory_new_zero(SERIES_TOTAL_PLACES, sizeof *totals->places);
    if (!totals->places)
        return false;
    if (totals->count < totals->capacity)
        return true;
    size_t capacity = totals->capacity ? totals->capacity * 2 : 16;
    struct series_total *grown = memory_resize(totals->totals, capacity * sizeof *grown);
    if (!grown)
        return false;
    totals->totals = grown;
    totals->capacity = capacity;
    return true;
}

/* NULL when memory ran out. */
static struct series_total *require(struct series_totals *totals, size_t place)
{
    if (totals->places && totals->places[place] > 0)
        return &totals->totals[totals->places[place] - 1];
    if (!has_room(totals))
        return NULL;
    struct series_total *total = &totals->totals[totals->count++];
    *total = (struct series_total){.place = (uint16_t)place, .first_ms = INT64_MAX};
    totals->places[place] = (uint16_t)totals->count;
    return total;
}

static bool newer(const struct record *a, const struct record *b)
{
    uint64_t high_a = record_high(a), high_b = record_high(b);
    return high_a != high_b ? high_a > high_b : record_low(a) > record_low(b);
}

enum hearth_error series_totals_add(struct series_totals *totals, const struct record *records,
                                    size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct record *record = &records[i];
        size_t place = (size_t)(record_high(record) >> PLACE_SHIFT) & PLACE_MASK;
        struct series_total *total = require(totals, place);
        if (!total)
            return HEARTH_NO_MEMORY;
        int64_t time_ms = record_time_ms(record);
        if (time_ms < total->first_ms)
            total->first_ms = time_ms;
        if (total->count++ == 0 || newer(record, &total->newest))
            total->newest = *record;
    }
    return HEARTH_OK;
}

enum hearth_error series_totals_join(struct series_totals *totals, const struct series_total *more)
{
    if (more->count == 0)
        return HEARTH_OK;
    struct series_total *total = require(totals, more->place);
    if (!total)
        return HEARTH_NO_MEMORY;
    if (more->first_ms < total->first_ms)
        total->first_ms = more->first_ms;
    if (total->count == 0 || newer(&more->newest, &total->newest))
        total->newest = more->newest;
    total->count += more->count;
    return HEARTH_OK;
}

const struct series_total *series_totals_get(const struct series_totals *totals, size_t place)
{
    return totals->places && totals->places[place] > 0 ? &totals->totals[totals->places[place] - 1]
                                                       : NULL;
}
