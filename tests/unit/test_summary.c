/*
 * test_summary.c - summary files: written, read, copied, damaged, verified.
 */
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/core/memory.h"
#include "handlers/sensor/record/record.h"
#include "support_chance.h"
#include "support_days.h"
#include "support_faults.h"
#include "support_reseal.h"

#define HOUR_MS   INT64_C(3600000)
#define START_DAY 20345 /* 2025-09-14 */
#define START_MS  (START_DAY * DAY_MS)

enum { YEAR = 2025 };

struct summary_case {
    struct test_days days;
    char *store;
    char path[512];
    int64_t limit_ms;
};

static int setup(void **state)
{
    struct summary_case *test = calloc(1, sizeof *test);
    test_days_init(&test->days);
    test->store = test_directory_make();
    snprintf(test->path, sizeof test->path, "%s/summary/%d.sum", test->store, YEAR);
    test->limit_ms = 2 * HOUR_MS;
    chance_seed(5);
    *state = test;
    return 0;
}

static int teardown(void **state)
{
    struct summary_case *test = *state;
    memory_fail_after(-1);
    test_days_clean(&test->days);
    test_directory_remove(test->store);
    free(test);
    return 0;
}

static int64_t limit_of(void *context, int channel, int rolling_code, int32_t day)
{
    const struct summary_case *test = context;
    (void)channel;
    (void)rolling_code;
    (void)day;
    return test->limit_ms;
}

/* So many readings of a day, of so many transmitters, evenly over the day but for chance. */
static void seal_day(struct summary_case *test, int32_t day, size_t count, int series)
{
    struct record *records = malloc(count * sizeof *records);
    int64_t step_ms = DAY_MS / (int64_t)count;
    for (size_t i = 0; i < count; i++) {
        int number = chance(series);
        const struct reading reading = {
            .time_ms = day * DAY_MS + (int64_t)i * step_ms + chance((int)step_ms),
            .channel = number % 16 + 1,
            .rolling_code = number / 16,
            .raw = 1000 + chance(200),
            .humidity = number == 3 ? HUMIDITY_ABSENT : 40 + chance(20),
        };
        assert_int_equal(record_encode(&reading, &records[i]), REJECT_NONE);
    }
    test_days_seal(&test->days, records, count);
    free(records);
}

static enum hearth_error write_with(struct summary_case *test, struct file_operations *files,
                                    bool rebuild, struct summary_progress *progress,
                                    struct error_record *error)
{
    return summary_write_over(files, test->store, &test->days.source, YEAR, rebuild, limit_of, test,
                              progress, error);
}

/* How many days were built, of how many. */
static void expect_built(struct summary_case *test, bool rebuild, uint64_t built, uint64_t all)
{
    struct summary_progress progress;
    struct error_record error = {0};
    if (write_with(test, &file_system, rebuild, &progress, &error) != HEARTH_OK)
        fail_msg("%s: %s", error_name(error.code), error.detail);
    assert_int_equal(progress.days_built, built);
    assert_int_equal(progress.days_done, all);
    assert_int_equal(progress.days_all, all);
}

static const struct summary_day *day_of(const struct summary_case *test,
                                        const struct summary_file *file, size_t index)
{
    const struct test_day *day = &test->days.days[index];
    return summary_file_day(file, day->day, day->files, day->count);
}

static struct summary_file *open_file(const struct summary_case *test)
{
    return summary_file_open(&file_system, test->store, YEAR, NULL);
}

/* Is each day covered, whole, and what its records say? */
static bool all_verified(const struct summary_case *test, struct error_record *error)
{
    struct summary_file *file = summary_file_open(&file_system, test->store, YEAR, error);
    bool right = file != NULL;
    for (size_t i = 0; right && i < test->days.count; i++) {
        const struct test_day *day = &test->days.days[i];
        const struct summary_day *summary = day_of(test, file, i);
        const struct day_runs runs = {.day = day->day, .count = day->count, .runs = day->runs};
        right = summary && summary_day_verify(summary, &runs, error);
    }
    summary_file_close(file);
    return right;
}

