/*
 * headers.c - the headers of a request, judged once, looked up linearly: there are about ten, and
 * a table would cost more to fill than all its look-ups save.
 */
#include "app/http/headers.h"

#include "app/http/syntax.h"

static const struct view known_names[KNOWN_COUNT] = {
    [KNOWN_CONTENT_LENGTH] = {"content-length", 14},
    [KNOWN_COOKIE] = {"cookie", 6},
    [KNOWN_FORWARDED] = {"forwarded", 9},
    [KNOWN_HOST] = {"host", 4},
    [KNOWN_TRACEPARENT] = {"traceparent", 11},
    [KNOWN_X_FORWARDED_FOR] = {"x-forwarded-for", 15},
    [KNOWN_X_FORWARDED_HOST] = {"x-forwarded-host", 16},
    [KNOWN_X_FORWARDED_PROTO] = {"x-forwarded-proto", 17},
    [KNOWN_X_REQUEST_ID] = {"x-request-id", 12},
};

static void note_known(struct known_headers *known, const struct pair *header)
{
    for (size_t i = 0; i < KNOWN_COUNT; i++) {
        if (header->name.length != known_names[i].length ||
            !view_equal_ignore_case(header->name, known_names[i]))
            continue;
        if (known->count[i]++ == 0)
            known->first[i] = view_trim(header->value);
        return;
    }
}

bool header_is_valid(struct view name, struct view value)
{
    return syntax_is_token(name) && syntax_is_field_value(value);
}

/* A name that may be quoted to the client and the log: its start, and only when it is harmless. */
static struct view quotable(struct view name)
{
    enum { QUOTED_BYTES = 64 };
    return syntax_is_token(name) ? view_slice(name, 0, QUOTED_BYTES) : VIEW("(unprintable)");
}

static enum hearth_error judge(const struct pair *header, const struct request_limits *limits,
                               struct error_record *error)
{
    if (header->value.length > limits->max_header_bytes)
        return error_set(error, HEARTH_HEAD_TOO_LARGE, "header %.*s has more than %zu bytes",
                         VIEW_ARGUMENTS(quotable(header->name)), limits->max_header_bytes);
    if (!header_is_valid(header->name, header->value))
        return error_set(error, HEARTH_BAD_HEADER,
                         "header %.*s has a name or value that is not allowed",
                         VIEW_ARGUMENTS(quotable(header->name)));
    return HEARTH_OK;
}

enum hearth_error headers_scan(const struct pairs *headers, const struct request_limits *limits,
                               struct known_headers *known, struct error_record *error)
{
    *known = (struct known_headers){0};
    if (headers->count > limits->max_headers)
        return error_set(error, HEARTH_HEAD_TOO_LARGE, "there are more than %zu headers",
                         limits->max_headers);
    size_t head_bytes = 0;
    for (size_t i = 0; i < headers->count; i++) {
        const struct pair *header = &headers->items[i];
        enum hearth_error result = judge(header, limits, error);
        if (result != HEARTH_OK)
            return result;
        head_bytes += header->name.length + header->value.length;
        note_known(known, header);
    }
    if (head_bytes > limits->max_head_bytes)
        return error_set(error, HEARTH_HEAD_TOO_LARGE, "the headers have more than %zu bytes",
                         limits->max_head_bytes);
    return HEARTH_OK;
}

struct view headers_single(const struct known_headers *known, enum known_header header)
{
    return known->count[header] == 1 && known->first[header].length > 0 ? known->first[header]
                                                                        : VIEW_NONE;
}

enum hearth_error headers_content_length(const struct pairs *headers,
                                         const struct known_headers *known, int64_t *length,
                                         struct error_record *error)
{
    *length = -1;
    if (known->count[KNOWN_CONTENT_LENGTH] == 0)
        return HEARTH_OK;
    uint64_t first;
    if (!view_to_uint64(known->first[KNOWN_CONTENT_LENGTH], &first) || first > INT64_MAX)
        return error_set(error, HEARTH_BAD_HEADER, "Content-Length is no number");
    for (size_t i = 0; known->count[KNOWN_CONTENT_LENGTH] > 1 && i < headers->count; i++) {
        const struct pair *header = &headers->items[i];
        uint64_t other;
        if (!view_equal_ignore_case(header->name, known_names[KNOWN_CONTENT_LENGTH]))
            continue;
        if (!view_to_uint64(view_trim(header->value), &other) || other != first)
            return error_set(error, HEARTH_BAD_HEADER, "there are two different Content-Lengths");
    }
    *length = (int64_t)first;
    return HEARTH_OK;
}

static struct view pairs_find(const struct pairs *pairs, const char *name, bool ignore_case)
{
    struct view wanted = view_of(name);
    for (size_t i = 0; i < pairs->count; i++) {
        const struct pair *pair = &pairs->items[i];
        if (pair->name.length == wanted.length &&
            (ignore_case ? view_equal_ignore_case(pair->name, wanted)
                         : view_equal(pair->name, wanted)))
            return pair->value.data ? pair->value : view_from("", 0);
    }
    return VIEW_NONE;
}

struct view request_header(const struct request *request, const char *name)
{
    return pairs_find(&request->headers, name, true);
}

size_t request_header_count(const struct request *request, const char *name)
{
    struct view wanted = view_of(name);
    size_t count = 0;
    for (size_t i = 0; i < request->headers.count; i++)
        count += view_equal_ignore_case(request->headers.items[i].name, wanted);
    return count;
}

struct view request_query(const struct request *request, const char *name)
{
    return pairs_find(&request->query, name, false);
}

struct view request_cookie(const struct request *request, const char *name)
{
    return pairs_find(&request->cookies, name, false);
}

struct view request_parameter(const struct request *request, const char *name)
{
    return pairs_find(&request->parameters, name, false);
}
