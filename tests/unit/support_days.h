/*
 * support_days.h - days of readings in memory, as digests and summaries see them: what a store is
 * to aggregate.c and summary_write.c, without files or a keeper.
 */
#ifndef TESTS_SUPPORT_DAYS_H
#define TESTS_SUPPORT_DAYS_H

#include "handlers/sensor/summary/day_source.h"

#include <stdio.h>

struct test_day {
    int32_t day;
    size_t count, capacity; /* of sealed runs */
    struct sealed_file *files;
    struct day_run *runs;
    struct day_run live, suspect; /* count 0 = none */
};

struct test_days {
    struct day_source source; /* pass &days.source */
    struct test_day *days;    /* ascending */
    size_t count, capacity;
    uint64_t sequence;               /* of the live file sealed last */
    struct summary_file **summaries; /* of the years from first_year on; NULL = none */
    int32_t first_year;
    size_t years;
    uint64_t looks, maps; /* so far */
    bool lose_records;    /* map fails with IO */
};

void test_days_init(struct test_days *days);
void test_days_clean(struct test_days *days);
/* Seals the readings, which are new, in any order: another file for each of their days. Suspects go
 * aside. */
void test_days_seal(struct test_days *days, const struct record *records, size_t count);
/* Replaces the live readings; they may stand in sealed files as well. Suspects stay, aside. */
void test_days_live(struct test_days *days, const struct record *records, size_t count);
/* Writes the summaries of all years below `store` and opens them, in place of those open so far. */
enum hearth_error test_days_summarise(struct test_days *days, const char *store, bool rebuild,
                                      summary_limit_fn *limit, void *context);
/* Opens those that stand there. */
void test_days_open_summaries(struct test_days *days, const char *store);
/* Closes all: every day is scanned from now on. */
void test_days_forget_summaries(struct test_days *days);

#endif
