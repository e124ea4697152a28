/*
 * query_series.c - GET /api/v1/series: which series there are and what they are made of.
 *
 * Named series come first, in the order of series.json, also those without readings; then the
 * others by channel and rolling code. `series`, `channel` and `unit` as for /api/v1/range.
 */
#include "handlers/sensor/query/query_inventory.h"
#include "handlers/sensor/query/query_write.h"
#include "handlers/sensor/query/range_answer.h"

struct series_query {
    const struct sensor *sensor;
    const struct request *request;
    struct response *response;
    struct store_state state;
    struct query_series series;
    enum series_unit unit;
    struct inventory inventory;
};

/* ---- Writing ---- */

static void write_time(struct answer_stream *stream, const char *name, int64_t ms, bool known)
{
    answer_stream_text(stream, view_of(name));
    if (known)
        answer_stream_integer(stream, ms);
    else
        answer_stream_text(stream, VIEW("null"));
}

static void write_counts(struct answer_stream *stream, int64_t first_ms, int64_t last_ms,
                         uint64_t count)
{
    write_time(stream, ",\"first\":", first_ms, count > 0);
    write_time(stream, ",\"last\":", last_ms, count > 0);
    answer_stream_text(stream, VIEW(",\"count\":"));
    answer_stream_integer(stream, (int64_t)count);
}

static void write_part(struct answer_stream *stream, const struct inventory_part *part)
{
    answer_stream_text(stream, VIEW("{\"channel\":"));
    answer_stream_integer(stream, part->channel);
    answer_stream_text(stream, VIEW(",\"rolling_code\":"));
    answer_stream_integer(stream, part->rolling_code);
    write_counts(stream, part->first_ms, part->last_ms, part->count);
    write_time(stream, ",\"from\":", part->from_ms, part->from_ms > 0);
    write_time(stream, ",\"to\":", part->to_ms, part->to_ms < INT64_MAX);
    answer_stream_text(stream, VIEW("}"));
}

/* First, last and count over all parts of a series. */
static struct inventory_part sum_parts(const struct inventory_part *parts, size_t count)
{
    struct inventory_part sum = {0};
    for (size_t i = 0; i < count; i++) {
        if (parts[i].count == 0)
            continue;
        if (sum.count == 0 || parts[i].first_ms < sum.first_ms)
            sum.first_ms = parts[i].first_ms;
        if (sum.count == 0 || parts[i].last_ms > sum.last_ms)
            sum.last_ms = parts[i].last_ms;
        sum.count += parts[i].count;
    }
    return sum;
}

static void write_one(struct answer_stream *stream, const struct series_query *query,
                      uint32_t index, const struct inventory_part *parts, size_t count)
{
    struct inventory_part sum = sum_parts(parts, count);
    answer_stream_text(stream, VIEW("{"));
    query_write_series(stream, &query->series, index);
    query_write_unit(stream, &query->series, index, query_unit(&query->series, index, query->unit));
    write_counts(stream, sum.first_ms, sum.last_ms, sum.count);
    answer_stream_text(stream, VIEW(",\"transmitters\":["));
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            answer_stream_text(stream, VIEW(","));
        write_part(stream, &parts[i]);
    }
    answer_stream_text(stream, VIEW("]}"));
}

/* The parts of the next series from `at`; a named one may have none. */
static size_t parts_of(const struct inventory *inventory, size_t at, uint32_t index)
{
    size_t count = 0;
    while (at + count < inventory->count && inventory->parts[at + count].series == index)
        count++;
    return count;
}

static void write_all(struct answer_stream *stream, const struct series_query *query)
{
    const struct inventory *inventory = &query->inventory;
    size_t named = series_names_count(query->series.names), at = 0;
    bool begun = false;
    answer_stream_text(stream, VIEW("{\"series\":["));
    for (uint32_t i = 0; i < query->series.index_count; i++) {
        size_t count = parts_of(inventory, at, i);
        bool there = i < named || sum_parts(inventory->parts + at, count).count > 0;
        if (there && query_wants(&query->series, i)) {
            answer_stream_text(stream, begun ? VIEW(",\n") : VIEW("\n"));
            write_one(stream, query, i, inventory->parts + at, count);
            begun = true;
        }
        at += count;
    }
    answer_stream_text(stream, VIEW("]}\n"));
}

/* ---- The request ---- */

static enum hearth_error take_etag(const struct series_query *query, struct view *etag)
{
    struct buffer question;
    buffer_init(&question, 1u << 20);
    buffer_append_format(&question, "series %d", (int)query->unit);
    query_series_normalise(&query->series, &question);
    enum hearth_error error = buffer_status(&question);
    if (!error)
        *etag = query_etag(query->sensor, query->request, &query->state, query->series.names,
                           buffer_view(&question));
    buffer_clean(&question);
    return error;
}

static enum hearth_error send(struct series_query *query, struct view etag)
{
    struct answer_stream stream;
    enum hearth_error error =
        query_inventory_take(query->sensor, query->request, &query->series, &query->inventory);
    if (!error)
        error = range_answer_recheck(query->sensor, query->request, query->response, &query->state,
                                     etag);
    if (!error)
        error = answer_stream_init(&stream, query->request->arena, query->response);
    if (error)
        return error;
    write_all(&stream, query);
    return answer_stream_finish(&stream);
}

enum hearth_error sensor_series_get(const struct request *request, struct response *response,
                                    void *state)
{
    struct series_query query = {.sensor = state, .request = request, .response = response};
    struct view etag = VIEW_NONE;
    bool with_private, answered = false;
    enum hearth_error error = sensor_allow_reading(query.sensor, request, response, &with_private);
    if (!error)
        error = sensor_state(query.sensor, request, &query.state);
    if (!error)
        error = query_take_unit(request, &query.unit);
    if (!error)
        error = query_take_series(query.sensor, request, &query.series);
    if (!error)
        error = take_etag(&query, &etag);
    if (!error)
        error = range_answer_head(request, response, etag, VIEW("application/json"), &answered);
    return error || answered ? error : send(&query, etag);
}
