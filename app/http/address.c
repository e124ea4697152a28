/*
 * address.c - IP addresses as text and as bytes. inet_pton judges the text, so that nothing but
 * the one strict spelling of dotted quads passes.
 */
#include "app/http/address.h"

#include <arpa/inet.h>
#include <string.h>

static const uint8_t mapped_prefix[12] = {[10] = 0xff, [11] = 0xff};

bool address_parse(struct view text, struct address *address)
{
    char terminated[INET6_ADDRSTRLEN];
    if (text.length == 0 || text.length >= sizeof terminated ||
        memchr(text.data, '\0', text.length))
        return false;
    memcpy(terminated, text.data, text.length);
    terminated[text.length] = '\0';
    if (inet_pton(AF_INET, terminated, address->bytes + sizeof mapped_prefix) == 1) {
        memcpy(address->bytes, mapped_prefix, sizeof mapped_prefix);
        return true;
    }
    return inet_pton(AF_INET6, terminated, address->bytes) == 1;
}

bool address_is_loopback(const struct address *address)
{
    static const uint8_t loopback[16] = {[15] = 1};
    if (memcmp(address->bytes, mapped_prefix, sizeof mapped_prefix) == 0)
        return address->bytes[12] == 127;
    return memcmp(address->bytes, loopback, sizeof loopback) == 0;
}

bool address_text_is_loopback(struct view text)
{
    /* Nearly every address is none, and one look says so. */
    if (!view_starts_with(text, VIEW("127.")) && view_index_of(text, ':') == SIZE_MAX)
        return false;
    struct address address;
    return address_parse(text, &address) && address_is_loopback(&address);
}

static bool is_port(struct view text)
{
    uint64_t port;
    return view_to_uint64(text, &port) && port <= 65535;
}

bool address_of_node(struct view node, struct view *text, struct address *address)
{
    struct view host = node;
    if (node.length > 0 && node.data[0] == '[') {
        size_t end = view_index_of(node, ']');
        if (end == SIZE_MAX)
            return false;
        struct view behind = view_skip(node, end + 1);
        if (behind.length > 0 && (behind.data[0] != ':' || !is_port(view_skip(behind, 1))))
            return false;
        host = view_slice(node, 1, end - 1);
        if (view_index_of(host, ':') == SIZE_MAX)
            return false; /* brackets are for IPv6 */
    } else {
        size_t colon = view_index_of(node, ':');
        bool one_colon =
            colon != SIZE_MAX && view_index_of(view_skip(node, colon + 1), ':') == SIZE_MAX;
        if (one_colon) {
            if (!is_port(view_skip(node, colon + 1)))
                return false;
            host = view_slice(node, 0, colon);
        }
    }
    *text = host;
    return address_parse(host, address);
}
