/*
 * token.c - `hearth token new|list|revoke`, over the object store of the configuration.
 */
#include "app/cli/cli.h"
#include "app/cli/owner.h"
#include "app/cli/token_text.h"
#include "app/http/objects_open.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { OUTPUT_MAXIMUM = 16 << 20 };

/* What every subcommand works on. */
struct work {
    struct config *config;
    struct object_store *objects;
};

static void close_work(struct work *work)
{
    if (work->objects)
        work->objects->free(work->objects);
    config_free(work->config);
}

static bool is_missing(const char *path)
{
    struct stat status;
    return stat(path, &status) != 0 && errno == ENOENT;
}

/* The pool's user must own the store; where there is none yet, nobody but root is known. */
static void warn_of_root(const char *path)
{
    if (geteuid() == 0)
        fprintf(stderr,
                "hearth: %s is made now and belongs to root; hearth-fcgi must run as root "
                "too, or be given it\n",
                path);
}

/* Loads the configuration and opens the store. With `make`, a store that is missing is made; else
 * `work->objects` stays NULL. Gives back CLI_GO_ON or an exit code. */
static int open_work(const struct cli *cli, bool make, struct work *work)
{
    char path[PATH_MAX];
    struct error_record error = {0};
    *work = (struct work){0};
    int over = cli_load_config(cli, &work->config);
    if (over != CLI_GO_ON)
        return over;
    if (!objects_directory(work->config, path, sizeof path))
        return cli_failed("objects.directory", HEARTH_BAD_REQUEST, NULL);
    enum hearth_error outcome = owner_become(path, &error);
    if (outcome != HEARTH_OK)
        return cli_failed(path, outcome, &error);
    bool missing = is_missing(path);
    if (missing && !make)
        return CLI_GO_ON;
    work->objects = objects_open(work->config, &error);
    if (!work->objects)
        return cli_failed(path, error.code, &error);
    if (missing)
        warn_of_root(path);
    return CLI_GO_ON;
}

/* ---- new ---- */

struct new_options {
    const char *name, *scope, *unit, *time_zone;
    bool json;
};

/* Arguments to options; what the state itself refuses (names, zones) is left to it. */
static int read_new(const struct command *command, const struct new_options *given,
                    struct auth_token_options *options)
{
    if (!given->name || !given->scope)
        return cli_mistaken(command, "new needs --name and --scope");
    options->name = given->name;
    options->time_zone = given->time_zone;
    options->scopes = auth_scopes_parse(view_of(given->scope));
    if (options->scopes == 0)
        return cli_mistaken(command,
                            "--scope %s: the scopes are data:read, data:write, posts:write, "
                            "media:write, ops:read and ops:write",
                            given->scope);
    if (given->unit && !temperature_unit_parse(view_of(given->unit), &options->unit))
        return cli_mistaken(command, "--unit %s: the units are tenths_f, tenths_c, f and c",
                            given->unit);
    return CLI_GO_ON;
}

static int print_token_json(const struct auth_token_options *options, const char *token,
                            const char *id)
{
    struct auth_identity identity = {.scopes = options->scopes, .unit = options->unit};
    struct buffer out;
    snprintf(identity.id, sizeof identity.id, "%s", id);
    snprintf(identity.name, sizeof identity.name, "%s", options->name);
    snprintf(identity.time_zone, sizeof identity.time_zone, "%s",
             options->time_zone ? options->time_zone : "UTC");
    buffer_init(&out, OUTPUT_MAXIMUM);
    buffer_append_byte(&out, '{');
    token_identity_json(&identity, &out);
    buffer_append_format(&out, ",\"token\":\"%s\"}\n", token);
    int result = cli_print_buffer(&out);
    buffer_clean(&out);
    return result;
}

static void print_hint(const struct config *config, const char *id)
{
    fprintf(stderr,
            "Token %s is made. It is shown only now: keep it.\n"
            "Send it as \"Authorization: Bearer TOKEN\". A running pool knows it within %.3g s.\n",
            id, (double)config_integer(config, "auth.reload_interval_ms") / 1000.0);
}

