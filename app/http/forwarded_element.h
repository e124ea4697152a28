/*
 * forwarded_element.h - the grammar of the Forwarded header (RFC 7239 section 4).
 */
#ifndef HEARTH_HTTP_FORWARDED_ELEMENT_H
#define HEARTH_HTTP_FORWARDED_ELEMENT_H

#include "hearth/base.h"

/* One hop: NULL data where a parameter is missing. Quotes are off. */
struct forwarded_element {
    struct view node, proto, host; /* for=, proto=, host= */
};

enum { FORWARDED_MAX_ELEMENTS = 32 }; /* more hops than any honest chain has */

/* The elements in the order they stand. False when malformed, or when there are too many. */
bool forwarded_parse(struct view text, struct forwarded_element elements[FORWARDED_MAX_ELEMENTS],
                     size_t *count);

#endif
