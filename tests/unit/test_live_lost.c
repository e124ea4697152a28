/*
 * test_live_lost.c - files that are taken away under a store, and a disk that fails for long.
 */
#include "support_live.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct place {
    struct live_case live;
    struct live_published published; /* the pool's */
};

static void place_init(struct place *place)
{
    memset(place, 0, sizeof *place);
    live_case_init(&place->live);
    place->live.options.files = &place->live.faults.files;
}

static struct live_store *open_first(struct place *place)
{
    struct live_store *live = NULL;
    assert_int_equal(live_store_prepare(&place->live.options, NULL), HEARTH_OK);
    assert_int_equal(live_store_open(&place->live.options, &place->published, &live, NULL),
                     HEARTH_OK);
    return live;
}

/* ---- Files that are taken away ---- */

enum taken { A_FILE, THE_FILES, THE_STORE };

/* Moves it aside, or back. */
static void move(const struct place *place, enum taken taken, bool back)
{
    static const char *const names[] = {"/live/00000001.bin", "/live", ""};
    char path[4096], aside[4096];
    snprintf(path, sizeof path, "%s%s", place->live.options.directory, names[taken]);
    snprintf(aside, sizeof aside, "%s/aside", place->live.directory);
    assert_int_equal(back ? rename(aside, path) : rename(path, aside), 0);
}

static enum hearth_error open_again(struct place *place, struct live_published *published,
                                    struct live_store **live)
{
    enum hearth_error code = live_store_prepare_again(&place->live.options, published, NULL);
    return code == HEARTH_OK ? live_store_open(&place->live.options, published, live, NULL) : code;
}

/* Neither a new reading nor a resent one is acknowledged on files that are gone, also by no
 * successor in the same pool. When they are back it goes on; so does a new pool, without them. */
static void expect_lost(enum taken taken, int sent_then)
{
    struct live_published nothing = {0};
    struct place place;
    place_init(&place);
    struct live_store *live = open_first(&place);
    for (int i = 0; i < 5; i++)
        assert_int_equal(live_commit_number(live, i), HEARTH_OK);
    assert_false(live_store_is_lost(live));
    assert_false(live_published_lost(&place.published));
    move(&place, taken, false);
    if (sent_then < 0)
        live_store_tick(live);
    else
        assert_int_equal(live_commit_number(live, sent_then), HEARTH_UNAVAILABLE);
    assert_true(live_store_is_lost(live));
    for (int i = 0; i < 10; i++)
        assert_int_equal(live_commit_number(live, i), HEARTH_UNAVAILABLE);
    live_store_close(live);
    assert_true(live_published_lost(&place.published));
    for (int i = 0; i < 3; i++)
        assert_int_equal(open_again(&place, &place.published, &live), HEARTH_UNAVAILABLE);
    assert_int_equal(access(place.live.options.directory, F_OK) == 0, taken != THE_STORE);
    if (sent_then % 2 == 0) {
        assert_int_equal(open_again(&place, &nothing, &live), HEARTH_OK);
    } else {
        move(&place, taken, true);
        assert_int_equal(open_again(&place, &place.published, &live), HEARTH_OK);
        assert_false(live_published_lost(&place.published));
    }
    for (int i = 0; i < 5; i++)
        assert_int_equal(live_commit_number(live, i), HEARTH_OK);
    struct live_state now;
    live_store_state(live, &now);
    assert_in_range(now.readings, 5, 6); /* what was refused may be there */
    live_store_close(live);
    live_case_clean(&place.live);
}

static void expect_lost_however(int sent_then)
{
    expect_lost(A_FILE, sent_then);
    expect_lost(THE_FILES, sent_then);
    expect_lost(THE_STORE, sent_then);
}

static void nothing_is_acknowledged_into_a_removed_file(void **state)
{
    (void)state;
    expect_lost_however(5);
    expect_lost_however(6);
}

static void nothing_is_a_duplicate_of_a_removed_file(void **state)
{
    (void)state;
    expect_lost_however(3);
    expect_lost_however(4);
}

static void an_idle_keeper_notices_that_its_file_was_removed(void **state)
{
    (void)state;
    expect_lost_however(-1);
    expect_lost_however(-2);
}

