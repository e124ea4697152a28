/*
 * test_record_merge.c - several runs as one, beside a sort; what a live copy holds; and totals.
 */
#include "support_live.h"

#include <stdlib.h>
#include <string.h>

#include "app/core/memory.h"
#include "handlers/sensor/live/live_copy.h"
#include "handlers/sensor/record/record.h"
#include "handlers/sensor/snapshot/record_merge.h"
#include "support_chance.h"

enum { RECORDS = 2000, RUNS_MAX = 40 };

struct shelf {
    struct record all[RECORDS], expected[RECORDS], got[RECORDS + 1];
    struct record runs[RUNS_MAX][RECORDS];
    struct day_run parts[RUNS_MAX];
};

static int compare_records(const void *a, const void *b)
{
    return memcmp(a, b, RECORD_BYTES);
}

static int setup(void **state)
{
    chance_seed(7);
    *state = calloc(1, sizeof(struct shelf));
    return 0;
}

static int teardown(void **state)
{
    free(*state);
    return 0;
}

/* Few times, so that there are many neighbours; `qualities` 4: the same reading in several. */
static struct record random_record(int times, int qualities)
{
    const struct reading reading = {
        .time_ms = LIVE_START_MS + chance(times),
        .channel = chance(2) + 1,
        .raw = chance(3),
        .humidity = 50,
        .time_quality = (enum time_quality)chance(qualities),
    };
    return live_reading_of(&reading);
}

/* ---- The merge ---- */

static size_t merge_all(struct shelf *shelf, size_t runs)
{
    struct record_merge merge;
    struct day_run stretch;
    size_t count = 0;
    assert_int_equal(record_merge_init(&merge, shelf->parts, runs), HEARTH_OK);
    while (record_merge_next(&merge, &stretch)) {
        assert_true(stretch.count > 0);
        assert_true(count + stretch.count <= RECORDS);
        memcpy(shelf->got + count, stretch.records, stretch.count * sizeof shelf->got[0]);
        count += stretch.count;
    }
    assert_false(record_merge_next(&merge, &stretch));
    record_merge_clean(&merge);
    return count;
}

/* Deals `count` records out to runs, some of them to two. */
static size_t deal(struct shelf *shelf, size_t count, size_t runs)
{
    for (size_t i = 0; i < runs; i++)
        shelf->parts[i] = (struct day_run){shelf->runs[i], 0};
    for (size_t i = 0; i < count; i++)
        for (int again = chance(10) == 0; again >= 0; again--) {
            /* Most to the first: a day's large file and its small ones. */
            size_t run = chance(3) ? 0 : (size_t)chance((int)runs);
            size_t at = shelf->parts[run].count;
            if (at > 0 && memcmp(&shelf->runs[run][at - 1], &shelf->all[i], RECORD_BYTES) == 0)
                continue;
            shelf->runs[run][shelf->parts[run].count++] = shelf->all[i];
        }
    return runs;
}

static void a_merge_is_a_sort_without_duplicates(void **state)
{
    struct shelf *shelf = *state;
    for (int round = 0; round < 300; round++) {
        size_t count = (size_t)chance(RECORDS / 2), runs = (size_t)chance(RUNS_MAX) + 1;
        for (size_t i = 0; i < count; i++)
            shelf->all[i] = random_record(round % 2 ? 50 : 100000, 1);
        qsort(shelf->all, count, sizeof shelf->all[0], compare_records);
        count = record_unique(shelf->all, count);
        deal(shelf, count, runs);
        assert_int_equal(merge_all(shelf, runs), count);
        assert_memory_equal(shelf->got, shelf->all, count * sizeof shelf->all[0]);
    }
}

