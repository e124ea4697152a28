/*
 * snapshot_day.c - the days of a snapshot: which there are, and the runs of one.
 *
 * A day is looked at (catalogue, live copy, summary: all in memory) and, where that is not enough,
 * mapped. What it holds stands in a list of the snapshot until it is released.
 */
#include "handlers/sensor/snapshot/snapshot_parts.h"

#include "handlers/sensor/disk/live_memory.h"

#include "handlers/sensor/snapshot/record_merge.h"
#include "handlers/sensor/summary/summary.h"

enum { FIRST_DAY = 0, LAST_DAY = (int)(READING_TIME_MAX_MS / SNAPSHOT_DAY_MS) };

static int64_t day_start_ms(int32_t day)
{
    return (int64_t)day * SNAPSHOT_DAY_MS;
}

static int32_t day_of(const struct record *record)
{
    return (int32_t)(record_time_ms(record) / SNAPSHOT_DAY_MS);
}

/* ---- Searching ---- */

/* Doubling steps from where the last search ended, then a binary search. */
size_t snapshot_seek(const struct record *records, size_t count, int64_t time_ms, size_t *hint)
{
    size_t low = 0, high = count, step = 1;
    if (count == 0) /* then `records` may be NULL, which nothing may be added to */
        return *hint = 0;
    if (*hint > 0 && *hint <= count && record_time_ms(&records[*hint - 1]) < time_ms) {
        low = high = *hint;
        while (high < count && record_time_ms(&records[high]) < time_ms) {
            low = high + 1;
            high = count - high > step ? high + step : count;
            step *= 2;
        }
    }
    *hint = low + record_lower_bound(records + low, high - low, time_ms);
    return *hint;
}

static size_t seek_file(const struct snapshot *snapshot, int32_t day)
{
    snapshot->hint->file = catalogue_find(snapshot->catalogue, day, snapshot->hint->file);
    return snapshot->hint->file;
}

/* ---- Which days there are ---- */

static int32_t clamp_day(int32_t day)
{
    return day < FIRST_DAY ? FIRST_DAY : day > LAST_DAY ? LAST_DAY + 1 : day;
}

/* The day of the first of these records at `day` or later. */
static int32_t next_day_in(const struct record *records, size_t count, int32_t day, size_t *hint)
{
    size_t at = snapshot_seek(records, count, day_start_ms(day), hint);
    return at < count ? day_of(&records[at]) : INT32_MAX;
}

int32_t snapshot_next_day(const struct snapshot *snapshot, int32_t day)
{
    int32_t from = clamp_day(day);
    const struct live_part *good = &snapshot->live->good;
    size_t file = seek_file(snapshot, from);
    int32_t sealed =
        file < snapshot->catalogue->count ? snapshot->catalogue->files[file].day : INT32_MAX;
    int32_t live = next_day_in(good->records, good->count, from, &snapshot->hint->good);
    return sealed < live ? sealed : live;
}

int32_t snapshot_previous_day(const struct snapshot *snapshot, int32_t day)
{
    if (day < FIRST_DAY)
        return INT32_MIN;
    int32_t after = clamp_day(day == INT32_MAX ? day : day + 1);
    const struct live_part *good = &snapshot->live->good;
    size_t file = seek_file(snapshot, after);
    size_t at =
        snapshot_seek(good->records, good->count, day_start_ms(after), &snapshot->hint->good);
    int32_t sealed = file > snapshot->catalogue->suspect_count
                         ? snapshot->catalogue->files[file - 1].day
                         : INT32_MIN;
    int32_t live = at > 0 ? day_of(&good->records[at - 1]) : INT32_MIN;
    return sealed > live ? sealed : live;
}

enum hearth_error snapshot_next_day_with_suspect(struct snapshot *snapshot, int32_t day,
                                                 int32_t *next, struct error_record *error)
{
    enum hearth_error code = snapshot_require_suspects(snapshot, error);
    if (code != HEARTH_OK)
        return code;
    int32_t from = clamp_day(day), found;
    const struct suspect_run *sealed = snapshot->suspects;
    const struct live_part *live = &snapshot->live->suspect;
    *next = snapshot_next_day(snapshot, day);
    found = next_day_in(sealed->records, sealed->count, from, &snapshot->hint->suspect);
    *next = found < *next ? found : *next;
    found = next_day_in(live->records, live->count, from, &snapshot->hint->live_suspect);
    *next = found < *next ? found : *next;
    return HEARTH_OK;
}

size_t snapshot_sealed_files(const struct snapshot *snapshot, const struct sealed_file **files)
{
    const struct catalogue *catalogue = snapshot->catalogue;
    *files = catalogue->files + catalogue->suspect_count;
    return catalogue->count - catalogue->suspect_count;
}

