/*
 * cors.c - which pages of other origins may call us from a browser (Fetch standard, section 3.2).
 *
 * With a list of origins every answer says `Vary: Origin`, also those to requests without one: a
 * cache must not hand a page the answer that was made for another. With "*" all answers are alike.
 */
#include "app/http/cors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/http/syntax.h"

struct cors {
    bool every_origin;
    char **origins;
    size_t origin_count;
    char *headers; /* "authorization, content-type" */
    char max_age[24];
};

static bool origin_is_valid(struct view origin)
{
    size_t scheme = view_find(origin, VIEW("://"));
    if (scheme == SIZE_MAX || scheme == 0 || !syntax_is_token(view_slice(origin, 0, scheme)))
        return false;
    struct view host = view_skip(origin, scheme + 3);
    return host.length > 0 && syntax_is_host(host);
}

static bool copy_origins(struct cors *cors, const struct cors_options *options, char *why,
                         size_t why_size)
{
    cors->origins = calloc(options->origin_count + 1, sizeof(char *));
    for (size_t i = 0; cors->origins && i < options->origin_count; i++) {
        const char *origin = options->origins[i];
        if (strcmp(origin, "*") == 0) {
            cors->every_origin = true;
            continue;
        }
        if (!origin_is_valid(view_of(origin))) {
            snprintf(why, why_size, "\"%s\" is no origin like https://example.org, and not \"*\"",
                     origin);
            return false;
        }
        cors->origins[cors->origin_count] = strdup(origin);
        if (!cors->origins[cors->origin_count])
            break;
        cors->origin_count++;
    }
    size_t wanted = options->origin_count;
    bool copied = cors->origins && (cors->every_origin || cors->origin_count == wanted);
    if (!copied)
        snprintf(why, why_size, "out of memory");
    return copied;
}

static bool join_headers(struct cors *cors, const struct cors_options *options, char *why,
                         size_t why_size)
{
    size_t size = 1;
    for (size_t i = 0; i < options->header_count; i++)
        size += strlen(options->headers[i]) + 2;
    char *text = cors->headers = calloc(1, size);
    if (!text) {
        snprintf(why, why_size, "out of memory");
        return false;
    }
    for (size_t i = 0; i < options->header_count; i++) {
        if (!syntax_is_token(view_of(options->headers[i]))) {
            snprintf(why, why_size, "\"%s\" is no header name", options->headers[i]);
            return false;
        }
        text += snprintf(text, size - (size_t)(text - cors->headers), "%s%s", i ? ", " : "",
                         options->headers[i]);
    }
    return true;
}

struct cors *cors_new(const struct cors_options *options, char *why, size_t why_size)
{
    struct cors *cors = calloc(1, sizeof *cors);
    if (!cors) {
        snprintf(why, why_size, "out of memory");
        return NULL;
    }
    snprintf(cors->max_age, sizeof cors->max_age, "%lld", (long long)options->max_age_s);
    if (!copy_origins(cors, options, why, why_size) ||
        !join_headers(cors, options, why, why_size)) {
        cors_free(cors);
        return NULL;
    }
    return cors;
}

void cors_free(struct cors *cors)
{
    if (!cors)
        return;
    for (size_t i = 0; i < cors->origin_count; i++)
        free(cors->origins[i]);
    free(cors->origins);
    free(cors->headers);
    free(cors);
}

static bool origin_is_allowed(const struct cors *cors, struct view origin)
{
    if (origin.length == 0)
        return false;
    for (size_t i = 0; i < cors->origin_count; i++)
        if (view_equal_ignore_case(view_of(cors->origins[i]), origin))
            return true;
    return cors->every_origin;
}

size_t cors_answer_headers(const struct cors *cors, const struct request *request,
                           struct pair headers[CORS_MAX_HEADERS])
{
    size_t count = 0;
    if (!cors->every_origin && cors->origin_count == 0)
        return 0;
    if (!cors->every_origin)
        headers[count++] = (struct pair){VIEW("Vary"), VIEW("Origin")};
    struct view origin = request_header(request, "origin");
    if (origin_is_allowed(cors, origin))
        headers[count++] = (struct pair){VIEW("Access-Control-Allow-Origin"),
                                         cors->every_origin ? VIEW("*") : origin};
    return count;
}

size_t cors_preflight_headers(const struct cors *cors, const struct request *request,
                              struct view allow, struct pair headers[CORS_MAX_HEADERS])
{
    size_t count = 0;
    if (request->method != METHOD_OPTIONS ||
        !request_header(request, "access-control-request-method").data ||
        !origin_is_allowed(cors, request_header(request, "origin")))
        return 0;
    headers[count++] = (struct pair){VIEW("Access-Control-Allow-Methods"), allow};
    if (cors->headers[0])
        headers[count++] =
            (struct pair){VIEW("Access-Control-Allow-Headers"), view_of(cors->headers)};
    headers[count++] = (struct pair){VIEW("Access-Control-Max-Age"), view_of(cors->max_age)};
    return count;
}
