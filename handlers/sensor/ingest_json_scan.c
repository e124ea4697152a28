/*
 * ingest_json_scan.c - JSON text before it is parsed: one pass over the bytes, no memory.
 *
 * json-c 0.16 takes some things for JSON that are not, even in its strict mode (NaN, Infinity, 'a',
 * raw control bytes, "1."); none of them gets past here. And a tree takes many times the memory of
 * its text, which is why the members are counted first.
 */
#include "handlers/sensor/ingest_json_scan.h"

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

static bool is_letter(char c)
{
    return c >= 'a' && c <= 'z'; /* of true, false and null */
}

static size_t skip_word(struct view text, size_t at)
{
    while (at < text.length && is_letter(text.data[at]))
        at++;
    return at;
}

/* Behind the string, number or word that begins at `at`, or SIZE_MAX. */
static size_t skip_scalar(struct view text, size_t at)
{
    char c = text.data[at];
    if (c == '"')
        return skip_string(text, at);
    if (c == '-' || is_digit_at(text, at))
        return skip_number(text, at);
    return is_letter(c) ? skip_word(text, at) : SIZE_MAX;
}

/* ---- Values ---- */

/* A container has a member more than commas, or is empty and counts as one. */
static bool scan_container(struct view text, struct json_extent *extent)
{
    size_t at = 0, depth = 0;
    do {
        char c = text.data[at];
        if (c == '{' || c == '[') {
            depth++;
            extent->members++;
            extent->depth = depth > extent->depth ? depth : extent->depth;
            at++;
        } else if (c == '}' || c == ']') {
            depth--;
            at++;
        } else if (c == ',' || c == ':' || ingest_json_is_space(c)) {
            extent->members += c == ',';
            at++;
        } else {
            at = skip_scalar(text, at);
        }
    } while (depth > 0 && at < text.length);
    extent->bytes = at;
    return depth == 0;
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
