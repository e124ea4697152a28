/*
 * utf8.c - table 3-7 of the Unicode Standard as code.
 *
 * The first byte says how many follow and, in four cases, narrows the range of the second: that is
 * where overlong forms, surrogates and numbers above U+10FFFF show.
 */
#include "app/core/utf8.h"

/* Bytes that follow `first`, and the range of the first of them; -1 when nothing starts so. */
static int utf8_expect(unsigned char first, unsigned char *low, unsigned char *high)
{
    *low = 0x80;
    *high = 0xBF;
    if (first < 0x80)
        return 0;
    if (first < 0xC2 || first > 0xF4)
        return -1;
    if (first < 0xE0)
        return 1;
    if (first == 0xE0)
        *low = 0xA0;
    else if (first == 0xED)
        *high = 0x9F;
    else if (first == 0xF0)
        *low = 0x90;
    else if (first == 0xF4)
        *high = 0x8F;
    return first < 0xF0 ? 2 : 3;
}

size_t utf8_next(struct view text, bool *valid)
{
    unsigned char low, high;
    int following = utf8_expect((unsigned char)text.data[0], &low, &high);
    *valid = false;
    if (following < 0)
        return 1;
    for (size_t i = 1; i <= (size_t)following; i++) {
        if (i >= text.length)
            return i;
        unsigned char byte = (unsigned char)text.data[i];
        if (byte < low || byte > high)
            return i;
        low = 0x80;
        high = 0xBF;
    }
    *valid = true;
    return (size_t)following + 1;
}

struct view utf8_cut(struct view text, size_t max_bytes)
{
    if (text.length <= max_bytes)
        return text;
    size_t length = max_bytes;
    /* A character has at most three bytes that continue it; more of them are not UTF-8. */
    for (size_t back = 0; back < 3 && length > 0; back++, length--)
        if (((unsigned char)text.data[length] & 0xC0) != 0x80)
            break;
    return (struct view){text.data, length};
}