static int token_new(struct cli *cli, const struct command *command, int argc, char **argv)
{
    struct new_options given = {0};
    struct auth_token_options options = {0};
    const struct cli_option known[] = {
        {.name = "name", .text = &given.name}, {.name = "scope", .text = &given.scope},
        {.name = "unit", .text = &given.unit}, {.name = "time-zone", .text = &given.time_zone},
        {.name = "json", .flag = &given.json},
    };
    int count;
    int over = cli_options(cli, command, known, sizeof known / sizeof known[0], argc, argv, &count);
    if (over == CLI_GO_ON && count > 0)
        over = cli_mistaken(command, "new takes options only, not %s", argv[0]);
    if (over == CLI_GO_ON)
        over = read_new(command, &given, &options);
    if (over != CLI_GO_ON)
        return over;

    struct work work;
    struct error_record error = {0};
    char token[AUTH_TOKEN_SIZE], id[17];
    int result = open_work(cli, true, &work);
    if (result != CLI_GO_ON)
        goto out;
    enum hearth_error outcome =
        auth_token_new(work.objects, &clock_system, &options, token, id, &error);
    if (outcome != HEARTH_OK) {
        result = cli_failed("no token was made", outcome, &error);
        goto out;
    }
    result = CLI_OK;
    if (given.json)
        result = print_token_json(&options, token, id);
    else
        printf("%s\n", token);
    fflush(stdout);
    if (!given.json)
        print_hint(work.config, id);
    explicit_bzero(token, sizeof token);
out:
    close_work(&work);
    return result;
}

/* ---- list ---- */

static int print_list(const struct token_list *list, bool json)
{
    struct buffer out;
    buffer_init(&out, OUTPUT_MAXIMUM);
    if (json)
        token_list_json(list, &out);
    else
        token_list_table(list, &out);
    int result = list->out_of_memory ? cli_no_memory() : cli_print_buffer(&out);
    buffer_clean(&out);
    return result;
}

static int token_list(struct cli *cli, const struct command *command, int argc, char **argv)
{
    bool json = false;
    const struct cli_option known[] = {{.name = "json", .flag = &json}};
    int count;
    int over = cli_options(cli, command, known, 1, argc, argv, &count);
    if (over == CLI_GO_ON && count > 0)
        over = cli_mistaken(command, "list takes no arguments");
    if (over != CLI_GO_ON)
        return over;

    struct work work;
    struct token_list list = {0};
    struct error_record error = {0};
    int result = open_work(cli, false, &work);
    if (result == CLI_GO_ON) {
        enum hearth_error outcome =
            work.objects ? auth_token_list(work.objects, token_list_add, &list, &error) : HEARTH_OK;
        result = outcome == HEARTH_OK ? print_list(&list, json)
                                      : cli_failed("the tokens cannot be read", outcome, &error);
    }
    token_list_clean(&list);
    close_work(&work);
    return result;
}

/* ---- revoke ---- */

static int token_revoke(struct cli *cli, const struct command *command, int argc, char **argv)
{
    int count;
    int over = cli_options(cli, command, NULL, 0, argc, argv, &count);
    if (over == CLI_GO_ON && count != 1)
        over = cli_mistaken(command, "revoke needs the id or the name of one token");
    if (over != CLI_GO_ON)
        return over;

    struct work work;
    struct error_record error = {0};
    int result = open_work(cli, false, &work);
    if (result == CLI_GO_ON) {
        enum hearth_error outcome =
            work.objects ? auth_token_revoke(work.objects, &clock_system, argv[0], &error)
                         : error_set(&error, HEARTH_NOT_FOUND, "there are no tokens yet");
        result =
            outcome == HEARTH_OK ? CLI_OK : cli_failed("no token was revoked", outcome, &error);
    }
    close_work(&work);
    return result;
}

/* ---- The subcommands ---- */

static const struct {
    const char *name;
    int (*run)(struct cli *cli, const struct command *command, int argc, char **argv);
} subcommands[] = {{"new", token_new}, {"list", token_list}, {"revoke", token_revoke}};

int cli_token(struct cli *cli, const struct command *command, int argc, char **argv)
{
    int first;
    int over = cli_leading_options(cli, command, argc, argv, &first);
    if (over != CLI_GO_ON)
        return over;
    if (first == argc)
        return cli_mistaken(command, "new, list or revoke?");
    for (size_t i = 0; i < sizeof subcommands / sizeof subcommands[0]; i++) {
        if (strcmp(argv[first], subcommands[i].name) == 0)
            return subcommands[i].run(cli, command, argc - first - 1, argv + first + 1);
    }
    return cli_mistaken(command, "there is no token %s", argv[first]);
}
