/*
 * test_live_recovery.c - opening a store whose files were damaged, torn or left by a dead keeper.
 */
#include "support_live.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "handlers/sensor/live/quarantine.h"
#include "handlers/sensor/record/record.h"

enum { GOOD = 10 };

/* A file of `count` slots: readings by number, of which `damage` may change any. */
static void write_slots(struct live_case *test, const char *name, int first, size_t count,
                        void (*damage)(struct record *slots), size_t extra_bytes)
{
    struct record *slots = calloc(count + 1, sizeof *slots);
    for (size_t i = 0; i < count; i++)
        slots[i] = live_reading(first + (int)i);
    if (damage)
        damage(slots);
    memset(&slots[count], 0xA5, sizeof *slots);
    live_file_write(test, name, slots, count * sizeof *slots + extra_bytes);
    free(slots);
}

/* Opens, counts, closes. */
static size_t readings_in(struct live_case *test)
{
    size_t count;
    struct reading_store *store = live_case_open(test);
    free(live_everything(store, &count));
    store->free(store);
    return count;
}

static void expect_quarantine(struct live_case *test, size_t lines, const char *text)
{
    char *all = live_quarantine_text(test);
    if (live_count_text(all, "\n") != lines || (text && !strstr(all, text)))
        fail_msg("quarantine: not %zu lines with %s:\n%s", lines, text ? text : "anything", all);
    free(all);
}

/* ---- Damage in the middle ---- */

static void flip_the_fourth(struct record *slots)
{
    slots[3].bytes[4] ^= 0x10;
}

static void a_bad_slot_is_quarantined_and_the_good_ones_after_it_stay(void **state)
{
    struct live_case *test = *state;
    write_slots(test, "00000001.bin", 0, GOOD, flip_the_fourth, 0);
    assert_int_equal(readings_in(test), GOOD - 1);
    expect_quarantine(test, 1,
                      "\"reason\":\"CHECKSUM\",\"source\":\"recovery\",\"sequence\":1,\"slot\":3,"
                      "\"count\":1,\"raw_base64\":\"");
    size_t size;
    free(live_file_bytes(test, "00000001.bin", &size));
    assert_int_equal(size, GOOD * RECORD_BYTES); /* it stays where it is */
}

