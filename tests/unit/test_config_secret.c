/*
 * test_config_secret.c - secrets by reference, refused when they are none, never printed.
 */
#include "support_config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static bool no_blank(struct view value, char *why, size_t why_size)
{
    if (view_index_of(value, ' ') == SIZE_MAX)
        return true;
    snprintf(why, why_size, "must not hold a blank");
    return false;
}

static const struct config_row rows[] = {
    {.key = "a.word",
     .type = CONFIG_SECRET,
     .maximum = 16,
     .initial = "",
     .validate = no_blank,
     .text = "t"},
    {.key = "a.other", .type = CONFIG_SECRET, .initial = "", .text = "t"},
};
static const struct config_rows table = {rows, 2};
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
    unsetenv("HEARTH_TEST_SECRET");
    return 0;
}

static void load(const char *text)
{
    config_case_load(&test, &table, 1, text);
}

static void secret_file(const char *name, const char *text, mode_t mode)
{
    char path[600];
    config_case_file(&test, name, text);
    snprintf(path, sizeof path, "%s/%s", test.directory, name);
    assert_int_equal(chmod(path, mode), 0);
}

static void expect_problem(const char *text, const char *what)
{
    load(text);
    config_case_expect_count(&test, 1);
    config_case_expect(&test, 0, "hearth.conf:1", "a.word", what);
}

static void a_secret_comes_from_the_environment(void **state)
{
    (void)state;
    setenv("HEARTH_TEST_SECRET", "sesame", 1);
    load("a: { word = { env = \"HEARTH_TEST_SECRET\"; }; };");
    assert_string_equal(config_string(test.config, "a.word"), "sesame");
}

static void a_secret_comes_from_a_file_without_its_newline(void **state)
{
    (void)state;
    char text[700];
    secret_file("word", "sesame\r\n", 0600);
    load("a: { word = { file = \"word\" } };");
    assert_string_equal(config_string(test.config, "a.word"), "sesame");
    snprintf(text, sizeof text, "a: { word = { file = \"%s/word\"; } };", test.directory);
    load(text);
    assert_string_equal(config_string(test.config, "a.word"), "sesame");
}

static void a_secret_may_stand_in_the_file_itself(void **state)
{
    (void)state;
    load("a: { word = \"sesame\"; };");
    assert_string_equal(config_string(test.config, "a.word"), "sesame");
    assert_string_equal(config_string(test.config, "a.other"), "");
}

static void a_relative_path_is_relative_to_the_file_that_says_it(void **state)
{
    (void)state;
    char path[600];
    snprintf(path, sizeof path, "%s/inner", test.directory);
    assert_int_equal(mkdir(path, 0700), 0);
    secret_file("inner/word", "sesame", 0600);
    config_case_file(&test, "inner/a.conf", "a: { word = { file = \"word\"; }; };");
    load("@include \"inner/a.conf\"\n");
    assert_string_equal(config_string(test.config, "a.word"), "sesame");
}

static void a_missing_or_empty_variable_is_a_problem(void **state)
{
    (void)state;
    expect_problem("a: { word = { env = \"HEARTH_TEST_SECRET\"; }; };",
                   "the environment variable HEARTH_TEST_SECRET is not set");
    setenv("HEARTH_TEST_SECRET", "", 1);
    expect_problem("a: { word = { env = \"HEARTH_TEST_SECRET\"; }; };",
                   "the environment variable HEARTH_TEST_SECRET is empty");
}

static void a_file_everybody_may_read_is_refused(void **state)
{
    (void)state;
    char what[1400];
    secret_file("word", "sesame\n", 0604);
    snprintf(what, sizeof what,
             "%s/word can be read by everybody on this machine: chmod 600 %s/word", test.directory,
             test.directory);
    expect_problem("a: { word = { file = \"word\"; }; };", what);
    secret_file("word", "sesame\n", 0640); /* a group of its own is somebody's decision */
    load("a: { word = { file = \"word\"; }; };");
    config_case_expect_count(&test, 0);
}

