/*
 * test_live_identified.c - one store told from another, and a reading that stands twice counted
 * once.
 */
#include "support_live.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "handlers/sensor/snapshot/snapshot.h"

enum { FIRST = 10, SECOND = 6, TWICE = 4 };

static struct store_state state_of(struct reading_store *store)
{
    struct store_state state;
    assert_int_equal(store->state(store, &state, NULL), HEARTH_OK);
    return state;
}

static void id_path(const struct live_case *test, char path[4096])
{
    snprintf(path, 4096, "%s/store.id", test->options.directory);
}

static void read_id(const struct live_case *test, char text[64])
{
    char path[4096];
    id_path(test, path);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    text[fread(text, 1, 63, file)] = '\0';
    fclose(file);
}

/* ---- Which store it is ---- */

static void a_store_has_an_id_of_its_own_for_ever(void **state)
{
    struct live_case *test = *state, other;
    char text[64], hex[3];
    live_case_init(&other);
    struct reading_store *store = live_case_open(test), *second = live_case_open(&other);
    struct store_state now = state_of(store), others = state_of(second);
    assert_memory_not_equal(now.id, others.id, sizeof now.id);
    read_id(test, text);
    assert_int_equal(strlen(text), 33);
    for (size_t i = 0; i < sizeof now.id; i++) {
        snprintf(hex, sizeof hex, "%02x", now.id[i]);
        assert_memory_equal(text + 2 * i, hex, 2);
    }
    assert_int_equal(text[32], '\n');
    second->free(second);
    live_case_clean(&other);
    for (int i = 0; i < 3; i++) {
        store->free(store);
        store = live_case_open(test);
        struct store_state again = state_of(store);
        assert_memory_equal(again.id, now.id, sizeof now.id);
    }
    store->free(store);
}

static void what_is_no_id_is_not_replaced_in_silence(void **state)
{
    static const char *const texts[] = {"", "0123", "0123456789abcdef0123456789ABCDEF\n",
                                        "0123456789abcdef0123456789abcdef",
                                        "0123456789abcdef0123456789abcdef\n\n"};
    struct live_case *test = *state;
    char path[4096], text[64];
    struct reading_store *store = live_case_open(test);
    store->free(store);
    id_path(test, path);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct error_record error = {0};
        test_write_file(path, view_of(texts[i]));
        assert_null(embedded_store_local_with(&test->options, &error));
        assert_int_equal(error.code, HEARTH_CORRUPT);
        assert_non_null(strstr(error.detail, "store.id"));
        read_id(test, text);
        assert_string_equal(text, texts[i]);
    }
    test_write_file(path, VIEW("0123456789abcdef0123456789abcdef\n"));
    store = live_case_open(test);
    assert_int_equal(state_of(store).id[0], 0x01);
    assert_int_equal(state_of(store).id[15], 0xEF);
    store->free(store);
}

/* The manifest's first row follows the one that is lost: another would break the chain. */
static void a_lost_id_is_not_made_anew_under_sealed_files(void **state)
{
    struct live_case *test = *state;
    char path[4096], text[64], manifest[4096], aside[4096];
    struct error_record error = {0};
    struct reading_store *store = live_case_open(test);
    live_append_number(store, 1);
    assert_int_equal(store->seal(store, INT64_MAX, NULL), HEARTH_OK);
    store->free(store);
    read_id(test, text);
    id_path(test, path);
    snprintf(manifest, sizeof manifest, "%s/manifest", test->options.directory);
    snprintf(aside, sizeof aside, "%s/aside", test->options.directory);
    assert_int_equal(unlink(path), 0);
    for (int lost = 0; lost < 2; lost++) { /* the manifest, too, the second time */
        if (lost)
            assert_int_equal(rename(manifest, aside), 0);
        assert_null(embedded_store_local_with(&test->options, &error));
        assert_int_equal(error.code, HEARTH_CORRUPT);
        assert_non_null(strstr(error.detail, "store.id is missing"));
        assert_int_equal(access(path, F_OK), -1);
    }
    assert_int_equal(rename(aside, manifest), 0);
    test_write_file(path, view_of(text));
    store = live_case_open(test);
    assert_int_equal(live_append_number(store, 1).duplicate, 1);
    store->free(store);
}

