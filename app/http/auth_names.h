/*
 * auth_names.h - what the texts in the auth state may be.
 */
#ifndef HEARTH_AUTH_NAMES_H
#define HEARTH_AUTH_NAMES_H

#include "hearth/auth.h"

/* Any single scope, or 0 when the name is none. */
unsigned auth_scope_of(struct view name);
/* "data:read,data:write" into `out`, terminated; cut when it does not fit. */
void auth_scopes_format(unsigned scopes, char *out, size_t size);

/* 1..64 bytes of UTF-8 that print: no control characters, no blank at either end. */
bool auth_name_valid(struct view name);
/* 16 lower-case hex digits. */
bool auth_id_valid(struct view id);
/* The form of an IANA name, 1..64 bytes, that cannot leave the zone directory. */
bool auth_zone_valid(struct view zone);
/* A valid name that this machine knows: "UTC", or a zone file in /usr/share/zoneinfo. */
bool auth_zone_exists(const char *zone);

/* The form that clock_format_rfc3339 writes, and no other. */
bool auth_time_parse(struct view text, int64_t *wall_ms);

/* Lower-case hex digits of `count` bytes, terminated: `text` has 2 * count + 1 bytes. */
void auth_hex_format(const unsigned char *bytes, size_t count, char *text);
/* Exactly `count` bytes out of lower-case hex digits. */
bool auth_hex_parse(struct view text, unsigned char *bytes, size_t count);

#endif
