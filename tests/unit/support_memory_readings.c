/*
 * support_memory_readings.c - a reading store in memory: a sorted array, copied before it is read.
 */
#include "tests/unit/support_memory_readings.h"

#include "tests/unit/support.h"

#include <stdlib.h>
#include <string.h>

#include "handlers/sensor/record/record.h"

static struct memory_readings *memory_of(struct reading_store *store)
{
    return (struct memory_readings *)store;
}

/* ---- Writing ---- */

static void keep_rejected(struct memory_readings *memory, enum record_reject reason,
                          const char *source, struct view raw)
{
    struct memory_rejected *grown =
        realloc(memory->rejected, (memory->rejected_count + 1) * sizeof *memory->rejected);
    assert_non_null(grown);
    memory->rejected = grown;
    struct memory_rejected *kept = &memory->rejected[memory->rejected_count++];
    *kept = (struct memory_rejected){.reason = reason};
    strncpy(kept->source, source, sizeof kept->source - 1);
    char *copy = malloc(raw.length + 1);
    assert_non_null(copy);
    if (raw.length > 0)
        memcpy(copy, raw.data, raw.length);
    kept->raw = (struct view){copy, raw.length};
}

/* Where the record belongs. */
static size_t place_of(const struct memory_readings *memory, const struct record *record)
{
    size_t low = 0, high = memory->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (memcmp(&memory->records[middle], record, sizeof *record) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* What decides whether two are the same is the front of a record, so they stand side by side. */
static bool stands(const struct memory_readings *memory, const struct record *record)
{
    size_t place = place_of(memory, record);
    return (place > 0 && record_same(&memory->records[place - 1], record)) ||
           (place < memory->count && record_same(&memory->records[place], record));
}

static void insert(struct memory_readings *memory, const struct record *record)
{
    if (memory->count == memory->capacity) {
        memory->capacity = memory->capacity * 2 + 64;
        struct record *grown = realloc(memory->records, memory->capacity * sizeof *memory->records);
        assert_non_null(grown);
        memory->records = grown;
    }
    size_t place = place_of(memory, record);
    memmove(memory->records + place + 1, memory->records + place,
            (memory->count - place) * sizeof *record);
    memory->records[place] = *record;
    memory->count++;
}

static void keep_arrived(struct memory_readings *memory, const struct record *record)
{
    struct record *grown =
        realloc(memory->arrived, (memory->arrived_count + 1) * sizeof *memory->arrived);
    assert_non_null(grown);
    memory->arrived = grown;
    memory->arrived[memory->arrived_count++] = *record;
}

void memory_readings_seal(struct memory_readings *memory)
{
    pthread_mutex_lock(&memory->lock);
    memory->arrived_count = 0;
    memory->sequence++;
    memory->generation++;
    pthread_mutex_unlock(&memory->lock);
}

static void append_one(struct memory_readings *memory, const struct record *record,
                       struct append_result *result)
{
    struct reading reading;
    enum record_reject reject = record_decode(record, &reading);
    if (reject) {
        keep_rejected(memory, reject, "record",
                      view_from((const char *)record->bytes, RECORD_BYTES));
        result->quarantined++;
        return;
    }
    if (result->first_ms < 0 || reading.time_ms < result->first_ms)
        result->first_ms = reading.time_ms;
    if (reading.time_ms > result->last_ms)
        result->last_ms = reading.time_ms;
    if (stands(memory, record)) {
        result->duplicate++;
        return;
    }
    insert(memory, record);
    keep_arrived(memory, record);
    result->accepted++;
    memory->generation++;
}

static enum hearth_error memory_append(struct reading_store *store, const struct record *records,
                                       size_t count, const struct rejected_reading *rejected,
                                       size_t rejected_count, int64_t deadline_ns,
                                       struct append_result *result, struct error_record *error)
{
    struct memory_readings *memory = memory_of(store);
    (void)deadline_ns;
    *result = (struct append_result){.first_ms = -1, .last_ms = -1};
    pthread_mutex_lock(&memory->lock);
    memory->appends++;
    enum hearth_error failed = memory->fail_append;
    for (size_t i = 0; !failed && i < count; i++)
        append_one(memory, &records[i], result);
    for (size_t i = 0; !failed && i < rejected_count; i++) {
        keep_rejected(memory, rejected[i].reason, rejected[i].source, rejected[i].raw);
        result->quarantined += rejected[i].count ? rejected[i].count : 1;
    }
    pthread_mutex_unlock(&memory->lock);
    return failed ? error_set(error, failed, "told to fail") : HEARTH_OK;
}

void memory_readings_add(struct memory_readings *memory, const struct reading *reading)
{
    struct record record;
    struct append_result result;
    assert_int_equal(record_encode(reading, &record), REJECT_NONE);
    assert_int_equal(
        memory->store.append(&memory->store, &record, 1, NULL, 0, INT64_MAX, &result, NULL),
        HEARTH_OK);
}

/* ---- Reading ---- */

static bool within(const struct record *record, const struct reading_range *range)
{
    int64_t time_ms = record_time_ms(record);
    return time_ms >= range->from_ms && time_ms < range->to_ms &&
           (range->channel == 0 || range->channel == record_channel(record)) &&
           (range->rolling_code < 0 || range->rolling_code == record_rolling_code(record)) &&
           (range->with_suspect || record_time_quality(record) != TIME_SUSPECT);
}

static size_t copy_range(struct memory_readings *memory, const struct reading_range *range,
                         struct record **copy)
{
    size_t count = 0;
    pthread_mutex_lock(&memory->lock);
    *copy = calloc(memory->count + 1, sizeof **copy);
    assert_non_null(*copy);
    for (size_t i = 0; i < memory->count; i++)
        if (within(&memory->records[i], range))
            (*copy)[count++] = memory->records[i];
    pthread_mutex_unlock(&memory->lock);
    return count;
}

static enum hearth_error memory_range(struct reading_store *store,
                                      const struct reading_range *range, range_visit_fn *visit,
                                      void *context, struct error_record *error)
{
    struct memory_readings *memory = memory_of(store);
    size_t block = memory->block_records ? memory->block_records : 1000, blocks = 0;
    struct record *copy;
    memory->reads++;
    if (memory->fail_read)
        return error_set(error, memory->fail_read, "told to fail");
    size_t count = copy_range(memory, range, &copy);
    if (memory->before_visit)
        memory->before_visit(memory, memory->before_visit_context);
    enum hearth_error failed = HEARTH_OK;
    for (size_t done = 0; !failed && done < count; done += block) {
        if (memory->fail_after_blocks > 0 && blocks++ == memory->fail_after_blocks)
            failed = HEARTH_IO;
        else
            failed = visit(context, copy + done, count - done < block ? count - done : block);
    }
    free(copy);
    return failed;
}

/* From the newest to the oldest, so that the first of a series met is its latest. */
static enum hearth_error memory_latest(struct reading_store *store, struct latest_reading *latest,
                                       size_t capacity, size_t *count, struct error_record *error)
{
    struct memory_readings *memory = memory_of(store);
    const struct reading_range everything = {0, INT64_MAX, 0, -1, false};
    struct record *copy;
    *count = 0;
    memory->reads++;
    if (memory->fail_read)
        return error_set(error, memory->fail_read, "told to fail");
    for (size_t left = copy_range(memory, &everything, &copy); left > 0; left--) {
        const struct record *record = &copy[left - 1];
        size_t i = 0;
        while (i < *count &&
               (record_channel(record) != record_channel(&latest[i].record) ||
                record_rolling_code(record) != record_rolling_code(&latest[i].record)))
            i++;
        if (i == *count && *count < capacity)
            latest[(*count)++] = (struct latest_reading){.record = *record};
        if (i < *count)
            latest[i].count++;
    }
    free(copy);
    return HEARTH_OK;
}

static enum hearth_error memory_series(struct reading_store *store, struct reading_series *series,
                                       size_t capacity, size_t *count, struct error_record *error)
{
    struct memory_readings *memory = memory_of(store);
    const struct reading_range everything = {0, INT64_MAX, 0, -1, false};
    struct record *copy;
    *count = 0;
    memory->reads++;
    if (memory->fail_read)
        return error_set(error, memory->fail_read, "told to fail");
    size_t total = copy_range(memory, &everything, &copy);
    for (size_t done = 0; done < total; done++) {
        int channel = record_channel(&copy[done]), code = record_rolling_code(&copy[done]);
        size_t i = 0;
        while (i < *count && (series[i].channel != channel || series[i].rolling_code != code))
            i++;
        if (i == *count && *count < capacity)
            series[(*count)++] =
                (struct reading_series){channel, code, record_time_ms(&copy[done]), 0, 0};
        if (i < *count) {
            series[i].count++;
            series[i].last_ms = record_time_ms(&copy[done]);
        }
    }
    free(copy);
    return HEARTH_OK;
}

static enum hearth_error memory_state(struct reading_store *store, struct store_state *state,
                                      struct error_record *error)
{
    struct memory_readings *memory = memory_of(store);
    const struct reading_range everything = {0, INT64_MAX, 0, -1, false};
    struct record *copy;
    if (memory->fail_read)
        return error_set(error, memory->fail_read, "told to fail");
    size_t count = copy_range(memory, &everything, &copy);
    *state = (struct store_state){
        .generation = memory->generation,
        .readings = memory->count,
        .stored_bytes = memory->count * RECORD_BYTES,
        .newest_ms = count > 0 ? record_time_ms(&copy[count - 1]) : -1,
        .id = {memory->id},
    };
    free(copy);
    return HEARTH_OK;
}

static enum hearth_error memory_tail(struct reading_store *store, struct tail_cursor *cursor,
                                     struct record *records, size_t capacity,
                                     struct tail_result *result, struct error_record *error)
{
    struct memory_readings *memory = memory_of(store);
    memory->reads++;
    *result = (struct tail_result){0};
    if (memory->fail_read)
        return error_set(error, memory->fail_read, "told to fail");
    pthread_mutex_lock(&memory->lock);
    bool begin = cursor->sequence == 0 && cursor->slot == 0;
    result->reset =
        !begin && (cursor->sequence != memory->sequence || cursor->slot > memory->arrived_count);
    if (result->reset)
        cursor->slot = memory->arrived_count;
    cursor->sequence = memory->sequence;
    while (result->count < capacity && cursor->slot < memory->arrived_count)
        records[result->count++] = memory->arrived[cursor->slot++];
    result->more = cursor->slot < memory->arrived_count;
    pthread_mutex_unlock(&memory->lock);
    return HEARTH_OK;
}

static void memory_free_nothing(struct reading_store *store)
{
    (void)store;
}

void memory_readings_init(struct memory_readings *memory)
{
    *memory = (struct memory_readings){.store = {.append = memory_append,
                                                 .range = memory_range,
                                                 .latest = memory_latest,
                                                 .series = memory_series,
                                                 .state = memory_state,
                                                 .aggregate = memory_readings_aggregate,
                                                 .tail = memory_tail,
                                                 .free = memory_free_nothing},
                                       .sequence = 1};
    assert_int_equal(pthread_mutex_init(&memory->lock, NULL), 0);
}

void memory_readings_clean(struct memory_readings *memory)
{
    for (size_t i = 0; i < memory->rejected_count; i++)
        free((void *)memory->rejected[i].raw.data);
    free(memory->rejected);
    free(memory->records);
    free(memory->arrived);
    pthread_mutex_destroy(&memory->lock);
}
