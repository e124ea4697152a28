/*
 * test_mapped_damage.c - files that cannot be read while they are mapped: who reads them is told,
 * and goes on living.
 */
#include "support_snapshot.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "handlers/sensor/aggregate/aggregate.h"
#include "handlers/sensor/disk/mapped_ranges.h"
#include "handlers/sensor/series/series_names.h"
#include "handlers/sensor/summary/summary.h"

enum { READINGS = 5000, PAGE = 4096 };

static const char SEALED[] = "sealed/2025/09-14.00000001.bin";

static void make_day(struct snapshot_story *story)
{
    struct record *records = calloc(READINGS, sizeof *records);
    for (int i = 0; i < READINGS; i++)
        records[i] = story_reading(0, i);
    made_store_append(&story->store, records, READINGS);
    made_store_seal_current(&story->store, YEAR);
    free(records);
}

static void cut(const struct snapshot_story *story, const char *name, off_t size)
{
    char path[1200];
    made_store_path(&story->store, name, path);
    assert_int_equal(truncate(path, size), 0);
}

static enum hearth_error read_range(struct snapshot_story *story, struct story_list *list,
                                    struct error_record *error)
{
    struct snapshot *snapshot = story_snapshot(story);
    *list = (struct story_list){0};
    *error = (struct error_record){0};
    enum hearth_error code =
        snapshot_range(snapshot, &story_everything, story_take_block, list, error);
    snapshot_close(snapshot);
    free(list->records);
    return code;
}

static void a_sealed_file_cut_short_while_it_is_mapped_is_named(void **state)
{
    struct snapshot_story *story = *state;
    struct error_record error;
    struct story_list list;
    size_t size;
    make_day(story);
    char *bytes = made_store_read(&story->store, SEALED, &size);
    assert_int_equal(read_range(story, &list, &error), HEARTH_OK);
    assert_int_equal(list.count, READINGS);

    cut(story, SEALED, PAGE);
    assert_int_equal(read_range(story, &list, &error), HEARTH_CORRUPT);
    assert_non_null(strstr(error.detail, SEALED));
    assert_int_equal(list.count, 0); /* nothing made of zeros is handed on */

    made_store_write(&story->store, SEALED, bytes, size); /* the next reader maps it anew */
    assert_int_equal(read_range(story, &list, &error), HEARTH_OK);
    assert_int_equal(list.count, READINGS);
    free(bytes);
}

static void totals_and_suspects_are_not_made_of_zeros(void **state)
{
    struct snapshot_story *story = *state;
    struct error_record error = {0};
    struct reading_series series[32];
    struct story_list list;
    size_t size, count;
    make_day(story);
    char *bytes = made_store_read(&story->store, SEALED, &size);
    assert_int_equal(read_range(story, &list, &error), HEARTH_OK);
    cut(story, SEALED, 0);
    struct snapshot *snapshot = story_snapshot(story);
    assert_int_equal(snapshot_series(snapshot, series, 32, &count, &error), HEARTH_CORRUPT);
    assert_non_null(strstr(error.detail, SEALED));
    snapshot_close(snapshot);

    made_store_write(&story->store, SEALED, bytes, size);
    snapshot = story_snapshot(story);
    assert_int_equal(snapshot_series(snapshot, series, 32, &count, &error), HEARTH_OK);
    assert_int_equal(count, 4);
    snapshot_close(snapshot);
    free(bytes);
}

static int64_t limit_of(void *context, int channel, int rolling_code, int32_t day)
{
    (void)context;
    (void)channel;
    (void)rolling_code;
    (void)day;
    return 3600000;
}

static void make_summary(struct snapshot_story *story)
{
    struct summary_progress progress = {0};
    struct snapshot *snapshot = story_snapshot(story);
    assert_int_equal(summary_write(&file_system, story->store.store, snapshot, YEAR, false,
                                   limit_of, NULL, &progress, NULL),
                     HEARTH_OK);
    snapshot_close(snapshot);
    snapshots_free(story->snapshots); /* which has just looked, and found none */
    story->snapshots = snapshots_new(&file_system, story->store.store, &story->store.published);
}

static void no_summary_is_made_of_zeros(void **state)
{
    struct snapshot_story *story = *state;
    struct summary_progress progress = {0};
    struct error_record error = {0};
    struct story_list list;
    make_day(story);
    assert_int_equal(read_range(story, &list, &error), HEARTH_OK);
    cut(story, SEALED, PAGE);
    struct snapshot *snapshot = story_snapshot(story);
    assert_int_equal(summary_write(&file_system, story->store.store, snapshot, YEAR, false,
                                   limit_of, NULL, &progress, &error),
                     HEARTH_CORRUPT);
    snapshot_close(snapshot);
    assert_null(summary_file_open(&file_system, story->store.store, YEAR, NULL));
}

