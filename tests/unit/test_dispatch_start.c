/*
 * test_dispatch_start.c - making an app out of modules and a configuration, and what keeps it from
 * being made.
 */
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

static enum hearth_error failing_start(const struct services *services, void **state,
                                       struct error_record *error)
{
    (void)services;
    (void)state;
    return error_set_internal(error, HEARTH_LOCKED, 11, "somebody else has it");
}

static int started, stopped;

static enum hearth_error counting_start(const struct services *services, void **state,
                                        struct error_record *error)
{
    (void)error;
    assert_non_null(services->objects);
    assert_non_null(services->auth);
    assert_non_null(services->readiness);
    *state = &started;
    started++;
    return HEARTH_OK;
}

static void counting_stop(void *state)
{
    assert_ptr_equal(state, &started);
    stopped++;
}

/* Starts `table` over the configuration of the running case. */
static enum hearth_error start_other(const struct module *const *table, struct error_record *error)
{
    struct app *app;
    struct app_options options = {.modules = table,
                                  .config = stories_case.config,
                                  .clock = &stories_case.clock.clock,
                                  .metrics = stories_case.metrics,
                                  .threads = 1};
    enum hearth_error result = app_start(&options, &app, error);
    assert_true((app != NULL) == (result == HEARTH_OK));
    app_stop(app);
    return result;
}

static void a_module_that_does_not_start_takes_the_others_down(void **state)
{
    (void)state;
    static const struct module counting = {
        .name = "counting", .start = counting_start, .stop = counting_stop};
    static const struct module failing_module = {.name = "failing", .start = failing_start};
    static const struct module *const table[] = {&counting, &failing_module, &counting, NULL};
    struct error_record error;
    started = stopped = 0;
    assert_int_equal(start_other(table, &error), HEARTH_LOCKED);
    assert_string_equal(error.detail, "module failing: somebody else has it");
    assert_int_equal(error.number, 11);
    assert_int_equal(started, 1);
    assert_int_equal(stopped, 1);
    static const struct module *const good[] = {&counting, &counting, NULL};
    assert_int_equal(start_other(good, &error), HEARTH_OK);
    assert_int_equal(started, 3);
    assert_int_equal(stopped, 3);
}

static void two_modules_with_one_route_do_not_start(void **state)
{
    (void)state;
    struct module other = stories_module;
    other.name = "other";
    const struct module *const table[] = {&stories_module, &other, NULL};
    struct error_record error;
    assert_int_equal(start_other(table, &error), HEARTH_MISUSE);
    assert_string_equal(error.detail,
                        "route GET /hello of module other is also /hello of module stories");
}

static void a_workers_gauge_begins_at_zero(void **state)
{
    (void)state;
    static const char series[] = "hearth_requests_in_flight{worker=\"3\"}";
    struct metric *gauge =
        metrics_gauge(stories_case.metrics, "hearth_requests_in_flight", "", "worker=\"3\"");
    metric_set(gauge, 7); /* what a worker that died was doing */
    struct app *app;
    struct error_record error;
    struct app_options options = {.modules = stories_modules,
                                  .config = stories_case.config,
                                  .clock = &stories_case.clock.clock,
                                  .metrics = stories_case.metrics,
                                  .threads = 1,
                                  .worker = 3};
    assert_int_equal(app_start(&options, &app, &error), HEARTH_OK);
    assert_true(app_case_metric(&stories_case, series) == 0);
    app_stop(app);
}

static const struct config_row extra_rows[] = {
    {.key = "extra.word", .type = CONFIG_STRING, .initial = "a", .text = "A word."}};

static void extra_check(const struct config *config, struct config_problems *problems)
{
    if (strcmp(config_string(config, "extra.word"), "bad") == 0)
        config_problem_add(problems, config_origin(config, "extra.word"), "extra.word",
                           "must not be bad");
}

static void a_configuration_is_checked_by_every_module(void **state)
{
    (void)state;
    static const struct module extra = {
        .name = "extra", .rows = {extra_rows, 1}, .check = extra_check};
    static const struct module *const table[] = {&stories_module, &extra, NULL};
    struct config_rows tables[4];
    assert_int_equal(app_config_tables(table, tables, 4), 2);
    assert_ptr_equal(tables[1].rows, extra_rows);
    assert_int_equal(app_config_tables(table, tables, 1), 2);

    char path[512];
    struct config *config;
    struct config_problems problems;
    snprintf(path, sizeof path, "%s/other.conf", stories_case.directory);
    test_write_file(path, VIEW("extra: { word = \"bad\"; };\n"));
    assert_int_equal(app_config_load(table, path, &config, &problems), HEARTH_BAD_REQUEST);
    assert_null(config);
    assert_int_equal(problems.count, 1);
    assert_string_equal(problems.items[0].key, "extra.word");
    assert_string_equal(problems.items[0].what, "must not be bad");
    assert_non_null(strstr(problems.items[0].where, "other.conf:1"));
    config_problems_clean(&problems);
    test_write_file(path, VIEW("extra: { word = \"good\"; };\n"));
    assert_int_equal(app_config_load(table, path, &config, &problems), HEARTH_OK);
    assert_string_equal(config_string(config, "extra.word"), "good");
    config_free(config);
    config_problems_clean(&problems);
}

static void bad_proxies_and_origins_are_problems(void **state)
{
    (void)state;
    char path[512];
    struct config *config;
    struct config_problems problems;
    snprintf(path, sizeof path, "%s/other.conf", stories_case.directory);
    test_write_file(path, VIEW("http: { trusted_proxies = (\"10.0.0.0/99\");\n"
                               "cors_origins = (\"example.org\"); };\n"));
    assert_int_equal(app_config_load(stories_modules, path, &config, &problems),
                     HEARTH_BAD_REQUEST);
    assert_int_equal(problems.count, 2);
    assert_string_equal(problems.items[0].key, "http.trusted_proxies");
    assert_string_equal(problems.items[1].key, "http.cors_origins");
    config_problems_clean(&problems);
}

#define story(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        story(a_module_that_does_not_start_takes_the_others_down),
        story(two_modules_with_one_route_do_not_start),
        story(a_workers_gauge_begins_at_zero),
        story(a_configuration_is_checked_by_every_module),
        story(bad_proxies_and_origins_are_problems),
    };
    return cmocka_run_group_tests_name("dispatch_start", tests, NULL, NULL);
}
