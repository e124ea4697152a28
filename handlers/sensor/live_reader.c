/*
 * live_reader.c - reading the live files, in any process, while the keeper writes.
 *
 * A range reads every file whose times may match, keeps the records that do, sorts them and hands
 * them out in blocks. The list of files is kept until the keeper publishes another one; with a
 * finished file the reader remembers the times found in it, so that files outside a range are not
 * read again. A file renamed between listing and opening (set aside) is found under its new name:
 * the list is made again.
 */
#include "handlers/sensor/live_reader.h"

#include "handlers/sensor/live_memory.h"

#include "handlers/sensor/live_series.h"
#include "handlers/sensor/live_span.h"
#include "handlers/sensor/record.h"

#include <pthread.h>
#include <string.h>

enum { STORE_BYTES = 2048, VISIT_RECORDS = 4096, COLLECT_START = 256, ATTEMPTS = 10 };

struct live_reader {
    struct file_operations *files;
    const struct live_published *published;
    char store[STORE_BYTES];
    pthread_mutex_t spans_lock; /* guards the two below */
    struct live_spans spans;
    bool has_spans;
    pthread_mutex_t series_lock; /* guards `series`; held while files are read */
    struct live_series series;
};

struct live_reader *live_reader_new(struct file_operations *files, const char *store,
                                    const struct live_published *published)
{
    struct live_reader *reader = memory_new_zero(1, sizeof *reader);
    size_t length = strlen(store);
    if (!reader || length >= sizeof reader->store) {
        memory_free(reader);
        return NULL;
    }
    reader->files = files;
    reader->published = published;
    memcpy(reader->store, store, length + 1);
    pthread_mutex_init(&reader->spans_lock, NULL);
    pthread_mutex_init(&reader->series_lock, NULL);
    return reader;
}

void live_reader_free(struct live_reader *reader)
{
    if (!reader)
        return;
    live_spans_clean(&reader->spans);
    live_series_clean(&reader->series);
    pthread_mutex_destroy(&reader->spans_lock);
    pthread_mutex_destroy(&reader->series_lock);
    memory_free(reader);
}

/* ---- Which files ---- */

static struct live_span *find_span(struct live_spans *spans, const struct live_name *name)
{
    for (size_t i = 0; i < spans->count; i++)
        if (spans->spans[i].name.sequence == name->sequence &&
            spans->spans[i].name.poisoned == name->poisoned)
            return &spans->spans[i];
    return NULL;
}

/* Lists again; what was learnt of files that are still there is kept. Under spans_lock. */
static enum hearth_error renew_spans(struct live_reader *reader, struct error_record *error)
{
    struct live_spans fresh;
    enum hearth_error code =
        live_spans_list(reader->files, reader->store, reader->published, &fresh, error);
    if (code != HEARTH_OK)
        return code;
    size_t at = 0; /* both are ascending */
    bool same = live_state_same_directory(&reader->spans.state, &fresh.state);
    for (size_t i = 0; same && i < reader->spans.count; i++) {
        const struct live_span *old = &reader->spans.spans[i];
        while (at < fresh.count && fresh.spans[at].name.sequence < old->name.sequence)
            at++;
        if (at < fresh.count && fresh.spans[at].name.sequence == old->name.sequence &&
            fresh.spans[at].bytes == LIVE_SPAN_TO_END && old->bytes == LIVE_SPAN_TO_END) {
            fresh.spans[at].from_ms = old->from_ms;
            fresh.spans[at].to_ms = old->to_ms;
        }
    }
    live_spans_clean(&reader->spans);
    reader->spans = fresh;
    reader->has_spans = true;
    return HEARTH_OK;
}

/* The list as it was made last is still right, but for the length of the file written to. */
static bool refresh_spans(struct live_reader *reader)
{
    struct live_state state;
    if (!reader->has_spans || !live_published_get(reader->published, &state) ||
        state.file_generation != reader->spans.state.file_generation)
        return false;
    struct live_span *current =
        find_span(&reader->spans, &(struct live_name){.sequence = state.sequence});
    reader->spans.state = state;
    if (current)
        current->bytes = (int64_t)state.synced_bytes;
    return true;
}

