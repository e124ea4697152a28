/*
 * commands.c - the table of commands. A new command is a row here and a function in a file of its
 * own.
 */
#include "app/cli/cli.h"

#include <string.h>

const struct command cli_commands[] = {
    {"check", "Check a configuration, and show what is in force",
     "check [--effective | --json] [FILE]\n"
     "check --sample | --manual",
     "Names every problem of the configuration as FILE:LINE: key: what is wrong, and ends with 2\n"
     "when there is one.\n"
     "\n"
     "  --effective  print every key with its value and where it was set; secrets are masked\n"
     "  --json       print {\"ok\", \"path\", \"problems\": [{\"where\", \"key\", \"what\"}]}\n"
     "  --sample     print the annotated sample, every key with its default\n"
     "  --manual     print the keys as they stand in hearth.conf(5)\n",
     cli_check},
    {"token", "Make, list and revoke tokens",
     "token new --name NAME --scope SCOPE[,SCOPE...] [--unit UNIT] [--time-zone ZONE] [--json]\n"
     "token list [--json]\n"
     "token revoke ID|NAME",
     "A token is shown once, when it is made; only its hash is stored. Running pools notice a\n"
     "change within auth.reload_interval_ms. Run as root, the command works as the owner of the\n"
     "object store, so that the pool can read what it writes.\n"
     "\n"
     "  --name NAME       what the token is for, 1 to 64 bytes\n"
     "  --scope SCOPES    data:read data:write posts:write media:write ops:read ops:write\n"
     "  --unit UNIT       of a bare temperature: tenths_f (default), tenths_c, f or c\n"
     "  --time-zone ZONE  of times without an offset, like America/Denver (default UTC)\n"
     "  --json            print JSON\n",
     cli_token},
    {"help", "Show this, or the help of a command", "help [COMMAND]", "", cli_help},
    {"version", "Show the version", "version", "", cli_version},
    {0},
};

const struct command *cli_find_command(const char *name)
{
    for (const struct command *command = cli_commands; command->name; command++) {
        if (strcmp(command->name, name) == 0)
            return command;
    }
    return NULL;
}
