/*
 * keeper_server.c - the keeper's end of its socket. One thread, one poll(2) over all peers; each
 * has at most one frame under way. The published state lies in a mapping of its own besides, whose
 * descriptor every peer gets, for reading only: so a peer reads as a worker does.
 */
#include "handlers/sensor/keeper/keeper_server.h"

#include "handlers/sensor/disk/live_memory.h"

#include "handlers/sensor/keeper/keeper_frame.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    PEERS = 16,
    FIXED = 2, /* descriptors before the peers': the bell, the listener */
    FRAME_TIMEOUT_MS = 10000,
    IDLE_TIMEOUT_MS = 600000,
    LOOK_AROUND_MS = 1000,
    SEALING_STEP_MS = 20, /* how often a peer's seal is looked after */
    MS_NS = 1000000,
};

struct peer {
    int file;             /* -1 = free */
    unsigned char *bytes; /* a frame */
    size_t got, wanted, capacity;
    int64_t since_ns; /* of the frame's first byte, or of the last answer */
    struct frame_request request;
    bool seals;
    uint32_t number; /* of its seal */
};

struct keeper_server {
    struct keeper_server_options options;
    pthread_t thread;
    int bell, listener;
    int state_file, state_for_peers; /* the published state; the second for reading only */
    struct live_published *state;
    struct peer peers[PEERS];
    struct pollfd polled[FIXED + PEERS];
};

/* ---- Peers ---- */

static void expect_head(struct peer *peer, int64_t now_ns)
{
    peer->got = 0;
    peer->wanted = FRAME_REQUEST_BYTES;
    peer->since_ns = now_ns;
    peer->seals = false;
}

static void drop_peer(struct peer *peer)
{
    close(peer->file);
    memory_free(peer->bytes);
    *peer = (struct peer){.file = -1};
}

static bool make_room(struct peer *peer, size_t bytes)
{
    if (bytes <= peer->capacity)
        return true;
    unsigned char *grown = memory_resize(peer->bytes, bytes);
    if (!grown)
        return false;
    peer->bytes = grown;
    peer->capacity = bytes;
    return true;
}

static bool send_hello(const struct keeper_server *server, int file)
{
    unsigned char hello[FRAME_HELLO_BYTES];
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = {.bytes = {0}};
    struct iovec part = {hello, sizeof hello};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof control.bytes};
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(head), &server->state_for_peers, sizeof(int));
    frame_hello_format(hello);
    return sendmsg(file, &message, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)sizeof hello;
}

static struct peer *free_peer(struct keeper_server *server)
{
    for (size_t i = 0; i < PEERS; i++)
        if (server->peers[i].file < 0)
            return &server->peers[i];
    return NULL;
}

static void accept_peer(struct keeper_server *server)
{
    struct peer *peer = free_peer(server);
    int file = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (file < 0)
        return;
    if (!peer || !send_hello(server, file) || !make_room(peer, FRAME_REQUEST_BYTES)) {
        close(file);
        return;
    }
    peer->file = file;
    expect_head(peer, clock_monotonic_ns(server->options.clock));
}

/* ---- Frames ---- */

/* An answer is small: a peer that has no room for it does not read. */
static bool answer(struct keeper_server *server, struct peer *peer,
                   const struct frame_answer *given, const char *detail)
{
    unsigned char bytes[FRAME_ANSWER_BYTES + FRAME_DETAIL_BYTES + 1];
    struct frame_answer full = *given;
    int length = snprintf((char *)bytes + FRAME_ANSWER_BYTES, FRAME_DETAIL_BYTES + 1, "%s", detail);
    full.detail_bytes =
        length > FRAME_DETAIL_BYTES ? (uint32_t)FRAME_DETAIL_BYTES : (uint32_t)length;
    frame_answer_format(&full, bytes);
    size_t total = FRAME_ANSWER_BYTES + full.detail_bytes;
    expect_head(peer, clock_monotonic_ns(server->options.clock));
    return send(peer->file, bytes, total, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)total;
}

static bool take_rejected(const struct peer *peer, struct quarantine_entry *entries)
{
    const struct frame_request *request = &peer->request;
    const unsigned char *from =
        peer->bytes + FRAME_REQUEST_BYTES + (size_t)request->records * RECORD_BYTES;
    struct view bytes = view_from((const char *)from, request->rejected_bytes);
    size_t at = 0;
    for (uint32_t i = 0; i < request->rejected; i++)
        if (!frame_rejected_next(bytes, &at, &entries[i]))
            return false;
    return at == bytes.length;
}

