/*
 * fcgi_pool.c - the master's life: one poll over its signals and its children's reports, and a
 * phase (fcgi_master.h) that says what it is waiting for. It serves nothing and writes nothing but
 * its log, so that it has no reason to die.
 */
#include "app/adapter/fcgi_pool.h"

#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "app/adapter/fcgi_main.h"
#include "app/adapter/fcgi_master.h"
#include "app/adapter/fcgi_pid_file.h"

enum {
    QUIET_POLL_MS = 60000,
    BUSY_POLL_MS = 20, /* while something has a time: a back-off, a child that must end */
    MALLOC_ARENAS = 2, /* each costs memory; the requests' own comes from their arenas */
    MALLOC_MAPPED_BYTES = 128 * 1024, /* said, it stays; else one large answer would raise it */
    WANTED_DESCRIPTORS = 65536,
};

/* ---- The log ---- */

enum hearth_error fcgi_pool_log(const struct config *config, bool foreground)
{
    const struct log_options options = {
        .level = (enum log_level)config_choice(config, "log.level"),
        .format =
            foreground ? LOG_FORMAT_TEXT : (enum log_format)config_choice(config, "log.format"),
        .file = foreground ? NULL : config_string(config, "log.file"),
    };
    return log_configure(&options);
}

/* What keeps the pool from starting: for the log, and for whoever started it by hand. */
static void say_failure(const char *what, const char *reason)
{
    LOG_ERROR("start_failed", LOG_TEXT("what", what), LOG_TEXT("detail", reason));
    fprintf(stderr, "hearth-fcgi: %s: %s\n", what, reason);
}

static void say_error(const char *what, enum hearth_error code, const struct error_record *error)
{
    char reason[FCGI_REPORT_DETAIL_SIZE];
    error_describe(error, code, reason, sizeof reason);
    say_failure(what, reason);
}

/* ---- Keeping up the numbers ---- */

void fcgi_master_use(struct fcgi_master *master, const struct fcgi_settings *settings)
{
    master->children.config = settings->config;
    master->children.threads = settings->threads;
    master->children.generation = settings->generation;
}

static size_t missing_workers(const struct fcgi_master *master)
{
    const struct fcgi_children *children = &master->children;
    const uint32_t generation = master->now.generation;
    const size_t there = fcgi_children_count(children, generation, FCGI_CHILD_STARTING) +
                         fcgi_children_count(children, generation, FCGI_CHILD_READY);
    return there < master->now.workers ? master->now.workers - there : 0;
}

static void start_workers(struct fcgi_master *master)
{
    struct fcgi_backoff *backoff = &master->children.worker_backoff;
    for (size_t i = missing_workers(master); i > 0 && fcgi_now_ms() >= backoff->next_start_ms;
         i--) {
        if (fcgi_children_start_worker(&master->children) != HEARTH_OK) {
            LOG_ERROR("worker_not_started", LOG_TEXT("detail", strerror(errno)));
            backoff->next_start_ms = fcgi_now_ms() + FCGI_HURRY_MS;
        }
    }
}

static bool keeper_is_missing(const struct fcgi_master *master)
{
    return master->children.keeper_module && master->children.keeper.state == FCGI_CHILD_NONE;
}

/* A keeper that dies while a reload is not yet decided comes back as it was. */
static void start_keeper(struct fcgi_master *master)
{
    struct fcgi_backoff *backoff = &master->children.keeper_backoff;
    if (!keeper_is_missing(master) || fcgi_now_ms() < backoff->next_start_ms) {
        return;
    }
    fcgi_master_use(master, master->before.config ? &master->before : &master->now);
    if (fcgi_children_start_keeper(&master->children) != HEARTH_OK) {
        LOG_ERROR("keeper_not_started", LOG_TEXT("detail", strerror(errno)));
        backoff->next_start_ms = fcgi_now_ms() + FCGI_HURRY_MS;
    }
    fcgi_master_use(master, &master->now);
}

static bool workers_are_ready(const struct fcgi_master *master)
{
    return fcgi_children_count(&master->children, master->now.generation, FCGI_CHILD_READY) >=
           master->now.workers;
}

static bool keeper_is_ready(const struct fcgi_master *master)
{
    return !master->children.keeper_module || master->children.keeper.state == FCGI_CHILD_READY;
}

