/*
 * fcgi_transport.c - the one file that knows libfcgi (2.4.2).
 *
 * The library wants to own its connections: FCGX_Accept_r takes the next one by itself, and keeps a
 * kept one on the thread that has it. Here the worker owns them. A connection that has something to
 * read is handed over by setting `ipcFd` before FCGX_Accept_r, which then goes straight to reading;
 * the library's listener is -1, so that when a head cannot be read its own accept fails at once
 * (EBADF) instead of waiting for somebody else's request. `keepConnection` is set whatever the peer
 * asked for, so that FCGX_Finish_r leaves the descriptor alone; `detached` is set so that, where
 * the library does close, it does not wait two seconds for the peer first.
 *
 * When the parameters break off between two of them (the peer closed, was too slow, or sent another
 * kind of record), the library takes that for their end. The error it has noted meanwhile tells the
 * difference, and such a request is never run.
 *
 * FCGX_Finish_r drops what it has buffered of the input and does not read what is still to come. On
 * a kept connection a late end-of-input record would then be taken for the next request's head. So
 * before the answer is completed the input is read up to its end, if that end has arrived or does
 * within a moment; otherwise the connection is not used again. To see without blocking whether it
 * has arrived, this file looks into the library's input buffer (struct input_buffer below). That
 * layout, and all that is said here, is checked at start by fcgi_transport_check.
 */
#include "app/adapter/fcgi_transport.h"

#include <errno.h>
#include <fcgiapp.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "app/adapter/fcgi_records.h"
#include "hearth/clock.h"

/* How long a whole answer waits for the end of its request's input. The fronts send it together
 * with the request or right behind it; Apache in a write of its own. */
enum { INPUT_END_WAIT_MS = 100, PLACE_CHECK_MS = 5 };

/* What a socket that has room takes at once. */
enum { SEND_PIECE_BYTES = 8192 };

/* The library's FCGX_Stream_Data, as far as it matters. */
struct input_buffer {
    unsigned char *start;
    int size;
    unsigned char *allocation;
    unsigned char *stop; /* behind the last byte that was read from the socket */
    int type;
    int stop_at_record_end;
    int skip;
    int content_left; /* of the record that is being read */
    int padding_left;
};

struct fcgi_exchange {
    FCGX_Request request;
    enum fcgi_mode mode;
    struct fcgi_time_limits limits;
    struct fcgi_places *places;
    bool peer_keeps;     /* the peer asked for the connection to be kept */
    bool waited;         /* for the end of the input */
    int64_t patience_ms; /* left for waiting without a place until the peer reads */
    bool input_ended;    /* and nothing behind the end was read */
    bool completed;
    bool broken_off;
};

static bool distrusted;

/* ---- Start ---- */

enum hearth_error fcgi_transport_init(void)
{
    static const int signals[] = {SIGPIPE, SIGUSR1, SIGTERM};
    enum { COUNT = sizeof signals / sizeof signals[0] };
    struct sigaction before[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        sigaction(signals[i], NULL, &before[i]);
    }
    const int failed = FCGX_Init();
    for (size_t i = 0; i < COUNT; i++) {
        sigaction(signals[i], &before[i], NULL);
    }
    return failed ? HEARTH_UNSUPPORTED : HEARTH_OK;
}

void fcgi_transport_distrust(bool distrust)
{
    distrusted = distrust;
}

struct fcgi_exchange *fcgi_exchange_new(enum fcgi_mode mode, int listener,
                                        const struct fcgi_time_limits *limits)
{
    struct fcgi_exchange *exchange = calloc(1, sizeof *exchange);
    if (!exchange) {
        return NULL;
    }
    exchange->mode = mode;
    exchange->limits = *limits;
    FCGX_InitRequest(&exchange->request, mode == FCGI_MODE_ACCEPTING ? listener : -1,
                     FCGI_FAIL_ACCEPT_ON_INTR);
    return exchange;
}

void fcgi_exchange_share(struct fcgi_exchange *exchange, struct fcgi_places *places)
{
    exchange->places = places;
}

