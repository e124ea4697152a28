/*
 * reading_store_threads_suite.c - a reading store used by many threads at once.
 */
#include "reading_store_suite.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { WRITERS = 6, READERS = 2, PER_WRITER = 120, SHARED = 200 };

struct crew {
    struct reading_store *store;
    _Atomic int running, failures;
    _Atomic int acknowledged[WRITERS]; /* so many of its readings, in order */
    _Atomic uint64_t accepted, duplicate;
};

struct member {
    struct crew *crew;
    int number;
};

static enum hearth_error append_one(struct crew *crew, const struct record *record,
                                    struct append_result *result)
{
    int64_t deadline_ns = clock_monotonic_ns(&clock_system) + INT64_C(30000000000);
    return crew->store->append(crew->store, record, 1, NULL, 0, deadline_ns, result, NULL);
}

static void *write_own(void *argument)
{
    struct member *member = argument;
    struct crew *crew = member->crew;
    for (int i = 0; i < PER_WRITER; i++) {
        struct record record = suite_number(member->number * PER_WRITER + i);
        struct append_result result;
        if (append_one(crew, &record, &result) != HEARTH_OK || result.accepted != 1)
            atomic_fetch_add(&crew->failures, 1);
        atomic_store(&crew->acknowledged[member->number], i + 1);
    }
    atomic_fetch_sub(&crew->running, 1);
    return NULL;
}

static enum hearth_error mark_seen(void *context, const struct record *records, size_t count)
{
    bool *seen = context;
    for (size_t i = 0; i < count; i++) {
        int64_t number = (record_time_ms(&records[i]) - INT64_C(1757894691000)) / 1000;
        if (number < 0 || number >= (int64_t)WRITERS * PER_WRITER || seen[number])
            return HEARTH_CORRUPT;
        seen[number] = true;
    }
    return HEARTH_OK;
}

/* Everything acknowledged before the call is seen, and nothing twice. */
static void read_once(struct crew *crew)
{
    const struct reading_range all = {.to_ms = INT64_MAX, .rolling_code = -1};
    bool seen[WRITERS * PER_WRITER] = {false};
    int before[WRITERS];
    for (int w = 0; w < WRITERS; w++)
        before[w] = atomic_load(&crew->acknowledged[w]);
    if (crew->store->range(crew->store, &all, mark_seen, seen, NULL) != HEARTH_OK)
        atomic_fetch_add(&crew->failures, 1);
    for (int w = 0; w < WRITERS; w++)
        for (int i = 0; i < before[w]; i++)
            if (!seen[w * PER_WRITER + i])
                atomic_fetch_add(&crew->failures, 1);
}

static void *read_on(void *argument)
{
    struct member *member = argument;
    struct crew *crew = member->crew;
    struct reading_series series[16];
    size_t count;
    uint64_t last = 0;
    do {
        struct store_state state = {0};
        read_once(crew);
        if (crew->store->series(crew->store, series, 16, &count, NULL) != HEARTH_OK ||
            crew->store->state(crew->store, &state, NULL) != HEARTH_OK || state.generation < last)
            atomic_fetch_add(&crew->failures, 1);
        last = state.generation;
    } while (atomic_load(&crew->running) > 0);
    return NULL;
}

static void run_crew(struct crew *crew, void *(*write)(void *), size_t readers)
{
    pthread_t threads[WRITERS + READERS];
    struct member members[WRITERS + READERS];
    atomic_store(&crew->running, WRITERS);
    for (int i = 0; i < WRITERS + (int)readers; i++) {
        members[i] = (struct member){crew, i};
        assert_int_equal(
            pthread_create(&threads[i], NULL, i < WRITERS ? write : read_on, &members[i]), 0);
    }
    for (size_t i = 0; i < WRITERS + readers; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&crew->failures), 0);
}

void writers_and_readers_at_once_agree(void **state)
{
    struct suite_store *suite = *state;
    struct crew crew = {.store = suite->store};
    struct suite_list list;
    run_crew(&crew, write_own, READERS);
    suite_everything(suite, &list);
    assert_int_equal(list.count, WRITERS * PER_WRITER);
    suite_list_clean(&list);
}

static void *write_shared(void *argument)
{
    struct member *member = argument;
    struct crew *crew = member->crew;
    for (int i = 0; i < SHARED; i++) {
        struct record record = suite_number((i * 7 + member->number * 3) % SHARED);
        struct append_result result;
        if (append_one(crew, &record, &result) != HEARTH_OK)
            atomic_fetch_add(&crew->failures, 1);
        atomic_fetch_add(&crew->accepted, result.accepted);
        atomic_fetch_add(&crew->duplicate, result.duplicate);
    }
    return NULL;
}

void the_same_readings_from_all_sides_are_stored_once(void **state)
{
    struct suite_store *suite = *state;
    struct crew crew = {.store = suite->store};
    struct suite_list list;
    run_crew(&crew, write_shared, 0);
    assert_int_equal(crew.accepted, SHARED);
    assert_int_equal(crew.duplicate, (WRITERS - 1) * SHARED);
    suite_everything(suite, &list);
    assert_int_equal(list.count, SHARED);
    suite_list_clean(&list);
}