static void a_summary_that_cannot_be_read_is_passed_over_from_then_on(void **state)
{
    struct snapshot_story *story = *state;
    struct error_record error = {0};
    struct reading_series series[32];
    struct day_runs runs;
    size_t count;
    make_day(story);
    make_summary(story);
    struct snapshot *snapshot = story_snapshot(story);
    assert_int_equal(snapshot_day_look(snapshot, DAY, false, &runs, &error), HEARTH_OK);
    assert_non_null(runs.summary);
    snapshot_release(snapshot, &runs);

    cut(story, "summary/2025.sum", 0);
    assert_int_equal(snapshot_series(snapshot, series, 32, &count, &error), HEARTH_CORRUPT);
    assert_non_null(strstr(error.detail, "summary/2025.sum"));
    snapshot_close(snapshot);

    snapshot = story_snapshot(story);
    assert_int_equal(snapshot_series(snapshot, series, 32, &count, &error), HEARTH_OK);
    assert_int_equal(count, 4);
    snapshot_close(snapshot);
}

/* ---- Records that are not what was sealed ---- */

static void flip(const struct snapshot_story *story, size_t record, size_t byte)
{
    size_t size;
    char *bytes = made_store_read(&story->store, SEALED, &size);
    bytes[record * RECORD_BYTES + byte] ^= 1;
    made_store_write(&story->store, SEALED, bytes, size);
    free(bytes);
}

static enum hearth_error take_nothing(void *context, size_t bucket,
                                      const struct bucket_track *tracks, size_t count)
{
    (void)context;
    (void)bucket;
    (void)tracks;
    (void)count;
    return HEARTH_OK;
}

/* One bucket between two times of noon and so many seconds. */
static enum hearth_error aggregate(struct snapshot_story *story, int from_s, int to_s,
                                   struct error_record *error)
{
    const int64_t noon_ms = DAY * DAY_MS + DAY_MS / 2;
    const int64_t edges_ms[] = {noon_ms + from_s * INT64_C(1000), noon_ms + to_s * INT64_C(1000)};
    struct series_names *names = series_names_load(story->store.store, 3600000, NULL);
    const struct bucket_query query = {.edges_ms = edges_ms, .bucket_count = 1, .names = names};
    struct snapshot *snapshot = story_snapshot(story);
    *error = (struct error_record){0};
    enum hearth_error code = aggregate_run(snapshot, &query, take_nothing, NULL, NULL, error);
    snapshot_close(snapshot);
    series_names_free(names);
    return code;
}

static void a_record_with_a_flipped_bit_is_never_shown(void **state)
{
    struct snapshot_story *story = *state;
    struct error_record error;
    struct story_list list;
    const struct record other_day = story_reading(1, 1);
    make_day(story);
    made_store_append(&story->store, &other_day, 1);
    flip(story, 3000, 8);
    assert_int_equal(read_range(story, &list, &error), HEARTH_CORRUPT);
    assert_non_null(strstr(error.detail, SEALED));
    assert_int_equal(list.count, 0);

    const struct reading_range next_day = {
        .from_ms = (DAY + 1) * DAY_MS, .to_ms = INT64_MAX, .rolling_code = -1};
    struct snapshot *snapshot = story_snapshot(story);
    story_range(snapshot, &next_day, &list);
    assert_int_equal(list.count, 1);
    free(list.records);
    snapshot_close(snapshot);

    flip(story, 3000, 8); /* mended */
    assert_int_equal(read_range(story, &list, &error), HEARTH_OK);
    assert_int_equal(list.count, READINGS + 1);
}

static void nothing_is_summed_from_a_record_with_a_flipped_bit(void **state)
{
    struct snapshot_story *story = *state;
    struct error_record error;
    struct reading_series series[32];
    size_t count;
    make_day(story);
    flip(story, 3000, 8);
    struct snapshot *snapshot = story_snapshot(story);
    assert_int_equal(snapshot_series(snapshot, series, 32, &count, NULL), HEARTH_CORRUPT);
    snapshot_close(snapshot);
    assert_int_equal(aggregate(story, 2990, 3010, &error), HEARTH_CORRUPT);
    assert_non_null(strstr(error.detail, SEALED));
}