static unsigned char *read_file(const char *path, size_t *size)
{
    struct stat status = {0};
    int file = open(path, O_RDONLY);
    assert_true(file >= 0 && fstat(file, &status) == 0);
    *size = (size_t)status.st_size;
    unsigned char *bytes = malloc(*size + 1);
    assert_int_equal(read(file, bytes, *size), (ssize_t)*size);
    close(file);
    return bytes;
}

static void write_file(const char *path, const unsigned char *bytes, size_t size)
{
    test_write_file(path, view_from((const char *)bytes, size));
}

/* ---- Written and read ---- */

static void what_was_written_says_what_the_records_say(void **state)
{
    struct summary_case *test = *state;
    struct error_record error = {0};
    seal_day(test, START_DAY, 5000, 8);
    seal_day(test, START_DAY, 50, 8);
    seal_day(test, START_DAY + 1, 1, 1);
    seal_day(test, START_DAY + 2, 500, 300);
    seal_day(test, START_DAY + 5, 3000, 1);
    expect_built(test, false, 4, 4);
    if (!all_verified(test, &error))
        fail_msg("%s", error.detail);
    struct summary_file *file = open_file(test);
    assert_int_equal(summary_file_days(file), 4);
    const struct summary_day *day = day_of(test, file, 0);
    assert_int_equal(summary_day_series_count(day), 8);
    uint64_t count = 0;
    for (size_t i = 0; i < 8; i++) {
        struct summary_series series;
        summary_day_series(day, i, &series);
        assert_int_equal(series.channel, i + 1);
        assert_int_equal(record_channel(&series.first), i + 1);
        assert_true(record_time_ms(&series.first) < record_time_ms(&series.last));
        count += series.count;
    }
    assert_int_equal(count, 5050);
    summary_file_close(file);
}

static void a_day_counts_only_for_the_files_that_it_covers(void **state)
{
    struct summary_case *test = *state;
    seal_day(test, START_DAY, 300, 2);
    seal_day(test, START_DAY, 20, 2);
    expect_built(test, false, 1, 1);
    struct summary_file *file = open_file(test);
    struct sealed_file sealed[3];
    memcpy(sealed, test->days.days[0].files, 2 * sizeof sealed[0]);
    sealed[2] = sealed[1];
    assert_non_null(summary_file_day(file, START_DAY, sealed, 2));
    assert_null(summary_file_day(file, START_DAY, sealed, 1));
    assert_null(summary_file_day(file, START_DAY, sealed, 3));
    assert_null(summary_file_day(file, START_DAY + 1, sealed, 2));
    sealed[1].records++;
    assert_null(summary_file_day(file, START_DAY, sealed, 2));
    sealed[1].records--;
    sealed[0].sequence++;
    assert_null(summary_file_day(file, START_DAY, sealed, 2));
    summary_file_close(file);
}

static void a_day_is_copied_until_its_files_or_its_limits_change(void **state)
{
    struct summary_case *test = *state;
    for (int i = 0; i < 5; i++)
        seal_day(test, START_DAY + i, 900, 4);
    expect_built(test, false, 5, 5);
    expect_built(test, false, 0, 5);
    assert_true(all_verified(test, NULL));
    seal_day(test, START_DAY + 3, 9, 4);
    expect_built(test, false, 1, 5);
    assert_true(all_verified(test, NULL));
    expect_built(test, true, 5, 5);
    test->limit_ms++;
    expect_built(test, false, 5, 5);
    expect_built(test, false, 0, 5);
}

static void copied_days_are_the_same_bytes(void **state)
{
    struct summary_case *test = *state;
    size_t size_built, size_copied;
    for (int i = 0; i < 3; i++)
        seal_day(test, START_DAY + i, 2500, 4);
    expect_built(test, false, 3, 3);
    unsigned char *built = read_file(test->path, &size_built);
    expect_built(test, false, 0, 3);
    unsigned char *copied = read_file(test->path, &size_copied);
    assert_int_equal(size_built, size_copied);
    assert_memory_equal(built, copied, size_built);
    free(built);
    free(copied);
}

