/*
 * export_records.c - export.bin: the records themselves, 12 bytes each, in ascending order.
 *
 * What comes out is what POST /data takes as application/octet-stream. Relay and occupied are shown
 * to the scope data:read alone: without it, these two bits are cleared and the checksums follow.
 */
#include "handlers/sensor/transfer/export.h"

#include <string.h>

enum { PRIVATE_BYTE = 10, PRIVATE_BITS = 0x0c };

/* Bits 11 and 10 of 95..0: relay and occupied. The checksum changes by what the bits changed in it:
 * one that was wrong stays wrong. */
static void hide_private(struct record *record)
{
    unsigned char *checksum = &record->bytes[RECORD_BYTES - 1];
    if ((record->bytes[PRIVATE_BYTE] & PRIVATE_BITS) == 0)
        return;
    *checksum ^= record_checksum(record->bytes, RECORD_BYTES - 1);
    record->bytes[PRIVATE_BYTE] &= (unsigned char)~PRIVATE_BITS;
    *checksum ^= record_checksum(record->bytes, RECORD_BYTES - 1);
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

static enum hearth_error write_records(struct export *export, const struct record *records,
                                       size_t count)
{
    struct view bytes = view_from((const char *)records, count * RECORD_BYTES);
    struct view part = cut(&export->answer.part, export->position, bytes);
    export->position += bytes.length;
    return part.length > 0 ? response_write(export->answer.response, part) : HEARTH_OK;
}

static bool is_wanted(const struct export *export, const struct record *record)
{
    const struct query_series *series = &export->series;
    return !series->wanted ||
           query_wants(series,
                       series_names_find(series->names, record_channel(record),
                                         record_rolling_code(record), record_time_ms(record)));
}

/* Those that are wanted, with what may be shown of them, into the chunk. */
static size_t choose(struct export *export, const struct record *records, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (!is_wanted(export, &records[i]))
            continue;
        export->chunk[kept] = records[i];
        if (!export->with_private)
            hide_private(&export->chunk[kept]);
        kept++;
    }
    return kept;
}

static enum hearth_error visit(void *context, const struct record *records, size_t count)
{
    struct export *export = context;
    enum hearth_error error = HEARTH_OK;
    if (export->with_private && !export->series.wanted)
        return write_records(export, records, count);
    while (!error && count > 0) {
        size_t some = count < EXPORT_CHUNK_RECORDS ? count : EXPORT_CHUNK_RECORDS;
        size_t kept = choose(export, records, some);
        error = kept > 0 ? write_records(export, export->chunk, kept) : HEARTH_OK;
        records += some;
        count -= some;
    }
    return error;
}

static enum hearth_error finish(struct export *export)
{
    return response_finish(export->answer.response);
}

const struct export_form export_form_bin = {
    .name = "bin",
    .media_type = "application/octet-stream",
    .content_type = "application/octet-stream",
    .file_name = "hearth-readings.bin",
    .is_record = true,
    .visit = visit,
    .finish = finish,
};
