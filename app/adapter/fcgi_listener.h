/*
 * fcgi_listener.h - the socket on which the pool listens, however it came by it.
 *
 * In this order: a socket from systemd (LISTEN_PID, LISTEN_FDS, descriptor 3), one on descriptor 0
 * (spawn-fcgi), one of our own made from pool.listen. FastCGI has no authentication: whoever can
 * connect is believed. So TCP is taken on loopback addresses only, also when it is handed over, and
 * a Unix socket of our own gets its mode and group before anybody can connect.
 */
#ifndef HEARTH_FCGI_LISTENER_H
#define HEARTH_FCGI_LISTENER_H

#include <sys/un.h>

#include "hearth/config.h"

enum fcgi_listener_origin { FCGI_LISTENER_SYSTEMD, FCGI_LISTENER_INHERITED, FCGI_LISTENER_OWN };

struct fcgi_listener {
    int fd;   /* does not block, closed on exec, above 2 */
    int lock; /* of an own Unix socket: PATH.lock, else -1. The master alone holds it. */
    enum fcgi_listener_origin origin;
    /* For people: "unix:/run/hearth/hearth.sock", "tcp:127.0.0.1:9000". */
    char name[sizeof(((struct sockaddr_un *)NULL)->sun_path) + 8];
    char path[sizeof(((struct sockaddr_un *)NULL)->sun_path)]; /* of an own Unix socket, else "" */
};

/* Errors, each with its reason in `error`: BAD_REQUEST (it cannot be listened there, or not
 * safely), LOCKED (somebody listens there), FORBIDDEN, IO. */
HEARTH_MUST_CHECK enum hearth_error fcgi_listener_open(struct fcgi_listener *listener,
                                                       const struct config *config,
                                                       struct error_record *error);
/* An own socket takes no more connections, in any process, and its file goes. One that was handed
 * over goes on: its owner may hand it to a successor. */
void fcgi_listener_shut(struct fcgi_listener *listener);
void fcgi_listener_close(struct fcgi_listener *listener);

#endif
