/*
 * number_text.c - whole numbers digit by digit, and doubles as short as they can be.
 *
 * Most doubles that are logged were made by dividing: nanoseconds by a million, say. If a number
 * equals some whole number of millionths divided by a million, then those digits read back as the
 * same double, because both the division and the reading round correctly; that is found with one
 * multiplication. For the others printf is asked, with 15 digits, which is enough for whatever has
 * at most 15, then with 16 and 17, which is enough for every double.
 */
#include "app/core/number_text.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

static const double million = 1e6;

/* Digits in decimal, at least `width` of them; gives their number. */
static size_t put_digits(char *to, uint64_t number, size_t width)
{
    char digits[20]; /* 18446744073709551615 */
    size_t length = 0;
    do {
        digits[length++] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0 || length < width);
    for (size_t i = 0; i < length; i++)
        to[i] = digits[length - 1 - i];
    return length;
}

size_t integer_text(int64_t number, char text[NUMBER_TEXT_SIZE])
{
    bool negative = number < 0;
    text[0] = '-';
    size_t length =
        put_digits(text + negative, negative ? 0 - (uint64_t)number : (uint64_t)number, 1);
    text[negative + length] = '\0';
    return negative + length;
}

/* A whole number of millionths, `magnitude`, at least 0: "12", "0.5", "1.000001". */
static size_t put_millionths(char *to, uint64_t millionths)
{
    size_t length = put_digits(to, millionths / 1000000, 1);
    uint64_t fraction = millionths % 1000000;
    if (fraction > 0) {
        to[length++] = '.';
        length += put_digits(to + length, fraction, 6);
        while (to[length - 1] == '0')
            length--;
    }
    to[length] = '\0';
    return length;
}

static size_t text_by_printf(double number, char text[NUMBER_TEXT_SIZE])
{
    int length = 0;
    if (!isfinite(number))
        length = snprintf(text, NUMBER_TEXT_SIZE, "%s",
                          isnan(number) ? "nan"
                          : number > 0  ? "inf"
                                        : "-inf");
    for (int digits = 15; isfinite(number) && digits <= 17; digits++) {
        length = snprintf(text, NUMBER_TEXT_SIZE, "%.*g", digits, number);
        if (strtod(text, NULL) == number)
            break;
    }
    return (size_t)length;
}

size_t number_text(double number, char text[NUMBER_TEXT_SIZE])
{
    if (fabs(number) < 1e15 && number == (double)(int64_t)number)
        return integer_text((int64_t)number, text);
    double magnitude = fabs(number);
    /* Below 2^32 doubles lie closer than millionths, so that at most one of these is meant. */
    if (magnitude < 4e9) {
        uint64_t millionths = (uint64_t)(magnitude * million + 0.5);
        if ((double)millionths / million == magnitude) {
            bool negative = number < 0;
            text[0] = '-';
            return negative + put_millionths(text + negative, millionths);
        }
    }
    return text_by_printf(number, text);
}
