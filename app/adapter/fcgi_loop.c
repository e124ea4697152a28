/*
 * fcgi_loop.c - one epoll, and threads that take turns at it (fcgi_turns.h).
 *
 * Connections are one-shot: epoll gives a readable one to one thread and then keeps silent about it
 * until the thread has answered and arms it again. So a kept connection that is idle costs no
 * thread, and any number of them can stand beside any number of threads. Mostly
 * one thread sleeps in epoll_wait; of the parked ones, the one that was awake last goes first,
 * since its caches are warm. The listener is registered exclusively: a new connection wakes one
 * worker.
 *
 * A thread that waits for its peer serves nobody else. So the threads that do are counted, whatever
 * it is they wait for, and the last quarter, at least the last one, never does (fcgi_places.h):
 *
 *   the rest of a head  Reading one blocks, which is quick, since the fronts send it in one piece.
 *                       Without a place a connection is only taken when all of its head has
 *                       arrived; otherwise it goes to the waiting list. While there are places
 *                       nobody looks, which saves a call a request.
 *   a body              Without a place it is waited for a moment, then the answer is 503.
 *   room for an answer  The peer does not read. Without a place it is waited for a moment, then the
 *                       answer is broken off.
 *
 * A head does not get a place either while all but the last quarter of the threads are busy, with
 * whatever it be.
 */
#include "app/adapter/fcgi_loop.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "app/adapter/fcgi_turns.h"
#include "app/adapter/fcgi_waiting.h"
#include "hearth/limits.h"
#include "hearth/telemetry.h"

enum {
    ACCEPT_FAILURE_MS = 1000, /* from one line in the log to the next */
    /* What a head takes in records beyond its own bytes: lengths, prefixes, the parameters that are
     * no headers. */
    HEAD_OVERHEAD_BYTES = 65536,
};

struct fcgi_loop {
    struct fcgi_loop_options options;
    int epoll;
    struct fcgi_watch listener, stop, timer;
    struct fcgi_waiting waiting;
    struct fcgi_turns turns;
    struct fcgi_places places; /* for threads that wait for their peers */
    int32_t first_scarce;      /* so many threads busy, and the rest is scarce */
    atomic_size_t connections;
    pthread_mutex_t listener_lock; /* guards `accepting` and the listener's place in the epoll */
    bool accepting;
    pthread_mutex_t all_lock; /* guards `all`; taken when a connection comes or goes */
    struct fcgi_watch *all;
    atomic_bool stopping;
    _Atomic int64_t accept_failure_ms; /* when it was last said that none can be accepted */
};

/* What a thread has to itself. */
struct loop_thread {
    struct fcgi_loop *loop;
    struct fcgi_exchange *exchange;
    struct arena *arena;
    struct fcgi_turn turn;
};

/* ---- Connections ---- */

static void remember(struct fcgi_loop *loop, struct fcgi_watch *watch)
{
    pthread_mutex_lock(&loop->all_lock);
    watch->all_behind = loop->all;
    if (loop->all) {
        loop->all->all_before = watch;
    }
    loop->all = watch;
    pthread_mutex_unlock(&loop->all_lock);
    atomic_fetch_add(&loop->connections, 1);
    metric_change(loop->options.series.connections, 1);
}

static void forget(struct fcgi_loop *loop, struct fcgi_watch *watch)
{
    pthread_mutex_lock(&loop->all_lock);
    if (watch->all_before) {
        watch->all_before->all_behind = watch->all_behind;
    } else {
        loop->all = watch->all_behind;
    }
    if (watch->all_behind) {
        watch->all_behind->all_before = watch->all_before;
    }
    pthread_mutex_unlock(&loop->all_lock);
    free(watch);
    metric_change(loop->options.series.connections, -1);
    atomic_fetch_sub(&loop->connections, 1);
}

static void close_connection(struct fcgi_loop *loop, struct fcgi_watch *watch)
{
    close(watch->fd);
    forget(loop, watch);
}

static bool arm(struct fcgi_loop *loop, struct fcgi_watch *watch, int operation)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | EPOLLONESHOT, .data.ptr = watch};
    atomic_store_explicit(&watch->armed, true, memory_order_release);
    return epoll_ctl(loop->epoll, operation, watch->fd, &event) == 0;
}

static void arm_again(struct fcgi_loop *loop, struct fcgi_watch *watch)
{
    if (!arm(loop, watch, EPOLL_CTL_MOD)) {
        close_connection(loop, watch);
    }
}

#if defined(__SANITIZE_THREAD__)
/* ThreadSanitizer knows that EPOLL_CTL_ADD hands a descriptor on to whoever epoll wakes, but not
 * that EPOLL_CTL_MOD does, and takes the close by the next thread for a race with arm_again. */
