/*
 * json_text.h - text as the inside of a JSON string (RFC 8259, section 7), piece by piece, for
 * whoever has a place to put the pieces: buffers, and log lines that must not allocate.
 *
 *     while (rest.length > 0) {
 *         put(json_plain(&rest));
 *         if (rest.length > 0)
 *             put(json_escape(&rest, escape));
 *     }
 *
 * What comes out is UTF-8. Control characters are escaped, also DEL and U+0080 to U+009F, so that
 * text from afar does nothing to a terminal.
 */
#ifndef HEARTH_CORE_JSON_TEXT_H
#define HEARTH_CORE_JSON_TEXT_H

#include "hearth/base.h"

enum { JSON_ESCAPE_SIZE = sizeof "\\u0000" };

/* Cuts off the longest start that can stand as it is; may be empty. */
struct view json_plain(struct view *rest);
/* Cuts off the one character (or broken sequence) that cannot, and gives what stands for it. The
 * result may lie in `escape`. */
struct view json_escape(struct view *rest, char escape[JSON_ESCAPE_SIZE]);

#endif
