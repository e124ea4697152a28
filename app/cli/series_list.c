/*
 * series_list.c - which series there are, and what they are made of.
 *
 * The store counts by transmitter. Where a transmitter's readings all lie in one window they are
 * that series'; where they do not, those in each window are counted one by one.
 */
#include "app/cli/series_list.h"

#include "app/cli/figures.h"
#include "app/cli/text_table.h"
#include "handlers/sensor/disk/live_memory.h"
#include "handlers/sensor/series/series_names_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

/* Readings of a transmitter in a window, or of a series; count 0: the times say nothing. */
struct extent {
    uint64_t count;
    int64_t first_ms, last_ms;
};

struct list {
    const struct series_names *names;
    struct reading_store *store;
    struct reading_series *known; /* SERIES_PLACES, by place; count 0 = none */
    struct buffer *out;
    struct error_record *error;
};

/* ---- Counting ---- */

static enum hearth_error count_one(void *context, const struct record *records, size_t count)
{
    struct extent *extent = context;
    if (extent->count == 0)
        extent->first_ms = record_time_ms(&records[0]);
    extent->last_ms = record_time_ms(&records[count - 1]);
    extent->count += count;
    return HEARTH_OK;
}

static enum hearth_error take_window(const struct list *list, const struct series_window *window,
                                     struct extent *extent)
{
    const struct reading_series *known =
        &list->known[series_place(window->channel, window->rolling_code)];
    *extent = (struct extent){0};
    if (known->count == 0 || known->last_ms < window->from_ms || known->first_ms >= window->to_ms)
        return HEARTH_OK;
    if (known->first_ms >= window->from_ms && known->last_ms < window->to_ms) {
        *extent = (struct extent){known->count, known->first_ms, known->last_ms};
        return HEARTH_OK;
    }
    const struct reading_range range = {window->from_ms, window->to_ms, window->channel,
                                        window->rolling_code, false};
    return list->store->range(list->store, &range, count_one, extent, list->error);
}

static void add_extent(struct extent *sum, const struct extent *part)
{
    if (part->count == 0)
        return;
    if (sum->count == 0 || part->first_ms < sum->first_ms)
        sum->first_ms = part->first_ms;
    if (sum->count == 0 || part->last_ms > sum->last_ms)
        sum->last_ms = part->last_ms;
    sum->count += part->count;
}

/* Between its windows a transmitter is a series of its own: the stretches that nobody claims. */
static enum hearth_error take_unclaimed(const struct list *list, uint32_t place,
                                        struct extent *extent)
{
    size_t count;
    int channel = (int)(place / 256) + 1, code = (int)(place % 256);
    const struct series_window *windows = series_names_windows(list->names, channel, code, &count);
    enum hearth_error result = HEARTH_OK;
    int64_t from_ms = 0;
    *extent = (struct extent){0};
    for (size_t i = 0; result == HEARTH_OK && i <= count; i++) {
        struct extent part = {0};
        int64_t to_ms = i < count ? windows[i].from_ms : INT64_MAX;
        const struct series_window free_window = {channel, code, from_ms, to_ms, 0};
        if (from_ms < to_ms)
            result = take_window(list, &free_window, &part);
        add_extent(extent, &part);
        from_ms = i < count ? windows[i].to_ms : from_ms;
    }
    return result;
}

static enum hearth_error take_known(struct list *list)
{
    struct reading_series *all = NULL;
    size_t count = 0;
    list->known = memory_new_zero(SERIES_PLACES, sizeof *list->known);
    all = memory_new_zero(SERIES_PLACES, sizeof *all);
    enum hearth_error code =
        list->known && all
            ? HEARTH_OK
            : error_set_internal(list->error, HEARTH_NO_MEMORY, ENOMEM, "no memory for the series");
    if (code == HEARTH_OK && list->store)
        code = list->store->series(list->store, all, SERIES_PLACES, &count, list->error);
    for (size_t i = 0; code == HEARTH_OK && i < count; i++)
        list->known[series_place(all[i].channel, all[i].rolling_code)] = all[i];
    memory_free(all);
    return code;
}

