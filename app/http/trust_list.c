/*
 * trust_list.c - whose word on X-Forwarded-For and Forwarded is taken: addresses and ranges, all
 * kept as IPv6 prefixes, compared bit by bit. Lists are short; a look goes through all.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/http/address.h"
#include "hearth/request.h"

struct trust_range {
    struct address address;
    unsigned prefix_bits;
};

struct trust_list {
    bool without_address; /* "unix" */
    size_t count;
    struct trust_range ranges[]; /* two for "loopback" */
};

enum { IPV4_OFFSET_BITS = 96, ADDRESS_BITS = 128 };

static bool parse_range(struct view item, struct trust_range *range)
{
    struct view rest = item;
    struct view address = view_split(&rest, '/');
    if (!address_parse(address, &range->address))
        return false;
    unsigned offset = view_index_of(address, ':') == SIZE_MAX ? IPV4_OFFSET_BITS : 0;
    range->prefix_bits = ADDRESS_BITS;
    if (!rest.data)
        return true;
    uint64_t bits;
    if (!view_to_uint64(rest, &bits) || bits > ADDRESS_BITS - offset)
        return false;
    range->prefix_bits = offset + (unsigned)bits;
    return true;
}

static bool add_item(struct trust_list *list, struct view item)
{
    if (view_equal(item, VIEW("unix"))) {
        list->without_address = true;
        return true;
    }
    if (view_equal(item, VIEW("loopback")))
        return parse_range(VIEW("127.0.0.0/8"), &list->ranges[list->count++]) &&
               parse_range(VIEW("::1"), &list->ranges[list->count++]);
    return parse_range(item, &list->ranges[list->count++]);
}

struct trust_list *trust_list_new(const char *const *items, size_t count, char *why,
                                  size_t why_size)
{
    struct trust_list *list = calloc(1, sizeof *list + 2 * count * sizeof(struct trust_range));
    if (!list) {
        snprintf(why, why_size, "out of memory");
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        if (!add_item(list, view_of(items[i]))) {
            snprintf(why, why_size,
                     "\"%s\" is no address, no range like 10.0.0.0/8, not \"unix\" and not "
                     "\"loopback\"",
                     items[i]);
            free(list);
            return NULL;
        }
    }
    return list;
}

void trust_list_free(struct trust_list *list)
{
    free(list);
}

static bool range_has(const struct trust_range *range, const struct address *address)
{
    size_t whole = range->prefix_bits / 8;
    unsigned left = range->prefix_bits % 8;
    if (memcmp(range->address.bytes, address->bytes, whole) != 0)
        return false;
    unsigned difference =
        left ? (unsigned)range->address.bytes[whole] ^ (unsigned)address->bytes[whole] : 0;
    return difference >> (8 - left) == 0;
}

bool trust_list_has(const struct trust_list *list, struct view address)
{
    if (!list)
        return false;
    if (address.length == 0 || view_equal(address, VIEW("unix:")))
        return list->without_address; /* "unix:" is nginx's word for it */
    struct address parsed;
    if (!address_parse(address, &parsed))
        return false;
    for (size_t i = 0; i < list->count; i++)
        if (range_has(&list->ranges[i], &parsed))
            return true;
    return false;
}
