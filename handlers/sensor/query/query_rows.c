/*
 * query_rows.c - GET /data and /temp/data: readings as rows of JSON.
 *
 *   [{"sensor_timestamp":"2025-09-14 08:39:26","channel":5,"rawTemp":1186,"humidity":47,
 *     "signalStrength":-63,"batteryLow":false}, ...]
 *
 * Times are UTC, rawTemp is tenths of a degree C plus 1000, signalStrength is in dB; what is not
 * known is null. Without `from` and `to` it is the seven days up to the newest reading;
 * `quality=all` has the suspect ones as well. Rows are formatted by hand into a chunk that goes out
 * when it is full, so that a year of them takes the memory of one chunk.
 */
#include "handlers/sensor/query/answer_stream.h"
#include "handlers/sensor/query/query_parameters.h"
#include "handlers/sensor/query/range_answer.h"
#include "handlers/sensor/record/scale.h"
#include "handlers/sensor/text/text_put.h"

enum { DAY_MS = 86400000, WINDOW_DAYS = 7 };

struct rows {
    struct answer_stream stream;
    bool begun;
    int64_t day; /* whose date stands in `date`; days since 1970 */
    char date[sizeof "2025-09-14"];
};

/* ---- A row ---- */

static char *put_number_or_null(char *at, int number, bool known)
{
    return known ? text_put_integer(at, number) : text_put(at, VIEW("null"));
}

/* The date changes once in thousands of rows. */
static void set_date(struct rows *rows, int64_t day)
{
    struct civil_time civil;
    civil_from_ms(day * DAY_MS, &civil);
    char *at = text_put_two(rows->date, civil.year / 100);
    at = text_put_two(at, civil.year % 100);
    *at++ = '-';
    at = text_put_two(at, civil.month);
    *at++ = '-';
    at = text_put_two(at, civil.day);
    *at = '\0';
    rows->day = day;
}

static char *put_time(struct rows *rows, char *at, int64_t time_ms)
{
    int64_t day = time_ms / DAY_MS;
    int second = (int)(time_ms % DAY_MS / 1000);
    if (day != rows->day)
        set_date(rows, day);
    at = text_put(at, view_from(rows->date, sizeof rows->date - 1));
    *at++ = ' ';
    at = text_put_two(at, second / 3600);
    *at++ = ':';
    at = text_put_two(at, second / 60 % 60);
    *at++ = ':';
    return text_put_two(at, second % 60);
}

static char *put_row(struct rows *rows, char *at, const struct reading *reading)
{
    at = text_put(at, rows->begun ? VIEW(",\n{\"sensor_timestamp\":\"")
                                  : VIEW("[{\"sensor_timestamp\":\""));
    at = put_time(rows, at, reading->time_ms);
    at = text_put(at, VIEW("\",\"channel\":"));
    at = text_put_integer(at, reading->channel);
    at = text_put(at, VIEW(",\"rawTemp\":"));
    at = put_number_or_null(at, reading_tenths_c(reading) + RAW_C_OFFSET,
                            reading->raw != RAW_ABSENT);
    at = text_put(at, VIEW(",\"humidity\":"));
    at = put_number_or_null(at, reading->humidity, reading->humidity != HUMIDITY_ABSENT);
    at = text_put(at, VIEW(",\"signalStrength\":"));
    at = put_number_or_null(at, -reading->signal, reading->signal != 0);
    return text_put(at, reading->battery_low ? VIEW(",\"batteryLow\":true}")
                                             : VIEW(",\"batteryLow\":false}"));
}

/* ---- The stream ---- */

static enum hearth_error visit(void *context, const struct record *records, size_t count)
{
    struct rows *rows = context;
    for (size_t i = 0; i < count; i++) {
        struct reading reading;
        if (record_decode(&records[i], &reading))
            return HEARTH_CORRUPT;
        char *at = answer_stream_room(&rows->stream);
        answer_stream_wrote(&rows->stream, put_row(rows, at, &reading));
        rows->begun = true;
    }
    return answer_stream_failed(&rows->stream);
}

static enum hearth_error finish(struct rows *rows)
{
    answer_stream_text(&rows->stream, rows->begun ? VIEW("]\n") : VIEW("[]\n"));
    return answer_stream_finish(&rows->stream);
}

/* ---- The request ---- */

/* Fills in what was not asked for: the seven days up to the newest reading, or before `to`. */
static void complete_span(struct sensor_span *span, const struct store_state *state)
{
    static const int64_t window = (int64_t)WINDOW_DAYS * DAY_MS;
    if (!span->has_to && state->newest_ms >= 0)
        span->to_ms = state->newest_ms + 1;
    if (!span->has_from && span->to_ms != INT64_MAX)
        span->from_ms = span->to_ms > window ? span->to_ms - window : 0;
    if (span->from_ms > span->to_ms)
        span->to_ms = span->from_ms;
}

static struct view take_etag(const struct range_answer *answer)
{
    const char *question =
        arena_format(answer->request->arena, "rows %lld %lld %d", (long long)answer->range.from_ms,
                     (long long)answer->range.to_ms, answer->range.with_suspect);
    if (!question)
        return VIEW_NONE;
    return query_etag(answer->sensor, answer->request, &answer->state, NULL, view_of(question));
}

static enum hearth_error send_rows(struct rows *rows, struct range_answer *answer)
{
    const struct request *request = answer->request;
    enum hearth_error error = answer_stream_init(&rows->stream, request->arena, answer->response);
    if (!error)
        error = range_answer_run(answer);
    if (error || answer->sent)
        return error;
    return request->method == METHOD_HEAD ? response_finish(answer->response) : finish(rows);
}

enum hearth_error sensor_rows_get(const struct request *request, struct response *response,
                                  void *state)
{
    const struct sensor *sensor = state;
    struct sensor_span span;
    bool with_private, with_suspect = false;
    struct rows rows = {.day = INT64_MIN};
    struct range_answer answer = {.sensor = sensor,
                                  .request = request,
                                  .response = response,
                                  .content_type = VIEW("application/json"),
                                  .size_bytes = -1,
                                  .visit = visit,
                                  .context = &rows};
    enum hearth_error error = sensor_allow_reading(sensor, request, response, &with_private);
    if (!error)
        error = sensor_query_span(sensor, request, &span);
    if (!error)
        error = query_take_quality(request, &with_suspect);
    if (!error)
        error = sensor_state(sensor, request, &answer.state);
    if (error)
        return error;
    complete_span(&span, &answer.state);
    answer.range = (struct reading_range){span.from_ms, span.to_ms, 0, -1, with_suspect};
    answer.etag = take_etag(&answer);
    return send_rows(&rows, &answer);
}
