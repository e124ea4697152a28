/*
 * query_write.c - the answer to a range query as JSON.
 *
 * Which members a function has stands in one table, from which both forms are written.
 */
#include "handlers/sensor/query/query_write.h"

#include "handlers/sensor/text/text_put.h"

/* ---- What a cell says ---- */

enum member_kind { KIND_VALUE, KIND_AFTER, KIND_MEAN, KIND_COVERAGE };

struct member {
    const char *name;
    enum member_kind kind;
    int which; /* of the cell's values */
};

struct members {
    const struct member *items;
    size_t count;
};

static struct members members_of(enum query_function function)
{
    static const struct member m4[] = {
        {"first", KIND_VALUE, CELL_FIRST},    {"last", KIND_VALUE, CELL_LAST},
        {"min", KIND_VALUE, CELL_MIN},        {"max", KIND_VALUE, CELL_MAX},
        {"first_ms", KIND_AFTER, CELL_FIRST}, {"last_ms", KIND_AFTER, CELL_LAST},
        {"min_ms", KIND_AFTER, CELL_MIN},     {"max_ms", KIND_AFTER, CELL_MAX},
    };
    static const struct member mean[] = {{"mean", KIND_MEAN, 0}, {"coverage", KIND_COVERAGE, 0}};
    static const struct member min[] = {{"min", KIND_VALUE, CELL_MIN},
                                        {"min_ms", KIND_AFTER, CELL_MIN}};
    static const struct member max[] = {{"max", KIND_VALUE, CELL_MAX},
                                        {"max_ms", KIND_AFTER, CELL_MAX}};
    switch (function) {
    case QUERY_MEAN:
        return (struct members){mean, sizeof mean / sizeof mean[0]};
    case QUERY_MIN:
        return (struct members){min, sizeof min / sizeof min[0]};
    case QUERY_MAX:
        return (struct members){max, sizeof max / sizeof max[0]};
    case QUERY_M4:
    case QUERY_RAW:
    default:
        return (struct members){m4, sizeof m4 / sizeof m4[0]};
    }
}

static char *put_member(char *at, const struct query_cell *cell, const struct member *member,
                        enum value_unit unit)
{
    switch (member->kind) {
    case KIND_AFTER:
        return text_put_integer(at, cell->after_ms[member->which]);
    case KIND_MEAN:
        return text_put_decimal(at, cell->mean_thousandths, VALUE_MEAN_PLACES);
    case KIND_COVERAGE:
        return text_put_decimal(at, cell->coverage_thousandths, 3);
    case KIND_VALUE:
    default:
        return value_put(at, cell->value[member->which], unit);
    }
}

/* Where there is no cell, nothing is covered, and all else is not known. */
static struct view missing(const struct member *member)
{
    return member->kind == KIND_COVERAGE ? VIEW("0") : VIEW("null");
}

static const char *quantity_name(int quantity)
{
    return quantity == QUANTITY_TEMPERATURE ? "temperature" : "humidity";
}

static enum value_unit unit_of(const struct query_one_series *series, int quantity)
{
    return quantity == QUANTITY_TEMPERATURE ? series->unit : VALUE_PERCENT;
}

/* ---- Series ---- */

static void write_name(struct answer_stream *stream, const char *name, struct view value)
{
    answer_stream_text(stream, view_of(name));
    answer_stream_json(stream, value);
}

/* Of a named series, the transmitter that came last. */
static bool transmitter_of(const struct query_series *series, uint32_t index, int *channel,
                           int *rolling_code)
{
    size_t named = series_names_count(series->names);
    if (index >= named) {
        *channel = (int)((index - named) / 256) + 1;
        *rolling_code = (int)((index - named) % 256);
        return true;
    }
    const struct named_series *one = series_names_get(series->names, index);
    if (one->window_count == 0)
        return false;
    *channel = one->windows[one->window_count - 1].channel;
    *rolling_code = one->windows[one->window_count - 1].rolling_code;
    return true;
}

void query_write_series(struct answer_stream *stream, const struct query_series *series,
                        uint32_t index)
{
    char id[SERIES_ID_BYTES];
    int channel, rolling_code;
    bool named = index < series_names_count(series->names);
    const struct named_series *one = named ? series_names_get(series->names, index) : NULL;
    series_names_id(series->names, index, id);
    write_name(stream, "\"id\":", view_of(id));
    write_name(stream, ",\"name\":", view_of(named ? one->name : ""));
    write_name(stream, ",\"place\":", view_of(named ? one->place : ""));
    if (transmitter_of(series, index, &channel, &rolling_code)) {
        answer_stream_text(stream, VIEW(",\"channel\":"));
        answer_stream_integer(stream, channel);
        answer_stream_text(stream, VIEW(",\"rolling_code\":"));
        answer_stream_integer(stream, rolling_code);
    } else {
        answer_stream_text(stream, VIEW(",\"channel\":null,\"rolling_code\":null"));
    }
    answer_stream_text(stream, named ? VIEW(",\"new\":false") : VIEW(",\"new\":true"));
}