void fcgi_exchange_free(struct fcgi_exchange *exchange)
{
    free(exchange);
}

/* ---- The head ---- */

/* The library serves authorizers and filters as well, and closes on roles it does not know. */
static void refuse_role(struct fcgi_exchange *exchange)
{
    unsigned char record[FCGI_END_REQUEST_BYTES];
    fcgi_record_write_end(record, exchange->request.requestId, FCGI_UNKNOWN_ROLE);
    if (send(exchange->request.ipcFd, record, sizeof record, MSG_NOSIGNAL) < 0) {
        /* It has gone; then there is nobody to tell. */
    }
    FCGX_Free(&exchange->request, 1);
}

bool fcgi_exchange_begin(struct fcgi_exchange *exchange, int connection)
{
    FCGX_Request *request = &exchange->request;
    if (exchange->mode == FCGI_MODE_HANDED) {
        request->ipcFd = connection;
        request->keepConnection = 1;
        request->detached = 1;
    }
    if (FCGX_Accept_r(request) != 0) {
        request->ipcFd = -1;
        return false;
    }
    request->detached = 1;
    if (request->in->FCGI_errno != 0) {
        FCGX_Free(request, 1);
        return false;
    }
    if (request->role != FCGI_RESPONDER) {
        refuse_role(exchange);
        return false;
    }
    if (exchange->mode == FCGI_MODE_ACCEPTING) {
        fcgi_socket_prepare(request->ipcFd, &exchange->limits);
    }
    exchange->peer_keeps = request->keepConnection != 0;
    request->keepConnection = exchange->mode == FCGI_MODE_HANDED;
    exchange->waited = false;
    exchange->patience_ms = FCGI_WITHOUT_PLACE_MS;
    exchange->completed = false;
    exchange->broken_off = false;
    return true;
}

char **fcgi_exchange_parameters(struct fcgi_exchange *exchange)
{
    return exchange->request.envp;
}

int fcgi_exchange_connection(const struct fcgi_exchange *exchange)
{
    return exchange->request.ipcFd;
}

/* ---- The body ---- */

static enum hearth_error input_error(const FCGX_Stream *in)
{
    return in->FCGI_errno == 0        ? HEARTH_OK
           : in->FCGI_errno == EAGAIN ? HEARTH_REQUEST_TIMEOUT
                                      : HEARTH_CLIENT_GONE;
}

/* Do these bytes, the next of the input, let the library's fill return? It wants content of the
 * record it is in; or it skips the padding and wants a header, then the end or content again. */
static bool fill_is_satisfied(const struct input_buffer *buffer, const unsigned char *next,
                              size_t length)
{
    if (buffer->content_left > 0) {
        return length > 0;
    }
    const size_t header_end = (size_t)buffer->padding_left + FCGI_HEADER_BYTES;
    return length > header_end ||
           (length == header_end && fcgi_record_is_input_end(next + buffer->padding_left));
}

/* Would the library's next fill return without waiting for the peer? */
static bool input_has_arrived(const struct fcgi_exchange *exchange)
{
    const FCGX_Stream *in = exchange->request.in;
    if (in->isClosed || in->rdNext != in->stop) {
        return true;
    }
    const struct input_buffer *buffer = in->data;
    unsigned char next[UCHAR_MAX + FCGI_HEADER_BYTES + 1];
    size_t length = (size_t)(buffer->stop - in->rdNext);
    length = length < sizeof next ? length : sizeof next;
    memcpy(next, in->rdNext, length);
    if (fill_is_satisfied(buffer, next, length)) {
        return true;
    }
    const ssize_t more =
        recv(exchange->request.ipcFd, next + length, sizeof next - length, MSG_PEEK | MSG_DONTWAIT);
    if (more <= 0) {
        return more == 0 || errno != EAGAIN; /* closed or failed: a fill says so at once */
    }
    return fill_is_satisfied(buffer, next, length + (size_t)more);
}

