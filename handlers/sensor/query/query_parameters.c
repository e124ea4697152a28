/*
 * query_parameters.c - what a request wants to know.
 */
#include "handlers/sensor/query/query_parameters.h"

#include <string.h>

enum { DAY_MS = 86400000, WINDOW_DAYS = 7, CODES = 256 };

/* ---- Choices and numbers ---- */

enum hearth_error query_take_value(const struct request *request, const char *name,
                                   struct view *value)
{
    size_t count = 0;
    *value = request_query(request, name);
    for (size_t i = 0; i < request->query.count; i++)
        count += view_equal(request->query.items[i].name, view_of(name));
    if (count <= 1)
        return HEARTH_OK;
    return request_fail(request, HEARTH_BAD_QUERY, "`%s` is there %zu times; it must be there once",
                        name, count);
}

/* The place of the parameter's value in `choices` (NULL-terminated); `*choice` is the default. */
static enum hearth_error take_choice(const struct request *request, const char *name,
                                     const char *const *choices, const char *allowed, int *choice)
{
    struct view value;
    enum hearth_error error = query_take_value(request, name, &value);
    if (error || !value.data)
        return error;
    for (int i = 0; choices[i]; i++) {
        if (view_equal(value, view_of(choices[i]))) {
            *choice = i;
            return HEARTH_OK;
        }
    }
    return request_fail(request, HEARTH_BAD_QUERY, "`%s` must be %s", name, allowed);
}

enum hearth_error query_take_number(const struct request *request, const char *name, int64_t least,
                                    int64_t most, int64_t *number)
{
    struct view value;
    enum hearth_error error = query_take_value(request, name, &value);
    if (error || !value.data)
        return error;
    if (view_to_int64(value, number) && *number >= least && *number <= most)
        return HEARTH_OK;
    return request_fail(request, HEARTH_BAD_QUERY, "`%s` must be a whole number from %lld to %lld",
                        name, (long long)least, (long long)most);
}

enum hearth_error query_take_unit(const struct request *request, enum series_unit *unit)
{
    static const char *const choices[] = {"", "F", "C", NULL};
    int choice = SERIES_UNIT_DEFAULT;
    enum hearth_error error = take_choice(request, "unit", choices, "F or C", &choice);
    *unit = (enum series_unit)choice;
    return error;
}

enum hearth_error query_take_quality(const struct request *request, bool *with_suspect)
{
    static const char *const choices[] = {"good", "all", NULL};
    int choice = *with_suspect ? 1 : 0;
    enum hearth_error error = take_choice(request, "quality", choices, "good or all", &choice);
    *with_suspect = choice == 1;
    return error;
}

static enum hearth_error take_function(const struct request *request, enum query_function *function)
{
    static const char *const choices[] = {"m4", "mean", "min", "max", "raw", NULL};
    int choice = QUERY_M4;
    enum hearth_error error =
        take_choice(request, "fn", choices, "m4, mean, min, max or raw", &choice);
    *function = (enum query_function)choice;
    return error;
}

static enum hearth_error take_bucket(const struct request *request,
                                     struct query_parameters *parameters)
{
    static const char *const choices[] = {"", "hour", "day", "week", "month", NULL};
    int choice = BUCKET_POINTS;
    int64_t points = QUERY_POINTS_DEFAULT;
    enum hearth_error error =
        take_choice(request, "bucket", choices, "hour, day, week or month", &choice);
    if (!error)
        error = query_take_number(request, "points", 1, QUERY_BUCKETS_MAX, &points);
    parameters->bucket = (enum query_bucket)choice;
    parameters->points = (size_t)points;
    return error;
}

static enum hearth_error take_quantities(const struct request *request, bool *quantities)
{
    static const char *const choices[] = {"temperature", "humidity", NULL};
    int choice = QUANTITY_COUNT;
    enum hearth_error error =
        take_choice(request, "quantity", choices,
                    "temperature or humidity; without it, both are given", &choice);
    for (int i = 0; i < QUANTITY_COUNT; i++)
        quantities[i] = choice == QUANTITY_COUNT || choice == i;
    return error;
}

