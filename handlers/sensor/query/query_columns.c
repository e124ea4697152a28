/*
 * query_columns.c - the answer to a range query while it comes in.
 *
 * Cells lie in the order in which they came, which is that of the buckets; those of one series and
 * quantity are linked.
 */
#include "handlers/sensor/query/query_columns.h"

#include <string.h>

enum { FIRST_SERIES = 32 };

/* ---- Series ---- */

static size_t quantity_count(const struct query_parameters *parameters)
{
    return (size_t)parameters->quantities[QUANTITY_TEMPERATURE] +
           parameters->quantities[QUANTITY_HUMIDITY];
}

static enum hearth_error refuse_cells(const struct query_columns *columns)
{
    size_t quantities = quantity_count(columns->parameters);
    size_t most = QUERY_CELLS_MAX / (columns->series_count + 1) / quantities;
    return request_fail(columns->request, HEARTH_BAD_QUERY,
                        "buckets x series x quantities may be at most %d; for %zu or more series "
                        "and %zu %s at most %zu `points` are allowed, or name fewer `series`",
                        QUERY_CELLS_MAX, columns->series_count + 1, quantities,
                        quantities == 1 ? "quantity" : "quantities", most);
}

static bool grow(struct query_columns *columns)
{
    size_t capacity = columns->series_capacity ? columns->series_capacity * 2 : FIRST_SERIES;
    struct query_one_series *grown = arena_array(columns->request->arena, capacity, sizeof *grown);
    if (!grown)
        return false;
    if (columns->series_count > 0)
        memcpy(grown, columns->series, columns->series_count * sizeof *grown);
    columns->series = grown;
    columns->series_capacity = capacity;
    return true;
}

static enum hearth_error add_series(struct query_columns *columns, uint32_t index)
{
    const struct query_parameters *parameters = columns->parameters;
    size_t cells = (columns->series_count + 1) * columns->bucket_count * quantity_count(parameters);
    if (cells > QUERY_CELLS_MAX)
        return refuse_cells(columns);
    if (columns->series_count == columns->series_capacity && !grow(columns))
        return HEARTH_NO_MEMORY;
    columns->series[columns->series_count++] = (struct query_one_series){
        .index = index, .unit = query_unit(&parameters->series, index, parameters->unit)};
    columns->places[index] = (uint16_t)columns->series_count;
    return HEARTH_OK;
}

/* The series' place, made when it is met first. */
static enum hearth_error place_of(struct query_columns *columns, uint32_t index, uint16_t *place)
{
    enum hearth_error error = HEARTH_OK;
    if (columns->places[index] == 0)
        error = add_series(columns, index);
    *place = (uint16_t)(columns->places[index] - 1);
    return error;
}

enum hearth_error query_columns_init(struct query_columns *columns, const struct request *request,
                                     const struct query_parameters *parameters,
                                     const int64_t *edges_ms, size_t bucket_count)
{
    const struct query_series *asked = &parameters->series;
    bool raw = parameters->function == QUERY_RAW;
    enum hearth_error error = HEARTH_OK;
    *columns = (struct query_columns){
        .request = request,
        .parameters = parameters,
        .edges_ms = edges_ms,
        .bucket_count = bucket_count,
        .places = arena_array(request->arena, asked->index_count, sizeof *columns->places),
    };
    cell_pool_init(&columns->cells, raw ? sizeof(struct query_reading) : sizeof(struct query_cell),
                   raw ? QUERY_READINGS_MAX : QUERY_VALUES_MAX);
    if (!columns->places)
        return HEARTH_NO_MEMORY;
    for (uint32_t i = 0; !error && asked->named && i < asked->index_count; i++)
        if (asked->wanted[i])
            error = add_series(columns, i);
    return error;
}

void query_columns_clean(struct query_columns *columns)
{
    cell_pool_clean(&columns->cells);
}

/* ---- Buckets ---- */

/* Without readings of its own a bucket has the value that is held into it. */
static void fill_values(struct query_cell *cell, const struct bucket_track *track, int64_t begin_ms)
{
    const struct digest *digest = &track->digest;
    if (digest->count == 0) {
        for (int i = 0; i < CELL_VALUES; i++)
            cell->value[i] = (int16_t)track->held_value;
        return;
    }
    cell->value[CELL_FIRST] = (int16_t)digest->first;
    cell->value[CELL_LAST] = (int16_t)digest->last;
    cell->value[CELL_MIN] = (int16_t)digest->min;
    cell->value[CELL_MAX] = (int16_t)digest->max;
    cell->after_ms[CELL_FIRST] = digest->first_ms - begin_ms;
    cell->after_ms[CELL_LAST] = digest->last_ms - begin_ms;
    cell->after_ms[CELL_MIN] = digest->min_ms - begin_ms;
    cell->after_ms[CELL_MAX] = digest->max_ms - begin_ms;
}

static void fill_mean(struct query_cell *cell, const struct bucket_track *track, int64_t length_ms,
                      enum value_unit unit)
{
    int64_t integral = track->integral, covered_ms = track->covered_ms;
    cell->coverage_thousandths = value_coverage_thousandths(covered_ms, length_ms);
    if (covered_ms == 0) { /* all of its readings came at its very end, or the limit is 0 */
        integral = track->digest.count > 0 ? track->digest.last : track->held_value;
        covered_ms = 1;
    }
    cell->mean_thousandths = (int32_t)value_mean_thousandths(integral, covered_ms, unit);
}

