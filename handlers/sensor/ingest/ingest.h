/*
 * ingest.h - a request that brings readings: who sends them, the body, the way into the store, and
 * what is said of it in metrics and log. Shared by all addresses that take readings; they differ in
 * how a body is read (ingest_batch.h) and in what they answer.
 */
#ifndef HEARTH_SENSOR_INGEST_H
#define HEARTH_SENSOR_INGEST_H

#include "handlers/sensor/ingest/ingest_batch.h"
#include "handlers/sensor/sensor.h"

struct ingest {
    const struct sensor *sensor;
    const struct request *request;
    struct auth_identity identity;
    enum sensor_dialect dialect;
    struct buffer body;         /* whole, at most sensor.max_body_bytes */
    struct ingest_batch batch;  /* of ingest_begin */
    struct append_result total; /* what the store said */
};

/* `ingest->identity` is filled already. Reads the body; the time of receipt is after it. Call
 * ingest_end whatever comes back. Errors: those of ingest_body_read. */
HEARTH_MUST_CHECK enum hearth_error ingest_begin(struct ingest *ingest, const struct sensor *sensor,
                                                 const struct request *request);
/* The dialect is known: makes the batch. */
void ingest_choose(struct ingest *ingest, enum sensor_dialect dialect);
/* The last batch; then all is durable. Errors: what the store says, UNAVAILABLE when it took too
 * long. */
HEARTH_MUST_CHECK enum hearth_error ingest_finish(struct ingest *ingest);
/* Counts, logs and frees. */
void ingest_end(struct ingest *ingest);

#endif
