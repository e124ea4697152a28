/*
 * test_keeper_processes.c - keeper and workers as processes, as in a pool: handed over, killed at
 * random moments, replaced. What was acknowledged is there, once; nobody waits for ever; no slot is
 * lost.
 */
#include "support_keeper.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "handlers/sensor/keeper/keeper_shared.h"

enum { WORKERS = 2, THREADS = 4, NUMBERS = 1000000, BATCH = 700 };

/* What the workers did, in memory that outlives them. */
struct ledger {
    _Atomic int stop;
    _Atomic int next; /* the next number nobody has taken */
    _Atomic uint64_t appends;
    _Atomic uint64_t errors[HEARTH_ERROR_COUNT];
    _Atomic unsigned char acknowledged[NUMBERS];
};

struct pool {
    struct keeper_case keeper;
    struct ledger *ledger;
    pid_t workers[WORKERS];
};

static int setup(void **state)
{
    struct pool *pool = calloc(1, sizeof *pool);
    keeper_case_init(&pool->keeper, (size_t)WORKERS * THREADS * 2, INT64_C(2000) * RECORD_BYTES);
    pool->ledger = shared_memory(sizeof *pool->ledger);
    *state = pool;
    return 0;
}

static int teardown(void **state)
{
    struct pool *pool = *state;
    keeper_case_clean(&pool->keeper);
    free(pool);
    return 0;
}

/* ---- Workers ---- */

struct writer {
    struct pool *pool;
    struct reading_store *store;
};

/* Sends until it is taken, as a sender with a backlog does. */
static void send_until_taken(struct writer *writer, const struct record *records, int first,
                             int count)
{
    struct ledger *ledger = writer->pool->ledger;
    while (!atomic_load(&ledger->stop)) {
        struct append_result result;
        int64_t deadline_ns = clock_monotonic_ns(&clock_system) + INT64_C(20000000000);
        enum hearth_error code = writer->store->append(writer->store, records, (size_t)count, NULL,
                                                       0, deadline_ns, &result, NULL);
        atomic_fetch_add(&ledger->errors[code], 1);
        if (code != HEARTH_OK)
            continue;
        atomic_fetch_add(&ledger->appends, 1);
        for (int i = 0; i < count; i++)
            atomic_store(&ledger->acknowledged[first + i], 1);
        return;
    }
}

static void *write_on(void *argument)
{
    struct writer *writer = argument;
    struct ledger *ledger = writer->pool->ledger;
    struct record *records = calloc(BATCH, sizeof *records);
    for (int round = 0; records && !atomic_load(&ledger->stop); round++) {
        int count = round % 100 == 99 ? BATCH : 1;
        int first = atomic_fetch_add(&ledger->next, count);
        if (first + count > NUMBERS)
            break;
        for (int i = 0; i < count; i++)
            records[i] = live_reading(first + i);
        send_until_taken(writer, records, first, count);
    }
    free(records);
    return NULL;
}

static void worker_process(struct pool *pool)
{
    pthread_t threads[THREADS];
    struct writer writer = {pool, embedded_store_open(&pool->keeper.services, NULL)};
    if (!writer.store)
        _exit(1);
    for (int i = 0; i < THREADS; i++)
        if (pthread_create(&threads[i], NULL, write_on, &writer) != 0)
            _exit(1);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    writer.store->free(writer.store);
    _exit(0);
}

static void start_worker(struct pool *pool, int index)
{
    pool->workers[index] = fork();
    assert_true(pool->workers[index] >= 0);
    if (pool->workers[index] == 0)
        worker_process(pool);
}

static void start_workers(struct pool *pool)
{
    for (int i = 0; i < WORKERS; i++)
        start_worker(pool, i);
}

