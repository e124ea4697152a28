/*
 * support_made.c - a store made by hand.
 */
#include "support_made.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "handlers/sensor/live/live_directory.h"
#include "handlers/sensor/record/record.h"

enum { DAY_MS = 86400000 };

/* ---- Files ---- */

void made_store_path(const struct made_store *test, const char *name, char path[1200])
{
    snprintf(path, 1200, "%s/%s", test->store, name);
}

static void make_directory(const struct made_store *test, const char *name)
{
    char path[1200];
    made_store_path(test, name, path);
    (void)mkdir(path, 0750);
}

static void write_at_end(const struct made_store *test, const char *name, const char *mode,
                         const void *bytes, size_t size)
{
    char path[1200];
    made_store_path(test, name, path);
    FILE *file = fopen(path, mode);
    assert_non_null(file);
    assert_true(size == 0 || fwrite(bytes, size, 1, file) == 1);
    assert_int_equal(fclose(file), 0);
}

void made_store_write(const struct made_store *test, const char *name, const void *bytes,
                      size_t size)
{
    write_at_end(test, name, "wb", bytes, size);
}

char *made_store_read(const struct made_store *test, const char *name, size_t *size)
{
    char path[1200];
    struct stat status;
    made_store_path(test, name, path);
    FILE *file = fopen(path, "rb");
    if (!file)
        return NULL;
    assert_int_equal(fstat(fileno(file), &status), 0);
    char *bytes = calloc((size_t)status.st_size + 1, 1);
    *size = fread(bytes, 1, (size_t)status.st_size, file);
    fclose(file);
    return bytes;
}

void made_store_remove(const struct made_store *test, const char *name)
{
    char path[1200];
    made_store_path(test, name, path);
    assert_int_equal(unlink(path), 0);
}

/* ---- The store ---- */

void made_store_init(struct made_store *test)
{
    static const char *const directories[] = {"", "live", "sealed", "suspect", "manifest"};
    memset(test, 0, sizeof *test);
    assert_int_equal(log_configure(&(struct log_options){.level = LOG_LEVEL_OFF}), HEARTH_OK);
    test->directory = test_directory_make();
    snprintf(test->store, sizeof test->store, "%s/store", test->directory);
    for (size_t i = 0; i < sizeof directories / sizeof directories[0]; i++)
        make_directory(test, directories[i]);
    char text[34];
    for (size_t i = 0; i < sizeof test->id; i++) {
        test->id[i] = (unsigned char)(i * 17);
        snprintf(text + 2 * i, 3, "%02x", test->id[i]);
    }
    text[32] = '\n';
    made_store_write(test, "store.id", text, 33);
    EVP_Digest(text, 32, test->position.hash, NULL, EVP_sha256(), NULL);
    made_store_write(test, "live/00000001.bin", "", 0);
    test->state = (struct live_state){.sequence = 1, .newest_ms = -1, .file_generation = 2};
    memcpy(test->state.id, test->id, sizeof test->id);
    made_store_publish(test);
}

void made_store_clean(struct made_store *test)
{
    test_directory_remove(test->directory);
}

void made_store_publish(struct made_store *test)
{
    test->state.manifest_year = test->position.year;
    test->state.manifest_bytes = test->position.bytes;
    test->state.generation++;
    live_publish(&test->published, &test->state);
}

static void live_name(uint64_t sequence, char name[64])
{
    snprintf(name, 64, "live/%08" PRIu64 ".bin", sequence);
}

void made_store_append(struct made_store *test, const struct record *records, size_t count)
{
    char name[64];
    live_name(test->state.sequence, name);
    write_at_end(test, name, "ab", records, count * sizeof *records);
    test->state.synced_bytes += count * sizeof *records;
    test->state.readings += count;
    made_store_publish(test);
}

/* As a keeper does it: the names change while the generation is odd. */
static void begin_change(struct made_store *test)
{
    test->state.file_generation++;
    live_publish(&test->published, &test->state);
}

static void end_change(struct made_store *test)
{
    test->state.file_generation++;
    made_store_publish(test);
}

