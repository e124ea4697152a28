/*
 * import.c - files of readings, piece by piece.
 *
 * Whole lines are read where they lie in the fed bytes; only the line that a piece breaks off in is
 * carried over into the next, in a buffer of its own. Since rejected texts point into either, what
 * was gathered goes out before the bytes do: at the end of each feed, and behind a carried line
 * that was rejected. A good one goes out with those behind it: a batch costs a sync, whatever its
 * size.
 *
 * A NUL byte ends a line as a newline does. After a power loss, files have zeros where the last
 * lines were to be, and the next line follows right behind them; a line that was cut off before
 * them is rejected, the one behind them read.
 *
 * A text longer than a reading may be (LIMIT_READING_BYTES) is rejected in pieces of that size, so
 * that a file without line ends takes no memory.
 */
#include "handlers/sensor/transfer/import.h"

#include "handlers/sensor/disk/live_memory.h"
#include "handlers/sensor/ingest/ingest_batch.h"
#include "handlers/sensor/text/ingest_json_scan.h"
#include "handlers/sensor/transfer/import_csv.h"
#include "hearth/limits.h"

enum { JSON_DEPTH = 128 };

struct import {
    struct import_options options;
    struct time_zone *utc; /* owned; NULL when the options have a zone */
    struct ingest_batch batch;
    struct error_record error;
    struct buffer carry; /* the beginning of a line or record */
    struct csv_columns columns;
    uint64_t position; /* of the file, behind what was read */
    bool seeks;        /* once the header is there */
    bool knows_header; /* and it comes once more, since nothing behind it was stored */
    uint64_t seek_position;
    uint64_t nul_bytes, lines;
    uint64_t first_lines[REJECT_COUNT][IMPORT_FIRST_LINES];
};

/* ---- Life ---- */

static enum hearth_error hand_over(void *context, const struct record *records, size_t count,
                                   const struct rejected_reading *rejected, size_t rejected_count)
{
    struct import *import = context;
    const struct import_batch batch = {records, count, rejected, rejected_count, import->position};
    return import->options.batch(import->options.context, &batch);
}

static void init_batch(struct import *import)
{
    const struct import_options *options = &import->options;
    const struct ingest_batch_options batch = {
        .reading = {.unit = options->unit,
                    .zone = options->zone ? options->zone : import->utc,
                    .now_ms = options->now_ms,
                    .needs_time = true,
                    .has_default_code = options->rolling_code >= 0,
                    .default_code = options->rolling_code},
        .source = import_format_name(options->format),
        .quality = TIME_IMPORTED,
        .latest_ms = options->now_ms + options->future_tolerance_ms,
        .max_json_depth = JSON_DEPTH,
        .max_records = IMPORT_BATCH_RECORDS,
        .commit = hand_over,
        .context = import,
        .error = &import->error,
    };
    ingest_batch_init(&import->batch, &batch);
}

struct import *import_new(const struct import_options *options, struct error_record *error)
{
    struct import *import = memory_new_zero(1, sizeof *import);
    if (!import) {
        error_set_internal(error, HEARTH_NO_MEMORY, 0, "import");
        return NULL;
    }
    import->options = *options;
    if (!options->zone)
        import->utc = time_zone_load(TIME_ZONE_DIRECTORY, VIEW("UTC"), error);
    if (!options->zone && !import->utc) {
        memory_free(import);
        return NULL;
    }
    buffer_init(&import->carry, LIMIT_READING_BYTES + 1);
    init_batch(import);
    return import;
}

void import_free(struct import *import)
{
    if (!import)
        return;
    ingest_batch_clean(&import->batch);
    buffer_clean(&import->carry);
    time_zone_free(import->utc);
    memory_free(import);
}

void import_counts(const struct import *import, struct import_counts *counts)
{
    const struct ingest_batch *batch = &import->batch;
    *counts = (struct import_counts){.records = batch->taken,
                                     .suspect = batch->suspect,
                                     .rejected = batch->refused,
                                     .ignored = batch->ignored,
                                     .nul_bytes = import->nul_bytes,
                                     .lines = import->lines};
    memcpy(counts->reasons, batch->reasons, sizeof counts->reasons);
    memcpy(counts->first_lines, import->first_lines, sizeof counts->first_lines);
}

const char *import_columns_ignored(const struct import *import)
{
    return import->columns.ignored;
}

/* ---- Going on ---- */

static bool waits_for_header(const struct import *import)
{
    return import->options.format == IMPORT_CSV && import->columns.count == 0;
}

bool import_can_seek(const struct import *import)
{
    return !waits_for_header(import);
}

static void go_to(struct import *import, uint64_t position)
{
    buffer_reset(&import->carry);
    import->position = position;
    import->seeks = false;
    import->knows_header = position == 0 && import->options.format == IMPORT_CSV;
    import->lines = 0;
}

