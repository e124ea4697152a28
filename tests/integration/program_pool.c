/*
 * program_pool.c - the worker pool with a module made for tests: routes that echo, stall, crash,
 * break off and misbehave, and a keeper that can be asked who it is.
 *
 *   /echo            what arrived, as JSON; in its texts each byte is the code point of that number
 *   /echo-body       the body, as it streams in
 *   /sink            {"bytes":N,"sha256":"..."} of the body
 *   /hello           pool_test.greeting
 *   /pid             the worker's process id
 *   /slow?ms=N       answers after N ms
 *   /bulkhead?ms=N   the same, in the bulkhead of slow routes
 *   /big?bytes=N     N bytes, byte i is 48 + i mod 61; &length=1 says the length ahead
 *   /bulk?bytes=N    the same, in the bulkhead of long answers
 *   /abort?after=N   N such bytes, then the handler fails (&flush=1: they are pushed out first)
 *   /control         every header with which an answer can command a front
 *   /location?to=X   a redirect (&status=N, 302 by default)
 *   /cookies         sets two cookies
 *   /etag            1,000 bytes under a strong ETag
 *   /deep?bytes=N    uses N bytes of stack
 *   /crash           abort(3)
 *   /keeper          the keeper's process id, through a slot in the shared mapping
 */
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "app/adapter/fcgi_main.h"
#include "app/adapter/fcgi_transport.h"

/* ---- What is shared with the keeper ---- */

enum { KEEPER_SLOTS = 64 };
enum slot_state { SLOT_FREE, SLOT_TAKEN, SLOT_ASKED, SLOT_ANSWERED, SLOT_FAILED };

struct shared_area {
    _Atomic int state[KEEPER_SLOTS];
    _Atomic int64_t answer[KEEPER_SLOTS];
};

struct test_state {
    const char *greeting;
    struct shared_area *shared;
};

static void sleep_ms(int64_t milliseconds)
{
    struct timespec pause = {.tv_sec = milliseconds / 1000,
                             .tv_nsec = (milliseconds % 1000) * 1000000};
    while (nanosleep(&pause, &pause) != 0) {
    }
}

static uint64_t query_number(const struct request *request, const char *name, uint64_t fallback)
{
    uint64_t number;
    return view_to_uint64(request_query(request, name), &number) ? number : fallback;
}

/* ---- SHA-256 of a body as it is read ---- */

static enum hearth_error digest_body(const struct request *request, uint64_t *bytes, char hex[65])
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    if (!context) {
        return HEARTH_NO_MEMORY;
    }
    enum hearth_error error = HEARTH_OK;
    unsigned char digest[32];
    *bytes = 0;
    EVP_DigestInit_ex(context, EVP_sha256(), NULL);
    for (;;) {
        char piece[4096];
        size_t length;
        error = body_read(request->body, piece, sizeof piece, &length);
        if (error != HEARTH_OK || length == 0) {
            break;
        }
        EVP_DigestUpdate(context, piece, length);
        *bytes += length;
    }
    EVP_DigestFinal_ex(context, digest, NULL);
    EVP_MD_CTX_free(context);
    for (size_t i = 0; i < sizeof digest; i++) {
        static const char digits[] = "0123456789abcdef";
        hex[2 * i] = digits[digest[i] >> 4];
        hex[2 * i + 1] = digits[digest[i] & 15];
    }
    hex[64] = '\0';
    return error;
}

/* ---- /echo ---- */

/* Each byte becomes the code point of the same number, so that any bytes survive JSON. */
static void append_bytes(struct buffer *out, struct view bytes)
{
    buffer_append_byte(out, '"');
    for (size_t i = 0; i < bytes.length; i++) {
        const unsigned char byte = (unsigned char)bytes.data[i];
        if (byte < 32 || byte > 126 || byte == '"' || byte == '\\') {
            buffer_append_format(out, "\\u%04x", byte);
        } else {
            buffer_append_byte(out, (char)byte);
        }
    }
    buffer_append_byte(out, '"');
}

