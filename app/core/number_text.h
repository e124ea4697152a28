/*
 * number_text.h - numbers as text, without the C library's locale and without its pace.
 */
#ifndef HEARTH_CORE_NUMBER_TEXT_H
#define HEARTH_CORE_NUMBER_TEXT_H

#include <stddef.h>
#include <stdint.h>

enum { NUMBER_TEXT_SIZE = 32 };

/* Each gives the length of what it wrote, which is terminated. */

size_t integer_text(int64_t number, char text[NUMBER_TEXT_SIZE]);

/* A decimal text that reads back as the same double: a JSON number when it is finite, without an
 * exponent for whole numbers below 10^15; "nan", "inf" or "-inf" otherwise. The program never calls
 * setlocale, so the point is a point. */
size_t number_text(double number, char text[NUMBER_TEXT_SIZE]);

#endif
