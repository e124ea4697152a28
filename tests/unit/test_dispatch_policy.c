/*
 * test_dispatch_policy.c - what holds around every handler: CORS, bulkheads, the line in the log,
 * the metrics.
 */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "support_stories.h"

static int set_up(void **state)
{
    (void)state;
    stories_start("");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    stories_stop();
    return 0;
}

static int set_up_cors(void **state)
{
    (void)state;
    stories_start("http: { cors_origins = (\"https://a.example\", \"http://b.example:81\"); "
                  "cors_headers = (\"authorization\", \"x-b\"); cors_max_age_s = 77; };");
    return 0;
}

static int set_up_cors_for_all(void **state)
{
    (void)state;
    stories_start("http: { cors_origins = (\"*\"); };");
    return 0;
}

static int set_up_quiet(void **state)
{
    (void)state;
    stories_start("log: { requests = false; };");
    return 0;
}

#define header(name) test_sink_header(&stories_case.sink, name)

/* ---- CORS ---- */

static void an_allowed_origin_may_read_answers(void **state)
{
    (void)state;
    app_case_ask(&stories_case, "GET", "/hello", "Origin: https://a.example\n");
    assert_string_equal(header("Access-Control-Allow-Origin"), "https://a.example");
    assert_string_equal(header("Vary"), "Origin");
    assert_null(header("Access-Control-Allow-Credentials"));
    app_case_ask(&stories_case, "GET", "/hello", "Origin: https://other.example\n");
    assert_null(header("Access-Control-Allow-Origin"));
    assert_string_equal(header("Vary"), "Origin");
    app_case_ask(&stories_case, "GET", "/hello", NULL);
    assert_null(header("Access-Control-Allow-Origin"));
    assert_string_equal(header("Vary"), "Origin");
    /* Errors can be read as well, also those of a request that was never understood. */
    assert_int_equal(app_case_ask(&stories_case, "GET", "/..", "Origin: http://b.example:81\n"),
                     400);
    assert_string_equal(header("Access-Control-Allow-Origin"), "http://b.example:81");
    /* Ours replace an upstream's. */
    app_case_ask(&stories_case, "GET", "/any", "Origin: https://other.example\n");
    assert_null(header("Access-Control-Allow-Origin"));
    assert_null(header("Access-Control-Allow-Credentials"));
}

static void a_preflight_is_answered(void **state)
{
    (void)state;
    assert_int_equal(app_case_ask(&stories_case, "OPTIONS", "/echo",
                                  "Origin: https://a.example\n"
                                  "Access-Control-Request-Method: POST\n"),
                     204);
    assert_string_equal(header("Allow"), "OPTIONS, POST");
    assert_string_equal(header("Access-Control-Allow-Origin"), "https://a.example");
    assert_string_equal(header("Access-Control-Allow-Methods"), "OPTIONS, POST");
    assert_string_equal(header("Access-Control-Allow-Headers"), "authorization, x-b");
    assert_string_equal(header("Access-Control-Max-Age"), "77");
    /* Not for others, and not without a method. */
    assert_int_equal(app_case_ask(&stories_case, "OPTIONS", "/echo",
                                  "Origin: https://other.example\n"
                                  "Access-Control-Request-Method: POST\n"),
                     204);
    assert_null(header("Access-Control-Allow-Methods"));
    app_case_ask(&stories_case, "OPTIONS", "/echo", "Origin: https://a.example\n");
    assert_null(header("Access-Control-Allow-Methods"));
}

static void a_star_allows_every_origin_without_credentials(void **state)
{
    (void)state;
    app_case_ask(&stories_case, "GET", "/hello", "Origin: https://any.example\n");
    assert_string_equal(header("Access-Control-Allow-Origin"), "*");
    assert_null(header("Vary"));
    assert_null(header("Access-Control-Allow-Credentials"));
    assert_int_equal(app_case_ask(&stories_case, "OPTIONS", "/hello",
                                  "Origin: null\nAccess-Control-Request-Method: GET\n"),
                     204);
    assert_string_equal(header("Access-Control-Allow-Headers"), "authorization, content-type");
    assert_string_equal(header("Access-Control-Allow-Methods"), "GET, HEAD, OPTIONS");
}

