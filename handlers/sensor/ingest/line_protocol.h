/*
 * line_protocol.h - InfluxDB line protocol, versions 1 and 2, a line at a time.
 *
 *   measurement[,tag=value...] field=value[,field=value...] [timestamp]
 *
 * A backslash before ',', '=' or ' ' takes that byte's meaning; in a string field '\"' and '\\' are
 * escapes. Views keep their escapes: no name and no value that means anything here has one. A
 * string field may hold newlines. Lines that begin with '#' are comments. No memory is needed, and
 * nothing is kept between lines.
 */
#ifndef HEARTH_SENSOR_LINE_PROTOCOL_H
#define HEARTH_SENSOR_LINE_PROTOCOL_H

#include "hearth/base.h"

enum line_precision {
    LINE_PRECISION_NS, /* the default */
    LINE_PRECISION_US,
    LINE_PRECISION_MS,
    LINE_PRECISION_S,
    LINE_PRECISION_M,
    LINE_PRECISION_H,
};
/* n ns u us ms s m h. False when it is none of these. */
HEARTH_MUST_CHECK bool line_precision_parse(struct view name, enum line_precision *precision);
/* What it takes, for messages. */
#define LINE_PRECISION_FORMS "ns, us, ms, s, m or h"

/* A timestamp in milliseconds since 1970, cut downwards; INT64_MAX or INT64_MIN when it is out of
 * reach. False when it is no number. */
HEARTH_MUST_CHECK bool line_time_parse(struct view text, enum line_precision precision,
                                       int64_t *ms);

enum line_value {
    LINE_TAG, /* text, without quotes */
    LINE_FLOAT,
    LINE_INTEGER, /* also unsigned; the view is without its 'i' or 'u' */
    LINE_STRING,  /* the view is without its quotes */
    LINE_TRUE,
    LINE_FALSE,
};

struct line_item {
    enum line_value kind;
    struct view key, value;
};

/* Walks over one line. */
struct line_cursor {
    struct view measurement, timestamp; /* set by line_begin; no timestamp: NULL data */
    struct view rest;
    bool in_fields;
};

/* The next line that is neither blank nor a comment, without what surrounds it. `*rest` goes on
 * behind it. A line whose string field holds newlines is one, if it is well-formed as a whole; else
 * the line that begins it is one that is not, and the next begins behind it: so an open quote costs
 * the line that has it, not the ones that follow. False at the end. */
HEARTH_MUST_CHECK bool line_next(struct view *rest, struct view *line);

/* False when `text` is not one whole line of line protocol. */
HEARTH_MUST_CHECK bool line_begin(struct view text, struct line_cursor *cursor);
/* The next tag or field of a line that line_begin took; false at the end. */
bool line_item_next(struct line_cursor *cursor, struct line_item *item);

#endif
