/*
 * test_influx_requests.c - InfluxDB's addresses: who may write, packed bodies (at PUT /data as
 * well), what is refused and in which words, /ping and /query.
 */
#include "tests/unit/support_sensor.h"

#include "app/core/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#define ZLIB_CONST
#include <zlib.h>

#define RTL_433                                                                                    \
    "Ambientweather-F007TH,id=165,channel=3,mic=CRC "                                              \
    "battery_ok=1,temperature_F=9.900001,humidity=57 1757894691123456789\n"

static struct sensor_app test;
static struct buffer body;

static int start(void **state)
{
    (void)state;
    sensor_app_start(&test, "sensor: { max_body_bytes = 1000000; };");
    buffer_init(&body, 8u << 20);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    buffer_clean(&body);
    sensor_app_stop(&test);
    return 0;
}

static int write_to(const char *target, struct view lines)
{
    return sensor_app_request(&test, "POST", target, test.writer, NULL, lines);
}

static int write_lines(const char *lines)
{
    return write_to("/write?db=db", view_of(lines));
}

/* ---- Who ---- */

static int write_as(const char *target, const char *authorization)
{
    char headers[600];
    snprintf(headers, sizeof headers, "Authorization: %s\n", authorization);
    return sensor_app_request(&test, "POST", target, NULL, authorization ? headers : NULL,
                              VIEW(RTL_433));
}

static void base64(const char *text, char *out)
{
    static const char digits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=";
    size_t length = strlen(text), at = 0;
    for (size_t i = 0; i < length; i += 3) {
        unsigned bits = 0;
        for (size_t j = 0; j < 3; j++)
            bits = bits << 8 | (i + j < length ? (unsigned char)text[i + j] : 0u);
        for (size_t j = 0; j < 4; j++)
            out[at++] = digits[i + j > length ? 64 : bits >> (18 - 6 * j) & 63];
    }
    out[at] = '\0';
}

static void every_way_to_bring_the_token_is_taken(void **state)
{
    char text[500], encoded[400], target[200];
    (void)state;
    snprintf(text, sizeof text, "Token %s", test.writer);
    assert_int_equal(write_as("/write", text), 204);
    snprintf(text, sizeof text, "Token me:%s", test.writer);
    assert_int_equal(write_as("/api/v2/write", text), 204);
    snprintf(text, sizeof text, "us:%s", test.writer);
    base64(text, encoded);
    snprintf(text, sizeof text, "Basic %s", encoded);
    assert_int_equal(write_as("/write", text), 204);
    /* As rtl_433 does when it was given no token: the password counts. */
    snprintf(target, sizeof target, "/write?db=db&u=us&p=%s", test.writer);
    assert_int_equal(write_as(target, "Token (null)"), 204);
}

static void without_the_right_token_nothing_is_stored(void **state)
{
    char text[300];
    (void)state;
    assert_int_equal(write_as("/write", "Token (null)"), 401);
    sensor_app_expect_body(&test, "{\"error\":\"authorization failed\"}\n");
    assert_non_null(test_sink_header(&test.sink, "WWW-Authenticate"));
    assert_int_equal(write_as("/api/v2/write", "Token (null)"), 401);
    sensor_app_expect_body(&test,
                           "{\"code\":\"unauthorized\",\"message\":\"authorization failed\"}\n");
    assert_int_equal(sensor_app_request(&test, "POST", "/write", NULL, NULL, VIEW(RTL_433)), 401);
    snprintf(text, sizeof text, "Token %s", test.writer);
    assert_int_equal(write_as("/write?u=us&p=wrong", text), 401);
    snprintf(text, sizeof text, "Token %s", test.reader);
    assert_int_equal(write_as("/write", text), 403);
    sensor_app_expect_body(&test, "{\"error\":\"the token lacks the scope data:write\"}\n");
    assert_int_equal(test.memory.appends, 0);
}

/* ---- When it fails ---- */

