/*
 * tail_cursor.c - a place in the order of arrival as text.
 */
#include "handlers/sensor/snapshot/tail_cursor.h"

#include <endian.h>
#include <string.h>

enum { PLACE_BYTES = 16 };

void tail_cursor_format(const struct tail_cursor *cursor, char text[TAIL_CURSOR_DIGITS + 1])
{
    static const char digits[] = "0123456789abcdef";
    unsigned char bytes[PLACE_BYTES + 1];
    uint64_t sequence = htobe64(cursor->sequence), slot = htobe64(cursor->slot);
    memcpy(bytes, &sequence, sizeof sequence);
    memcpy(bytes + sizeof sequence, &slot, sizeof slot);
    bytes[PLACE_BYTES] = record_checksum(bytes, PLACE_BYTES);
    for (size_t i = 0; i < sizeof bytes; i++) {
        text[2 * i] = digits[bytes[i] >> 4];
        text[2 * i + 1] = digits[bytes[i] & 15];
    }
    text[TAIL_CURSOR_DIGITS] = '\0';
}

static int digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool tail_cursor_parse(struct view text, struct tail_cursor *cursor)
{
    unsigned char bytes[PLACE_BYTES + 1];
    uint64_t sequence, slot;
    if (text.length != TAIL_CURSOR_DIGITS)
        return false;
    for (size_t i = 0; i < sizeof bytes; i++) {
        int high = digit_value(text.data[2 * i]), low = digit_value(text.data[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        bytes[i] = (unsigned char)(high << 4 | low);
    }
    memcpy(&sequence, bytes, sizeof sequence);
    memcpy(&slot, bytes + sizeof sequence, sizeof slot);
    *cursor = (struct tail_cursor){be64toh(sequence), be64toh(slot)};
    return record_checksum(bytes, PLACE_BYTES) == bytes[PLACE_BYTES];
}