static void append_member(struct buffer *out, const char *name, struct view bytes)
{
    buffer_append_format(out, "\"%s\":", name);
    append_bytes(out, bytes);
    buffer_append_byte(out, ',');
}

static void append_pairs(struct buffer *out, const char *name, const struct pairs *pairs)
{
    buffer_append_format(out, "\"%s\":[", name);
    for (size_t i = 0; i < pairs->count; i++) {
        buffer_append_text(out, i ? ",[" : "[");
        append_bytes(out, pairs->items[i].name);
        buffer_append_byte(out, ',');
        append_bytes(out, pairs->items[i].value);
        buffer_append_byte(out, ']');
    }
    buffer_append_text(out, "],");
}

static enum hearth_error handle_echo(const struct request *request, struct response *response,
                                     void *state)
{
    (void)state;
    uint64_t bytes;
    char hex[65];
    enum hearth_error error = digest_body(request, &bytes, hex);
    if (error != HEARTH_OK) {
        return error;
    }
    struct buffer out;
    buffer_init(&out, 8u << 20);
    buffer_append_byte(&out, '{');
    append_member(&out, "method", request->method_name);
    append_member(&out, "raw_path", request->raw_path);
    append_member(&out, "path", request->path);
    append_member(&out, "raw_query", request->raw_query);
    append_pairs(&out, "query", &request->query);
    append_pairs(&out, "headers", &request->headers);
    append_pairs(&out, "cookies", &request->cookies);
    append_member(&out, "scheme", request->scheme);
    append_member(&out, "host", request->host);
    append_member(&out, "client_address", request->client_address);
    append_member(&out, "request_id", request->request_id);
    buffer_append_format(&out, "\"body_bytes\":%" PRIu64 ",\"body_sha256\":\"%s\"}\n", bytes, hex);
    error = buffer_status(&out);
    if (error == HEARTH_OK) {
        error = response_send(response, 200, VIEW("application/json"), buffer_view(&out));
    }
    buffer_clean(&out);
    return error;
}

/* ---- Bodies ---- */

static enum hearth_error handle_echo_body(const struct request *request, struct response *response,
                                          void *state)
{
    (void)state;
    enum hearth_error error =
        response_set_header(response, VIEW("content-type"), VIEW("application/octet-stream"));
    while (error == HEARTH_OK) {
        char piece[16384];
        size_t length;
        error = body_read(request->body, piece, sizeof piece, &length);
        if (error != HEARTH_OK) {
            return error;
        }
        if (length == 0) {
            return response_finish(response);
        }
        error = response_write(response, view_from(piece, length));
    }
    return error;
}

static enum hearth_error handle_sink(const struct request *request, struct response *response,
                                     void *state)
{
    (void)state;
    uint64_t bytes;
    char hex[65];
    const enum hearth_error error = digest_body(request, &bytes, hex);
    if (error != HEARTH_OK) {
        return error;
    }
    const char *text =
        arena_format(request->arena, "{\"bytes\":%" PRIu64 ",\"sha256\":\"%s\"}\n", bytes, hex);
    return text ? response_send(response, 200, VIEW("application/json"), view_of(text))
                : HEARTH_NO_MEMORY;
}

static enum hearth_error write_pattern(struct response *response, uint64_t first, uint64_t bytes)
{
    enum { PERIOD = 61, PIECE = PERIOD * 128 };
    char piece[PIECE];
    for (uint64_t i = 0; i < PIECE; i++) {
        piece[i] = (char)(48 + (first + i) % PERIOD);
    }
    while (bytes > 0) {
        const size_t length = bytes < PIECE ? (size_t)bytes : PIECE;
        const enum hearth_error error = response_write(response, view_from(piece, length));
        if (error != HEARTH_OK) {
            return error;
        }
        bytes -= length;
    }
    return HEARTH_OK;
}

