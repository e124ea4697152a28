/*
 * support_site.c - an app with the site's module alone, over a directory of the test's own.
 */
#include "support_site.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "app/store/content.h"

extern const struct module site_module;

static const struct module *const site_alone[] = {&site_module, NULL};

/* ---- A site of its own for each test ---- */

const char *site_path(const struct site_fixture *fixture, const char *name)
{
    static _Thread_local char path[1024];
    snprintf(path, sizeof path, "%s/site/%s", fixture->directory, name);
    return path;
}

void site_write_file(const struct site_fixture *fixture, const char *name, const char *content)
{
    test_write_file(site_path(fixture, name), view_of(content));
}

void site_start(struct site_fixture *fixture, const char *site_directory)
{
    char path[1024], text[4096];
    struct error_record error = {.code = HEARTH_OK};
    snprintf(path, sizeof path, "%s/hearth.conf", fixture->directory);
    snprintf(text, sizeof text,
             "site: { directory = \"%s\"; };\nstate: { directory = \"%s/state\"; };\n",
             site_directory, fixture->directory);
    test_write_file(path, view_of(text));
    if (app_config_load(site_alone, path, &fixture->config, &fixture->problems) != HEARTH_OK)
        fail_msg("%s", fixture->problems.items[0].what);
    struct app_options options = {.modules = site_alone,
                                  .config = fixture->config,
                                  .clock = &clock_system,
                                  .metrics = metrics_create(fixture->metrics_memory, 256),
                                  .threads = 4};
    if (app_start(&options, &fixture->app, &error) != HEARTH_OK)
        fail_msg("%s %s", error_name(error.code), error.detail);
}

void site_stop(struct site_fixture *fixture)
{
    app_stop(fixture->app);
    fixture->app = NULL;
    config_free(fixture->config);
    fixture->config = NULL;
    config_problems_clean(&fixture->problems);
}

void site_restart(struct site_fixture *fixture)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/site", fixture->directory);
    if (fixture->app)
        site_stop(fixture);
    site_start(fixture, path);
}

int site_setup(void **state)
{
    struct site_fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    fixture->directory = test_directory_make();
    fixture->metrics_memory = calloc(1, metrics_size(256));
    assert_non_null(fixture->metrics_memory);
    assert_int_equal(mkdir(site_path(fixture, ""), 0755), 0);
    assert_int_equal(mkdir(site_path(fixture, "pages"), 0755), 0);
    assert_int_equal(mkdir(site_path(fixture, "static"), 0755), 0);
    site_write_file(fixture, "pages/home.html", "<p>home</p>");
    site_write_file(fixture, "pages/about.html", "<p>about</p>");
    site_write_file(fixture, "static/style.css", "body { color: black }");
    test_sink_init(&fixture->sink);
    *state = fixture;
    site_restart(fixture);
    return 0;
}

int site_teardown(void **state)
{
    struct site_fixture *fixture = *state;
    if (fixture->app)
        site_stop(fixture);
    test_sink_clean(&fixture->sink);
    test_directory_remove(fixture->directory);
    free(fixture->metrics_memory);
    free(fixture);
    return 0;
}

/* ---- Requests ---- */

void site_ask(struct site_fixture *fixture, const char *method, const char *target,
              const char *headers)
{
    test_sink_clean(&fixture->sink);
    test_sink_init(&fixture->sink);
    struct test_request request = {.method = method, .target = target, .headers = headers};
    test_app_request(fixture->app, &request, &fixture->sink);
    assert_int_equal(fixture->sink.heads, 1);
    assert_int_equal(fixture->sink.finishes + fixture->sink.aborts, 1);
}

const char *site_header(struct site_fixture *fixture, const char *name)
{
    const char *value = test_sink_header(&fixture->sink, name);
    return value ? value : "(none)";
}

void site_expect(struct site_fixture *fixture, const char *target, const char *headers, int status,
                 const char *body)
{
    site_ask(fixture, "GET", target, headers);
    if (fixture->sink.status != status)
        fail_msg("%s: %d, not %d", target, fixture->sink.status, status);
    if (body)
        assert_string_equal(test_sink_body(&fixture->sink), body);
}

void site_expect_header(struct site_fixture *fixture, const char *name, const char *value)
{
    if (strcmp(site_header(fixture, name), value) != 0)
        fail_msg("%s: %s, not %s", name, site_header(fixture, name), value);
}

void site_copy_header(struct site_fixture *fixture, const char *name, char value[128])
{
    snprintf(value, 128, "%s", site_header(fixture, name));
    assert_string_not_equal(value, "(none)");
}

void site_tag(struct view bytes, char tag[OBJECT_ETAG_SIZE])
{
    unsigned char hash[CONTENT_HASH_BYTES];
    struct object_info info;
    memset(hash, 0, sizeof hash); /* no memory: a tag that nothing has */
    (void)content_hash_bytes(bytes, hash);
    content_describe(&(struct content_stamp){.inode = 0}, hash, &info);
    memcpy(tag, info.etag, OBJECT_ETAG_SIZE);
}
