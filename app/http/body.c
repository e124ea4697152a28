/*
 * body.c - the body reader: pulls from the adapter's source, counts, and holds what comes against
 * the declared length and the maximum.
 *
 * The source is always asked until it says that the body has ended, also once the declared length
 * has come: only so is a body that is too long seen, and fronts that declare nothing work alike.
 */
#include "hearth/request.h"

enum { READ_CHUNK_BYTES = 16384 };

static enum hearth_error body_fail(struct body *body, enum hearth_error code)
{
    body->failed = code;
    return code;
}

static bool declares_more_than(const struct body *body, uint64_t bytes)
{
    return body->declared_bytes >= 0 && (uint64_t)body->declared_bytes > bytes;
}

enum hearth_error body_limit(struct body *body, uint64_t max_bytes)
{
    if (max_bytes < body->max_bytes)
        body->max_bytes = max_bytes;
    if (body->failed != HEARTH_OK)
        return body->failed;
    if (declares_more_than(body, body->max_bytes))
        return body_fail(body, HEARTH_BODY_TOO_LARGE);
    return HEARTH_OK;
}

static enum hearth_error body_end(struct body *body)
{
    body->ended = true;
    return declares_more_than(body, body->read_bytes) ? body_fail(body, HEARTH_BAD_LENGTH)
                                                      : HEARTH_OK;
}

enum hearth_error body_read(struct body *body, char *to, size_t capacity, size_t *length)
{
    *length = 0;
    if (body->failed != HEARTH_OK)
        return body->failed;
    if (body->ended)
        return HEARTH_OK;
    if (capacity == 0)
        return HEARTH_MISUSE;
    if (declares_more_than(body, body->max_bytes))
        return body_fail(body, HEARTH_BODY_TOO_LARGE);
    size_t got = 0;
    enum hearth_error result =
        body->source ? body->source->read(body->source, to, capacity, &got) : HEARTH_OK;
    if (result != HEARTH_OK)
        return body_fail(body, result);
    if (got == 0)
        return body_end(body);
    body->read_bytes += got;
    if (body->declared_bytes >= 0 && body->read_bytes > (uint64_t)body->declared_bytes)
        return body_fail(body, HEARTH_BAD_LENGTH);
    if (body->read_bytes > body->max_bytes)
        return body_fail(body, HEARTH_BODY_TOO_LARGE);
    *length = got;
    return HEARTH_OK;
}

/* How much to ask for next: what is declared, in bounded steps, since a declaration may lie. */
static size_t next_chunk(const struct body *body, const struct buffer *out)
{
    size_t chunk = READ_CHUNK_BYTES, room = out->max_bytes - out->length;
    if (body->declared_bytes >= 0) {
        uint64_t left = (uint64_t)body->declared_bytes - body->read_bytes;
        if (left < chunk)
            chunk = (size_t)left;
    }
    return chunk < room ? chunk : room;
}

/* The body should be at its end: a byte that still comes decides which error it is. */
static enum hearth_error expect_end(struct body *body, struct buffer *out, bool *ended)
{
    char byte;
    size_t length;
    enum hearth_error result = body_read(body, &byte, 1, &length);
    if (result != HEARTH_OK)
        return result;
    *ended = length == 0;
    return *ended ? HEARTH_OK : buffer_append_byte(out, byte);
}

enum hearth_error body_read_all(struct body *body, struct buffer *out)
{
    bool ended = false;
    enum hearth_error result = buffer_status(out);
    while (result == HEARTH_OK && !ended) {
        size_t length, chunk = next_chunk(body, out);
        if (chunk == 0) {
            result = expect_end(body, out, &ended);
            continue;
        }
        char *to = buffer_reserve(out, chunk);
        if (!to)
            return buffer_status(out);
        result = body_read(body, to, chunk, &length);
        out->length += length;
        ended = result == HEARTH_OK && length == 0;
    }
    return result;
}

enum hearth_error body_drain(struct body *body, uint64_t max_bytes)
{
    /* What the reader itself refused (too long, wrong length) can still be taken off the line; a
     * source that failed cannot. */
    bool refused = body->failed == HEARTH_BODY_TOO_LARGE || body->failed == HEARTH_BAD_LENGTH;
    if (!body->source || body->ended)
        return HEARTH_OK;
    if (body->failed != HEARTH_OK && !refused)
        return body->failed;
    uint64_t drained = 0;
    while (drained <= max_bytes) {
        char dropped[READ_CHUNK_BYTES];
        size_t got = 0;
        enum hearth_error result = body->source->read(body->source, dropped, sizeof dropped, &got);
        if (result != HEARTH_OK)
            return body_fail(body, result);
        if (got == 0) {
            body->ended = true;
            return HEARTH_OK;
        }
        drained += got;
        body->read_bytes += got;
    }
    return HEARTH_BODY_TOO_LARGE;
}
