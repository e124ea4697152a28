/*
 * fuzz_keeper_frame.c - any bytes as a frame of the keeper's socket.
 *
 * Whatever is taken for a request holds no more than a frame may, and says the same when it is
 * written again; rejected readings lie within the frame, one behind the other.
 */
#include "handlers/sensor/keeper/keeper_frame.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void try_request(const uint8_t *data)
{
    struct frame_request request;
    unsigned char again[FRAME_REQUEST_BYTES];
    if (!frame_request_parse(data, &request))
        return;
    must(request.records <= FRAME_RECORDS && request.rejected <= FRAME_REJECTED &&
         request.rejected_bytes <= FRAME_REJECTED_BYTES);
    frame_request_format(&request, again);
    must(memcmp(again, data, sizeof again) == 0);
}

static void try_answer(const uint8_t *data)
{
    struct frame_answer answer;
    if (frame_answer_parse(data, &answer))
        must(answer.detail_bytes <= FRAME_DETAIL_BYTES && answer.code < HEARTH_ERROR_COUNT);
}

static void try_rejected(const char *data, size_t size)
{
    struct view bytes = view_from(data, size);
    struct quarantine_entry entry;
    size_t at = 0, before = 0;
    while (frame_rejected_next(bytes, &at, &entry)) {
        must(at > before && at <= size && entry.reason != NULL);
        must(entry.raw.length == 0 ||
             (entry.raw.data >= data + before && entry.raw.data + entry.raw.length <= data + size));
        before = at;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = malloc(size + 1);
    must(copy != NULL);
    memcpy(copy, size > 0 ? (const char *)data : "", size);
    if (size >= FRAME_REQUEST_BYTES)
        try_request((const uint8_t *)copy);
    if (size >= FRAME_ANSWER_BYTES)
        try_answer((const uint8_t *)copy);
    try_rejected(copy, size);
    free(copy);
    return 0;
}
