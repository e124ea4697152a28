/*
 * config_print.c - the effective configuration, as a file that loads to the same values.
 *
 * A secret that was taken from the environment or from a file is printed as that reference, which
 * tells nothing. One that stands in the file itself cannot be printed: its line is a comment.
 */
#include "app/core/config_internal.h"
#include "app/core/config_text.h"

#include <inttypes.h>
#include <string.h>

struct printing {
    const struct config *config;
    struct buffer *out;
};

static void append_items(struct buffer *out, const struct config_value *value)
{
    buffer_append_byte(out, '(');
    for (size_t i = 0; i < value->item_count; i++) {
        buffer_append_text(out, i == 0 ? "" : ", ");
        config_append_quoted(out, view_of(value->items[i]));
    }
    buffer_append_byte(out, ')');
}

static void append_secret(struct buffer *out, const struct config_value *value)
{
    if (!value->reference) {
        /* Here only when it is empty: see print_row. */
        buffer_append_text(out, "\"\"");
        return;
    }
    buffer_append_format(out, "{ %s = ", value->form == CONFIG_SECRET_ENV ? "env" : "file");
    config_append_quoted(out, view_of(value->reference));
    buffer_append_text(out, "; }");
}

static void append_value(struct buffer *out, const struct config_value *value)
{
    const struct config_row *row = value->row;
    switch (row->type) {
    case CONFIG_INTEGER:
        buffer_append_format(out, "%" PRId64 "%s", value->integer,
                             value->integer > INT32_MAX || value->integer < INT32_MIN ? "L" : "");
        break;
    case CONFIG_BOOLEAN:
        buffer_append_text(out, value->integer ? "true" : "false");
        break;
    case CONFIG_STRING:
        config_append_quoted(out, view_of(value->text));
        break;
    case CONFIG_SECRET:
        append_secret(out, value);
        break;
    case CONFIG_CHOICE:
        config_append_quoted(out, view_of(row->choices[value->integer]));
        break;
    case CONFIG_LIST:
        append_items(out, value);
        break;
    }
}

static void print_row(void *context, const struct config_row *row, bool first, bool last)
{
    const struct printing *printing = context;
    struct buffer *out = printing->out;
    const struct config_value *value = config_find(printing->config, row->key);
    const char *name = config_key_name(row->key);
    if (first)
        buffer_append_format(out, "\n%.*s: {\n", VIEW_ARGUMENTS(config_key_group(row->key)));
    if (row->type == CONFIG_SECRET && !value->reference && value->text[0] != '\0') {
        buffer_append_format(out, "    # %s = \"********\";", name);
    } else {
        buffer_append_format(out, "    %s = ", name);
        append_value(out, value);
        buffer_append_byte(out, ';');
    }
    buffer_append_format(out, "  # %s\n", value->origin ? value->origin : "default");
    if (last)
        buffer_append_text(out, "};\n");
}

enum hearth_error config_print(const struct config *config, struct buffer *out)
{
    struct printing printing = {.config = config, .out = out};
    buffer_append_text(out, "# The effective configuration");
    if (config->path[0])
        buffer_append_format(out, " of %s", config->path);
    buffer_append_text(out, ".\n");
    /* Each value as a table of one row, so that groups come together as in the sample. */
    enum hearth_error error = HEARTH_NO_MEMORY;
    struct arena *arena = arena_new((config->count + 1) * sizeof(struct config_rows) + 65536);
    struct config_rows *tables =
        arena ? arena_array(arena, config->count + 1, sizeof *tables) : NULL;
    if (tables) {
        for (size_t i = 0; i < config->count; i++)
            tables[i] = (struct config_rows){config->values[i].row, 1};
        config_visit_rows(tables, config->count, print_row, &printing);
        error = buffer_status(out);
    }
    arena_free(arena);
    return error;
}
