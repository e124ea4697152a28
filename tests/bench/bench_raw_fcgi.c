/*
 * bench_raw_fcgi.c - the smallest hand-written FastCGI responder, the limit that the pool is
 * measured against: one thread, one epoll, no library. It walks the parameters until REQUEST_URI,
 * answers a small text and does nothing else: no router, no limits, no log, no time-outs.
 *
 *   bench_raw_fcgi SOCKET
 *
 * FastCGI 1.0: a record is version, type, request id (2), content length (2), padding length,
 * reserved.
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    HEADER = 8,
    BUFFER = 65536,
    BEGIN_REQUEST = 1,
    END_REQUEST = 3,
    PARAMS = 4,
    STDIN = 5,
    STDOUT = 6
};

struct connection {
    int fd;
    size_t length;
    bool keep;
    unsigned char buffer[BUFFER];
};

static unsigned char answer[512];
static size_t answer_length;
static volatile size_t uri_length; /* keeps the parameter walk from being optimised away */

static size_t record(unsigned char *to, unsigned char type, const char *content, size_t length)
{
    const unsigned char header[HEADER] = {
        1, type, 0, 1, (unsigned char)(length >> 8), (unsigned char)length, 0, 0};
    memcpy(to, header, HEADER);
    if (length > 0)
        memcpy(to + HEADER, content, length);
    return HEADER + length;
}

static void make_answer(void)
{
    static const char text[] = "Content-Type: text/plain\r\nContent-Length: 3\r\n\r\nok\n";
    static const char end[8] = {0};
    answer_length = record(answer, STDOUT, text, sizeof text - 1);
    answer_length += record(answer + answer_length, STDOUT, "", 0);
    answer_length += record(answer + answer_length, END_REQUEST, end, sizeof end);
}

static size_t pair_length(const unsigned char **at)
{
    const unsigned char *p = *at;
    if (p[0] < 128) {
        *at = p + 1;
        return p[0];
    }
    *at = p + 4;
    return (size_t)(p[0] & 127) << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
}

static void walk_parameters(const unsigned char *at, const unsigned char *end)
{
    while (at + 2 <= end) {
        size_t name = pair_length(&at), value = pair_length(&at);
        if (name == 11 && memcmp(at, "REQUEST_URI", 11) == 0)
            uri_length = value;
        at += name + value;
    }
}

/* One whole record; false when the connection is to be closed. */
static bool take_record(struct connection *connection, const unsigned char *at, size_t content)
{
    if (at[1] == BEGIN_REQUEST)
        connection->keep = at[10] & 1;
    else if (at[1] == PARAMS)
        walk_parameters(at + HEADER, at + HEADER + content);
    else if (at[1] == STDIN && content == 0) {
        for (size_t i = 0; i < answer_length;
             i += HEADER + (size_t)(answer[i + 4] << 8 | answer[i + 5]))
            memcpy(answer + i + 2, at + 2, 2);
        if (write(connection->fd, answer, answer_length) != (ssize_t)answer_length ||
            !connection->keep)
            return false;
    }
    return true;
}

static bool serve(struct connection *connection)
{
    ssize_t got =
        read(connection->fd, connection->buffer + connection->length, BUFFER - connection->length);
    if (got <= 0)
        return got < 0 && errno == EAGAIN;
    connection->length += (size_t)got;
    size_t at = 0;
    while (connection->length - at >= HEADER) {
        const unsigned char *p = connection->buffer + at;
        size_t content = (size_t)p[4] << 8 | p[5], whole = HEADER + content + p[6];
        if (connection->length - at < whole)
            break;
        if (!take_record(connection, p, content))
            return false;
        at += whole;
    }
    connection->length -= at;
    memmove(connection->buffer, connection->buffer + at, connection->length);
    return true;
}

static int listen_at(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    unlink(path);
    if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof address) != 0 ||
        listen(fd, 511) != 0 || chmod(path, 0666) != 0) {
        perror(path);
        exit(1);
    }
    return fd;
}

static void accept_all(int epoll, int listener)
{
    int fd;
    /* The epoll has the connections. NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        struct connection *connection = malloc(sizeof *connection);
        if (!connection)
            exit(1);
        connection->fd = fd;
        connection->length = 0;
        connection->keep = false;
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
        if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
            close(fd);
            free(connection);
        }
    }
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: %s SOCKET\n", argv[0]);
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    make_answer();
    int listener = listen_at(argv[1]), epoll = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL}, events[64];
    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
    for (;;) {
        int count = epoll_wait(epoll, events, 64, -1);
        for (int i = 0; i < count; i++) {
            struct connection *connection = events[i].data.ptr;
            if (!connection)
                accept_all(epoll, listener);
            else if (!serve(connection)) {
                close(connection->fd);
                free(connection);
            }
        }
    }
}