void import_seek(struct import *import, uint64_t position)
{
    if (!waits_for_header(import)) {
        go_to(import, position);
        return;
    }
    import->seeks = true;
    import->seek_position = position;
}

/* ---- A line, or a record ---- */

static size_t count_newlines(struct view text)
{
    size_t count = 0;
    for (size_t at; (at = view_index_of(text, '\n')) != SIZE_MAX; count++)
        text = view_skip(text, at + 1);
    return count;
}

/* Remembers where the first of each reason stood. */
static void note_rejected(struct import *import, uint64_t line)
{
    uint64_t *first = import->first_lines[import->batch.last_reason];
    for (int i = 0; i < IMPORT_FIRST_LINES; i++)
        if (first[i] == 0) {
            first[i] = line;
            return;
        }
}

static enum hearth_error read_header(struct import *import, struct view line)
{
    return csv_columns_read(line, import->options.rolling_code >= 0, &import->columns,
                            &import->error);
}

static enum hearth_error add_row(struct import *import, struct view row)
{
    struct ingest_batch *batch = &import->batch;
    struct reading_fields fields;
    struct reading reading;
    if (!csv_row_read(&import->columns, row, &fields))
        return ingest_batch_reject(batch, REJECT_NOT_CSV, row);
    enum record_reject reject = reading_from_fields(&fields, &batch->options.reading, &reading,
                                                    &batch->ignored, &import->error);
    return reject ? ingest_batch_reject(batch, reject, row)
                  : ingest_batch_reading(batch, &reading, row);
}

static struct view trim_line(struct view line)
{
    ingest_json_skip_space(&line);
    while (line.length > 0 && ingest_json_is_space(line.data[line.length - 1]))
        line.length--;
    return line;
}

static enum hearth_error add_trimmed(struct import *import, struct view line)
{
    if (line.length > LIMIT_READING_BYTES)
        return ingest_batch_reject(&import->batch, REJECT_TOO_LARGE, line);
    if (import->options.format == IMPORT_JSONL)
        return ingest_json_line(&import->batch, line, line);
    if (waits_for_header(import) || import->knows_header) {
        import->knows_header = false;
        return read_header(import, line);
    }
    return add_row(import, line);
}

static bool is_zero(struct view bytes)
{
    for (size_t i = 0; i < bytes.length; i++)
        if (bytes.data[i] != '\0')
            return false;
    return true;
}

static enum hearth_error add_record(struct import *import, struct view bytes)
{
    if (is_zero(bytes)) {
        import->nul_bytes += bytes.length;
        return HEARTH_OK;
    }
    return bytes.length == RECORD_BYTES
               ? ingest_binary_record(&import->batch, bytes)
               : ingest_batch_reject(&import->batch, REJECT_CHECKSUM, bytes);
}

/* `bytes`: a record, a line with its newline, or a run of NUL bytes. */
static enum hearth_error add_unit(struct import *import, struct view bytes)
{
    uint64_t refused = import->batch.refused, number = import->lines + 1;
    enum hearth_error error = HEARTH_OK;
    import->position += bytes.length;
    if (import->options.format == IMPORT_BIN) {
        import->lines++;
        error = add_record(import, bytes);
    } else if (bytes.data[0] == '\0') {
        import->nul_bytes += bytes.length;
    } else {
        import->lines += count_newlines(bytes);
        struct view line = trim_line(bytes);
        if (line.length > 0)
            error = add_trimmed(import, line);
    }
    if (import->batch.refused > refused)
        note_rejected(import, number);
    return error;
}

/* ---- Where a line ends ---- */

/* Zeros lie together; in one go they cost no more than any line. */
static size_t nul_run(struct view bytes)
{
    size_t length = 0;
    while (length < bytes.length && bytes.data[length] == '\0')
        length++;
    return length;
}

/* Behind the newline, or before the NUL, that ends the line at the front of `bytes`; 0 when neither
 * is there. */
static size_t line_length(struct view bytes)
{
    size_t length = nul_run(bytes);
    if (length > 0)
        return length;
    bytes = view_slice(bytes, 0, LIMIT_READING_BYTES + 1);
    size_t newline = view_index_of(bytes, '\n');
    size_t nul = view_index_of(view_slice(bytes, 0, newline), '\0');
    if (nul != SIZE_MAX)
        return nul;
    return newline == SIZE_MAX ? 0 : newline + 1;
}

/* The same for a row, in which quotes hide newlines; not in the header, which says what separates
 * cells. */
