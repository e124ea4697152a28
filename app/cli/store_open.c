/*
 * store_open.c - where the store of readings is, and opening it.
 */
#include "app/cli/store_open.h"

#include "app/adapter/dispatch.h"
#include "app/cli/owner.h"
#include "handlers/sensor/disk/store_id.h"
#include "handlers/sensor/keeper/keeper_socket.h"
#include "handlers/sensor/series/series_names.h"
#include "handlers/sensor/text/time_parse.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The defaults alone: nobody named a configuration, and there is none at the usual place. */
static int load_defaults(const struct cli *cli, struct config **config)
{
    struct config_problems problems;
    enum hearth_error error = app_config_load(cli->modules, NULL, config, &problems);
    cli_print_problems(&problems);
    config_problems_clean(&problems);
    if (error == HEARTH_NO_MEMORY)
        return cli_no_memory();
    return error == HEARTH_OK ? CLI_GO_ON : CLI_MISTAKEN;
}

static bool nothing_is_configured(const struct cli *cli)
{
    const char *named = getenv("HEARTH_CONFIG");
    if (cli->config_option || (named && named[0] != '\0'))
        return false;
    return access(config_choose_path(NULL), F_OK) != 0 && errno == ENOENT;
}

static enum hearth_error take_directory(struct cli_store *store, const char *directory,
                                        struct error_record *error)
{
    const struct services services = {.config = store->config, .clock = &clock_system};
    enum hearth_error code = live_store_options_from(&services, &store->options, error);
    if (code != HEARTH_OK || !directory)
        return code;
    int length =
        snprintf(store->options.directory, sizeof store->options.directory, "%s", directory);
    if (length > 0 && (size_t)length < sizeof store->options.directory)
        return HEARTH_OK;
    return error_set(error, HEARTH_BAD_REQUEST, "the name of the store's directory is %s",
                     length > 0 ? "too long" : "empty");
}

int cli_store_find(const struct cli *cli, const char *directory, struct cli_store *store)
{
    struct error_record error = {0};
    *store = (struct cli_store){.default_stale_ms = SERIES_STALE_AFTER_MS};
    int over = directory && nothing_is_configured(cli) ? load_defaults(cli, &store->config)
                                                       : cli_load_config(cli, &store->config);
    if (over != CLI_GO_ON)
        return over;
    store->default_stale_ms = config_integer(store->config, "sensor.stale_after_s") * 1000;
    store->future_tolerance_ms = config_integer(store->config, "sensor.future_tolerance_s") * 1000;
    enum hearth_error code = take_directory(store, directory, &error);
    if (code == HEARTH_OK)
        code = owner_become(store->options.directory, &error);
    return code == HEARTH_OK ? CLI_GO_ON : cli_failed("the store of readings", code, &error);
}

int cli_store_must_exist(const struct cli_store *store)
{
    const char *directory = store->options.directory;
    struct error_record error = {0};
    enum hearth_error code = store_id_look(&file_system, directory, &error);
    if (code == HEARTH_OK)
        return CLI_GO_ON;
    if (code != HEARTH_NOT_FOUND && error.number != ENOTDIR)
        return cli_failed(directory, code, &error);
    fprintf(stderr,
            "hearth: there is no store of readings in %s; a pool or `hearth import` makes one\n",
            directory);
    return CLI_FAILED;
}

int cli_store_open(struct cli_store *store)
{
    struct error_record error = {0};
    store->readings = command_store_open(&store->options, &error);
    if (store->readings)
        return CLI_GO_ON;
    return cli_failed(store->options.directory, error.code ? error.code : HEARTH_IO, &error);
}

void cli_store_close(struct cli_store *store)
{
    if (store->readings)
        store->readings->free(store->readings);
    config_free(store->config);
    *store = (struct cli_store){0};
}

bool cli_parse_time(const char *text, int64_t *ms)
{
    char whole[32];
    if (strlen(text) == sizeof "2025-09-14" - 1 && text[4] == '-') {
        snprintf(whole, sizeof whole, "%sT00:00:00Z", text);
        text = whole;
    }
    return time_parse_query(view_of(text), clock_wall_ms(&clock_system), ms);
}
