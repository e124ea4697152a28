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

#include <endian.h>
#include <string.h>

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

#define EACH_BYTE(byte) (UINT64_MAX / 0xFF * (byte))

/* The top bit of each of eight bytes that is a quote, an escape, a control character or not ASCII.
 * Of the marks only the lowest is certain: a subtraction may borrow from the bytes above. */
static uint64_t mark_special(uint64_t bytes)
{
    uint64_t quote = bytes ^ EACH_BYTE('"'), escape = bytes ^ EACH_BYTE('\\');
    uint64_t marks = ((quote - EACH_BYTE(1)) & ~quote) | ((escape - EACH_BYTE(1)) & ~escape) |
                     ((bytes - EACH_BYTE(0x20)) & ~bytes) | bytes;
    return marks & EACH_BYTE(0x80);
}

static bool is_special(unsigned char c)
{
    return c < 0x20 || c >= 0x80 || c == '"' || c == '\\';
}

/* Strings are most of the text, and plain characters most of them: eight in one step. */
static size_t skip_plain(struct view text, size_t at)
{
    for (uint64_t bytes, marks; text.length - at >= sizeof bytes; at += sizeof bytes) {
        memcpy(&bytes, text.data + at, sizeof bytes);
        marks = mark_special(le64toh(bytes));
        if (marks != 0)
            return at + (size_t)__builtin_ctzll(marks) / 8;
    }
    while (at < text.length && !is_special((unsigned char)text.data[at]))
        at++;
    return at;
}

/* Behind the string that begins at `at`, or SIZE_MAX. */
static size_t skip_string(struct view text, size_t at)
{
    bool valid = true;
    at = skip_plain(text, at + 1);
    while (at < text.length && text.data[at] != '"') {
        unsigned char c = (unsigned char)text.data[at];
        if (c < 0x20)
            return SIZE_MAX;
        at = c == '\\' ? skip_escape(text, at) : at + utf8_next(view_skip(text, at), &valid);
        if (!valid || at == SIZE_MAX)
            return SIZE_MAX;
        at = skip_plain(text, at);
    }
    return at < text.length ? at + 1 : SIZE_MAX;
}

static size_t skip_word(struct view text, size_t at)
{
    char c = text.data[at];
    const char *word = c == 't' ? "true" : c == 'f' ? "false" : "null";
    size_t length = c == 'f' ? 5 : 4;
    bool good = text.length - at >= length && memcmp(text.data + at, word, length) == 0;
    return good ? at + length : SIZE_MAX;
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

static bool is_separator(char c)
{
    return c == ',' || c == ':' || ingest_json_is_space(c);
}

static size_t skip_separators(struct view text, size_t at)
{
    while (at < text.length && is_separator(text.data[at]))
        at++;
    return at;
}

/* Behind the value that begins at `at`, or SIZE_MAX. A number or a word is known to be good. */
static size_t skip_value(struct view text, size_t at)
{
    struct json_extent extent;
    size_t end = at;
    if (at == text.length)
        return SIZE_MAX;
    if (text.data[at] == '"')
        return skip_string(text, at);
    if (text.data[at] == '{' || text.data[at] == '[')
        return ingest_json_scan(view_skip(text, at), &extent) ? at + extent.bytes : SIZE_MAX;
    while (end < text.length && text.data[end] != '}' && !is_separator(text.data[end]))
        end++;
    return end > at ? end : SIZE_MAX;
}

bool ingest_json_member(struct view *rest, struct view *key, struct view *value)
{
    struct view text = *rest;
    size_t begin = skip_separators(text, 0);
    if (begin == text.length || text.data[begin] != '"')
        return false;
    size_t end = skip_string(text, begin);
    if (end == SIZE_MAX)
        return false;
    *key = view_from(text.data + begin, end - begin);
    begin = skip_separators(text, end);
    end = skip_value(text, begin);
    if (end == SIZE_MAX)
        return false;
    *value = view_from(text.data + begin, end - begin);
    *rest = view_from(text.data + end, text.length - end);
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