const char *__tsan_default_suppressions(void);
const char *__tsan_default_suppressions(void)
{
    return "race:arm_again\n";
}
#endif

static void set_aside(struct fcgi_loop *loop, struct fcgi_watch *watch, enum fcgi_wait_kind kind)
{
    if (kind == FCGI_WAIT_HEAD) {
        metric_change(loop->options.series.parked, 1);
    }
    fcgi_waiting_add(&loop->waiting, watch, kind,
                     kind == FCGI_WAIT_HEAD ? loop->options.limits.receive_ms
                                            : loop->options.drain_ms);
}

static void resume_connection(void *context, struct fcgi_watch *watch)
{
    struct fcgi_loop *loop = context;
    metric_change(loop->options.series.parked, -1);
    arm_again(loop, watch);
}

static void expire_connection(void *context, struct fcgi_watch *watch)
{
    struct fcgi_loop *loop = context;
    if (watch->waits_for == FCGI_WAIT_HEAD) {
        metric_change(loop->options.series.parked, -1);
        LOG_WARN("connection_too_slow", LOG_INTEGER("timeout_ms", loop->options.limits.receive_ms),
                 LOG_TEXT("detail", "its request did not arrive in time"));
    }
    close_connection(loop, watch);
}

static bool threads_are_scarce(void *context)
{
    struct fcgi_loop *loop = context;
    return atomic_load(loop->options.in_flight) >= loop->first_scarce ||
           fcgi_places_all_taken(&loop->places);
}

/* ---- Accepting ---- */

static void add_connection(struct fcgi_loop *loop, int connection)
{
    struct fcgi_watch *watch = malloc(sizeof *watch);
    if (!watch) {
        close(connection);
        return;
    }
    *watch = (struct fcgi_watch){.kind = FCGI_WATCH_CONNECTION, .fd = connection};
    fcgi_socket_prepare(connection, &loop->options.limits);
    remember(loop, watch);
    if (!arm(loop, watch, EPOLL_CTL_ADD)) {
        close_connection(loop, watch);
    }
}

static bool listen_for_connections(struct fcgi_loop *loop)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLEXCLUSIVE, .data.ptr = &loop->listener};
    return epoll_ctl(loop->epoll, EPOLL_CTL_ADD, loop->options.listener, &event) == 0;
}

static void stop_listening(struct fcgi_loop *loop)
{
    pthread_mutex_lock(&loop->listener_lock);
    loop->accepting = false;
    epoll_ctl(loop->epoll, EPOLL_CTL_DEL, loop->options.listener, NULL);
    pthread_mutex_unlock(&loop->listener_lock);
}

/* The kernel wakes the workers in the order in which they registered, and so would give all
 * connections to the first as long as it has an idle thread. Who has taken one goes to the end. */
static void go_to_the_end(struct fcgi_loop *loop)
{
    pthread_mutex_lock(&loop->listener_lock);
    if (loop->accepting) {
        epoll_ctl(loop->epoll, EPOLL_CTL_DEL, loop->options.listener, NULL);
        if (!listen_for_connections(loop)) {
            LOG_ERROR("listening_failed", LOG_INTEGER("errno", errno));
        }
    }
    pthread_mutex_unlock(&loop->listener_lock);
}

/* Every thread would say so twenty times a second. */
static void say_accept_failed(struct fcgi_loop *loop, int number)
{
    const int64_t now_ms = clock_monotonic_ns(&clock_system) / 1000000;
    int64_t before_ms = atomic_load(&loop->accept_failure_ms);
    if (now_ms - before_ms >= ACCEPT_FAILURE_MS &&
        atomic_compare_exchange_strong(&loop->accept_failure_ms, &before_ms, now_ms)) {
        LOG_ERROR("accept_failed", LOG_INTEGER("errno", number),
                  LOG_TEXT("detail", "no descriptor or memory for another connection"));
    }
}

/* False when none waits, or none can be taken. */
static bool accept_connection(struct fcgi_loop *loop)
{
    const int connection = accept4(loop->options.listener, NULL, NULL, SOCK_CLOEXEC);
    if (connection >= 0) {
        go_to_the_end(loop);
        add_connection(loop, connection);
        return true;
    }
    const int number = errno;
    if (number == EMFILE || number == ENFILE || number == ENOMEM || number == ENOBUFS) {
        const struct timespec pause = {.tv_nsec = 50000000};
        say_accept_failed(loop, number);
        nanosleep(&pause, NULL);
    } else if (number == EINVAL || number == EBADF) { /* the listener was shut: the pool ends */
        stop_listening(loop);
    }
    return false;
}

/* A thread that the listener woke. Between the kernel's queue and the list a connection is counted
 * by this place, so that no worker takes itself for drained meanwhile and ends with a connection
 * that nobody serves. */
