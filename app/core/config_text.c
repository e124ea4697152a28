/*
 * config_text.c - how rows and values are written.
 */
#include "app/core/config_text.h"

#include "app/core/config_internal.h"

#include <inttypes.h>
#include <string.h>

void config_append_quoted(struct buffer *out, struct view text)
{
    buffer_append_byte(out, '"');
    for (size_t i = 0; i < text.length; i++) {
        unsigned char byte = (unsigned char)text.data[i];
        if (byte == '"' || byte == '\\')
            buffer_append_format(out, "\\%c", byte);
        else if (byte < 0x20 || byte == 0x7f)
            buffer_append_format(out, "\\x%02x", byte);
        else
            buffer_append_byte(out, (char)byte);
    }
    buffer_append_byte(out, '"');
}

void config_append_default(struct buffer *out, const struct config_row *row)
{
    if (row->type == CONFIG_INTEGER || row->type == CONFIG_BOOLEAN) {
        buffer_append_text(out, row->initial);
        return;
    }
    if (row->type != CONFIG_LIST) {
        config_append_quoted(out, view_of(row->initial));
        return;
    }
    struct view rest = view_of(row->initial);
    const char *between = "";
    buffer_append_byte(out, '(');
    while (rest.data) {
        struct view item = view_split(&rest, ' ');
        if (item.length == 0)
            continue;
        buffer_append_text(out, between);
        config_append_quoted(out, item);
        between = ", ";
    }
    buffer_append_byte(out, ')');
}

static void append_choices(struct buffer *out, const struct config_row *row)
{
    for (size_t i = 0; row->choices[i]; i++) {
        const char *between = i == 0 ? "" : row->choices[i + 1] ? ", " : " or ";
        buffer_append_format(out, "%s\"%s\"", between, row->choices[i]);
    }
}

void config_append_kind(struct buffer *out, const struct config_row *row)
{
    int64_t maximum = config_row_maximum(row);
    switch (row->type) {
    case CONFIG_INTEGER:
        buffer_append_format(out, "An integer from %" PRId64 " to %" PRId64 ".", row->minimum,
                             maximum);
        break;
    case CONFIG_BOOLEAN:
        buffer_append_text(out, "true or false.");
        break;
    case CONFIG_STRING:
        if (row->minimum > 0)
            buffer_append_format(out, "A string of %" PRId64 " to %" PRId64 " bytes.", row->minimum,
                                 maximum);
        else
            buffer_append_format(out, "A string of at most %" PRId64 " bytes.", maximum);
        break;
    case CONFIG_SECRET:
        buffer_append_text(out, "A secret: { env = \"NAME\" }, { file = \"PATH\" } or a string.");
        break;
    case CONFIG_CHOICE:
        append_choices(out, row);
        buffer_append_byte(out, '.');
        break;
    case CONFIG_LIST:
        buffer_append_format(out, "A list of at most %" PRId64 " strings.", maximum);
        break;
    }
    if (row->restart)
        buffer_append_text(out, " A change needs a restart.");
}

void config_append_wrapped(struct buffer *out, const char *prefix, size_t width, const char *text)
{
    struct view rest = view_of(text);
    size_t column = 0;
    while (rest.data) {
        struct view word = view_split(&rest, ' ');
        if (word.length == 0)
            continue;
        if (column > 0 && column + 1 + word.length > width) {
            buffer_append_byte(out, '\n');
            column = 0;
        }
        buffer_append_text(out, column == 0 ? prefix : " ");
        column += (column == 0 ? strlen(prefix) : 1) + word.length;
        buffer_append(out, word);
    }
    buffer_append_byte(out, '\n');
}

struct view config_key_group(const char *key)
{
    struct view text = view_of(key);
    size_t dot = view_index_of(text, '.');
    return view_slice(text, 0, dot == SIZE_MAX ? 0 : dot);
}

const char *config_key_name(const char *key)
{
    const char *dot = strchr(key, '.');
    return dot ? dot + 1 : key;
}

/* ---- Rows in groups ---- */

/* Rows of all tables by one number. NULL behind the last. */
static const struct config_row *row_at(const struct config_rows *tables, size_t table_count,
                                       size_t index)
{
    for (size_t i = 0; i < table_count; i++) {
        if (index < tables[i].count)
            return &tables[i].rows[index];
        index -= tables[i].count;
    }
    return NULL;
}

/* The next row after `from` of the same group as `row`, or NULL; `*at` is its number. */
static const struct config_row *next_in_group(const struct config_rows *tables, size_t table_count,
                                              const struct config_row *row, size_t from, size_t *at)
{
    const struct config_row *next;
    for (size_t i = from; (next = row_at(tables, table_count, i)) != NULL; i++) {
        if (view_equal(config_key_group(next->key), config_key_group(row->key))) {
            *at = i;
            return next;
        }
    }
    return NULL;
}

void config_visit_rows(const struct config_rows *tables, size_t table_count,
                       config_row_visit_fn *visit, void *context)
{
    const struct config_row *row;
    for (size_t i = 0; (row = row_at(tables, table_count, i)) != NULL; i++) {
        size_t at = 0, first = 0;
        if (next_in_group(tables, table_count, row, 0, &first) && first != i)
            continue; /* its group was visited when its first row came */
        while (row) {
            size_t from = first + 1;
            const struct config_row *next = next_in_group(tables, table_count, row, from, &at);
            visit(context, row, first == i, next == NULL);
            row = next;
            first = at;
        }
    }
}
