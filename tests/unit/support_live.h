/*
 * support_live.h - what the tests of the embedded reading store share: a store in a directory of
 * its own, readings made of a number, and what must hold of the files whatever happened.
 */
#ifndef TESTS_SUPPORT_LIVE_H
#define TESTS_SUPPORT_LIVE_H

#include "support.h"

#include "handlers/sensor/embedded_store.h"
#include "support_faults.h"

#define LIVE_START_MS INT64_C(1757894691000)

struct live_case {
    char *directory; /* the store's is inside: options.directory */
    struct clock_manual clock;
    struct fault_files faults;
    struct live_store_options options; /* with the clock; files and metrics are the system's */
};

/* A live file is finished above 8 MB and sealed by hand, until the test says otherwise. */
void live_case_init(struct live_case *test);
void live_case_clean(struct live_case *test);
/* The same before and after each test of a group: *state is the case. */
int live_case_set_up(void **state);
int live_case_tear_down(void **state);
/* Opens it, failing the test when that fails. */
struct reading_store *live_case_open(const struct live_case *test);

/* The reading of that number: one every second, on 8 channels. Different numbers, different
 * readings. */
struct record live_reading(int number);
struct record live_reading_of(const struct reading *reading);
/* A record whose checksum is wrong, different for each number. */
struct record live_bad_record(int number);

/* Appends; fails the test unless the outcome is the expected one. */
struct append_result live_append(struct reading_store *store, const struct record *records,
                                 size_t count, enum hearth_error expected);
/* The reading of that number alone. */
struct append_result live_append_number(struct reading_store *store, int number);

/* Commits the reading of that number to a live store by itself. */
enum hearth_error live_commit_number(struct live_store *live, int number);

/* Everything in the store, suspects as well, in order; to free. */
struct record *live_everything(struct reading_store *store, size_t *count);
bool live_has(const struct record *records, size_t count, const struct record *record);

/* The bytes of STORE/live/NAME, to free; NULL when it is missing. */
unsigned char *live_file_bytes(const struct live_case *test, const char *name, size_t *size);
void live_file_write(const struct live_case *test, const char *name, const void *bytes,
                     size_t size);
bool live_file_exists(const struct live_case *test, const char *name);
/* How many entries STORE/live has. */
size_t live_file_count(const struct live_case *test);

/* All quarantine files in one string, to free. */
char *live_quarantine_text(const struct live_case *test);
size_t live_quarantine_lines(const struct live_case *test);
size_t live_count_text(const char *text, const char *part);

/* Fails the test when a reading stands twice in the trusted part of the live files. */
void live_expect_nothing_twice(const struct live_case *test);

#endif
