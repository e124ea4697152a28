/*
 * query_write.h - the answer to a range query as JSON, out of its columns.
 */
#ifndef HEARTH_SENSOR_QUERY_WRITE_H
#define HEARTH_SENSOR_QUERY_WRITE_H

#include "handlers/sensor/query/answer_stream.h"
#include "handlers/sensor/query/query_columns.h"

/* One object with a column for each thing that is said of a bucket; of a series' readings for
 * `raw`. `sorted` is from query_columns_sorted. Failure sticks to the stream. */
void query_write_columns(struct answer_stream *stream, const struct query_columns *columns,
                         const uint16_t *sorted);
/* An array with an object for each series in each bucket; for each reading for `raw`. */
void query_write_rows(struct answer_stream *stream, const struct query_columns *columns);

/* ,"id":..,"name":..,"place":.. and so on, without the braces: what a series is called. */
void query_write_series(struct answer_stream *stream, const struct query_series *series,
                        uint32_t index);
/* ,"unit":..,"stale_after_ms":.. */
void query_write_unit(struct answer_stream *stream, const struct query_series *series,
                      uint32_t index, enum value_unit unit);

#endif
