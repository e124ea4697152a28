/*
 * test_config_load.c - values out of a file, and every mistake in it named.
 */
#include "support_config.h"

#include "app/core/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const colours[] = {"red", "green", "blue", NULL};

static bool even(struct view value, char *why, size_t why_size)
{
    if (value.length % 2 == 0)
        return true;
    snprintf(why, why_size, "has an odd length");
    return false;
}

static const struct config_row rows[] = {
    {.key = "a.small",
     .type = CONFIG_INTEGER,
     .minimum = 1,
     .maximum = 64,
     .initial = "2",
     .text = "t"},
    {.key = "a.large",
     .type = CONFIG_INTEGER,
     .minimum = INT64_C(-5000000000),
     .maximum = INT64_C(1) << 40,
     .initial = "5000000000",
     .text = "t"},
    {.key = "a.flag", .type = CONFIG_BOOLEAN, .initial = "true", .text = "t"},
    {.key = "a.name", .type = CONFIG_STRING, .maximum = 8, .initial = "none", .text = "t"},
    {.key = "b.needed", .type = CONFIG_STRING, .minimum = 1, .initial = "x", .text = "t"},
    {.key = "b.colour", .type = CONFIG_CHOICE, .initial = "green", .choices = colours, .text = "t"},
    {.key = "b.words", .type = CONFIG_LIST, .maximum = 3, .initial = "one three", .text = "t"},
    {.key = "b.pairs", .type = CONFIG_LIST, .initial = "", .validate = even, .text = "t"},
    {.key = "b.pair", .type = CONFIG_STRING, .initial = "", .validate = even, .text = "t"},
};
static const struct config_rows table = {rows, sizeof rows / sizeof rows[0]};

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

static void load(const char *text)
{
    config_case_load(&test, &table, 1, text);
}

/* Loads it and fails unless its only problem is this one. */
static void expect_problem(const char *text, const char *where, const char *key, const char *what)
{
    load(text);
    config_case_expect_count(&test, 1);
    config_case_expect(&test, 0, where, key, what);
}

static void without_a_file_everything_has_its_default(void **state)
{
    (void)state;
    struct config *config;
    struct config_problems problems;
    assert_int_equal(config_load(NULL, &table, 1, &config, &problems), HEARTH_OK);
    assert_int_equal(config_integer(config, "a.small"), 2);
    assert_int_equal(config_integer(config, "a.large"), INT64_C(5000000000));
    assert_true(config_boolean(config, "a.flag"));
    assert_string_equal(config_string(config, "a.name"), "none");
    assert_int_equal(config_choice(config, "b.colour"), 1);
    assert_int_equal(config_list_count(config, "b.words"), 2);
    assert_string_equal(config_list_item(config, "b.words", 1), "three");
    assert_int_equal(config_list_count(config, "b.pairs"), 0);
    assert_string_equal(config_origin(config, "a.name"), "default");
    assert_string_equal(config_path(config), "");
    assert_int_equal(problems.count, 0);
    config_free(config);
}

static void a_file_sets_every_type_of_value(void **state)
{
    (void)state;
    load("a: {\n small = 64; large = -1;\n flag = false; name = \"caf\xc3\xa9\";\n};\n"
         "b = { needed = \"y\"; colour = \"blue\";\n"
         "  words = ( \"a b\", \"c\" );  # a list\n pairs = [ \"12\" ]; /* an array */ };\n");
    config_case_expect_count(&test, 0);
    assert_int_equal(config_integer(test.config, "a.small"), 64);
    assert_int_equal(config_integer(test.config, "a.large"), -1);
    assert_false(config_boolean(test.config, "a.flag"));
    assert_string_equal(config_string(test.config, "a.name"), "caf\xc3\xa9");
    assert_string_equal(config_string(test.config, "b.needed"), "y");
    assert_int_equal(config_choice(test.config, "b.colour"), 2);
    assert_int_equal(config_list_count(test.config, "b.words"), 2);
    assert_string_equal(config_list_item(test.config, "b.words", 0), "a b");
    assert_string_equal(config_list_item(test.config, "b.pairs", 0), "12");
    assert_string_equal(config_path(test.config), test.path);
}

