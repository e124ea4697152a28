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
#include "handlers/sensor/range_answer.h"
#include "handlers/sensor/scale.h"
#include "handlers/sensor/sensor.h"

#include <string.h>

enum { CHUNK_BYTES = 32768, ROW_BYTES = 192, DAY_MS = 86400000, WINDOW_DAYS = 7 };

struct rows {
    struct response *response;
    char *chunk; /* CHUNK_BYTES */
    size_t length;
    bool begun;
    int64_t day; /* whose date stands in `date`; days since 1970 */
    char date[sizeof "2025-09-14"];
};

/* ---- A row ---- */

static char *put(char *at, struct view text)
{
    memcpy(at, text.data, text.length);
    return at + text.length;
}

static char *put_two(char *at, int number)
{
    at[0] = (char)('0' + number / 10);
    at[1] = (char)('0' + number % 10);
    return at + 2;
}

static char *put_number(char *at, int number)
{
    char digits[12];
    size_t count = 0;
    unsigned rest = number < 0 ? 0u - (unsigned)number : (unsigned)number;
    if (number < 0)
        *at++ = '-';
    do {
        digits[count++] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    while (count > 0)
        *at++ = digits[--count];
    return at;
}

static char *put_number_or_null(char *at, int number, bool known)
{
    return known ? put_number(at, number) : put(at, VIEW("null"));
}

/* The date changes once in thousands of rows. */
static void set_date(struct rows *rows, int64_t day)
{
    struct civil_time civil;
    civil_from_ms(day * DAY_MS, &civil);
    char *at = put_two(rows->date, civil.year / 100);
    at = put_two(at, civil.year % 100);
    *at++ = '-';
    at = put_two(at, civil.month);
    *at++ = '-';
    at = put_two(at, civil.day);
    *at = '\0';
    rows->day = day;
}

static char *put_time(struct rows *rows, char *at, int64_t time_ms)
{
    int64_t day = time_ms / DAY_MS;
    int second = (int)(time_ms % DAY_MS / 1000);
    if (day != rows->day)
        set_date(rows, day);
    at = put(at, view_from(rows->date, sizeof rows->date - 1));
    *at++ = ' ';
    at = put_two(at, second / 3600);
    *at++ = ':';
    at = put_two(at, second / 60 % 60);
    *at++ = ':';
    return put_two(at, second % 60);
}

static char *put_row(struct rows *rows, char *at, const struct reading *reading)
{
    at = put(at,
             rows->begun ? VIEW(",\n{\"sensor_timestamp\":\"") : VIEW("[{\"sensor_timestamp\":\""));
    at = put_time(rows, at, reading->time_ms);
    at = put(at, VIEW("\",\"channel\":"));
    at = put_number(at, reading->channel);
    at = put(at, VIEW(",\"rawTemp\":"));
    at = put_number_or_null(at, reading_tenths_c(reading) + RAW_C_OFFSET,
                            reading->raw != RAW_ABSENT);
    at = put(at, VIEW(",\"humidity\":"));
    at = put_number_or_null(at, reading->humidity, reading->humidity != HUMIDITY_ABSENT);
    at = put(at, VIEW(",\"signalStrength\":"));
    at = put_number_or_null(at, -reading->signal, reading->signal != 0);
    return put(at, reading->battery_low ? VIEW(",\"batteryLow\":true}")
                                        : VIEW(",\"batteryLow\":false}"));
}

/* ---- The stream ---- */

static enum hearth_error send_chunk(struct rows *rows)
{
    struct view chunk = view_from(rows->chunk, rows->length);
    rows->length = 0;
    return chunk.length > 0 ? response_write(rows->response, chunk) : HEARTH_OK;
}

static enum hearth_error visit(void *context, const struct record *records, size_t count)
{
    struct rows *rows = context;
    for (size_t i = 0; i < count; i++) {
        struct reading reading;
        if (record_decode(&records[i], &reading))
            return HEARTH_CORRUPT;
        char *end = put_row(rows, rows->chunk + rows->length, &reading);
        rows->length = (size_t)(end - rows->chunk);
        rows->begun = true;
        if (rows->length > CHUNK_BYTES - ROW_BYTES) {
            enum hearth_error error = send_chunk(rows);
            if (error)
                return error;
        }
    }
    return HEARTH_OK;
}

static enum hearth_error finish(struct rows *rows)
{
    char *at = rows->chunk + rows->length;
    at = put(at, rows->begun ? VIEW("]\n") : VIEW("[]\n"));
    rows->length = (size_t)(at - rows->chunk);
    enum hearth_error error = send_chunk(rows);
    return error ? error : response_finish(rows->response);
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

static enum hearth_error send_rows(struct rows *rows, struct range_answer *answer)
{
    const struct request *request = answer->request;
    rows->chunk = arena_alloc(request->arena, CHUNK_BYTES);
    if (!rows->chunk)
        return HEARTH_NO_MEMORY;
    enum hearth_error error = range_answer_run(answer);
    if (error || answer->sent)
        return error;
    return request->method == METHOD_HEAD ? response_finish(rows->response) : finish(rows);
}

enum hearth_error sensor_rows_get(const struct request *request, struct response *response,
                                  void *state)
{
    const struct sensor *sensor = state;
    struct sensor_span span;
    bool with_private, all = view_equal(request_query(request, "quality"), VIEW("all"));
    struct rows rows = {.response = response, .day = INT64_MIN};
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
        error = sensor_state(sensor, request, &answer.state);
    if (error)
        return error;
    complete_span(&span, &answer.state);
    answer.range = (struct reading_range){span.from_ms, span.to_ms, 0, -1, all};
    answer.etag = range_answer_etag(request, all ? "rows-all" : "rows", &answer.state, &span);
    return send_rows(&rows, &answer);
}