static enum hearth_error take_rows(const struct request *request, bool *rows)
{
    static const char *const choices[] = {"0", "1", NULL};
    int choice = 0;
    enum hearth_error error = take_choice(request, "rows", choices, "0 or 1", &choice);
    *rows = choice == 1;
    return error;
}

/* ---- Time ---- */

enum hearth_error query_take_span(const struct sensor *sensor, const struct request *request,
                                  const struct store_state *state, struct sensor_span *span)
{
    static const int64_t end_ms = READING_TIME_MAX_MS + 1;
    enum hearth_error error = sensor_query_span(sensor, request, span);
    if (error)
        return error;
    int64_t newest_ms = state->newest_ms >= 0 ? state->newest_ms : clock_wall_ms(sensor->clock);
    if (!span->has_to)
        span->to_ms = newest_ms + 1;
    if (!span->has_from)
        span->from_ms = span->to_ms - (int64_t)WINDOW_DAYS * DAY_MS;
    span->from_ms = span->from_ms < 0 ? 0 : span->from_ms > end_ms ? end_ms : span->from_ms;
    span->to_ms = span->to_ms > end_ms ? end_ms : span->to_ms;
    if (span->to_ms < span->from_ms)
        span->to_ms = span->from_ms;
    return HEARTH_OK;
}

enum hearth_error query_take_zone(const struct sensor *sensor, const struct request *request,
                                  struct view *name, const struct time_zone **zone)
{
    struct error_record error = {0};
    enum hearth_error twice = query_take_value(request, "tz", name);
    if (twice)
        return twice;
    if (!name->data) {
        *name = view_of(sensor->station_zone_name);
        *zone = sensor->station_zone;
        return HEARTH_OK;
    }
    *zone = time_zones_find(sensor->zones, *name, &error);
    if (*zone)
        return HEARTH_OK;
    if (error.code == HEARTH_NO_MEMORY)
        return HEARTH_NO_MEMORY;
    return request_fail(request, HEARTH_BAD_QUERY,
                        "`tz` must be a time zone by its IANA name, as UTC or America/Denver");
}

/* ---- Series ---- */

static void forget_names(void *context)
{
    series_names_free(context);
}

static enum hearth_error hold_names(const struct sensor *sensor, const struct request *request,
                                    struct query_series *series)
{
    struct series_names *names = series_book_get(sensor->book);
    *series = (struct query_series){.names = names};
    if (!names)
        return HEARTH_NO_MEMORY;
    series->index_count = series_names_count(names) + SERIES_PLACES;
    enum hearth_error error = arena_on_reset(request->arena, forget_names, names);
    if (error)
        series_names_free(names);
    return error;
}

static enum hearth_error name_series(const struct request *request, struct query_series *series,
                                     struct view rest)
{
    series->named = true;
    while (rest.data) {
        uint32_t index;
        struct view id = view_trim(view_split(&rest, ','));
        if (!series_names_by_id(series->names, id, &index))
            return request_fail(request, HEARTH_BAD_QUERY,
                                "`series` must be ids with commas between them; \"%.*s\" is none; "
                                "/api/v1/series lists them",
                                (int)(id.length < 64 ? id.length : 64), id.data ? id.data : "");
        series->wanted[index] = true;
    }
    return HEARTH_OK;
}

/* Does, or did, a transmitter of that channel belong to it? */
static bool has_channel(const struct query_series *series, uint32_t index, int channel)
{
    size_t named = series_names_count(series->names);
    if (index >= named)
        return (index - named) / CODES + 1 == (size_t)channel;
    const struct named_series *one = series_names_get(series->names, index);
    for (size_t i = 0; i < one->window_count; i++)
        if (one->windows[i].channel == channel)
            return true;
    return false;
}