/* ---- Phases ---- */

/* A reload after a reload that still drains. */
static void reload_again(struct fcgi_master *master)
{
    if (fcgi_reload_has_room(master)) {
        fcgi_reload_begin(master);
    } else if (!master->reload_waits) {
        master->reload_waits = true;
        LOG_INFO("reload_waits", LOG_TEXT("detail", "workers of earlier reloads still drain"));
    }
}

static void begin_stop(struct fcgi_master *master, int exit_status, int64_t patience_ms)
{
    if (master->phase < FCGI_PHASE_STOPPING) {
        master->phase = FCGI_PHASE_STOPPING;
        master->exit_status = exit_status;
        if (master->listener.path[0]) { /* what waits on a Unix socket survives it */
            fcgi_listener_shut(&master->listener);
        }
        master->shut_ms = fcgi_now_ms() + FCGI_SHUT_MS;
        LOG_INFO("pool_stopping", LOG_INTEGER("workers", (int64_t)fcgi_children_count(
                                                             &master->children, FCGI_ANY_GENERATION,
                                                             FCGI_CHILD_NONE)));
    }
    fcgi_children_end(&master->children, FCGI_ANY_GENERATION, true, patience_ms);
}

static void become_ready(struct fcgi_master *master)
{
    struct error_record error = {.code = HEARTH_OK};
    const enum hearth_error code =
        fcgi_pid_file_write(config_string(master->now.config, "pool.pid_file"), &error);
    if (code != HEARTH_OK) {
        say_error("pool.pid_file", code, &error);
        begin_stop(master, FCGI_EXIT_FAILED, FCGI_HURRY_MS);
        return;
    }
    master->phase = FCGI_PHASE_RUNNING;
    LOG_INFO("pool_ready", LOG_TEXT("listen", master->listener.name),
             LOG_INTEGER("workers", (int64_t)master->now.workers),
             LOG_INTEGER("threads", (int64_t)master->now.threads),
             LOG_TEXT("version", HEARTH_VERSION));
}

/* Goes as far as it can without anything new happening. */
static void advance(struct fcgi_master *master)
{
    switch (master->phase) {
    case FCGI_PHASE_KEEPER:
        start_keeper(master);
        if (keeper_is_ready(master)) {
            master->phase = FCGI_PHASE_WORKERS;
        }
        break;
    case FCGI_PHASE_WORKERS:
        start_keeper(master);
        start_workers(master);
        if (workers_are_ready(master) && keeper_is_ready(master)) {
            become_ready(master);
        }
        break;
    case FCGI_PHASE_RUNNING:
        start_keeper(master);
        start_workers(master);
        if (master->reload_wanted) {
            fcgi_reload_begin(master);
        }
        break;
    case FCGI_PHASE_RELOADING:
        start_keeper(master);
        start_workers(master);
        if (workers_are_ready(master)) {
            fcgi_reload_commit(master);
        }
        break;
    case FCGI_PHASE_REPLACING:
        start_keeper(master);
        start_workers(master);
        if (keeper_is_ready(master) &&
            fcgi_children_count_others(&master->children, master->now.generation) == 0) {
            master->phase = FCGI_PHASE_RUNNING;
            LOG_INFO("reload_settled", LOG_INTEGER("generation", master->now.generation));
        } else if (master->reload_wanted) {
            reload_again(master);
        }
        break;
    case FCGI_PHASE_STOPPING:
        if (fcgi_now_ms() >= master->shut_ms) { /* the workers have taken what waited */
            fcgi_listener_shut(&master->listener);
        }
        if (fcgi_children_count(&master->children, FCGI_ANY_GENERATION, FCGI_CHILD_NONE) == 0) {
            fcgi_child_end(&master->children.keeper, FCGI_KEEPER_PATIENCE_MS);
            master->phase = FCGI_PHASE_LAST;
        } else {
            start_keeper(master); /* requests under way may still ask it */
        }
        break;
    case FCGI_PHASE_LAST:
        if (master->children.keeper.state == FCGI_CHILD_NONE) {
            master->phase = FCGI_PHASE_ENDED;
        }
        break;
    case FCGI_PHASE_ENDED:
        break;
    }
}

