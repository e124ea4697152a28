/*
 * keeper_client.c - a reading store over the keeper of another process.
 *
 * With its hello the keeper hands over a descriptor of what it publishes, and the client reads the
 * files by that, as a worker does. When the keeper has gone the client connects to its successor:
 * the new state is mapped over the old one, so that readers never lose their place. An append that
 * was broken off is sent again, once; what got through the first time is a duplicate then.
 */
#include "handlers/sensor/keeper/keeper_socket.h"

#include "handlers/sensor/disk/live_memory.h"

#include "handlers/sensor/embedded_store.h"
#include "handlers/sensor/keeper/keeper_frame.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    CONNECT_PATIENCE_MS = 3000,
    POLL_STEP_MS = 1000,
    GRACE_MS = 2000, /* the keeper is given more than it is told that we wait */
    MS_NS = 1000000,
};

struct keeper_client {
    struct reading_store store; /* first: the functions are given this */
    char directory[LIVE_DIRECTORY_BYTES];
    const struct clock *clock;
    struct reading_store *reader; /* over `state` */
    struct live_published *state; /* mapped, for reading only */
    pthread_mutex_t lock;         /* guards the rest */
    int file;                     /* -1 = not connected */
    unsigned char *rejected;      /* FRAME_REJECTED_BYTES, made when needed */
};

static struct keeper_client *client_of(struct reading_store *store)
{
    return (struct keeper_client *)(void *)store;
}

/* ---- Connecting ---- */

static bool await(const struct keeper_client *client, short events, int64_t deadline_ns)
{
    for (;;) {
        int64_t left_ns = deadline_ns - clock_monotonic_ns(client->clock);
        if (left_ns <= 0)
            return false;
        int step_ms = left_ns / MS_NS < POLL_STEP_MS ? (int)(left_ns / MS_NS) + 1 : POLL_STEP_MS;
        struct pollfd polled = {.fd = client->file, .events = events};
        int ready = poll(&polled, 1, step_ms);
        if (ready > 0)
            return true;
        if (ready < 0 && errno != EINTR)
            return false;
    }
}

static void disconnect(struct keeper_client *client)
{
    if (client->file >= 0)
        close(client->file);
    client->file = -1;
}

/* The descriptor that came with the hello, or -1. */
static int passed_file(struct msghdr *message)
{
    int file = -1;
    for (struct cmsghdr *head = CMSG_FIRSTHDR(message); head; head = CMSG_NXTHDR(message, head))
        if (head->cmsg_level == SOL_SOCKET && head->cmsg_type == SCM_RIGHTS &&
            head->cmsg_len == CMSG_LEN(sizeof(int)))
            memcpy(&file, CMSG_DATA(head), sizeof file);
    return file;
}

/* Over what is mapped already, if anything is. */
static bool map_state(struct keeper_client *client, int file)
{
    int flags = MAP_SHARED | (client->state ? MAP_FIXED : 0);
    void *mapped = mmap(client->state, sizeof *client->state, PROT_READ, flags, file, 0);
    if (mapped == MAP_FAILED)
        return false;
    client->state = mapped;
    return true;
}

static bool receive_hello(struct keeper_client *client)
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
    int64_t deadline_ns = clock_monotonic_ns(client->clock) + (int64_t)CONNECT_PATIENCE_MS * MS_NS;
    if (!await(client, POLLIN, deadline_ns))
        return false;
    ssize_t got = recvmsg(client->file, &message, MSG_CMSG_CLOEXEC);
    int file = got > 0 ? passed_file(&message) : -1;
    bool good = got == (ssize_t)sizeof hello && frame_hello_parse(hello) && file >= 0 &&
                map_state(client, file);
    if (file >= 0)
        close(file);
    return good;
}

