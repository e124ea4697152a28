/*
 * config_manual.c - the rows as mdoc(7), which stands between two marks in docs/hearth.conf.5.
 *
 * mdoc wants each sentence to begin a line, and backslashes, leading dots and leading quotes
 * escaped.
 */
#include "app/core/config_manual.h"

#include "app/core/config_text.h"

enum { LINE_WIDTH = 78 };

static void append_escaped(struct buffer *out, struct view text)
{
    for (size_t i = 0; i < text.length; i++) {
        if (text.data[i] == '\\')
            buffer_append_text(out, "\\e");
        else
            buffer_append_byte(out, text.data[i]);
    }
}

/* A dot or quote at the start of a line would be a command. */
static void append_first_word(struct buffer *out, struct view word)
{
    if (word.length > 0 && (word.data[0] == '.' || word.data[0] == '\''))
        buffer_append_text(out, "\\&");
    append_escaped(out, word);
}

/* Words, in lines that are short enough for mandoc's taste. */
static void append_lines(struct buffer *out, struct view text)
{
    size_t column = 0;
    while (text.data) {
        struct view word = view_split(&text, ' ');
        if (column > 0 && column + 1 + word.length > LINE_WIDTH) {
            buffer_append_byte(out, '\n');
            column = 0;
        }
        if (column == 0) {
            append_first_word(out, word);
        } else {
            buffer_append_byte(out, ' ');
            append_escaped(out, word);
        }
        column += (column > 0) + word.length;
    }
    buffer_append_byte(out, '\n');
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
    while (text.length > 0)
        append_lines(out, next_sentence(&text));
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
    /* One argument of a macro: a quote within it would end it. */
    buffer_append_text(out, "Default:\n.Ql \"");
    for (size_t i = 0; i < value.length; i++) {
        if (value.data[i] == '"')
            buffer_append_text(out, "\\(dq");
        else
            append_escaped(out, view_from(value.data + i, 1));
    }
    buffer_append_text(out, "\"\n");
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
