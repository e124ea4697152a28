/*
 * support_sensor.h - the sensor module in an app, over a store in memory and a clock that stands.
 */
#ifndef TESTS_SUPPORT_SENSOR_H
#define TESTS_SUPPORT_SENSOR_H

#include "tests/unit/support.h"
#include "tests/unit/support_memory_readings.h"

#define SENSOR_TEST_NOW INT64_C(1757894700000) /* 2025-09-15T00:05:00Z */

struct sensor_app {
    char *directory;
    struct config *config;
    struct clock_manual clock;
    void *metrics_memory;
    struct metrics *metrics;
    struct memory_readings memory;
    struct app *app;
    struct test_sink sink; /* of the last request */

    /* Tokens. */
    char writer[AUTH_TOKEN_SIZE]; /* data:write, tenths of degF, UTC */
    char denver[AUTH_TOKEN_SIZE]; /* data:write, degrees F, America/Denver */
    char metric[AUTH_TOKEN_SIZE]; /* data:write, degrees C, UTC */
    char lost[AUTH_TOKEN_SIZE];   /* data:write, a zone that is nowhere */
    char reader[AUTH_TOKEN_SIZE]; /* data:read */
};

/* `settings`: lines of configuration besides state.directory ("sensor: { public = false; };"). */
void sensor_app_start(struct sensor_app *test, const char *settings);
void sensor_app_stop(struct sensor_app *test);

/* One request; gives back the status. `token` NULL = none; `headers` "Name: value\n..." or NULL. */
int sensor_app_request(struct sensor_app *test, const char *method, const char *target,
                       const char *token, const char *headers, struct view body);
/* PUT /data with the writer's token. */
int sensor_app_put(struct sensor_app *test, const char *content_type, struct view body);
int sensor_app_get(struct sensor_app *test, const char *target);

/* Fails unless the body of the last answer is this. */
void sensor_app_expect_body(struct sensor_app *test, const char *body);
/* Fails unless something like this stands in it. */
void sensor_app_expect_part(struct sensor_app *test, const char *part);

/* A reading of the last 30 days, by chance (support_chance.h). */
struct reading sensor_random_reading(void);

#endif
