/*
 * config_rules.c - a row's rules, applied to a value from wherever it comes: the file or the row's
 * own default.
 */
#include "app/core/config_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { VALUE_SHOWN = 60 }; /* bytes of a bad value that a message repeats */

int64_t config_row_maximum(const struct config_row *row)
{
    if (row->maximum != 0 || row->type == CONFIG_INTEGER)
        return row->maximum;
    return CONFIG_DEFAULT_MAXIMUM;
}

bool config_integer_valid(const struct config_row *row, int64_t number, char *why, size_t why_size)
{
    if (number >= row->minimum && number <= row->maximum)
        return true;
    snprintf(why, why_size, "must be %" PRId64 " to %" PRId64 ", is %" PRId64, row->minimum,
             row->maximum, number);
    return false;
}

static bool has_control_byte(struct view text)
{
    for (size_t i = 0; i < text.length; i++) {
        unsigned char byte = (unsigned char)text.data[i];
        if (byte < 0x20 || byte == 0x7f)
            return true;
    }
    return false;
}

/* A list's maximum counts its items; the items have the maximum of a row that says nothing. */
static size_t text_maximum(const struct config_row *row)
{
    return row->type == CONFIG_LIST ? (size_t)CONFIG_DEFAULT_MAXIMUM
                                    : (size_t)config_row_maximum(row);
}

static bool length_valid(const struct config_row *row, struct view text, char *why, size_t why_size)
{
    /* An item of a list is never empty; an empty secret is none. */
    size_t minimum = row->type == CONFIG_STRING ? (size_t)row->minimum : 0;
    if (row->type == CONFIG_LIST)
        minimum = 1;
    if (text.length == 0 && minimum > 0)
        snprintf(why, why_size, "must not be empty");
    else if (text.length < minimum)
        snprintf(why, why_size, "must be at least %zu bytes, is %zu", minimum, text.length);
    else if (text.length > text_maximum(row))
        snprintf(why, why_size, "must be at most %zu bytes, is %zu", text_maximum(row),
                 text.length);
    else
        return true;
    return false;
}

bool config_text_valid(const struct config_row *row, struct view text, char *why, size_t why_size)
{
    if (!length_valid(row, text, why, why_size))
        return false;
    if (row->type != CONFIG_SECRET && has_control_byte(text)) {
        snprintf(why, why_size, "must not hold control characters");
        return false;
    }
    /* A default of "" means that there is none, and says so by being no value of the kind. */
    if (!row->validate || (text.length == 0 && row->initial[0] == '\0'))
        return true;
    char opinion[CONFIG_WHY_SIZE] = "is not valid";
    if (row->validate(text, opinion, sizeof opinion))
        return true;
    if (row->type == CONFIG_SECRET) {
        snprintf(why, why_size, "%s", opinion);
    } else {
        struct view shown = view_slice(text, 0, VALUE_SHOWN);
        snprintf(why, why_size, "\"%.*s%s\" %s", VIEW_ARGUMENTS(shown),
                 text.length > VALUE_SHOWN ? "..." : "", opinion);
    }
    return false;
}

int config_choice_index(const struct config_row *row, struct view name)
{
    for (int i = 0; row->choices[i]; i++) {
        if (view_equal(name, view_of(row->choices[i])))
            return i;
    }
    return -1;
}

/* ---- Defaults ---- */

static enum hearth_error default_items(struct config *config, struct config_value *value, char *why,
                                       size_t why_size)
{
    struct view rest = view_of(value->row->initial);
    size_t most = rest.length / 2 + 1;
    value->items = arena_array(config->arena, most, sizeof *value->items);
    if (!value->items)
        return HEARTH_NO_MEMORY;
    while (rest.data) {
        struct view item = view_split(&rest, ' ');
        if (item.length == 0)
            continue;
        if (!config_text_valid(value->row, item, why, why_size))
            return HEARTH_BAD_REQUEST;
        const char *copy = arena_copy(config->arena, item).data;
        if (!copy)
            return HEARTH_NO_MEMORY;
        value->items[value->item_count++] = copy;
    }
    return HEARTH_OK;
}

static enum hearth_error default_text(struct config *config, struct config_value *value, char *why,
                                      size_t why_size)
{
    struct view initial = view_of(value->row->initial);
    if (!config_text_valid(value->row, initial, why, why_size))
        return HEARTH_BAD_REQUEST;
    value->text = arena_format(config->arena, "%s", value->row->initial);
    return value->text ? HEARTH_OK : HEARTH_NO_MEMORY;
}

static bool default_number(struct config_value *value, char *why, size_t why_size)
{
    const struct config_row *row = value->row;
    switch (row->type) {
    case CONFIG_INTEGER:
        return view_to_int64(view_of(row->initial), &value->integer) &&
               config_integer_valid(row, value->integer, why, why_size);
    case CONFIG_BOOLEAN:
        value->integer = strcmp(row->initial, "true") == 0;
        return value->integer == 1 || strcmp(row->initial, "false") == 0;
    case CONFIG_CHOICE:
        value->integer = config_choice_index(row, view_of(row->initial));
        return value->integer >= 0;
    default:
        return false;
    }
}

enum hearth_error config_set_default(struct config *config, struct config_value *value, char *why,
                                     size_t why_size)
{
    value->origin = NULL;
    value->item_count = 0;
    snprintf(why, why_size, "the default is not of the row's type");
    switch (value->row->type) {
    case CONFIG_LIST:
        return default_items(config, value, why, why_size);
    case CONFIG_STRING:
    case CONFIG_SECRET:
        return default_text(config, value, why, why_size);
    default:
        return default_number(value, why, why_size) ? HEARTH_OK : HEARTH_BAD_REQUEST;
    }
}
