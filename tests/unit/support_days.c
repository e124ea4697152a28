/*
 * support_days.c - days of readings in memory.
 */
#include "tests/unit/support_days.h"

#include "handlers/sensor/record/record.h"
#include "hearth/clock.h"

#include <stdlib.h>

static void *demand(void *memory)
{
    if (!memory)
        abort();
    return memory;
}

static struct test_days *days_of(struct day_source *source)
{
    return source->context;
}

/* Where the first day >= `day` stands. */
static size_t position_of(const struct test_days *days, int32_t day)
{
    size_t low = 0, high = days->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (days->days[middle].day < day)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct test_day *day_at(const struct test_days *days, int32_t day)
{
    size_t at = position_of(days, day);
    return at < days->count && days->days[at].day == day ? &days->days[at] : NULL;
}

static int32_t year_of(int32_t day)
{
    struct civil_time civil;
    civil_from_ms(day * DAY_MS, &civil);
    return civil.year;
}

/* ---- The source ---- */

static bool day_counts(const struct test_day *day, bool with_suspect)
{
    return day->count > 0 || day->live.count > 0 || (with_suspect && day->suspect.count > 0);
}

static enum hearth_error next_day(struct day_source *source, int32_t day, bool with_suspect,
                                  int32_t *next, struct error_record *error)
{
    const struct test_days *days = days_of(source);
    size_t at = position_of(days, day);
    (void)error;
    while (at < days->count && !day_counts(&days->days[at], with_suspect))
        at++;
    *next = at < days->count ? days->days[at].day : INT32_MAX;
    return HEARTH_OK;
}

static const struct summary_day *summary_of(const struct test_days *days,
                                            const struct test_day *day)
{
    if (days->years == 0 || day->count == 0)
        return NULL;
    size_t year = (size_t)(year_of(day->day) - days->first_year);
    if (year >= days->years || !days->summaries[year])
        return NULL;
    return summary_file_day(days->summaries[year], day->day, day->files, day->count);
}

static enum hearth_error look(struct day_source *source, int32_t number, bool with_suspect,
                              struct day_runs *runs, struct error_record *error)
{
    struct test_days *days = days_of(source);
    const struct test_day *day = day_at(days, number);
    size_t count = 0;
    (void)error;
    days->looks++;
    *runs = (struct day_runs){.day = number};
    runs->runs = demand(calloc(day->count + 2, sizeof *runs->runs));
    for (; count < day->count; count++)
        runs->runs[count].count = day->runs[count].count;
    if (with_suspect && day->suspect.count > 0)
        runs->runs[count++] = day->suspect;
    if (day->live.count > 0)
        runs->runs[count++] = day->live;
    runs->count = count;
    runs->live_count = day->live.count;
    if (day->live.count == 0 && !with_suspect)
        runs->summary = summary_of(days, day);
    return HEARTH_OK;
}

static enum hearth_error map(struct day_source *source, struct day_runs *runs,
                             struct error_record *error)
{
    struct test_days *days = days_of(source);
    const struct test_day *day = day_at(days, runs->day);
    days->maps++;
    if (days->lose_records)
        return error_set_internal(error, HEARTH_IO, 5, "the records are lost");
    for (size_t i = 0; i < day->count; i++)
        runs->runs[i] = day->runs[i];
    return HEARTH_OK;
}

static void release(struct day_source *source, struct day_runs *runs)
{
    (void)source;
    free(runs->runs);
    runs->runs = NULL;
}

static size_t files(struct day_source *source, int32_t number, const struct sealed_file **sealed)
{
    const struct test_day *day = day_at(days_of(source), number);
    *sealed = day ? day->files : NULL;
    return day ? day->count : 0;
}

/* ---- Filling it ---- */

void test_days_init(struct test_days *days)
{
    *days = (struct test_days){
        .source = {.next_day = next_day,
                   .look = look,
                   .map = map,
                   .release = release,
                   .files = files,
                   .context = days},
    };
}

static struct test_day *require_day(struct test_days *days, int32_t day)
{
    size_t at = position_of(days, day);
    if (at < days->count && days->days[at].day == day)
        return &days->days[at];
    if (days->count == days->capacity) {
        days->capacity = days->capacity ? 2 * days->capacity : 16;
        days->days = demand(realloc(days->days, days->capacity * sizeof *days->days));
    }
    for (size_t i = days->count++; i > at; i--)
        days->days[i] = days->days[i - 1];
    days->days[at] = (struct test_day){.day = day};
    return &days->days[at];
}

static struct day_run copy_run(const struct record *records, size_t count)
{
    struct record *copy = demand(malloc((count + 1) * sizeof *copy));
    memcpy(copy, records, count * sizeof *copy);
    return (struct day_run){copy, count};
}

static void free_run(struct day_run *run)
{
    free((void *)run->records);
    *run = (struct day_run){0};
}

static void add_sealed(struct test_days *days, struct test_day *day, const struct record *records,
                       size_t count)
{
    if (day->count == day->capacity) {
        day->capacity = day->capacity ? 2 * day->capacity : 2;
        day->runs = demand(realloc(day->runs, day->capacity * sizeof *day->runs));
        day->files = demand(realloc(day->files, day->capacity * sizeof *day->files));
    }
    day->runs[day->count] = copy_run(records, count);
    day->files[day->count++] = (struct sealed_file){
        .day = day->day, .records = (uint32_t)count, .sequence = days->sequence};
}

typedef void add_fn(struct test_days *days, struct test_day *day, const struct record *records,
                    size_t count);

static void add_suspects(struct test_days *days, struct test_day *day, const struct record *records,
                         size_t count)
{
    struct day_run *run = &day->suspect;
    (void)days;
    const size_t sum = run->count + count;
    /* The analyzer does not see that the second of two runs finds what the first has stored. */
    struct record *all = /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
        demand(realloc((void *)run->records, (sum + 1) * sizeof *all));
    memcpy(all + run->count, records, count * sizeof *all);
    if (record_sort(all, sum) != HEARTH_OK)
        abort();
    run->records = all;
    run->count = record_unique(all, sum);
}

static void add_live(struct test_days *days, struct test_day *day, const struct record *records,
                     size_t count)
{
    (void)days;
    day->live = copy_run(records, count);
}

/* Sorted, without duplicates, day by day. */
static void deal(struct test_days *days, struct record *records, size_t count, add_fn *add)
{
    if (record_sort(records, count) != HEARTH_OK)
        abort();
    count = record_unique(records, count);
    for (size_t from = 0, to; from < count; from = to) {
        int32_t day = (int32_t)(record_time_ms(&records[from]) / DAY_MS);
        for (to = from; to < count && record_time_ms(&records[to]) / DAY_MS == day;)
            to++;
        add(days, require_day(days, day), records + from, to - from);
    }
}

static size_t take(const struct record *records, size_t count, bool suspect, struct record *taken)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if ((record_time_quality(&records[i]) == TIME_SUSPECT) == suspect)
            taken[kept++] = records[i];
    return kept;
}