static void a_store_that_fails_is_503_with_retry_after(void **state)
{
    static const enum hearth_error errors[] = {HEARTH_DISK_FULL, HEARTH_UNAVAILABLE,
                                               HEARTH_DEADLINE, HEARTH_IO, HEARTH_NO_MEMORY};
    (void)state;
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        test.memory.fail_append = errors[i];
        assert_int_equal(write_lines(RTL_433), 503);
        assert_non_null(test_sink_header(&test.sink, "Retry-After"));
        sensor_app_expect_part(&test, "{\"error\":\"");
    }
    assert_int_equal(write_to("/api/v2/write", VIEW(RTL_433)), 503);
    sensor_app_expect_part(&test, "{\"code\":\"unavailable\",\"message\":\"");
    test.memory.fail_append = HEARTH_OK;
    assert_int_equal(write_lines(RTL_433), 204);
}

static void a_zone_that_is_missing_keeps_the_reading_at_its_sender(void **state)
{
    (void)state;
    assert_int_equal(sensor_app_request(&test, "POST", "/write", test.lost, NULL,
                                        VIEW("m channel=1,id=1,humidity=5,time=\"2025-09-15 "
                                             "00:04:51\"")),
                     503);
    assert_int_equal(test.memory.count, 0);
}

/* As sensor_app_request, while the program has memory for so many allocations only. */
static int write_with_little_memory(int64_t allocations, struct view content)
{
    char authorization[AUTH_TOKEN_SIZE + 8];
    struct pair headers[] = {{VIEW("content-encoding"), VIEW("gzip")},
                             {VIEW("authorization"), VIEW_NONE}};
    struct test_body source;
    struct request_input input = {.method = VIEW("POST"),
                                  .target = VIEW("/write"),
                                  .headers = {headers, 2},
                                  .peer_address = VIEW("127.0.0.1"),
                                  .body = &source.source};
    struct arena *arena = arena_new(8u << 20);
    assert_non_null(arena);
    snprintf(authorization, sizeof authorization, "Bearer %s", test.writer);
    headers[1].value = view_of(authorization);
    test_body_init(&source, content, 0);
    test_sink_clean(&test.sink);
    test_sink_init(&test.sink);
    memory_fail_after(allocations);
    app_handle(test.app, arena, &input, &test.sink.sink);
    memory_fail_after(-1);
    arena_free(arena);
    return test.sink.aborts > 0 ? 0 : test.sink.status;
}

/* ---- Packed bodies ---- */

/* Appends one member to `packed`. */
static void pack(struct buffer *packed, struct view text)
{
    z_stream stream = {0};
    assert_int_equal(deflateInit2(&stream, 9, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY),
                     Z_OK);
    size_t room = text.length < 4096 ? 8192 : 2u << 20;
    char *at = buffer_reserve(packed, room);
    assert_non_null(at);
    stream.next_in = (const Bytef *)text.data;
    stream.avail_in = (uInt)text.length;
    stream.next_out = (Bytef *)at;
    stream.avail_out = (uInt)room;
    assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
    packed->length += room - stream.avail_out;
    deflateEnd(&stream);
}

static int write_packed(const char *target, struct view packed)
{
    return sensor_app_request(&test, "POST", target, test.writer, "Content-Encoding: gzip\n",
                              packed);
}

static void a_packed_body_is_unpacked(void **state)
{
    (void)state;
    pack(&body, VIEW(RTL_433));
    assert_int_equal(write_packed("/write", buffer_view(&body)), 204);
    assert_int_equal(test.memory.count, 1);
    /* Members one after the other are one body. */
    pack(&body, VIEW(""));
    pack(&body, VIEW("m,channel=1,id=1 humi"));
    pack(&body, VIEW("dity=5 1757894691000000000\n"));
    assert_int_equal(write_packed("/api/v2/write", buffer_view(&body)), 204);
    assert_int_equal(test.memory.count, 2);
    buffer_reset(&body);
    pack(&body, VIEW("{\"channel\":1,\"rolling_code\":1,\"humidity\":5}"));
    assert_int_equal(write_packed("/data", buffer_view(&body)), 200);
    assert_int_equal(test.memory.count, 3);
}

