/*
 * support_response.c - one answer and all it hangs on.
 */
#include "support_response.h"

#include <string.h>

#include "app/core/memory.h"
#include "hearth/limits.h"

void response_test_begin(struct response_test *test, bool for_head)
{
    response_init(&test->response, test->arena, &test->sink.sink, for_head);
}

int response_test_set_up(struct response_test *test)
{
    test->arena = arena_new(LIMIT_ARENA_BYTES);
    if (!test->arena)
        return -1;
    test_sink_init(&test->sink);
    response_test_begin(test, false);
    struct test_request input = {.method = "GET", .target = "/a"};
    return test_parse(test->arena, &input, &test->request) == HEARTH_OK ? 0 : -1;
}

int response_test_tear_down(struct response_test *test)
{
    memory_fail_after(-1);
    test_sink_clean(&test->sink);
    arena_free(test->arena);
    return 0;
}

void response_test_again(struct response_test *test, bool for_head)
{
    test_sink_clean(&test->sink);
    test_sink_init(&test->sink);
    response_test_begin(test, for_head);
}

struct view response_test_filled(size_t length)
{
    static char bytes[64 * 1024];
    memset(bytes, 'x', sizeof bytes);
    assert_true(length <= sizeof bytes);
    return view_from(bytes, length);
}
