/*
 * test_config_source.c - included files, and texts that libconfig alone would stumble over.
 */
#include "support_config.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

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

static void included_files_keep_their_own_names_and_lines(void **state)
{
    (void)state;
    config_case_file(&test, "pool.conf", "# first\npool: {\n  workers = 900;\n};");
    config_case_file(&test, "log.conf", "log: {\n\n level = \"loud\"; };\n");
    config_case_load_program(&test, "@include \"pool.conf\"\n"
                                    "auth: { reload_interval_ms = 1; };\n"
                                    "  @include \"log.conf\"  # the log\n"
                                    "http: { max_headers = 0; };\n");
    config_case_expect_count(&test, 4);
    config_case_expect(&test, 0, "pool.conf:3", "pool.workers", "must be 1 to 64, is 900");
    config_case_expect(&test, 1, "hearth.conf:2", "auth.reload_interval_ms", "must be*");
    config_case_expect(&test, 2, "log.conf:3", "log.level",
                       "must be debug, info, warn, error or off, is \"loud\"");
    config_case_expect(&test, 3, "hearth.conf:4", "http.max_headers", "must be*");
}

static void an_include_may_stand_within_a_group(void **state)
{
    (void)state;
    config_case_file(&test, "inner.conf", "workers = 7;\nthreads = 3;\n");
    config_case_load_program(&test, "pool: {\n@include \"inner.conf\"\n backlog = 9;\n};\n");
    config_case_expect_count(&test, 0);
    assert_int_equal(config_integer(test.config, "pool.workers"), 7);
    assert_int_equal(config_integer(test.config, "pool.backlog"), 9);
    assert_non_null(strstr(config_origin(test.config, "pool.threads"), "/inner.conf:2"));
    assert_non_null(strstr(config_origin(test.config, "pool.backlog"), "/hearth.conf:3"));
}

static void names_are_relative_to_the_file_that_includes(void **state)
{
    (void)state;
    char path[600];
    snprintf(path, sizeof path, "%s/more", test.directory);
    assert_int_equal(mkdir(path, 0700), 0);
    config_case_file(&test, "more/one.conf", "@include \"two.conf\"\n");
    config_case_file(&test, "more/two.conf", "pool: { workers = 5; };\n");
    config_case_load_program(&test, "@include \"more/one.conf\"\n");
    config_case_expect_count(&test, 0);
    assert_int_equal(config_integer(test.config, "pool.workers"), 5);

    char text[700];
    snprintf(text, sizeof text, "@include \"%s/more/two.conf\"\n", test.directory);
    config_case_load_program(&test, text);
    config_case_expect_count(&test, 0);
    assert_int_equal(config_integer(test.config, "pool.workers"), 5);
}

static void an_include_that_cannot_be_read_is_told_where_it_stands(void **state)
{
    (void)state;
    char text[700], what[700];
    config_case_load_program(&test, "\n@include \"absent.conf\"\npool: { workers = 0; };\n");
    config_case_expect_count(&test, 2);
    snprintf(what, sizeof what, "%s/absent.conf cannot be opened: No such file or directory",
             test.directory);
    config_case_expect(&test, 0, "hearth.conf:2", "", what);
    config_case_expect(&test, 1, "hearth.conf:3", "pool.workers", "must be*");

    /* libconfig itself would end the program here. */
    snprintf(text, sizeof text, "@include \"%s\"\n", test.directory);
    config_case_load_program(&test, text);
    config_case_expect_count(&test, 1);
    snprintf(what, sizeof what, "%s is a directory", test.directory);
    config_case_expect(&test, 0, "hearth.conf:1", "", what);
}

static void a_pipe_is_refused_without_waiting_for_a_writer(void **state)
{
    (void)state;
    char path[600];
    snprintf(path, sizeof path, "%s/pipe", test.directory);
    assert_int_equal(mkfifo(path, 0600), 0);
    config_case_load_program(&test, "@include \"pipe\"\n");
    config_case_expect_count(&test, 1);
    assert_non_null(strstr(test.problems.items[0].what, "is not a regular file"));
}

static void files_that_include_each_other_come_to_an_end(void **state)
{
    (void)state;
    config_case_file(&test, "loop.conf", "@include \"hearth.conf\"\n");
    config_case_load_program(&test, "@include \"loop.conf\"\n");
    config_case_expect_count(&test, 1);
    assert_string_equal(test.problems.items[0].key, "");
    assert_string_equal(test.problems.items[0].what,
                        "files include each other too deeply (at most 10)");

    config_case_load_program(&test, "@include \"hearth.conf\"\n@include \"hearth.conf\"\n"
                                    "@include \"hearth.conf\"\n@include \"hearth.conf\"\n");
    assert_int_equal(test.error, HEARTH_BAD_REQUEST);
    bool told = false;
    for (size_t i = 0; i < test.problems.count; i++)
        told = told || strcmp(test.problems.items[i].what, "more than 256 files are included") == 0;
    assert_true(told);
}

