/*
 * query_range.c - GET /api/v1/range: the readings of a span in buckets.
 *
 *   from, to      epoch ms, RFC 3339, now-24h; the 7 days up to the newest reading
 *   points        1 to 10,000 equal buckets; 1,000
 *   bucket        hour, day, week, month of the zone, in place of points
 *   fn            m4 (first, last, min, max with their times), mean, min, max, raw
 *   series        ids with commas between them; channel: 1 to 16; all series
 *   quantity      temperature or humidity; both
 *   unit          F or C; each series' own, else F
 *   tz            an IANA name; the station's zone
 *   quality=all   suspect readings as well
 *   rows=1        an array of objects instead of columns
 *
 * The store hands over bucket after bucket (query_columns.c), then the answer is written
 * (query_write.c). If nothing came in meanwhile, the answer is exactly that of the generation that
 * its ETag names; else the ETag is weak.
 */
#include "handlers/sensor/query/query_edges.h"
#include "handlers/sensor/query/query_write.h"
#include "handlers/sensor/query/range_answer.h"

struct range_query {
    const struct sensor *sensor;
    const struct request *request;
    struct response *response;
    struct store_state state;
    struct query_parameters parameters;
    const int64_t *edges_ms;
    size_t bucket_count;
    struct query_columns columns;
};

static enum hearth_error take_etag(const struct range_query *query, struct view *etag)
{
    struct buffer question;
    buffer_init(&question, 1u << 20);
    query_parameters_normalise(&query->parameters, &question);
    enum hearth_error error = buffer_status(&question);
    if (!error)
        *etag = query_etag(query->sensor, query->request, &query->state,
                           query->parameters.series.names, buffer_view(&question));
    buffer_clean(&question);
    return error;
}

static enum hearth_error gather_raw(struct range_query *query)
{
    struct reading_store *store = query->sensor->store;
    const struct query_parameters *parameters = &query->parameters;
    const struct reading_range range = {parameters->span.from_ms, parameters->span.to_ms, 0, -1,
                                        parameters->with_suspect};
    return store->range(store, &range, query_columns_raw, &query->columns, query->request->error);
}

static enum hearth_error gather_buckets(struct range_query *query)
{
    struct reading_store *store = query->sensor->store;
    const struct bucket_query buckets = {
        .edges_ms = query->edges_ms,
        .bucket_count = query->bucket_count,
        .names = query->parameters.series.names,
        .wanted = query->parameters.series.wanted,
        .with_suspect = query->parameters.with_suspect,
        .known_until_ms = query->parameters.known_until_ms,
    };
    if (query->bucket_count == 0)
        return HEARTH_OK;
    return store->aggregate(store, &buckets, query_columns_bucket, &query->columns, NULL,
                            query->request->error);
}

static enum hearth_error gather(struct range_query *query)
{
    bool raw = query->parameters.function == QUERY_RAW;
    enum hearth_error error = HEARTH_OK;
    if (!raw)
        error = query_edges_make(query->request, &query->parameters, &query->edges_ms,
                                 &query->bucket_count);
    if (!error)
        error = query_columns_init(&query->columns, query->request, &query->parameters,
                                   query->edges_ms, query->bucket_count);
    if (!error)
        error = raw ? gather_raw(query) : gather_buckets(query);
    return error;
}

static enum hearth_error send(struct range_query *query)
{
    struct answer_stream stream;
    const uint16_t *sorted = query_columns_sorted(&query->columns);
    enum hearth_error error =
        sorted ? answer_stream_init(&stream, query->request->arena, query->response)
               : HEARTH_NO_MEMORY;
    if (error)
        return error;
    if (query->parameters.rows)
        query_write_rows(&stream, &query->columns);
    else
        query_write_columns(&stream, &query->columns, sorted);
    return answer_stream_finish(&stream);
}

static enum hearth_error answer(struct range_query *query, struct view etag)
{
    enum hearth_error error = gather(query);
    if (!error)
        error = range_answer_recheck(query->sensor, query->request, query->response, &query->state,
                                     etag);
    if (!error)
        error = send(query);
    query_columns_clean(&query->columns);
    return error;
}

enum hearth_error sensor_range_get(const struct request *request, struct response *response,
                                   void *state)
{
    struct range_query query = {.sensor = state, .request = request, .response = response};
    struct view etag = VIEW_NONE;
    bool with_private, answered = false;
    enum hearth_error error = sensor_allow_reading(query.sensor, request, response, &with_private);
    if (!error)
        error = sensor_state(query.sensor, request, &query.state);
    if (!error)
        error = query_parameters_take(query.sensor, request, &query.state, &query.parameters);
    if (!error)
        error = take_etag(&query, &etag);
    if (!error)
        error = range_answer_head(request, response, etag, VIEW("application/json"), &answered);
    return error || answered ? error : answer(&query, etag);
}
