/*
 * query_inventory.c - which series there are.
 *
 * First comes a part for each window of each named series, then each transmitter of the store is
 * given to the parts between its first and last reading: the windows it has there, and, where there
 * are gaps, its unnamed series. If that is one part, it takes all; if there are several, they are
 * marked, and one query over buckets whose edges are those of their windows fills them all.
 */
#include "handlers/sensor/query/query_inventory.h"

#include "handlers/sensor/aggregate/aggregate.h"

#include <stdlib.h>

enum { CODES = 256 };
static const int64_t end_ms = READING_TIME_MAX_MS + 1;

/* ---- Parts ---- */

static struct inventory_part *add_part(struct inventory *inventory, uint32_t series, int channel,
                                       int rolling_code)
{
    struct inventory_part *part = &inventory->parts[inventory->count++];
    *part = (struct inventory_part){
        .series = series, .channel = channel, .rolling_code = rolling_code, .to_ms = INT64_MAX};
    return part;
}

static size_t count_windows(const struct series_names *names)
{
    size_t count = 0;
    for (uint32_t i = 0; i < series_names_count(names); i++)
        count += series_names_get(names, i)->window_count;
    return count;
}

static void add_windows(struct inventory *inventory, const struct series_names *names)
{
    for (uint32_t i = 0; i < series_names_count(names); i++) {
        const struct named_series *series = series_names_get(names, i);
        for (size_t w = 0; w < series->window_count; w++) {
            const struct series_window *window = &series->windows[w];
            struct inventory_part *part =
                add_part(inventory, i, window->channel, window->rolling_code);
            part->windowed = true;
            part->from_ms = window->from_ms;
            part->to_ms = window->to_ms;
        }
    }
}

static struct inventory_part *part_of_window(struct inventory *inventory,
                                             const struct series_window *window)
{
    for (size_t i = 0; i < inventory->count; i++) {
        struct inventory_part *part = &inventory->parts[i];
        if (part->windowed && part->channel == window->channel &&
            part->rolling_code == window->rolling_code && part->from_ms == window->from_ms)
            return part;
    }
    return NULL;
}

static struct inventory_part *add_unnamed(struct inventory *inventory,
                                          const struct series_names *names,
                                          const struct reading_series *raw)
{
    size_t place = (size_t)(raw->channel - 1) * CODES + (size_t)raw->rolling_code;
    return add_part(inventory, (uint32_t)(series_names_count(names) + place), raw->channel,
                    raw->rolling_code);
}

/* ---- Transmitters ---- */

struct share { /* what of a transmitter's time is whose */
    struct inventory_part *first;
    size_t parts;
    bool has_gap;
};

static void share_out(struct inventory *inventory, const struct series_window *windows,
                      size_t count, const struct reading_series *raw, struct share *share)
{
    int64_t at = raw->first_ms; /* up to here it is somebody's */
    for (size_t i = 0; i < count && at <= raw->last_ms; i++) {
        if (windows[i].to_ms <= at || windows[i].from_ms > raw->last_ms)
            continue;
        share->has_gap = share->has_gap || windows[i].from_ms > at;
        struct inventory_part *part = part_of_window(inventory, &windows[i]);
        if (!part)
            continue;
        part->split = true; /* taken back when it is the only one */
        share->first = share->first ? share->first : part;
        share->parts++;
        at = windows[i].to_ms;
    }
    share->has_gap = share->has_gap || at <= raw->last_ms;
}

static void take_all(struct inventory_part *part, const struct reading_series *raw)
{
    part->split = false;
    part->first_ms = raw->first_ms;
    part->last_ms = raw->last_ms;
    part->count = raw->count;
}

/* True when its readings have to be counted by window. */
static bool add_transmitter(struct inventory *inventory, const struct series_names *names,
                            const struct reading_series *raw)
{
    size_t count;
    struct share share = {0};
    const struct series_window *windows =
        series_names_windows(names, raw->channel, raw->rolling_code, &count);
    share_out(inventory, windows, count, raw, &share);
    struct inventory_part *unnamed = share.has_gap ? add_unnamed(inventory, names, raw) : NULL;
    if (share.parts + share.has_gap == 1) {
        take_all(unnamed ? unnamed : share.first, raw);
        return false;
    }
    if (unnamed)
        unnamed->split = true;
    return true;
}

/* ---- Those that were several series' ---- */

struct splitting {
    struct inventory *inventory;
    int64_t *edges_ms;
    size_t edge_count;
    bool *wanted;
};

static void add_edge(struct splitting *splitting, int64_t ms)
{
    splitting->edges_ms[splitting->edge_count++] = ms < 0 ? 0 : ms > end_ms ? end_ms : ms;
}

