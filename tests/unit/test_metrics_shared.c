/*
 * test_metrics_shared.c - a registry in memory that threads and processes share: how much of it is
 * touched, that no count is lost, and that whoever uses it may die anywhere.
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app/core/metrics_registry.h"
#include "hearth/limits.h"
#include "tests/unit/support_metrics.h"

enum { PAGE_BYTES = 4096 };

static const double bounds[] = {0.005, 0.1, 1, 2.5};

/* ---- Memory ---- */

static void memory_of_any_alignment_will_do(void **state)
{
    (void)state;
    size_t size_bytes = metrics_size(20);
    char *memory = aligned_alloc(64, (size_bytes + 128) / 64 * 64);
    for (size_t shift = 0; shift < 64; shift += 16) {
        memset(memory, 0, size_bytes + shift);
        /* The sanitizer sees a write beyond the size that was asked for. */
        char *exact = aligned_alloc(16, (size_bytes + 15) / 16 * 16);
        memset(exact, 0, size_bytes);
        struct metrics *both[] = {metrics_create(memory + shift, 20), metrics_create(exact, 20)};
        for (size_t k = 0; k < 2; k++)
            for (int i = 0; i < 20; i++) {
                char name[32];
                snprintf(name, sizeof name, "n_%d", i);
                struct metric *metric = metrics_counter(both[k], name, "N.", "");
                assert_non_null(metric);
                assert_int_equal((uintptr_t)metric % METRICS_LINE_BYTES, 0);
            }
        free(exact);
    }
    free(memory);
}

static size_t resident_bytes(const struct test_registry *registry)
{
    size_t pages = (registry->size_bytes + PAGE_BYTES - 1) / PAGE_BYTES, resident = 0;
    unsigned char *present = calloc(pages, 1);
    assert_non_null(present);
    assert_int_equal(mincore(registry->metrics, registry->size_bytes, present), 0);
    for (size_t i = 0; i < pages; i++)
        resident += present[i] & 1;
    free(present);
    return resident * PAGE_BYTES;
}

static void only_what_is_used_is_touched(void **state)
{
    (void)state;
    struct test_registry *r = test_registry_new(LIMIT_METRIC_SERIES);
    assert_int_equal(resident_bytes(r), PAGE_BYTES);
    for (int i = 0; i < 100; i++) {
        char labels[64];
        snprintf(labels, sizeof labels, "route=\"/data/%d\",method=\"GET\"", i);
        metric_add(metrics_counter(r->metrics, "requests_total", "Requests.", labels), 1);
    }
    test_registry_render(r);
    assert_true(resident_bytes(r) <= (size_t)4 * PAGE_BYTES);
    test_registry_free(r);
}

static void sizes_beyond_reason_are_refused(void **state)
{
    (void)state;
    static char memory[4096] __attribute__((aligned(64)));
    assert_true(metrics_size(SIZE_MAX) == SIZE_MAX);
    assert_null(metrics_create(memory, SIZE_MAX));
    assert_true(metrics_size(1) < 2048);
}

/* ---- Threads and processes ---- */

enum { PROCESSES = 4, THREADS = 3, ROUNDS = 5000 };

static void count_everything(struct metrics *metrics)
{
    for (int i = 0; i < ROUNDS; i++) {
        char labels[32];
        snprintf(labels, sizeof labels, "n=\"%d\"", i % 50);
        metric_add(metrics_counter(metrics, "events_total", "Events.", labels), 1);
        metric_change(metrics_gauge(metrics, "level", "Level.", ""), i % 2 ? -1 : 2);
        metric_observe(metrics_histogram(metrics, "size", "Size.", "", bounds, 4), i % 5);
    }
}

static void *count_in_thread(void *argument)
{
    count_everything(argument);
    return NULL;
}

static void count_in_threads(struct metrics *metrics)
{
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count_in_thread, metrics), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

static void assert_counted(struct test_registry *r, int64_t times)
{
    int64_t events = 0;
    for (int i = 0; i < 50; i++) {
        char labels[32];
        snprintf(labels, sizeof labels, "n=\"%d\"", i);
        events += metric_value(metrics_counter(r->metrics, "events_total", "Events.", labels));
    }
    assert_int_equal(events, times * ROUNDS);
    assert_int_equal(metric_value(metrics_gauge(r->metrics, "level", "Level.", "")),
                     times * ROUNDS / 2);
    struct metric *size = metrics_histogram(r->metrics, "size", "Size.", "", bounds, 4);
    assert_int_equal(metric_value(size), times * ROUNDS);
    /* 0 + 1 + 2 + 3 + 4 every five rounds. */
    char line[64];
    snprintf(line, sizeof line, "\nsize_sum %lld\n", (long long)times * ROUNDS * 2);
    assert_non_null(strstr(test_registry_render(r), line));
    assert_int_equal(test_registry_refused(r), 0);
}

static void threads_lose_no_count(void **state)
{
    (void)state;
    struct test_registry *r = test_registry_new(200);
    count_in_threads(r->metrics);
    assert_counted(r, THREADS);
    test_registry_free(r);
}

static void processes_lose_no_count(void **state)
{
    (void)state;
    struct test_registry *r = test_registry_new(200);
    pid_t children[PROCESSES];
    for (int i = 0; i < PROCESSES; i++) {
        children[i] = fork();
        if (children[i] == 0) {
            count_in_threads(r->metrics);
            _exit(0);
        }
    }
    for (int i = 0; i < PROCESSES; i++) {
        int status;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_int_equal(status, 0);
    }
    assert_counted(r, (int64_t)PROCESSES * THREADS);
    test_registry_free(r);
}

