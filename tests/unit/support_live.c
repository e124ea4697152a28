/*
 * support_live.c - what the tests of the embedded reading store share.
 */
#include "support_live.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "handlers/sensor/live/live_directory.h"
#include "handlers/sensor/record/record.h"

enum { PATH_SIZE = 4096 };

void live_case_init(struct live_case *test)
{
    memset(test, 0, sizeof *test);
    assert_int_equal(log_configure(&(struct log_options){.level = LOG_LEVEL_OFF}), HEARTH_OK);
    test->directory = test_directory_make();
    clock_manual_init(&test->clock, clock_wall_ms(&clock_system));
    fault_files_init(&test->faults);
    snprintf(test->options.directory, sizeof test->options.directory, "%s/store", test->directory);
    test->options.live_bytes = 8u << 20;
    test->options.seals_by_hand = true;
    test->options.clock = &test->clock.clock;
}

void live_case_clean(struct live_case *test)
{
    test_directory_remove(test->directory);
}

int live_case_set_up(void **state)
{
    struct live_case *test = calloc(1, sizeof *test);
    assert_non_null(test);
    live_case_init(test);
    *state = test;
    return 0;
}

int live_case_tear_down(void **state)
{
    struct live_case *test = *state;
    live_case_clean(test);
    free(test);
    return 0;
}

struct reading_store *live_case_open(const struct live_case *test)
{
    struct error_record error = {0};
    struct reading_store *store = embedded_store_local_with(&test->options, &error);
    if (!store)
        fail_msg("open: %s %s", error_name(error.code), error.detail);
    return store;
}

/* ---- Readings ---- */

struct record live_reading_of(const struct reading *reading)
{
    struct record record;
    assert_int_equal(record_encode(reading, &record), REJECT_NONE);
    return record;
}

struct record live_reading(int number)
{
    const struct reading reading = {
        .time_ms = LIVE_START_MS + (int64_t)number * 1000,
        .channel = number % 8 + 1,
        .rolling_code = 100 + number % 8,
        .raw = number % 4000,
        .humidity = number % 101,
    };
    return live_reading_of(&reading);
}

struct record live_bad_record(int number)
{
    struct record record = live_reading(number);
    record.bytes[RECORD_BYTES - 1] ^= 0x55;
    return record;
}

struct append_result live_append(struct reading_store *store, const struct record *records,
                                 size_t count, enum hearth_error expected)
{
    struct error_record error = {0};
    struct append_result result;
    enum hearth_error code =
        store->append(store, records, count, NULL, 0, INT64_MAX, &result, &error);
    if (code != expected)
        fail_msg("append: %s (%s) instead of %s", error_name(code), error.detail,
                 error_name(expected));
    return result;
}

struct append_result live_append_number(struct reading_store *store, int number)
{
    struct record record = live_reading(number);
    return live_append(store, &record, 1, HEARTH_OK);
}

enum hearth_error live_commit_number(struct live_store *live, int number)
{
    struct record record = live_reading(number);
    struct live_entry entry = {.records = &record, .record_count = 1};
    live_store_commit(live, &entry, 1);
    return entry.outcome;
}

struct everything {
    struct record *records;
    size_t count, capacity;
};

static enum hearth_error take_block(void *context, const struct record *records, size_t count)
{
    struct everything *all = context;
    if (all->count + count > all->capacity) {
        all->capacity = 2 * (all->count + count);
        all->records = realloc(all->records, all->capacity * sizeof *records);
        assert_non_null(all->records);
    }
    memcpy(all->records + all->count, records, count * sizeof *records);
    all->count += count;
    return HEARTH_OK;
}

struct record *live_everything(struct reading_store *store, size_t *count)
{
    const struct reading_range range = {
        .from_ms = 0, .to_ms = INT64_MAX, .rolling_code = -1, .with_suspect = true};
    struct everything all = {calloc(1, sizeof *all.records), 0, 0};
    struct error_record error = {0};
    enum hearth_error code = store->range(store, &range, take_block, &all, &error);
    if (code != HEARTH_OK)
        fail_msg("range: %s %s", error_name(code), error.detail);
    *count = all.count;
    return all.records;
}

static int compare_records(const void *a, const void *b)
{
    return memcmp(a, b, RECORD_BYTES);
}

bool live_has(const struct record *records, size_t count, const struct record *record)
{
    return bsearch(record, records, count, sizeof *records, compare_records) != NULL;
}

