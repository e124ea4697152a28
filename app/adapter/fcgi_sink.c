/*
 * fcgi_sink.c - see fcgi_sink.h.
 *
 * The head always begins with a Status line: it makes the front take a Location as it stands, where
 * without one a local Location would be an internal redirect. Headers that steer a front (it would
 * serve a file, or another address, in place of the answer) are left out, whoever set them.
 *
 * An answer that flows may go on behind the deadline of its request: each byte that the connection
 * has taken moves the end of sending on by what it may take at the least rate, though never further
 * than the request's time-out from now. So a large answer over a slow line arrives, and a peer that
 * falls below the least rate, however fast it was before, is left a time-out later at most. An
 * answer that only begins when the time is over, which is an error, has one time-out to be sent.
 *
 * The body: as long as the request said a length, no more is waited for than that, because a front
 * may send the record that ends the body later, or never. What has arrived beyond it is handed on,
 * so that the reader above sees that the lengths disagree. A GET whose length was not said (nginx
 * says none) has a body only if it comes along with the head: a front that never ended the input
 * would otherwise hold a thread for the receive time-out. Once the answer has been given, the rest
 * is not waited for either: a connection on which it is missing is drained without a thread.
 */
#include "app/adapter/fcgi_sink.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

enum { WRITE_PIECE_BYTES = 8192 }; /* from one look at the clock to the next */
#define SECOND_NS INT64_C(1000000000)

/* ---- Status ---- */

struct reason {
    int status;
    const char *phrase;
};

