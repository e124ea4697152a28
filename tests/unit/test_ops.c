/*
 * test_ops.c - the operator's routes: health, readiness, and who may read the metrics.
 */
#include <stdio.h>
#include <string.h>

#include "support_dispatch.h"

extern const struct module ops_module;

static struct app_case test;

/* ---- A module that can be unready, and shows the services it was given ---- */

static const struct services *services;
static bool disk_is_there, keeper_is_there;

static bool check_disk(void *context, char *why, size_t why_size)
{
    assert_ptr_equal(context, &disk_is_there);
    if (!disk_is_there)
        snprintf(why, why_size, "the \"disk\" is gone");
    return disk_is_there;
}

static bool check_keeper(void *context, char *why, size_t why_size)
{
    (void)context;
    if (!keeper_is_there)
        snprintf(why, why_size, "no keeper");
    return keeper_is_there;
}

static enum hearth_error spy_start(const struct services *given, void **state,
                                   struct error_record *error)
{
    (void)state;
    (void)error;
    services = given;
    readiness_add(given->readiness, "disk", check_disk, &disk_is_there);
    readiness_add(given->readiness, "keeper", check_keeper, NULL);
    return HEARTH_OK;
}

static const struct module spy = {.name = "spy", .start = spy_start};
static const struct module *const modules[] = {&ops_module, &spy, NULL};

static int set_up(void **state)
{
    (void)state;
    disk_is_there = keeper_is_there = true;
    app_case_start(&test, modules, "ops: { metrics_token = \"the-token\"; };", 4);
    return 0;
}

static int set_up_without_token(void **state)
{
    (void)state;
    app_case_start(&test, modules, "", 4);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    app_case_stop(&test);
    return 0;
}

#define header(name) test_sink_header(&test.sink, name)

static void healthz_is_always_ok(void **state)
{
    (void)state;
    disk_is_there = false;
    assert_int_equal(app_case_ask(&test, "GET", "/healthz", NULL), 200);
    assert_string_equal(test_sink_body(&test.sink), "ok\n");
    assert_string_equal(header("Cache-Control"), "no-store");
    assert_string_equal(header("Content-Type"), "text/plain; charset=utf-8");
    assert_int_equal(app_case_ask(&test, "HEAD", "/healthz", NULL), 200);
    assert_int_equal(test.sink.content_length, 3);
    assert_int_equal(app_case_ask(&test, "POST", "/healthz", NULL), 405);
}

static void readyz_says_whether_all_is_there(void **state)
{
    (void)state;
    assert_int_equal(app_case_ask(&test, "GET", "/readyz", NULL), 200);
    assert_string_equal(test_sink_body(&test.sink),
                        "disk: ready\nkeeper: ready\nauth: ready\nready\n");
    disk_is_there = false;
    assert_int_equal(app_case_ask(&test, "GET", "/readyz", NULL), 503);
    assert_string_equal(test_sink_body(&test.sink),
                        "disk: the \"disk\" is gone\nkeeper: ready\nauth: ready\nnot ready\n");
    assert_string_equal(header("Cache-Control"), "no-store");
    disk_is_there = true;
    assert_int_equal(app_case_ask(&test, "GET", "/readyz", NULL), 200);
}

static void readyz_speaks_json_when_asked(void **state)
{
    (void)state;
    keeper_is_there = disk_is_there = false;
    assert_int_equal(app_case_ask(&test, "GET", "/readyz", "Accept: application/json\n"), 503);
    assert_string_equal(header("Content-Type"), "application/json");
    struct json_object *document = json_tokener_parse(test_sink_body(&test.sink)), *checks, *check;
    assert_non_null(document);
    assert_string_equal(app_case_logged(document, "ready"), "false");
    assert_true(json_object_object_get_ex(document, "checks", &checks));
    assert_int_equal(json_object_array_length(checks), 3);
    check = json_object_array_get_idx(checks, 0);
    assert_string_equal(app_case_logged(check, "name"), "disk");
    assert_string_equal(app_case_logged(check, "ready"), "false");
    assert_string_equal(app_case_logged(check, "why"), "the \"disk\" is gone");
    json_object_put(document);
    keeper_is_there = disk_is_there = true;
    assert_int_equal(app_case_ask(&test, "GET", "/readyz", "Accept: application/json\n"), 200);
    document = json_tokener_parse(test_sink_body(&test.sink));
    assert_string_equal(app_case_logged(document, "ready"), "true");
    json_object_put(document);
}

