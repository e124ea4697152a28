/*
 * test_config_generated.c - the rows of all modules are sound, and the files that are made from
 * them say what they say: etc/hearth.conf and the KEYS of docs/hearth.conf.5.
 *
 * `HEARTH_UPDATE=1 test_config_generated` makes the files again.
 */
#include "support.h"

#include "app/core/config_manual.h"
#include "app/core/config_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SAMPLE HEARTH_SOURCE_DIR "/etc/hearth.conf"
#define MANUAL HEARTH_SOURCE_DIR "/docs/hearth.conf.5"
#define BEGIN  ".\\\" keys: begin (made by `hearth check --manual`)\n"
#define END    ".\\\" keys: end\n"

enum { TABLES = 32, FILE_MAXIMUM = 1 << 20 };

static struct config_rows tables[TABLES];
static size_t table_count;

static int setup(void **state)
{
    (void)state;
    table_count = app_config_tables(hearth_modules, tables, TABLES);
    assert_in_range(table_count, 1, TABLES);
    return 0;
}

static void read_file(const char *path, struct buffer *out)
{
    char piece[4096];
    size_t got;
    FILE *file = fopen(path, "rb");
    if (!file)
        fail_msg("%s is missing", path);
    while ((got = fread(piece, 1, sizeof piece, file)) > 0)
        assert_int_equal(buffer_append(out, view_from(piece, got)), HEARTH_OK);
    fclose(file);
}

/* The number of the first line that differs, 0 when none does. */
static size_t different_line(struct view a, struct view b)
{
    for (size_t line = 1; a.data || b.data; line++) {
        if (!view_equal(view_split(&a, '\n'), view_split(&b, '\n')))
            return line;
    }
    return 0;
}

static void expect_file(const char *path, struct view wanted, struct view found)
{
    if (view_equal(wanted, found))
        return;
    if (getenv("HEARTH_UPDATE")) {
        test_write_file(path, wanted);
        return;
    }
    fail_msg("%s is not what the rows say, from line %zu on; HEARTH_UPDATE=1 with this program "
             "makes it again",
             path, different_line(wanted, found));
}

static void the_annotated_sample_is_made_from_the_rows(void **state)
{
    (void)state;
    struct buffer wanted, found;
    buffer_init(&wanted, FILE_MAXIMUM);
    buffer_init(&found, FILE_MAXIMUM);
    assert_int_equal(config_sample(tables, table_count, &wanted), HEARTH_OK);
    read_file(SAMPLE, &found);
    expect_file(SAMPLE, buffer_view(&wanted), buffer_view(&found));
    buffer_clean(&wanted);
    buffer_clean(&found);
}

static void the_manual_lists_the_rows(void **state)
{
    (void)state;
    struct buffer wanted, found;
    buffer_init(&wanted, FILE_MAXIMUM);
    buffer_init(&found, FILE_MAXIMUM);
    read_file(MANUAL, &found);
    struct view page = buffer_view(&found);
    size_t begin = view_find(page, VIEW(BEGIN)), end = view_find(page, VIEW(END));
    assert_true(begin != SIZE_MAX && end != SIZE_MAX && begin < end);
    buffer_append(&wanted, view_slice(page, 0, begin + sizeof BEGIN - 1));
    assert_int_equal(config_manual(tables, table_count, &wanted), HEARTH_OK);
    buffer_append(&wanted, view_skip(page, end));
    assert_int_equal(buffer_status(&wanted), HEARTH_OK);
    expect_file(MANUAL, buffer_view(&wanted), page);
    buffer_clean(&wanted);
    buffer_clean(&found);
}

static void every_default_keeps_its_own_rules(void **state)
{
    (void)state;
    struct config *config;
    struct config_problems problems;
    enum hearth_error error = config_load(NULL, tables, table_count, &config, &problems);
    for (size_t i = 0; i < problems.count; i++)
        print_message("%s: %s\n", problems.items[i].key, problems.items[i].what);
    assert_int_equal(error, HEARTH_OK);
    config_free(config);
    error = app_config_load(hearth_modules, NULL, &config, &problems);
    for (size_t i = 0; i < problems.count; i++)
        print_message("%s: %s\n", problems.items[i].key, problems.items[i].what);
    assert_int_equal(error, HEARTH_OK);
    config_free(config);
}

/* "module.snake_case" */
static bool key_is_sound(const char *key)
{
    size_t group = strspn(key, "abcdefghijklmnopqrstuvwxyz");
    if (group == 0 || key[group] != '.')
        return false;
    const char *name = key + group + 1;
    size_t length = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_");
    return length > 0 && name[length] == '\0' && name[0] >= 'a' && name[0] <= 'z';
}

static void every_row_has_a_key_and_sentences_of_its_own(void **state)
{
    (void)state;
    for (size_t i = 0; i < table_count; i++) {
        for (size_t j = 0; j < tables[i].count; j++) {
            const struct config_row *row = &tables[i].rows[j];
            if (!key_is_sound(row->key))
                fail_msg("%s is not module.snake_case", row->key);
            struct view text = view_of(row->text);
            if (text.length < 20 || !view_ends_with(text, VIEW(".")))
                fail_msg("%s is not explained in sentences", row->key);
            if ((row->type == CONFIG_CHOICE) != (row->choices != NULL))
                fail_msg("%s: choices are for CONFIG_CHOICE", row->key);
            if (row->type == CONFIG_INTEGER && row->minimum >= row->maximum)
                fail_msg("%s has no range", row->key);
        }
    }
}

struct keys {
    const char *seen[256];
    size_t count;
};

static void note_key(void *context, const struct config_row *row, bool first, bool last)
{
    struct keys *keys = context;
    (void)first;
    (void)last;
    assert_true(keys->count < 256);
    for (size_t i = 0; i < keys->count; i++)
        assert_string_not_equal(keys->seen[i], row->key);
    keys->seen[keys->count++] = row->key;
}

static void no_key_has_two_rows_and_none_is_left_out(void **state)
{
    (void)state;
    struct keys keys = {.count = 0};
    size_t rows = 0;
    config_visit_rows(tables, table_count, note_key, &keys);
    for (size_t i = 0; i < table_count; i++)
        rows += tables[i].count;
    assert_int_equal(keys.count, rows);
    assert_true(rows > config_program_rows.count);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_annotated_sample_is_made_from_the_rows),
        cmocka_unit_test(the_manual_lists_the_rows),
        cmocka_unit_test(every_default_keeps_its_own_rules),
        cmocka_unit_test(every_row_has_a_key_and_sentences_of_its_own),
        cmocka_unit_test(no_key_has_two_rows_and_none_is_left_out),
    };
    return cmocka_run_group_tests_name("configuration: generated files", tests, setup, NULL);
}
