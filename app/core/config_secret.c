/*
 * config_secret.c - what a secret refers to.
 *
 * `{ env = "NAME" }` is looked up in the environment, `{ file = "PATH" }` is read; a relative path
 * is relative to the file that says it. A file that everybody on the machine may read is refused: a
 * secret there is none. Trailing newlines, which editors add, are cut.
 */
#include "app/core/config_file.h"
#include "app/core/config_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *keep_valid(struct config_loading *loading, unsigned line, const struct config_row *row,
                        struct view secret, const char *from)
{
    char why[CONFIG_WHY_SIZE];
    if (secret.length == 0) {
        config_found(loading, line, row->key, "%s is empty", from);
        return NULL;
    }
    if (view_index_of(secret, '\0') != SIZE_MAX) {
        config_found(loading, line, row->key, "%s holds a NUL byte", from);
        return NULL;
    }
    if (!config_text_valid(row, secret, why, sizeof why)) {
        config_found(loading, line, row->key, "%s: %s", from, why);
        return NULL;
    }
    char *copy = arena_format(loading->config->arena, "%.*s", VIEW_ARGUMENTS(secret));
    if (!copy)
        loading->out_of_memory = true;
    return copy;
}

static char *from_environment(struct config_loading *loading, unsigned line,
                              const struct config_row *row, const char *name)
{
    const char *secret = getenv(name);
    if (!secret) {
        config_found(loading, line, row->key, "the environment variable %s is not set", name);
        return NULL;
    }
    char from[128];
    snprintf(from, sizeof from, "the environment variable %s", name);
    return keep_valid(loading, line, row, view_of(secret), from);
}

static struct view cut_newlines(struct view text)
{
    while (text.length > 0 &&
           (text.data[text.length - 1] == '\n' || text.data[text.length - 1] == '\r'))
        text.length--;
    return text;
}

static char *from_content(struct config_loading *loading, unsigned line,
                          const struct config_row *row, const char *path, struct buffer *content)
{
    struct stat status;
    char why[CONFIG_WHY_SIZE];
    enum hearth_error error = config_file_read(path, content, &status, why, sizeof why);
    if (error == HEARTH_NO_MEMORY) {
        loading->out_of_memory = true;
    } else if (error != HEARTH_OK) {
        config_found(loading, line, row->key, "%s %s", path, why);
    } else if (status.st_mode & S_IROTH) {
        config_found(loading, line, row->key,
                     "%s can be read by everybody on this machine: chmod 600 %s", path, path);
    } else {
        return keep_valid(loading, line, row, cut_newlines(buffer_view(content)), path);
    }
    return NULL;
}

static char *from_file(struct config_loading *loading, unsigned line, const struct config_row *row,
                       const char *path)
{
    struct buffer content;
    buffer_init(&content, (size_t)config_row_maximum(row) + 2); /* and a newline */
    char *secret = from_content(loading, line, row, path, &content);
    if (content.data)
        explicit_bzero(content.data, content.length);
    buffer_clean(&content);
    return secret;
}

/* The path as seen from where the program runs. */
static const char *whole_path(struct config_loading *loading, unsigned line, const char *path)
{
    if (path[0] == '/')
        return path;
    struct view directory = config_source_directory(&loading->source, line);
    const char *whole =
        arena_format(loading->config->arena, "%.*s%s", VIEW_ARGUMENTS(directory), path);
    if (!whole)
        loading->out_of_memory = true;
    return whole;
}

bool config_secret_resolve(struct config_loading *loading, struct config_value *value,
                           unsigned line)
{
    const struct config_row *row = value->row;
    bool env = value->form == CONFIG_SECRET_ENV;
    char *secret = NULL;
    if (value->reference[0] == '\0') {
        config_found(loading, line, row->key, "%s must not be empty", env ? "env" : "file");
        return false;
    }
    if (!env)
        value->reference = whole_path(loading, line, value->reference);
    if (value->reference)
        secret = env ? from_environment(loading, line, row, value->reference)
                     : from_file(loading, line, row, value->reference);
    if (secret)
        value->text = secret;
    return secret != NULL;
}
