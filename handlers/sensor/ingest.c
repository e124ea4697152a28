/*
 * ingest.c - PUT and POST /data: readings in, an answer once they are durable.
 *
 * The token says who sends, in which unit and from which zone. The body is read whole (it is capped
 * by sensor.max_body_bytes), given to its dialect, and what that makes of it goes to the store. The
 * answer is 200 whenever everything found a place, in the store or in quarantine: a sender that
 * gets a 4xx for one strange reading would send it again for ever, and nothing behind it.
 */
#include "handlers/sensor/ingest.h"
#include "handlers/sensor/slot_text.h"

enum {
    BATCH_RECORDS = 32 * SLOT_RECORDS, /* two full rounds of an append: 128 KB */
    BATCH_REJECTED = 1024,             /* texts: at most 4 MB of the body */
    FLOOD_REJECTED = 256,              /* texts of a batch, behind which reasons may mix */
    ANSWER_BYTES = 4096,
};
static const int64_t year_2000_ms = INT64_C(946684800000);

const char *sensor_dialect_name(enum sensor_dialect dialect)
{
    static const char *const names[DIALECT_COUNT] = {"binary", "json"};
    return names[dialect];
}

bool ingest_is_suspect(const struct ingest *ingest, int64_t time_ms)
{
    return time_ms < year_2000_ms || time_ms > ingest->now_ms + ingest->sensor->future_tolerance_ms;
}

/* ---- Gathering ---- */

static void add_result(struct append_result *total, const struct append_result *result)
{
    total->accepted += result->accepted;
    total->duplicate += result->duplicate;
    total->quarantined += result->quarantined;
    if (result->first_ms >= 0 && (total->first_ms < 0 || result->first_ms < total->first_ms))
        total->first_ms = result->first_ms;
    if (result->last_ms > total->last_ms)
        total->last_ms = result->last_ms;
}

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

enum hearth_error ingest_finish(struct ingest *ingest)
{
    struct reading_store *store = ingest->sensor->store;
    const struct record *records = (const void *)ingest->records.data;
    const struct rejected_reading *rejected = (const void *)ingest->rejected.data;
    size_t count = ingest->records.length / sizeof *records;
    size_t texts = ingest->rejected.length / sizeof *rejected;
    struct append_result result = {.first_ms = -1, .last_ms = -1};
    if (count == 0 && texts == 0)
        return HEARTH_OK;
    int64_t deadline_ns = store_deadline_ns(ingest->sensor, ingest->request);
    enum hearth_error error = store->append(store, records, count, rejected, texts, deadline_ns,
                                            &result, ingest->request->error);
    buffer_reset(&ingest->records);
    buffer_reset(&ingest->rejected);
    if (error == HEARTH_DEADLINE)
        return request_fail(ingest->request, HEARTH_UNAVAILABLE,
                            "the readings were not stored in time; send them again");
    if (error)
        return error;
    count_result(ingest, &result);
    add_result(&ingest->total, &result);
    return HEARTH_OK;
}

static enum hearth_error commit_when_full(struct ingest *ingest)
{
    bool full = ingest->records.length >= BATCH_RECORDS * sizeof(struct record) ||
                ingest->rejected.length >= BATCH_REJECTED * sizeof(struct rejected_reading);
    return full ? ingest_finish(ingest) : HEARTH_OK;
}

/* The newest rejected text, when it may go on to the end of `raw`. */
static struct rejected_reading *neighbour(const struct ingest *ingest, enum record_reject reason,
                                          struct view raw)
{
    size_t texts = ingest->rejected.length / sizeof(struct rejected_reading);
    if (!ingest->rejected_a_moment_ago || texts == 0)
        return NULL;
    struct rejected_reading *newest = (struct rejected_reading *)(void *)ingest->rejected.data;
    newest += texts - 1;
    bool alike = newest->reason == reason || texts > FLOOD_REJECTED;
    size_t length = (size_t)(raw.data + raw.length - newest->raw.data);
    return alike && length <= SLOT_TEXT_BYTES ? newest : NULL;
}

static enum hearth_error keep_rejected(struct ingest *ingest, enum record_reject reason,
                                       struct view raw)
{
    const struct rejected_reading rejected = {reason, raw, sensor_dialect_name(ingest->dialect), 1};
    struct rejected_reading *newest = neighbour(ingest, reason, raw);
    if (!newest)
        return buffer_append(&ingest->rejected,
                             view_from((const char *)&rejected, sizeof rejected));
    if (newest->reason != reason)
        newest->reason = REJECT_MIXED;
    newest->raw.length = (size_t)(raw.data + raw.length - newest->raw.data);
    newest->count++;
    return HEARTH_OK;
}

enum hearth_error ingest_reject(struct ingest *ingest, enum record_reject reason, struct view raw)
{
    enum hearth_error error = keep_rejected(ingest, reason, raw);
    if (error)
        return error;
    ingest->rejected_a_moment_ago = true;
    ingest->reasons[reason]++;
    metric_add(ingest->sensor->metrics.rejected[reason], 1);
    return commit_when_full(ingest);
}

enum hearth_error ingest_record(struct ingest *ingest, const struct record *record)
{
    ingest->rejected_a_moment_ago = false;
    enum hearth_error error =
        buffer_append(&ingest->records, view_from((const char *)record, sizeof *record));
    return error ? error : commit_when_full(ingest);
}

