/*
 * fcgi_listener.c - see fcgi_listener.h.
 *
 * An own Unix socket: first PATH.lock is locked (flock), which keeps a second pool away for the
 * life of this one. Then, if PATH exists, a connection is tried: refused means that it is the
 * leftover of a pool that died, and it is replaced. Children of a master that was killed listen for
 * a moment after it, so a first success is not believed.
 */
#include "app/adapter/fcgi_listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    SYSTEMD_FIRST_FD = 3,
    LEFTOVER_WAIT_MS = 3000, /* what the children of a killed master may take to end */
    LEFTOVER_STEP_MS = 50,
    GROUP_BUFFER_BYTES = 65536,
};

static enum hearth_error failed(struct error_record *error, const struct fcgi_listener *listener,
                                const char *what)
{
    const int number = errno;
    const enum hearth_error code = number == EACCES || number == EPERM ? HEARTH_FORBIDDEN
                                   : number == EADDRINUSE              ? HEARTH_LOCKED
                                                                       : HEARTH_IO;
    return error_set(error, code, "%s: %s: %s", listener->name, what, strerror(number));
}

/* ---- Addresses ---- */

union any_address {
    struct sockaddr any;
    struct sockaddr_un local;
    struct sockaddr_in ipv4;
    struct sockaddr_in6 ipv6;
    struct sockaddr_storage storage;
};

static bool is_loopback(const union any_address *address)
{
    if (address->any.sa_family == AF_INET) {
        return ntohl(address->ipv4.sin_addr.s_addr) >> 24 == 127;
    }
    return address->any.sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&address->ipv6.sin6_addr);
}

/* Names the listener after the address its socket has. */
static void set_name(struct fcgi_listener *listener, const union any_address *address)
{
    char text[INET6_ADDRSTRLEN] = "?";
    switch (address->any.sa_family) {
    case AF_UNIX:
        snprintf(listener->name, sizeof listener->name, "unix:%.*s",
                 (int)sizeof address->local.sun_path, address->local.sun_path);
        break;
    case AF_INET:
        inet_ntop(AF_INET, &address->ipv4.sin_addr, text, sizeof text);
        snprintf(listener->name, sizeof listener->name, "tcp:%s:%u", text,
                 (unsigned)ntohs(address->ipv4.sin_port));
        break;
    case AF_INET6:
        inet_ntop(AF_INET6, &address->ipv6.sin6_addr, text, sizeof text);
        snprintf(listener->name, sizeof listener->name, "tcp:[%s]:%u", text,
                 (unsigned)ntohs(address->ipv6.sin6_port));
        break;
    default:
        snprintf(listener->name, sizeof listener->name, "a socket of family %d",
                 address->any.sa_family);
    }
}

static enum hearth_error check_address(struct fcgi_listener *listener, struct error_record *error)
{
    union any_address address;
    socklen_t length = sizeof address;
    memset(&address, 0, sizeof address);
    if (getsockname(listener->fd, &address.any, &length) != 0) {
        return failed(error, listener, "its address is not known");
    }
    set_name(listener, &address);
    if (address.any.sa_family != AF_UNIX && !is_loopback(&address)) {
        return error_set(error, HEARTH_BAD_REQUEST,
                         "%s: not a Unix socket and not a loopback address; FastCGI lets in "
                         "whoever can connect",
                         listener->name);
    }
    return HEARTH_OK;
}

/* ---- A socket that was handed over ---- */

static bool is_listening(int fd)
{
    int accepting = 0, type = 0;
    socklen_t length = sizeof accepting;
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &accepting, &length) != 0) {
        return false;
    }
    length = sizeof type;
    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) == 0 && accepting != 0 &&
           type == SOCK_STREAM;
}