static int64_t monotonic_ms(void)
{
    return clock_monotonic_ns(&clock_system) / 1000000;
}

/* Until the input goes on or ends. */
static bool poll_input(const struct fcgi_exchange *exchange, int64_t limit_ms)
{
    const int64_t end_ms = monotonic_ms() + limit_ms;
    for (int64_t left_ms = limit_ms; left_ms > 0; left_ms = end_ms - monotonic_ms()) {
        struct pollfd readable = {.fd = exchange->request.ipcFd, .events = POLLIN};
        const bool some = poll(&readable, 1, (int)left_ms) > 0;
        if (input_has_arrived(exchange)) {
            return true;
        }
        if (some) { /* half a header: poll would not wait for the rest */
            const struct timespec pause = {.tv_nsec = 1000000};
            nanosleep(&pause, NULL);
        }
    }
    return false;
}

/* Not for long, and only once a request. */
static bool wait_for_input(struct fcgi_exchange *exchange)
{
    if (input_has_arrived(exchange) || exchange->waited) {
        return input_has_arrived(exchange);
    }
    exchange->waited = true;
    /* The front can have the answer meanwhile. */
    return fcgi_exchange_flush(exchange) == HEARTH_OK && poll_input(exchange, INPUT_END_WAIT_MS);
}

/* Until the input goes on, there is a place, or patience is at its end: places are also held for a
 * moment by those who only might have had to wait. */
static bool wait_for_place(struct fcgi_exchange *exchange, bool *has_place)
{
    while (exchange->patience_ms > 0) {
        const int64_t began_ms = monotonic_ms();
        if (poll_input(exchange, PLACE_CHECK_MS)) {
            return true;
        }
        exchange->patience_ms -= monotonic_ms() - began_ms;
        *has_place = fcgi_places_take(exchange->places);
        if (*has_place) {
            return true;
        }
    }
    exchange->waited = true; /* long enough */
    return false;
}

/* The next byte, which may take the receive time-out; below zero, the end or `*error`. */
static int wait_for_byte(struct fcgi_exchange *exchange, enum fcgi_wait wait,
                         enum hearth_error *error)
{
    FCGX_Stream *in = exchange->request.in;
    const bool waits = wait == FCGI_WAIT_FULLY && exchange->mode == FCGI_MODE_HANDED &&
                       exchange->places && !input_has_arrived(exchange);
    bool has_place = waits && fcgi_places_take(exchange->places);
    if (waits && !has_place && !wait_for_place(exchange, &has_place)) {
        *error = HEARTH_BUSY;
        return -1;
    }
    const int byte = FCGX_GetChar(in);
    fcgi_places_give_back(has_place ? exchange->places : NULL);
    *error = byte < 0 ? input_error(in) : HEARTH_OK;
    return byte;
}

static bool may_read(struct fcgi_exchange *exchange, enum fcgi_wait wait)
{
    const FCGX_Stream *in = exchange->request.in;
    if (exchange->mode == FCGI_MODE_ACCEPTING) { /* its buffer cannot be looked into */
        return wait != FCGI_WAIT_NOT || in->rdNext != in->stop;
    }
    switch (wait) {
    case FCGI_WAIT_BRIEFLY:
        return fcgi_places_all_taken(exchange->places) ? input_has_arrived(exchange)
                                                       : wait_for_input(exchange);
    case FCGI_WAIT_NOT:
        return input_has_arrived(exchange);
    case FCGI_WAIT_FULLY:
        break;
    }
    return true;
}

enum hearth_error fcgi_exchange_read(struct fcgi_exchange *exchange, char *to, size_t capacity,
                                     enum fcgi_wait wait, size_t *length)
{
    FCGX_Stream *in = exchange->request.in;
    *length = 0;
    if (capacity == 0) {
        return HEARTH_OK;
    }
    if (!may_read(exchange, wait)) {
        return HEARTH_OK;
    }
    enum hearth_error error;
    const int first = wait_for_byte(exchange, wait, &error);
    if (first < 0) {
        return error;
    }
    to[0] = (char)first;
    /* What else is in hand; asking for more would wait until all of it has come. */
    const size_t ready = (size_t)(in->stop - in->rdNext);
    const size_t rest = ready < capacity - 1 ? ready : capacity - 1;
    *length = 1 + (size_t)FCGX_GetStr(to + 1, (int)rest, in);
    return HEARTH_OK;
}

