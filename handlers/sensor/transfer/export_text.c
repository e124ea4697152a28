/*
 * export_text.c - export.csv and export.ndjson: a line a reading.
 *
 * CSV (RFC 4180) with a head line that has the units in its names; all temperatures in one unit,
 * degF unless degC is asked for:
 *
 *   time,series,name,channel,rolling_code,temperature_F,humidity_percent,battery_low,signal_dbm,
 *   time_quality,relay,occupied
 *
 * NDJSON has the members that PUT /data takes, so that what goes out can come in; a temperature is
 * in the scale of its sender, temperature_F or temperature_C, unless one is asked for:
 *
 *   {"time":"2025-09-14T18:04:51Z","series":"5-107","channel":5,"rolling_code":107,
 *    "temperature_F":74.4,"humidity":35,"battery_ok":true,"signal":-63,"time_quality":"sender",
 *    "relay":false,"occupied":false}
 *
 * Relay and occupied are there with the scope data:read alone. What is not known is an empty field,
 * or null.
 */
#include "handlers/sensor/record/digest.h"
#include "handlers/sensor/text/text_put.h"
#include "handlers/sensor/transfer/export.h"

/* ---- A reading ---- */

struct line {
    const struct record *record;
    struct reading reading;
    uint32_t series;
    bool has_temperature, has_humidity;
    int32_t temperature, humidity;
};

/* HEARTH_OK with `*wanted` false: of another series. */
static enum hearth_error read_line(const struct export *export, const struct record *record,
                                   struct line *line, bool *wanted)
{
    *line = (struct line){.record = record};
    if (record_decode(record, &line->reading))
        return HEARTH_CORRUPT;
    line->series = series_names_find(export->series.names, line->reading.channel,
                                     line->reading.rolling_code, line->reading.time_ms);
    *wanted = query_wants(&export->series, line->series);
    line->has_temperature = record_quantity(record, QUANTITY_TEMPERATURE, &line->temperature);
    line->has_humidity = record_quantity(record, QUANTITY_HUMIDITY, &line->humidity);
    return HEARTH_OK;
}

static struct view quality_name(enum time_quality quality)
{
    static const char *const names[] = {[TIME_SENDER] = "sender",
                                        [TIME_SERVER] = "server",
                                        [TIME_SUSPECT] = "suspect",
                                        [TIME_IMPORTED] = "imported"};
    return view_of(names[quality]);
}

/* Times ascend, so that the zone is asked only where its offset changes. */
static char *put_time(struct export *export, char *at, int64_t time_ms)
{
    int64_t second = time_ms / 1000;
    if (second >= export->offset_until_s) {
        export->offset_s = time_zone_offset_s(export->zone, second);
        export->offset_until_s = time_zone_next_change_s(export->zone, second);
    }
    return text_put_time(at, time_ms, export->offset_s);
}

static char *put_id(const struct export *export, char *at, uint32_t series)
{
    char id[SERIES_ID_BYTES];
    series_names_id(export->series.names, series, id);
    return text_put(at, view_of(id));
}

static struct view truth(bool value)
{
    return value ? VIEW("true") : VIEW("false");
}

/* ---- CSV ---- */

/* Quoted where a comma, a quote or a line's end stands in it. */
static void write_field(struct answer_stream *stream, struct view text)
{
    bool plain = true;
    for (size_t i = 0; plain && i < text.length; i++)
        plain = view_index_of(VIEW(",\"\r\n"), text.data[i]) == SIZE_MAX;
    if (plain) {
        answer_stream_text(stream, text);
        return;
    }
    answer_stream_text(stream, VIEW("\""));
    while (text.data) {
        answer_stream_text(stream, view_split(&text, '"'));
        answer_stream_text(stream, text.data ? VIEW("\"\"") : VIEW("\""));
    }
}

static void begin_csv(struct export *export)
{
    struct answer_stream *stream = &export->stream;
    if (export->begun)
        return;
    export->begun = true;
    answer_stream_text(stream, VIEW("time,series,name,channel,rolling_code,temperature_"));
    answer_stream_text(stream, export->unit == SERIES_UNIT_C ? VIEW("C") : VIEW("F"));
    answer_stream_text(stream, VIEW(",humidity_percent,battery_low,signal_dbm,time_quality"));
    answer_stream_text(stream, export->with_private ? VIEW(",relay,occupied\r\n") : VIEW("\r\n"));
}

static char *put_csv_values(const struct export *export, char *at, const struct line *line)
{
    *at++ = ',';
    at = text_put_integer(at, line->reading.channel);
    *at++ = ',';
    at = text_put_integer(at, line->reading.rolling_code);
    *at++ = ',';
    if (line->has_temperature)
        at = value_put(at, line->temperature, export->unit == SERIES_UNIT_C ? VALUE_C : VALUE_F);
    *at++ = ',';
    if (line->has_humidity)
        at = text_put_integer(at, line->humidity);
    *at++ = ',';
    at = text_put(at, truth(line->reading.battery_low));
    *at++ = ',';
    if (line->reading.signal != 0)
        at = text_put_integer(at, -line->reading.signal);
    *at++ = ',';
    at = text_put(at, quality_name(line->reading.time_quality));
    if (export->with_private) {
        *at++ = ',';
        at = text_put(at, truth(line->reading.relay));
        *at++ = ',';
        at = text_put(at, truth(line->reading.occupied));
    }
    return text_put(at, VIEW("\r\n"));
}