static enum hearth_error take_over(struct fcgi_listener *listener, int fd,
                                   struct error_record *error)
{
    listener->fd = fd;
    if (fd <= STDERR_FILENO) { /* nobody else shall take it for its standard input */
        listener->fd = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
        const int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
        if (listener->fd < 0 || null < 0 || dup2(null, fd) < 0) {
            return failed(error, listener, "the socket that was handed over");
        }
        close(null);
    }
    if (fcntl(listener->fd, F_SETFD, FD_CLOEXEC) != 0 ||
        fcntl(listener->fd, F_SETFL, fcntl(listener->fd, F_GETFL) | O_NONBLOCK) != 0) {
        return failed(error, listener, "the socket that was handed over");
    }
    return check_address(listener, error);
}

/* How many sockets systemd hands to this process (sd_listen_fds(3)). */
static uint64_t systemd_count(void)
{
    uint64_t pid = 0, count = 0;
    if (!view_to_uint64(view_of(getenv("LISTEN_PID")), &pid) || pid != (uint64_t)getpid() ||
        !view_to_uint64(view_of(getenv("LISTEN_FDS")), &count)) {
        return 0;
    }
    return count;
}

static enum hearth_error take_from_systemd(struct fcgi_listener *listener, uint64_t count,
                                           struct error_record *error)
{
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
    listener->origin = FCGI_LISTENER_SYSTEMD;
    if (count != 1 || !is_listening(SYSTEMD_FIRST_FD)) {
        return error_set(error, HEARTH_BAD_REQUEST,
                         "LISTEN_FDS: one listening stream socket is wanted, on descriptor 3; "
                         "%llu were announced",
                         (unsigned long long)count);
    }
    return take_over(listener, SYSTEMD_FIRST_FD, error);
}

/* ---- A Unix socket of our own ---- */

/* Its lock file would fail for the same reason, and seem to be what is wrong. */
static enum hearth_error check_directory(const struct fcgi_listener *listener,
                                         struct error_record *error)
{
    char directory[sizeof listener->path];
    snprintf(directory, sizeof directory, "%s", listener->path);
    char *slash = strrchr(directory, '/');
    if (!slash || slash == directory) {
        return HEARTH_OK;
    }
    *slash = '\0';
    struct stat status;
    if (stat(directory, &status) != 0) {
        return error_set(error, error_from_errno(errno), "%s: its directory %s: %s", listener->name,
                         directory, strerror(errno));
    }
    return S_ISDIR(status.st_mode)
               ? HEARTH_OK
               : error_set(error, HEARTH_BAD_REQUEST, "%s: %s is not a directory", listener->name,
                           directory);
}

/* Whose file is in the way? An earlier pool of another user's has left it. */
static enum hearth_error lock_not_opened(const struct fcgi_listener *listener, const char *path,
                                         struct error_record *error)
{
    const int number = errno;
    const enum hearth_error code = number == EACCES ? HEARTH_FORBIDDEN : HEARTH_IO;
    struct stat status;
    if (lstat(path, &status) != 0) {
        return error_set(error, code, "%s: its lock file %s cannot be made: %s", listener->name,
                         path, strerror(number));
    }
    const struct passwd *owner = getpwuid(status.st_uid);
    return error_set(error, code, "%s: its lock file %s, of user %s (%llu), cannot be opened: %s",
                     listener->name, path, owner ? owner->pw_name : "unknown",
                     (unsigned long long)status.st_uid, strerror(number));
}

static enum hearth_error take_lock(struct fcgi_listener *listener, struct error_record *error)
{
    char path[sizeof listener->path + sizeof ".lock"];
    snprintf(path, sizeof path, "%s.lock", listener->path);
    listener->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (listener->lock < 0) {
        return lock_not_opened(listener, path, error);
    }
    if (flock(listener->lock, LOCK_EX | LOCK_NB) != 0) {
        return errno == EWOULDBLOCK
                   ? error_set(error, HEARTH_LOCKED, "%s: another pool listens here (it holds %s)",
                               listener->name, path)
                   : failed(error, listener, "its lock file cannot be locked");
    }
    return HEARTH_OK;
}

static bool somebody_listens(const struct sockaddr_un *address)
{
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return true;
    }
    const bool refused =
        connect(fd, (const struct sockaddr *)address, sizeof *address) != 0 && errno != EAGAIN;
    close(fd);
    return !refused;
}

