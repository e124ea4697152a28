/*
 * config_sample.c - the annotated sample, from which etc/hearth.conf is made.
 *
 * Everything in it is a comment but the groups, so that it loads to the defaults as it is, and a
 * person only takes away a '#'.
 */
#include "app/core/config_text.h"

enum { LINE_WIDTH = 96 };

static const char introduction[] =
    "# hearth.conf - the configuration of Hearth, read by hearth-fcgi(8) and hearth(1).\n"
    "#\n"
    "# Every key is shown with its default. Take away the '#' before a key to set it.\n"
    "# `hearth check` tells every problem with file, line and key; `hearth check --effective` "
    "shows\n"
    "# what is in force. A running pool takes over a changed file on SIGHUP; a bad one is refused\n"
    "# and changes nothing.\n"
    "#\n"
    "# Strings stand in double quotes. `@include \"FILE\"` at the start of a line reads another "
    "file.\n"
    "# Secrets are best kept elsewhere: { env = \"NAME\" } or { file = \"PATH\" }.\n"
    "# hearth.conf(5) has the rest. This file is made by `hearth check --sample`.\n";

static void sample_row(void *context, const struct config_row *row, bool first, bool last)
{
    struct buffer *out = context;
    if (first)
        buffer_append_format(out, "\n%.*s: {\n", VIEW_ARGUMENTS(config_key_group(row->key)));
    else
        buffer_append_byte(out, '\n');
    config_append_wrapped(out, "    # ", LINE_WIDTH, row->text);
    buffer_append_text(out, "    # ");
    config_append_kind(out, row);
    buffer_append_format(out, "\n    # %s = ", config_key_name(row->key));
    config_append_default(out, row);
    buffer_append_text(out, ";\n");
    if (last)
        buffer_append_text(out, "};\n");
}

enum hearth_error config_sample(const struct config_rows *tables, size_t table_count,
                                struct buffer *out)
{
    buffer_append_text(out, introduction);
    config_visit_rows(tables, table_count, sample_row, out);
    return buffer_status(out);
}
