/*
 * test_site.c - which addresses the site has, and with what head it answers.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/core/memory.h"
#include "handlers/site/static_map.h"
#include "support_site.h"

/* ---- Pages ---- */

static void home_and_pages_are_whole_html_files(void **state)
{
    struct site_fixture *fixture = *state;
    site_expect(fixture, "/", NULL, 200, "<p>home</p>");
    site_expect_header(fixture, "Content-Type", "text/html; charset=utf-8");
    site_expect_header(fixture, "Cache-Control", "no-cache");
    site_expect_header(fixture, "X-Content-Type-Options", "nosniff");
    site_expect_header(fixture, "Referrer-Policy", "same-origin");
    site_expect_header(fixture, "Vary", "(none)");
    assert_int_equal(fixture->sink.content_length, strlen("<p>home</p>"));
    const char *policy = site_header(fixture, "Content-Security-Policy");
    assert_non_null(strstr(policy, "default-src 'none'"));
    assert_null(strstr(policy, "unsafe"));
    site_expect(fixture, "/about", NULL, 200, "<p>about</p>");
    site_expect(fixture, "/about?from=home", NULL, 200, "<p>about</p>");
}

static void every_page_of_the_directory_has_its_address(void **state)
{
    struct site_fixture *fixture = *state;
    site_write_file(fixture, "pages/my garden.html", "roses");
    site_write_file(fixture, "pages/caf\xc3\xa9.html", "coffee");
    site_write_file(fixture, "pages/notes.txt", "no page");
    assert_int_equal(mkdir(site_path(fixture, "pages/deep"), 0755), 0);
    site_write_file(fixture, "pages/deep/page.html", "too deep");
    site_restart(fixture);
    site_expect(fixture, "/my%20garden", NULL, 200, "roses");
    site_expect(fixture, "/caf%C3%A9", NULL, 200, "coffee");
    site_expect(fixture, "/notes", NULL, 404, NULL);
    site_expect(fixture, "/notes.txt", NULL, 404, NULL);
    site_expect(fixture, "/deep/page", NULL, 404, NULL);
}

/* ---- What has no address ---- */

static void what_is_not_in_the_map_is_404(void **state)
{
    static const char *const targets[] = {
        "/home",
        "/home.html",
        "/about.html",
        "/about/",
        "/pages/home.html",
        "/nothing",
        "/static",
        "/static/",
        "/static/nothing.css",
        "/static/style.css/",
        "/static/style.css/x",
        "/static/STYLE.css",
        "/static//etc/passwd",
        "/static%2Fstyle.css",
        "/static/pages/home.html",
        "/static/.hidden",
        "/static/.git/config",
        "/static/style.css~",
        "/static/link",
        "/static/linked/hearth.conf",
        "/link",
        "/.hidden",
        "/favicon.ico",
    };
    struct site_fixture *fixture = *state;
    site_write_file(fixture, "static/.hidden", "hidden");
    site_write_file(fixture, "static/style.css~", "before");
    site_write_file(fixture, "pages/.hidden.html", "hidden");
    assert_int_equal(mkdir(site_path(fixture, "static/.git"), 0755), 0);
    site_write_file(fixture, "static/.git/config", "hidden");
    assert_int_equal(symlink("../../hearth.conf", site_path(fixture, "static/link")), 0);
    assert_int_equal(symlink("../..", site_path(fixture, "static/linked")), 0);
    assert_int_equal(symlink("about.html", site_path(fixture, "pages/link.html")), 0);
    site_restart(fixture);
    for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++)
        site_expect(fixture, targets[i], NULL, 404, NULL);
    site_expect(fixture, "/static/../pages/home.html", NULL, 400, NULL);
    site_expect(fixture, "/static/%2e%2e/%2e%2e/hearth.conf", NULL, 400, NULL);
    site_expect(fixture, "/static/..%2f..%2fhearth.conf", NULL, 400, NULL);
}

static void a_file_that_came_after_the_start_is_found_at_the_next(void **state)
{
    struct site_fixture *fixture = *state;
    site_write_file(fixture, "static/new.css", "new");
    site_expect(fixture, "/static/new.css", NULL, 404, NULL);
    site_restart(fixture);
    site_expect(fixture, "/static/new.css", NULL, 200, "new");
}

