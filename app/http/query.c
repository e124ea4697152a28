/*
 * query.c - a query string to decoded pairs (WHATWG URL, application/x-www-form-urlencoded), and
 * the look-up in them. Names and values that need no decoding stay where they came in.
 */
#include "app/http/query.h"

#include "app/http/syntax.h"

/* How much work is in it: false also for what may not stand in a query at all. */
static bool part_is_plain(struct view text)
{
    for (size_t i = 0; i < text.length; i++) {
        unsigned char byte = (unsigned char)text.data[i];
        if (byte == '%' || byte == '+' || byte < 0x20 || byte == 0x7f)
            return false;
    }
    return true;
}

enum hearth_error query_decode(struct arena *arena, struct view text, struct view *decoded,
                               struct error_record *error)
{
    if (part_is_plain(text)) {
        *decoded = text;
        return HEARTH_OK;
    }
    char *out = arena_alloc(arena, text.length);
    if (!out)
        return error_set_internal(error, HEARTH_NO_MEMORY, 0, "no memory for the query");
    size_t length = 0;
    for (size_t i = 0; i < text.length; i++) {
        unsigned char byte = (unsigned char)text.data[i];
        if (byte < 0x20 || byte == 0x7f)
            return error_set(error, HEARTH_BAD_QUERY, "the query has a control byte");
        if (byte == '+') {
            byte = ' ';
        } else if (byte == '%') {
            if (!syntax_percent_byte(text, i, &byte))
                return error_set(error, HEARTH_BAD_QUERY,
                                 "the query has malformed percent-encoding");
            if (byte == '\0')
                return error_set(error, HEARTH_BAD_QUERY, "the query has a NUL");
            i += 2;
        }
        out[length++] = (char)byte;
    }
    *decoded = view_from(out, length);
    return HEARTH_OK;
}

static size_t count_pairs(struct view text)
{
    size_t count = 0;
    struct view rest = text;
    while (rest.data)
        count += view_split(&rest, '&').length > 0;
    return count;
}

enum hearth_error query_parse(struct arena *arena, struct view text, size_t max_pairs,
                              struct pairs *pairs, struct error_record *error)
{
    *pairs = (struct pairs){NULL, 0};
    size_t count = text.length ? count_pairs(text) : 0;
    if (count == 0)
        return HEARTH_OK;
    if (count > max_pairs)
        return error_set(error, HEARTH_BAD_QUERY, "the query has more than %zu pairs", max_pairs);
    struct pair *items = arena_array(arena, count, sizeof *items);
    if (!items)
        return error_set_internal(error, HEARTH_NO_MEMORY, 0, "no memory for the query");
    struct view rest = text;
    size_t filled = 0;
    while (rest.data) {
        struct view value = view_split(&rest, '&');
        if (value.length == 0)
            continue;
        struct view name = view_split(&value, '=');
        enum hearth_error result = query_decode(arena, name, &items[filled].name, error);
        if (result == HEARTH_OK)
            result = query_decode(arena, value, &items[filled].value, error);
        if (result != HEARTH_OK)
            return result;
        filled++;
    }
    *pairs = (struct pairs){items, filled};
    return HEARTH_OK;
}
