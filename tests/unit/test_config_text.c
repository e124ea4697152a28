/*
 * test_config_text.c - the effective configuration, the sample and the manual say what the rows
 * say.
 */
#include "support_config.h"

#include "app/core/config_manual.h"
#include "app/core/config_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct config_case test, again;
static struct buffer out;

static int setup(void **state)
{
    (void)state;
    config_case_init(&test);
    config_case_init(&again);
    buffer_init(&out, 1000000);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    config_case_clean(&test);
    config_case_clean(&again);
    buffer_clean(&out);
    return 0;
}

static const char *text(void)
{
    assert_int_equal(buffer_append_byte(&out, '\0'), HEARTH_OK);
    return out.data;
}

static void expect_same_list(const char *key)
{
    size_t count = config_list_count(test.config, key);
    assert_int_equal(config_list_count(again.config, key), count);
    for (size_t i = 0; i < count; i++)
        assert_string_equal(config_list_item(again.config, key, i),
                            config_list_item(test.config, key, i));
}

/* Every value of the two configurations is the same. */
static void expect_same_values(const struct config_rows *table)
{
    for (size_t i = 0; i < table->count; i++) {
        const char *key = table->rows[i].key;
        switch (table->rows[i].type) {
        case CONFIG_INTEGER:
            assert_int_equal(config_integer(again.config, key), config_integer(test.config, key));
            break;
        case CONFIG_BOOLEAN:
            assert_int_equal(config_boolean(again.config, key), config_boolean(test.config, key));
            break;
        case CONFIG_CHOICE:
            assert_int_equal(config_choice(again.config, key), config_choice(test.config, key));
            break;
        case CONFIG_LIST:
            expect_same_list(key);
            break;
        default:
            assert_string_equal(config_string(again.config, key), config_string(test.config, key));
        }
    }
}

static void the_effective_configuration_loads_to_the_same_values(void **state)
{
    (void)state;
    config_case_load_program(
        &test,
        "pool: { listen = \"tcp:127.0.0.1:9000\"; workers = 7; socket_mode = \"600\"; };\n"
        "http: { max_body_bytes = 6000000000; trusted_proxies = ( \"10.0.0.0/8\", \"unix\" );\n"
        "        cors_headers = ( ); };\n"
        "log: { requests = false; level = \"off\"; file = \"/a\\\\b \\\"c\\\" d\"; };\n"
        "state: { directory = \"/srv/caf\xc3\xa9\"; };\n");
    config_case_expect_count(&test, 0);
    assert_int_equal(config_print(test.config, &out), HEARTH_OK);
    config_case_load_program(&again, text());
    config_case_expect_count(&again, 0);
    expect_same_values(&config_program_rows);
    assert_int_equal(config_integer(again.config, "http.max_body_bytes"), INT64_C(6000000000));
}

static void the_effective_configuration_marks_what_was_set_and_what_was_not(void **state)
{
    (void)state;
    char expected[700];
    config_case_load_program(&test, "pool: {\n workers = 2; };\n");
    assert_int_equal(config_print(test.config, &out), HEARTH_OK);
    snprintf(expected, sizeof expected, "    workers = 2;  # %s:2\n", test.path);
    assert_non_null(strstr(text(), expected));
    assert_non_null(strstr(out.data, "    threads = 16;  # default\n"));
    snprintf(expected, sizeof expected, "# The effective configuration of %s.\n", test.path);
    assert_non_null(strstr(out.data, expected));
}

static void the_sample_loads_to_the_defaults(void **state)
{
    (void)state;
    assert_int_equal(config_sample(&config_program_rows, 1, &out), HEARTH_OK);
    config_case_load_program(&test, text());
    config_case_expect_count(&test, 0);
    config_case_load_program(&again, "");
    expect_same_values(&config_program_rows);
}

/* Takes away the '#' before every "key = value;". */
static void uncomment(char *sample)
{
    for (char *line = sample; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        char *end = strchr(line, '\n');
        char *equals = strstr(line, " = ");
        bool setting = strncmp(line, "    # ", 6) == 0 && end && end[-1] == ';' && equals < end;
        if (setting && strcspn(line + 6, " ") == (size_t)(equals - line - 6))
            line[4] = ' ';
    }
}

static void the_sample_without_its_comment_signs_sets_every_key_to_its_default(void **state)
{
    (void)state;
    assert_int_equal(config_sample(&config_program_rows, 1, &out), HEARTH_OK);
    (void)text();
    uncomment(out.data);
    config_case_load_program(&test, out.data);
    config_case_expect_count(&test, 0);
    config_case_load_program(&again, "");
    expect_same_values(&config_program_rows);
    for (size_t i = 0; i < config_program_rows.count; i++)
        assert_string_not_equal(config_origin(test.config, config_program_rows.rows[i].key),
                                "default");
}