/* An empty store has no file yet. */
static void an_empty_store_that_was_removed_takes_nothing(void **state)
{
    struct place place;
    (void)state;
    place_init(&place);
    struct live_store *live = open_first(&place);
    move(&place, THE_STORE, false);
    assert_int_equal(live_commit_number(live, 1), HEARTH_UNAVAILABLE);
    assert_true(live_store_is_lost(live));
    live_store_close(live);
    assert_int_equal(open_again(&place, &place.published, &live), HEARTH_UNAVAILABLE);
    live_case_clean(&place.live);
}

static void another_store_in_its_place_is_not_taken_for_it(void **state)
{
    struct place place;
    struct live_published nothing = {0};
    struct live_store *live;
    (void)state;
    place_init(&place);
    live = open_first(&place);
    assert_int_equal(live_commit_number(live, 1), HEARTH_OK);
    live_store_close(live);
    move(&place, THE_STORE, false);
    assert_int_equal(open_again(&place, &nothing, &live), HEARTH_OK);
    assert_int_equal(live_commit_number(live, 2), HEARTH_OK);
    assert_int_equal(live_commit_number(live, 3), HEARTH_OK);
    live_store_close(live);
    assert_int_equal(open_again(&place, &place.published, &live), HEARTH_UNAVAILABLE);
    live_case_clean(&place.live);
}

/* ---- A disk that goes on failing ---- */

/* Refused without a file for each, and without a sync for each. */
static void a_disk_that_fails_for_long_is_asked_once_a_second(void **state)
{
    struct place place;
    enum { SECONDS = 5, EACH = 20 };
    (void)state;
    place_init(&place);
    struct live_store *live = open_first(&place);
    assert_int_equal(live_commit_number(live, 0), HEARTH_OK);
    place.live.faults.fail_each_sync = 1;
    for (int second = 0; second < SECONDS; second++) {
        int syncs = place.live.faults.syncs;
        assert_int_equal(live_commit_number(live, 1), HEARTH_IO);
        for (int i = 1; i < EACH; i++)
            assert_int_equal(live_commit_number(live, i), HEARTH_UNAVAILABLE);
        assert_int_equal(place.live.faults.syncs - syncs, second == 0 ? 2 : 1);
        assert_int_equal(live_commit_number(live, 0), HEARTH_OK); /* a duplicate is there */
        assert_in_range(live_file_count(&place.live), 1, 2);
        clock_manual_advance_ms(&place.live.clock, 1000);
    }
    place.live.faults.fail_each_sync = 0;
    for (int i = 0; i < EACH; i++)
        assert_int_equal(live_commit_number(live, i), HEARTH_OK);
    assert_true(live_file_exists(&place.live, "00000001.poisoned-12.bin"));
    assert_int_equal(live_file_count(&place.live), 2);
    live_store_close(live);
    struct reading_store *store = live_case_open(&place.live);
    size_t count;
    free(live_everything(store, &count));
    assert_int_equal(count, EACH);
    store->free(store);
    live_case_clean(&place.live);
}

static void a_poisoned_file_without_a_promise_is_removed_at_opening(void **state)
{
    struct place place;
    size_t count;
    (void)state;
    place_init(&place);
    struct record record = live_reading(1);
    live_file_write(&place.live, "00000001.bin", &record, sizeof record);
    live_file_write(&place.live, "00000007.poisoned-0.bin", &record, sizeof record);
    struct reading_store *store = live_case_open(&place.live);
    assert_false(live_file_exists(&place.live, "00000007.poisoned-0.bin"));
    live_append_number(store, 2);
    assert_true(live_file_exists(&place.live, "00000008.bin"));
    free(live_everything(store, &count));
    assert_int_equal(count, 2);
    store->free(store);
    live_case_clean(&place.live);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_acknowledged_into_a_removed_file),
        cmocka_unit_test(nothing_is_a_duplicate_of_a_removed_file),
        cmocka_unit_test(an_idle_keeper_notices_that_its_file_was_removed),
        cmocka_unit_test(an_empty_store_that_was_removed_takes_nothing),
        cmocka_unit_test(another_store_in_its_place_is_not_taken_for_it),
        cmocka_unit_test(a_disk_that_fails_for_long_is_asked_once_a_second),
        cmocka_unit_test(a_poisoned_file_without_a_promise_is_removed_at_opening),
    };
    return cmocka_run_group_tests_name("lost", tests, NULL, NULL);
}
