/*
 * forwarded.c - who the client is, when a proxy speaks for it.
 *
 * Only a trusted peer is listened to. The chain of addresses is walked from the right, the side
 * that the nearest proxy wrote: trusted hops are skipped, the first other one is the client. A hop
 * that cannot be read ends the walk, and the hop before it stands for the client, since what lies
 * further left may be anybody's invention.
 *
 * A header that came twice is ignored: fronts write names in one case and with one kind of dash, so
 * a second one may be the client's own, in disguise. Where both families came, X-Forwarded-* counts
 * if Forwarded names the same client; if it does not, one of them is a forgery and neither counts.
 */
#include "app/http/forwarded.h"

#include "app/http/address.h"
#include "app/http/forwarded_element.h"
#include "app/http/syntax.h"

/* What one family of headers says; NULL data = nothing. */
struct claim {
    struct view address, scheme, host;
};

static void ignored(const struct request_input *input, const char *header, const char *why)
{
    LOG_DEBUG("forwarded_ignored", LOG_TEXT("header", header), LOG_TEXT("why", why),
              LOG_VIEW("peer", input->peer_address));
}

static struct view known_scheme(struct view text)
{
    if (view_equal_ignore_case(text, VIEW("https")))
        return VIEW("https");
    if (view_equal_ignore_case(text, VIEW("http")))
        return VIEW("http");
    return VIEW_NONE;
}

/* The value of a header that may come once; says so when it came more often. */
static struct view single(const struct request_input *input, const struct known_headers *known,
                          enum known_header header, const char *name)
{
    if (known->count[header] > 1)
        ignored(input, name, "came more than once");
    return headers_single(known, header);
}

/* Cuts the last item off a comma-separated list. */
static struct view cut_last(struct view *list)
{
    size_t from = list->length;
    while (from > 0 && list->data[from - 1] != ',')
        from--;
    struct view item = view_trim(view_skip(*list, from));
    *list = view_slice(*list, 0, from > 0 ? from - 1 : 0);
    return item;
}

static struct view walk_list(const struct request_input *input, const struct trust_list *trusted,
                             struct view list)
{
    struct view client = VIEW_NONE;
    while (list.length > 0) {
        struct view item = cut_last(&list), text;
        struct address address;
        if (item.length == 0)
            continue;
        if (!address_of_node(item, &text, &address)) {
            ignored(input, "x-forwarded-for", "an item is no address");
            return client;
        }
        client = text;
        if (!trust_list_has(trusted, text))
            return client;
    }
    return client;
}

/* The item that all items of a list equal; several proxies may have appended the same. */
static struct view common_item(struct view list)
{
    struct view common = cut_last(&list);
    while (list.length > 0)
        if (!view_equal_ignore_case(cut_last(&list), common))
            return VIEW_NONE;
    return common;
}

static struct claim claim_of_x_forwarded(const struct request_input *input,
                                         const struct trust_list *trusted,
                                         const struct known_headers *known)
{
    struct claim claim = {{NULL, 0}, {NULL, 0}, {NULL, 0}};
    struct view chain = single(input, known, KNOWN_X_FORWARDED_FOR, "x-forwarded-for");
    struct view proto = single(input, known, KNOWN_X_FORWARDED_PROTO, "x-forwarded-proto");
    struct view host = single(input, known, KNOWN_X_FORWARDED_HOST, "x-forwarded-host");
    claim.address = walk_list(input, trusted, chain);
    claim.scheme = known_scheme(common_item(proto));
    if (proto.length > 0 && claim.scheme.length == 0)
        ignored(input, "x-forwarded-proto", "is not one known scheme");
    claim.host = common_item(host);
    if (view_index_of(host, ',') != SIZE_MAX && claim.host.length == 0)
        ignored(input, "x-forwarded-host", "has values that differ");
    return claim;
}

static struct claim claim_of_forwarded(const struct request_input *input,
                                       const struct trust_list *trusted,
                                       const struct known_headers *known)
{
    struct claim claim = {{NULL, 0}, {NULL, 0}, {NULL, 0}};
    struct forwarded_element elements[FORWARDED_MAX_ELEMENTS];
    size_t count;
    struct view text = single(input, known, KNOWN_FORWARDED, "forwarded");
    if (text.length == 0)
        return claim;
    if (!forwarded_parse(text, elements, &count)) {
        ignored(input, "forwarded", "is malformed");
        return claim;
    }
    while (count-- > 0) {
        struct address address;
        struct view node;
        if (!address_of_node(elements[count].node, &node, &address)) {
            ignored(input, "forwarded", "an element has no address");
            break;
        }
        claim.address = node;
        claim.scheme = known_scheme(elements[count].proto);
        claim.host = elements[count].host;
        if (!trust_list_has(trusted, node))
            break;
    }
    return claim;
}

