/*
 * query_latest.c - GET /api/v1/latest: the newest reading of each series.
 *
 * A named series has the newest of all its transmitters within their windows. Where the code of its
 * last one came again as another series', the store's latest reading of that transmitter is not its
 * own; then its last time is in the inventory, and the reading is looked up there.
 *
 * `series`, `channel` and `unit` as for /api/v1/range. The answer has the time in it, and so no
 * ETag.
 */
#include "handlers/sensor/query/query_inventory.h"
#include "handlers/sensor/query/query_write.h"
#include "handlers/sensor/record/reading_text.h"
#include "handlers/sensor/text/text_put.h"

struct newest {
    bool there;
    struct record record;
    uint64_t count;
};

struct latest_query {
    const struct sensor *sensor;
    const struct request *request;
    struct query_series series;
    enum series_unit unit;
    int64_t now_ms;
    struct inventory inventory;
    struct newest *newest; /* by series index */
};

/* ---- Gathering ---- */

static void take_record(struct latest_query *query, const struct record *record)
{
    uint32_t index = series_names_find(query->series.names, record_channel(record),
                                       record_rolling_code(record), record_time_ms(record));
    struct newest *newest = &query->newest[index];
    if (newest->there && record_time_ms(&newest->record) > record_time_ms(record))
        return;
    newest->there = true;
    newest->record = *record;
}

static enum hearth_error take_latest(struct latest_query *query)
{
    struct reading_store *store = query->sensor->store;
    size_t count = 0;
    struct latest_reading *latest =
        arena_array(query->request->arena, SERIES_PLACES, sizeof *latest);
    if (!latest)
        return HEARTH_NO_MEMORY;
    enum hearth_error error =
        store->latest(store, latest, SERIES_PLACES, &count, query->request->error);
    for (size_t i = 0; !error && i < count; i++)
        take_record(query, &latest[i].record);
    return error;
}

static enum hearth_error visit_last(void *context, const struct record *records, size_t count)
{
    for (size_t i = 0; i < count; i++)
        take_record(context, &records[i]);
    return HEARTH_OK;
}

/* A part whose last reading is newer than what the store's latest ones gave its series. */
static enum hearth_error look_up(struct latest_query *query, const struct inventory_part *part)
{
    struct reading_store *store = query->sensor->store;
    const struct newest *newest = &query->newest[part->series];
    if (newest->there && record_time_ms(&newest->record) >= part->last_ms)
        return HEARTH_OK;
    const struct reading_range range = {part->last_ms, part->last_ms + 1, part->channel,
                                        part->rolling_code, false};
    return store->range(store, &range, visit_last, query, query->request->error);
}

static enum hearth_error gather(struct latest_query *query)
{
    query->newest =
        arena_array(query->request->arena, query->series.index_count, sizeof *query->newest);
    enum hearth_error error = query->newest ? HEARTH_OK : HEARTH_NO_MEMORY;
    if (!error)
        error =
            query_inventory_take(query->sensor, query->request, &query->series, &query->inventory);
    if (!error)
        error = take_latest(query);
    for (size_t i = 0; !error && i < query->inventory.count; i++) {
        const struct inventory_part *part = &query->inventory.parts[i];
        query->newest[part->series].count += part->count;
        if (part->count > 0)
            error = look_up(query, part);
    }
    return error;
}

/* ---- Writing ---- */

static void write_one(struct answer_stream *stream, const struct latest_query *query,
                      uint32_t index)
{
    const struct newest *newest = &query->newest[index];
    enum value_unit unit = query_unit(&query->series, index, query->unit);
    int64_t time_ms = record_time_ms(&newest->record), age_ms = query->now_ms - time_ms;
    answer_stream_text(stream, VIEW("{"));
    query_write_series(stream, &query->series, index);
    query_write_unit(stream, &query->series, index, unit);
    char *at = answer_stream_room(stream);
    at = text_put(at, VIEW(",\"time\":"));
    at = text_put_integer(at, time_ms);
    at = text_put(at, VIEW(",\"age_ms\":"));
    at = text_put_integer(at, age_ms < 0 ? 0 : age_ms);
    at = text_put(at, age_ms >= series_names_limit_ms(query->series.names, index)
                          ? VIEW(",\"stale\":true,")
                          : VIEW(",\"stale\":false,"));
    at = reading_put_values(at, &newest->record, unit);
    at = text_put(at, VIEW(",\"count\":"));
    at = text_put_integer(at, (int64_t)newest->count);
    answer_stream_wrote(stream, text_put(at, VIEW("}")));
}

static void write_all(struct answer_stream *stream, const struct latest_query *query)
{
    bool begun = false;
    answer_stream_text(stream, VIEW("{\"now\":"));
    answer_stream_integer(stream, query->now_ms);
    answer_stream_text(stream, VIEW(",\"series\":["));
    for (uint32_t i = 0; i < query->series.index_count; i++) {
        if (!query->newest[i].there || !query_wants(&query->series, i))
            continue;
        answer_stream_text(stream, begun ? VIEW(",\n") : VIEW("\n"));
        write_one(stream, query, i);
        begun = true;
    }
    answer_stream_text(stream, VIEW("]}\n"));
}

/* ---- The request ---- */

enum hearth_error sensor_latest_get(const struct request *request, struct response *response,
                                    void *state)
{
    struct latest_query query = {.sensor = state, .request = request};
    struct answer_stream stream;
    bool with_private;
    enum hearth_error error = sensor_allow_reading(query.sensor, request, response, &with_private);
    if (!error)
        error = query_take_unit(request, &query.unit);
    if (!error)
        error = query_take_series(query.sensor, request, &query.series);
    if (!error)
        error = gather(&query);
    if (!error)
        error = answer_stream_init(&stream, request->arena, response);
    if (!error)
        error = response_set_header(response, VIEW("Content-Type"), VIEW("application/json"));
    if (error)
        return error;
    query.now_ms = clock_wall_ms(query.sensor->clock);
    write_all(&stream, &query);
    return answer_stream_finish(&stream);
}
