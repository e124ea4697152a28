/*
 * arguments.c - values of options.
 */
#include "app/cli/arguments.h"

#include "app/cli/store_open.h"
#include "handlers/sensor/text/time_parse.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

int cli_take_number(const struct command *command, const char *name, const char *text,
                    double minimum, double maximum, double *number)
{
    char *end;
    if (!text)
        return CLI_GO_ON;
    errno = 0;
    double value = strtod(text, &end);
    if (errno != 0 || end == text || *end != '\0' || !isfinite(value) || value < minimum ||
        value > maximum)
        return cli_mistaken(command, "--%s %s: a number from %g to %.10g", name, text, minimum,
                            maximum);
    *number = value;
    return CLI_GO_ON;
}

int cli_take_integer(const struct command *command, const char *name, const char *text,
                     int64_t minimum, int64_t maximum, int64_t *number)
{
    int64_t value;
    if (!text)
        return CLI_GO_ON;
    if (!view_to_int64(view_of(text), &value) || value < minimum || value > maximum)
        return cli_mistaken(command, "--%s %s: an integer from %lld to %lld", name, text,
                            (long long)minimum, (long long)maximum);
    *number = value;
    return CLI_GO_ON;
}

int cli_take_time(const struct command *command, const char *name, const char *text, int64_t *ms)
{
    if (!text || cli_parse_time(text, ms))
        return CLI_GO_ON;
    return cli_mistaken(command, "--%s %s: a day like 2025-09-14, or " TIME_QUERY_FORMS, name,
                        text);
}
