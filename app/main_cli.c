/*
 * main_cli.c - hearth, the command line: finds the command in the table (app/cli/commands.c), runs
 * it, and makes sure that what it printed has arrived.
 */
#include "app/cli/cli.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* `hearth --version` is what people try first. */
static int asked_for_version(int argc, char **argv)
{
    return argc == 2 && strcmp(argv[1], "--version") == 0;
}

static int run(int argc, char **argv)
{
    struct cli cli = {.modules = hearth_modules};
    int first;
    if (asked_for_version(argc, argv))
        return cli_version(&cli, cli_find_command("version"), 0, argv);
    int over = cli_leading_options(&cli, NULL, argc - 1, argv + 1, &first);
    if (over != CLI_GO_ON)
        return over;
    argc -= 1 + first;
    argv += 1 + first;
    if (argc == 0)
        return cli_mistaken(NULL, "which command?");
    const struct command *command = cli_find_command(argv[0]);
    if (!command)
        return cli_mistaken(NULL, "there is no command %s", argv[0]);
    return command->run(&cli, command, argc - 1, argv + 1);
}

int main(int argc, char **argv)
{
    /* Whatever a command makes is for its owner alone. */
    umask(077);
    struct log_options log = {.level = LOG_LEVEL_WARN, .format = LOG_FORMAT_TEXT};
    if (log_configure(&log) != HEARTH_OK)
        return CLI_FAILED;
    int result = run(argc, argv);
    if (fflush(stdout) == 0 && !ferror(stdout))
        return result;
    fprintf(stderr, "hearth: standard output: %s\n", strerror(errno));
    return result == CLI_OK ? CLI_FAILED : result;
}
