/*
 * text_table.h - rows of cells as columns that are as wide as they must be.
 *
 *   struct text_table table;
 *   text_table_init(&table, "ID\tNAME\t>READINGS");       > = to the right
 *   text_table_cell(&table, "freezer"); ...                  row by row, cell by cell
 *   text_table_print(&table, &out);
 *   text_table_clean(&table);
 */
#ifndef HEARTH_CLI_TEXT_TABLE_H
#define HEARTH_CLI_TEXT_TABLE_H

#include "hearth/base.h"

enum { TEXT_TABLE_COLUMNS = 16 };

struct text_table {
    size_t columns, cells; /* cells with the titles */
    bool right[TEXT_TABLE_COLUMNS];
    size_t widths[TEXT_TABLE_COLUMNS];
    struct buffer text; /* the cells, each with a NUL behind it */
};

/* `titles`: separated by tabs. */
void text_table_init(struct text_table *table, const char *titles);
void text_table_clean(struct text_table *table);
/* An empty cell becomes "-". Failures stick and show in text_table_print. */
void text_table_cell(struct text_table *table, const char *cell);
void text_table_print(const struct text_table *table, struct buffer *out);

#endif
