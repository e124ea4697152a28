/*
 * test_sealer_strays.c - sealed files whose rows of the manifest were lost: a store with such files
 * stays shut and says what to do, and nothing that is sealed later takes their place.
 */
#include "support_sealed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PER_FILE = 40, PATH_SIZE = 4096 };

#define FIRST_FILE  "sealed/2025/09-15.00000001.bin"
#define SECOND_FILE "sealed/2025/09-15.00000002.bin"

/* ---- Files ---- */

static void path_of(const struct live_case *test, const char *name, char path[PATH_SIZE])
{
    snprintf(path, PATH_SIZE, "%s/%s", test->options.directory, name);
}

static char *read_stored(const struct live_case *test, const char *name, size_t *size)
{
    char path[PATH_SIZE];
    path_of(test, name, path);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    char *bytes = calloc(1, 1 << 20);
    *size = fread(bytes, 1, 1 << 20, file);
    fclose(file);
    return bytes;
}

static void write_stored(const struct live_case *test, const char *name, const void *bytes,
                         size_t size)
{
    char path[PATH_SIZE];
    path_of(test, name, path);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    fclose(file);
}

static void remove_stored(const struct live_case *test, const char *name)
{
    char path[PATH_SIZE];
    path_of(test, name, path);
    assert_int_equal(unlink(path), 0);
}

static void expect_bytes(const struct live_case *test, const char *name, const void *bytes,
                         size_t size)
{
    size_t now;
    char *found = read_stored(test, name, &now);
    assert_int_equal(now, size);
    assert_memory_equal(found, bytes, size);
    free(found);
}

/* Where the rows are: the year of the sealing. */
static void manifest_name(const struct live_case *test, char name[64])
{
    struct civil_time now;
    civil_from_ms(clock_wall_ms(test->options.clock), &now);
    snprintf(name, 64, "manifest/%04d.ndjson", now.year);
}

/* ---- Stores ---- */

static void append_file(struct reading_store *store, int file)
{
    struct record records[PER_FILE];
    for (int i = 0; i < PER_FILE; i++)
        records[i] = live_reading(file * PER_FILE + i);
    assert_int_equal(live_append(store, records, PER_FILE, HEARTH_OK).accepted, PER_FILE);
}

/* Two sealed files of the same day, of the live files 1 and 2, and nothing else but an empty one.
 */
static void make_store(struct live_case *test)
{
    struct reading_store *store = live_case_open(test);
    for (int file = 0; file < 2; file++) {
        append_file(store, file);
        sealed_seal(store, HEARTH_OK);
    }
    store->free(store);
    assert_int_equal(sealed_expect_sound(test), 2 * PER_FILE);
}

static void expect_shut(const struct live_case *test, const char *name)
{
    struct error_record error = {0};
    assert_null(embedded_store_local_with(&test->options, &error));
    assert_int_equal(error.code, HEARTH_CORRUPT);
    if (!strstr(error.detail, name) || !strstr(error.detail, "hearth import"))
        fail_msg("%s", error.detail);
}

static void expect_stored(struct reading_store *store, int expected)
{
    size_t count;
    struct record *all = live_everything(store, &count);
    assert_int_equal(count, expected);
    for (size_t i = 0; i < count; i++) {
        struct record record = live_reading((int)i);
        assert_true(live_has(all, count, &record));
    }
    free(all);
}

/* What the message says: out of the store, and in again. */
static void bring_back(struct live_case *test, const char *const *names, size_t count)
{
    struct record *records[4];
    size_t sizes[4];
    for (size_t i = 0; i < count; i++) {
        records[i] = (struct record *)(void *)read_stored(test, names[i], &sizes[i]);
        remove_stored(test, names[i]);
    }
    struct reading_store *store = live_case_open(test);
    for (size_t i = 0; i < count; i++) {
        live_append(store, records[i], sizes[i] / RECORD_BYTES, HEARTH_OK);
        free(records[i]);
    }
    sealed_seal(store, HEARTH_OK);
    expect_stored(store, 2 * PER_FILE);
    store->free(store);
    assert_int_equal(sealed_expect_sound(test), 2 * PER_FILE);
}

/* ---- The manifest ---- */

static const char *const both[] = {FIRST_FILE, SECOND_FILE};

static void its_last_set_is_lost(void **state)
{
    struct live_case *test = *state;
    char name[64];
    size_t size, sealed_size;
    make_store(test);
    manifest_name(test, name);
    char *rows = read_stored(test, name, &size);
    char *sealed = read_stored(test, SECOND_FILE, &sealed_size);
    write_stored(test, name, rows, (size_t)(strchr(rows, '\n') + 1 - rows));
    expect_shut(test, SECOND_FILE);
    expect_bytes(test, SECOND_FILE, sealed, sealed_size);
    write_stored(test, name, rows, size); /* put back as it was */
    struct reading_store *store = live_case_open(test);
    expect_stored(store, 2 * PER_FILE);
    store->free(store);
    write_stored(test, name, rows, (size_t)(strchr(rows, '\n') + 1 - rows));
    bring_back(test, &both[1], 1);
    free(rows);
    free(sealed);
}

static void all_of_it_is_lost(void **state)
{
    struct live_case *test = *state;
    char name[64];
    make_store(test);
    manifest_name(test, name);
    remove_stored(test, name);
    expect_shut(test, "(and 1 more)");
    bring_back(test, both, 2);
}

static void it_is_emptied(void **state)
{
    struct live_case *test = *state;
    char name[64];
    make_store(test);
    manifest_name(test, name);
    write_stored(test, name, "", 0);
    expect_shut(test, "(and 1 more)");
    bring_back(test, both, 2);
}

