/*
 * negotiate.c - conditional requests and ranges (RFC 9110 sections 13 and 14).
 *
 * The preconditions are judged in the order of section 13.2.2: If-Match, else If-Unmodified-Since;
 * then If-None-Match, else If-Modified-Since; then Range, under If-Range. Dates compare in whole
 * seconds, since that is all a header can carry.
 */
#include <stdio.h>

#include "hearth/response.h"

/* ---- Entity tags ---- */

static bool etag_is_weak(struct view etag)
{
    return view_starts_with(etag, VIEW("W/"));
}

static struct view etag_opaque(struct view etag)
{
    return etag_is_weak(etag) ? view_skip(etag, 2) : etag;
}

static bool etags_match(struct view a, struct view b, bool strong)
{
    if (strong && (etag_is_weak(a) || etag_is_weak(b)))
        return false;
    return view_equal(etag_opaque(a), etag_opaque(b));
}

/* Cuts the next tag off a list; a comma may stand inside the quotes. NULL data at the end, or where
 * the list is malformed. */
static struct view next_etag(struct view *rest)
{
    while (rest->length > 0 &&
           (rest->data[0] == ' ' || rest->data[0] == '\t' || rest->data[0] == ','))
        *rest = view_skip(*rest, 1);
    size_t quote = etag_is_weak(*rest) ? 2 : 0;
    if (rest->length <= quote || rest->data[quote] != '"')
        return VIEW_NONE;
    size_t end = view_index_of(view_skip(*rest, quote + 1), '"');
    if (end == SIZE_MAX)
        return VIEW_NONE;
    struct view etag = view_slice(*rest, 0, quote + end + 2);
    *rest = view_skip(*rest, etag.length);
    return etag;
}

static bool list_matches(struct view list, struct view etag, bool strong)
{
    if (view_equal(view_trim(list), VIEW("*")))
        return true;
    struct view rest = list, item;
    while ((item = next_etag(&rest)).data)
        if (etag.length > 0 && etags_match(item, etag, strong))
            return true;
    return false;
}

/* Over all headers of that name, since a list may come in several. */
static bool header_matches(const struct request *request, struct view name, struct view etag,
                           bool strong)
{
    for (size_t i = 0; i < request->headers.count; i++) {
        const struct pair *header = &request->headers.items[i];
        if (view_equal_ignore_case(header->name, name) && list_matches(header->value, etag, strong))
            return true;
    }
    return false;
}

/* ---- Conditions ---- */

static int64_t whole_seconds(int64_t wall_ms)
{
    return wall_ms - (wall_ms % 1000 + 1000) % 1000;
}

/* A date that can be compared; -1 when the header is missing or no date, or nothing is known. */
static int64_t header_date(const struct request *request, const char *name,
                           const struct representation *representation)
{
    struct view value = view_trim(request_header(request, name));
    if (value.length == 0 || representation->last_modified_ms < 0)
        return -1;
    return clock_parse_http(value.data, value.length);
}

static bool is_get_or_head(const struct request *request)
{
    return request->method == METHOD_GET || request->method == METHOD_HEAD;
}

static bool condition_fails(const struct request *request,
                            const struct representation *representation)
{
    if (request_header(request, "if-match").data)
        return !header_matches(request, VIEW("if-match"), representation->etag, true);
    int64_t since_ms = header_date(request, "if-unmodified-since", representation);
    return since_ms >= 0 && whole_seconds(representation->last_modified_ms) > since_ms;
}

static enum condition_outcome judge_conditions(const struct request *request,
                                               const struct representation *representation)
{
    if (condition_fails(request, representation))
        return CONDITION_FAILED;
    if (request_header(request, "if-none-match").data) {
        if (!header_matches(request, VIEW("if-none-match"), representation->etag, false))
            return CONDITION_SEND;
        return is_get_or_head(request) ? CONDITION_NOT_MODIFIED : CONDITION_FAILED;
    }
    int64_t since_ms = header_date(request, "if-modified-since", representation);
    bool unchanged = since_ms >= 0 && whole_seconds(representation->last_modified_ms) <= since_ms;
    return unchanged && is_get_or_head(request) ? CONDITION_NOT_MODIFIED : CONDITION_SEND;
}

/* ---- Ranges ---- */

static bool if_range_holds(const struct request *request,
                           const struct representation *representation)
{
    struct view value = view_trim(request_header(request, "if-range"));
    if (!value.data)
        return true;
    if (etag_is_weak(value) || view_starts_with(value, VIEW("\"")))
        return representation->etag.length > 0 && etags_match(value, representation->etag, true);
    int64_t date_ms = header_date(request, "if-range", representation);
    return date_ms >= 0 && date_ms == whole_seconds(representation->last_modified_ms);
}

/* "bytes=-500": the last 500. */
static enum condition_outcome suffix_range(struct view digits, uint64_t size,
                                           struct byte_range *range)
{
    uint64_t suffix;
    if (!view_to_uint64(digits, &suffix))
        return CONDITION_SEND;
    if (suffix == 0 || size == 0)
        return CONDITION_BAD_RANGE;
    range->length = suffix < size ? suffix : size;
    range->first = size - range->length;
    return CONDITION_SEND_RANGE;
}

