/*
 * test_metrics.c - what the registry takes, counts and refuses, and what it renders: Prometheus'
 * own promtool has the last word.
 */
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app/core/metrics_registry.h"
#include "tests/unit/support_metrics.h"

static const double bounds[] = {0.005, 0.1, 1, 2.5};

/* ---- Series ---- */

static void the_same_name_and_labels_are_the_same_series(void **state)
{
    (void)state;
    struct test_registry *r = test_registry_new(100);
    struct metric *a = metrics_counter(r->metrics, "requests_total", "All.", "route=\"/a\"");
    struct metric *b = metrics_counter(r->metrics, "requests_total", "All.", "route=\"/b\"");
    struct metric *g = metrics_gauge(r->metrics, "requests", "Now.", "route=\"/a\"");
    assert_non_null(a);
    assert_ptr_not_equal(a, b);
    assert_ptr_not_equal((void *)a, (void *)g);
    metric_add(a, 5);
    assert_ptr_equal(metrics_counter(r->metrics, "requests_total", "Other help.", "route=\"/a\""),
                     a);
    assert_int_equal(metric_value(a), 5);
    assert_int_equal(metric_value(b), 0);
    assert_int_equal(test_registry_refused(r), 0);
    test_registry_free(r);
}

static void counters_and_gauges_count(void **state)
{
    (void)state;
    struct test_registry *r = test_registry_new(100);
    struct metric *counter = metrics_counter(r->metrics, "c_total", "C.", "");
    struct metric *gauge = metrics_gauge(r->metrics, "g", "G.", "");
    metric_add(counter, 3);
    metric_add(counter, (uint64_t)1 << 40);
    metric_change(gauge, 10);
    metric_change(gauge, -30);
    assert_int_equal(metric_value(counter), ((uint64_t)1 << 40) + 3);
    assert_int_equal(metric_value(gauge), -20);
    metric_set(gauge, -7);
    assert_int_equal(metric_value(gauge), -7);
    assert_string_equal(test_registry_render(r), "# HELP c_total C.\n# TYPE c_total counter\n"
                                                 "c_total 1099511627779\n"
                                                 "# HELP g G.\n# TYPE g gauge\ng -7\n");
    test_registry_free(r);
}

static void a_call_for_another_type_changes_nothing(void **state)
{
    (void)state;
    struct test_registry *r = test_registry_new(100);
    struct metric *counter = metrics_counter(r->metrics, "c_total", "C.", "");
    struct metric *gauge = metrics_gauge(r->metrics, "g", "G.", "");
    struct metric *histogram = metrics_histogram(r->metrics, "h", "H.", "", bounds, 4);
    metric_set(counter, 9);
    metric_change(counter, 9);
    metric_observe(counter, 9);
    metric_add(gauge, 9);
    metric_observe(gauge, 9);
    metric_add(histogram, 9);
    metric_set(histogram, 9);
    metric_change(histogram, 9);
    assert_int_equal(metric_value(counter), 0);
    assert_int_equal(metric_value(gauge), 0);
    assert_int_equal(metric_value(histogram), 0);
    test_registry_free(r);
}

static void null_is_ignored_everywhere(void **state)
{
    (void)state;
    metric_add(NULL, 1);
    metric_change(NULL, 1);
    metric_set(NULL, 1);
    metric_observe(NULL, 1);
    assert_int_equal(metric_value(NULL), 0);
    assert_null(metrics_counter(NULL, "c_total", "C.", ""));
    assert_null(metrics_create(NULL, 10));
}

/* ---- Histograms ---- */