static void a_value_knows_the_line_that_set_it(void **state)
{
    (void)state;
    char origin[600];
    load("# one\na:\n{\n  small = 3;\n\n  large =\n  7;\n};\n");
    snprintf(origin, sizeof origin, "%s:4", test.path);
    assert_string_equal(config_origin(test.config, "a.small"), origin);
    assert_string_equal(config_origin(test.config, "a.flag"), "default");
}

static void an_empty_file_or_group_is_good(void **state)
{
    (void)state;
    load("");
    assert_int_equal(test.error, HEARTH_OK);
    load("# nothing but this\na: { };\n");
    assert_int_equal(test.error, HEARTH_OK);
}

static void every_problem_is_named_in_the_order_of_the_lines(void **state)
{
    (void)state;
    load("a: {\n  small = 900;\n  flag = 1;\n  smal = 3;\n  name = \"much too long\";\n};\n"
         "b: {\n  needed = \"\";\n  colour = \"gren\";\n  words = ( \"a\", 2, true );\n"
         "  pairs = ( \"odd\" );\n};\nc: { d = 1; };\n");
    config_case_expect_count(&test, 10);
    config_case_expect(&test, 0, "hearth.conf:2", "a.small", "must be 1 to 64, is 900");
    config_case_expect(&test, 1, "hearth.conf:3", "a.flag", "must be true or false, is an integer");
    config_case_expect(&test, 2, "hearth.conf:4", "a.smal", "unknown key; did you mean a.small?");
    config_case_expect(&test, 3, "hearth.conf:5", "a.name", "must be at most 8 bytes, is 13");
    config_case_expect(&test, 4, "hearth.conf:8", "b.needed", "must not be empty");
    config_case_expect(&test, 5, "hearth.conf:9", "b.colour",
                       "must be red, green or blue, is \"gren\" (did you mean green?)");
    config_case_expect(&test, 6, "hearth.conf:10", "b.words",
                       "item 2 must be a string, is an integer");
    config_case_expect(&test, 7, "hearth.conf:10", "b.words",
                       "item 3 must be a string, is true or false");
    config_case_expect(&test, 8, "hearth.conf:11", "b.pairs", "\"odd\" has an odd length");
    config_case_expect(&test, 9, "hearth.conf:13", "c.d", "unknown key");
}

