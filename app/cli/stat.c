/*
 * stat.c - `hearth stat`: what is stored, what it takes, and where there are gaps.
 *
 * Every reading is looked at once, through the files as they are: no lock is taken, nothing is
 * changed, a pool may go on meanwhile.
 */
#include "app/cli/cli.h"
#include "app/cli/figures.h"
#include "app/cli/progress.h"
#include "app/cli/stat_series.h"
#include "app/cli/store_open.h"
#include "app/cli/store_scan.h"
#include "app/cli/text_table.h"
#include "handlers/sensor/disk/file_operations.h"
#include "handlers/sensor/snapshot/record_merge.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { OUTPUT_MAXIMUM = 64 << 20, STAT_PATH_BYTES = 2048 + 300 };

struct statistics {
    const char *store;
    bool json, quiet;
    struct store_scan scan;
    struct series_names *names;
    struct stat_table table;
    struct progress progress;
    uint64_t records, days;
    uint64_t summary_bytes, manifest_bytes, quarantine_bytes;
    struct sealed_file *unreadable; /* sealed files of which nothing is counted */
    size_t unreadable_count;
    uint64_t *sum; /* the one that is being summed */
    const char *directory;
};

/* ---- Sizes ---- */

static bool add_size(void *context, const char *name)
{
    struct statistics *statistics = context;
    char path[STAT_PATH_BYTES];
    struct stat status;
    snprintf(path, sizeof path, "%s/%s/%s", statistics->store, statistics->directory, name);
    if (stat(path, &status) == 0 && S_ISREG(status.st_mode))
        *statistics->sum += (uint64_t)status.st_size;
    return true;
}

/* What is not there takes nothing. */
static void sum_directory(struct statistics *statistics, const char *directory, uint64_t *sum)
{
    char path[STAT_PATH_BYTES];
    struct error_record ignored = {0};
    statistics->sum = sum;
    statistics->directory = directory;
    snprintf(path, sizeof path, "%s/%s", statistics->store, directory);
    if (file_list(&file_system, path, add_size, statistics, &ignored) != HEARTH_OK)
        *sum += 0;
}

/* ---- Readings ---- */

static enum hearth_error add_runs(struct statistics *statistics, const struct day_run *runs,
                                  size_t count)
{
    struct record_merge merge;
    struct day_run stretch;
    enum hearth_error code = record_merge_init(&merge, runs, count);
    if (code != HEARTH_OK)
        return code;
    while (record_merge_next(&merge, &stretch)) {
        stat_table_add(&statistics->table, stretch.records, stretch.count);
        statistics->records += stretch.count;
    }
    record_merge_clean(&merge);
    return HEARTH_OK;
}

/* A file that is missing, of another size or that cannot be read is noted and counts nothing. */
static enum hearth_error note_unreadable(struct statistics *statistics,
                                         const struct sealed_file *file, struct error_record *error)
{
    size_t count = statistics->unreadable_count;
    struct sealed_file *grown = realloc(statistics->unreadable, (count + 1) * sizeof *grown);
    if (!grown)
        return error_set_internal(error, HEARTH_NO_MEMORY, ENOMEM, "no memory for the files");
    grown[count] = *file;
    statistics->unreadable = grown;
    statistics->unreadable_count++;
    statistics->scan.sealed_records -= file->records;
    statistics->scan.sealed_bytes -= (uint64_t)file->records * RECORD_BYTES;
    return HEARTH_OK;
}

/* `map` has all records of the file, or none. */
static enum hearth_error map_file(struct statistics *statistics, const struct sealed_file *file,
                                  struct scan_map *map, struct error_record *error)
{
    enum hearth_error code = scan_map_open(map, statistics->store, file, error);
    if (code == HEARTH_OK && map->bytes == (size_t)file->records * RECORD_BYTES &&
        scan_map_readable(map))
        return HEARTH_OK;
    if (code == HEARTH_NO_MEMORY)
        return code;
    scan_map_close(map);
    return note_unreadable(statistics, file, error);
}

