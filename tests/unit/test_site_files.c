/*
 * test_site_files.c - how the site sends a file: conditions, ranges, compressed forms, and files
 * that change meanwhile.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "support_site.h"

/* ---- Conditions and ranges ---- */

static void what_the_client_has_is_not_sent_again(void **state)
{
    struct site_fixture *fixture = *state;
    char value[128], condition[256];
    site_expect(fixture, "/", NULL, 200, NULL);
    site_copy_header(fixture, "ETag", value);
    snprintf(condition, sizeof condition, "If-None-Match: \"other\", %s\n", value);
    site_expect(fixture, "/", condition, 304, "");
    site_expect_header(fixture, "ETag", value);
    site_expect_header(fixture, "Cache-Control", "no-cache");
    site_copy_header(fixture, "Last-Modified", value);
    snprintf(condition, sizeof condition, "If-Modified-Since: %s\n", value);
    site_expect(fixture, "/", condition, 304, "");
    site_expect(fixture, "/", "If-None-Match: \"other\"\n", 200, "<p>home</p>");
    site_expect(fixture, "/", "If-Match: \"other\"\n", 412, NULL);
}

static void a_range_is_cut_from_the_file(void **state)
{
    struct site_fixture *fixture = *state;
    char tag[128], condition[256];
    site_expect(fixture, "/static/style.css", "Range: bytes=0-3\n", 206, "body");
    site_expect_header(fixture, "Content-Range", "bytes 0-3/21");
    assert_int_equal(fixture->sink.content_length, 4);
    site_copy_header(fixture, "ETag", tag);
    site_expect(fixture, "/static/style.css", "Range: bytes=-7\n", 206, "black }");
    site_expect(fixture, "/static/style.css", "Range: bytes=7-\n", 206, "color: black }");
    site_expect(fixture, "/static/style.css", "Range: bytes=21-\n", 416, NULL);
    site_expect_header(fixture, "Content-Range", "bytes */21");
    site_expect(fixture, "/static/style.css", "Range: bytes=0-3\nIf-Range: \"old\"\n", 200,
                "body { color: black }");
    snprintf(condition, sizeof condition, "Range: bytes=0-3\nIf-Range: %s\n", tag);
    site_expect(fixture, "/static/style.css", condition, 206, "body");
}

static void an_empty_file_is_an_empty_answer(void **state)
{
    struct site_fixture *fixture = *state;
    site_write_file(fixture, "static/empty.css", "");
    site_restart(fixture);
    site_expect(fixture, "/static/empty.css", NULL, 200, "");
    assert_int_equal(fixture->sink.content_length, 0);
    site_expect(fixture, "/static/empty.css", "Range: bytes=0-3\n", 416, NULL);
}

enum { LARGE_BYTES = 3000000 };

static char *write_large(const struct site_fixture *fixture)
{
    char *bytes = malloc(LARGE_BYTES);
    assert_non_null(bytes);
    for (size_t i = 0; i < LARGE_BYTES; i++)
        bytes[i] = (char)((i * 2654435761u) >> 13);
    test_write_file(site_path(fixture, "static/large.bin"), view_from(bytes, LARGE_BYTES));
    return bytes;
}

static void a_large_file_flows_through(void **state)
{
    struct site_fixture *fixture = *state;
    char *bytes = write_large(fixture);
    site_restart(fixture);
    site_expect(fixture, "/static/large.bin", NULL, 200, NULL);
    assert_int_equal(fixture->sink.body.length, LARGE_BYTES);
    assert_memory_equal(fixture->sink.body.data, bytes, LARGE_BYTES);
    site_expect(fixture, "/static/large.bin", "Range: bytes=1000001-2500000\n", 206, NULL);
    assert_int_equal(fixture->sink.body.length, 1500000);
    assert_memory_equal(fixture->sink.body.data, bytes + 1000001, 1500000);
    free(bytes);
}

/* ---- Compressed beforehand ---- */