static enum hearth_error remove_leftover(const struct fcgi_listener *listener,
                                         const struct sockaddr_un *address,
                                         struct error_record *error)
{
    struct stat status;
    if (lstat(listener->path, &status) != 0) {
        return errno == ENOENT ? HEARTH_OK : failed(error, listener, "cannot be looked at");
    }
    if (!S_ISSOCK(status.st_mode)) {
        return error_set(error, HEARTH_BAD_REQUEST, "%s: exists and is not a socket",
                         listener->name);
    }
    for (int waited_ms = 0; somebody_listens(address); waited_ms += LEFTOVER_STEP_MS) {
        const struct timespec pause = {.tv_nsec = LEFTOVER_STEP_MS * 1000000L};
        if (waited_ms >= LEFTOVER_WAIT_MS) {
            return error_set(error, HEARTH_LOCKED, "%s: somebody else listens here",
                             listener->name);
        }
        nanosleep(&pause, NULL);
    }
    return unlink(listener->path) == 0 || errno == ENOENT
               ? HEARTH_OK
               : failed(error, listener, "the leftover of an earlier pool cannot be removed");
}

static enum hearth_error set_group(const struct fcgi_listener *listener, const char *name,
                                   struct error_record *error)
{
    if (name[0] == '\0') {
        return HEARTH_OK;
    }
    struct group entry, *found = NULL;
    char *buffer = malloc(GROUP_BUFFER_BYTES);
    if (!buffer) {
        return error_set(error, HEARTH_NO_MEMORY, "there is no memory to look up a group");
    }
    enum hearth_error code = HEARTH_OK;
    if (getgrnam_r(name, &entry, buffer, GROUP_BUFFER_BYTES, &found) != 0 || !found) {
        code =
            error_set(error, HEARTH_BAD_REQUEST, "pool.socket_group: there is no group %s", name);
    } else if (lchown(listener->path, (uid_t)-1, found->gr_gid) != 0) {
        code = failed(error, listener, "its group cannot be set");
    }
    free(buffer);
    return code;
}

/* Nobody can connect until listen(2), and by then mode and group are right. */
static enum hearth_error bind_unix(struct fcgi_listener *listener,
                                   const struct sockaddr_un *address, const struct config *config,
                                   struct error_record *error)
{
    const mode_t mode = (mode_t)strtoul(config_string(config, "pool.socket_mode"), NULL, 8);
    listener->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    const mode_t before = umask(0177);
    const int bound = listener->fd < 0
                          ? -1
                          : bind(listener->fd, (const struct sockaddr *)address, sizeof *address);
    umask(before);
    if (bound != 0) {
        return failed(error, listener, "cannot be made");
    }
    enum hearth_error code = set_group(listener, config_string(config, "pool.socket_group"), error);
    if (code == HEARTH_OK && chmod(listener->path, mode) != 0) {
        code = failed(error, listener, "its mode cannot be set");
    }
    if (code != HEARTH_OK) {
        unlink(listener->path);
    }
    return code;
}

static enum hearth_error open_unix(struct fcgi_listener *listener, const char *path,
                                   const struct config *config, struct error_record *error)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path) {
        return error_set(error, HEARTH_BAD_REQUEST, "pool.listen: the path is too long");
    }
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    snprintf(listener->path, sizeof listener->path, "%s", path);
    enum hearth_error code = check_directory(listener, error);
    if (code == HEARTH_OK) {
        code = take_lock(listener, error);
    }
    if (code == HEARTH_OK) {
        code = remove_leftover(listener, &address, error);
    }
    return code == HEARTH_OK ? bind_unix(listener, &address, config, error) : code;
}

/* ---- A TCP socket of our own ---- */

