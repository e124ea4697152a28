/*
 * test_sealer.c - finished live files become sealed files, and nothing is lost or stored twice.
 */
#include "support_sealed.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "handlers/sensor/record/record.h"

enum { DAY_S = 86400 };

/* A reading of that second since the epoch. */
static struct record reading_at(int64_t second, int channel, enum time_quality quality)
{
    const struct reading reading = {.time_ms = second * 1000,
                                    .channel = channel,
                                    .rolling_code = 7,
                                    .raw = 1100,
                                    .humidity = 40,
                                    .time_quality = quality};
    return live_reading_of(&reading);
}

static int64_t day(int year, int month, int date)
{
    const struct civil_time civil = {.year = year, .month = month, .day = date};
    return civil_to_ms(&civil) / 1000;
}

static void append_at(struct reading_store *store, int64_t second, uint64_t accepted)
{
    struct record record = reading_at(second, 1, TIME_SENDER);
    assert_int_equal(live_append(store, &record, 1, HEARTH_OK).accepted, accepted);
}

static void expect_file(const struct live_case *test, const char *name, uint32_t records)
{
    struct sealed_list list;
    sealed_list_read(test, &list);
    const struct manifest_row *row = sealed_list_find(&list, name);
    if (!row || row->file.records != records)
        fail_msg("%s: %u records, not %u", name, row ? row->file.records : 0, records);
    sealed_list_clean(&list);
}

static size_t count_of_files(const struct live_case *test)
{
    struct sealed_list list;
    sealed_list_read(test, &list);
    size_t count = list.count;
    sealed_list_clean(&list);
    return count;
}

static size_t stored(struct reading_store *store)
{
    size_t count;
    free(live_everything(store, &count));
    return count;
}

static struct store_state state_of(struct reading_store *store)
{
    struct store_state state;
    assert_int_equal(store->state(store, &state, NULL), HEARTH_OK);
    return state;
}

/* ---- Days ---- */

static void readings_are_sealed_by_the_day_they_belong_to(void **state)
{
    struct live_case *test = *state;
    struct reading_store *store = live_case_open(test);
    int64_t second = day(2025, 9, 14);
    append_at(store, second + 100, 1);
    append_at(store, second - 1, 1);
    append_at(store, second + DAY_S - 1, 1);
    append_at(store, second + DAY_S, 1);
    append_at(store, second, 1);
    sealed_seal(store, HEARTH_OK);
    expect_file(test, "sealed/2025/09-13.00000001.bin", 1);
    expect_file(test, "sealed/2025/09-14.00000001.bin", 3);
    expect_file(test, "sealed/2025/09-15.00000001.bin", 1);
    assert_int_equal(count_of_files(test), 3);
    assert_int_equal(sealed_expect_sound(test), 5);
    assert_int_equal(stored(store), 5);
    assert_false(live_file_exists(test, "00000001.bin"));
    assert_true(live_file_exists(test, "00000002.bin"));
    store->free(store);
}

static void late_readings_make_another_file_of_their_day(void **state)
{
    struct live_case *test = *state;
    struct reading_store *store = live_case_open(test);
    int64_t second = day(2025, 9, 14);
    append_at(store, second + 100, 1);
    append_at(store, second + 300, 1);
    sealed_seal(store, HEARTH_OK);
    append_at(store, second + 200, 1); /* late */
    append_at(store, second + 300, 0); /* sent again */
    append_at(store, second + DAY_S + 5, 1);
    sealed_seal(store, HEARTH_OK);
    expect_file(test, "sealed/2025/09-14.00000001.bin", 2);
    expect_file(test, "sealed/2025/09-14.00000002.bin", 1);
    expect_file(test, "sealed/2025/09-15.00000002.bin", 1);
    assert_int_equal(sealed_expect_sound(test), 4);
    assert_int_equal(stored(store), 4);
    store->free(store);
}

