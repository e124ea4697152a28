/*
 * test_snapshot_threads.c - readers beside a store that grows and is sealed: what was acknowledged
 * before a snapshot is in it, nothing is in it twice, and it does not change.
 */
#include "support_live.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "handlers/sensor/aggregate/aggregate.h"
#include "handlers/sensor/sealed/sealed_maps.h"
#include "support_made.h"

enum { READERS = 3, BATCH = 20, LAST = 3000, SECONDS_APART = 7 * 60 };

#define FIRST_MS INT64_C(1757808000000) /* midnight, so that there are some days */

struct crew {
    struct live_case test;
    struct reading_store *store;
    _Atomic int acknowledged; /* readings, in the order of their numbers */
    _Atomic int failures;
    _Atomic bool ends;
};

static int setup(void **state)
{
    struct crew *crew = calloc(1, sizeof *crew);
    live_case_init(&crew->test);
    crew->test.options.live_bytes = UINT64_C(400) * RECORD_BYTES;
    crew->store = live_case_open(&crew->test);
    *state = crew;
    return 0;
}

static int teardown(void **state)
{
    struct crew *crew = *state;
    crew->store->free(crew->store);
    live_case_clean(&crew->test);
    free(crew);
    return 0;
}

/* Numbers are spread over days, neighbours far apart: most readings are late ones. */
static struct record number(int n)
{
    int64_t place = (int64_t)n * 1237 % LAST;
    const struct reading reading = {
        .time_ms = FIRST_MS + place * SECONDS_APART * 1000,
        .channel = n % 4 + 1,
        .rolling_code = 7,
        .raw = n % 4000,
        .humidity = 50,
    };
    return live_reading_of(&reading);
}

static void note_failure(struct crew *crew)
{
    atomic_fetch_add(&crew->failures, 1);
}

/* ---- One who writes, and seals now and then ---- */

static void *write_all(void *argument)
{
    struct crew *crew = argument;
    for (int at = 0; at < LAST; at += BATCH) {
        struct record batch[BATCH];
        struct append_result result;
        for (int i = 0; i < BATCH; i++)
            batch[i] = number(at + i);
        if (crew->store->append(crew->store, batch, BATCH, NULL, 0, INT64_MAX, &result, NULL) !=
                HEARTH_OK ||
            result.accepted != BATCH)
            note_failure(crew);
        atomic_store(&crew->acknowledged, at + BATCH);
        if (at % (LAST / 5) == 0 && crew->store->seal(crew->store, INT64_MAX, NULL) != HEARTH_OK)
            note_failure(crew);
    }
    atomic_store(&crew->ends, true);
    return NULL;
}

/* ---- Those who read ---- */

struct counted {
    size_t count;
    struct record last;
    bool in_order;
};

static enum hearth_error count_block(void *context, const struct record *records, size_t count)
{
    struct counted *counted = context;
    for (size_t i = 0; i < count; i++) {
        if (counted->count++ > 0 && memcmp(&counted->last, &records[i], RECORD_BYTES) >= 0)
            counted->in_order = false;
        counted->last = records[i];
    }
    return HEARTH_OK;
}

static void read_range(struct crew *crew)
{
    const struct reading_range all = {.to_ms = INT64_MAX, .rolling_code = -1};
    struct counted counted = {.in_order = true};
    int before = atomic_load(&crew->acknowledged);
    if (crew->store->range(crew->store, &all, count_block, &counted, NULL) != HEARTH_OK ||
        !counted.in_order || counted.count < (size_t)before || counted.count % BATCH != 0)
        note_failure(crew);
}

static void read_series(struct crew *crew)
{
    struct reading_series series[8];
    struct latest_reading latest[8];
    size_t count;
    uint64_t total = 0;
    int before = atomic_load(&crew->acknowledged);
    if (crew->store->series(crew->store, series, 8, &count, NULL) != HEARTH_OK)
        note_failure(crew);
    for (size_t i = 0; i < count; i++)
        total += series[i].count;
    if (total < (uint64_t)before || total % BATCH != 0)
        note_failure(crew);
    if (crew->store->latest(crew->store, latest, 8, &count, NULL) != HEARTH_OK)
        note_failure(crew);
}

static enum hearth_error count_bucket(void *context, size_t bucket,
                                      const struct bucket_track *tracks, size_t count)
{
    (void)bucket;
    for (size_t i = 0; i < count; i++)
        if (tracks[i].quantity == QUANTITY_HUMIDITY)
            *(uint64_t *)context += tracks[i].digest.count;
    return HEARTH_OK;
}

static void read_buckets(struct crew *crew, const struct series_names *names)
{
    int64_t edges_ms[30];
    uint64_t total = 0;
    for (int i = 0; i < 30; i++)
        edges_ms[i] = FIRST_MS + i * INT64_C(45300000);
    const struct bucket_query query = {.edges_ms = edges_ms, .bucket_count = 29, .names = names};
    int before = atomic_load(&crew->acknowledged);
    if (crew->store->aggregate(crew->store, &query, count_bucket, &total, NULL, NULL) !=
            HEARTH_OK ||
        total < (uint64_t)before || total % BATCH != 0)
        note_failure(crew);
}