static void accept_while_listening(struct fcgi_loop *loop)
{
    pthread_mutex_lock(&loop->listener_lock);
    const bool accepting = loop->accepting;
    if (accepting) {
        atomic_fetch_add(&loop->connections, 1);
    }
    pthread_mutex_unlock(&loop->listener_lock);
    if (accepting) {
        accept_connection(loop);
        atomic_fetch_sub(&loop->connections, 1);
    }
}

/* ---- Serving ---- */

static void settle(struct fcgi_loop *loop, struct fcgi_watch *watch, enum fcgi_fate fate)
{
    switch (fate) {
    case FCGI_FATE_KEEP:
        arm_again(loop, watch);
        break;
    case FCGI_FATE_CLOSE:
        close_connection(loop, watch);
        break;
    case FCGI_FATE_UNREAD:
        set_aside(loop, watch, FCGI_WAIT_DRAIN);
        break;
    case FCGI_FATE_GONE:
        forget(loop, watch);
        break;
    }
}

static int32_t become_busy(const struct fcgi_loop *loop)
{
    metric_change(loop->options.series.threads_busy, 1);
    return atomic_fetch_add(loop->options.in_flight, 1) + 1;
}

static void become_idle(const struct fcgi_loop *loop)
{
    atomic_fetch_sub(loop->options.in_flight, 1);
    metric_change(loop->options.series.threads_busy, -1);
}

static enum fcgi_fate serve_request(struct loop_thread *thread, int connection, bool has_place)
{
    const bool begun = fcgi_exchange_begin(thread->exchange, connection);
    if (has_place) {
        fcgi_places_give_back(&thread->loop->places);
    }
    if (!begun) {
        return FCGI_FATE_GONE;
    }
    const struct fcgi_loop_options *options = &thread->loop->options;
    options->serve(options->context, thread->exchange, thread->arena, &thread->turn);
    const enum fcgi_fate fate = fcgi_exchange_end(thread->exchange);
    arena_reset(thread->arena);
    return fate;
}

static void serve(struct loop_thread *thread, struct fcgi_watch *watch)
{
    struct fcgi_loop *loop = thread->loop;
    const int32_t busy = become_busy(loop);
    const bool has_place = busy <= loop->first_scarce && fcgi_places_take(&loop->places);
    if (!has_place && !fcgi_waiting_head_arrived(&loop->waiting, watch->fd)) {
        become_idle(loop);
        set_aside(loop, watch, FCGI_WAIT_HEAD);
        return;
    }
    const enum fcgi_fate fate = serve_request(thread, watch->fd, has_place);
    become_idle(loop);
    settle(loop, watch, fate);
}

