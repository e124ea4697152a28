/*
 * value_text.c - values in units.
 *
 * With v in fiftieths of degF: degF = v / 50, degC = (v - 1600) / 90.
 */
#include "handlers/sensor/text/value_text.h"

#include "handlers/sensor/text/text_put.h"

enum { FREEZING = 1600 };

const char *value_unit_name(enum value_unit unit)
{
    static const char *const names[] = {[VALUE_F] = "F", [VALUE_C] = "C", [VALUE_PERCENT] = "%"};
    return names[unit];
}

/* number / divisor, to the nearest, half away from zero; divisor > 0. */
static int64_t divide(int64_t number, int64_t divisor)
{
    int64_t half = number < 0 ? -divisor : divisor;
    return (2 * number + half) / (2 * divisor);
}

int64_t value_hundredths(int32_t value, enum value_unit unit)
{
    switch (unit) {
    case VALUE_F:
        return (int64_t)value * 2;
    case VALUE_C:
        return divide(((int64_t)value - FREEZING) * 10, 9);
    case VALUE_PERCENT:
    default:
        return (int64_t)value * 100;
    }
}

/*
 * sum / covered * factor / divisor. The sum may be 2^57, so it is divided first, and what is left
 * of each division is carried on as a fraction of covered * divisor.
 */
static int64_t scaled_mean(int64_t sum, int64_t covered, int64_t factor, int64_t divisor)
{
    int64_t whole = sum / covered * factor;
    int64_t rest = whole % divisor * covered + sum % covered * factor;
    return whole / divisor + divide(rest, divisor * covered);
}

int64_t value_mean_thousandths(int64_t integral, int64_t covered_ms, enum value_unit unit)
{
    switch (unit) {
    case VALUE_F:
        return scaled_mean(integral, covered_ms, 20, 1);
    case VALUE_C:
        return scaled_mean(integral - FREEZING * covered_ms, covered_ms, 100, 9);
    case VALUE_PERCENT:
    default:
        return scaled_mean(integral, covered_ms, 1000, 1);
    }
}

int value_coverage_thousandths(int64_t covered_ms, int64_t whole_ms)
{
    return (int)divide(covered_ms * 1000, whole_ms);
}

char *value_put(char *at, int32_t value, enum value_unit unit)
{
    return text_put_decimal(at, value_hundredths(value, unit), VALUE_PLACES);
}
