/*
 * response.h - the answer: a two-state builder (head, then body) over a sink.
 *
 * Between response_init and the first body byte the head can be changed; after it, only written to.
 * A misordered call returns HEARTH_MISUSE and changes nothing. A handler that returns an error
 * before the head went out gets a problem document in its place; after that, the answer is aborted
 * so that the client sees it broken.
 *
 * An answer without a stated length is held back up to LIMIT_RESPONSE_HOLD bytes: if it ends within
 * them it gets a Content-Length. HEAD requests: the body is counted and dropped here. 204 and 304
 * have no body.
 *
 * Behind the handler's back every answer gets X-Request-Id, X-Content-Type-Options, what CORS asks
 * for, and traceresponse when the request came with a valid traceparent (see telemetry.h); they
 * replace a handler's own of these names.
 */
#ifndef HEARTH_RESPONSE_H
#define HEARTH_RESPONSE_H

#include "hearth/request.h"

struct response_head {
    int status;
    struct pairs headers; /* lives until the request's arena is reset */
    int64_t
        content_length; /* -1 = not known (then no Content-Length header is in `headers` either) */
};

/* Where an answer goes. One per request, used by one thread. Calls come in this order: head once,
 * write any number of times, settle if at all, then finish or abort once. Abort may come at any
 * time and is the last.
 */
struct response_sink {
    /* Errors of each: HEARTH_CLIENT_GONE, HEARTH_IO, HEARTH_DEADLINE, HEARTH_BUSY (the client does
     * not read, and no thread is to spare for it). */
    enum hearth_error (*head)(struct response_sink *sink, const struct response_head *head);
    /* All of `bytes` or an error; the bytes are the caller's and may change after the call. */
    enum hearth_error (*write)(struct response_sink *sink, struct view bytes);
    /* Pushes what is buffered towards the client. NULL = nothing is buffered. */
    enum hearth_error (*flush)(struct response_sink *sink);
    enum hearth_error (*finish)(struct response_sink *sink);
    /* Nothing more is written, and finish comes next: sends all but the end, which may wait for the
     * client. `*finish_waits`: so may finish, still. NULL = it may. */
    enum hearth_error (*settle)(struct response_sink *sink, bool *finish_waits);
    /* The answer must not look complete to the client. */
    void (*abort)(struct response_sink *sink);
    /* Has the client gone? Cheap, does not block. NULL = cannot tell. */
    bool (*client_gone)(struct response_sink *sink);
};

enum response_state { RESPONSE_HEAD, RESPONSE_BODY, RESPONSE_FINISHED, RESPONSE_ABORTED };

struct response {
    struct response_sink *sink;
    struct arena *arena;
    enum response_state state;
    struct response_head head;
    size_t header_capacity;
    bool without_body; /* HEAD request */
    bool head_sent;    /* to the sink: an error can no longer become a problem document */
    char *held;        /* from the arena, grows up to LIMIT_RESPONSE_HOLD bytes */
    size_t held_bytes, held_capacity;
    uint64_t body_bytes;      /* written by the handler so far */
    enum hearth_error failed; /* what the sink said, sticks */
};

/* `for_head`: the request is HEAD. */
void response_init(struct response *response, struct arena *arena, struct response_sink *sink,
                   bool for_head);
/* 200 until set. 100..199 is MISUSE. */
HEARTH_MUST_CHECK enum hearth_error response_set_status(struct response *response, int status);
/* Adds; the texts are copied into the arena, blanks around the value go. Errors: MISUSE (a name or
 * value that RFC 9110 does not allow, Content-Length (use response_set_length), Transfer-Encoding,
 * LIMIT_RESPONSE_HEADERS are there already, or the head is gone), NO_MEMORY. */
HEARTH_MUST_CHECK enum hearth_error response_add_header(struct response *response, struct view name,
                                                        struct view value);
/* Replaces every header of that name. */
HEARTH_MUST_CHECK enum hearth_error response_set_header(struct response *response, struct view name,
                                                        struct view value);
bool response_has_header(const struct response *response, struct view name);
/* From here on exactly so many bytes must be written: more is MISUSE, fewer aborts at finish. */
HEARTH_MUST_CHECK enum hearth_error response_set_length(struct response *response, uint64_t bytes);
/* Moves to the body. Errors: MISUSE, or the sink's. */
HEARTH_MUST_CHECK enum hearth_error response_write(struct response *response, struct view bytes);
HEARTH_MUST_CHECK enum hearth_error response_write_format(struct response *response,
                                                          const char *format, ...)
    HEARTH_PRINTF(2, 3);
/* Sends the head and what is held back or buffered. */
HEARTH_MUST_CHECK enum hearth_error response_flush(struct response *response);
HEARTH_MUST_CHECK enum hearth_error response_finish(struct response *response);
void response_abort(struct response *response);
/* Drops everything said so far, as if new; only while the head was not sent (else MISUSE). */
HEARTH_MUST_CHECK enum hearth_error response_restart(struct response *response);
bool response_client_gone(const struct response *response);

/* Status, Content-Type, length and body in one go, finished. */
HEARTH_MUST_CHECK enum hearth_error response_send(struct response *response, int status,
                                                  struct view content_type, struct view body);

/* The answer for an error: application/problem+json (RFC 9457) or, when `html`, a page. Carries the
 * request id, the public detail, never an internal one. 503 gets Retry-After unless one is set; 401
 * gets WWW-Authenticate. Restarts the response first; when the head is out, aborts instead. Kept
 * are the headers in `extra` (may be empty), and of those that were set before: Allow, Retry-After
 * and WWW-Authenticate. */
void response_error(struct response *response, const struct request *request,
                    enum hearth_error code, bool html, struct pairs extra);

/* ---- Conditional requests and ranges (RFC 9110, sections 13 and 14) ---- */

/* What a handler knows of the representation it would send. */
struct representation {
    struct view etag;         /* with its quotes, strong unless W/; empty = none */
    int64_t last_modified_ms; /* -1 = unknown */
    int64_t size_bytes;       /* -1 = unknown: ranges are not offered */
};

enum condition_outcome {
    CONDITION_SEND,         /* the whole */
    CONDITION_SEND_RANGE,   /* status 206, range filled */
    CONDITION_NOT_MODIFIED, /* 304 */
    CONDITION_FAILED,       /* 412 */
    CONDITION_BAD_RANGE     /* 416 */
};

struct byte_range {
    uint64_t first, length;
};

/* Sets ETag, Last-Modified and Accept-Ranges, judges If-Match, If-None-Match, If-Modified-Since,
 * If-Unmodified-Since, If-Range and Range in the order of RFC 9110 section 13.2.2, and prepares the
 * head: status, Content-Range and length for a range. 304, 412 and 416 are sent and finished here
 * (416 with Content-Range: bytes * / size). Several ranges in one header: the whole is sent, which
 * the RFC allows. Errors: those of the builder. */
HEARTH_MUST_CHECK enum hearth_error response_negotiate(struct response *response,
                                                       const struct request *request,
                                                       const struct representation *representation,
                                                       enum condition_outcome *outcome,
                                                       struct byte_range *range);

#endif