static enum hearth_error refuse_values(const struct query_columns *columns)
{
    return request_fail(columns->request, HEARTH_BAD_QUERY,
                        "more than %d buckets of series and quantities have a value; fewer "
                        "`points` or `series`, one `quantity` or a shorter span are allowed",
                        QUERY_VALUES_MAX);
}

static enum hearth_error add_cell(struct query_columns *columns, size_t bucket,
                                  const struct bucket_track *track)
{
    uint16_t place;
    if (columns->cells.count == QUERY_VALUES_MAX)
        return refuse_values(columns);
    enum hearth_error error = place_of(columns, track->series, &place);
    struct query_cell *cell = error ? NULL : cell_pool_add(&columns->cells);
    if (!cell)
        return error ? error : HEARTH_NO_MEMORY;
    struct query_one_series *series = &columns->series[place];
    struct query_column *column = &series->columns[track->quantity];
    int64_t begin_ms = columns->edges_ms[bucket];
    cell->bucket = (uint16_t)bucket;
    cell->track = (uint16_t)(place * QUANTITY_COUNT + track->quantity);
    if (columns->parameters->function == QUERY_MEAN)
        fill_mean(cell, track, columns->edges_ms[bucket + 1] - begin_ms,
                  track->quantity == QUANTITY_TEMPERATURE ? series->unit : VALUE_PERCENT);
    else
        fill_values(cell, track, begin_ms);
    if (column->first == 0)
        column->first = columns->cells.count;
    else
        ((struct query_cell *)cell_pool_get(&columns->cells, column->last))->next =
            columns->cells.count;
    column->last = columns->cells.count;
    return HEARTH_OK;
}

enum hearth_error query_columns_bucket(void *context, size_t bucket,
                                       const struct bucket_track *tracks, size_t count)
{
    struct query_columns *columns = context;
    enum hearth_error error = HEARTH_OK;
    for (size_t i = 0; !error && i < count; i++)
        if (columns->parameters->quantities[tracks[i].quantity] &&
            (tracks[i].digest.count > 0 || tracks[i].held))
            error = add_cell(columns, bucket, &tracks[i]);
    return error;
}

/* ---- Readings ---- */

/* False when it has nothing of what is wanted. */
static bool fill_reading(const struct query_columns *columns, const struct record *record,
                         struct query_reading *reading)
{
    bool any = false;
    *reading = (struct query_reading){.time_ms = record_time_ms(record)};
    for (int i = 0; i < QUANTITY_COUNT; i++) {
        int32_t value;
        bool has =
            columns->parameters->quantities[i] && record_quantity(record, (enum quantity)i, &value);
        reading->values[i] = (int16_t)(has ? value : QUERY_ABSENT);
        any = any || has;
    }
    return any;
}

static enum hearth_error refuse_readings(const struct query_columns *columns)
{
    return request_fail(columns->request, HEARTH_BAD_QUERY,
                        "there are more than %d readings between `from` and `to`, which is what "
                        "`fn=raw` gives at most; a shorter span or fewer `series` are allowed, and "
                        "/api/v1/export.csv has no limit",
                        QUERY_READINGS_MAX);
}

static enum hearth_error add_reading(struct query_columns *columns, uint32_t index,
                                     const struct query_reading *made)
{
    uint16_t place;
    if (columns->cells.count == QUERY_READINGS_MAX)
        return refuse_readings(columns);
    enum hearth_error error = place_of(columns, index, &place);
    struct query_reading *reading = error ? NULL : cell_pool_add(&columns->cells);
    if (!reading)
        return error ? error : HEARTH_NO_MEMORY;
    struct query_column *column = &columns->series[place].columns[0];
    *reading = *made;
    reading->series = place;
    if (column->first == 0)
        column->first = columns->cells.count;
    else
        ((struct query_reading *)cell_pool_get(&columns->cells, column->last))->next =
            columns->cells.count;
    column->last = columns->cells.count;
    return HEARTH_OK;
}

enum hearth_error query_columns_raw(void *context, const struct record *records, size_t count)
{
    struct query_columns *columns = context;
    const struct query_series *asked = &columns->parameters->series;
    enum hearth_error error = HEARTH_OK;
    for (size_t i = 0; !error && i < count; i++) {
        struct query_reading reading;
        uint32_t index =
            series_names_find(asked->names, record_channel(&records[i]),
                              record_rolling_code(&records[i]), record_time_ms(&records[i]));
        if (query_wants(asked, index) && fill_reading(columns, &records[i], &reading))
            error = add_reading(columns, index, &reading);
    }
    return error;
}

/* ---- Order ---- */

const uint16_t *query_columns_sorted(const struct query_columns *columns)
{
    const struct query_series *asked = &columns->parameters->series;
    uint16_t *sorted = arena_array(columns->request->arena, columns->series_count, sizeof *sorted);
    size_t count = 0;
    for (uint32_t i = 0; sorted && i < asked->index_count; i++)
        if (columns->places[i] > 0)
            sorted[count++] = (uint16_t)(columns->places[i] - 1);
    return sorted;
}
