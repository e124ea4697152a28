/*
 * bench_query.c - the pure query function: buckets of N years of lifelike readings of 8 series.
 *
 *   bench_query YEARS READINGS_A_DAY [RUNS [STORE]]
 *
 * The readings are made in memory, in two files a day (one reading of a hundred is late), their
 * summaries are written below STORE (a directory of its own under TMPDIR when there is none) and
 * mapped. Prints one JSON object: bytes of summary a reading, and the median and the best of RUNS
 * runs and the least time of a processor (what a busy machine leaves of it is the rest), in ms, of
 *   full      all there is in 1,000 buckets, all series, both quantities
 *   full_cold the first run of that, with nothing of the summaries looked at before
 *   day       a day in 1,000 buckets, somewhere (the worst of 20 places)
 *   month     30 days in 1,000 buckets
 *   scan      all there is, without summaries (of one year only)
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "handlers/sensor/record/record.h"
#include "tests/unit/support_chance.h"
#include "tests/unit/support_days.h"

enum { SERIES = 8, BUCKETS = 1000, PLACES = 20, MOST_RUNS = 1001, LATE = 100 };
enum { FIRST_YEAR = 1976, LAST_DAY = 20454 /* 2026-01-01 */ };

#define STALE_MS INT64_C(7200000)

struct bench {
    struct test_days days;
    char store[256];
    int years, per_day, runs;
    int32_t from_day, to_day;
    struct series_names *names;
    uint64_t readings, tracks;
    double processor_ms; /* the least of a query's runs */
    struct aggregate_statistics statistics;
};

static void demand(bool condition, const char *what)
{
    if (condition)
        return;
    fprintf(stderr, "bench_query: %s\n", what);
    exit(1);
}

