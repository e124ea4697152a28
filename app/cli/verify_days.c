/*
 * verify_days.c - day by day: the files, that no reading stands twice, and that the summary says
 * what the records say.
 *
 * Two readings that are the same have the same time, so that they can only meet within a day, or
 * with a suspect one. A live reading may stand in a sealed file as well: readers count it once, and
 * sealing drops it.
 */
#include "app/cli/figures.h"
#include "app/cli/verify_work.h"
#include "handlers/sensor/record/record.h"
#include "hearth/clock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum hearth_error no_memory(struct error_record *error)
{
    return error_set_internal(error, HEARTH_NO_MEMORY, ENOMEM, "no memory to verify the store");
}

/* ---- One file ---- */

/* Maps and checks it. What cannot be opened is a problem like any other. */
static bool open_checked(struct verify *verify, const struct manifest_row *row,
                         struct scan_map *map)
{
    char name[SEALED_NAME_BYTES];
    struct error_record error = {0};
    sealed_name_format(&row->file, name);
    enum hearth_error code = scan_map_open(map, verify->store, &row->file, &error);
    if (code == HEARTH_OK)
        return verify_file(verify, row, map);
    if (code == HEARTH_NOT_FOUND)
        verify_problem(verify, name, "is missing");
    else
        verify_problem(verify, name, "%s: %s", error.detail, strerror(error.number));
    return false;
}

/* ---- Suspects ---- */

static enum hearth_error keep_suspects(struct verify *verify, const struct record *records,
                                       size_t count, struct error_record *error)
{
    if (count > verify->suspect_capacity - verify->suspect_count) {
        size_t capacity = verify->suspect_capacity * 2 + count;
        struct record *grown = realloc(verify->suspects, capacity * sizeof *grown);
        if (!grown)
            return no_memory(error);
        verify->suspects = grown;
        verify->suspect_capacity = capacity;
    }
    if (count > 0)
        memcpy(verify->suspects + verify->suspect_count, records, count * sizeof *records);
    verify->suspect_count += count;
    return HEARTH_OK;
}

static void check_suspect_doubles(struct verify *verify)
{
    char figure[FIGURE_SIZE];
    for (size_t i = 1; i < verify->suspect_count; i++) {
        if (!record_same(&verify->suspects[i - 1], &verify->suspects[i]))
            continue;
        verify_problem(verify, "suspect", "a reading of %s stands there twice",
                       figure_time(record_time_ms(&verify->suspects[i]), figure));
        return;
    }
}

enum hearth_error verify_suspects(struct verify *verify, struct error_record *error)
{
    enum hearth_error code = HEARTH_OK;
    for (size_t i = 0; code == HEARTH_OK && i < verify->scan.suspects; i++) {
        struct scan_map map;
        const struct manifest_row *row = &verify->scan.rows[i];
        if (open_checked(verify, row, &map))
            code = keep_suspects(verify, map.records, row->file.records, error);
        scan_map_close(&map);
    }
    if (code == HEARTH_OK && verify->suspect_count > 0 &&
        record_sort(verify->suspects, verify->suspect_count) != HEARTH_OK)
        code = no_memory(error);
    if (code == HEARTH_OK)
        check_suspect_doubles(verify);
    return code;
}