size_t snapshot_suspect_files(const struct snapshot *snapshot, const struct sealed_file **files)
{
    *files = snapshot->catalogue->files;
    return snapshot->catalogue->suspect_count;
}

static size_t sealed_count(const struct catalogue *catalogue, size_t first, int32_t day)
{
    if (first == catalogue->count || catalogue->files[first].day != day)
        return 0;
    return catalogue_day_count(catalogue, first);
}

size_t snapshot_day_files(const struct snapshot *snapshot, int32_t day,
                          const struct sealed_file **files)
{
    size_t first = seek_file(snapshot, clamp_day(day));
    *files = snapshot->catalogue->files + first;
    return sealed_count(snapshot->catalogue, first, day);
}

/* ---- Pins ---- */

static struct day_pins *take_pins(struct snapshot *snapshot)
{
    struct day_pins *pins = snapshot->spare;
    if (pins)
        snapshot->spare = pins->next;
    else
        pins = memory_new(sizeof *pins);
    if (!pins)
        return NULL;
    *pins = (struct day_pins){.next = snapshot->days};
    pins->maps = pins->inline_maps;
    if (snapshot->days)
        snapshot->days->previous = pins;
    snapshot->days = pins;
    return pins;
}

static void give_pins_back(struct snapshot *snapshot, struct day_pins *pins)
{
    snapshot_note_damage(snapshot, pins);
    if (pins->mapped_count > 0)
        sealed_maps_unpin(snapshot->owner->maps, pins->maps, pins->mapped_count);
    if (pins->maps != pins->inline_maps)
        memory_free(pins->maps);
    memory_free(pins->allocated_runs);
    *(pins->previous ? &pins->previous->next : &snapshot->days) = pins->next;
    if (pins->next)
        pins->next->previous = pins->previous;
    pins->next = snapshot->spare;
    snapshot->spare = pins;
}

void snapshot_release(struct snapshot *snapshot, struct day_runs *runs)
{
    if (runs->pinned)
        give_pins_back(snapshot, runs->pinned);
    runs->pinned = NULL;
    runs->count = 0;
}

void snapshot_close(struct snapshot *snapshot)
{
    if (!snapshot)
        return;
    while (snapshot->days)
        give_pins_back(snapshot, snapshot->days);
    while (snapshot->spare) {
        struct day_pins *next = snapshot->spare->next;
        memory_free(snapshot->spare);
        snapshot->spare = next;
    }
    for (size_t i = 0; i < SUMMARY_YEARS; i++)
        summary_year_release(snapshot->years[i]);
    suspect_run_release(snapshot->suspects);
    catalogue_release(snapshot->catalogue);
    live_copy_release(snapshot->live);
    memory_free(snapshot);
}

/* ---- A day ---- */

/* Of records in memory: those of the day. */
static struct day_run run_of_day(const struct record *records, size_t count, int32_t day,
                                 size_t *hint)
{
    size_t first = snapshot_seek(records, count, day_start_ms(day), hint);
    size_t end = snapshot_seek(records, count, day_start_ms(day) + SNAPSHOT_DAY_MS, hint);
    if (first == end) /* `records` may be NULL */
        return (struct day_run){NULL, 0};
    return (struct day_run){records + first, end - first};
}

static void find_year(struct snapshot *snapshot, int32_t day)
{
    struct civil_time civil;
    if (day >= snapshot->year.first_day && day < snapshot->year.end_day)
        return;
    civil_from_ms(day_start_ms(day), &civil);
    struct civil_time first = {.year = civil.year, .month = 1, .day = 1};
    struct civil_time end = {.year = civil.year + 1, .month = 1, .day = 1};
    snapshot->year.first_day = (int32_t)(civil_to_ms(&first) / SNAPSHOT_DAY_MS);
    snapshot->year.end_day = (int32_t)(civil_to_ms(&end) / SNAPSHOT_DAY_MS);
    snapshot->year.place = (size_t)(civil.year - SUMMARY_YEAR_FIRST);
}

const struct summary_day *snapshot_summary(struct snapshot *snapshot, int32_t day, size_t first,
                                           size_t count)
{
    find_year(snapshot, day);
    size_t place = snapshot->year.place;
    if (place >= SUMMARY_YEARS)
        return NULL;
    if (!snapshot->year_taken[place])
        snapshot->years[place] =
            summary_years_take(snapshot->owner->years, (int32_t)place + SUMMARY_YEAR_FIRST,
                               snapshot->state.generation);
    snapshot->year_taken[place] = true;
    const struct summary_year *held = snapshot->years[place];
    return held ? summary_file_day(summary_year_file(held), day, snapshot->catalogue->files + first,
                                   count)
                : NULL;
}

