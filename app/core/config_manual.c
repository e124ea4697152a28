/*
 * config_manual.c - the rows as mdoc(7), which stands between two marks in docs/hearth.conf.5.
 *
 * mdoc wants each sentence on a line of its own, and backslashes, leading dots and leading quotes
 * escaped.
 */
#include "app/core/config_manual.h"

#include "app/core/config_text.h"

static void append_escaped(struct buffer *out, struct view text)
{
    if (text.length > 0 && (text.data[0] == '.' || text.data[0] == '\''))
        buffer_append_text(out, "\\&");
    for (size_t i = 0; i < text.length; i++) {
        if (text.data[i] == '\\')
            buffer_append_text(out, "\\e");
        else
            buffer_append_byte(out, text.data[i]);
    }
}

/* Up to and with the blank behind a full stop. */
static struct view next_sentence(struct view *rest)
{
    for (size_t i = 0; i + 1 < rest->length; i++) {
        if (rest->data[i] == '.' && rest->data[i + 1] == ' ') {
            struct view sentence = view_slice(*rest, 0, i + 1);
            *rest = view_skip(*rest, i + 2);
            return sentence;
        }
    }
    struct view sentence = *rest;
    *rest = VIEW_NONE;
    return sentence;
}

static void append_sentences(struct buffer *out, struct view text)
{
    while (text.length > 0) {
        append_escaped(out, next_sentence(&text));
        buffer_append_byte(out, '\n');
    }
}

static void append_kind(struct buffer *out, const struct config_row *row)
{
    struct buffer kind;
    buffer_init(&kind, 1024);
    config_append_kind(&kind, row);
    append_sentences(out, buffer_view(&kind));
    if (out->failed == HEARTH_OK)
        out->failed = kind.failed;
    buffer_clean(&kind);
}

static void append_default_line(struct buffer *out, const struct config_row *row)
{
    struct buffer value;
    buffer_init(&value, 4096);
    config_append_default(&value, row);
    buffer_append_text(out, "Default:\n.Ql ");
    append_escaped(out, buffer_view(&value));
    buffer_append_byte(out, '\n');
    if (out->failed == HEARTH_OK)
        out->failed = value.failed;
    buffer_clean(&value);
}

static void manual_row(void *context, const struct config_row *row, bool first, bool last)
{
    struct buffer *out = context;
    if (first)
        buffer_append_format(out, ".Ss %.*s\n.Bl -tag -width Ds\n",
                             VIEW_ARGUMENTS(config_key_group(row->key)));
    buffer_append_format(out, ".It Ic %s\n", row->key);
    append_sentences(out, view_of(row->text));
    append_kind(out, row);
    append_default_line(out, row);
    if (last)
        buffer_append_text(out, ".El\n");
}

enum hearth_error config_manual(const struct config_rows *tables, size_t table_count,
                                struct buffer *out)
{
    config_visit_rows(tables, table_count, manual_row, out);
    return buffer_status(out);
}