static void what_is_sealed_is_known_when_it_comes_again(void **state)
{
    struct live_case *test = *state;
    enum { COUNT = 3000 };
    struct record *records = calloc(COUNT, sizeof *records);
    for (int i = 0; i < COUNT; i++)
        records[i] = live_reading(i * 97);
    struct reading_store *store = live_case_open(test);
    assert_int_equal(live_append(store, records, COUNT, HEARTH_OK).accepted, COUNT);
    sealed_seal(store, HEARTH_OK);
    assert_int_equal(live_append(store, records, COUNT, HEARTH_OK).duplicate, COUNT);
    store->free(store);
    store = live_case_open(test);
    for (int i = 0; i < COUNT; i++) /* in no order */
        assert_int_equal(
            live_append(store, &records[(size_t)i * 1009 % COUNT], 1, HEARTH_OK).duplicate, 1);
    struct record other = live_reading(98);
    assert_int_equal(live_append(store, &other, 1, HEARTH_OK).accepted, 1);
    store->free(store);
    free(records);
    assert_int_equal(sealed_expect_sound(test), COUNT + 1);
}

/* ---- Suspects ---- */

static void suspect_readings_are_sealed_aside(void **state)
{
    struct live_case *test = *state;
    struct reading_store *store = live_case_open(test);
    int64_t second = day(2025, 9, 14);
    const struct record records[] = {
        reading_at(5, 1, TIME_SUSPECT), reading_at(second, 1, TIME_SENDER),
        reading_at(second, 2, TIME_SUSPECT), reading_at(day(2100, 1, 1), 3, TIME_SUSPECT)};
    assert_int_equal(live_append(store, records, 4, HEARTH_OK).accepted, 4);
    sealed_seal(store, HEARTH_OK);
    expect_file(test, "sealed/2025/09-14.00000001.bin", 1);
    expect_file(test, "suspect/00000001.bin", 3);
    assert_int_equal(sealed_expect_sound(test), 4);
    assert_int_equal(state_of(store).newest_ms, second * 1000);
    assert_int_equal(stored(store), 4);
    store->free(store);
}

static void a_suspect_reading_is_known_whatever_quality_it_comes_with(void **state)
{
    struct live_case *test = *state;
    struct reading_store *store = live_case_open(test);
    int64_t second = day(2025, 9, 14);
    enum { COUNT = 50 };
    for (int i = 0; i < COUNT; i++) {
        struct record record = reading_at(second + 100 * (int64_t)i, 4, TIME_SUSPECT);
        assert_int_equal(live_append(store, &record, 1, HEARTH_OK).accepted, 1);
        if (i % 10 == 9)
            sealed_seal(store, HEARTH_OK);
    }
    for (int i = -20; i < 100 * COUNT; i++) {
        struct record record = reading_at(second + i, 4, TIME_SENDER);
        bool known = i >= 0 && i % 100 == 0;
        assert_int_equal(live_append(store, &record, 1, HEARTH_OK).duplicate, known);
    }
    store->free(store);
    assert_int_equal(sealed_expect_sound(test), 100 * COUNT + 20);
}

/* ---- Far times, one time ---- */

static void readings_of_1970_and_of_2100_are_sealed(void **state)
{
    struct live_case *test = *state;
    struct reading_store *store = live_case_open(test);
    append_at(store, 0, 1);
    append_at(store, day(2100, 2, 28) + 1, 1);
    append_at(store, READING_TIME_MAX_MS / 1000, 1);
    sealed_seal(store, HEARTH_OK);
    expect_file(test, "sealed/1970/01-01.00000001.bin", 1);
    expect_file(test, "sealed/2100/02-28.00000001.bin", 1);
    append_at(store, 0, 0);
    append_at(store, READING_TIME_MAX_MS / 1000, 0);
    store->free(store);
    assert_int_equal(sealed_expect_sound(test), 3);
}

static bool is_full_run(void)
{
    const char *tests = getenv("HEARTH_TESTS");
    return tests && strcmp(tests, "full") == 0;
}

/* Every channel, code, temperature and humidity at one moment. */
static struct record reading_of_that_moment(int number)
{
    const struct reading reading = {.time_ms = LIVE_START_MS,
                                    .channel = number % 16 + 1,
                                    .rolling_code = number / 16 % 256,
                                    .raw = number / 4096 % 4000,
                                    .humidity = 50};
    return live_reading_of(&reading);
}