void query_write_unit(struct answer_stream *stream, const struct query_series *series,
                      uint32_t index, enum value_unit unit)
{
    write_name(stream, ",\"unit\":", view_of(value_unit_name(unit)));
    answer_stream_text(stream, VIEW(",\"stale_after_ms\":"));
    answer_stream_integer(stream, series_names_limit_ms(series->names, index));
}

/* ---- Columns ---- */

static void write_column(struct answer_stream *stream, const struct query_columns *columns,
                         const struct query_cell *cell, const struct member *member,
                         enum value_unit unit)
{
    write_name(stream, "", view_of(member->name));
    answer_stream_text(stream, VIEW(":["));
    for (size_t bucket = 0; bucket < columns->bucket_count; bucket++) {
        char *at = answer_stream_room(stream);
        if (bucket > 0)
            *at++ = ',';
        if (cell && cell->bucket == bucket) {
            at = put_member(at, cell, member, unit);
            cell = query_cell_get(columns, cell->next);
        } else {
            at = text_put(at, missing(member));
        }
        answer_stream_wrote(stream, at);
    }
    answer_stream_text(stream, VIEW("]"));
}

static void write_quantity(struct answer_stream *stream, const struct query_columns *columns,
                           const struct query_one_series *series, int quantity)
{
    struct members members = members_of(columns->parameters->function);
    const struct query_cell *first = query_cell_get(columns, series->columns[quantity].first);
    for (size_t i = 0; i < members.count && !answer_stream_failed(stream); i++) {
        answer_stream_text(stream, i == 0 ? VIEW("{") : VIEW(","));
        write_column(stream, columns, first, &members.items[i], unit_of(series, quantity));
    }
    answer_stream_text(stream, VIEW("}"));
}

/* One of both columns of a series' readings: those that have the quantity. */
static void write_readings(struct answer_stream *stream, const struct query_columns *columns,
                           const struct query_one_series *series, int quantity, bool times)
{
    const struct query_reading *reading = query_reading_get(columns, series->columns[0].first);
    bool begun = false;
    for (; reading; reading = query_reading_get(columns, reading->next)) {
        if (reading->values[quantity] == QUERY_ABSENT)
            continue;
        char *at = answer_stream_room(stream);
        if (begun)
            *at++ = ',';
        begun = true;
        at = times ? text_put_integer(at, reading->time_ms)
                   : value_put(at, reading->values[quantity], unit_of(series, quantity));
        answer_stream_wrote(stream, at);
    }
}

static void write_raw_quantity(struct answer_stream *stream, const struct query_columns *columns,
                               const struct query_one_series *series, int quantity)
{
    answer_stream_text(stream, VIEW("{\"time\":["));
    write_readings(stream, columns, series, quantity, true);
    answer_stream_text(stream, VIEW("],\"value\":["));
    write_readings(stream, columns, series, quantity, false);
    answer_stream_text(stream, VIEW("]}"));
}

static void write_one_series(struct answer_stream *stream, const struct query_columns *columns,
                             const struct query_one_series *series)
{
    const struct query_parameters *parameters = columns->parameters;
    answer_stream_text(stream, VIEW("{"));
    query_write_series(stream, &parameters->series, series->index);
    query_write_unit(stream, &parameters->series, series->index, series->unit);
    for (int i = 0; i < QUANTITY_COUNT; i++) {
        if (!parameters->quantities[i])
            continue;
        answer_stream_text(stream, VIEW(",\n "));
        write_name(stream, "", view_of(quantity_name(i)));
        answer_stream_text(stream, VIEW(":"));
        if (parameters->function == QUERY_RAW)
            write_raw_quantity(stream, columns, series, i);
        else
            write_quantity(stream, columns, series, i);
    }
    answer_stream_text(stream, VIEW("}"));
}

static void write_times(struct answer_stream *stream, const struct query_columns *columns)
{
    answer_stream_text(stream, VIEW(",\n\"times\":["));
    for (size_t i = 0; i < columns->bucket_count; i++) {
        if (i > 0)
            answer_stream_text(stream, VIEW(","));
        answer_stream_integer(stream, columns->edges_ms[i]);
    }
    answer_stream_text(stream, VIEW("]"));
}

static void write_head(struct answer_stream *stream, const struct query_parameters *parameters)
{
    static const char *const functions[] = {"m4", "mean", "min", "max", "raw"};
    const char *unit = parameters->unit == SERIES_UNIT_C ? "C" : "F";
    answer_stream_text(stream, VIEW("{\"from\":"));
    answer_stream_integer(stream, parameters->span.from_ms);
    answer_stream_text(stream, VIEW(",\"to\":"));
    answer_stream_integer(stream, parameters->span.to_ms);
    write_name(stream, ",\"function\":", view_of(functions[parameters->function]));
    write_name(stream, ",\"unit\":", view_of(unit));
    write_name(stream, ",\"zone\":", parameters->zone_name);
}