static enum hearth_error copy_spans(const struct live_spans *from, struct live_spans *to,
                                    struct error_record *error)
{
    *to = *from;
    to->spans = memory_new((from->count + 1) * sizeof *to->spans);
    if (!to->spans)
        return error_set_internal(error, HEARTH_NO_MEMORY, 0, "no memory for the live files");
    if (from->count > 0)
        memcpy(to->spans, from->spans, from->count * sizeof *to->spans);
    return HEARTH_OK;
}

/* A copy of the list; `again`: make it anew, a file was not where it says. */
static enum hearth_error take_spans(struct live_reader *reader, bool again,
                                    struct live_spans *spans, struct error_record *error)
{
    enum hearth_error code = HEARTH_OK;
    *spans = (struct live_spans){0};
    pthread_mutex_lock(&reader->spans_lock);
    if (again || !refresh_spans(reader))
        code = renew_spans(reader, error);
    if (code == HEARTH_OK)
        code = copy_spans(&reader->spans, spans, error);
    pthread_mutex_unlock(&reader->spans_lock);
    return code;
}

/* The whole of a finished file was read: its times are known for good. */
static void learn_times(struct live_reader *reader, const struct live_span *span, int64_t from_ms,
                        int64_t to_ms)
{
    if (span->bytes != LIVE_SPAN_TO_END || from_ms > to_ms)
        return;
    pthread_mutex_lock(&reader->spans_lock);
    struct live_span *known = find_span(&reader->spans, &span->name);
    if (known && known->bytes == LIVE_SPAN_TO_END) {
        known->from_ms = from_ms;
        known->to_ms = to_ms;
    }
    pthread_mutex_unlock(&reader->spans_lock);
}

/* ---- Range ---- */

struct collection {
    const struct reading_range *range;
    struct record *records;
    size_t count, capacity;
    int64_t from_ms, to_ms; /* of all slots seen in the file, good or not */
};

static bool wanted(const struct reading_range *range, const struct record *record, int64_t time_ms)
{
    if (time_ms < range->from_ms || time_ms >= range->to_ms)
        return false;
    if (range->channel != 0 && record_channel(record) != range->channel)
        return false;
    if (range->rolling_code >= 0 && record_rolling_code(record) != range->rolling_code)
        return false;
    if (!range->with_suspect && record_time_quality(record) == TIME_SUSPECT)
        return false;
    return record_check(record) == REJECT_NONE;
}

static bool keep(struct collection *collection, const struct record *record)
{
    if (collection->count == collection->capacity) {
        size_t capacity =
            collection->capacity ? collection->capacity + collection->capacity / 2 : COLLECT_START;
        struct record *grown = memory_resize(collection->records, capacity * sizeof *grown);
        if (!grown)
            return false;
        collection->records = grown;
        collection->capacity = capacity;
    }
    collection->records[collection->count++] = *record;
    return true;
}

static enum hearth_error collect_block(void *context, const struct record *slots, size_t count)
{
    struct collection *collection = context;
    for (size_t i = 0; i < count; i++) {
        int64_t time_ms = record_time_ms(&slots[i]);
        if (time_ms < collection->from_ms)
            collection->from_ms = time_ms;
        if (time_ms > collection->to_ms)
            collection->to_ms = time_ms;
        if (wanted(collection->range, &slots[i], time_ms) && !keep(collection, &slots[i]))
            return HEARTH_NO_MEMORY;
    }
    return HEARTH_OK;
}

static bool outside(const struct live_span *span, const struct reading_range *range)
{
    return span->from_ms <= span->to_ms &&
           (span->to_ms < range->from_ms || span->from_ms >= range->to_ms);
}

static enum hearth_error collect_spans(struct live_reader *reader, const struct live_spans *spans,
                                       struct collection *collection, struct error_record *error)
{
    collection->count = 0;
    for (size_t i = 0; i < spans->count; i++) {
        const struct live_span *span = &spans->spans[i];
        uint64_t slots;
        if (span->bytes == 0 || outside(span, collection->range))
            continue;
        collection->from_ms = INT64_MAX;
        collection->to_ms = INT64_MIN;
        enum hearth_error code = live_span_read(reader->files, reader->store, span, 0,
                                                collect_block, collection, &slots, error);
        if (code == HEARTH_NO_MEMORY)
            return error_set_internal(error, code, 0, "no memory for %zu readings",
                                      collection->count);
        if (code != HEARTH_OK)
            return code;
        learn_times(reader, span, collection->from_ms, collection->to_ms);
    }
    return HEARTH_OK;
}

