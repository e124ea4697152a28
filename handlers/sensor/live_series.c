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

static enum hearth_error count_block(void *context, const struct record *slots, size_t count)
{
    struct live_series *series = context;
    for (size_t i = 0; i < count; i++, series->slots++) {
        if (record_check(&slots[i]) != REJECT_NONE ||
            record_time_quality(&slots[i]) == TIME_SUSPECT)
            continue;
        enum hearth_error code = count_record(series, &slots[i]);
        if (code != HEARTH_OK)
            return code;
    }
    return HEARTH_OK;
}

static bool still_there(const struct live_series *series, const struct live_spans *spans)
{
    for (size_t i = 0; i < spans->count; i++)
        if (spans->spans[i].name.sequence == series->sequence)
            return true;
    return series->slots == 0;
}

enum hearth_error live_series_update(struct live_series *series, struct file_operations *files,
                                     const char *store, const struct live_spans *spans,
                                     struct error_record *error)
{
    if (!still_there(series, spans) || !live_state_same_directory(&series->seen, &spans->state))
        live_series_clean(series);
    series->seen = spans->state;
    for (size_t i = 0; i < spans->count; i++) {
        const struct live_span *span = &spans->spans[i];
        if (span->name.sequence < series->sequence)
            continue;
        if (span->name.sequence > series->sequence) {
            series->sequence = span->name.sequence;
            series->slots = 0;
        }
        uint64_t slots;
        enum hearth_error code =
            live_span_read(files, store, span, series->slots, count_block, series, &slots, error);
        if (code == HEARTH_NO_MEMORY)
            return error_set_internal(error, code, 0, "no memory for the series");
        if (code != HEARTH_OK)
            return code;
    }
    return HEARTH_OK;
}

const struct series_entry *live_series_entry(const struct live_series *series, int channel,
                                             int rolling_code)
{
    const struct series_entry *entries = series->channels[channel - 1];
    return entries && entries[rolling_code].count > 0 ? &entries[rolling_code] : NULL;
}
