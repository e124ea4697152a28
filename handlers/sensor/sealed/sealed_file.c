/*
 * sealed_file.c - the names of sealed files. A name has one spelling: the date exists, the sequence
 * has at least eight digits.
 */
#include "handlers/sensor/sealed/sealed_file.h"

#include "handlers/sensor/text/exact_text.h"
#include "hearth/clock.h"

#include <inttypes.h>
#include <stdio.h>

enum { SEQUENCE_DIGITS = 8, DAY_MS = 86400000, LAST_YEAR = 2109 };

void sealed_name_format(const struct sealed_file *file, char name[SEALED_NAME_BYTES])
{
    struct civil_time date;
    if (file->day == SEALED_SUSPECT_DAY) {
        snprintf(name, SEALED_NAME_BYTES, "suspect/%08" PRIu64 ".bin", file->sequence);
        return;
    }
    civil_from_ms((int64_t)file->day * DAY_MS, &date);
    snprintf(name, SEALED_NAME_BYTES, "sealed/%04d/%02d-%02d.%08" PRIu64 ".bin", date.year,
             date.month, date.day, file->sequence);
}

/* Days from 1970 to a date, Gregorian; -1 when it is none. A manifest has tens of thousands. */
static int32_t day_of_date(int year, int month, int date)
{
    static const int before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    if (year < 1970 || month < 1 || month > 12 || date < 1 ||
        date > before[month] - before[month - 1] + (leap && month == 2))
        return -1;
    int leaps = (year - 1969) / 4 - (year > 2100); /* of the years before; 2000 was one */
    return 365 * (year - 1970) + leaps + before[month - 1] + (leap && month > 2) + date - 1;
}

/* 2025/09-14. */
static bool take_day(struct view *rest, int32_t *day)
{
    uint64_t year, month, date;
    if (!exact_number(rest, 4, LAST_YEAR, &year) || !exact_literal(rest, VIEW("/")) ||
        !exact_number(rest, 2, 12, &month) || !exact_literal(rest, VIEW("-")) ||
        !exact_number(rest, 2, 31, &date) || !exact_literal(rest, VIEW(".")))
        return false;
    *day = day_of_date((int)year, (int)month, (int)date);
    return *day >= 0;
}

bool sealed_name_parse(struct view name, struct sealed_file *file)
{
    struct view rest = name;
    file->day = SEALED_SUSPECT_DAY;
    if (!exact_literal(&rest, VIEW("suspect/"))) {
        rest = name;
        if (!exact_literal(&rest, VIEW("sealed/")) || !take_day(&rest, &file->day))
            return false;
    }
    return exact_number(&rest, SEQUENCE_DIGITS, UINT64_MAX, &file->sequence) &&
           view_equal(rest, VIEW(".bin"));
}