static void a_file_that_turned_into_a_link_since_the_start_is_not_followed(void **state)
{
    struct site_fixture *fixture = *state;
    assert_int_equal(unlink(site_path(fixture, "static/style.css")), 0);
    assert_int_equal(symlink("../../hearth.conf", site_path(fixture, "static/style.css")), 0);
    site_expect(fixture, "/static/style.css", NULL, 404, NULL);
}

static void a_missing_directory_is_a_site_without_pages(void **state)
{
    struct site_fixture *fixture = *state;
    char path[1024];
    site_stop(fixture);
    snprintf(path, sizeof path, "%s/nowhere", fixture->directory);
    site_start(fixture, path);
    site_expect(fixture, "/", NULL, 404, NULL);
    site_expect(fixture, "/about", NULL, 404, NULL);
    site_expect(fixture, "/static/style.css", NULL, 404, NULL);
    site_expect(fixture, "/favicon.ico", NULL, 404, NULL);
    struct stat status;
    assert_int_equal(stat(path, &status), -1); /* and is not made */
    site_stop(fixture);
    snprintf(path, sizeof path, "%s/hearth.conf", fixture->directory); /* a file */
    site_start(fixture, path);
    site_expect(fixture, "/", NULL, 404, NULL);
}

static void serving_leaves_no_trace_in_the_directory(void **state)
{
    struct site_fixture *fixture = *state;
    struct stat status;
    site_expect(fixture, "/", NULL, 200, NULL);
    site_expect(fixture, "/static/style.css", NULL, 200, NULL);
    assert_int_equal(stat(site_path(fixture, ".store\\"), &status), -1);
}

static void other_methods_are_not_allowed(void **state)
{
    struct site_fixture *fixture = *state;
    site_ask(fixture, "POST", "/", NULL);
    assert_int_equal(fixture->sink.status, 405);
    assert_non_null(strstr(site_header(fixture, "Allow"), "GET"));
    site_ask(fixture, "DELETE", "/static/style.css", NULL);
    assert_int_equal(fixture->sink.status, 405);
    site_expect(fixture, "/static/style.css", NULL, 200, "body { color: black }");
}

static void an_address_that_leads_nowhere_is_404_whatever_the_method(void **state)
{
    static const char *const methods[] = {"POST", "PUT", "DELETE", "BREW", "OPTIONS"};
    struct site_fixture *fixture = *state;
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        site_ask(fixture, methods[i], "/unknown-page", NULL);
        assert_int_equal(fixture->sink.status, 404);
        site_expect_header(fixture, "Allow", "(none)");
        site_ask(fixture, methods[i], "/static/unknown.css", NULL);
        assert_int_equal(fixture->sink.status, 404);
    }
    site_ask(fixture, "POST", "/about", NULL);
    assert_int_equal(fixture->sink.status, 405);
    site_expect_header(fixture, "Allow", "GET, HEAD, OPTIONS");
    site_ask(fixture, "OPTIONS", "/about", NULL);
    assert_int_equal(fixture->sink.status, 204);
    site_expect_header(fixture, "Allow", "GET, HEAD, OPTIONS");
}

static void a_map_that_finds_no_memory_is_an_error_at_any_point(void **state)
{
    struct site_fixture *fixture = *state;
    struct object_store *files = directory_store_new(site_path(fixture, ""), NULL);
    assert_non_null(files);
    int failures = 0;
    for (int64_t allowed = 0;; allowed++, failures++) {
        struct static_map map;
        memory_fail_after(allowed);
        enum hearth_error result = static_map_build(files, &map, NULL);
        memory_fail_after(-1);
        if (result == HEARTH_OK) {
            assert_int_equal(map.count, 3);
            static_map_clean(&map);
            break;
        }
        assert_int_equal(result, HEARTH_NO_MEMORY);
        assert_null(static_map_find(&map, VIEW("/")));
    }
    assert_true(failures > 2);
    files->free(files);
}

/* ---- Types and caches ---- */