static void a_summary_that_was_made_before_still_answers(void **state)
{
    struct snapshot_story *story = *state;
    struct error_record error;
    make_day(story);
    make_summary(story);
    flip(story, 3000, 8);
    assert_int_equal(aggregate(story, -10, READINGS + 10, &error), HEARTH_OK);
    assert_int_equal(aggregate(story, 3000, 3010, &error), HEARTH_CORRUPT);
    assert_int_equal(aggregate(story, 10, 20, &error), HEARTH_OK);
}

/* ---- Threads ---- */

static void *read_often(void *context)
{
    struct error_record error;
    struct story_list list;
    for (int i = 0; i < 50; i++) {
        enum hearth_error code = read_range(context, &list, &error);
        if (code != HEARTH_OK && code != HEARTH_CORRUPT)
            return (void *)"another error";
        if (code == HEARTH_OK && list.count != READINGS)
            return (void *)"too few";
    }
    return NULL;
}

static void readers_and_a_failing_disk_at_once(void **state)
{
    struct snapshot_story *story = *state;
    pthread_t threads[4];
    size_t size;
    make_day(story);
    char *bytes = made_store_read(&story->store, SEALED, &size);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, read_often, story), 0);
    for (int i = 0; i < 50; i++) {
        cut(story, SEALED, (off_t)(i % 5) * PAGE);
        made_store_write(&story->store, SEALED, bytes, size);
    }
    for (size_t i = 0; i < 4; i++) {
        void *wrong;
        assert_int_equal(pthread_join(threads[i], &wrong), 0);
        if (wrong)
            fail_msg("%s", (const char *)wrong);
    }
    assert_null(read_often(story));
    free(bytes);
}

/* ---- Faults that are nobody's here ---- */

static int end_of_child(void (*act)(void))
{
    int status;
    pid_t child = fork();
    if (child == 0) {
        signal(SIGBUS, SIG_DFL);
        act();
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? WTERMSIG(status) : -WEXITSTATUS(status);
}

static void *map_nothing(void)
{
    char path[] = "/tmp/mapped-XXXXXX";
    int file = mkstemp(path);
    unlink(path);
    void *bytes = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, file, 0);
    close(file);
    return bytes;
}

static void read_listed(void)
{
    const volatile unsigned char *bytes = map_nothing();
    struct mapped_range *range = mapped_range_add((const void *)bytes, PAGE);
    if (bytes[17] != 0 || !mapped_range_damaged(range) || mapped_ranges_faults() != 1)
        _exit(1);
}

static void read_unlisted(void)
{
    const volatile unsigned char *bytes = map_nothing();
    static unsigned char other[PAGE];
    if (!mapped_range_add(other, sizeof other))
        _exit(1);
    _exit(bytes[0] + 2);
}

static void read_no_longer_listed(void)
{
    const volatile unsigned char *bytes = map_nothing();
    mapped_range_remove(mapped_range_add((const void *)bytes, PAGE));
    _exit(bytes[0] + 2);
}

static void send_one(void)
{
    mapped_range_remove(mapped_range_add("", 1));
    raise(SIGBUS);
}

static void former_handler(int number)
{
    (void)number;
    _exit(7);
}

static void read_unlisted_with_a_handler(void)
{
    signal(SIGBUS, former_handler);
    read_unlisted();
}

static void other_faults_end_as_they_did(void **state)
{
    (void)state;
    assert_int_equal(end_of_child(read_listed), 0);
    assert_int_equal(end_of_child(read_unlisted), SIGBUS);
    assert_int_equal(end_of_child(read_no_longer_listed), SIGBUS);
    assert_int_equal(end_of_child(send_one), SIGBUS);
    assert_int_equal(end_of_child(read_unlisted_with_a_handler), -7);
}

int main(void)
{
#define STORY(name) cmocka_unit_test_setup_teardown(name, story_setup, story_teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(other_faults_end_as_they_did), /* first: nothing is mapped yet */
        STORY(a_sealed_file_cut_short_while_it_is_mapped_is_named),
        STORY(totals_and_suspects_are_not_made_of_zeros),
        STORY(no_summary_is_made_of_zeros),
        STORY(a_summary_that_cannot_be_read_is_passed_over_from_then_on),
        STORY(a_record_with_a_flipped_bit_is_never_shown),
        STORY(nothing_is_summed_from_a_record_with_a_flipped_bit),
        STORY(a_summary_that_was_made_before_still_answers),
        STORY(readers_and_a_failing_disk_at_once),
    };
    return cmocka_run_group_tests_name("damage under a map", tests, NULL, NULL);
}
