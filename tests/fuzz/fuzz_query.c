/*
 * fuzz_query.c - any bytes as the query of GET /api/v1/range, and as the cursor of /api/v1/tail.
 *
 * Whatever comes, it is refused with a text, or it is a span, at most so many buckets whose edges
 * ascend from one end of it to the other, and known series; the same question has the same words.
 */
#include "handlers/sensor/query/query_edges.h"
#include "handlers/sensor/query/query_parameters.h"
#include "handlers/sensor/snapshot/tail_cursor.h"
#include "hearth/limits.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct request_limits limits = {.max_head_bytes = 32768,
                                             .max_headers = 100,
                                             .max_header_bytes = 8192,
                                             .max_target_bytes = 8192,
                                             .max_query_pairs = 100,
                                             .timeout_ms = 1000};
static struct clock_manual fixed;

static void must(bool condition)
{
    if (!condition)
        abort();
}

static const struct sensor *sensor_once(void)
{
    static struct sensor sensor;
    if (sensor.zones)
        return &sensor;
    clock_manual_init(&fixed, INT64_C(1757894691000));
    sensor = (struct sensor){.clock = &fixed.clock,
                             .zones = time_zones_new(TIME_ZONE_DIRECTORY),
                             .book = series_book_new("/nowhere", 7200000, &fixed.clock),
                             .station_zone_name = "America/Denver",
                             .stale_after_ms = 7200000};
    must(sensor.zones && sensor.book);
    sensor.station_zone = time_zones_find(sensor.zones, view_of(sensor.station_zone_name), NULL);
    must(sensor.station_zone != NULL);
    return &sensor;
}

static void check_series(const struct query_series *series)
{
    struct buffer ids;
    buffer_init(&ids, 1u << 20);
    query_series_normalise(series, &ids);
    must(buffer_status(&ids) == HEARTH_OK);
    must(series->wanted || ids.length == 0);
    buffer_clean(&ids);
}

static void check_edges(const struct request *request, const struct query_parameters *parameters)
{
    const int64_t *edges;
    size_t count;
    enum hearth_error error = query_edges_make(request, parameters, &edges, &count);
    must(error == HEARTH_OK || error == HEARTH_BAD_QUERY);
    if (error || parameters->span.from_ms == parameters->span.to_ms)
        return;
    must(count >= 1 && count <= QUERY_BUCKETS_MAX);
    must(edges[0] == parameters->span.from_ms && edges[count] == parameters->span.to_ms);
    for (size_t i = 0; i < count; i++)
        must(edges[i] < edges[i + 1]);
}

static void check_words(const struct request *request, const struct sensor *sensor,
                        const struct store_state *state, const struct query_parameters *parameters)
{
    struct query_parameters again;
    struct buffer one, other;
    buffer_init(&one, 1u << 20);
    buffer_init(&other, 1u << 20);
    must(query_parameters_take(sensor, request, state, &again) == HEARTH_OK);
    query_parameters_normalise(parameters, &one);
    query_parameters_normalise(&again, &other);
    must(buffer_status(&one) == HEARTH_OK && view_equal(buffer_view(&one), buffer_view(&other)));
    buffer_clean(&one);
    buffer_clean(&other);
}

static void try_query(struct arena *arena, struct view query)
{
    static const struct store_state state = {.newest_ms = INT64_C(1757890000000)};
    const struct sensor *sensor = sensor_once();
    struct request request;
    struct query_parameters parameters;
    struct buffer target;
    buffer_init(&target, 16384);
    buffer_append_text(&target, "/api/v1/range?");
    buffer_append(&target, query);
    const struct request_input input = {.method = VIEW("GET"), .target = buffer_view(&target)};
    if (request_parse(arena, &fixed.clock, &limits, &input, &request) == HEARTH_OK) {
        enum hearth_error error = query_parameters_take(sensor, &request, &state, &parameters);
        must(error == HEARTH_OK || (error == HEARTH_BAD_QUERY && request.error->public_detail &&
                                    request.error->detail[0] != '\0'));
        if (!error) {
            must(parameters.span.from_ms >= 0 && parameters.span.from_ms <= parameters.span.to_ms &&
                 parameters.span.to_ms <= READING_TIME_MAX_MS + 1);
            must(parameters.points >= 1 && parameters.points <= QUERY_BUCKETS_MAX);
            check_series(&parameters.series);
            check_edges(&request, &parameters);
            check_words(&request, sensor, &state, &parameters);
        }
    }
    arena_reset(arena);
    buffer_clean(&target);
}

static void try_cursor(struct view text)
{
    struct tail_cursor cursor;
    char again[TAIL_CURSOR_DIGITS + 1];
    if (!tail_cursor_parse(text, &cursor))
        return;
    tail_cursor_format(&cursor, again);
    must(view_equal(text, view_of(again)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct arena *arena;
    struct view text = view_from((const char *)data, size);
    if (!arena)
        arena = arena_new(LIMIT_ARENA_BYTES);
    must(arena != NULL);
    if (size <= 8000)
        try_query(arena, text);
    try_cursor(text);
    return 0;
}
