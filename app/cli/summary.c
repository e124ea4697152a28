/*
 * summary.c - `hearth summary`: the block summaries, brought up to date or made anew.
 *
 * They follow from the sealed files, so this needs no lock: it looks at the manifest as it is, and
 * writes beside what stands. A keeper that seals a day meanwhile writes the year's summary as well;
 * the later one counts, and what it lacks is read from the records until the next seal.
 */
#include "handlers/sensor/summary/summary.h"

#include "app/cli/arguments.h"
#include "app/cli/cli.h"
#include "app/cli/figures.h"
#include "app/cli/progress.h"
#include "app/cli/store_open.h"
#include "app/cli/store_scan.h"
#include "handlers/sensor/series/series_names.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { YEARS = 140, FIRST_YEAR = 1970, ATTEMPTS = 5 };

struct summary_work {
    struct cli_store store;
    struct store_scan scan;
    struct series_names *names;
    struct live_published published;
    struct snapshots *snapshots;
    bool rebuild, json;
    bool years[YEARS];
    struct progress progress;
    uint64_t year_count, days, built, all_days;
};

static int year_of(int32_t day)
{
    struct civil_time civil;
    civil_from_ms((int64_t)day * 86400000, &civil);
    return civil.year;
}

/* The years that have sealed readings; the days of those that are asked for. */
static void find_years(struct summary_work *work, int64_t wanted)
{
    int32_t day = INT32_MIN;
    for (size_t i = work->scan.suspects; i < work->scan.count; i++) {
        int year = year_of(work->scan.rows[i].file.day);
        if (year < FIRST_YEAR || year >= FIRST_YEAR + YEARS || (wanted != 0 && year != wanted))
            continue;
        work->years[year - FIRST_YEAR] = true;
        work->all_days += work->scan.rows[i].file.day != day;
        day = work->scan.rows[i].file.day;
    }
}

/* Readers of the sealed files alone: what is live is no part of a summary. */
static enum hearth_error open_snapshots(struct summary_work *work, struct error_record *error)
{
    struct live_state state = {.newest_ms = -1,
                               .generation = 1,
                               .manifest_year = work->scan.position.year,
                               .manifest_bytes = work->scan.position.bytes};
    memcpy(state.id, work->scan.id, sizeof state.id);
    live_publish(&work->published, &state);
    work->snapshots = snapshots_new(&file_system, work->store.options.directory, &work->published);
    return work->snapshots
               ? HEARTH_OK
               : error_set_internal(error, HEARTH_NO_MEMORY, 0, "no memory to read the store");
}

static int64_t limit_of(void *context, int channel, int rolling_code, int32_t day)
{
    const struct summary_work *work = context;
    uint32_t series =
        series_names_find(work->names, channel, rolling_code, (int64_t)day * 86400000);
    return series_names_limit_ms(work->names, series);
}

/* Does the file stand as it was written? A keeper that wrote it at the same moment used the same
 * temporary file. */
static bool is_whole(const struct summary_work *work, int32_t year)
{
    struct error_record ignored = {0};
    struct summary_file *file =
        summary_file_open(&file_system, work->store.options.directory, year, &ignored);
    summary_file_close(file);
    return file != NULL;
}

static enum hearth_error try_year(struct summary_work *work, struct snapshot *snapshot,
                                  int32_t year, struct summary_progress *done,
                                  struct error_record *error)
{
    enum hearth_error code = HEARTH_OK;
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        *done = (struct summary_progress){0};
        code = summary_write(&file_system, work->store.options.directory, snapshot, year,
                             work->rebuild, limit_of, work, done, error);
        if (code == HEARTH_OK && is_whole(work, year))
            return HEARTH_OK;
        if (code != HEARTH_OK && code != HEARTH_NOT_FOUND)
            return code;
    }
    return code != HEARTH_OK
               ? code
               : error_set_internal(error, HEARTH_BUSY, 0,
                                    "the summary of %d is being written by another process", year);
}

static enum hearth_error write_year(struct summary_work *work, int32_t year,
                                    struct error_record *error)
{
    struct snapshot *snapshot;
    struct summary_progress done;
    enum hearth_error code = snapshot_open(work->snapshots, &snapshot, error);
    if (code != HEARTH_OK)
        return code;
    code = try_year(work, snapshot, year, &done, error);
    snapshot_close(snapshot);
    if (code != HEARTH_OK)
        return code;
    work->year_count++;
    work->days += done.days_all;
    work->built += done.days_built;
    progress_show(&work->progress, work->days, work->days);
    return HEARTH_OK;
}

static enum hearth_error write_years(struct summary_work *work, int64_t wanted,
                                     struct error_record *error)
{
    enum hearth_error code = store_scan_manifest(&work->scan, work->store.options.directory, error);
    if (code != HEARTH_OK)
        return code;
    find_years(work, wanted);
    work->names =
        series_names_load(work->store.options.directory, work->store.default_stale_ms, error);
    code = work->names ? open_snapshots(work, error) : error->code;
    for (int i = 0; code == HEARTH_OK && i < YEARS; i++) {
        if (work->years[i])
            code = write_year(work, FIRST_YEAR + i, error);
    }
    return code;
}

static int report(const struct summary_work *work)
{
    char years[FIGURE_SIZE], days[FIGURE_SIZE], built[FIGURE_SIZE];
    if (work->json)
        printf("{\"years\":%" PRIu64 ",\"days\":%" PRIu64 ",\"built\":%" PRIu64 "}\n",
               work->year_count, work->days, work->built);
    else
        printf("%s days of %s years are summarized, %s of them anew\n",
               figure_count(work->days, days), figure_count(work->year_count, years),
               figure_count(work->built, built));
    return CLI_OK;
}

static int run(struct summary_work *work, int64_t wanted, bool quiet)
{
    struct error_record error = {0};
    progress_start(&work->progress, "summarizing", 0, false, quiet);
    enum hearth_error code = write_years(work, wanted, &error);
    progress_end(&work->progress);
    if (code != HEARTH_OK)
        return cli_failed("not all summaries were written", code, &error);
    if (wanted != 0 && work->year_count == 0) {
        fprintf(stderr, "hearth: nothing of %" PRId64 " is sealed\n", wanted);
        return CLI_FAILED;
    }
    return report(work);
}

int cli_summary(struct cli *cli, const struct command *command, int argc, char **argv)
{
    struct summary_work work = {0};
    const char *directory = NULL, *year = NULL;
    bool quiet = false;
    int64_t wanted = 0;
    const struct cli_option options[] = {
        {.name = "rebuild", .flag = &work.rebuild}, {.name = "year", .text = &year},
        {.name = "store", .text = &directory},      {.name = "json", .flag = &work.json},
        {.name = "quiet", .flag = &quiet},
    };
    int count;
    int result =
        cli_options(cli, command, options, sizeof options / sizeof options[0], argc, argv, &count);
    if (result == CLI_GO_ON && count > 0)
        result = cli_mistaken(command, "takes options only, not %s", argv[0]);
    if (result == CLI_GO_ON)
        result =
            cli_take_integer(command, "year", year, FIRST_YEAR, FIRST_YEAR + YEARS - 1, &wanted);
    if (result == CLI_GO_ON)
        result = cli_store_find(cli, directory, &work.store);
    if (result == CLI_GO_ON)
        result = cli_store_must_exist(&work.store);
    if (result == CLI_GO_ON)
        result = run(&work, wanted, quiet);
    snapshots_free(work.snapshots);
    series_names_free(work.names);
    store_scan_clean(&work.scan);
    cli_store_close(&work.store);
    return result;
}
