/*
 * ingest_json_scan.h - JSON text before it is parsed: where a value ends, and what parsing it would
 * cost.
 */
#ifndef HEARTH_SENSOR_INGEST_JSON_SCAN_H
#define HEARTH_SENSOR_INGEST_JSON_SCAN_H

#include "hearth/base.h"

struct json_extent {
    size_t bytes;
    size_t members; /* of objects, and elements of arrays, on all levels */
    size_t depth;   /* of objects and arrays within each other; 0 = neither */
};

/* The value at the front of `text`, before which there is no space. False: there is none. True does
 * not promise that it is JSON (brackets may cross, commas be missing): that takes a parser. But its
 * numbers and strings end as they must, and outside of strings there is no byte that JSON does not
 * have. */
HEARTH_MUST_CHECK bool ingest_json_scan(struct view text, struct json_extent *extent);

bool ingest_json_is_space(char c);
void ingest_json_skip_space(struct view *text);

#endif