static void live_readings_are_in_no_summary(void **state)
{
    struct summary_case *test = *state;
    struct record live[2];
    for (int i = 0; i < 2; i++) {
        const struct reading reading = {.time_ms = START_MS + i * DAY_MS, .channel = 9};
        assert_int_equal(record_encode(&reading, &live[i]), REJECT_NONE);
    }
    seal_day(test, START_DAY, 300, 2);
    test_days_live(&test->days, live, 2);
    expect_built(test, false, 1, 1);
    struct summary_file *file = open_file(test);
    assert_int_equal(summary_day_series_count(day_of(test, file, 0)), 2);
    summary_file_close(file);
}

static void a_year_without_readings_has_a_file_without_days(void **state)
{
    struct summary_case *test = *state;
    expect_built(test, false, 0, 0);
    struct summary_file *file = open_file(test);
    assert_non_null(file);
    assert_int_equal(summary_file_days(file), 0);
    summary_file_close(file);
}

/* ---- Size ---- */

static double bytes_a_reading(struct summary_case *test, size_t readings, int series)
{
    struct stat status = {0};
    size_t late = readings / 100;
    seal_day(test, START_DAY, readings, series);
    seal_day(test, START_DAY, late, series);
    expect_built(test, false, 1, 1);
    assert_int_equal(stat(test->path, &status), 0);
    test_days_clean(&test->days);
    test_days_init(&test->days);
    return (double)status.st_size / (double)(readings + late);
}

static void summaries_take_at_most_three_bytes_a_reading(void **state)
{
    struct summary_case *test = *state;
    assert_true(bytes_a_reading(test, 4000, 8) <= 3);
    assert_true(bytes_a_reading(test, 17000, 8) <= 3);
    assert_true(bytes_a_reading(test, 4000, 1) <= 3);
    assert_true(bytes_a_reading(test, 100000, 100) <= 3);
}

/* ---- Damaged ---- */

/* Something of the file is not believed any more. */
static bool damage_shows(const struct summary_case *test)
{
    struct summary_file *file = open_file(test);
    bool shows = file == NULL;
    for (size_t i = 0; !shows && i < test->days.count; i++) {
        const struct summary_day *day = day_of(test, file, i);
        shows = !day || !summary_day_blocks_whole(day);
    }
    summary_file_close(file);
    return shows;
}

static void every_flipped_bit_shows(void **state)
{
    struct summary_case *test = *state;
    size_t size;
    seal_day(test, START_DAY, 90, 1);
    seal_day(test, START_DAY + 1, 3, 1);
    expect_built(test, false, 2, 2);
    assert_false(damage_shows(test));
    unsigned char *bytes = read_file(test->path, &size);
    int file = open(test->path, O_RDWR);
    for (size_t bit = 0; bit < 8 * size; bit++) {
        unsigned char damaged = bytes[bit / 8] ^ (unsigned char)(1 << bit % 8);
        assert_int_equal(pwrite(file, &damaged, 1, (off_t)(bit / 8)), 1);
        if (!damage_shows(test))
            fail_msg("bit %zu of byte %zu of %zu", bit % 8, bit / 8, size);
        assert_int_equal(pwrite(file, &bytes[bit / 8], 1, (off_t)(bit / 8)), 1);
    }
    close(file);
    free(bytes);
}

static void a_file_cut_anywhere_is_not_opened(void **state)
{
    struct summary_case *test = *state;
    size_t size;
    seal_day(test, START_DAY, 90, 1);
    expect_built(test, false, 1, 1);
    unsigned char *bytes = read_file(test->path, &size);
    for (size_t length = 0; length < size; length++) {
        struct error_record error = {0};
        write_file(test->path, bytes, length);
        assert_null(summary_file_open(&file_system, test->store, YEAR, &error));
        assert_int_equal(error.code, HEARTH_CORRUPT);
    }
    free(bytes);
}