/* ---- Files ---- */

static void path_of(const struct live_case *test, const char *directory, const char *name,
                    char path[PATH_SIZE])
{
    snprintf(path, PATH_SIZE, "%s/%s/%s", test->options.directory, directory, name);
}

static char *read_whole(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return NULL;
    struct stat status;
    *size = 0;
    assert_int_equal(fstat(fileno(file), &status), 0);
    char *bytes = calloc((size_t)status.st_size + 1, 1);
    assert_non_null(bytes);
    *size = fread(bytes, 1, (size_t)status.st_size, file);
    fclose(file);
    return bytes;
}

unsigned char *live_file_bytes(const struct live_case *test, const char *name, size_t *size)
{
    char path[PATH_SIZE];
    path_of(test, "live", name, path);
    return (unsigned char *)read_whole(path, size);
}

void live_file_write(const struct live_case *test, const char *name, const void *bytes, size_t size)
{
    char path[PATH_SIZE];
    assert_int_equal(mkdir(test->options.directory, 0750) == 0 || errno == EEXIST, 1);
    path_of(test, "live", "", path);
    assert_int_equal(mkdir(path, 0750) == 0 || errno == EEXIST, 1);
    path_of(test, "live", name, path);
    test_write_file(path, view_from(bytes, size));
}

bool live_file_exists(const struct live_case *test, const char *name)
{
    char path[PATH_SIZE];
    path_of(test, "live", name, path);
    return access(path, F_OK) == 0;
}

/* Calls `visit` for each entry of a directory of the store. */
static void each_file(const struct live_case *test, const char *directory,
                      void (*visit)(void *context, const char *path, const char *name),
                      void *context)
{
    char path[PATH_SIZE];
    path_of(test, directory, "", path);
    DIR *entries = opendir(path);
    if (!entries)
        return;
    const struct dirent *entry;
    while ((entry = readdir(entries)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        path_of(test, directory, entry->d_name, path);
        visit(context, path, entry->d_name);
    }
    closedir(entries);
}

static void count_file(void *context, const char *path, const char *name)
{
    (void)path;
    (void)name;
    ++*(size_t *)context;
}

size_t live_file_count(const struct live_case *test)
{
    size_t count = 0;
    each_file(test, "live", count_file, &count);
    return count;
}

static void add_text(void *context, const char *path, const char *name)
{
    char **text = context;
    size_t size = 0, before = strlen(*text);
    char *more = read_whole(path, &size);
    (void)name;
    *text = realloc(*text, before + size + 1);
    assert_non_null(*text);
    memcpy(*text + before, more, size + 1);
    free(more);
}

char *live_quarantine_text(const struct live_case *test)
{
    char *text = calloc(1, 1);
    each_file(test, "quarantine", add_text, &text);
    return text;
}

size_t live_count_text(const char *text, const char *part)
{
    /* Not strstr: under AddressSanitizer that measures the rest of the text each time. */
    const char *end = text + strlen(text);
    size_t count = 0, length = strlen(part);
    for (const char *at = text; (at = memmem(at, (size_t)(end - at), part, length)) != NULL; at++)
        count++;
    return count;
}

size_t live_quarantine_lines(const struct live_case *test)
{
    char *text = live_quarantine_text(test);
    size_t lines = live_count_text(text, "\n");
    free(text);
    return lines;
}

static void add_slots(void *context, const char *path, const char *name)
{
    struct everything *all = context;
    struct live_name parsed;
    size_t size = 0;
    if (!live_name_parse(name, &parsed))
        return;
    char *bytes = read_whole(path, &size);
    if (parsed.poisoned && parsed.trusted_bytes < size)
        size = (size_t)parsed.trusted_bytes;
    const struct record *records = (const struct record *)(const void *)bytes;
    for (size_t i = 0; i < size / RECORD_BYTES; i++)
        if (record_check(&records[i]) == REJECT_NONE)
            take_block(all, &records[i], 1);
    free(bytes);
}

void live_expect_nothing_twice(const struct live_case *test)
{
    struct everything all = {calloc(1, sizeof *all.records), 0, 0};
    each_file(test, "live", add_slots, &all);
    qsort(all.records, all.count, sizeof *all.records, compare_records);
    for (size_t i = 1; i < all.count; i++)
        if (record_same(&all.records[i - 1], &all.records[i]))
            fail_msg("a reading stands twice in the live files");
    free(all.records);
}
