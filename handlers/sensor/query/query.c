/*
 * query.c - what every handler that reads asks first: may they, which span, what is there.
 */
#include "handlers/sensor/sensor.h"
#include "handlers/sensor/text/time_parse.h"

enum hearth_error sensor_allow_reading(const struct sensor *sensor, const struct request *request,
                                       struct response *response, bool *with_private)
{
    struct auth_identity identity;
    struct view cache = sensor->is_public ? VIEW("no-cache") : VIEW("private, no-cache");
    bool has_token = request_header(request, "authorization").data != NULL;
    *with_private = false;
    enum hearth_error error = response_set_header(response, VIEW("Cache-Control"), cache);
    if (!error)
        error = response_add_header(response, VIEW("Vary"), VIEW("Authorization"));
    if (error || (sensor->is_public && !has_token))
        return error;
    error = auth_require(sensor->auth, request, SCOPE_DATA_READ, &identity);
    *with_private = error == HEARTH_OK;
    if (sensor->is_public && (error == HEARTH_UNAUTHORIZED || error == HEARTH_FORBIDDEN)) {
        *request->error = (struct error_record){0};
        return HEARTH_OK;
    }
    return error;
}

static enum hearth_error take_time(const struct request *request, const char *name, int64_t now_ms,
                                   int64_t *ms, bool *there)
{
    struct view text = request_query(request, name);
    *there = text.data != NULL;
    if (!*there || time_parse_query(text, now_ms, ms))
        return HEARTH_OK;
    return request_fail(request, HEARTH_BAD_QUERY, "`%s` must be %s", name, TIME_QUERY_FORMS);
}

enum hearth_error sensor_query_span(const struct sensor *sensor, const struct request *request,
                                    struct sensor_span *span)
{
    int64_t now_ms = clock_wall_ms(sensor->clock);
    *span = (struct sensor_span){.from_ms = 0, .to_ms = INT64_MAX};
    enum hearth_error error = take_time(request, "from", now_ms, &span->from_ms, &span->has_from);
    if (!error)
        error = take_time(request, "to", now_ms, &span->to_ms, &span->has_to);
    if (!error && span->from_ms > span->to_ms)
        return request_fail(request, HEARTH_BAD_QUERY,
                            "`from` is after `to`; it must not be later");
    return error;
}

enum hearth_error sensor_state(const struct sensor *sensor, const struct request *request,
                               struct store_state *state)
{
    return sensor->store->state(sensor->store, state, request->error);
}
