/*
 * ingest_binary.c - readings as records: n x 12 bytes, in the format of hearth/reading_store.h.
 *
 * The bytes travel as they are; the store quarantines the records that are none. One thing is
 * decided here, on receipt: a time that cannot be right makes a reading suspect, whatever its
 * sender thought of it. That changes nothing about which reading it is, as time quality is no part
 * of a reading's identity.
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

enum hearth_error ingest_binary(struct ingest *ingest, struct buffer *body)
{
    struct record *records = (void *)body->data;
    size_t count = body->length / RECORD_BYTES;
    if (body->length % RECORD_BYTES != 0)
        return request_fail(ingest->request, HEARTH_BAD_BODY,
                            "%zu bytes are not a whole number of %d-byte records; nothing was "
                            "stored",
                            body->length, RECORD_BYTES);
    for (size_t i = 0; i < count; i++) {
        enum record_reject reject = judge(ingest, &records[i]);
        if (reject)
            ingest_note_reject(ingest, reject);
    }
    return ingest_commit(ingest, records, count);
}
