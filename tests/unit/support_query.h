/*
 * support_query.h - the sensor module asked over a store in memory, and answers in JSON looked
 * into.
 */
#ifndef TESTS_SUPPORT_QUERY_H
#define TESTS_SUPPORT_QUERY_H

#include "tests/unit/support_sensor.h"

#include <json-c/json.h>

#define QUERY_MINUTE INT64_C(60000)
#define QUERY_HOUR   INT64_C(3600000)
#define QUERY_DAY    INT64_C(86400000)
#define QUERY_T0     INT64_C(1757808000000) /* 2025-09-14T00:00:00Z, a day before SENSOR_TEST_NOW */

/* Two series: `freezer` (C, 30 minutes, 5-107 up to 2025-09-14T06:00Z, from then on 6-31) and
 * `porch` (F, 2-9). */
extern const char query_names[];

/* The content of series.json from now on; the clock moves on until it is looked at. */
void query_write_names(struct sensor_app *test, const char *text);
/* Tenths of degF, or -9999 for none; humidity, or -1 for none. */
void query_add(struct sensor_app *test, int64_t time_ms, int channel, int code, int tenths_f,
               int humidity);
/* Three readings in the first of four hours from QUERY_T0 on, and one without humidity in the
 * third; all of 1-1. */
void query_add_four_hours(struct sensor_app *test);
/* The answer to a GET; fails the test when that is no 200 with JSON. Put it with json_object_put.
 */
struct json_object *query_get(struct sensor_app *test, const char *target);
/* /api/v1/range from QUERY_T0 to `to_ms`, with `query` behind. */
struct json_object *query_range(struct sensor_app *test, int64_t to_ms, const char *query);
/* "series.0.temperature.first": what stands there, as json-c writes it without white space; valid
 * until the next call. */
const char *query_at(struct json_object *answer, const char *path);
void query_expect(struct json_object *answer, const char *path, const char *value);
/* Fails unless it is 400 as a problem document with `part` in it. */
void query_expect_refused(struct sensor_app *test, const char *target, const char *part);

#endif