static double now_ms(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* ---- Readings ---- */

struct transmitter {
    int raw, humidity;
    int64_t silent_until_ms;
};

/* A day goes up and down, a year as well, and the weather wanders about. */
static int target_raw(int series, int64_t time_ms)
{
    int64_t of_day = time_ms % DAY_MS, of_year = time_ms / DAY_MS % 365;
    int day = (int)(of_day < DAY_MS / 2 ? of_day : DAY_MS - of_day) * 100 / (int)(DAY_MS / 2);
    int year = (int)(of_year < 182 ? of_year : 365 - of_year) * 2;
    return 700 + series * 60 + day + year;
}

static void change(struct transmitter *transmitter, int series, int64_t time_ms)
{
    int target = target_raw(series, time_ms);
    transmitter->raw += chance(5) - 2 + (target > transmitter->raw ? 1 : -1);
    transmitter->humidity += chance(3) - 1;
    if (transmitter->humidity < 5 || transmitter->humidity > 95)
        transmitter->humidity = 50;
    if (chance(20000) == 0)
        transmitter->silent_until_ms = time_ms + chance(48) * INT64_C(3600000);
}

static size_t make_day(const struct bench *bench, struct transmitter *transmitters, int32_t day,
                       struct record *records)
{
    int64_t step_ms = DAY_MS / bench->per_day;
    size_t made = 0;
    for (int i = 0; i < bench->per_day; i++) {
        int series = chance(SERIES);
        struct transmitter *transmitter = &transmitters[series];
        const int64_t time_ms = day * DAY_MS + i * step_ms + chance((int)step_ms);
        change(transmitter, series, time_ms);
        const struct reading reading = {.time_ms = time_ms,
                                        .channel = series + 1,
                                        .rolling_code = 50 + 3 * series,
                                        .raw = transmitter->raw,
                                        .humidity = transmitter->humidity,
                                        .signal = 40 + chance(40)};
        if (time_ms >= transmitter->silent_until_ms)
            demand(record_encode(&reading, &records[made++]) == REJECT_NONE, "no such reading");
    }
    return made;
}

static void seal(struct bench *bench, struct record *records, size_t count)
{
    struct record *late = malloc((count + 1) * sizeof *late);
    size_t kept = 0, late_count = 0;
    demand(late != NULL, "no memory");
    for (size_t i = 0; i < count; i++) {
        if (chance(LATE) == 0)
            late[late_count++] = records[i];
        else
            records[kept++] = records[i];
    }
    test_days_seal(&bench->days, records, kept);
    test_days_seal(&bench->days, late, late_count);
    free(late);
}

static void make_readings(struct bench *bench)
{
    struct transmitter transmitters[SERIES];
    struct record *records = malloc((size_t)bench->per_day * sizeof *records);
    demand(records != NULL, "no memory");
    chance_seed(1);
    bench->to_day = LAST_DAY;
    bench->from_day = LAST_DAY - bench->years * 365 - bench->years / 4;
    for (int i = 0; i < SERIES; i++)
        transmitters[i] = (struct transmitter){.raw = target_raw(i, 0), .humidity = 50};
    for (int32_t day = bench->from_day; day < bench->to_day; day++) {
        size_t count = make_day(bench, transmitters, day, records);
        bench->readings += count;
        seal(bench, records, count);
    }
    free(records);
}

/* ---- Summaries ---- */

static int64_t limit_of(void *context, int channel, int rolling_code, int32_t day)
{
    (void)context;
    (void)channel;
    (void)rolling_code;
    (void)day;
    return STALE_MS;
}

static uint64_t summary_bytes(const struct bench *bench)
{
    uint64_t bytes = 0;
    for (int year = FIRST_YEAR - 1; year <= 2026; year++) {
        char path[512];
        struct stat status;
        snprintf(path, sizeof path, "%s/summary/%04d.sum", bench->store, year);
        if (stat(path, &status) == 0)
            bytes += (uint64_t)status.st_size;
    }
    return bytes;
}

/* ---- Queries ---- */

static enum hearth_error count_tracks(void *context, size_t bucket,
                                      const struct bucket_track *tracks, size_t count)
{
    struct bench *bench = context;
    (void)bucket;
    (void)tracks;
    bench->tracks += count;
    return HEARTH_OK;
}

static double run_once(struct bench *bench, int64_t from_ms, int64_t to_ms, bool scan)
{
    static int64_t edges[BUCKETS + 1];
    struct error_record error = {0};
    for (int i = 0; i <= BUCKETS; i++)
        edges[i] = from_ms + i * (to_ms - from_ms) / BUCKETS;
    const struct bucket_query query = {
        .edges_ms = edges, .bucket_count = BUCKETS, .names = bench->names, .scan = scan};
    bench->tracks = 0;
    double start = now_ms(CLOCK_MONOTONIC), processor = now_ms(CLOCK_THREAD_CPUTIME_ID);
    demand(aggregate_run_over(&bench->days.source, &query, count_tracks, bench, &bench->statistics,
                              &error) == HEARTH_OK,
           error.detail);
    processor = now_ms(CLOCK_THREAD_CPUTIME_ID) - processor;
    if (processor < bench->processor_ms)
        bench->processor_ms = processor;
    return now_ms(CLOCK_MONOTONIC) - start;
}

static int compare_times(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

/* The median; `*best` is the shortest. */
static double run(struct bench *bench, int64_t from_ms, int64_t to_ms, bool scan, double *best)
{
    static double times[MOST_RUNS];
    bench->processor_ms = 1e9;
    for (int i = 0; i < bench->runs; i++)
        times[i] = run_once(bench, from_ms, to_ms, scan);
    qsort(times, (size_t)bench->runs, sizeof times[0], compare_times);
    *best = times[0];
    return times[bench->runs / 2];
}

static void print(const struct bench *bench, const char *name, double median, double best)
{
    printf(",\n \"%s\":{\"median_ms\":%.3f,\"best_ms\":%.3f,\"processor_ms\":%.3f,\"days\":%llu,"
           "\"blocks\":%llu,\"records\":%llu,\"tracks\":%llu}",
           name, median, best, bench->processor_ms, (unsigned long long)bench->statistics.days,
           (unsigned long long)bench->statistics.blocks,
           (unsigned long long)bench->statistics.records, (unsigned long long)bench->tracks);
}

static void measure_days(struct bench *bench)
{
    double worst = 0, worst_best = 0;
    for (int i = 0; i < PLACES; i++) {
        int64_t span_ms = (int64_t)(bench->to_day - bench->from_day - 1) * DAY_MS, best_at = 0;
        double best;
        best_at = bench->from_day * DAY_MS + (int64_t)(chance_next() % (uint64_t)span_ms);
        double median = run(bench, best_at, best_at + DAY_MS, false, &best);
        worst = median > worst ? median : worst;
        worst_best = best > worst_best ? best : worst_best;
    }
    print(bench, "day", worst, worst_best);
}

static void measure(struct bench *bench)
{
    int64_t from_ms = bench->from_day * DAY_MS, to_ms = bench->to_day * DAY_MS;
    bench->processor_ms = 1e9;
    double cold = run_once(bench, from_ms, to_ms, false), best;
    print(bench, "full_cold", cold, cold);
    double median = run(bench, from_ms, to_ms, false, &best);
    print(bench, "full", median, best);
    median = run(bench, to_ms - 30 * DAY_MS, to_ms, false, &best);
    print(bench, "month", median, best);
    measure_days(bench);
    if (bench->years > 1)
        return;
    median = run(bench, from_ms, to_ms, true, &best);
    print(bench, "scan", median, best);
}

static void remove_store(const struct bench *bench)
{
    char path[512];
    for (int year = FIRST_YEAR - 1; year <= 2026; year++) {
        snprintf(path, sizeof path, "%s/summary/%04d.sum", bench->store, year);
        unlink(path);
    }
    snprintf(path, sizeof path, "%s/summary", bench->store);
    rmdir(path);
    rmdir(bench->store);
}

int main(int count, char **arguments)
{
    static struct bench bench;
    const char *place = getenv("TMPDIR");
    demand(count >= 3, "usage: bench_query YEARS READINGS_A_DAY [RUNS [STORE]]");
    bench.years = (int)strtol(arguments[1], NULL, 10);
    bench.per_day = (int)strtol(arguments[2], NULL, 10);
    bench.runs = count > 3 ? (int)strtol(arguments[3], NULL, 10) : 51;
    demand(bench.years > 0 && bench.years <= 50 && bench.per_day > 0 && bench.runs > 0 &&
               bench.runs <= MOST_RUNS,
           "at most 50 years and 1,001 runs");
    snprintf(bench.store, sizeof bench.store, "%s/hearth-bench-XXXXXX", place ? place : "/tmp");
    if (count > 4)
        snprintf(bench.store, sizeof bench.store, "%s", arguments[4]);
    else
        demand(mkdtemp(bench.store) != NULL, "no directory for the summaries");
    test_days_init(&bench.days);
    bench.names = series_names_parse(VIEW_NONE, STALE_MS, NULL);
    demand(bench.names != NULL, "no memory");
    double start = now_ms(CLOCK_MONOTONIC);
    make_readings(&bench);
    double made = now_ms(CLOCK_MONOTONIC);
    demand(test_days_summarise(&bench.days, bench.store, true, limit_of, NULL) == HEARTH_OK,
           "no summary");
    double summed = now_ms(CLOCK_MONOTONIC);
    printf("{\"years\":%d,\"readings_a_day\":%d,\"readings\":%llu,\"made_s\":%.1f,"
           "\"summary_ns_a_reading\":%.1f,\"summary_bytes_a_reading\":%.3f",
           bench.years, bench.per_day, (unsigned long long)bench.readings, (made - start) / 1e3,
           (summed - made) * 1e6 / (double)bench.readings,
           (double)summary_bytes(&bench) / (double)bench.readings);
    measure(&bench);
    printf("}\n");
    test_days_clean(&bench.days);
    series_names_free(bench.names);
    if (count <= 4)
        remove_store(&bench);
    return 0;
}
