/*
 * ingest_json_scan.c - JSON text: one pass over the bytes, no memory.
 *
 * Readings are not given to json-c, for three reasons. json-c 0.16 takes some things for JSON that
 * are not, even in its strict mode (NaN, Infinity, 'a', raw control bytes, "1."). A tree takes many
 * times the memory of its text. And it takes several microseconds a reading, half of them to change
 * the locale. So a first pass says whether it is JSON and how far it goes, and a second one takes
 * the members from text that is known to be good.
 */
#include "handlers/sensor/text/ingest_json_scan.h"

#include "app/core/utf8.h"

/* What may come next; a set. */
enum expected {
    VALUE = 1,
    KEY = 2,
    COLON = 4,
    COMMA = 8,
    END = 16,
};

struct scan {
    struct view text;
    size_t at;
    unsigned expected;
    size_t depth;
    uint64_t objects[INGEST_JSON_SCAN_DEPTH / 64]; /* a bit a level: an object, not an array */
    struct json_extent *extent;
};

bool ingest_json_is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

void ingest_json_skip_space(struct view *text)
{
    size_t length = 0;
    while (length < text->length && ingest_json_is_space(text->data[length]))
        length++;
    *text = view_skip(*text, length);
}

/* ---- Numbers, strings, words ---- */

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

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* Behind the escape that begins at `at`, or SIZE_MAX. */
static size_t skip_escape(struct view text, size_t at)
{
    struct view escape = view_slice(text, at, 6);
    if (escape.length < 2)
        return SIZE_MAX;
    if (escape.data[1] != 'u')
        return view_index_of(VIEW("\"\\/bfnrt"), escape.data[1]) == SIZE_MAX ? SIZE_MAX : at + 2;
    for (size_t i = 2; i < 6; i++)
        if (i >= escape.length || !is_hex(escape.data[i]))
            return SIZE_MAX;
    return at + 6;
}

/* Behind the string that begins at `at`, or SIZE_MAX. */
static size_t skip_string(struct view text, size_t at)
{
    bool valid = true;
    at++;
    while (at < text.length && text.data[at] != '"') {
        unsigned char c = (unsigned char)text.data[at];
        if (c < 0x20)
            return SIZE_MAX;
        if (c == '\\')
            at = skip_escape(text, at);
        else
            at += c < 0x80 ? 1 : utf8_next(view_skip(text, at), &valid);
        if (!valid)
            return SIZE_MAX;
    }
    return at < text.length ? at + 1 : SIZE_MAX;
}

static size_t skip_word(struct view text, size_t at)
{
    static const struct view words[] = {{"true", 4}, {"false", 5}, {"null", 4}};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (view_starts_with(view_skip(text, at), words[i]))
            return at + words[i].length;
    return SIZE_MAX;
}

/* Behind the string, number or word that begins at `at`, or SIZE_MAX. */
static size_t skip_scalar(struct view text, size_t at)
{
    char c = text.data[at];
    if (c == '"')
        return skip_string(text, at);
    return c == '-' || is_digit_at(text, at) ? skip_number(text, at) : skip_word(text, at);
}

/* ---- Objects and arrays ---- */

static bool is_deep(const struct scan *scan)
{
    return scan->depth > INGEST_JSON_SCAN_DEPTH;
}

static bool in_object(const struct scan *scan)
{
    size_t level = scan->depth - 1;
    return scan->depth > 0 && !is_deep(scan) && (scan->objects[level / 64] >> level % 64 & 1) != 0;
}

/* Of an object, the keys are counted. */
static void count_element(struct scan *scan)
{
    scan->extent->members += scan->depth > 0 && !in_object(scan);
}

static bool expects(const struct scan *scan, unsigned expected)
{
    return is_deep(scan) || (scan->expected & expected) != 0;
}

static bool open_container(struct scan *scan, bool object)
{
    size_t level = scan->depth;
    if (level > 0 && !expects(scan, VALUE))
        return false;
    if (level < INGEST_JSON_SCAN_DEPTH) {
        uint64_t bit = UINT64_C(1) << level % 64;
        scan->objects[level / 64] &= ~bit;
        scan->objects[level / 64] |= object ? bit : 0;
    }
    count_element(scan);
    scan->depth++;
    if (scan->depth > scan->extent->depth)
        scan->extent->depth = scan->depth;
    scan->expected = END | (object ? KEY : VALUE);
    scan->at++;
    return true;
}

