/*
 * config_read.c - from libconfig's tree to the rows' values.
 *
 * The tree is walked in the order of the file. A setting whose path is a row's key is held against
 * the row; a group is gone into; everything else is unknown. Each finding is added and the walk
 * goes on, so that a person sees all of them at once.
 */
#include "app/core/config_internal.h"

#include <libconfig.h>
#include <stdio.h>
#include <string.h>

enum {
    GROUP_DEPTH = 4,    /* keys have two parts; deeper groups are unknown as a whole */
    CHOICES_SIZE = 160, /* the names of all choices, in a message */
};

static const char *type_name(const config_setting_t *setting)
{
    switch (config_setting_type(setting)) {
    case CONFIG_TYPE_GROUP:
        return "a group";
    case CONFIG_TYPE_INT:
    case CONFIG_TYPE_INT64:
        return "an integer";
    case CONFIG_TYPE_FLOAT:
        return "a number with a fraction";
    case CONFIG_TYPE_STRING:
        return "a string";
    case CONFIG_TYPE_BOOL:
        return "true or false";
    default:
        return "a list";
    }
}

static void wrong_type(struct config_loading *loading, const struct config_row *row,
                       const config_setting_t *setting, const char *wanted)
{
    config_found(loading, setting->line, row->key, "must be %s, is %s", wanted, type_name(setting));
}

static char *keep_text(struct config_loading *loading, const char *text)
{
    char *copy = arena_format(loading->config->arena, "%s", text);
    if (!copy)
        loading->out_of_memory = true;
    return copy;
}

/* ---- One function a type ---- */

static bool read_integer(struct config_loading *loading, struct config_value *value,
                         const config_setting_t *setting)
{
    char why[CONFIG_WHY_SIZE];
    int type = config_setting_type(setting);
    if (type != CONFIG_TYPE_INT && type != CONFIG_TYPE_INT64) {
        wrong_type(loading, value->row, setting, "an integer");
        return false;
    }
    int64_t number = type == CONFIG_TYPE_INT ? setting->value.ival : setting->value.llval;
    if (!config_integer_valid(value->row, number, why, sizeof why)) {
        config_found(loading, setting->line, value->row->key, "%s", why);
        return false;
    }
    value->integer = number;
    return true;
}

static bool read_boolean(struct config_loading *loading, struct config_value *value,
                         const config_setting_t *setting)
{
    if (config_setting_type(setting) != CONFIG_TYPE_BOOL) {
        wrong_type(loading, value->row, setting, "true or false");
        return false;
    }
    value->integer = setting->value.ival != 0;
    return true;
}

/* The text of a string setting that keeps the row's rules; NULL with the problem added. */
static const char *valid_text(struct config_loading *loading, const struct config_row *row,
                              const config_setting_t *setting)
{
    char why[CONFIG_WHY_SIZE];
    const char *text = config_setting_get_string(setting);
    if (!text)
        text = "";
    if (config_text_valid(row, view_of(text), why, sizeof why))
        return text;
    config_found(loading, setting->line, row->key, "%s", why);
    return NULL;
}

static bool read_string(struct config_loading *loading, struct config_value *value,
                        const config_setting_t *setting)
{
    if (config_setting_type(setting) != CONFIG_TYPE_STRING) {
        wrong_type(loading, value->row, setting, "a string in quotes");
        return false;
    }
    const char *text = valid_text(loading, value->row, setting);
    char *copy = text ? keep_text(loading, text) : NULL;
    if (copy)
        value->text = copy;
    return copy != NULL;
}

static void list_choices(const struct config_row *row, char *names, size_t size)
{
    size_t length = 0;
    names[0] = '\0';
    for (size_t i = 0; row->choices[i] && length < size; i++) {
        const char *between = i == 0 ? "" : row->choices[i + 1] ? ", " : " or ";
        int wrote = snprintf(names + length, size - length, "%s%s", between, row->choices[i]);
        length += wrote > 0 ? (size_t)wrote : 0;
    }
}

static bool read_choice(struct config_loading *loading, struct config_value *value,
                        const config_setting_t *setting)
{
    char names[CHOICES_SIZE];
    const struct config_row *row = value->row;
    list_choices(row, names, sizeof names);
    const char *text = config_setting_get_string(setting);
    if (config_setting_type(setting) != CONFIG_TYPE_STRING || !text) {
        wrong_type(loading, row, setting, names);
        return false;
    }
    int index = config_choice_index(row, view_of(text));
    if (index >= 0) {
        value->integer = index;
        return true;
    }
    const char *nearest = config_nearest_choice(row, text);
    config_found(loading, setting->line, row->key, "must be %s, is \"%.60s\"%s%s%s", names, text,
                 nearest ? " (did you mean " : "", nearest ? nearest : "", nearest ? "?)" : "");
    return false;
}

static bool read_item(struct config_loading *loading, struct config_value *value,
                      const config_setting_t *item, int number)
{
    if (config_setting_type(item) != CONFIG_TYPE_STRING) {
        config_found(loading, item->line, value->row->key, "item %d must be a string, is %s",
                     number, type_name(item));
        return false;
    }
    const char *text = valid_text(loading, value->row, item);
    const char *copy = text ? keep_text(loading, text) : NULL;
    if (copy)
        value->items[value->item_count++] = copy;
    return copy != NULL;
}

