/*
 * ingest_body.c - the body of a request that brings readings.
 *
 * A packed body is inflated as it arrives, into a buffer that never grows beyond its maximum: a
 * bomb costs no more than a body of that size sent plainly, and ends in the same 413. Nothing of a
 * body is looked at before all of it is there and its checksum was right, since damage in packed
 * text makes plausible readings.
 */
#include "handlers/sensor/ingest/ingest_body.h"

#include "app/core/memory.h"

#include <limits.h>
#include <zlib.h>

enum {
    PACKED_BYTES = 16384,   /* read at a time */
    UNPACKED_BYTES = 65536, /* room made at a time */
    GZIP_ONLY = 16 + MAX_WBITS,
};

struct unpacking {
    const struct request *request;
    struct buffer *body;
    z_stream stream;
    bool member_ended; /* and the next has not begun */
};

static void *allocate(void *context, unsigned count, unsigned size)
{
    size_t bytes;
    (void)context;
    return __builtin_mul_overflow((size_t)count, (size_t)size, &bytes) ? NULL : memory_new(bytes);
}

static void release(void *context, void *memory)
{
    (void)context;
    memory_free(memory);
}

static enum hearth_error too_large(const struct unpacking *unpacking)
{
    return request_fail(unpacking->request, HEARTH_BODY_TOO_LARGE,
                        "the body unpacks to more than %zu bytes", unpacking->body->max_bytes);
}

/* Room to inflate into; one byte of it when the maximum is reached, so that a body of exactly the
 * maximum still comes to its end. */
static enum hearth_error make_room(struct unpacking *unpacking, Bytef *spare)
{
    struct buffer *body = unpacking->body;
    size_t left = body->max_bytes - body->length;
    size_t room = left < UNPACKED_BYTES ? left : UNPACKED_BYTES;
    char *at = room > 0 ? buffer_reserve(body, room) : NULL;
    if (room > 0 && !at)
        return HEARTH_NO_MEMORY;
    unpacking->stream.next_out = room > 0 ? (Bytef *)at : spare;
    unpacking->stream.avail_out = room > 0 ? (uInt)room : 1;
    return HEARTH_OK;
}

/* A member behind one that ended. */
static bool begin_member(struct unpacking *unpacking)
{
    bool ready = !unpacking->member_ended || inflateReset(&unpacking->stream) == Z_OK;
    unpacking->member_ended = false;
    return ready;
}

static enum hearth_error judge(const struct unpacking *unpacking, int outcome)
{
    if (outcome == Z_OK || outcome == Z_STREAM_END || outcome == Z_BUF_ERROR)
        return HEARTH_OK;
    if (outcome == Z_MEM_ERROR)
        return HEARTH_NO_MEMORY;
    return request_fail(unpacking->request, HEARTH_BAD_BODY,
                        "the body is not gzip, or damaged; nothing was stored");
}

static enum hearth_error inflate_some(struct unpacking *unpacking)
{
    Bytef spare[1];
    z_stream *stream = &unpacking->stream;
    enum hearth_error error = make_room(unpacking, spare);
    if (error)
        return error;
    uInt room = stream->avail_out;
    bool is_full = stream->next_out == spare;
    if (!begin_member(unpacking))
        return HEARTH_INTERNAL;
    int outcome = inflate(stream, Z_NO_FLUSH);
    if (is_full && stream->avail_out == 0)
        return too_large(unpacking);
    if (!is_full)
        unpacking->body->length += room - stream->avail_out;
    unpacking->member_ended = outcome == Z_STREAM_END;
    return judge(unpacking, outcome);
}

/* All that comes of `packed`. */
static enum hearth_error inflate_piece(struct unpacking *unpacking, char *packed, size_t length)
{
    z_stream *stream = &unpacking->stream;
    enum hearth_error error = HEARTH_OK;
    stream->next_in = (Bytef *)packed;
    stream->avail_in = (uInt)length;
    do
        error = inflate_some(unpacking);
    while (!error &&
           (stream->avail_in > 0 || (!unpacking->member_ended && stream->avail_out == 0)));
    return error;
}

static enum hearth_error inflate_body(struct unpacking *unpacking)
{
    char packed[PACKED_BYTES];
    size_t length = 0;
    enum hearth_error error;
    do {
        error = body_read(unpacking->request->body, packed, sizeof packed, &length);
        if (!error && length > 0)
            error = inflate_piece(unpacking, packed, length);
    } while (!error && length > 0);
    if (!error && !unpacking->member_ended)
        return request_fail(unpacking->request, HEARTH_BAD_BODY,
                            "the gzip of the body does not end; nothing was stored");
    return error;
}

static enum hearth_error read_gzip(const struct request *request, struct buffer *body)
{
    struct unpacking unpacking = {
        .request = request, .body = body, .stream = {.zalloc = allocate, .zfree = release}};
    if (inflateInit2(&unpacking.stream, GZIP_ONLY) != Z_OK)
        return HEARTH_NO_MEMORY;
    enum hearth_error error = inflate_body(&unpacking);
    inflateEnd(&unpacking.stream);
    return error;
}

enum hearth_error ingest_body_read(const struct request *request, struct buffer *body)
{
    struct view encoding = view_trim(request_header(request, "content-encoding"));
    enum hearth_error error = body_limit(request->body, body->max_bytes);
    if (error)
        return error;
    if (encoding.length == 0 || view_equal_ignore_case(encoding, VIEW("identity")))
        return body_read_all(request->body, body);
    if (view_equal_ignore_case(encoding, VIEW("gzip")) ||
        view_equal_ignore_case(encoding, VIEW("x-gzip")))
        return read_gzip(request, body);
    return request_fail(request, HEARTH_UNSUPPORTED_MEDIA_TYPE,
                        "readings are sent as they are or with Content-Encoding: gzip");
}