static bool close_container(struct scan *scan, bool object)
{
    if (!expects(scan, END) || (!is_deep(scan) && in_object(scan) != object))
        return false;
    scan->depth--;
    scan->expected = COMMA | END;
    scan->at++;
    return true;
}

static bool take_scalar(struct scan *scan)
{
    bool key = scan->text.data[scan->at] == '"' && (scan->expected & KEY) != 0;
    if (!key && !expects(scan, VALUE))
        return false;
    if (key)
        scan->extent->members++;
    else
        count_element(scan);
    scan->expected = key ? COLON : COMMA | END;
    scan->at = skip_scalar(scan->text, scan->at);
    return scan->at != SIZE_MAX;
}

static bool take_separator(struct scan *scan, char c)
{
    if (!expects(scan, c == ',' ? COMMA : COLON))
        return false;
    scan->expected = c == ',' && in_object(scan) ? KEY : VALUE;
    scan->at++;
    return true;
}

static bool take_one(struct scan *scan)
{
    char c = scan->text.data[scan->at];
    if (ingest_json_is_space(c)) {
        scan->at++;
        return true;
    }
    if (c == '{' || c == '[')
        return open_container(scan, c == '{');
    if (c == '}' || c == ']')
        return close_container(scan, c == '}');
    return c == ',' || c == ':' ? take_separator(scan, c) : take_scalar(scan);
}

static bool scan_container(struct view text, struct json_extent *extent)
{
    struct scan scan = {.text = text, .extent = extent};
    do {
        if (scan.at >= text.length || !take_one(&scan))
            return false;
    } while (scan.depth > 0);
    extent->bytes = scan.at;
    return true;
}

bool ingest_json_scan(struct view text, struct json_extent *extent)
{
    *extent = (struct json_extent){0};
    if (text.length == 0)
        return false;
    if (text.data[0] == '{' || text.data[0] == '[')
        return scan_container(text, extent);
    extent->bytes = skip_scalar(text, 0);
    return extent->bytes != SIZE_MAX;
}

/* ---- Members of what was scanned ---- */

static void skip_separators(struct view *text)
{
    ingest_json_skip_space(text);
    while (text->length > 0 && (text->data[0] == ',' || text->data[0] == ':')) {
        *text = view_skip(*text, 1);
        ingest_json_skip_space(text);
    }
}

bool ingest_json_member(struct view *rest, struct view *key, struct view *value)
{
    struct json_extent extent;
    skip_separators(rest);
    if (rest->length == 0 || rest->data[0] != '"')
        return false;
    size_t length = skip_string(*rest, 0);
    if (length == SIZE_MAX)
        return false;
    *key = view_slice(*rest, 0, length);
    *rest = view_skip(*rest, length);
    skip_separators(rest);
    if (!ingest_json_scan(*rest, &extent))
        return false;
    *value = view_slice(*rest, 0, extent.bytes);
    *rest = view_skip(*rest, extent.bytes);
    return true;
}

/* The character that the escape at `at` stands for, or -1. */
static int escaped_character(struct view text, size_t at)
{
    static const char meanings[] = "\"\\/\b\f\n\r\t";
    uint64_t code = 0;
    char letter = text.data[at + 1];
    if (letter != 'u')
        return meanings[view_index_of(VIEW("\"\\/bfnrt"), letter)];
    for (size_t i = at + 2; i < at + 6; i++) {
        char c = text.data[i];
        unsigned digit = c <= '9' ? (unsigned)(c - '0') : (unsigned)((c | 0x20) - 'a' + 10);
        code = code << 4 | digit;
    }
    return code < 0x80 ? (int)code : -1;
}

bool ingest_json_unescape(struct view text, char *to, size_t capacity, size_t *length)
{
    *length = 0;
    for (size_t at = 0; at < text.length; at++) {
        int c = (unsigned char)text.data[at];
        if (c == '\\') {
            c = escaped_character(text, at);
            at += text.data[at + 1] == 'u' ? 5 : 1;
        }
        if (c < 0 || c >= 0x80 || *length == capacity)
            return false;
        to[(*length)++] = (char)c;
    }
    return true;
}
