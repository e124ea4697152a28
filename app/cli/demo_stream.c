/*
 * demo_stream.c - the readings of eight thermometers, woven into one stream, some of them late.
 *
 * The next reading is that of the thermometer whose time is smallest. What is measured while the
 * line is down goes into a parcel; parcels wait for their time of arrival, and are few.
 */
#include "app/cli/demo_stream.h"

#include "app/cli/demo_thermometer.h"
#include "app/core/memory.h"

#include <errno.h>
#include <string.h>

#define SECOND_MS INT64_C(1000)
#define HOUR_MS   INT64_C(3600000)
#define DAY_MS    INT64_C(86400000)

enum {
    PARCELS = 8,        /* a line that is down once a day, readings that wait at most four */
    DOWN_SECONDS = 864, /* a hundredth of a day */
};

struct parcel {
    struct record *records;
    size_t count, capacity;
    int64_t arrival_ms; /* INT64_MAX = empty */
};

struct stream {
    const struct demo_plan *plan;
    struct demo_thermometer thermometers[DEMO_TRANSMITTERS];
    struct demo_counts *counts;
    demo_batch_fn *batch;
    void *context;
    struct error_record *error;
    uint64_t random;
    int64_t hour_ms, day_end_ms;
    double weather[2], trend; /* degrees at both ends of the hour; where it drifts to */
    int64_t power_fails_ms;   /* the whole station falls silent */
    int64_t down_ms, up_ms;   /* today's time without a line */
    struct parcel parcels[PARCELS];
    struct parcel *filling; /* NULL = none has been begun */
    int64_t arrival_ms;     /* the first of the parcels' */
    struct record *records;
    size_t count;
};

static enum hearth_error no_memory(struct error_record *error)
{
    return error_set_internal(error, HEARTH_NO_MEMORY, ENOMEM, "no memory for the readings");
}

/* ---- Out ---- */

static enum hearth_error flush(struct stream *stream, bool day_over, int64_t now_ms)
{
    size_t count = stream->count;
    stream->count = 0;
    return stream->batch(stream->context, stream->records, count, day_over, now_ms, stream->error);
}

static enum hearth_error put(struct stream *stream, const struct record *record, int64_t now_ms)
{
    stream->records[stream->count++] = *record;
    return stream->count < DEMO_BATCH_RECORDS ? HEARTH_OK : flush(stream, false, now_ms);
}

/* ---- Parcels ---- */

static void find_first_arrival(struct stream *stream)
{
    stream->arrival_ms = INT64_MAX;
    for (int i = 0; i < PARCELS; i++) {
        const struct parcel *parcel = &stream->parcels[i];
        if (parcel != stream->filling && parcel->arrival_ms < stream->arrival_ms)
            stream->arrival_ms = parcel->arrival_ms;
    }
}

/* Everything that has arrived by now, parcel by parcel. */
static enum hearth_error deliver(struct stream *stream, int64_t now_ms)
{
    enum hearth_error code = HEARTH_OK;
    for (int i = 0; i < PARCELS; i++) {
        struct parcel *parcel = &stream->parcels[i];
        if (parcel == stream->filling || parcel->arrival_ms > now_ms)
            continue;
        for (size_t k = 0; code == HEARTH_OK && k < parcel->count; k++)
            code = put(stream, &parcel->records[k], now_ms);
        parcel->count = 0;
        parcel->arrival_ms = INT64_MAX;
    }
    find_first_arrival(stream);
    return code;
}

/* A free one; when all are full, the readings come on time. */
static struct parcel *begin_parcel(struct stream *stream)
{
    for (int i = 0; i < PARCELS; i++) {
        if (stream->parcels[i].arrival_ms != INT64_MAX)
            continue;
        bool days = demo_random(&stream->random) % 10 < 3;
        double hours = demo_uniform(&stream->random, days ? 24.0 : 1.0, days ? 72.0 : 14.0);
        stream->parcels[i].arrival_ms = stream->up_ms + (int64_t)(hours * (double)HOUR_MS);
        return &stream->parcels[i];
    }
    return NULL;
}

static enum hearth_error hold_back(struct stream *stream, const struct record *record)
{
    struct parcel *parcel = stream->filling;
    if (parcel->count == parcel->capacity) {
        size_t capacity = parcel->capacity ? parcel->capacity * 2 : 256;
        struct record *grown = memory_resize(parcel->records, capacity * sizeof *grown);
        if (!grown)
            return no_memory(stream->error);
        parcel->records = grown;
        parcel->capacity = capacity;
    }
    parcel->records[parcel->count++] = *record;
    stream->counts->late++;
    return HEARTH_OK;
}

/* ---- Time ---- */

static void plan_day(struct stream *stream, int64_t day_ms)
{
    double down_s = demo_uniform(&stream->random, 0.5 * DOWN_SECONDS, 1.5 * DOWN_SECONDS);
    double from_s = demo_uniform(&stream->random, 0.0, 86400.0 - 2.0 * DOWN_SECONDS);
    stream->down_ms = day_ms + (int64_t)(from_s * 1000.0);
    stream->up_ms = stream->down_ms + (int64_t)(down_s * 1000.0);
    stream->day_end_ms = day_ms + DAY_MS;
}

