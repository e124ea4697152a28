/*
 * keeper_frame.h - what travels through the keeper's socket. The layout stands at the head of
 * keeper_frame.c. The inside of keeper_server.c and keeper_client.c.
 */
#ifndef HEARTH_SENSOR_KEEPER_FRAME_H
#define HEARTH_SENSOR_KEEPER_FRAME_H

#include "handlers/sensor/live/live_store.h"

enum {
    FRAME_HELLO_BYTES = 16,
    FRAME_REQUEST_BYTES = 24,
    FRAME_ANSWER_BYTES = 88,
    FRAME_DETAIL_BYTES = 239,
    /* The most that one frame holds. */
    FRAME_RECORDS = 65536,
    FRAME_REJECTED = 4096,
    FRAME_REJECTED_BYTES = 1 << 20,
};

enum frame_kind { FRAME_APPEND = 1, FRAME_SEAL = 2 };

struct frame_request {
    enum frame_kind kind;
    uint32_t records, rejected, rejected_bytes;
    uint32_t timeout_ms; /* what the peer waits for */
};

struct frame_answer {
    enum hearth_error code;
    int number; /* errno, or 0 */
    struct append_result result;
    uint32_t detail_bytes; /* that follow */
};

void frame_hello_format(unsigned char bytes[FRAME_HELLO_BYTES]);
/* Is it this program's, with the same published state? */
bool frame_hello_parse(const unsigned char bytes[FRAME_HELLO_BYTES]);
void frame_request_format(const struct frame_request *request,
                          unsigned char bytes[FRAME_REQUEST_BYTES]);
/* False when it is none, or holds more than a frame may. */
bool frame_request_parse(const unsigned char bytes[FRAME_REQUEST_BYTES],
                         struct frame_request *request);
void frame_answer_format(const struct frame_answer *answer,
                         unsigned char bytes[FRAME_ANSWER_BYTES]);
bool frame_answer_parse(const unsigned char bytes[FRAME_ANSWER_BYTES], struct frame_answer *answer);

/* A rejected reading behind `*length` bytes that are there; false when a frame has no room. */
bool frame_rejected_put(unsigned char bytes[FRAME_REJECTED_BYTES], size_t *length,
                        const struct rejected_reading *rejected);
/* The one at `*at`; its views point into `bytes`. False when it makes no sense. */
bool frame_rejected_next(struct view bytes, size_t *at, struct quarantine_entry *entry);

/* ---- The socket's place ---- */

/* A socket bound to (`listens`), or connected to, STORE/keeper.sock, whatever the length of the
 * directory's name; -1 and errno. */
int keeper_socket_open(const char *store, bool listens);

#endif