static void an_older_one_is_put_back_when_more_was_sealed(void **state)
{
    struct live_case *test = *state;
    char name[64];
    size_t size;
    make_store(test);
    manifest_name(test, name);
    char *older = read_stored(test, name, &size);
    struct reading_store *store = live_case_open(test);
    append_file(store, 2);
    sealed_seal(store, HEARTH_OK);
    store->free(store);
    write_stored(test, name, older, size);
    expect_shut(test, "09-15.00000003.bin");
    free(older);
}

/* Without the live file nobody can make it again. */
static void the_live_file_of_a_broken_sealing_is_lost(void **state)
{
    struct live_case *test = *state;
    char name[64];
    size_t size, rows_size;
    struct reading_store *store = live_case_open(test);
    append_file(store, 0);
    store->free(store);
    unsigned char *live = live_file_bytes(test, "00000001.bin", &size);
    store = live_case_open(test);
    sealed_seal(store, HEARTH_OK);
    store->free(store);
    manifest_name(test, name);
    char *rows = read_stored(test, name, &rows_size);
    remove_stored(test, name);
    expect_shut(test, FIRST_FILE);
    live_file_write(test, "00000001.bin", live, size);
    store = live_case_open(test); /* with it, the sealing goes on */
    expect_stored(store, PER_FILE);
    sealed_seal(store, HEARTH_OK);
    expect_bytes(test, name, rows, rows_size);
    store->free(store);
    assert_int_equal(sealed_expect_sound(test), PER_FILE);
    free(rows);
    free(live);
}

/* ---- Numbers ---- */

/* Nothing is missing then; and no number comes again. */
static void all_live_files_are_lost(void **state)
{
    struct live_case *test = *state;
    make_store(test);
    remove_stored(test, "live/00000003.bin");
    struct reading_store *store = live_case_open(test);
    append_file(store, 2);
    assert_true(live_file_exists(test, "00000003.bin"));
    sealed_seal(store, HEARTH_OK);
    expect_stored(store, 3 * PER_FILE);
    store->free(store);
    assert_int_equal(sealed_expect_sound(test), 3 * PER_FILE);
}

/* A file that holds nothing new does no harm, and its number is not used. */
static void a_copy_of_sealed_readings_is_passed_over(void **state)
{
    struct live_case *test = *state;
    size_t size;
    make_store(test);
    remove_stored(test, "live/00000003.bin");
    char *sealed = read_stored(test, SECOND_FILE, &size);
    write_stored(test, "sealed/2025/09-15.00000007.bin", sealed, size);
    struct reading_store *store = live_case_open(test);
    append_file(store, 2);
    assert_true(live_file_exists(test, "00000008.bin"));
    sealed_seal(store, HEARTH_OK);
    expect_stored(store, 3 * PER_FILE);
    store->free(store);
    expect_bytes(test, "sealed/2025/09-15.00000007.bin", sealed, size);
    assert_int_equal(sealed_expect_sound(test), 3 * PER_FILE);
    free(sealed);
}

/* ---- Names that are taken ---- */

static void a_name_that_is_taken_stays_what_it_is(void **state)
{
    struct live_case *test = *state;
    struct record foreign = live_reading(5 * PER_FILE);
    make_store(test);
    struct reading_store *store = live_case_open(test);
    append_file(store, 2);
    write_stored(test, "sealed/2025/09-15.00000003.bin", &foreign, sizeof foreign);
    sealed_seal(store, HEARTH_CORRUPT);
    expect_bytes(test, "sealed/2025/09-15.00000003.bin", &foreign, sizeof foreign);
    assert_true(live_file_exists(test, "00000003.bin"));
    append_file(store, 3);
    sealed_seal(store, HEARTH_CORRUPT);
    assert_false(live_file_exists(test, "00000004.bin")); /* it does not hold up the others */
    expect_stored(store, 4 * PER_FILE);
    remove_stored(test, "sealed/2025/09-15.00000003.bin");
    sealed_seal(store, HEARTH_OK);
    expect_stored(store, 4 * PER_FILE);
    store->free(store);
    assert_int_equal(sealed_expect_sound(test), 4 * PER_FILE);
}

/* It has nothing that the new one has not. */
static void what_a_broken_sealing_left_is_replaced(void **state)
{
    struct live_case *test = *state;
    struct record left = live_reading(2 * PER_FILE + 3), sealed = live_reading(0);
    make_store(test);
    struct reading_store *store = live_case_open(test);
    append_file(store, 2);
    const struct record both_records[] = {sealed, left};
    write_stored(test, "sealed/2025/09-15.00000003.bin", both_records, sizeof both_records);
    sealed_seal(store, HEARTH_OK);
    expect_stored(store, 3 * PER_FILE);
    store->free(store);
    assert_int_equal(sealed_expect_sound(test), 3 * PER_FILE);
}

#define STORY(name) cmocka_unit_test_setup_teardown(name, live_case_set_up, live_case_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY(its_last_set_is_lost),
        STORY(all_of_it_is_lost),
        STORY(it_is_emptied),
        STORY(an_older_one_is_put_back_when_more_was_sealed),
        STORY(the_live_file_of_a_broken_sealing_is_lost),
        STORY(all_live_files_are_lost),
        STORY(a_copy_of_sealed_readings_is_passed_over),
        STORY(a_name_that_is_taken_stays_what_it_is),
        STORY(what_a_broken_sealing_left_is_replaced),
    };
    return cmocka_run_group_tests_name("sealer, strays", tests, NULL, NULL);
}
