/*
 * text_put.h - text and numbers written where the caller has made room; each gives the place behind
 * what it wrote. Integer arithmetic alone: what comes out is exact and the same everywhere.
 */
#ifndef HEARTH_SENSOR_TEXT_PUT_H
#define HEARTH_SENSOR_TEXT_PUT_H

#include "hearth/base.h"

#include <string.h>

enum {
    TEXT_INTEGER_BYTES = 20, /* "-9223372036854775808" */
    TEXT_DECIMAL_BYTES = 24, /* with a point and zeros before it */
    TEXT_TIME_BYTES = 32,    /* "2025-09-14T18:04:51.123-06:00" */
};

static inline char *text_put(char *at, struct view text)
{
    memcpy(at, text.data, text.length);
    return at + text.length;
}

/* 0 to 99. */
static inline char *text_put_two(char *at, int number)
{
    at[0] = (char)('0' + number / 10);
    at[1] = (char)('0' + number % 10);
    return at + 2;
}

char *text_put_integer(char *at, int64_t number);
/* number / 10^places without zeros at the end: (2130, 2) is "21.3", (-50, 3) is "-0.05". `places`
 * is 0 to 9. */
char *text_put_decimal(char *at, int64_t number, int places);
/* RFC 3339, local to an offset from UTC: "2025-09-14T18:04:51Z" or "...51.123-06:00"; decimals only
 * where there are any, seconds of the offset cut. Years 0 to 9999. */
char *text_put_time(char *at, int64_t time_ms, int offset_s);

#endif
