/*
 * civil.c - between milliseconds and the calendar, and the two ways in which times are written.
 *
 * The algorithms are Howard Hinnant's ("chrono-compatible low-level date algorithms"): years begin
 * in March, so that the leap day is a year's last, and repeat every 400 years (an era of 146,097
 * days). No table, no locale, no environment.
 */
#include "hearth/clock.h"

static const int64_t day_ms = 86400000;
static const int64_t earliest_ms = -62167219200000; /* 0000-01-01T00:00:00.000Z */
static const int64_t latest_ms = 253402300799999;   /* 9999-12-31T23:59:59.999Z */
/* What keeps civil_to_ms within 64 bits, far beyond any date that means something. */
static const int64_t furthest_year = 200000000;

static int64_t floor_divide(int64_t number, int64_t by)
{
    return number / by - (number % by < 0);
}

/* Days since 1970-01-01; `month` 1..12, any `year`. */
static int64_t days_from_month(int64_t year, int64_t month)
{
    year -= month <= 2;
    int64_t era = floor_divide(year, 400);
    int64_t year_of_era = year - era * 400;
    int64_t month_from_march = month > 2 ? month - 3 : month + 9;
    int64_t day_of_year = (153 * month_from_march + 2) / 5;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

static void date_from_days(int64_t days, struct civil_time *civil)
{
    days += 719468;
    int64_t era = floor_divide(days, 146097);
    int64_t day_of_era = days - era * 146097;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month_from_march = (5 * day_of_year + 2) / 153;
    civil->day = (int)(day_of_year - (153 * month_from_march + 2) / 5 + 1);
    civil->month = (int)(month_from_march < 10 ? month_from_march + 3 : month_from_march - 9);
    civil->year = (int)(year_of_era + era * 400 + (civil->month <= 2));
}

void civil_from_ms(int64_t wall_ms, struct civil_time *civil)
{
    int64_t days = floor_divide(wall_ms, day_ms);
    int64_t ms_of_day = (wall_ms % day_ms + day_ms) % day_ms;
    date_from_days(days, civil);
    civil->hour = (int)(ms_of_day / 3600000);
    civil->minute = (int)(ms_of_day / 60000 % 60);
    civil->second = (int)(ms_of_day / 1000 % 60);
    civil->ms = (int)(ms_of_day % 1000);
    /* 1970-01-01 was a Thursday. */
    civil->weekday = (int)(days + 4 - floor_divide(days + 4, 7) * 7);
}

int64_t civil_to_ms(const struct civil_time *civil)
{
    int64_t months = (int64_t)civil->month - 1;
    int64_t year = civil->year + floor_divide(months, 12);
    if (year > furthest_year)
        year = furthest_year;
    if (year < -furthest_year)
        year = -furthest_year;
    int64_t month = months - floor_divide(months, 12) * 12 + 1;
    int64_t days = days_from_month(year, month) + civil->day - 1;
    return days * day_ms + (int64_t)civil->hour * 3600000 + (int64_t)civil->minute * 60000 +
           (int64_t)civil->second * 1000 + civil->ms;
}

static void civil_clamped(int64_t wall_ms, struct civil_time *civil)
{
    if (wall_ms < earliest_ms)
        wall_ms = earliest_ms;
    if (wall_ms > latest_ms)
        wall_ms = latest_ms;
    civil_from_ms(wall_ms, civil);
}

/* Writes `number` right-aligned with zeros, and gives the place behind. */
static char *put_digits(char *to, int number, int width)
{
    for (int i = width - 1; i >= 0; i--) {
        to[i] = (char)('0' + number % 10);
        number /= 10;
    }
    return to + width;
}

static char *put_text(char *to, const char *text, int length)
{
    for (int i = 0; i < length; i++)
        to[i] = text[i];
    return to + length;
}

static char *put_time_of_day(char *to, const struct civil_time *civil)
{
    to = put_digits(to, civil->hour, 2);
    *to++ = ':';
    to = put_digits(to, civil->minute, 2);
    *to++ = ':';
    return put_digits(to, civil->second, 2);
}

void clock_format_rfc3339(int64_t wall_ms, char text[CLOCK_RFC3339_SIZE])
{
    struct civil_time civil;
    civil_clamped(wall_ms, &civil);
    char *to = put_digits(text, civil.year, 4);
    *to++ = '-';
    to = put_digits(to, civil.month, 2);
    *to++ = '-';
    to = put_digits(to, civil.day, 2);
    *to++ = 'T';
    to = put_time_of_day(to, &civil);
    *to++ = '.';
    to = put_digits(to, civil.ms, 3);
    *to++ = 'Z';
    *to = '\0';
}

void clock_format_http(int64_t wall_ms, char text[CLOCK_HTTP_SIZE])
{
    static const char weekdays[] = "SunMonTueWedThuFriSat";
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    struct civil_time civil;
    civil_clamped(wall_ms, &civil);
    char *to = put_text(text, weekdays + 3 * (size_t)civil.weekday, 3);
    to = put_text(to, ", ", 2);
    to = put_digits(to, civil.day, 2);
    *to++ = ' ';
    to = put_text(to, months + 3 * (size_t)(civil.month - 1), 3);
    *to++ = ' ';
    to = put_digits(to, civil.year, 4);
    *to++ = ' ';
    to = put_time_of_day(to, &civil);
    to = put_text(to, " GMT", 4);
    *to = '\0';
}
