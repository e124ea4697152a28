/*
 * response.c - the answer: a two-state builder over a sink.
 *
 * While the head is open nothing reaches the sink. The first body byte closes it: with a stated
 * length the head goes out at once and bytes pass straight through; without one they are held back,
 * so that a short answer gets its Content-Length and can still be taken back for an error. What a
 * call refuses, it refuses before it changes anything.
 */
#include <stdio.h>
#include <string.h>

#include "app/http/headers.h"
#include "hearth/limits.h"
#include "hearth/response.h"

enum {
    FIRST_HEADER_CAPACITY = 12,
    FIRST_HELD_BYTES = 1024, /* most dynamic answers; small beside an arena's first block */
    NO_CONTENT = 204,
    NOT_MODIFIED = 304,
};

void response_init(struct response *response, struct arena *arena, struct response_sink *sink,
                   bool for_head)
{
    *response = (struct response){
        .sink = sink,
        .arena = arena,
        .state = RESPONSE_HEAD,
        .head = {.status = 200, .content_length = -1},
        .without_body = for_head,
        .failed = HEARTH_OK,
    };
}

/* ---- The head ---- */

enum hearth_error response_set_status(struct response *response, int status)
{
    if (response->state != RESPONSE_HEAD || status < 200 || status > 999)
        return HEARTH_MISUSE;
    response->head.status = status;
    return HEARTH_OK;
}

static bool header_is_ours(struct view name)
{
    return view_equal_ignore_case(name, VIEW("content-length")) ||
           view_equal_ignore_case(name, VIEW("transfer-encoding"));
}

static enum hearth_error grow_headers(struct response *response)
{
    struct pairs *headers = &response->head.headers;
    if (headers->count < response->header_capacity)
        return HEARTH_OK;
    size_t capacity =
        response->header_capacity ? LIMIT_RESPONSE_HEADERS : (size_t)FIRST_HEADER_CAPACITY;
    struct pair *items = arena_alloc(response->arena, capacity * sizeof *items);
    if (!items)
        return HEARTH_NO_MEMORY;
    if (headers->count > 0)
        memcpy(items, headers->items, headers->count * sizeof *items);
    headers->items = items;
    response->header_capacity = capacity;
    return HEARTH_OK;
}

/* Both texts in one piece of the arena. */
static bool copy_pair(struct arena *arena, struct view name, struct view value, struct pair *copy)
{
    char *text = arena_alloc(arena, name.length + value.length);
    if (!text)
        return false;
    memcpy(text, name.data, name.length);
    if (value.length > 0)
        memcpy(text + name.length, value.data, value.length);
    *copy = (struct pair){{text, name.length}, {text + name.length, value.length}};
    return true;
}

static size_t count_without(const struct pairs *headers, struct view name)
{
    size_t count = 0;
    for (size_t i = 0; i < headers->count; i++)
        count += !view_equal_ignore_case(headers->items[i].name, name);
    return count;
}

static void drop_headers(struct pairs *headers, struct view name)
{
    size_t kept = 0;
    for (size_t i = 0; i < headers->count; i++)
        if (!view_equal_ignore_case(headers->items[i].name, name))
            headers->items[kept++] = headers->items[i];
    headers->count = kept;
}

static enum hearth_error put_header(struct response *response, struct view name, struct view value,
                                    bool replace)
{
    struct pairs *headers = &response->head.headers;
    if (response->state != RESPONSE_HEAD || !header_is_valid(name, value) || header_is_ours(name))
        return HEARTH_MISUSE;
    size_t count = replace ? count_without(headers, name) : headers->count;
    if (count >= LIMIT_RESPONSE_HEADERS)
        return HEARTH_MISUSE;
    struct pair copy;
    if (!copy_pair(response->arena, name, view_trim(value), &copy))
        return HEARTH_NO_MEMORY;
    if (count == headers->count) {
        enum hearth_error result = grow_headers(response);
        if (result != HEARTH_OK)
            return result;
    } else {
        drop_headers(headers, name);
    }
    headers->items[headers->count++] = copy;
    return HEARTH_OK;
}

