/*
 * object_store_threads_suite.c - the suite for any object store: many threads on one handle.
 *
 * Threads only count what they see; the test judges when they have ended.
 */
#include "object_store_suite.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support_object_store.h"

enum { THREADS = 8, ROUNDS = 25, INCREMENTS = 25, VERSION_BYTES = 300000 };

struct crew {
    struct object_store *store;
    pthread_barrier_t barrier;
    atomic_int next_number; /* gives each thread its own */
    atomic_int won, lost, failed, torn, seen;
    atomic_bool stop;
};

static void run_crew(struct crew *crew, void *(*work)(void *), int count)
{
    pthread_t threads[THREADS];
    assert_true(count <= THREADS);
    assert_int_equal(pthread_barrier_init(&crew->barrier, NULL, (unsigned)count), 0);
    for (int i = 0; i < count; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, work, crew), 0);
    for (int i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&crew->barrier);
}

/* ---- Creating ---- */

static void *create_each_round(void *argument)
{
    struct crew *crew = argument;
    char number[32], key[32];
    snprintf(number, sizeof number, "%d", atomic_fetch_add(&crew->next_number, 1));
    for (int round = 0; round < ROUNDS; round++) {
        snprintf(key, sizeof key, "race/%d", round);
        pthread_barrier_wait(&crew->barrier);
        enum hearth_error result = store_put_under(crew->store, key, number, true, NULL);
        atomic_int *count = result == HEARTH_OK                    ? &crew->won
                            : result == HEARTH_PRECONDITION_FAILED ? &crew->lost
                                                                   : &crew->failed;
        atomic_fetch_add(count, 1);
    }
    return NULL;
}

static void exactly_one_of_many_threads_creates_an_object(void **state)
{
    struct crew crew = {.store = *state};
    if (!(crew.store->capabilities & OBJECT_STORE_PUT_IF_ABSENT))
        skip();
    run_crew(&crew, create_each_round, THREADS);
    assert_int_equal(crew.won, ROUNDS);
    assert_int_equal(crew.lost, ROUNDS * (THREADS - 1));
    assert_int_equal(crew.failed, 0);
}

/* ---- Changing ---- */

static void *increment_often(void *argument)
{
    struct crew *crew = argument;
    pthread_barrier_wait(&crew->barrier);
    for (int i = 0; i < INCREMENTS; i++)
        atomic_fetch_add(store_increment(crew->store, "counter") ? &crew->won : &crew->failed, 1);
    return NULL;
}

static void conditional_puts_of_many_threads_lose_no_update(void **state)
{
    struct crew crew = {.store = *state};
    char expected[32];
    if (!(crew.store->capabilities & OBJECT_STORE_PUT_IF_MATCH))
        skip();
    store_put(crew.store, "counter", "0");
    run_crew(&crew, increment_often, THREADS);
    assert_int_equal(crew.failed, 0);
    snprintf(expected, sizeof expected, "%d", THREADS * INCREMENTS);
    store_expect(crew.store, "counter", expected);
}

/* ---- Reading what is being replaced ---- */

/* A version is one byte repeated, in one of two sizes. */
static void write_versions(struct crew *crew)
{
    char *bytes = malloc(VERSION_BYTES);
    for (int i = 0; bytes && i < 40; i++) {
        size_t size = i % 2 ? VERSION_BYTES : 1000;
        memset(bytes, 'a' + i % 20, size);
        if (crew->store->put(crew->store, "version", view_from(bytes, size), NULL, NULL, NULL) !=
            HEARTH_OK)
            atomic_fetch_add(&crew->failed, 1);
    }
    free(bytes);
    atomic_store(&crew->stop, true);
}

static bool is_one_version(struct view content, uint64_t announced)
{
    if (content.length != announced || (content.length != 1000 && content.length != VERSION_BYTES))
        return false;
    for (size_t i = 1; i < content.length; i++) {
        if (content.data[i] != content.data[0])
            return false;
    }
    return true;
}

