/*
 * forwarded_element.c - the grammar of the Forwarded header (RFC 7239 section 4): elements between
 * commas, pairs between semicolons, values that are tokens or quoted strings. Escapes in quoted
 * strings are refused: no address, scheme or host needs one.
 */
#include "app/http/forwarded_element.h"

#include "app/http/syntax.h"

static void skip_blanks(struct view *rest)
{
    while (rest->length > 0 && (rest->data[0] == ' ' || rest->data[0] == '\t'))
        *rest = view_skip(*rest, 1);
}

static bool take_byte(struct view *rest, char byte)
{
    if (rest->length == 0 || rest->data[0] != byte)
        return false;
    *rest = view_skip(*rest, 1);
    return true;
}

static struct view take_token(struct view *rest)
{
    size_t length = 0;
    while (length < rest->length && syntax_is_token(view_slice(*rest, length, 1)))
        length++;
    struct view token = view_slice(*rest, 0, length);
    *rest = view_skip(*rest, length);
    return token;
}

/* The bytes between quotes; the opening one has been taken. */
static bool take_quoted(struct view *rest, struct view *value)
{
    size_t end = view_index_of(*rest, '"');
    if (end == SIZE_MAX)
        return false;
    *value = view_slice(*rest, 0, end);
    *rest = view_skip(*rest, end + 1);
    return view_index_of(*value, '\\') == SIZE_MAX;
}

/* Takes a value; addresses without quotes are taken as well, though the grammar wants quotes. */
static bool take_value(struct view *rest, struct view *value)
{
    if (take_byte(rest, '"'))
        return take_quoted(rest, value);
    size_t length = 0;
    while (length < rest->length && syntax_is_host(view_slice(*rest, length, 1)) &&
           rest->data[length] != ',' && rest->data[length] != ';')
        length++;
    *value = view_slice(*rest, 0, length);
    *rest = view_skip(*rest, length);
    return length > 0;
}

/* A parameter may stand once in an element. */
static bool note_value(struct view *member, struct view value)
{
    if (member->data)
        return false;
    *member = value;
    return true;
}

static bool parse_pair(struct view *rest, struct forwarded_element *element)
{
    struct view name = take_token(rest), value;
    if (name.length == 0 || !take_byte(rest, '=') || !take_value(rest, &value))
        return false;
    if (view_equal_ignore_case(name, VIEW("for")))
        return note_value(&element->node, value);
    if (view_equal_ignore_case(name, VIEW("proto")))
        return note_value(&element->proto, value);
    if (view_equal_ignore_case(name, VIEW("host")))
        return note_value(&element->host, value);
    return true; /* by=, and extensions */
}

static bool parse_element(struct view *rest, struct forwarded_element *element)
{
    *element = (struct forwarded_element){{NULL, 0}, {NULL, 0}, {NULL, 0}};
    do {
        skip_blanks(rest);
        if (!parse_pair(rest, element))
            return false;
        skip_blanks(rest);
    } while (take_byte(rest, ';'));
    return true;
}

bool forwarded_parse(struct view text, struct forwarded_element elements[FORWARDED_MAX_ELEMENTS],
                     size_t *count)
{
    struct view rest = text;
    *count = 0;
    do {
        skip_blanks(&rest);
        if (*count == FORWARDED_MAX_ELEMENTS || !parse_element(&rest, &elements[*count]))
            return false;
        ++*count;
    } while (take_byte(&rest, ','));
    return rest.length == 0;
}
