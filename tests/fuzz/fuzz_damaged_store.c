/*
 * fuzz_damaged_store.c - a small sound store whose files are damaged as the input says, opened and
 * asked everything: by a keeper that opens it, and by a reader that goes by what an earlier keeper
 * published. Whatever stands there, an answer or an error that says what is wrong; and what a
 * keeper has opened takes readings and seals them.
 *
 * The first byte of the input says who opens. Then come damages of six bytes each: which file, what
 * is done to it, where (two bytes), how much, and a value.
 */
#include <fcntl.h>
#include <ftw.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "handlers/sensor/aggregate/aggregate.h"
#include "handlers/sensor/embedded_store.h"
#include "handlers/sensor/live/live_store.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FILES_MAX = 24, DAMAGE_BYTES = 6, PATH_BYTES = 256, BUCKETS = 12 };

#define FIRST_MS INT64_C(1757894691000)
#define DAY_MS   INT64_C(86400000)

static char directory[64];
static struct clock_manual now;
static struct live_published published; /* of the sound store */

/* The sound store's files. */
static struct kept_file {
    char name[64];
    uint8_t *bytes;
    size_t size;
} kept[FILES_MAX];
static size_t kept_count;

static void demand(int condition)
{
    if (!condition)
        abort();
}

/* ---- Files ---- */

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *position)
{
    (void)status;
    (void)type;
    return position->level == 0 ? 0 : remove(path);
}

static void empty_directory(void)
{
    (void)nftw(directory, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

static void remove_directory(void)
{
    empty_directory();
    (void)rmdir(directory);
}

static void path_of(const char *name, char path[PATH_BYTES])
{
    snprintf(path, PATH_BYTES, "%s/%s", directory, name);
}

/* With the directories above it. */
static void write_file(const char *name, const uint8_t *bytes, size_t size)
{
    char path[PATH_BYTES];
    path_of(name, path);
    for (char *slash = path + strlen(directory) + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = '\0';
        (void)mkdir(path, 0700);
        *slash = '/';
    }
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    demand(file >= 0 && (size == 0 || write(file, bytes, size) == (ssize_t)size));
    close(file);
}

static int keep_entry(const char *path, const struct stat *status, int type, struct FTW *position)
{
    (void)position;
    if (type != FTW_F || strstr(path, "store.lock"))
        return 0;
    demand(kept_count < FILES_MAX);
    struct kept_file *keeping = &kept[kept_count++];
    snprintf(keeping->name, sizeof keeping->name, "%s", path + strlen(directory) + 1);
    keeping->size = (size_t)status->st_size;
    keeping->bytes = malloc(keeping->size + 1);
    int file = open(path, O_RDONLY);
    demand(keeping->bytes && file >= 0 &&
           read(file, keeping->bytes, keeping->size) == (ssize_t)keeping->size);
    close(file);
    return 0;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const struct kept_file *)a)->name, ((const struct kept_file *)b)->name);
}

/* ---- The sound store ---- */

static struct live_store_options options_of(void)
{
    struct live_store_options options = {
        .live_bytes = 1u << 20, .clock = &now.clock, .seals_by_hand = true};
    snprintf(options.directory, sizeof options.directory, "%s", directory);
    return options;
}

static void append_some(struct reading_store *store, int from, int count)
{
    struct append_result result;
    for (int i = from; i < from + count; i++) {
        const struct reading reading = {
            .time_ms = FIRST_MS + i * DAY_MS / 40,
            .channel = i % 3 + 1,
            .rolling_code = 9,
            .raw = 1000 + i % 90,
            .humidity = i % 101,
            .time_quality = i % 20 == 7 ? TIME_SUSPECT : TIME_SENDER,
        };
        struct record record;
        demand(record_encode(&reading, &record) == REJECT_NONE);
        demand(store->append(store, &record, 1, NULL, 0, INT64_MAX, &result, NULL) == HEARTH_OK);
    }
}

/* Two live files sealed, of three days in all, and one that is not. */
static void make_store(void)
{
    static const char id[] = "0123456789abcdef0123456789abcdef\n";
    struct live_store_options options = options_of();
    struct live_store *live;
    write_file("store.id", (const uint8_t *)id, sizeof id - 1);
    struct reading_store *store = embedded_store_local_with(&options, NULL);
    demand(store != NULL);
    for (int i = 0; i < 2; i++) {
        append_some(store, i * 45, 60);
        demand(store->seal(store, INT64_MAX, NULL) == HEARTH_OK);
    }
    append_some(store, 90, 30);
    store->free(store);
    demand(live_store_open(&options, &published, &live, NULL) == HEARTH_OK);
    live_store_close(live);
    demand(nftw(directory, keep_entry, 8, FTW_PHYS) == 0);
    qsort(kept, kept_count, sizeof kept[0], compare_names);
}

static void require_store(void)
{
    if (directory[0] != '\0')
        return;
    const char *place = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    snprintf(directory, sizeof directory, "%s/hearth-fuzz-XXXXXX", place);
    demand(mkdtemp(directory) != NULL);
    atexit(remove_directory);
    struct log_options quiet = {.level = LOG_LEVEL_OFF};
    demand(log_configure(&quiet) == HEARTH_OK);
    clock_manual_init(&now, FIRST_MS + 4 * DAY_MS);
    make_store();
}

/* ---- Damage ---- */

