/*
 * fcgi_keeper.c - one thread is the module's keeper, the main thread waits for signals. The keeper
 * is told to end by a flag, and woken again and again until it has seen it.
 */
#include "app/adapter/fcgi_keeper.h"

#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#include "app/adapter/fcgi_child.h"
#include "app/http/objects_open.h"

enum {
    IDLE_WAIT_MS = 60000,
    WAKE_AGAIN_MS = 20,
};

struct keeper {
    const struct fcgi_keeper_options *options;
    struct keeper_control control;
    struct services services;
    pthread_t main_thread, thread;
    atomic_bool stop, ended;
    atomic_bool reported;
    enum hearth_error outcome; /* valid once `ended` */
    struct error_record error;
};

static struct keeper *of_control(const struct keeper_control *control)
{
    return (struct keeper *)((char *)control - offsetof(struct keeper, control));
}

static bool should_stop(const struct keeper_control *control)
{
    return atomic_load(&of_control(control)->stop);
}

/* Only the first word counts. */
static void report(struct keeper *keeper, enum hearth_error code)
{
    if (!atomic_exchange(&keeper->reported, true)) {
        fcgi_child_report(keeper->options->report, code, &keeper->error);
        close(keeper->options->report);
    }
}

static void ready(const struct keeper_control *control)
{
    malloc_trim(0);
    report(of_control(control), HEARTH_OK);
}

static void *run_thread(void *context)
{
    struct keeper *keeper = context;
    keeper->outcome =
        keeper->options->module->keeper(&keeper->services, &keeper->control, &keeper->error);
    atomic_store(&keeper->ended, true);
    pthread_kill(keeper->main_thread, SIGUSR2);
    return NULL;
}

static enum hearth_error start_services(struct keeper *keeper)
{
    const struct fcgi_keeper_options *options = keeper->options;
    keeper->services = (struct services){
        .config = options->config,
        .clock = &clock_system,
        .metrics = options->shared->metrics,
        .objects = objects_open(options->config, &keeper->error),
        .shared = options->area,
    };
    if (!keeper->services.objects) {
        return keeper->error.code != HEARTH_OK ? keeper->error.code : HEARTH_IO;
    }
    keeper->services.auth = auth_new(keeper->services.objects, &clock_system,
                                     config_integer(options->config, "auth.reload_interval_ms"));
    keeper->services.readiness = readiness_new();
    return keeper->services.auth && keeper->services.readiness ? HEARTH_OK : HEARTH_NO_MEMORY;
}

static void stop_services(struct keeper *keeper)
{
    readiness_free(keeper->services.readiness);
    auth_free(keeper->services.auth);
    if (keeper->services.objects) {
        keeper->services.objects->free(keeper->services.objects);
    }
}

static void wait_for_end(struct keeper *keeper)
{
    while (!atomic_load(&keeper->ended)) {
        const bool stopping = atomic_load(&keeper->stop);
        const int number = fcgi_child_wait(stopping ? WAKE_AGAIN_MS : IDLE_WAIT_MS);
        if (number == SIGUSR1) {
            log_reopen();
        } else if (number == SIGTERM || fcgi_child_is_orphan(keeper->options->master)) {
            atomic_store(&keeper->stop, true);
        }
        if (atomic_load(&keeper->stop) && keeper->options->module->keeper_wake) {
            keeper->options->module->keeper_wake(keeper->options->area);
        }
    }
}

static enum hearth_error run(struct keeper *keeper)
{
    enum hearth_error code = start_services(keeper);
    if (code != HEARTH_OK) {
        return code;
    }
    pthread_attr_t attributes;
    keeper->main_thread = pthread_self();
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, FCGI_STACK_BYTES);
    const int failed = pthread_create(&keeper->thread, &attributes, run_thread, keeper);
    pthread_attr_destroy(&attributes);
    if (failed) {
        return HEARTH_NO_MEMORY;
    }
    wait_for_end(keeper);
    pthread_join(keeper->thread, NULL);
    return keeper->outcome;
}

const struct module *fcgi_keeper_module(const struct module *const *modules, size_t *index)
{
    for (size_t i = 0; modules[i]; i++) {
        if (modules[i]->keeper) {
            *index = i;
            return modules[i];
        }
    }
    return NULL;
}

int fcgi_keeper_run(const struct fcgi_keeper_options *options)
{
    struct keeper keeper = {.options = options,
                            .control = {.should_stop = should_stop, .ready = ready}};
    fcgi_child_begin("hearth-keeper", options->master);
    const enum hearth_error code = run(&keeper);
    if (code != HEARTH_OK) {
        char detail[FCGI_REPORT_DETAIL_SIZE];
        error_describe(&keeper.error, code, detail, sizeof detail);
        LOG_ERROR("keeper_failed", LOG_TEXT("reason", error_name(code)),
                  LOG_INTEGER("errno", keeper.error.number), LOG_TEXT("detail", detail));
    }
    report(&keeper, code == HEARTH_OK ? HEARTH_UNAVAILABLE : code);
    stop_services(&keeper);
    /* Ending without being told to is a failure, whatever the module says of it. */
    return code == HEARTH_OK && atomic_load(&keeper.stop) ? EXIT_SUCCESS : EXIT_FAILURE;
}
