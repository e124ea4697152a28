/*
 * test_manifest_write.c - rows of the manifest are appended whole, whatever the disk does, and what
 * a crash left is cut off or refused.
 */
#include "support_live.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "handlers/sensor/sealed/manifest_write.h"

static const unsigned char store_id[MANIFEST_STORE_ID_BYTES] = {1, 2, 3};

struct shop {
    struct live_case live;
    struct manifest_writer writer;
    uint64_t live_sequence; /* of the finished live file that stands, 0 = none */
    size_t rows;            /* seen when it was opened */
};

static bool live_stands(void *context, uint64_t sequence)
{
    const struct shop *shop = context;
    return shop->live_sequence > shop->writer.sequence &&
           (sequence == 0 || sequence == shop->live_sequence);
}

static enum hearth_error count_row(void *context, const struct manifest_row *row)
{
    struct shop *shop = context;
    (void)row;
    shop->rows++;
    return HEARTH_OK;
}

static enum hearth_error open_writer(struct shop *shop, struct error_record *error)
{
    shop->rows = 0;
    assert_int_equal(live_store_prepare(&shop->live.options, NULL), HEARTH_OK);
    return manifest_writer_open(&shop->writer, &shop->live.faults.files,
                                shop->live.options.directory, store_id, live_stands, count_row,
                                shop, error);
}

static void expect_rows(struct shop *shop, size_t rows)
{
    struct error_record error = {0};
    if (open_writer(shop, &error) != HEARTH_OK)
        fail_msg("open: %s", error.detail);
    assert_int_equal(shop->rows, rows);
}

static int setup(void **state)
{
    struct shop *shop = calloc(1, sizeof *shop);
    live_case_init(&shop->live);
    *state = shop;
    return 0;
}

static int teardown(void **state)
{
    struct shop *shop = *state;
    live_case_clean(&shop->live);
    free(shop);
    return 0;
}

static enum hearth_error append(struct shop *shop, int32_t year, uint64_t sequence, size_t parts)
{
    struct manifest_part made[8] = {0};
    for (size_t i = 0; i < parts; i++)
        made[i].file = (struct sealed_file){20000 + (int32_t)i, 10, sequence};
    return manifest_writer_append(&shop->writer, year, made, parts, 100, NULL);
}

static void path_of_year(const struct shop *shop, int year, char path[4096])
{
    snprintf(path, 4096, "%s/manifest/%d.ndjson", shop->live.options.directory, year);
}

static void rows_are_chained_over_the_years(void **state)
{
    struct shop *shop = *state;
    expect_rows(shop, 0);
    assert_int_equal(append(shop, 2024, 1, 1), HEARTH_OK);
    assert_int_equal(append(shop, 2024, 2, 3), HEARTH_OK);
    assert_int_equal(append(shop, 2026, 5, 2), HEARTH_OK);
    assert_int_equal(append(shop, 2025, 6, 1), HEARTH_OK); /* the clock went back */
    assert_int_equal(shop->writer.position.year, 2026);
    const struct manifest_position position = shop->writer.position;
    expect_rows(shop, 7);
    assert_memory_equal(&shop->writer.position.hash, &position.hash, sizeof position.hash);
    assert_int_equal(shop->writer.position.bytes, position.bytes);
    assert_int_equal(shop->writer.sequence, 6);
    assert_int_equal(shop->writer.sets, 4);
}

static void after_a_failed_sync_the_file_is_replaced(void **state)
{
    struct shop *shop = *state;
    char path[4096];
    struct file_status before, after;
    expect_rows(shop, 0);
    assert_int_equal(append(shop, 2025, 1, 2), HEARTH_OK);
    path_of_year(shop, 2025, path);
    int file = file_open(&file_system, path, 0, 0, NULL);
    assert_int_equal(file_system.status(&file_system, file, &before), 0);
    file_close(&file_system, file);
    shop->live.faults.fail_each_sync = 1;
    assert_int_equal(append(shop, 2025, 2, 2), HEARTH_IO);
    assert_true(shop->writer.poisoned);
    shop->live.faults.fail_each_sync = 0;
    assert_int_equal(append(shop, 2025, 2, 2), HEARTH_OK);
    file = file_open(&file_system, path, 0, 0, NULL);
    assert_int_equal(file_system.status(&file_system, file, &after), 0);
    file_close(&file_system, file);
    assert_int_not_equal(before.inode, after.inode); /* never synced again */
    expect_rows(shop, 4);
}

static void a_full_disk_leaves_whole_rows(void **state)
{
    struct shop *shop = *state;
    expect_rows(shop, 0);
    assert_int_equal(append(shop, 2025, 1, 1), HEARTH_OK);
    atomic_store(&shop->live.faults.full, true);
    for (int i = 0; i < 3; i++)
        assert_int_equal(append(shop, 2025, 2, 4), HEARTH_DISK_FULL);
    atomic_store(&shop->live.faults.full, false);
    assert_int_equal(append(shop, 2025, 2, 4), HEARTH_OK);
    expect_rows(shop, 5);
}

/* Every length of the last set, with the live file there and without it. */
static void what_a_crash_left_is_cut_only_while_the_live_file_stands(void **state)
{
    struct shop *shop = *state;
    char path[4096];
    expect_rows(shop, 0);
    assert_int_equal(append(shop, 2025, 1, 1), HEARTH_OK);
    uint64_t first = shop->writer.position.bytes;
    assert_int_equal(append(shop, 2025, 2, 2), HEARTH_OK);
    uint64_t all = shop->writer.position.bytes;
    path_of_year(shop, 2025, path);
    for (uint64_t length = all - 1; length > first; length -= 7) {
        struct error_record error = {0};
        assert_int_equal(truncate(path, (off_t)length), 0);
        shop->live_sequence = 0;
        assert_int_equal(open_writer(shop, &error), HEARTH_CORRUPT);
        assert_non_null(strstr(error.detail, "2025.ndjson"));
        shop->live_sequence = 2;
        expect_rows(shop, 1);
        assert_int_equal(shop->writer.position.bytes, first);
        assert_int_equal(append(shop, 2025, 2, 2), HEARTH_OK);
        if (length < first + 7)
            break;
    }
    shop->live_sequence = 0;
    expect_rows(shop, 3);
}

static void what_was_read_is_made_certain_by_another_file(void **state)
{
    struct shop *shop = *state;
    expect_rows(shop, 0);
    assert_int_equal(manifest_writer_confirm(&shop->writer, NULL), HEARTH_OK); /* nothing yet */
    assert_int_equal(append(shop, 2025, 1, 3), HEARTH_OK);
    int syncs = atomic_load(&shop->live.faults.syncs);
    assert_int_equal(manifest_writer_confirm(&shop->writer, NULL), HEARTH_OK);
    assert_int_equal(atomic_load(&shop->live.faults.syncs), syncs + 1);
    assert_int_equal(append(shop, 2025, 2, 1), HEARTH_OK);
    expect_rows(shop, 4);
}

#define STORY(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY(rows_are_chained_over_the_years),
        STORY(after_a_failed_sync_the_file_is_replaced),
        STORY(a_full_disk_leaves_whole_rows),
        STORY(what_a_crash_left_is_cut_only_while_the_live_file_stands),
        STORY(what_was_read_is_made_certain_by_another_file),
    };
    return cmocka_run_group_tests_name("manifest, written", tests, NULL, NULL);
}