static bool handle_append(struct keeper_server *server, struct peer *peer)
{
    const struct frame_request *request = &peer->request;
    struct frame_answer given = {.code = HEARTH_OK};
    struct quarantine_entry *entries = memory_new_zero(request->rejected + 1, sizeof *entries);
    if (!entries) {
        given.code = HEARTH_NO_MEMORY;
        return answer(server, peer, &given, "no memory for the quarantine");
    }
    bool sound = take_rejected(peer, entries);
    if (sound) {
        struct live_entry entry = {
            .records = (const struct record *)(peer->bytes + FRAME_REQUEST_BYTES),
            .record_count = request->records,
            .rejected = entries,
            .rejected_count = request->rejected,
        };
        live_store_commit(server->options.store, &entry, 1);
        given = (struct frame_answer){entry.outcome, entry.number, entry.result, 0};
    }
    memory_free(entries);
    return sound &&
           answer(server, peer, &given, given.code == HEARTH_OK ? "" : error_title(given.code));
}

/* The answer comes when it is done. */
static bool handle_seal(struct keeper_server *server, struct peer *peer)
{
    peer->number = keeper_requests_ask(server->options.requests);
    peer->seals = true;
    keeper_sealing_wake(server->options.sealing);
    return true;
}

static bool handle_frame(struct keeper_server *server, struct peer *peer)
{
    return peer->request.kind == FRAME_APPEND ? handle_append(server, peer)
                                              : handle_seal(server, peer);
}

/* The head is there: how much follows? */
static bool take_head(struct peer *peer)
{
    if (!frame_request_parse(peer->bytes, &peer->request))
        return false;
    peer->wanted = FRAME_REQUEST_BYTES + (size_t)peer->request.records * RECORD_BYTES +
                   peer->request.rejected_bytes;
    return make_room(peer, peer->wanted);
}

/* False: the connection is over. */
static bool read_peer(struct keeper_server *server, struct peer *peer)
{
    if (peer->seals) /* it waits; what it says now is none of a peer's business */
        return false;
    ssize_t step = recv(peer->file, peer->bytes + peer->got, peer->wanted - peer->got, 0);
    if (step < 0)
        return errno == EAGAIN || errno == EINTR;
    if (step == 0)
        return false;
    if (peer->got == 0)
        peer->since_ns = clock_monotonic_ns(server->options.clock);
    bool head_was_missing = peer->got < FRAME_REQUEST_BYTES;
    peer->got += (size_t)step;
    if (peer->got < peer->wanted)
        return true;
    if (head_was_missing && !take_head(peer))
        return false;
    return peer->got < peer->wanted || handle_frame(server, peer);
}

/* ---- What time brings ---- */

static bool is_too_slow(const struct keeper_server *server, const struct peer *peer, int64_t now_ns)
{
    if (peer->seals)
        return false;
    int64_t limit_ms =
        peer->got > 0 ? server->options.frame_timeout_ms : server->options.idle_timeout_ms;
    return now_ns - peer->since_ns > limit_ms * MS_NS;
}

/* True when it was answered; then `*alive` says whether the peer took it. */
static bool answer_seal(struct keeper_server *server, struct peer *peer, bool *alive)
{
    struct frame_answer given = {.result = {.first_ms = -1, .last_ms = -1}};
    if (!peer->seals ||
        !keeper_requests_served(server->options.requests, peer->number, &given.code))
        return false;
    *alive = answer(server, peer, &given, given.code == HEARTH_OK ? "" : error_title(given.code));
    return true;
}

static void look_after(struct keeper_server *server, struct peer *peer, bool readable)
{
    bool alive = true;
    int64_t now_ns = clock_monotonic_ns(server->options.clock);
    if (!answer_seal(server, peer, &alive) && readable)
        alive = read_peer(server, peer);
    if (!alive || is_too_slow(server, peer, now_ns))
        drop_peer(peer);
}

/* ---- The thread ---- */

static int fill_polled(struct keeper_server *server)
{
    int timeout_ms = LOOK_AROUND_MS;
    server->polled[0] = (struct pollfd){.fd = server->bell, .events = POLLIN};
    server->polled[1] =
        (struct pollfd){.fd = free_peer(server) ? server->listener : -1, .events = POLLIN};
    for (size_t i = 0; i < PEERS; i++) {
        server->polled[FIXED + i] = (struct pollfd){.fd = server->peers[i].file, .events = POLLIN};
        if (server->peers[i].file >= 0 && server->peers[i].seals)
            timeout_ms = SEALING_STEP_MS;
    }
    return timeout_ms;
}

