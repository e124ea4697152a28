/*
 * answer_stream.c - the body of an answer in chunks.
 */
#include "handlers/sensor/query/answer_stream.h"

#include "app/core/json_text.h"
#include "handlers/sensor/text/text_put.h"

enum hearth_error answer_stream_init(struct answer_stream *stream, struct arena *arena,
                                     struct response *response)
{
    *stream = (struct answer_stream){.response = response,
                                     .chunk = arena_alloc(arena, ANSWER_CHUNK_BYTES)};
    return stream->chunk ? HEARTH_OK : HEARTH_NO_MEMORY;
}

static void send_chunk(struct answer_stream *stream)
{
    struct view chunk = view_from(stream->chunk, stream->length);
    stream->length = 0;
    if (!stream->failed && chunk.length > 0)
        stream->failed = response_write(stream->response, chunk);
}

char *answer_stream_room(struct answer_stream *stream)
{
    if (stream->length > ANSWER_CHUNK_BYTES - ANSWER_ROOM_BYTES)
        send_chunk(stream);
    return stream->chunk + stream->length;
}

void answer_stream_wrote(struct answer_stream *stream, const char *end)
{
    stream->length = (size_t)(end - stream->chunk);
}

void answer_stream_text(struct answer_stream *stream, struct view text)
{
    while (text.length > 0) {
        struct view piece = view_slice(text, 0, ANSWER_ROOM_BYTES);
        char *at = answer_stream_room(stream);
        answer_stream_wrote(stream, text_put(at, piece));
        text = view_skip(text, piece.length);
    }
}

void answer_stream_integer(struct answer_stream *stream, int64_t number)
{
    char *at = answer_stream_room(stream);
    answer_stream_wrote(stream, text_put_integer(at, number));
}

void answer_stream_json(struct answer_stream *stream, struct view text)
{
    char escape[JSON_ESCAPE_SIZE];
    answer_stream_text(stream, VIEW("\""));
    while (text.length > 0) {
        answer_stream_text(stream, json_plain(&text));
        if (text.length > 0)
            answer_stream_text(stream, json_escape(&text, escape));
    }
    answer_stream_text(stream, VIEW("\""));
}

enum hearth_error answer_stream_failed(const struct answer_stream *stream)
{
    return stream->failed;
}

enum hearth_error answer_stream_finish(struct answer_stream *stream)
{
    send_chunk(stream);
    return stream->failed ? stream->failed : response_finish(stream->response);
}
