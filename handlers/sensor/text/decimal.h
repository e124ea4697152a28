/*
 * decimal.h - decimal numbers as written, without the detour over binary ones.
 */
#ifndef HEARTH_SENSOR_DECIMAL_H
#define HEARTH_SENSOR_DECIMAL_H

#include "hearth/base.h"

enum { DECIMAL_LIMIT = 1000000000 };

/* `text` (a JSON number: "-3.05", "7.44e1") times 10^places, rounded to a whole number, half away
 * from zero: "74.45" with one place is 745, which 74.45 as a double, a little less, would not be.
 * Beyond DECIMAL_LIMIT: DECIMAL_LIMIT, with its sign. False when it is not a number. */
HEARTH_MUST_CHECK bool decimal_round(struct view text, int places, int64_t *value);
/* The same without places for a number that is whole ("1.0", "2e1"). False when it is none. */
HEARTH_MUST_CHECK bool decimal_whole(struct view text, int64_t *value);

#endif
