/*
 * syntax.h - which bytes HTTP and URIs allow where (RFC 9110 section 5.5 and 5.6.2, RFC 3986
 * section 3.2.2).
 */
#ifndef HEARTH_HTTP_SYNTAX_H
#define HEARTH_HTTP_SYNTAX_H

#include "hearth/base.h"

/* A token: the name of a method or a header. Never empty. */
bool syntax_is_token(struct view text);
/* A field value: no control bytes but HTAB; bytes from 0x80 on may stand in it. May be empty. */
bool syntax_is_field_value(struct view text);
/* A host with an optional port, as in a Host header. May be empty. */
bool syntax_is_host(struct view text);
/* 0..15, or -1. */
int syntax_hex_value(char digit);
/* The byte that "%XX" at `text` + `at` stands for; false when that is not two hex digits. */
bool syntax_percent_byte(struct view text, size_t at, unsigned char *byte);

#endif
