/*
 * support_sensor.c - the sensor module in an app, over a store in memory.
 */
#include "tests/unit/support_sensor.h"

#include "handlers/sensor/sensor.h"
#include "tests/unit/support_chance.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Whose store the module takes; a test program runs one app at a time. */
static struct memory_readings *current;

static enum hearth_error start(const struct services *services, void **state,
                               struct error_record *error)
{
    struct sensor *sensor;
    enum hearth_error failed = sensor_new(services, &current->store, &sensor, error);
    *state = sensor;
    return failed;
}

static void stop(void *state)
{
    sensor_free(state);
}

static struct module module = {.name = "sensor", .start = start, .stop = stop};
static const struct module *const modules[] = {&module, NULL};

static void write_config(struct sensor_app *test, const char *settings, char *path, size_t size)
{
    char text[4096];
    int length = snprintf(text, sizeof text, "state: { directory = \"%s\"; };\n%s\n",
                          test->directory, settings ? settings : "");
    assert_in_range(length, 1, sizeof text - 1);
    snprintf(path, size, "%s/hearth.conf", test->directory);
    test_write_file(path, view_of(text));
}

static void load_config(struct sensor_app *test, const char *settings)
{
    char path[600];
    struct config_problems problems = {0};
    write_config(test, settings, path, sizeof path);
    enum hearth_error error = app_config_load(modules, path, &test->config, &problems);
    for (size_t i = 0; i < problems.count; i++)
        print_message("%s: %s %s\n", problems.items[i].where, problems.items[i].key,
                      problems.items[i].what);
    config_problems_clean(&problems);
    assert_int_equal(error, HEARTH_OK);
}

static void make_token(struct sensor_app *test, struct object_store *objects, const char *name,
                       unsigned scopes, enum temperature_unit unit, const char *zone,
                       char token[AUTH_TOKEN_SIZE])
{
    char id[17];
    struct error_record error = {0};
    const struct auth_token_options options = {name, scopes, unit, zone};
    if (auth_token_new(objects, &test->clock.clock, &options, token, id, &error))
        fail_msg("token %s: %s %s", name, error_name(error.code), error.detail);
}

/* The zone of the token "lost" goes down: made on a machine that knows more zones than this one. */
static void sink_zone(struct object_store *objects)
{
    struct buffer text;
    buffer_init(&text, 1u << 20);
    assert_int_equal(object_get_all(objects, "state/auth.json", &text, NULL, NULL), HEARTH_OK);
    size_t place = view_find(buffer_view(&text), VIEW("Antarctica/Troll"));
    assert_true(place < text.length);
    memcpy(text.data + place, "Nowhere/Atlantis", sizeof "Nowhere/Atlantis" - 1);
    assert_int_equal(objects->put(objects, "state/auth.json", buffer_view(&text), NULL, NULL, NULL),
                     HEARTH_OK);
    buffer_clean(&text);
}

static void make_tokens(struct sensor_app *test)
{
    char path[600];
    snprintf(path, sizeof path, "%s/objects", test->directory);
    struct object_store *objects = directory_store_new(path, NULL);
    assert_non_null(objects);
    make_token(test, objects, "writer", SCOPE_DATA_WRITE, UNIT_TENTHS_F, NULL, test->writer);
    make_token(test, objects, "denver", SCOPE_DATA_WRITE, UNIT_F, "America/Denver", test->denver);
    make_token(test, objects, "metric", SCOPE_DATA_WRITE, UNIT_C, NULL, test->metric);
    make_token(test, objects, "lost", SCOPE_DATA_WRITE, UNIT_F, "Antarctica/Troll", test->lost);
    sink_zone(objects);
    make_token(test, objects, "reader", SCOPE_DATA_READ, UNIT_TENTHS_F, NULL, test->reader);
    objects->free(objects);
}

void sensor_app_start(struct sensor_app *test, const char *settings)
{
    struct error_record error = {0};
    const struct log_options quiet = {.level = LOG_LEVEL_OFF};
    memset(test, 0, sizeof *test);
    assert_int_equal(log_configure(&quiet), HEARTH_OK);
    module.rows = sensor_rows;
    module.routes = sensor_routes;
    module.route_count = sensor_route_count;
    test->directory = test_directory_make();
    clock_manual_init(&test->clock, SENSOR_TEST_NOW);
    load_config(test, settings);
    make_tokens(test);
    test->metrics_memory = aligned_alloc(16, (metrics_size(512) + 15) / 16 * 16);
    assert_non_null(test->metrics_memory);
    memset(test->metrics_memory, 0, metrics_size(512));
    test->metrics = metrics_create(test->metrics_memory, 512);
    memory_readings_init(&test->memory);
    current = &test->memory;
    const struct app_options options = {.modules = modules,
                                        .config = test->config,
                                        .clock = &test->clock.clock,
                                        .metrics = test->metrics,
                                        .threads = 4};
    if (app_start(&options, &test->app, &error))
        fail_msg("%s: %s", error_name(error.code), error.detail);
    test_sink_init(&test->sink);
}

void sensor_app_stop(struct sensor_app *test)
{
    app_stop(test->app);
    test_sink_clean(&test->sink);
    memory_readings_clean(&test->memory);
    free(test->metrics_memory);
    config_free(test->config);
    test_directory_remove(test->directory);
}

int sensor_app_request(struct sensor_app *test, const char *method, const char *target,
                       const char *token, const char *headers, struct view body)
{
    char all[2048];
    int length = snprintf(all, sizeof all, "%s%s%s%s", token ? "Authorization: Bearer " : "",
                          token ? token : "", token ? "\n" : "", headers ? headers : "");
    assert_in_range(length, 0, sizeof all - 1);
    const struct test_request request = {
        .method = method, .target = target, .headers = all, .body = body};
    test_sink_clean(&test->sink);
    test_sink_init(&test->sink);
    test_app_request(test->app, &request, &test->sink);
    return test->sink.status;
}

int sensor_app_put(struct sensor_app *test, const char *content_type, struct view body)
{
    char headers[200] = "", token[AUTH_TOKEN_SIZE];
    memcpy(token, test->writer, sizeof token);
    if (content_type)
        snprintf(headers, sizeof headers, "Content-Type: %s\n", content_type);
    return sensor_app_request(test, "PUT", "/data", token, headers, body);
}

int sensor_app_get(struct sensor_app *test, const char *target)
{
    return sensor_app_request(test, "GET", target, NULL, NULL, VIEW_NONE);
}

void sensor_app_expect_body(struct sensor_app *test, const char *body)
{
    assert_string_equal(test_sink_body(&test->sink), body);
}

void sensor_app_expect_part(struct sensor_app *test, const char *part)
{
    const char *body = test_sink_body(&test->sink);
    if (!strstr(body, part))
        fail_msg("no \"%s\" in: %s", part, body);
}

struct reading sensor_random_reading(void)
{
    return (struct reading){
        .time_ms = SENSOR_TEST_NOW - (int64_t)(chance_next() % (30 * UINT64_C(86400000))),
        .channel = 1 + chance(16),
        .rolling_code = chance(256),
        .scale = chance(2) ? SCALE_TENTHS_C : SCALE_TENTHS_F,
        .raw = chance(10) ? chance(RAW_ABSENT) : RAW_ABSENT,
        .humidity = chance(10) ? chance(101) : HUMIDITY_ABSENT,
        .battery_low = chance(2),
        .signal = chance(128),
        .relay = chance(2),
        .occupied = chance(2),
        .time_quality = chance(2) ? TIME_SENDER : TIME_SERVER,
    };
}
