/*
 * router_pattern.h - the grammar of route patterns, segment by segment.
 */
#ifndef HEARTH_HTTP_ROUTER_PATTERN_H
#define HEARTH_HTTP_ROUTER_PATTERN_H

#include "hearth/request.h"

enum segment_kind { SEGMENT_LITERAL, SEGMENT_PARAMETER, SEGMENT_TAIL };

struct pattern_segment {
    enum segment_kind kind;
    struct view text; /* the literal, or the parameter's name */
};

enum { PATTERN_MAX_SEGMENTS = 16 }; /* also bounds how far a look-up descends */

struct pattern {
    struct pattern_segment segments[PATTERN_MAX_SEGMENTS];
    size_t count;
};

/* Views point into `text`. Errors: MISUSE (`error` says what is wrong). */
HEARTH_MUST_CHECK enum hearth_error pattern_parse(const char *text, struct pattern *pattern,
                                                  struct error_record *error);

#endif
