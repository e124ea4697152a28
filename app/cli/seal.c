/*
 * seal.c - `hearth seal`: what is live becomes sealed files, now.
 */
#include "app/cli/cli.h"
#include "app/cli/store_open.h"

#include <stdio.h>

enum { SEAL_DEADLINE_S = 600 };

static int seal(const struct cli_store *store, bool json)
{
    struct error_record error = {0};
    struct store_state state = {0};
    struct reading_store *readings = store->readings;
    int64_t deadline_ns = clock_monotonic_ns(&clock_system) + SEAL_DEADLINE_S * INT64_C(1000000000);
    if (!readings->seal)
        return cli_failed(store->options.directory, HEARTH_UNSUPPORTED, NULL);
    enum hearth_error code = readings->seal(readings, deadline_ns, &error);
    if (code == HEARTH_OK)
        code = readings->state(readings, &state, &error);
    if (code != HEARTH_OK)
        return cli_failed("not everything is sealed", code, &error);
    if (json)
        printf("{\"sealed\":true,\"readings\":%llu}\n", (unsigned long long)state.readings);
    else
        printf("%s: sealed\n", store->options.directory);
    return CLI_OK;
}

int cli_seal(struct cli *cli, const struct command *command, int argc, char **argv)
{
    struct cli_store store = {0};
    const char *directory = NULL;
    bool json = false;
    const struct cli_option options[] = {
        {.name = "store", .text = &directory},
        {.name = "json", .flag = &json},
    };
    int count;
    int result =
        cli_options(cli, command, options, sizeof options / sizeof options[0], argc, argv, &count);
    if (result == CLI_GO_ON && count > 0)
        result = cli_mistaken(command, "takes options only, not %s", argv[0]);
    if (result == CLI_GO_ON)
        result = cli_store_find(cli, directory, &store);
    if (result == CLI_GO_ON)
        result = cli_store_must_exist(&store);
    if (result == CLI_GO_ON)
        result = cli_store_open(&store);
    if (result == CLI_GO_ON)
        result = seal(&store, json);
    cli_store_close(&store);
    return result;
}
