/*
 * forwarded.h - who the client is, when a proxy speaks for it (RFC 7239 and X-Forwarded-*).
 */
#ifndef HEARTH_HTTP_FORWARDED_H
#define HEARTH_HTTP_FORWARDED_H

#include "app/http/headers.h"

/* Sets client_address, client_is_loopback, scheme and host from the peer and, where `trusted` has
 * it, from what it forwarded. Never fails: what is malformed, doubled or contradictory is ignored
 * and logged at debug. `request->headers` stands; the caller has set `request->host`. */
void forwarded_resolve(struct request *request, const struct request_input *input,
                       const struct trust_list *trusted, const struct known_headers *known);

#endif
