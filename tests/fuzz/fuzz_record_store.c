/*
 * fuzz_record_store.c - a store whose files hold any bytes: it opens, gives out only records that
 * are whole, in order and once, takes another reading, and opens again without quarantining
 * anything a second time.
 *
 * The first byte of the input says how it is dealt out: to the file written to, to a finished and a
 * poisoned one before it, and to a file of the quarantine.
 */
#include <fcntl.h>
#include <ftw.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "handlers/sensor/embedded_store.h"
#include "handlers/sensor/record/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char directory[64];

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

static void remove_directory(void)
{
    (void)nftw(directory, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
    (void)rmdir(directory);
}

static void require_directory(void)
{
    if (directory[0] != '\0')
        return;
    /* In memory where that can be: a target that waits for a disk finds nothing. */
    const char *place = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    snprintf(directory, sizeof directory, "%s/hearth-fuzz-XXXXXX", place);
    demand(mkdtemp(directory) != NULL);
    atexit(remove_directory);
    struct log_options quiet = {.level = LOG_LEVEL_OFF};
    demand(log_configure(&quiet) == HEARTH_OK);
}

static void write_file(const char *name, const uint8_t *data, size_t size)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    demand(file >= 0 && (size == 0 || write(file, data, size) == (ssize_t)size));
    close(file);
}

static uint64_t quarantine_bytes(void)
{
    char path[256];
    uint64_t bytes = 0;
    for (int number = 1; number <= 9; number++) {
        struct stat status;
        snprintf(path, sizeof path, "%s/quarantine/%08d.ndjson", directory, number);
        if (stat(path, &status) == 0)
            bytes += (uint64_t)status.st_size;
    }
    return bytes;
}

/* ---- The store ---- */

struct seen {
    struct record last;
    size_t count;
};

static enum hearth_error look(void *context, const struct record *records, size_t count)
{
    struct seen *seen = context;
    for (size_t i = 0; i < count; i++) {
        demand(record_check(&records[i]) == REJECT_NONE);
        if (seen->count++ > 0) {
            demand(memcmp(&seen->last, &records[i], sizeof seen->last) < 0);
            demand(!record_same(&seen->last, &records[i]));
        }
        seen->last = records[i];
    }
    return HEARTH_OK;
}

static size_t count_readings(struct reading_store *store)
{
    const struct reading_range all = {
        .from_ms = INT64_MIN, .to_ms = INT64_MAX, .rolling_code = -1, .with_suspect = true};
    struct seen seen = {.count = 0};
    demand(store->range(store, &all, look, &seen, NULL) == HEARTH_OK);
    struct store_state state;
    demand(store->state(store, &state, NULL) == HEARTH_OK);
    demand(state.readings == seen.count);
    return seen.count;
}

static struct reading_store *open_store(void)
{
    struct live_store_options options = {.live_bytes = 1u << 20, .clock = &clock_system};
    snprintf(options.directory, sizeof options.directory, "%s", directory);
    struct reading_store *store = embedded_store_local_with(&options, NULL);
    demand(store != NULL);
    return store;
}

static void use_store(void)
{
    const struct reading reading = {.time_ms = 123456789, .channel = 9, .rolling_code = 99};
    struct record record;
    struct append_result result;
    demand(record_encode(&reading, &record) == REJECT_NONE);
    struct reading_store *store = open_store();
    size_t before = count_readings(store);
    demand(store->append(store, &record, 1, NULL, 0, INT64_MAX, &result, NULL) == HEARTH_OK);
    demand(result.accepted + result.duplicate == 1);
    demand(count_readings(store) == before + result.accepted);
    store->free(store);
    uint64_t quarantined = quarantine_bytes();
    store = open_store();
    demand(count_readings(store) == before + result.accepted);
    demand(quarantine_bytes() == quarantined);
    store->free(store);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {
        "live/00000001.bin",
        "live/00000002.poisoned-36.bin",
        "live/00000003.bin",
        "quarantine/00000001.ndjson",
    };
    char path[128];
    require_directory();
    (void)nftw(directory, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
    snprintf(path, sizeof path, "%s/live", directory);
    demand(mkdir(path, 0700) == 0);
    snprintf(path, sizeof path, "%s/quarantine", directory);
    demand(mkdir(path, 0700) == 0);
    size_t parts = size > 0 ? (data[0] & 3u) + 1 : 1, at = size > 0 ? 1 : 0;
    for (size_t i = 0; i < parts; i++) {
        size_t length = i + 1 == parts ? size - at : (size - at) / (parts - i);
        write_file(names[i], data + at, length);
        at += length;
    }
    use_store();
    return 0;
}
