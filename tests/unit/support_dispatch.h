/*
 * support_dispatch.h - an app over modules of a test's own: started from a configuration given as
 * text, asked, and its log read back.
 */
#ifndef TESTS_SUPPORT_DISPATCH_H
#define TESTS_SUPPORT_DISPATCH_H

#include <json-c/json.h>

#include "support.h"

struct app_case {
    char *directory; /* state.directory, and where the log is */
    struct clock_manual clock;
    struct config *config;
    void *metrics_memory;
    struct metrics *metrics;
    struct app *app;
    struct test_sink sink; /* of the last request */
};

/* Starts the app; `config` is appended to lines that name the directories. Fails the test when it
 * does not start. */
void app_case_start(struct app_case *test, const struct module *const *modules, const char *config,
                    size_t threads);
void app_case_stop(struct app_case *test);

/* One request; the answer is in test->sink. Gives back the status. */
int app_case_ask(struct app_case *test, const char *method, const char *target,
                 const char *headers);
int app_case_send(struct app_case *test, const struct test_request *request);

/* The last line of the log that is a "request"; the caller puts it. */
struct json_object *app_case_log(const struct app_case *test);
/* A member of it as text, or NULL. */
const char *app_case_logged(struct json_object *line, const char *key);
/* How many lines with that event there are. */
size_t app_case_count_log(const struct app_case *test, const char *event);

/* The value of a series as /metrics shows it, or -1: `hearth_errors_total{reason="IO"}`. */
double app_case_metric(const struct app_case *test, const char *series);

#endif
