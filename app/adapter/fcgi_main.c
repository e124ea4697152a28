/*
 * fcgi_main.c - arguments and configuration, then the pool.
 */
#include "app/adapter/fcgi_main.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "app/adapter/dispatch.h"
#include "app/adapter/fcgi_pool.h"

static const char usage[] =
    "usage: hearth-fcgi [--config FILE] [--foreground]\n"
    "       hearth-fcgi --check [--config FILE]\n"
    "       hearth-fcgi --version | --help\n"
    "\n"
    "Runs the pool of FastCGI workers, in the foreground, until it is told to end.\n"
    "\n"
    "  -c, --config FILE  the configuration; else $HEARTH_CONFIG, else /etc/hearth/hearth.conf\n"
    "  -n, --check        only check the configuration: every problem, exit code 2\n"
    "  -f, --foreground   for a terminal: log as text, to standard error\n"
    "  -V, --version      print the version\n"
    "  -h, --help         print this\n"
    "\n"
    "Listens on the socket it was handed by spawn-fcgi or systemd, else on pool.listen.\n"
    "SIGHUP reloads, SIGUSR1 reopens the log, SIGTERM drains and ends. See hearth-fcgi(8).\n";

struct arguments {
    const char *config;
    bool check, foreground;
};

enum outcome { ARGUMENTS_GO_ON, ARGUMENTS_DONE, ARGUMENTS_WRONG };

static enum outcome parse_arguments(int argc, char **argv, struct arguments *arguments)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'}, {"check", no_argument, NULL, 'n'},
        {"foreground", no_argument, NULL, 'f'},   {"version", no_argument, NULL, 'V'},
        {"help", no_argument, NULL, 'h'},         {NULL, 0, NULL, 0}};
    int letter;
    while ((letter = getopt_long(argc, argv, "c:nfVh", options, NULL)) != -1) {
        switch (letter) {
        case 'c':
            arguments->config = optarg;
            break;
        case 'n':
            arguments->check = true;
            break;
        case 'f':
            arguments->foreground = true;
            break;
        case 'V':
            printf("hearth-fcgi %s\n", HEARTH_VERSION);
            return ARGUMENTS_DONE;
        case 'h':
            fputs(usage, stdout);
            return ARGUMENTS_DONE;
        default:
            fputs(usage, stderr);
            return ARGUMENTS_WRONG;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "hearth-fcgi: unexpected argument: %s\n%s", argv[optind], usage);
        return ARGUMENTS_WRONG;
    }
    return ARGUMENTS_GO_ON;
}

static struct config *load_config(const struct module *const *modules, const char *path)
{
    struct config *config = NULL;
    struct config_problems problems;
    const enum hearth_error code = app_config_load(modules, path, &config, &problems);
    for (size_t i = 0; i < problems.count; i++) {
        const struct config_problem *problem = &problems.items[i];
        fprintf(stderr, "%s: %s%s%s\n", problem->where, problem->key, problem->key[0] ? ": " : "",
                problem->what);
    }
    if (code != HEARTH_OK && problems.count == 0) {
        fprintf(stderr, "hearth-fcgi: %s: %s\n", path, error_title(code));
    }
    config_problems_clean(&problems);
    return config;
}

int fcgi_main(int argc, char **argv, const struct module *const *modules)
{
    struct arguments arguments = {.config = NULL};
    const enum outcome outcome = parse_arguments(argc, argv, &arguments);
    if (outcome != ARGUMENTS_GO_ON) {
        return outcome == ARGUMENTS_DONE ? FCGI_EXIT_OK : FCGI_EXIT_MISTAKEN;
    }
    struct fcgi_pool_options options = {
        .modules = modules,
        .config_path = config_choose_path(arguments.config),
        .foreground = arguments.foreground,
    };
    options.config = load_config(modules, options.config_path);
    if (!options.config) {
        return FCGI_EXIT_MISTAKEN;
    }
    if (arguments.check) {
        printf("hearth-fcgi: %s is in order\n", options.config_path);
        config_free(options.config);
        return FCGI_EXIT_OK;
    }
    if (fcgi_pool_log(options.config, arguments.foreground) != HEARTH_OK) {
        fprintf(stderr, "hearth-fcgi: log.file: %s cannot be opened: %s\n",
                config_string(options.config, "log.file"), strerror(errno));
        config_free(options.config);
        return FCGI_EXIT_FAILED;
    }
    return fcgi_pool_run(&options);
}
