/*
 * ingest_json.c - readings as JSON: one object, an array of them, or one a line (NDJSON).
 *
 * The text goes through json-c one value at a time, so that a large array is never a tree in
 * memory. A scan finds where a value ends, and goes before json-c: what is larger
 * than a reading may be (LIMIT_READING_BYTES and the like) is quarantined without being parsed.
 *
 * A document that is not JSON is refused, and nothing of it is stored: an array is therefore read
 * twice, once to see that it ends well. Of lines, each stands for itself: a bad one is quarantined.
 */
#include "handlers/sensor/ingest.h"
#include "handlers/sensor/ingest_json_scan.h"
#include "hearth/limits.h"

/* ---- JSON text ---- */

static struct json_tokener *new_tokener(const struct ingest *ingest)
{
    /* One more than allowed: is_too_large judges, and json-c takes a scalar for a level. */
    struct json_tokener *tokener = json_tokener_new_ex(ingest->sensor->max_json_depth + 1);
    if (tokener)
        json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_ALLOW_TRAILING_CHARS |
                                            JSON_TOKENER_VALIDATE_UTF8);
    return tokener;
}

static bool is_too_large(const struct ingest *ingest, const struct json_extent *extent)
{
    return extent->bytes > LIMIT_READING_BYTES || extent->members > LIMIT_READING_MEMBERS ||
           extent->depth > (size_t)ingest->sensor->max_json_depth;
}

/* Of a text that is one object. */
static struct json_object *parse(struct json_tokener *tokener, struct view text)
{
    json_tokener_reset(tokener);
    return json_tokener_parse_ex(tokener, text.data, (int)text.length);
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

static enum hearth_error add_object(struct ingest *ingest, struct json_object *object,
                                    struct view raw)
{
    struct reading reading;
    const struct reading_json_options options = {
        .unit = ingest->identity.unit,
        .time_zone = view_of(ingest->identity.time_zone),
        .zones = ingest->sensor->zones,
        .now_ms = ingest->now_ms,
    };
    struct error_record *error = ingest->request->error;
    enum record_reject reject =
        reading_from_json(object, &options, &reading, &ingest->ignored, error);
    if (reject && error->code)
        return error->code == HEARTH_NO_MEMORY ? HEARTH_NO_MEMORY : HEARTH_UNAVAILABLE;
    if (reject)
        return ingest_reject(ingest, reject, raw);
    return ingest_reading(ingest, &reading, raw);
}

typedef enum hearth_error element_fn(struct ingest *ingest, struct json_tokener *tokener,
                                     const struct json_extent *extent, struct view raw);

/* `raw` begins with the value that was scanned. */
static enum hearth_error add_element(struct ingest *ingest, struct json_tokener *tokener,
                                     const struct json_extent *extent, struct view raw)
{
    if (is_too_large(ingest, extent))
        return ingest_reject(ingest, REJECT_TOO_LARGE, raw);
    if (raw.data[0] != '{')
        return ingest_reject(ingest, REJECT_WRONG_TYPE, raw);
    if (extent->members == 0) /* not worth a tree */
        return ingest_reject(ingest, REJECT_MISSING_MEMBER, raw);
    struct json_object *object = parse(tokener, view_slice(raw, 0, extent->bytes));
    /* The text is whole, so that only memory can have kept json-c from its end. */
    if (!object && json_tokener_get_error(tokener) == json_tokener_continue)
        return HEARTH_NO_MEMORY;
    if (!object)
        return ingest_reject(ingest, REJECT_NOT_JSON, raw);
    enum hearth_error error = add_object(ingest, object, raw);
    json_object_put(object);
    return error;
}

/* ---- Lines ---- */

static enum hearth_error add_line(struct ingest *ingest, struct json_tokener *tokener,
                                  struct view line)
{
    struct json_extent extent;
    if (!scan_whole(line, &extent))
        return ingest_reject(ingest, REJECT_NOT_JSON, line);
    return add_element(ingest, tokener, &extent, line);
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

enum hearth_error ingest_json_lines(struct ingest *ingest, struct view body)
{
    struct view line;
    enum hearth_error error = HEARTH_OK;
    struct json_tokener *tokener = new_tokener(ingest);
    if (!tokener)
        return HEARTH_NO_MEMORY;
    while (!error && next_line(&body, &line))
        error = add_line(ingest, tokener, line);
    json_tokener_free(tokener);
    return error;
}

/* ---- Documents ---- */

static enum hearth_error ignore_element(struct ingest *ingest, struct json_tokener *tokener,
                                        const struct json_extent *extent, struct view raw)
{
    (void)ingest;
    (void)tokener;
    (void)extent;
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

static enum hearth_error take_element(struct ingest *ingest, struct json_tokener *tokener,
                                      struct view *text, element_fn *element)
{
    struct json_extent extent;
    ingest_json_skip_space(text);
    if (!ingest_json_scan(*text, &extent))
        return HEARTH_BAD_BODY;
    struct view raw = view_slice(*text, 0, extent.bytes);
    *text = view_skip(*text, extent.bytes);
    return element(ingest, tokener, &extent, raw);
}

/* BAD_BODY without a word when the array is not JSON. */
static enum hearth_error each_element(struct ingest *ingest, struct json_tokener *tokener,
                                      struct view text, element_fn *element)
{
    if (!take_byte(&text, '['))
        return HEARTH_BAD_BODY;
    bool ended = take_byte(&text, ']');
    while (!ended) {
        enum hearth_error error = take_element(ingest, tokener, &text, element);
        if (error)
            return error;
        ended = take_byte(&text, ']');
        if (!ended && !take_byte(&text, ','))
            return HEARTH_BAD_BODY;
    }
    ingest_json_skip_space(&text);
    return text.length == 0 ? HEARTH_OK : HEARTH_BAD_BODY;
}

static enum hearth_error add_document(struct ingest *ingest, struct json_tokener *tokener,
                                      struct view body)
{
    struct json_extent extent;
    if (body.length > 0 && body.data[0] == '[') {
        enum hearth_error error = each_element(ingest, tokener, body, ignore_element);
        return error ? error : each_element(ingest, tokener, body, add_element);
    }
    return scan_whole(body, &extent) ? add_element(ingest, tokener, &extent, body)
                                     : HEARTH_BAD_BODY;
}

enum hearth_error ingest_json_document(struct ingest *ingest, struct view body)
{
    struct json_tokener *tokener = new_tokener(ingest);
    if (!tokener)
        return HEARTH_NO_MEMORY;
    ingest_json_skip_space(&body);
    enum hearth_error error = add_document(ingest, tokener, body);
    json_tokener_free(tokener);
    if (error == HEARTH_BAD_BODY)
        return request_fail(
            ingest->request, HEARTH_BAD_BODY,
            "the body is not JSON; nothing was stored. Readings one a line are sent "
            "as application/x-ndjson");
    return error;
}
