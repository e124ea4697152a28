/*
 * keeper_server.h - the keeper's end of STORE/keeper.sock (keeper_socket.h): a thread that takes
 * frames from other processes of this machine. Appends are group commits like any other; to seal it
 * asks the sealing thread. A peer that is slow or silent loses its connection, and holds nobody up.
 */
#ifndef HEARTH_SENSOR_KEEPER_SERVER_H
#define HEARTH_SENSOR_KEEPER_SERVER_H

#include "handlers/sensor/keeper/keeper_requests.h"
#include "handlers/sensor/keeper/keeper_sealing.h"

struct keeper_server;

struct keeper_server_options {
    const char *directory;            /* Required. The store's. */
    struct live_store *store;         /* Required. */
    struct keeper_requests *requests; /* Required. */
    struct keeper_sealing *sealing;   /* Required. */
    const struct clock *clock;        /* Required. */
    int64_t frame_timeout_ms;         /* 0 = 10 s: from a frame's first byte to its last */
    int64_t idle_timeout_ms;          /* 0 = 10 min: between frames */
};

/* Everything must outlive it. The socket of a dead keeper is replaced: whoever calls holds
 * store.lock. NULL: NO_MEMORY, IO. */
struct keeper_server *keeper_server_start(const struct keeper_server_options *options,
                                          struct error_record *error);
/* Removes the socket, closes the connections, ends the thread. NULL is allowed. */
void keeper_server_stop(struct keeper_server *server);

#endif
