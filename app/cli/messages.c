/*
 * messages.c - what commands say when they cannot do what was asked.
 */
#include "app/adapter/dispatch.h"
#include "app/cli/cli.h"

#include <stdio.h>

enum { CLI_WHY_SIZE = 512 };

int cli_mistaken(const struct command *command, const char *format, ...)
{
    va_list arguments;
    fprintf(stderr, "hearth%s%s: ", command ? " " : "", command ? command->name : "");
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fprintf(stderr, "\nSee: hearth help%s%s\n", command ? " " : "", command ? command->name : "");
    return CLI_MISTAKEN;
}

int cli_failed(const char *what, enum hearth_error code, const struct error_record *error)
{
    char why[CLI_WHY_SIZE];
    error_describe(error, code, why, sizeof why);
    fprintf(stderr, "hearth: %s: %s\n", what, why);
    return code == HEARTH_BAD_REQUEST ? CLI_MISTAKEN : CLI_FAILED;
}

int cli_no_memory(void)
{
    fprintf(stderr, "hearth: out of memory\n");
    return CLI_FAILED;
}

void cli_print_problems(const struct config_problems *problems)
{
    for (size_t i = 0; i < problems->count; i++) {
        const struct config_problem *problem = &problems->items[i];
        fprintf(stderr, "%s%s%s%s%s\n", problem->where, problem->where[0] ? ": " : "", problem->key,
                problem->key[0] ? ": " : "", problem->what);
    }
}

int cli_load_config(const struct cli *cli, struct config **config)
{
    struct config_problems problems;
    enum hearth_error error =
        app_config_load(cli->modules, config_choose_path(cli->config_option), config, &problems);
    cli_print_problems(&problems);
    config_problems_clean(&problems);
    if (error == HEARTH_NO_MEMORY)
        return cli_no_memory();
    return error == HEARTH_OK ? CLI_GO_ON : CLI_MISTAKEN;
}

int cli_print_buffer(const struct buffer *buffer)
{
    if (buffer_status(buffer) != HEARTH_OK)
        return cli_failed("the output", buffer_status(buffer), NULL);
    fwrite(buffer->data, 1, buffer->length, stdout);
    return CLI_OK;
}
