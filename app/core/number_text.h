/*
 * number_text.h - a double as the shortest decimal text that reads back as the same double.
 */
#ifndef HEARTH_CORE_NUMBER_TEXT_H
#define HEARTH_CORE_NUMBER_TEXT_H

#include <stddef.h>

enum { NUMBER_TEXT_SIZE = 32 };

/* A JSON number for a finite `number`; whole numbers below 10^15 have no point and no exponent.
 * "nan", "inf" or "-inf" otherwise. Gives the length. The program never calls setlocale, so the
 * point is a point. */
size_t number_text(double number, char text[NUMBER_TEXT_SIZE]);

#endif