static void the_compressed_form_goes_to_who_accepts_it(void **state)
{
    static const struct {
        const char *headers;
        bool compressed;
    } clients[] = {
        {NULL, false},
        {"Accept-Encoding: gzip\n", true},
        {"Accept-Encoding: gzip, deflate, br\n", true},
        {"Accept-Encoding: deflate, GZIP;q=0.5\n", true},
        {"Accept-Encoding: br\nAccept-Encoding: gzip\n", true},
        {"Accept-Encoding: x-gzip\n", true},
        {"Accept-Encoding: *\n", true},
        {"Accept-Encoding: *;q=0.1\n", true},
        {"Accept-Encoding: gzip;q=1.0, identity;q=0.5\n", true},
        {"Accept-Encoding: gzip;q=0.5, identity;q=0.5\n", true},
        {"Accept-Encoding: gzip;q=0.2, identity;q=0.5\n", false},
        {"Accept-Encoding: gzip;q=0\n", false},
        {"Accept-Encoding: gzip;q=0.000\n", false},
        {"Accept-Encoding: gzip;q=0, *\n", false},
        {"Accept-Encoding: *;q=0\n", false},
        {"Accept-Encoding: identity\n", false},
        {"Accept-Encoding: br, deflate\n", false},
        {"Accept-Encoding: gzipped\n", false},
        {"Accept-Encoding: gzip;q=high\n", false},
        {"Accept-Encoding:\n", false},
    };
    struct site_fixture *fixture = *state;
    site_write_file(fixture, "static/style.css.gz", "\x1f\x8b compressed");
    site_restart(fixture);
    for (size_t i = 0; i < sizeof clients / sizeof clients[0]; i++) {
        bool compressed = clients[i].compressed;
        site_expect(fixture, "/static/style.css", clients[i].headers, 200,
                    compressed ? "\x1f\x8b compressed" : "body { color: black }");
        site_expect_header(fixture, "Content-Encoding", compressed ? "gzip" : "(none)");
        site_expect_header(fixture, "Content-Type", "text/css; charset=utf-8");
        site_expect_header(fixture, "Vary", "Accept-Encoding");
    }
    site_expect(fixture, "/static/style.css.gz", NULL, 404, NULL); /* no address of its own */
}

static void the_compressed_form_has_a_tag_and_ranges_of_its_own(void **state)
{
    struct site_fixture *fixture = *state;
    char plain[128], compressed[128], condition[512];
    site_write_file(fixture, "static/style.css.gz", "\x1f\x8b compressed");
    site_restart(fixture);
    site_expect(fixture, "/static/style.css", NULL, 200, NULL);
    site_copy_header(fixture, "ETag", plain);
    site_expect(fixture, "/static/style.css", "Accept-Encoding: gzip\n", 200, NULL);
    site_copy_header(fixture, "ETag", compressed);
    assert_string_not_equal(plain, compressed);
    snprintf(condition, sizeof condition, "Accept-Encoding: gzip\nIf-None-Match: %s\n", compressed);
    site_expect(fixture, "/static/style.css", condition, 304, "");
    site_expect_header(fixture, "Vary", "Accept-Encoding");
    snprintf(condition, sizeof condition, "Accept-Encoding: gzip\nIf-None-Match: %s\n", plain);
    site_expect(fixture, "/static/style.css", condition, 200, "\x1f\x8b compressed");
    site_expect(fixture, "/static/style.css", "Accept-Encoding: gzip\nRange: bytes=3-\n", 206,
                "compressed");
    site_expect_header(fixture, "Content-Range", "bytes 3-12/13");
    site_expect_header(fixture, "Content-Encoding", "gzip");
}

static void pages_can_be_compressed_and_a_gz_alone_is_a_file(void **state)
{
    struct site_fixture *fixture = *state;
    site_write_file(fixture, "pages/home.html.gz", "compressed home");
    site_write_file(fixture, "pages/alone.html.gz", "no page");
    site_write_file(fixture, "static/alone.txt.gz", "an archive");
    site_restart(fixture);
    site_expect(fixture, "/", "Accept-Encoding: gzip\n", 200, "compressed home");
    site_expect_header(fixture, "Cache-Control", "no-cache");
    site_expect(fixture, "/", NULL, 200, "<p>home</p>");
    site_expect(fixture, "/static/alone.txt.gz", "Accept-Encoding: gzip\n", 200, "an archive");
    site_expect_header(fixture, "Content-Encoding", "(none)");
    site_expect_header(fixture, "Content-Type", "application/gzip");
    site_expect(fixture, "/static/alone.txt", "Accept-Encoding: gzip\n", 404, NULL);
    site_expect(fixture, "/alone", "Accept-Encoding: gzip\n", 404, NULL);
}

