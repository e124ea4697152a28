/*
 * fcgi_children.c - see fcgi_children.h.
 */
#include "app/adapter/fcgi_children.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app/adapter/fcgi_keeper.h"
#include "app/adapter/fcgi_worker.h"

enum {
    YOUNG_MS = 1000,
    FIRST_BACKOFF_MS = 100,
    MAX_BACKOFF_MS = 5000,
    MAX_DOUBLINGS = 6,
};

int64_t fcgi_now_ms(void)
{
    return clock_monotonic_ns(&clock_system) / 1000000;
}

void fcgi_children_init(struct fcgi_children *children, const struct module *const *modules,
                        const struct fcgi_shared *shared)
{
    struct metrics *metrics = shared->metrics;
    *children = (struct fcgi_children){.modules = modules,
                                       .shared = shared,
                                       .listener = -1,
                                       .master_fds = {-1, -1},
                                       .generation = 1};
    children->keeper.report = -1;
    for (size_t i = 0; i < FCGI_WORKER_SLOTS; i++) {
        children->workers[i].report = -1;
    }
    children->keeper_module = fcgi_keeper_module(modules, &children->keeper_index);
    children->workers_gauge =
        metrics_gauge(metrics, "hearth_pool_workers", "Worker processes that run.", "");
    children->worker_restarts =
        metrics_counter(metrics, "hearth_pool_worker_restarts_total",
                        "Workers that were started in place of one that died.", "");
    children->keeper_restarts =
        metrics_counter(metrics, "hearth_pool_keeper_restarts_total",
                        "Keepers that were started in place of one that died.", "");
}

/* ---- Starting ---- */

static void close_if_open(int fd)
{
    if (fd >= 0) {
        close(fd);
    }
}

/* A child keeps nothing of the master's: above all not the lock, which must end with the master. */
static void drop_masters_descriptors(const struct fcgi_children *children)
{
    close_if_open(children->master_fds[0]);
    close_if_open(children->master_fds[1]);
    close_if_open(children->keeper.report);
    for (size_t i = 0; i < FCGI_WORKER_SLOTS; i++) {
        close_if_open(children->workers[i].report);
    }
}

/* In the child gives back true, with `*report` to write to. */
static enum hearth_error fork_child(struct fcgi_children *children, struct fcgi_child *child,
                                    int *report, bool *in_child)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return HEARTH_NO_MEMORY;
    }
    const pid_t pid = fork();
    if (pid < 0) {
        close(ends[0]);
        close(ends[1]);
        return HEARTH_NO_MEMORY;
    }
    *in_child = pid == 0;
    if (*in_child) {
        close(ends[0]);
        *report = ends[1];
        drop_masters_descriptors(children);
        return HEARTH_OK;
    }
    close(ends[1]);
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    *child = (struct fcgi_child){.state = FCGI_CHILD_STARTING,
                                 .pid = pid,
                                 .generation = children->generation,
                                 .threads = children->threads,
                                 .report = ends[0],
                                 .started_ms = fcgi_now_ms()};
    return HEARTH_OK;
}

static void update_gauge(const struct fcgi_children *children)
{
    metric_set(children->workers_gauge,
               (int64_t)fcgi_children_count(children, FCGI_ANY_GENERATION, FCGI_CHILD_NONE));
}

enum hearth_error fcgi_children_start_worker(struct fcgi_children *children)
{
    const pid_t master = getpid();
    size_t slot = 0;
    while (slot < FCGI_WORKER_SLOTS && children->workers[slot].state != FCGI_CHILD_NONE) {
        slot++;
    }
    if (slot == FCGI_WORKER_SLOTS) {
        return HEARTH_BUSY;
    }
    struct fcgi_child *child = &children->workers[slot];
    bool in_child;
    int report = -1;
    const enum hearth_error code = fork_child(children, child, &report, &in_child);
    if (code != HEARTH_OK) {
        return code;
    }
    if (in_child) {
        const struct fcgi_worker_options options = {
            .modules = children->modules,
            .config = children->config,
            .shared = children->shared,
            .mode = children->mode,
            .listener = children->listener,
            .threads = children->threads,
            .slot = slot,
            .master = master,
            .report = report,
        };
        exit(fcgi_worker_run(&options));
    }
    struct fcgi_worker_slot *shared = &children->shared->slots[slot];
    atomic_store(&shared->generation, child->generation);
    atomic_store(&shared->pid, child->pid);
    update_gauge(children);
    LOG_INFO("worker_started", LOG_INTEGER("child", child->pid),
             LOG_INTEGER("slot", (int64_t)slot + 1), LOG_INTEGER("generation", child->generation));
    return HEARTH_OK;
}