/* ---- Bulkheads ---- */

struct slow_asker {
    pthread_t thread;
    const char *target;
    int status;
};

static void *ask_slow(void *context)
{
    struct slow_asker *asker = context;
    struct test_sink sink;
    struct test_request request = {.method = "GET", .target = asker->target};
    test_sink_init(&sink);
    test_app_request(stories_case.app, &request, &sink);
    asker->status = sink.status;
    test_sink_clean(&sink);
    return NULL;
}

/* Fills a class that has two places, and asks once more. */
static void expect_two_places(const char *target)
{
    struct slow_asker askers[2];
    for (size_t i = 0; i < 2; i++) {
        askers[i] = (struct slow_asker){.target = target};
        assert_int_equal(pthread_create(&askers[i].thread, NULL, ask_slow, &askers[i]), 0);
        sem_wait(&stories_slow_entered);
    }
    assert_int_equal(app_case_ask(&stories_case, "GET", target, NULL), 503);
    assert_string_equal(header("Retry-After"), "1");
    stories_expect_logged("reason", "BUSY");
    /* Others are not held up. */
    assert_int_equal(app_case_ask(&stories_case, "GET", "/hello", NULL), 200);
    assert_true(app_case_metric(&stories_case, "hearth_requests_in_flight") == 2);
    for (size_t i = 0; i < 2; i++)
        sem_post(&stories_slow_go);
    for (size_t i = 0; i < 2; i++) {
        pthread_join(askers[i].thread, NULL);
        assert_int_equal(askers[i].status, 200);
    }
    /* The places are free again. */
    sem_post(&stories_slow_go);
    assert_int_equal(app_case_ask(&stories_case, "GET", target, NULL), 200);
    assert_true(app_case_metric(&stories_case, "hearth_requests_in_flight") == 0);
}

static void a_full_bulkhead_refuses(void **state)
{
    (void)state;
    expect_two_places("/slow"); /* 6 threads: 2 of them */
}

static void hashing_has_two_places(void **state)
{
    (void)state;
    expect_two_places("/password");
}

/* ---- When a place is given back ---- */

/* A sink that, before it takes the end of an answer, has the next of its kind ask the same: a
 * client that is faster than the thread that answers it. */
struct nested {
    struct test_sink sink; /* the first member */
    struct nested *next;
    const char *target;
    enum hearth_error (*finish)(struct response_sink *sink);
    size_t settled_bytes; /* of the body, when it was settled; 0 = it was not */
    bool finish_waits;
    enum hearth_error fail_settle;
};

static struct nested *nested_of(struct response_sink *sink)
{
    return (struct nested *)(void *)sink;
}

static enum hearth_error settle(struct response_sink *sink, bool *finish_waits)
{
    struct nested *nested = nested_of(sink);
    nested->settled_bytes = nested->sink.body.length;
    *finish_waits = nested->finish_waits;
    return nested->fail_settle;
}

static enum hearth_error ask_then_finish(struct response_sink *sink)
{
    struct nested *nested = nested_of(sink);
    struct test_request request = {.method = "GET", .target = nested->target};
    if (nested->next)
        test_app_request(stories_case.app, &request, &nested->next->sink);
    return nested->finish(sink);
}

enum { PLACES = STORIES_THREADS / 2, ASKED = PLACES + 1 };

/* One more than there are places, each asked within the end of the one before; how many were
 * answered. */