/* Reads the input up to its end. False: it holds more of the body, has not ended in time, or goes
 * on behind the end, which would be lost with the library's buffer. */
static bool finish_input(struct fcgi_exchange *exchange)
{
    FCGX_Stream *in = exchange->request.in;
    if (!wait_for_input(exchange) || FCGX_GetChar(in) >= 0 || in->FCGI_errno != 0) {
        return false;
    }
    const struct input_buffer *buffer = in->data;
    return in->rdNext == buffer->stop;
}

/* ---- The answer ---- */

static enum hearth_error output_error(const FCGX_Stream *out)
{
    return out->FCGI_errno == EAGAIN ? HEARTH_DEADLINE : HEARTH_CLIENT_GONE;
}

/* Before the library writes to the socket, which blocks when the peer does not read. With a place,
 * to be given back behind it, nobody looks whether it will: that saves a call. */
static enum hearth_error prepare_to_send(struct fcgi_exchange *exchange, bool *has_place)
{
    const int connection = exchange->request.ipcFd;
    *has_place = exchange->places && fcgi_places_take(exchange->places);
    if (*has_place || !exchange->places || fcgi_socket_has_room(connection, 0)) {
        return HEARTH_OK;
    }
    const int64_t began_ms = monotonic_ms();
    const bool room =
        exchange->patience_ms > 0 && fcgi_socket_has_room(connection, exchange->patience_ms);
    exchange->patience_ms -= monotonic_ms() - began_ms;
    *has_place = !room && fcgi_places_take(exchange->places);
    return room || *has_place ? HEARTH_OK : HEARTH_BUSY;
}

static enum hearth_error put_piece(struct fcgi_exchange *exchange, const char *data, int length)
{
    FCGX_Stream *out = exchange->request.out;
    bool has_place = false;
    if (length > out->stop - out->wrNext) { /* more than the library buffers */
        const enum hearth_error error = prepare_to_send(exchange, &has_place);
        if (error != HEARTH_OK) {
            return error;
        }
    }
    const bool put = FCGX_PutStr(data, length, out) == length;
    fcgi_places_give_back(has_place ? exchange->places : NULL);
    return put ? HEARTH_OK : output_error(out);
}

enum hearth_error fcgi_exchange_write(struct fcgi_exchange *exchange, struct view bytes)
{
    enum hearth_error error = HEARTH_OK;
    while (bytes.length > 0 && error == HEARTH_OK) {
        const int length = bytes.length > SEND_PIECE_BYTES ? SEND_PIECE_BYTES : (int)bytes.length;
        error = put_piece(exchange, bytes.data, length);
        bytes = view_skip(bytes, (size_t)length);
    }
    return error;
}

enum hearth_error fcgi_exchange_flush(struct fcgi_exchange *exchange)
{
    FCGX_Stream *out = exchange->request.out;
    bool has_place;
    const enum hearth_error error = prepare_to_send(exchange, &has_place);
    if (error != HEARTH_OK) {
        return error;
    }
    const bool flushed = FCGX_FFlush(out) == 0 && out->FCGI_errno == 0;
    fcgi_places_give_back(has_place ? exchange->places : NULL);
    return flushed ? HEARTH_OK : output_error(out);
}

enum hearth_error fcgi_exchange_complete(struct fcgi_exchange *exchange)
{
    FCGX_Request *request = &exchange->request;
    bool has_place;
    exchange->input_ended = exchange->mode == FCGI_MODE_HANDED && finish_input(exchange);
    const enum hearth_error error = prepare_to_send(exchange, &has_place);
    if (error != HEARTH_OK) {
        return error;
    }
    /* Closing the error stream first lets all that ends the answer go out in one write. */
    exchange->completed = FCGX_FClose(request->err) == 0 && FCGX_FClose(request->out) == 0;
    fcgi_places_give_back(has_place ? exchange->places : NULL);
    return exchange->completed ? HEARTH_OK : output_error(request->out);
}