static void readiness_keeps_at_most_sixteen_checks(void **state)
{
    (void)state;
    struct readiness *readiness = readiness_new();
    assert_non_null(readiness);
    assert_true(readiness_check(readiness, NULL, NULL));
    disk_is_there = true;
    for (size_t i = 0; i < 16; i++)
        readiness_add(readiness, "disk", check_disk, &disk_is_there);
    keeper_is_there = false;
    readiness_add(readiness, "keeper", check_keeper, NULL);
    assert_true(readiness_check(readiness, NULL, NULL));
    disk_is_there = false;
    assert_false(readiness_check(readiness, NULL, NULL));
    readiness_free(readiness);
}

/* ---- Metrics ---- */

static int ask_metrics(const char *peer, const char *headers)
{
    struct test_request request = {
        .method = "GET", .target = "/metrics", .headers = headers, .peer = peer};
    return app_case_send(&test, &request);
}

static void a_client_on_this_machine_reads_the_metrics(void **state)
{
    (void)state;
    assert_int_equal(ask_metrics("127.0.0.1", NULL), 200);
    assert_string_equal(header("Content-Type"), "text/plain; version=0.0.4; charset=utf-8");
    const char *body = test_sink_body(&test.sink);
    assert_non_null(strstr(body, "# TYPE hearth_requests_in_flight gauge\n"));
    assert_non_null(strstr(body, "hearth_build_info{version=\"" HEARTH_VERSION "\"} 1\n"));
    assert_non_null(strstr(body, "hearth_process_start_time_seconds 1757873091\n"));
    assert_int_equal(ask_metrics("127.0.0.1", NULL), 200);
    assert_true(app_case_metric(&test, "hearth_requests_total{route=\"/metrics\",method=\"GET\","
                                       "status=\"2xx\"}") == 2);
}

static void a_stranger_does_not(void **state)
{
    (void)state;
    assert_int_equal(ask_metrics("192.0.2.1", NULL), 401);
    assert_non_null(header("WWW-Authenticate"));
    assert_null(strstr(test_sink_body(&test.sink), "hearth_"));
    assert_int_equal(ask_metrics("", NULL), 401);
    /* Somebody behind a proxy on this machine is a stranger too. */
    assert_int_equal(ask_metrics("127.0.0.1", "X-Forwarded-For: 192.0.2.1\n"), 401);
}

static void the_configured_token_opens_them(void **state)
{
    (void)state;
    assert_int_equal(ask_metrics("192.0.2.1", "Authorization: Bearer the-token\n"), 200);
    assert_int_equal(ask_metrics("192.0.2.1", "Authorization: bearer   the-token\n"), 200);
    static const char *const wrong[] = {
        "Authorization: Bearer the-toke\n",  "Authorization: Bearer the-tokens\n",
        "Authorization: Bearer the-tokem\n", "Authorization: Bearer \n",
        "Authorization: Bearer\n",           "Authorization: the-token\n"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_int_equal(ask_metrics("192.0.2.1", wrong[i]), 401);
}

static void an_empty_token_opens_nothing(void **state)
{
    (void)state;
    assert_int_equal(ask_metrics("192.0.2.1", "Authorization: Bearer \n"), 401);
    assert_int_equal(ask_metrics("192.0.2.1", "Authorization: Bearer\n"), 401);
    assert_int_equal(ask_metrics("192.0.2.1", NULL), 401);
}

static int ask_with_new_token(const char *name, unsigned scopes)
{
    struct auth_token_options options = {.name = name, .scopes = scopes};
    char token[AUTH_TOKEN_SIZE], id[17], authorization[128];
    struct error_record error;
    if (auth_token_new(services->objects, services->clock, &options, token, id, &error) !=
        HEARTH_OK)
        fail_msg("%s", error.detail);
    clock_manual_advance_ms(&test.clock, 60000); /* past what auth remembers */
    snprintf(authorization, sizeof authorization, "Authorization: Bearer %s\n", token);
    return ask_metrics("192.0.2.1", authorization);
}

static void a_token_needs_the_scope(void **state)
{
    (void)state;
    assert_int_equal(ask_with_new_token("reader", SCOPE_OPS_READ), 200);
    assert_int_equal(ask_with_new_token("sensor", SCOPE_DATA_WRITE | SCOPE_OPS_WRITE), 403);
    assert_null(strstr(test_sink_body(&test.sink), "hearth_"));
}

#define story(name)           cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define story_with(name, how) cmocka_unit_test_setup_teardown(name, how, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        story(healthz_is_always_ok),
        story(readyz_says_whether_all_is_there),
        story(readyz_speaks_json_when_asked),
        cmocka_unit_test(readiness_keeps_at_most_sixteen_checks),
        story(a_client_on_this_machine_reads_the_metrics),
        story(a_stranger_does_not),
        story(the_configured_token_opens_them),
        story_with(an_empty_token_opens_nothing, set_up_without_token),
        story(a_token_needs_the_scope),
    };
    return cmocka_run_group_tests_name("ops", tests, NULL, NULL);
}
