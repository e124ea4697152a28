/*
 * store_open.h - the store of readings that a command works on.
 *
 *   struct cli_store store;
 *   int over = cli_store_find(cli, "DIRECTORY or NULL", &store);     configuration, directory,
 * owner if (over == CLI_GO_ON) over = cli_store_open(&store);            only those that write, or
 * want what is live
 *   ...
 *   cli_store_close(&store);                      in any case
 */
#ifndef HEARTH_CLI_STORE_OPEN_H
#define HEARTH_CLI_STORE_OPEN_H

#include "app/cli/cli.h"
#include "handlers/sensor/embedded_store.h"
#include "handlers/sensor/text/time_zone.h"

struct cli_store {
    struct config *config;
    struct live_store_options options; /* options.directory is the store's */
    int64_t default_stale_ms, future_tolerance_ms;
    struct reading_store *readings; /* NULL until cli_store_open */
};

/* Loads the configuration and takes on the owner of the store's directory (owner.h). With
 * `directory`, that is the store, whatever the configuration says, and a configuration that is not
 * there is no mistake. Gives back CLI_GO_ON or an exit code. */
int cli_store_find(const struct cli *cli, const char *directory, struct cli_store *store);
/* Is there a store in the directory? If not, says so. Gives back CLI_GO_ON or CLI_FAILED. */
int cli_store_must_exist(const struct cli_store *store);
/* Opens it, through the keeper of a running pool or, without one, as the keeper. Gives back
 * CLI_GO_ON or an exit code. */
int cli_store_open(struct cli_store *store);
void cli_store_close(struct cli_store *store);

/* A time of the command line: time_parse_query, or a day like 2025-09-14, in UTC. False when it is
 * none. */
bool cli_parse_time(const char *text, int64_t *ms);

#endif