static enum hearth_error add_day(struct statistics *statistics, int32_t day,
                                 struct error_record *error)
{
    const struct store_scan *scan = &statistics->scan;
    size_t files, live, runs = 0;
    size_t first = store_scan_rows(scan, day, &files);
    size_t first_live = store_scan_live_day(scan, day, &live);
    struct scan_map *maps = calloc(files + 1, sizeof *maps);
    struct day_run *day_runs = calloc(files + 1, sizeof *day_runs);
    enum hearth_error code = maps && day_runs ? HEARTH_OK : HEARTH_NO_MEMORY;
    for (size_t i = 0; code == HEARTH_OK && i < files; i++) {
        code = map_file(statistics, &scan->rows[first + i].file, &maps[i], error);
        day_runs[runs++] = (struct day_run){maps[i].records, maps[i].bytes / RECORD_BYTES};
    }
    if (code == HEARTH_OK && live > 0)
        day_runs[runs++] = (struct day_run){scan->live + first_live, live};
    if (code == HEARTH_OK)
        code = add_runs(statistics, day_runs, runs);
    for (size_t i = 0; maps && i < files; i++)
        scan_map_close(&maps[i]);
    free(maps);
    free(day_runs);
    statistics->days++;
    return code;
}

static enum hearth_error read_all(struct statistics *statistics, struct error_record *error)
{
    struct store_scan *scan = &statistics->scan;
    enum hearth_error code = store_scan_manifest(scan, statistics->store, error);
    if (code == HEARTH_OK)
        code = store_scan_live(scan, NULL, NULL, error);
    if (code == HEARTH_OK && !stat_table_init(&statistics->table, statistics->names))
        code = error_set_internal(error, HEARTH_NO_MEMORY, ENOMEM, "no memory for the series");
    if (code != HEARTH_OK)
        return code;
    progress_start(&statistics->progress, "reading", scan->sealed_records + scan->live_count, false,
                   statistics->quiet);
    int32_t day = store_scan_next_day(scan, INT32_MIN);
    for (; code == HEARTH_OK && day != INT32_MAX; day = store_scan_next_day(scan, day)) {
        code = add_day(statistics, day, error);
        progress_show(&statistics->progress, statistics->records, statistics->records);
    }
    progress_end(&statistics->progress);
    sum_directory(statistics, "summary", &statistics->summary_bytes);
    sum_directory(statistics, "manifest", &statistics->manifest_bytes);
    sum_directory(statistics, "quarantine", &statistics->quarantine_bytes);
    return code;
}

/* ---- Figures ---- */

static uint64_t readings_of(const struct statistics *statistics)
{
    return statistics->scan.sealed_records + statistics->scan.live_count;
}

static double per_reading(const struct statistics *statistics, uint64_t bytes)
{
    uint64_t readings = readings_of(statistics);
    return readings > 0 ? (double)bytes / (double)readings : 0.0;
}

static void span_of(const struct statistics *statistics, int64_t *first_ms, int64_t *last_ms)
{
    *first_ms = *last_ms = -1;
    for (size_t i = 0; i < statistics->table.size; i++) {
        const struct stat_series *series = &statistics->table.series[i];
        if (series->count == 0)
            continue;
        if (*first_ms < 0 || series->first_ms < *first_ms)
            *first_ms = series->first_ms;
        if (series->last_ms > *last_ms)
            *last_ms = series->last_ms;
    }
}

static uint64_t suspects_of(const struct statistics *statistics)
{
    uint64_t suspects = statistics->table.suspects;
    for (size_t i = 0; i < statistics->scan.suspects; i++)
        suspects += statistics->scan.rows[i].file.records;
    return suspects;
}

/* ---- For people ---- */

static void print_unreadable(const struct statistics *statistics, struct buffer *out)
{
    const struct store_scan *scan = &statistics->scan;
    for (size_t i = 0; i < statistics->unreadable_count; i++) {
        char name[SEALED_NAME_BYTES];
        sealed_name_format(&statistics->unreadable[i], name);
        buffer_append_format(out, "  unreadable  %s: not counted here; see hearth verify\n", name);
    }
    for (size_t i = 0; i < scan->unreadable_count; i++) {
        char name[LIVE_NAME_BYTES];
        live_name_format(&scan->unreadable[i].name, name);
        buffer_append_format(out, "  unreadable  live/%s (%s): not counted here\n", name,
                             scan->unreadable[i].detail);
    }
}

