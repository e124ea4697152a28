/*
 * import_format.c - what kind of readings a file holds: by what it is called, else by how it
 * begins.
 */
#include "handlers/sensor/text/ingest_json_scan.h"
#include "handlers/sensor/transfer/import.h"
#include "handlers/sensor/transfer/import_csv.h"

#include <string.h>

static const char *const format_names[IMPORT_FORMAT_COUNT] = {"jsonl", "csv", "bin"};

const char *import_format_name(enum import_format format)
{
    return format_names[format];
}

bool import_format_parse(struct view name, enum import_format *format)
{
    for (int i = 0; i < IMPORT_FORMAT_COUNT; i++)
        if (view_equal_ignore_case(name, view_of(format_names[i]))) {
            *format = (enum import_format)i;
            return true;
        }
    return false;
}

/* An ending of a file's name. */
static bool format_of_ending(struct view ending, enum import_format *format)
{
    if (view_equal_ignore_case(ending, VIEW("ndjson")) ||
        view_equal_ignore_case(ending, VIEW("json"))) {
        *format = IMPORT_JSONL;
        return true;
    }
    return import_format_parse(ending, format);
}

static bool format_of_name(struct view name, enum import_format *format)
{
    bool known = false;
    for (size_t at; (at = view_index_of(name, '/')) != SIZE_MAX;)
        name = view_skip(name, at + 1);
    (void)view_split(&name, '.');
    while (name.data) {
        enum import_format found;
        if (format_of_ending(view_split(&name, '.'), &found)) {
            *format = found;
            known = true;
        }
    }
    return known;
}

static struct view skip_leading(struct view bytes)
{
    while (bytes.length > 0 && (bytes.data[0] == '\0' || ingest_json_is_space(bytes.data[0])))
        bytes = view_skip(bytes, 1);
    return bytes;
}

/* Do good records stand at its beginning? */
static bool looks_like_records(struct view bytes)
{
    size_t good = 0, count = bytes.length / RECORD_BYTES;
    for (size_t i = 0; i < count; i++) {
        struct record record;
        memcpy(&record, bytes.data + i * RECORD_BYTES, RECORD_BYTES);
        struct reading reading;
        good += record_decode(&record, &reading) == REJECT_NONE;
    }
    return count > 0 && good * 2 > count;
}

static bool looks_like_csv(struct view bytes)
{
    struct csv_columns columns;
    struct error_record error;
    struct view line = view_split(&bytes, '\n');
    return csv_columns_read(view_trim(line), true, &columns, &error) == HEARTH_OK;
}

bool import_format_guess(struct view file_name, struct view first_bytes, enum import_format *format)
{
    struct view text = skip_leading(first_bytes);
    if (format_of_name(file_name, format))
        return true;
    *format = IMPORT_JSONL;
    if (text.length > 0 && text.data[0] == '{')
        return true;
    *format = IMPORT_BIN;
    if (looks_like_records(first_bytes))
        return true;
    *format = IMPORT_CSV;
    return looks_like_csv(text);
}