static void a_damaged_packed_body_stores_nothing(void **state)
{
    (void)state;
    pack(&body, VIEW(RTL_433));
    for (size_t i = 0; i < body.length; i++) {
        struct view packed = buffer_view(&body);
        assert_int_equal(write_packed("/write", view_slice(packed, 0, i)), 400);
        if (i == 4 || i == 5 || i == 6 || i == 7 || i == 8 || i == 9)
            continue; /* time, flags and system, which nobody looks at */
        body.data[i] ^= 0x41;
        assert_int_equal(write_packed("/write", packed), 400);
        body.data[i] ^= 0x41;
    }
    buffer_append_text(&body, "junk");
    assert_int_equal(write_packed("/write", buffer_view(&body)), 400);
    sensor_app_expect_part(&test, "{\"error\":\"the body is not gzip");
    assert_int_equal(test.memory.appends, 0);
}

static void a_bomb_is_413(void **state)
{
    struct buffer bomb;
    (void)state;
    buffer_init(&bomb, 64u << 20);
    for (int more = 0; more < 2; more++) {
        buffer_reset(&bomb);
        buffer_append_text(&bomb, RTL_433);
        while (bomb.length < 1000000 + (size_t)more)
            buffer_append_byte(&bomb, '\n');
        buffer_reset(&body);
        pack(&body, buffer_view(&bomb));
        assert_int_equal(write_packed("/write", buffer_view(&body)), more ? 413 : 204);
    }
    sensor_app_expect_body(&test, "{\"error\":\"the body unpacks to more than 1000000 bytes\"}\n");
    char *zeros = calloc(1, 64u << 20);
    assert_non_null(zeros);
    buffer_reset(&body);
    pack(&body, view_from(zeros, 64u << 20));
    free(zeros);
    assert_true(body.length < 100000);
    assert_int_equal(write_packed("/api/v2/write", buffer_view(&body)), 413);
    sensor_app_expect_part(&test, "{\"code\":\"request too large\"");
    assert_int_equal(write_packed("/data", buffer_view(&body)), 413);
    assert_int_equal(test.memory.appends, 1);
    buffer_clean(&bomb);
}

static void a_large_plain_body_is_413_too(void **state)
{
    (void)state;
    while (body.length <= 1000000)
        buffer_append_byte(&body, '\n');
    assert_int_equal(write_to("/write", buffer_view(&body)), 413);
    sensor_app_expect_part(&test, "{\"error\":\"");
}

static void another_coding_is_415(void **state)
{
    (void)state;
    assert_int_equal(sensor_app_request(&test, "POST", "/write", test.writer,
                                        "Content-Encoding: br\n", VIEW(RTL_433)),
                     415);
    sensor_app_expect_part(&test, "{\"error\":\"");
}

static void running_out_of_memory_loses_nothing_that_was_answered_for(void **state)
{
    int status = 0;
    (void)state;
    pack(&body, VIEW(RTL_433 "bad\nm,channel=1,id=1 humidity=5 1757894691000000000\n"
                             "m,channel=1,id=2 relay=t 1757894691000000000\n"));
    for (int64_t allocations = 0; status != 204; allocations++) {
        status = write_with_little_memory(allocations, buffer_view(&body));
        if (status != 204 && status != 503 && status != 0)
            fail_msg("after %lld allocations: %d", (long long)allocations, status);
        assert_true(allocations < 1000);
    }
    /* Whether they were stored at a try that was not answered, or at this one. */
    assert_non_null(strstr(test_sink_header(&test.sink, "Hearth-Readings"), "quarantined=2"));
    assert_int_equal(test.memory.count, 2);
}

/* ---- The other addresses ---- */

static void ping_is_answered_without_a_token(void **state)
{
    (void)state;
    assert_int_equal(sensor_app_get(&test, "/ping"), 204);
    assert_non_null(test_sink_header(&test.sink, "X-Influxdb-Version"));
    assert_int_equal(sensor_app_request(&test, "HEAD", "/ping", NULL, NULL, VIEW_NONE), 204);
}

