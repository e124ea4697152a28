/*
 * arguments.h - values of options: numbers, and a place in the readings' store.
 */
#ifndef HEARTH_CLI_ARGUMENTS_H
#define HEARTH_CLI_ARGUMENTS_H

#include "app/cli/cli.h"

/* `text` NULL leaves `*number`. Else a decimal number within the bounds; gives back CLI_GO_ON, or
 * says what --NAME takes and gives back CLI_MISTAKEN. */
int cli_take_number(const struct command *command, const char *name, const char *text,
                    double minimum, double maximum, double *number);
int cli_take_integer(const struct command *command, const char *name, const char *text,
                     int64_t minimum, int64_t maximum, int64_t *number);
/* A time: milliseconds since 1970, RFC 3339, a day, now, now-24h; `text` NULL leaves `*ms`. */
int cli_take_time(const struct command *command, const char *name, const char *text, int64_t *ms);

#endif