void query_write_columns(struct answer_stream *stream, const struct query_columns *columns,
                         const uint16_t *sorted)
{
    write_head(stream, columns->parameters);
    if (columns->parameters->function != QUERY_RAW)
        write_times(stream, columns);
    answer_stream_text(stream, VIEW(",\n\"series\":["));
    for (size_t i = 0; i < columns->series_count && !answer_stream_failed(stream); i++) {
        answer_stream_text(stream, i == 0 ? VIEW("\n") : VIEW(",\n"));
        write_one_series(stream, columns, &columns->series[sorted[i]]);
    }
    answer_stream_text(stream, VIEW("]}\n"));
}

/* ---- Rows ---- */

static void begin_row(struct answer_stream *stream, const struct query_columns *columns,
                      bool *begun, int64_t time_ms, const struct query_one_series *series)
{
    char id[SERIES_ID_BYTES];
    series_names_id(columns->parameters->series.names, series->index, id);
    answer_stream_text(stream, *begun ? VIEW(",\n{\"time\":") : VIEW("{\"time\":"));
    answer_stream_integer(stream, time_ms);
    write_name(stream, ",\"series\":", view_of(id));
    *begun = true;
}

static void write_quantity_name(struct answer_stream *stream, int quantity)
{
    answer_stream_text(stream, VIEW(","));
    write_name(stream, "", view_of(quantity_name(quantity)));
    answer_stream_text(stream, VIEW(":"));
}

static void write_cell(struct answer_stream *stream, const struct query_columns *columns,
                       const struct query_cell *cell, enum value_unit unit)
{
    struct members members = members_of(columns->parameters->function);
    for (size_t i = 0; i < members.count; i++) {
        char *at = answer_stream_room(stream);
        at = text_put(at, i == 0 ? VIEW("{\"") : VIEW(",\""));
        at = text_put(at, view_of(members.items[i].name));
        at = text_put(at, VIEW("\":"));
        answer_stream_wrote(stream, put_member(at, cell, &members.items[i], unit));
    }
    answer_stream_text(stream, VIEW("}"));
}

/* The cells of one series in one bucket follow each other. Gives the number behind them. */
static uint32_t write_cells_row(struct answer_stream *stream, const struct query_columns *columns,
                                uint32_t number, bool *begun)
{
    const struct query_cell *cell = query_cell_get(columns, number);
    uint16_t bucket = cell->bucket;
    int place = cell->track / QUANTITY_COUNT;
    const struct query_one_series *series = &columns->series[place];
    begin_row(stream, columns, begun, columns->edges_ms[bucket], series);
    for (int i = 0; i < QUANTITY_COUNT; i++) {
        if (!columns->parameters->quantities[i])
            continue;
        write_quantity_name(stream, i);
        if (cell && cell->bucket == bucket && cell->track == place * QUANTITY_COUNT + i) {
            write_cell(stream, columns, cell, unit_of(series, i));
            number++;
            cell = number <= columns->cells.count ? query_cell_get(columns, number) : NULL;
        } else {
            answer_stream_text(stream, VIEW("null"));
        }
    }
    answer_stream_text(stream, VIEW("}"));
    return number;
}

static void write_reading_row(struct answer_stream *stream, const struct query_columns *columns,
                              const struct query_reading *reading, bool *begun)
{
    const struct query_one_series *series = &columns->series[reading->series];
    begin_row(stream, columns, begun, reading->time_ms, series);
    for (int i = 0; i < QUANTITY_COUNT; i++) {
        if (!columns->parameters->quantities[i])
            continue;
        write_quantity_name(stream, i);
        char *at = answer_stream_room(stream);
        answer_stream_wrote(stream, reading->values[i] == QUERY_ABSENT
                                        ? text_put(at, VIEW("null"))
                                        : value_put(at, reading->values[i], unit_of(series, i)));
    }
    answer_stream_text(stream, VIEW("}"));
}

void query_write_rows(struct answer_stream *stream, const struct query_columns *columns)
{
    bool begun = false, raw = columns->parameters->function == QUERY_RAW;
    uint32_t number = 1;
    answer_stream_text(stream, VIEW("["));
    while (number <= columns->cells.count && !answer_stream_failed(stream)) {
        if (raw)
            write_reading_row(stream, columns, query_reading_get(columns, number++), &begun);
        else
            number = write_cells_row(stream, columns, number, &begun);
    }
    answer_stream_text(stream, VIEW("]\n"));
}
