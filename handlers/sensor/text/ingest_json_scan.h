/*
 * ingest_json_scan.h - is it JSON (RFC 8259), where does the value end, and what would parsing it
 * cost?
 */
#ifndef HEARTH_SENSOR_INGEST_JSON_SCAN_H
#define HEARTH_SENSOR_INGEST_JSON_SCAN_H

#include "hearth/base.h"

struct json_extent {
    size_t bytes;
    size_t members; /* of objects, and elements of arrays, on all levels */
    size_t depth;   /* of objects and arrays within each other; 0 = neither */
};

/* Levels whose brackets are held against each other. Of what lies deeper, it is only seen that as
 * many brackets close as open. */
enum { INGEST_JSON_SCAN_DEPTH = 128 };

/* The value at the front of `text`, before which there is no space. False: it is not JSON. */
HEARTH_MUST_CHECK bool ingest_json_scan(struct view text, struct json_extent *extent);

/* The next member of an object that was scanned: `*rest` begins behind its '{', or behind a member.
 * The key has its quotes. False at the object's end. */
bool ingest_json_member(struct view *rest, struct view *key, struct view *value);
/* The text between a string's quotes without its escapes. False when that takes more than
 * `capacity` bytes or is not ASCII. */
bool ingest_json_unescape(struct view text, char *to, size_t capacity, size_t *length);

bool ingest_json_is_space(char c);
void ingest_json_skip_space(struct view *text);

#endif