enum hearth_error response_add_header(struct response *response, struct view name,
                                      struct view value)
{
    return put_header(response, name, value, false);
}

enum hearth_error response_set_header(struct response *response, struct view name,
                                      struct view value)
{
    return put_header(response, name, value, true);
}

bool response_has_header(const struct response *response, struct view name)
{
    return count_without(&response->head.headers, name) < response->head.headers.count;
}

enum hearth_error response_set_length(struct response *response, uint64_t bytes)
{
    if (response->state != RESPONSE_HEAD || bytes > INT64_MAX)
        return HEARTH_MISUSE;
    response->head.content_length = (int64_t)bytes;
    return HEARTH_OK;
}

enum hearth_error response_restart(struct response *response)
{
    if (response->head_sent || response->state == RESPONSE_FINISHED ||
        response->state == RESPONSE_ABORTED)
        return HEARTH_MISUSE;
    response->state = RESPONSE_HEAD;
    response->head.status = 200;
    response->head.content_length = -1;
    response->head.headers.count = 0;
    response->held_bytes = 0;
    response->body_bytes = 0;
    return HEARTH_OK;
}

/* ---- The body ---- */

static bool status_has_body(int status)
{
    return status != NO_CONTENT && status != NOT_MODIFIED;
}

/* What the sink says sticks. */
static enum hearth_error note(struct response *response, enum hearth_error result)
{
    if (result != HEARTH_OK)
        response->failed = result;
    return result;
}

static enum hearth_error pass(struct response *response, struct view bytes)
{
    if (bytes.length == 0 || response->without_body)
        return HEARTH_OK;
    return note(response, response->sink->write(response->sink, bytes));
}

static enum hearth_error send_head(struct response *response)
{
    response->head_sent = true;
    if (!status_has_body(response->head.status))
        response->head.content_length = -1;
    enum hearth_error result =
        note(response, response->sink->head(response->sink, &response->head));
    return result == HEARTH_OK ? pass(response, view_from(response->held, response->held_bytes))
                               : result;
}

/* Room for `size` more bytes to hold; `size` fits within the limit. */
static bool grow_held(struct response *response, size_t size)
{
    size_t needed = response->held_bytes + size;
    if (needed <= response->held_capacity)
        return true;
    size_t capacity = response->held_capacity ? response->held_capacity : FIRST_HELD_BYTES;
    while (capacity < needed)
        capacity *= 2;
    if (capacity > LIMIT_RESPONSE_HOLD)
        capacity = LIMIT_RESPONSE_HOLD;
    char *held = arena_alloc(response->arena, capacity);
    if (!held)
        return false;
    if (response->held_bytes > 0)
        memcpy(held, response->held, response->held_bytes);
    response->held = held;
    response->held_capacity = capacity;
    return true;
}

/* Without a stated length: keeps the bytes, or gives up keeping. */
static enum hearth_error hold(struct response *response, struct view bytes)
{
    bool fits = response->body_bytes + bytes.length <= LIMIT_RESPONSE_HOLD;
    if (fits && response->without_body)
        return HEARTH_OK;
    if (fits && grow_held(response, bytes.length)) {
        if (bytes.length > 0)
            memcpy(response->held + response->held_bytes, bytes.data, bytes.length);
        response->held_bytes += bytes.length;
        return HEARTH_OK;
    }
    enum hearth_error result = send_head(response);
    return result == HEARTH_OK ? pass(response, bytes) : result;
}

static bool write_is_allowed(const struct response *response, size_t length)
{
    if (response->state != RESPONSE_HEAD && response->state != RESPONSE_BODY)
        return false;
    if (length > 0 && !status_has_body(response->head.status))
        return false;
    int64_t stated = response->head.content_length;
    return stated < 0 || length <= (uint64_t)stated - response->body_bytes;
}