static void every_type_refuses_the_others(void **state)
{
    (void)state;
    static const struct {
        const char *text, *key, *what;
    } cases[] = {
        {"a: { small = \"2\"; };", "a.small", "must be an integer, is a string"},
        {"a: { small = 2.0; };", "a.small", "must be an integer, is a number with a fraction"},
        {"a: { small = 1e1; };", "a.small", "must be an integer, is a number with a fraction"},
        {"a: { small = .5; };", "a.small", "must be an integer, is a number with a fraction"},
        {"a: { small = true; };", "a.small", "must be an integer, is true or false"},
        {"a: { small = (1); };", "a.small", "must be an integer, is a list"},
        {"a: { small = { x = 1; }; };", "a.small", "must be an integer, is a group"},
        {"a: { flag = \"true\"; };", "a.flag", "must be true or false, is a string"},
        {"a: { name = 5; };", "a.name", "must be a string in quotes, is an integer"},
        {"a: { name = (\"x\"); };", "a.name", "must be a string in quotes, is a list"},
        {"b: { colour = 1; };", "b.colour", "must be red, green or blue, is an integer"},
        {"b: { words = \"a\"; };", "b.words",
         "must be a list like (\"one\", \"two\"), is a string"},
        {"b: { words = (\"a\", (\"b\")); };", "b.words", "item 2 must be a string, is a list"},
        {"a = 5;", "a", "is a group: write a: { ... };"},
        {"a: \"x\";", "a", "is a group: write a: { ... };"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        expect_problem(cases[i].text, "hearth.conf:1", cases[i].key, cases[i].what);
}

static void large_integers_are_read_with_and_without_their_suffix(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t number;
    } cases[] = {
        {"a: { large = 6000000000; };", INT64_C(6000000000)},
        {"a: { large = 6000000000L; };", INT64_C(6000000000)},
        {"a: { large = 0x165A0BC00; };", INT64_C(6000000000)},
        {"a: { large = 0x165a0bc00L; };", INT64_C(6000000000)},
        {"a: { large = 0xFFFFFFFF; };", INT64_C(4294967295)},
        {"a: { large = 2147483648; };", INT64_C(2147483648)},
        {"a: { large = -2147483649; };", INT64_C(-2147483649)},
        {"a: { large = 7L; };", 7},
        {"a: { large = +7; };", 7},
        {"a: { large = -5000000000; };", INT64_C(-5000000000)},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        load(cases[i].text);
        config_case_expect_count(&test, 0);
        assert_int_equal(config_integer(test.config, "a.large"), cases[i].number);
    }
}

static void an_integer_never_wraps_into_its_bounds(void **state)
{
    (void)state;
    /* 2^32 + 3, and 2^64 + 3, would be 3 if they wrapped. */
    expect_problem("a: { small = 4294967299; };", "hearth.conf:1", "a.small",
                   "must be 1 to 64, is 4294967299");
    expect_problem("a: { small = 18446744073709551619; };", "hearth.conf:1", "a.small",
                   "must be 1 to 64, is 9223372036854775807");
    expect_problem("a: { small = 18446744073709551619L; };", "hearth.conf:1", "a.small",
                   "must be 1 to 64, is 9223372036854775807");
    expect_problem("a: { small = 0x10000000000000003; };", "hearth.conf:1", "a.small",
                   "must be 1 to 64, is 9223372036854775807");
    expect_problem("a: { small = -99999999999999999999; };", "hearth.conf:1", "a.small",
                   "must be 1 to 64, is -9223372036854775808");
    expect_problem("a: { small = 1000000000000000000000000000000000000000000000000000000000000000"
                   "000000000000000000000000000000000000000000000000000000000000000001; };",
                   "hearth.conf:1", "a.small", "must be 1 to 64, is 9223372036854775807");
}

static void bounds_hold_at_both_ends(void **state)
{
    (void)state;
    load("a: { small = 1; };");
    config_case_expect_count(&test, 0);
    expect_problem("a: { small = 0; };", "hearth.conf:1", "a.small", "must be 1 to 64, is 0");
    expect_problem("a: { small = 65; };", "hearth.conf:1", "a.small", "must be 1 to 64, is 65");
    expect_problem("b: { words = (\"1\", \"2\", \"3\", \"4\"); };", "hearth.conf:1", "b.words",
                   "must have at most 3 items, has 4");
    expect_problem("b: { words = (\"\"); };", "hearth.conf:1", "b.words", "must not be empty");
}

static void strings_hold_no_control_characters(void **state)
{
    (void)state;
    expect_problem("a: { name = \"x\\ny\"; };", "hearth.conf:1", "a.name",
                   "must not hold control characters");
    expect_problem("b: { words = (\"x\\x1b\"); };", "hearth.conf:1", "b.words",
                   "must not hold control characters");
}

static void an_empty_default_need_not_please_the_validator_but_a_value_must(void **state)
{
    (void)state;
    load("b: { pair = \"\"; };");
    config_case_expect_count(&test, 0);
    expect_problem("b: { pair = \"abc\"; };", "hearth.conf:1", "b.pair",
                   "\"abc\" has an odd length");
}

static void a_long_bad_value_is_not_repeated_whole(void **state)
{
    (void)state;
    expect_problem(
        "b: { pair = \"0123456789012345678901234567890123456789012345678901234567890123456789x\"; "
        "};",
        "hearth.conf:1", "b.pair",
        "\"012345678901234567890123456789012345678901234567890123456789...\" has an odd length");
}

static void unknown_keys_get_the_nearest_known_one(void **state)
{
    (void)state;
    static const struct {
        const char *text, *key, *what;
    } cases[] = {
        {"pool: { thread = 4; };", "pool.thread", "unknown key; did you mean pool.threads?"},
        {"pool: { htreads = 4; };", "pool.htreads", "unknown key; did you mean pool.threads?"},
        {"pol: { threads = 4; };", "pol.threads", "unknown key; did you mean pool.threads?"},
        {"http: { workers = 4; };", "http.workers", "unknown key; did you mean pool.workers?"},
        {"workers = 4;", "workers", "unknown key; did you mean pool.workers?"},
        {"log: { lvl = \"info\"; };", "log.lvl", "unknown key"},
        {"log: { levels = \"info\"; };", "log.levels", "unknown key; did you mean log.level?"},
        {"zebra: { stripes = 4; };", "zebra.stripes", "unknown key"},
        {"zebra: { };", "zebra", "unknown group"},
        {"upstreams = ( { name = \"x\"; } );", "upstreams", "unknown key"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        config_case_load_program(&test, cases[i].text);
        config_case_expect_count(&test, 1);
        config_case_expect(&test, 0, "hearth.conf:1", cases[i].key, cases[i].what);
    }
}

static void groups_nested_without_end_are_unknown_and_harmless(void **state)
{
    (void)state;
    static char text[40000];
    size_t length = 0;
    for (int i = 0; i < 9000; i++) {
        memcpy(text + length, "a:{", 3);
        length += 3;
    }
    text[length] = '\0';
    load(text); /* unclosed: a syntax error after what stands before it */
    assert_int_equal(test.error, HEARTH_BAD_REQUEST);
    expect_problem("a:{b:{c:{d:{e:{f=1;};};};};};", "hearth.conf:1", "a.b.c.d", "unknown group");
}

static void a_syntax_error_does_not_hide_what_stands_before_it(void **state)
{
    (void)state;
    load("a: {\n  small = 900;\n  flag = ;\n  name = 7;\n};\n");
    config_case_expect_count(&test, 2);
    config_case_expect(&test, 0, "hearth.conf:2", "a.small", "must be 1 to 64, is 900");
    config_case_expect(&test, 1, "hearth.conf:3", "", "syntax error; what follows was not checked");
}

static void a_dotted_key_is_answered_with_how_it_is_written(void **state)
{
    (void)state;
    expect_problem("\na.small = 3;\n", "hearth.conf:2", "",
                   "syntax error (a key a.b is written a: { b = ...; };); what follows was not "
                   "checked");
}

/* The one problem is that `key` was set before, on the line of that number. */
static void expect_set_again(const char *text, const char *where, const char *key, int first)
{
    char what[700];
    snprintf(what, sizeof what, "is set again, first at %s:%d; what follows was not checked",
             test.path, first);
    expect_problem(text, where, key, what);
}

static void a_key_that_is_set_twice_is_told_with_its_first_line(void **state)
{
    (void)state;
    expect_set_again("a: { small = 3;\n small = 4; };", "hearth.conf:2", "a.small", 1);
    expect_set_again("a: { small = 3; small = 4; };", "hearth.conf:1", "a.small", 1);
    expect_set_again("a: { flag = true; small = 3;\n\n large = 5; small = 4; };", "hearth.conf:3",
                     "a.small", 1);
    expect_set_again("a: { small = 3; };\nb: { };\na: { flag = true; };", "hearth.conf:3", "a", 1);
    expect_set_again("a: { small = 3; };\na: { small = 3; };", "hearth.conf:2", "a", 1);
    expect_set_again("b: { needed = \"x\"; };\na: { flag = true; large = 5; large = 6; };",
                     "hearth.conf:2", "a.large", 2);
}

static void a_key_that_is_set_twice_by_an_included_file_is_told_with_both_files(void **state)
{
    (void)state;
    char what[700];
    config_case_file(&test, "more.conf", "\n small = 4;\n");
    load("a: { small = 3;\n@include \"more.conf\"\n };");
    snprintf(what, sizeof what, "is set again, first at %s:1; what follows was not checked",
             test.path);
    config_case_expect_count(&test, 1);
    config_case_expect(&test, 0, "more.conf:2", "a.small", what);
}

static void files_that_cannot_be_read_are_named(void **state)
{
    (void)state;
    static char large[1100000];
    char path[600];
    struct config *config;
    struct config_problems problems;

    snprintf(path, sizeof path, "%s/absent.conf", test.directory);
    assert_int_equal(config_load(path, &table, 1, &config, &problems), HEARTH_BAD_REQUEST);
    assert_int_equal(problems.count, 1);
    assert_string_equal(problems.items[0].where, path);
    assert_string_equal(problems.items[0].what, "cannot be opened: No such file or directory");
    config_problems_clean(&problems);

    assert_int_equal(config_load(test.directory, &table, 1, &config, &problems),
                     HEARTH_BAD_REQUEST);
    assert_int_equal(problems.count, 1);
    assert_string_equal(problems.items[0].what, "is a directory");
    config_problems_clean(&problems);

    memset(large, ' ', sizeof large - 1);
    load(large);
    config_case_expect_count(&test, 1);
    config_case_expect(&test, 0, "hearth.conf", "", "is larger than 1048576 bytes");
}

static void a_thousand_problems_are_enough(void **state)
{
    (void)state;
    static char text[40000];
    size_t length = 0;
    for (int i = 0; i < 1500; i++)
        length += (size_t)snprintf(text + length, sizeof text - length, "zz%d = 1;\n", i);
    load(text);
    config_case_expect_count(&test, 1001);
    config_case_expect(&test, 999, "hearth.conf:1000", "zz999", "unknown key");
    config_case_expect(&test, 1000, "hearth.conf:1001", "",
                       "there are more problems than these 1000");
}

static void a_default_that_breaks_its_own_row_is_told(void **state)
{
    (void)state;
    static const struct config_row bad[] = {
        {.key = "a.x", .type = CONFIG_INTEGER, .minimum = 1, .maximum = 2, .initial = "3"},
        {.key = "a.y", .type = CONFIG_BOOLEAN, .initial = "yes"},
        {.key = "a.z", .type = CONFIG_CHOICE, .initial = "pink", .choices = colours},
    };
    static const struct config_rows bad_table = {bad, 3};
    config_case_load(&test, &bad_table, 1, "a: { x = 2; };");
    config_case_expect_count(&test, 3);
    assert_string_equal(test.problems.items[0].where, "default");
    assert_string_equal(test.problems.items[0].what, "must be 1 to 2, is 3");
}

static void problems_can_be_added_by_whoever_checks_several_keys(void **state)
{
    (void)state;
    struct config_problems problems = {0};
    config_problem_add(&problems, "x.conf:1", "a.b", "is %d more than %s", 3, "a.c");
    config_problem_add(&problems, "default", "a.c", "is too small");
    assert_int_equal(problems.count, 2);
    assert_string_equal(problems.items[0].what, "is 3 more than a.c");
    assert_string_equal(problems.items[1].where, "default");
    config_problems_clean(&problems);
    assert_int_equal(problems.count, 0);
    config_problems_clean(&problems);
}

static void a_problem_there_is_no_memory_for_is_a_problem_still(void **state)
{
    (void)state;
    struct config_problems problems = {0};
    memory_fail_after(0);
    config_problem_add(&problems, "x.conf:1", "a.b", "bad");
    config_problem_add(&problems, "x.conf:2", "a.c", "bad");
    memory_fail_after(-1);
    assert_int_equal(problems.count, 1);
    assert_string_equal(problems.items[0].what,
                        "out of memory while the configuration was checked");
    config_problems_clean(&problems);
}

static void running_out_of_memory_anywhere_is_an_error_and_leaks_nothing(void **state)
{
    (void)state;
    struct config *config;
    struct config_problems problems;
    bool loaded = false;
    config_case_file(&test, "hearth.conf",
                     "a: { small = 3; name = \"x\"; };\n@include \"more.conf\"\n");
    config_case_file(&test, "more.conf", "b: { words = (\"p\", \"q\"); };\n");
    for (int64_t after = 0; !loaded; after++) {
        assert_true(after < 1000);
        memory_fail_after(after);
        enum hearth_error error = config_load(test.path, &table, 1, &config, &problems);
        memory_fail_after(-1);
        loaded = error == HEARTH_OK;
        if (!loaded)
            assert_int_equal(error, HEARTH_NO_MEMORY);
        assert_int_equal(problems.count, 0);
        config_free(config);
        config_problems_clean(&problems);
    }
}

static void a_bad_file_never_passes_for_a_good_one_when_memory_runs_out(void **state)
{
    (void)state;
    struct config *config;
    struct config_problems problems;
    config_case_file(&test, "hearth.conf", "a: { small = 900; };\nzebra = 1;\n");
    for (int64_t after = 0; after < 40; after++) {
        memory_fail_after(after);
        enum hearth_error error = config_load(test.path, &table, 1, &config, &problems);
        memory_fail_after(-1);
        assert_true(error == HEARTH_NO_MEMORY || error == HEARTH_BAD_REQUEST);
        assert_null(config);
        config_problems_clean(&problems);
    }
}

static void the_path_is_the_option_or_the_environment_or_the_usual_place(void **state)
{
    (void)state;
    unsetenv("HEARTH_CONFIG");
    assert_string_equal(config_choose_path(NULL), "/etc/hearth/hearth.conf");
    setenv("HEARTH_CONFIG", "", 1);
    assert_string_equal(config_choose_path(NULL), "/etc/hearth/hearth.conf");
    setenv("HEARTH_CONFIG", "/srv/h.conf", 1);
    assert_string_equal(config_choose_path(NULL), "/srv/h.conf");
    assert_string_equal(config_choose_path("/tmp/o.conf"), "/tmp/o.conf");
    unsetenv("HEARTH_CONFIG");
}

int main(void)
{
#define STORY(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        STORY(without_a_file_everything_has_its_default),
        STORY(a_file_sets_every_type_of_value),
        STORY(a_value_knows_the_line_that_set_it),
        STORY(an_empty_file_or_group_is_good),
        STORY(every_problem_is_named_in_the_order_of_the_lines),
        STORY(every_type_refuses_the_others),
        STORY(large_integers_are_read_with_and_without_their_suffix),
        STORY(an_integer_never_wraps_into_its_bounds),
        STORY(bounds_hold_at_both_ends),
        STORY(strings_hold_no_control_characters),
        STORY(an_empty_default_need_not_please_the_validator_but_a_value_must),
        STORY(a_long_bad_value_is_not_repeated_whole),
        STORY(unknown_keys_get_the_nearest_known_one),
        STORY(groups_nested_without_end_are_unknown_and_harmless),
        STORY(a_syntax_error_does_not_hide_what_stands_before_it),
        STORY(a_dotted_key_is_answered_with_how_it_is_written),
        STORY(a_key_that_is_set_twice_is_told_with_its_first_line),
        STORY(a_key_that_is_set_twice_by_an_included_file_is_told_with_both_files),
        STORY(files_that_cannot_be_read_are_named),
        STORY(a_thousand_problems_are_enough),
        STORY(a_default_that_breaks_its_own_row_is_told),
        STORY(problems_can_be_added_by_whoever_checks_several_keys),
        STORY(a_problem_there_is_no_memory_for_is_a_problem_still),
        STORY(running_out_of_memory_anywhere_is_an_error_and_leaks_nothing),
        STORY(a_bad_file_never_passes_for_a_good_one_when_memory_runs_out),
        STORY(the_path_is_the_option_or_the_environment_or_the_usual_place),
    };
    return cmocka_run_group_tests_name("configuration: loading", tests, NULL, NULL);
}