static void *read_on(void *argument)
{
    struct crew *crew = argument;
    struct series_names *names =
        series_names_parse((struct view){NULL, 0}, SERIES_STALE_AFTER_MS, NULL);
    bool ends;
    do {
        ends = atomic_load(&crew->ends);
        read_range(crew);
        read_series(crew);
        read_buckets(crew, names);
    } while (!ends);
    series_names_free(names);
    return NULL;
}

/* Gets every reading, from the tail or, where it is reset, from the range. */
static void *follow(void *argument)
{
    struct crew *crew = argument;
    struct tail_cursor cursor = {0};
    bool ends;
    do {
        struct record got[64];
        struct tail_result result;
        ends = atomic_load(&crew->ends);
        do {
            if (crew->store->tail(crew->store, &cursor, got, 64, &result, NULL) != HEARTH_OK) {
                note_failure(crew);
                break;
            }
            if (result.reset && result.count > 0)
                note_failure(crew);
        } while (result.more);
    } while (!ends);
    return NULL;
}

static void readers_see_all_that_was_acknowledged_while_it_is_sealed(void **state)
{
    struct crew *crew = *state;
    pthread_t threads[READERS + 2];
    for (int i = 0; i < READERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, read_on, crew), 0);
    assert_int_equal(pthread_create(&threads[READERS], NULL, follow, crew), 0);
    assert_int_equal(pthread_create(&threads[READERS + 1], NULL, write_all, crew), 0);
    for (int i = 0; i < READERS + 2; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&crew->failures), 0);
    size_t count;
    struct record *all = live_everything(crew->store, &count);
    assert_int_equal(count, LAST);
    free(all);
}

/* ---- Mapped files ---- */

struct mapping_crew {
    struct made_store store;
    struct sealed_maps *maps;
    _Atomic int failures;
};

enum { FILES = 40, LIMIT = 8 };

static void *map_on(void *argument)
{
    struct mapping_crew *crew = argument;
    for (int i = 0; i < 2000; i++) {
        const struct sealed_file file = {20345 + i * 7 % FILES, 1, 1};
        struct sealed_map *map;
        if (sealed_maps_pin(crew->maps, &file, &map, NULL) != HEARTH_OK) {
            atomic_fetch_add(&crew->failures, 1);
            continue;
        }
        if (record_time_ms(map->records) / INT64_C(86400000) != file.day)
            atomic_fetch_add(&crew->failures, 1);
        sealed_maps_unpin(crew->maps, &map, 1);
        if (i % 500 == 499)
            sealed_maps_forget(crew->maps);
    }
    return NULL;
}

static void mapped_files_are_shared_and_few(void **state)
{
    struct mapping_crew *crew = calloc(1, sizeof *crew);
    struct record records[FILES];
    pthread_t threads[READERS];
    (void)state;
    made_store_init(&crew->store);
    for (int i = 0; i < FILES; i++)
        records[i] = live_reading_of(
            &(struct reading){.time_ms = (20345 + i) * INT64_C(86400000), .channel = 1});
    made_store_append(&crew->store, records, FILES);
    made_store_seal_current(&crew->store, 2025);
    crew->maps = sealed_maps_new(&file_system, crew->store.store, LIMIT);
    for (int i = 0; i < READERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, map_on, crew), 0);
    for (int i = 0; i < READERS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&crew->failures), 0);
    assert_true(sealed_maps_count(crew->maps) <= LIMIT + READERS);
    /* What is pinned stays, however much is asked for. */
    struct sealed_map *pinned[FILES];
    for (int i = 0; i < FILES; i++) {
        const struct sealed_file file = {20345 + i, 1, 1};
        assert_int_equal(sealed_maps_pin(crew->maps, &file, &pinned[i], NULL), HEARTH_OK);
    }
    assert_int_equal(sealed_maps_count(crew->maps), FILES);
    for (int i = 0; i < FILES; i++)
        assert_memory_equal(pinned[i]->records, &records[i], RECORD_BYTES);
    sealed_maps_unpin(crew->maps, pinned, FILES);
    const struct sealed_file file = {20345, 1, 1};
    assert_int_equal(sealed_maps_pin(crew->maps, &file, &pinned[0], NULL), HEARTH_OK);
    sealed_maps_unpin(crew->maps, pinned, 1);
    const struct sealed_file wrong = {20345, 2, 1};
    assert_int_equal(sealed_maps_pin(crew->maps, &wrong, &pinned[0], NULL), HEARTH_CORRUPT);
    sealed_maps_free(crew->maps);
    made_store_clean(&crew->store);
    free(crew);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(readers_see_all_that_was_acknowledged_while_it_is_sealed,
                                        setup, teardown),
        cmocka_unit_test(mapped_files_are_shared_and_few),
    };
    return cmocka_run_group_tests_name("snapshots and threads", tests, NULL, NULL);
}
