/*
 * time_zone_rule.c - the POSIX TZ text at the end of a TZif file (RFC 8536 section 3.3).
 *
 *   std offset [dst [offset] [, date [/time] , date [/time]]]
 *
 * Names are letters, or anything but '>' within '<' and '>'. Offsets count west, unlike everywhere
 * else. To tell the offset at a moment, the changes of the years around it are put in order; the
 * last one not after the moment holds. A time of up to 167 hours can carry a change over New Year,
 * so that two years before are looked at and one after.
 */
#include "handlers/sensor/text/time_zone_rule.h"

#include "hearth/clock.h"

enum { DAY_S = 86400, HOUR_S = 3600 };

/* ---- Parsing ---- */

struct cursor {
    const char *at, *end;
};

static bool take(struct cursor *cursor, char byte)
{
    if (cursor->at == cursor->end || *cursor->at != byte)
        return false;
    cursor->at++;
    return true;
}

static bool take_number(struct cursor *cursor, int minimum, int maximum, int *number)
{
    int value = 0, digits = 0;
    while (cursor->at < cursor->end && *cursor->at >= '0' && *cursor->at <= '9' && digits < 4) {
        value = value * 10 + (*cursor->at++ - '0');
        digits++;
    }
    *number = value;
    return digits > 0 && value >= minimum && value <= maximum;
}