enum hearth_error query_take_series(const struct sensor *sensor, const struct request *request,
                                    struct query_series *series)
{
    struct view ids;
    int64_t channel = 0;
    enum hearth_error error = hold_names(sensor, request, series);
    if (!error)
        error = query_take_value(request, "series", &ids);
    if (!error)
        error = query_take_number(request, "channel", 1, 16, &channel);
    if (error || (!ids.data && channel == 0))
        return error;
    series->wanted = arena_array(request->arena, series->index_count, sizeof *series->wanted);
    if (!series->wanted)
        return HEARTH_NO_MEMORY;
    if (ids.data)
        error = name_series(request, series, ids);
    for (uint32_t i = 0; !error && channel > 0 && i < series->index_count; i++)
        series->wanted[i] =
            (!ids.data || series->wanted[i]) && has_channel(series, i, (int)channel);
    return error;
}

enum value_unit query_unit(const struct query_series *series, uint32_t index,
                           enum series_unit asked)
{
    if (asked == SERIES_UNIT_DEFAULT && index < series_names_count(series->names))
        asked = series_names_get(series->names, index)->unit;
    return asked == SERIES_UNIT_C ? VALUE_C : VALUE_F;
}

/* ---- All of it ---- */

/* Readings themselves do not depend on it. */
static int64_t known_until_ms(const struct sensor *sensor,
                              const struct query_parameters *parameters)
{
    int64_t now_ms = clock_wall_ms(sensor->clock), to_ms = parameters->span.to_ms;
    return parameters->function == QUERY_RAW || to_ms < now_ms ? to_ms : now_ms;
}

enum hearth_error query_parameters_take(const struct sensor *sensor, const struct request *request,
                                        const struct store_state *state,
                                        struct query_parameters *parameters)
{
    *parameters = (struct query_parameters){0};
    enum hearth_error error = query_take_span(sensor, request, state, &parameters->span);
    if (!error)
        error = take_function(request, &parameters->function);
    if (!error)
        error = take_bucket(request, parameters);
    if (!error)
        error = query_take_unit(request, &parameters->unit);
    if (!error)
        error = take_quantities(request, parameters->quantities);
    if (!error)
        error = query_take_zone(sensor, request, &parameters->zone_name, &parameters->zone);
    if (!error)
        error = query_take_quality(request, &parameters->with_suspect);
    if (!error)
        error = take_rows(request, &parameters->rows);
    if (!error)
        error = query_take_series(sensor, request, &parameters->series);
    parameters->known_until_ms = known_until_ms(sensor, parameters);
    return error;
}

void query_series_normalise(const struct query_series *series, struct buffer *out)
{
    char id[SERIES_ID_BYTES];
    for (uint32_t i = 0; series->wanted && i < series->index_count; i++) {
        if (!series->wanted[i])
            continue;
        series_names_id(series->names, i, id);
        buffer_append_byte(out, ',');
        buffer_append_text(out, id);
    }
    if (series->wanted)
        buffer_append_text(out, series->named ? ",named" : ",some");
}

void query_parameters_normalise(const struct query_parameters *parameters, struct buffer *out)
{
    size_t points = parameters->bucket == BUCKET_POINTS ? parameters->points : 0;
    buffer_append_format(out, "range %lld %lld %lld %d %d %zu %d %d%d %d%d %.*s",
                         (long long)parameters->span.from_ms, (long long)parameters->span.to_ms,
                         (long long)parameters->known_until_ms, (int)parameters->function,
                         (int)parameters->bucket, points, (int)parameters->unit,
                         parameters->quantities[QUANTITY_TEMPERATURE],
                         parameters->quantities[QUANTITY_HUMIDITY], parameters->with_suspect,
                         parameters->rows, VIEW_ARGUMENTS(parameters->zone_name));
    query_series_normalise(&parameters->series, out);
}