static void *run(void *argument)
{
    struct keeper_server *server = argument;
    for (;;) {
        int timeout_ms = fill_polled(server);
        int ready = poll(server->polled, FIXED + PEERS, timeout_ms);
        if (ready < 0 && errno != EINTR)
            break;
        if (ready > 0 && server->polled[0].revents != 0)
            break;
        for (size_t i = 0; i < PEERS; i++)
            if (server->peers[i].file >= 0)
                look_after(server, &server->peers[i],
                           ready > 0 && server->polled[FIXED + i].revents != 0);
        if (ready > 0 && server->polled[1].revents != 0)
            accept_peer(server);
    }
    return NULL;
}

/* ---- Life ---- */

/* The published state in a mapping of its own. */
static bool open_state(struct keeper_server *server)
{
    char path[64];
    server->state_file = memfd_create("hearth-published", MFD_CLOEXEC);
    if (server->state_file < 0 || ftruncate(server->state_file, (off_t)sizeof *server->state) != 0)
        return false;
    snprintf(path, sizeof path, "/proc/self/fd/%d", server->state_file);
    server->state_for_peers = open(path, O_RDONLY | O_CLOEXEC);
    void *mapped = mmap(NULL, sizeof *server->state, PROT_READ | PROT_WRITE, MAP_SHARED,
                        server->state_file, 0);
    if (server->state_for_peers < 0 || mapped == MAP_FAILED)
        return false;
    server->state = mapped;
    live_store_mirror(server->options.store, server->state);
    return true;
}

static void close_file(int file)
{
    if (file >= 0)
        close(file);
}

static void free_server(struct keeper_server *server)
{
    for (size_t i = 0; i < PEERS; i++)
        if (server->peers[i].file >= 0)
            drop_peer(&server->peers[i]);
    if (server->state) {
        live_store_mirror(server->options.store, NULL);
        munmap(server->state, sizeof *server->state);
    }
    close_file(server->state_for_peers);
    close_file(server->state_file);
    close_file(server->listener);
    close_file(server->bell);
    memory_free(server);
}

static bool start_thread(struct keeper_server *server)
{
    sigset_t all, before;
    sigfillset(&all);
    sigdelset(&all, SIGBUS);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int number = pthread_create(&server->thread, NULL, run, server);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = number;
    return number == 0;
}

static struct keeper_server *new_server(const struct keeper_server_options *options)
{
    struct keeper_server *server = memory_new_zero(1, sizeof *server);
    if (!server)
        return NULL;
    server->options = *options;
    if (server->options.frame_timeout_ms == 0)
        server->options.frame_timeout_ms = FRAME_TIMEOUT_MS;
    if (server->options.idle_timeout_ms == 0)
        server->options.idle_timeout_ms = IDLE_TIMEOUT_MS;
    server->bell = server->listener = server->state_file = server->state_for_peers = -1;
    for (size_t i = 0; i < PEERS; i++)
        server->peers[i].file = -1;
    return server;
}

struct keeper_server *keeper_server_start(const struct keeper_server_options *options,
                                          struct error_record *error)
{
    struct keeper_server *server = new_server(options);
    if (!server) {
        error_set_internal(error, HEARTH_NO_MEMORY, 0, "no memory for the keeper's socket");
        return NULL;
    }
    server->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    bool started = server->bell >= 0 && open_state(server);
    if (started) {
        server->listener = keeper_socket_open(options->directory, true);
        started = server->listener >= 0 && start_thread(server);
    }
    if (started)
        return server;
    error_set_internal(error, HEARTH_IO, errno, "%s/keeper.sock: %s", options->directory,
                       strerror(errno));
    free_server(server);
    return NULL;
}

void keeper_server_stop(struct keeper_server *server)
{
    if (!server)
        return;
    char path[LIVE_DIRECTORY_BYTES + 16];
    const uint64_t one = 1;
    snprintf(path, sizeof path, "%s/keeper.sock", server->options.directory);
    unlink(path);
    if (write(server->bell, &one, sizeof one) < 0)
        errno = 0;
    pthread_join(server->thread, NULL);
    free_server(server);
}
