/*
 * fcgi_socket.h - what a FastCGI connection is as a socket: blocking, with time-outs.
 */
#ifndef HEARTH_FCGI_SOCKET_H
#define HEARTH_FCGI_SOCKET_H

#include <stdbool.h>
#include <stdint.h>

struct fcgi_time_limits {
    int64_t receive_ms; /* for the next bytes of a request */
    int64_t send_ms;    /* for the peer to take the next bytes of an answer */
};

/* Sets the time-outs on a connection, and TCP_NODELAY where it applies. */
void fcgi_socket_prepare(int connection, const struct fcgi_time_limits *limits);
/* Can a few kilobytes be sent without blocking? Waits for so long that they can. */
bool fcgi_socket_has_room(int connection, int64_t wait_ms);
/* Can some bytes be sent without blocking, however full it is otherwise? Does not block. */
bool fcgi_socket_takes_more(int connection);
/* Does not block. */
bool fcgi_socket_peer_gone(int connection);

#endif
