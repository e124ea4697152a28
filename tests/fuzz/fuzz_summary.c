/*
 * fuzz_summary.c - a summary file of any bytes: it is opened or refused, and whatever it says, a
 * query over it and the comparison with the records end, within their memory.
 *
 * The first byte of the input: 1 = the checksums are made right first, so that what stands behind
 * them is reached. The rest is the file.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "handlers/sensor/record/record.h"
#include "handlers/sensor/summary/day_source.h"
#include "hearth/telemetry.h"
#include "tests/unit/support_reseal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { YEAR = 2025, MOST_RECORDS = 4096, MOST_FILES = 8, FIRST_DAY = 20089, DAYS = 365 };

static char directory[64], path[128];
static struct series_names *names;

static void demand(int condition)
{
    if (!condition)
        abort();
}

static void remove_directory(void)
{
    char inner[128];
    snprintf(inner, sizeof inner, "%s/summary", directory);
    unlink(path);
    rmdir(inner);
    rmdir(directory);
    series_names_free(names);
}

static void prepare(void)
{
    if (names)
        return;
    const char *place = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    snprintf(directory, sizeof directory, "%s/hearth-fuzz-XXXXXX", place);
    demand(mkdtemp(directory) != NULL);
    snprintf(path, sizeof path, "%s/summary", directory);
    demand(mkdir(path, 0700) == 0);
    snprintf(path, sizeof path, "%s/summary/%d.sum", directory, YEAR);
    names = series_names_parse(VIEW_NONE, 3600000, NULL);
    demand(names != NULL);
    atexit(remove_directory);
}

/* ---- A day as the file says that it is ---- */

struct fuzz_day {
    int32_t day;
    struct sealed_file files[MOST_FILES];
    struct day_run runs[MOST_FILES];
    size_t count;
    const struct summary_day *summary;
    struct record records[MOST_RECORDS];
};

static enum hearth_error next_day(struct day_source *source, int32_t day, bool with_suspect,
                                  int32_t *next, struct error_record *error)
{
    const struct fuzz_day *only = source->context;
    (void)with_suspect;
    (void)error;
    *next = day <= only->day ? only->day : INT32_MAX;
    return HEARTH_OK;
}

static enum hearth_error look(struct day_source *source, int32_t day, bool with_suspect,
                              struct day_runs *runs, struct error_record *error)
{
    struct fuzz_day *only = source->context;
    (void)with_suspect;
    (void)error;
    *runs = (struct day_runs){
        .day = day, .count = only->count, .runs = only->runs, .summary = only->summary};
    return HEARTH_OK;
}

static enum hearth_error map(struct day_source *source, struct day_runs *runs,
                             struct error_record *error)
{
    (void)source;
    (void)runs;
    (void)error;
    return HEARTH_OK;
}

static void release(struct day_source *source, struct day_runs *runs)
{
    (void)source;
    (void)runs;
}

static enum hearth_error look_at_bucket(void *context, size_t bucket,
                                        const struct bucket_track *tracks, size_t count)
{
    (void)context;
    (void)bucket;
    for (size_t i = 0; i < count; i++)
        demand(tracks[i].digest.count > 0 || tracks[i].held);
    return HEARTH_OK;
}

static void query_day(struct fuzz_day *day, int64_t from_ms, int64_t step_ms, bool scan)
{
    struct day_source source = {
        .next_day = next_day, .look = look, .map = map, .release = release, .context = day};
    int64_t edges[6];
    for (int i = 0; i < 6; i++)
        edges[i] = from_ms + i * step_ms;
    const struct bucket_query query = {
        .edges_ms = edges, .bucket_count = 5, .names = names, .scan = scan};
    demand(aggregate_run_over(&source, &query, look_at_bucket, NULL, NULL, NULL) == HEARTH_OK);
}

/* Good records, as many as the file's sources say; false when they are too many. */
static bool make_records(struct fuzz_day *day, const unsigned char *sources, size_t count)
{
    size_t made = 0;
    day->count = count;
    for (size_t i = 0; i < count; i++) {
        size_t records = summary_read32(sources + i * SUMMARY_SOURCE_BYTES + 8);
        if (records == 0 || records > MOST_RECORDS - made)
            return false;
        day->files[i] =
            (struct sealed_file){.day = day->day,
                                 .records = (uint32_t)records,
                                 .sequence = summary_read64(sources + i * SUMMARY_SOURCE_BYTES)};
        day->runs[i] = (struct day_run){day->records + made, records};
        for (size_t r = 0; r < records; r++, made++) {
            const struct reading reading = {.time_ms =
                                                day->day * DAY_MS + (int64_t)r * 20000 + (int64_t)i,
                                            .channel = (int)(r % 3) + 1,
                                            .raw = (int)(r % 4000),
                                            .humidity = (int)(r % 100)};
            demand(record_encode(&reading, &day->records[made]) == REJECT_NONE);
        }
    }
    return true;
}

static void use_day(const struct summary_file *file, const uint8_t *bytes, size_t number)
{
    static struct fuzz_day day;
    const uint8_t *index = bytes + summary_read64(bytes + 32);
    const uint8_t *entry = index + number * SUMMARY_DAY_BYTES;
    const uint8_t *sources = index + summary_read32(bytes + 16) * (size_t)SUMMARY_DAY_BYTES +
                             summary_read32(entry + 32) * (size_t)SUMMARY_SOURCE_BYTES;
    size_t count = summary_read32(entry + 28);
    day.day = (int32_t)summary_read32(entry);
    if (day.day < FIRST_DAY || day.day >= FIRST_DAY + DAYS || count > MOST_FILES ||
        !make_records(&day, sources, count))
        return;
    day.summary = summary_file_day(file, day.day, day.files, count);
    if (!day.summary)
        return;
    for (size_t i = 0; i < summary_day_series_count(day.summary); i++) {
        struct summary_series series;
        summary_day_series(day.summary, i, &series);
        demand(series.channel >= 1 && series.channel <= 16 && series.rolling_code <= 255);
    }
    const struct day_runs runs = {
        .day = day.day, .count = day.count, .runs = day.runs, .summary = day.summary};
    (void)summary_day_verify(day.summary, &runs, NULL);
    query_day(&day, day.day * DAY_MS, DAY_MS / 4, false);
    query_day(&day, day.day * DAY_MS - 5000, DAY_MS, false);
    query_day(&day, day.day * DAY_MS + 3333333, 20000, false);
    query_day(&day, day.day * DAY_MS + 3333333, 2000000, true);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    prepare();
    if (size < 1 || size > 1 << 20)
        return 0;
    uint8_t *bytes = malloc(size);
    demand(bytes != NULL);
    memcpy(bytes, data + 1, --size);
    if (data[0] == 1)
        reseal(bytes, size);
    int out = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    demand(out >= 0 && write(out, bytes, size) == (ssize_t)size);
    close(out);
    struct summary_file *file = summary_file_open(&file_system, directory, YEAR, NULL);
    for (size_t i = 0; file && i < summary_file_days(file) && i < 16; i++)
        use_day(file, bytes, i);
    summary_file_close(file);
    free(bytes);
    return 0;
}
