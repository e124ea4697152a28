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
    /* One more than allowed: is_too_large judges, and json-c counts scalars as a level. */
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

/* The whole text is one value. A JSON null is a NULL `*value`. */
static bool parse(struct json_tokener *tokener, struct view text, struct json_object **value)
{
    json_tokener_reset(tokener);
    *value = json_tokener_parse_ex(tokener, text.data, (int)text.length);
    enum json_tokener_error error = json_tokener_get_error(tokener);
    size_t taken = json_tokener_get_parse_end(tokener);
    if (error == json_tokener_continue) {
        /* A number or a word at the very end: json-c wants to see what ends it. */
        *value = json_tokener_parse_ex(tokener, "", 1);
        error = json_tokener_get_error(tokener);
        taken = text.length;
    }
    if (error == json_tokener_success && taken == text.length)
        return true;
    json_object_put(*value);
    *value = NULL;
    return false;
}

/* One value off the front of `*text`, where no space is: REJECT_NONE, NOT_JSON, or TOO_LARGE, which
 * was not parsed. `*raw` is its text. */
static enum record_reject take_value(const struct ingest *ingest, struct json_tokener *tokener,
                                     struct view *text, struct view *raw,
                                     struct json_object **value)
{
    struct json_extent extent;
    *value = NULL;
    if (!ingest_json_scan(*text, &extent))
        return REJECT_NOT_JSON;
    *raw = view_slice(*text, 0, extent.bytes);
    *text = view_skip(*text, extent.bytes);
    if (is_too_large(ingest, &extent))
        return REJECT_TOO_LARGE;
    return parse(tokener, *raw, value) ? REJECT_NONE : REJECT_NOT_JSON;
}

/* The same, of a text that has nothing but space behind the value. */
static enum record_reject take_whole(const struct ingest *ingest, struct json_tokener *tokener,
                                     struct view text, struct json_object **value)
{
    struct view raw;
    enum record_reject reject = take_value(ingest, tokener, &text, &raw, value);
    ingest_json_skip_space(&text);
    if (reject == REJECT_NOT_JSON || text.length == 0)
        return reject;
    json_object_put(*value);
    *value = NULL;
    return REJECT_NOT_JSON;
}

/* ---- Readings ---- */

static enum hearth_error add_value(struct ingest *ingest, enum record_reject reject,
                                   struct json_object *value, struct view raw)
{
    struct reading reading;
    const struct reading_json_options options = {
        .unit = ingest->identity.unit,
        .time_zone = view_of(ingest->identity.time_zone),
        .zones = ingest->sensor->zones,
        .now_ms = ingest->now_ms,
    };
    struct error_record *error = ingest->request->error;
    if (reject)
        return ingest_reject(ingest, reject, raw);
    reject = reading_from_json(value, &options, &reading, &ingest->ignored, error);
    if (reject && error->code)
        return error->code == HEARTH_NO_MEMORY ? HEARTH_NO_MEMORY : HEARTH_UNAVAILABLE;
    if (reject)
        return ingest_reject(ingest, reject, raw);
    return ingest_reading(ingest, &reading, raw);
}

/* ---- Lines ---- */

static enum hearth_error add_line(struct ingest *ingest, struct json_tokener *tokener,
                                  struct view line)
{
    struct json_object *value;
    enum record_reject reject = take_whole(ingest, tokener, line, &value);
    enum hearth_error error = add_value(ingest, reject, value, line);
    json_object_put(value);
    return error;
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

bool ingest_looks_like_lines(const struct ingest *ingest, struct view body)
{
    struct view first, second;
    struct json_object *value = NULL;
    if (!next_line(&body, &first) || !next_line(&body, &second))
        return false;
    struct json_tokener *tokener = new_tokener(ingest);
    if (!tokener)
        return false;
    bool lines =
        first.data[0] == '{' && take_whole(ingest, tokener, first, &value) != REJECT_NOT_JSON;
    json_object_put(value);
    json_tokener_free(tokener);
    return lines;
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

typedef enum hearth_error element_fn(struct ingest *ingest, enum record_reject reject,
                                     struct json_object *value, struct view raw);

static enum hearth_error ignore_element(struct ingest *ingest, enum record_reject reject,
                                        struct json_object *value, struct view raw)
{
    (void)ingest;
    (void)reject;
    (void)value;
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
    struct json_object *value;
    struct view raw;
    ingest_json_skip_space(text);
    enum record_reject reject = take_value(ingest, tokener, text, &raw, &value);
    if (reject == REJECT_NOT_JSON)
        return HEARTH_BAD_BODY;
    enum hearth_error error = element(ingest, reject, value, raw);
    json_object_put(value);
    return error;
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
    struct json_object *value;
    if (body.length > 0 && body.data[0] == '[') {
        enum hearth_error error = each_element(ingest, tokener, body, ignore_element);
        return error ? error : each_element(ingest, tokener, body, add_value);
    }
    enum record_reject reject = take_whole(ingest, tokener, body, &value);
    if (reject == REJECT_NOT_JSON)
        return HEARTH_BAD_BODY;
    enum hearth_error error = add_value(ingest, reject, value, body);
    json_object_put(value);
    return error;
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