/* ---- Both forms go through the series in the same order ---- */

struct shown {
    uint32_t index;
    const struct named_series *named; /* NULL = unnamed */
    int channel, rolling_code;        /* of an unnamed one */
    struct extent extent;
};
typedef enum hearth_error show_fn(struct list *list, const struct shown *shown, void *context);

static enum hearth_error show_named(struct list *list, uint32_t index, show_fn *show, void *context)
{
    struct shown shown = {.index = index, .named = series_names_get(list->names, index)};
    enum hearth_error code = HEARTH_OK;
    for (size_t i = 0; code == HEARTH_OK && i < shown.named->window_count; i++) {
        struct extent part;
        code = take_window(list, &shown.named->windows[i], &part);
        add_extent(&shown.extent, &part);
    }
    return code == HEARTH_OK ? show(list, &shown, context) : code;
}

static enum hearth_error show_unnamed(struct list *list, uint32_t place, show_fn *show,
                                      void *context)
{
    struct shown shown = {.index = (uint32_t)series_names_count(list->names) + place,
                          .channel = (int)(place / 256) + 1,
                          .rolling_code = (int)(place % 256)};
    if (list->known[place].count == 0)
        return HEARTH_OK;
    enum hearth_error code = take_unclaimed(list, place, &shown.extent);
    if (code != HEARTH_OK || shown.extent.count == 0)
        return code;
    return show(list, &shown, context);
}

static enum hearth_error show_all(struct list *list, show_fn *show, void *context)
{
    enum hearth_error code = take_known(list);
    for (uint32_t i = 0; code == HEARTH_OK && i < series_names_count(list->names); i++)
        code = show_named(list, i, show, context);
    for (uint32_t i = 0; code == HEARTH_OK && i < SERIES_PLACES; i++)
        code = show_unnamed(list, i, show, context);
    memory_free(list->known);
    return code;
}

/* ---- The table ---- */

/* The newest transmitter, and how many there were before. */
static void format_transmitter(const struct shown *shown, char cell[FIGURE_SIZE])
{
    const struct named_series *named = shown->named;
    cell[0] = '\0';
    if (!named)
        snprintf(cell, FIGURE_SIZE, "%d-%d", shown->channel, shown->rolling_code);
    else if (named->window_count == 1)
        snprintf(cell, FIGURE_SIZE, "%d-%d", named->windows[0].channel,
                 named->windows[0].rolling_code);
    else if (named->window_count > 1)
        snprintf(cell, FIGURE_SIZE, "%d-%d, %zu before",
                 named->windows[named->window_count - 1].channel,
                 named->windows[named->window_count - 1].rolling_code, named->window_count - 1);
}

static const char *unit_name(const struct shown *shown)
{
    if (!shown->named || shown->named->unit == SERIES_UNIT_DEFAULT)
        return "";
    return shown->named->unit == SERIES_UNIT_C ? "C" : "F";
}

static enum hearth_error add_row(struct list *list, const struct shown *shown, void *context)
{
    struct text_table *table = context;
    char id[SERIES_ID_BYTES], cell[FIGURE_SIZE];
    const struct extent *extent = &shown->extent;
    series_names_id(list->names, shown->index, id);
    text_table_cell(table, id);
    text_table_cell(table, shown->named ? shown->named->name : "(new)");
    text_table_cell(table, shown->named ? shown->named->place : "");
    text_table_cell(table, unit_name(shown));
    text_table_cell(table, figure_duration(series_names_limit_ms(list->names, shown->index), cell));
    format_transmitter(shown, cell);
    text_table_cell(table, cell);
    text_table_cell(table, figure_count(extent->count, cell));
    text_table_cell(table, figure_time(extent->count > 0 ? extent->first_ms : -1, cell));
    text_table_cell(table, figure_time(extent->count > 0 ? extent->last_ms : -1, cell));
    return HEARTH_OK;
}