/* Phases that can be passed at once are. */
static void advance_all(struct fcgi_master *master)
{
    enum fcgi_phase before;
    do {
        before = master->phase;
        advance(master);
    } while (master->phase != before);
}

/* ---- What happens to children ---- */

static void child_failed(struct fcgi_master *master, const struct fcgi_child_event *event)
{
    const char *reason = event->reported ? event->report.detail : "it ended before it was ready";
    const bool of_reload = !event->is_keeper && event->generation == master->now.generation;
    const bool was_ready = event->is_keeper && event->before == FCGI_CHILD_READY;
    if (master->phase <= FCGI_PHASE_WORKERS && !was_ready) {
        say_failure(event->is_keeper ? "the keeper cannot start" : "a worker cannot start", reason);
        begin_stop(master, FCGI_EXIT_FAILED, FCGI_HURRY_MS);
    } else if (master->phase == FCGI_PHASE_RELOADING && of_reload) {
        fcgi_reload_abandon(master, reason);
    } else if (event->reported) {
        LOG_ERROR("child_failed", LOG_TEXT("role", event->role), LOG_INTEGER("child", event->pid),
                  LOG_TEXT("reason", error_name(event->report.code)), LOG_TEXT("detail", reason));
    }
}

static void handle_children(struct fcgi_master *master)
{
    struct fcgi_child_event event;
    while (fcgi_children_next_event(&master->children, &event)) {
        if (event.reported ? event.report.code != HEARTH_OK : !event.expected) {
            child_failed(master, &event);
        }
    }
}

/* ---- Signals ---- */

static void stop_on_signal(struct fcgi_master *master)
{
    const int64_t patience_ms =
        config_integer(master->now.config, "pool.drain_timeout_ms") + FCGI_KILL_GRACE_MS;
    const bool again = master->phase >= FCGI_PHASE_STOPPING;
    begin_stop(master, FCGI_EXIT_OK, again ? 0 : patience_ms);
    if (again) {
        fcgi_child_end(&master->children.keeper, FCGI_HURRY_MS);
    }
}

static void handle_signals(struct fcgi_master *master)
{
    struct signalfd_siginfo signal;
    while (read(master->signals, &signal, sizeof signal) == (ssize_t)sizeof signal) {
        switch (signal.ssi_signo) {
        case SIGTERM:
        case SIGINT:
            stop_on_signal(master);
            break;
        case SIGHUP:
            master->reload_wanted = true;
            break;
        case SIGUSR1:
            log_reopen();
            fcgi_children_signal(&master->children, SIGUSR1);
            break;
        default: /* SIGCHLD: children are looked at anyway */
            break;
        }
    }
}

/* ---- The loop ---- */

static size_t add_report(struct pollfd *polled, size_t count, const struct fcgi_child *child)
{
    if (child->state != FCGI_CHILD_NONE && child->report >= 0) {
        polled[count++] = (struct pollfd){.fd = child->report, .events = POLLIN};
    }
    return count;
}

static void wait_for_news(const struct fcgi_master *master)
{
    struct pollfd polled[FCGI_WORKER_SLOTS + 2] = {{.fd = master->signals, .events = POLLIN}};
    size_t count = add_report(polled, 1, &master->children.keeper);
    for (size_t i = 0; i < FCGI_WORKER_SLOTS; i++) {
        count = add_report(polled, count, &master->children.workers[i]);
    }
    const bool quiet = master->phase == FCGI_PHASE_RUNNING && missing_workers(master) == 0 &&
                       !keeper_is_missing(master);
    if (poll(polled, count, quiet ? QUIET_POLL_MS : BUSY_POLL_MS) < 0 && errno != EINTR) {
        LOG_ERROR("poll_failed", LOG_TEXT("detail", strerror(errno)));
    }
}

static void run(struct fcgi_master *master)
{
    advance_all(master);
    while (master->phase != FCGI_PHASE_ENDED) {
        wait_for_news(master);
        handle_signals(master);
        handle_children(master);
        fcgi_children_kill_overdue(&master->children);
        advance_all(master);
    }
}

/* ---- Start and end ---- */

static enum hearth_error open_signals(struct fcgi_master *master)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGCHLD};
    sigset_t set;
    fcgi_signals_block();
    sigemptyset(&set);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        sigaddset(&set, numbers[i]);
    }
    master->signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    return master->signals < 0 ? HEARTH_IO : HEARTH_OK;
}