/* What is malformed, or more than one range, means the whole. */
static enum condition_outcome parse_range(struct view value, uint64_t size,
                                          struct byte_range *range)
{
    struct view rest = view_trim(value);
    struct view unit = view_trim(view_split(&rest, '='));
    if (!view_equal_ignore_case(unit, VIEW("bytes")) || !rest.data)
        return CONDITION_SEND;
    rest = view_trim(rest);
    struct view first_digits = view_split(&rest, '-');
    if (!rest.data)
        return CONDITION_SEND;
    if (first_digits.length == 0)
        return suffix_range(rest, size, range);
    uint64_t first, last = UINT64_MAX;
    if (!view_to_uint64(first_digits, &first) ||
        (rest.length > 0 && !view_to_uint64(rest, &last)) || last < first)
        return CONDITION_SEND;
    if (first >= size)
        return CONDITION_BAD_RANGE;
    range->first = first;
    range->length = (last < size ? last + 1 : size) - first;
    return CONDITION_SEND_RANGE;
}

static enum condition_outcome judge_range(const struct request *request,
                                          const struct representation *representation,
                                          struct byte_range *range)
{
    struct view value = request_header(request, "range");
    if (!value.data || request->method != METHOD_GET || representation->size_bytes < 0 ||
        request_header_count(request, "range") > 1 || !if_range_holds(request, representation))
        return CONDITION_SEND;
    return parse_range(value, (uint64_t)representation->size_bytes, range);
}

/* ---- The head ---- */

static enum hearth_error set_validators(struct response *response,
                                        const struct representation *representation)
{
    enum hearth_error result = HEARTH_OK;
    if (representation->etag.length > 0)
        result = response_set_header(response, VIEW("ETag"), representation->etag);
    if (result == HEARTH_OK && representation->last_modified_ms >= 0) {
        char date[CLOCK_HTTP_SIZE];
        clock_format_http(representation->last_modified_ms, date);
        result = response_set_header(response, VIEW("Last-Modified"), view_of(date));
    }
    if (result == HEARTH_OK && representation->size_bytes >= 0)
        result = response_set_header(response, VIEW("Accept-Ranges"), VIEW("bytes"));
    return result;
}

enum { CONTENT_RANGE_SIZE = sizeof "bytes 18446744073709551615-18446744073709551615/" + 20 };

static enum hearth_error prepare_range(struct response *response, int64_t size_bytes,
                                       const struct byte_range *range)
{
    char text[CONTENT_RANGE_SIZE];
    snprintf(text, sizeof text, "bytes %llu-%llu/%lld", (unsigned long long)range->first,
             (unsigned long long)(range->first + range->length - 1), (long long)size_bytes);
    enum hearth_error result = response_set_status(response, 206);
    if (result == HEARTH_OK)
        result = response_set_header(response, VIEW("Content-Range"), view_of(text));
    return result == HEARTH_OK ? response_set_length(response, range->length) : result;
}

static enum hearth_error send_failure(struct response *response, const struct request *request,
                                      enum hearth_error code, struct pairs extra)
{
    response_error(response, request, code, request_prefers_html(request), extra);
    if (response->state == RESPONSE_FINISHED)
        return HEARTH_OK;
    return response->failed != HEARTH_OK ? response->failed : HEARTH_MISUSE;
}

static enum hearth_error send_bad_range(struct response *response, const struct request *request,
                                        int64_t size_bytes)
{
    char text[CONTENT_RANGE_SIZE];
    snprintf(text, sizeof text, "bytes */%lld", (long long)size_bytes);
    struct pair header = {VIEW("Content-Range"), view_of(text)};
    return send_failure(response, request, HEARTH_RANGE_NOT_SATISFIABLE,
                        (struct pairs){&header, 1});
}

enum hearth_error response_negotiate(struct response *response, const struct request *request,
                                     const struct representation *representation,
                                     enum condition_outcome *outcome, struct byte_range *range)
{
    *range = (struct byte_range){
        0, representation->size_bytes > 0 ? (uint64_t)representation->size_bytes : 0};
    *outcome = judge_conditions(request, representation);
    if (*outcome == CONDITION_SEND)
        *outcome = judge_range(request, representation, range);
    enum hearth_error result = set_validators(response, representation);
    if (result != HEARTH_OK)
        return result;
    switch (*outcome) {
    case CONDITION_SEND_RANGE:
        return prepare_range(response, representation->size_bytes, range);
    case CONDITION_NOT_MODIFIED:
        result = response_set_status(response, 304);
        return result == HEARTH_OK ? response_finish(response) : result;
    case CONDITION_FAILED:
        return send_failure(response, request, HEARTH_PRECONDITION_FAILED, (struct pairs){NULL, 0});
    case CONDITION_BAD_RANGE:
        return send_bad_range(response, request, representation->size_bytes);
    case CONDITION_SEND:
    default:
        return HEARTH_OK;
    }
}
