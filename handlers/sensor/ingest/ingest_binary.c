/*
 * ingest_binary.c - readings as records: n x 12 bytes, in the format of hearth/reading_store.h.
 *
 * The bytes travel as they are, but for one thing that is decided on receipt: a time that cannot be
 * right makes a reading suspect, whatever its sender thought of it. That changes nothing about
 * which reading it is, as time quality is no part of a reading's identity.
 */
#include "handlers/sensor/ingest/ingest_batch.h"
#include "handlers/sensor/record/record.h"

static enum record_reject judge(const struct ingest_batch *batch, struct record *record)
{
    struct reading reading;
    enum record_reject reject = record_check(record);
    if (reject || record_time_quality(record) == TIME_SUSPECT ||
        !ingest_batch_is_suspect(batch, record_time_ms(record)))
        return reject;
    reject = record_decode(record, &reading);
    if (reject)
        return reject;
    reading.time_quality = TIME_SUSPECT;
    return record_encode(&reading, record);
}

enum hearth_error ingest_binary_record(struct ingest_batch *batch, struct view bytes)
{
    struct record record;
    memcpy(&record, bytes.data, sizeof record);
    enum record_reject reject = judge(batch, &record);
    return reject ? ingest_batch_reject(batch, reject, bytes) : ingest_batch_record(batch, &record);
}

enum hearth_error ingest_binary(struct ingest_batch *batch, struct view body)
{
    if (body.length % RECORD_BYTES != 0)
        return error_set(batch->options.error, HEARTH_BAD_BODY,
                         "%zu bytes are not a whole number of %d-byte records; nothing was stored",
                         body.length, RECORD_BYTES);
    enum hearth_error error = HEARTH_OK;
    for (size_t at = 0; !error && at < body.length; at += RECORD_BYTES)
        error = ingest_binary_record(batch, view_slice(body, at, RECORD_BYTES));
    return error;
}
