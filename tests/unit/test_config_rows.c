/*
 * test_config_rows.c - the program's own rows: what their validators take and refuse, and that a
 * lookup which no row answers ends the program.
 */
#include "support_config.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct config_case test;

static int setup(void **state)
{
    (void)state;
    config_case_init(&test);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    config_case_clean(&test);
    return 0;
}

struct tried {
    const char *value; /* as it stands in the file */
    const char *what;  /* the problem; NULL = good */
};

static void try_all(const char *group, const char *name, const struct tried *tried, size_t count)
{
    char text[600], key[100];
    snprintf(key, sizeof key, "%s.%s", group, name);
    for (size_t i = 0; i < count; i++) {
        snprintf(text, sizeof text, "%s: { %s = %s; };", group, name, tried[i].value);
        config_case_load_program(&test, text);
        config_case_expect_count(&test, tried[i].what ? 1 : 0);
        if (tried[i].what)
            config_case_expect(&test, 0, "hearth.conf:1", key, tried[i].what);
    }
}

#define TRY_ALL(group, name, tried) try_all(group, name, tried, sizeof(tried) / sizeof *(tried))

static void addresses_to_listen_on(void **state)
{
    (void)state;
    static const struct tried tried[] = {
        {"\"unix:/run/x.sock\"", NULL},
        {"\"tcp:127.0.0.1:9000\"", NULL},
        {"\"tcp:127.9.9.9:1\"", NULL},
        {"\"tcp:[::1]:65535\"", NULL},
        {"\"\"", "must not be empty"},
        {"\"/run/x.sock\"", "\"/run/x.sock\" must be unix:/PATH or tcp:ADDRESS:PORT"},
        {"\"unix:run/x.sock\"", "\"unix:run/x.sock\" must be a path from the root*"},
        {"\"tcp:0.0.0.0:9000\"", "\"tcp:0.0.0.0:9000\" must be a loopback address*"},
        {"\"tcp:192.168.1.5:9000\"", "\"tcp:192.168.1.5:9000\" must be a loopback address*"},
        {"\"tcp:[::]:9000\"", "\"tcp:[::]:9000\" must be a loopback address*"},
        {"\"tcp:::1:9000\"", "\"tcp:::1:9000\" needs a numeric address*"},
        {"\"tcp:localhost:9000\"", "\"tcp:localhost:9000\" needs a numeric address*"},
        {"\"tcp:127.0.0.1\"", "\"tcp:127.0.0.1\" needs a port*"},
        {"\"tcp:127.0.0.1:0\"", "\"tcp:127.0.0.1:0\" needs a port*"},
        {"\"tcp:127.0.0.1:65536\"", "\"tcp:127.0.0.1:65536\" needs a port*"},
        {"\"tcp:\"", "\"tcp:\" needs a port*"},
    };
    TRY_ALL("pool", "listen", tried);
}

static void a_socket_path_fits_into_a_socket_address(void **state)
{
    (void)state;
    char value[200];
    memset(value, 'a', sizeof value);
    memcpy(value, "\"unix:/", 7);
    value[6 + 107] = '"'; /* 107 bytes of path, its slash included */
    value[6 + 108] = '\0';
    struct tried fits = {value, NULL};
    try_all("pool", "listen", &fits, 1);
    value[6 + 107] = 'a';
    value[6 + 108] = '"';
    value[6 + 109] = '\0';
    config_case_load_program(&test, "");
    char text[300];
    snprintf(text, sizeof text, "pool: { listen = %s; };", value);
    config_case_load_program(&test, text);
    config_case_expect_count(&test, 1);
    assert_non_null(strstr(test.problems.items[0].what, "more than 107 bytes"));
}

static void modes_are_octal_and_quoted(void **state)
{
    (void)state;
    static const struct tried tried[] = {
        {"\"0660\"", NULL},
        {"\"600\"", NULL},
        {"0660", "must be a string in quotes, is an integer"},
        {"\"0680\"", "\"0680\" must be an octal mode*"},
        {"\"1777\"", "\"1777\" must be an octal mode*"},
        {"\"66\"", "must be at least 3 bytes, is 2"},
        {"\"00660\"", "must be at most 4 bytes, is 5"},
        {"\"rw-r\"", "\"rw-r\" must be an octal mode*"},
    };
    TRY_ALL("pool", "socket_mode", tried);
}

static void groups_have_names(void **state)
{
    (void)state;
    static const struct tried tried[] = {
        {"\"\"", NULL},
        {"\"www-data\"", NULL},
        {"\"-x\"", "\"-x\" is not a name*"},
        {"\"a b\"", "\"a b\" is not a name*"},
        {"\"a:b\"", "\"a:b\" is not a name*"},
    };
    TRY_ALL("pool", "socket_group", tried);
}

