/*
 * influx_answer.c - what all of InfluxDB's addresses share: who may use them, and how they say no.
 *
 * Clients look at the status first: 204 means stored, other 4xx that sending it again is of no use
 * (telegraf drops the batch, rtl_433 takes no notice), 5xx that it is. Some show the message, in
 * the form that the version has.
 */
#include "handlers/sensor/ingest/influx.h"

#include "app/http/auth_header.h"

#include <string.h>

enum { ANSWER_BYTES = 4096 };

/* ---- Who ---- */

/* InfluxDB 1.8 also takes "Token USER:PASSWORD"; a token of ours has no ':'. */
static struct view behind_user(struct view token)
{
    size_t colon = view_index_of(token, ':');
    return colon == SIZE_MAX ? token : view_skip(token, colon + 1);
}

static enum hearth_error explain(const struct request *request, enum hearth_error outcome)
{
    if (outcome == HEARTH_UNAUTHORIZED)
        return request_fail(request, outcome, "authorization failed");
    if (outcome == HEARTH_FORBIDDEN)
        return request_fail(request, outcome, "the token lacks the scope data:write");
    if (outcome == HEARTH_UNAVAILABLE)
        return request_fail(request, outcome, "tokens cannot be checked at the moment");
    return outcome;
}

enum hearth_error influx_allow(const struct sensor *sensor, const struct request *request,
                               struct auth_identity *identity)
{
    char decoded[AUTH_BASIC_MAXIMUM];
    struct view token = request_query(request, "p");
    if (token.length == 0 && request_header_count(request, "authorization") == 1)
        token = behind_user(auth_header_token(request_header(request, "authorization"), decoded));
    enum hearth_error outcome = auth_check(sensor->auth, token, SCOPE_DATA_WRITE, identity);
    explicit_bzero(decoded, sizeof decoded);
    return explain(request, outcome);
}

/* ---- How ---- */

enum hearth_error influx_begin(struct response *response)
{
    enum hearth_error error =
        response_set_header(response, VIEW("X-Influxdb-Version"), VIEW("1.8-hearth"));
    return error ? error : response_set_header(response, VIEW("X-Influxdb-Build"), VIEW("hearth"));
}

static const char *code_name(int status)
{
    static const struct {
        int status;
        const char *name;
    } names[] = {{400, "invalid"},           {401, "unauthorized"}, {403, "forbidden"},
                 {413, "request too large"}, {415, "invalid"},      {408, "invalid"},
                 {503, "unavailable"}};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (names[i].status == status)
            return names[i].name;
    return "internal error";
}

static void build_body(struct buffer *out, const struct request *request,
                       enum influx_version version, enum hearth_error code)
{
    const struct error_record *record = request->error;
    bool is_public = record->public_detail && record->code == code && record->detail[0];
    const char *message = is_public ? record->detail : error_title(code);
    if (version == INFLUX_V2) {
        buffer_append_text(out, "{\"code\":");
        buffer_append_json(out, view_of(code_name(error_http_status(code))));
        buffer_append_text(out, ",\"message\":");
    } else {
        buffer_append_text(out, "{\"error\":");
    }
    buffer_append_json(out, view_of(message));
    buffer_append_text(out, "}\n");
}

static enum hearth_error set_head(struct response *response, int status)
{
    enum hearth_error error = influx_begin(response);
    if (!error && status == 401)
        error = response_set_header(response, VIEW("WWW-Authenticate"),
                                    VIEW("Basic realm=\"InfluxDB\""));
    if (!error && status == 503)
        error = response_set_header(response, VIEW("Retry-After"), VIEW("5"));
    return error;
}

enum hearth_error influx_fail(const struct request *request, struct response *response,
                              enum influx_version version, enum hearth_error code)
{
    struct buffer out;
    if (code == HEARTH_CLIENT_GONE || response->state != RESPONSE_HEAD)
        return code;
    buffer_init(&out, ANSWER_BYTES);
    build_body(&out, request, version, code);
    enum hearth_error error = buffer_status(&out);
    if (!error)
        error = set_head(response, error_http_status(code));
    if (!error)
        error = response_send(response, error_http_status(code), VIEW("application/json"),
                              buffer_view(&out));
    buffer_clean(&out);
    return error ? error : code; /* without memory, dispatch finds words */
}