static void the_sample_is_at_most_a_hundred_columns_wide(void **state)
{
    (void)state;
    assert_int_equal(config_sample(&config_program_rows, 1, &out), HEARTH_OK);
    struct view rest = buffer_view(&out);
    while (rest.data)
        assert_true(view_split(&rest, '\n').length <= 100);
}

static void rows_of_a_group_come_together_whatever_table_they_are_in(void **state)
{
    (void)state;
    static const struct config_row first[] = {
        {.key = "a.one", .type = CONFIG_INTEGER, .maximum = 9, .initial = "1", .text = "One."},
        {.key = "b.one", .type = CONFIG_INTEGER, .maximum = 9, .initial = "2", .text = "Two."},
    };
    static const struct config_row second[] = {
        {.key = "a.two", .type = CONFIG_INTEGER, .maximum = 9, .initial = "3", .text = "Three."},
    };
    static const struct config_rows tables[] = {{first, 2}, {second, 1}};
    assert_int_equal(config_sample(tables, 2, &out), HEARTH_OK);
    const char *sample = text();
    const char *group = strstr(sample, "\na: {\n");
    assert_non_null(group);
    assert_string_equal(group, "\na: {\n"
                               "    # One.\n    # An integer from 0 to 9.\n    # one = 1;\n\n"
                               "    # Three.\n    # An integer from 0 to 9.\n    # two = 3;\n};\n"
                               "\nb: {\n"
                               "    # Two.\n    # An integer from 0 to 9.\n    # one = 2;\n};\n");
}

static void quoted_text_reads_back_whatever_it_holds(void **state)
{
    (void)state;
    static const struct config_row row = {
        .key = "a.s", .type = CONFIG_SECRET, .initial = "", .text = "t"};
    static const struct config_rows table = {&row, 1};
    char every[256];
    for (int i = 1; i < 256; i++)
        every[i - 1] = (char)i;
    every[255] = '\0';
    buffer_append_text(&out, "a: { s = ");
    config_append_quoted(&out, view_of(every));
    buffer_append_text(&out, "; };");
    config_case_load(&test, &table, 1, text());
    config_case_expect_count(&test, 0);
    assert_string_equal(config_string(test.config, "a.s"), every);
}

static void the_manual_escapes_what_mdoc_would_take_for_its_own(void **state)
{
    (void)state;
    static const struct config_row row = {.key = "a.s",
                                          .type = CONFIG_STRING,
                                          .maximum = 5,
                                          .initial = "c:\\x",
                                          .text = "First sentence. .Second one. 'Third'."};
    static const struct config_rows table = {&row, 1};
    assert_int_equal(config_manual(&table, 1, &out), HEARTH_OK);
    assert_string_equal(text(), ".Ss a\n.Bl -tag -width Ds\n.It Ic a.s\n"
                                "First sentence.\n\\&.Second one.\n\\&'Third'.\n"
                                "A string of at most 5 bytes.\n"
                                "Default:\n.Ql \"\\(dqc:\\e\\ex\\(dq\"\n.El\n");
}

static void output_that_does_not_fit_is_an_error(void **state)
{
    (void)state;
    config_case_load_program(&test, "");
    buffer_clean(&out);
    buffer_init(&out, 500);
    assert_int_equal(config_sample(&config_program_rows, 1, &out), HEARTH_BODY_TOO_LARGE);
    buffer_clean(&out);
    buffer_init(&out, 500);
    assert_int_equal(config_print(test.config, &out), HEARTH_BODY_TOO_LARGE);
    buffer_clean(&out);
    buffer_init(&out, 500);
    assert_int_equal(config_manual(&config_program_rows, 1, &out), HEARTH_BODY_TOO_LARGE);
}

int main(void)
{
#define STORY(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        STORY(the_effective_configuration_loads_to_the_same_values),
        STORY(the_effective_configuration_marks_what_was_set_and_what_was_not),
        STORY(the_sample_loads_to_the_defaults),
        STORY(the_sample_without_its_comment_signs_sets_every_key_to_its_default),
        STORY(the_sample_is_at_most_a_hundred_columns_wide),
        STORY(rows_of_a_group_come_together_whatever_table_they_are_in),
        STORY(quoted_text_reads_back_whatever_it_holds),
        STORY(the_manual_escapes_what_mdoc_would_take_for_its_own),
        STORY(output_that_does_not_fit_is_an_error),
    };
    return cmocka_run_group_tests_name("configuration: texts", tests, NULL, NULL);
}
