/*
 * cli.h - what the commands of `hearth` share: the table they stand in, options, messages.
 *
 * A command is a row: name, usage, help, function. It reads its options with cli_options, prints
 * results on standard output and everything else on standard error, and gives back an exit code.
 */
#ifndef HEARTH_CLI_H
#define HEARTH_CLI_H

#include "hearth/config.h"
#include "hearth/module.h"

enum {
    CLI_OK = 0,
    CLI_FAILED = 1,   /* what was asked for could not be done */
    CLI_MISTAKEN = 2, /* a mistake in the arguments or in the configuration */
    CLI_GO_ON = -1    /* no exit code: see cli_options */
};

struct cli {
    const struct module *const *modules;
    const char *config_option; /* --config FILE, or NULL */
};

struct command {
    const char *name;
    const char *summary; /* one line for `hearth help` */
    const char *usage;   /* lines behind "hearth ", without it */
    const char *help;    /* paragraphs for `hearth help COMMAND` */
    /* `argv` begins behind the command's name. */
    int (*run)(struct cli *cli, const struct command *command, int argc, char **argv);
};

/* The table of all commands, in the order of `hearth help`; ends with a row without a name. */
extern const struct command cli_commands[];
const struct command *cli_find_command(const char *name); /* or NULL */

/* Each in the file of its name; help.c has the last two. */
int cli_check(struct cli *cli, const struct command *command, int argc, char **argv);
int cli_token(struct cli *cli, const struct command *command, int argc, char **argv);
int cli_import(struct cli *cli, const struct command *command, int argc, char **argv);
int cli_export(struct cli *cli, const struct command *command, int argc, char **argv);
int cli_series(struct cli *cli, const struct command *command, int argc, char **argv);
int cli_stat(struct cli *cli, const struct command *command, int argc, char **argv);
int cli_seal(struct cli *cli, const struct command *command, int argc, char **argv);
int cli_verify(struct cli *cli, const struct command *command, int argc, char **argv);
int cli_summary(struct cli *cli, const struct command *command, int argc, char **argv);
int cli_demo(struct cli *cli, const struct command *command, int argc, char **argv);
int cli_help(struct cli *cli, const struct command *command, int argc, char **argv);
int cli_version(struct cli *cli, const struct command *command, int argc, char **argv);

void cli_print_overview(void);
void cli_print_help(const struct command *command);

/* ---- Options ---- */

/* Exactly one of `flag` and `text` is set. */
struct cli_option {
    const char *name; /* without the dashes */
    bool *flag;
    const char **text; /* NULL until given; giving it twice is a mistake */
};

/* Reads `--name`, `--name VALUE` and `--name=VALUE`, in any order with the arguments; `--` ends the
 * options. `--config FILE` is known everywhere, `--help` prints the command's help. The arguments
 * that are no options are moved to the front of `argv`, their number goes to `count`. Gives back
 * CLI_GO_ON, or the exit code when the command is over. `command` may be NULL. */
int cli_options(struct cli *cli, const struct command *command, const struct cli_option *options,
                size_t option_count, int argc, char **argv, int *count);
/* Reads a command's options up to the first argument that is none, which becomes argv[*first]. */
int cli_leading_options(struct cli *cli, const struct command *command, int argc, char **argv,
                        int *first);

/* ---- Messages ---- */

/* "hearth COMMAND: ..." and where help is, on standard error; gives back CLI_MISTAKEN. */
int cli_mistaken(const struct command *command, const char *format, ...) HEARTH_PRINTF(2, 3);
/* "hearth: WHAT: detail", with the error's number; gives back CLI_MISTAKEN for BAD_REQUEST, else
 * CLI_FAILED. */
int cli_failed(const char *what, enum hearth_error code, const struct error_record *error);
int cli_no_memory(void);
/* Prints each as "FILE:LINE: key: what". */
void cli_print_problems(const struct config_problems *problems);
/* Loads the configuration that the options and the environment name, or tells why not. */
int cli_load_config(const struct cli *cli, struct config **config);
/* Writes a buffer to standard output, or says what failed in making it. */
int cli_print_buffer(const struct buffer *buffer);

#endif