static void trusted_proxies_are_addresses_and_ranges(void **state)
{
    (void)state;
    static const struct tried tried[] = {
        {"(\"unix\", \"loopback\", \"10.0.0.0/8\", \"::1\", \"fd00::/8\", \"1.2.3.4\")", NULL},
        {"(\"0.0.0.0/0\", \"::/0\", \"::/128\")", NULL},
        {"(\"10.0.0.0/33\")", "\"10.0.0.0/33\" has a bad prefix length*"},
        {"(\"10.0.0.0/\")", "\"10.0.0.0/\" has a bad prefix length*"},
        {"(\"10.0.0.0/-1\")", "\"10.0.0.0/-1\" has a bad prefix length*"},
        {"(\"::/129\")", "\"::/129\" has a bad prefix length*"},
        {"(\"10.0.0\")", "\"10.0.0\" must be an address*"},
        {"(\"proxy.example.org\")", "\"proxy.example.org\" must be an address*"},
        {"(\"unix/8\")", "\"unix/8\" must be an address*"},
    };
    TRY_ALL("http", "trusted_proxies", tried);
}

static void origins_have_no_path(void **state)
{
    (void)state;
    static const struct tried tried[] = {
        {"(\"*\")", NULL},
        {"(\"https://example.org\", \"http://localhost:3000\", \"http://[::1]:80\")", NULL},
        {"(\"https://example.org/\")", "\"https://example.org/\" must end behind*"},
        {"(\"example.org\")", "\"example.org\" must be \"*\" or an origin*"},
        {"(\"ftp://example.org\")", "\"ftp://example.org\" must be \"*\" or an origin*"},
        {"(\"https://\")", "\"https://\" has no valid host*"},
        {"(\"https://a b\")", "\"https://a b\" has no valid host*"},
        {"(\"https://a:99999\")", "\"https://a:99999\" has no valid host*"},
        {"(\"https://[zz]\")", "\"https://[zz]\" has no valid host*"},
    };
    TRY_ALL("http", "cors_origins", tried);
}

static void header_names_are_tokens(void **state)
{
    (void)state;
    static const struct tried tried[] = {
        {"(\"x-my_header\")", NULL},
        {"(\"x y\")", "\"x y\" is not a name of a header"},
        {"(\"x:\")", "\"x:\" is not a name of a header"},
    };
    TRY_ALL("http", "cors_headers", tried);
}

static void paths_start_at_the_root(void **state)
{
    (void)state;
    static const struct tried tried[] = {
        {"\"/srv/hearth\"", NULL},
        {"\"\"", "must not be empty"},
        {"\"state\"", "\"state\" must be a path from the root*"},
    };
    TRY_ALL("state", "directory", tried);
}

/* ---- Misuse ---- */

/* The signal that ends a process which does this; what it says goes nowhere. */
static int signal_of(void (*misuse)(const struct config *config))
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        signal(SIGABRT, SIG_DFL);
        close(STDERR_FILENO);
        misuse(test.config);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void ask_unknown_key(const struct config *config)
{
    (void)config_integer(config, "pool.worker");
}

static void ask_wrong_type(const struct config *config)
{
    (void)config_string(config, "pool.workers");
}

static void ask_behind_the_list(const struct config *config)
{
    (void)config_list_item(config, "http.cors_headers", 2);
}

static void ask_properly(const struct config *config)
{
    (void)config_list_item(config, "http.cors_headers", 1);
}

static void asking_for_what_no_row_has_ends_the_program(void **state)
{
    (void)state;
    config_case_load_program(&test, "");
    assert_int_equal(signal_of(ask_unknown_key), SIGABRT);
    assert_int_equal(signal_of(ask_wrong_type), SIGABRT);
    assert_int_equal(signal_of(ask_behind_the_list), SIGABRT);
    assert_int_equal(signal_of(ask_properly), 0);
}

int main(void)
{
#define STORY(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        STORY(addresses_to_listen_on),
        STORY(a_socket_path_fits_into_a_socket_address),
        STORY(modes_are_octal_and_quoted),
        STORY(groups_have_names),
        STORY(trusted_proxies_are_addresses_and_ranges),
        STORY(origins_have_no_path),
        STORY(header_names_are_tokens),
        STORY(paths_start_at_the_root),
        STORY(asking_for_what_no_row_has_ends_the_program),
    };
    return cmocka_run_group_tests_name("configuration: rows", tests, NULL, NULL);
}
