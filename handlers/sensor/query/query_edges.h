/*
 * query_edges.h - where the buckets of a query begin and end.
 *
 * `points` equal ones: edge i = from + floor(i * (to - from) / points), fewer when that would make
 * empty ones (a span of 10 ms has at most 10). Or the hours, days, weeks (from Monday) and months
 * of a time zone that lie in the span, the first and the last one cut by it. A day begins with the
 * first moment that has its date, so it has 23 or 25 hours when clocks are changed; an hour is cut
 * where they are changed within it.
 */
#ifndef HEARTH_SENSOR_QUERY_EDGES_H
#define HEARTH_SENSOR_QUERY_EDGES_H

#include "handlers/sensor/query/query_parameters.h"

/* Edges from the request's arena, bucket_count + 1, strictly ascending, from `from` to `to`; none
 * when these are equal (then the count is 0). Errors: BAD_QUERY (more than QUERY_BUCKETS_MAX),
 * NO_MEMORY. */
HEARTH_MUST_CHECK enum hearth_error query_edges_make(const struct request *request,
                                                     const struct query_parameters *parameters,
                                                     const int64_t **edges_ms,
                                                     size_t *bucket_count);

#endif