/* What the request is made of lives until the end. */
void fcgi_exchange_break_off(struct fcgi_exchange *exchange)
{
    exchange->broken_off = true;
    shutdown(exchange->request.ipcFd, SHUT_RDWR);
}

bool fcgi_exchange_peer_gone(const struct fcgi_exchange *exchange)
{
    return fcgi_socket_peer_gone(exchange->request.ipcFd);
}

enum fcgi_fate fcgi_exchange_end(struct fcgi_exchange *exchange)
{
    FCGX_Request *request = &exchange->request;
    if (!exchange->completed) {
        fcgi_exchange_break_off(exchange);
    }
    if (exchange->broken_off) {
        FCGX_Free(request, 1);
        return FCGI_FATE_GONE;
    }
    if (exchange->mode == FCGI_MODE_ACCEPTING) {
        /* With input left, closing at once could cost the peer the answer: let the library wait. */
        request->detached = request->in->isClosed && request->in->FCGI_errno == 0;
    }
    FCGX_Finish_r(request);
    if (request->ipcFd < 0) {
        return FCGI_FATE_GONE;
    }
    request->ipcFd = -1;
    if (!exchange->input_ended) {
        return FCGI_FATE_UNREAD;
    }
    return exchange->peer_keeps ? FCGI_FATE_KEEP : FCGI_FATE_CLOSE;
}

/* ---- Does this library behave as this file believes? ---- */

static const unsigned char sample_request[] = {
    1, 1, 0, 1, 0, 8, 0, 0, 0,   1,   1,   0,   0,   0, 0, 0, /* BEGIN_REQUEST, kept */
    1, 4, 0, 1, 0, 4, 4, 0, 1,   1,   'A', 'b', 0,   0, 0, 0, /* PARAMS, 4 of padding */
    1, 4, 0, 1, 0, 0, 0, 0,                                   /* PARAMS end */
    1, 5, 0, 1, 0, 5, 3, 0, 'h', 'e', 'l', 'l', 'o', 0, 0, 0, /* STDIN, 3 of padding */
    1, 5, 0, 1, 0, 0, 0, 0};                                  /* STDIN end */
enum { SAMPLE_BODY = 5, SAMPLE_PADDING = 3 };

static bool begin_sample(struct fcgi_exchange *exchange, const int pair[2], size_t bytes)
{
    return send(pair[1], sample_request, bytes, MSG_NOSIGNAL) == (ssize_t)bytes &&
           fcgi_exchange_begin(exchange, pair[0]);
}

static const char *check_head(const struct fcgi_exchange *exchange, int connection, size_t bytes)
{
    if (exchange->request.ipcFd != connection || !exchange->peer_keeps) {
        return "it does not take a connection that is handed to it";
    }
    if (!FCGX_GetParam("A", exchange->request.envp)) {
        return "it does not find the parameters";
    }
    const FCGX_Stream *in = exchange->request.in;
    const struct input_buffer *buffer = in->data;
    const ptrdiff_t behind_head = (ptrdiff_t)(bytes - 40);
    return buffer->stop - in->rdNext == behind_head ? NULL
                                                    : "its input buffer is laid out otherwise";
}

static const char *check_body(struct fcgi_exchange *exchange, size_t left)
{
    char body[SAMPLE_BODY];
    size_t length;
    if (fcgi_exchange_read(exchange, body, sizeof body, FCGI_WAIT_FULLY, &length) != HEARTH_OK ||
        length != sizeof body || memcmp(body, "hello", sizeof body) != 0) {
        return "it does not read the body";
    }
    const FCGX_Stream *in = exchange->request.in;
    const struct input_buffer *buffer = in->data;
    return buffer->content_left == 0 && buffer->padding_left == SAMPLE_PADDING &&
                   buffer->stop - in->rdNext == (ptrdiff_t)left &&
                   input_has_arrived(exchange) == (left > SAMPLE_PADDING)
               ? NULL
               : "its input buffer is laid out otherwise";
}

