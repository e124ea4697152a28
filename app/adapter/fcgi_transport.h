/*
 * fcgi_transport.h - one FastCGI request over one connection, whatever library speaks the protocol.
 *
 * The seam behind which libfcgi stands: nothing outside fcgi_transport.c knows it. A thread has one
 * exchange and uses it again and again:
 *
 *     if (fcgi_exchange_begin(exchange, connection)) {      reads the head
 *         ... parameters, read, write, flush ...
 *         complete or break_off
 *         fate = fcgi_exchange_end(exchange);
 *     }
 *
 * Connections are blocking sockets that carry receive and send time-outs (fcgi_socket_prepare).
 * An exchange may be used by one thread at a time.
 *
 * FastCGI Specification 1.0, Open Market 1996.
 */
#ifndef HEARTH_FCGI_TRANSPORT_H
#define HEARTH_FCGI_TRANSPORT_H

#include "app/adapter/fcgi_places.h"
#include "app/adapter/fcgi_socket.h"
#include "hearth/base.h"

/* How a worker comes by its connections. */
enum fcgi_mode {
    FCGI_MODE_HANDED,   /* the worker accepts and watches them, and hands over a readable one */
    FCGI_MODE_ACCEPTING /* the library accepts; a connection serves one request */
};

/* Once a process, before threads; children inherit it. The signal handlers that the library
 * installs are put back to what they were. Errors: HEARTH_UNSUPPORTED. */
HEARTH_MUST_CHECK enum hearth_error fcgi_transport_init(void);
/* Runs requests over a socket pair: does the library take a connection that is handed to it, keep
 * it, give up a bad one without accepting another, and hold its input as this file believes? On
 * false `why` says what differs and FCGI_MODE_ACCEPTING must be used. About a millisecond. */
bool fcgi_transport_check(char *why, size_t why_size);
/* For tests: from now on the check finds that handed connections are not taken. */
void fcgi_transport_distrust(bool distrust);

struct fcgi_exchange;

/* `listener` is only used in FCGI_MODE_ACCEPTING. NULL when memory ran out. */
struct fcgi_exchange *fcgi_exchange_new(enum fcgi_mode mode, int listener,
                                        const struct fcgi_time_limits *limits);
void fcgi_exchange_free(
    struct fcgi_exchange *exchange); /* NULL is allowed; between requests only */

/* Reads the head of a request from `connection`, or in FCGI_MODE_ACCEPTING accepts one first
 * (`connection` is then ignored, the listener does not block). False: there is no request, and the
 * connection, if there was one, has been closed: the peer closed it, sent something else than a
 * request for a responder, or was too slow. */
HEARTH_MUST_CHECK bool fcgi_exchange_begin(struct fcgi_exchange *exchange, int connection);

/* "NAME=value" each, NULL behind the last; valid until the end. The texts may be changed in place.
 * A NUL in a name or value ends it. */
char **fcgi_exchange_parameters(struct fcgi_exchange *exchange);
int fcgi_exchange_connection(const struct fcgi_exchange *exchange);

/* Whose count waiting threads belong to; must outlive the exchange. Without it there is no limit.
 */
void fcgi_exchange_share(struct fcgi_exchange *exchange, struct fcgi_places *places);

/* How long a read waits for bytes that have not arrived. */
enum fcgi_wait {
    FCGI_WAIT_FULLY,   /* for the receive time-out, then it is an error; without a place, briefly */
    FCGI_WAIT_BRIEFLY, /* as long as the end of a request takes that is sent in two pieces */
    FCGI_WAIT_NOT
};

/* Bytes of the body. `*length` = 0 is the end or, unless it waits fully, that nothing more has
 * arrived. Errors: REQUEST_TIMEOUT, BUSY (there was no place to wait), CLIENT_GONE (closed, or
 * broken records). */
HEARTH_MUST_CHECK enum hearth_error fcgi_exchange_read(struct fcgi_exchange *exchange, char *to,
                                                       size_t capacity, enum fcgi_wait wait,
                                                       size_t *length);

/* Errors of the next three: CLIENT_GONE, DEADLINE (the peer takes nothing for the send time-out),
 * BUSY (it takes nothing, and there was no place to wait). */
HEARTH_MUST_CHECK enum hearth_error fcgi_exchange_write(struct fcgi_exchange *exchange,
                                                        struct view bytes);
HEARTH_MUST_CHECK enum hearth_error fcgi_exchange_flush(struct fcgi_exchange *exchange);
/* The answer is whole. */
HEARTH_MUST_CHECK enum hearth_error fcgi_exchange_complete(struct fcgi_exchange *exchange);
/* The answer must not look whole: shuts the connection in mid-answer. What was written and not yet
 * sent is dropped. */
void fcgi_exchange_break_off(struct fcgi_exchange *exchange);
/* Has the peer gone? Does not block. */
bool fcgi_exchange_peer_gone(const struct fcgi_exchange *exchange);

enum fcgi_fate {
    FCGI_FATE_KEEP,   /* ready for the next request */
    FCGI_FATE_CLOSE,  /* the caller closes it */
    FCGI_FATE_UNREAD, /* the caller closes it, after reading what the peer still sends */
    FCGI_FATE_GONE    /* has been closed */
};
/* Ends the exchange, also one that was neither completed nor broken off (then it is broken off). */
enum fcgi_fate fcgi_exchange_end(struct fcgi_exchange *exchange);

#endif