static enum hearth_error connect_to_keeper(struct keeper_client *client, struct error_record *error)
{
    disconnect(client);
    client->file = keeper_socket_open(client->directory, false);
    if (client->file >= 0 && receive_hello(client))
        return HEARTH_OK;
    disconnect(client);
    return error_set_internal(error, HEARTH_UNAVAILABLE, errno,
                              "no keeper answers at %s/keeper.sock", client->directory);
}

/* The keeper never speaks first: what can be read now is the end. */
static bool is_connected(const struct keeper_client *client)
{
    struct pollfd polled = {.fd = client->file, .events = POLLIN};
    return client->file >= 0 && poll(&polled, 1, 0) == 0;
}

/* ---- Frames ---- */

static bool send_all(const struct keeper_client *client, const void *bytes, size_t count,
                     int64_t deadline_ns)
{
    const char *at = bytes;
    while (count > 0) {
        ssize_t step = send(client->file, at, count, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (step < 0 && errno == EAGAIN && await(client, POLLOUT, deadline_ns))
            continue;
        if (step < 0 && errno != EINTR)
            return false;
        at += step > 0 ? step : 0;
        count -= step > 0 ? (size_t)step : 0;
    }
    return true;
}

static bool receive_all(const struct keeper_client *client, void *bytes, size_t count,
                        int64_t deadline_ns)
{
    char *at = bytes;
    while (count > 0) {
        if (!await(client, POLLIN, deadline_ns))
            return false;
        ssize_t step = recv(client->file, at, count, 0);
        if (step == 0 || (step < 0 && errno != EINTR))
            return false;
        at += step > 0 ? step : 0;
        count -= step > 0 ? (size_t)step : 0;
    }
    return true;
}

/* What one frame carries. */
struct load {
    struct frame_request request;
    const struct record *records;
    const unsigned char *rejected;
};

/* False: the connection is over, or the deadline has passed. */
static bool exchange(struct keeper_client *client, const struct load *load, int64_t deadline_ns,
                     struct frame_answer *answer, char detail[FRAME_DETAIL_BYTES + 1])
{
    unsigned char head[FRAME_REQUEST_BYTES], reply[FRAME_ANSWER_BYTES];
    frame_request_format(&load->request, head);
    if (!send_all(client, head, sizeof head, deadline_ns) ||
        !send_all(client, load->records, (size_t)load->request.records * RECORD_BYTES,
                  deadline_ns) ||
        !send_all(client, load->rejected, load->request.rejected_bytes, deadline_ns) ||
        !receive_all(client, reply, sizeof reply, deadline_ns) ||
        !frame_answer_parse(reply, answer) ||
        !receive_all(client, detail, answer->detail_bytes, deadline_ns))
        return false;
    detail[answer->detail_bytes] = '\0';
    return true;
}

/* Under the lock. */
static enum hearth_error ask(struct keeper_client *client, struct load *load, int64_t deadline_ns,
                             struct append_result *result, struct error_record *error)
{
    struct frame_answer answer = {.code = HEARTH_UNAVAILABLE};
    char detail[FRAME_DETAIL_BYTES + 1] = "";
    bool answered = false;
    *result = answer.result;
    int64_t left_ms = (deadline_ns - clock_monotonic_ns(client->clock)) / MS_NS;
    load->request.timeout_ms = left_ms > INT32_MAX ? INT32_MAX
                               : left_ms < 0       ? 0
                                                   : (uint32_t)left_ms;
    if (deadline_ns < INT64_MAX - (int64_t)GRACE_MS * MS_NS)
        deadline_ns += (int64_t)GRACE_MS * MS_NS;
    for (int attempt = 0; attempt < 2 && !answered; attempt++) {
        if (!is_connected(client)) {
            enum hearth_error code = connect_to_keeper(client, error);
            if (code != HEARTH_OK)
                return code;
        }
        answered = exchange(client, load, deadline_ns, &answer, detail);
        if (!answered)
            disconnect(client); /* whatever was under way must not be taken for another's answer */
        if (!answered && clock_monotonic_ns(client->clock) >= deadline_ns)
            return error_set_internal(error, HEARTH_DEADLINE, 0, "the keeper did not answer");
    }
    if (!answered)
        return error_set_internal(error, HEARTH_UNAVAILABLE, 0, "the keeper went away");
    *result = answer.result;
    return answer.code == HEARTH_OK
               ? HEARTH_OK
               : error_set_internal(error, answer.code, answer.number, "the keeper: %s", detail);
}

/* ---- Appending ---- */

static enum hearth_error append_records(struct keeper_client *client, const struct record *records,
                                        size_t count, int64_t deadline_ns,
                                        struct append_result *sum, struct error_record *error)
{
    for (size_t at = 0, step; at < count; at += step) {
        struct append_result result;
        step = count - at < FRAME_RECORDS ? count - at : FRAME_RECORDS;
        struct load load = {.request = {.kind = FRAME_APPEND, .records = (uint32_t)step},
                            .records = records + at};
        enum hearth_error code = ask(client, &load, deadline_ns, &result, error);
        if (code != HEARTH_OK)
            return code;
        append_result_add(sum, &result);
    }
    return HEARTH_OK;
}

/* As many rejected readings as a frame takes, from `*at` on. */
static enum hearth_error fill_rejected(struct keeper_client *client,
                                       const struct rejected_reading *rejected, size_t count,
                                       size_t *at, struct frame_request *request,
                                       struct error_record *error)
{
    size_t length = 0;
    if (!client->rejected)
        client->rejected = memory_new(FRAME_REJECTED_BYTES);
    if (!client->rejected)
        return error_set_internal(error, HEARTH_NO_MEMORY, 0, "no memory for rejected readings");
    while (*at < count && request->rejected < FRAME_REJECTED &&
           frame_rejected_put(client->rejected, &length, &rejected[*at])) {
        request->rejected++;
        ++*at;
    }
    request->rejected_bytes = (uint32_t)length;
    return request->rejected > 0 ? HEARTH_OK
                                 : error_set_internal(error, HEARTH_BODY_TOO_LARGE, 0,
                                                      "a rejected reading of over 1 MB");
}

static enum hearth_error append_rejected(struct keeper_client *client,
                                         const struct rejected_reading *rejected, size_t count,
                                         int64_t deadline_ns, struct append_result *sum,
                                         struct error_record *error)
{
    for (size_t at = 0; at < count;) {
        struct append_result result;
        struct load load = {.request = {.kind = FRAME_APPEND}};
        enum hearth_error code = fill_rejected(client, rejected, count, &at, &load.request, error);
        load.rejected = client->rejected;
        if (code == HEARTH_OK)
            code = ask(client, &load, deadline_ns, &result, error);
        if (code != HEARTH_OK)
            return code;
        append_result_add(sum, &result);
    }
    return HEARTH_OK;
}

static enum hearth_error client_append(struct reading_store *store, const struct record *records,
                                       size_t count, const struct rejected_reading *rejected,
                                       size_t rejected_count, int64_t deadline_ns,
                                       struct append_result *result, struct error_record *error)
{
    struct keeper_client *client = client_of(store);
    *result = (struct append_result){.first_ms = -1, .last_ms = -1};
    pthread_mutex_lock(&client->lock);
    enum hearth_error code = append_records(client, records, count, deadline_ns, result, error);
    if (code == HEARTH_OK)
        code = append_rejected(client, rejected, rejected_count, deadline_ns, result, error);
    pthread_mutex_unlock(&client->lock);
    return code;
}

static enum hearth_error client_seal(struct reading_store *store, int64_t deadline_ns,
                                     struct error_record *error)
{
    struct keeper_client *client = client_of(store);
    struct append_result result;
    struct load load = {.request = {.kind = FRAME_SEAL}};
    pthread_mutex_lock(&client->lock);
    enum hearth_error code = ask(client, &load, deadline_ns, &result, error);
    pthread_mutex_unlock(&client->lock);
    return code;
}

/* ---- Reading: with the state of the keeper that runs, or else of the one that ran last ---- */

static struct reading_store *reader_of(struct reading_store *store)
{
    struct keeper_client *client = client_of(store);
    pthread_mutex_lock(&client->lock);
    if (!is_connected(client) && connect_to_keeper(client, NULL) != HEARTH_OK)
        disconnect(client);
    pthread_mutex_unlock(&client->lock);
    return client->reader;
}

static enum hearth_error client_range(struct reading_store *store,
                                      const struct reading_range *range, range_visit_fn *visit,
                                      void *context, struct error_record *error)
{
    struct reading_store *reader = reader_of(store);
    return reader->range(reader, range, visit, context, error);
}

static enum hearth_error client_latest(struct reading_store *store, struct latest_reading *latest,
                                       size_t capacity, size_t *count, struct error_record *error)
{
    struct reading_store *reader = reader_of(store);
    return reader->latest(reader, latest, capacity, count, error);
}

static enum hearth_error client_series(struct reading_store *store, struct reading_series *series,
                                       size_t capacity, size_t *count, struct error_record *error)
{
    struct reading_store *reader = reader_of(store);
    return reader->series(reader, series, capacity, count, error);
}

static enum hearth_error client_state(struct reading_store *store, struct store_state *state,
                                      struct error_record *error)
{
    struct reading_store *reader = reader_of(store);
    return reader->state(reader, state, error);
}

static enum hearth_error client_aggregate(struct reading_store *store,
                                          const struct bucket_query *query, bucket_visit_fn *visit,
                                          void *context, struct aggregate_statistics *statistics,
                                          struct error_record *error)
{
    struct reading_store *reader = reader_of(store);
    return reader->aggregate(reader, query, visit, context, statistics, error);
}

static enum hearth_error client_tail(struct reading_store *store, struct tail_cursor *cursor,
                                     struct record *records, size_t capacity,
                                     struct tail_result *result, struct error_record *error)
{
    struct reading_store *reader = reader_of(store);
    return reader->tail(reader, cursor, records, capacity, result, error);
}

/* ---- Life ---- */

static void client_free(struct reading_store *store)
{
    struct keeper_client *client = client_of(store);
    if (client->reader)
        client->reader->free(client->reader);
    disconnect(client);
    if (client->state)
        munmap(client->state, sizeof *client->state);
    pthread_mutex_destroy(&client->lock);
    memory_free(client->rejected);
    memory_free(client);
}

struct reading_store *keeper_client_open(const struct live_store_options *options,
                                         struct error_record *error)
{
    struct keeper_client *client = memory_new_zero(1, sizeof *client);
    if (!client) {
        error_set_internal(error, HEARTH_NO_MEMORY, 0, "no memory for the keeper's client");
        return NULL;
    }
    client->file = -1;
    client->clock = options->clock;
    memcpy(client->directory, options->directory, sizeof client->directory);
    pthread_mutex_init(&client->lock, NULL);
    client->store = (struct reading_store){
        .append = client_append,
        .range = client_range,
        .latest = client_latest,
        .series = client_series,
        .state = client_state,
        .aggregate = client_aggregate,
        .tail = client_tail,
        .seal = client_seal,
        .free = client_free,
    };
    if (connect_to_keeper(client, error) == HEARTH_OK)
        client->reader = embedded_store_reader(options, client->state, error);
    if (client->reader)
        return &client->store;
    client_free(&client->store);
    return NULL;
}

struct reading_store *command_store_open(const struct live_store_options *options,
                                         struct error_record *error)
{
    struct error_record locked = {0}, away = {0};
    struct reading_store *store = embedded_store_local_with(options, &locked);
    if (!store && locked.code == HEARTH_LOCKED)
        store = keeper_client_open(options, &away);
    if (!store && error)
        *error = locked;
    return store;
}
