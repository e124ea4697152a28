/*
 * text_put.c - numbers and times as text.
 */
#include "handlers/sensor/text/text_put.h"

#include "hearth/clock.h"

/* The digits of `number`, at least `width` of them. */
static char *put_digits(char *at, uint64_t number, int width)
{
    char digits[TEXT_INTEGER_BYTES];
    int count = 0;
    do {
        digits[count++] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0 || count < width);
    while (count > 0)
        *at++ = digits[--count];
    return at;
}

static uint64_t magnitude(int64_t number)
{
    return number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
}

char *text_put_integer(char *at, int64_t number)
{
    if (number < 0)
        *at++ = '-';
    return put_digits(at, magnitude(number), 1);
}

char *text_put_decimal(char *at, int64_t number, int places)
{
    char digits[TEXT_DECIMAL_BYTES];
    int count = 0;
    uint64_t rest = magnitude(number);
    for (; places > 0 && rest % 10 == 0; places--)
        rest /= 10;
    for (int i = 0; rest > 0 || i <= places; i++) {
        if (i > 0 && i == places)
            digits[count++] = '.';
        digits[count++] = (char)('0' + rest % 10);
        rest /= 10;
    }
    if (number < 0)
        *at++ = '-';
    while (count > 0)
        *at++ = digits[--count];
    return at;
}

static char *put_offset(char *at, int offset_s)
{
    int minutes = (offset_s < 0 ? -offset_s : offset_s) / 60;
    if (minutes == 0)
        return text_put(at, VIEW("Z"));
    *at++ = offset_s < 0 ? '-' : '+';
    at = text_put_two(at, minutes / 60);
    *at++ = ':';
    return text_put_two(at, minutes % 60);
}

char *text_put_time(char *at, int64_t time_ms, int offset_s)
{
    struct civil_time civil;
    int shown_s = offset_s - offset_s % 60; /* so that time and offset agree */
    civil_from_ms(time_ms + (int64_t)shown_s * 1000, &civil);
    at = put_digits(at, (uint64_t)civil.year, 4);
    *at++ = '-';
    at = text_put_two(at, civil.month);
    *at++ = '-';
    at = text_put_two(at, civil.day);
    *at++ = 'T';
    at = text_put_two(at, civil.hour);
    *at++ = ':';
    at = text_put_two(at, civil.minute);
    *at++ = ':';
    at = text_put_two(at, civil.second);
    if (civil.ms > 0) {
        *at++ = '.';
        at = put_digits(at, (uint64_t)civil.ms, 3);
    }
    return put_offset(at, shown_s);
}
