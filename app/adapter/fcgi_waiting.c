/*
 * fcgi_waiting.c - a list under a mutex and a timer descriptor. A tick takes the whole list, looks
 * at each connection without the lock, and puts back those that go on waiting.
 */
#include "app/adapter/fcgi_waiting.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "app/adapter/fcgi_records.h"
#include "hearth/clock.h"

enum {
    TICK_MS = 20,
    DRAIN_PAUSE_MS = 5000,
    DRAIN_PIECE_BYTES = 16384,
    DRAIN_PIECES_PER_TICK = 16, /* 12 MB a second from a peer that does not stop */
};

enum hearth_error fcgi_waiting_init(struct fcgi_waiting *waiting)
{
    waiting->first = NULL;
    waiting->peeked = NULL;
    waiting->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (waiting->timer < 0) {
        return HEARTH_IO;
    }
    pthread_mutex_init(&waiting->lock, NULL);
    return HEARTH_OK;
}

void fcgi_waiting_clean(struct fcgi_waiting *waiting)
{
    while (waiting->first) {
        struct fcgi_watch *watch = waiting->first;
        waiting->first = watch->next;
        waiting->expire(waiting->context, watch);
    }
    pthread_mutex_destroy(&waiting->lock);
    free(waiting->peeked);
    close(waiting->timer);
}

/* A head larger than the buffer does not count as arrived: such a connection waits for threads to
 * be free, or for its end. */
bool fcgi_waiting_head_arrived(struct fcgi_waiting *waiting, int connection)
{
    bool arrived = false;
    pthread_mutex_lock(&waiting->lock);
    if (!waiting->peeked) {
        waiting->peeked = malloc(waiting->peek_bytes);
    }
    if (waiting->peeked) {
        const ssize_t length =
            recv(connection, waiting->peeked, waiting->peek_bytes, MSG_PEEK | MSG_DONTWAIT);
        arrived = length > 0 ? fcgi_head_has_arrived(view_from(waiting->peeked, (size_t)length))
                             : length == 0 || errno != EAGAIN; /* reading fails at once */
    }
    pthread_mutex_unlock(&waiting->lock);
    return arrived;
}

static void start_timer(const struct fcgi_waiting *waiting)
{
    const struct itimerspec tick = {.it_value = {.tv_nsec = TICK_MS * 1000000L}};
    timerfd_settime(waiting->timer, 0, &tick, NULL);
}

static void put(struct fcgi_waiting *waiting, struct fcgi_watch *watch)
{
    pthread_mutex_lock(&waiting->lock);
    watch->next = waiting->first;
    waiting->first = watch;
    if (!watch->next) {
        start_timer(waiting);
    }
    pthread_mutex_unlock(&waiting->lock);
}

void fcgi_waiting_add(struct fcgi_waiting *waiting, struct fcgi_watch *watch,
                      enum fcgi_wait_kind waits_for, int64_t milliseconds)
{
    watch->waits_for = waits_for;
    watch->wait_end_ns = clock_monotonic_ns(&clock_system) + milliseconds * 1000000;
    watch->pause_end_ns = clock_monotonic_ns(&clock_system) + DRAIN_PAUSE_MS * INT64_C(1000000);
    if (waits_for == FCGI_WAIT_DRAIN) {
        shutdown(watch->fd, SHUT_WR);
    }
    put(waiting, watch);
}

/* Drops what has come. True once the peer has closed or failed, or pauses for too long. */
static bool drain(struct fcgi_watch *watch, int64_t now_ns)
{
    char piece[DRAIN_PIECE_BYTES];
    for (int i = 0; i < DRAIN_PIECES_PER_TICK; i++) {
        const ssize_t length = recv(watch->fd, piece, sizeof piece, MSG_DONTWAIT);
        if (length <= 0) {
            return length == 0 || errno != EAGAIN || now_ns >= watch->pause_end_ns;
        }
        watch->pause_end_ns = now_ns + DRAIN_PAUSE_MS * INT64_C(1000000);
    }
    return false;
}

static void look_after(struct fcgi_waiting *waiting, struct fcgi_watch *watch, int64_t now_ns)
{
    const bool over = now_ns >= watch->wait_end_ns;
    if (watch->waits_for == FCGI_WAIT_DRAIN) {
        if (drain(watch, now_ns) || over) {
            waiting->expire(waiting->context, watch);
            return;
        }
    } else if (fcgi_waiting_head_arrived(waiting, watch->fd) ||
               (!over && !waiting->threads_are_scarce(waiting->context))) {
        waiting->resume(waiting->context, watch);
        return;
    } else if (over) {
        waiting->expire(waiting->context, watch);
        return;
    }
    put(waiting, watch);
}

void fcgi_waiting_tick(struct fcgi_waiting *waiting)
{
    uint64_t expirations;
    if (read(waiting->timer, &expirations, sizeof expirations) < 0) {
        return; /* another thread was faster */
    }
    pthread_mutex_lock(&waiting->lock);
    struct fcgi_watch *watch = waiting->first;
    waiting->first = NULL;
    pthread_mutex_unlock(&waiting->lock);
    const int64_t now_ns = clock_monotonic_ns(&clock_system);
    while (watch) {
        struct fcgi_watch *next = watch->next;
        look_after(waiting, watch, now_ns);
        watch = next;
    }
}