/* Not to be found however often one looks. */
static enum hearth_error gone(const struct live_reader *reader, enum hearth_error code,
                              struct error_record *error)
{
    if (code != HEARTH_NOT_FOUND)
        return code;
    return error_set_internal(error, HEARTH_UNAVAILABLE, 0,
                              "the readings in %s were removed or moved", reader->store);
}

static enum hearth_error collect(struct live_reader *reader, struct collection *collection,
                                 struct error_record *error)
{
    enum hearth_error code = HEARTH_NOT_FOUND;
    for (int attempt = 0; attempt < ATTEMPTS && code == HEARTH_NOT_FOUND; attempt++) {
        struct live_spans spans;
        code = take_spans(reader, attempt > 0, &spans, error);
        if (code == HEARTH_OK)
            code = collect_spans(reader, &spans, collection, error);
        live_spans_clean(&spans);
    }
    return gone(reader, code, error);
}

enum hearth_error live_reader_range(struct live_reader *reader, const struct reading_range *range,
                                    range_visit_fn *visit, void *context,
                                    struct error_record *error)
{
    struct collection collection = {.range = range};
    enum hearth_error code = collect(reader, &collection, error);
    if (code == HEARTH_OK) {
        code = record_sort(collection.records, collection.count);
        if (code != HEARTH_OK)
            error_set_internal(error, code, 0, "no memory to sort %zu readings", collection.count);
    }
    if (code == HEARTH_OK)
        collection.count = record_unique(collection.records, collection.count);
    for (size_t at = 0; code == HEARTH_OK && at < collection.count; at += VISIT_RECORDS) {
        size_t left = collection.count - at;
        code = visit(context, collection.records + at, left < VISIT_RECORDS ? left : VISIT_RECORDS);
    }
    memory_free(collection.records);
    return code;
}

/* ---- Series ---- */

/* Under series_lock. */
static enum hearth_error update_series(struct live_reader *reader, struct error_record *error)
{
    enum hearth_error code = HEARTH_NOT_FOUND;
    for (int attempt = 0; attempt < ATTEMPTS && code == HEARTH_NOT_FOUND; attempt++) {
        struct live_spans spans;
        code = take_spans(reader, attempt > 0, &spans, error);
        if (code == HEARTH_OK)
            code = live_series_update(&reader->series, reader->files, reader->store, &spans, error);
        live_spans_clean(&spans);
    }
    return gone(reader, code, error);
}

typedef void series_visit_fn(void *context, int channel, int rolling_code,
                             const struct series_entry *entry, size_t index);

/* Visits at most `capacity` of them, by channel and rolling code. */
static enum hearth_error each_series(struct live_reader *reader, size_t capacity, size_t *count,
                                     series_visit_fn *visit, void *context,
                                     struct error_record *error)
{
    *count = 0;
    pthread_mutex_lock(&reader->series_lock);
    enum hearth_error code = update_series(reader, error);
    for (int place = 0; code == HEARTH_OK && place < SERIES_CHANNELS * SERIES_CODES; place++) {
        int channel = place / SERIES_CODES + 1, rolling_code = place % SERIES_CODES;
        const struct series_entry *entry =
            live_series_entry(&reader->series, channel, rolling_code);
        if (entry && *count < capacity)
            visit(context, channel, rolling_code, entry, (*count)++);
    }
    pthread_mutex_unlock(&reader->series_lock);
    return code;
}

static void give_latest(void *context, int channel, int rolling_code,
                        const struct series_entry *entry, size_t index)
{
    struct latest_reading *latest = context;
    (void)channel;
    (void)rolling_code;
    latest[index] = (struct latest_reading){entry->newest, entry->count};
}

enum hearth_error live_reader_latest(struct live_reader *reader, struct latest_reading *latest,
                                     size_t capacity, size_t *count, struct error_record *error)
{
    return each_series(reader, capacity, count, give_latest, latest, error);
}

static void give_series(void *context, int channel, int rolling_code,
                        const struct series_entry *entry, size_t index)
{
    struct reading_series *series = context;
    series[index] = (struct reading_series){channel, rolling_code, entry->first_ms, entry->last_ms,
                                            entry->count};
}

enum hearth_error live_reader_series(struct live_reader *reader, struct reading_series *series,
                                     size_t capacity, size_t *count, struct error_record *error)
{
    return each_series(reader, capacity, count, give_series, series, error);
}