static int query(const char *method, const char *target, const char *form)
{
    return sensor_app_request(&test, method, target, test.writer,
                              form ? "Content-Type: application/x-www-form-urlencoded\n" : NULL,
                              view_of(form));
}

static void the_two_statements_are_answered(void **state)
{
    static const char created[] = "{\"results\":[{\"statement_id\":0}]}\n";
    static const char shown[] =
        "{\"results\":[{\"statement_id\":0,\"series\":[{\"name\":\"databases\",\"columns\":"
        "[\"name\"],\"values\":[[\"hearth\"]]}]}]}\n";
    (void)state;
    assert_int_equal(query("POST", "/query?q=CREATE+DATABASE+db", NULL), 200);
    sensor_app_expect_body(&test, created);
    assert_int_equal(query("POST", "/query", "q=CREATE%20DATABASE%20%22my+db%22%3B"), 200);
    sensor_app_expect_body(&test, created);
    assert_int_equal(
        query("POST", "/query", "db=x&q=create+database+x+with+duration+3d+replication+1"), 200);
    sensor_app_expect_body(&test, created);
    assert_int_equal(query("GET", "/query?q=SHOW%20DATABASES", NULL), 200);
    sensor_app_expect_body(&test, shown);
    assert_int_equal(query("GET", "/query?q=show++databases+%3b", NULL), 200);
    sensor_app_expect_body(&test, shown);
    assert_int_equal(query("GET", "/query?q=create+database+a;show+databases", NULL), 200);
    sensor_app_expect_part(&test, "{\"statement_id\":0},{\"statement_id\":1,\"series\":[");
}

static void other_statements_are_400_in_influxdb_s_form(void **state)
{
    static const char *const statements[] = {"SELECT+*+FROM+x",
                                             "DROP+DATABASE+db",
                                             "CREATE+DATABASE",
                                             "CREATE+DATABASE+a+b",
                                             "SHOW+DATABASES+x",
                                             "SHOW",
                                             "x",
                                             "SHOWDATABASES",
                                             "CREATE+DATABASE+a;DROP",
                                             "CREATE+USER+x",
                                             "SHOW+MEASUREMENTS"};
    char target[100];
    (void)state;
    for (size_t i = 0; i < sizeof statements / sizeof statements[0]; i++) {
        snprintf(target, sizeof target, "/query?q=%s", statements[i]);
        assert_int_equal(query("GET", target, NULL), 400);
        sensor_app_expect_part(&test, "{\"error\":\"error parsing query");
    }
    assert_int_equal(query("GET", "/query", NULL), 400);
    sensor_app_expect_body(&test, "{\"error\":\"missing required parameter \\\"q\\\"\"}\n");
    assert_int_equal(query("POST", "/query", "q=%zz"), 400);
    assert_int_equal(query("GET", "/query?q=+;+;", NULL), 400);
    assert_int_equal(sensor_app_get(&test, "/query?q=SHOW+DATABASES"), 401);
    sensor_app_expect_body(&test, "{\"error\":\"authorization failed\"}\n");
}

int main(void)
{
#define STORY(name) cmocka_unit_test_setup_teardown(name, start, stop)
    const struct CMUnitTest tests[] = {
        STORY(every_way_to_bring_the_token_is_taken),
        STORY(without_the_right_token_nothing_is_stored),
        STORY(a_store_that_fails_is_503_with_retry_after),
        STORY(a_zone_that_is_missing_keeps_the_reading_at_its_sender),
        STORY(a_packed_body_is_unpacked),
        STORY(a_damaged_packed_body_stores_nothing),
        STORY(a_bomb_is_413),
        STORY(a_large_plain_body_is_413_too),
        STORY(another_coding_is_415),
        STORY(running_out_of_memory_loses_nothing_that_was_answered_for),
        STORY(ping_is_answered_without_a_token),
        STORY(the_two_statements_are_answered),
        STORY(other_statements_are_400_in_influxdb_s_form),
    };
    return cmocka_run_group_tests_name("influx_requests", tests, NULL, NULL);
}
