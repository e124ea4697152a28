/*
 * path.h - from a path as it came to the one that everything else compares (rules: request_parse).
 */
#ifndef HEARTH_HTTP_PATH_H
#define HEARTH_HTTP_PATH_H

#include "hearth/base.h"

/* A path that needs nothing done comes back as it is, without a copy; else `*path` lives in the
 * arena. Errors: BAD_PATH (`error` says what is wrong), NO_MEMORY. */
HEARTH_MUST_CHECK enum hearth_error path_normalise(struct arena *arena, struct view raw,
                                                   struct view *path, struct error_record *error);

#endif
