/*
 * path.c - path normalisation, done once and here.
 *
 * Most paths are plain: one look at every byte finds nothing to decode or to drop, and the raw path
 * is the path. The others are written anew, segment by segment: decoded, checked, and dropped again
 * when they turn out to be empty or ".". What a segment means is judged after decoding, so no
 * encoding hides a "..". An encoded slash never becomes one: it stays "%2F" (upper case), but it
 * separates when ".." is looked for, like a backslash, because others may read it so.
 */
#include "app/http/path.h"

#include "app/http/syntax.h"

/* Bytes that stand for themselves wherever they stand: all printable ASCII but percent, backslash
 * and '#'. Dots and slashes are looked at in pairs, bytes from 0x80 on for overlong UTF-8. */
static bool byte_is_plain(unsigned char byte)
{
    return byte > 0x20 && byte < 0x7f && byte != '%' && byte != '\\' && byte != '#';
}

static bool path_is_plain(struct view raw)
{
    for (size_t i = 0; i < raw.length; i++) {
        if (!byte_is_plain((unsigned char)raw.data[i]))
            return false;
        if (raw.data[i] == '/' && i + 1 < raw.length &&
            (raw.data[i + 1] == '/' || raw.data[i + 1] == '.'))
            return false;
    }
    return true;
}

/* The length of the separator that stands at `at`, 0 = none. Slashes proper have cut already. */
static size_t hidden_separator(struct view segment, size_t at)
{
    if (segment.data[at] == '\\')
        return 1;
    struct view rest = view_skip(segment, at);
    return view_starts_with_ignore_case(rest, VIEW("%2F")) ||
                   view_starts_with_ignore_case(rest, VIEW("%5C"))
               ? 3
               : 0;
}

static bool segment_climbs(struct view segment)
{
    size_t from = 0, at = 0;
    while (at < segment.length) {
        size_t separator = hidden_separator(segment, at);
        if (separator) {
            if (view_equal(view_slice(segment, from, at - from), VIEW("..")))
                return true;
            from = at + separator;
        }
        at += separator ? separator : 1;
    }
    return view_equal(view_skip(segment, from), VIEW(".."));
}

/* An overlong form spells a character with more bytes than it needs, to get it past a check. */
static bool segment_is_overlong(struct view segment)
{
    for (size_t i = 0; i + 1 < segment.length; i++) {
        unsigned char lead = (unsigned char)segment.data[i];
        unsigned char next = (unsigned char)segment.data[i + 1];
        unsigned char last_overlong; /* the second byte up to which the form is overlong */
        switch (lead) {
        case 0xc0:
        case 0xc1:
            last_overlong = 0xbf;
            break;
        case 0xe0:
            last_overlong = 0x9f;
            break;
        case 0xf0:
            last_overlong = 0x8f;
            break;
        case 0xf8:
            last_overlong = 0x87;
            break;
        case 0xfc:
            last_overlong = 0x83;
            break;
        default:
            continue;
        }
        if (next >= 0x80 && next <= last_overlong)
            return true;
    }
    return false;
}

struct path_writer {
    char *out;
    size_t length;
    size_t segment; /* where the segment at hand begins; a '/' stands before it */
};

/* Judges the segment that ends here. */
static enum hearth_error end_segment(struct path_writer *writer, bool last,
                                     struct error_record *error)
{
    struct view segment = {writer->out + writer->segment, writer->length - writer->segment};
    if (segment.length == 0 || view_equal(segment, VIEW("."))) {
        writer->length = writer->segment;
        return HEARTH_OK;
    }
    if (segment_climbs(segment))
        return error_set(error, HEARTH_BAD_PATH, "the path has a \"..\"");
    if (segment_is_overlong(segment))
        return error_set(error, HEARTH_BAD_PATH, "the path has overlong UTF-8");
    if (!last)
        writer->out[writer->length++] = '/';
    writer->segment = writer->length;
    return HEARTH_OK;
}

/* Decodes what stands at `*at` into the segment and moves `*at` to its last byte. */
static enum hearth_error append_decoded(struct path_writer *writer, struct view raw, size_t *at,
                                        struct error_record *error)
{
    unsigned char byte = (unsigned char)raw.data[*at];
    if (byte == '%') {
        if (!syntax_percent_byte(raw, *at, &byte))
            return error_set(error, HEARTH_BAD_PATH, "the path has malformed percent-encoding");
        *at += 2;
        if (byte == '/') {
            writer->out[writer->length++] = '%';
            writer->out[writer->length++] = '2';
            byte = 'F';
        }
    } else if (byte == '#') {
        return error_set(error, HEARTH_BAD_PATH, "the path has a bare '#'");
    }
    if (byte < 0x20 || byte == 0x7f)
        return error_set(error, HEARTH_BAD_PATH, "the path has a control byte");
    writer->out[writer->length++] = (char)byte;
    return HEARTH_OK;
}

enum hearth_error path_normalise(struct arena *arena, struct view raw, struct view *path,
                                 struct error_record *error)
{
    if (raw.length == 0 || raw.data[0] != '/')
        return error_set(error, HEARTH_BAD_PATH, "the path does not begin with '/'");
    if (path_is_plain(raw)) {
        *path = raw;
        return HEARTH_OK;
    }
    /* Nothing grows: three bytes become one, or stay three. */
    struct path_writer writer = {arena_alloc(arena, raw.length), 1, 1};
    if (!writer.out)
        return error_set_internal(error, HEARTH_NO_MEMORY, 0, "no memory for the path");
    writer.out[0] = '/';
    enum hearth_error result = HEARTH_OK;
    for (size_t i = 1; i < raw.length && result == HEARTH_OK; i++)
        result = raw.data[i] == '/' ? end_segment(&writer, false, error)
                                    : append_decoded(&writer, raw, &i, error);
    if (result == HEARTH_OK)
        result = end_segment(&writer, true, error);
    if (result == HEARTH_OK)
        *path = view_from(writer.out, writer.length);
    return result;
}
