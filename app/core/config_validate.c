/*
 * config_validate.c - validators for rows.
 */
#include "app/core/config_validate.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

enum { HOST_MAXIMUM = 255, PORT_MAXIMUM = 65535 };

static bool refuse(char *why, size_t why_size, const char *what)
{
    snprintf(why, why_size, "%s", what);
    return false;
}

/* Is every byte a letter, a digit or one of `others`? */
static bool made_of(struct view text, const char *others)
{
    for (size_t i = 0; i < text.length; i++) {
        char c = text.data[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        bool digit = c >= '0' && c <= '9';
        if (!letter && !digit && (c == '\0' || !strchr(others, c)))
            return false;
    }
    return true;
}

/* ---- Addresses ---- */

/* AF_INET or AF_INET6 with `bytes` filled; 0 when the text is no address. */
static int parse_address(struct view text, unsigned char bytes[16])
{
    char terminated[INET6_ADDRSTRLEN];
    if (text.length == 0 || text.length >= sizeof terminated)
        return 0;
    memcpy(terminated, text.data, text.length);
    terminated[text.length] = '\0';
    if (inet_pton(AF_INET, terminated, bytes) == 1)
        return AF_INET;
    return inet_pton(AF_INET6, terminated, bytes) == 1 ? AF_INET6 : 0;
}

static bool is_loopback(int family, const unsigned char bytes[16])
{
    static const unsigned char ipv6_loopback[16] = {[15] = 1};
    if (family == AF_INET)
        return bytes[0] == 127;
    return family == AF_INET6 && memcmp(bytes, ipv6_loopback, 16) == 0;
}

static bool port_valid(struct view text)
{
    uint64_t port;
    return view_to_uint64(text, &port) && port >= 1 && port <= PORT_MAXIMUM;
}

/* Cuts ":PORT" off the end; false when there is none or it is not a port. */
static bool cut_port(struct view *host)
{
    size_t colon = host->length;
    while (colon > 0 && host->data[colon - 1] != ':')
        colon--;
    if (colon == 0 || !port_valid(view_skip(*host, colon)))
        return false;
    host->length = colon - 1;
    return true;
}

static struct view cut_brackets(struct view host)
{
    if (view_starts_with(host, VIEW("[")) && view_ends_with(host, VIEW("]")))
        return view_slice(host, 1, host.length - 2);
    return host;
}

static bool tcp_valid(struct view value, char *why, size_t why_size)
{
    unsigned char bytes[16];
    if (!cut_port(&value))
        return refuse(why, why_size, "needs a port from 1 to 65535, like tcp:127.0.0.1:9000");
    struct view host = cut_brackets(value);
    int family = parse_address(host, bytes);
    if (family == 0 || (family == AF_INET6) == (host.length == value.length))
        return refuse(why, why_size, "needs a numeric address, like tcp:127.0.0.1:9000");
    if (!is_loopback(family, bytes))
        return refuse(why, why_size,
                      "must be a loopback address: FastCGI lets in whoever can connect");
    return true;
}

bool config_validate_listen(struct view value, char *why, size_t why_size)
{
    enum { SOCKET_PATH_MAXIMUM = sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1 };
    if (view_starts_with(value, VIEW("tcp:")))
        return tcp_valid(view_skip(value, 4), why, why_size);
    if (!view_starts_with(value, VIEW("unix:")))
        return refuse(why, why_size, "must be unix:/PATH or tcp:ADDRESS:PORT");
    struct view path = view_skip(value, 5);
    if (path.length > SOCKET_PATH_MAXIMUM)
        return refuse(why, why_size, "has a path of more than 107 bytes, which no socket can have");
    return config_validate_path(path, why, why_size);
}

bool config_validate_trusted(struct view value, char *why, size_t why_size)
{
    unsigned char bytes[16];
    uint64_t prefix = 0;
    if (view_equal(value, VIEW("unix")) || view_equal(value, VIEW("loopback")))
        return true;
    struct view rest = value;
    struct view address = view_split(&rest, '/');
    int family = parse_address(address, bytes);
    bool range = rest.data != NULL;
    uint64_t longest = family == AF_INET ? 32 : 128;
    if (family == 0)
        return refuse(why, why_size,
                      "must be an address, a range like 10.0.0.0/8, \"unix\" or \"loopback\"");
    if (range && (!view_to_uint64(rest, &prefix) || prefix > longest))
        return refuse(why, why_size, "has a bad prefix length behind the slash");
    return true;
}

/* ---- Names ---- */

bool config_validate_mode(struct view value, char *why, size_t why_size)
{
    size_t digits = 0;
    while (digits < value.length && value.data[digits] >= '0' && value.data[digits] <= '7')
        digits++;
    bool four = value.length == 4 && value.data[0] == '0';
    if (digits == value.length && (four || value.length == 3))
        return true;
    return refuse(why, why_size, "must be an octal mode, like 0660");
}

bool config_validate_group(struct view value, char *why, size_t why_size)
{
    bool bad_start = value.length > 0 && value.data[0] == '-';
    if (value.length <= 32 && !bad_start && made_of(value, "_-.$"))
        return true;
    return refuse(why, why_size, "is not a name of a group");
}

bool config_validate_header_name(struct view value, char *why, size_t why_size)
{
    /* A token of RFC 9110, section 5.6.2. */
    if (value.length > 0 && made_of(value, "!#$%&'*+-.^_`|~"))
        return true;
    return refuse(why, why_size, "is not a name of a header");
}

static bool host_valid(struct view host)
{
    unsigned char bytes[16];
    struct view inner = cut_brackets(host);
    if (inner.length != host.length)
        return parse_address(inner, bytes) == AF_INET6;
    return host.length > 0 && host.length <= HOST_MAXIMUM && made_of(host, "-._");
}

bool config_validate_origin(struct view value, char *why, size_t why_size)
{
    size_t colon = view_find(value, VIEW("://"));
    if (view_equal(value, VIEW("*")))
        return true;
    struct view scheme = view_slice(value, 0, colon == SIZE_MAX ? 0 : colon);
    struct view host = colon == SIZE_MAX ? VIEW_NONE : view_skip(value, colon + 3);
    if (!view_equal(scheme, VIEW("http")) && !view_equal(scheme, VIEW("https")))
        return refuse(why, why_size, "must be \"*\" or an origin like https://example.org");
    if (view_index_of(host, '/') != SIZE_MAX)
        return refuse(why, why_size, "must end behind the host or port: an origin has no path");
    if (!host_valid(host) && !(cut_port(&host) && host_valid(host)))
        return refuse(why, why_size, "has no valid host, or a bad port");
    return true;
}
