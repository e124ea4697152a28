/*
 * bench_rrd.c - rrdtool's answer to a query of 1,000 points, which it made when readings came in.
 *
 *   bench_rrd fill DIRECTORY READINGS.bin FROM_MS TO_MS
 *   bench_rrd fetch DIRECTORY FROM_MS TO_MS RUNS
 *
 * One database a channel with two sources, temperature and humidity. Its archives hold the average,
 * the minimum and the maximum of exactly the buckets that are asked for, 60 steps each, so that a
 * fetch reads 1,000 ready rows and computes nothing. It is fed at most one reading a step, and
 * nothing late, which rrdtool refuses: an answer takes as long, whatever it was fed. fetch reads
 * all eight, in this process (rrd_fetch_r), and prints one JSON object: the median time of the
 * three archives, and of the averages alone, in ms.
 */
#include <rrd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bench/bench_support.h"

/* rrdtool takes the seconds of the first years after 1970 for a date: all is later by so much. */
enum { LATER_S = 20 * 31557600 };
enum { CHANNELS = 8, BUCKETS = 1000, STEPS = 60, BATCH = 500, UPDATE_BYTES = 64, MOST_RUNS = 1001 };

struct span {
    long from_s, to_s, step_s; /* a row is STEPS steps; all are whole rows */
};

struct channel {
    char path[512];
    long last_step;
    int pending;
    char updates[BATCH][UPDATE_BYTES];
    const char *arguments[BATCH];
};

static void demand(bool condition, const char *what)
{
    if (condition)
        return;
    fprintf(stderr, "bench_rrd: %s%s%s\n", what, rrd_test_error() ? ": " : "",
            rrd_test_error() ? rrd_get_error() : "");
    exit(1);
}

static struct span span_of(const char *from_ms, const char *to_ms)
{
    struct span span;
    long from_s = (long)(strtoll(from_ms, NULL, 10) / 1000) + LATER_S;
    long to_s = (long)(strtoll(to_ms, NULL, 10) / 1000) + LATER_S;
    span.step_s = (to_s - from_s) / ((long)BUCKETS * STEPS) + 1;
    const long row_s = span.step_s * STEPS;
    span.from_s = from_s / row_s * row_s;
    span.to_s = (to_s + row_s - 1) / row_s * row_s;
    return span;
}

static void channel_path(char *path, size_t size, const char *directory, int channel)
{
    snprintf(path, size, "%s/%d.rrd", directory, channel + 1);
}

/* ---- Filling ---- */

static void create(const struct channel *channel, const struct span *span)
{
    char temperature[64], humidity[64], archives[3][64];
    const char *arguments[5] = {temperature, humidity, archives[0], archives[1], archives[2]};
    static const char *const functions[] = {"AVERAGE", "MIN", "MAX"};
    const long heartbeat_s = span->step_s * 3 > 7200 ? span->step_s * 3 : 7200;
    snprintf(temperature, sizeof temperature, "DS:temperature:GAUGE:%ld:U:U", heartbeat_s);
    snprintf(humidity, sizeof humidity, "DS:humidity:GAUGE:%ld:U:U", heartbeat_s);
    for (int i = 0; i < 3; i++)
        snprintf(archives[i], sizeof archives[i], "RRA:%s:0.5:%d:%d", functions[i], STEPS,
                 BUCKETS + 2);
    demand(rrd_create_r(channel->path, (unsigned long)span->step_s, span->from_s - 1, 5,
                        arguments) == 0,
           "create");
}

static void flush(struct channel *channel)
{
    if (channel->pending > 0)
        demand(rrd_update_r(channel->path, NULL, channel->pending, channel->arguments) == 0,
               "update");
    channel->pending = 0;
}

static void feed(struct channel *channel, const struct span *span, const struct reading *reading)
{
    const long time_s = (long)(reading->time_ms / 1000) + LATER_S, step = time_s / span->step_s;
    if (step <= channel->last_step || step * span->step_s < span->from_s)
        return;
    channel->last_step = step;
    snprintf(channel->updates[channel->pending], UPDATE_BYTES, "%ld:%.1f:%d", time_s,
             (reading->raw - RAW_F_OFFSET) / 10.0, reading->humidity);
    channel->arguments[channel->pending] = channel->updates[channel->pending];
    if (++channel->pending == BATCH)
        flush(channel);
}

static void fill(const char *directory, const char *path, const struct span *span)
{
    static struct channel channels[CHANNELS];
    struct bench_file file;
    bench_file_map(path, &file);
    for (int i = 0; i < CHANNELS; i++) {
        channel_path(channels[i].path, sizeof channels[i].path, directory, i);
        create(&channels[i], span);
    }
    for (size_t i = 0; i < file.count; i++) {
        const struct reading reading = bench_file_reading(&file, i);
        if (reading.channel <= CHANNELS)
            feed(&channels[reading.channel - 1], span, &reading);
    }
    for (int i = 0; i < CHANNELS; i++)
        flush(&channels[i]);
}

/* ---- Fetching ---- */

/* Gives back the rows, and counts the values that are known. */
static size_t fetch(const char *path, const char *function, const struct span *span, size_t *known)
{
    time_t start = span->from_s, end = span->to_s;
    unsigned long step_s = (unsigned long)(span->step_s * STEPS), sources;
    char **names;
    rrd_value_t *values;
    demand(rrd_fetch_r(path, function, &start, &end, &step_s, &sources, &names, &values) == 0,
           "fetch");
    demand(step_s == (unsigned long)(span->step_s * STEPS), "another archive answered");
    const size_t rows = (size_t)(end - start) / step_s;
    for (size_t i = 0; i < rows * sources; i++)
        *known += values[i] == values[i];
    for (unsigned long i = 0; i < sources; i++)
        rrd_freemem(names[i]);
    rrd_freemem(names);
    rrd_freemem(values);
    return rows;
}