static void those_who_wait_for_the_lock_make_one_series(void **state)
{
    (void)state;
    struct test_registry *r = test_registry_new(200);
    pid_t children[PROCESSES];
    assert_int_equal(pthread_mutex_lock(&r->metrics->lock), 0);
    for (int i = 0; i < PROCESSES; i++) {
        children[i] = fork();
        if (children[i] == 0) {
            alarm(20); /* one that is never woken */
            metric_add(metrics_counter(r->metrics, "x_total", "X.", ""), 1);
            _exit(0);
        }
    }
    /* By now each has seen that there is no such series, and wants to make it. */
    usleep(100000);
    assert_int_equal(pthread_mutex_unlock(&r->metrics->lock), 0);
    for (int i = 0; i < PROCESSES; i++) {
        int status;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_int_equal(status, 0);
    }
    assert_string_equal(test_registry_render(r),
                        "# HELP x_total X.\n# TYPE x_total counter\nx_total 4\n");
    test_registry_free(r);
}

/* Rendering goes on while others add: what comes out is always whole lines of whole families. */
static void a_reader_needs_no_lock(void **state)
{
    (void)state;
    struct test_registry *r = test_registry_new(200);
    pthread_t writer;
    assert_int_equal(pthread_create(&writer, NULL, count_in_thread, r->metrics), 0);
    for (int i = 0; i < 200; i++) {
        const char *text = test_registry_render(r);
        size_t length = strlen(text);
        assert_true(length == 0 || text[length - 1] == '\n');
    }
    pthread_join(writer, NULL);
    test_registry_free(r);
}

static void a_holder_that_dies_leaves_nothing_half_done(void **state)
{
    (void)state;
    struct test_registry *r = test_registry_new(200);
    metric_add(metrics_counter(r->metrics, "before_total", "B.", ""), 7);
    pid_t child = fork();
    if (child == 0) {
        /* As if it died on its way through adding a series. */
        pthread_mutex_lock(&r->metrics->lock);
        uint32_t used = atomic_load(&r->metrics->used_bytes);
        memset((char *)r->metrics + used, 0xA5, 300);
        raise(SIGKILL);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    metric_add(metrics_counter(r->metrics, "after_total", "A.", ""), 8);
    assert_string_equal(test_registry_render(r),
                        "# HELP before_total B.\n# TYPE before_total counter\n"
                        "before_total 7\n# HELP after_total A.\n"
                        "# TYPE after_total counter\nafter_total 8\n");
    test_registry_free(r);
}

static void a_maker_that_dies_leaves_no_empty_family(void **state)
{
    (void)state;
    struct test_registry *r = test_registry_new(200);
    metrics_counter(r->metrics, "a_total", "A.", "");
    /* A family without a series is what remains of a maker killed between the two records. */
    uint32_t family_end = atomic_load(&r->metrics->used_bytes) - METRICS_LINE_BYTES;
    atomic_store(&r->metrics->used_bytes, family_end);
    assert_string_equal(test_registry_render(r), "");
    metrics_counter(r->metrics, "b_total", "B.", "");
    metrics_counter(r->metrics, "a_total", "A.", "");
    assert_string_equal(test_registry_render(r),
                        "# HELP a_total A.\n# TYPE a_total counter\na_total 0\n"
                        "# HELP b_total B.\n# TYPE b_total counter\nb_total 0\n");
    test_registry_free(r);
}

static void register_for_ever(struct metrics *metrics, int process)
{
    for (unsigned i = 0;; i++) {
        char name[32];
        snprintf(name, sizeof name, "p%d_n%u_total", process, i);
        metric_add(metrics_counter(metrics, name, "N.", "some=\"label\""), 1);
    }
}

static void children_may_be_killed_while_they_register(void **state)
{
    (void)state;
    for (int round = 0; round < 100; round++) {
        struct test_registry *r = test_registry_new(LIMIT_METRIC_SERIES);
        pid_t children[3];
        for (int i = 0; i < 3; i++) {
            children[i] = fork();
            if (children[i] == 0)
                register_for_ever(r->metrics, i);
        }
        usleep((useconds_t)(round * 97 % 3000));
        for (int i = 0; i < 3; i++) {
            kill(children[i], SIGKILL);
            waitpid(children[i], NULL, 0);
        }
        /* The lock is free, the records are whole, each series was counted into at most once for
         * each time it was asked for. */
        struct metric *mine = metrics_counter(r->metrics, "mine_total", "M.", "");
        bool full = mine == NULL;
        assert_int_equal(full, test_registry_refused(r) > 0);
        size_t series = 0;
        for (const char *line = test_registry_render(r); *line; line = strchr(line, '\n') + 1)
            series += line[0] != '#';
        assert_true(series <= LIMIT_METRIC_SERIES);
        test_registry_free(r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_of_any_alignment_will_do),
        cmocka_unit_test(only_what_is_used_is_touched),
        cmocka_unit_test(sizes_beyond_reason_are_refused),
        cmocka_unit_test(threads_lose_no_count),
        cmocka_unit_test(processes_lose_no_count),
        cmocka_unit_test(those_who_wait_for_the_lock_make_one_series),
        cmocka_unit_test(a_reader_needs_no_lock),
        cmocka_unit_test(a_holder_that_dies_leaves_nothing_half_done),
        cmocka_unit_test(a_maker_that_dies_leaves_no_empty_family),
        cmocka_unit_test(children_may_be_killed_while_they_register),
    };
    return cmocka_run_group_tests_name("metrics shared", tests, NULL, NULL);
}