static void a_million_readings_may_have_one_time(void **state)
{
    struct live_case *test = *state;
    size_t count = is_full_run() ? 1000000 : 200000;
    struct record *records = calloc(count, sizeof *records);
    for (size_t i = 0; i < count; i++)
        records[i] = reading_of_that_moment((int)(i * 7919 % count));
    struct reading_store *store = live_case_open(test);
    assert_int_equal(live_append(store, records, count, HEARTH_OK).accepted, count);
    sealed_seal(store, HEARTH_OK);
    assert_int_equal(live_append(store, records, count, HEARTH_OK).duplicate, count);
    for (int i = 0; i < 2000; i++) {
        struct record fresh = reading_of_that_moment((int)count + i * 31);
        assert_int_equal(live_append(store, &fresh, 1, HEARTH_OK).accepted, 1);
    }
    store->free(store);
    free(records);
    assert_int_equal(sealed_expect_sound(test), count + 2000);
}

/* ---- Files with nothing in them ---- */

static void an_empty_store_has_nothing_to_seal(void **state)
{
    struct live_case *test = *state;
    struct reading_store *store = live_case_open(test);
    sealed_seal(store, HEARTH_OK);
    sealed_seal(store, HEARTH_OK);
    assert_int_equal(live_file_count(test), 0);
    append_at(store, 100, 1);
    sealed_seal(store, HEARTH_OK);
    sealed_seal(store, HEARTH_OK);
    sealed_seal(store, HEARTH_OK);
    assert_int_equal(live_file_count(test), 1); /* the next one, empty */
    assert_int_equal(count_of_files(test), 1);
    store->free(store);
}

static void a_file_of_bad_slots_is_quarantined_and_goes(void **state)
{
    struct live_case *test = *state;
    struct record slots[5];
    for (int i = 0; i < 5; i++)
        slots[i] = live_bad_record(i);
    live_file_write(test, "00000003.bin", slots, sizeof slots);
    for (int i = 0; i < 5; i++)
        slots[i] = i % 2 ? live_reading(i) : live_bad_record(10 + i);
    live_file_write(test, "00000004.bin", slots, sizeof slots);
    struct reading_store *store = live_case_open(test);
    sealed_seal(store, HEARTH_OK);
    assert_int_equal(count_of_files(test), 1);
    assert_int_equal(sealed_expect_sound(test), 2);
    assert_int_equal(live_file_count(test), 1);
    char *text = live_quarantine_text(test);
    assert_int_equal(live_count_text(text, "\"sequence\":3,\"slot\":0,\"count\":5"), 1);
    assert_int_equal(live_count_text(text, "\"sequence\":4"), 3);
    free(text);
    append_at(store, 5, 1);
    assert_true(live_file_exists(test, "00000005.bin"));
    store->free(store);
}

/* The bits of a slot turned while the store was open: nobody has quarantined it yet. */
static void what_went_bad_since_the_opening_is_quarantined_before_its_file_goes(void **state)
{
    struct live_case *test = *state;
    char path[4096];
    struct reading_store *store = live_case_open(test);
    for (int i = 0; i < 10; i++)
        live_append_number(store, i);
    snprintf(path, sizeof path, "%s/live/00000001.bin", test->options.directory);
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    assert_int_equal(fseek(file, 4L * RECORD_BYTES, SEEK_SET), 0);
    assert_int_equal(fwrite("garbage-here", 1, RECORD_BYTES, file), RECORD_BYTES);
    fclose(file);
    sealed_seal(store, HEARTH_OK);
    store->free(store);
    assert_int_equal(sealed_expect_sound(test), 9);
    assert_int_equal(live_quarantine_lines(test), 1);
}

static void a_poisoned_file_is_sealed_up_to_where_it_is_trusted(void **state)
{
    struct live_case *test = *state;
    struct record slots[6];
    for (int i = 0; i < 6; i++)
        slots[i] = live_reading(i);
    live_file_write(test, "00000001.poisoned-48.bin", slots, sizeof slots);
    struct reading_store *store = live_case_open(test);
    sealed_seal(store, HEARTH_OK);
    assert_int_equal(sealed_expect_sound(test), 4);
    assert_false(live_file_exists(test, "00000001.poisoned-48.bin"));
    for (int i = 0; i < 6; i++)
        assert_int_equal(live_append_number(store, i).accepted, i >= 4);
    store->free(store);
}

