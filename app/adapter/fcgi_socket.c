/*
 * fcgi_socket.c - see fcgi_socket.h.
 */
#include "app/adapter/fcgi_socket.h"

#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>

static void set_time_limit(int connection, int option, int64_t milliseconds)
{
    const struct timeval limit = {.tv_sec = (time_t)(milliseconds / 1000),
                                  .tv_usec = (suseconds_t)(milliseconds % 1000 * 1000)};
    setsockopt(connection, SOL_SOCKET, option, &limit, sizeof limit);
}

void fcgi_socket_prepare(int connection, const struct fcgi_time_limits *limits)
{
    set_time_limit(connection, SO_RCVTIMEO, limits->receive_ms);
    set_time_limit(connection, SO_SNDTIMEO, limits->send_ms);
    struct sockaddr_storage address = {.ss_family = AF_UNIX};
    socklen_t length = sizeof address;
    if (getsockname(connection, (struct sockaddr *)&address, &length) == 0 &&
        address.ss_family != AF_UNIX) {
        const int yes = 1;
        setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    }
}

/* A socket says that it is writable once a good part of its buffer is free. */
bool fcgi_socket_has_room(int connection, int64_t wait_ms)
{
    struct pollfd writable = {.fd = connection, .events = POLLOUT};
    return poll(&writable, 1, (int)wait_ms) > 0;
}

/* A send begins as long as less is on its way than the buffer may hold. */
bool fcgi_socket_takes_more(int connection)
{
    int on_the_way, most;
    socklen_t length = sizeof most;
    return ioctl(connection, SIOCOUTQ, &on_the_way) == 0 &&
           getsockopt(connection, SOL_SOCKET, SO_SNDBUF, &most, &length) == 0 && on_the_way < most;
}

bool fcgi_socket_peer_gone(int connection)
{
    struct pollfd gone = {.fd = connection, .events = POLLRDHUP};
    return poll(&gone, 1, 0) > 0 &&
           (gone.revents & (POLLRDHUP | POLLHUP | POLLERR | POLLNVAL)) != 0;
}