/* The peer has closed its side. Is there still something to read? */
static bool has_input(int connection)
{
    char byte;
    return recv(connection, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

static void serve_connection(struct loop_thread *thread, struct fcgi_watch *watch, uint32_t events)
{
    if ((events & (EPOLLHUP | EPOLLERR)) || ((events & EPOLLRDHUP) && !has_input(watch->fd))) {
        close_connection(thread->loop, watch);
    } else {
        serve(thread, watch);
    }
}

/* The library accepts by itself, answers one request and closes. */
static void serve_accepting(struct loop_thread *thread)
{
    become_busy(thread->loop);
    serve_request(thread, -1, false);
    become_idle(thread->loop);
}

static void handle_event(struct loop_thread *thread, const struct epoll_event *event)
{
    struct fcgi_loop *loop = thread->loop;
    struct fcgi_watch *watch = event->data.ptr;
    atomic_load_explicit(&watch->armed, memory_order_acquire);
    switch (watch->kind) {
    case FCGI_WATCH_CONNECTION:
        serve_connection(thread, watch, event->events);
        break;
    case FCGI_WATCH_LISTENER:
        if (loop->options.mode == FCGI_MODE_ACCEPTING) {
            serve_accepting(thread);
        } else {
            accept_while_listening(loop);
        }
        break;
    case FCGI_WATCH_TIMER:
        fcgi_waiting_tick(&loop->waiting);
        break;
    case FCGI_WATCH_STOP:
        break;
    }
}

static void take_turn(struct loop_thread *thread)
{
    struct fcgi_loop *loop = thread->loop;
    struct epoll_event event;
    const bool may_wait = fcgi_turn_seek(&thread->turn);
    const int count = epoll_wait(loop->epoll, &event, 1, may_wait ? -1 : 0);
    fcgi_turn_found(&thread->turn, count == 1);
    if (count == 1) {
        handle_event(thread, &event);
    }
}

enum hearth_error fcgi_loop_run(struct fcgi_loop *loop)
{
    struct loop_thread thread = {
        .loop = loop,
        .exchange =
            fcgi_exchange_new(loop->options.mode, loop->options.listener, &loop->options.limits),
        .arena = arena_new(LIMIT_ARENA_BYTES),
    };
    if (thread.exchange) {
        fcgi_exchange_share(thread.exchange, &loop->places);
    }
    const enum hearth_error error = thread.exchange && thread.arena ? HEARTH_OK : HEARTH_NO_MEMORY;
    fcgi_turn_init(&thread.turn, &loop->turns);
    while (error == HEARTH_OK && !atomic_load(&loop->stopping)) {
        take_turn(&thread);
    }
    fcgi_turn_clean(&thread.turn);
    arena_free(thread.arena);
    fcgi_exchange_free(thread.exchange);
    return error;
}

void fcgi_loop_watch(struct fcgi_loop *loop)
{
    fcgi_turns_watch(&loop->turns);
}

/* ---- Start and end ---- */

static bool events_wait(void *context)
{
    const struct fcgi_loop *loop = context;
    struct pollfd epoll = {.fd = loop->epoll, .events = POLLIN};
    return poll(&epoll, 1, 0) == 1;
}

static bool watch_forever(struct fcgi_loop *loop, struct fcgi_watch *watch,
                          enum fcgi_watch_kind kind, int fd, uint32_t events)
{
    watch->kind = kind;
    watch->fd = fd;
    struct epoll_event event = {.events = events, .data.ptr = watch};
    return fd >= 0 && epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

struct fcgi_loop *fcgi_loop_new(const struct fcgi_loop_options *options, struct error_record *error)
{
    struct fcgi_loop *loop = calloc(1, sizeof *loop);
    if (!loop) {
        error_set(error, HEARTH_NO_MEMORY, "there is no memory for the worker");
        return NULL;
    }
    loop->options = *options;
    loop->listener.kind = FCGI_WATCH_LISTENER;
    atomic_init(&loop->accept_failure_ms, INT64_MIN / 2);
    loop->accepting = true;
    pthread_mutex_init(&loop->listener_lock, NULL);
    pthread_mutex_init(&loop->all_lock, NULL);
    loop->first_scarce = (int32_t)(options->threads - fcgi_places_reserve(options->threads));
    fcgi_places_init(&loop->places, options->threads);
    fcgi_turns_init(&loop->turns, events_wait, loop);
    loop->waiting = (struct fcgi_waiting){
        .peek_bytes = options->max_head_bytes + HEAD_OVERHEAD_BYTES,
        .context = loop,
        .resume = resume_connection,
        .expire = expire_connection,
        .threads_are_scarce = threads_are_scarce,
    };
    if (fcgi_waiting_init(&loop->waiting) != HEARTH_OK) {
        error_set_internal(error, HEARTH_IO, errno, "no timer can be made");
        fcgi_turns_clean(&loop->turns);
        pthread_mutex_destroy(&loop->listener_lock);
        pthread_mutex_destroy(&loop->all_lock);
        free(loop);
        return NULL;
    }
    loop->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (loop->epoll < 0 ||
        !watch_forever(loop, &loop->stop, FCGI_WATCH_STOP, eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC),
                       EPOLLIN) ||
        !watch_forever(loop, &loop->timer, FCGI_WATCH_TIMER, loop->waiting.timer,
                       EPOLLIN | EPOLLET) ||
        !listen_for_connections(loop)) {
        error_set_internal(error, HEARTH_IO, errno, "the worker's epoll cannot be made");
        fcgi_loop_free(loop);
        return NULL;
    }
    return loop;
}

void fcgi_loop_free(struct fcgi_loop *loop)
{
    if (!loop) {
        return;
    }
    fcgi_waiting_clean(&loop->waiting);
    while (loop->all) {
        close_connection(loop, loop->all);
    }
    fcgi_turns_clean(&loop->turns);
    pthread_mutex_destroy(&loop->listener_lock);
    pthread_mutex_destroy(&loop->all_lock);
    if (loop->stop.fd > 0) {
        close(loop->stop.fd);
    }
    if (loop->epoll >= 0) {
        close(loop->epoll);
    }
    free(loop);
}

void fcgi_loop_stop_accepting(struct fcgi_loop *loop)
{
    stop_listening(loop);
    while (loop->options.mode == FCGI_MODE_HANDED && accept_connection(loop)) {
    }
}

void fcgi_loop_stop(struct fcgi_loop *loop)
{
    const uint64_t one = 1;
    atomic_store(&loop->stopping, true);
    fcgi_turns_end(&loop->turns);
    if (write(loop->stop.fd, &one, sizeof one) < 0) {
        return; /* it is full: written before */
    }
}

size_t fcgi_loop_connections(const struct fcgi_loop *loop)
{
    return atomic_load(&loop->connections);
}
