/*
 * json_text.c - which characters a JSON string holds as they are, and what stands for the others.
 */
#include "app/core/json_text.h"

#include "app/core/utf8.h"

static bool stands_as_it_is(unsigned char byte)
{
    return byte >= 0x20 && byte < 0x7F && byte != '"' && byte != '\\';
}

/* U+0080 to U+009F: in UTF-8 the byte C2 and one below A0. */
static bool is_c1_control(struct view text)
{
    return (unsigned char)text.data[0] == 0xC2 && (unsigned char)text.data[1] < 0xA0;
}

struct view json_plain(struct view *rest)
{
    size_t length = 0;
    while (length < rest->length) {
        unsigned char byte = (unsigned char)rest->data[length];
        if (stands_as_it_is(byte)) {
            length++;
            continue;
        }
        if (byte < 0x80)
            break;
        bool valid;
        struct view tail = view_skip(*rest, length);
        size_t bytes = utf8_next(tail, &valid);
        if (!valid || is_c1_control(tail))
            break;
        length += bytes;
    }
    struct view plain = view_slice(*rest, 0, length);
    *rest = view_skip(*rest, length);
    return plain;
}

static struct view escape_code(unsigned code, char escape[JSON_ESCAPE_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    escape[0] = '\\';
    escape[1] = 'u';
    escape[2] = '0';
    escape[3] = '0';
    escape[4] = digits[code >> 4 & 15];
    escape[5] = digits[code & 15];
    return view_from(escape, 6);
}

static struct view escape_ascii(char c, char escape[JSON_ESCAPE_SIZE])
{
    switch (c) {
    case '"':
        return VIEW("\\\"");
    case '\\':
        return VIEW("\\\\");
    case '\n':
        return VIEW("\\n");
    case '\r':
        return VIEW("\\r");
    case '\t':
        return VIEW("\\t");
    case '\b':
        return VIEW("\\b");
    case '\f':
        return VIEW("\\f");
    default:
        return escape_code((unsigned char)c, escape);
    }
}

struct view json_escape(struct view *rest, char escape[JSON_ESCAPE_SIZE])
{
    struct view text = *rest;
    bool valid;
    size_t bytes = utf8_next(text, &valid);
    *rest = view_skip(text, bytes);
    if (!valid)
        return UTF8_REPLACEMENT;
    if (bytes == 2)
        return escape_code((unsigned char)text.data[1], escape);
    return escape_ascii(text.data[0], escape);
}
