/*
 * number_text.c - 15 digits are enough for what people write and measure, 17 for every double.
 */
#include "app/core/number_text.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

size_t number_text(double number, char text[NUMBER_TEXT_SIZE])
{
    int length;
    if (fabs(number) < 1e15 && number == (double)(int64_t)number)
        length = snprintf(text, NUMBER_TEXT_SIZE, "%lld", (long long)number);
    else if (!isfinite(number))
        length = snprintf(text, NUMBER_TEXT_SIZE, "%s",
                          isnan(number) ? "nan"
                          : number > 0  ? "inf"
                                        : "-inf");
    else
        for (int digits = 15; digits <= 17; digits++) {
            length = snprintf(text, NUMBER_TEXT_SIZE, "%.*g", digits, number);
            if (strtod(text, NULL) == number)
                break;
        }
    return (size_t)length;
}
