/*
 * answer_stream.h - the body of an answer, written piece by piece into one chunk that goes out when
 * it is full: an answer of any size takes the memory of the chunk.
 *
 * A failure sticks; what is written after it is dropped, and answer_stream_finish tells. So a
 * writer need not look at each piece; one that loops over much asks answer_stream_failed.
 */
#ifndef HEARTH_SENSOR_ANSWER_STREAM_H
#define HEARTH_SENSOR_ANSWER_STREAM_H

#include "hearth/response.h"

enum { ANSWER_CHUNK_BYTES = 32768, ANSWER_ROOM_BYTES = 512 };

struct answer_stream {
    struct response *response;
    char *chunk; /* ANSWER_CHUNK_BYTES, from the arena */
    size_t length;
    enum hearth_error failed;
};

/* Errors: NO_MEMORY. */
HEARTH_MUST_CHECK enum hearth_error
answer_stream_init(struct answer_stream *stream, struct arena *arena, struct response *response);
/* A place for ANSWER_ROOM_BYTES, never NULL; answer_stream_wrote takes the end of what was put
 * there (text_put.h). */
char *answer_stream_room(struct answer_stream *stream);
void answer_stream_wrote(struct answer_stream *stream, const char *end);

void answer_stream_text(struct answer_stream *stream, struct view text); /* of any length */
void answer_stream_integer(struct answer_stream *stream, int64_t number);
/* A JSON string with its quotes. */
void answer_stream_json(struct answer_stream *stream, struct view text);

enum hearth_error answer_stream_failed(const struct answer_stream *stream);
/* Sends what is left and finishes the answer. */
HEARTH_MUST_CHECK enum hearth_error answer_stream_finish(struct answer_stream *stream);

#endif
