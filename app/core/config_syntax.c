/*
 * config_syntax.c - what to say when libconfig could not read on.
 *
 * libconfig has a line and few words: "syntax error", "duplicate setting name". The line's text and
 * the tree of what was read before it tell more: which key is set twice and where it was first, and
 * that somebody wrote a key as it is spoken of.
 */
#include "app/core/config_internal.h"

#include <libconfig.h>
#include <stdio.h>
#include <string.h>

enum { NAME_SIZE = 128, PATH_SIZE = 256, GROUP_DEPTH = 8 };

static bool is_name_byte(char c, bool first)
{
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    return letter || (!first && ((c >= '0' && c <= '9') || c == '-' || c == '_'));
}

/* Cuts the next name with '=' or ':' behind it off the line. */
static bool next_name(struct view *line, char name[NAME_SIZE])
{
    while (line->length > 0) {
        size_t length = 0;
        while (length < line->length && is_name_byte(line->data[length], length == 0))
            length++;
        struct view word = view_slice(*line, 0, length);
        *line = view_skip(*line, length > 0 ? length : 1);
        struct view behind = view_trim(*line);
        bool set = view_starts_with(behind, VIEW("=")) || view_starts_with(behind, VIEW(":"));
        if (length == 0 || length >= NAME_SIZE || !set)
            continue;
        snprintf(name, NAME_SIZE, "%.*s", VIEW_ARGUMENTS(word));
        return true;
    }
    return false;
}

static size_t count_name(struct view line, const char *wanted)
{
    char name[NAME_SIZE];
    size_t count = 0;
    while (next_name(&line, name))
        count += strcmp(name, wanted) == 0;
    return count;
}

/* Groups that may still have been open where the parser stopped: each the last of the one before.
 */
static size_t last_groups(config_setting_t *root, config_setting_t *groups[GROUP_DEPTH])
{
    size_t depth = 0;
    for (config_setting_t *group = root; group && depth < GROUP_DEPTH;) {
        groups[depth++] = group;
        int length = config_setting_length(group);
        group = length > 0 ? config_setting_get_elem(group, (unsigned)length - 1) : NULL;
        if (group && !config_setting_is_group(group))
            group = NULL;
    }
    return depth;
}

/* The setting of that name in the innermost of the groups that has one. */
static const config_setting_t *innermost(config_setting_t *const *groups, size_t depth,
                                         const char *name)
{
    const config_setting_t *member = NULL;
    while (depth > 0 && !member)
        member = config_setting_get_member(groups[--depth], name);
    return member;
}

/* The parser stopped at the first name on the line that was set before. */
static const config_setting_t *find_first(config_setting_t *root, struct view line, unsigned number)
{
    char name[NAME_SIZE];
    config_setting_t *groups[GROUP_DEPTH];
    size_t depth = last_groups(root, groups);
    struct view rest = line;
    while (next_name(&rest, name)) {
        const config_setting_t *member = innermost(groups, depth, name);
        if (member && (member->line < number || count_name(line, name) > 1))
            return member;
    }
    return NULL;
}

static void format_key(const config_setting_t *setting, char key[PATH_SIZE])
{
    const config_setting_t *parent = setting->parent;
    if (parent && parent->name)
        snprintf(key, PATH_SIZE, "%s.%s", parent->name, setting->name);
    else
        snprintf(key, PATH_SIZE, "%s", setting->name);
}

static bool tell_duplicate(struct config_loading *loading, config_setting_t *root, unsigned line)
{
    char key[PATH_SIZE];
    struct view text = config_source_line(&loading->source, line);
    const config_setting_t *first = find_first(root, text, line);
    if (!first)
        return false;
    format_key(first, key);
    const char *where = config_source_where(&loading->source, first->line);
    config_found(loading, line, key, "is set again, first at %s; what follows was not checked",
                 where ? where : "another line");
    return true;
}

/* "pool.workers = 2", which is how keys are spoken of but not how the file writes them. */
static bool looks_dotted(struct view line)
{
    line = view_trim(line);
    size_t dot = view_index_of(line, '.'), equals = view_index_of(line, '=');
    size_t quote = view_index_of(line, '"');
    return dot != SIZE_MAX && dot > 0 && equals != SIZE_MAX && dot < equals && dot < quote;
}

void config_tell_syntax(struct config_loading *loading, const struct config_t *parsed)
{
    unsigned line = (unsigned)config_error_line(parsed);
    const char *text = config_error_text(parsed) ? config_error_text(parsed) : "syntax error";
    if (loading->source.broken)
        return; /* what has no end was told, where it begins */
    if (strstr(text, "duplicate") && tell_duplicate(loading, config_root_setting(parsed), line))
        return;
    bool dotted = looks_dotted(config_source_line(&loading->source, line));
    config_found(loading, line, "", "%s%s; what follows was not checked", text,
                 dotted ? " (a key a.b is written a: { b = ...; };)" : "");
}
