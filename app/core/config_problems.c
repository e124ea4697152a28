/*
 * config_problems.c - the list of what is wrong with a configuration.
 *
 * A problem is one allocation that holds its three texts. When there is no memory for a problem,
 * the list still must not look empty, or a bad configuration would pass for a good one: the first
 * such problem is a static item.
 */
#include "app/core/memory.h"
#include "hearth/config.h"

#include <stdio.h>
#include <string.h>

enum { WHAT_SIZE = 1024 }; /* longer explanations are cut */

static char no_text[] = "";
static char no_memory[] = "out of memory while the configuration was checked";
static struct config_problem no_memory_problem = {no_text, no_text, no_memory};

void config_problems_clean(struct config_problems *problems)
{
    if (problems->items != &no_memory_problem) {
        for (size_t i = 0; i < problems->count; i++)
            memory_free(problems->items[i].where); /* the start of the one allocation */
        memory_free(problems->items);
    }
    problems->items = NULL;
    problems->count = 0;
}

static bool make_problem(struct config_problem *problem, const char *where, const char *key,
                         const char *what)
{
    size_t where_size = strlen(where) + 1, key_size = strlen(key) + 1;
    size_t what_size = strlen(what) + 1;
    char *texts = memory_new(where_size + key_size + what_size);
    if (!texts)
        return false;
    problem->where = texts;
    problem->key = texts + where_size;
    problem->what = texts + where_size + key_size;
    memcpy(problem->where, where, where_size);
    memcpy(problem->key, key, key_size);
    memcpy(problem->what, what, what_size);
    return true;
}

static bool append_problem(struct config_problems *problems, const struct config_problem *problem)
{
    struct config_problem *grown =
        memory_resize(problems->items, (problems->count + 1) * sizeof *problems->items);
    if (!grown)
        return false;
    grown[problems->count++] = *problem;
    problems->items = grown;
    return true;
}

void config_problem_add(struct config_problems *problems, const char *where, const char *key,
                        const char *format, ...)
{
    if (problems->items == &no_memory_problem)
        return;
    struct config_problem problem = {0};
    char what[WHAT_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    if (make_problem(&problem, where, key, what) && append_problem(problems, &problem))
        return;
    memory_free(problem.where);
    if (problems->count == 0) {
        problems->items = &no_memory_problem;
        problems->count = 1;
    }
}
