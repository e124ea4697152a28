/*
 * scale.h - a reading's temperature in the scale that somebody wants.
 *
 * A reading keeps the scale of its sender. Converted values are rounded to the nearest tenth, half
 * away from zero (which ninths and fifths never are).
 */
#ifndef HEARTH_SENSOR_SCALE_H
#define HEARTH_SENSOR_SCALE_H

#include "hearth/reading_store.h"

/* number / divisor, rounded, half away from zero; divisor > 0. */
static inline int scale_divide(int number, int divisor)
{
    int half = number < 0 ? -divisor : divisor;
    return (2 * number + half) / (2 * divisor);
}

/* Tenths of a degree. The reading must have a temperature. */
static inline int reading_tenths_c(const struct reading *reading)
{
    if (reading->scale == SCALE_TENTHS_C)
        return reading->raw - RAW_C_OFFSET;
    return scale_divide((reading->raw - RAW_F_OFFSET - 320) * 5, 9);
}

static inline int reading_tenths_f(const struct reading *reading)
{
    if (reading->scale == SCALE_TENTHS_F)
        return reading->raw - RAW_F_OFFSET;
    return scale_divide((reading->raw - RAW_C_OFFSET) * 9, 5) + 320;
}

#endif
