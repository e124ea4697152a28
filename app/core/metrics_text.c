/*
 * metrics_text.c - names and labels as Prometheus wants them.
 *
 *     name    [a-zA-Z_:][a-zA-Z0-9_:]*
 *     labels  key="value",key="value"     key [a-zA-Z_][a-zA-Z0-9_]*
 *
 * A value is UTF-8 in which \ " and the line feed are escaped. Checked where a series is made, so
 * that whatever the registry holds can be rendered.
 */
#include <string.h>

#include "app/core/metrics_registry.h"
#include "app/core/utf8.h"

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

bool metrics_name_valid(struct view name)
{
    if (name.length == 0 || is_digit(name.data[0]))
        return false;
    for (size_t i = 0; i < name.length; i++)
        if (!is_letter(name.data[i]) && !is_digit(name.data[i]) && name.data[i] != ':')
            return false;
    return true;
}

static bool key_valid(struct view key)
{
    return metrics_name_valid(key) && view_index_of(key, ':') == SIZE_MAX;
}

/* Cuts a quoted value, with both its quotes, off `*rest`. */
static bool take_value(struct view *rest)
{
    if (rest->length == 0 || rest->data[0] != '"')
        return false;
    *rest = view_skip(*rest, 1);
    while (rest->length > 0 && rest->data[0] != '"') {
        bool valid;
        size_t bytes = utf8_next(*rest, &valid);
        if (!valid || rest->data[0] == '\n')
            return false;
        if (rest->data[0] == '\\') {
            if (rest->length < 2 || view_index_of(VIEW("\\\"n"), rest->data[1]) == SIZE_MAX)
                return false;
            bytes = 2;
        }
        *rest = view_skip(*rest, bytes);
    }
    if (rest->length == 0)
        return false;
    *rest = view_skip(*rest, 1);
    return true;
}

/* Does a pair of `labels` that begins before `end` have this key? */
static bool key_stands_before(struct view labels, const char *end, struct view key)
{
    while (labels.data < end) {
        size_t equals = view_index_of(labels, '=');
        if (view_equal(view_slice(labels, 0, equals), key))
            return true;
        labels = view_skip(labels, equals + 1);
        take_value(&labels);
        labels = view_skip(labels, 1);
    }
    return false;
}

bool metrics_labels_valid(struct view labels, const char *reserved)
{
    struct view rest = labels;
    while (rest.length > 0) {
        const char *start = rest.data;
        size_t equals = view_index_of(rest, '=');
        if (equals == SIZE_MAX)
            return false;
        struct view key = view_slice(rest, 0, equals);
        rest = view_skip(rest, equals + 1);
        if (!key_valid(key) || !take_value(&rest) || key_stands_before(labels, start, key))
            return false;
        if (reserved && view_equal(key, view_of(reserved)))
            return false;
        if (rest.length > 0 && (rest.data[0] != ',' || rest.length == 1))
            return false;
        rest = view_skip(rest, 1);
    }
    return true;
}

/* What stands for the first character of `*value`, which is cut off. */
static struct view escaped(struct view *value)
{
    bool valid;
    size_t bytes = utf8_next(*value, &valid);
    struct view character = view_slice(*value, 0, bytes);
    *value = view_skip(*value, bytes);
    /* Labels are a C string, so a NUL cannot stand in them. */
    if (!valid || character.data[0] == '\0')
        return UTF8_REPLACEMENT;
    switch (character.data[0]) {
    case '\\':
        return VIEW("\\\\");
    case '"':
        return VIEW("\\\"");
    case '\n':
        return VIEW("\\n");
    default:
        return character;
    }
}

static bool put(char *labels, size_t size, size_t *length, struct view part)
{
    if (part.length >= size - *length)
        return false;
    memcpy(labels + *length, part.data, part.length);
    *length += part.length;
    labels[*length] = '\0';
    return true;
}

bool metrics_label(char *labels, size_t size, const char *key, struct view value)
{
    size_t start = strlen(labels), length = start;
    bool fits = (length == 0 || put(labels, size, &length, VIEW(","))) &&
                put(labels, size, &length, view_of(key)) && put(labels, size, &length, VIEW("=\""));
    while (fits && value.length > 0)
        fits = put(labels, size, &length, escaped(&value));
    fits = fits && put(labels, size, &length, VIEW("\""));
    if (!fits)
        labels[start] = '\0';
    return fits;
}
