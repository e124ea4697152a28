/*
 * test_sealer_crash.c - the power fails at any moment while readings come in and are sealed.
 *
 * Everything that a store does to its files is recorded; then the disk is made as it may be after
 * each operation (support_crash.h), and the store opened on it. What was acknowledged by then is
 * there, nothing is there that was not sent, nothing stands twice; sealing goes on, and what is
 * sent again is stored once.
 */
#include "support_crash.h"
#include "support_sealed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    APPENDS = 8,
    PER_APPEND = 110, /* 1,320 bytes: three torn states */
    READINGS = APPENDS * PER_APPEND,
    SAMPLE = 23, /* of so many states one is checked in the short run */
    STEP = 512,
};

struct promise {
    int upto;          /* readings below this number were acknowledged... */
    size_t operations; /* ... when so many operations were done */
};

struct recording {
    struct live_case live;
    struct crash_files crash;
    struct promise promises[APPENDS];
    size_t promise_count;
    size_t checked, states;
    bool all;
};

/* Over three days, some late, some suspect. */
static struct record reading_of(int number)
{
    const struct reading reading = {
        .time_ms = LIVE_START_MS + INT64_C(43200000) * (number * 7 % 5) + INT64_C(1000) * number,
        .channel = number % 8 + 1,
        .rolling_code = 100,
        .raw = number % 4000,
        .humidity = 50,
        .time_quality = number % 31 == 5 ? TIME_SUSPECT : TIME_SENDER,
    };
    return live_reading_of(&reading);
}

/* ---- What is recorded ---- */

static void append_some(struct recording *recording, struct reading_store *store, int append)
{
    struct record records[PER_APPEND];
    for (int i = 0; i < PER_APPEND; i++)
        records[i] = reading_of(append * PER_APPEND + i);
    live_append(store, records, PER_APPEND, HEARTH_OK);
    recording->promises[recording->promise_count++] =
        (struct promise){(append + 1) * PER_APPEND, recording->crash.count};
}

static void record_a_life(struct recording *recording)
{
    struct live_case *live = &recording->live;
    live_case_init(live);
    crash_files_init(&recording->crash, live->directory);
    live->options.files = &recording->crash.files;
    struct reading_store *store = live_case_open(live);
    for (int append = 0; append < APPENDS; append++) {
        append_some(recording, store, append);
        if (append % 3 == 1)
            sealed_seal(store, HEARTH_OK);
        if (append == 4) {
            store->free(store);
            clock_manual_advance_ms(&live->clock, INT64_C(60) * 86400000);
            store = live_case_open(live);
        }
    }
    store->free(store);
}

/* ---- What must hold ---- */

static int promised(const struct recording *recording, size_t operations)
{
    int upto = 0;
    for (size_t i = 0; i < recording->promise_count; i++)
        if (recording->promises[i].operations <= operations)
            upto = recording->promises[i].upto;
    return upto;
}

static void expect_stored(struct reading_store *store, int upto, const char *what)
{
    size_t count, known = 0;
    struct record *all = live_everything(store, &count);
    for (int i = 0; i < READINGS; i++) {
        struct record record = reading_of(i);
        bool there = live_has(all, count, &record);
        known += there;
        if (i < upto && !there)
            fail_msg("%s: reading %d was acknowledged and is lost", what, i);
    }
    if (known != count)
        fail_msg("%s: %zu readings that nobody sent", what, count - known);
    free(all);
}

static void send_all_again(struct reading_store *store)
{
    struct record records[READINGS];
    for (int i = 0; i < READINGS; i++)
        records[i] = reading_of(i);
    live_append(store, records, READINGS, HEARTH_OK);
}

static void check(struct recording *recording, const struct crash_disk *disk)
{
    static const char *const losses[] = {"all there", "dropped", "zeroed", "torn"};
    struct live_case live;
    struct fault_files *dry;
    struct error_record error = {0};
    char what[160];
    if (!recording->all && recording->states++ % SAMPLE != 0)
        return;
    recording->checked++;
    live_case_init(&live);
    live.clock = recording->live.clock;
    dry = &live.faults;
    dry->dry = true;
    live.options.files = &dry->files;
    snprintf(what, sizeof what, "operation %zu, %s at %zu%s, names %s", disk->operations,
             losses[disk->loss], disk->torn_at, disk->torn_zeros ? " with zeros" : "",
             disk->names ? "there" : "not there");
    crash_disk_make(&recording->crash, disk, live.directory);
    struct reading_store *store = embedded_store_local_with(&live.options, &error);
    if (!store) {
        fail_msg("%s: not opened: %s", what, error.detail);
        return;
    }
    expect_stored(store, promised(recording, disk->operations), what);
    sealed_seal(store, HEARTH_OK);
    expect_stored(store, promised(recording, disk->operations), what);
    send_all_again(store);
    sealed_seal(store, HEARTH_OK);
    store->free(store);
    if (sealed_expect_sound(&live) != READINGS)
        fail_msg("%s: not all readings are there after they were sent again", what);
    live_case_clean(&live);
}

static void check_losses(struct recording *recording, size_t operations, bool names)
{
    struct crash_disk disk = {.operations = operations, .names = names};
    size_t unsynced = crash_unsynced_bytes(&recording->crash, operations);
    check(recording, &disk);
    disk.loss = CRASH_DROPS;
    check(recording, &disk);
    disk.loss = CRASH_ZEROES;
    check(recording, &disk);
    disk.loss = CRASH_TEARS;
    for (disk.torn_at = STEP; disk.torn_at < unsynced; disk.torn_at += STEP)
        for (int zeros = 0; zeros < 2; zeros++) {
            disk.torn_zeros = zeros;
            check(recording, &disk);
        }
}

static void the_power_may_fail_at_any_moment(void **state)
{
    struct recording recording = {0};
    const char *tests = getenv("HEARTH_TESTS");
    (void)state;
    recording.all = tests && strcmp(tests, "full") == 0;
    record_a_life(&recording);
    for (size_t operations = 0; operations <= recording.crash.count; operations++) {
        check_losses(&recording, operations, true);
        check_losses(&recording, operations, false);
    }
    print_message("           %zu operations, %zu states of the disk checked\n",
                  recording.crash.count, recording.checked);
    assert_true(recording.crash.count > 150 && recording.checked > 50);
    crash_files_clean(&recording.crash);
    live_case_clean(&recording.live);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_power_may_fail_at_any_moment)};
    return cmocka_run_group_tests_name("sealer crash", tests, NULL, NULL);
}
