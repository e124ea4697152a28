/*
 * support_site.h - a site of its own for each test, and requests to it.
 */
#ifndef TESTS_SUPPORT_SITE_H
#define TESTS_SUPPORT_SITE_H

#include "hearth/object_store.h"
#include "support.h"

struct site_fixture {
    char *directory; /* site/ and state/ */
    struct config *config;
    struct config_problems problems;
    void *metrics_memory;
    struct app *app;
    struct test_sink sink; /* of the last request */
};

/* A test's state is a started site with pages/home.html, pages/about.html and static/style.css. */
int site_setup(void **state);
int site_teardown(void **state);
#define SITE_STORY(name) cmocka_unit_test_setup_teardown(name, site_setup, site_teardown)

/* Of a file in the site's directory; valid until the thread's next call. */
const char *site_path(const struct site_fixture *fixture, const char *name);
void site_write_file(const struct site_fixture *fixture, const char *name, const char *content);
void site_start(struct site_fixture *fixture, const char *site_directory);
void site_stop(struct site_fixture *fixture);
/* With the changes that a test has made to the directory. */
void site_restart(struct site_fixture *fixture);

/* The sink holds the answer. `headers` as in struct test_request. */
void site_ask(struct site_fixture *fixture, const char *method, const char *target,
              const char *headers);
/* GET; the status and, unless NULL, the body are these. */
void site_expect(struct site_fixture *fixture, const char *target, const char *headers, int status,
                 const char *body);
/* Of the last answer; "(none)" when it has none. */
const char *site_header(struct site_fixture *fixture, const char *name);
void site_expect_header(struct site_fixture *fixture, const char *name, const char *value);
void site_copy_header(struct site_fixture *fixture, const char *name, char value[128]);
/* The tag that belongs to these bytes. Usable in threads. */
void site_tag(struct view bytes, char tag[OBJECT_ETAG_SIZE]);

#endif
