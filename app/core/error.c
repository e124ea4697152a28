/*
 * error.c - the table of errors, and the record that says where and why.
 *
 * The table is HEARTH_ERRORS in base.h; here it becomes an array. A detail is for one of two
 * readers: the client (error_set) or the log (error_set_internal), and never changes hands.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "hearth/base.h"

struct error_row {
    const char *name;
    int http_status;
    const char *title;
};

static const struct error_row error_rows[] = {
#define HEARTH_ERROR_ROW(name, status, title) {#name, status, title},
    HEARTH_ERRORS(HEARTH_ERROR_ROW)
#undef HEARTH_ERROR_ROW
};

static const struct error_row unknown_row = {"UNKNOWN", 500, "Internal error"};

static const struct error_row *error_row(enum hearth_error error)
{
    size_t index = (size_t)error;
    return index < HEARTH_ERROR_COUNT ? &error_rows[index] : &unknown_row;
}

const char *error_name(enum hearth_error error)
{
    return error_row(error)->name;
}

int error_http_status(enum hearth_error error)
{
    return error_row(error)->http_status;
}

const char *error_title(enum hearth_error error)
{
    return error_row(error)->title;
}

enum hearth_error error_from_errno(int number)
{
    switch (number) {
    case ENOSPC:
    case EDQUOT:
        return HEARTH_DISK_FULL;
    case ENOENT:
        return HEARTH_NOT_FOUND;
    case ENOMEM:
        return HEARTH_NO_MEMORY;
    case EEXIST:
        return HEARTH_CONFLICT;
    case EPIPE:
    case ECONNRESET:
        return HEARTH_CLIENT_GONE;
    default:
        return HEARTH_IO;
    }
}

HEARTH_PRINTF(5, 0)
static void record_fill(struct error_record *record, enum hearth_error code, int number,
                        bool public_detail, const char *format, va_list arguments)
{
    /* The arguments may point into the old detail: it is overwritten only once the new one stands.
     */
    char detail[sizeof record->detail];
    if (vsnprintf(detail, sizeof detail, format, arguments) < 0)
        detail[0] = '\0';
    *record = (struct error_record){.code = code, .number = number, .public_detail = public_detail};
    for (size_t i = 0; i + 1 < sizeof detail && detail[i]; i++)
        record->detail[i] = detail[i];
}

enum hearth_error error_set(struct error_record *record, enum hearth_error code, const char *format,
                            ...)
{
    if (record) {
        va_list arguments;
        va_start(arguments, format);
        record_fill(record, code, 0, true, format, arguments);
        va_end(arguments);
    }
    return code;
}

enum hearth_error error_set_internal(struct error_record *record, enum hearth_error code,
                                     int number, const char *format, ...)
{
    if (record) {
        va_list arguments;
        va_start(arguments, format);
        record_fill(record, code, number, false, format, arguments);
        va_end(arguments);
    }
    return code;
}

void error_describe(const struct error_record *record, enum hearth_error code, char *text,
                    size_t text_size)
{
    const char *detail = record && record->detail[0] ? record->detail : error_title(code);
    const char *reason = record && record->number != 0 ? strerror(record->number) : "";
    const bool said = strstr(detail, reason) != NULL;
    snprintf(text, text_size, "%s%s%s", detail, said ? "" : ": ", said ? "" : reason);
}