static void of_one_reading_in_two_runs_the_first_by_its_bytes_comes(void **state)
{
    struct shelf *shelf = *state;
    for (int round = 0; round < 300; round++) {
        size_t count = (size_t)chance(RECORDS / 2), runs = (size_t)chance(5) + 2, kept[8] = {0};
        for (size_t i = 0; i < runs; i++)
            shelf->parts[i] = (struct day_run){shelf->runs[i], 0};
        for (size_t i = 0; i < count; i++)
            shelf->all[i] = random_record(20, 4);
        qsort(shelf->all, count, sizeof shelf->all[0], compare_records);
        for (size_t i = 0; i < count; i++) {
            size_t run = (size_t)chance((int)runs);
            if (kept[run] == 0 || !record_same(&shelf->runs[run][kept[run] - 1], &shelf->all[i]))
                shelf->runs[run][kept[run]++] = shelf->all[i];
            else
                shelf->all[i] = shelf->runs[run][kept[run] - 1]; /* a run has each once */
        }
        for (size_t i = 0; i < runs; i++)
            shelf->parts[i].count = kept[i];
        qsort(shelf->all, count, sizeof shelf->all[0], compare_records);
        count = record_unique(shelf->all, count);
        assert_int_equal(merge_all(shelf, runs), count);
        assert_memory_equal(shelf->got, shelf->all, count * sizeof shelf->all[0]);
    }
}

static void runs_in_no_order_come_to_an_end(void **state)
{
    struct shelf *shelf = *state;
    for (int round = 0; round < 100; round++) {
        for (size_t run = 0; run < 10; run++) {
            for (size_t i = 0; i < 100; i++)
                for (size_t byte = 0; byte < RECORD_BYTES; byte++)
                    shelf->runs[run][i].bytes[byte] = (unsigned char)chance(3);
            shelf->parts[run] = (struct day_run){shelf->runs[run], 100};
        }
        assert_true(merge_all(shelf, 10) <= 1000);
    }
}

static void nothing_merged_is_nothing(void **state)
{
    struct shelf *shelf = *state;
    assert_int_equal(merge_all(shelf, 0), 0);
    shelf->parts[0] = shelf->parts[1] = (struct day_run){shelf->all, 0};
    assert_int_equal(merge_all(shelf, 2), 0);
    memory_fail_after(0);
    struct record_merge merge;
    assert_int_equal(record_merge_init(&merge, shelf->parts, 20), HEARTH_NO_MEMORY);
    memory_fail_after(-1);
}

static void a_time_is_found_among_records(void **state)
{
    struct shelf *shelf = *state;
    for (size_t i = 0; i < 100; i++)
        shelf->all[i] = live_reading((int)i / 2); /* two each second */
    assert_int_equal(record_lower_bound(shelf->all, 100, 0), 0);
    assert_int_equal(record_lower_bound(shelf->all, 100, LIVE_START_MS), 0);
    assert_int_equal(record_lower_bound(shelf->all, 100, LIVE_START_MS + 1), 2);
    assert_int_equal(record_lower_bound(shelf->all, 100, LIVE_START_MS + 1000), 2);
    assert_int_equal(record_lower_bound(shelf->all, 100, INT64_MAX), 100);
    assert_int_equal(record_lower_bound(shelf->all, 0, 0), 0);
}

/* ---- The live copy ---- */

static void expect_copy(const struct live_copy *copy, const struct record *records, size_t count)
{
    assert_int_equal(copy->good.count, count);
    if (count > 0)
        assert_memory_equal(copy->good.records, records, count * sizeof *records);
    uint64_t total = 0;
    for (size_t i = 0; i < copy->totals.count; i++)
        total += copy->totals.totals[i].count;
    assert_int_equal(total, count);
}

static size_t sort_unique(struct record *records, size_t count)
{
    qsort(records, count, sizeof *records, compare_records);
    return record_unique(records, count);
}

static void a_live_copy_is_sorted_however_readings_come(void **state)
{
    struct shelf *shelf = *state;
    struct live_copy *copy = live_copy_new();
    struct record batch[100];
    size_t count = 0;
    for (uint64_t sequence = 1; sequence <= 15; sequence++) {
        size_t batch_count = (size_t)chance(100);
        for (size_t i = 0; i < batch_count; i++)
            batch[i] = shelf->all[count + i] = random_record(300, 1);
        count = sort_unique(shelf->all, count + batch_count);
        assert_int_equal(live_copy_add(copy, sequence, batch, batch_count), HEARTH_OK);
        expect_copy(copy, shelf->all, count);
    }
    live_copy_release(copy);
}

