/*
 * object_key.c - what may name an object.
 *
 * The rule stands at the head of object_store.h and is the same for every implementation: it lets
 * through what a directory, S3 and an address can all carry, and nothing that a file system would
 * read as a way out ("..", an absolute path, an empty segment).
 */
#include "app/core/utf8.h"
#include "hearth/limits.h"
#include "hearth/object_store.h"

static bool byte_allowed(unsigned char byte)
{
    return byte >= 0x20 && byte != 0x7F && byte != '\\';
}

static bool text_valid(struct view text)
{
    struct view rest = text;
    while (rest.length > 0) {
        bool valid;
        size_t size = utf8_next(rest, &valid);
        if (!valid || !byte_allowed((unsigned char)rest.data[0]))
            return false;
        rest = view_skip(rest, size);
    }
    return true;
}

static bool segment_valid(struct view segment)
{
    return segment.length > 0 && !view_equal(segment, VIEW(".")) &&
           !view_equal(segment, VIEW(".."));
}

bool object_key_valid(struct view key)
{
    if (key.length == 0 || key.length > LIMIT_OBJECT_KEY || !text_valid(key))
        return false;
    struct view rest = key;
    while (rest.data) {
        if (!segment_valid(view_split(&rest, '/')))
            return false;
    }
    return true;
}