static void a_file_has_the_type_of_its_name(void **state)
{
    static const struct {
        const char *name, *type;
    } files[] = {
        {"a.css", "text/css; charset=utf-8"},
        {"a.js", "text/javascript; charset=utf-8"},
        {"a.svg", "image/svg+xml"},
        {"a.png", "image/png"},
        {"a.JPG", "image/jpeg"},
        {"a.min.js", "text/javascript; charset=utf-8"},
        {"a.woff2", "font/woff2"},
        {"a.txt", "text/plain; charset=utf-8"},
        {"a.html", "text/html; charset=utf-8"},
        {"a.pdf", "application/pdf"},
        {"a.webmanifest", "application/manifest+json"},
        {"a.tar.gz", "application/gzip"},
        {"a.unknown", "application/octet-stream"},
        {"css", "application/octet-stream"},
    };
    struct site_fixture *fixture = *state;
    char path[64];
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        snprintf(path, sizeof path, "static/%s", files[i].name);
        site_write_file(fixture, path, "x");
    }
    site_restart(fixture);
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        snprintf(path, sizeof path, "/static/%s", files[i].name);
        site_expect(fixture, path, NULL, 200, "x");
        site_expect_header(fixture, "Content-Type", files[i].type);
        site_expect_header(fixture, "X-Content-Type-Options", "nosniff");
    }
    site_expect(fixture, "/static/a.svg", NULL, 200, NULL);
    assert_non_null(strstr(site_header(fixture, "Content-Security-Policy"), "sandbox"));
    site_expect(fixture, "/static/a.html", NULL, 200, NULL);
    assert_non_null(strstr(site_header(fixture, "Content-Security-Policy"), "default-src 'none'"));
}

static void static_files_are_cached_and_those_with_a_version_for_good(void **state)
{
    struct site_fixture *fixture = *state;
    site_expect(fixture, "/static/style.css", NULL, 200, NULL);
    site_expect_header(fixture, "Cache-Control", "public, max-age=3600");
    site_expect(fixture, "/static/style.css?v=12", NULL, 200, NULL);
    site_expect_header(fixture, "Cache-Control", "public, max-age=31536000, immutable");
    site_expect(fixture, "/static/style.css?v=", NULL, 200, NULL);
    site_expect_header(fixture, "Cache-Control", "public, max-age=3600");
    site_expect(fixture, "/about?v=12", NULL, 200, NULL);
    site_expect_header(fixture, "Cache-Control", "no-cache");
}

/* They name each other without a version. */
static void scripts_are_asked_for_again(void **state)
{
    struct site_fixture *fixture = *state;
    site_write_file(fixture, "static/a.js", "x");
    site_restart(fixture);
    site_expect(fixture, "/static/a.js", NULL, 200, "x");
    site_expect_header(fixture, "Cache-Control", "no-cache");
    site_expect(fixture, "/static/a.js?v=1", NULL, 200, "x");
    site_expect_header(fixture, "Cache-Control", "public, max-age=31536000, immutable");
}

static void the_tag_is_made_of_the_content_and_the_date_is_the_files(void **state)
{
    struct site_fixture *fixture = *state;
    char tag[OBJECT_ETAG_SIZE], date[CLOCK_HTTP_SIZE];
    struct timespec then = {.tv_sec = 1700000000, .tv_nsec = 999000000};
    assert_int_equal(utimensat(AT_FDCWD, site_path(fixture, "pages/home.html"),
                               (struct timespec[]){then, then}, 0),
                     0);
    site_expect(fixture, "/", NULL, 200, NULL);
    site_tag(VIEW("<p>home</p>"), tag);
    site_expect_header(fixture, "ETag", tag);
    clock_format_http(INT64_C(1700000000000), date);
    site_expect_header(fixture, "Last-Modified", date);
    site_expect_header(fixture, "Accept-Ranges", "bytes");
}

static void head_is_get_without_the_body(void **state)
{
    struct site_fixture *fixture = *state;
    char tag[128];
    site_expect(fixture, "/about", NULL, 200, NULL);
    site_copy_header(fixture, "ETag", tag);
    site_ask(fixture, "HEAD", "/about", NULL);
    assert_int_equal(fixture->sink.status, 200);
    assert_int_equal(fixture->sink.finishes, 1);
    assert_int_equal(fixture->sink.body.length, 0);
    assert_int_equal(fixture->sink.content_length, strlen("<p>about</p>"));
    site_expect_header(fixture, "ETag", tag);
    site_expect_header(fixture, "Content-Type", "text/html; charset=utf-8");
}

