/*
 * import_csv.h - readings as CSV (RFC 4180), of which the first line names the columns.
 *
 *   time,channel,rolling_code,temperature_F,humidity,battery_ok
 *   2025-09-14 18:04:51-0600,1,107,74.4,35,1
 *
 * Columns may stand in any order and mean what reading_fields.h says, whatever the case; others are
 * left out. Cells are separated by what separates the names: ',' or else ';' or a tab. An empty
 * cell is absent, and so are null, NaN, NA and \N. A time is a date and time, or a number of
 * seconds or milliseconds since 1970 (time_parse_epoch). A row with another number of cells than
 * the header has is none: the end of one that was cut off would look like a smaller number.
 *
 * Cells in quotes may hold separators, newlines and doubled quotes (which stay doubled: no name and
 * no value that means anything has one); the header has no newlines. No memory is needed.
 */
#ifndef HEARTH_SENSOR_IMPORT_CSV_H
#define HEARTH_SENSOR_IMPORT_CSV_H

#include "handlers/sensor/record/reading_fields.h"

enum { CSV_MAX_COLUMNS = 64, CSV_IGNORED_BYTES = 240 };

struct csv_columns {
    enum reading_field fields[CSV_MAX_COLUMNS]; /* FIELD_COUNT = left out */
    size_t count;                               /* 0 = the header was not read */
    char separator;
    char ignored[CSV_IGNORED_BYTES]; /* the names that mean nothing, ", " between them; cut */
};

/* The end of the first row of `text`: behind its last cell, at its newline or at the end of the
 * text. False when a quoted cell is still open there. */
HEARTH_MUST_CHECK bool csv_row_end(struct view text, char separator, size_t *length);

/* Of the header row, without its newline. `has_default_code`: there is a rolling code for rows that
 * have none. Errors: BAD_BODY (`error` says which columns are missing, or that there are too many).
 */
HEARTH_MUST_CHECK enum hearth_error csv_columns_read(struct view header, bool has_default_code,
                                                     struct csv_columns *columns,
                                                     struct error_record *error);

/* Of a row, without its newline. False when it is not one of these columns. */
HEARTH_MUST_CHECK bool csv_row_read(const struct csv_columns *columns, struct view row,
                                    struct reading_fields *fields);

#endif
