/*
 * support_snapshot.h - what the tests of snapshots share: a store made by hand, its snapshots, and
 * readings of days.
 */
#ifndef TESTS_SUPPORT_SNAPSHOT_H
#define TESTS_SUPPORT_SNAPSHOT_H

#include "support_live.h"
#include "support_made.h"

#include "handlers/sensor/snapshot/snapshot.h"

#define DAY_MS INT64_C(86400000)
#define DAY    20345 /* 2025-09-14 */
#define YEAR   2025

struct snapshot_story {
    struct made_store store;
    struct fault_files faults;
    struct snapshots *snapshots;
};

int story_setup(void **state);
int story_teardown(void **state);
/* Fails the test when that fails. */
struct snapshot *story_snapshot(struct snapshot_story *story);

/* Noon of DAY + `day`, and so many seconds; on one of four channels. */
struct record story_reading(int day, int second);
struct record story_at(int64_t time_ms, int channel, enum time_quality quality);

struct story_list {
    struct record *records;
    size_t count, blocks, largest;
};
/* A range_visit_fn that adds to a struct story_list; its records are to be freed. */
enum hearth_error story_take_block(void *context, const struct record *records, size_t count);
void story_range(struct snapshot *snapshot, const struct reading_range *range,
                 struct story_list *list);
extern const struct reading_range story_everything; /* suspects as well */
void story_expect(struct snapshot *snapshot, const struct record *records, size_t count);

#endif
