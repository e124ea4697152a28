/*
 * query.c - what every handler that reads asks first: may they, which span, what is there.
 */
#include "handlers/sensor/query/query_parameters.h"
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

static enum hearth_error read_time(const struct sensor *sensor, const struct request *request,
                                   const char *name, struct view text, int64_t *ms)
{
    struct view zone_name;
    const struct time_zone *zone;
    int64_t local_ms;
    if (time_parse_query(text, clock_wall_ms(sensor->clock), ms))
        return HEARTH_OK;
    if (!time_parse_day(view_trim(text), &local_ms))
        return request_fail(request, HEARTH_BAD_QUERY, "`%s` must be a day like 2025-09-14, or %s",
                            name, TIME_QUERY_FORMS);
    enum hearth_error error = query_take_zone(sensor, request, &zone_name, &zone);
    if (!error)
        *ms = time_zone_to_utc_ms(zone, local_ms);
    return error;
}

static enum hearth_error take_time(const struct sensor *sensor, const struct request *request,
                                   const char *name, int64_t *ms, bool *there)
{
    static const int64_t end_ms = READING_TIME_MAX_MS + 1;
    struct view text;
    enum hearth_error error = query_take_value(request, name, &text);
    *there = text.data != NULL;
    if (error || !*there)
        return error;
    error = read_time(sensor, request, name, text, ms);
    if (error || (*ms >= 0 && *ms <= end_ms))
        return error;
    if (!view_starts_with(view_trim(text), VIEW("now")))
        return request_fail(request, HEARTH_BAD_QUERY,
                            "`%s` must lie between 1970 and 2109-05-15T07:35:11Z, as the times of "
                            "readings do",
                            name);
    *ms = *ms < 0 ? 0 : end_ms; /* a distance says no more than "all" */
    return HEARTH_OK;
}

enum hearth_error sensor_query_span(const struct sensor *sensor, const struct request *request,
                                    struct sensor_span *span)
{
    *span = (struct sensor_span){.from_ms = 0, .to_ms = INT64_MAX};
    enum hearth_error error = take_time(sensor, request, "from", &span->from_ms, &span->has_from);
    if (!error)
        error = take_time(sensor, request, "to", &span->to_ms, &span->has_to);
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
