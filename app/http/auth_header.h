/*
 * auth_header.h - the token that an Authorization header carries.
 */
#ifndef HEARTH_AUTH_HEADER_H
#define HEARTH_AUTH_HEADER_H

#include "hearth/base.h"

enum { AUTH_BASIC_MAXIMUM = 1024 }; /* bytes of a decoded user and password */

/* `Bearer T`, `Token T`, `Basic BASE64` (RFC 7617; the password is the token, the user is ignored),
 * or `T` alone. The view points into the header or into `decoded`. An empty view: there is no token
 * in it. */
struct view auth_header_token(struct view header, char decoded[AUTH_BASIC_MAXIMUM]);

#endif
