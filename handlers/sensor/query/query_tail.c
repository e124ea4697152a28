/*
 * query_tail.c - GET /api/v1/tail: what came in since the last time, in the order of arrival.
 *
 *   after      the cursor of the answer before; without it, from the start of what is not sealed
 *   limit      1 to 1,000 readings, as many by default
 *   series, channel, unit, quality   as for /api/v1/range
 *
 * Never waits: whoever follows asks again, at once where `more` says so. Readings that are not
 * asked for are passed over, so that an answer may have none and yet `more`. `reset` says that the
 * cursor leads nowhere any more, since what it stood in was sealed: read the range anew, go on with
 * the cursor given.
 */
#include "handlers/sensor/query/query_write.h"
#include "handlers/sensor/record/reading_text.h"
#include "handlers/sensor/record/record.h"
#include "handlers/sensor/snapshot/tail_cursor.h"
#include "handlers/sensor/text/text_put.h"

enum { LIMIT = 1000 };

struct tail_query {
    const struct sensor *sensor;
    const struct request *request;
    struct query_series series;
    enum series_unit unit;
    bool with_suspect;
    int64_t limit;
    struct tail_cursor cursor;
    struct record *records; /* `limit` */
    struct tail_result result;
};

static enum hearth_error take_cursor(struct tail_query *query)
{
    struct view after;
    enum hearth_error error = query_take_value(query->request, "after", &after);
    if (error)
        return error;
    if (!after.data || tail_cursor_parse(after, &query->cursor))
        return HEARTH_OK;
    return request_fail(query->request, HEARTH_BAD_QUERY,
                        "`after` must be the `cursor` of an answer before; without it, all that "
                        "is not sealed yet is given");
}

static enum hearth_error take_parameters(struct tail_query *query)
{
    query->limit = LIMIT;
    enum hearth_error error = query_take_number(query->request, "limit", 1, LIMIT, &query->limit);
    if (!error)
        error = take_cursor(query);
    if (!error)
        error = query_take_unit(query->request, &query->unit);
    if (!error)
        error = query_take_quality(query->request, &query->with_suspect);
    if (!error)
        error = query_take_series(query->sensor, query->request, &query->series);
    return error;
}

static void write_reading(struct answer_stream *stream, const struct tail_query *query,
                          const struct record *record, bool *begun)
{
    char id[SERIES_ID_BYTES];
    int channel = record_channel(record), rolling_code = record_rolling_code(record);
    uint32_t index =
        series_names_find(query->series.names, channel, rolling_code, record_time_ms(record));
    if (!query_wants(&query->series, index))
        return;
    enum value_unit unit = query_unit(&query->series, index, query->unit);
    series_names_id(query->series.names, index, id);
    char *at = answer_stream_room(stream);
    at = text_put(at, *begun ? VIEW(",\n{\"time\":") : VIEW("\n{\"time\":"));
    at = text_put_integer(at, record_time_ms(record));
    at = text_put(at, VIEW(",\"series\":\""));
    at = text_put(at, view_of(id)); /* of letters, digits, '-' and '_' */
    at = text_put(at, VIEW("\",\"channel\":"));
    at = text_put_integer(at, channel);
    at = text_put(at, VIEW(",\"rolling_code\":"));
    at = text_put_integer(at, rolling_code);
    at = text_put(at, VIEW(",\"unit\":\""));
    at = text_put(at, view_of(value_unit_name(unit)));
    at = text_put(at, VIEW("\","));
    at = reading_put_values(at, record, unit);
    answer_stream_wrote(stream, text_put(at, VIEW("}")));
    *begun = true;
}

static void write_answer(struct answer_stream *stream, const struct tail_query *query)
{
    char cursor[TAIL_CURSOR_DIGITS + 1];
    bool begun = false;
    tail_cursor_format(&query->cursor, cursor);
    answer_stream_text(stream, VIEW("{\"cursor\":"));
    answer_stream_json(stream, view_of(cursor));
    answer_stream_text(stream,
                       query->result.reset ? VIEW(",\"reset\":true") : VIEW(",\"reset\":false"));
    answer_stream_text(stream, query->result.more ? VIEW(",\"more\":true,\"readings\":[")
                                                  : VIEW(",\"more\":false,\"readings\":["));
    for (uint64_t i = 0; i < query->result.count; i++)
        if (query->with_suspect || record_time_quality(&query->records[i]) != TIME_SUSPECT)
            write_reading(stream, query, &query->records[i], &begun);
    answer_stream_text(stream, VIEW("]}\n"));
}

static enum hearth_error gather(struct tail_query *query)
{
    struct reading_store *store = query->sensor->store;
    query->records =
        arena_array(query->request->arena, (size_t)query->limit, sizeof *query->records);
    if (!query->records)
        return HEARTH_NO_MEMORY;
    return store->tail(store, &query->cursor, query->records, (size_t)query->limit, &query->result,
                       query->request->error);
}

enum hearth_error sensor_tail_get(const struct request *request, struct response *response,
                                  void *state)
{
    struct tail_query query = {.sensor = state, .request = request};
    struct answer_stream stream;
    bool with_private;
    enum hearth_error error = sensor_allow_reading(query.sensor, request, response, &with_private);
    if (!error)
        error = take_parameters(&query);
    if (!error)
        error = gather(&query);
    if (!error)
        error = answer_stream_init(&stream, request->arena, response);
    if (!error)
        error = response_set_header(response, VIEW("Content-Type"), VIEW("application/json"));
    if (error)
        return error;
    write_answer(&stream, &query);
    return answer_stream_finish(&stream);
}