enum hearth_error fcgi_children_start_keeper(struct fcgi_children *children)
{
    const pid_t master = getpid();
    bool in_child;
    int report = -1;
    const enum hearth_error code = fork_child(children, &children->keeper, &report, &in_child);
    if (code != HEARTH_OK) {
        return code;
    }
    if (in_child) {
        const struct fcgi_keeper_options options = {
            .module = children->keeper_module,
            .config = children->config,
            .shared = children->shared,
            .area = children->shared->areas[children->keeper_index],
            .master = master,
            .report = report,
        };
        close_if_open(children->listener);
        exit(fcgi_keeper_run(&options));
    }
    LOG_INFO("keeper_started", LOG_INTEGER("child", children->keeper.pid));
    return HEARTH_OK;
}

/* ---- Counting and signalling ---- */

size_t fcgi_children_count(const struct fcgi_children *children, uint32_t generation,
                           enum fcgi_child_state state)
{
    size_t count = 0;
    for (size_t i = 0; i < FCGI_WORKER_SLOTS; i++) {
        const struct fcgi_child *worker = &children->workers[i];
        count += worker->state != FCGI_CHILD_NONE &&
                 (state == FCGI_CHILD_NONE || worker->state == state) &&
                 (generation == FCGI_ANY_GENERATION || worker->generation == generation);
    }
    return count;
}

size_t fcgi_children_threads(const struct fcgi_children *children)
{
    size_t threads = 0;
    for (size_t i = 0; i < FCGI_WORKER_SLOTS; i++) {
        const struct fcgi_child *worker = &children->workers[i];
        threads += worker->state != FCGI_CHILD_NONE ? worker->threads : 0;
    }
    return threads;
}

size_t fcgi_children_count_others(const struct fcgi_children *children, uint32_t generation)
{
    return fcgi_children_count(children, FCGI_ANY_GENERATION, FCGI_CHILD_NONE) -
           fcgi_children_count(children, generation, FCGI_CHILD_NONE);
}

void fcgi_child_end(struct fcgi_child *child, int64_t patience_ms)
{
    if (child->state == FCGI_CHILD_NONE) {
        return;
    }
    if (child->state != FCGI_CHILD_ENDING) {
        kill(child->pid, SIGTERM);
        child->state = FCGI_CHILD_ENDING;
        child->kill_ms = INT64_MAX;
    }
    const int64_t kill_ms = fcgi_now_ms() + patience_ms;
    if (kill_ms < child->kill_ms) {
        child->kill_ms = kill_ms;
    }
}

void fcgi_children_end(struct fcgi_children *children, uint32_t generation, bool others,
                       int64_t patience_ms)
{
    for (size_t i = 0; i < FCGI_WORKER_SLOTS; i++) {
        if ((children->workers[i].generation == generation) != others) {
            fcgi_child_end(&children->workers[i], patience_ms);
        }
    }
}

void fcgi_children_signal(const struct fcgi_children *children, int number)
{
    for (size_t i = 0; i < FCGI_WORKER_SLOTS; i++) {
        if (children->workers[i].state != FCGI_CHILD_NONE) {
            kill(children->workers[i].pid, number);
        }
    }
    if (children->keeper.state != FCGI_CHILD_NONE) {
        kill(children->keeper.pid, number);
    }
}

static void kill_if_overdue(struct fcgi_child *child, const char *role)
{
    if (child->state == FCGI_CHILD_ENDING && fcgi_now_ms() >= child->kill_ms) {
        LOG_WARN("child_killed", LOG_TEXT("role", role), LOG_INTEGER("child", child->pid),
                 LOG_TEXT("detail", "it did not end in time"));
        kill(child->pid, SIGKILL);
        child->kill_ms = INT64_MAX;
    }
}

void fcgi_children_kill_overdue(struct fcgi_children *children)
{
    for (size_t i = 0; i < FCGI_WORKER_SLOTS; i++) {
        kill_if_overdue(&children->workers[i], "worker");
    }
    kill_if_overdue(&children->keeper, "keeper");
}

/* ---- What happened ---- */

static void note_death(struct fcgi_backoff *backoff, int64_t lived_ms)
{
    backoff->young_deaths = lived_ms < YOUNG_MS ? backoff->young_deaths + 1 : 0;
    if (backoff->young_deaths < 2) {
        backoff->next_start_ms = 0;
        return;
    }
    const unsigned doublings = backoff->young_deaths - 2;
    const int64_t pause_ms =
        doublings > MAX_DOUBLINGS ? MAX_BACKOFF_MS : (int64_t)FIRST_BACKOFF_MS << doublings;
    backoff->next_start_ms =
        fcgi_now_ms() + (pause_ms < MAX_BACKOFF_MS ? pause_ms : MAX_BACKOFF_MS);
}