static void a_missing_file_and_another_years_are_told_apart(void **state)
{
    struct summary_case *test = *state;
    struct error_record error = {0};
    char other[512];
    assert_null(summary_file_open(&file_system, test->store, YEAR, &error));
    assert_int_equal(error.code, HEARTH_NOT_FOUND);
    seal_day(test, START_DAY, 90, 1);
    expect_built(test, false, 1, 1);
    snprintf(other, sizeof other, "%s/summary/2024.sum", test->store);
    assert_int_equal(rename(test->path, other), 0);
    assert_null(summary_file_open(&file_system, test->store, 2024, &error));
    assert_int_equal(error.code, HEARTH_CORRUPT);
}

static void a_damaged_day_is_built_anew(void **state)
{
    struct summary_case *test = *state;
    size_t size;
    for (int i = 0; i < 3; i++)
        seal_day(test, START_DAY + i, 900, 4);
    expect_built(test, false, 3, 3);
    unsigned char *bytes = read_file(test->path, &size);
    bytes[SUMMARY_HEAD_BYTES + 100] ^= 4; /* of the first day's blocks */
    write_file(test->path, bytes, size);
    assert_true(damage_shows(test));
    expect_built(test, false, 1, 3);
    assert_false(damage_shows(test));
    free(bytes);
}

/* ---- Verified ---- */

static unsigned char *entry_of(unsigned char *bytes, size_t day)
{
    return bytes + summary_read64(bytes + 32) + day * SUMMARY_DAY_BYTES;
}

static void expect_complaint(struct summary_case *test, const char *complaint)
{
    struct error_record error = {0};
    assert_false(all_verified(test, &error));
    if (!strstr(error.detail, complaint))
        fail_msg("'%s' does not say '%s'", error.detail, complaint);
}

static void verifying_names_what_differs(void **state)
{
    struct summary_case *test = *state;
    size_t size;
    seal_day(test, START_DAY, 2500, 4);
    expect_built(test, false, 1, 1);
    unsigned char *bytes = read_file(test->path, &size);
    unsigned char *entry = entry_of(bytes, 0);
    unsigned char *total = bytes + summary_read64(entry + 40) + (size_t)4 * SUMMARY_SERIES_BYTES;
    const size_t entry_bytes = CLOCK_BYTES + (size_t)2 * TRACK_BYTES;
    unsigned char *max = total + entry_bytes + CLOCK_BYTES + TRACK_BYTES + TRACK_MAX;
    *max ^= 1; /* second series, humidity */
    reseal(bytes, size);
    write_file(test->path, bytes, size);
    expect_complaint(test, "the whole of it 0, series 2-0, humidity: max differs");
    *max ^= 1;

    struct summary_day day = {.records = summary_read32(entry + 4),
                              .block_records = summary_read32(entry + 8),
                              .series_count = 4,
                              .clocks = 4,
                              .tracks = 7};
    summary_day_measure(&day);
    day.keys = bytes + summary_read64(entry + 56);
    assert_true(day.groups > 0);
    unsigned char *block = bytes + (summary_block_node(&day, 2) - bytes);
    block[3 * entry_bytes + CLOCK_GAP_MS] ^= 1; /* the fourth, which has no humidity */
    reseal(bytes, size);
    write_file(test->path, bytes, size);
    expect_complaint(test, "block 2, series 4-0, temperature: gap_ms differs");
    block[3 * entry_bytes + CLOCK_GAP_MS] ^= 1;
    bytes[summary_read64(entry + 56)] ^= 1;
    reseal(bytes, size);
    write_file(test->path, bytes, size);
    expect_complaint(test, "the beginning of a block differs");
    free(bytes);
}

