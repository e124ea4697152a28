/*
 * keeper_socket.h - how another process of this machine hands work to the running keeper.
 *
 *   STORE/keeper.sock   a Unix stream socket, mode 0660, there while a keeper of a pool runs
 *
 * `hearth import`, `seal` and the like use it when store.lock is held; without a keeper they take
 * the lock and are the keeper. One frame at a time each way, little-endian; the layout stands at
 * the head of keeper_frame.c. An append is answered when it is durable, like any other.
 */
#ifndef HEARTH_SENSOR_KEEPER_SOCKET_H
#define HEARTH_SENSOR_KEEPER_SOCKET_H

#include "handlers/sensor/live/live_store.h"

/* A reading store over a running keeper: append and seal go through the socket, the rest reads the
 * files. Options as for embedded_store_local_with. NULL: UNAVAILABLE (no keeper answers), IO,
 * NO_MEMORY. Free with store->free. Append and seal: one thread at a time; the rest: any. */
struct reading_store *keeper_client_open(const struct live_store_options *options,
                                         struct error_record *error);

/* What commands use: embedded_store_local_with, or, when the lock is held by a keeper that answers,
 * keeper_client_open. Errors: LOCKED (held by one that does not answer; the detail says by whom),
 * and those of both. */
struct reading_store *command_store_open(const struct live_store_options *options,
                                         struct error_record *error);

#endif
