/*
 * value_text.h - values of a quantity in the unit that somebody wants, as decimal numbers.
 *
 * Temperatures come in fiftieths of a degree Fahrenheit (digest.h), humidity in percent. Tenths of
 * either scale are whole numbers there, so they come out as they went in; in the other scale degF
 * out of tenths of degC are exact with two decimals, and degC out of tenths of degF are rounded to
 * two. All rounding is to the nearest, half away from zero.
 */
#ifndef HEARTH_SENSOR_VALUE_TEXT_H
#define HEARTH_SENSOR_VALUE_TEXT_H

#include "hearth/base.h"

enum value_unit { VALUE_F, VALUE_C, VALUE_PERCENT };

enum { VALUE_PLACES = 2, VALUE_MEAN_PLACES = 3 };

/* "F", "C" or "%". */
const char *value_unit_name(enum value_unit unit);
/* Times 100. */
int64_t value_hundredths(int32_t value, enum value_unit unit);
/* The mean integral_value / covered_ms (covered_ms > 0), times 1,000. */
int64_t value_mean_thousandths(int64_t integral, int64_t covered_ms, enum value_unit unit);
/* How much of the time is covered, 0 to 1, times 1,000. whole_ms > 0, both below 2^43. */
int value_coverage_thousandths(int64_t covered_ms, int64_t whole_ms);

/* As text (text_put.h), without zeros at the end. */
char *value_put(char *at, int32_t value, enum value_unit unit);

#endif
