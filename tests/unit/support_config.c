/*
 * support_config.c - a configuration from a text, and what was wrong with it.
 */
#include "support_config.h"

#include <stdio.h>
#include <string.h>

void config_case_init(struct config_case *test)
{
    memset(test, 0, sizeof *test);
    test->directory = test_directory_make();
    snprintf(test->path, sizeof test->path, "%s/hearth.conf", test->directory);
}

static void forget(struct config_case *test)
{
    config_free(test->config);
    config_problems_clean(&test->problems);
    test->config = NULL;
}

void config_case_clean(struct config_case *test)
{
    forget(test);
    test_directory_remove(test->directory);
}

void config_case_file(struct config_case *test, const char *name, const char *text)
{
    char path[600];
    snprintf(path, sizeof path, "%s/%s", test->directory, name);
    test_write_file(path, view_of(text));
}

void config_case_load(struct config_case *test, const struct config_rows *tables, size_t count,
                      const char *text)
{
    forget(test);
    config_case_file(test, "hearth.conf", text);
    test->error = config_load(test->path, tables, count, &test->config, &test->problems);
    /* A configuration is handed out exactly when there is no problem. */
    assert_int_equal(test->config != NULL, test->error == HEARTH_OK);
    assert_int_equal(test->problems.count > 0, test->error == HEARTH_BAD_REQUEST);
}

void config_case_load_program(struct config_case *test, const char *text)
{
    config_case_load(test, &config_program_rows, 1, text);
}

static void print_problems(const struct config_case *test)
{
    for (size_t i = 0; i < test->problems.count; i++) {
        const struct config_problem *problem = &test->problems.items[i];
        print_message("  %s: %s: %s\n", problem->where, problem->key, problem->what);
    }
}

void config_case_expect_count(const struct config_case *test, size_t count)
{
    if (test->problems.count != count)
        print_problems(test);
    assert_int_equal(test->problems.count, count);
}

static bool matches(const char *text, const char *pattern)
{
    size_t length = strlen(pattern);
    if (length > 0 && pattern[length - 1] == '*')
        return strncmp(text, pattern, length - 1) == 0;
    return strcmp(text, pattern) == 0;
}

void config_case_expect(const struct config_case *test, size_t index, const char *where,
                        const char *key, const char *what)
{
    if (index >= test->problems.count)
        print_problems(test);
    assert_true(index < test->problems.count);
    const struct config_problem *problem = &test->problems.items[index];
    char whole[1024];
    snprintf(whole, sizeof whole, "%s/%s", test->directory, where);
    if (!matches(problem->what, what) || strcmp(problem->where, whole) != 0)
        print_problems(test);
    assert_string_equal(problem->where, whole);
    assert_string_equal(problem->key, key);
    if (!matches(problem->what, what))
        assert_string_equal(problem->what, what);
}
