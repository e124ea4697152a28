/*
 * import.c - `hearth import`: files of readings into the store.
 */
#include "app/cli/arguments.h"
#include "app/cli/cli.h"
#include "app/cli/import_job.h"
#include "app/cli/import_report.h"
#include "app/cli/store_open.h"
#include "app/http/auth_names.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { OUTPUT_MAXIMUM = 16 << 20 };

struct import_arguments {
    const char *format, *unit, *time_zone, *code, *store;
    bool dry_run, restart, json, quiet;
};

struct import_work {
    struct import_arguments given;
    struct cli_store store;
    struct time_zone *zone;
    struct import_job pattern; /* what all files share */
    struct buffer out;         /* JSON of the files */
    size_t files;
};

/* ---- Arguments ---- */

static int read_manner(const struct command *command, struct import_work *work)
{
    const struct import_arguments *given = &work->given;
    struct import_options *options = &work->pattern.options;
    struct error_record error = {0};
    int64_t code = -1;
    options->unit = UNIT_TENTHS_F;
    if (given->unit && !temperature_unit_parse(view_of(given->unit), &options->unit))
        return cli_mistaken(command, "--unit %s: the units are tenths_f, tenths_c, f and c",
                            given->unit);
    if (given->format && !import_format_parse(view_of(given->format), &options->format))
        return cli_mistaken(command, "--format %s: the formats are jsonl, csv and bin",
                            given->format);
    int over = cli_take_integer(command, "rolling-code", given->code, 0, 255, &code);
    if (over != CLI_GO_ON)
        return over;
    options->rolling_code = (int)code;
    work->pattern.unit_name = temperature_unit_name(options->unit);
    work->pattern.zone_name = given->time_zone ? given->time_zone : "UTC";
    if (!given->time_zone)
        return CLI_GO_ON;
    work->zone = time_zone_load(TIME_ZONE_DIRECTORY, view_of(given->time_zone), &error);
    options->zone = work->zone;
    return work->zone ? CLI_GO_ON
                      : cli_mistaken(command, "--time-zone %s: no such zone in %s",
                                     given->time_zone, TIME_ZONE_DIRECTORY);
}

static int open_store(struct cli *cli, struct import_work *work)
{
    int over = cli_store_find(cli, work->given.store, &work->store);
    if (over == CLI_GO_ON && !work->given.dry_run)
        over = cli_store_open(&work->store);
    if (over != CLI_GO_ON)
        return over;
    work->pattern.store = work->store.readings;
    work->pattern.store_directory = work->store.options.directory;
    work->pattern.format_name = work->given.format;
    work->pattern.restart = work->given.restart;
    work->pattern.quiet = work->given.quiet;
    work->pattern.options.now_ms = clock_wall_ms(&clock_system);
    work->pattern.options.future_tolerance_ms = work->store.future_tolerance_ms;
    return CLI_GO_ON;
}

/* ---- Files ---- */

static void report(struct import_work *work, const struct import_job *job, bool finished)
{
    if (!work->given.json) {
        import_report_text(job);
        return;
    }
    buffer_append_text(&work->out, work->files++ == 0 ? "" : ",");
    import_report_json(job, finished, &work->out);
}

/* A file of something else shall not look like a success to a script. */
static int check_any(const struct import_job *job)
{
    const struct import_counts *counts = &job->total.counts;
    if (counts->records > 0 || counts->rejected == 0)
        return CLI_OK;
    fprintf(stderr, "hearth: %s: nothing in it is a reading\n", job->path);
    return CLI_FAILED;
}

static int import_file(struct import_work *work, const char *path)
{
    struct import_job job = work->pattern;
    struct error_record error = {0};
    job.path = path;
    enum hearth_error code = import_job_run(&job, &error);
    if (job.going_on && !work->given.quiet)
        fprintf(stderr,
                "hearth: %s: went on at byte %" PRIu64 ", where an earlier import stopped\n", path,
                job.resumed_at);
    if (job.began)
        report(work, &job, code == HEARTH_OK);
    if (code == HEARTH_OK)
        return check_any(&job);
    int result = cli_failed(path, code, &error);
    if (job.is_open_state && job.total.counts.lines > 0)
        fprintf(stderr, "hearth: the same command goes on where this one stopped\n");
    return result;
}

static int import_files(struct import_work *work, int count, char **paths)
{
    int result = CLI_OK;
    if (work->given.json)
        buffer_append_text(&work->out, "{\"files\":[");
    for (int i = 0; i < count; i++) {
        int one = import_file(work, paths[i]);
        result = one == CLI_OK ? result : one;
    }
    if (!work->given.json)
        return result;
    buffer_append_text(&work->out, "]}\n");
    int printed = cli_print_buffer(&work->out);
    return result == CLI_OK ? printed : result;
}

static int check_arguments(const struct command *command, int count, char **argv)
{
    int standard_input = 0;
    for (int i = 0; i < count; i++)
        standard_input += strcmp(argv[i], "-") == 0;
    if (count == 0)
        return cli_mistaken(command, "which file? - is standard input");
    return standard_input > 1 ? cli_mistaken(command, "- can be read once") : CLI_GO_ON;
}

int cli_import(struct cli *cli, const struct command *command, int argc, char **argv)
{
    struct import_work work = {0};
    struct import_arguments *given = &work.given;
    const struct cli_option options[] = {
        {.name = "format", .text = &given->format},
        {.name = "unit", .text = &given->unit},
        {.name = "time-zone", .text = &given->time_zone},
        {.name = "rolling-code", .text = &given->code},
        {.name = "store", .text = &given->store},
        {.name = "dry-run", .flag = &given->dry_run},
        {.name = "restart", .flag = &given->restart},
        {.name = "json", .flag = &given->json},
        {.name = "quiet", .flag = &given->quiet},
    };
    int count;
    int result =
        cli_options(cli, command, options, sizeof options / sizeof options[0], argc, argv, &count);
    if (result != CLI_GO_ON)
        return result;
    buffer_init(&work.out, OUTPUT_MAXIMUM);
    result = check_arguments(command, count, argv);
    if (result == CLI_GO_ON)
        result = read_manner(command, &work);
    if (result == CLI_GO_ON)
        result = open_store(cli, &work);
    if (result == CLI_GO_ON)
        result = import_files(&work, count, argv);
    buffer_clean(&work.out);
    time_zone_free(work.zone);
    cli_store_close(&work.store);
    return result;
}
