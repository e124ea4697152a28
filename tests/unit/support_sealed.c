/*
 * support_sealed.c - what the tests of sealing share.
 */
#include "support_sealed.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "handlers/sensor/disk/store_id.h"
#include "handlers/sensor/live/live_directory.h"
#include "handlers/sensor/record/record.h"

enum { PATH_SIZE = 4096, DAY_MS = 86400000 };

static enum hearth_error keep_row(void *context, const struct manifest_row *row)
{
    struct sealed_list *list = context;
    list->rows = realloc(list->rows, (list->count + 1) * sizeof *list->rows);
    assert_non_null(list->rows);
    list->rows[list->count++] = *row;
    return HEARTH_OK;
}

void sealed_list_read(const struct live_case *test, struct sealed_list *list)
{
    unsigned char id[STORE_ID_BYTES];
    struct manifest_position position = {0};
    struct error_record error = {0};
    *list = (struct sealed_list){0};
    assert_int_equal(store_id_open(&file_system, test->options.directory, NULL, id, &error),
                     HEARTH_OK);
    enum hearth_error code = manifest_read(&file_system, test->options.directory, id, &position,
                                           NULL, keep_row, list, NULL, &error);
    if (code != HEARTH_OK)
        fail_msg("manifest: %s %s", error_name(code), error.detail);
}

void sealed_list_clean(struct sealed_list *list)
{
    free(list->rows);
    *list = (struct sealed_list){0};
}

const struct manifest_row *sealed_list_find(const struct sealed_list *list, const char *name)
{
    char text[SEALED_NAME_BYTES];
    for (size_t i = 0; i < list->count; i++) {
        sealed_name_format(&list->rows[i].file, text);
        if (strcmp(text, name) == 0)
            return &list->rows[i];
    }
    return NULL;
}

static unsigned char *read_whole(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        fail_msg("%s is missing", path);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    *size = (size_t)ftell(file);
    rewind(file);
    unsigned char *bytes = calloc(*size + 1, 1);
    assert_int_equal(fread(bytes, 1, *size, file), *size);
    fclose(file);
    return bytes;
}

struct record *sealed_file_records(const struct live_case *test, const struct sealed_file *file,
                                   size_t *count)
{
    char path[PATH_SIZE], name[SEALED_NAME_BYTES];
    size_t size;
    sealed_name_format(file, name);
    snprintf(path, sizeof path, "%s/%s", test->options.directory, name);
    unsigned char *bytes = read_whole(path, &size);
    assert_int_equal(size % RECORD_BYTES, 0);
    *count = size / RECORD_BYTES;
    return (struct record *)(void *)bytes;
}

void sealed_seal(struct reading_store *store, enum hearth_error expected)
{
    struct error_record error = {0};
    int64_t deadline_ns = clock_monotonic_ns(&clock_system) + INT64_C(60000000000);
    enum hearth_error code = store->seal(store, deadline_ns, &error);
    if (code != expected)
        fail_msg("seal: %s (%s) instead of %s", error_name(code), error.detail,
                 error_name(expected));
}

/* ---- What must hold ---- */

struct all {
    struct record *records;
    size_t count;
};

static void add_records(struct all *all, const struct record *records, size_t count)
{
    if (count == 0)
        return;
    all->records = realloc(all->records, (all->count + count) * sizeof *records);
    assert_non_null(all->records);
    memcpy(all->records + all->count, records, count * sizeof *records);
    all->count += count;
}

static void expect_file_sound(const struct live_case *test, const struct manifest_row *row,
                              struct all *all)
{
    unsigned char sha256[MANIFEST_HASH_BYTES];
    size_t count;
    struct record *records = sealed_file_records(test, &row->file, &count);
    assert_int_equal(count, row->file.records);
    EVP_Digest(records, count * sizeof *records, sha256, NULL, EVP_sha256(), NULL);
    assert_memory_equal(sha256, row->sha256, sizeof sha256);
    for (size_t i = 0; i < count; i++) {
        bool suspect = record_time_quality(&records[i]) == TIME_SUSPECT;
        assert_int_equal(record_check(&records[i]), REJECT_NONE);
        assert_int_equal(suspect, row->file.day == SEALED_SUSPECT_DAY);
        if (!suspect)
            assert_int_equal(record_time_ms(&records[i]) / DAY_MS, row->file.day);
        if (i > 0)
            assert_true(memcmp(&records[i - 1], &records[i], RECORD_BYTES) < 0);
    }
    add_records(all, records, count);
    free(records);
}

static bool is_sealed(const struct sealed_list *list, uint64_t sequence)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->rows[i].file.sequence == sequence)
            return true;
    return false;
}

static void add_live(const struct live_case *test, const struct sealed_list *list, struct all *all)
{
    struct live_names names;
    assert_int_equal(live_directory_list(&file_system, test->options.directory, &names, NULL),
                     HEARTH_OK);
    for (size_t i = 0; i < names.count; i++) {
        char path[LIVE_PATH_BYTES];
        size_t size;
        if (is_sealed(list, names.names[i].sequence))
            continue;
        live_path(test->options.directory, &names.names[i], path);
        unsigned char *bytes = read_whole(path, &size);
        if (names.names[i].poisoned && names.names[i].trusted_bytes < size)
            size = (size_t)names.names[i].trusted_bytes;
        const struct record *records = (const struct record *)(const void *)bytes;
        for (size_t slot = 0; slot < size / RECORD_BYTES; slot++)
            if (record_check(&records[slot]) == REJECT_NONE)
                add_records(all, &records[slot], 1);
        free(bytes);
    }
    live_names_clean(&names);
}

static int compare_records(const void *a, const void *b)
{
    return memcmp(a, b, RECORD_BYTES);
}

size_t sealed_expect_sound(const struct live_case *test)
{
    struct sealed_list list;
    struct all all = {0};
    sealed_list_read(test, &list);
    for (size_t i = 0; i < list.count; i++)
        expect_file_sound(test, &list.rows[i], &all);
    add_live(test, &list, &all);
    if (all.count > 1)
        qsort(all.records, all.count, sizeof *all.records, compare_records);
    for (size_t i = 1; i < all.count; i++)
        if (record_same(&all.records[i - 1], &all.records[i]))
            fail_msg("a reading stands twice");
    free(all.records);
    sealed_list_clean(&list);
    return all.count;
}