/* The pool knows it: a file that was lost is written again. */
static void in_a_running_pool_a_lost_id_comes_back(void **state)
{
    struct live_case *test = *state;
    struct live_published published = {0};
    struct live_store *live;
    struct live_state before, after;
    char path[4096], text[64];
    assert_int_equal(live_store_prepare(&test->options, NULL), HEARTH_OK);
    assert_int_equal(live_store_open(&test->options, &published, &live, NULL), HEARTH_OK);
    live_store_state(live, &before);
    live_store_close(live);
    id_path(test, path);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(live_store_open(&test->options, &published, &live, NULL), HEARTH_OK);
    live_store_state(live, &after);
    live_store_close(live);
    assert_memory_equal(after.id, before.id, sizeof before.id);
    read_id(test, text);
    assert_int_equal(strlen(text), 33);
}

/* ---- Twice ---- */

static void write_numbers(struct live_case *test, const char *name, int first, int count)
{
    struct record records[FIRST];
    for (int i = 0; i < count; i++)
        records[i] = live_reading(8 * (first + i)); /* one series */
    live_file_write(test, name, records, (size_t)count * sizeof *records);
}

static enum hearth_error count_block(void *context, const struct record *records, size_t count)
{
    (void)records;
    *(uint64_t *)context += count;
    return HEARTH_OK;
}

/* What series and state say is what a range gives out. */
static void expect_counts(struct reading_store *store, uint64_t expected)
{
    const struct reading_range all = {.to_ms = INT64_MAX, .rolling_code = -1};
    struct reading_series series;
    struct latest_reading latest;
    size_t count;
    uint64_t readings = 0;
    assert_int_equal(store->range(store, &all, count_block, &readings, NULL), HEARTH_OK);
    assert_int_equal(readings, expected);
    assert_int_equal(state_of(store).readings, expected);
    assert_int_equal(store->series(store, &series, 1, &count, NULL), HEARTH_OK);
    assert_int_equal(count, 1);
    assert_int_equal(series.count, expected);
    assert_int_equal(store->latest(store, &latest, 1, &count, NULL), HEARTH_OK);
    assert_int_equal(latest.count, expected);
    assert_int_equal(record_time_ms(&latest.record), series.last_ms);
}

static void a_reading_that_stands_twice_counts_once(void **state)
{
    struct live_case *test = *state;
    write_numbers(test, "00000001.bin", 0, FIRST);
    write_numbers(test, "00000002.bin", FIRST - TWICE, SECOND);
    struct reading_store *store = live_case_open(test);
    uint64_t expected = FIRST + SECOND - TWICE;
    expect_counts(store, expected);
    for (int i = 0; i < 5; i++) {
        live_append_number(store, 8 * (100 + i));
        expect_counts(store, ++expected);
    }
    live_append_number(store, 0);
    expect_counts(store, expected);
    store->free(store);
    store = live_case_open(test);
    expect_counts(store, expected);
    store->free(store);
}

/* A reader that has counted already learns of it from the next keeper. */
static void a_reader_counts_anew_when_more_stands_twice(void **state)
{
    struct live_case *test = *state;
    struct live_published published = {0};
    struct live_store *live;
    struct live_state now;
    write_numbers(test, "00000001.bin", 0, FIRST);
    assert_int_equal(live_store_open(&test->options, &published, &live, NULL), HEARTH_OK);
    struct snapshots *reader = snapshots_new(&file_system, test->options.directory, &published);
    assert_non_null(reader);
    for (int round = 0; round < 3; round++) {
        static const char *const names[] = {"00000002.bin", "00000003.bin", "00000004.bin"};
        struct reading_series series;
        size_t count;
        struct snapshot *snapshot;
        assert_int_equal(snapshot_open(reader, &snapshot, NULL), HEARTH_OK);
        assert_int_equal(snapshot_series(snapshot, &series, 1, &count, NULL), HEARTH_OK);
        snapshot_close(snapshot);
        live_store_state(live, &now);
        assert_int_equal(now.stored_twice, TWICE * round);
        assert_int_equal(series.count, now.readings);
        assert_int_equal(series.count, FIRST);
        live_store_close(live);
        write_numbers(test, names[round], 0, TWICE);
        assert_int_equal(live_store_open(&test->options, &published, &live, NULL), HEARTH_OK);
    }
    live_store_close(live);
    snapshots_free(reader);
}

#define LIVE_STORY(name)                                                                           \
    cmocka_unit_test_setup_teardown(name, live_case_set_up, live_case_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIVE_STORY(a_store_has_an_id_of_its_own_for_ever),
        LIVE_STORY(what_is_no_id_is_not_replaced_in_silence),
        LIVE_STORY(a_lost_id_is_not_made_anew_under_sealed_files),
        LIVE_STORY(in_a_running_pool_a_lost_id_comes_back),
        LIVE_STORY(a_reading_that_stands_twice_counts_once),
        LIVE_STORY(a_reader_counts_anew_when_more_stands_twice),
    };
    return cmocka_run_group_tests_name("identified", tests, NULL, NULL);
}
