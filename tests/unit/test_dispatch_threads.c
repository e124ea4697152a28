/*
 * test_dispatch_threads.c - one app, many threads: every answer belongs to its request, every count
 * is right, and the thread sanitizer has nothing to say.
 */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "support_dispatch.h"

enum { THREADS = 8, REQUESTS = 400 };

static struct app_case test;

static enum hearth_error named(const struct request *request, struct response *response,
                               void *state)
{
    struct view name = request_parameter(request, "name");
    (void)state;
    return response_write_format(response, "%.*s/%.*s", VIEW_ARGUMENTS(name),
                                 VIEW_ARGUMENTS(request_query(request, "n")));
}

static enum hearth_error echo(const struct request *request, struct response *response, void *state)
{
    char piece[64];
    size_t length;
    enum hearth_error result;
    (void)state;
    while ((result = body_read(request->body, piece, sizeof piece, &length)) == HEARTH_OK && length)
        if ((result = response_write(response, view_from(piece, length))) != HEARTH_OK)
            return result;
    return result;
}

static const struct route routes[] = {
    {"GET", "/named/{name}", named, ROUTE_API, BULKHEAD_NONE},
    {"GET", "/slow/{name}", named, ROUTE_API, BULKHEAD_SLOW},
    {"POST", "/echo", echo, ROUTE_API, BULKHEAD_NONE},
};
static const struct module module = {.name = "threads", .routes = routes, .route_count = 3};
static const struct module *const modules[] = {&module, NULL};

struct asker {
    pthread_t thread;
    size_t number;
    size_t answered, refused, wrong;
};

struct asked {
    struct test_sink sink;
    struct test_request request;
    char target[64], expected[64];
    int status;
};

/* One of five kinds of request, with what its answer must be. */
static void prepare(struct asked *asked, size_t number, size_t i)
{
    asked->request = (struct test_request){.method = "GET", .target = asked->target};
    asked->status = 200;
    snprintf(asked->expected, sizeof asked->expected, "t%zu/%zu", number, i);
    snprintf(asked->target, sizeof asked->target, "/named/t%zu?n=%zu", number, i);
    switch (i % 5) {
    case 1:
        snprintf(asked->target, sizeof asked->target, "/slow/t%zu?n=%zu", number, i);
        break;
    case 2:
        snprintf(asked->target, sizeof asked->target, "/echo");
        asked->request.method = "POST";
        asked->request.body = view_of(asked->expected);
        break;
    case 3:
        snprintf(asked->target, sizeof asked->target, "/nowhere/%zu", i);
        asked->status = 404;
        break;
    case 4:
        snprintf(asked->target, sizeof asked->target, "/%%2e%%2e/%zu", i);
        asked->status = 400;
        break;
    default:
        break;
    }
}

static void judge(struct asker *asker, struct asked *asked, size_t i)
{
    bool refused = i % 5 == 1 && asked->sink.status == 503;
    bool body_fits = asked->sink.status != 200 ||
                     view_equal(buffer_view(&asked->sink.body), view_of(asked->expected));
    if (refused)
        asker->refused++;
    else if (asked->sink.status != asked->status || !body_fits || asked->sink.finishes != 1)
        asker->wrong++;
    else
        asker->answered++;
}

static void *ask(void *context)
{
    struct asker *asker = context;
    for (size_t i = 0; i < REQUESTS; i++) {
        struct asked asked;
        prepare(&asked, asker->number, i);
        test_sink_init(&asked.sink);
        test_app_request(test.app, &asked.request, &asked.sink);
        judge(asker, &asked, i);
        test_sink_clean(&asked.sink);
    }
    return NULL;
}

static void many_threads_ask_one_app(void **state)
{
    (void)state;
    struct asker askers[THREADS];
    size_t answered = 0, refused = 0;
    for (size_t i = 0; i < THREADS; i++) {
        askers[i] = (struct asker){.number = i};
        assert_int_equal(pthread_create(&askers[i].thread, NULL, ask, &askers[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        pthread_join(askers[i].thread, NULL);
        assert_int_equal(askers[i].wrong, 0);
        answered += askers[i].answered;
        refused += askers[i].refused;
    }
    assert_int_equal(answered + refused, THREADS * REQUESTS);
    const struct {
        const char *series;
        size_t value;
    } expected[] = {
        {"hearth_requests_total{route=\"/named/{name}\",method=\"GET\",status=\"2xx\"}",
         THREADS * REQUESTS / 5},
        {"hearth_requests_total{route=\"/slow/{name}\",method=\"GET\",status=\"2xx\"}",
         THREADS * REQUESTS / 5 - refused},
        {"hearth_requests_total{route=\"/echo\",method=\"POST\",status=\"2xx\"}",
         THREADS * REQUESTS / 5},
        {"hearth_requests_total{route=\"unmatched\",method=\"GET\",status=\"4xx\"}",
         2 * THREADS * REQUESTS / 5},
        {"hearth_errors_total{reason=\"BAD_PATH\"}", THREADS * REQUESTS / 5},
        {"hearth_requests_in_flight", 0},
    };
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++)
        assert_int_equal((size_t)app_case_metric(&test, expected[i].series), expected[i].value);
    assert_int_equal(app_case_count_log(&test, "request"), THREADS * REQUESTS);
}

static int set_up(void **state)
{
    (void)state;
    app_case_start(&test, modules, "", THREADS);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    app_case_stop(&test);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(many_threads_ask_one_app, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("dispatch_threads", tests, NULL, NULL);
}
