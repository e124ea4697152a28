/*
 * view.c - comparing, cutting and reading text that somebody else owns.
 *
 * A view may have a NULL pointer when it is empty, which memcmp and memchr must never see: each
 * function looks at the length first.
 */
#include <string.h>

#include "hearth/base.h"

struct view view_of(const char *text)
{
    return (struct view){text, text ? strlen(text) : 0};
}

struct view view_from(const char *data, size_t length)
{
    return (struct view){data, length};
}

static bool bytes_equal(const char *a, const char *b, size_t length)
{
    return length == 0 || memcmp(a, b, length) == 0;
}

static unsigned char lower(char c)
{
    unsigned char byte = (unsigned char)c;
    return byte >= 'A' && byte <= 'Z' ? (unsigned char)(byte | 0x20) : byte;
}

static bool bytes_equal_ignore_case(const char *a, const char *b, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (lower(a[i]) != lower(b[i]))
            return false;
    return true;
}

bool view_equal(struct view a, struct view b)
{
    return a.length == b.length && bytes_equal(a.data, b.data, a.length);
}

bool view_equal_ignore_case(struct view a, struct view b)
{
    return a.length == b.length && bytes_equal_ignore_case(a.data, b.data, a.length);
}

bool view_starts_with(struct view text, struct view prefix)
{
    return prefix.length <= text.length && bytes_equal(text.data, prefix.data, prefix.length);
}

bool view_starts_with_ignore_case(struct view text, struct view prefix)
{
    return prefix.length <= text.length &&
           bytes_equal_ignore_case(text.data, prefix.data, prefix.length);
}

bool view_ends_with(struct view text, struct view suffix)
{
    return suffix.length <= text.length &&
           view_equal(view_skip(text, text.length - suffix.length), suffix);
}

struct view view_slice(struct view text, size_t from, size_t length)
{
    struct view rest = view_skip(text, from);
    if (length < rest.length)
        rest.length = length;
    return rest;
}

struct view view_skip(struct view text, size_t count)
{
    if (count > text.length)
        count = text.length;
    /* NULL + 0 is undefined in C. */
    return text.data ? (struct view){text.data + count, text.length - count} : VIEW_NONE;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

struct view view_trim(struct view text)
{
    while (text.length > 0 && is_blank(text.data[0]))
        text = view_skip(text, 1);
    while (text.length > 0 && is_blank(text.data[text.length - 1]))
        text.length--;
    return text;
}

size_t view_index_of(struct view text, char c)
{
    const char *found = text.length ? memchr(text.data, c, text.length) : NULL;
    return found ? (size_t)(found - text.data) : SIZE_MAX;
}

size_t view_find(struct view text, struct view part)
{
    if (part.length == 0)
        return 0;
    const char *found = text.length ? memmem(text.data, text.length, part.data, part.length) : NULL;
    return found ? (size_t)(found - text.data) : SIZE_MAX;
}

struct view view_split(struct view *rest, char separator)
{
    struct view all = *rest;
    size_t index = view_index_of(all, separator);
    if (index == SIZE_MAX) {
        *rest = VIEW_NONE;
        return all;
    }
    *rest = view_skip(all, index + 1);
    return view_slice(all, 0, index);
}

bool view_to_uint64(struct view text, uint64_t *number)
{
    uint64_t value = 0;
    if (text.length == 0)
        return false;
    for (size_t i = 0; i < text.length; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
        uint64_t digit = (uint64_t)(text.data[i] - '0');
        if (value > (UINT64_MAX - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    *number = value;
    return true;
}

bool view_to_int64(struct view text, int64_t *number)
{
    bool negative = text.length > 0 && text.data[0] == '-';
    uint64_t magnitude;
    if (!view_to_uint64(negative ? view_skip(text, 1) : text, &magnitude))
        return false;
    if (magnitude > (uint64_t)INT64_MAX + (negative ? 1 : 0))
        return false;
    if (negative)
        *number = magnitude ? -(int64_t)(magnitude - 1) - 1 : 0;
    else
        *number = (int64_t)magnitude;
    return true;
}

bool view_equal_constant_time(struct view a, struct view b)
{
    if (a.length != b.length)
        return false;
    /* volatile: the compiler must not find out that the loop could end early. */
    volatile unsigned char difference = 0;
    for (size_t i = 0; i < a.length; i++)
        difference =
            (unsigned char)(difference | ((unsigned char)a.data[i] ^ (unsigned char)b.data[i]));
    return difference == 0;
}
