/*
 * query.h - a query string to pairs.
 */
#ifndef HEARTH_HTTP_QUERY_H
#define HEARTH_HTTP_QUERY_H

#include "hearth/request.h"

/* Decodes percent-encoding, '+' to a blank. Text without either comes back as it is, without a
 * copy. Errors: BAD_QUERY (malformed, or a NUL or bare control byte; `error` says which),
 * NO_MEMORY. */
HEARTH_MUST_CHECK enum hearth_error query_decode(struct arena *arena, struct view text,
                                                 struct view *decoded, struct error_record *error);
/* The pairs of a query, in order; empty ones ("a=1&&b=2") are left out. Errors: BAD_QUERY (also
 * more than `max_pairs`), NO_MEMORY. */
HEARTH_MUST_CHECK enum hearth_error query_parse(struct arena *arena, struct view text,
                                                size_t max_pairs, struct pairs *pairs,
                                                struct error_record *error);

#endif