static size_t ask_nested(struct nested nested[ASKED], const char *target,
                         enum hearth_error (*settles)(struct response_sink *, bool *), bool waits)
{
    size_t answered = 0;
    for (size_t i = 0; i < ASKED; i++) {
        nested[i] = (struct nested){.target = target, .finish_waits = waits};
        test_sink_init(&nested[i].sink);
        nested[i].next = i + 1 < ASKED ? &nested[i + 1] : NULL;
        nested[i].finish = nested[i].sink.sink.finish;
        nested[i].sink.sink.finish = ask_then_finish;
        nested[i].sink.sink.settle = settles;
    }
    struct test_request request = {.method = "GET", .target = target};
    test_app_request(stories_case.app, &request, &nested[0].sink);
    for (size_t i = 0; i < ASKED; i++) {
        answered += nested[i].sink.status == 200;
        assert_true(nested[i].sink.status == 503 || answered == i + 1);
        test_sink_clean(&nested[i].sink);
    }
    /* All places are free again. */
    assert_int_equal(app_case_ask(&stories_case, "GET", "/bulk/data", NULL), 200);
    return answered;
}

static void the_place_of_a_small_answer_is_free_before_its_end_is_seen(void **state)
{
    (void)state;
    struct nested nested[ASKED];
    assert_int_equal(ask_nested(nested, "/bulk/data", settle, true), ASKED);
    assert_int_equal(nested[0].settled_bytes, 0); /* that would cost a write */
    assert_int_equal(ask_nested(nested, "/bulk/data", NULL, true), ASKED);
}

static void a_larger_answer_is_sent_before_its_place_is_given_back(void **state)
{
    (void)state;
    struct nested nested[ASKED];
    assert_int_equal(ask_nested(nested, "/bulk/large", settle, false), ASKED);
    for (size_t i = 0; i < ASKED; i++)
        assert_int_equal(nested[i].settled_bytes, STORIES_LARGE_BYTES);
}

static void a_place_is_held_as_long_as_the_client_may_be_waited_for(void **state)
{
    (void)state;
    struct nested nested[ASKED];
    assert_int_equal(ask_nested(nested, "/bulk/large", settle, true), PLACES);
    assert_int_equal(ask_nested(nested, "/bulk/large", NULL, false), PLACES);
}

static void a_client_that_goes_before_the_end_gives_its_place_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < (size_t)PLACES + 1; i++) {
        struct nested nested = {.target = "/bulk/large", .fail_settle = HEARTH_CLIENT_GONE};
        struct test_request request = {.method = "GET", .target = "/bulk/large"};
        test_sink_init(&nested.sink);
        nested.sink.sink.settle = settle;
        test_app_request(stories_case.app, &request, &nested.sink);
        assert_int_equal(nested.sink.status, 200);
        assert_int_equal(nested.sink.finishes, 0);
        stories_expect_logged("reason", "CLIENT_GONE");
        test_sink_clean(&nested.sink);
    }
    assert_int_equal(app_case_ask(&stories_case, "GET", "/bulk/large", NULL), 200);
}

/* ---- The log ---- */

static void a_request_leaves_one_line(void **state)
{
    (void)state;
    struct test_request request = {
        .method = "GET",
        .target = "/hello/%7Ename?token=geheim",
        .peer = "192.0.2.7",
        .headers = "Authorization: Bearer geheim\nUser-Agent: geheim\nCookie: a=geheim\n"
                   "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\n"};
    app_case_send(&stories_case, &request);
    struct json_object *line = app_case_log(&stories_case);
    assert_string_equal(app_case_logged(line, "level"), "info");
    assert_string_equal(app_case_logged(line, "request_id"), header("X-Request-Id"));
    assert_string_equal(app_case_logged(line, "trace_id"), "0af7651916cd43dd8448eb211c80319c");
    assert_string_equal(app_case_logged(line, "route"), "/hello/{name}");
    assert_string_equal(app_case_logged(line, "method"), "GET");
    assert_string_equal(app_case_logged(line, "path"), "/hello/~name");
    assert_string_equal(app_case_logged(line, "status"), "200");
    assert_string_equal(app_case_logged(line, "bytes"), "11");
    assert_string_equal(app_case_logged(line, "client"), "192.0.2.7");
    assert_null(app_case_logged(line, "reason"));
    assert_null(strstr(json_object_to_json_string(line), "geheim"));
    json_object_put(line);
    assert_int_equal(app_case_count_log(&stories_case, "request"), 1);
    app_case_ask(&stories_case, "GET", "/hello", NULL);
    stories_expect_logged("ms", "12");
}

