/*
 * bench_ingest_store.c - single readings at the reading store's own interface: 2 processes of 16
 * threads, each appending one reading at a time and waiting until it is durable.
 *
 *   bench_ingest_store hearth CONFIG SECONDS
 *   bench_ingest_store sqlite FILE SECONDS
 *   bench_ingest_store postgres CONNINFO SECONDS
 *
 * Prints one JSON object: acknowledged readings, failures, seconds.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app/adapter/dispatch.h"
#include "handlers/sensor/embedded_store.h"
#include "handlers/sensor/keeper/keeper.h"
#include "hearth/limits.h"
#include "hearth/module.h"
#include "tests/bench/sql_store.h"

enum { PROCESSES = 2, THREADS = 16 };

struct board { /* shared by all processes */
    _Atomic uint64_t acknowledged, failed;
    _Atomic int ready, stop;
};

struct writer {
    struct board *board;
    struct reading_store *store;
    int number;
};

static struct board *board;

static void *write_readings(void *argument)
{
    const struct writer *writer = argument;
    uint64_t done = 0, failed = 0;
    for (int64_t i = 0; !atomic_load_explicit(&board->stop, memory_order_relaxed); i++) {
        struct reading reading = {
            .time_ms = INT64_C(1760000000000) + i,
            .channel = writer->number % 16 + 1,
            .rolling_code = writer->number,
            .raw = (int)(i % 1500),
            .humidity = (int)(i % 100),
        };
        struct record record;
        struct append_result result;
        struct error_record error = {0};
        int64_t deadline_ns = clock_monotonic_ns(&clock_system) + INT64_C(60000000000);
        if (record_encode(&reading, &record) == REJECT_NONE &&
            writer->store->append(writer->store, &record, 1, NULL, 0, deadline_ns, &result,
                                  &error) == HEARTH_OK &&
            result.accepted == 1)
            done++;
        else if (failed++ == 0)
            fprintf(stderr, "append: %s %s\n", error_name(error.code), error.detail);
    }
    atomic_fetch_add(&board->acknowledged, done);
    atomic_fetch_add(&board->failed, failed);
    return NULL;
}

static void writer_process(struct reading_store *store, int process)
{
    pthread_t threads[THREADS];
    struct writer writers[THREADS];
    for (int i = 0; i < THREADS; i++) {
        writers[i] = (struct writer){board, store, process * THREADS + i};
        if (pthread_create(&threads[i], NULL, write_readings, &writers[i]) != 0)
            abort();
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    _exit(0);
}

/* ---- The keeper beside them ---- */

static void keeper_is_ready(const struct keeper_control *control)
{
    (void)control;
    atomic_store(&board->ready, 1);
}

static bool keeper_should_stop(const struct keeper_control *control)
{
    (void)control;
    return atomic_load(&board->stop) == 2;
}

static void *shared_memory(size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        perror("mmap");
        exit(1);
    }
    return memory;
}

static pid_t keeper_process(const struct services *services)
{
    const struct keeper_control control = {keeper_should_stop, keeper_is_ready};
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    struct error_record error = {0};
    if (sensor_keeper_run(services, &control, &error) != HEARTH_OK)
        fprintf(stderr, "keeper: %s %s\n", error_name(error.code), error.detail);
    _exit(0);
}

static pid_t hearth_start(const char *path, struct services *services)
{
    extern const struct module sensor_module;
    static const struct module *const modules[] = {&sensor_module, NULL};
    struct config *config = NULL;
    struct config_problems problems = {0};
    if (app_config_load(modules, path, &config, &problems) != HEARTH_OK) {
        for (size_t i = 0; i < problems.count; i++)
            fprintf(stderr, "%s: %s\n", problems.items[i].key, problems.items[i].what);
        exit(1);
    }
    size_t threads = (size_t)PROCESSES * THREADS;
    *services = (struct services){
        .config = config,
        .clock = &clock_system,
        .metrics =
            metrics_create(shared_memory(metrics_size(LIMIT_METRIC_SERIES)), LIMIT_METRIC_SERIES),
        .shared = shared_memory(sensor_shared_bytes(config, threads)),
    };
    if (sensor_shared_init(config, services->shared, threads) != HEARTH_OK)
        exit(1);
    pid_t keeper = keeper_process(services);
    while (!atomic_load(&board->ready) && waitpid(keeper, NULL, WNOHANG) == 0)
        usleep(1000);
    return keeper;
}

static struct reading_store *store_of(const char *kind, const char *address,
                                      struct services *services, pid_t *keeper)
{
    struct error_record error = {0};
    if (strcmp(kind, "sqlite") == 0)
        return sqlite_store_new(address);
    if (strcmp(kind, "postgres") == 0)
        return postgres_store_new(address);
    *keeper = hearth_start(address, services);
    struct reading_store *store = embedded_store_open(services, &error);
    if (!store)
        fprintf(stderr, "store: %s\n", error.detail);
    return store;
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: %s hearth|sqlite|postgres ADDRESS SECONDS\n", argv[0]);
        return 2;
    }
    struct services services = {0};
    pid_t keeper = 0, writers[PROCESSES];
    board = shared_memory(sizeof *board);
    struct reading_store *store = store_of(argv[1], argv[2], &services, &keeper);
    if (!store)
        return 1;
    int64_t start_ns = clock_monotonic_ns(&clock_system);
    for (int i = 0; i < PROCESSES; i++) {
        writers[i] = fork();
        if (writers[i] == 0)
            writer_process(store, i);
    }
    usleep((useconds_t)(strtod(argv[3], NULL) * 1e6));
    atomic_store(&board->stop, 1);
    for (int i = 0; i < PROCESSES; i++)
        waitpid(writers[i], NULL, 0);
    double seconds = (double)(clock_monotonic_ns(&clock_system) - start_ns) / 1e9;
    if (keeper > 0) {
        atomic_store(&board->stop, 2);
        sensor_keeper_wake(services.shared);
        waitpid(keeper, NULL, 0);
    }
    printf("{\"acknowledged\": %llu, \"failed\": %llu, \"seconds\": %.3f}\n",
           (unsigned long long)atomic_load(&board->acknowledged),
           (unsigned long long)atomic_load(&board->failed), seconds);
    return atomic_load(&board->acknowledged) == 0;
}