static void observations_fall_into_their_buckets(void **state)
{
    (void)state;
    struct test_registry *r = test_registry_new(100);
    struct metric *h = metrics_histogram(r->metrics, "h_seconds", "H.", "route=\"/a\"", bounds, 4);
    static const double observed[] = {-1, 0.005, 0.0051, 0.1, 1, 2.5, 2.6, 1000};
    double sum = 0;
    for (size_t i = 0; i < sizeof observed / sizeof observed[0]; i++) {
        metric_observe(h, observed[i]);
        sum += observed[i];
    }
    /* What would spoil the sum for ever is left out. */
    metric_observe(h, NAN);
    metric_observe(h, INFINITY);
    metric_observe(h, -INFINITY);
    assert_int_equal(metric_value(h), 8);
    char expected[1000];
    snprintf(expected, sizeof expected,
             "# HELP h_seconds H.\n# TYPE h_seconds histogram\n"
             "h_seconds_bucket{route=\"/a\",le=\"0.005\"} 2\n"
             "h_seconds_bucket{route=\"/a\",le=\"0.1\"} 4\n"
             "h_seconds_bucket{route=\"/a\",le=\"1\"} 5\n"
             "h_seconds_bucket{route=\"/a\",le=\"2.5\"} 6\n"
             "h_seconds_bucket{route=\"/a\",le=\"+Inf\"} 8\n"
             "h_seconds_sum{route=\"/a\"} %.8g\nh_seconds_count{route=\"/a\"} 8\n",
             sum);
    assert_string_equal(test_registry_render(r), expected);
    test_registry_free(r);
}

static void a_histogram_needs_no_labels_and_no_bounds(void **state)
{
    (void)state;
    struct test_registry *r = test_registry_new(100);
    metric_observe(metrics_histogram(r->metrics, "h", "H.", "", NULL, 0), 0.5);
    assert_string_equal(test_registry_render(r),
                        "# HELP h H.\n# TYPE h histogram\nh_bucket{le=\"+Inf\"} 1\n"
                        "h_sum 0.5\nh_count 1\n");
    test_registry_free(r);
}

static void bounds_must_ascend_and_stay_the_same(void **state)
{
    (void)state;
    static const double equal[] = {1, 1}, falling[] = {2, 1}, infinite[] = {1, INFINITY},
                        other[] = {0.005, 0.1, 1, 2.6};
    static double many[METRICS_MAX_BOUNDS + 1];
    for (size_t i = 0; i <= METRICS_MAX_BOUNDS; i++)
        many[i] = (double)i;
    struct test_registry *r = test_registry_new(100);
    assert_null(metrics_histogram(r->metrics, "h", "H.", "", equal, 2));
    assert_null(metrics_histogram(r->metrics, "h", "H.", "", falling, 2));
    assert_null(metrics_histogram(r->metrics, "h", "H.", "", infinite, 2));
    assert_null(metrics_histogram(r->metrics, "h", "H.", "", NULL, 2));
    assert_null(metrics_histogram(r->metrics, "h", "H.", "", many, METRICS_MAX_BOUNDS + 1));
    assert_non_null(metrics_histogram(r->metrics, "m", "M.", "", many, METRICS_MAX_BOUNDS));
    assert_non_null(metrics_histogram(r->metrics, "h", "H.", "", bounds, 4));
    assert_null(metrics_histogram(r->metrics, "h", "H.", "a=\"b\"", bounds, 3));
    assert_null(metrics_histogram(r->metrics, "h", "H.", "a=\"b\"", other, 4));
    assert_non_null(metrics_histogram(r->metrics, "h", "H.", "a=\"b\"", bounds, 4));
    assert_int_equal(test_registry_refused(r), 7);
    test_registry_free(r);
}

/* ---- What is refused ---- */