static void end_workers(struct pool *pool)
{
    atomic_store(&pool->ledger->stop, 1);
    for (int i = 0; i < WORKERS; i++) {
        int status;
        assert_int_equal(waitpid(pool->workers[i], &status, 0), pool->workers[i]);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
}

/* kill -9 and what the master does then. */
static void replace_worker(struct pool *pool, int index)
{
    kill(pool->workers[index], SIGKILL);
    assert_int_equal(waitpid(pool->workers[index], NULL, 0), pool->workers[index]);
    sensor_worker_ended(pool->keeper.services.shared, pool->workers[index]);
    start_worker(pool, index);
}

/* ---- What must hold ---- */

static int failures_of(const struct ledger *ledger)
{
    int failures = 0;
    for (int i = 1; i < HEARTH_ERROR_COUNT; i++)
        failures += (int)ledger->errors[i];
    return failures;
}

/* With the keeper ended. */
static void expect_what_was_acknowledged(struct pool *pool)
{
    const struct ledger *ledger = pool->ledger;
    size_t count, found = 0;
    struct reading_store *store = live_case_open(&pool->keeper.live);
    struct record *all = live_everything(store, &count);
    store->free(store);
    assert_in_range(ledger->next, 1, NUMBERS); /* else the writers were idle at the end */
    for (int i = 0; i < ledger->next; i++) {
        struct record record = live_reading(i);
        bool there = live_has(all, count, &record);
        found += there;
        if (ledger->acknowledged[i] && !there)
            fail_msg("reading %d was acknowledged and is lost", i);
    }
    assert_int_equal(found, count); /* nothing that nobody sent */
    free(all);
    live_expect_nothing_twice(&pool->keeper.live);
    assert_true(ledger->appends > 0);
}

static void expect_no_slot_in_use(struct pool *pool)
{
    assert_int_equal(slots_in_use(keeper_shared_slots(pool->keeper.services.shared)), 0);
}

static unsigned random_state = 20261122;

static unsigned random_below(unsigned limit)
{
    random_state = random_state * 1664525u + 1013904223u;
    return (random_state >> 8) % limit;
}

static void pause_randomly(void)
{
    usleep(1000 + random_below(25000));
}

/* ---- Stories ---- */

static void workers_of_two_processes_are_served(void **state)
{
    struct pool *pool = *state;
    keeper_case_start(&pool->keeper, false);
    start_workers(pool);
    usleep(500000);
    end_workers(pool);
    assert_int_equal(keeper_case_stop(&pool->keeper), HEARTH_OK);
    assert_int_equal(failures_of(pool->ledger), 0);
    expect_no_slot_in_use(pool);
    expect_what_was_acknowledged(pool);
    assert_true(
        metric_value(metrics_counter(pool->keeper.services.metrics, "hearth_sensor_readings_total",
                                     "", "result=\"accepted\"")) > 0);
}

static void no_append_fails_when_the_keeper_is_handed_over(void **state)
{
    struct pool *pool = *state;
    keeper_case_start(&pool->keeper, false);
    start_workers(pool);
    for (int i = 0; i < 20; i++) {
        pause_randomly();
        keeper_case_handover(&pool->keeper, i % 2 == 0);
    }
    end_workers(pool);
    assert_int_equal(keeper_case_stop(&pool->keeper), HEARTH_OK);
    assert_int_equal(failures_of(pool->ledger), 0);
    expect_no_slot_in_use(pool);
    expect_what_was_acknowledged(pool);
}

static void a_keeper_killed_at_any_moment_loses_nothing_acknowledged(void **state)
{
    struct pool *pool = *state;
    struct ledger *ledger = pool->ledger;
    keeper_case_start(&pool->keeper, false);
    start_workers(pool);
    for (int i = 0; i < 40; i++) {
        pause_randomly();
        keeper_case_kill(&pool->keeper);
        keeper_case_start(&pool->keeper, false);
    }
    usleep(100000);
    end_workers(pool);
    assert_int_equal(keeper_case_stop(&pool->keeper), HEARTH_OK);
    assert_int_equal(failures_of(ledger), ledger->errors[HEARTH_UNAVAILABLE]);
    assert_true(ledger->errors[HEARTH_UNAVAILABLE] > 0);
    expect_no_slot_in_use(pool);
    expect_what_was_acknowledged(pool);
}

static void a_worker_killed_at_any_moment_leaves_no_slot_behind(void **state)
{
    struct pool *pool = *state;
    keeper_case_start(&pool->keeper, false);
    start_workers(pool);
    for (int i = 0; i < 60; i++) {
        pause_randomly();
        replace_worker(pool, i % WORKERS);
    }
    usleep(50000);
    end_workers(pool);
    assert_int_equal(keeper_case_stop(&pool->keeper), HEARTH_OK);
    assert_int_equal(failures_of(pool->ledger), 0);
    expect_no_slot_in_use(pool);
    expect_what_was_acknowledged(pool);
}

/* The whole pool: nothing of the shared area is left to the next one. */
static void kill_everything(struct pool *pool)
{
    for (int i = 0; i < WORKERS; i++) {
        kill(pool->workers[i], SIGKILL);
        waitpid(pool->workers[i], NULL, 0);
    }
    keeper_case_kill(&pool->keeper);
    memset(pool->keeper.services.shared, 0, pool->keeper.shared_bytes);
    assert_int_equal(sensor_shared_init(pool->keeper.config, pool->keeper.services.shared,
                                        (size_t)WORKERS * THREADS * 2),
                     HEARTH_OK);
    keeper_case_start(&pool->keeper, false);
    start_workers(pool);
}

static void whatever_is_killed_in_whatever_order_the_promise_holds(void **state)
{
    struct pool *pool = *state;
    keeper_case_start(&pool->keeper, false);
    start_workers(pool);
    for (int i = 0; i < 80; i++) {
        pause_randomly();
        switch (random_below(4)) {
        case 0:
            keeper_case_kill(&pool->keeper);
            keeper_case_start(&pool->keeper, false);
            break;
        case 1:
            replace_worker(pool, (int)random_below(WORKERS));
            break;
        case 2:
            keeper_case_handover(&pool->keeper, random_below(2));
            break;
        default:
            kill_everything(pool);
            break;
        }
    }
    usleep(50000);
    end_workers(pool);
    assert_int_equal(keeper_case_stop(&pool->keeper), HEARTH_OK);
    expect_no_slot_in_use(pool);
    expect_what_was_acknowledged(pool);
}

static bool never(const struct keeper_control *control)
{
    (void)control;
    return false;
}

static void not_ready(const struct keeper_control *control)
{
    (void)control;
    fail_msg("the second keeper was ready");
}

static void a_second_pool_is_told_who_holds_the_directory(void **state)
{
    struct pool *pool = *state;
    struct keeper_case *keeper = &pool->keeper;
    const struct keeper_control control = {never, not_ready};
    struct services stranger = keeper->services;
    struct error_record error = {0};
    char expected[64];
    keeper_case_start(keeper, false);
    snprintf(expected, sizeof expected, "pid %ld, since ", (long)keeper->process);
    /* Another pool has another shared area, and waits only as long as a stopping program needs. */
    stranger.shared = shared_memory(keeper->shared_bytes);
    assert_int_equal(sensor_shared_init(keeper->config, stranger.shared, WORKERS), HEARTH_OK);
    int64_t began_ns = clock_monotonic_ns(&clock_system);
    assert_int_equal(sensor_keeper_run(&stranger, &control, &error), HEARTH_LOCKED);
    assert_true(clock_monotonic_ns(&clock_system) - began_ns >= INT64_C(2000000000));
    assert_non_null(strstr(error.detail, expected));
    munmap(stranger.shared, keeper->shared_bytes);
    /* A command does not wait. */
    error = (struct error_record){0};
    assert_null(embedded_store_local(&keeper->services, &error));
    assert_int_equal(error.code, HEARTH_LOCKED);
    assert_non_null(strstr(error.detail, expected));
}

/* ---- One keeper, one worker ---- */

static void rejected_readings_are_in_the_quarantine_word_for_word(void **state)
{
    struct pool *pool = *state;
    struct append_result result;
    char large[10001];
    keeper_case_start(&pool->keeper, false);
    struct reading_store *store = keeper_case_open(&pool->keeper);
    for (size_t i = 0; i < sizeof large - 1; i++)
        large[i] = (char)('a' + i % 26);
    large[sizeof large - 1] = '\0';
    const struct rejected_reading rejected[] = {
        {REJECT_NOT_JSON, VIEW("{\"a\": \"\xC3\xA9\"\n"), "json", 1},
        {REJECT_WRONG_TYPE, {"\xFF\x00\x10", 3}, "binary", 5},
        {REJECT_MISSING_MEMBER, {large, sizeof large - 1}, "json", 0},
    };
    assert_int_equal(store->append(store, NULL, 0, rejected, 3, INT64_MAX, &result, NULL),
                     HEARTH_OK);
    assert_int_equal(result.quarantined, 7);
    assert_int_equal(
        metric_value(metrics_counter(pool->keeper.services.metrics, "hearth_sensor_readings_total",
                                     "", "result=\"quarantined\"")),
        7);
    store->free(store);
    char *text = live_quarantine_text(&pool->keeper.live);
    assert_non_null(strstr(text, "\"reason\":\"NOT_JSON\",\"source\":\"json\",\"count\":1,"
                                 "\"raw\":\"{\\\"a\\\": \\\"\xC3\xA9\\\"\\n\"}\n"));
    assert_non_null(strstr(text, "\"reason\":\"WRONG_TYPE\",\"source\":\"binary\",\"count\":5,"
                                 "\"raw_base64\":\"/wAQ\"}\n"));
    /* Three pieces, which joined are the text. */
    char joined[sizeof large] = "";
    size_t length = 0;
    for (int part = 1; part <= 3; part++) {
        char mark[32];
        snprintf(mark, sizeof mark, "\"part\":%d,\"parts\":3,", part);
        const char *line = strstr(text, mark);
        assert_non_null(line);
        const char *raw = strstr(line, "\"raw\":\"") + strlen("\"raw\":\"");
        size_t piece = (size_t)(strchr(raw, '"') - raw);
        assert_true(length + piece < sizeof joined);
        memcpy(joined + length, raw, piece);
        length += piece;
    }
    joined[length] = '\0';
    assert_string_equal(joined, large);
    free(text);
}

static void an_append_without_a_keeper_ends_at_its_deadline(void **state)
{
    struct pool *pool = *state;
    struct append_result result;
    struct record record = live_reading(1);
    struct reading_store *store = keeper_case_open(&pool->keeper);
    int64_t deadline_ns = clock_monotonic_ns(&clock_system) + 50000000;
    assert_int_equal(store->append(store, &record, 1, NULL, 0, deadline_ns, &result, NULL),
                     HEARTH_DEADLINE);
    struct store_state now;
    assert_int_equal(store->state(store, &now, NULL), HEARTH_UNAVAILABLE);
    expect_no_slot_in_use(pool);
    store->free(store);
}

static void a_keeper_that_cannot_open_the_store_says_why(void **state)
{
    struct pool *pool = *state;
    char path[4096];
    snprintf(path, sizeof path, "%s", pool->keeper.live.options.directory);
    test_write_file(path, VIEW("in the way"));
    keeper_case_launch(&pool->keeper, false);
    assert_int_equal(waitpid(pool->keeper.process, NULL, 0), pool->keeper.process);
    pool->keeper.runs = false;
    assert_int_not_equal(atomic_load(&pool->keeper.board->error), HEARTH_OK);
    assert_int_equal(atomic_load(&pool->keeper.board->ready), 0);
}

static void reads_go_on_without_a_keeper(void **state)
{
    struct pool *pool = *state;
    size_t count;
    keeper_case_start(&pool->keeper, false);
    struct reading_store *store = keeper_case_open(&pool->keeper);
    for (int i = 0; i < 20; i++)
        live_append_number(store, i);
    keeper_case_kill(&pool->keeper);
    free(live_everything(store, &count));
    assert_int_equal(count, 20);
    keeper_case_start(&pool->keeper, false);
    assert_int_equal(live_append_number(store, 20).accepted, 1);
    assert_int_equal(live_append_number(store, 3).duplicate, 1);
    free(live_everything(store, &count));
    assert_int_equal(count, 21);
    store->free(store);
}

#define POOL_STORY(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        POOL_STORY(workers_of_two_processes_are_served),
        POOL_STORY(no_append_fails_when_the_keeper_is_handed_over),
        POOL_STORY(a_keeper_killed_at_any_moment_loses_nothing_acknowledged),
        POOL_STORY(a_worker_killed_at_any_moment_leaves_no_slot_behind),
        POOL_STORY(whatever_is_killed_in_whatever_order_the_promise_holds),
        POOL_STORY(a_second_pool_is_told_who_holds_the_directory),
        POOL_STORY(rejected_readings_are_in_the_quarantine_word_for_word),
        POOL_STORY(an_append_without_a_keeper_ends_at_its_deadline),
        POOL_STORY(a_keeper_that_cannot_open_the_store_says_why),
        POOL_STORY(reads_go_on_without_a_keeper),
    };
    return cmocka_run_group_tests_name("keeper processes", tests, NULL, NULL);
}
