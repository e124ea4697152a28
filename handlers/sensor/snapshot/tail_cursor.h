/*
 * tail_cursor.h - a place in the order of arrival as text for URLs, which means nothing to whoever
 * keeps it.
 *
 * 34 hexadecimal digits: sequence and slot, big-endian, and a checksum of both, so that what is no
 * cursor is told from one that leads nowhere any more.
 */
#ifndef HEARTH_SENSOR_TAIL_CURSOR_H
#define HEARTH_SENSOR_TAIL_CURSOR_H

#include "hearth/reading_store.h"

enum { TAIL_CURSOR_DIGITS = 34 };

void tail_cursor_format(const struct tail_cursor *cursor, char text[TAIL_CURSOR_DIGITS + 1]);
/* False unless `text` is exactly what tail_cursor_format writes. */
HEARTH_MUST_CHECK bool tail_cursor_parse(struct view text, struct tail_cursor *cursor);

#endif