static int compare_edges(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

static void find_edges(struct splitting *splitting)
{
    const struct inventory *inventory = splitting->inventory;
    add_edge(splitting, 0);
    add_edge(splitting, end_ms);
    for (size_t i = 0; i < inventory->count; i++) {
        if (!inventory->parts[i].split)
            continue;
        splitting->wanted[inventory->parts[i].series] = true;
        add_edge(splitting, inventory->parts[i].from_ms);
        add_edge(splitting, inventory->parts[i].to_ms);
    }
    qsort(splitting->edges_ms, splitting->edge_count, sizeof *splitting->edges_ms, compare_edges);
    size_t kept = 1;
    for (size_t i = 1; i < splitting->edge_count; i++)
        if (splitting->edges_ms[i] > splitting->edges_ms[kept - 1])
            splitting->edges_ms[kept++] = splitting->edges_ms[i];
    splitting->edge_count = kept;
}

/* The series' part at that time: its windows do not overlap. */
static struct inventory_part *part_at(struct inventory *inventory, uint32_t series, int64_t time_ms)
{
    for (size_t i = 0; i < inventory->count; i++) {
        struct inventory_part *part = &inventory->parts[i];
        if (part->split && part->series == series && part->from_ms <= time_ms &&
            time_ms < part->to_ms)
            return part;
    }
    return NULL;
}

static enum hearth_error count_bucket(void *context, size_t bucket,
                                      const struct bucket_track *tracks, size_t count)
{
    struct splitting *splitting = context;
    for (size_t i = 0; i < count; i++) {
        const struct digest *digest = &tracks[i].digest;
        struct inventory_part *part =
            part_at(splitting->inventory, tracks[i].series, splitting->edges_ms[bucket]);
        if (!part || digest->count == 0)
            continue;
        bool none = part->split_counts[QUANTITY_TEMPERATURE] == 0 &&
                    part->split_counts[QUANTITY_HUMIDITY] == 0;
        if (none || digest->first_ms < part->first_ms)
            part->first_ms = digest->first_ms;
        if (none || digest->last_ms > part->last_ms)
            part->last_ms = digest->last_ms;
        part->split_counts[tracks[i].quantity] += digest->count;
    }
    return HEARTH_OK;
}

static void end_counting(struct inventory *inventory)
{
    for (size_t i = 0; i < inventory->count; i++) {
        struct inventory_part *part = &inventory->parts[i];
        uint64_t temperature = part->split_counts[QUANTITY_TEMPERATURE];
        uint64_t humidity = part->split_counts[QUANTITY_HUMIDITY];
        if (part->split)
            part->count = temperature > humidity ? temperature : humidity;
    }
}

static enum hearth_error count_split(const struct sensor *sensor, const struct request *request,
                                     const struct query_series *series, struct inventory *inventory)
{
    struct splitting splitting = {
        .inventory = inventory,
        .edges_ms = arena_array(request->arena, 2 * inventory->count + 2, sizeof(int64_t)),
        .wanted = arena_array(request->arena, series->index_count, sizeof(bool)),
    };
    if (!splitting.edges_ms || !splitting.wanted)
        return HEARTH_NO_MEMORY;
    find_edges(&splitting);
    const struct bucket_query query = {
        .edges_ms = splitting.edges_ms,
        .bucket_count = splitting.edge_count - 1,
        .names = series->names,
        .wanted = splitting.wanted,
    };
    enum hearth_error error = sensor->store->aggregate(sensor->store, &query, count_bucket,
                                                       &splitting, NULL, request->error);
    if (!error)
        end_counting(inventory);
    return error;
}

/* ---- All ---- */

static int compare_parts(const void *left, const void *right)
{
    const struct inventory_part *a = left, *b = right;
    if (a->series != b->series)
        return a->series < b->series ? -1 : 1;
    return (a->from_ms > b->from_ms) - (a->from_ms < b->from_ms);
}

enum hearth_error query_inventory_take(const struct sensor *sensor, const struct request *request,
                                       const struct query_series *series,
                                       struct inventory *inventory)
{
    size_t count = 0, windows = count_windows(series->names);
    bool split = false;
    struct reading_series *raw = arena_array(request->arena, SERIES_PLACES, sizeof *raw);
    *inventory = (struct inventory){0};
    enum hearth_error error = raw ? HEARTH_OK : HEARTH_NO_MEMORY;
    if (!error)
        error = sensor->store->series(sensor->store, raw, SERIES_PLACES, &count, request->error);
    if (error)
        return error;
    inventory->parts = arena_array(request->arena, windows + count, sizeof *inventory->parts);
    if (!inventory->parts)
        return HEARTH_NO_MEMORY;
    add_windows(inventory, series->names);
    for (size_t i = 0; i < count; i++)
        split = add_transmitter(inventory, series->names, &raw[i]) || split;
    if (split)
        error = count_split(sensor, request, series, inventory);
    qsort(inventory->parts, inventory->count, sizeof *inventory->parts, compare_parts);
    return error;
}
