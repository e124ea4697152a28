/*
 * demo.c - `hearth demo`: years of lifelike readings, to try things with.
 */
#include "app/cli/arguments.h"
#include "app/cli/cli.h"
#include "app/cli/demo_output.h"
#include "app/cli/demo_stream.h"
#include "app/cli/figures.h"
#include "app/cli/progress.h"
#include "app/cli/store_open.h"
#include "handlers/sensor/series/series_edit.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { OUTPUT_MAXIMUM = 1 << 20, APPEND_DEADLINE_S = 600 };
#define YEAR_MS 31557600000.0 /* 365.25 days */

struct demo_options {
    const char *years, *readings_per_day, *end, *seed, *output, *store, *seal_every;
    bool names, json, quiet;
};

/* One run. */
struct demo {
    struct demo_plan plan;
    int64_t seal_every_days, days; /* 0 = the store decides; since the last seal */
    bool to_file;
    struct demo_output output;
    struct cli_store store;
    struct append_result result;
    struct progress progress;
    uint64_t done;
};

/* ---- Arguments ---- */

static int read_options(const struct command *command, const struct demo_options *given,
                        struct demo *demo)
{
    double years = 1.0, readings = 4000.0;
    int64_t end_ms = clock_wall_ms(&clock_system), seed = 1;
    enum demo_format format;
    demo->seal_every_days = 1;
    int over = cli_take_number(command, "years", given->years, 0.001, DEMO_YEARS_MAX, &years);
    if (over == CLI_GO_ON)
        over = cli_take_number(command, "readings-per-day", given->readings_per_day,
                               DEMO_TRANSMITTERS, 10e6, &readings);
    if (over == CLI_GO_ON)
        over = cli_take_time(command, "end", given->end, &end_ms);
    if (over == CLI_GO_ON)
        over = cli_take_integer(command, "seed", given->seed, 0, INT64_MAX, &seed);
    if (over == CLI_GO_ON)
        over = cli_take_integer(command, "seal-every", given->seal_every, 0, 36525,
                                &demo->seal_every_days);
    if (over == CLI_GO_ON && given->output && !demo_format_of(given->output, &format))
        over = cli_mistaken(command, "--output %s: the name must end in .bin, .jsonl or .csv",
                            given->output);
    int64_t from_ms = end_ms - (int64_t)(years * YEAR_MS);
    if (over == CLI_GO_ON && (from_ms < 0 || end_ms > READING_TIME_MAX_MS))
        over = cli_mistaken(command, "%g years before that end begin before 1970 or end after 2109",
                            years);
    if (over == CLI_GO_ON)
        demo_plan_make(&demo->plan, from_ms, end_ms, (uint64_t)seed, readings);
    return over;
}

/* ---- Names ---- */

static enum hearth_error add_series(struct series_edit *edit, const struct demo_plan *plan,
                                    int index, struct error_record *error)
{
    const struct demo_place *place = &demo_places[index];
    size_t count = plan->battery_count[index];
    enum hearth_error code = series_edit_add(edit, place->id, error);
    if (code == HEARTH_OK)
        code = series_edit_name(edit, place->id, place->name, error);
    if (code == HEARTH_OK)
        code = series_edit_place(edit, place->id, place->place, error);
    for (size_t i = 0; code == HEARTH_OK && i < count; i++) {
        const struct demo_battery *battery = &plan->batteries[index][i];
        const struct series_window window = {
            .channel = index + 1,
            .rolling_code = battery->rolling_code,
            .from_ms = i > 0 ? battery->from_ms : 0,
            .to_ms = i + 1 < count ? battery[1].from_ms : INT64_MAX,
        };
        code = series_edit_alias(edit, place->id, &window, error);
    }
    return code;
}

static int write_names(const struct demo *demo)
{
    struct error_record error = {0};
    struct series_edit *edit =
        series_edit_open(&file_system, demo->store.options.directory, &clock_system, &error);
    enum hearth_error code = edit ? HEARTH_OK : error.code;
    for (int i = 0; code == HEARTH_OK && i < DEMO_TRANSMITTERS; i++)
        code = add_series(edit, &demo->plan, i, &error);
    if (code == HEARTH_OK)
        code = series_edit_save(edit, &error);
    series_edit_close(edit);
    return code == HEARTH_OK ? CLI_GO_ON : cli_failed("the names of the series", code, &error);
}

/* ---- Readings ---- */

/* Behind so many days, and at the end. */
static bool seal_is_due(struct demo *demo, bool day_over, int64_t now_ms)
{
    demo->days += day_over;
    if (demo->seal_every_days == 0 || !demo->store.readings->seal || !day_over ||
        (demo->days < demo->seal_every_days && now_ms < demo->plan.to_ms))
        return false;
    demo->days = 0;
    return true;
}

static enum hearth_error store_batch(struct demo *demo, const struct record *records, size_t count,
                                     bool day_over, int64_t now_ms, struct error_record *error)
{
    struct reading_store *store = demo->store.readings;
    struct append_result result = {0};
    int64_t deadline_ns =
        clock_monotonic_ns(&clock_system) + APPEND_DEADLINE_S * INT64_C(1000000000);
    enum hearth_error code = HEARTH_OK;
    if (count > 0)
        code = store->append(store, records, count, NULL, 0, deadline_ns, &result, error);
    if (code != HEARTH_OK)
        return code;
    append_result_add(&demo->result, &result);
    return seal_is_due(demo, day_over, now_ms) ? store->seal(store, deadline_ns, error) : HEARTH_OK;
}

