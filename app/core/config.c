/*
 * config.c - loading a configuration and looking values up.
 *
 * A configuration is an array of values, one a row, in the tables' order. Loading gives each its
 * default first, then lets the file change it; nothing is handed out unless the whole file is
 * without a problem. Lookups compare keys one by one: they happen at start-up, and there are some
 * fifty rows.
 */
#include "hearth/config.h"

#include "app/core/config_internal.h"
#include "app/core/memory.h"
#include "hearth/limits.h"

#include <libconfig.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Problems, in the order of the lines ---- */

/* Moves the problem that was added last up to its line's place. */
static void sort_last(struct config_loading *loading, unsigned line)
{
    struct config_problem *items = loading->problems->items;
    unsigned *lines = loading->lines;
    size_t at = loading->problems->count - 1;
    struct config_problem added = items[at];
    for (; at > 0 && lines[at - 1] > line; at--) {
        items[at] = items[at - 1];
        lines[at] = lines[at - 1];
    }
    items[at] = added;
    lines[at] = line;
}

static bool reserve_lines(struct config_loading *loading)
{
    if (loading->problems->count < loading->line_capacity)
        return true;
    size_t capacity = loading->line_capacity * 2 + 16;
    unsigned *grown = memory_resize(loading->lines, capacity * sizeof *grown);
    if (!grown)
        return false;
    loading->lines = grown;
    loading->line_capacity = capacity;
    return true;
}

void config_found(struct config_loading *loading, unsigned line, const char *key,
                  const char *format, ...)
{
    char what[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);

    size_t before = loading->problems->count;
    char *where = config_source_where(&loading->source, line);
    if (before > CONFIG_PROBLEMS_SHOWN)
        return;
    if (!where || !reserve_lines(loading)) {
        loading->out_of_memory = true;
        return;
    }
    if (before == CONFIG_PROBLEMS_SHOWN) {
        line = UINT32_MAX;
        config_problem_add(loading->problems, where, "", "there are more problems than these %zu",
                           before);
    } else {
        config_problem_add(loading->problems, where, key, "%s", what);
    }
    if (loading->problems->count > before)
        sort_last(loading, line);
    else
        loading->out_of_memory = true;
}

static void source_problem(void *context, unsigned line, const char *what)
{
    config_found(context, line, "", "%s", what);
}

/* ---- Making and freeing ---- */

static size_t count_rows(const struct config_rows *tables, size_t table_count)
{
    size_t count = 0;
    for (size_t i = 0; i < table_count; i++)
        count += tables[i].count;
    return count;
}

static struct config *make_config(const struct config_rows *tables, size_t table_count)
{
    struct arena *arena = arena_new(LIMIT_ARENA_BYTES);
    struct config *config = arena ? arena_alloc_zero(arena, sizeof *config) : NULL;
    if (!config) {
        arena_free(arena);
        return NULL;
    }
    config->arena = arena;
    config->path = "";
    config->values =
        arena_array(arena, count_rows(tables, table_count) + 1, sizeof *config->values);
    if (!config->values) {
        arena_free(arena);
        return NULL;
    }
    for (size_t i = 0; i < table_count; i++) {
        for (size_t j = 0; j < tables[i].count; j++)
            config->values[config->count++].row = &tables[i].rows[j];
    }
    return config;
}

void config_free(struct config *config)
{
    if (!config)
        return;
    for (size_t i = 0; i < config->count; i++) {
        struct config_value *value = &config->values[i];
        if (value->row->type == CONFIG_SECRET && value->text)
            explicit_bzero(value->text, strlen(value->text));
    }
    arena_free(config->arena);
}

static enum hearth_error set_defaults(struct config *config, struct config_problems *problems)
{
    char why[CONFIG_WHY_SIZE];
    for (size_t i = 0; i < config->count; i++) {
        enum hearth_error error = config_set_default(config, &config->values[i], why, sizeof why);
        if (error == HEARTH_BAD_REQUEST)
            config_problem_add(problems, "default", config->values[i].row->key, "%s", why);
        else if (error != HEARTH_OK)
            return error;
    }
    return HEARTH_OK;
}