/* A whole request, answered; then one whose input does not end, broken off. */
static const char *check_two_requests(struct fcgi_exchange *exchange, const int pair[2])
{
    const size_t without_end = sizeof sample_request - FCGI_HEADER_BYTES;
    if (!begin_sample(exchange, pair, sizeof sample_request)) {
        return "it does not take a connection that is handed to it";
    }
    const char *why = check_head(exchange, pair[0], sizeof sample_request);
    why = why ? why : check_body(exchange, SAMPLE_PADDING + FCGI_HEADER_BYTES);
    if (!why && (fcgi_exchange_write(exchange, VIEW("x")) != HEARTH_OK ||
                 fcgi_exchange_complete(exchange) != HEARTH_OK)) {
        why = "it does not answer";
    }
    if (fcgi_exchange_end(exchange) != FCGI_FATE_KEEP || why) {
        return why ? why : "it does not keep a connection";
    }
    if (!begin_sample(exchange, pair, without_end)) {
        return "it does not take a kept connection again";
    }
    why = check_head(exchange, pair[0], without_end);
    why = why ? why : check_body(exchange, SAMPLE_PADDING);
    return fcgi_exchange_end(exchange) == FCGI_FATE_GONE ? why : "it does not break off";
}

/* The peer's side: one answer up to its END_REQUEST record, then the end. */
static const char *check_answer(int peer)
{
    unsigned char answer[128];
    size_t length = 0;
    for (;;) {
        const ssize_t more = recv(peer, answer + length, sizeof answer - length, 0);
        if (more < 0 || length + (size_t)more == sizeof answer) {
            return "its answer does not end";
        }
        if (more == 0) {
            break;
        }
        length += (size_t)more;
    }
    unsigned char end[FCGI_END_REQUEST_BYTES];
    fcgi_record_write_end(end, 1, 0);
    return length > sizeof end && memcmp(answer + length - sizeof end, end, sizeof end) == 0
               ? NULL
               : "its answer is not whole";
}

static const char *check_bad_head(struct fcgi_exchange *exchange, const int pair[2])
{
    static const unsigned char bad[FCGI_HEADER_BYTES] = {9, 9, 9, 9, 9, 9, 9, 9};
    char byte;
    if (send(pair[1], bad, sizeof bad, MSG_NOSIGNAL) != (ssize_t)sizeof bad ||
        fcgi_exchange_begin(exchange, pair[0]) || recv(pair[1], &byte, 1, 0) > 0) {
        return "it does not give up a connection that sends no request";
    }
    return NULL;
}

typedef const char *check_fn(struct fcgi_exchange *exchange, const int pair[2]);

/* The exchange closes its own end. */
static const char *check_over_pair(check_fn *check, bool answered)
{
    static const struct fcgi_time_limits limits = {.receive_ms = 1000, .send_ms = 1000};
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
        return "a socket pair cannot be made";
    }
    fcgi_socket_prepare(pair[0], &limits);
    fcgi_socket_prepare(pair[1], &limits);
    struct fcgi_exchange *exchange = fcgi_exchange_new(FCGI_MODE_HANDED, -1, &limits);
    const char *why = exchange ? check(exchange, pair) : "memory ran out";
    if (!why && answered) {
        why = check_answer(pair[1]);
    }
    fcgi_exchange_free(exchange);
    close(pair[1]);
    return why;
}

bool fcgi_transport_check(char *why, size_t why_size)
{
    const char *problem = distrusted ? "it was told not to be trusted" : NULL;
    problem = problem ? problem : check_over_pair(check_two_requests, true);
    problem = problem ? problem : check_over_pair(check_bad_head, false);
    snprintf(why, why_size, "%s", problem ? problem : "");
    return problem == NULL;
}