static void readings_of_sealed_files_leave_the_copy(void **state)
{
    struct shelf *shelf = *state;
    struct live_copy *copy = live_copy_new();
    for (uint64_t sequence = 1; sequence <= 4; sequence++)
        for (int i = 0; i < 50; i++) {
            struct record record = live_reading(i * 4 + (int)sequence);
            assert_int_equal(live_copy_add(copy, sequence, &record, 1), HEARTH_OK);
        }
    const uint32_t kept[] = {2, 4};
    assert_int_equal(live_copy_keep_of(copy, kept, 2), HEARTH_OK);
    size_t count = 0;
    for (int i = 0; i < 50; i++)
        for (int sequence = 2; sequence <= 4; sequence += 2)
            shelf->all[count++] = live_reading(i * 4 + sequence);
    expect_copy(copy, shelf->all, sort_unique(shelf->all, count));
    assert_int_equal(live_copy_keep_of(copy, NULL, 0), HEARTH_OK);
    expect_copy(copy, shelf->all, 0);
    live_copy_release(copy);
}

static void suspects_stand_apart(void **state)
{
    struct record records[40];
    struct live_copy *copy = live_copy_new();
    (void)state;
    for (int i = 0; i < 40; i++) {
        const struct reading reading = {.time_ms = LIVE_START_MS - i,
                                        .channel = 1,
                                        .time_quality = i % 4 ? TIME_SENDER : TIME_SUSPECT};
        records[i] = live_reading_of(&reading);
    }
    assert_int_equal(live_copy_add(copy, 1, records, 40), HEARTH_OK);
    assert_int_equal(copy->good.count, 30);
    assert_int_equal(copy->suspect.count, 10);
    assert_int_equal(copy->totals.totals[0].count, 30);
    for (size_t i = 1; i < 10; i++)
        assert_true(compare_records(&copy->suspect.records[i - 1], &copy->suspect.records[i]) < 0);
    live_copy_release(copy);
}

static void who_holds_a_copy_sees_no_change(void **state)
{
    struct record first = live_reading(1), second = live_reading(2);
    struct live_copy *copy = live_copy_new();
    (void)state;
    assert_int_equal(live_copy_own(&copy), HEARTH_OK);
    assert_int_equal(live_copy_add(copy, 1, &first, 1), HEARTH_OK);
    struct live_copy *held = live_copy_keep(copy), *before = copy;
    assert_int_equal(live_copy_own(&copy), HEARTH_OK);
    assert_ptr_not_equal(copy, before);
    assert_int_equal(live_copy_add(copy, 1, &second, 1), HEARTH_OK);
    expect_copy(held, &first, 1);
    assert_int_equal(copy->good.count, 2);
    live_copy_release(held);
    before = copy;
    assert_int_equal(live_copy_own(&copy), HEARTH_OK);
    assert_ptr_equal(copy, before);
    live_copy_release(copy);
}

static void a_copy_without_memory_is_an_error(void **state)
{
    (void)state;
    bool done = false;
    for (int64_t count = 0; !done && count < 50; count++) {
        struct record records[60];
        for (int i = 0; i < 60; i++)
            records[i] = live_reading((i * 37) % 60);
        struct live_copy *copy = live_copy_new(), *held = live_copy_keep(copy);
        memory_fail_after(count);
        done = live_copy_own(&copy) == HEARTH_OK &&
               live_copy_add(copy, 1, records, 60) == HEARTH_OK &&
               live_copy_keep_of(copy, NULL, 0) == HEARTH_OK;
        memory_fail_after(-1);
        live_copy_release(copy);
        live_copy_release(held);
    }
    assert_true(done);
}

#define STORY(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY(a_merge_is_a_sort_without_duplicates),
        STORY(of_one_reading_in_two_runs_the_first_by_its_bytes_comes),
        STORY(runs_in_no_order_come_to_an_end),
        STORY(nothing_merged_is_nothing),
        STORY(a_time_is_found_among_records),
        STORY(a_live_copy_is_sorted_however_readings_come),
        STORY(readings_of_sealed_files_leave_the_copy),
        STORY(suspects_stand_apart),
        STORY(who_holds_a_copy_sees_no_change),
        STORY(a_copy_without_memory_is_an_error),
    };
    return cmocka_run_group_tests_name("merging records", tests, NULL, NULL);
}
