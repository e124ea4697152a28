/*
 * test_trace.c - traceparent as W3C Trace Context has it, and ids that never come twice.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/support.h"

#define TRACE_ID  "0af7651916cd43dd8448eb211c80319c"
#define PARENT_ID "b7ad6b7169203331"

static bool lower_hex(const char *text, size_t length)
{
    return strspn(text, "0123456789abcdef") == length && text[length] == '\0';
}

static bool all_zero(const char *text)
{
    return strspn(text, "0") == strlen(text);
}

static void a_callers_trace_goes_on(void **state)
{
    (void)state;
    struct trace_context trace;
    assert_true(trace_begin(&trace, VIEW("00-" TRACE_ID "-" PARENT_ID "-01")));
    assert_string_equal(trace.trace_id, TRACE_ID);
    assert_string_equal(trace.parent_id, PARENT_ID);
    assert_true(lower_hex(trace.span_id, 16));
    assert_string_not_equal(trace.span_id, PARENT_ID);
    assert_true(trace.sampled);
}

static void the_lowest_flag_is_sampled(void **state)
{
    (void)state;
    struct trace_context trace;
    assert_true(trace_begin(&trace, VIEW("00-" TRACE_ID "-" PARENT_ID "-00")));
    assert_false(trace.sampled);
    assert_true(trace_begin(&trace, VIEW("00-" TRACE_ID "-" PARENT_ID "-fe")));
    assert_false(trace.sampled);
    assert_true(trace_begin(&trace, VIEW("00-" TRACE_ID "-" PARENT_ID "-ff")));
    assert_true(trace.sampled);
}

static void later_versions_may_be_longer(void **state)
{
    (void)state;
    struct trace_context trace;
    assert_true(trace_begin(&trace, VIEW("01-" TRACE_ID "-" PARENT_ID "-01")));
    assert_true(trace_begin(&trace, VIEW("cc-" TRACE_ID "-" PARENT_ID "-01-what-comes-then")));
    assert_true(trace_begin(&trace, VIEW("fe-" TRACE_ID "-" PARENT_ID "-01-")));
    assert_string_equal(trace.trace_id, TRACE_ID);
    assert_false(trace_begin(&trace, VIEW("cc-" TRACE_ID "-" PARENT_ID "-01.more")));
    assert_false(trace_begin(&trace, VIEW("cc-" TRACE_ID "-" PARENT_ID "-011")));
}

static void what_is_malformed_starts_a_trace(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "00",
        "00-" TRACE_ID "-" PARENT_ID,
        "00-" TRACE_ID "-" PARENT_ID "-",
        "00-" TRACE_ID "-" PARENT_ID "-0",
        "00-" TRACE_ID "-" PARENT_ID "-010",
        "00-" TRACE_ID "-" PARENT_ID "-01-",
        "00-" TRACE_ID "-" PARENT_ID "-01-more",
        "00-" TRACE_ID "-" PARENT_ID "-0G",
        "00-" TRACE_ID "-" PARENT_ID "-.1",
        " 00-" TRACE_ID "-" PARENT_ID "-01",
        "00-" TRACE_ID "-" PARENT_ID "-01 ",
        "ff-" TRACE_ID "-" PARENT_ID "-01",
        "FF-" TRACE_ID "-" PARENT_ID "-01",
        "0-0" TRACE_ID "-" PARENT_ID "-01",
        "0x-" TRACE_ID "-" PARENT_ID "-01",
        "00_" TRACE_ID "-" PARENT_ID "-01",
        "00-" TRACE_ID "_" PARENT_ID "-01",
        "00-" TRACE_ID "-" PARENT_ID "_01",
        "00-0AF7651916CD43DD8448EB211C80319C-" PARENT_ID "-01",
        "00-" TRACE_ID "-B7AD6B7169203331-01",
        "00-00000000000000000000000000000000-" PARENT_ID "-01",
        "00-" TRACE_ID "-0000000000000000-01",
        "00-0af7651916cd43dd8448eb211c80319g-" PARENT_ID "-01",
        "00-" TRACE_ID PARENT_ID "---01",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct trace_context trace;
        if (trace_begin(&trace, view_of(bad[i])))
            fail_msg("\"%s\" was taken", bad[i]);
        assert_true(lower_hex(trace.trace_id, 32));
        assert_false(all_zero(trace.trace_id));
        assert_true(lower_hex(trace.span_id, 16));
        assert_string_equal(trace.parent_id, "");
        assert_true(trace.sampled);
    }
}

/* A header of exactly its length in memory: the sanitizer sees a read beyond. */
static void nothing_is_read_beyond_the_header(void **state)
{
    (void)state;
    static const char whole[] = "cc-" TRACE_ID "-" PARENT_ID "-01-more";
    for (size_t length = 0; length < sizeof whole; length++) {
        struct trace_context trace;
        char *exact = malloc(length ? length : 1);
        memcpy(exact, whole, length);
        bool taken = trace_begin(&trace, view_from(exact, length));
        assert_int_equal(taken, length == TRACE_HEADER_SIZE - 1 ||
                                    (length >= TRACE_HEADER_SIZE && length < sizeof whole));
        free(exact);
    }
}