/* Weather drifts from hour to hour and never goes far. */
static void begin_hour(struct stream *stream, int64_t hour_ms)
{
    stream->hour_ms = hour_ms;
    if (demo_random(&stream->random) % 30 == 0)
        stream->trend = demo_uniform(&stream->random, -14.0, 14.0);
    stream->weather[0] = stream->weather[1];
    stream->weather[1] +=
        0.06 * (stream->trend - stream->weather[1]) + demo_uniform(&stream->random, -0.4, 0.4);
}

static void fail_power(struct stream *stream, int64_t now_ms)
{
    int64_t until_ms =
        now_ms + (int64_t)(demo_uniform(&stream->random, 2.2, 11.0) * (double)HOUR_MS);
    for (int i = 0; i < DEMO_TRANSMITTERS; i++)
        demo_thermometer_wait(&stream->thermometers[i], until_ms);
    stream->counts->gaps++;
    stream->power_fails_ms =
        until_ms + (int64_t)(demo_uniform(&stream->random, 90.0, 250.0) * (double)DAY_MS);
}

/* Hours and days that ended before `now_ms`. */
static enum hearth_error pass_time(struct stream *stream, int64_t now_ms)
{
    enum hearth_error code = HEARTH_OK;
    while (code == HEARTH_OK && now_ms >= stream->day_end_ms) {
        code = deliver(stream, stream->day_end_ms - 1);
        if (code == HEARTH_OK)
            code = flush(stream, true, stream->day_end_ms);
        plan_day(stream, stream->day_end_ms);
    }
    while (now_ms - stream->hour_ms >= HOUR_MS)
        begin_hour(stream, stream->hour_ms + HOUR_MS);
    if (code == HEARTH_OK && stream->arrival_ms <= now_ms)
        code = deliver(stream, now_ms);
    return code;
}

/* ---- The stream ---- */

static struct demo_thermometer *next_thermometer(struct stream *stream)
{
    struct demo_thermometer *next = &stream->thermometers[0];
    for (int i = 1; i < DEMO_TRANSMITTERS; i++) {
        if (stream->thermometers[i].next_ms < next->next_ms)
            next = &stream->thermometers[i];
    }
    return next;
}

static enum hearth_error take_reading(struct stream *stream, struct demo_thermometer *thermometer,
                                      int64_t now_ms)
{
    struct record record;
    bool down = now_ms >= stream->down_ms && now_ms < stream->up_ms;
    demo_thermometer_next(thermometer, stream->weather, &record);
    stream->counts->readings++;
    stream->counts->last_ms = record_time_ms(&record);
    if (stream->counts->first_ms < 0)
        stream->counts->first_ms = stream->counts->last_ms;
    if (down && !stream->filling)
        stream->filling = begin_parcel(stream);
    if (!down && stream->filling) {
        stream->filling = NULL;
        find_first_arrival(stream);
    }
    return down && stream->filling ? hold_back(stream, &record) : put(stream, &record, now_ms);
}

static enum hearth_error run(struct stream *stream)
{
    enum hearth_error code = HEARTH_OK;
    for (;;) {
        struct demo_thermometer *next = next_thermometer(stream);
        int64_t now_ms = next->next_ms;
        if (code != HEARTH_OK || now_ms >= stream->plan->to_ms)
            break;
        if (now_ms >= stream->power_fails_ms) {
            fail_power(stream, now_ms);
            continue;
        }
        if (now_ms - stream->hour_ms >= HOUR_MS || now_ms >= stream->arrival_ms)
            code = pass_time(stream, now_ms);
        if (code == HEARTH_OK)
            code = take_reading(stream, next, now_ms);
    }
    /* What is still under way arrives at the end. */
    stream->filling = NULL;
    if (code == HEARTH_OK)
        code = deliver(stream, INT64_MAX - 1);
    return code == HEARTH_OK ? flush(stream, true, stream->plan->to_ms) : code;
}

static void begin(struct stream *stream)
{
    const struct demo_plan *plan = stream->plan;
    int64_t day_ms = plan->from_ms - plan->from_ms % DAY_MS;
    stream->random = plan->seed ^ UINT64_C(0xD1B54A32D192ED03);
    for (int i = 0; i < DEMO_TRANSMITTERS; i++)
        demo_thermometer_init(&stream->thermometers[i], plan, i);
    for (int i = 0; i < PARCELS; i++)
        stream->parcels[i].arrival_ms = INT64_MAX;
    stream->arrival_ms = INT64_MAX;
    stream->hour_ms = plan->from_ms - plan->from_ms % HOUR_MS;
    stream->power_fails_ms =
        plan->from_ms + (int64_t)(demo_uniform(&stream->random, 30.0, 250.0) * (double)DAY_MS);
    plan_day(stream, day_ms);
}

enum hearth_error demo_stream_run(const struct demo_plan *plan, demo_batch_fn *batch, void *context,
                                  struct demo_counts *counts, struct error_record *error)
{
    struct stream stream = {
        .plan = plan, .counts = counts, .batch = batch, .context = context, .error = error};
    *counts = (struct demo_counts){.first_ms = -1, .last_ms = -1};
    stream.records = memory_new(DEMO_BATCH_RECORDS * sizeof *stream.records);
    if (!stream.records)
        return no_memory(error);
    begin(&stream);
    enum hearth_error code = run(&stream);
    for (int i = 0; i < DEMO_TRANSMITTERS; i++) {
        counts->gaps += stream.thermometers[i].gaps;
        counts->swaps += stream.thermometers[i].swaps;
    }
    for (int i = 0; i < PARCELS; i++)
        memory_free(stream.parcels[i].records);
    memory_free(stream.records);
    return code;
}
