/*
 * support.c - what the unit tests share. A failure of the support itself fails the running test.
 */
#include "tests/unit/support.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hearth/limits.h"

enum { SINK_MAX_BYTES = 256u << 20 };

/* ---- The sink ---- */

/* The sink is the first member of struct test_sink. */
static struct test_sink *test_sink_of(struct response_sink *sink)
{
    return (struct test_sink *)sink;
}

static enum hearth_error sink_head(struct response_sink *sink, const struct response_head *head)
{
    struct test_sink *test = test_sink_of(sink);
    test->heads++;
    if (test->fail_head != HEARTH_OK)
        return test->fail_head;
    test->status = head->status;
    test->content_length = head->content_length;
    for (size_t i = 0; i < head->headers.count; i++) {
        buffer_append(&test->headers, head->headers.items[i].name);
        buffer_append(&test->headers, VIEW(": "));
        buffer_append(&test->headers, head->headers.items[i].value);
        buffer_append(&test->headers, VIEW("\n"));
    }
    return buffer_status(&test->headers);
}

static enum hearth_error sink_write(struct response_sink *sink, struct view bytes)
{
    struct test_sink *test = test_sink_of(sink);
    if (test->fail_write != HEARTH_OK)
        return test->fail_write;
    return buffer_append(&test->body, bytes);
}

static enum hearth_error sink_flush(struct response_sink *sink)
{
    test_sink_of(sink)->flushes++;
    return HEARTH_OK;
}

static enum hearth_error sink_finish(struct response_sink *sink)
{
    test_sink_of(sink)->finishes++;
    return HEARTH_OK;
}

static void sink_abort(struct response_sink *sink)
{
    test_sink_of(sink)->aborts++;
}

static bool sink_client_gone(struct response_sink *sink)
{
    return test_sink_of(sink)->gone;
}

void test_sink_init(struct test_sink *sink)
{
    *sink = (struct test_sink){.sink = {.head = sink_head,
                                        .write = sink_write,
                                        .flush = sink_flush,
                                        .finish = sink_finish,
                                        .abort = sink_abort,
                                        .client_gone = sink_client_gone},
                               .content_length = -1};
    buffer_init(&sink->headers, SINK_MAX_BYTES);
    buffer_init(&sink->body, SINK_MAX_BYTES);
}

void test_sink_clean(struct test_sink *sink)
{
    buffer_clean(&sink->headers);
    buffer_clean(&sink->body);
}

const char *test_sink_header(struct test_sink *sink, const char *name)
{
    static _Thread_local char value[LIMIT_LOG_LINE];
    struct view rest = buffer_view(&sink->headers);
    while (rest.length > 0) {
        struct view line = view_split(&rest, '\n');
        size_t colon = view_index_of(line, ':');
        if (!view_equal_ignore_case(view_slice(line, 0, colon), view_of(name)))
            continue;
        struct view found = view_skip(line, colon + 2);
        assert_true(found.length < sizeof value);
        snprintf(value, sizeof value, "%.*s", VIEW_ARGUMENTS(found));
        return value;
    }
    return NULL;
}

const char *test_sink_body(struct test_sink *sink)
{
    /* The NUL goes behind the content, which stays as it was. */
    char *end = buffer_reserve(&sink->body, 1);
    assert_non_null(end);
    *end = '\0';
    return sink->body.data;
}

/* ---- The body ---- */

static enum hearth_error body_source_read(struct body_source *source, char *to, size_t capacity,
                                          size_t *length)
{
    struct test_body *body = (struct test_body *)source;
    struct view piece = view_slice(body->content, 0, capacity);
    if (body->step > 0)
        piece = view_slice(piece, 0, body->step);
    *length = piece.length;
    if (piece.length == 0)
        return body->fail_at_end;
    memcpy(to, piece.data, piece.length);
    body->content = view_skip(body->content, piece.length);
    return HEARTH_OK;
}

void test_body_init(struct test_body *body, struct view content, size_t step)
{
    *body =
        (struct test_body){.source = {.read = body_source_read}, .content = content, .step = step};
}

/* ---- Requests ---- */

static void *must(void *memory)
{
    assert_non_null(memory);
    return memory;
}

static void add_pair(struct pairs *pairs, struct view name, struct view value)
{
    pairs->items[pairs->count++] = (struct pair){name, value};
}

