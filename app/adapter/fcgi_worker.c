/*
 * fcgi_worker.c - the main thread starts the app and the threads, then only waits for signals; the
 * threads run the loop (fcgi_loop.c) and answer requests here, in serve_request.
 */
#include "app/adapter/fcgi_worker.h"

#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/adapter/dispatch.h"
#include "app/adapter/fcgi_child.h"
#include "app/adapter/fcgi_loop.h"
#include "app/adapter/fcgi_params.h"
#include "app/adapter/fcgi_sink.h"

enum {
    IDLE_WAIT_MS = 60000,
    DRAIN_CHECK_MS = 20,
    ORPHAN_MS = 2000, /* for requests under way when the master has died */
};

struct worker {
    const struct fcgi_worker_options *options;
    struct app *app;
    struct fcgi_loop *loop;
    int64_t request_timeout_ns;
    int64_t least_send_bytes_per_s;
    pthread_t *threads;
    size_t thread_count;
};

/* ---- A request ---- */

/* Without memory for even the parameters. */
static void answer_no_memory(struct fcgi_exchange *exchange)
{
    const struct view answer =
        VIEW("Status: 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n");
    if (fcgi_exchange_write(exchange, answer) != HEARTH_OK ||
        fcgi_exchange_complete(exchange) != HEARTH_OK) {
        fcgi_exchange_break_off(exchange);
    }
}

static void pass_on(void *context)
{
    fcgi_turn_pass_on(context);
}

static void serve_request(void *context, struct fcgi_exchange *exchange, struct arena *arena,
                          struct fcgi_turn *turn)
{
    struct worker *worker = context;
    struct fcgi_params params;
    if (fcgi_params_read(arena, fcgi_exchange_parameters(exchange), &params) != HEARTH_OK) {
        answer_no_memory(exchange);
        return;
    }
    const struct fcgi_sink_options options = {
        .exchange = exchange,
        .clock = &clock_system,
        .deadline_ns = clock_monotonic_ns(&clock_system) + worker->request_timeout_ns,
        .timeout_ns = worker->request_timeout_ns,
        .least_send_bytes_per_s = worker->least_send_bytes_per_s,
        .declared_bytes = params.declared_bytes,
        .body_is_unlikely = view_equal(params.input.method, VIEW("GET")) ||
                            view_equal(params.input.method, VIEW("HEAD")),
        .hold = params.front_hides_breaks,
    };
    struct fcgi_sink sink;
    fcgi_sink_init(&sink, &options);
    params.input.body = &sink.body;
    params.input.deadline_ns = options.deadline_ns;
    params.input.will_wait = pass_on;
    params.input.will_wait_context = turn;
    app_handle(worker->app, arena, &params.input, &sink.sink);
    fcgi_sink_clean(&sink);
}

/* ---- Threads ---- */

static void *run_thread(void *context)
{
    struct worker *worker = context;
    if (fcgi_loop_run(worker->loop) != HEARTH_OK) {
        LOG_ERROR("thread_failed", LOG_TEXT("detail", "there is no memory for a thread"));
    }
    return NULL;
}

static void *run_watchman(void *context)
{
    struct worker *worker = context;
    fcgi_loop_watch(worker->loop);
    return NULL;
}

static enum hearth_error start_threads(struct worker *worker, struct error_record *error)
{
    pthread_attr_t attributes;
    const size_t count = worker->options->threads + 1;
    worker->threads = calloc(count, sizeof *worker->threads);
    if (!worker->threads || pthread_attr_init(&attributes) != 0) {
        return error_set(error, HEARTH_NO_MEMORY, "there is no memory for threads");
    }
    pthread_attr_setstacksize(&attributes, FCGI_STACK_BYTES);
    int failed = 0;
    while (worker->thread_count < count && !failed) {
        failed = pthread_create(&worker->threads[worker->thread_count], &attributes,
                                worker->thread_count == 0 ? run_watchman : run_thread, worker);
        worker->thread_count += !failed;
    }
    pthread_attr_destroy(&attributes);
    return failed ? error_set(error, HEARTH_NO_MEMORY, "thread %zu of %zu cannot be made: %s",
                              worker->thread_count + 1, count, strerror(failed))
                  : HEARTH_OK;
}

static void stop_threads(struct worker *worker)
{
    if (worker->loop) {
        fcgi_loop_stop(worker->loop);
    }
    for (size_t i = 0; i < worker->thread_count; i++) {
        pthread_join(worker->threads[i], NULL);
    }
    free(worker->threads);
}

/* ---- Start ---- */