/* ---- The icon, and the site as it is shipped ---- */

static void the_icon_is_a_drawing_unless_there_is_an_ico(void **state)
{
    struct site_fixture *fixture = *state;
    site_write_file(fixture, "static/favicon.svg", "<svg/>");
    site_restart(fixture);
    site_expect(fixture, "/favicon.ico", NULL, 200, "<svg/>");
    site_expect_header(fixture, "Content-Type", "image/svg+xml");
    site_write_file(fixture, "static/favicon.ico", "icon");
    site_restart(fixture);
    site_expect(fixture, "/favicon.ico", NULL, 200, "icon");
    site_expect_header(fixture, "Content-Type", "image/vnd.microsoft.icon");
}

/* Follows what is quoted behind `attribute` if the site serves it; other modules' addresses are
 * named here. */
static int follow_links(struct site_fixture *fixture, const char *page, const char *attribute)
{
    static const char *const elsewhere[] = {"/temp",    "/data",   "/api/v1/export.bin",
                                            "/healthz", "/readyz", "#main"};
    int followed = 0;
    for (const char *at = page; (at = strstr(at, attribute)) != NULL;) {
        char target[256] = "";
        at += strlen(attribute);
        size_t length = strcspn(at, "\"");
        assert_in_range(length, 1, sizeof target - 1);
        memcpy(target, at, length);
        bool known = false;
        for (size_t i = 0; i < sizeof elsewhere / sizeof elsewhere[0]; i++)
            known = known || strcmp(target, elsewhere[i]) == 0;
        if (!known)
            site_expect(fixture, target, NULL, 200, NULL);
        followed++;
    }
    return followed;
}

static void the_shipped_pages_ask_only_for_what_the_site_has(void **state)
{
    static const char *const pages[] = {"/", "/about"};
    struct site_fixture *fixture = *state;
    site_stop(fixture);
    site_start(fixture, HEARTH_SOURCE_DIR "/etc/site");
    for (size_t i = 0; i < 2; i++) {
        site_expect(fixture, pages[i], NULL, 200, NULL);
        char *page = strdup(test_sink_body(&fixture->sink));
        assert_non_null(page);
        assert_null(strstr(page, "<script"));
        assert_null(strstr(page, " style="));
        assert_true(follow_links(fixture, page, "href=\"") >= 5);
        assert_true(follow_links(fixture, page, "src=\"") >= 0);
        free(page);
    }
    site_expect(fixture, "/favicon.ico", NULL, 200, NULL);
    site_expect(fixture, "/static/style.css", NULL, 200, NULL);
    assert_null(strstr(test_sink_body(&fixture->sink), "url(http"));
    assert_null(strstr(test_sink_body(&fixture->sink), "@import"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SITE_STORY(home_and_pages_are_whole_html_files),
        SITE_STORY(every_page_of_the_directory_has_its_address),
        SITE_STORY(what_is_not_in_the_map_is_404),
        SITE_STORY(a_file_that_came_after_the_start_is_found_at_the_next),
        SITE_STORY(a_file_that_turned_into_a_link_since_the_start_is_not_followed),
        SITE_STORY(a_missing_directory_is_a_site_without_pages),
        SITE_STORY(a_map_that_finds_no_memory_is_an_error_at_any_point),
        SITE_STORY(serving_leaves_no_trace_in_the_directory),
        SITE_STORY(other_methods_are_not_allowed),
        SITE_STORY(an_address_that_leads_nowhere_is_404_whatever_the_method),
        SITE_STORY(a_file_has_the_type_of_its_name),
        SITE_STORY(static_files_are_cached_and_those_with_a_version_for_good),
        SITE_STORY(scripts_are_asked_for_again),
        SITE_STORY(the_tag_is_made_of_the_content_and_the_date_is_the_files),
        SITE_STORY(head_is_get_without_the_body),
        SITE_STORY(the_icon_is_a_drawing_unless_there_is_an_ico),
        SITE_STORY(the_shipped_pages_ask_only_for_what_the_site_has),
    };
    return cmocka_run_group_tests_name("site", tests, NULL, NULL);
}
