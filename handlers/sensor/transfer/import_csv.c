/*
 * import_csv.c - readings as CSV: rows into fields.
 *
 * A row is cut into cells from left to right; a cell in quotes ends at the first quote that is not
 * doubled, and then must end there. The header decides which cell is which field, once.
 */
#include "handlers/sensor/transfer/import_csv.h"

#include <string.h>

static const struct view byte_order_mark = {"\xEF\xBB\xBF", 3};

/* ---- Cells ---- */

/* The index behind the quoted cell that `text` begins with, or SIZE_MAX when it does not end. */
static size_t quoted_end(struct view text)
{
    size_t at = 1;
    while (at < text.length) {
        const char *quote = memchr(text.data + at, '"', text.length - at);
        if (!quote)
            return SIZE_MAX;
        at = (size_t)(quote - text.data) + 1;
        if (at == text.length || text.data[at] != '"')
            return at;
        at++;
    }
    return SIZE_MAX;
}

/* Takes a cell and the separator behind it; `rest->data` is NULL when there is none. False when the
 * cell is malformed. */
static bool next_cell(struct view *rest, char separator, struct view *cell)
{
    if (rest->length == 0 || rest->data[0] != '"') {
        *cell = view_trim(view_split(rest, separator));
        return true;
    }
    size_t end = quoted_end(*rest);
    if (end == SIZE_MAX)
        return false;
    *cell = view_slice(*rest, 1, end - 2);
    *rest = view_skip(*rest, end);
    if (rest->length == 0) {
        *rest = VIEW_NONE;
        return true;
    }
    if (rest->data[0] != separator)
        return false;
    *rest = view_skip(*rest, 1);
    return true;
}

bool csv_row_end(struct view text, char separator, size_t *length)
{
    size_t at = 0;
    bool at_start = true; /* of a cell: where a quote opens one */
    while (at < text.length && text.data[at] != '\n') {
        if (at_start && text.data[at] == '"') {
            size_t end = quoted_end(view_skip(text, at));
            if (end == SIZE_MAX)
                return false;
            at += end;
            at_start = false;
            continue;
        }
        at_start = text.data[at] == separator;
        at++;
    }
    *length = at;
    return true;
}

/* ---- The header ---- */

static char separator_of(struct view header)
{
    static const char separators[] = {',', ';', '\t'};
    for (size_t i = 0; i < sizeof separators; i++)
        if (view_index_of(header, separators[i]) != SIZE_MAX)
            return separators[i];
    return ',';
}

static void add_ignored(struct csv_columns *columns, struct view name)
{
    size_t used = strlen(columns->ignored), room = sizeof columns->ignored - used;
    size_t between = used > 0 ? 2 : 0;
    if (between + name.length >= room)
        return;
    memcpy(columns->ignored + used, ", ", between);
    memcpy(columns->ignored + used + between, name.data, name.length);
    columns->ignored[used + between + name.length] = '\0';
}

static bool has_column(const struct csv_columns *columns, enum reading_field first,
                       enum reading_field last)
{
    for (size_t i = 0; i < columns->count; i++)
        if (columns->fields[i] >= first && columns->fields[i] <= last)
            return true;
    return false;
}

/* Of two with one meaning the second would be taken without a word. */
static enum hearth_error refuse_twice(struct view name, struct error_record *error)
{
    return error_set(error, HEARTH_BAD_BODY,
                     "the first line of the CSV has two columns for %.*s; rename one of them",
                     (int)(name.length < 64 ? name.length : 64), name.data);
}

static enum hearth_error check_columns(const struct csv_columns *columns, bool has_default_code,
                                       struct error_record *error)
{
    const char *missing = NULL;
    if (!has_column(columns, FIELD_TIME, FIELD_SENSOR_TIMESTAMP))
        missing = "time";
    else if (!has_column(columns, FIELD_CHANNEL, FIELD_CHANNEL))
        missing = "channel";
    else if (!has_default_code && !has_column(columns, FIELD_ROLLING_CODE, FIELD_ID))
        missing = "rolling_code";
    else if (!has_column(columns, FIELD_TEMPERATURE, FIELD_HUMIDITY))
        missing = "temperature_F, temperature_C, temperature, rawTemp or humidity";
    if (!missing)
        return HEARTH_OK;
    return error_set(error, HEARTH_BAD_BODY,
                     "the first line of a CSV names its columns; there is none called %s", missing);
}

enum hearth_error csv_columns_read(struct view header, bool has_default_code,
                                   struct csv_columns *columns, struct error_record *error)
{
    struct view name;
    *columns = (struct csv_columns){.count = 0};
    if (view_starts_with(header, byte_order_mark))
        header = view_skip(header, byte_order_mark.length);
    columns->separator = separator_of(header);
    while (header.data) {
        if (columns->count == CSV_MAX_COLUMNS || !next_cell(&header, columns->separator, &name))
            return error_set(error, HEARTH_BAD_BODY,
                             "the first line of the CSV is malformed, or has more than %d columns",
                             CSV_MAX_COLUMNS);
        enum reading_field field = reading_field_of_any_case(view_trim(name));
        if (field < FIELD_COUNT && field != FIELD_SILENT && has_column(columns, field, field))
            return refuse_twice(view_trim(name), error);
        columns->fields[columns->count++] = field;
        if (field == FIELD_COUNT)
            add_ignored(columns, name);
    }
    return check_columns(columns, has_default_code, error);
}

/* ---- Rows ---- */

static bool is_absent(struct view cell)
{
    return cell.length == 0 || view_equal_ignore_case(cell, VIEW("null")) ||
           view_equal_ignore_case(cell, VIEW("nan")) || view_equal_ignore_case(cell, VIEW("na")) ||
           view_equal(cell, VIEW("\\N"));
}

bool csv_row_read(const struct csv_columns *columns, struct view row, struct reading_fields *fields)
{
    struct view cell;
    size_t count = 0;
    *fields = (struct reading_fields){.has_time_ms = false};
    while (row.data) {
        if (!next_cell(&row, columns->separator, &cell) ||
            (count >= columns->count && cell.length > 0))
            return false;
        enum reading_field field = count < columns->count ? columns->fields[count] : FIELD_COUNT;
        count++;
        if (field != FIELD_COUNT && !is_absent(cell))
            fields->values[field] = (struct reading_value){VALUE_UNTYPED, cell};
    }
    return count >= columns->count;
}