static void write_csv(struct export *export, const struct line *line)
{
    const struct series_names *names = export->series.names;
    char *at = answer_stream_room(&export->stream);
    at = put_time(export, at, line->reading.time_ms);
    *at++ = ',';
    at = put_id(export, at, line->series);
    *at++ = ',';
    answer_stream_wrote(&export->stream, at);
    if (line->series < series_names_count(names))
        write_field(&export->stream, view_of(series_names_get(names, line->series)->name));
    at = answer_stream_room(&export->stream);
    answer_stream_wrote(&export->stream, put_csv_values(export, at, line));
}

static enum hearth_error visit_csv(void *context, const struct record *records, size_t count)
{
    struct export *export = context;
    enum hearth_error error = HEARTH_OK;
    begin_csv(export);
    for (size_t i = 0; !error && i < count; i++) {
        struct line line;
        bool wanted = false;
        error = read_line(export, &records[i], &line, &wanted);
        if (!error && wanted)
            write_csv(export, &line);
    }
    return error ? error : answer_stream_failed(&export->stream);
}

static enum hearth_error finish_csv(struct export *export)
{
    begin_csv(export);
    return answer_stream_finish(&export->stream);
}

const struct export_form export_form_csv = {
    .name = "csv",
    .media_type = "text/csv",
    .content_type = "text/csv; header=present; charset=utf-8",
    .file_name = "hearth-readings.csv",
    .visit = visit_csv,
    .finish = finish_csv,
};

/* ---- NDJSON ---- */

static char *put_ndjson_temperature(const struct export *export, char *at, const struct line *line)
{
    bool celsius = export->unit == SERIES_UNIT_C ||
                   (export->unit == SERIES_UNIT_DEFAULT && line->reading.scale == SCALE_TENTHS_C);
    at = text_put(at, celsius ? VIEW(",\"temperature_C\":") : VIEW(",\"temperature_F\":"));
    return line->has_temperature ? value_put(at, line->temperature, celsius ? VALUE_C : VALUE_F)
                                 : text_put(at, VIEW("null"));
}

static char *put_or_null(char *at, int number, bool known)
{
    return known ? text_put_integer(at, number) : text_put(at, VIEW("null"));
}

static void write_ndjson(struct export *export, const struct line *line)
{
    const struct reading *reading = &line->reading;
    char *at = answer_stream_room(&export->stream);
    at = text_put(at, VIEW("{\"time\":\""));
    at = put_time(export, at, reading->time_ms);
    at = text_put(at, VIEW("\",\"series\":\""));
    at = put_id(export, at, line->series);
    at = text_put(at, VIEW("\",\"channel\":"));
    at = text_put_integer(at, reading->channel);
    at = text_put(at, VIEW(",\"rolling_code\":"));
    at = text_put_integer(at, reading->rolling_code);
    at = put_ndjson_temperature(export, at, line);
    at = text_put(at, VIEW(",\"humidity\":"));
    at = put_or_null(at, line->humidity, line->has_humidity);
    at = text_put(at, VIEW(",\"battery_ok\":"));
    at = text_put(at, truth(!reading->battery_low));
    at = text_put(at, VIEW(",\"signal\":"));
    at = put_or_null(at, -reading->signal, reading->signal != 0);
    at = text_put(at, VIEW(",\"time_quality\":\""));
    at = text_put(at, quality_name(reading->time_quality));
    at = text_put(at, VIEW("\""));
    if (export->with_private) {
        at = text_put(at, VIEW(",\"relay\":"));
        at = text_put(at, truth(reading->relay));
        at = text_put(at, VIEW(",\"occupied\":"));
        at = text_put(at, truth(reading->occupied));
    }
    answer_stream_wrote(&export->stream, text_put(at, VIEW("}\n")));
}

static enum hearth_error visit_ndjson(void *context, const struct record *records, size_t count)
{
    struct export *export = context;
    enum hearth_error error = HEARTH_OK;
    for (size_t i = 0; !error && i < count; i++) {
        struct line line;
        bool wanted = false;
        error = read_line(export, &records[i], &line, &wanted);
        if (!error && wanted)
            write_ndjson(export, &line);
    }
    return error ? error : answer_stream_failed(&export->stream);
}

static enum hearth_error finish_ndjson(struct export *export)
{
    return answer_stream_finish(&export->stream);
}

const struct export_form export_form_ndjson = {
    .name = "ndjson",
    .media_type = "application/x-ndjson",
    .content_type = "application/x-ndjson",
    .file_name = "hearth-readings.ndjson",
    .visit = visit_ndjson,
    .finish = finish_ndjson,
};