/* ---- Loading ---- */

static void parse(struct config_loading *loading)
{
    config_t parsed;
    config_init(&parsed);
    if (!config_read_string(&parsed, loading->source.text.data))
        config_tell_syntax(loading, &parsed);
    /* After a syntax error the tree holds what stands before it. */
    config_read_tree(loading, config_root_setting(&parsed));
    config_destroy(&parsed);
}

static enum hearth_error read_files(struct config *config, const char *path,
                                    struct config_problems *problems)
{
    struct config_loading loading = {.config = config, .problems = problems};
    enum hearth_error error = HEARTH_NO_MEMORY;
    config->path = arena_format(config->arena, "%s", path);
    if (!config->path)
        return HEARTH_NO_MEMORY;
    config_source_read(&loading.source, config->arena, config->path, source_problem, &loading);
    if (loading.source.out_of_memory || !loading.source.text.data)
        goto out;
    parse(&loading);
    if (!loading.out_of_memory)
        error = HEARTH_OK;
out:
    config_source_clean(&loading.source);
    memory_free(loading.lines);
    return error;
}

enum hearth_error config_load(const char *path, const struct config_rows *tables,
                              size_t table_count, struct config **config,
                              struct config_problems *problems)
{
    *config = NULL;
    *problems = (struct config_problems){0};
    struct config *made = make_config(tables, table_count);
    if (!made)
        return HEARTH_NO_MEMORY;
    enum hearth_error error = set_defaults(made, problems);
    if (error == HEARTH_OK && path && problems->count == 0)
        error = read_files(made, path, problems);
    if (error == HEARTH_OK && problems->count > 0)
        error = HEARTH_BAD_REQUEST;
    if (error == HEARTH_OK)
        *config = made;
    else
        config_free(made);
    return error;
}

const char *config_choose_path(const char *option)
{
    const char *variable = getenv("HEARTH_CONFIG");
    if (option)
        return option;
    return variable && variable[0] ? variable : "/etc/hearth/hearth.conf";
}

/* ---- Lookups ---- */

struct config_value *config_find(const struct config *config, const char *key)
{
    for (size_t i = 0; i < config->count; i++) {
        if (strcmp(config->values[i].row->key, key) == 0)
            return &config->values[i];
    }
    return NULL;
}

/* Asking for what no row has is a mistake in the program, and the program is not to go on. */
static _Noreturn void misused(const char *function, const char *key, const char *what)
{
    fprintf(stderr, "%s(\"%s\"): %s\n", function, key, what);
    abort();
}

static const struct config_value *lookup(const struct config *config, const char *key,
                                         const char *function, unsigned types)
{
    const struct config_value *value = config_find(config, key);
    if (!value)
        misused(function, key, "no row has this key");
    if (types && !(types & 1u << value->row->type))
        misused(function, key, "the row is of another type");
    return value;
}

int64_t config_integer(const struct config *config, const char *key)
{
    return lookup(config, key, __func__, 1u << CONFIG_INTEGER)->integer;
}

bool config_boolean(const struct config *config, const char *key)
{
    return lookup(config, key, __func__, 1u << CONFIG_BOOLEAN)->integer != 0;
}

const char *config_string(const struct config *config, const char *key)
{
    return lookup(config, key, __func__, 1u << CONFIG_STRING | 1u << CONFIG_SECRET)->text;
}

int config_choice(const struct config *config, const char *key)
{
    return (int)lookup(config, key, __func__, 1u << CONFIG_CHOICE)->integer;
}

size_t config_list_count(const struct config *config, const char *key)
{
    return lookup(config, key, __func__, 1u << CONFIG_LIST)->item_count;
}

const char *config_list_item(const struct config *config, const char *key, size_t index)
{
    const struct config_value *value = lookup(config, key, __func__, 1u << CONFIG_LIST);
    if (index >= value->item_count)
        misused(__func__, key, "the list has fewer items");
    return value->items[index];
}

const char *config_path(const struct config *config)
{
    return config->path;
}

const char *config_origin(const struct config *config, const char *key)
{
    const char *origin = lookup(config, key, __func__, 0)->origin;
    return origin ? origin : "default";
}