static void a_compressed_form_that_was_forgotten_at_an_edit_is_not_sent(void **state)
{
    struct site_fixture *fixture = *state;
    struct timespec old = {.tv_sec = 1700000000};
    site_write_file(fixture, "static/style.css.gz", "of an older version");
    site_restart(fixture);
    assert_int_equal(utimensat(AT_FDCWD, site_path(fixture, "static/style.css.gz"),
                               (struct timespec[]){old, old}, 0),
                     0);
    site_expect(fixture, "/static/style.css", "Accept-Encoding: gzip\n", 200,
                "body { color: black }");
    site_expect_header(fixture, "Content-Encoding", "(none)");
    assert_int_equal(unlink(site_path(fixture, "static/style.css.gz")), 0);
    site_expect(fixture, "/static/style.css", "Accept-Encoding: gzip\n", 200,
                "body { color: black }");
}

/* ---- Files that change while the site is served ---- */

static void an_edited_file_is_served_as_it_is_now(void **state)
{
    struct site_fixture *fixture = *state;
    char before[128], condition[256], tag[OBJECT_ETAG_SIZE];
    site_expect(fixture, "/", NULL, 200, "<p>home</p>");
    site_copy_header(fixture, "ETag", before);
    nanosleep(&(struct timespec){.tv_nsec = 150000000}, NULL);
    site_expect(fixture, "/", NULL, 200, "<p>home</p>"); /* its hash is kept from here on */
    site_write_file(fixture, "pages/home.html", "<p>hole</p>");
    snprintf(condition, sizeof condition, "If-None-Match: %s\n", before);
    site_expect(fixture, "/", condition, 200, "<p>hole</p>");
    site_tag(VIEW("<p>hole</p>"), tag);
    site_expect_header(fixture, "ETag", tag);
    site_write_file(fixture, "pages/home.html", "");
    site_expect(fixture, "/", NULL, 200, "");
    assert_int_equal(unlink(site_path(fixture, "pages/home.html")), 0);
    site_expect(fixture, "/", NULL, 404, NULL);
}

/* A sink that lets somebody truncate the file once the answer has begun. */
struct meddling_sink {
    struct test_sink test; /* first */
    const struct site_fixture *fixture;
    enum hearth_error (*write)(struct response_sink *sink, struct view bytes);
    int pieces;
};

static enum hearth_error write_and_truncate(struct response_sink *sink, struct view bytes)
{
    struct meddling_sink *meddling = (struct meddling_sink *)sink;
    if (meddling->pieces++ == 0)
        assert_int_equal(truncate(site_path(meddling->fixture, "static/large.bin"), 100000), 0);
    return meddling->write(sink, bytes);
}

static void an_answer_whose_file_is_truncated_meanwhile_is_broken_off(void **state)
{
    struct site_fixture *fixture = *state;
    struct meddling_sink meddling = {.fixture = fixture};
    free(write_large(fixture));
    site_restart(fixture);
    test_sink_init(&meddling.test);
    meddling.write = meddling.test.sink.write;
    meddling.test.sink.write = write_and_truncate;
    struct test_request request = {.method = "GET", .target = "/static/large.bin"};
    test_app_request(fixture->app, &request, &meddling.test);
    assert_int_equal(meddling.test.content_length, LARGE_BYTES);
    assert_true(meddling.test.body.length < LARGE_BYTES);
    assert_int_equal(meddling.test.finishes, 0);
    assert_int_equal(meddling.test.aborts, 1);
    test_sink_clean(&meddling.test);
    site_expect(fixture, "/static/large.bin", NULL, 200, NULL);
    assert_int_equal(fixture->sink.body.length, 100000);
}

