/*
 * test_page.c - the dashboard's frame, and what the server draws into it: names, batteries,
 * scripts.
 */
#include "tests/unit/support_query.h"

#include <stdio.h>
#include <string.h>

static struct sensor_app test;

static int start(void **state)
{
    (void)state;
    sensor_app_start(&test, "sensor: { station_name = \"Jack & Jill's <Hill>\"; };");
    return 0;
}

static int stop(void **state)
{
    (void)state;
    sensor_app_stop(&test);
    return 0;
}

static const char *get(const char *target)
{
    assert_int_equal(sensor_app_get(&test, target), 200);
    return test_sink_body(&test.sink);
}

static size_t count_parts(const char *text, const char *part)
{
    size_t count = 0;
    for (; (text = strstr(text, part)) != NULL; text += strlen(part))
        count++;
    return count;
}

static void the_station_has_its_name_in_the_title_and_the_head(void **state)
{
    (void)state;
    const char *body = get("/temp");
    assert_int_equal(count_parts(body, "Jack &amp; Jill&#39;s &lt;Hill&gt;"), 2);
    assert_null(strstr(body, "<Hill>"));
}

static void scripts_are_files_of_our_own_and_the_policy_allows_no_others(void **state)
{
    (void)state;
    const char *body = get("/temp");
    const char *policy = test_sink_header(&test.sink, "Content-Security-Policy");
    assert_non_null(strstr(policy, "script-src 'self';"));
    assert_null(strstr(policy, "unsafe"));
    assert_int_equal(count_parts(body, "<script"), count_parts(body, "></script>"));
    assert_int_equal(count_parts(body, "<script"), count_parts(body, " src=\"/static/") - 1);
    assert_null(strstr(body, "=\"http"));
}

static void who_runs_no_script_gets_the_drawing(void **state)
{
    (void)state;
    query_add(&test, SENSOR_TEST_NOW, 1, 107, 744, 35);
    const char *body = get("/temp");
    const char *begin = strstr(body, "<noscript id=\"still\">"), *end = strstr(body, "</noscript>");
    assert_non_null(begin);
    assert_true(strstr(begin, "<svg class=\"chart temperature\"") < end);
    assert_true(strstr(begin, "74.4\u00a0°F") < end);
    body = get("/temp?plain=1");
    assert_null(strstr(body, "<noscript"));
    assert_null(strstr(body, "id=\"dashboard\""));
    assert_non_null(strstr(body, "<svg class=\"chart temperature\""));
}

static void named_series_have_their_names_and_one_row_for_all_their_batteries(void **state)
{
    (void)state;
    query_write_names(&test, query_names);
    query_add(&test, SENSOR_TEST_NOW - QUERY_DAY, 5, 107, 10, -1);
    query_add(&test, SENSOR_TEST_NOW - QUERY_HOUR, 6, 31, 55, -1);
    query_add(&test, SENSOR_TEST_NOW - 2 * QUERY_HOUR, 2, 9, 700, 40);
    query_add(&test, SENSOR_TEST_NOW, 3, 33, 800, 41);
    const char *body = get("/temp?plain=1");
    assert_int_equal(count_parts(body, "<tr><th scope=\"row\">"), 3);
    assert_non_null(strstr(body, ">Porch</th>"));
    assert_non_null(strstr(body, ">Channel 3, code 33</th>"));
    assert_non_null(strstr(body, "5.5\u00a0°F"));
    assert_null(strstr(body, "1.0\u00a0°F"));
}

static void names_cannot_break_out_of_the_page(void **state)
{
    (void)state;
    query_write_names(&test, "{\"version\":1,\"series\":[{\"id\":\"a\",\"name\":\"<script>\\\"&\","
                             "\"transmitters\":[{\"channel\":1,\"rolling_code\":1,\"from\":null,"
                             "\"to\":null}]}]}");
    query_add(&test, SENSOR_TEST_NOW, 1, 1, 700, 40);
    const char *body = get("/temp?plain=1");
    assert_null(strstr(body, "<script"));
    assert_int_equal(count_parts(body, "&lt;script&gt;&quot;&amp;"), 4); /* legend, row, 2 lines */
}

