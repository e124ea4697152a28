/*
 * ingest.c - a request that brings readings, on its way into the store.
 *
 * The body is read whole (it is capped by sensor.max_body_bytes), its dialect makes a batch of it,
 * and each full batch goes to the store before more is read from the body. What was acknowledged is
 * counted in the metrics as it becomes durable; when a request rejected something, a line in the
 * log says whose it was and why.
 */
#include "handlers/sensor/ingest/ingest.h"

#include "handlers/sensor/ingest/ingest_body.h"
#include "handlers/sensor/keeper/slot_text.h"

enum { BATCH_RECORDS = 32 * SLOT_RECORDS /* two full rounds of an append: 128 KB */ };

const char *sensor_dialect_name(enum sensor_dialect dialect)
{
    static const char *const names[DIALECT_COUNT] = {"binary", "json", "influx"};
    return names[dialect];
}

/* ---- Into the store ---- */

static void count_result(const struct ingest *ingest, const struct append_result *result)
{
    const struct sensor_metrics *metrics = &ingest->sensor->metrics;
    metric_add(metrics->accepted[ingest->dialect], result->accepted);
    metric_add(metrics->duplicate[ingest->dialect], result->duplicate);
    metric_add(metrics->quarantined[ingest->dialect], result->quarantined);
}

/* Of an append that begins now: what it took to read the body is not the store's. */
static int64_t store_deadline_ns(const struct sensor *sensor, const struct request *request)
{
    int64_t own = clock_monotonic_ns(request->clock) + sensor->commit_timeout_ms * 1000000;
    return own < request->deadline_ns ? own : request->deadline_ns;
}

static enum hearth_error commit(void *context, const struct record *records, size_t count,
                                const struct rejected_reading *rejected, size_t rejected_count)
{
    struct ingest *ingest = context;
    struct reading_store *store = ingest->sensor->store;
    struct append_result result = {.first_ms = -1, .last_ms = -1};
    int64_t deadline_ns = store_deadline_ns(ingest->sensor, ingest->request);
    request_will_wait(ingest->request);
    enum hearth_error error = store->append(store, records, count, rejected, rejected_count,
                                            deadline_ns, &result, ingest->request->error);
    if (error == HEARTH_DEADLINE)
        return request_fail(ingest->request, HEARTH_UNAVAILABLE,
                            "the readings were not stored in time; send them again");
    if (error)
        return error;
    count_result(ingest, &result);
    append_result_add(&ingest->total, &result);
    return HEARTH_OK;
}

/* ---- A request ---- */

enum hearth_error ingest_begin(struct ingest *ingest, const struct sensor *sensor,
                               const struct request *request)
{
    ingest->sensor = sensor;
    ingest->request = request;
    ingest->total = (struct append_result){.first_ms = -1, .last_ms = -1};
    ingest->batch = (struct ingest_batch){.taken = 0};
    buffer_init(&ingest->body, sensor->max_body_bytes);
    return ingest_body_read(request, &ingest->body);
}

void ingest_choose(struct ingest *ingest, enum sensor_dialect dialect)
{
    const struct sensor *sensor = ingest->sensor;
    int64_t now_ms = clock_wall_ms(ingest->request->clock);
    const struct ingest_batch_options options = {
        .reading = {.unit = ingest->identity.unit,
                    .time_zone = view_of(ingest->identity.time_zone),
                    .zones = sensor->zones,
                    .now_ms = now_ms},
        .source = sensor_dialect_name(dialect),
        .quality = TIME_SENDER,
        .latest_ms = now_ms + sensor->future_tolerance_ms,
        .max_json_depth = sensor->max_json_depth,
        .max_records = BATCH_RECORDS,
        .commit = commit,
        .context = ingest,
        .error = ingest->request->error,
    };
    ingest->dialect = dialect;
    ingest_batch_init(&ingest->batch, &options);
}

enum hearth_error ingest_finish(struct ingest *ingest)
{
    enum hearth_error error = ingest_batch_finish(&ingest->batch);
    if (error)
        return error;
    const struct append_result repeated = {.duplicate = ingest->batch.repeated};
    count_result(ingest, &repeated);
    ingest->total.duplicate += repeated.duplicate;
    return HEARTH_OK;
}

/* ---- What is said of it ---- */

static void format_reasons(const uint64_t reasons[REJECT_COUNT], struct buffer *out)
{
    for (int reason = 1; reason < REJECT_COUNT; reason++)
        if (reasons[reason] > 0)
            buffer_append_format(out, "%s%s %llu", out->length > 0 ? ", " : "",
                                 record_reject_name((enum record_reject)reason),
                                 (unsigned long long)reasons[reason]);
}

static void log_rejected(const struct ingest *ingest, struct view reasons)
{
    const struct append_result *total = &ingest->total;
    LOG_WARN("readings_rejected", LOG_VIEW("request_id", ingest->request->request_id),
             LOG_TEXT("dialect", sensor_dialect_name(ingest->dialect)),
             LOG_TEXT("token", ingest->identity.id), LOG_TEXT("name", ingest->identity.name),
             LOG_INTEGER("accepted", (int64_t)total->accepted),
             LOG_INTEGER("duplicate", (int64_t)total->duplicate),
             LOG_INTEGER("quarantined", (int64_t)total->quarantined),
             LOG_INTEGER("ignored", (int64_t)ingest->batch.ignored), LOG_VIEW("reasons", reasons));
}

void ingest_end(struct ingest *ingest)
{
    enum { REASONS_BYTES = 1024 };
    const struct sensor_metrics *metrics = &ingest->sensor->metrics;
    struct buffer reasons;
    buffer_init(&reasons, REASONS_BYTES);
    metric_add(metrics->ignored_members, ingest->batch.ignored);
    for (int reason = 1; reason < REJECT_COUNT; reason++)
        metric_add(metrics->rejected[reason], ingest->batch.reasons[reason]);
    format_reasons(ingest->batch.reasons, &reasons);
    if (reasons.length > 0)
        log_rejected(ingest, buffer_view(&reasons));
    buffer_clean(&reasons);
    ingest_batch_clean(&ingest->batch);
    buffer_clean(&ingest->body);
}