void made_store_next(struct made_store *test)
{
    char name[64];
    begin_change(test);
    live_name(test->state.sequence + 1, name);
    made_store_write(test, name, "", 0);
    test->state.sequence++;
    test->state.synced_bytes = 0;
    end_change(test);
}

/* ---- Sealing ---- */

void made_store_row(struct made_store *test, const struct manifest_row *row, int32_t year)
{
    char name[64], text[MANIFEST_ROW_BYTES];
    struct manifest_row chained = *row;
    memcpy(chained.previous, test->position.hash, sizeof chained.previous);
    size_t length = manifest_row_format(&chained, text);
    EVP_Digest(text, length - 1, test->position.hash, NULL, EVP_sha256(), NULL);
    snprintf(name, sizeof name, "manifest/%04d.ndjson", (int)year);
    write_at_end(test, name, "ab", text, length);
    if (year != test->position.year)
        test->position.bytes = 0;
    test->position.year = year;
    test->position.bytes += length;
}

static int32_t day_of(const struct record *record)
{
    return record_time_quality(record) == TIME_SUSPECT ? SEALED_SUSPECT_DAY
                                                       : (int32_t)(record_time_ms(record) / DAY_MS);
}

static int compare_parts(const void *left, const void *right)
{
    int32_t a = day_of(left), b = day_of(right);
    return a != b ? (a > b) - (a < b) : memcmp(left, right, RECORD_BYTES);
}

static size_t part_end(const struct record *records, size_t count, size_t from)
{
    size_t end = from + 1;
    while (end < count && day_of(&records[end]) == day_of(&records[from]))
        end++;
    return end;
}

static void write_part(struct made_store *test, const struct sealed_file *file,
                       const struct record *records, unsigned char sha256[MANIFEST_HASH_BYTES])
{
    char name[SEALED_NAME_BYTES], year[16];
    sealed_name_format(file, name);
    snprintf(year, sizeof year, "%.11s", name); /* sealed/2025 */
    if (file->day != SEALED_SUSPECT_DAY)
        make_directory(test, year);
    made_store_write(test, name, records, file->records * sizeof *records);
    EVP_Digest(records, file->records * sizeof *records, sha256, NULL, EVP_sha256(), NULL);
}

static void seal_parts(struct made_store *test, uint64_t sequence, const struct record *sorted,
                       size_t count, int32_t year)
{
    uint32_t parts = 0, part = 0;
    for (size_t at = 0; at < count; at = part_end(sorted, count, at))
        parts++;
    for (size_t at = 0, end; at < count; at = end) {
        end = part_end(sorted, count, at);
        struct manifest_row row = {
            .file = {day_of(&sorted[at]), (uint32_t)(end - at), sequence},
            .part = ++part,
            .parts = parts,
            .slots = count,
        };
        write_part(test, &row.file, sorted + at, row.sha256);
        made_store_row(test, &row, year);
    }
}

void made_store_seal(struct made_store *test, uint64_t sequence, const struct record *records,
                     size_t count, int32_t year)
{
    char name[64], path[1200];
    struct record *sorted = calloc(count + 1, sizeof *sorted);
    memcpy(sorted, records, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, compare_parts);
    seal_parts(test, sequence, sorted, count, year);
    free(sorted);
    begin_change(test);
    live_name(sequence, name);
    made_store_path(test, name, path);
    (void)unlink(path);
    end_change(test);
}

void made_store_seal_current(struct made_store *test, int32_t year)
{
    char name[64];
    size_t size = 0;
    uint64_t sequence = test->state.sequence;
    live_name(sequence, name);
    made_store_next(test);
    char *bytes = made_store_read(test, name, &size);
    made_store_seal(test, sequence, (const struct record *)(void *)bytes, size / RECORD_BYTES,
                    year);
    free(bytes);
}

void made_store_rows(struct made_store *test, uint64_t sequence, int32_t day, uint32_t parts,
                     int32_t year)
{
    for (uint32_t part = 1; part <= parts; part++) {
        struct manifest_row row = {
            .file = {day + (int32_t)part - 1, 10, sequence},
            .part = part,
            .parts = parts,
            .slots = UINT64_C(10) * parts,
        };
        memset(row.sha256, (int)(sequence + part) & 255, sizeof row.sha256);
        made_store_row(test, &row, year);
    }
}
