/*
 * options.c - reading options.
 */
#include "app/cli/cli.h"

#include <string.h>

/* Where the reader stands. */
struct reader {
    struct cli *cli;
    const struct command *command;
    const struct cli_option *options;
    size_t option_count;
    int argc, at;
    char **argv;
};

static bool has_name(const char *argument, const char *name, const char **value)
{
    size_t length = strlen(name);
    if (strncmp(argument, "--", 2) != 0 || strncmp(argument + 2, name, length) != 0)
        return false;
    *value = argument[2 + length] == '=' ? argument + 3 + length : NULL;
    return *value || argument[2 + length] == '\0';
}

static int take_text(struct reader *reader, const char *name, const char *value, const char **text)
{
    if (!value && reader->at + 1 < reader->argc)
        value = reader->argv[++reader->at];
    if (!value)
        return cli_mistaken(reader->command, "--%s needs a value", name);
    if (*text)
        return cli_mistaken(reader->command, "--%s is given twice", name);
    *text = value;
    return CLI_GO_ON;
}

static int take_flag(const struct reader *reader, const char *name, const char *value, bool *flag)
{
    if (value)
        return cli_mistaken(reader->command, "--%s takes no value", name);
    *flag = true;
    return CLI_GO_ON;
}

static int show_help(const struct command *command)
{
    if (command)
        cli_print_help(command);
    else
        cli_print_overview();
    return CLI_OK;
}

/* The option at the reader's place. */
static int take_option(struct reader *reader)
{
    const char *argument = reader->argv[reader->at], *value;
    for (size_t i = 0; i < reader->option_count; i++) {
        const struct cli_option *option = &reader->options[i];
        if (!has_name(argument, option->name, &value))
            continue;
        return option->flag ? take_flag(reader, option->name, value, option->flag)
                            : take_text(reader, option->name, value, option->text);
    }
    if (has_name(argument, "config", &value))
        return take_text(reader, "config", value, &reader->cli->config_option);
    if (strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0)
        return show_help(reader->command);
    return cli_mistaken(reader->command, "unknown option %s", argument);
}

static bool is_option(const char *argument)
{
    return argument[0] == '-' && argument[1] != '\0';
}

int cli_options(struct cli *cli, const struct command *command, const struct cli_option *options,
                size_t option_count, int argc, char **argv, int *count)
{
    struct reader reader = {cli, command, options, option_count, argc, 0, argv};
    bool only_arguments = false;
    *count = 0;
    for (; reader.at < argc; reader.at++) {
        char *argument = argv[reader.at];
        if (only_arguments || !is_option(argument)) {
            argv[(*count)++] = argument;
        } else if (strcmp(argument, "--") == 0) {
            only_arguments = true;
        } else {
            int over = take_option(&reader);
            if (over != CLI_GO_ON)
                return over;
        }
    }
    return CLI_GO_ON;
}

int cli_leading_options(struct cli *cli, const struct command *command, int argc, char **argv,
                        int *first)
{
    struct reader reader = {cli, command, NULL, 0, argc, 0, argv};
    for (; reader.at < argc && is_option(argv[reader.at]); reader.at++) {
        int over = take_option(&reader);
        if (over != CLI_GO_ON)
            return over;
    }
    *first = reader.at;
    return CLI_GO_ON;
}
