/*
 * fcgi_sink.h - where an answer goes and a body comes from, over a FastCGI exchange.
 *
 * The sink writes the head as a CGI answer (RFC 3875, section 6) and keeps from the front what it
 * would take as a command. One per request, used by one thread; it lives where the caller puts it.
 */
#ifndef HEARTH_FCGI_SINK_H
#define HEARTH_FCGI_SINK_H

#include "app/adapter/fcgi_transport.h"
#include "hearth/response.h"

struct fcgi_sink {
    struct response_sink sink; /* for app_handle */
    struct body_source body;   /* for request_input */

    struct fcgi_exchange *exchange;
    const struct clock *clock;
    int64_t deadline_ns;    /* no byte of the body is waited for later */
    int64_t send_end_ns;    /* no byte of the answer is sent later; moves on as they go */
    int64_t send_credit_ns; /* how far it may be ahead of now */
    int64_t least_send_bytes_per_s;
    int64_t declared_bytes; /* of the body; -1 = not said */
    int64_t body_bytes;     /* read so far */
    bool body_is_unlikely;
    bool body_left; /* nobody wants the rest of it */

    bool hold; /* hold an answer of unknown length back, see fcgi_sink_init */
    bool holding;
    struct response_head held_head;
    struct buffer held;
};

struct fcgi_sink_options {
    struct fcgi_exchange *exchange; /* Required. Between begin and end. */
    const struct clock *clock;      /* Required. */
    int64_t deadline_ns;            /* Required. Monotonic. */
    int64_t timeout_ns;             /* Required. From the request's arrival to the deadline. */
    int64_t least_send_bytes_per_s; /* Required. See fcgi_sink.c. */
    int64_t declared_bytes;         /* Required. CONTENT_LENGTH, -1 = not said. */
    /* GET and HEAD: when no length was said, a body is only looked for, not waited for. */
    bool body_is_unlikely;
    /* The front does not show its client that an answer broke off: one of unknown length is held,
     * up to FCGI_HOLD_BYTES, and gets its length or becomes an error. */
    bool hold;
};

enum { FCGI_HOLD_BYTES = 1 << 20 };

void fcgi_sink_init(struct fcgi_sink *sink, const struct fcgi_sink_options *options);
void fcgi_sink_clean(struct fcgi_sink *sink);

#endif
