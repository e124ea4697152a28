/*
 * support.h - what the unit tests share: a sink that remembers, requests made of literals, a
 * directory that goes away, and where the shared test data is.
 */
#ifndef TESTS_SUPPORT_H
#define TESTS_SUPPORT_H

/* cmocka wants these four first. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "app/adapter/dispatch.h"
#include "hearth/response.h"

/* ---- A sink that remembers all it was given ---- */

struct test_sink {
    struct response_sink sink; /* pass &test_sink.sink */
    int heads, finishes, aborts, flushes;
    int status;
    int64_t content_length;
    struct buffer headers; /* "name: value\n" each, in order */
    struct buffer body;
    enum hearth_error fail_head, fail_write; /* given back instead of OK */
    bool gone;
};
void test_sink_init(struct test_sink *sink);
void test_sink_clean(struct test_sink *sink);
/* The value of the first header of that name, or NULL. Valid until the next call. */
const char *test_sink_header(struct test_sink *sink, const char *name);
/* The body as a terminated string. */
const char *test_sink_body(struct test_sink *sink);

/* ---- A body source over bytes in memory, in pieces of `step` (0 = whole) ---- */

struct test_body {
    struct body_source source;
    struct view content;
    size_t step;
    enum hearth_error fail_at_end;
};
void test_body_init(struct test_body *body, struct view content, size_t step);

/* ---- A request through an app, as an adapter would do it ---- */

struct test_request {
    const char *method, *target;
    const char *headers; /* "Name: value\n..." or NULL */
    struct view body;    /* a Content-Length is added unless `no_length` */
    bool no_length;
    const char *peer; /* NULL = "127.0.0.1" */
};
/* Runs it; the sink holds the answer. */
void test_app_request(struct app *app, const struct test_request *request, struct test_sink *sink);

/* Parses a request for a handler under test. Everything lives in `arena`. */
enum hearth_error test_parse(struct arena *arena, const struct test_request *input,
                             struct request *request);

/* ---- Files ---- */

/* A new directory under TMPDIR; removed with all that is in it by test_directory_remove. */
char *test_directory_make(void);
void test_directory_remove(char *directory); /* frees the string */
void test_write_file(const char *path, struct view content);

/* A file of the shared data beside the project (`../shared/data/NAME`), or of tests/data. When it
 * is missing: skips the test visibly, or fails it where CI is set. */
const char *test_shared_data(const char *name);

#endif
