/*
 * request.h - an HTTP request as data.
 *
 * Made once by the adapter (request_parse), then read-only: handlers, router and dispatch see
 * `const struct request *`. Everything in it lives in the request's arena and dies with it. What
 * changes while it is handled (the body reader's position, the error record) hangs on pointers.
 *
 * RFC 9110 (semantics), RFC 3986 (addresses), RFC 7239 (Forwarded).
 */
#ifndef HEARTH_REQUEST_H
#define HEARTH_REQUEST_H

#include "hearth/base.h"
#include "hearth/clock.h"
#include "hearth/telemetry.h"

struct pair {
    struct view name, value;
};

struct pairs { /* in order, duplicates kept */
    struct pair *items;
    size_t count;
};

/* Where a body comes from. Implemented by each adapter; one thread at a time. */
struct body_source {
    /* Up to `capacity` bytes into `to`; `*length` = 0 means the end. May block until the source's
     * own time-out. Errors: HEARTH_CLIENT_GONE, HEARTH_REQUEST_TIMEOUT, HEARTH_IO. Never NULL. */
    enum hearth_error (*read)(struct body_source *source, char *to, size_t capacity,
                              size_t *length);
    /* Optional: nobody wants what is still to come. From now on `read` hands out what has arrived,
     * and when nothing has it says that the body is at its end. */
    void (*leave)(struct body_source *source);
};

/* The body reader: pulls from the source, counts, and holds it against the declared length. */
struct body {
    struct body_source *source; /* NULL = there is no body */
    int64_t declared_bytes;     /* from Content-Length; -1 = not said */
    uint64_t read_bytes;        /* so far */
    uint64_t max_bytes;         /* http.max_body_bytes; a route may lower it (body_limit) */
    enum hearth_error failed;   /* sticks */
    bool ended;
};

enum method {
    METHOD_OTHER, /* see request.method_name */
    METHOD_GET,
    METHOD_HEAD,
    METHOD_POST,
    METHOD_PUT,
    METHOD_PATCH,
    METHOD_DELETE,
    METHOD_OPTIONS
};

struct request {
    struct arena *arena; /* the request's own; what is allocated here dies with it */
    const struct clock *clock;

    enum method method;
    struct view method_name; /* as it came */
    struct view raw_path;    /* as it came, percent-encoding and all */
    struct view path;        /* decoded and normalised: see request_parse */
    struct view raw_query;   /* without '?'; has_query tells "/a?" from "/a" */
    bool has_query;
    struct pairs query;   /* decoded, in order, '+' is a blank */
    struct pairs headers; /* in order; names as the front gave them, compared without case */
    struct pairs cookies; /* in order; values as they stand */

    struct view scheme;         /* "http" or "https" */
    struct view host;           /* with port if one came; may be empty */
    struct view client_address; /* without port; through the trust list */
    bool client_is_loopback;    /* and no forwarded hop, believed or not, is anything else */

    struct view request_id; /* ours or, from a trusted peer, its X-Request-Id */
    struct trace_context trace;
    int64_t start_ns;    /* monotonic */
    int64_t deadline_ns; /* monotonic */

    struct body *body;          /* never NULL; a body without a source is empty */
    struct error_record *error; /* never NULL; filled by request_fail */

    void (*will_wait)(void *context); /* see request_will_wait */
    void *will_wait_context;

    /* Filled by the router. */
    const char *route;       /* the pattern that matched, or NULL */
    struct pairs parameters; /* names of the pattern, values as in `path` ("%2F" stays) */
};

/* What an adapter knows of a request. Views must live as long as the arena. */
struct request_input {
    struct view method;       /* Required. */
    struct view target;       /* Required: raw path with '?' and query, as the client sent it. */
    struct pairs headers;     /* Content-Type and Content-Length included. */
    struct view peer_address; /* The address the front saw; without port; may be empty. */
    struct view scheme;       /* As the front says; empty = http. */
    bool forwarded;           /* The front took forwarding headers away: the peer speaks for
                                 somebody else, who is not believed to be on this machine. */
    struct body_source *body; /* NULL = no body. */
    int64_t deadline_ns;      /* Monotonic; 0 = request_limits.timeout_ms from now. */
    /* What request_will_wait calls. NULL = nobody wants to know. */
    void (*will_wait)(void *context);
    void *will_wait_context;
};

/* From configuration; shared by all requests; must outlive them. */
struct request_limits {
    size_t max_head_bytes; /* sum of names and values */
    size_t max_headers;
    size_t max_header_bytes; /* one value */
    size_t max_target_bytes;
    size_t max_query_pairs;
    uint64_t max_body_bytes;
    int64_t timeout_ms;
    const struct trust_list *trusted; /* NULL = trust nobody */
};