static bool is_among_suspects(const struct verify *verify, const struct record *record)
{
    size_t low = 0, high = verify->suspect_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (memcmp(verify->suspects[middle].bytes, record->bytes, RECORD_BYTES) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    /* Time quality stands in the last bits of what is compared, so that the same reading is the
     * neighbour on the one side or the other. */
    return (low > 0 && record_same(&verify->suspects[low - 1], record)) ||
           (low < verify->suspect_count && record_same(&verify->suspects[low], record));
}

/* ---- Doubles within a day ---- */

struct day_work {
    int32_t day;
    struct scan_map *maps; /* of its files */
    struct day_run *runs;  /* of those that are good */
    struct sealed_file *files;
    size_t file_count, run_count;
};

/* Tells the first. */
static void find_doubles(struct verify *verify, const struct record *records, size_t count,
                         const char *where)
{
    char figure[FIGURE_SIZE];
    for (size_t i = 0; i < count; i++) {
        bool twice = i > 0 && record_same(&records[i - 1], &records[i]);
        bool suspect = verify->suspect_count > 0 && is_among_suspects(verify, &records[i]);
        if (!twice && !suspect)
            continue;
        verify_problem(verify, where, "a reading of %s stands %s",
                       figure_time(record_time_ms(&records[i]), figure),
                       twice ? "there twice" : "among the suspect ones as well");
        return;
    }
}

/* A merge hands out a reading that stands in several runs once, and so does not tell: the runs'
 * records are laid side by side and sorted. One run alone was found strictly ascending. */
static enum hearth_error check_doubles(struct verify *verify, const struct day_work *work,
                                       const char *where, struct error_record *error)
{
    size_t total = 0, at = 0;
    for (size_t i = 0; i < work->run_count; i++)
        total += work->runs[i].count;
    struct record *all = total > 0 ? malloc(total * sizeof *all) : NULL;
    if (!all)
        return total > 0 ? no_memory(error) : HEARTH_OK;
    for (size_t i = 0; i < work->run_count; i++) {
        memcpy(all + at, work->runs[i].records, work->runs[i].count * sizeof *all);
        at += work->runs[i].count;
    }
    enum hearth_error code = record_sort(all, total);
    if (code == HEARTH_OK)
        find_doubles(verify, all, total, where);
    free(all);
    return code == HEARTH_OK ? code : no_memory(error);
}

/* ---- Summaries ---- */

static int32_t year_of(int32_t day)
{
    struct civil_time civil;
    civil_from_ms((int64_t)day * 86400000, &civil);
    return civil.year;
}

static void open_summary(struct verify *verify, int32_t year)
{
    struct error_record error = {0};
    char name[32];
    if (verify->summary_year == year)
        return;
    summary_file_close(verify->summary);
    verify->summary_year = year;
    verify->summary = summary_file_open(&file_system, verify->store, year, &error);
    if (verify->summary || error.code == HEARTH_NOT_FOUND)
        return;
    snprintf(name, sizeof name, "summary/%04d.sum", year);
    verify_problem(verify, name, "%s; `hearth summary --rebuild --year %d` makes it anew",
                   error.detail, year);
}

static void check_summary(struct verify *verify, const struct day_work *work)
{
    struct error_record error = {0};
    char name[64], day[FIGURE_SIZE];
    struct day_runs runs = {.day = work->day, .count = work->run_count, .runs = work->runs};
    open_summary(verify, year_of(work->day));
    const struct summary_day *summary =
        verify->summary
            ? summary_file_day(verify->summary, work->day, work->files, work->file_count)
            : NULL;
    runs.summary = summary;
    if (!summary) {
        verify->unsummarized_days++;
        return;
    }
    verify->summarized_days++;
    if (summary_day_verify(summary, &runs, &error))
        return;
    snprintf(name, sizeof name, "summary/%04d.sum, day %s", year_of(work->day),
             figure_day(work->day, day));
    verify_problem(verify, name, "%s; `hearth summary --rebuild --year %d` makes it anew",
                   error.detail, year_of(work->day));
}

/* ---- One day ---- */

static enum hearth_error check_day(struct verify *verify, struct day_work *work, size_t first_row,
                                   struct error_record *error)
{
    char where[FIGURE_SIZE + 16], day[FIGURE_SIZE];
    bool all_good = true;
    for (size_t i = 0; i < work->file_count; i++) {
        const struct manifest_row *row = &verify->scan.rows[first_row + i];
        work->files[i] = row->file;
        if (open_checked(verify, row, &work->maps[i]))
            work->runs[work->run_count++] =
                (struct day_run){work->maps[i].records, row->file.records};
        else
            all_good = false;
    }
    if (all_good && work->file_count > 0)
        check_summary(verify, work);
    snprintf(where, sizeof where, "day %s", figure_day(work->day, day));
    verify->days++;
    bool can_be_double = work->run_count > 1 || verify->suspect_count > 0;
    return can_be_double ? check_doubles(verify, work, where, error) : HEARTH_OK;
}

static enum hearth_error verify_day(struct verify *verify, int32_t day, struct error_record *error)
{
    struct day_work work = {.day = day};
    enum hearth_error code = HEARTH_NO_MEMORY;
    size_t first = store_scan_rows(&verify->scan, day, &work.file_count);
    work.maps = calloc(work.file_count + 1, sizeof *work.maps);
    work.runs = calloc(work.file_count + 1, sizeof *work.runs);
    work.files = calloc(work.file_count + 1, sizeof *work.files);
    if (work.maps && work.runs && work.files)
        code = check_day(verify, &work, first, error);
    else
        no_memory(error);
    for (size_t i = 0; work.maps && i < work.file_count; i++)
        scan_map_close(&work.maps[i]);
    free(work.maps);
    free(work.runs);
    free(work.files);
    return code;
}

enum hearth_error verify_days(struct verify *verify, struct error_record *error)
{
    enum hearth_error code = HEARTH_OK;
    const struct store_scan *scan = &verify->scan;
    size_t files;
    for (size_t row = scan->suspects; code == HEARTH_OK && row < scan->count; row += files) {
        store_scan_rows(scan, scan->rows[row].file.day, &files);
        code = verify_day(verify, scan->rows[row].file.day, error);
    }
    summary_file_close(verify->summary);
    verify->summary = NULL;
    return code;
}