static enum hearth_error handle_big(const struct request *request, struct response *response,
                                    void *state)
{
    (void)state;
    const uint64_t bytes = query_number(request, "bytes", 1000);
    enum hearth_error error =
        response_set_header(response, VIEW("content-type"), VIEW("application/octet-stream"));
    if (error == HEARTH_OK && query_number(request, "length", 0)) {
        error = response_set_length(response, bytes);
    }
    if (error == HEARTH_OK) {
        error = write_pattern(response, 0, bytes);
    }
    return error == HEARTH_OK ? response_finish(response) : error;
}

static enum hearth_error handle_abort(const struct request *request, struct response *response,
                                      void *state)
{
    (void)state;
    const uint64_t bytes = query_number(request, "after", 1000);
    enum hearth_error error = write_pattern(response, 0, bytes);
    if (error == HEARTH_OK && query_number(request, "flush", 0)) {
        error = response_flush(response);
    }
    if (error != HEARTH_OK) {
        return error;
    }
    return request_fail_internal(request, HEARTH_BAD_GATEWAY, 0,
                                 "broke off after %" PRIu64 " bytes", bytes);
}

static enum hearth_error handle_etag(const struct request *request, struct response *response,
                                     void *state)
{
    (void)state;
    enum { SIZE = 1000 };
    const struct representation representation = {
        .etag = VIEW("\"pool-test\""), .last_modified_ms = 1700000000000, .size_bytes = SIZE};
    enum condition_outcome outcome;
    struct byte_range range = {.first = 0, .length = SIZE};
    enum hearth_error error =
        response_set_header(response, VIEW("content-type"), VIEW("text/plain"));
    if (error == HEARTH_OK) {
        error = response_negotiate(response, request, &representation, &outcome, &range);
    }
    if (error != HEARTH_OK || (outcome != CONDITION_SEND && outcome != CONDITION_SEND_RANGE)) {
        return error;
    }
    if (outcome == CONDITION_SEND) {
        range = (struct byte_range){.first = 0, .length = SIZE};
        error = response_set_length(response, SIZE);
    }
    if (error == HEARTH_OK) {
        error = write_pattern(response, range.first, range.length);
    }
    return error == HEARTH_OK ? response_finish(response) : error;
}

/* ---- Small answers ---- */

static enum hearth_error handle_hello(const struct request *request, struct response *response,
                                      void *state)
{
    (void)request;
    const struct test_state *test = state;
    return response_send(response, 200, VIEW("text/plain"), view_of(test->greeting));
}

static enum hearth_error send_number(const struct request *request, struct response *response,
                                     int64_t number)
{
    const char *text = arena_format(request->arena, "%" PRId64 "\n", number);
    return text ? response_send(response, 200, VIEW("text/plain"), view_of(text))
                : HEARTH_NO_MEMORY;
}

static enum hearth_error handle_pid(const struct request *request, struct response *response,
                                    void *state)
{
    (void)state;
    return send_number(request, response, getpid());
}

static enum hearth_error handle_slow(const struct request *request, struct response *response,
                                     void *state)
{
    (void)state;
    sleep_ms((int64_t)query_number(request, "ms", 1000));
    return response_send(response, 200, VIEW("text/plain"), VIEW("slow\n"));
}

static enum hearth_error handle_control(const struct request *request, struct response *response,
                                        void *state)
{
    (void)request;
    (void)state;
    static const char *const names[] = {"X-Accel-Redirect",
                                        "x-accel-buffering",
                                        "X-ACCEL-Expires",
                                        "X-Sendfile",
                                        "X-Sendfile2",
                                        "X-Sendfile-Temporary",
                                        "X-LIGHTTPD-send-file",
                                        "x-lighttpd-send-tempfile",
                                        "Status",
                                        "X-Harmless"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const enum hearth_error error =
            response_add_header(response, view_of(names[i]), VIEW("/etc/hostname"));
        if (error != HEARTH_OK) {
            return error;
        }
    }
    return response_send(response, 200, VIEW("text/plain"), VIEW("harmless\n"));
}

