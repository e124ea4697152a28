/*
 * config_text.h - how rows and values are written, for the effective configuration, the annotated
 * sample and the manual alike. Failures stick in the buffer.
 */
#ifndef HEARTH_CONFIG_TEXT_H
#define HEARTH_CONFIG_TEXT_H

#include "hearth/config.h"

/* A string as libconfig reads it back, with its quotes. */
void config_append_quoted(struct buffer *out, struct view text);
/* A row's default as it would stand in the file. */
void config_append_default(struct buffer *out, const struct config_row *row);
/* "An integer from 1 to 64.", "One of json and text." */
void config_append_kind(struct buffer *out, const struct config_row *row);
/* Text broken at blanks into lines of at most `width` bytes, each behind `prefix`. */
void config_append_wrapped(struct buffer *out, const char *prefix, size_t width, const char *text);

/* The part of a key before its first dot, and the part behind. */
struct view config_key_group(const char *key);
const char *config_key_name(const char *key);

/* Rows in groups: calls `visit` for each row, the rows of a group together, groups and rows in the
 * order in which the tables first name them. `first` and `last` are of the row within its group. */
typedef void config_row_visit_fn(void *context, const struct config_row *row, bool first,
                                 bool last);
void config_visit_rows(const struct config_rows *tables, size_t table_count,
                       config_row_visit_fn *visit, void *context);

#endif
