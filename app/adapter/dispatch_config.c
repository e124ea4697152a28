/*
 * dispatch_config.c - the configuration of a program that has modules: the tables of all, and the
 * checks that span several keys.
 */
#include <stdlib.h>

#include "app/adapter/dispatch.h"
#include "app/adapter/dispatch_http.h"

size_t app_config_tables(const struct module *const *modules, struct config_rows *tables,
                         size_t capacity)
{
    size_t count = 0;
    if (count < capacity)
        tables[count] = config_program_rows;
    count++;
    for (size_t i = 0; modules[i]; i++) {
        if (modules[i]->rows.count == 0)
            continue;
        if (count < capacity)
            tables[count] = modules[i]->rows;
        count++;
    }
    return count;
}

static void check_modules(const struct module *const *modules, const struct config *config,
                          struct config_problems *problems)
{
    for (size_t i = 0; modules[i]; i++)
        if (modules[i]->check)
            modules[i]->check(config, problems);
}

enum hearth_error app_config_load(const struct module *const *modules, const char *path,
                                  struct config **config, struct config_problems *problems)
{
    size_t count = app_config_tables(modules, NULL, 0);
    struct config_rows *tables = calloc(count, sizeof *tables);
    *config = NULL;
    *problems = (struct config_problems){NULL, 0};
    if (!tables)
        return HEARTH_NO_MEMORY;
    app_config_tables(modules, tables, count);
    enum hearth_error result = config_load(path, tables, count, config, problems);
    free(tables);
    if (result != HEARTH_OK)
        return result;
    http_settings_check(*config, problems);
    check_modules(modules, *config, problems);
    if (problems->count == 0)
        return HEARTH_OK;
    config_free(*config);
    *config = NULL;
    return HEARTH_BAD_REQUEST;
}