static enum hearth_error handle_location(const struct request *request, struct response *response,
                                         void *state)
{
    (void)state;
    const enum hearth_error error =
        response_set_header(response, VIEW("location"), request_query(request, "to"));
    if (error != HEARTH_OK) {
        return error;
    }
    return response_send(response, (int)query_number(request, "status", 302), VIEW("text/plain"),
                         VIEW("elsewhere\n"));
}

static enum hearth_error handle_cookies(const struct request *request, struct response *response,
                                        void *state)
{
    (void)request;
    (void)state;
    static const char *const cookies[] = {"first=1; Path=/; HttpOnly", "second=2; Max-Age=60"};
    for (size_t i = 0; i < sizeof cookies / sizeof cookies[0]; i++) {
        const enum hearth_error error =
            response_add_header(response, VIEW("set-cookie"), view_of(cookies[i]));
        if (error != HEARTH_OK) {
            return error;
        }
    }
    return response_send(response, 200, VIEW("text/plain"), VIEW("cookies\n"));
}

/* ---- Misbehaviour ---- */

__attribute__((noinline)) static size_t use_stack(size_t bytes)
{
    enum { FRAME = 4096 };
    volatile char frame[FRAME];
    memset((char *)frame, 1, sizeof frame);
    const size_t below = bytes > FRAME ? use_stack(bytes - FRAME) : 0;
    return below + (size_t)frame[bytes % FRAME];
}

static enum hearth_error handle_deep(const struct request *request, struct response *response,
                                     void *state)
{
    (void)state;
    return send_number(request, response,
                       (int64_t)use_stack((size_t)query_number(request, "bytes", 65536)));
}

static enum hearth_error handle_crash(const struct request *request, struct response *response,
                                      void *state)
{
    (void)request;
    (void)response;
    (void)state;
    abort();
}

/* ---- The keeper: answers each slot with its process id ---- */

static enum hearth_error handle_keeper(const struct request *request, struct response *response,
                                       void *state)
{
    struct shared_area *shared = ((struct test_state *)state)->shared;
    if (!shared) {
        return HEARTH_UNAVAILABLE;
    }
    size_t slot = 0;
    for (int expected = SLOT_FREE;
         !atomic_compare_exchange_strong(&shared->state[slot], &expected, SLOT_TAKEN);
         expected = SLOT_FREE) {
        if (++slot == KEEPER_SLOTS) {
            return HEARTH_BUSY;
        }
    }
    atomic_store(&shared->state[slot], SLOT_ASKED);
    int now;
    while ((now = atomic_load(&shared->state[slot])) == SLOT_ASKED) {
        sleep_ms(1);
    }
    const int64_t answer = atomic_load(&shared->answer[slot]);
    atomic_store(&shared->state[slot], SLOT_FREE);
    return now == SLOT_ANSWERED ? send_number(request, response, answer) : HEARTH_UNAVAILABLE;
}

static enum hearth_error keeper_run(const struct services *services,
                                    const struct keeper_control *control,
                                    struct error_record *error)
{
    if (config_boolean(services->config, "pool_test.keeper_locked")) {
        return error_set(error, HEARTH_LOCKED, "the test store is locked by process 1");
    }
    struct shared_area *shared = services->shared;
    control->ready(control);
    for (;;) {
        /* What was asked before the end was asked for is still answered. */
        const bool stop = control->should_stop(control);
        for (size_t i = 0; i < KEEPER_SLOTS; i++) {
            if (atomic_load(&shared->state[i]) == SLOT_ASKED) {
                atomic_store(&shared->answer[i], getpid());
                atomic_store(&shared->state[i], SLOT_ANSWERED);
            }
        }
        if (stop) {
            return HEARTH_OK;
        }
        sleep_ms(2);
    }
}

static void keeper_died(void *area)
{
    struct shared_area *shared = area;
    for (size_t i = 0; i < KEEPER_SLOTS; i++) {
        int expected = SLOT_ASKED;
        atomic_compare_exchange_strong(&shared->state[i], &expected, SLOT_FAILED);
    }
}