static void without_request_lines_failures_still_have_theirs(void **state)
{
    (void)state;
    app_case_ask(&stories_case, "GET", "/hello", NULL);
    app_case_ask(&stories_case, "GET", "/nowhere", NULL);
    assert_int_equal(app_case_count_log(&stories_case, "request"), 0);
    app_case_ask(&stories_case, "GET", "/half", NULL);
    assert_int_equal(app_case_count_log(&stories_case, "request"), 1);
}

/* ---- Metrics ---- */

static void requests_are_counted(void **state)
{
    (void)state;
    app_case_ask(&stories_case, "GET", "/hello", NULL);
    app_case_ask(&stories_case, "GET", "/hello", NULL);
    app_case_ask(&stories_case, "HEAD", "/hello", NULL);
    app_case_ask(&stories_case, "BREW", "/any", NULL);
    app_case_ask(&stories_case, "GET", "/nowhere/1", NULL);
    app_case_ask(&stories_case, "GET", "/nowhere/2", NULL);
    app_case_ask(&stories_case, "GET", "/half", NULL);
    const struct {
        const char *series;
        double value;
    } expected[] = {
        {"hearth_requests_total{route=\"/hello\",method=\"GET\",status=\"2xx\"}", 2},
        {"hearth_requests_total{route=\"/hello\",method=\"HEAD\",status=\"2xx\"}", 1},
        {"hearth_requests_total{route=\"/any\",method=\"OTHER\",status=\"2xx\"}", 1},
        {"hearth_requests_total{route=\"unmatched\",method=\"GET\",status=\"4xx\"}", 2},
        {"hearth_requests_total{route=\"/half\",method=\"GET\",status=\"5xx\"}", 1},
        {"hearth_requests_total{route=\"/hello\",method=\"GET\",status=\"5xx\"}", -1},
        {"hearth_errors_total{reason=\"NOT_FOUND\"}", 2},
        {"hearth_errors_total{reason=\"DISK_FULL\"}", 1},
        {"hearth_requests_in_flight", 0},
        {"hearth_request_seconds_count{route=\"/hello\"}", 3},
        {"hearth_request_seconds_bucket{route=\"/hello\",le=\"0.01\"}", 0},
        {"hearth_request_seconds_bucket{route=\"/hello\",le=\"0.025\"}", 3},
        {"hearth_request_seconds_sum{route=\"/hello\"}", 0.036},
    };
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        double value = app_case_metric(&stories_case, expected[i].series);
        if (value < expected[i].value - 1e-9 || value > expected[i].value + 1e-9)
            fail_msg("%s is %g, not %g", expected[i].series, value, expected[i].value);
    }
    assert_true(app_case_metric(&stories_case, "hearth_responses_bytes_total") > 10);
}

#define story(name)           cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define story_with(name, how) cmocka_unit_test_setup_teardown(name, how, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        story_with(an_allowed_origin_may_read_answers, set_up_cors),
        story_with(a_preflight_is_answered, set_up_cors),
        story_with(a_star_allows_every_origin_without_credentials, set_up_cors_for_all),
        story(a_full_bulkhead_refuses),
        story(hashing_has_two_places),
        story(the_place_of_a_small_answer_is_free_before_its_end_is_seen),
        story(a_larger_answer_is_sent_before_its_place_is_given_back),
        story(a_place_is_held_as_long_as_the_client_may_be_waited_for),
        story(a_client_that_goes_before_the_end_gives_its_place_back),
        story(a_request_leaves_one_line),
        story_with(without_request_lines_failures_still_have_theirs, set_up_quiet),
        story(requests_are_counted),
    };
    return cmocka_run_group_tests_name("dispatch_policy", tests, NULL, NULL);
}