static void damage_file(const struct kept_file *file, const uint8_t *damage)
{
    char path[PATH_BYTES];
    uint8_t bytes[1024];
    size_t at = file->size > 0 ? (size_t)(damage[2] << 8 | damage[3]) % (file->size + 1) : 0;
    size_t count = damage[4];
    path_of(file->name, path);
    memset(bytes, damage[5], sizeof bytes);
    int opened = open(path, O_RDWR);
    if (opened < 0)
        return;
    switch (damage[1] % 6) {
    case 0: /* one byte is another */
        if (pread(opened, bytes, 1, (off_t)at) == 1) {
            bytes[0] ^= damage[5];
            demand(pwrite(opened, bytes, 1, (off_t)at) == 1);
        }
        break;
    case 1: /* the end is gone */
        demand(ftruncate(opened, (off_t)at) == 0);
        break;
    case 2: /* some bytes are others */
        demand(pwrite(opened, bytes, count, (off_t)at) == (ssize_t)count);
        break;
    case 3: /* there is more of it: a piece of itself */
        count = count * 4 < file->size - at ? count * 4 : file->size - at;
        demand(pwrite(opened, file->bytes + at, count, (off_t)file->size) == (ssize_t)count);
        break;
    case 4: /* another file's content */
        demand(ftruncate(opened, 0) == 0);
        at = (size_t)damage[2] % kept_count;
        demand(pwrite(opened, kept[at].bytes, kept[at].size, 0) == (ssize_t)kept[at].size);
        break;
    default:
        demand(remove(path) == 0);
    }
    close(opened);
}

/* ---- Use ---- */

static enum hearth_error count_records(void *context, const struct record *records, size_t count)
{
    (void)records;
    *(size_t *)context += count;
    return HEARTH_OK;
}

static enum hearth_error count_bucket(void *context, size_t bucket,
                                      const struct bucket_track *tracks, size_t count)
{
    (void)tracks;
    (void)count;
    demand(bucket == (*(size_t *)context)++);
    return HEARTH_OK;
}

/* An error says what is wrong. */
static void check(enum hearth_error code, const struct error_record *error)
{
    demand(code == HEARTH_OK || ((code == HEARTH_CORRUPT || code == HEARTH_IO ||
                                  code == HEARTH_UNAVAILABLE || code == HEARTH_NOT_FOUND) &&
                                 error->detail[0] != '\0'));
}

static void ask_for_buckets(struct reading_store *store, bool with_suspect, bool scan)
{
    int64_t edges_ms[BUCKETS + 1];
    size_t buckets = 0;
    struct error_record error = {0};
    struct series_names *names =
        series_names_parse((struct view){NULL, 0}, SERIES_STALE_AFTER_MS, NULL);
    demand(names != NULL);
    for (int i = 0; i <= BUCKETS; i++)
        edges_ms[i] = FIRST_MS + (i - 1) * DAY_MS / 3 + i * INT64_C(1234567);
    const struct bucket_query query = {.edges_ms = edges_ms,
                                       .bucket_count = BUCKETS,
                                       .names = names,
                                       .with_suspect = with_suspect,
                                       .scan = scan};
    check(store->aggregate(store, &query, count_bucket, &buckets, NULL, &error), &error);
    series_names_free(names);
}

static void ask_everything(struct reading_store *store)
{
    static struct reading_series series[4096];
    static struct latest_reading latest[4096];
    struct error_record error = {0};
    struct record got[64];
    struct tail_cursor cursor = {0};
    struct tail_result result;
    size_t count = 0;
    for (int suspects = 0; suspects < 2; suspects++) {
        const struct reading_range all = {
            .from_ms = INT64_MIN, .to_ms = INT64_MAX, .rolling_code = -1, .with_suspect = suspects};
        const struct reading_range day = {.from_ms = FIRST_MS + DAY_MS / 2,
                                          .to_ms = FIRST_MS + DAY_MS,
                                          .channel = 2,
                                          .rolling_code = -1,
                                          .with_suspect = suspects};
        check(store->range(store, &all, count_records, &count, &error), &error);
        check(store->range(store, &day, count_records, &count, &error), &error);
        ask_for_buckets(store, suspects, false);
        ask_for_buckets(store, suspects, true);
    }
    check(store->series(store, series, 4096, &count, &error), &error);
    check(store->latest(store, latest, 4096, &count, &error), &error);
    do
        check(store->tail(store, &cursor, got, 64, &result, &error), &error);
    while (error.code == HEARTH_OK && result.more);
}

static void open_as_keeper(void)
{
    struct live_store_options options = options_of();
    struct error_record error = {0};
    struct reading_store *store = embedded_store_local_with(&options, &error);
    if (!store) {
        demand(error.code == HEARTH_CORRUPT || error.code == HEARTH_IO);
        demand(error.detail[0] != '\0');
        return;
    }
    struct store_state state;
    demand(store->state(store, &state, NULL) == HEARTH_OK);
    ask_everything(store);
    struct record record;
    struct append_result result;
    const struct reading reading = {.time_ms = FIRST_MS + DAY_MS + 1, .channel = 4};
    demand(record_encode(&reading, &record) == REJECT_NONE);
    error = (struct error_record){0};
    check(store->append(store, &record, 1, NULL, 0, INT64_MAX, &result, &error), &error);
    check(store->seal(store, INT64_MAX, &error), &error);
    ask_everything(store);
    store->free(store);
}

static void open_as_reader(void)
{
    struct live_store_options options = options_of();
    struct reading_store *store = embedded_store_reader(&options, &published, NULL);
    demand(store != NULL);
    ask_everything(store);
    ask_everything(store);
    store->free(store);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    require_store();
    if (kept_count == 0)
        abort();
    empty_directory();
    for (size_t i = 0; i < kept_count; i++)
        write_file(kept[i].name, kept[i].bytes, kept[i].size);
    for (size_t at = 1; at + DAMAGE_BYTES <= size && at < 1 + 16 * DAMAGE_BYTES; at += DAMAGE_BYTES)
        damage_file(&kept[data[at] % kept_count], data + at);
    if (size > 0 && data[0] & 1)
        open_as_reader();
    else
        open_as_keeper();
    return 0;
}