static size_t row_length(const struct import *import, struct view bytes)
{
    size_t plain = line_length(bytes), end;
    char separator = import->columns.separator;
    if (plain == 0 || waits_for_header(import))
        return plain;
    if (csv_row_end(view_slice(bytes, 0, plain), separator, &end))
        return plain;
    struct view longest = view_slice(bytes, 0, LIMIT_READING_BYTES);
    if (csv_row_end(longest, separator, &end) && end < longest.length)
        return end + 1;
    /* A quote that never closes costs the line that opened it. */
    return bytes.length > LIMIT_READING_BYTES ? plain : 0;
}

/* The length of the first unit of `bytes`, 0 when it is not all there. */
static size_t unit_length(const struct import *import, struct view bytes)
{
    size_t length;
    if (import->options.format == IMPORT_BIN)
        return bytes.length >= RECORD_BYTES ? RECORD_BYTES : 0;
    length = import->options.format == IMPORT_CSV ? row_length(import, bytes) : line_length(bytes);
    if (length == 0 && bytes.length > LIMIT_READING_BYTES)
        return LIMIT_READING_BYTES + 1;
    return length;
}

/* ---- Feeding ---- */

/* Takes the header, and drops what lies behind it. */
static bool found_header_to_seek_from(struct import *import)
{
    if (!import->seeks || waits_for_header(import))
        return false;
    go_to(import, import->seek_position);
    return true;
}

/* All whole units of `bytes`; `*rest` is what is left. */
static enum hearth_error add_units(struct import *import, struct view *rest)
{
    enum hearth_error error = HEARTH_OK;
    size_t length;
    while (!error && (length = unit_length(import, *rest)) > 0) {
        error = add_unit(import, view_slice(*rest, 0, length));
        *rest = view_skip(*rest, length);
        if (!error && found_header_to_seek_from(import))
            *rest = VIEW_NONE;
    }
    return error;
}

/* How many of `bytes` the unit that was begun may need. */
static size_t missing_length(const struct import *import, struct view bytes)
{
    size_t room = import->carry.max_bytes - import->carry.length;
    if (import->options.format == IMPORT_BIN)
        return RECORD_BYTES - import->carry.length;
    size_t newline = view_index_of(view_slice(bytes, 0, room), '\n');
    return newline == SIZE_MAX ? room : newline + 1;
}

/* Reads what is whole in the carry, and keeps the rest. */
static enum hearth_error add_carried(struct import *import)
{
    struct view rest = buffer_view(&import->carry);
    enum hearth_error error = add_units(import, &rest);
    if (!error && import->batch.rejected.length > 0)
        error = ingest_batch_finish(&import->batch);
    if (!error && rest.length > 0)
        memmove(import->carry.data, rest.data, rest.length);
    import->carry.length = rest.length;
    return error;
}

/* Carries bytes over until the unit that was begun is read. */
static enum hearth_error finish_carried(struct import *import, struct view *bytes)
{
    enum hearth_error error = HEARTH_OK;
    bool seeks = import->seeks;
    while (!error && import->carry.length > 0 && bytes->length > 0) {
        size_t take = missing_length(import, *bytes);
        error = buffer_append(&import->carry, view_slice(*bytes, 0, take));
        *bytes = view_skip(*bytes, take);
        if (!error)
            error = add_carried(import);
    }
    if (seeks && !import->seeks)
        *bytes = VIEW_NONE; /* they lie behind the header, not at the position */
    return error;
}

static enum hearth_error report(struct import *import, enum hearth_error code,
                                struct error_record *error)
{
    if (code && error && import->error.code == code)
        *error = import->error;
    return code;
}

enum hearth_error import_feed(struct import *import, struct view bytes, struct error_record *error)
{
    enum hearth_error code = finish_carried(import, &bytes);
    if (!code)
        code = add_units(import, &bytes);
    if (!code)
        code = ingest_batch_finish(&import->batch);
    if (!code && bytes.length > 0)
        code = buffer_append(&import->carry, bytes);
    return report(import, code, error);
}

/* Up to its newline; a row whose quote does not close may be several lines. */
static size_t last_length(const struct import *import, struct view rest)
{
    size_t newline = view_index_of(rest, '\n');
    return import->options.format == IMPORT_BIN || newline == SIZE_MAX ? rest.length : newline + 1;
}

enum hearth_error import_finish(struct import *import, struct error_record *error)
{
    enum hearth_error code = HEARTH_OK;
    struct view rest = buffer_view(&import->carry);
    while (!code && rest.length > 0) {
        size_t length = last_length(import, rest);
        bool ended = import->options.format == IMPORT_BIN || rest.data[length - 1] == '\n';
        code = add_unit(import, view_slice(rest, 0, length));
        import->lines += !ended;
        rest = view_skip(rest, length);
    }
    if (!code)
        code = ingest_batch_finish(&import->batch);
    buffer_reset(&import->carry);
    if (!code && waits_for_header(import) && import->position > 0)
        code = read_header(import, VIEW_NONE);
    return report(import, code, error);
}
