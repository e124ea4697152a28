/*
 * exact_text.h - reading text that has one spelling only: what we wrote ourselves.
 *
 * Each takes something off the front of `*rest`. False when it is not there in just that spelling;
 * `*rest` is then of no use any more.
 */
#ifndef HEARTH_SENSOR_EXACT_TEXT_H
#define HEARTH_SENSOR_EXACT_TEXT_H

#include "hearth/base.h"

#include <string.h>

static inline bool exact_literal(struct view *rest, struct view literal)
{
    if (rest->length < literal.length || memcmp(rest->data, literal.data, literal.length) != 0)
        return false;
    rest->data += literal.length;
    rest->length -= literal.length;
    return true;
}

/* At least `digits` digits, padded with zeros to no more than that. */
static inline bool exact_number(struct view *rest, size_t digits, uint64_t maximum,
                                uint64_t *number)
{
    size_t length = 0;
    *number = 0;
    while (length < rest->length && rest->data[length] >= '0' && rest->data[length] <= '9') {
        if (__builtin_mul_overflow(*number, 10u, number) ||
            __builtin_add_overflow(*number, (unsigned)(rest->data[length] - '0'), number))
            return false;
        length++;
    }
    bool padded = length > digits && rest->data[0] == '0';
    if (length < digits || padded || *number > maximum)
        return false;
    rest->data += length;
    rest->length -= length;
    return true;
}

#endif