static enum hearth_error take_batch(void *context, const struct record *records, size_t count,
                                    bool day_over, int64_t now_ms, struct error_record *error)
{
    struct demo *demo = context;
    int64_t reached_ms = now_ms < demo->plan.to_ms ? now_ms : demo->plan.to_ms;
    demo->done += count;
    progress_show(&demo->progress, (uint64_t)((reached_ms - demo->plan.from_ms) / 1000),
                  demo->done);
    if (demo->to_file)
        return demo_output_write(&demo->output, records, count, error);
    /* A day's readings at a time, unless there are more: what is small is not worth a sync. */
    return store_batch(demo, records, count, day_over, now_ms, error);
}

/* ---- The report ---- */

static int print_json(const struct demo *demo, const struct demo_counts *counts)
{
    struct buffer out;
    buffer_init(&out, OUTPUT_MAXIMUM);
    buffer_append_format(&out,
                         "{\"readings\":%" PRIu64 ",\"late\":%" PRIu64 ",\"gaps\":%" PRIu64
                         ",\"batteries\":%" PRIu64 ",\"transmitters\":%d",
                         counts->readings, counts->late, counts->gaps, counts->swaps,
                         DEMO_TRANSMITTERS);
    figure_json_time(&out, "first", counts->first_ms);
    figure_json_time(&out, "last", counts->last_ms);
    if (!demo->to_file)
        buffer_append_format(&out, ",\"accepted\":%" PRIu64 ",\"duplicate\":%" PRIu64,
                             demo->result.accepted, demo->result.duplicate);
    buffer_append_text(&out, "}\n");
    int result = cli_print_buffer(&out);
    buffer_clean(&out);
    return result;
}

static void print_text(const struct demo *demo, const struct demo_counts *counts)
{
    char readings[FIGURE_SIZE], late[FIGURE_SIZE], first[FIGURE_SIZE], last[FIGURE_SIZE];
    char accepted[FIGURE_SIZE], duplicate[FIGURE_SIZE];
    printf("%s readings of %d transmitters, %s to %s\n", figure_count(counts->readings, readings),
           DEMO_TRANSMITTERS, figure_time(counts->first_ms, first),
           figure_time(counts->last_ms, last));
    printf("%s came late, %" PRIu64 " times one fell silent, %" PRIu64 " batteries were changed\n",
           figure_count(counts->late, late), counts->gaps, counts->swaps);
    if (demo->to_file)
        printf("written to %s\n", demo->output.path);
    else
        printf("%s stored in %s, %s stood there already\n",
               figure_count(demo->result.accepted, accepted), demo->store.options.directory,
               figure_count(demo->result.duplicate, duplicate));
}

/* ---- The command ---- */

static int open_destination(struct cli *cli, const struct demo_options *given, struct demo *demo)
{
    struct error_record error = {0};
    enum demo_format format;
    demo->to_file = given->output != NULL;
    int over = CLI_GO_ON;
    if (!demo->to_file || given->names)
        over = cli_store_find(cli, given->store, &demo->store);
    if (over == CLI_GO_ON && demo->to_file && demo_format_of(given->output, &format) &&
        demo_output_open(&demo->output, given->output, format, &error) != HEARTH_OK)
        over = cli_failed("no readings were written", error.code, &error);
    if (over == CLI_GO_ON && !demo->to_file)
        over = cli_store_open(&demo->store);
    if (over == CLI_GO_ON && given->names)
        over = write_names(demo);
    return over;
}

static int make_readings(struct demo *demo, const struct demo_options *given)
{
    struct error_record error = {0};
    struct demo_counts counts;
    progress_start(&demo->progress, "making",
                   (uint64_t)((demo->plan.to_ms - demo->plan.from_ms) / 1000), false, given->quiet);
    demo->progress.hide_total = true;
    enum hearth_error code = demo_stream_run(&demo->plan, take_batch, demo, &counts, &error);
    if (code == HEARTH_OK)
        code = demo_output_close(&demo->output, &error);
    progress_end(&demo->progress);
    if (code != HEARTH_OK)
        return cli_failed("not all readings were written", code, &error);
    if (given->json)
        return print_json(demo, &counts);
    print_text(demo, &counts);
    return CLI_OK;
}

int cli_demo(struct cli *cli, const struct command *command, int argc, char **argv)
{
    struct demo_options given = {0};
    struct demo demo = {0};
    struct error_record ignored = {0};
    const struct cli_option options[] = {
        {.name = "years", .text = &given.years},
        {.name = "readings-per-day", .text = &given.readings_per_day},
        {.name = "end", .text = &given.end},
        {.name = "seed", .text = &given.seed},
        {.name = "output", .text = &given.output},
        {.name = "store", .text = &given.store},
        {.name = "seal-every", .text = &given.seal_every},
        {.name = "names", .flag = &given.names},
        {.name = "json", .flag = &given.json},
        {.name = "quiet", .flag = &given.quiet},
    };
    int count;
    int result =
        cli_options(cli, command, options, sizeof options / sizeof options[0], argc, argv, &count);
    if (result == CLI_GO_ON && count > 0)
        result = cli_mistaken(command, "takes options only, not %s", argv[0]);
    if (result == CLI_GO_ON)
        result = read_options(command, &given, &demo);
    if (result == CLI_GO_ON)
        result = open_destination(cli, &given, &demo);
    if (result == CLI_GO_ON)
        result = make_readings(&demo, &given);
    if (demo_output_close(&demo.output, &ignored) != HEARTH_OK)
        result = result == CLI_OK ? CLI_FAILED : result;
    cli_store_close(&demo.store);
    return result;
}