static bool parse_tcp(const char *text, union any_address *address, socklen_t *length)
{
    const char *colon = strrchr(text, ':');
    uint64_t port;
    char host[INET6_ADDRSTRLEN + 2];
    if (!colon || !view_to_uint64(view_of(colon + 1), &port) || port > UINT16_MAX ||
        (size_t)(colon - text) >= sizeof host) {
        return false;
    }
    memset(address, 0, sizeof *address);
    snprintf(host, sizeof host, "%.*s", (int)(colon - text), text);
    if (inet_pton(AF_INET, host, &address->ipv4.sin_addr) == 1) {
        address->ipv4.sin_family = AF_INET;
        address->ipv4.sin_port = htons((uint16_t)port);
        *length = sizeof address->ipv4;
        return true;
    }
    const size_t end = strlen(host);
    if (end < 2 || host[0] != '[' || host[end - 1] != ']') {
        return false;
    }
    host[end - 1] = '\0';
    address->ipv6.sin6_family = AF_INET6;
    address->ipv6.sin6_port = htons((uint16_t)port);
    *length = sizeof address->ipv6;
    return inet_pton(AF_INET6, host + 1, &address->ipv6.sin6_addr) == 1;
}

static enum hearth_error open_tcp(struct fcgi_listener *listener, const char *text,
                                  struct error_record *error)
{
    union any_address address;
    socklen_t length = 0;
    if (!parse_tcp(text, &address, &length)) {
        return error_set(error, HEARTH_BAD_REQUEST,
                         "%s: wanted is tcp:ADDRESS:PORT with a numeric address", listener->name);
    }
    if (!is_loopback(&address)) {
        return error_set(error, HEARTH_BAD_REQUEST,
                         "%s: not a loopback address; FastCGI lets in whoever can connect",
                         listener->name);
    }
    const int yes = 1;
    listener->fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (listener->fd < 0 ||
        setsockopt(listener->fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) != 0 ||
        bind(listener->fd, &address.any, length) != 0) {
        return failed(error, listener, "cannot be listened on");
    }
    return HEARTH_OK;
}

static enum hearth_error open_own(struct fcgi_listener *listener, const struct config *config,
                                  struct error_record *error)
{
    const char *where = config_string(config, "pool.listen");
    listener->origin = FCGI_LISTENER_OWN;
    snprintf(listener->name, sizeof listener->name, "%s", where);
    enum hearth_error code = strncmp(where, "tcp:", 4) == 0 ? open_tcp(listener, where + 4, error)
                             : strncmp(where, "unix:", 5) == 0
                                 ? open_unix(listener, where + 5, config, error)
                                 : error_set(error, HEARTH_BAD_REQUEST,
                                             "pool.listen: wanted is unix:/PATH or "
                                             "tcp:ADDRESS:PORT");
    if (code == HEARTH_OK &&
        listen(listener->fd, (int)config_integer(config, "pool.backlog")) != 0) {
        code = failed(error, listener, "cannot be listened on");
    }
    return code;
}

/* ---- Whichever ---- */

enum hearth_error fcgi_listener_open(struct fcgi_listener *listener, const struct config *config,
                                     struct error_record *error)
{
    *listener = (struct fcgi_listener){.fd = -1, .lock = -1, .name = "the socket"};
    const uint64_t from_systemd = systemd_count();
    enum hearth_error code;
    if (from_systemd > 0) {
        code = take_from_systemd(listener, from_systemd, error);
    } else if (is_listening(STDIN_FILENO)) {
        listener->origin = FCGI_LISTENER_INHERITED;
        code = take_over(listener, STDIN_FILENO, error);
    } else {
        code = open_own(listener, config, error);
    }
    if (code != HEARTH_OK) {
        /* What stands at the path is not ours unless it was bound. */
        listener->path[0] = '\0';
        fcgi_listener_close(listener);
    }
    return code;
}

void fcgi_listener_shut(struct fcgi_listener *listener)
{
    if (listener->path[0]) {
        unlink(listener->path);
        listener->path[0] = '\0';
    }
    if (listener->origin == FCGI_LISTENER_OWN && listener->fd >= 0) {
        shutdown(listener->fd, SHUT_RDWR);
    }
}

void fcgi_listener_close(struct fcgi_listener *listener)
{
    if (listener->fd >= 0) {
        close(listener->fd);
    }
    if (listener->lock >= 0) {
        close(listener->lock);
    }
    listener->fd = -1;
    listener->lock = -1;
}
