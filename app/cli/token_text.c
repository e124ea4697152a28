/*
 * token_text.c - tokens as a table for people, and as JSON.
 */
#include "app/cli/token_text.h"

#include "app/http/auth_names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COLUMNS = 7, CELL_SIZE = 128 };

void token_list_add(void *context, const struct auth_token_info *token)
{
    struct token_list *list = context;
    struct auth_token_info *grown =
        list->out_of_memory ? NULL : realloc(list->items, (list->count + 1) * sizeof *list->items);
    if (!grown) {
        list->out_of_memory = true;
        return;
    }
    grown[list->count++] = *token;
    list->items = grown;
}

void token_list_clean(struct token_list *list)
{
    free(list->items);
    *list = (struct token_list){0};
}

/* ---- The table ---- */

/* To the second: "2025-09-14T18:04:51Z". */
static void format_time(int64_t wall_ms, char cell[CELL_SIZE])
{
    char text[CLOCK_RFC3339_SIZE];
    clock_format_rfc3339(wall_ms, text);
    snprintf(cell, CELL_SIZE, "%.19sZ", text);
}

static void format_cell(const struct auth_token_info *token, int column, char cell[CELL_SIZE])
{
    const struct auth_identity *identity = &token->identity;
    cell[0] = '\0';
    if (column == 0)
        snprintf(cell, CELL_SIZE, "%s", identity->id);
    else if (column == 1)
        snprintf(cell, CELL_SIZE, "%s", identity->name);
    else if (column == 2)
        auth_scopes_format(identity->scopes, cell, CELL_SIZE);
    else if (column == 3)
        snprintf(cell, CELL_SIZE, "%s", temperature_unit_name(identity->unit));
    else if (column == 4)
        snprintf(cell, CELL_SIZE, "%s", identity->time_zone);
    else if (column == 5 && token->created_ms != 0)
        format_time(token->created_ms, cell);
    else if (column == 6 && token->revoked_ms != 0)
        format_time(token->revoked_ms, cell);
    if (cell[0] == '\0')
        snprintf(cell, CELL_SIZE, "-");
}

/* Characters, not bytes. */
static size_t width_of(const char *text)
{
    size_t width = 0;
    for (; *text; text++)
        width += ((unsigned char)*text & 0xc0) != 0x80;
    return width;
}

static void append_cell(struct buffer *out, const char *cell, size_t width, bool last)
{
    buffer_append_text(out, cell);
    for (size_t i = width_of(cell); i < width + 2 && !last; i++)
        buffer_append_byte(out, ' ');
    if (last)
        buffer_append_byte(out, '\n');
}

static const char *const titles[COLUMNS] = {"ID",   "NAME",    "SCOPES", "UNIT",
                                            "ZONE", "CREATED", "REVOKED"};

void token_list_table(const struct token_list *list, struct buffer *out)
{
    size_t widths[COLUMNS];
    char cell[CELL_SIZE];
    for (int column = 0; column < COLUMNS; column++) {
        widths[column] = width_of(titles[column]);
        for (size_t i = 0; i < list->count; i++) {
            format_cell(&list->items[i], column, cell);
            if (width_of(cell) > widths[column])
                widths[column] = width_of(cell);
        }
    }
    for (int column = 0; column < COLUMNS; column++)
        append_cell(out, titles[column], widths[column], column == COLUMNS - 1);
    for (size_t i = 0; i < list->count; i++) {
        for (int column = 0; column < COLUMNS; column++) {
            format_cell(&list->items[i], column, cell);
            append_cell(out, cell, widths[column], column == COLUMNS - 1);
        }
    }
}

/* ---- JSON ---- */

static void append_scopes(unsigned scopes, struct buffer *out)
{
    const char *between = "";
    buffer_append_byte(out, '[');
    for (unsigned scope = 1; scope != 0 && scope <= scopes; scope <<= 1) {
        if (!(scopes & scope))
            continue;
        buffer_append_format(out, "%s\"%s\"", between, auth_scope_name((enum auth_scope)scope));
        between = ",";
    }
    buffer_append_byte(out, ']');
}

void token_identity_json(const struct auth_identity *identity, struct buffer *out)
{
    buffer_append_format(out, "\"id\":\"%s\",\"name\":", identity->id);
    buffer_append_json(out, view_of(identity->name));
    buffer_append_text(out, ",\"scopes\":");
    append_scopes(identity->scopes, out);
    buffer_append_format(out, ",\"unit\":\"%s\",\"time_zone\":\"%s\"",
                         temperature_unit_name(identity->unit), identity->time_zone);
}

static void append_time(struct buffer *out, const char *name, int64_t wall_ms)
{
    char text[CLOCK_RFC3339_SIZE];
    clock_format_rfc3339(wall_ms, text);
    if (wall_ms != 0)
        buffer_append_format(out, ",\"%s\":\"%s\"", name, text);
    else
        buffer_append_format(out, ",\"%s\":null", name);
}

void token_list_json(const struct token_list *list, struct buffer *out)
{
    buffer_append_text(out, "{\"tokens\":[");
    for (size_t i = 0; i < list->count; i++) {
        buffer_append_text(out, i == 0 ? "{" : ",{");
        token_identity_json(&list->items[i].identity, out);
        append_time(out, "created", list->items[i].created_ms);
        append_time(out, "revoked", list->items[i].revoked_ms);
        buffer_append_byte(out, '}');
    }
    buffer_append_text(out, "]}\n");
}