static void what_is_sent_on_names_our_span(void **state)
{
    (void)state;
    struct trace_context trace, next;
    char text[TRACE_HEADER_SIZE];
    trace_begin(&trace, VIEW("00-" TRACE_ID "-" PARENT_ID "-00"));
    trace_format(&trace, text);
    assert_int_equal(strlen(text), TRACE_HEADER_SIZE - 1);
    assert_true(trace_begin(&next, view_of(text)));
    assert_string_equal(next.trace_id, TRACE_ID);
    assert_string_equal(next.parent_id, trace.span_id);
    assert_false(next.sampled);

    assert_false(trace_begin(&trace, VIEW_NONE));
    trace_format(&trace, text);
    assert_true(trace_begin(&next, view_of(text)));
    assert_string_equal(next.trace_id, trace.trace_id);
    assert_true(next.sampled);
}

/* ---- Ids ---- */

enum { THREADS = 4, IDS = 25000, CHILDREN = 8, IDS_OF_CHILD = 64 };

static char ids[THREADS * IDS][17];

static void *draw(void *argument)
{
    char(*mine)[17] = argument;
    for (size_t i = 0; i < IDS; i++)
        trace_random_id(mine[i]);
    return NULL;
}

static int compare_ids(const void *a, const void *b)
{
    return memcmp(a, b, 17);
}

static void assert_all_different(size_t count)
{
    qsort(ids, count, sizeof ids[0], compare_ids);
    for (size_t i = 0; i < count; i++) {
        assert_true(lower_hex(ids[i], 16));
        assert_false(all_zero(ids[i]));
        if (i > 0)
            assert_string_not_equal(ids[i - 1], ids[i]);
    }
}

static void threads_draw_different_ids(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, draw, ids[i * IDS]), 0);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_all_different((size_t)THREADS * IDS);
}

static void every_digit_of_an_id_varies(void **state)
{
    (void)state;
    size_t seen[16][16] = {{0}};
    static const char digits[] = "0123456789abcdef";
    for (int round = 0; round < 4096; round++) {
        char id[17];
        trace_random_id(id);
        for (size_t i = 0; i < 16; i++)
            seen[i][strchr(digits, id[i]) - digits]++;
    }
    /* 256 each are expected; beyond 6 standard deviations (15.5) something is wrong. */
    for (size_t i = 0; i < 16; i++)
        for (size_t k = 0; k < 16; k++)
            assert_in_range(seen[i][k], 256 - 93, 256 + 93);
}

static void forked_children_draw_different_ids(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    trace_random_id(ids[0]); /* the state that children inherit */
    for (int i = 0; i < CHILDREN; i++) {
        pid_t child = fork();
        if (child == 0) {
            draw(ids);
            ssize_t size = IDS_OF_CHILD * sizeof ids[0];
            _exit(write(ends[1], ids, (size_t)size) == size ? 0 : 1);
        }
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
    }
    size_t count = (size_t)CHILDREN * IDS_OF_CHILD;
    assert_int_equal(read(ends[0], ids, count * sizeof ids[0]), count * sizeof ids[0]);
    for (size_t i = 0; i < IDS_OF_CHILD; i++)
        trace_random_id(ids[count++]);
    close(ends[0]);
    close(ends[1]);
    assert_all_different(count);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_callers_trace_goes_on),
        cmocka_unit_test(the_lowest_flag_is_sampled),
        cmocka_unit_test(later_versions_may_be_longer),
        cmocka_unit_test(what_is_malformed_starts_a_trace),
        cmocka_unit_test(nothing_is_read_beyond_the_header),
        cmocka_unit_test(what_is_sent_on_names_our_span),
        cmocka_unit_test(threads_draw_different_ids),
        cmocka_unit_test(every_digit_of_an_id_varies),
        cmocka_unit_test(forked_children_draw_different_ids),
    };
    return cmocka_run_group_tests_name("trace", tests, NULL, NULL);
}
