/*
 * support_dispatch.c - an app over modules of a test's own. The log goes to a file, which is read
 * as what it is: a JSON object a line.
 */
#include "tests/unit/support_dispatch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hearth/limits.h"

enum { MAX_LOG_BYTES = 16 << 20, MAX_PATH_BYTES = 512 };

static void file_path(const struct app_case *test, const char *name, char path[MAX_PATH_BYTES])
{
    int length = snprintf(path, MAX_PATH_BYTES, "%s/%s", test->directory, name);
    assert_in_range(length, 1, MAX_PATH_BYTES - 1);
}

static void load_config(struct app_case *test, const struct module *const *modules,
                        const char *config)
{
    char path[MAX_PATH_BYTES];
    struct buffer text;
    struct config_problems problems;
    file_path(test, "hearth.conf", path);
    buffer_init(&text, 65536);
    buffer_append_format(&text, "state: { directory = \"%s/state\"; };\n%s\n", test->directory,
                         config);
    test_write_file(path, buffer_view(&text));
    buffer_clean(&text);
    enum hearth_error result = app_config_load(modules, path, &test->config, &problems);
    if (result != HEARTH_OK)
        fail_msg("%s: %s %s", error_name(result), problems.count ? problems.items[0].key : "",
                 problems.count ? problems.items[0].what : "");
    config_problems_clean(&problems);
}

static void begin_log(const struct app_case *test)
{
    char path[MAX_PATH_BYTES];
    file_path(test, "log", path);
    struct log_options options = {.level = LOG_LEVEL_INFO, .format = LOG_FORMAT_JSON, .file = path};
    assert_int_equal(log_configure(&options), HEARTH_OK);
}

void app_case_start(struct app_case *test, const struct module *const *modules, const char *config,
                    size_t threads)
{
    *test = (struct app_case){.directory = test_directory_make()};
    clock_manual_init(&test->clock, 1757873091500);
    test_sink_init(&test->sink);
    load_config(test, modules, config);
    begin_log(test);
    test->metrics_memory = calloc(1, metrics_size(LIMIT_METRIC_SERIES));
    test->metrics = metrics_create(test->metrics_memory, LIMIT_METRIC_SERIES);
    assert_non_null(test->metrics);
    struct app_options options = {.modules = modules,
                                  .config = test->config,
                                  .clock = &test->clock.clock,
                                  .metrics = test->metrics,
                                  .threads = threads};
    struct error_record error;
    if (app_start(&options, &test->app, &error) != HEARTH_OK)
        fail_msg("the app does not start: %s", error.detail);
}

void app_case_stop(struct app_case *test)
{
    struct log_options options = {.level = LOG_LEVEL_INFO, .format = LOG_FORMAT_JSON};
    app_stop(test->app);
    config_free(test->config);
    free(test->metrics_memory);
    test_sink_clean(&test->sink);
    assert_int_equal(log_configure(&options), HEARTH_OK); /* closes the file */
    test_directory_remove(test->directory);
}

int app_case_send(struct app_case *test, const struct test_request *request)
{
    test_sink_clean(&test->sink);
    test_sink_init(&test->sink);
    test_app_request(test->app, request, &test->sink);
    /* However a request goes, its sink has one end. */
    assert_int_equal(test->sink.finishes + test->sink.aborts, 1);
    return test->sink.status;
}

int app_case_ask(struct app_case *test, const char *method, const char *target, const char *headers)
{
    struct test_request request = {.method = method, .target = target, .headers = headers};
    return app_case_send(test, &request);
}

/* ---- The log ---- */

static void read_log(const struct app_case *test, struct buffer *text)
{
    char path[MAX_PATH_BYTES];
    file_path(test, "log", path);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    buffer_init(text, MAX_LOG_BYTES);
    size_t got = 0;
    do {
        char *to = buffer_reserve(text, 65536);
        assert_non_null(to);
        got = fread(to, 1, 65536, file);
        text->length += got;
    } while (got > 0);
    fclose(file);
}

/* Counts the lines of an event; the last of them into `*last`, unless NULL. */
static size_t scan_log(const struct app_case *test, const char *event, struct json_object **last)
{
    struct buffer text;
    size_t count = 0;
    read_log(test, &text);
    struct view rest = buffer_view(&text);
    while (rest.length > 0) {
        struct view line = view_split(&rest, '\n');
        struct json_tokener *tokener = json_tokener_new();
        struct json_object *object = json_tokener_parse_ex(tokener, line.data, (int)line.length);
        json_tokener_free(tokener);
        if (!object)
            fail_msg("not JSON: %.*s", VIEW_ARGUMENTS(line));
        const char *name = app_case_logged(object, "event");
        bool wanted = name && strcmp(name, event) == 0;
        count += wanted;
        if (wanted && last) {
            json_object_put(*last);
            *last = object;
        } else {
            json_object_put(object);
        }
    }
    buffer_clean(&text);
    return count;
}

struct json_object *app_case_log(const struct app_case *test)
{
    struct json_object *last = NULL;
    scan_log(test, "request", &last);
    assert_non_null(last);
    return last;
}

const char *app_case_logged(struct json_object *line, const char *key)
{
    struct json_object *value;
    return json_object_object_get_ex(line, key, &value) ? json_object_get_string(value) : NULL;
}

size_t app_case_count_log(const struct app_case *test, const char *event)
{
    return scan_log(test, event, NULL);
}

/* ---- Metrics ---- */

double app_case_metric(const struct app_case *test, const char *series)
{
    struct buffer text;
    double value = -1;
    buffer_init(&text, MAX_LOG_BYTES);
    assert_int_equal(metrics_render(test->metrics, &text), HEARTH_OK);
    assert_int_equal(buffer_append_byte(&text, '\0'), HEARTH_OK);
    struct view rest = buffer_view(&text), name = view_of(series);
    while (rest.length > 0) {
        struct view line = view_split(&rest, '\n');
        if (view_starts_with(line, name) && line.length > name.length &&
            line.data[name.length] == ' ')
            value = strtod(line.data + name.length, NULL);
    }
    buffer_clean(&text);
    return value;
}
