/*
 * bench_store.c - a store on disk at its own interface: opening it, the query function, sealing.
 *
 *   bench_store query DIRECTORY FROM_MS TO_MS RUNS [scan]
 *   bench_store open DIRECTORY
 *   bench_store seal DIRECTORY READINGS DAYS
 *
 * query: the store's aggregate() over the whole span in 1,000 buckets, all series, both quantities,
 * and over a day in 1,000 buckets (the worst of 20 places); with `scan` the span again without
 * summaries. open: until the store has told how many readings it holds, as its keeper and its first
 * reader. seal: makes a store and appends and seals DAYS days of READINGS readings, each timed.
 * Every time is the median of its runs, but what is called first. Prints one JSON object; times are
 * in ms.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "handlers/sensor/aggregate/aggregate.h"
#include "handlers/sensor/embedded_store.h"
#include "handlers/sensor/series/series_names.h"
#include "tests/bench/bench_support.h"
#include "tests/unit/support_chance.h"

enum { BUCKETS = 1000, PLACES = 20, MOST_RUNS = 1001, SERIES = 8, FIRST_DAY = 18262 /* 2020 */ };
enum { LIVE_BYTES = 8 << 20 };

#define DAY_MS      INT64_C(86400000)
#define DEADLINE_NS INT64_C(600000000000)

struct bench {
    struct reading_store *store;
    struct series_names *names;
    int runs;
    double times[MOST_RUNS], processor[MOST_RUNS];
    double processor_ms; /* of the last query, then the median of the runs */
    uint64_t tracks;     /* of the last query: buckets with something in them */
    struct aggregate_statistics statistics;
};

static void demand(bool condition, const char *what)
{
    if (condition)
        return;
    fprintf(stderr, "bench_store: %s\n", what);
    exit(1);
}

static int64_t deadline(void)
{
    return clock_monotonic_ns(&clock_system) + DEADLINE_NS;
}

static void open_store(struct bench *bench, const char *directory)
{
    struct error_record error = {0};
    struct live_store_options options = {
        .live_bytes = LIVE_BYTES, .clock = &clock_system, .seals_by_hand = true};
    snprintf(options.directory, sizeof options.directory, "%s", directory);
    bench->store = embedded_store_local_with(&options, &error);
    demand(bench->store != NULL, error.detail);
}

static uint64_t readings_of(struct bench *bench)
{
    struct error_record error = {0};
    struct store_state state = {0};
    demand(bench->store->state(bench->store, &state, &error) == HEARTH_OK, error.detail);
    return state.readings;
}

/* ---- Queries ---- */

/* Looks at what a chart would: a bucket's digest is not only counted. */
static enum hearth_error take_bucket(void *context, size_t bucket,
                                     const struct bucket_track *tracks, size_t count)
{
    struct bench *bench = context;
    (void)bucket;
    for (size_t i = 0; i < count; i++)
        bench->tracks += tracks[i].digest.count > 0 || tracks[i].held;
    return HEARTH_OK;
}

static double query_once(struct bench *bench, int64_t from_ms, int64_t to_ms, bool scan)
{
    static int64_t edges[BUCKETS + 1];
    struct error_record error = {0};
    for (int i = 0; i <= BUCKETS; i++)
        edges[i] = from_ms + i * (to_ms - from_ms) / BUCKETS;
    const struct bucket_query query = {
        .edges_ms = edges, .bucket_count = BUCKETS, .names = bench->names, .scan = scan};
    bench->tracks = 0;
    double start = bench_now_ms(), processor = bench_processor_ms();
    demand(bench->store->aggregate(bench->store, &query, take_bucket, bench, &bench->statistics,
                                   &error) == HEARTH_OK,
           error.detail);
    bench->processor_ms = bench_processor_ms() - processor;
    return bench_now_ms() - start;
}

static double query(struct bench *bench, int64_t from_ms, int64_t to_ms, bool scan)
{
    for (int i = 0; i < bench->runs; i++) {
        bench->times[i] = query_once(bench, from_ms, to_ms, scan);
        bench->processor[i] = bench->processor_ms;
    }
    bench->processor_ms = bench_median(bench->processor, (size_t)bench->runs);
    return bench_median(bench->times, (size_t)bench->runs);
}

static void print_query(const struct bench *bench, const char *name, double first, double ms)
{
    printf(",\n \"%s\":{\"first_ms\":%.3f,\"ms\":%.3f,\"processor_ms\":%.3f,\"days\":%" PRIu64
           ",\"blocks\":%" PRIu64 ",\"records\":%" PRIu64 ",\"tracks\":%" PRIu64 "}",
           name, first, ms, bench->processor_ms, bench->statistics.days, bench->statistics.blocks,
           bench->statistics.records, bench->tracks);
}