static size_t shared_bytes(const struct config *config, size_t threads)
{
    (void)config;
    (void)threads;
    return sizeof(struct shared_area);
}

/* ---- The module ---- */

static enum hearth_error start(const struct services *services, void **state,
                               struct error_record *error)
{
    if (config_boolean(services->config, "pool_test.start_fails")) {
        return error_set(error, HEARTH_UNAVAILABLE, "the test module was told not to start");
    }
    if (config_boolean(services->config, "pool_test.start_crashes")) {
        _exit(9);
    }
    struct test_state *test = calloc(1, sizeof *test);
    if (!test) {
        return HEARTH_NO_MEMORY;
    }
    test->greeting = config_string(services->config, "pool_test.greeting");
    test->shared = services->shared;
    *state = test;
    return HEARTH_OK;
}

static const struct config_row rows[] = {
    {.key = "pool_test.greeting",
     .type = CONFIG_STRING,
     .initial = "hello",
     .text = "What /hello answers."},
    {.key = "pool_test.start_fails",
     .type = CONFIG_BOOLEAN,
     .initial = "false",
     .text = "The module does not start."},
    {.key = "pool_test.start_crashes",
     .type = CONFIG_BOOLEAN,
     .initial = "false",
     .text = "The worker ends as soon as it begins."},
    {.key = "pool_test.keeper_locked",
     .type = CONFIG_BOOLEAN,
     .initial = "false",
     .text = "The keeper finds its store locked."},
};

static const struct route routes[] = {
    {"*", "/echo", handle_echo, ROUTE_API, BULKHEAD_NONE},
    {"*", "/echo/{rest...}", handle_echo, ROUTE_API, BULKHEAD_NONE},
    {"*", "/echo-body", handle_echo_body, ROUTE_API, BULKHEAD_NONE},
    {"*", "/sink", handle_sink, ROUTE_API, BULKHEAD_NONE},
    {"GET", "/hello", handle_hello, ROUTE_API, BULKHEAD_NONE},
    {"POST", "/hello", handle_hello, ROUTE_API, BULKHEAD_NONE},
    {"GET", "/pid", handle_pid, ROUTE_API, BULKHEAD_NONE},
    {"GET", "/slow", handle_slow, ROUTE_API, BULKHEAD_NONE},
    {"GET", "/bulkhead", handle_slow, ROUTE_API, BULKHEAD_SLOW},
    {"GET", "/big", handle_big, ROUTE_API, BULKHEAD_NONE},
    {"GET", "/bulk", handle_big, ROUTE_API, BULKHEAD_BULK},
    {"GET", "/abort", handle_abort, ROUTE_API, BULKHEAD_NONE},
    {"GET", "/control", handle_control, ROUTE_API, BULKHEAD_NONE},
    {"GET", "/location", handle_location, ROUTE_API, BULKHEAD_NONE},
    {"GET", "/cookies", handle_cookies, ROUTE_API, BULKHEAD_NONE},
    {"GET", "/etag", handle_etag, ROUTE_API, BULKHEAD_NONE},
    {"GET", "/deep", handle_deep, ROUTE_API, BULKHEAD_NONE},
    {"GET", "/crash", handle_crash, ROUTE_API, BULKHEAD_NONE},
    {"GET", "/keeper", handle_keeper, ROUTE_API, BULKHEAD_NONE},
};

static const struct module pool_test_module = {
    .name = "pool_test",
    .rows = {rows, sizeof rows / sizeof rows[0]},
    .routes = routes,
    .route_count = sizeof routes / sizeof routes[0],
    .shared_bytes = shared_bytes,
    .start = start,
    .stop = free,
    .keeper = keeper_run,
    .keeper_died = keeper_died,
};

extern const struct module ops_module;
static const struct module *const modules[] = {&ops_module, &pool_test_module, NULL};

int main(int argc, char **argv)
{
    /* As if this libfcgi did not take a connection that was handed to it. */
    fcgi_transport_distrust(getenv("HEARTH_TEST_DISTRUST") != NULL);
    return fcgi_main(argc, argv, modules);
}
