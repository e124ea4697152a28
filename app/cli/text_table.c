/*
 * text_table.c - rows of cells as columns.
 */
#include "app/cli/text_table.h"

#include <string.h>

enum { TABLE_BYTES = 64 << 20, TITLE_BYTES = 32 };

/* Characters, not bytes. */
static size_t width_of(const char *text)
{
    size_t width = 0;
    for (; *text; text++)
        width += ((unsigned char)*text & 0xc0) != 0x80;
    return width;
}

void text_table_init(struct text_table *table, const char *titles)
{
    struct view rest = view_of(titles);
    *table = (struct text_table){0};
    buffer_init(&table->text, TABLE_BYTES);
    while (rest.data && table->columns < TEXT_TABLE_COLUMNS) {
        char title[TITLE_BYTES];
        struct view one = view_split(&rest, '\t');
        bool right = view_starts_with(one, VIEW(">"));
        one = view_slice(view_skip(one, right), 0, sizeof title - 1);
        memcpy(title, one.data, one.length);
        title[one.length] = '\0';
        table->right[table->columns++] = right;
        text_table_cell(table, title);
    }
}

void text_table_clean(struct text_table *table)
{
    buffer_clean(&table->text);
}

void text_table_cell(struct text_table *table, const char *cell)
{
    /* While the titles come, `columns` is still growing, one cell ahead of `cells`. */
    size_t column = table->cells < table->columns ? table->cells : table->cells % table->columns;
    const char *text = cell[0] != '\0' ? cell : "-";
    size_t width = width_of(text);
    if (width > table->widths[column])
        table->widths[column] = width;
    buffer_append(&table->text, view_from(text, strlen(text) + 1));
    table->cells++;
}

static void pad(struct buffer *out, size_t count)
{
    for (size_t i = 0; i < count; i++)
        buffer_append_byte(out, ' ');
}

void text_table_print(const struct text_table *table, struct buffer *out)
{
    const char *text = table->text.data;
    if (buffer_status(&table->text) != HEARTH_OK) {
        buffer_reserve(out, out->max_bytes + 1); /* the failure goes on to who prints it */
        return;
    }
    for (size_t i = 0; i < table->cells; i++) {
        size_t column = i % table->columns, space = table->widths[column] - width_of(text);
        bool last = column + 1 == table->columns;
        if (table->right[column])
            pad(out, space);
        buffer_append_text(out, text);
        if (!table->right[column] && !last)
            pad(out, space);
        buffer_append_text(out, last ? "\n" : "  ");
        text += strlen(text) + 1;
    }
}
