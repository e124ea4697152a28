/*
 * time_parse.c - times as people and senders write them (RFC 3339, section 5.6).
 *
 * A cursor walks the text once; each step takes what it expects or fails the whole.
 */
#include "handlers/sensor/text/time_parse.h"

#include "hearth/clock.h"

#include <string.h>

struct cursor {
    const char *at, *end;
};

/* Exactly `count` digits. */
static bool take_digits(struct cursor *cursor, int count, int *number)
{
    int value = 0;
    if (cursor->end - cursor->at < count)
        return false;
    for (int i = 0; i < count; i++) {
        char c = cursor->at[i];
        if (c < '0' || c > '9')
            return false;
        value = value * 10 + (c - '0');
    }
    cursor->at += count;
    *number = value;
    return true;
}

static bool take_byte(struct cursor *cursor, char byte)
{
    if (cursor->at == cursor->end || *cursor->at != byte)
        return false;
    cursor->at++;
    return true;
}

static int days_in_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month == 2 && leap ? 29 : days[month - 1];
}

static bool take_date(struct cursor *cursor, struct civil_time *civil)
{
    return take_digits(cursor, 4, &civil->year) && take_byte(cursor, '-') &&
           take_digits(cursor, 2, &civil->month) && take_byte(cursor, '-') &&
           take_digits(cursor, 2, &civil->day) && civil->month >= 1 && civil->month <= 12 &&
           civil->day >= 1 && civil->day <= days_in_month(civil->year, civil->month);
}

/* One digit at least; the first three count. */
static bool take_fraction(struct cursor *cursor, int *ms)
{
    static const int weight[] = {100, 10, 1};
    int digits = 0;
    *ms = 0;
    while (cursor->at < cursor->end && *cursor->at >= '0' && *cursor->at <= '9') {
        if (digits < 3)
            *ms += (*cursor->at - '0') * weight[digits];
        digits++;
        cursor->at++;
    }
    return digits > 0;
}

static bool take_clock(struct cursor *cursor, struct civil_time *civil)
{
    if (!take_digits(cursor, 2, &civil->hour) || !take_byte(cursor, ':') ||
        !take_digits(cursor, 2, &civil->minute) || !take_byte(cursor, ':') ||
        !take_digits(cursor, 2, &civil->second))
        return false;
    if (civil->hour > 23 || civil->minute > 59 || civil->second > 60)
        return false;
    if (take_byte(cursor, '.') || take_byte(cursor, ','))
        return take_fraction(cursor, &civil->ms);
    return true;
}

/* The rest of the text: nothing, or an offset. */
static bool take_offset(struct cursor *cursor, bool *has_offset, int *offset_minutes)
{
    int hours, minutes;
    *offset_minutes = 0;
    *has_offset = cursor->at < cursor->end;
    if (!*has_offset)
        return true;
    if (take_byte(cursor, 'Z') || take_byte(cursor, 'z'))
        return cursor->at == cursor->end;
    bool negative = take_byte(cursor, '-');
    if (!negative && !take_byte(cursor, '+'))
        return false;
    if (!take_digits(cursor, 2, &hours))
        return false;
    (void)take_byte(cursor, ':');
    if (!take_digits(cursor, 2, &minutes) || hours > 23 || minutes > 59)
        return false;
    *offset_minutes = (hours * 60 + minutes) * (negative ? -1 : 1);
    return cursor->at == cursor->end;
}

bool time_parse(struct view text, struct parsed_time *time)
{
    struct civil_time civil = {0};
    int offset_minutes;
    if (text.length < sizeof "2025-09-14 18:04:51" - 1)
        return false;
    struct cursor cursor = {text.data, text.data + text.length};
    if (!take_date(&cursor, &civil))
        return false;
    if (!take_byte(&cursor, ' ') && !take_byte(&cursor, 'T') && !take_byte(&cursor, 't'))
        return false;
    if (!take_clock(&cursor, &civil) || !take_offset(&cursor, &time->has_offset, &offset_minutes))
        return false;
    time->ms = civil_to_ms(&civil) - (int64_t)offset_minutes * 60000;
    return true;
}

bool time_parse_day(struct view text, int64_t *local_ms)
{
    struct civil_time civil = {0};
    struct cursor cursor = {text.data, text.data + text.length};
    if (text.length != sizeof "2025-09-14" - 1 || !take_date(&cursor, &civil))
        return false;
    *local_ms = civil_to_ms(&civil);
    return true;
}

/* ---- Numbers ---- */

bool time_parse_epoch(struct view text, int64_t *ms)
{
    static const int64_t first_ms = INT64_C(100000000000);
    struct view rest = text, whole = view_split(&rest, '.');
    int64_t number;
    int fraction_ms = 0;
    if (whole.length > 15 || !view_to_int64(whole, &number) || whole.data[0] == '-')
        return false;
    if (rest.data) {
        struct cursor fraction = {rest.data, rest.data + rest.length};
        if (!take_fraction(&fraction, &fraction_ms) || fraction.at != fraction.end)
            return false;
    }
    *ms = number >= first_ms && !rest.data ? number : number * 1000 + fraction_ms;
    return true;
}

/* ---- Queries ---- */

static int64_t unit_ms(struct view unit)
{
    static const struct {
        const char *name;
        int64_t ms;
    } units[] = {{"ms", 1},
                 {"s", 1000},
                 {"m", 60000},
                 {"h", 3600000},
                 {"d", 86400000},
                 {"w", 604800000},
                 {"y", INT64_C(31536000000)}};
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (view_equal(unit, view_of(units[i].name)))
            return units[i].ms;
    return 0;
}

/* "-24h" behind "now". */
static bool parse_distance(struct view text, int64_t *distance_ms)
{
    static const int64_t furthest_ms = INT64_C(1000000000000000000);
    size_t digits = 1;
    int64_t number;
    while (digits < text.length && text.data[digits] >= '0' && text.data[digits] <= '9')
        digits++;
    int64_t unit = unit_ms(view_skip(text, digits));
    if (unit == 0 || digits > 10 || !view_to_int64(view_slice(text, 1, digits - 1), &number) ||
        number > furthest_ms / unit)
        return false;
    *distance_ms = number * unit * (text.data[0] == '-' ? -1 : 1);
    return text.data[0] == '-' || text.data[0] == '+';
}

/* '+' is a blank in a query unless it was escaped; people forget that: "…51 02:00". */
static struct view mend_offset(struct view text, char *copy, size_t size)
{
    static const size_t shortest = sizeof "2025-09-14T18:04:51 0200" - 1;
    if (text.length < shortest || text.length > size)
        return text;
    memcpy(copy, text.data, text.length);
    for (size_t i = shortest - 5; i < text.length; i++)
        if (copy[i] == ' ')
            copy[i] = '+';
    return view_from(copy, text.length);
}

bool time_parse_query(struct view text, int64_t now_ms, int64_t *ms)
{
    static const struct view now = {"now", 3};
    char copy[64];
    struct parsed_time parsed;
    int64_t distance = 0;
    text = view_trim(text);
    if (view_starts_with(text, now)) {
        struct view rest = view_trim(view_skip(text, now.length));
        if (rest.length > 0 && !parse_distance(rest, &distance))
            return false;
        *ms = now_ms + distance;
        return true;
    }
    if (text.length <= 15 && view_to_int64(text, ms))
        return true;
    if (!time_parse(mend_offset(text, copy, sizeof copy), &parsed))
        return false;
    *ms = parsed.ms;
    return true;
}