/* Each connection is a descriptor; the usual limit of 1,024 is soon reached. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < WANTED_DESCRIPTORS) {
        limit.rlim_cur = limit.rlim_max < WANTED_DESCRIPTORS ? limit.rlim_max : WANTED_DESCRIPTORS;
        if (setrlimit(RLIMIT_NOFILE, &limit) != 0) {
            LOG_WARN("descriptor_limit_kept", LOG_TEXT("detail", strerror(errno)));
        }
    }
}

static enum hearth_error start_transport(struct fcgi_master *master)
{
    char why[120];
    const enum hearth_error code = fcgi_transport_init();
    if (code != HEARTH_OK) {
        say_failure("libfcgi", "it cannot be initialised");
        return code;
    }
    master->children.mode = FCGI_MODE_HANDED;
    if (!fcgi_transport_check(why, sizeof why)) {
        master->children.mode = FCGI_MODE_ACCEPTING;
        LOG_WARN("transport_fallback", LOG_TEXT("detail", why),
                 LOG_TEXT("consequence", "connections are not kept, and a silent peer holds a "
                                         "thread: this libfcgi is not the one that was tested"));
    }
    return HEARTH_OK;
}

static enum hearth_error start(struct fcgi_master *master)
{
    struct error_record error = {.code = HEARTH_OK};
    const struct module *const *modules = master->options->modules;
    prctl(PR_SET_NAME, "hearth-master");
    mallopt(M_ARENA_MAX, MALLOC_ARENAS);
    mallopt(M_MMAP_THRESHOLD, MALLOC_MAPPED_BYTES);
    raise_descriptor_limit();
    if (open_signals(master) != HEARTH_OK) {
        say_failure("signals", strerror(errno));
        return HEARTH_IO;
    }
    enum hearth_error code = fcgi_listener_open(&master->listener, master->now.config, &error);
    if (code != HEARTH_OK) {
        say_error("cannot listen", code, &error);
        return code;
    }
    code = fcgi_shared_create(&master->shared, modules, master->now.config,
                              FCGI_GENERATIONS * master->now.workers * master->now.threads, &error);
    if (code != HEARTH_OK) {
        say_error("shared memory", code, &error);
        return code;
    }
    fcgi_children_init(&master->children, modules, &master->shared);
    master->children.listener = master->listener.fd;
    master->children.master_fds[0] = master->listener.lock;
    master->children.master_fds[1] = master->signals;
    struct metrics *metrics = master->shared.metrics;
    static const char help[] = "Reloads of the configuration, by outcome.";
    master->reloads_done =
        metrics_counter(metrics, "hearth_pool_reloads_total", help, "outcome=\"done\"");
    master->reloads_refused =
        metrics_counter(metrics, "hearth_pool_reloads_total", help, "outcome=\"refused\"");
    fcgi_master_use(master, &master->now);
    return start_transport(master);
}

static void finish(struct fcgi_master *master)
{
    if (master->now.config) {
        fcgi_pid_file_remove(config_string(master->now.config, "pool.pid_file"));
    }
    fcgi_listener_shut(&master->listener);
    fcgi_listener_close(&master->listener);
    fcgi_shared_destroy(&master->shared);
    if (master->signals >= 0) {
        close(master->signals);
    }
    config_free(master->before.config);
    config_free(master->now.config);
}

int fcgi_pool_run(const struct fcgi_pool_options *options)
{
    struct config *config = options->config;
    struct fcgi_master master = {
        .options = options,
        .listener = {.fd = -1, .lock = -1},
        .signals = -1,
        .phase = FCGI_PHASE_KEEPER,
        .exit_status = FCGI_EXIT_FAILED,
        .now = {.config = config,
                .workers = (size_t)config_integer(config, "pool.workers"),
                .threads = (size_t)config_integer(config, "pool.threads"),
                .generation = 1},
        .last_generation = 1,
    };
    if (start(&master) == HEARTH_OK) {
        malloc_trim(0);
        run(&master);
        LOG_INFO("pool_ended", LOG_INTEGER("exit_code", master.exit_status));
    }
    finish(&master);
    return master.exit_status;
}