static bool has_pair(const struct pairs *pairs, struct view name)
{
    for (size_t i = 0; i < pairs->count; i++)
        if (view_equal_ignore_case(pairs->items[i].name, name))
            return true;
    return false;
}

/* "Name: value\n..." as pairs; room for one more is left. */
static struct pairs parse_headers(struct arena *arena, const char *text)
{
    struct view rest = view_of(text);
    size_t lines = 2;
    for (size_t i = 0; i < rest.length; i++)
        lines += rest.data[i] == '\n';
    struct pairs pairs = {must(arena_array(arena, lines, sizeof *pairs.items)), 0};
    while (rest.length > 0) {
        struct view line = view_split(&rest, '\n');
        size_t colon = view_index_of(line, ':');
        if (line.length > 0)
            add_pair(&pairs, view_slice(line, 0, colon), view_trim(view_skip(line, colon + 1)));
    }
    return pairs;
}

static struct request_input make_input(struct arena *arena, const struct test_request *request)
{
    struct request_input input = {
        .method = view_of(request->method),
        .target = view_of(request->target),
        .headers = parse_headers(arena, request->headers),
        .peer_address = view_of(request->peer ? request->peer : "127.0.0.1"),
    };
    if (!request->body.data)
        return input;
    struct test_body *body = must(arena_alloc(arena, sizeof *body));
    test_body_init(body, request->body, 0);
    input.body = &body->source;
    if (!request->no_length && !has_pair(&input.headers, VIEW("content-length")))
        add_pair(&input.headers, VIEW("content-length"),
                 view_of(must(arena_format(arena, "%zu", request->body.length))));
    return input;
}

void test_app_request(struct app *app, const struct test_request *request, struct test_sink *sink)
{
    struct arena *arena = must(arena_new(LIMIT_ARENA_BYTES));
    struct request_input input = make_input(arena, request);
    app_handle(app, arena, &input, &sink->sink);
    arena_free(arena);
}

/* The defaults of the configuration. */
static const struct request_limits test_limits = {
    .max_head_bytes = 65536,
    .max_headers = 200,
    .max_header_bytes = 16384,
    .max_target_bytes = 8192,
    .max_query_pairs = 256,
    .max_body_bytes = 16777216,
    .timeout_ms = 60000,
};

enum hearth_error test_parse(struct arena *arena, const struct test_request *input,
                             struct request *request)
{
    struct request_input made = make_input(arena, input);
    return request_parse(arena, &clock_system, &test_limits, &made, request);
}

/* ---- Files ---- */

char *test_directory_make(void)
{
    const char *parent = getenv("TMPDIR");
    char path[512];
    int length =
        snprintf(path, sizeof path, "%s/hearth-test-XXXXXX", parent && parent[0] ? parent : "/tmp");
    assert_in_range(length, 1, sizeof path - 1);
    assert_non_null(mkdtemp(path));
    return must(strdup(path));
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *place)
{
    (void)status;
    (void)type;
    (void)place;
    return remove(path);
}

void test_directory_remove(char *directory)
{
    /* Depth first; symbolic links are removed, not followed. */
    if (nftw(directory, remove_entry, 16, FTW_DEPTH | FTW_PHYS) != 0)
        fail_msg("%s cannot be removed: %s", directory, strerror(errno));
    free(directory);
}

void test_write_file(const char *path, struct view content)
{
    FILE *file = fopen(path, "wb");
    if (!file)
        fail_msg("%s: %s", path, strerror(errno));
    size_t written = content.length > 0 ? fwrite(content.data, 1, content.length, file) : 0;
    assert_int_equal(written, content.length);
    assert_int_equal(fclose(file), 0);
}

const char *test_shared_data(const char *name)
{
    static const char *const places[] = {"../shared/data", "tests/data"};
    static _Thread_local char paths[4][1024];
    static _Thread_local size_t next;
    char *path = paths[next++ % 4];
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        int length =
            snprintf(path, sizeof paths[0], "%s/%s/%s", HEARTH_SOURCE_DIR, places[i], name);
        assert_in_range(length, 1, sizeof paths[0] - 1);
        if (access(path, R_OK) == 0)
            return path;
    }
    if (getenv("CI"))
        fail_msg("%s is missing, and CI must have it", name);
    print_message("[  NOTE    ] no %s beside the project\n", name);
    skip();
    return NULL;
}
