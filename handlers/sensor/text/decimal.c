/*
 * decimal.c - decimal numbers as written.
 *
 * The digits are read as one whole number with a point somewhere, which exponent and `places` move.
 * What stands before the point counts, and the first digit behind it decides the rounding.
 */
#include "handlers/sensor/text/decimal.h"

enum { SMALL_DIGITS = 9 }; /* any so many stay below DECIMAL_LIMIT */

struct decimal {
    struct view digits; /* with at most one '.' in them */
    bool negative;
    int64_t exponent; /* clamped to where it no longer matters */
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool parse_exponent(struct view text, int64_t *exponent)
{
    static const int64_t limit = INT64_C(1) << 40;
    size_t at = text.length > 0 && (text.data[0] == '-' || text.data[0] == '+') ? 1 : 0;
    if (at == text.length)
        return false;
    *exponent = 0;
    for (size_t i = at; i < text.length; i++) {
        if (!is_digit(text.data[i]))
            return false;
        if (*exponent < limit)
            *exponent = *exponent * 10 + (text.data[i] - '0');
    }
    if (text.data[0] == '-')
        *exponent = -*exponent;
    return true;
}

static bool parse(struct view text, struct decimal *decimal)
{
    size_t length = 0, digits = 0, points = 0;
    decimal->negative = view_starts_with(text, VIEW("-"));
    text = view_skip(text, decimal->negative ? 1 : 0);
    while (length < text.length && (is_digit(text.data[length]) || text.data[length] == '.')) {
        if (text.data[length] == '.')
            points++;
        else
            digits++;
        length++;
    }
    decimal->digits = view_slice(text, 0, length);
    decimal->exponent = 0;
    if (digits == 0 || points > 1)
        return false;
    if (length == text.length)
        return true;
    return (text.data[length] == 'e' || text.data[length] == 'E') &&
           parse_exponent(view_skip(text, length + 1), &decimal->exponent);
}

/* The value of the digits before the moved point. */
static int64_t round_digits(struct view digits, int64_t shift)
{
    size_t point = view_index_of(digits, '.');
    int64_t before = (int64_t)(point == SIZE_MAX ? digits.length : point) + shift, value = 0;
    if (before < 0)
        return 0;
    for (size_t i = 0; i < digits.length; i++) {
        if (digits.data[i] == '.')
            continue;
        if (before-- == 0)
            return value + (digits.data[i] >= '5' ? 1 : 0);
        value = value * 10 + (digits.data[i] - '0');
        if (value >= DECIMAL_LIMIT)
            return DECIMAL_LIMIT;
    }
    for (; before > 0 && value > 0; before--) {
        value *= 10;
        if (value >= DECIMAL_LIMIT)
            return DECIMAL_LIMIT;
    }
    return value;
}

/* Most are a few digits, which need none of this. */
static bool take_small(struct view text, int64_t *value)
{
    bool negative = view_starts_with(text, VIEW("-"));
    struct view digits = view_skip(text, negative ? 1 : 0);
    int64_t number = 0;
    if (digits.length == 0 || digits.length > SMALL_DIGITS)
        return false;
    for (size_t i = 0; i < digits.length; i++) {
        if (!is_digit(digits.data[i]))
            return false;
        number = number * 10 + (digits.data[i] - '0');
    }
    *value = negative ? -number : number;
    return true;
}

bool decimal_round(struct view text, int places, int64_t *value)
{
    struct decimal decimal;
    if (places == 0 && take_small(text, value))
        return true;
    if (!parse(text, &decimal))
        return false;
    *value = round_digits(decimal.digits, decimal.exponent + places);
    if (decimal.negative)
        *value = -*value;
    return true;
}

/* Is there nothing but zeros behind the moved point? */
static bool is_whole(const struct decimal *decimal)
{
    size_t point = view_index_of(decimal->digits, '.');
    int64_t before = (int64_t)(point == SIZE_MAX ? decimal->digits.length : point);
    before += decimal->exponent;
    for (size_t i = 0; i < decimal->digits.length; i++) {
        char c = decimal->digits.data[i];
        if (c != '.' && before-- <= 0 && c != '0')
            return false;
    }
    return true;
}

bool decimal_whole(struct view text, int64_t *value)
{
    struct decimal decimal;
    if (take_small(text, value))
        return true;
    if (!parse(text, &decimal) || !is_whole(&decimal))
        return false;
    *value = round_digits(decimal.digits, decimal.exponent);
    if (decimal.negative)
        *value = -*value;
    return true;
}