static void a_file_that_cannot_be_a_secret_is_told(void **state)
{
    (void)state;
    char what[700];
    snprintf(what, sizeof what, "%s/none cannot be opened: No such file or directory",
             test.directory);
    expect_problem("a: { word = { file = \"none\"; }; };", what);
    snprintf(what, sizeof what, "%s/. is a directory", test.directory);
    expect_problem("a: { word = { file = \".\"; }; };", what);
    secret_file("word", "\n", 0600);
    snprintf(what, sizeof what, "%s/word is empty", test.directory);
    expect_problem("a: { word = { file = \"word\"; }; };", what);
    secret_file("word", "01234567890123456", 0600);
    snprintf(what, sizeof what, "%s/word: must be at most 16 bytes, is 17", test.directory);
    expect_problem("a: { word = { file = \"word\"; }; };", what);
    secret_file("word", "0123456789012345678901234567890", 0600);
    snprintf(what, sizeof what, "%s/word is larger than 18 bytes", test.directory);
    expect_problem("a: { word = { file = \"word\"; }; };", what);
}

static void a_secret_group_has_exactly_one_of_two_members(void **state)
{
    (void)state;
    expect_problem("a: { word = { }; };",
                   "must be { env = \"NAME\" } or { file = \"PATH\" }, is empty");
    expect_problem("a: { word = { variable = \"X\"; }; };",
                   "unknown member \"variable\": a secret has env or file");
    expect_problem("a: { word = { env = 5; }; };", "must be a string in quotes, is an integer");
    expect_problem("a: { word = { env = \"\"; }; };", "env must not be empty");
    expect_problem("a: { word = 5; };",
                   "must be { env = \"NAME\" }, { file = \"PATH\" } or a string, is an integer");
    setenv("HEARTH_TEST_SECRET", "sesame", 1);
    expect_problem("a: { word = { env = \"HEARTH_TEST_SECRET\"; file = \"word\"; }; };",
                   "has both env and file, must have one");
}

static void what_is_wrong_with_a_secret_is_told_without_the_secret(void **state)
{
    (void)state;
    expect_problem("a: { word = \"open sesame\"; };", "must not hold a blank");
    setenv("HEARTH_TEST_SECRET", "open sesame", 1);
    expect_problem("a: { word = { env = \"HEARTH_TEST_SECRET\"; }; };",
                   "the environment variable HEARTH_TEST_SECRET: must not hold a blank");
}

static void the_effective_configuration_shows_where_secrets_are_but_no_secret(void **state)
{
    (void)state;
    struct buffer out;
    setenv("HEARTH_TEST_SECRET", "sesame", 1);
    load("a: { word = { env = \"HEARTH_TEST_SECRET\"; };\n other = \"barley\"; };");
    buffer_init(&out, 100000);
    assert_int_equal(config_print(test.config, &out), HEARTH_OK);
    buffer_append_byte(&out, '\0');
    assert_non_null(strstr(out.data, "    word = { env = \"HEARTH_TEST_SECRET\"; };  # "));
    assert_non_null(strstr(out.data, "    # other = \"********\";  # "));
    assert_null(strstr(out.data, "sesame"));
    assert_null(strstr(out.data, "barley"));

    struct config_case again;
    config_case_init(&again);
    config_case_load(&again, &table, 1, out.data);
    config_case_expect_count(&again, 0);
    assert_string_equal(config_string(again.config, "a.word"), "sesame");
    config_case_clean(&again);
    buffer_clean(&out);
}

int main(void)
{
#define STORY(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        STORY(a_secret_comes_from_the_environment),
        STORY(a_secret_comes_from_a_file_without_its_newline),
        STORY(a_secret_may_stand_in_the_file_itself),
        STORY(a_relative_path_is_relative_to_the_file_that_says_it),
        STORY(a_missing_or_empty_variable_is_a_problem),
        STORY(a_file_everybody_may_read_is_refused),
        STORY(a_file_that_cannot_be_a_secret_is_told),
        STORY(a_secret_group_has_exactly_one_of_two_members),
        STORY(what_is_wrong_with_a_secret_is_told_without_the_secret),
        STORY(the_effective_configuration_shows_where_secrets_are_but_no_secret),
    };
    return cmocka_run_group_tests_name("configuration: secrets", tests, NULL, NULL);
}