static void verifying_finds_other_records(void **state)
{
    struct summary_case *test = *state;
    seal_day(test, START_DAY, 2500, 4);
    expect_built(test, false, 1, 1);
    assert_true(all_verified(test, NULL));
    struct record *records = (struct record *)test->days.days[0].runs[0].records;
    struct reading reading;
    assert_int_equal(record_decode(&records[1200], &reading), REJECT_NONE);
    reading.raw++;
    assert_int_equal(record_encode(&reading, &records[1200]), REJECT_NONE);
    expect_complaint(test, "differs from the records");
    records[1200].bytes[11] ^= 1;
    expect_complaint(test, "record 1200 of its sealed files is damaged");
}

/* ---- Failing ---- */

static void a_damaged_record_leaves_the_old_summary(void **state)
{
    struct summary_case *test = *state;
    struct error_record error = {0};
    seal_day(test, START_DAY, 500, 4);
    expect_built(test, false, 1, 1);
    seal_day(test, START_DAY + 1, 500, 4);
    struct record *records = (struct record *)test->days.days[1].runs[0].records;
    records[3].bytes[7] ^= 1;
    assert_int_equal(write_with(test, &file_system, false, NULL, &error), HEARTH_CORRUPT);
    struct summary_file *file = open_file(test);
    assert_non_null(day_of(test, file, 0));
    assert_null(day_of(test, file, 1));
    summary_file_close(file);
}

/* Each call fails in turn: the old file stands, and the next attempt succeeds. */
static void a_call_that_fails_leaves_the_old_summary(void **state)
{
    struct summary_case *test = *state;
    struct fault_files faults;
    static const int numbers[] = {EIO, ENOSPC, EINTR};
    seal_day(test, START_DAY, 500, 4);
    for (size_t n = 0; n < sizeof numbers / sizeof numbers[0]; n++) {
        for (int64_t call = 1;; call++) {
            expect_built(test, true, 1, 1);
            fault_files_init(&faults);
            faults.kind = FAULT_ERRNO;
            faults.number = numbers[n];
            faults.fail_at = call;
            enum hearth_error code = write_with(test, &faults.files, true, NULL, NULL);
            assert_true(all_verified(test, NULL));
            if (code == HEARTH_OK && atomic_load(&faults.failed) == 0)
                break;
            if (numbers[n] == ENOSPC && code != HEARTH_OK)
                assert_int_equal(code, HEARTH_DISK_FULL);
        }
    }
}

static void memory_that_runs_out_leaves_the_old_summary(void **state)
{
    struct summary_case *test = *state;
    int64_t room = 0;
    seal_day(test, START_DAY, 900, 4);
    expect_built(test, false, 1, 1);
    for (;; room++) {
        memory_fail_after(room);
        enum hearth_error code = write_with(test, &file_system, true, NULL, NULL);
        memory_fail_after(-1);
        assert_true(all_verified(test, NULL));
        if (code == HEARTH_OK)
            break;
        assert_int_equal(code, HEARTH_NO_MEMORY);
    }
    assert_in_range(room, 4, 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define STORY(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        STORY(what_was_written_says_what_the_records_say),
        STORY(a_day_counts_only_for_the_files_that_it_covers),
        STORY(a_day_is_copied_until_its_files_or_its_limits_change),
        STORY(copied_days_are_the_same_bytes),
        STORY(live_readings_are_in_no_summary),
        STORY(a_year_without_readings_has_a_file_without_days),
        STORY(summaries_take_at_most_three_bytes_a_reading),
        STORY(every_flipped_bit_shows),
        STORY(a_file_cut_anywhere_is_not_opened),
        STORY(a_missing_file_and_another_years_are_told_apart),
        STORY(a_damaged_day_is_built_anew),
        STORY(verifying_names_what_differs),
        STORY(verifying_finds_other_records),
        STORY(a_damaged_record_leaves_the_old_summary),
        STORY(a_call_that_fails_leaves_the_old_summary),
        STORY(memory_that_runs_out_leaves_the_old_summary),
    };
    return cmocka_run_group_tests_name("summary", tests, NULL, NULL);
}
