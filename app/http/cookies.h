/*
 * cookies.h - Cookie headers to pairs.
 */
#ifndef HEARTH_HTTP_COOKIES_H
#define HEARTH_HTTP_COOKIES_H

#include "hearth/request.h"

/* All cookies of all Cookie headers, in order. What is not NAME=VALUE is left out: a cookie that
 * somebody else set must not make a request fail. Errors: NO_MEMORY. */
HEARTH_MUST_CHECK enum hearth_error cookies_parse(struct arena *arena, const struct pairs *headers,
                                                  struct pairs *cookies,
                                                  struct error_record *error);

#endif