static enum hearth_error start_app(struct worker *worker, struct error_record *error)
{
    const struct fcgi_worker_options *options = worker->options;
    const struct app_options app = {
        .modules = options->modules,
        .config = options->config,
        .clock = &clock_system,
        .metrics = options->shared->metrics,
        .shared = options->shared->areas,
        .threads = options->threads,
        .worker = options->slot + 1,
    };
    return app_start(&app, &worker->app, error);
}

static enum hearth_error start_loop(struct worker *worker, struct error_record *error)
{
    const struct fcgi_worker_options *options = worker->options;
    const struct config *config = options->config;
    const int64_t request_ms = config_integer(config, "pool.request_timeout_ms");
    const int64_t receive_ms = config_integer(config, "pool.receive_timeout_ms");
    worker->request_timeout_ns = request_ms * 1000000;
    worker->least_send_bytes_per_s = config_integer(config, "pool.least_send_bytes_per_s");
    struct fcgi_loop_options loop = {
        .mode = options->mode,
        .listener = options->listener,
        .threads = options->threads,
        .max_head_bytes = (size_t)config_integer(config, "http.max_head_bytes"),
        .limits = {.receive_ms = receive_ms < request_ms ? receive_ms : request_ms,
                   .send_ms = config_integer(config, "pool.send_timeout_ms")},
        .drain_ms = request_ms, /* so long may a body take that is wanted */
        .in_flight = &options->shared->slots[options->slot].in_flight,
        .serve = serve_request,
        .context = worker,
    };
    fcgi_slot_metrics_find(&loop.series, options->shared->metrics, options->slot);
    worker->loop = fcgi_loop_new(&loop, error);
    return worker->loop ? start_threads(worker, error) : error->code;
}

/* ---- End ---- */

static bool is_drained(const struct worker *worker)
{
    const struct fcgi_worker_slot *slot = &worker->options->shared->slots[worker->options->slot];
    return fcgi_loop_connections(worker->loop) == 0 && atomic_load(&slot->in_flight) == 0;
}

/* Until every connection has been closed by the front, or time is over. An orphan only finishes the
 * requests under way. True when no request is running. */
static bool drain(struct worker *worker)
{
    const struct fcgi_worker_slot *slot = &worker->options->shared->slots[worker->options->slot];
    const int64_t limit_ms = config_integer(worker->options->config, "pool.drain_timeout_ms");
    const int64_t start_ns = clock_monotonic_ns(&clock_system);
    fcgi_loop_stop_accepting(worker->loop);
    while (!is_drained(worker)) {
        const int64_t passed_ms = (clock_monotonic_ns(&clock_system) - start_ns) / 1000000;
        const bool orphan = fcgi_child_is_orphan(worker->options->master);
        const bool idle = atomic_load(&slot->in_flight) == 0;
        if (passed_ms >= (orphan ? ORPHAN_MS : limit_ms) || (orphan && idle)) {
            LOG_INFO("drain_ended",
                     LOG_INTEGER("connections", (int64_t)fcgi_loop_connections(worker->loop)),
                     LOG_INTEGER("in_flight", atomic_load(&slot->in_flight)),
                     LOG_INTEGER("after_ms", passed_ms));
            return idle;
        }
        const int number = fcgi_child_wait(DRAIN_CHECK_MS);
        if (number == SIGUSR1) {
            log_reopen();
        } else if (number == SIGTERM && !orphan) {
            return idle;
        }
    }
    return true;
}

static void wait_for_end(const struct worker *worker)
{
    while (!fcgi_child_is_orphan(worker->options->master)) {
        const int number = fcgi_child_wait(IDLE_WAIT_MS);
        if (number == SIGUSR1) {
            log_reopen();
        } else if (number == SIGTERM) {
            return;
        }
    }
}

static void stop(struct worker *worker)
{
    stop_threads(worker);
    app_stop(worker->app);
    fcgi_loop_free(worker->loop);
}

int fcgi_worker_run(const struct fcgi_worker_options *options)
{
    struct worker worker = {.options = options};
    struct error_record error = {.code = HEARTH_OK};
    fcgi_child_begin("hearth-worker", options->master);
    enum hearth_error code = start_app(&worker, &error);
    if (code == HEARTH_OK) {
        code = start_loop(&worker, &error);
    }
    fcgi_child_report(options->report, code, &error);
    close(options->report);
    if (code != HEARTH_OK) {
        stop(&worker);
        return EXIT_FAILURE;
    }
    malloc_trim(0);
    wait_for_end(&worker);
    if (!drain(&worker)) {
        _exit(EXIT_SUCCESS); /* requests are still running: no thread can be waited for */
    }
    stop(&worker);
    return EXIT_SUCCESS;
}
