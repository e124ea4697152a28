/*
 * help.c - `hearth help` and `hearth version`, from the table of commands.
 */
#include "app/cli/cli.h"

#include <stdio.h>
#include <string.h>

/* Each line of the usage behind "hearth ". */
static void print_usage(const struct command *command, const char *indent)
{
    struct view rest = view_of(command->usage);
    while (rest.data) {
        struct view line = view_split(&rest, '\n');
        printf("%shearth %.*s\n", indent, VIEW_ARGUMENTS(line));
    }
}

void cli_print_help(const struct command *command)
{
    printf("%s.\n\n", command->summary);
    print_usage(command, "  ");
    if (command->help[0])
        printf("\n%s", command->help);
}

void cli_print_overview(void)
{
    printf("hearth - the command line of Hearth, a home for a site, endpoints and sensors\n"
           "\n"
           "  hearth [--config FILE] COMMAND ...\n"
           "\n");
    for (const struct command *command = cli_commands; command->name; command++)
        printf("  %-9s %s\n", command->name, command->summary);
    printf("\n"
           "The configuration is --config FILE, else the variable HEARTH_CONFIG, else\n"
           "/etc/hearth/hearth.conf. `hearth help COMMAND` says more; hearth(1) says all.\n");
}

int cli_help(struct cli *cli, const struct command *command, int argc, char **argv)
{
    int count;
    int over = cli_options(cli, command, NULL, 0, argc, argv, &count);
    if (over != CLI_GO_ON)
        return over;
    if (count > 1)
        return cli_mistaken(command, "one command at a time");
    if (count == 0) {
        cli_print_overview();
        return CLI_OK;
    }
    const struct command *asked = cli_find_command(argv[0]);
    if (!asked)
        return cli_mistaken(command, "there is no command %s", argv[0]);
    cli_print_help(asked);
    return CLI_OK;
}

int cli_version(struct cli *cli, const struct command *command, int argc, char **argv)
{
    int count;
    int over = cli_options(cli, command, NULL, 0, argc, argv, &count);
    if (over != CLI_GO_ON)
        return over;
    if (count > 0)
        return cli_mistaken(command, "takes no arguments");
    printf("hearth %s\n", HEARTH_VERSION);
    return CLI_OK;
}
