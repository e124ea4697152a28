/*
 * cors.h - which pages of other origins may call us from a browser (Fetch standard, section 3.2).
 *
 * Never with credentials: no Access-Control-Allow-Credentials is ever sent, so a page of another
 * origin acts with the token it was given, not with a visitor's cookies.
 */
#ifndef HEARTH_HTTP_CORS_H
#define HEARTH_HTTP_CORS_H

#include "hearth/request.h"

struct cors;

struct cors_options {
    const char *const *origins; /* Required. "*" or "https://example.org[:port]". Copied. */
    size_t origin_count;
    const char *const *headers; /* Required. Names a page may send. Copied. */
    size_t header_count;
    int64_t max_age_s;
};

/* NULL and a text in `why` when an origin is malformed or memory ran out. */
struct cors *cors_new(const struct cors_options *options, char *why, size_t why_size);
void cors_free(struct cors *cors); /* NULL is allowed */

enum { CORS_MAX_HEADERS = 6 };

/* What every answer carries: at most 2 headers. Values live as long as `cors` and the request. */
size_t cors_answer_headers(const struct cors *cors, const struct request *request,
                           struct pair headers[CORS_MAX_HEADERS]);
/* What the answer to a preflight carries besides those; none when it is no preflight, or not
 * allowed. `allow`: the methods of the path; must live as long as the answer. */
size_t cors_preflight_headers(const struct cors *cors, const struct request *request,
                              struct view allow, struct pair headers[CORS_MAX_HEADERS]);

#endif
