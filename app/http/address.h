/*
 * address.h - IP addresses as text and as bytes.
 */
#ifndef HEARTH_HTTP_ADDRESS_H
#define HEARTH_HTTP_ADDRESS_H

#include "hearth/base.h"

struct address {
    uint8_t bytes[16]; /* IPv4 as ::ffff:a.b.c.d, so that both kinds compare */
};

/* An address alone, without port, brackets or zone. */
bool address_parse(struct view text, struct address *address);
/* 127.0.0.0/8 and ::1. */
bool address_is_loopback(const struct address *address);
bool address_text_is_loopback(struct view text);
/* A node as proxies write it: "1.2.3.4", "1.2.3.4:80", "::1", "[::1]", "[::1]:80". `*text` is the
 * address in it. */
bool address_of_node(struct view node, struct view *text, struct address *address);

#endif
