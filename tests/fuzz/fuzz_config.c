/*
 * fuzz_config.c - any bytes as a configuration file.
 *
 * A file is taken or there is a problem, never both and never neither; every problem says where and
 * what. What is taken is printed, loaded again, and has the same values.
 */
#include "hearth/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const char *__lsan_default_suppressions(void);

/* libconfig 1.5 forgets the string it has just read when a syntax error follows it: some bytes for
 * each bad file. Everything else that is lost counts. */
const char *__lsan_default_suppressions(void)
{
    return "leak:libconfig.so";
}

static const char *const colours[] = {"red", "green", "blue", NULL};

/* A row of every type, with names that a mutation finds. */
static const struct config_row rows[] = {
    {.key = "a.i",
     .type = CONFIG_INTEGER,
     .minimum = INT64_MIN + 1,
     .maximum = INT64_MAX - 1,
     .initial = "2",
     .text = "t"},
    {.key = "a.b", .type = CONFIG_BOOLEAN, .initial = "true", .text = "t"},
    {.key = "a.s", .type = CONFIG_STRING, .initial = "", .text = "t"},
    {.key = "a.t", .type = CONFIG_STRING, .initial = "", .text = "t"},
    {.key = "a.c", .type = CONFIG_CHOICE, .initial = "green", .choices = colours, .text = "t"},
    {.key = "a.l", .type = CONFIG_LIST, .maximum = 8, .initial = "one two", .text = "t"},
    {.key = "a.p", .type = CONFIG_SECRET, .initial = "", .text = "t"},
};
static const struct config_rows tables[] = {{rows, sizeof rows / sizeof rows[0]}};

static void must(bool condition)
{
    if (!condition)
        abort();
}

/* Loads a text from a file that only exists in memory. */
static struct config *load(struct view text, struct config_problems *problems)
{
    char path[64];
    struct config *config;
    int file = memfd_create("hearth.conf", MFD_CLOEXEC);
    must(file >= 0 && write(file, text.data, text.length) == (ssize_t)text.length);
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    enum hearth_error error = config_load(path, tables, 1, &config, problems);
    close(file);
    must(error == HEARTH_OK || error == HEARTH_BAD_REQUEST);
    must((error == HEARTH_OK) == (config != NULL));
    must((error == HEARTH_OK) == (problems->count == 0));
    return config;
}

static void check_problems(const struct config_problems *problems)
{
    for (size_t i = 0; i < problems->count; i++) {
        const struct config_problem *problem = &problems->items[i];
        must(strncmp(problem->where, "/", 1) == 0 && problem->what[0] != '\0');
        must(problem->key != NULL);
    }
}

static void must_be_same(const struct config *one, const struct config *other)
{
    must(config_integer(one, "a.i") == config_integer(other, "a.i"));
    must(config_boolean(one, "a.b") == config_boolean(other, "a.b"));
    must(config_choice(one, "a.c") == config_choice(other, "a.c"));
    must(strcmp(config_string(one, "a.s"), config_string(other, "a.s")) == 0);
    must(strcmp(config_string(one, "a.t"), config_string(other, "a.t")) == 0);
    size_t count = config_list_count(one, "a.l");
    must(count == config_list_count(other, "a.l"));
    for (size_t i = 0; i < count; i++)
        must(strcmp(config_list_item(one, "a.l", i), config_list_item(other, "a.l", i)) == 0);
}

static void check_round_trip(const struct config *config)
{
    struct buffer out;
    struct config_problems problems;
    buffer_init(&out, 1 << 20);
    must(config_print(config, &out) == HEARTH_OK);
    struct config *again = load(buffer_view(&out), &problems);
    must(again != NULL);
    must_be_same(config, again);
    config_free(again);
    config_problems_clean(&problems);
    buffer_clean(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct config_problems problems;
    struct view text = view_from((const char *)data, size);
    /* An include would read files of the machine: the result would not be the input's alone. */
    if (view_find(text, VIEW("@include")) != SIZE_MAX)
        return 0;
    struct config *config = load(text, &problems);
    check_problems(&problems);
    if (config)
        check_round_trip(config);
    config_free(config);
    config_problems_clean(&problems);
    return 0;
}