static void names_and_labels_follow_the_grammar(void **state)
{
    (void)state;
    static const char *const bad_names[] = {"", "1a", "a-b", "a b", "a{", "\xC3\xBC", "a\n"};
    static const char *const bad_labels[] = {"a",
                                             "a=",
                                             "a=b",
                                             "a=\"b",
                                             "a=\"b\",",
                                             ",a=\"b\"",
                                             "a=\"b\" ",
                                             "a=\"b\"c=\"d\"",
                                             "1=\"b\"",
                                             "a:b=\"c\"",
                                             "a=\"\n\"",
                                             "a=\"\\x\"",
                                             "a=\"\\\"",
                                             "=\"b\"",
                                             "a=\"b\",a=\"c\"",
                                             "a=\"\xFF\"",
                                             "a=\"b\",,b=\"c\"",
                                             "a=\"1\",b=\"2\",a=\"3\"",
                                             "a=\"b\\"};
    static const char *const good_labels[] = {"",
                                              "a=\"\"",
                                              "a=\"b\",c=\"d\"",
                                              "_a1=\"\\\\\\\"\\n\"",
                                              "a=\"a=\",b=\"c,d=\\\"\"",
                                              "a=\"caf\xC3\xA9 {}\""};
    struct test_registry *r = test_registry_new(100);
    for (size_t i = 0; i < sizeof bad_names / sizeof bad_names[0]; i++)
        assert_null(metrics_counter(r->metrics, bad_names[i], "X.", ""));
    for (size_t i = 0; i < sizeof bad_labels / sizeof bad_labels[0]; i++)
        if (metrics_counter(r->metrics, "x_total", "X.", bad_labels[i]))
            fail_msg("{%s} was taken", bad_labels[i]);
    for (size_t i = 0; i < sizeof good_labels / sizeof good_labels[0]; i++)
        if (!metrics_counter(r->metrics, "x:total", "X.", good_labels[i]))
            fail_msg("{%s} was refused", good_labels[i]);
    assert_null(metrics_histogram(r->metrics, "h", "H.", "le=\"1\"", bounds, 4));
    assert_non_null(metrics_gauge(r->metrics, "g", "G.", "le=\"1\""));
    assert_int_equal(test_registry_refused(r), sizeof bad_names / sizeof bad_names[0] +
                                                   sizeof bad_labels / sizeof bad_labels[0] + 1);
    test_registry_free(r);
}

/* `start`, as many x as make it `length` bytes in all, `end`. */
static void fill(char *to, const char *start, size_t length, const char *end)
{
    struct view first = view_of(start), last = view_of(end);
    memset(to, 'x', length);
    memcpy(to, first.data, first.length);
    memcpy(to + length - last.length, last.data, last.length);
    to[length] = '\0';
}

static void texts_have_their_limits(void **state)
{
    (void)state;
    struct test_registry *r = test_registry_new(100);
    char name[METRICS_MAX_NAME + 2], help[METRICS_MAX_HELP + 2], labels[METRICS_MAX_LABELS + 2];
    for (size_t over = 0; over < 2; over++) {
        fill(name, "", METRICS_MAX_NAME + over, "");
        assert_int_equal(!metrics_counter(r->metrics, name, "N.", ""), over);
        fill(help, "", METRICS_MAX_HELP + over, "");
        assert_int_equal(!metrics_counter(r->metrics, over ? "hb" : "ha", help, ""), over);
        fill(labels, "l=\"", METRICS_MAX_LABELS + over, "\"");
        assert_int_equal(!metrics_counter(r->metrics, "l", "L.", labels), over);
    }
    assert_int_equal(test_registry_refused(r), 3);
    test_registry_free(r);
}

static void one_name_has_one_type(void **state)
{
    (void)state;
    struct test_registry *r = test_registry_new(100);
    assert_non_null(metrics_counter(r->metrics, "x", "X.", ""));
    assert_null(metrics_gauge(r->metrics, "x", "X.", ""));
    assert_null(metrics_gauge(r->metrics, "x", "X.", "a=\"b\""));
    assert_null(metrics_histogram(r->metrics, "x", "X.", "a=\"b\"", bounds, 4));
    assert_int_equal(test_registry_refused(r), 3);
    test_registry_free(r);
}

static void a_registry_holds_what_it_was_made_for(void **state)
{
    (void)state;
    enum { MOST = 50 };
    struct test_registry *r = test_registry_new(MOST);
    char name[METRICS_MAX_NAME + 1], help[METRICS_MAX_HELP + 1], labels[METRICS_MAX_LABELS + 1],
        end[12];
    fill(help, "", METRICS_MAX_HELP, "");
    fill(labels, "l=\"", METRICS_MAX_LABELS, "\"");
    /* Each in a family of its own, with the longest texts there are. */
    for (int i = 0; i < MOST; i++) {
        snprintf(end, sizeof end, "%d", i);
        fill(name, "", METRICS_MAX_NAME, end);
        assert_non_null(metrics_counter(r->metrics, name, help, labels));
    }
    assert_null(metrics_counter(r->metrics, "one_more", "X.", ""));
    assert_int_equal(test_registry_refused(r), 1);
    /* What is there is still found. */
    assert_non_null(metrics_counter(r->metrics, name, help, labels));
    test_registry_free(r);
}