static void read_versions(struct crew *crew)
{
    struct buffer content;
    buffer_init(&content, VERSION_BYTES);
    while (!atomic_load(&crew->stop)) {
        struct object_info info = {.size_bytes = 0};
        buffer_reset(&content);
        if (object_get_all(crew->store, "version", &content, &info, NULL) != HEARTH_OK)
            atomic_fetch_add(&crew->failed, 1);
        else if (!is_one_version(buffer_view(&content), info.size_bytes))
            atomic_fetch_add(&crew->torn, 1);
        atomic_fetch_add(&crew->seen, 1);
    }
    buffer_clean(&content);
}

static void *write_or_read(void *argument)
{
    struct crew *crew = argument;
    int number = atomic_fetch_add(&crew->next_number, 1);
    pthread_barrier_wait(&crew->barrier);
    if (number == 0)
        write_versions(crew);
    else
        read_versions(crew);
    return NULL;
}

static void readers_see_whole_versions_while_a_writer_replaces_them(void **state)
{
    struct crew crew = {.store = *state};
    char first[1000];
    memset(first, '-', sizeof first);
    assert_int_equal(
        crew.store->put(crew.store, "version", view_from(first, sizeof first), NULL, NULL, NULL),
        HEARTH_OK);
    run_crew(&crew, write_or_read, 4);
    assert_int_equal(crew.failed, 0);
    assert_int_equal(crew.torn, 0);
    assert_true(crew.seen > 0);
}

/* ---- Names that come and go ---- */

static bool ignore_entry(void *context, const struct object_entry *entry)
{
    (void)context;
    (void)entry;
    return true;
}

/* Each thread has its own object, all of them in each other's way: "n", "n/0/n", "n/0", "n/1/n"...
 */
static void *come_and_go(void *argument)
{
    struct crew *crew = argument;
    struct object_store *store = crew->store;
    struct object_list_options everything = {.prefix = ""};
    int number = atomic_fetch_add(&crew->next_number, 1);
    char key[64] = "n";
    if (number > 0)
        snprintf(key, sizeof key, "n/%d%s", number / 2, number % 2 ? "/n" : "");
    pthread_barrier_wait(&crew->barrier);
    for (int i = 0; i < ROUNDS; i++) {
        struct object_info info;
        if (store_put_under(store, key, key, false, NULL) != HEARTH_OK ||
            store->head(store, key, &info, NULL) != HEARTH_OK ||
            store->list(store, &everything, ignore_entry, NULL, NULL, NULL) != HEARTH_OK ||
            store->remove(store, key, VIEW_NONE, NULL) != HEARTH_OK ||
            store->head(store, key, &info, NULL) != HEARTH_NOT_FOUND)
            atomic_fetch_add(&crew->failed, 1);
    }
    if (store_put_under(store, key, key, false, NULL) != HEARTH_OK)
        atomic_fetch_add(&crew->failed, 1);
    return NULL;
}

static void objects_in_each_others_way_come_and_go_undisturbed(void **state)
{
    struct crew crew = {.store = *state};
    run_crew(&crew, come_and_go, THREADS);
    assert_int_equal(crew.failed, 0);
    store_expect(crew.store, "n", "n");
    store_expect(crew.store, "n/0/n", "n/0/n");
    store_expect_keys(crew.store, "", "n n/0/n n/1 n/1/n n/2 n/2/n n/3 n/3/n ");
}

int object_store_threads_suite_run(const struct object_store_suite *suite)
{
    const struct CMUnitTest tests[] = {
        OBJECT_STORE_STORY(exactly_one_of_many_threads_creates_an_object),
        OBJECT_STORE_STORY(conditional_puts_of_many_threads_lose_no_update),
        OBJECT_STORE_STORY(readers_see_whole_versions_while_a_writer_replaces_them),
        OBJECT_STORE_STORY(objects_in_each_others_way_come_and_go_undisturbed),
    };
    return cmocka_run_group_tests_name(suite->name, tests, NULL, NULL);
}