/* Makes `request` from `input`. Even on error method_name, raw_path, request_id, trace, error and
 * body are set, so that the answer and the log line can be made.
 *
 * The path: percent-decoded; empty and "." segments go (a trailing slash stays); "%2F" stays
 * encoded as "%2F", so that it separates nothing. Refused with BAD_PATH: malformed
 * percent-encoding, NUL and other control bytes, a bare '#', ".." in any encoding (also with
 * encoded slashes and backslashes), overlong UTF-8, a path that does not begin with '/'. An
 * absolute-form target gives host and path; "*" is the path of OPTIONS alone.
 *
 * From a trusted peer, X-Forwarded-For, -Proto and -Host or Forwarded, and X-Request-Id are
 * believed. Hops are walked from the right; trusted ones are skipped, and one that is no address
 * ends the walk. A name that came twice is ignored, and so are both families when they name
 * different clients.
 *
 * Other errors: BAD_REQUEST (a malformed method), URI_TOO_LONG, HEAD_TOO_LARGE, BAD_QUERY
 * (malformed encoding, NUL, control bytes, too many pairs), BAD_HEADER (a name or value that RFC
 * 9110 does not allow, two Content-Lengths or Hosts that differ, a Content-Length that is no
 * number, a malformed Host), NO_MEMORY. */
HEARTH_MUST_CHECK enum hearth_error request_parse(struct arena *arena, const struct clock *clock,
                                                  const struct request_limits *limits,
                                                  const struct request_input *input,
                                                  struct request *request);

/* The first header of that name; the empty view with NULL data when there is none. */
struct view request_header(const struct request *request, const char *name);
size_t request_header_count(const struct request *request, const char *name);
/* The first query value, cookie or route parameter of that name; NULL data when there is none. */
struct view request_query(const struct request *request, const char *name);
struct view request_cookie(const struct request *request, const char *name);
struct view request_parameter(const struct request *request, const char *name);
/* Does Accept prefer HTML over JSON? For negotiation of errors and pages (RFC 9110, 12.5.1). */
bool request_prefers_html(const struct request *request);
/* The quality (0..1000) that Accept gives to a media type; 1000 without the header. */
int request_accepts(const struct request *request, struct view media_type);
/* Milliseconds left until the deadline, at least 0. */
int64_t request_time_left_ms(const struct request *request);

/* The handler is about to wait for a disk or a peer: the adapter sees to it that another thread is
 * ready for the next request meanwhile. The dispatcher says so for every route that has a bulkhead;
 * a handler of another may say so itself. */
void request_will_wait(const struct request *request);

/* Records what went wrong, for the client to read, and gives back `code`:
 * `return request_fail(request, HEARTH_BAD_BODY, "line %zu is not JSON", line);` */
enum hearth_error request_fail(const struct request *request, enum hearth_error code,
                               const char *format, ...) HEARTH_PRINTF(3, 4);
/* The same, for the log alone. */
enum hearth_error request_fail_internal(const struct request *request, enum hearth_error code,
                                        int number, const char *format, ...) HEARTH_PRINTF(4, 5);

/* ---- Body ---- */

/* Lowers the maximum for this route. Errors: HEARTH_BODY_TOO_LARGE at once when the declared length
 * already passes it. */
HEARTH_MUST_CHECK enum hearth_error body_limit(struct body *body, uint64_t max_bytes);
/* Up to `capacity` bytes; `*length` = 0 means the end, and then the body was exactly as long as
 * declared. Errors (they stick): BODY_TOO_LARGE; BAD_LENGTH when the body is shorter or longer than
 * its Content-Length; what the source says. */
HEARTH_MUST_CHECK enum hearth_error body_read(struct body *body, char *to, size_t capacity,
                                              size_t *length);
/* The rest of the body, appended to `out` (whose maximum also holds). */
HEARTH_MUST_CHECK enum hearth_error body_read_all(struct body *body, struct buffer *out);
/* Reads and drops what is left, up to `max_bytes`; the dispatcher does so after a handler that did
 * not care, because some fronts want it. */
enum hearth_error body_drain(struct body *body, uint64_t max_bytes);

/* ---- Trust list: whose word on X-Forwarded-For and Forwarded is taken ---- */

struct trust_list;
/* Items: an address, a CIDR range, "unix" (a peer without an address), "loopback". NULL and a text
 * in `why` when an item is none of these or memory ran out. */
struct trust_list *trust_list_new(const char *const *items, size_t count, char *why,
                                  size_t why_size);
void trust_list_free(struct trust_list *list);
bool trust_list_has(const struct trust_list *list, struct view address);

#endif
