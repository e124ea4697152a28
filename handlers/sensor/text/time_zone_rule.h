/*
 * time_zone_rule.h - the POSIX TZ text that ends a TZif file: what holds after its last change.
 */
#ifndef HEARTH_SENSOR_TIME_ZONE_RULE_H
#define HEARTH_SENSOR_TIME_ZONE_RULE_H

#include "hearth/base.h"

enum time_rule_form {
    RULE_JULIAN, /* Jn: day 1..365, February 29 is never counted */
    RULE_DAY,    /* n: day 0..365 */
    RULE_MONTH   /* Mm.w.d: weekday d of week w (5 = last) of month m */
};

struct time_rule_date {
    enum time_rule_form form;
    int day; /* RULE_JULIAN, RULE_DAY */
    int month, week, weekday;
    int time_s; /* local, -167 to 167 hours */
};

struct time_rule {
    bool has_daylight;
    int standard_s, daylight_s;       /* east of Greenwich */
    struct time_rule_date begin, end; /* of daylight time */
};

/* False when it is not a TZ text as in POSIX with the extension of RFC 8536 section 3.3.1. */
HEARTH_MUST_CHECK bool time_rule_parse(struct view text, struct time_rule *rule);
/* For moments within the years 0 to 9999 (others are moved there). */
int time_rule_offset_s(const struct time_rule *rule, int64_t utc_s);
/* The first change after `utc_s`; INT64_MAX when there is none. */
int64_t time_rule_next_change_s(const struct time_rule *rule, int64_t utc_s);

#endif