static bool is_letter(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static bool take_name(struct cursor *cursor)
{
    const char *begin = cursor->at;
    if (take(cursor, '<')) {
        while (cursor->at < cursor->end && *cursor->at != '>')
            cursor->at++;
        return take(cursor, '>');
    }
    while (cursor->at < cursor->end && is_letter(*cursor->at))
        cursor->at++;
    return cursor->at - begin >= 3;
}

/* [+-]hh[:mm[:ss]] */
static bool take_time(struct cursor *cursor, int max_hours, int *seconds)
{
    int hours, minutes = 0, rest = 0;
    bool negative = take(cursor, '-');
    if (!negative)
        (void)take(cursor, '+');
    if (!take_number(cursor, 0, max_hours, &hours))
        return false;
    if (take(cursor, ':')) {
        if (!take_number(cursor, 0, 59, &minutes))
            return false;
        if (take(cursor, ':') && !take_number(cursor, 0, 59, &rest))
            return false;
    }
    *seconds = (hours * HOUR_S + minutes * 60 + rest) * (negative ? -1 : 1);
    return true;
}

static bool take_month_day(struct cursor *cursor, struct time_rule_date *date)
{
    date->form = RULE_MONTH;
    return take_number(cursor, 1, 12, &date->month) && take(cursor, '.') &&
           take_number(cursor, 1, 5, &date->week) && take(cursor, '.') &&
           take_number(cursor, 0, 6, &date->weekday);
}

static bool take_date(struct cursor *cursor, struct time_rule_date *date)
{
    bool taken;
    date->time_s = 2 * HOUR_S;
    if (take(cursor, 'M')) {
        taken = take_month_day(cursor, date);
    } else if (take(cursor, 'J')) {
        date->form = RULE_JULIAN;
        taken = take_number(cursor, 1, 365, &date->day);
    } else {
        date->form = RULE_DAY;
        taken = take_number(cursor, 0, 365, &date->day);
    }
    return taken && (!take(cursor, '/') || take_time(cursor, 167, &date->time_s));
}

bool time_rule_parse(struct view text, struct time_rule *rule)
{
    if (text.length == 0)
        return false;
    struct cursor cursor = {text.data, text.data + text.length};
    int west;
    *rule = (struct time_rule){0};
    if (!take_name(&cursor) || !take_time(&cursor, 24, &west))
        return false;
    rule->standard_s = -west;
    if (cursor.at == cursor.end)
        return true;
    rule->has_daylight = true;
    rule->daylight_s = rule->standard_s + HOUR_S;
    if (!take_name(&cursor))
        return false;
    if (cursor.at < cursor.end && *cursor.at != ',') {
        if (!take_time(&cursor, 24, &west))
            return false;
        rule->daylight_s = -west;
    }
    return take(&cursor, ',') && take_date(&cursor, &rule->begin) && take(&cursor, ',') &&
           take_date(&cursor, &rule->end) && cursor.at == cursor.end;
}

/* ---- Use ---- */

static int64_t date_s(int year, int month, int day)
{
    const struct civil_time civil = {.year = year, .month = month, .day = day};
    return civil_to_ms(&civil) / 1000;
}

static int weekday_of(int64_t day_s)
{
    struct civil_time civil;
    civil_from_ms(day_s * 1000, &civil);
    return civil.weekday;
}

static bool is_leap(int year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/* Midnight of the day that `date` names in `year`, as if local time were UTC. */
static int64_t rule_day_s(const struct time_rule_date *date, int year)
{
    if (date->form == RULE_DAY)
        return date_s(year, 1, 1) + (int64_t)date->day * DAY_S;
    if (date->form == RULE_JULIAN) {
        int skipped = is_leap(year) && date->day >= 60 ? 1 : 0;
        return date_s(year, 1, 1) + (int64_t)(date->day - 1 + skipped) * DAY_S;
    }
    int64_t first = date_s(year, date->month, 1);
    int64_t next_month = date_s(year, date->month + 1, 1);
    int ahead = (date->weekday - weekday_of(first) + 7) % 7;
    int64_t day = first + (int64_t)(ahead + 7 * (date->week - 1)) * DAY_S;
    while (day >= next_month)
        day -= INT64_C(7) * DAY_S;
    return day;
}

struct rule_change {
    int64_t utc_s;
    int offset_s; /* from then on */
};

enum { CHANGES = 8 }; /* two a year */

/* The changes of two years before to one year after, in order; of two at one moment, the end of
 * daylight time comes first, so that daylight time all year round ("0/0,J365/25") holds. */
static void list_changes(const struct time_rule *rule, int year, struct rule_change *changes)
{
    for (int i = 0; i < CHANGES; i++) {
        bool begins = i % 2 == 1;
        const struct time_rule_date *date = begins ? &rule->begin : &rule->end;
        int before = begins ? rule->standard_s : rule->daylight_s;
        struct rule_change change = {
            rule_day_s(date, year - 2 + i / 2) + date->time_s - before,
            begins ? rule->daylight_s : rule->standard_s,
        };
        int place = i;
        while (place > 0 && (changes[place - 1].utc_s > change.utc_s ||
                             (!begins && changes[place - 1].utc_s == change.utc_s))) {
            changes[place] = changes[place - 1];
            place--;
        }
        changes[place] = change;
    }
}

static const int64_t year_1 = INT64_C(-62135596800), year_9999 = INT64_C(253370764800);

static int64_t within_calendar(int64_t utc_s)
{
    return utc_s < year_1 ? year_1 : utc_s > year_9999 ? year_9999 : utc_s;
}

static int year_of(const struct time_rule *rule, int64_t utc_s)
{
    struct civil_time civil;
    civil_from_ms((utc_s + rule->standard_s) * 1000, &civil);
    return civil.year;
}

int time_rule_offset_s(const struct time_rule *rule, int64_t utc_s)
{
    struct rule_change changes[CHANGES];
    if (!rule->has_daylight)
        return rule->standard_s;
    utc_s = within_calendar(utc_s);
    list_changes(rule, year_of(rule, utc_s), changes);
    int offset = rule->standard_s;
    for (int i = 0; i < CHANGES && changes[i].utc_s <= utc_s; i++)
        offset = changes[i].offset_s;
    return offset;
}

int64_t time_rule_next_change_s(const struct time_rule *rule, int64_t utc_s)
{
    struct rule_change changes[CHANGES];
    if (!rule->has_daylight || utc_s > year_9999)
        return INT64_MAX;
    utc_s = within_calendar(utc_s);
    list_changes(rule, year_of(rule, utc_s), changes);
    for (int i = 0; i < CHANGES; i++)
        if (changes[i].utc_s > utc_s)
            return changes[i].utc_s;
    return INT64_MAX;
}
