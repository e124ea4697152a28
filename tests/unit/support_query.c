/*
 * support_query.c - the sensor module asked, and answers in JSON looked into.
 */
#include "tests/unit/support_query.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

const char query_names[] =
    "{\"version\":1,\"series\":[\n"
    "{\"id\":\"freezer\",\"name\":\"Freezer \\\"big\\\"\",\"unit\":\"C\",\"place\":\"Cellar\","
    "\"stale_after_s\":1800,\"transmitters\":["
    "{\"channel\":5,\"rolling_code\":107,\"from\":\"2024-01-01T00:00:00Z\","
    "\"to\":\"2025-09-14T06:00:00Z\"},"
    "{\"channel\":6,\"rolling_code\":31,\"from\":\"2025-09-14T06:00:00Z\",\"to\":null}]},\n"
    "{\"id\":\"porch\",\"name\":\"Porch\",\"unit\":\"F\",\"place\":\"\",\"stale_after_s\":7200,"
    "\"transmitters\":[{\"channel\":2,\"rolling_code\":9,\"from\":null,\"to\":null}]}]}\n";

void query_write_names(struct sensor_app *test, const char *text)
{
    char path[700];
    snprintf(path, sizeof path, "%s/sensor", test->directory);
    mkdir(path, 0700);
    snprintf(path, sizeof path, "%s/sensor/series.json", test->directory);
    test_write_file(path, view_of(text));
    clock_manual_advance_ms(&test->clock, 3000); /* names are looked at every two seconds */
}

void query_add(struct sensor_app *test, int64_t time_ms, int channel, int code, int tenths_f,
               int humidity)
{
    const struct reading reading = {.time_ms = time_ms,
                                    .channel = channel,
                                    .rolling_code = code,
                                    .raw = tenths_f == -9999 ? RAW_ABSENT : tenths_f + RAW_F_OFFSET,
                                    .humidity = humidity < 0 ? HUMIDITY_ABSENT : humidity};
    memory_readings_add(&test->memory, &reading);
}

void query_add_four_hours(struct sensor_app *test)
{
    query_add(test, QUERY_T0 + 10 * QUERY_MINUTE, 1, 1, 700, 40);
    query_add(test, QUERY_T0 + 20 * QUERY_MINUTE, 1, 1, 725, 41);
    query_add(test, QUERY_T0 + 50 * QUERY_MINUTE, 1, 1, 682, 41);
    query_add(test, QUERY_T0 + 130 * QUERY_MINUTE, 1, 1, 702, -1);
}

struct json_object *query_get(struct sensor_app *test, const char *target)
{
    int status = sensor_app_get(test, target);
    if (status != 200)
        fail_msg("%s: %d %s", target, status, test_sink_body(&test->sink));
    struct json_object *answer = json_tokener_parse(test_sink_body(&test->sink));
    if (!answer)
        fail_msg("no JSON: %s", test_sink_body(&test->sink));
    return answer;
}

struct json_object *query_range(struct sensor_app *test, int64_t to_ms, const char *query)
{
    char target[600];
    snprintf(target, sizeof target, "/api/v1/range?from=%lld&to=%lld%s", (long long)QUERY_T0,
             (long long)to_ms, query);
    return query_get(test, target);
}

const char *query_at(struct json_object *answer, const char *path)
{
    char copy[200];
    char *rest = NULL;
    snprintf(copy, sizeof copy, "%s", path);
    for (char *word = strtok_r(copy, ".", &rest); word; word = strtok_r(NULL, ".", &rest)) {
        struct json_object *inner = NULL;
        if (json_object_is_type(answer, json_type_array))
            inner = json_object_array_get_idx(answer, (size_t)strtoul(word, NULL, 10));
        else if (!json_object_object_get_ex(answer, word, &inner))
            return "missing";
        answer = inner;
    }
    return json_object_to_json_string_ext(answer,
                                          JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
}

void query_expect(struct json_object *answer, const char *path, const char *value)
{
    const char *got = query_at(answer, path);
    if (strcmp(got, value) != 0)
        fail_msg("%s is %s, expected %s", path, got, value);
}

void query_expect_refused(struct sensor_app *test, const char *target, const char *part)
{
    if (sensor_app_get(test, target) != 400)
        fail_msg("%s: %d", target, test->sink.status);
    assert_string_equal(test_sink_header(&test->sink, "Content-Type"), "application/problem+json");
    sensor_app_expect_part(test, part);
}