static bool read_list(struct config_loading *loading, struct config_value *value,
                      const config_setting_t *setting)
{
    int type = config_setting_type(setting), count = config_setting_length(setting);
    if (type != CONFIG_TYPE_LIST && type != CONFIG_TYPE_ARRAY) {
        wrong_type(loading, value->row, setting, "a list like (\"one\", \"two\")");
        return false;
    }
    if (count > config_row_maximum(value->row)) {
        config_found(loading, setting->line, value->row->key, "must have at most %d items, has %d",
                     (int)config_row_maximum(value->row), count);
        return false;
    }
    bool good = true;
    value->item_count = 0;
    value->items = arena_array(loading->config->arena, (size_t)count + 1, sizeof *value->items);
    if (!value->items) {
        loading->out_of_memory = true;
        return false;
    }
    for (int i = 0; i < count; i++) {
        config_setting_t *item = config_setting_get_elem(setting, (unsigned)i);
        good = read_item(loading, value, item, i + 1) && good;
    }
    return good;
}

/* ---- Secrets ---- */

/* The one member env or file of a secret's group; everything else in it is told. */
static const config_setting_t *secret_member(struct config_loading *loading,
                                             const struct config_row *row,
                                             const config_setting_t *group)
{
    const config_setting_t *found = NULL;
    for (int i = 0; i < config_setting_length(group); i++) {
        const config_setting_t *member = config_setting_get_elem(group, (unsigned)i);
        if (strcmp(member->name, "env") != 0 && strcmp(member->name, "file") != 0)
            config_found(loading, member->line, row->key,
                         "unknown member \"%s\": a secret has env or file", member->name);
        else if (config_setting_type(member) != CONFIG_TYPE_STRING)
            wrong_type(loading, row, member, "a string in quotes");
        else if (found)
            config_found(loading, member->line, row->key, "has both env and file, must have one");
        else
            found = member;
    }
    return found;
}

static bool read_secret_group(struct config_loading *loading, struct config_value *value,
                              const config_setting_t *group)
{
    size_t before = loading->problems->count;
    const config_setting_t *member = secret_member(loading, value->row, group);
    if (!member) {
        if (loading->problems->count == before)
            config_found(loading, group->line, value->row->key,
                         "must be { env = \"NAME\" } or { file = \"PATH\" }, is empty");
        return false;
    }
    const char *reference = config_setting_get_string(member);
    value->form = strcmp(member->name, "env") == 0 ? CONFIG_SECRET_ENV : CONFIG_SECRET_FILE;
    value->reference = keep_text(loading, reference ? reference : "");
    return value->reference && config_secret_resolve(loading, value, member->line);
}

static bool read_secret(struct config_loading *loading, struct config_value *value,
                        const config_setting_t *setting)
{
    if (config_setting_is_group(setting))
        return read_secret_group(loading, value, setting);
    if (config_setting_type(setting) == CONFIG_TYPE_STRING)
        return read_string(loading, value, setting);
    wrong_type(loading, value->row, setting, "{ env = \"NAME\" }, { file = \"PATH\" } or a string");
    return false;
}

/* ---- The tree ---- */

static void read_value(struct config_loading *loading, struct config_value *value,
                       const config_setting_t *setting)
{
    typedef bool read_fn(struct config_loading *, struct config_value *, const config_setting_t *);
    static read_fn *const readers[] = {
        [CONFIG_INTEGER] = read_integer, [CONFIG_BOOLEAN] = read_boolean,
        [CONFIG_STRING] = read_string,   [CONFIG_SECRET] = read_secret,
        [CONFIG_CHOICE] = read_choice,   [CONFIG_LIST] = read_list,
    };
    if (!readers[value->row->type](loading, value, setting))
        return;
    value->origin = config_source_where(&loading->source, setting->line);
    if (!value->origin)
        loading->out_of_memory = true;
}

/* Do keys begin with this path and a dot? */
static bool is_group_of_rows(const struct config *config, const char *path)
{
    size_t length = strlen(path);
    for (size_t i = 0; i < config->count; i++) {
        const char *key = config->values[i].row->key;
        if (strncmp(key, path, length) == 0 && key[length] == '.')
            return true;
    }
    return false;
}

static void unknown(struct config_loading *loading, const config_setting_t *setting,
                    const char *path)
{
    const struct config *config = loading->config;
    const char *nearest = config_nearest_key(config, path);
    if (is_group_of_rows(config, path))
        config_found(loading, setting->line, path, "is a group: write %s: { ... };", path);
    else if (nearest)
        config_found(loading, setting->line, path, "unknown key; did you mean %s?", nearest);
    else
        config_found(loading, setting->line, path, "unknown %s",
                     config_setting_is_group(setting) ? "group" : "key");
}

static void read_group(struct config_loading *loading, const config_setting_t *group,
                       const char *path, int depth);

static void read_setting(struct config_loading *loading, const config_setting_t *setting,
                         const char *path, int depth)
{
    struct config_value *value = config_find(loading->config, path);
    bool group = config_setting_is_group(setting);
    bool empty = group && config_setting_length(setting) == 0;
    if (config_setting_type(setting) == CONFIG_TYPE_NONE)
        return; /* where the syntax error stopped the parser */
    if (value)
        read_value(loading, value, setting);
    else if (group && !empty && depth < GROUP_DEPTH)
        read_group(loading, setting, path, depth + 1);
    else if (!empty || !is_group_of_rows(loading->config, path))
        unknown(loading, setting, path);
}

/* Recursion ends at GROUP_DEPTH. */
static void read_group(struct config_loading *loading, const config_setting_t *group,
                       const char *path, int depth)
{
    for (int i = 0; i < config_setting_length(group); i++) {
        const config_setting_t *setting = config_setting_get_elem(group, (unsigned)i);
        const char *name =
            arena_format(loading->config->arena, "%s%s%s", path, path[0] ? "." : "", setting->name);
        if (!name) {
            loading->out_of_memory = true;
            return;
        }
        read_setting(loading, setting, name, depth);
    }
}

void config_read_tree(struct config_loading *loading, struct config_setting_t *root)
{
    read_group(loading, root, "", 1);
}
