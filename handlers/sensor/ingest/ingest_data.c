/*
 * ingest_data.c - PUT and POST /data: readings as JSON or as records, an answer once they are
 * durable.
 *
 * The token says who sends, in which unit and from which zone. The answer is 200 whenever
 * everything found a place, in the store or in quarantine: a sender that gets a 4xx for one strange
 * reading would send it again for ever, and nothing behind it.
 */
#include "handlers/sensor/ingest/ingest.h"

enum { ANSWER_BYTES = 4096 };

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
    append_reasons(&out, ingest->batch.reasons);
    if (ingest->batch.ignored > 0)
        buffer_append_format(&out, ",\"ignored\":%llu", (unsigned long long)ingest->batch.ignored);
    buffer_append_text(&out, "}\n");
    enum hearth_error error = buffer_status(&out);
    if (!error)
        error = response_send(response, 200, VIEW("application/json"), buffer_view(&out));
    buffer_clean(&out);
    return error;
}

/* ---- The body ---- */

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

static enum hearth_error ingest_body(struct ingest *ingest)
{
    struct view body = buffer_view(&ingest->body);
    struct view content_type = request_header(ingest->request, "content-type");
    bool is_binary = is_media_type(content_type, "application/octet-stream");
    if (body.length == 0)
        return request_fail(ingest->request, HEARTH_BAD_BODY, "the body is empty");
    ingest_choose(ingest, is_binary ? DIALECT_BINARY : DIALECT_JSON);
    if (is_binary)
        return ingest_binary(&ingest->batch, body);
    if (says_lines(content_type) || ingest_looks_like_lines(body))
        return ingest_json_lines(&ingest->batch, body);
    return ingest_json_document(&ingest->batch, body);
}

enum hearth_error sensor_ingest(const struct request *request, struct response *response,
                                void *state)
{
    const struct sensor *sensor = state;
    struct ingest ingest = {.dialect = DIALECT_JSON};
    enum hearth_error error =
        auth_require(sensor->auth, request, SCOPE_DATA_WRITE, &ingest.identity);
    if (error)
        return error;
    error = ingest_begin(&ingest, sensor, request);
    if (!error)
        error = ingest_body(&ingest);
    if (!error)
        error = ingest_finish(&ingest);
    if (!error)
        error = send_answer(&ingest, response);
    ingest_end(&ingest);
    return error;
}