static void a_reading_that_stands_in_two_live_files_is_sealed_once(void **state)
{
    struct live_case *test = *state;
    struct record slots[6];
    for (int i = 0; i < 6; i++)
        slots[i] = live_reading(i);
    live_file_write(test, "00000001.bin", slots, 4 * sizeof *slots);
    live_file_write(test, "00000002.bin", slots + 1, 5 * sizeof *slots);
    live_file_write(test, "00000003.bin", slots + 2, 2 * sizeof *slots); /* nothing new */
    struct reading_store *store = live_case_open(test);
    assert_int_equal(state_of(store).readings, 6);
    sealed_seal(store, HEARTH_OK);
    assert_int_equal(state_of(store).readings, 6);
    store->free(store);
    assert_int_equal(sealed_expect_sound(test), 6);
    store = live_case_open(test);
    assert_int_equal(state_of(store).readings, 6);
    store->free(store);
}

/* ---- When ---- */

static void a_local_store_seals_what_is_finished(void **state)
{
    struct live_case *test = *state;
    test->options.seals_by_hand = false;
    test->options.live_bytes = UINT64_C(100) * RECORD_BYTES;
    struct reading_store *store = live_case_open(test);
    for (int i = 0; i < 1000; i++)
        live_append_number(store, i);
    assert_int_equal(live_file_count(test), 1);
    assert_true(count_of_files(test) >= 9);
    assert_int_equal(stored(store), 1000);
    store->free(store);
    assert_int_equal(sealed_expect_sound(test), 1000);
}

static void the_clock_may_go_back_two_hours(void **state)
{
    struct live_case *test = *state;
    test->options.seals_by_hand = false;
    clock_manual_init(&test->clock, day(2026, 1, 1) * 1000 + 600000);
    struct reading_store *store = live_case_open(test);
    for (int hour = 0; hour < 60; hour++) {
        int64_t second = clock_wall_ms(&test->clock.clock) / 1000;
        append_at(store, second, 1);
        append_at(store, second, 0);
        clock_manual_advance_ms(&test->clock, hour % 9 == 4 ? -7200000 + 1000 : 3601000);
    }
    sealed_seal(store, HEARTH_OK);
    store->free(store);
    assert_int_equal(sealed_expect_sound(test), 60);
    store = live_case_open(test);
    assert_int_equal(stored(store), 60);
    store->free(store);
}

/* ---- The generation ---- */

static void every_commit_and_every_seal_raises_the_generation(void **state)
{
    struct live_case *test = *state;
    struct reading_store *store = live_case_open(test);
    uint64_t last = state_of(store).generation;
    for (int i = 0; i < 40; i++) {
        live_append_number(store, i);
        assert_true(state_of(store).generation > last);
        last = state_of(store).generation;
        if (i % 4 == 3) {
            sealed_seal(store, HEARTH_OK);
            assert_true(state_of(store).generation > last);
            last = state_of(store).generation;
        }
        live_append_number(store, i); /* nothing new: the same */
        assert_int_equal(state_of(store).generation, last);
        if (i % 5 == 0) {
            store->free(store);
            store = live_case_open(test);
            assert_int_equal(state_of(store).generation, last);
            assert_int_equal(state_of(store).readings, i + 1);
            assert_int_equal(state_of(store).newest_ms, LIVE_START_MS + INT64_C(1000) * i);
        }
    }
    store->free(store);
}

/* ---- What a predecessor did not come to ---- */

/* It died when the rows stood, before the summaries and before its live file went. */
static void an_interrupted_seal_is_brought_to_its_end(void **state)
{
    struct live_case *test = *state;
    char summary[4096];
    size_t size;
    struct reading_store *store = live_case_open(test);
    for (int i = 0; i < 100; i++)
        append_at(store, day(2025, 9, 14) + i, 1);
    unsigned char *bytes = live_file_bytes(test, "00000001.bin", &size);
    sealed_seal(store, HEARTH_OK);
    store->free(store);
    live_file_write(test, "00000001.bin", bytes, size);
    free(bytes);
    snprintf(summary, sizeof summary, "%s/summary/2025.sum", test->options.directory);
    assert_int_equal(unlink(summary), 0);
    store = live_case_open(test);
    assert_false(live_file_exists(test, "00000001.bin"));
    assert_int_equal(state_of(store).readings, 100);
    sealed_seal(store, HEARTH_OK);
    assert_int_equal(access(summary, F_OK), 0);
    assert_int_equal(stored(store), 100);
    store->free(store);
    assert_int_equal(sealed_expect_sound(test), 100);
}

