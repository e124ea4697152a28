/*
 * support_stories.c - a module whose handlers do all that handlers do, and all that they should
 * not.
 */
#include "tests/unit/support_stories.h"

#include "hearth/limits.h"

struct app_case stories_case;
sem_t stories_slow_entered, stories_slow_go;

static enum hearth_error hello(const struct request *request, struct response *response,
                               void *state)
{
    (void)request;
    (void)state;
    clock_manual_advance_ms(&stories_case.clock, 12);
    return response_send(response, 200, VIEW("text/plain"), VIEW("hello"));
}

static enum hearth_error greet(const struct request *request, struct response *response,
                               void *state)
{
    struct view name = request_parameter(request, "name");
    (void)state;
    return response_write_format(response, "hello %.*s", VIEW_ARGUMENTS(name));
}

static enum hearth_error echo(const struct request *request, struct response *response, void *state)
{
    struct buffer body;
    (void)state;
    buffer_init(&body, 1 << 20);
    enum hearth_error result = body_read_all(request->body, &body);
    if (result == HEARTH_OK)
        result = response_send(response, 200, VIEW("text/plain"), buffer_view(&body));
    buffer_clean(&body);
    return result;
}

static enum hearth_error failing(const struct request *request, struct response *response,
                                 void *state)
{
    (void)state;
    (void)response;
    uint64_t code = 0;
    assert_true(view_to_uint64(request_query(request, "code"), &code));
    if (request_query(request, "secret").data)
        return request_fail_internal(request, (enum hearth_error)code, 5, "a secret path");
    return request_fail(request, (enum hearth_error)code, "for the client");
}

static enum hearth_error half_said(const struct request *request, struct response *response,
                                   void *state)
{
    (void)request;
    (void)state;
    enum hearth_error result = response_set_header(response, VIEW("X-Half"), VIEW("said"));
    if (result == HEARTH_OK)
        result = response_write(response, VIEW("the beginning of an answer"));
    return result == HEARTH_OK ? HEARTH_DISK_FULL : result;
}

static enum hearth_error broken_off(const struct request *request, struct response *response,
                                    void *state)
{
    static char large[LIMIT_RESPONSE_HOLD + 1];
    (void)request;
    (void)state;
    enum hearth_error result = response_write(response, view_from(large, sizeof large));
    return result == HEARTH_OK ? request_fail_internal(request, HEARTH_IO, 0, "half way") : result;
}

static enum hearth_error too_short(const struct request *request, struct response *response,
                                   void *state)
{
    (void)request;
    (void)state;
    enum hearth_error result = response_set_length(response, 10);
    return result == HEARTH_OK ? response_write(response, VIEW("short")) : result;
}

static enum hearth_error late(const struct request *request, struct response *response, void *state)
{
    (void)request;
    (void)state;
    enum hearth_error result = response_send(response, 200, VIEW("text/plain"), VIEW("done"));
    return result == HEARTH_OK ? HEARTH_CORRUPT : result;
}

static enum hearth_error gone(const struct request *request, struct response *response, void *state)
{
    (void)request;
    (void)response;
    (void)state;
    return HEARTH_CLIENT_GONE;
}

static enum hearth_error giving_up(const struct request *request, struct response *response,
                                   void *state)
{
    (void)request;
    (void)state;
    response_abort(response);
    return HEARTH_OK;
}

static enum hearth_error slow(const struct request *request, struct response *response, void *state)
{
    (void)request;
    (void)state;
    sem_post(&stories_slow_entered);
    sem_wait(&stories_slow_go);
    return response_send(response, 200, VIEW("text/plain"), VIEW("at last"));
}

/* More than any socket is sure to take at once. */
static enum hearth_error large(const struct request *request, struct response *response,
                               void *state)
{
    static const char body[STORIES_LARGE_BYTES];
    (void)request;
    (void)state;
    return response_send(response, 200, VIEW("text/plain"), view_from(body, sizeof body));
}

static enum hearth_error own_headers(const struct request *request, struct response *response,
                                     void *state)
{
    static const struct pair headers[] = {
        {{"X-Request-Id", 12}, {"the upstream's", 14}},
        {{"x-content-type-options", 22}, {"none", 4}},
        {{"Access-Control-Allow-Origin", 27}, {"https://upstream", 16}},
        {{"Access-Control-Allow-Credentials", 32}, {"true", 4}},
        {{"X-Kept-Header", 13}, {"kept", 4}},
        {{"TraceResponse", 13}, {"the upstream's", 14}},
    };
    (void)request;
    (void)state;
    enum hearth_error result = HEARTH_OK;
    for (size_t i = 0; i < sizeof headers / sizeof headers[0] && result == HEARTH_OK; i++)
        result = response_add_header(response, headers[i].name, headers[i].value);
    return result;
}

static const struct route routes[] = {
    {"GET", "/hello", hello, ROUTE_API, BULKHEAD_NONE},
    {"GET", "/hello/{name}", greet, ROUTE_PAGE, BULKHEAD_NONE},
    {"POST", "/echo", echo, ROUTE_API, BULKHEAD_NONE},
    {"POST", "/ignore", hello, ROUTE_API, BULKHEAD_NONE},
    {"GET", "/fail", failing, ROUTE_API, BULKHEAD_NONE},
    {"GET", "/page", failing, ROUTE_PAGE, BULKHEAD_NONE},
    {"GET", "/half", half_said, ROUTE_API, BULKHEAD_NONE},
    {"GET", "/broken", broken_off, ROUTE_API, BULKHEAD_NONE},
    {"GET", "/short", too_short, ROUTE_API, BULKHEAD_NONE},
    {"GET", "/late", late, ROUTE_API, BULKHEAD_NONE},
    {"GET", "/gone", gone, ROUTE_API, BULKHEAD_NONE},
    {"GET", "/giving-up", giving_up, ROUTE_API, BULKHEAD_NONE},
    {"GET", "/slow", slow, ROUTE_API, BULKHEAD_SLOW},
    {"GET", "/password", slow, ROUTE_API, BULKHEAD_PASSWORD},
    {"GET", "/bulk/large", large, ROUTE_API, BULKHEAD_BULK},
    {"GET", "/bulk/{name}", greet, ROUTE_API, BULKHEAD_BULK},
    {"*", "/any", own_headers, ROUTE_API, BULKHEAD_NONE},
};

const struct module stories_module = {
    .name = "stories", .routes = routes, .route_count = sizeof routes / sizeof routes[0]};
const struct module *const stories_modules[] = {&stories_module, NULL};

void stories_start(const char *config)
{
    sem_init(&stories_slow_entered, 0, 0);
    sem_init(&stories_slow_go, 0, 0);
    app_case_start(&stories_case, stories_modules, config, STORIES_THREADS);
}

void stories_stop(void)
{
    app_case_stop(&stories_case);
    sem_destroy(&stories_slow_entered);
    sem_destroy(&stories_slow_go);
}

void stories_expect_logged(const char *key, const char *expected)
{
    struct json_object *line = app_case_log(&stories_case);
    const char *value = app_case_logged(line, key);
    if (!expected)
        assert_null(value);
    else if (!value)
        fail_msg("no %s in the log, expected %s", key, expected);
    else
        assert_string_equal(value, expected);
    json_object_put(line);
}
