/*
 * export.c - `hearth export`: readings out of the store, one by one, in the forms of
 * GET /api/v1/export.
 */
#include "handlers/sensor/transfer/export.h"

#include "app/cli/arguments.h"
#include "app/cli/cli.h"
#include "app/cli/export_file.h"
#include "app/cli/figures.h"
#include "app/cli/progress.h"
#include "app/cli/store_open.h"
#include "handlers/sensor/series/series_names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EXPORT_ARENA_BYTES = 1 << 20 };

struct export_options {
    const char *from, *to, *series, *format, *output, *unit, *time_zone, *store;
    bool quiet;
};

struct export_work {
    struct export_options given;
    struct cli_store store;
    struct series_names *names;
    struct time_zone *zone;
    struct arena *arena;
    struct export_file file;
    struct response response;
    struct export export;
    struct reading_range range;
    struct progress progress;
    int64_t progress_from_ms;
    uint64_t visited;
};

/* ---- Arguments ---- */

static int choose_form(const struct command *command, struct export_work *work)
{
    static const struct export_form *const forms[] = {&export_form_csv, &export_form_ndjson,
                                                      &export_form_bin};
    struct view name = view_of(work->given.format);
    if (!name.data && work->given.output) {
        const char *dot = strrchr(work->given.output, '.');
        name = view_of(dot ? dot + 1 : "csv");
        if (view_equal(name, VIEW("jsonl")))
            name = VIEW("ndjson");
    }
    work->export.form = &export_form_csv;
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        if (!view_equal(name, view_of(forms[i]->name)))
            continue;
        work->export.form = forms[i];
        return CLI_GO_ON;
    }
    return work->given.format
               ? cli_mistaken(command, "--format %s: the formats are csv, ndjson and bin",
                              work->given.format)
               : CLI_GO_ON;
}

static int choose_unit(const struct command *command, struct export_work *work)
{
    const char *unit = work->given.unit;
    if (!unit)
        return CLI_GO_ON;
    if (strcmp(unit, "F") != 0 && strcmp(unit, "C") != 0)
        return cli_mistaken(command, "--unit %s: the units are F and C", unit);
    work->export.unit = unit[0] == 'C' ? SERIES_UNIT_C : SERIES_UNIT_F;
    return CLI_GO_ON;
}

static int choose_zone(const struct command *command, struct export_work *work)
{
    const char *zone = work->given.time_zone ? work->given.time_zone : "UTC";
    struct error_record error = {0};
    work->zone = time_zone_load(TIME_ZONE_DIRECTORY, view_of(zone), &error);
    work->export.zone = work->zone;
    work->export.zone_name = view_of(zone);
    return work->zone ? CLI_GO_ON
                      : cli_mistaken(command, "--time-zone %s: no such zone in %s", zone,
                                     TIME_ZONE_DIRECTORY);
}

static int choose_span(const struct command *command, struct export_work *work)
{
    work->range =
        (struct reading_range){.to_ms = INT64_MAX, .rolling_code = -1, .with_suspect = true};
    int over = cli_take_time(command, "from", work->given.from, &work->range.from_ms);
    if (over == CLI_GO_ON)
        over = cli_take_time(command, "to", work->given.to, &work->range.to_ms);
    if (over == CLI_GO_ON && work->range.from_ms > work->range.to_ms)
        over = cli_mistaken(command, "--from is after --to");
    return over;
}

/* Once the names are there. */
static int choose_series(const struct command *command, struct export_work *work)
{
    struct query_series *series = &work->export.series;
    struct view rest = view_of(work->given.series);
    series->names = work->names;
    series->index_count = series_names_count(work->names) + SERIES_PLACES;
    if (!rest.data)
        return CLI_GO_ON;
    series->wanted = arena_array(work->arena, series->index_count, sizeof *series->wanted);
    if (!series->wanted)
        return cli_no_memory();
    while (rest.data) {
        uint32_t index;
        struct view id = view_split(&rest, ',');
        if (!series_names_by_id(work->names, id, &index))
            return cli_mistaken(command,
                                "--series %.*s: there is no such series; `hearth series list` "
                                "shows them",
                                VIEW_ARGUMENTS(id));
        series->wanted[index] = true;
    }
    return CLI_GO_ON;
}

/* ---- The run ---- */

static enum hearth_error visit(void *context, const struct record *records, size_t count)
{
    struct export_work *work = context;
    int64_t now_ms = record_time_ms(&records[count - 1]);
    work->visited += count;
    if (now_ms > work->progress_from_ms)
        progress_show(&work->progress, (uint64_t)((now_ms - work->progress_from_ms) / 1000),
                      work->visited);
    return work->export.form->visit(&work->export, records, count);
}