/* The runs in memory that come behind the sealed ones; how many. */
static size_t memory_runs(const struct snapshot *snapshot, int32_t day, bool with_suspect,
                          struct day_run runs[3], size_t *live_count)
{
    struct snapshot_hint *hint = snapshot->hint;
    const struct live_part *good = &snapshot->live->good, *suspect = &snapshot->live->suspect;
    size_t count = 0;
    if (with_suspect) {
        runs[count] =
            run_of_day(snapshot->suspects->records, snapshot->suspects->count, day, &hint->suspect);
        count += runs[count].count > 0;
        runs[count] = run_of_day(suspect->records, suspect->count, day, &hint->live_suspect);
        count += runs[count].count > 0;
    }
    runs[count] = run_of_day(good->records, good->count, day, &hint->good);
    *live_count = runs[count].count;
    return count + (*live_count > 0);
}

static enum hearth_error require_runs(struct day_pins *pins, struct day_runs *runs, size_t count,
                                      struct error_record *error)
{
    runs->runs = runs->inline_runs;
    if (count <= DAY_PARTS_INLINE)
        return HEARTH_OK;
    pins->allocated_runs = memory_new(count * sizeof *pins->allocated_runs);
    pins->maps = memory_new(pins->sealed_count * sizeof(struct sealed_map *));
    if (!pins->maps)
        pins->maps = pins->inline_maps; /* nothing is mapped; released like any other */
    runs->runs = pins->allocated_runs;
    if (!pins->allocated_runs || pins->maps == pins->inline_maps)
        return error_set_internal(error, HEARTH_NO_MEMORY, 0, "no memory for the files of a day");
    return HEARTH_OK;
}

static enum hearth_error fill_day(struct snapshot *snapshot, struct day_pins *pins,
                                  bool with_suspect, struct day_runs *runs,
                                  struct error_record *error)
{
    const struct sealed_file *files = snapshot->catalogue->files + pins->first;
    struct day_run memory[3];
    size_t sealed = pins->sealed_count;
    size_t more = memory_runs(snapshot, runs->day, with_suspect, memory, &runs->live_count);
    enum hearth_error code = require_runs(pins, runs, sealed + more, error);
    if (code != HEARTH_OK)
        return code;
    for (size_t i = 0; i < sealed; i++)
        runs->runs[i] = (struct day_run){NULL, files[i].records};
    for (size_t i = 0; i < more; i++)
        runs->runs[sealed + i] = memory[i];
    runs->count = sealed + more;
    if (more == 0 && sealed > 0)
        runs->summary = snapshot_summary(snapshot, runs->day, pins->first, sealed);
    return HEARTH_OK;
}

enum hearth_error snapshot_day_look(struct snapshot *snapshot, int32_t day, bool with_suspect,
                                    struct day_runs *runs, struct error_record *error)
{
    runs->day = day;
    runs->count = 0;
    runs->runs = runs->inline_runs;
    runs->summary = NULL;
    runs->live_count = 0;
    runs->pinned = NULL;
    if (day < FIRST_DAY || day > LAST_DAY)
        return HEARTH_OK;
    enum hearth_error code = with_suspect ? snapshot_require_suspects(snapshot, error) : HEARTH_OK;
    if (code != HEARTH_OK)
        return code;
    struct day_pins *pins = take_pins(snapshot);
    if (!pins)
        return error_set_internal(error, HEARTH_NO_MEMORY, 0, "no memory for the files of a day");
    pins->first = seek_file(snapshot, day);
    pins->sealed_count = sealed_count(snapshot->catalogue, pins->first, day);
    runs->pinned = pins;
    code = fill_day(snapshot, pins, with_suspect, runs, error);
    if (code != HEARTH_OK)
        snapshot_release(snapshot, runs);
    return code;
}

enum hearth_error snapshot_day_map(struct snapshot *snapshot, struct day_runs *runs,
                                   struct error_record *error)
{
    struct day_pins *pins = runs->pinned;
    while (pins && pins->mapped_count < pins->sealed_count) {
        size_t at = pins->mapped_count;
        enum hearth_error code =
            sealed_maps_pin(snapshot->owner->maps, &snapshot->catalogue->files[pins->first + at],
                            &pins->maps[at], error);
        if (code != HEARTH_OK)
            return code;
        runs->runs[at].records = pins->maps[at]->records;
        pins->mapped_count++;
    }
    return HEARTH_OK;
}

enum hearth_error snapshot_day(struct snapshot *snapshot, int32_t day, bool with_suspect,
                               struct day_runs *runs, struct error_record *error)
{
    enum hearth_error code = snapshot_day_look(snapshot, day, with_suspect, runs, error);
    if (code != HEARTH_OK)
        return code;
    code = snapshot_day_map(snapshot, runs, error);
    if (code != HEARTH_OK)
        snapshot_release(snapshot, runs);
    return code;
}
