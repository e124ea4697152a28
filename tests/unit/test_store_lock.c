/*
 * test_store_lock.c - one keeper a store: who is told what, and when the lock goes.
 */
#include "support_live.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "handlers/sensor/disk/store_lock.h"

static void the_second_keeper_is_told_who_holds_the_store(void **state)
{
    struct live_case *test = *state;
    struct error_record error = {0};
    char expected[64];
    struct reading_store *store = live_case_open(test);
    assert_null(embedded_store_local_with(&test->options, &error));
    assert_int_equal(error.code, HEARTH_LOCKED);
    snprintf(expected, sizeof expected, "locked by test_store_lock, pid %ld, since 2",
             (long)getpid());
    assert_non_null(strstr(error.detail, expected));
    assert_non_null(strstr(error.detail, test->options.directory));
    store->free(store);
    store = live_case_open(test);
    store->free(store);
}

static void without_its_lock_file_a_store_is_still_locked(void **state)
{
    struct live_case *test = *state;
    struct error_record error = {0};
    char path[4096], expected[64];
    struct reading_store *store = live_case_open(test);
    snprintf(path, sizeof path, "%s/store.lock", test->options.directory);
    for (int i = 0; i < 2; i++) { /* the second time the file stands again, empty */
        assert_int_equal(i == 0 ? unlink(path) : access(path, F_OK), 0);
        assert_null(embedded_store_local_with(&test->options, &error));
        assert_int_equal(error.code, HEARTH_LOCKED);
        snprintf(expected, sizeof expected, "locked by test_store_lock, pid %ld: ", (long)getpid());
        assert_non_null(strstr(error.detail, expected));
    }
    store->free(store);
    store = live_case_open(test);
    store->free(store);
}

static void the_lock_goes_with_a_killed_process(void **state)
{
    struct live_case *test = *state;
    struct error_record error = {0};
    int ready[2];
    char byte;
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    if (child == 0) {
        struct reading_store *held = embedded_store_local_with(&test->options, NULL);
        if (held && write(ready[1], "x", 1) == 1)
            pause();
        _exit(1);
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_null(embedded_store_local_with(&test->options, &error));
    assert_int_equal(error.code, HEARTH_LOCKED);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    struct reading_store *store = live_case_open(test);
    store->free(store);
    close(ready[0]);
    close(ready[1]);
}

static bool wait_a_little(void *context)
{
    return --*(int *)context > 0;
}

static void a_lock_is_waited_for_as_long_as_its_taker_wants(void **state)
{
    struct live_case *test = *state;
    struct store_lock first, second;
    int patience = 10;
    assert_int_equal(store_lock_take(&first, test->directory, &clock_system, NULL, NULL, NULL),
                     HEARTH_OK);
    assert_int_equal(
        store_lock_take(&second, test->directory, &clock_system, wait_a_little, &patience, NULL),
        HEARTH_LOCKED);
    assert_int_equal(patience, 0);
    store_lock_release(&first);
    patience = 10;
    assert_int_equal(
        store_lock_take(&second, test->directory, &clock_system, wait_a_little, &patience, NULL),
        HEARTH_OK);
    assert_int_equal(patience, 10);
    store_lock_release(&second);
}

#define LOCK_STORY(name)                                                                           \
    cmocka_unit_test_setup_teardown(name, live_case_set_up, live_case_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LOCK_STORY(the_second_keeper_is_told_who_holds_the_store),
        LOCK_STORY(without_its_lock_file_a_store_is_still_locked),
        LOCK_STORY(the_lock_goes_with_a_killed_process),
        LOCK_STORY(a_lock_is_waited_for_as_long_as_its_taker_wants),
    };
    return cmocka_run_group_tests_name("store lock", tests, NULL, NULL);
}
