/*
 * test_response_negotiate.c - conditional requests and ranges, as a table of cases.
 */
#include <stdio.h>
#include <string.h>

#include "hearth/limits.h"
#include "support.h"

/* The representation of all cases unless they say otherwise: modified on Sun, 14 Sep 2025 18:04:51
 * GMT, and half a second. */
#define ETAG     "\"v1\""
#define DATE     "Sun, 14 Sep 2025 18:04:51 GMT"
#define EARLIER  "Sun, 14 Sep 2025 18:04:50 GMT"
#define LATER    "Sun, 14 Sep 2025 18:04:52 GMT"
#define MODIFIED INT64_C(1757873091500)

static const struct representation usual = {{ETAG, sizeof ETAG - 1}, MODIFIED, 1000};

struct negotiated {
    enum condition_outcome outcome;
    struct byte_range range;
    struct test_sink sink;
    enum hearth_error result;
};

/* Negotiates, finishes with an empty body where the whole or a range would follow, and leaves the
 * answer in the sink. */
static void negotiate(struct negotiated *done, const char *method, const char *headers,
                      const struct representation *representation)
{
    struct arena *arena = arena_new(LIMIT_ARENA_BYTES);
    struct test_request input = {.method = method, .target = "/a", .headers = headers};
    struct request request;
    struct response response;
    assert_non_null(arena);
    test_sink_init(&done->sink);
    assert_int_equal(test_parse(arena, &input, &request), HEARTH_OK);
    response_init(&response, arena, &done->sink.sink, true);
    done->result =
        response_negotiate(&response, &request, representation, &done->outcome, &done->range);
    if (response.state == RESPONSE_HEAD)
        assert_int_equal(response_finish(&response), HEARTH_OK);
    assert_int_equal(done->sink.finishes, 1);
    arena_free(arena);
}

struct condition_case {
    const char *method, *headers;
    enum condition_outcome outcome;
};

static void expect_conditions(const struct condition_case *cases, size_t count,
                              const struct representation *representation)
{
    static const int statuses[] = {200, 206, 304, 412, 416};
    for (size_t i = 0; i < count; i++) {
        struct negotiated done;
        negotiate(&done, cases[i].method, cases[i].headers, representation);
        if (done.outcome != cases[i].outcome || done.sink.status != statuses[done.outcome] ||
            done.result != HEARTH_OK)
            fail_msg("%s %s: outcome %d, status %d", cases[i].method, cases[i].headers,
                     (int)done.outcome, done.sink.status);
        test_sink_clean(&done.sink);
    }
}

#define EXPECT(cases, representation)                                                              \
    expect_conditions(cases, sizeof(cases) / sizeof(cases)[0], representation)

static void without_conditions_the_whole_is_sent(void **state)
{
    (void)state;
    struct negotiated done;
    negotiate(&done, "GET", "", &usual);
    assert_int_equal(done.outcome, CONDITION_SEND);
    assert_int_equal(done.range.first, 0);
    assert_int_equal(done.range.length, 1000);
    assert_string_equal(test_sink_header(&done.sink, "ETag"), ETAG);
    assert_string_equal(test_sink_header(&done.sink, "Last-Modified"), DATE);
    assert_string_equal(test_sink_header(&done.sink, "Accept-Ranges"), "bytes");
    test_sink_clean(&done.sink);
}

static void what_is_not_known_is_not_said(void **state)
{
    (void)state;
    static const struct representation unknown = {{NULL, 0}, -1, -1};
    struct negotiated done;
    negotiate(&done, "GET", "Range: bytes=0-1\n", &unknown);
    assert_int_equal(done.outcome, CONDITION_SEND);
    assert_int_equal(done.sink.headers.length, 0);
    test_sink_clean(&done.sink);
    static const struct condition_case cases[] = {
        {"GET", "If-Match: \"v1\"\n", CONDITION_FAILED},
        {"GET", "If-Match: *\n", CONDITION_SEND},
        {"GET", "If-None-Match: \"v1\"\n", CONDITION_SEND},
        {"GET", "If-None-Match: *\n", CONDITION_NOT_MODIFIED},
        {"GET", "If-Modified-Since: " DATE "\n", CONDITION_SEND},
        {"GET", "If-Unmodified-Since: " DATE "\n", CONDITION_SEND},
    };
    EXPECT(cases, &unknown);
}

