/*
 * headers.h - one walk over the headers of a request: limits, syntax, and the few headers that
 * parsing itself needs.
 */
#ifndef HEARTH_HTTP_HEADERS_H
#define HEARTH_HTTP_HEADERS_H

#include "hearth/request.h"

enum known_header {
    KNOWN_CONTENT_LENGTH,
    KNOWN_COOKIE,
    KNOWN_FORWARDED,
    KNOWN_HOST,
    KNOWN_TRACEPARENT,
    KNOWN_X_FORWARDED_FOR,
    KNOWN_X_FORWARDED_HOST,
    KNOWN_X_FORWARDED_PROTO,
    KNOWN_X_REQUEST_ID,
    KNOWN_COUNT
};

struct known_headers {
    struct view first[KNOWN_COUNT]; /* trimmed */
    size_t count[KNOWN_COUNT];      /* how often it came; more than one may be a forgery */
};

/* Notes the known headers, and judges all. On an error `known` is filled up to the header that
 * failed. Errors: HEAD_TOO_LARGE, BAD_HEADER (`error` says which header and why). */
HEARTH_MUST_CHECK enum hearth_error headers_scan(const struct pairs *headers,
                                                 const struct request_limits *limits,
                                                 struct known_headers *known,
                                                 struct error_record *error);
/* The one value of a header that may come once: NULL data when it came never or several times. */
struct view headers_single(const struct known_headers *known, enum known_header header);
/* All Content-Lengths, agreeing; -1 = there is none. Errors: BAD_HEADER. */
HEARTH_MUST_CHECK enum hearth_error headers_content_length(const struct pairs *headers,
                                                           const struct known_headers *known,
                                                           int64_t *length,
                                                           struct error_record *error);
/* A field name and value that may be sent (RFC 9110 section 5). */
bool header_is_valid(struct view name, struct view value);

#endif
