/*
 * ingest_binary.c - readings as records: n x 12 bytes, in the format of hearth/reading_store.h.
 *
 * The bytes travel as they are, but for one thing that is decided on receipt: a time that cannot be
 * right makes a reading suspect, whatever its sender thought of it. That changes nothing about
 * which reading it is, as time quality is no part of a reading's identity.
 */
#include "handlers/sensor/ingest.h"

static enum record_reject judge(const struct ingest *ingest, struct record *record)
{
    struct reading reading;
    enum record_reject reject = record_decode(record, &reading);
    if (reject || reading.time_quality == TIME_SUSPECT ||
        !ingest_is_suspect(ingest, reading.time_ms))
        return reject;
    reading.time_quality = TIME_SUSPECT;
    return record_encode(&reading, record);
}

enum hearth_error ingest_binary(struct ingest *ingest, struct view body)
{
    const struct record *records = (const void *)body.data;
    size_t count = body.length / RECORD_BYTES;
    if (body.length % RECORD_BYTES != 0)
        return request_fail(ingest->request, HEARTH_BAD_BODY,
                            "%zu bytes are not a whole number of %d-byte records; nothing was "
                            "stored",
                            body.length, RECORD_BYTES);
    enum hearth_error error = HEARTH_OK;
    for (size_t i = 0; !error && i < count; i++) {
        struct record record = records[i];
        enum record_reject reject = judge(ingest, &record);
        error = reject ? ingest_reject(ingest, reject,
                                       view_from((const char *)&records[i], RECORD_BYTES))
                       : ingest_record(ingest, &record);
    }
    return error;
}