static void if_none_match_compares_weakly(void **state)
{
    (void)state;
    static const struct condition_case cases[] = {
        {"GET", "If-None-Match: \"v1\"\n", CONDITION_NOT_MODIFIED},
        {"HEAD", "If-None-Match: \"v1\"\n", CONDITION_NOT_MODIFIED},
        {"PUT", "If-None-Match: \"v1\"\n", CONDITION_FAILED},
        {"PUT", "If-None-Match: *\n", CONDITION_FAILED},
        {"GET", "If-None-Match: W/\"v1\"\n", CONDITION_NOT_MODIFIED},
        {"GET", "If-None-Match: \"v2\"\n", CONDITION_SEND},
        {"GET", "If-None-Match: \"v2\", W/\"v1\"\n", CONDITION_NOT_MODIFIED},
        {"GET", "If-None-Match:  \"a,b\" ,\"v1\"\n", CONDITION_NOT_MODIFIED},
        {"GET", "If-None-Match: \"v2\"\nIf-None-Match: \"v1\"\n", CONDITION_NOT_MODIFIED},
        {"GET", "If-None-Match: *\n", CONDITION_NOT_MODIFIED},
        /* Malformed lists match up to where they are. */
        {"GET", "If-None-Match: v1\n", CONDITION_SEND},
        {"GET", "If-None-Match: \"v1\n", CONDITION_SEND},
        {"GET", "If-None-Match: \n", CONDITION_SEND},
        {"GET", "If-None-Match: \"v1\", junk\n", CONDITION_NOT_MODIFIED},
        {"GET", "If-None-Match: W/\n", CONDITION_SEND},
    };
    EXPECT(cases, &usual);
}

static void if_match_compares_strongly(void **state)
{
    (void)state;
    static const struct condition_case cases[] = {
        {"PUT", "If-Match: \"v1\"\n", CONDITION_SEND},
        {"PUT", "If-Match: \"v2\", \"v1\"\n", CONDITION_SEND},
        {"PUT", "If-Match: *\n", CONDITION_SEND},
        {"PUT", "If-Match: W/\"v1\"\n", CONDITION_FAILED},
        {"PUT", "If-Match: \"v2\"\n", CONDITION_FAILED},
        {"GET", "If-Match: \"v2\"\n", CONDITION_FAILED},
        {"PUT", "If-Match: \n", CONDITION_FAILED},
    };
    EXPECT(cases, &usual);
    static const struct representation weak = {{"W/\"v1\"", 6}, MODIFIED, 1000};
    static const struct condition_case weak_cases[] = {
        {"PUT", "If-Match: W/\"v1\"\n", CONDITION_FAILED},
        {"GET", "If-None-Match: \"v1\"\n", CONDITION_NOT_MODIFIED},
    };
    EXPECT(weak_cases, &weak);
}

static void dates_compare_in_whole_seconds(void **state)
{
    (void)state;
    static const struct condition_case cases[] = {
        {"GET", "If-Modified-Since: " DATE "\n", CONDITION_NOT_MODIFIED},
        {"GET", "If-Modified-Since: " LATER "\n", CONDITION_NOT_MODIFIED},
        {"GET", "If-Modified-Since: " EARLIER "\n", CONDITION_SEND},
        {"PUT", "If-Modified-Since: " DATE "\n", CONDITION_SEND},
        {"GET", "If-Modified-Since: yesterday\n", CONDITION_SEND},
        {"GET", "If-Modified-Since: Sunday, 14-Sep-25 18:04:51 GMT\n", CONDITION_NOT_MODIFIED},
        {"PUT", "If-Unmodified-Since: " DATE "\n", CONDITION_SEND},
        {"PUT", "If-Unmodified-Since: " LATER "\n", CONDITION_SEND},
        {"PUT", "If-Unmodified-Since: " EARLIER "\n", CONDITION_FAILED},
        {"PUT", "If-Unmodified-Since: tomorrow\n", CONDITION_SEND},
    };
    EXPECT(cases, &usual);
}