static void a_histogram_takes_its_share(void **state)
{
    (void)state;
    /* 5 buckets and two more. */
    struct test_registry *r = test_registry_new(21);
    assert_non_null(metrics_histogram(r->metrics, "h", "H.", "a=\"1\"", bounds, 4));
    assert_non_null(metrics_histogram(r->metrics, "h", "H.", "a=\"2\"", bounds, 4));
    assert_non_null(metrics_counter(r->metrics, "c", "C.", ""));
    assert_null(metrics_histogram(r->metrics, "h", "H.", "a=\"3\"", bounds, 4));
    for (int i = 0; i < 6; i++) {
        char labels[16];
        snprintf(labels, sizeof labels, "n=\"%d\"", i);
        assert_non_null(metrics_counter(r->metrics, "c", "C.", labels));
    }
    assert_null(metrics_counter(r->metrics, "c", "C.", "n=\"7\""));
    test_registry_free(r);
}

/* ---- Rendering ---- */

static void families_stay_together(void **state)
{
    (void)state;
    struct test_registry *r = test_registry_new(100);
    metrics_counter(r->metrics, "a_total", "A.", "n=\"1\"");
    metrics_counter(r->metrics, "b_total", "B\\\n2.", "n=\"1\"");
    metrics_gauge(r->metrics, "c", "", "");
    metrics_counter(r->metrics, "b_total", "B.", "n=\"2\"");
    metrics_counter(r->metrics, "a_total", "A.", "n=\"2\"");
    assert_string_equal(test_registry_render(r),
                        "# HELP a_total A.\n# TYPE a_total counter\n"
                        "a_total{n=\"1\"} 0\na_total{n=\"2\"} 0\n"
                        "# HELP b_total B\\\\\\n2.\n# TYPE b_total counter\n"
                        "b_total{n=\"1\"} 0\nb_total{n=\"2\"} 0\n"
                        "# TYPE c gauge\nc 0\n");
    test_registry_free(r);
}

static void a_buffer_too_small_is_an_error(void **state)
{
    (void)state;
    struct test_registry *r = test_registry_new(100);
    metrics_counter(r->metrics, "a_total", "A.", "n=\"1\"");
    struct buffer small;
    buffer_init(&small, 50);
    assert_int_equal(metrics_render(r->metrics, &small), HEARTH_BODY_TOO_LARGE);
    buffer_clean(&small);
    test_registry_free(r);
}

static void labels_are_escaped(void **state)
{
    (void)state;
    char labels[METRICS_MAX_LABELS + 1] = "";
    assert_true(metrics_label(labels, sizeof labels, "route", VIEW("/a\"b\\c\nd")));
    assert_true(metrics_label(labels, sizeof labels, "name", VIEW("caf\xC3\xA9\xFF\0")));
    assert_true(metrics_label(labels, sizeof labels, "empty", VIEW_NONE));
    assert_string_equal(labels, "route=\"/a\\\"b\\\\c\\nd\",name=\"caf\xC3\xA9\xEF\xBF\xBD"
                                "\xEF\xBF\xBD\",empty=\"\"");
    struct test_registry *r = test_registry_new(100);
    assert_non_null(metrics_counter(r->metrics, "x_total", "X.", labels));
    test_registry_free(r);
}

static void a_label_that_does_not_fit_leaves_the_others(void **state)
{
    (void)state;
    char labels[32];
    for (size_t size = 1; size <= sizeof labels; size++) {
        labels[0] = '\0';
        bool first = metrics_label(labels, size, "a", VIEW("1"));
        assert_int_equal(first, size > strlen("a=\"1\""));
        char before[32];
        memcpy(before, labels, sizeof before);
        bool second = first && metrics_label(labels, size, "b", VIEW("\"\n"));
        assert_int_equal(second, size > strlen("a=\"1\",b=\"\\\"\\n\""));
        if (!second)
            assert_string_equal(labels, before);
    }
}