static const struct reason reasons[] = {
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {203, "Non-Authoritative Information"},
    {204, "No Content"},
    {205, "Reset Content"},
    {206, "Partial Content"},
    {300, "Multiple Choices"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {411, "Length Required"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {416, "Range Not Satisfiable"},
    {417, "Expectation Failed"},
    {421, "Misdirected Request"},
    {422, "Unprocessable Content"},
    {425, "Too Early"},
    {426, "Upgrade Required"},
    {428, "Precondition Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {451, "Unavailable For Legal Reasons"},
    {500, "Internal Server Error"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {507, "Insufficient Storage"},
};

/* By class where the number has no name of its own (RFC 9110, section 15). */
static const char *reason_phrase(int status)
{
    static const char *const classes[] = {"Success", "Redirection", "Client Error", "Server Error"};
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++) {
        if (reasons[i].status == status) {
            return reasons[i].phrase;
        }
    }
    return status >= 200 && status < 600 ? classes[status / 100 - 2] : "Unknown";
}

/* ---- Head ---- */

/* What a front obeys instead of passing it on: nginx, Apache and lighttpd in this order. */
static bool is_command(struct view name)
{
    return view_starts_with_ignore_case(name, VIEW("x-accel-")) ||
           view_starts_with_ignore_case(name, VIEW("x-sendfile")) ||
           view_starts_with_ignore_case(name, VIEW("x-lighttpd-")) ||
           view_equal_ignore_case(name, VIEW("status"));
}

static enum hearth_error write_header(struct fcgi_exchange *exchange, struct view name,
                                      struct view value)
{
    const struct view pieces[] = {name, VIEW(": "), value, VIEW("\r\n")};
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        const enum hearth_error error = fcgi_exchange_write(exchange, pieces[i]);
        if (error != HEARTH_OK) {
            return error;
        }
    }
    return HEARTH_OK;
}

enum { DIGITS_SIZE = 20 };

/* Without printf, which every answer would call twice. The digits stand at the end of `space`. */
static struct view decimal(char space[DIGITS_SIZE], uint64_t number)
{
    char *first = space + DIGITS_SIZE;
    do {
        *--first = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    return view_from(first, (size_t)(space + DIGITS_SIZE - first));
}

static enum hearth_error write_status(struct fcgi_exchange *exchange, int status)
{
    char digits[DIGITS_SIZE], text[64];
    const struct view code = decimal(digits, (uint64_t)status);
    const struct view reason = view_of(reason_phrase(status));
    const size_t length = reason.length < 48 ? reason.length : 48;
    memcpy(text, code.data, code.length);
    text[code.length] = ' ';
    memcpy(text + code.length + 1, reason.data, length);
    return write_header(exchange, VIEW("Status"), view_from(text, code.length + 1 + length));
}

static enum hearth_error write_length(struct fcgi_exchange *exchange, int64_t bytes)
{
    char digits[DIGITS_SIZE];
    return write_header(exchange, VIEW("Content-Length"), decimal(digits, (uint64_t)bytes));
}

static enum hearth_error write_head(struct fcgi_exchange *exchange,
                                    const struct response_head *head)
{
    enum hearth_error error = write_status(exchange, head->status);
    for (size_t i = 0; i < head->headers.count && error == HEARTH_OK; i++) {
        const struct pair *header = &head->headers.items[i];
        if (!is_command(header->name)) {
            error = write_header(exchange, header->name, header->value);
        }
    }
    if (error == HEARTH_OK && head->content_length >= 0) {
        error = write_length(exchange, head->content_length);
    }
    return error == HEARTH_OK ? fcgi_exchange_write(exchange, VIEW("\r\n")) : error;
}

/* ---- The sink ---- */

static bool time_is_over(const struct fcgi_sink *sink)
{
    return clock_monotonic_ns(sink->clock) >= sink->deadline_ns;
}

static void begin_sending(struct fcgi_sink *sink)
{
    sink->send_end_ns = sink->deadline_ns;
    if (time_is_over(sink)) {
        sink->send_end_ns = clock_monotonic_ns(sink->clock) + sink->send_credit_ns;
    }
}

static void extend_sending(struct fcgi_sink *sink, size_t sent_bytes, int64_t now_ns)
{
    const int64_t latest_ns = now_ns + sink->send_credit_ns;
    sink->send_end_ns += (int64_t)sent_bytes * SECOND_NS / sink->least_send_bytes_per_s;
    if (sink->send_end_ns > latest_ns) {
        sink->send_end_ns = latest_ns;
    }
}

static enum hearth_error write_in_time(struct fcgi_sink *sink, struct view bytes)
{
    while (bytes.length > 0) {
        const int64_t now_ns = clock_monotonic_ns(sink->clock);
        if (now_ns >= sink->send_end_ns) {
            return HEARTH_DEADLINE;
        }
        const struct view piece = view_slice(bytes, 0, WRITE_PIECE_BYTES);
        const enum hearth_error error = fcgi_exchange_write(sink->exchange, piece);
        if (error != HEARTH_OK) {
            return error;
        }
        extend_sending(sink, piece.length, now_ns);
        bytes = view_skip(bytes, piece.length);
    }
    return HEARTH_OK;
}

static struct fcgi_sink *of_sink(struct response_sink *sink)
{
    return (struct fcgi_sink *)((char *)sink - offsetof(struct fcgi_sink, sink));
}

static enum hearth_error release(struct fcgi_sink *sink)
{
    sink->holding = false;
    const enum hearth_error error = write_head(sink->exchange, &sink->held_head);
    return error == HEARTH_OK ? write_in_time(sink, buffer_view(&sink->held)) : error;
}

static enum hearth_error sink_head(struct response_sink *base, const struct response_head *head)
{
    struct fcgi_sink *sink = of_sink(base);
    begin_sending(sink);
    if (sink->hold && head->content_length < 0) {
        sink->holding = true;
        sink->held_head = *head;
        return HEARTH_OK;
    }
    return write_head(sink->exchange, head);
}

static enum hearth_error sink_write(struct response_sink *base, struct view bytes)
{
    struct fcgi_sink *sink = of_sink(base);
    if (sink->holding) {
        if (buffer_append(&sink->held, bytes) == HEARTH_OK) {
            return HEARTH_OK;
        }
        const enum hearth_error error = release(sink); /* more than is held */
        if (error != HEARTH_OK) {
            return error;
        }
    }
    return write_in_time(sink, bytes);
}

/* Somebody wants the bytes now: they go, held or not. */
static enum hearth_error sink_flush(struct response_sink *base)
{
    struct fcgi_sink *sink = of_sink(base);
    const enum hearth_error error = sink->holding ? release(sink) : HEARTH_OK;
    return error == HEARTH_OK ? fcgi_exchange_flush(sink->exchange) : error;
}

/* What is held is the whole answer. */
static enum hearth_error release_whole(struct fcgi_sink *sink)
{
    if (!sink->holding) {
        return HEARTH_OK;
    }
    if (sink->held.length > 0) { /* else it is the answer to a HEAD, or has no body */
        sink->held_head.content_length = (int64_t)sink->held.length;
    }
    return release(sink);
}

static enum hearth_error sink_finish(struct response_sink *base)
{
    struct fcgi_sink *sink = of_sink(base);
    const enum hearth_error error = release_whole(sink);
    return error == HEARTH_OK ? fcgi_exchange_complete(sink->exchange) : error;
}

/* What ends an answer is a few bytes. */
static enum hearth_error sink_settle(struct response_sink *base, bool *finish_waits)
{
    struct fcgi_sink *sink = of_sink(base);
    enum hearth_error error = release_whole(sink);
    if (error == HEARTH_OK) {
        error = fcgi_exchange_flush(sink->exchange);
    }
    *finish_waits = !fcgi_socket_takes_more(fcgi_exchange_connection(sink->exchange));
    return error;
}

static const struct response_head bad_gateway = {.status = 502, .content_length = 0};

/* What is still held was never seen by the front: it can be told that the answer failed. */
static void sink_abort(struct response_sink *base)
{
    struct fcgi_sink *sink = of_sink(base);
    if (sink->holding) {
        sink->holding = false;
        if (write_head(sink->exchange, &bad_gateway) == HEARTH_OK &&
            fcgi_exchange_complete(sink->exchange) == HEARTH_OK) {
            return;
        }
    }
    fcgi_exchange_break_off(sink->exchange);
}

static bool sink_client_gone(struct response_sink *base)
{
    return fcgi_exchange_peer_gone(of_sink(base)->exchange);
}

/* ---- The body ---- */

static struct fcgi_sink *of_body(struct body_source *body)
{
    return (struct fcgi_sink *)((char *)body - offsetof(struct fcgi_sink, body));
}

static void body_leave(struct body_source *base)
{
    of_body(base)->body_left = true;
}

static enum fcgi_wait how_to_wait(const struct fcgi_sink *sink)
{
    if (sink->body_left) {
        return FCGI_WAIT_BRIEFLY;
    }
    if (sink->declared_bytes >= 0) {
        return sink->body_bytes < sink->declared_bytes ? FCGI_WAIT_FULLY : FCGI_WAIT_NOT;
    }
    return sink->body_is_unlikely && sink->body_bytes == 0 ? FCGI_WAIT_BRIEFLY : FCGI_WAIT_FULLY;
}

static enum hearth_error body_read_some(struct body_source *base, char *to, size_t capacity,
                                        size_t *length)
{
    struct fcgi_sink *sink = of_body(base);
    const int64_t left = sink->declared_bytes - sink->body_bytes;
    const enum fcgi_wait wait = how_to_wait(sink);
    if (left > 0 && capacity > (uint64_t)left) {
        capacity = (size_t)left;
    }
    if (wait == FCGI_WAIT_FULLY && time_is_over(sink)) {
        return HEARTH_REQUEST_TIMEOUT;
    }
    const enum hearth_error error = fcgi_exchange_read(sink->exchange, to, capacity, wait, length);
    sink->body_bytes += (int64_t)*length;
    return error;
}

void fcgi_sink_init(struct fcgi_sink *sink, const struct fcgi_sink_options *options)
{
    *sink = (struct fcgi_sink){
        .sink = {.head = sink_head,
                 .write = sink_write,
                 .flush = sink_flush,
                 .finish = sink_finish,
                 .settle = sink_settle,
                 .abort = sink_abort,
                 .client_gone = sink_client_gone},
        .body = {.read = body_read_some, .leave = body_leave},
        .exchange = options->exchange,
        .clock = options->clock,
        .deadline_ns = options->deadline_ns,
        .send_end_ns = options->deadline_ns,
        .send_credit_ns = options->timeout_ns,
        .least_send_bytes_per_s = options->least_send_bytes_per_s,
        .declared_bytes = options->declared_bytes,
        .body_is_unlikely = options->body_is_unlikely,
        .hold = options->hold,
    };
    buffer_init(&sink->held, FCGI_HOLD_BYTES);
}

void fcgi_sink_clean(struct fcgi_sink *sink)
{
    buffer_clean(&sink->held);
}
