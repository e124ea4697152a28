/*
 * support_response.h - what the tests of the response builder share: one answer and all it hangs
 * on.
 */
#ifndef TESTS_SUPPORT_RESPONSE_H
#define TESTS_SUPPORT_RESPONSE_H

#include "support.h"

struct response_test {
    struct arena *arena;
    struct test_sink sink;
    struct response response;
    struct request request; /* GET /a */
};

/* Before and after each test, of which it is the only one. */
int response_test_set_up(struct response_test *test);
int response_test_tear_down(struct response_test *test);
/* The answer anew, of which nothing was written: to a GET or to a HEAD. */
void response_test_begin(struct response_test *test, bool for_head);
/* A second answer in one test. */
void response_test_again(struct response_test *test, bool for_head);
/* So many times 'x', up to 64 KB; valid until the next call. */
struct view response_test_filled(size_t length);

#endif
