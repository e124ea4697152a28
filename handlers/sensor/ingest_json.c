/*
 * ingest_json.c - readings as JSON: one object, an array of them, or one a line (NDJSON).
 *
 * The text goes through json-c one value at a time, so that a large array is never a tree in
 * memory. json-c 0.16 takes some things for JSON that are not, even in its strict mode (NaN,
 * Infinity, 'a', raw control bytes, "1."); a scan of the text finds those first.
 *
 * A document that is not JSON is refused, and nothing of it is stored: an array is therefore read
 * twice, once to see that it ends well. Of lines, each stands for itself: a bad one is quarantined.
 */
#include "handlers/sensor/ingest.h"

#include <string.h>

/* ---- JSON text ---- */

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void skip_space(struct view *text)
{
    size_t length = 0;
    while (length < text->length && is_space(text->data[length]))
        length++;
    *text = view_skip(*text, length);
}

static bool is_digit_at(struct view text, size_t at)
{
    return at < text.length && text.data[at] >= '0' && text.data[at] <= '9';
}

static size_t skip_digits(struct view text, size_t at)
{
    while (is_digit_at(text, at))
        at++;
    return at;
}

/* Behind the number that begins at `at`, or SIZE_MAX (RFC 8259 section 6). */
static size_t skip_number(struct view text, size_t at)
{
    size_t begin = at += text.data[at] == '-' ? 1 : 0;
    bool zero = at < text.length && text.data[at] == '0';
    at = skip_digits(text, at);
    if (at == begin || (zero && at > begin + 1))
        return SIZE_MAX;
    if (at < text.length && text.data[at] == '.') {
        if (!is_digit_at(text, at + 1))
            return SIZE_MAX;
        at = skip_digits(text, at + 1);
    }
    if (at < text.length && (text.data[at] == 'e' || text.data[at] == 'E')) {
        at++;
        if (at < text.length && (text.data[at] == '+' || text.data[at] == '-'))
            at++;
        return is_digit_at(text, at) ? skip_digits(text, at) : SIZE_MAX;
    }
    return at;
}

/* Behind the string that begins at `at`, or SIZE_MAX: it does not end, or has a control byte. */
static size_t skip_string(struct view text, size_t at)
{
    for (at++; at < text.length && text.data[at] != '"'; at++) {
        if ((unsigned char)text.data[at] < 0x20)
            return SIZE_MAX;
        if (text.data[at] == '\\')
            at++;
    }
    return at < text.length ? at + 1 : SIZE_MAX;
}

/* False for what json-c would let through although it is not JSON. */
static bool is_strict(struct view text)
{
    size_t at = 0;
    while (at < text.length) {
        char c = text.data[at];
        if (c == '"')
            at = skip_string(text, at);
        else if (c == '-' || is_digit_at(text, at))
            at = skip_number(text, at);
        else if (c == 'N' || c == 'I' || c == '\'' || c == '\0')
            return false;
        else
            at++;
        if (at == SIZE_MAX)
            return false;
    }
    return true;
}

/* One value off the front of `*text`. False when there is none; a JSON null gives a NULL `*value`.
 */
static bool take_value(struct json_tokener *tokener, struct view *text, struct json_object **value)
{
    json_tokener_reset(tokener);
    *value = json_tokener_parse_ex(tokener, text->data, (int)text->length);
    enum json_tokener_error error = json_tokener_get_error(tokener);
    size_t taken = json_tokener_get_parse_end(tokener);
    if (error == json_tokener_continue) {
        /* A number at the very end of the text: json-c wants to see what ends it. */
        *value = json_tokener_parse_ex(tokener, "", 1);
        error = json_tokener_get_error(tokener);
        taken = text->length;
    }
    *text = view_skip(*text, taken);
    return error == json_tokener_success;
}

static struct json_tokener *new_tokener(const struct ingest *ingest)
{
    struct json_tokener *tokener = json_tokener_new_ex(ingest->sensor->max_json_depth);
    if (tokener)
        json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_ALLOW_TRAILING_CHARS |
                                            JSON_TOKENER_VALIDATE_UTF8);
    return tokener;
}

/* The whole text is one value, but for space around it. */
static bool parse_whole(struct json_tokener *tokener, struct view text, struct json_object **value)
{
    *value = NULL;
    if (!is_strict(text) || !take_value(tokener, &text, value))
        return false;
    skip_space(&text);
    if (text.length == 0)
        return true;
    json_object_put(*value);
    *value = NULL;
    return false;
}

/* ---- Readings ---- */

static enum hearth_error add_value(struct ingest *ingest, struct json_object *value,
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
        reading_from_json(value, &options, &reading, &ingest->ignored, error);
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
    if (!parse_whole(tokener, line, &value))
        return ingest_reject(ingest, REJECT_NOT_JSON, line);
    enum hearth_error error = add_value(ingest, value, line);
    json_object_put(value);
    return error;
}

/* The next line that is not blank, without the space around it; false at the end. */
static bool next_line(struct view *rest, struct view *line)
{
    while (rest->data) {
        *line = view_split(rest, '\n');
        skip_space(line);
        while (line->length > 0 && is_space(line->data[line->length - 1]))
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
        parse_whole(tokener, first, &value) && json_object_is_type(value, json_type_object);
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

typedef enum hearth_error element_fn(struct ingest *ingest, struct json_object *value,
                                     struct view raw);

static enum hearth_error ignore_element(struct ingest *ingest, struct json_object *value,
                                        struct view raw)
{
    (void)ingest;
    (void)value;
    (void)raw;
    return HEARTH_OK;
}

static bool take_byte(struct view *text, char byte)
{
    skip_space(text);
    if (text->length == 0 || text->data[0] != byte)
        return false;
    *text = view_skip(*text, 1);
    return true;
}

static enum hearth_error take_element(struct ingest *ingest, struct json_tokener *tokener,
                                      struct view *text, element_fn *element)
{
    struct json_object *value;
    skip_space(text);
    struct view raw = *text;
    if (!take_value(tokener, text, &value))
        return HEARTH_BAD_BODY;
    raw.length -= text->length;
    enum hearth_error error = element(ingest, value, raw);
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
    skip_space(&text);
    return text.length == 0 ? HEARTH_OK : HEARTH_BAD_BODY;
}

static enum hearth_error add_document(struct ingest *ingest, struct json_tokener *tokener,
                                      struct view body)
{
    struct json_object *value;
    if (body.length > 0 && body.data[0] == '[') {
        enum hearth_error error = HEARTH_BAD_BODY;
        if (is_strict(body))
            error = each_element(ingest, tokener, body, ignore_element);
        return error ? error : each_element(ingest, tokener, body, add_value);
    }
    if (!parse_whole(tokener, body, &value))
        return HEARTH_BAD_BODY;
    enum hearth_error error = add_value(ingest, value, body);
    json_object_put(value);
    return error;
}

enum hearth_error ingest_json_document(struct ingest *ingest, struct view body)
{
    struct json_tokener *tokener = new_tokener(ingest);
    if (!tokener)
        return HEARTH_NO_MEMORY;
    skip_space(&body);
    enum hearth_error error = add_document(ingest, tokener, body);
    json_tokener_free(tokener);
    if (error == HEARTH_BAD_BODY)
        return request_fail(ingest->request, HEARTH_BAD_BODY,
                            "the body is not JSON (at most %d levels deep); nothing was stored. "
                            "Readings one a line are sent as application/x-ndjson",
                            ingest->sensor->max_json_depth);
    return error;
}
