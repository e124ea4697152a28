/*
 * test_snapshot_tail.c - following what arrives in a store, across files and seals.
 */
#include "support_snapshot.h"

#include <string.h>

/* ---- What arrived ---- */

static struct tail_result tail(struct snapshot_story *story, struct tail_cursor *cursor,
                               struct record *records, size_t capacity)
{
    struct tail_result result;
    struct error_record error = {0};
    enum hearth_error code =
        snapshots_tail(story->snapshots, cursor, records, capacity, &result, &error);
    if (code != HEARTH_OK)
        fail_msg("tail: %s %s", error_name(code), error.detail);
    return result;
}

static void who_follows_the_store_gets_what_arrives_in_its_order(void **state)
{
    struct snapshot_story *story = *state;
    struct tail_cursor cursor = {0};
    struct record got[8];
    struct tail_result result = tail(story, &cursor, got, 8);
    assert_false(result.reset);
    assert_int_equal(result.count, 0);
    for (int i = 0; i < 30; i++) {
        struct record record = story_reading(0, 100 - i); /* the newest has the oldest time */
        made_store_append(&story->store, &record, 1);
        if (i % 4 == 1)
            made_store_next(&story->store);
        if (i % 3)
            continue;
        result = tail(story, &cursor, got, 8);
        assert_false(result.reset);
        assert_false(result.more);
        assert_int_equal(result.count, i == 0 ? 1 : 3);
        assert_memory_equal(&got[result.count - 1], &record, sizeof record);
    }
}

static void much_that_arrived_comes_piece_by_piece(void **state)
{
    struct snapshot_story *story = *state;
    struct tail_cursor cursor = {0};
    struct record all[100], bad = live_bad_record(3), got[7];
    for (int i = 0; i < 100; i++) {
        all[i] = story_reading(0, (i * 37) % 100);
        made_store_append(&story->store, &all[i], 1);
        if (i % 10 == 0)
            made_store_append(&story->store, &bad, 1);
        if (i % 33 == 32)
            made_store_next(&story->store);
    }
    size_t count = 0;
    struct tail_result result;
    do {
        result = tail(story, &cursor, got, 7);
        assert_false(result.reset);
        for (size_t i = 0; i < result.count; i++)
            assert_memory_equal(&got[i], &all[count + i], RECORD_BYTES);
        count += result.count;
    } while (result.more);
    assert_int_equal(count, 100);
    assert_int_equal(tail(story, &cursor, got, 7).count, 0);
}

static void a_cursor_into_what_is_sealed_is_reset(void **state)
{
    struct snapshot_story *story = *state;
    struct tail_cursor cursor = {0}, start = {0}, far = {99, 3};
    struct record records[3] = {story_reading(0, 1), story_reading(0, 2), story_reading(0, 3)},
                  got[8];
    made_store_append(&story->store, records, 2);
    assert_int_equal(tail(story, &cursor, got, 8).count, 2);
    made_store_seal_current(&story->store, YEAR);
    made_store_append(&story->store, records + 2, 1);
    struct tail_result result = tail(story, &cursor, got, 8);
    assert_true(result.reset);
    assert_int_equal(result.count, 0);
    result = tail(story, &cursor, got, 8); /* from the end on */
    assert_false(result.reset);
    assert_int_equal(result.count, 0);
    assert_int_equal(tail(story, &start, got, 8).count, 1); /* of what is not sealed */
    assert_true(tail(story, &far, got, 8).reset);
    assert_memory_equal(&far, &cursor, sizeof far);
    far.slot = 77;
    assert_true(tail(story, &far, got, 8).reset);
}

static void a_cursor_at_the_end_of_a_finished_file_outlives_its_sealing(void **state)
{
    struct snapshot_story *story = *state;
    struct tail_cursor cursor = {0};
    struct record records[3] = {story_reading(0, 1), story_reading(0, 2), story_reading(0, 3)},
                  got[8];
    made_store_append(&story->store, records, 2);
    made_store_next(&story->store);
    assert_int_equal(tail(story, &cursor, got, 8).count, 2);
    made_store_seal(&story->store, 1, records, 2, YEAR);
    made_store_append(&story->store, records + 2, 1);
    struct tail_result result = tail(story, &cursor, got, 8);
    assert_false(result.reset);
    assert_int_equal(result.count, 1);
    assert_memory_equal(&got[0], &records[2], sizeof records[2]);
}

#define STORY(name) cmocka_unit_test_setup_teardown(name, story_setup, story_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY(who_follows_the_store_gets_what_arrives_in_its_order),
        STORY(much_that_arrived_comes_piece_by_piece),
        STORY(a_cursor_into_what_is_sealed_is_reset),
        STORY(a_cursor_at_the_end_of_a_finished_file_outlives_its_sealing),
    };
    return cmocka_run_group_tests_name("following a store", tests, NULL, NULL);
}