static void tags_outrank_dates(void **state)
{
    (void)state;
    static const struct condition_case cases[] = {
        {"GET", "If-None-Match: \"v2\"\nIf-Modified-Since: " DATE "\n", CONDITION_SEND},
        {"GET", "If-None-Match: \"v1\"\nIf-Modified-Since: " EARLIER "\n", CONDITION_NOT_MODIFIED},
        {"PUT", "If-Match: \"v1\"\nIf-Unmodified-Since: " EARLIER "\n", CONDITION_SEND},
        {"GET", "If-Match: \"v2\"\nIf-None-Match: \"v1\"\n", CONDITION_FAILED},
        {"GET", "If-Match: \"v1\"\nIf-None-Match: \"v1\"\n", CONDITION_NOT_MODIFIED},
        {"GET", "If-None-Match: \"v1\"\nRange: bytes=0-1\n", CONDITION_NOT_MODIFIED},
    };
    EXPECT(cases, &usual);
}

static void a_304_says_what_the_200_would(void **state)
{
    (void)state;
    struct negotiated done;
    negotiate(&done, "GET", "If-None-Match: \"v1\"\n", &usual);
    assert_string_equal(test_sink_header(&done.sink, "ETag"), ETAG);
    assert_int_equal(done.sink.content_length, -1);
    assert_int_equal(done.sink.body.length, 0);
    test_sink_clean(&done.sink);
}

/* ---- Ranges ---- */

static void expect_range(const char *headers, uint64_t first, uint64_t length, const char *said)
{
    struct negotiated done;
    negotiate(&done, "GET", headers, &usual);
    if (done.outcome != CONDITION_SEND_RANGE || done.range.first != first ||
        done.range.length != length)
        fail_msg("%s: outcome %d, %llu bytes from %llu", headers, (int)done.outcome,
                 (unsigned long long)done.range.length, (unsigned long long)done.range.first);
    assert_int_equal(done.sink.status, 206);
    assert_string_equal(test_sink_header(&done.sink, "Content-Range"), said);
    assert_int_equal(done.sink.content_length, length);
    test_sink_clean(&done.sink);
}

static void a_range_is_cut_to_what_there_is(void **state)
{
    (void)state;
    expect_range("Range: bytes=0-0\n", 0, 1, "bytes 0-0/1000");
    expect_range("Range: bytes=10-19\n", 10, 10, "bytes 10-19/1000");
    expect_range("Range: bytes=990-\n", 990, 10, "bytes 990-999/1000");
    expect_range("Range: bytes=999-5000\n", 999, 1, "bytes 999-999/1000");
    expect_range("Range: bytes=0-18446744073709551615\n", 0, 1000, "bytes 0-999/1000");
    expect_range("Range: bytes=-1\n", 999, 1, "bytes 999-999/1000");
    expect_range("Range: bytes=-5000\n", 0, 1000, "bytes 0-999/1000");
    expect_range("Range: BYTES = 1-2\n", 1, 2, "bytes 1-2/1000");
}

