/*
 * test_reading_store_pool.c - the suite for reading stores over the embedded one as a worker has
 * it: appends go through the slots to a keeper, which is another one after each opening.
 */
#include "reading_store_suite.h"
#include "support_keeper.h"

#include <stdlib.h>

#include "handlers/sensor/keeper/keeper_shared.h"

static void *make(void)
{
    struct keeper_case *test = calloc(1, sizeof *test);
    keeper_case_init(test, 16, INT64_C(500) * RECORD_BYTES);
    return test;
}

/* On a thread: ThreadSanitizer sees the slots from both sides. */
static struct reading_store *open_store(void *storage)
{
    struct keeper_case *test = storage;
    if (test->runs)
        assert_int_equal(keeper_case_stop(test), HEARTH_OK);
    keeper_case_start(test, true);
    return keeper_case_open(test);
}

static void clean(void *storage)
{
    struct keeper_case *test = storage;
    assert_int_equal(slots_in_use(keeper_shared_slots(test->services.shared)), 0);
    live_expect_nothing_twice(&test->live);
    keeper_case_clean(test);
    free(test);
}

int main(void)
{
    static const struct reading_store_suite suite = {make, open_store, clean, true};
    return reading_store_suite_run("embedded reading store in a pool", &suite);
}