static void a_summary_that_could_not_be_written_is_tried_again(void **state)
{
    struct live_case *test = *state;
    char directory[4096], summary[8192];
    struct reading_store *store = live_case_open(test);
    snprintf(directory, sizeof directory, "%s/summary", test->options.directory);
    snprintf(summary, sizeof summary, "%s/2025.sum", directory);
    FILE *in_its_place = fopen(directory, "we");
    assert_non_null(in_its_place);
    assert_int_equal(fclose(in_its_place), 0);
    append_at(store, day(2025, 9, 14), 1);
    sealed_seal(store, HEARTH_OK);
    assert_int_equal(stored(store), 1);
    assert_int_equal(unlink(directory), 0);
    sealed_seal(store, HEARTH_OK); /* there is nothing left to seal */
    assert_int_equal(access(summary, F_OK), 0);
    store->free(store);
    assert_int_equal(sealed_expect_sound(test), 1);
}

/* ---- Damage ---- */

static void a_missing_sealed_file_refuses_nobody(void **state)
{
    struct live_case *test = *state;
    char path[4096];
    struct reading_store *store = live_case_open(test);
    int64_t second = day(2025, 9, 14);
    append_at(store, second, 1);
    append_at(store, second + DAY_S, 1);
    sealed_seal(store, HEARTH_OK);
    store->free(store);
    snprintf(path, sizeof path, "%s/sealed/2025/09-15.00000001.bin", test->options.directory);
    assert_int_equal(unlink(path), 0);
    store = live_case_open(test);
    append_at(store, second, 0);
    append_at(store, second + DAY_S, 1); /* it is gone: taken again */
    sealed_seal(store, HEARTH_OK);
    store->free(store);
}

static void a_manifest_without_its_end_is_refused_when_the_live_file_is_gone(void **state)
{
    struct live_case *test = *state;
    struct civil_time now;
    char path[4096];
    struct reading_store *store = live_case_open(test);
    append_at(store, 100, 1);
    sealed_seal(store, HEARTH_OK);
    append_at(store, 200, 1);
    sealed_seal(store, HEARTH_OK);
    store->free(store);
    civil_from_ms(clock_wall_ms(&test->clock.clock), &now);
    snprintf(path, sizeof path, "%s/manifest/%04d.ndjson", test->options.directory, now.year);
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(truncate(path, status.st_size - 20), 0);
    struct error_record error = {0};
    assert_null(embedded_store_local_with(&test->options, &error));
    assert_int_equal(error.code, HEARTH_CORRUPT);
    assert_non_null(strstr(error.detail, ".ndjson"));
}

#define STORY(name) cmocka_unit_test_setup_teardown(name, live_case_set_up, live_case_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY(readings_are_sealed_by_the_day_they_belong_to),
        STORY(late_readings_make_another_file_of_their_day),
        STORY(what_is_sealed_is_known_when_it_comes_again),
        STORY(suspect_readings_are_sealed_aside),
        STORY(a_suspect_reading_is_known_whatever_quality_it_comes_with),
        STORY(readings_of_1970_and_of_2100_are_sealed),
        STORY(a_million_readings_may_have_one_time),
        STORY(an_empty_store_has_nothing_to_seal),
        STORY(a_file_of_bad_slots_is_quarantined_and_goes),
        STORY(what_went_bad_since_the_opening_is_quarantined_before_its_file_goes),
        STORY(a_poisoned_file_is_sealed_up_to_where_it_is_trusted),
        STORY(a_reading_that_stands_in_two_live_files_is_sealed_once),
        STORY(a_local_store_seals_what_is_finished),
        STORY(the_clock_may_go_back_two_hours),
        STORY(every_commit_and_every_seal_raises_the_generation),
        STORY(an_interrupted_seal_is_brought_to_its_end),
        STORY(a_summary_that_could_not_be_written_is_tried_again),
        STORY(a_missing_sealed_file_refuses_nobody),
        STORY(a_manifest_without_its_end_is_refused_when_the_live_file_is_gone),
    };
    return cmocka_run_group_tests_name("sealer", tests, NULL, NULL);
}
