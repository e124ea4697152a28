/*
 * support_keeper.c - a keeper beside the test, as the pool runs one.
 */
#include "support_keeper.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hearth/limits.h"

/* The keys that the keeper reads. */
static const struct config_row rows[] = {
    {.key = "sensor.directory",
     .type = CONFIG_STRING,
     .maximum = 1024,
     .initial = "",
     .text = "Where the readings are."},
    {.key = "sensor.live_bytes",
     .type = CONFIG_INTEGER,
     .minimum = 12,
     .maximum = 1 << 30,
     .initial = "8388608",
     .text = "A live file is finished above this."},
    {.key = "sensor.stale_after_s",
     .type = CONFIG_INTEGER,
     .minimum = 1,
     .maximum = 1 << 30,
     .initial = "7200",
     .text = "How long a value holds."},
};

struct keeper_thread {
    struct keeper_control control; /* first */
    struct keeper_case *test;
    int number;
};

void *shared_memory(size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(memory != MAP_FAILED);
    return memory;
}

static void load_config(struct keeper_case *test, int64_t live_bytes)
{
    const struct config_rows tables[] = {config_program_rows, {rows, sizeof rows / sizeof rows[0]}};
    struct config_problems problems = {0};
    char path[1024], text[2048];
    snprintf(path, sizeof path, "%s/hearth.conf", test->live.directory);
    snprintf(text, sizeof text, "sensor: { directory = \"%.1000s\"; live_bytes = %lld; };\n",
             test->live.options.directory, (long long)live_bytes);
    test_write_file(path, view_of(text));
    enum hearth_error code = config_load(path, tables, 2, &test->config, &problems);
    for (size_t i = 0; i < problems.count; i++)
        print_error("%s: %s\n", problems.items[i].key, problems.items[i].what);
    config_problems_clean(&problems);
    assert_int_equal(code, HEARTH_OK);
}

void keeper_case_init(struct keeper_case *test, size_t threads, int64_t live_bytes)
{
    memset(test, 0, sizeof *test);
    live_case_init(&test->live);
    test->live.options.live_bytes = (uint64_t)live_bytes;
    load_config(test, live_bytes);
    test->board = shared_memory(sizeof *test->board);
    test->shared_bytes = sensor_shared_bytes(test->config, threads);
    test->services = (struct services){
        .config = test->config,
        .clock = &clock_system,
        .metrics =
            metrics_create(shared_memory(metrics_size(LIMIT_METRIC_SERIES)), LIMIT_METRIC_SERIES),
        .shared = shared_memory(test->shared_bytes),
    };
    assert_int_equal(sensor_shared_init(test->config, test->services.shared, threads), HEARTH_OK);
}

void keeper_case_clean(struct keeper_case *test)
{
    if (test->runs)
        assert_int_equal(keeper_case_stop(test), HEARTH_OK);
    munmap(test->services.metrics, metrics_size(LIMIT_METRIC_SERIES));
    munmap(test->services.shared, test->shared_bytes);
    munmap(test->board, sizeof *test->board);
    config_free(test->config);
    live_case_clean(&test->live);
}

static bool should_stop(const struct keeper_control *control)
{
    const struct keeper_thread *keeper = (const struct keeper_thread *)(const void *)control;
    return atomic_load(&keeper->test->board->stop_through) >= keeper->number;
}

static void ready(const struct keeper_control *control)
{
    const struct keeper_thread *keeper = (const struct keeper_thread *)(const void *)control;
    atomic_store(&keeper->test->board->ready, keeper->number);
}

static void *run_keeper(void *argument)
{
    struct keeper_thread *keeper = argument;
    struct error_record error = {0};
    enum hearth_error code = sensor_keeper_run(&keeper->test->services, &keeper->control, &error);
    atomic_store(&keeper->test->board->error, (int)code);
    free(keeper);
    return NULL;
}

void keeper_case_launch(struct keeper_case *test, bool on_thread)
{
    struct keeper_thread *keeper = calloc(1, sizeof *keeper);
    assert_non_null(keeper);
    *keeper = (struct keeper_thread){{should_stop, ready}, test, ++test->number};
    test->on_thread = on_thread;
    test->runs = true;
    if (on_thread) {
        assert_int_equal(pthread_create(&test->thread, NULL, run_keeper, keeper), 0);
        return;
    }
    test->process = fork();
    assert_true(test->process >= 0);
    if (test->process == 0) {
        run_keeper(keeper);
        _exit(0);
    }
    free(keeper);
}

void keeper_case_await(struct keeper_case *test)
{
    for (int i = 0; i < 20000 && atomic_load(&test->board->ready) < test->number; i++)
        usleep(1000);
    assert_int_equal(atomic_load(&test->board->ready), test->number);
}

void keeper_case_start(struct keeper_case *test, bool on_thread)
{
    keeper_case_launch(test, on_thread);
    keeper_case_await(test);
}

enum hearth_error keeper_case_stop(struct keeper_case *test)
{
    atomic_store(&test->board->stop_through, test->number);
    sensor_keeper_wake(test->services.shared);
    if (test->on_thread)
        pthread_join(test->thread, NULL);
    else
        assert_int_equal(waitpid(test->process, NULL, 0), test->process);
    test->runs = false;
    return (enum hearth_error)atomic_load(&test->board->error);
}

void keeper_case_handover(struct keeper_case *test, bool first)
{
    pid_t old_process = test->process;
    int old_number = test->number;
    assert_false(test->on_thread);
    if (first)
        keeper_case_launch(test, false);
    atomic_store(&test->board->stop_through, old_number);
    sensor_keeper_wake(test->services.shared);
    if (!first)
        keeper_case_launch(test, false);
    assert_int_equal(waitpid(old_process, NULL, 0), old_process);
    assert_int_equal(atomic_load(&test->board->error), HEARTH_OK);
    keeper_case_await(test);
}

void keeper_case_kill(struct keeper_case *test)
{
    assert_false(test->on_thread);
    kill(test->process, SIGKILL);
    assert_int_equal(waitpid(test->process, NULL, 0), test->process);
    test->runs = false;
    sensor_keeper_died(test->services.shared);
}

struct reading_store *keeper_case_open(struct keeper_case *test)
{
    struct error_record error = {0};
    struct reading_store *store = embedded_store_open(&test->services, &error);
    if (!store)
        fail_msg("open: %s", error.detail);
    return store;
}
