/*
 * ingest.h - what one request brought: readings on their way into the store.
 *
 * A dialect turns a body into ingest_reading and ingest_reject calls; they gather and go to the
 * store in batches, so that a body of any shape is held once and its readings a few thousand at a
 * time. One thread.
 */
#ifndef HEARTH_SENSOR_INGEST_H
#define HEARTH_SENSOR_INGEST_H

#include "handlers/sensor/reading_json.h"
#include "handlers/sensor/sensor.h"

struct ingest {
    const struct sensor *sensor;
    const struct request *request;
    struct auth_identity identity;
    enum sensor_dialect dialect;
    int64_t now_ms; /* of receipt */

    struct buffer records;      /* struct record */
    struct buffer rejected;     /* struct rejected_reading, each of one or more side by side */
    bool rejected_a_moment_ago; /* and nothing was taken since */

    struct append_result total;
    uint64_t reasons[REJECT_COUNT];
    uint64_t ignored; /* unknown members */
};

/* Dialects. The body must live, unchanged by others, until they return. Errors: BAD_BODY (nothing
 * of it was stored), what the store says, NO_MEMORY. */
HEARTH_MUST_CHECK enum hearth_error ingest_binary(struct ingest *ingest, struct view body);
HEARTH_MUST_CHECK enum hearth_error ingest_json_document(struct ingest *ingest, struct view body);
HEARTH_MUST_CHECK enum hearth_error ingest_json_lines(struct ingest *ingest, struct view body);
/* Several lines of which the first that is not blank is an object by itself? */
bool ingest_looks_like_lines(struct view body);

/* For the dialects, in the body's order. A reading that is no record is quarantined as `raw`, a
 * part of the body. Rejected neighbours of one reason are kept as one text, with what stands
 * between them, up to what fits one entry of the quarantine: a body of junk takes about the room on
 * the disk that it took on the line. Errors: what the store says, NO_MEMORY. */
HEARTH_MUST_CHECK enum hearth_error ingest_reading(struct ingest *ingest, struct reading *reading,
                                                   struct view raw);
HEARTH_MUST_CHECK enum hearth_error ingest_record(struct ingest *ingest,
                                                  const struct record *record);
HEARTH_MUST_CHECK enum hearth_error ingest_reject(struct ingest *ingest, enum record_reject reason,
                                                  struct view raw);
/* The last batch. */
HEARTH_MUST_CHECK enum hearth_error ingest_finish(struct ingest *ingest);
/* Before 2000, or further ahead of receipt than sensor.future_tolerance_s. */
bool ingest_is_suspect(const struct ingest *ingest, int64_t time_ms);

#endif
