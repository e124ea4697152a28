/*
 * export.c - GET /api/v1/export.bin: the records themselves, 12 bytes each, in ascending order.
 *
 * Everything that is stored, suspects too, or what lies in `from` <= time < `to`. What comes out is
 * what POST /data takes as application/octet-stream. Relay and occupied are shown to the scope
 * data:read alone: without it, these two bits are cleared and the checksums made anew.
 *
 * The whole store has a known length, so parts of it can be asked for (Range, with If-Range) and a
 * broken download goes on. A span of it has none: counting it would cost as much as sending it.
 */
#include "handlers/sensor/range_answer.h"

#include <string.h>

enum { CHUNK_RECORDS = 4096, PRIVATE_BYTE = 10, PRIVATE_BITS = 0x0c };

struct export_answer {
    struct range_answer answer;
    bool with_private;
    struct record *chunk; /* CHUNK_RECORDS */
    uint64_t position;    /* of the next record in the content, in bytes */
};

/* Bits 11 and 10 of 95..0: relay and occupied. */
static void hide_private(struct record *record)
{
    if ((record->bytes[PRIVATE_BYTE] & PRIVATE_BITS) == 0)
        return;
    record->bytes[PRIVATE_BYTE] &= (unsigned char)~PRIVATE_BITS;
    record->bytes[RECORD_BYTES - 1] = record_checksum(record->bytes, RECORD_BYTES - 1);
}

/* What of these bytes, which begin at `position`, lies in the part to be sent. */
static struct view cut(const struct byte_range *part, uint64_t position, struct view bytes)
{
    uint64_t skipped = part->first > position ? part->first - position : 0;
    if (skipped >= bytes.length)
        return VIEW_NONE;
    uint64_t begin = position + skipped, gone = begin - part->first;
    if (gone >= part->length)
        return VIEW_NONE;
    uint64_t left = part->length - gone;
    bytes = view_skip(bytes, (size_t)skipped);
    return view_slice(bytes, 0, left < bytes.length ? (size_t)left : bytes.length);
}

static enum hearth_error write_records(struct export_answer *export, const struct record *records,
                                       size_t count)
{
    struct view bytes = view_from((const char *)records, count * RECORD_BYTES);
    struct view part = cut(&export->answer.part, export->position, bytes);
    export->position += bytes.length;
    return part.length > 0 ? response_write(export->answer.response, part) : HEARTH_OK;
}

static enum hearth_error write_public(struct export_answer *export, const struct record *records,
                                      size_t count)
{
    enum hearth_error error = HEARTH_OK;
    while (!error && count > 0) {
        size_t some = count < CHUNK_RECORDS ? count : CHUNK_RECORDS;
        memcpy(export->chunk, records, some * sizeof *records);
        for (size_t i = 0; i < some; i++)
            hide_private(&export->chunk[i]);
        error = write_records(export, export->chunk, some);
        records += some;
        count -= some;
    }
    return error;
}

static enum hearth_error visit(void *context, const struct record *records, size_t count)
{
    struct export_answer *export = context;
    return export->with_private ? write_records(export, records, count)
                                : write_public(export, records, count);
}

/* ---- The request ---- */

static enum hearth_error add_file_name(struct response *response)
{
    return response_set_header(response, VIEW("Content-Disposition"),
                               VIEW("attachment; filename=\"hearth-readings.bin\""));
}

static enum hearth_error prepare(struct export_answer *export, const struct sensor_span *span)
{
    struct range_answer *answer = &export->answer;
    const struct request *request = answer->request;
    const char *kind = export->with_private ? "bin" : "bin-public";
    bool everything = !span->has_from && !span->has_to;
    answer->content_type = VIEW("application/octet-stream");
    answer->range = (struct reading_range){span->from_ms, span->to_ms, 0, -1, true};
    answer->etag = range_answer_etag(request, kind, &answer->state, span);
    answer->size_bytes = everything ? (int64_t)(answer->state.readings * RECORD_BYTES) : -1;
    answer->visit = visit;
    answer->context = export;
    if (export->with_private)
        return HEARTH_OK;
    export->chunk = arena_alloc(request->arena, CHUNK_RECORDS * sizeof *export->chunk);
    return export->chunk ? HEARTH_OK : HEARTH_NO_MEMORY;
}

enum hearth_error sensor_export_bin(const struct request *request, struct response *response,
                                    void *state)
{
    const struct sensor *sensor = state;
    struct sensor_span span;
    struct export_answer export = {
        .answer = {.sensor = sensor, .request = request, .response = response}};
    enum hearth_error error = sensor_allow_reading(sensor, request, response, &export.with_private);
    if (!error)
        error = sensor_query_span(sensor, request, &span);
    if (!error)
        error = sensor_state(sensor, request, &export.answer.state);
    if (!error)
        error = prepare(&export, &span);
    if (!error)
        error = add_file_name(response);
    if (!error)
        error = range_answer_run(&export.answer);
    return error || export.answer.sent ? error : response_finish(response);
}