static void print_head(const struct statistics *statistics, struct buffer *out)
{
    const struct store_scan *scan = &statistics->scan;
    char a[FIGURE_SIZE], b[FIGURE_SIZE], c[FIGURE_SIZE];
    int64_t first_ms, last_ms;
    span_of(statistics, &first_ms, &last_ms);
    uint64_t record_bytes = scan->sealed_bytes + scan->live_bytes;
    buffer_append_format(out, "%s\n", statistics->store);
    buffer_append_format(
        out, "  readings    %s on %s days, %s suspect\n", figure_count(readings_of(statistics), a),
        figure_count(statistics->days, b), figure_count(suspects_of(statistics), c));
    buffer_append_format(out, "  from, to    %s, %s UTC\n", figure_time(first_ms, a),
                         figure_time(last_ms, b));
    buffer_append_format(out, "  sealed      %s in %s files, %s\n",
                         figure_count(scan->sealed_records, a), figure_count(scan->count, b),
                         figure_bytes(scan->sealed_bytes, c));
    buffer_append_format(out, "  live        %s in %s files, %s\n",
                         figure_count(scan->live_count, a), figure_count(scan->live_files, b),
                         figure_bytes(scan->live_bytes, c));
    print_unreadable(statistics, out);
    buffer_append_format(out, "  manifest    %s, summaries %s, quarantine %s\n",
                         figure_bytes(statistics->manifest_bytes, a),
                         figure_bytes(statistics->summary_bytes, b),
                         figure_bytes(statistics->quarantine_bytes, c));
    buffer_append_format(out, "  a reading   %.2f bytes with the manifest, %.2f of summaries\n\n",
                         per_reading(statistics, record_bytes + statistics->manifest_bytes),
                         per_reading(statistics, statistics->summary_bytes));
}

static void add_series_row(const struct statistics *statistics, struct text_table *table,
                           uint32_t index)
{
    const struct stat_series *series = &statistics->table.series[index];
    const struct named_series *named = series_names_get(statistics->names, index);
    char id[SERIES_ID_BYTES], cell[FIGURE_SIZE];
    series_names_id(statistics->names, index, id);
    text_table_cell(table, id);
    text_table_cell(table, named ? named->name : "");
    text_table_cell(table, figure_count(series->count, cell));
    text_table_cell(table, figure_time(series->first_ms, cell));
    text_table_cell(table, figure_time(series->last_ms, cell));
    snprintf(cell, sizeof cell, "%.2f %%", stat_series_coverage(series) * 100.0);
    text_table_cell(table, cell);
    text_table_cell(table, figure_count(series->gaps, cell));
    text_table_cell(table, series->gaps > 0 ? figure_duration(series->gap_ms, cell) : "");
    text_table_cell(table, series->gaps > 0 ? figure_time(series->gap_from_ms, cell) : "");
}

static void print_text(const struct statistics *statistics, struct buffer *out)
{
    struct text_table table;
    print_head(statistics, out);
    text_table_init(&table,
                    "SERIES\tNAME\t>READINGS\tFIRST\tLAST\t>COVERED\t>GAPS\t>LONGEST\tFROM");
    for (uint32_t i = 0; i < statistics->table.size; i++) {
        if (statistics->table.series[i].count > 0)
            add_series_row(statistics, &table, i);
    }
    text_table_print(&table, out);
    text_table_clean(&table);
}

/* ---- JSON ---- */

static void append_series(const struct statistics *statistics, struct buffer *out, uint32_t index)
{
    const struct stat_series *series = &statistics->table.series[index];
    const struct named_series *named = series_names_get(statistics->names, index);
    char id[SERIES_ID_BYTES];
    series_names_id(statistics->names, index, id);
    buffer_append_format(out, "{\"id\":\"%s\",\"name\":", id);
    buffer_append_json(out, view_of(named ? named->name : ""));
    buffer_append_format(out, ",\"new\":%s,\"readings\":%" PRIu64, named ? "false" : "true",
                         series->count);
    figure_json_time(out, "first", series->first_ms);
    figure_json_time(out, "last", series->last_ms);
    buffer_append_format(out, ",\"coverage\":%.6f,\"gaps\":%" PRIu64 ",\"longest_gap_ms\":%" PRId64,
                         stat_series_coverage(series), series->gaps, series->gap_ms);
    figure_json_time(out, "longest_gap_from", series->gaps > 0 ? series->gap_from_ms : -1);
    buffer_append_byte(out, '}');
}