static void what_is_no_range_means_the_whole(void **state)
{
    (void)state;
    static const struct condition_case cases[] = {
        {"GET", "Range: bytes=\n", CONDITION_SEND},
        {"GET", "Range: bytes\n", CONDITION_SEND},
        {"GET", "Range: bytes=-\n", CONDITION_SEND},
        {"GET", "Range: bytes=5-3\n", CONDITION_SEND},
        {"GET", "Range: bytes=a-b\n", CONDITION_SEND},
        {"GET", "Range: bytes=1-b\n", CONDITION_SEND},
        {"GET", "Range: bytes=0-1,5-6\n", CONDITION_SEND},
        {"GET", "Range: bytes=-1,-2\n", CONDITION_SEND},
        {"GET", "Range: bytes=99999999999999999999-\n", CONDITION_SEND},
        {"GET", "Range: items=0-1\n", CONDITION_SEND},
        {"GET", "Range: bytes=0-1\nRange: bytes=3-4\n", CONDITION_SEND},
        /* Ranges are for GET. */
        {"HEAD", "Range: bytes=0-1\n", CONDITION_SEND},
        {"PUT", "Range: bytes=0-1\n", CONDITION_SEND},
    };
    EXPECT(cases, &usual);
}

static void a_range_behind_the_end_is_416(void **state)
{
    (void)state;
    static const char *const headers[] = {"Range: bytes=1000-\n", "Range: bytes=1000-2000\n",
                                          "Range: bytes=-0\n"};
    for (size_t i = 0; i < 3; i++) {
        struct negotiated done;
        negotiate(&done, "GET", headers[i], &usual);
        assert_int_equal(done.outcome, CONDITION_BAD_RANGE);
        assert_int_equal(done.sink.status, 416);
        assert_string_equal(test_sink_header(&done.sink, "Content-Range"), "bytes */1000");
        test_sink_clean(&done.sink);
    }
    static const struct representation empty = {{ETAG, sizeof ETAG - 1}, MODIFIED, 0};
    static const struct condition_case cases[] = {
        {"GET", "Range: bytes=0-\n", CONDITION_BAD_RANGE},
        {"GET", "Range: bytes=-5\n", CONDITION_BAD_RANGE},
        {"GET", "", CONDITION_SEND},
    };
    EXPECT(cases, &empty);
}

static void if_range_guards_against_a_new_version(void **state)
{
    (void)state;
    static const struct condition_case cases[] = {
        {"GET", "Range: bytes=0-1\nIf-Range: \"v1\"\n", CONDITION_SEND_RANGE},
        {"GET", "Range: bytes=0-1\nIf-Range: \"v2\"\n", CONDITION_SEND},
        {"GET", "Range: bytes=0-1\nIf-Range: W/\"v1\"\n", CONDITION_SEND},
        {"GET", "Range: bytes=0-1\nIf-Range: " DATE "\n", CONDITION_SEND_RANGE},
        {"GET", "Range: bytes=0-1\nIf-Range: " LATER "\n", CONDITION_SEND},
        {"GET", "Range: bytes=0-1\nIf-Range: " EARLIER "\n", CONDITION_SEND},
        {"GET", "Range: bytes=0-1\nIf-Range: junk\n", CONDITION_SEND},
        {"GET", "Range: bytes=5000-\nIf-Range: \"v2\"\n", CONDITION_SEND},
    };
    EXPECT(cases, &usual);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_conditions_the_whole_is_sent),
        cmocka_unit_test(what_is_not_known_is_not_said),
        cmocka_unit_test(if_none_match_compares_weakly),
        cmocka_unit_test(if_match_compares_strongly),
        cmocka_unit_test(dates_compare_in_whole_seconds),
        cmocka_unit_test(tags_outrank_dates),
        cmocka_unit_test(a_304_says_what_the_200_would),
        cmocka_unit_test(a_range_is_cut_to_what_there_is),
        cmocka_unit_test(what_is_no_range_means_the_whole),
        cmocka_unit_test(a_range_behind_the_end_is_416),
        cmocka_unit_test(if_range_guards_against_a_new_version),
    };
    return cmocka_run_group_tests_name("response_negotiate", tests, NULL, NULL);
}
