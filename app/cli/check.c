/*
 * check.c - `hearth check`: the configuration, its problems, its effective values, and what follows
 * from the table of rows: the annotated sample and the manual's list of keys.
 */
#include "app/adapter/dispatch.h"
#include "app/cli/cli.h"
#include "app/core/config_manual.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { OUTPUT_MAXIMUM = 16 << 20, TABLES_MAXIMUM = 64 };

struct check_options {
    bool effective, json, sample, manual;
};

/* ---- What follows from the rows alone ---- */

static int print_rows(const struct cli *cli, bool sample)
{
    struct config_rows tables[TABLES_MAXIMUM];
    struct buffer out;
    size_t count = app_config_tables(cli->modules, tables, TABLES_MAXIMUM);
    buffer_init(&out, OUTPUT_MAXIMUM);
    enum hearth_error error =
        sample ? config_sample(tables, count, &out) : config_manual(tables, count, &out);
    int result = error == HEARTH_OK ? cli_print_buffer(&out) : cli_no_memory();
    buffer_clean(&out);
    return result;
}

/* ---- A file ---- */

static int print_effective(const struct config *config)
{
    struct buffer out;
    buffer_init(&out, OUTPUT_MAXIMUM);
    enum hearth_error error = config_print(config, &out);
    int result = error == HEARTH_OK ? cli_print_buffer(&out) : cli_no_memory();
    buffer_clean(&out);
    return result;
}

static void append_problem(struct buffer *out, const struct config_problem *problem)
{
    buffer_append_text(out, "{\"where\":");
    buffer_append_json(out, view_of(problem->where));
    buffer_append_text(out, ",\"key\":");
    buffer_append_json(out, view_of(problem->key));
    buffer_append_text(out, ",\"what\":");
    buffer_append_json(out, view_of(problem->what));
    buffer_append_byte(out, '}');
}

static int print_json(const char *path, const struct config_problems *problems)
{
    struct buffer out;
    buffer_init(&out, OUTPUT_MAXIMUM);
    buffer_append_format(&out, "{\"ok\":%s,\"path\":", problems->count == 0 ? "true" : "false");
    buffer_append_json(&out, view_of(path));
    buffer_append_text(&out, ",\"problems\":[");
    for (size_t i = 0; i < problems->count; i++) {
        buffer_append_text(&out, i == 0 ? "" : ",");
        append_problem(&out, &problems->items[i]);
    }
    buffer_append_text(&out, "]}\n");
    int result = cli_print_buffer(&out);
    buffer_clean(&out);
    return result;
}

/* A file can be right and the pool not start. Tells of whoever runs this, so that it is true for
 * everybody. */
static void warn_of_state(const struct config *config)
{
    char nearest[PATH_MAX];
    const char *state = config_string(config, "state.directory");
    int length = snprintf(nearest, sizeof nearest, "%s", state);
    if (length < 0 || (size_t)length >= sizeof nearest)
        return;
    while (access(nearest, F_OK) != 0 && errno == ENOENT) { /* what is missing can be made */
        char *slash = strrchr(nearest, '/');
        if (!slash || slash == nearest)
            return;
        *slash = '\0';
    }
    if (access(nearest, W_OK | X_OK) != 0)
        fprintf(stderr, "hearth: warning: state.directory: user %llu cannot write to %s: %s\n",
                (unsigned long long)geteuid(), nearest, strerror(errno));
}

static int report(const struct check_options *options, const char *path,
                  const struct config *config, const struct config_problems *problems)
{
    int result = CLI_OK;
    if (options->json)
        result = print_json(path, problems);
    else if (problems->count > 0)
        cli_print_problems(problems);
    else if (options->effective)
        result = print_effective(config);
    else
        printf("%s: good\n", path);
    if (problems->count == 0)
        warn_of_state(config);
    if (result != CLI_OK)
        return result;
    return problems->count > 0 ? CLI_MISTAKEN : CLI_OK;
}

static int check_file(const struct cli *cli, const struct check_options *options, const char *path)
{
    struct config *config;
    struct config_problems problems;
    enum hearth_error error = app_config_load(cli->modules, path, &config, &problems);
    int result =
        error == HEARTH_NO_MEMORY ? cli_no_memory() : report(options, path, config, &problems);
    config_problems_clean(&problems);
    config_free(config);
    return result;
}

int cli_check(struct cli *cli, const struct command *command, int argc, char **argv)
{
    struct check_options chosen = {0};
    const struct cli_option options[] = {
        {.name = "effective", .flag = &chosen.effective},
        {.name = "json", .flag = &chosen.json},
        {.name = "sample", .flag = &chosen.sample},
        {.name = "manual", .flag = &chosen.manual},
    };
    int count;
    int over =
        cli_options(cli, command, options, sizeof options / sizeof options[0], argc, argv, &count);
    if (over != CLI_GO_ON)
        return over;
    if (chosen.effective + chosen.json + chosen.sample + chosen.manual > 1)
        return cli_mistaken(command,
                            "--effective, --json, --sample and --manual exclude each other");
    if (count > 1 || (count > 0 && (chosen.sample || chosen.manual)))
        return cli_mistaken(command, "too many arguments");
    if (count > 0 && cli->config_option)
        return cli_mistaken(command, "the file is given twice, by --config and by name");
    if (chosen.sample || chosen.manual)
        return print_rows(cli, chosen.sample);
    return check_file(cli, &chosen, count > 0 ? argv[0] : config_choose_path(cli->config_option));
}