static void append_unreadable(const struct statistics *statistics, struct buffer *out)
{
    const struct store_scan *scan = &statistics->scan;
    const char *between = "";
    buffer_append_text(out, ",\"unreadable\":[");
    for (size_t i = 0; i < statistics->unreadable_count; i++, between = ",") {
        char name[SEALED_NAME_BYTES];
        sealed_name_format(&statistics->unreadable[i], name);
        buffer_append_format(out, "%s\"%s\"", between, name);
    }
    for (size_t i = 0; i < scan->unreadable_count; i++, between = ",") {
        char name[LIVE_NAME_BYTES];
        live_name_format(&scan->unreadable[i].name, name);
        buffer_append_format(out, "%s\"live/%s\"", between, name);
    }
    buffer_append_byte(out, ']');
}

static void print_json(const struct statistics *statistics, struct buffer *out)
{
    const struct store_scan *scan = &statistics->scan;
    const char *between = "";
    int64_t first_ms, last_ms;
    span_of(statistics, &first_ms, &last_ms);
    buffer_append_text(out, "{\"store\":");
    buffer_append_json(out, view_of(statistics->store));
    buffer_append_format(out, ",\"readings\":%" PRIu64 ",\"suspect\":%" PRIu64 ",\"days\":%" PRIu64,
                         readings_of(statistics), suspects_of(statistics), statistics->days);
    figure_json_time(out, "first", first_ms);
    figure_json_time(out, "last", last_ms);
    buffer_append_format(out,
                         ",\"sealed\":{\"readings\":%" PRIu64 ",\"files\":%zu,\"bytes\":%" PRIu64
                         "},\"live\":{\"readings\":%zu,\"files\":%" PRIu64 ",\"bytes\":%" PRIu64
                         "}",
                         scan->sealed_records, scan->count, scan->sealed_bytes, scan->live_count,
                         scan->live_files, scan->live_bytes);
    buffer_append_format(
        out,
        ",\"manifest_bytes\":%" PRIu64 ",\"summary_bytes\":%" PRIu64
        ",\"quarantine_bytes\":%" PRIu64
        ",\"bytes_per_reading\":%.4f,\"summary_bytes_per_reading\":%.4f",
        statistics->manifest_bytes, statistics->summary_bytes, statistics->quarantine_bytes,
        per_reading(statistics, scan->sealed_bytes + scan->live_bytes + statistics->manifest_bytes),
        per_reading(statistics, statistics->summary_bytes));
    append_unreadable(statistics, out);
    buffer_append_text(out, ",\"series\":[");
    for (uint32_t i = 0; i < statistics->table.size; i++) {
        if (statistics->table.series[i].count == 0)
            continue;
        buffer_append_text(out, between);
        append_series(statistics, out, i);
        between = ",";
    }
    buffer_append_text(out, "]}\n");
}

/* ---- The command ---- */

static int report(const struct statistics *statistics)
{
    struct buffer out;
    buffer_init(&out, OUTPUT_MAXIMUM);
    if (statistics->json)
        print_json(statistics, &out);
    else
        print_text(statistics, &out);
    int result = cli_print_buffer(&out);
    buffer_clean(&out);
    return result;
}

static int run(struct statistics *statistics, const struct cli_store *store)
{
    struct error_record error = {0};
    statistics->store = store->options.directory;
    statistics->names = series_names_load(statistics->store, store->default_stale_ms, &error);
    enum hearth_error code = statistics->names ? read_all(statistics, &error) : error.code;
    return code == HEARTH_OK ? report(statistics)
                             : cli_failed("the store cannot be read", code, &error);
}

int cli_stat(struct cli *cli, const struct command *command, int argc, char **argv)
{
    struct statistics statistics = {0};
    struct cli_store store = {0};
    const char *directory = NULL;
    const struct cli_option options[] = {
        {.name = "store", .text = &directory},
        {.name = "json", .flag = &statistics.json},
        {.name = "quiet", .flag = &statistics.quiet},
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
        result = run(&statistics, &store);
    free(statistics.unreadable);
    stat_table_clean(&statistics.table);
    series_names_free(statistics.names);
    store_scan_clean(&statistics.scan);
    cli_store_close(&store);
    return result;
}
