/*
 * request.c - what handlers do with a request besides reading it: say what went wrong, and look at
 * the time.
 */
#include <stdio.h>

#include "hearth/request.h"

/* The format is done with here, since error_set takes no va_list. */
HEARTH_PRINTF(5, 0)
static enum hearth_error record(const struct request *request, enum hearth_error code, int number,
                                bool public_detail, const char *format, va_list arguments)
{
    struct error_record *error = request->error;
    char detail[sizeof error->detail];
    if (vsnprintf(detail, sizeof detail, format, arguments) < 0)
        detail[0] = '\0';
    return public_detail ? error_set(error, code, "%s", detail)
                         : error_set_internal(error, code, number, "%s", detail);
}

enum hearth_error request_fail(const struct request *request, enum hearth_error code,
                               const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    record(request, code, 0, true, format, arguments);
    va_end(arguments);
    return code;
}

enum hearth_error request_fail_internal(const struct request *request, enum hearth_error code,
                                        int number, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    record(request, code, number, false, format, arguments);
    va_end(arguments);
    return code;
}

void request_will_wait(const struct request *request)
{
    if (request->will_wait)
        request->will_wait(request->will_wait_context);
}

int64_t request_time_left_ms(const struct request *request)
{
    int64_t left_ns = request->deadline_ns - clock_monotonic_ns(request->clock);
    return left_ns > 0 ? left_ns / 1000000 : 0;
}