/* Does a shell's PATH have it? */
static bool find_program(const char *name, char *found, size_t size)
{
    struct view rest = view_of(getenv("PATH"));
    while (rest.data) {
        struct view place = view_split(&rest, ':');
        snprintf(found, size, "%.*s/%s", VIEW_ARGUMENTS(place), name);
        if (access(found, X_OK) == 0)
            return true;
    }
    return false;
}

/* Gives `input` to promtool; true when it is content. Its complaints go to `complaints`. */
static bool promtool_likes(const char *promtool, struct view input, int complaints)
{
    int ends[2], status;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[0], STDIN_FILENO);
        dup2(complaints, STDOUT_FILENO);
        dup2(complaints, STDERR_FILENO);
        close(ends[0]);
        close(ends[1]);
        execl(promtool, "promtool", "check", "metrics", (char *)NULL);
        _exit(127);
    }
    close(ends[0]);
    while (input.length > 0) {
        ssize_t written = write(ends[1], input.data, input.length);
        assert_true(written > 0);
        input = view_skip(input, (size_t)written);
    }
    close(ends[1]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) != 127);
    return WEXITSTATUS(status) == 0;
}

static void promtool_finds_nothing_to_say(void **state)
{
    (void)state;
    char promtool[1024];
    if (!find_program("promtool", promtool, sizeof promtool)) {
        if (getenv("CI"))
            fail_msg("promtool is missing, and CI must have it");
        print_message("[  NOTE    ] no promtool in PATH\n");
        skip();
    }
    struct test_registry *r = test_registry_new(1000);
    for (int i = 0; i < 5; i++) {
        char labels[METRICS_MAX_LABELS + 1] = "", odd[] = {'"', '\\', '\n', (char)(0xFF - i), 0};
        assert_true(metrics_label(labels, sizeof labels, "odd", view_of(odd)));
        assert_true(
            metrics_label(labels, sizeof labels, "n", view_slice(VIEW("01234"), (size_t)i, 1)));
        metric_add(metrics_counter(r->metrics, "hearth_x_total", "Things \\ with\nmore.", labels),
                   (uint64_t)i);
        metric_set(metrics_gauge(r->metrics, "hearth_now", "Just now.", labels), -i);
        struct metric *h = metrics_histogram(r->metrics, "hearth_request_duration_seconds",
                                             "Time to answer.", labels, bounds, 4);
        for (int k = 0; k < 100; k++)
            metric_observe(h, i * k / 77.0);
    }
    test_registry_render(r);
    r->text.length--; /* the NUL */
    assert_true(promtool_likes(promtool, buffer_view(&r->text), STDERR_FILENO));
    /* It would have said so. */
    int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    struct view twice = VIEW("a_total{b=\"1\"} 1\na_total{b=\"1\"} 2\n");
    assert_false(promtool_likes(promtool, twice, nowhere));
    close(nowhere);
    test_registry_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_name_and_labels_are_the_same_series),
        cmocka_unit_test(counters_and_gauges_count),
        cmocka_unit_test(a_call_for_another_type_changes_nothing),
        cmocka_unit_test(null_is_ignored_everywhere),
        cmocka_unit_test(observations_fall_into_their_buckets),
        cmocka_unit_test(a_histogram_needs_no_labels_and_no_bounds),
        cmocka_unit_test(bounds_must_ascend_and_stay_the_same),
        cmocka_unit_test(names_and_labels_follow_the_grammar),
        cmocka_unit_test(texts_have_their_limits),
        cmocka_unit_test(one_name_has_one_type),
        cmocka_unit_test(a_registry_holds_what_it_was_made_for),
        cmocka_unit_test(a_histogram_takes_its_share),
        cmocka_unit_test(families_stay_together),
        cmocka_unit_test(a_buffer_too_small_is_an_error),
        cmocka_unit_test(labels_are_escaped),
        cmocka_unit_test(a_label_that_does_not_fit_leaves_the_others),
        cmocka_unit_test(promtool_finds_nothing_to_say),
    };
    return cmocka_run_group_tests_name("metrics", tests, NULL, NULL);
}
