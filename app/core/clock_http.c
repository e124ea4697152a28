/*
 * clock_http.c - reads the three forms of an HTTP date (RFC 9110, section 5.6.7):
 *
 *     Sun, 06 Nov 1994 08:49:37 GMT     IMF-fixdate
 *     Sunday, 06-Nov-94 08:49:37 GMT    RFC 850
 *     Sun Nov  6 08:49:37 1994          asctime
 *
 * Names are case-sensitive, as the RFC says. The weekday must be one, but need not be the right
 * one: nothing depends on it, and a sender that is wrong there still means the date.
 */
#include <string.h>

#include "hearth/base.h"
#include "hearth/clock.h"

static const char *const weekday_names[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                            "Thursday", "Friday", "Saturday"};
static const char *const month_names[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                          "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

/* Each take_ function cuts what it names off `*rest`, or returns false. */

static bool take_text(struct view *rest, const char *text)
{
    if (!view_starts_with(*rest, view_of(text)))
        return false;
    *rest = view_skip(*rest, strlen(text));
    return true;
}

static bool take_number(struct view *rest, size_t digits, int *number)
{
    uint64_t value;
    if (rest->length < digits || !view_to_uint64(view_slice(*rest, 0, digits), &value))
        return false;
    *rest = view_skip(*rest, digits);
    *number = (int)value;
    return true;
}

static bool take_month(struct view *rest, int *month)
{
    for (int i = 0; i < 12; i++)
        if (take_text(rest, month_names[i])) {
            *month = i + 1;
            return true;
        }
    return false;
}

/* The second may be 60: a leap second, which becomes the next minute's first. */
static bool take_time_of_day(struct view *rest, struct civil_time *civil)
{
    return take_number(rest, 2, &civil->hour) && take_text(rest, ":") &&
           take_number(rest, 2, &civil->minute) && take_text(rest, ":") &&
           take_number(rest, 2, &civil->second) && civil->hour <= 23 && civil->minute <= 59 &&
           civil->second <= 60;
}

static bool take_imf_fixdate(struct view rest, struct civil_time *civil)
{
    return take_text(&rest, ", ") && take_number(&rest, 2, &civil->day) && take_text(&rest, " ") &&
           take_month(&rest, &civil->month) && take_text(&rest, " ") &&
           take_number(&rest, 4, &civil->year) && take_text(&rest, " ") &&
           take_time_of_day(&rest, civil) && take_text(&rest, " GMT") && rest.length == 0;
}

/* Two digits that seem to lie more than 50 years ahead belong to the century before. */
static int full_year(int two_digits)
{
    struct civil_time now;
    civil_from_ms(clock_wall_ms(&clock_system), &now);
    int year = now.year - now.year % 100 + two_digits;
    return year > now.year + 50 ? year - 100 : year;
}

static bool take_rfc850(struct view rest, struct civil_time *civil)
{
    int two_digits = 0;
    bool taken = take_text(&rest, ", ") && take_number(&rest, 2, &civil->day) &&
                 take_text(&rest, "-") && take_month(&rest, &civil->month) &&
                 take_text(&rest, "-") && take_number(&rest, 2, &two_digits) &&
                 take_text(&rest, " ") && take_time_of_day(&rest, civil) &&
                 take_text(&rest, " GMT") && rest.length == 0;
    civil->year = full_year(two_digits);
    return taken;
}

static bool take_asctime(struct view rest, struct civil_time *civil)
{
    return take_text(&rest, " ") && take_month(&rest, &civil->month) && take_text(&rest, " ") &&
           (take_text(&rest, " ") ? take_number(&rest, 1, &civil->day)
                                  : take_number(&rest, 2, &civil->day)) &&
           take_text(&rest, " ") && take_time_of_day(&rest, civil) && take_text(&rest, " ") &&
           take_number(&rest, 4, &civil->year) && rest.length == 0;
}

/* A day that the month has: the calendar would otherwise turn 30 February into 1 March. */
static bool day_exists(const struct civil_time *civil)
{
    struct civil_time date = {.year = civil->year, .month = civil->month, .day = civil->day}, same;
    civil_from_ms(civil_to_ms(&date), &same);
    return same.day == civil->day && same.month == civil->month;
}

int64_t clock_parse_http(const char *text, size_t length)
{
    struct view whole = view_from(text, length);
    for (int i = 0; i < 7; i++) {
        struct view full_name = view_of(weekday_names[i]);
        struct civil_time civil = {0};
        bool taken = false;
        if (view_starts_with(whole, full_name)) {
            taken = take_rfc850(view_skip(whole, full_name.length), &civil);
        } else if (view_starts_with(whole, view_slice(full_name, 0, 3))) {
            struct view rest = view_skip(whole, 3);
            taken = take_imf_fixdate(rest, &civil) || take_asctime(rest, &civil);
        }
        if (taken && day_exists(&civil))
            return civil_to_ms(&civil);
    }
    return -1;
}