static void a_page_of_very_many_series_has_its_bounds(void **state)
{
    (void)state;
    for (int code = 0; code < 256; code++)
        query_add(&test, SENSOR_TEST_NOW - code, 1, code, 500 + code, 10 + code % 90);
    const char *body = get("/temp?plain=1&from=5&to=4"); /* these are no parameters of the page */
    assert_int_equal(count_parts(body, "<path class=\"line "), 2 * 24);
    assert_int_equal(count_parts(body, "<tr><th scope=\"row\">"), 200);
    assert_int_equal(count_parts(body, "<p>232 more series are not drawn.</p>"), 1);
    assert_int_equal(count_parts(body, "<p>56 more series are not listed;"), 1);
}

static void a_ninth_line_is_dashed(void **state)
{
    (void)state;
    for (int code = 1; code <= 9; code++)
        query_add(&test, SENSOR_TEST_NOW - code, 1, code, 700 + code, -1);
    const char *body = get("/temp?plain=1");
    assert_int_equal(count_parts(body, "<path class=\"line s0\""), 1);
    assert_int_equal(count_parts(body, "<path class=\"line s0 dashed\""), 1);
    assert_int_equal(count_parts(body, "<span class=\"key s0 dashed\">"), 2);
}

static void a_value_that_holds_is_drawn_until_it_is_stale(void **state)
{
    (void)state;
    query_add(&test, SENSOR_TEST_NOW - QUERY_DAY, 1, 1, 700, -1);
    query_add(&test, SENSOR_TEST_NOW, 1, 1, 700, -1);
    const char *path = strstr(get("/temp?plain=1"), "<path class=\"line s0\" d=\"");
    assert_non_null(path);
    /* Two hours of 24 in 200 buckets. */
    size_t points = 0, begins = 0;
    for (const char *at = strstr(path, "d=\"") + 3; *at != '"'; at++) {
        points += *at == 'L' || *at == 'M';
        begins += *at == 'M';
    }
    assert_int_equal(begins, 2);
    assert_in_range(points, 16, 19);
}

static void the_page_is_another_one_when_a_series_is_named(void **state)
{
    char headers[200];
    (void)state;
    query_add(&test, SENSOR_TEST_NOW, 2, 9, 700, 40);
    get("/temp");
    snprintf(headers, sizeof headers, "If-None-Match: %s\n", test_sink_header(&test.sink, "ETag"));
    assert_int_equal(sensor_app_request(&test, "GET", "/temp", NULL, headers, VIEW_NONE), 304);
    assert_int_equal(sensor_app_request(&test, "GET", "/temp?plain=1", NULL, headers, VIEW_NONE),
                     200);
    query_write_names(&test, query_names);
    assert_int_equal(sensor_app_request(&test, "GET", "/temp", NULL, headers, VIEW_NONE), 200);
}

int main(void)
{
#define STORY(name) cmocka_unit_test_setup_teardown(name, start, stop)
    const struct CMUnitTest tests[] = {
        STORY(the_station_has_its_name_in_the_title_and_the_head),
        STORY(scripts_are_files_of_our_own_and_the_policy_allows_no_others),
        STORY(who_runs_no_script_gets_the_drawing),
        STORY(named_series_have_their_names_and_one_row_for_all_their_batteries),
        STORY(names_cannot_break_out_of_the_page),
        STORY(a_page_of_very_many_series_has_its_bounds),
        STORY(a_ninth_line_is_dashed),
        STORY(a_value_that_holds_is_drawn_until_it_is_stale),
        STORY(the_page_is_another_one_when_a_series_is_named),
    };
    return cmocka_run_group_tests_name("page", tests, NULL, NULL);
}