enum hearth_error response_write(struct response *response, struct view bytes)
{
    if (!write_is_allowed(response, bytes.length))
        return HEARTH_MISUSE;
    if (response->failed != HEARTH_OK)
        return response->failed;
    response->state = RESPONSE_BODY;
    enum hearth_error result = HEARTH_OK;
    if (!response->head_sent && response->head.content_length < 0) {
        result = hold(response, bytes);
    } else {
        if (!response->head_sent)
            result = send_head(response);
        if (result == HEARTH_OK)
            result = pass(response, bytes);
    }
    response->body_bytes += bytes.length;
    return result;
}

enum hearth_error response_write_format(struct response *response, const char *format, ...)
{
    char small[512];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(small, sizeof small, format, arguments);
    va_end(arguments);
    if (length < 0)
        return HEARTH_MISUSE;
    if ((size_t)length < sizeof small)
        return response_write(response, view_from(small, (size_t)length));
    char *text = arena_alloc(response->arena, (size_t)length + 1);
    if (!text)
        return HEARTH_NO_MEMORY;
    va_start(arguments, format);
    vsnprintf(text, (size_t)length + 1, format, arguments);
    va_end(arguments);
    return response_write(response, view_from(text, (size_t)length));
}

enum hearth_error response_flush(struct response *response)
{
    if (response->state != RESPONSE_HEAD && response->state != RESPONSE_BODY)
        return HEARTH_MISUSE;
    if (response->failed != HEARTH_OK)
        return response->failed;
    response->state = RESPONSE_BODY;
    if (!response->head_sent) {
        enum hearth_error result = send_head(response);
        if (result != HEARTH_OK)
            return result;
    }
    if (!response->sink->flush)
        return HEARTH_OK;
    return note(response, response->sink->flush(response->sink));
}

/* ---- The end ---- */

static bool is_too_short(const struct response *response)
{
    return !response->without_body && status_has_body(response->head.status) &&
           response->head.content_length >= 0 &&
           response->body_bytes < (uint64_t)response->head.content_length;
}

/* The answer ends within what was held: its length is known now. A HEAD handler that wrote nothing
 * has not said how long its GET would be. */
static void state_held_length(struct response *response)
{
    bool unknown = response->without_body && response->body_bytes == 0;
    if (response->head.content_length < 0 && !unknown)
        response->head.content_length = (int64_t)response->body_bytes;
}

enum hearth_error response_finish(struct response *response)
{
    if (response->state != RESPONSE_HEAD && response->state != RESPONSE_BODY)
        return HEARTH_MISUSE;
    enum hearth_error result = response->failed;
    if (result == HEARTH_OK && is_too_short(response))
        result = HEARTH_MISUSE;
    if (result == HEARTH_OK && !response->head_sent) {
        state_held_length(response);
        result = send_head(response);
    }
    if (result == HEARTH_OK)
        result = note(response, response->sink->finish(response->sink));
    if (result == HEARTH_OK)
        response->state = RESPONSE_FINISHED;
    else
        response_abort(response);
    return result;
}

void response_abort(struct response *response)
{
    if (response->state == RESPONSE_FINISHED || response->state == RESPONSE_ABORTED)
        return;
    response->state = RESPONSE_ABORTED;
    response->sink->abort(response->sink);
}

bool response_client_gone(const struct response *response)
{
    return response->failed == HEARTH_CLIENT_GONE ||
           (response->sink->client_gone && response->sink->client_gone(response->sink));
}

enum hearth_error response_send(struct response *response, int status, struct view content_type,
                                struct view body)
{
    if (response->state != RESPONSE_HEAD || (body.length > 0 && !status_has_body(status)))
        return HEARTH_MISUSE;
    enum hearth_error result = response_set_status(response, status);
    if (result == HEARTH_OK && content_type.length > 0)
        result = response_set_header(response, VIEW("Content-Type"), content_type);
    if (result == HEARTH_OK)
        result = response_set_length(response, body.length);
    if (result == HEARTH_OK)
        result = response_write(response, body);
    return result == HEARTH_OK ? response_finish(response) : result;
}