static void it_is_quarantined_once_however_often_the_store_is_opened(void **state)
{
    struct live_case *test = *state;
    write_slots(test, "00000001.bin", 0, GOOD, flip_the_fourth, 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(readings_in(test), GOOD - 1);
    expect_quarantine(test, 1, NULL);
    /* A second file's slot of the same number is another one. */
    write_slots(test, "00000002.bin", 100, GOOD, flip_the_fourth, 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(readings_in(test), 2 * (GOOD - 1));
    expect_quarantine(test, 2, "\"sequence\":2,\"slot\":3,\"count\":1");
}

static void readings_around_a_bad_slot_are_still_duplicates_when_sent_again(void **state)
{
    struct live_case *test = *state;
    write_slots(test, "00000001.bin", 0, GOOD, flip_the_fourth, 0);
    struct reading_store *store = live_case_open(test);
    for (int i = 0; i < GOOD; i++)
        assert_int_equal(live_append_number(store, i).accepted, i == 3);
    store->free(store);
    assert_int_equal(readings_in(test), GOOD);
    live_expect_nothing_twice(test);
}

static void break_a_row(struct record *slots)
{
    for (int i = 2; i <= 6; i++)
        slots[i].bytes[11] ^= 1;
}

static void neighbours_that_differ_are_one_line_with_all_their_bytes(void **state)
{
    struct live_case *test = *state;
    struct record slots[GOOD];
    write_slots(test, "00000001.bin", 0, GOOD, break_a_row, 0);
    assert_int_equal(readings_in(test), GOOD - 5);
    for (int i = 0; i < GOOD; i++)
        slots[i] = live_reading(i);
    break_a_row(slots);
    struct buffer expected;
    buffer_init(&expected, 4096);
    buffer_append_text(&expected, "\"sequence\":1,\"slot\":2,\"count\":5,\"raw_base64\":\"");
    assert_int_equal(
        quarantine_base64(&expected, view_from((const char *)&slots[2], sizeof slots[0] * 5)),
        HEARTH_OK);
    assert_int_equal(buffer_append_byte(&expected, '\0'), HEARTH_OK);
    expect_quarantine(test, 1, expected.data);
    buffer_clean(&expected);
    assert_int_equal(readings_in(test), GOOD - 5);
    expect_quarantine(test, 1, NULL);
}

static void other_versions(struct record *slots)
{
    slots[2].bytes[0] |= 0x40;
    slots[3].bytes[11] ^= 1;
}

static void another_reason_is_another_line(void **state)
{
    struct live_case *test = *state;
    write_slots(test, "00000001.bin", 0, GOOD, other_versions, 0);
    assert_int_equal(readings_in(test), GOOD - 2);
    expect_quarantine(test, 2, "\"reason\":\"VERSION\"");
    expect_quarantine(test, 2, "\"reason\":\"CHECKSUM\"");
}

static void damage_in_a_finished_file_is_found_too(void **state)
{
    struct live_case *test = *state;
    write_slots(test, "00000001.bin", 0, GOOD, flip_the_fourth, 7);
    write_slots(test, "00000002.bin", 100, GOOD, NULL, 0);
    assert_int_equal(readings_in(test), 2 * GOOD - 1);
    expect_quarantine(test, 2,
                      "\"reason\":\"TORN_TAIL\",\"source\":\"recovery\",\"sequence\":1,"
                      "\"slot\":10,\"count\":1");
    size_t size;
    free(live_file_bytes(test, "00000001.bin", &size));
    assert_int_equal(size, GOOD * RECORD_BYTES + 7); /* a finished file never changes */
    assert_int_equal(readings_in(test), 2 * GOOD - 1);
    expect_quarantine(test, 2, NULL);
}

/* ---- The end of the file written to ---- */

static void a_torn_tail_is_quarantined_and_cut(void **state)
{
    for (size_t extra = 1; extra < RECORD_BYTES; extra++) {
        struct live_case test;
        size_t size;
        (void)state;
        live_case_init(&test);
        write_slots(&test, "00000001.bin", 0, GOOD, NULL, extra);
        struct reading_store *store = live_case_open(&test);
        assert_int_equal(live_append_number(store, 500).accepted, 1);
        store->free(store);
        free(live_file_bytes(&test, "00000001.bin", &size));
        assert_int_equal(size, (GOOD + 1) * RECORD_BYTES);
        assert_int_equal(readings_in(&test), GOOD + 1);
        expect_quarantine(&test, 1, "\"reason\":\"TORN_TAIL\"");
        live_case_clean(&test);
    }
}

static void a_tail_of_zeros_is_one_line_with_a_count(void **state)
{
    struct live_case *test = *state;
    enum { ZEROS = 8000 };
    struct record *slots = calloc(GOOD + ZEROS + 1, sizeof *slots);
    for (int i = 0; i < GOOD; i++)
        slots[i] = live_reading(i);
    live_file_write(test, "00000001.bin", slots, (GOOD + ZEROS) * sizeof *slots + 5);
    free(slots);
    assert_int_equal(readings_in(test), GOOD);
    expect_quarantine(test, 2, "\"slot\":10,\"count\":8000,\"raw_base64\":\"AAAAAAAAAAAAAAAA\"");
    size_t size;
    free(live_file_bytes(test, "00000001.bin", &size));
    assert_int_equal(size, GOOD * RECORD_BYTES);
    assert_int_equal(readings_in(test), GOOD);
    expect_quarantine(test, 2, NULL);
}

static void zero_the_tail(struct record *slots)
{
    memset(slots + GOOD, 0, 3 * sizeof *slots);
}

/* A tail is cut, readings are stored in its place, and one of them goes bad: it is another one. */
static void what_goes_bad_where_something_else_was_quarantined_is_quarantined_too(void **state)
{
    struct live_case *test = *state;
    size_t size;
    write_slots(test, "00000001.bin", 0, GOOD + 3, zero_the_tail, 0);
    struct reading_store *store = live_case_open(test);
    for (int i = 0; i < 3; i++)
        live_append_number(store, 100 + i);
    store->free(store);
    expect_quarantine(test, 1, "\"slot\":10,\"count\":3,");
    unsigned char *bytes = live_file_bytes(test, "00000001.bin", &size);
    memcpy(bytes + (size_t)(GOOD + 1) * RECORD_BYTES, "garbage-here", RECORD_BYTES);
    live_file_write(test, "00000001.bin", bytes, size);
    free(bytes);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(readings_in(test), GOOD + 2);
        expect_quarantine(test, 2, "\"slot\":11,\"count\":1,\"raw\":\"garbage-here\"");
    }
}

static void a_file_of_nothing_but_rubbish_does_not_bloat_the_quarantine(void **state)
{
    struct live_case *test = *state;
    enum { SLOTS = 5000 };
    struct record *slots = calloc(SLOTS, sizeof *slots);
    for (int i = 0; i < SLOTS; i++) {
        slots[i] = live_reading(i);
        slots[i].bytes[11] ^= 0xFF;
    }
    live_file_write(test, "00000001.bin", slots, SLOTS * sizeof *slots);
    free(slots);
    assert_int_equal(readings_in(test), 0);
    char *text = live_quarantine_text(test);
    assert_int_equal(live_count_text(text, "\n"), (SLOTS + 339) / 340);
    assert_true(strlen(text) < SLOTS * RECORD_BYTES * 3 / 2);
    free(text);
}

/* Each slot a line: neighbours have different reasons. */
static void more_rubbish_than_one_commit_takes_does_not_close_the_store(void **state)
{
    struct live_case *test = *state;
    enum { SLOTS = 500000 };
    struct record *slots = calloc(SLOTS, sizeof *slots);
    assert_non_null(slots);
    for (int i = 0; i < SLOTS - 1; i++) {
        slots[i] = live_bad_record(i);
        if (i % 2 == 1)
            memset(&slots[i], 0xFF, sizeof slots[i]);
    }
    slots[SLOTS - 1] = live_reading(1);
    live_file_write(test, "00000001.bin", slots, SLOTS * sizeof *slots);
    free(slots);
    assert_int_equal(readings_in(test), 1);
    char *text = live_quarantine_text(test);
    size_t length = strlen(text), lines = 0;
    for (size_t i = 0; i < length; i++)
        lines += text[i] == '\n';
    free(text);
    assert_int_equal(lines, SLOTS - 1);
    assert_true(length > (64u << 20));
}

static void an_empty_file_is_written_to(void **state)
{
    struct live_case *test = *state;
    live_file_write(test, "00000005.bin", "", 0);
    struct reading_store *store = live_case_open(test);
    live_append_number(store, 0);
    store->free(store);
    size_t size;
    free(live_file_bytes(test, "00000005.bin", &size));
    assert_int_equal(size, RECORD_BYTES);
    assert_int_equal(live_file_count(test), 1);
}

static void files_that_are_none_of_ours_are_left_alone(void **state)
{
    struct live_case *test = *state;
    live_file_write(test, "notes.txt", "hello", 5);
    live_file_write(test, "00000001.bin.tmp", "hello", 5);
    write_slots(test, "00000001.bin", 0, GOOD, NULL, 0);
    assert_int_equal(readings_in(test), GOOD);
    assert_int_equal(live_file_count(test), 3);
    expect_quarantine(test, 0, NULL);
}

/* ---- Poisoned files ---- */

static void a_poisoned_file_counts_up_to_what_its_name_says(void **state)
{
    struct live_case *test = *state;
    write_slots(test, "00000003.poisoned-48.bin", 0, GOOD, NULL, 3);
    assert_int_equal(readings_in(test), 4);
    struct reading_store *store = live_case_open(test);
    for (int i = 0; i < GOOD; i++)
        assert_int_equal(live_append_number(store, i).accepted, i >= 4);
    assert_true(live_file_exists(test, "00000004.bin"));
    store->free(store);
    assert_int_equal(readings_in(test), GOOD);
    expect_quarantine(test, 0, NULL);
    live_expect_nothing_twice(test);
}

static void a_poisoned_file_shorter_than_its_name_says_is_read_to_its_end(void **state)
{
    struct live_case *test = *state;
    write_slots(test, "00000003.poisoned-4800.bin", 0, GOOD, NULL, 3);
    assert_int_equal(readings_in(test), GOOD);
}

/* ---- What a predecessor published ---- */

static struct live_store *open_live(struct live_case *test, struct live_published *published)
{
    struct live_store *live = NULL;
    struct error_record error = {0};
    assert_int_equal(live_store_prepare(&test->options, &error), HEARTH_OK);
    if (live_store_open(&test->options, published, &live, &error) != HEARTH_OK)
        fail_msg("open: %s", error.detail);
    return live;
}

static void commit_numbers(struct live_store *live, int first, size_t count)
{
    struct record records[GOOD];
    for (size_t i = 0; i < count; i++)
        records[i] = live_reading(first + (int)i);
    struct live_entry entry = {.records = records, .record_count = count};
    live_store_commit(live, &entry, 1);
    assert_int_equal(entry.outcome, HEARTH_OK);
}

static void after_a_clean_handover_nothing_is_written_or_synced(void **state)
{
    struct live_case *test = *state;
    struct live_published published = {0};
    test->options.files = &test->faults.files;
    struct live_store *live = open_live(test, &published);
    commit_numbers(live, 0, GOOD);
    live_store_close(live);
    int syncs = test->faults.syncs;
    live = open_live(test, &published);
    assert_int_equal(test->faults.syncs, syncs);
    commit_numbers(live, 100, 1);
    live_store_close(live);
    assert_int_equal(live_file_count(test), 1);
    assert_int_equal(readings_in(test), GOOD + 1);
}

static void without_a_predecessors_word_the_file_is_synced_before_it_counts(void **state)
{
    struct live_case *test = *state;
    struct live_published published = {0}, nothing = {0};
    test->options.files = &test->faults.files;
    struct live_store *live = open_live(test, &published);
    commit_numbers(live, 0, GOOD);
    live_store_close(live);
    /* When that sync fails nothing may be promised: the store does not open, and does later. */
    struct error_record error = {0};
    test->faults.kind = FAULT_ERRNO;
    test->faults.number = EIO;
    test->faults.fail_at = 0;
    enum hearth_error code;
    do { /* every call of the opening in turn, until it is the sync's */
        test->faults.log[0] = '\0';
        test->faults.fail_at++;
        test->faults.calls = 0;
        memset(&nothing, 0, sizeof nothing);
        code = live_store_open(&test->options, &nothing, &live, &error);
        if (code == HEARTH_OK)
            live_store_close(live);
    } while (strcmp(test->faults.log, "fdatasync") != 0 && test->faults.fail_at < 100);
    assert_string_equal(test->faults.log, "fdatasync");
    assert_int_equal(code, HEARTH_IO);
    live = open_live(test, &nothing);
    live_store_close(live);
    assert_int_equal(readings_in(test), GOOD);
}

/* What a dead process left in the page cache is no proof: it is written again, then synced. */
static void what_is_not_known_to_be_synced_is_written_again(void **state)
{
    struct live_case *test = *state;
    struct live_published published = {0}, nothing = {0};
    test->options.files = &test->faults.files;
    struct live_store *live = open_live(test, &published);
    commit_numbers(live, 0, GOOD);
    live_store_close(live);
    uint64_t before = test->faults.asked_bytes;
    live = open_live(test, &nothing); /* a new pool: all of it */
    live_store_close(live);
    assert_int_equal(test->faults.asked_bytes - before, sizeof(struct record) * GOOD);
    /* A successor: what lies behind the synced length. */
    write_slots(test, "00000001.bin", 0, GOOD + 3, NULL, 0);
    live_publish_condition(&published, LIVE_WRITING);
    before = test->faults.asked_bytes;
    int syncs = test->faults.syncs;
    live = open_live(test, &published);
    live_store_close(live);
    assert_int_equal(test->faults.asked_bytes - before, sizeof(struct record) * 3);
    assert_int_equal(test->faults.syncs, syncs + 1);
}

static void a_successor_keeps_what_a_dead_keeper_wrote_and_did_not_sync(void **state)
{
    struct live_case *test = *state;
    struct live_published published = {0};
    struct live_store *live = open_live(test, &published);
    commit_numbers(live, 0, 4);
    live_store_close(live);
    live_publish_condition(&published, LIVE_WRITING);
    write_slots(test, "00000001.bin", 0, GOOD, NULL, 5);
    live = open_live(test, &published);
    struct live_state now;
    live_store_state(live, &now);
    assert_int_equal(now.readings, GOOD);
    assert_int_equal(now.synced_bytes, GOOD * RECORD_BYTES);
    assert_int_equal(live_published_condition(&published), LIVE_CLEAN);
    live_store_close(live);
    expect_quarantine(test, 1, "TORN_TAIL");
}

static void a_successor_sets_aside_what_a_dead_keeper_saw_poisoned(void **state)
{
    struct live_case *test = *state;
    struct live_published published = {0};
    struct live_store *live = open_live(test, &published);
    commit_numbers(live, 0, 4);
    live_store_close(live);
    write_slots(test, "00000001.bin", 0, GOOD, NULL, 0);
    live_publish_condition(&published, LIVE_POISONED);
    live = open_live(test, &published);
    assert_true(live_file_exists(test, "00000001.poisoned-48.bin"));
    assert_false(live_file_exists(test, "00000001.bin"));
    commit_numbers(live, 4, GOOD - 4);
    struct live_state now;
    live_store_state(live, &now);
    assert_int_equal(now.sequence, 2);
    assert_int_equal(now.readings, GOOD);
    live_store_close(live);
    assert_int_equal(readings_in(test), GOOD);
    live_expect_nothing_twice(test);
}

static void the_same_files_have_the_same_generation_after_a_restart(void **state)
{
    struct live_case *test = *state;
    struct store_state before, after;
    struct reading_store *store = live_case_open(test);
    uint64_t last = 0;
    for (int i = 0; i < GOOD; i++) {
        live_append_number(store, i);
        assert_int_equal(store->state(store, &before, NULL), HEARTH_OK);
        assert_true(before.generation > last);
        last = before.generation;
    }
    live_append_number(store, 0); /* a duplicate changes nothing */
    assert_int_equal(store->state(store, &after, NULL), HEARTH_OK);
    assert_int_equal(after.generation, before.generation);
    store->free(store);
    store = live_case_open(test);
    assert_int_equal(store->state(store, &after, NULL), HEARTH_OK);
    assert_memory_equal(&after, &before, sizeof after);
    store->free(store);
}

#define LIVE_STORY(name)                                                                           \
    cmocka_unit_test_setup_teardown(name, live_case_set_up, live_case_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIVE_STORY(a_bad_slot_is_quarantined_and_the_good_ones_after_it_stay),
        LIVE_STORY(it_is_quarantined_once_however_often_the_store_is_opened),
        LIVE_STORY(readings_around_a_bad_slot_are_still_duplicates_when_sent_again),
        LIVE_STORY(neighbours_that_differ_are_one_line_with_all_their_bytes),
        LIVE_STORY(another_reason_is_another_line),
        LIVE_STORY(damage_in_a_finished_file_is_found_too),
        cmocka_unit_test(a_torn_tail_is_quarantined_and_cut),
        LIVE_STORY(a_tail_of_zeros_is_one_line_with_a_count),
        LIVE_STORY(what_goes_bad_where_something_else_was_quarantined_is_quarantined_too),
        LIVE_STORY(a_file_of_nothing_but_rubbish_does_not_bloat_the_quarantine),
        LIVE_STORY(more_rubbish_than_one_commit_takes_does_not_close_the_store),
        LIVE_STORY(an_empty_file_is_written_to),
        LIVE_STORY(files_that_are_none_of_ours_are_left_alone),
        LIVE_STORY(a_poisoned_file_counts_up_to_what_its_name_says),
        LIVE_STORY(a_poisoned_file_shorter_than_its_name_says_is_read_to_its_end),
        LIVE_STORY(after_a_clean_handover_nothing_is_written_or_synced),
        LIVE_STORY(without_a_predecessors_word_the_file_is_synced_before_it_counts),
        LIVE_STORY(what_is_not_known_to_be_synced_is_written_again),
        LIVE_STORY(a_successor_keeps_what_a_dead_keeper_wrote_and_did_not_sync),
        LIVE_STORY(a_successor_sets_aside_what_a_dead_keeper_saw_poisoned),
        LIVE_STORY(the_same_files_have_the_same_generation_after_a_restart),
    };
    return cmocka_run_group_tests_name("recovery", tests, NULL, NULL);
}