void test_days_seal(struct test_days *days, const struct record *records, size_t count)
{
    struct record *taken = demand(malloc((count + 1) * sizeof *taken));
    days->sequence++;
    deal(days, taken, take(records, count, false, taken), add_sealed);
    deal(days, taken, take(records, count, true, taken), add_suspects);
    free(taken);
}

void test_days_live(struct test_days *days, const struct record *records, size_t count)
{
    struct record *taken = demand(malloc((count + 1) * sizeof *taken));
    for (size_t i = 0; i < days->count; i++)
        free_run(&days->days[i].live);
    deal(days, taken, take(records, count, false, taken), add_live);
    deal(days, taken, take(records, count, true, taken), add_suspects);
    free(taken);
}

void test_days_clean(struct test_days *days)
{
    test_days_forget_summaries(days);
    for (size_t i = 0; i < days->count; i++) {
        struct test_day *day = &days->days[i];
        for (size_t run = 0; run < day->count; run++)
            free_run(&day->runs[run]);
        free_run(&day->live);
        free_run(&day->suspect);
        free(day->runs);
        free(day->files);
    }
    free(days->days);
}

/* ---- Summaries ---- */

void test_days_forget_summaries(struct test_days *days)
{
    for (size_t i = 0; i < days->years; i++)
        summary_file_close(days->summaries[i]);
    free(days->summaries);
    days->summaries = NULL;
    days->years = 0;
}

void test_days_open_summaries(struct test_days *days, const char *store)
{
    test_days_forget_summaries(days);
    if (days->count == 0)
        return;
    days->first_year = year_of(days->days[0].day);
    days->years = (size_t)(year_of(days->days[days->count - 1].day) - days->first_year) + 1;
    days->summaries = demand(calloc(days->years, sizeof(struct summary_file *)));
    for (size_t i = 0; i < days->years; i++)
        days->summaries[i] =
            summary_file_open(&file_system, store, days->first_year + (int32_t)i, NULL);
}

enum hearth_error test_days_summarise(struct test_days *days, const char *store, bool rebuild,
                                      summary_limit_fn *limit, void *context)
{
    int32_t first = year_of(days->days[0].day), last = year_of(days->days[days->count - 1].day);
    struct error_record error = {0};
    for (int32_t year = first; year <= last; year++) {
        enum hearth_error code = summary_write_over(&file_system, store, &days->source, year,
                                                    rebuild, limit, context, NULL, &error);
        if (code != HEARTH_OK) {
            fprintf(stderr, "summary of %d: %s %s\n", (int)year, error_name(code), error.detail);
            return code;
        }
    }
    test_days_open_summaries(days, store);
    return HEARTH_OK;
}