enum hearth_error ingest_reading(struct ingest *ingest, struct reading *reading, struct view raw)
{
    struct record record;
    if (ingest_is_suspect(ingest, reading->time_ms))
        reading->time_quality = TIME_SUSPECT;
    enum record_reject reject = record_encode(reading, &record);
    return reject ? ingest_reject(ingest, reject, raw) : ingest_record(ingest, &record);
}

/* ---- The answer ---- */

static void append_time(struct buffer *out, const char *name, int64_t time_ms)
{
    char text[CLOCK_RFC3339_SIZE];
    buffer_append_text(out, name);
    if (time_ms < 0) {
        buffer_append_text(out, "null");
        return;
    }
    clock_format_rfc3339(time_ms, text);
    buffer_append_json(out, view_of(text));
}

static void append_reasons(struct buffer *out, const uint64_t reasons[REJECT_COUNT])
{
    const char *separator = ",\"reasons\":{";
    for (int reason = 1; reason < REJECT_COUNT; reason++) {
        if (reasons[reason] == 0)
            continue;
        buffer_append_format(out, "%s\"%s\":%llu", separator,
                             record_reject_name((enum record_reject)reason),
                             (unsigned long long)reasons[reason]);
        separator = ",";
    }
    if (separator[1] == '\0')
        buffer_append_byte(out, '}');
}

static enum hearth_error send_answer(const struct ingest *ingest, struct response *response)
{
    const struct append_result *total = &ingest->total;
    struct buffer out;
    buffer_init(&out, ANSWER_BYTES);
    buffer_append_format(&out, "{\"accepted\":%llu,\"duplicate\":%llu,\"quarantined\":%llu",
                         (unsigned long long)total->accepted, (unsigned long long)total->duplicate,
                         (unsigned long long)total->quarantined);
    append_time(&out, ",\"first\":", total->first_ms);
    append_time(&out, ",\"last\":", total->last_ms);
    append_reasons(&out, ingest->reasons);
    if (ingest->ignored > 0)
        buffer_append_format(&out, ",\"ignored\":%llu", (unsigned long long)ingest->ignored);
    buffer_append_text(&out, "}\n");
    enum hearth_error error = buffer_status(&out);
    if (!error)
        error = response_send(response, 200, VIEW("application/json"), buffer_view(&out));
    buffer_clean(&out);
    return error;
}

/* ---- The request ---- */

static bool is_media_type(struct view content_type, const char *name)
{
    struct view type = view_trim(view_split(&content_type, ';'));
    return view_equal_ignore_case(type, view_of(name));
}

static bool says_lines(struct view content_type)
{
    return is_media_type(content_type, "application/x-ndjson") ||
           is_media_type(content_type, "application/ndjson") ||
           is_media_type(content_type, "application/jsonl") ||
           is_media_type(content_type, "application/x-jsonlines");
}

static enum hearth_error ingest_body(struct ingest *ingest, struct buffer *body)
{
    struct view content_type = request_header(ingest->request, "content-type");
    if (body->length == 0)
        return request_fail(ingest->request, HEARTH_BAD_BODY, "the body is empty");
    if (is_media_type(content_type, "application/octet-stream")) {
        ingest->dialect = DIALECT_BINARY;
        return ingest_binary(ingest, buffer_view(body));
    }
    ingest->dialect = DIALECT_JSON;
    if (says_lines(content_type) || ingest_looks_like_lines(buffer_view(body)))
        return ingest_json_lines(ingest, buffer_view(body));
    return ingest_json_document(ingest, buffer_view(body));
}

static enum hearth_error read_body(const struct sensor *sensor, const struct request *request,
                                   struct buffer *body)
{
    struct view encoding = request_header(request, "content-encoding");
    if (encoding.length > 0 && !view_equal_ignore_case(encoding, VIEW("identity")))
        return request_fail(request, HEARTH_UNSUPPORTED_MEDIA_TYPE,
                            "readings are sent without a Content-Encoding");
    enum hearth_error error = body_limit(request->body, sensor->max_body_bytes);
    return error ? error : body_read_all(request->body, body);
}

enum hearth_error sensor_ingest(const struct request *request, struct response *response,
                                void *state)
{
    const struct sensor *sensor = state;
    struct ingest ingest = {.sensor = sensor, .request = request};
    struct buffer body;
    ingest.total.first_ms = ingest.total.last_ms = -1;
    enum hearth_error error =
        auth_require(sensor->auth, request, SCOPE_DATA_WRITE, &ingest.identity);
    if (error)
        return error;
    buffer_init(&body, sensor->max_body_bytes);
    buffer_init(&ingest.records, (BATCH_RECORDS + 1) * sizeof(struct record));
    buffer_init(&ingest.rejected, (BATCH_REJECTED + 1) * sizeof(struct rejected_reading));
    error = read_body(sensor, request, &body);
    if (error)
        goto out;
    ingest.now_ms = clock_wall_ms(request->clock);
    error = ingest_body(&ingest, &body);
    if (!error)
        error = ingest_finish(&ingest);
    if (!error) {
        metric_add(sensor->metrics.ignored_members, ingest.ignored);
        error = send_answer(&ingest, response);
    }
out:
    buffer_clean(&ingest.rejected);
    buffer_clean(&ingest.records);
    buffer_clean(&body);
    return error;
}