enum hearth_error series_list_table(const struct series_names *names, struct reading_store *store,
                                    struct buffer *out, struct error_record *error)
{
    struct list list = {.names = names, .store = store, .out = out, .error = error};
    struct text_table table;
    text_table_init(&table, "SERIES\tNAME\tPLACE\tUNIT\t>STALE "
                            "AFTER\tTRANSMITTER\t>READINGS\tFIRST\tLAST");
    enum hearth_error code = show_all(&list, add_row, &table);
    if (code == HEARTH_OK)
        text_table_print(&table, out);
    text_table_clean(&table);
    return code;
}

/* ---- JSON ---- */

static void append_extent(struct buffer *out, const struct extent *extent)
{
    figure_json_time(out, "first", extent->count > 0 ? extent->first_ms : -1);
    figure_json_time(out, "last", extent->count > 0 ? extent->last_ms : -1);
    buffer_append_format(out, ",\"count\":%" PRIu64, extent->count);
}

static enum hearth_error append_window(struct list *list, const struct series_window *window)
{
    struct extent extent;
    enum hearth_error code = take_window(list, window, &extent);
    if (code != HEARTH_OK)
        return code;
    buffer_append_format(list->out, "{\"channel\":%d,\"rolling_code\":%d", window->channel,
                         window->rolling_code);
    figure_json_time(list->out, "from", window->from_ms > 0 ? window->from_ms : -1);
    figure_json_time(list->out, "to", window->to_ms < INT64_MAX ? window->to_ms : -1);
    append_extent(list->out, &extent);
    buffer_append_byte(list->out, '}');
    return HEARTH_OK;
}

static enum hearth_error append_transmitters(struct list *list, const struct shown *shown)
{
    enum hearth_error code = HEARTH_OK;
    if (!shown->named) {
        buffer_append_format(list->out, "{\"channel\":%d,\"rolling_code\":%d", shown->channel,
                             shown->rolling_code);
        buffer_append_text(list->out, ",\"from\":null,\"to\":null");
        append_extent(list->out, &shown->extent);
        buffer_append_byte(list->out, '}');
        return HEARTH_OK;
    }
    for (size_t i = 0; code == HEARTH_OK && i < shown->named->window_count; i++) {
        buffer_append_text(list->out, i == 0 ? "" : ",");
        code = append_window(list, &shown->named->windows[i]);
    }
    return code;
}

static enum hearth_error append_series(struct list *list, const struct shown *shown, void *context)
{
    const char **between = context;
    struct buffer *out = list->out;
    char id[SERIES_ID_BYTES];
    series_names_id(list->names, shown->index, id);
    buffer_append_format(out, "%s{\"id\":\"%s\",\"name\":", *between, id);
    *between = ",";
    buffer_append_json(out, view_of(shown->named ? shown->named->name : ""));
    buffer_append_text(out, ",\"place\":");
    buffer_append_json(out, view_of(shown->named ? shown->named->place : ""));
    buffer_append_text(out, ",\"unit\":");
    if (unit_name(shown)[0] != '\0')
        buffer_append_json(out, view_of(unit_name(shown)));
    else
        buffer_append_text(out, "null");
    buffer_append_format(out, ",\"stale_after_s\":%" PRId64 ",\"new\":%s",
                         series_names_limit_ms(list->names, shown->index) / 1000,
                         shown->named ? "false" : "true");
    append_extent(out, &shown->extent);
    buffer_append_text(out, ",\"transmitters\":[");
    enum hearth_error code = append_transmitters(list, shown);
    buffer_append_text(out, "]}");
    return code;
}

enum hearth_error series_list_json(const struct series_names *names, struct reading_store *store,
                                   struct buffer *out, struct error_record *error)
{
    struct list list = {.names = names, .store = store, .out = out, .error = error};
    const char *between = "";
    buffer_append_text(out, "{\"series\":[");
    enum hearth_error code = show_all(&list, append_series, &between);
    buffer_append_text(out, "]}\n");
    return code;
}
