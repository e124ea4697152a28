/*
 * ingest_json.c - readings as JSON: one object, an array of them, or one a line (NDJSON).
 *
 * A scan finds where a value ends and what it holds; what is larger than a reading may be
 * (LIMIT_READING_BYTES and the like) is quarantined without being looked at further.
 *
 * A document that is not JSON is refused, and nothing of it is stored: an array is therefore read
 * twice, once to see that it ends well. Of lines, each stands for itself: a bad one is quarantined.
 */
#include "handlers/sensor/ingest/ingest_batch.h"
#include "handlers/sensor/record/reading_json.h"
#include "handlers/sensor/text/ingest_json_scan.h"
#include "hearth/limits.h"

static bool is_too_large(const struct ingest_batch *batch, const struct json_extent *extent)
{
    return extent->bytes > LIMIT_READING_BYTES || extent->members > LIMIT_READING_MEMBERS ||
           extent->depth > (size_t)batch->options.max_json_depth;
}

/* The whole text is one value, but for space behind it. */
static bool scan_whole(struct view text, struct json_extent *extent)
{
    if (!ingest_json_scan(text, extent))
        return false;
    text = view_skip(text, extent->bytes);
    ingest_json_skip_space(&text);
    return text.length == 0;
}

/* ---- Readings ---- */

typedef enum hearth_error element_fn(struct ingest_batch *batch, const struct json_extent *extent,
                                     struct view text, struct view raw);

/* `text` begins with the value that was scanned; `raw` is what it came in. */
static enum hearth_error add_element(struct ingest_batch *batch, const struct json_extent *extent,
                                     struct view text, struct view raw)
{
    struct reading reading;
    struct error_record *error = batch->options.error;
    if (is_too_large(batch, extent))
        return ingest_batch_reject(batch, REJECT_TOO_LARGE, raw);
    enum record_reject reject =
        reading_from_json(text, &batch->options.reading, &reading, &batch->ignored, error);
    if (reject && error->code)
        return error->code == HEARTH_NO_MEMORY ? HEARTH_NO_MEMORY : HEARTH_UNAVAILABLE;
    if (reject)
        return ingest_batch_reject(batch, reject, raw);
    return ingest_batch_reading(batch, &reading, raw);
}

/* ---- Lines ---- */

enum hearth_error ingest_json_line(struct ingest_batch *batch, struct view line, struct view raw)
{
    struct json_extent extent;
    if (!scan_whole(line, &extent))
        return ingest_batch_reject(batch, REJECT_NOT_JSON, raw);
    return add_element(batch, &extent, line, raw);
}

/* The next line that is not blank, without the space around it; false at the end. */
static bool next_line(struct view *rest, struct view *line)
{
    while (rest->data) {
        *line = view_split(rest, '\n');
        ingest_json_skip_space(line);
        while (line->length > 0 && ingest_json_is_space(line->data[line->length - 1]))
            line->length--;
        if (line->length > 0)
            return true;
    }
    return false;
}

bool ingest_looks_like_lines(struct view body)
{
    struct view first, second;
    struct json_extent extent;
    return next_line(&body, &first) && next_line(&body, &second) && first.data[0] == '{' &&
           scan_whole(first, &extent);
}

enum hearth_error ingest_json_lines(struct ingest_batch *batch, struct view body)
{
    struct view line;
    enum hearth_error error = HEARTH_OK;
    while (!error && next_line(&body, &line))
        error = ingest_json_line(batch, line, line);
    return error;
}

/* ---- Documents ---- */

static enum hearth_error ignore_element(struct ingest_batch *batch,
                                        const struct json_extent *extent, struct view text,
                                        struct view raw)
{
    (void)batch;
    (void)extent;
    (void)text;
    (void)raw;
    return HEARTH_OK;
}

static bool take_byte(struct view *text, char byte)
{
    ingest_json_skip_space(text);
    if (text->length == 0 || text->data[0] != byte)
        return false;
    *text = view_skip(*text, 1);
    return true;
}

static enum hearth_error take_element(struct ingest_batch *batch, struct view *text,
                                      element_fn *element)
{
    struct json_extent extent;
    ingest_json_skip_space(text);
    if (!ingest_json_scan(*text, &extent))
        return HEARTH_BAD_BODY;
    struct view raw = view_slice(*text, 0, extent.bytes);
    *text = view_skip(*text, extent.bytes);
    return element(batch, &extent, raw, raw);
}

/* BAD_BODY without a word when the array is not JSON. */
static enum hearth_error each_element(struct ingest_batch *batch, struct view text,
                                      element_fn *element)
{
    if (!take_byte(&text, '['))
        return HEARTH_BAD_BODY;
    bool ended = take_byte(&text, ']');
    while (!ended) {
        enum hearth_error error = take_element(batch, &text, element);
        if (error)
            return error;
        ended = take_byte(&text, ']');
        if (!ended && !take_byte(&text, ','))
            return HEARTH_BAD_BODY;
    }
    ingest_json_skip_space(&text);
    return text.length == 0 ? HEARTH_OK : HEARTH_BAD_BODY;
}

static enum hearth_error add_document(struct ingest_batch *batch, struct view body)
{
    struct json_extent extent;
    if (body.length > 0 && body.data[0] == '[') {
        enum hearth_error error = each_element(batch, body, ignore_element);
        return error ? error : each_element(batch, body, add_element);
    }
    return scan_whole(body, &extent) ? add_element(batch, &extent, body, body) : HEARTH_BAD_BODY;
}

enum hearth_error ingest_json_document(struct ingest_batch *batch, struct view body)
{
    ingest_json_skip_space(&body);
    enum hearth_error error = add_document(batch, body);
    if (error == HEARTH_BAD_BODY)
        return error_set(batch->options.error, HEARTH_BAD_BODY,
                         "the body is not JSON; nothing was stored. Readings one a line are sent "
                         "as application/x-ndjson");
    return error;
}