static double fetch_all(const char *directory, const struct span *span, int functions, size_t *rows,
                        size_t *known)
{
    static const char *const names[] = {"AVERAGE", "MIN", "MAX"};
    *known = 0;
    double start = bench_now_ms();
    for (int channel = 0; channel < CHANNELS; channel++) {
        char path[512];
        channel_path(path, sizeof path, directory, channel);
        for (int i = 0; i < functions; i++)
            *rows = fetch(path, names[i], span, known);
    }
    return bench_now_ms() - start;
}

/* ---- As one table ---- */

enum { COLUMNS = CHANNELS * 2 * 3, WORDS = 8 + 2 * COLUMNS, WORD_BYTES = 640 };

struct words {
    int count;
    char text[WORDS][WORD_BYTES];
    char *arguments[WORDS];
};

static char *next_word(struct words *words)
{
    demand(words->count < WORDS, "too many words");
    words->arguments[words->count] = words->text[words->count];
    return words->text[words->count++];
}

/* xport --start ... --end ... --step ... --maxrows ..., and each archive of each source. */
static void make_words(struct words *words, const char *directory, const struct span *span)
{
    static const char *const functions[] = {"AVERAGE", "MIN", "MAX"};
    static const char *const sources[] = {"temperature", "humidity"};
    snprintf(next_word(words), WORD_BYTES, "xport");
    snprintf(next_word(words), WORD_BYTES, "--start=%ld", span->from_s);
    snprintf(next_word(words), WORD_BYTES, "--end=%ld", span->to_s);
    snprintf(next_word(words), WORD_BYTES, "--step=%ld", span->step_s * STEPS);
    snprintf(next_word(words), WORD_BYTES, "--maxrows=%d", BUCKETS + 2);
    for (int i = 0; i < COLUMNS; i++) {
        char path[512];
        channel_path(path, sizeof path, directory, i / 6);
        snprintf(next_word(words), WORD_BYTES, "DEF:c%d=%s:%s:%s", i, path, sources[i / 3 % 2],
                 functions[i % 3]);
        snprintf(next_word(words), WORD_BYTES, "XPORT:c%d", i);
    }
}

static double table_processor_ms; /* of the last one, then the median of the runs */

static double export_once(const struct words *words, size_t *rows, size_t *known)
{
    char *arguments[WORDS];
    int ignored;
    time_t start_s, end_s;
    unsigned long step_s, columns;
    char **legends;
    rrd_value_t *values;
    memcpy(arguments, words->arguments, sizeof arguments);
    double start = bench_now_ms(), processor = bench_processor_ms();
    demand(rrd_xport(words->count, arguments, &ignored, &start_s, &end_s, &step_s, &columns,
                     &legends, &values) == 0,
           "xport");
    *rows = (size_t)(end_s - start_s) / step_s;
    *known = 0;
    for (size_t i = 0; i < *rows * columns; i++)
        *known += values[i] == values[i];
    for (unsigned long i = 0; i < columns; i++)
        rrd_freemem(legends[i]);
    rrd_freemem(legends);
    rrd_freemem(values);
    table_processor_ms = bench_processor_ms() - processor;
    return bench_now_ms() - start;
}

/* ---- Measuring ---- */

static double measure_table(const char *directory, const struct span *span, int runs, size_t *rows,
                            size_t *known)
{
    static struct words words;
    static double times[MOST_RUNS], processor[MOST_RUNS];
    make_words(&words, directory, span);
    export_once(&words, rows, known);
    for (int i = 0; i < runs; i++) {
        times[i] = export_once(&words, rows, known);
        processor[i] = table_processor_ms;
    }
    table_processor_ms = bench_median(processor, (size_t)runs);
    return bench_median(times, (size_t)runs);
}

static double measure_fetches(const char *directory, const struct span *span, int runs,
                              int functions, size_t *rows, size_t *known)
{
    static double times[MOST_RUNS];
    fetch_all(directory, span, functions, rows, known);
    for (int i = 0; i < runs; i++)
        times[i] = fetch_all(directory, span, functions, rows, known);
    return bench_median(times, (size_t)runs);
}

int main(int count, char **arguments)
{
    demand(count == 6, "fill DIRECTORY FILE FROM_MS TO_MS, or fetch DIRECTORY FROM_MS TO_MS RUNS");
    if (strcmp(arguments[1], "fill") == 0) {
        const struct span span = span_of(arguments[4], arguments[5]);
        fill(arguments[2], arguments[3], &span);
        return 0;
    }
    const struct span span = span_of(arguments[3], arguments[4]);
    size_t rows = 0, known = 0;
    int runs = (int)strtol(arguments[5], NULL, 10);
    demand(runs > 0 && runs <= MOST_RUNS, "1 to 1,001 runs");
    double average_ms = measure_fetches(arguments[2], &span, runs, 1, &rows, &known);
    double ms = measure_fetches(arguments[2], &span, runs, 3, &rows, &known);
    size_t table_rows, table_known;
    double table_ms = measure_table(arguments[2], &span, runs, &table_rows, &table_known);
    printf("{\"ms\":%.3f,\"average_ms\":%.3f,\"rows\":%zu,\"known\":%zu,\"table_ms\":%.3f,\"table_"
           "processor_ms\":%.3f,"
           "\"table_rows\":%zu,\"table_known\":%zu}\n",
           ms, average_ms, rows, known, table_ms, table_processor_ms, table_rows, table_known);
    return 0;
}
