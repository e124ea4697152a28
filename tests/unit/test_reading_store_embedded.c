/*
 * test_reading_store_embedded.c - the suite for reading stores over the embedded one, opened
 * locally; with files that are finished after a few readings, so that there are many.
 */
#include "reading_store_suite.h"
#include "support_live.h"

#include <stdlib.h>

static void *make(void)
{
    struct live_case *test = calloc(1, sizeof *test);
    live_case_init(test);
    test->options.live_bytes = UINT64_C(100) * RECORD_BYTES;
    return test;
}

static struct reading_store *open_store(void *storage)
{
    return live_case_open(storage);
}

static void clean(void *storage)
{
    live_expect_nothing_twice(storage);
    live_case_clean(storage);
    free(storage);
}

int main(void)
{
    static const struct reading_store_suite suite = {make, open_store, clean, true};
    return reading_store_suite_run("embedded reading store", &suite);
}
