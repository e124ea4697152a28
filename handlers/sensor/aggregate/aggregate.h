/*
 * aggregate.h - the readings of a range in buckets, exactly, from summaries where they serve.
 *
 * Every bucket is the digest of its readings plus what was held into it. Whole days and whole
 * blocks come from the summaries, what an edge cuts is scanned; the result is the same, bit for
 * bit, as if every record had been looked at (tests hold it against a naive model).
 *
 * A logical series is one or more raw ones (channel, rolling code) over time: see series_names.h.
 * Where a hold crosses from one transmitter to its successor it ends at the successor's first
 * reading.
 */
#ifndef HEARTH_SENSOR_AGGREGATE_H
#define HEARTH_SENSOR_AGGREGATE_H

#include "handlers/sensor/record/digest.h"
#include "handlers/sensor/series/series_names.h"
#include "handlers/sensor/snapshot/snapshot.h"

struct bucket_query {
    /* Required. bucket_count + 1 edges in ms, strictly ascending: bucket i is [edge i, edge i+1).
     */
    const int64_t *edges_ms;
    size_t bucket_count;
    const struct series_names *names; /* Required. */
    const bool *wanted;               /* by series index (series_names.h); NULL = all */
    bool with_suspect;                /* time quality 2 as well */
    int64_t known_until_ms;           /* no value is held beyond it; 0 = without such an end */
    bool scan;                        /* look at every record: for tests and benchmarks */
};

/* One series and quantity in one bucket. There is one when it has readings or a value is held in.
 */
struct bucket_track {
    uint32_t series; /* index */
    enum quantity quantity;
    struct digest digest; /* of the readings in the bucket; count may be 0 */
    bool held;            /* a reading before the bucket holds into it, which begins before
                             known_until_ms */
    int32_t held_value;
    int64_t held_since_ms;        /* time of that reading */
    int64_t integral, covered_ms; /* of the whole bucket: held in, between readings, up to the edge;
                                     of the part before known_until_ms */
};

/* bucket_visit_fn (hearth/reading_store.h) sees each bucket once, in order, also when it is empty.
 * `tracks` ascend by (series, quantity) and are valid during the call. An error ends the query and
 * is what it returns. */

struct aggregate_statistics { /* what it took; for tests, benchmarks and the log */
    uint64_t days, blocks, records;
};

/* Errors: CORRUPT, IO, NO_MEMORY, and the visitor's. `statistics` may be NULL. */
HEARTH_MUST_CHECK enum hearth_error
aggregate_run(struct snapshot *snapshot, const struct bucket_query *query, bucket_visit_fn *visit,
              void *context, struct aggregate_statistics *statistics, struct error_record *error);

#endif