static bool came(const struct known_headers *known, enum known_header header)
{
    return known->count[header] > 1 || known->first[header].length > 0;
}

static bool same_address(struct view a, struct view b)
{
    struct address first, second;
    if (!address_parse(a, &first) || !address_parse(b, &second))
        return a.length == 0 && b.length == 0;
    for (size_t i = 0; i < sizeof first.bytes; i++)
        if (first.bytes[i] != second.bytes[i])
            return false;
    return true;
}

static struct claim choose_claim(const struct request_input *input,
                                 const struct trust_list *trusted,
                                 const struct known_headers *known)
{
    bool forwarded = came(known, KNOWN_FORWARDED);
    bool x_forwarded = came(known, KNOWN_X_FORWARDED_FOR) || came(known, KNOWN_X_FORWARDED_PROTO) ||
                       came(known, KNOWN_X_FORWARDED_HOST);
    if (!x_forwarded && forwarded)
        return claim_of_forwarded(input, trusted, known);
    struct claim claim = claim_of_x_forwarded(input, trusted, known);
    if (!forwarded)
        return claim;
    struct claim other = claim_of_forwarded(input, trusted, known);
    if (same_address(claim.address, other.address))
        return claim;
    ignored(input, "forwarded", "contradicts x-forwarded-for");
    return (struct claim){{NULL, 0}, {NULL, 0}, {NULL, 0}};
}

static bool list_is_loopback(struct view list)
{
    while (list.length > 0) {
        struct view item = cut_last(&list), text;
        struct address address;
        if (item.length > 0 &&
            (!address_of_node(item, &text, &address) || !address_is_loopback(&address)))
            return false;
    }
    return true;
}

static bool elements_are_loopback(struct view text)
{
    struct forwarded_element elements[FORWARDED_MAX_ELEMENTS];
    size_t count;
    if (!forwarded_parse(text, elements, &count))
        return false;
    for (size_t i = 0; i < count; i++) {
        struct view node;
        struct address address;
        if (!address_of_node(elements[i].node, &node, &address) || !address_is_loopback(&address))
            return false;
    }
    return true;
}

/* Loopback opens doors (see /metrics), so one foreign hop anywhere closes them: a tunnel on this
 * machine, trusted or not, forwards the world's requests from 127.0.0.1. */
static bool chain_is_loopback(const struct request *request, const struct request_input *input,
                              const struct known_headers *known)
{
    if (input->forwarded || !address_text_is_loopback(request->client_address))
        return false;
    if (!came(known, KNOWN_X_FORWARDED_FOR) && !came(known, KNOWN_FORWARDED))
        return true;
    for (size_t i = 0; i < request->headers.count; i++) {
        const struct pair *header = &request->headers.items[i];
        if (view_equal_ignore_case(header->name, VIEW("x-forwarded-for")) &&
            !list_is_loopback(header->value))
            return false;
        if (view_equal_ignore_case(header->name, VIEW("forwarded")) &&
            !elements_are_loopback(header->value))
            return false;
    }
    return true;
}

static void believe(struct request *request, const struct request_input *input,
                    const struct claim *claim)
{
    if (claim->address.length > 0)
        request->client_address = claim->address;
    if (claim->scheme.length > 0)
        request->scheme = claim->scheme;
    if (claim->host.length > 0) {
        if (syntax_is_host(claim->host))
            request->host = claim->host;
        else
            ignored(input, "forwarded", "the host is malformed");
    }
}

void forwarded_resolve(struct request *request, const struct request_input *input,
                       const struct trust_list *trusted, const struct known_headers *known)
{
    request->client_address = input->peer_address;
    request->scheme = known_scheme(input->scheme);
    if (request->scheme.length == 0)
        request->scheme = VIEW("http");
    bool any = came(known, KNOWN_FORWARDED) || came(known, KNOWN_X_FORWARDED_FOR) ||
               came(known, KNOWN_X_FORWARDED_PROTO) || came(known, KNOWN_X_FORWARDED_HOST);
    if (any && trust_list_has(trusted, input->peer_address)) {
        struct claim claim = choose_claim(input, trusted, known);
        believe(request, input, &claim);
    }
    request->client_is_loopback = chain_is_loopback(request, input, known);
}
