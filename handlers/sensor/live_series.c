/*
 * live_series.c - first, last, newest and count of each series, kept up as files grow.
 */
#include "handlers/sensor/live_series.h"

#include "handlers/sensor/live_memory.h"

#include "handlers/sensor/record.h"

#include <string.h>

void live_series_clean(struct live_series *series)
{
    for (size_t i = 0; i < SERIES_CHANNELS; i++)
        memory_free(series->channels[i]);
    memset(series, 0, sizeof *series);
}

static enum hearth_error count_record(struct live_series *series, const struct record *record)
{
    struct series_entry **channel = &series->channels[record_channel(record) - 1];
    if (!*channel)
        *channel = memory_new_zero(SERIES_CODES, sizeof **channel);
    if (!*channel)
        return HEARTH_NO_MEMORY;
    struct series_entry *entry = *channel + record_rolling_code(record);
    int64_t time_ms = record_time_ms(record);
    bool newer = entry->count == 0 || memcmp(record, &entry->newest, sizeof *record) > 0;
    if (entry->count == 0 || time_ms < entry->first_ms)
        entry->first_ms = time_ms;
    if (newer) {
        entry->last_ms = time_ms;
        entry->newest = *record;
    }
    entry->count++;
    return HEARTH_OK;
}

/* One call's work. */
struct update {
    struct live_series *series;
    bool gathers; /* first all records, because some stand twice */
    struct record *records;
    size_t count, capacity;
};

static enum hearth_error gather_record(struct update *update, const struct record *record)
{
    if (update->count == update->capacity) {
        size_t capacity = update->capacity ? update->capacity + update->capacity / 2 : 1024;
        struct record *grown = memory_resize(update->records, capacity * sizeof *grown);
        if (!grown)
            return HEARTH_NO_MEMORY;
        update->records = grown;
        update->capacity = capacity;
    }
    update->records[update->count++] = *record;
    return HEARTH_OK;
}

static enum hearth_error take_block(void *context, const struct record *slots, size_t count)
{
    struct update *update = context;
    for (size_t i = 0; i < count; i++, update->series->slots++) {
        if (record_check(&slots[i]) != REJECT_NONE ||
            record_time_quality(&slots[i]) == TIME_SUSPECT)
            continue;
        enum hearth_error code = update->gathers ? gather_record(update, &slots[i])
                                                 : count_record(update->series, &slots[i]);
        if (code != HEARTH_OK)
            return code;
    }
    return HEARTH_OK;
}

static enum hearth_error count_gathered(struct update *update)
{
    if (!update->records)
        return HEARTH_OK;
    enum hearth_error code = record_sort(update->records, update->count);
    if (code == HEARTH_OK)
        update->count = record_unique(update->records, update->count);
    for (size_t i = 0; code == HEARTH_OK && i < update->count; i++)
        code = count_record(update->series, &update->records[i]);
    return code;
}

static bool still_there(const struct live_series *series, const struct live_spans *spans)
{
    for (size_t i = 0; i < spans->count; i++)
        if (spans->spans[i].name.sequence == series->sequence)
            return true;
    return series->slots == 0;
}

static enum hearth_error read_spans(struct update *update, struct file_operations *files,
                                    const char *store, const struct live_spans *spans,
                                    struct error_record *error)
{
    struct live_series *series = update->series;
    enum hearth_error code = HEARTH_OK;
    for (size_t i = 0; code == HEARTH_OK && i < spans->count; i++) {
        const struct live_span *span = &spans->spans[i];
        uint64_t slots;
        if (span->bytes == 0 || span->name.sequence < series->sequence)
            continue;
        if (span->name.sequence > series->sequence) {
            series->sequence = span->name.sequence;
            series->slots = 0;
        }
        code = live_span_read(files, store, span, series->slots, take_block, update, &slots, error);
    }
    return code;
}

enum hearth_error live_series_update(struct live_series *series, struct file_operations *files,
                                     const char *store, const struct live_spans *spans,
                                     struct error_record *error)
{
    const struct live_state *now = &spans->state;
    if (!still_there(series, spans) || !live_state_same_directory(&series->seen, now) ||
        series->seen.stored_twice != now->stored_twice)
        live_series_clean(series);
    struct update update = {.series = series,
                            .gathers = series->sequence == 0 && now->stored_twice > 0};
    series->seen = *now;
    enum hearth_error code = read_spans(&update, files, store, spans, error);
    if (code == HEARTH_OK && update.gathers)
        code = count_gathered(&update);
    if (code != HEARTH_OK && update.gathers)
        live_series_clean(series);
    memory_free(update.records);
    if (code == HEARTH_NO_MEMORY)
        error_set_internal(error, code, 0, "no memory for the series");
    return code;
}

const struct series_entry *live_series_entry(const struct live_series *series, int channel,
                                             int rolling_code)
{
    const struct series_entry *entries = series->channels[channel - 1];
    return entries && entries[rolling_code].count > 0 ? &entries[rolling_code] : NULL;
}