static void an_include_within_a_comment_or_string_is_none(void **state)
{
    (void)state;
    config_case_load_program(&test, "/*\n@include \"absent.conf\"\n*/\n"
                                    "# @include \"absent.conf\"\n// @include \"absent.conf\"\n");
    config_case_expect_count(&test, 0);
    config_case_load_program(&test, "log: { file = \"\n@include \"; };\n");
    config_case_expect_count(&test, 1);
    config_case_expect(&test, 0, "hearth.conf:1", "log.file", "must not hold control characters");
}

static void what_has_no_end_is_told_where_it_begins(void **state)
{
    (void)state;
    config_case_load_program(&test, "pool: { workers = 3; };\n  /* for later\nlog: {};\n");
    config_case_expect_count(&test, 1);
    config_case_expect(&test, 0, "hearth.conf:2", "", "a comment begins here and has no end");
    config_case_load_program(&test, "log: {\n file = \"/var/log\\\";\n};\n");
    config_case_expect_count(&test, 1);
    config_case_expect(&test, 0, "hearth.conf:2", "", "a string begins here and has no end");
}

static void comment_signs_within_strings_are_text(void **state)
{
    (void)state;
    config_case_load_program(&test, "log: { file = \"/a/*b#c//d\\\"e\"; };\n");
    config_case_expect_count(&test, 0);
    assert_string_equal(config_string(test.config, "log.file"), "/a/*b#c//d\"e");
}

static void numbers_within_names_and_comments_stay_as_they_are(void **state)
{
    (void)state;
    config_case_load_program(&test, "# 99999999999\npool: { workers-5000000000 = 1; };\n");
    config_case_expect_count(&test, 1);
    config_case_expect(&test, 0, "hearth.conf:2", "pool.workers-5000000000", "unknown key*");
}

static void nul_bytes_do_not_cut_the_file_short(void **state)
{
    (void)state;
    static const char text[] = "pool: { workers = 3; };\0\nlog: { level = \"loud\"; };\n";
    struct config *config;
    struct config_problems problems;
    test_write_file(test.path, view_from(text, sizeof text - 1));
    assert_int_equal(config_load(test.path, &config_program_rows, 1, &config, &problems),
                     HEARTH_BAD_REQUEST);
    assert_int_equal(problems.count, 2);
    assert_string_equal(problems.items[0].what, "the file holds NUL bytes: it is not text");
    assert_string_equal(problems.items[1].key, "log.level");
    config_problems_clean(&problems);
}

static void a_string_cannot_hold_an_escaped_nul(void **state)
{
    (void)state;
    config_case_load_program(&test, "log: { file = \"/a\\x00b\"; };\n");
    config_case_expect_count(&test, 1);
    config_case_expect(&test, 0, "hearth.conf:1", "", "a string cannot hold \\x00");
    config_case_load_program(&test, "log: { file = \"/a\\\\x00b\"; };\n");
    config_case_expect_count(&test, 0);
    assert_string_equal(config_string(test.config, "log.file"), "/a\\x00b");
}

static void windows_line_ends_are_blanks(void **state)
{
    (void)state;
    config_case_load_program(&test, "pool: {\r\n  workers = 0;\r\n};\r\n");
    config_case_expect_count(&test, 1);
    config_case_expect(&test, 0, "hearth.conf:2", "pool.workers", "must be*");
}

int main(void)
{
#define STORY(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        STORY(included_files_keep_their_own_names_and_lines),
        STORY(an_include_may_stand_within_a_group),
        STORY(names_are_relative_to_the_file_that_includes),
        STORY(an_include_that_cannot_be_read_is_told_where_it_stands),
        STORY(a_pipe_is_refused_without_waiting_for_a_writer),
        STORY(files_that_include_each_other_come_to_an_end),
        STORY(an_include_within_a_comment_or_string_is_none),
        STORY(what_has_no_end_is_told_where_it_begins),
        STORY(comment_signs_within_strings_are_text),
        STORY(numbers_within_names_and_comments_stay_as_they_are),
        STORY(nul_bytes_do_not_cut_the_file_short),
        STORY(a_string_cannot_hold_an_escaped_nul),
        STORY(windows_line_ends_are_blanks),
    };
    return cmocka_run_group_tests_name("configuration: files", tests, NULL, NULL);
}