static void query_days(struct bench *bench, int64_t from_ms, int64_t to_ms)
{
    double worst = 0, worst_first = 0;
    chance_seed(7);
    for (int i = 0; i < PLACES; i++) {
        uint64_t span = (uint64_t)(to_ms - from_ms - DAY_MS);
        int64_t at_ms = from_ms + (int64_t)(chance_next() % span);
        double first = query_once(bench, at_ms, at_ms + DAY_MS, false);
        double ms = query(bench, at_ms, at_ms + DAY_MS, false);
        worst = ms > worst ? ms : worst;
        worst_first = first > worst_first ? first : worst_first;
    }
    print_query(bench, "day", worst_first, worst);
}

static void run_queries(struct bench *bench, int count, char **arguments)
{
    demand(count == 6 || count == 7, "query DIRECTORY FROM_MS TO_MS RUNS [scan]");
    struct error_record error = {0};
    int64_t from_ms = strtoll(arguments[3], NULL, 10), to_ms = strtoll(arguments[4], NULL, 10);
    bench->runs = (int)strtol(arguments[5], NULL, 10);
    demand(bench->runs > 0 && bench->runs <= MOST_RUNS && to_ms - from_ms > DAY_MS,
           "1 to 1,001 runs over more than a day");
    bench->names = series_names_load(arguments[2], SERIES_STALE_AFTER_MS, &error);
    demand(bench->names != NULL, error.detail);
    open_store(bench, arguments[2]);
    printf("{\"readings\":%" PRIu64, readings_of(bench));
    double first = query_once(bench, from_ms, to_ms, false);
    double ms = query(bench, from_ms, to_ms, false);
    print_query(bench, "full", first, ms);
    query_days(bench, from_ms, to_ms);
    if (count == 7) {
        first = query_once(bench, from_ms, to_ms, true);
        bench->runs = bench->runs > 7 ? 7 : bench->runs;
        ms = query(bench, from_ms, to_ms, true);
        print_query(bench, "scan", first, ms);
    }
    printf("}\n");
    series_names_free(bench->names);
}

/* ---- Opening and sealing ---- */

static void run_open(struct bench *bench, int count, char **arguments)
{
    demand(count == 3, "open DIRECTORY");
    double start = bench_now_ms();
    open_store(bench, arguments[2]);
    double opened = bench_now_ms();
    uint64_t readings = readings_of(bench);
    printf("{\"readings\":%" PRIu64 ",\"open_ms\":%.3f,\"first_answer_ms\":%.3f}\n", readings,
           opened - start, bench_now_ms() - start);
}

static struct record *make_day(int32_t day, size_t count)
{
    struct record *records = malloc(count * sizeof *records);
    demand(records != NULL, "no memory");
    for (size_t i = 0; i < count; i++) {
        int series = chance(SERIES);
        const struct reading reading = {.time_ms =
                                            day * DAY_MS + (int64_t)i * DAY_MS / (int64_t)count,
                                        .channel = series + 1,
                                        .rolling_code = 50 + 3 * series,
                                        .raw = 1000 + chance(200),
                                        .humidity = 30 + chance(40),
                                        .signal = 40 + chance(40)};
        demand(record_encode(&reading, &records[i]) == REJECT_NONE, "no such reading");
    }
    return records;
}

static double seal_day(struct bench *bench, int32_t day, size_t count)
{
    struct error_record error = {0};
    struct append_result result = {0};
    struct record *records = make_day(day, count);
    enum hearth_error code =
        bench->store->append(bench->store, records, count, NULL, 0, deadline(), &result, &error);
    free(records);
    demand(code == HEARTH_OK && result.accepted == count, error.detail);
    double start = bench_now_ms();
    demand(bench->store->seal(bench->store, deadline(), &error) == HEARTH_OK, error.detail);
    return bench_now_ms() - start;
}

static void run_seal(struct bench *bench, int count, char **arguments)
{
    demand(count == 5, "seal DIRECTORY READINGS DAYS");
    size_t readings = strtoul(arguments[3], NULL, 10);
    int days = (int)strtol(arguments[4], NULL, 10);
    demand(readings > 0 && readings <= 10000000 && days > 0 && days <= MOST_RUNS,
           "1 to 10,000,000 readings on 1 to 1,001 days");
    open_store(bench, arguments[2]);
    chance_seed(11);
    for (int i = 0; i < days; i++)
        bench->times[i] = seal_day(bench, FIRST_DAY + i, readings);
    double ms = bench_median(bench->times, (size_t)days);
    printf("{\"readings\":%" PRIu64 ",\"seal_ms\":%.3f,\"worst_ms\":%.3f}\n", readings_of(bench),
           ms, bench->times[days - 1]);
}

int main(int count, char **arguments)
{
    static struct bench bench;
    const char *what = count > 2 ? arguments[1] : "";
    if (strcmp(what, "query") == 0)
        run_queries(&bench, count, arguments);
    else if (strcmp(what, "open") == 0)
        run_open(&bench, count, arguments);
    else if (strcmp(what, "seal") == 0)
        run_seal(&bench, count, arguments);
    else
        demand(false, "query, open or seal");
    bench.store->free(bench.store);
    return 0;
}