static void a_client_that_leaves_ends_the_answer(void **state)
{
    struct site_fixture *fixture = *state;
    struct test_sink sink;
    free(write_large(fixture));
    site_restart(fixture);
    test_sink_init(&sink);
    sink.fail_write = HEARTH_CLIENT_GONE;
    struct test_request request = {.method = "GET", .target = "/static/large.bin"};
    test_app_request(fixture->app, &request, &sink);
    assert_int_equal(sink.finishes, 0);
    assert_int_equal(sink.aborts, 1);
    test_sink_clean(&sink);
}

/* ---- Threads ---- */

enum { READERS = 4, VERSIONS = 60 };

struct crowd {
    struct site_fixture *fixture;
    atomic_bool stop;
    atomic_int answers, wrong;
};

/* Replaces the file, or overwrites it in place, with ever new content. */
static void change_file(const struct site_fixture *fixture, int version)
{
    char content[2000], other[1100];
    size_t length = 500 + (size_t)version % 3;
    memset(content, 'a' + version % 26, length);
    content[length] = '\0';
    if (version % 2 == 0) {
        site_write_file(fixture, "static/style.css", content);
        return;
    }
    snprintf(other, sizeof other, "%s/new", fixture->directory);
    test_write_file(other, view_of(content));
    assert_int_equal(rename(other, site_path(fixture, "static/style.css")), 0);
}

static void *read_on(void *argument)
{
    struct crowd *crowd = argument;
    while (!atomic_load(&crowd->stop)) {
        struct test_sink sink;
        test_sink_init(&sink);
        struct test_request request = {.method = "GET", .target = "/static/style.css"};
        test_app_request(crowd->fixture->app, &request, &sink);
        char expected[OBJECT_ETAG_SIZE];
        const char *tag = test_sink_header(&sink, "ETag");
        if (sink.status == 200 && tag) {
            site_tag(buffer_view(&sink.body), expected);
            atomic_fetch_add(&crowd->wrong, strcmp(tag, expected) != 0);
            atomic_fetch_add(&crowd->answers, 1);
        } else if (sink.status != 503) { /* 503: it changed too often to be read */
            atomic_fetch_add(&crowd->wrong, 1);
        }
        test_sink_clean(&sink);
    }
    return NULL;
}

static void no_content_ever_has_the_tag_of_another(void **state)
{
    struct crowd crowd = {.fixture = *state};
    pthread_t readers[READERS];
    for (int i = 0; i < READERS; i++)
        assert_int_equal(pthread_create(&readers[i], NULL, read_on, &crowd), 0);
    for (int version = 0; version < VERSIONS; version++) {
        change_file(crowd.fixture, version);
        nanosleep(&(struct timespec){.tv_nsec = 3000000}, NULL);
    }
    atomic_store(&crowd.stop, true);
    for (int i = 0; i < READERS; i++)
        pthread_join(readers[i], NULL);
    assert_int_equal(crowd.wrong, 0);
    assert_true(crowd.answers > VERSIONS / 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SITE_STORY(what_the_client_has_is_not_sent_again),
        SITE_STORY(a_range_is_cut_from_the_file),
        SITE_STORY(an_empty_file_is_an_empty_answer),
        SITE_STORY(a_large_file_flows_through),
        SITE_STORY(the_compressed_form_goes_to_who_accepts_it),
        SITE_STORY(the_compressed_form_has_a_tag_and_ranges_of_its_own),
        SITE_STORY(pages_can_be_compressed_and_a_gz_alone_is_a_file),
        SITE_STORY(a_compressed_form_that_was_forgotten_at_an_edit_is_not_sent),
        SITE_STORY(an_edited_file_is_served_as_it_is_now),
        SITE_STORY(an_answer_whose_file_is_truncated_meanwhile_is_broken_off),
        SITE_STORY(a_client_that_leaves_ends_the_answer),
        SITE_STORY(no_content_ever_has_the_tag_of_another),
    };
    return cmocka_run_group_tests_name("site, files", tests, NULL, NULL);
}
