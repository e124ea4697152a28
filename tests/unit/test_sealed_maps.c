/*
 * test_sealed_maps.c - sealed files that were read once are not opened again, however many there
 * are.
 */
#include "support.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "handlers/sensor/sealed/sealed_maps.h"

enum { DAYS = 20000 }; /* more than fifty years */

/* All names lead to one file of one record. */
struct one_file {
    struct file_operations files;
    char path[256];
    int opened;
};

static int open_the_one(struct file_operations *files, const char *path, int flags, mode_t mode)
{
    struct one_file *one = (struct one_file *)files;
    (void)path;
    one->opened++;
    return file_system.open(&file_system, one->path, flags, mode);
}

static void make_file(struct one_file *one, const char *directory)
{
    static const struct record record = {{1}};
    one->files = file_system;
    one->files.open = open_the_one;
    snprintf(one->path, sizeof one->path, "%s/one.bin", directory);
    int file = open(one->path, O_WRONLY | O_CREAT, 0600);
    assert_true(file >= 0);
    assert_int_equal(write(file, &record, sizeof record), sizeof record);
    close(file);
}

static void read_all_days(struct sealed_maps *maps)
{
    for (int32_t day = 0; day < DAYS; day++) {
        const struct sealed_file file = {.day = day, .records = 1, .sequence = 1};
        struct sealed_map *map;
        assert_int_equal(sealed_maps_pin(maps, &file, &map, NULL), HEARTH_OK);
        assert_int_equal(map->records->bytes[0], 1);
        sealed_maps_unpin(maps, &map, 1);
    }
}

static void the_days_of_fifty_years_are_mapped_once(void **state)
{
    char *directory = test_directory_make();
    struct one_file one = {.opened = 0};
    (void)state;
    make_file(&one, directory);
    struct sealed_maps *maps = sealed_maps_new(&one.files, directory, SEALED_MAPS_LIMIT);
    assert_non_null(maps);
    for (int reader = 0; reader < 3; reader++)
        read_all_days(maps);
    assert_int_equal(one.opened, DAYS);
    assert_int_equal(sealed_maps_count(maps), DAYS);
    sealed_maps_free(maps);
    test_directory_remove(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_days_of_fifty_years_are_mapped_once),
    };
    return cmocka_run_group_tests_name("mapped sealed files", tests, NULL, NULL);
}
