/*
 * cookies.c - Cookie headers to pairs (RFC 6265 section 5.4). Fronts that join duplicate headers
 * may do so with "; " or with ", "; only the former is a separator, since a comma may stand in a
 * value. Values stay as they stand, with their quotes.
 */
#include "app/http/cookies.h"

static bool is_cookie_header(const struct pair *header)
{
    return view_equal_ignore_case(header->name, VIEW("cookie"));
}

/* Fills `items`, or only counts when it is NULL. */
static size_t collect(struct view rest, struct pair *items)
{
    size_t count = 0;
    while (rest.data) {
        struct view part = view_trim(view_split(&rest, ';'));
        size_t equals = view_index_of(part, '=');
        if (equals == SIZE_MAX || equals == 0)
            continue;
        if (items)
            items[count] = (struct pair){view_trim(view_slice(part, 0, equals)),
                                         view_trim(view_skip(part, equals + 1))};
        count++;
    }
    return count;
}

enum hearth_error cookies_parse(struct arena *arena, const struct pairs *headers,
                                struct pairs *cookies, struct error_record *error)
{
    *cookies = (struct pairs){NULL, 0};
    size_t count = 0;
    for (size_t i = 0; i < headers->count; i++)
        if (is_cookie_header(&headers->items[i]))
            count += collect(headers->items[i].value, NULL);
    if (count == 0)
        return HEARTH_OK;
    cookies->items = arena_array(arena, count, sizeof *cookies->items);
    if (!cookies->items)
        return error_set_internal(error, HEARTH_NO_MEMORY, 0, "no memory for the cookies");
    for (size_t i = 0; i < headers->count; i++)
        if (is_cookie_header(&headers->items[i]))
            cookies->count += collect(headers->items[i].value, cookies->items + cookies->count);
    return HEARTH_OK;
}