static void log_end(const struct fcgi_child_event *event, int status)
{
    const int number = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    const struct log_field fields[] = {
        LOG_INTEGER("child", event->pid), LOG_INTEGER("generation", event->generation),
        LOG_INTEGER("exit_code", WIFEXITED(status) ? WEXITSTATUS(status) : -1),
        LOG_INTEGER("signal", number)};
    log_write(event->expected ? LOG_LEVEL_INFO : LOG_LEVEL_ERROR,
              event->is_keeper ? "keeper_ended" : "worker_ended", fields,
              sizeof fields / sizeof fields[0]);
}

static void bury_worker(struct fcgi_children *children, size_t slot, bool expected)
{
    struct fcgi_child *worker = &children->workers[slot];
    const struct fcgi_shared *shared = children->shared;
    fcgi_slot_release(shared, slot);
    for (size_t i = 0; children->modules[i]; i++) {
        if (children->modules[i]->worker_ended && shared->areas[i]) {
            children->modules[i]->worker_ended(shared->areas[i], worker->pid);
        }
    }
    if (!expected) {
        note_death(&children->worker_backoff, fcgi_now_ms() - worker->started_ms);
        metric_add(children->worker_restarts, 1);
    }
    worker->state = FCGI_CHILD_NONE;
    update_gauge(children);
}

/* However it ended: unless it did so in good order, somebody may wait for it in vain. */
static void bury_keeper(struct fcgi_children *children, bool expected, int status)
{
    const bool in_order = WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS;
    const struct module *module = children->keeper_module;
    void *area = children->shared->areas[children->keeper_index];
    if (!in_order && module->keeper_died && area) {
        module->keeper_died(area);
    }
    if (!expected) {
        note_death(&children->keeper_backoff, fcgi_now_ms() - children->keeper.started_ms);
        metric_add(children->keeper_restarts, 1);
    }
    children->keeper.state = FCGI_CHILD_NONE;
}

static void describe(const struct fcgi_child *child, bool is_keeper, struct fcgi_child_event *event)
{
    *event = (struct fcgi_child_event){
        .role = is_keeper ? "keeper" : "worker",
        .is_keeper = is_keeper,
        .expected = child->state == FCGI_CHILD_ENDING,
        .pid = child->pid,
        .generation = child->generation,
        .before = child->state,
    };
}

static bool read_report(struct fcgi_child *child, bool is_keeper, struct fcgi_child_event *event)
{
    if (child->state == FCGI_CHILD_NONE || child->report < 0) {
        return false;
    }
    struct fcgi_report report;
    bool ended;
    const bool whole = fcgi_report_read(child->report, &report, &ended);
    if (whole || ended) {
        close(child->report);
        child->report = -1;
    }
    if (!whole) {
        return false;
    }
    describe(child, is_keeper, event);
    event->reported = true;
    event->report = report;
    if (report.code == HEARTH_OK && child->state == FCGI_CHILD_STARTING) {
        child->state = FCGI_CHILD_READY;
    }
    return true;
}

static bool next_report(struct fcgi_children *children, struct fcgi_child_event *event)
{
    for (size_t i = 0; i < FCGI_WORKER_SLOTS; i++) {
        if (read_report(&children->workers[i], false, event)) {
            return true;
        }
    }
    return read_report(&children->keeper, true, event);
}

static struct fcgi_child *find_child(struct fcgi_children *children, pid_t pid, size_t *slot)
{
    if (children->keeper.state != FCGI_CHILD_NONE && children->keeper.pid == pid) {
        return &children->keeper;
    }
    for (*slot = 0; *slot < FCGI_WORKER_SLOTS; ++*slot) {
        struct fcgi_child *worker = &children->workers[*slot];
        if (worker->state != FCGI_CHILD_NONE && worker->pid == pid) {
            return worker;
        }
    }
    return NULL;
}

/* A child is looked at before it is buried: its last word may still be in the pipe. */
static bool next_end(struct fcgi_children *children, struct fcgi_child_event *event)
{
    siginfo_t ended = {.si_pid = 0};
    while (waitid(P_ALL, 0, &ended, WEXITED | WNOHANG | WNOWAIT) == 0 && ended.si_pid > 0) {
        size_t slot = 0;
        struct fcgi_child *child = find_child(children, ended.si_pid, &slot);
        const bool is_keeper = child == &children->keeper;
        if (child && read_report(child, is_keeper, event)) {
            return true;
        }
        int status = 0;
        waitpid(ended.si_pid, &status, 0);
        if (child) {
            describe(child, is_keeper, event);
            log_end(event, status);
            close_if_open(child->report);
            child->report = -1;
            is_keeper ? bury_keeper(children, event->expected, status)
                      : bury_worker(children, slot, event->expected);
            return true;
        }
        ended.si_pid = 0; /* a child of whoever this process was before it became the pool */
    }
    return false;
}

/* Reports come first: a child that failed has said why before it ended. */
bool fcgi_children_next_event(struct fcgi_children *children, struct fcgi_child_event *event)
{
    return next_report(children, event) || next_end(children, event);
}