/* From the first reading to the last, as far as they are asked for. */
static void start_progress(struct export_work *work)
{
    struct reading_series *series = calloc(SERIES_PLACES, sizeof *series);
    struct error_record ignored = {0};
    size_t count = 0;
    int64_t from_ms = INT64_MAX, to_ms = 0;
    if (series && work->store.readings->series(work->store.readings, series, SERIES_PLACES, &count,
                                               &ignored) != HEARTH_OK)
        count = 0;
    for (size_t i = 0; i < count; i++) {
        from_ms = series[i].first_ms < from_ms ? series[i].first_ms : from_ms;
        to_ms = series[i].last_ms > to_ms ? series[i].last_ms : to_ms;
    }
    free(series);
    from_ms = from_ms > work->range.from_ms ? from_ms : work->range.from_ms;
    to_ms = to_ms < work->range.to_ms ? to_ms : work->range.to_ms;
    work->progress_from_ms = from_ms;
    progress_start(&work->progress, "exporting",
                   to_ms > from_ms ? (uint64_t)((to_ms - from_ms) / 1000) + 1 : 1, false,
                   work->given.quiet);
    work->progress.hide_total = true;
}

static enum hearth_error prepare(struct export_work *work)
{
    struct export *export = &work->export;
    response_init(&work->response, work->arena, &work->file.sink, false);
    export->answer.response = &work->response;
    export->answer.part = (struct byte_range){0, UINT64_MAX};
    export->with_private = true;
    export->offset_until_s = INT64_MIN;
    export->chunk = arena_array(work->arena, EXPORT_CHUNK_RECORDS, sizeof *export->chunk);
    return export->chunk ? answer_stream_init(&export->stream, work->arena, &work->response)
                         : HEARTH_NO_MEMORY;
}

static enum hearth_error write_readings(struct export_work *work, struct error_record *error)
{
    struct error_record late = {0};
    enum hearth_error code = export_file_open(&work->file, work->given.output, error);
    if (code != HEARTH_OK)
        return code;
    code = prepare(work);
    start_progress(work);
    if (code == HEARTH_OK)
        code = work->store.readings->range(work->store.readings, &work->range, visit, work, error);
    if (code == HEARTH_OK)
        code = work->export.form->finish(&work->export);
    progress_end(&work->progress);
    /* What a file says of itself goes before: the store only knows that it was told to stop. */
    enum hearth_error closed = export_file_close(&work->file, code == HEARTH_OK, &late);
    if (closed != HEARTH_OK)
        *error = late;
    return closed != HEARTH_OK ? closed : code;
}

static int run(const struct command *command, struct export_work *work)
{
    struct error_record error = {0};
    char figure[FIGURE_SIZE];
    work->arena = arena_new(EXPORT_ARENA_BYTES);
    work->names =
        series_names_load(work->store.options.directory, work->store.default_stale_ms, &error);
    if (!work->names)
        return cli_failed("the names of the series", error.code, &error);
    int over = work->arena ? choose_series(command, work) : cli_no_memory();
    if (over != CLI_GO_ON)
        return over;
    enum hearth_error code = write_readings(work, &error);
    if (code != HEARTH_OK)
        return cli_failed("not all readings were exported", code, &error);
    if (work->given.output && !work->given.quiet)
        fprintf(stderr, "hearth: %s: %s\n", work->given.output,
                figure_bytes(work->file.bytes, figure));
    return CLI_OK;
}

int cli_export(struct cli *cli, const struct command *command, int argc, char **argv)
{
    struct export_work work = {0};
    struct export_options *given = &work.given;
    const struct cli_option options[] = {
        {.name = "from", .text = &given->from},
        {.name = "to", .text = &given->to},
        {.name = "series", .text = &given->series},
        {.name = "format", .text = &given->format},
        {.name = "output", .text = &given->output},
        {.name = "unit", .text = &given->unit},
        {.name = "time-zone", .text = &given->time_zone},
        {.name = "store", .text = &given->store},
        {.name = "quiet", .flag = &given->quiet},
    };
    int count;
    int result =
        cli_options(cli, command, options, sizeof options / sizeof options[0], argc, argv, &count);
    if (result == CLI_GO_ON && count > 0)
        result = cli_mistaken(command, "takes options only, not %s", argv[0]);
    if (result == CLI_GO_ON)
        result = choose_form(command, &work);
    if (result == CLI_GO_ON)
        result = choose_unit(command, &work);
    if (result == CLI_GO_ON)
        result = choose_zone(command, &work);
    if (result == CLI_GO_ON)
        result = choose_span(command, &work);
    if (result == CLI_GO_ON)
        result = cli_store_find(cli, given->store, &work.store);
    if (result == CLI_GO_ON)
        result = cli_store_must_exist(&work.store);
    if (result == CLI_GO_ON)
        result = cli_store_open(&work.store);
    if (result == CLI_GO_ON)
        result = run(command, &work);
    arena_free(work.arena);
    series_names_free(work.names);
    time_zone_free(work.zone);
    cli_store_close(&work.store);
    return result;
}
