/*
 * series_edit_save.c - the life of an edit of series.json: lock, read, check, write, give back.
 *
 * The new content goes to STORE/series.json.new, is synced, and renamed over the old one, so that a
 * reader sees the one or the other, whole, also after a power loss.
 */
#include "handlers/sensor/disk/live_memory.h"
#include "handlers/sensor/series/series_edit_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

enum { WAIT_MS = 10000 };

/* ---- The lock ---- */

static enum hearth_error take_lock(struct series_edit *edit, const struct clock *clock,
                                   struct error_record *error)
{
    char path[SERIES_PATH_BYTES + 16];
    snprintf(path, sizeof path, "%s/series.lock", edit->store);
    enum hearth_error code = write_lock_take(&edit->lock, path, clock, WAIT_MS, error);
    if (code == HEARTH_LOCKED)
        error_set_internal(error, code, 0, "another process has been editing %s for ten seconds",
                           edit->path);
    return code;
}

/* ---- Reading ---- */

/* An empty file gets what every file has. */
static bool complete(struct json_object *root)
{
    struct json_object *found = NULL;
    if (!json_object_object_get_ex(root, "version", &found) &&
        json_object_object_add(root, "version", json_object_new_int(SERIES_VERSION)) != 0)
        return false;
    if (json_object_object_get_ex(root, "series", &found) && found)
        return true;
    struct json_object *list = json_object_new_array();
    if (list && json_object_object_add(root, "series", list) == 0)
        return true;
    json_object_put(list);
    return false;
}

/* The text was read as names before, so that it is JSON, and of the right types. */
static enum hearth_error make_tree(struct series_edit *edit, struct error_record *error)
{
    if (edit->text.length == 0)
        edit->root = json_object_new_object();
    else if (buffer_append_byte(&edit->text, '\0') == HEARTH_OK)
        edit->root = json_tokener_parse(edit->text.data);
    if (edit->root && complete(edit->root))
        return HEARTH_OK;
    return error_set_internal(error, HEARTH_NO_MEMORY, ENOMEM, "no memory for series.json");
}

static enum hearth_error read_names(struct series_edit *edit, struct error_record *error)
{
    struct error_record inner = {0};
    enum hearth_error code = series_names_read_file(edit->path, &edit->text, error);
    if (code != HEARTH_OK)
        return code;
    edit->names = series_names_parse(buffer_view(&edit->text), SERIES_STALE_AFTER_MS, &inner);
    if (!edit->names)
        return error_set_internal(error, inner.code, inner.number, "%s: %s", edit->path,
                                  inner.detail);
    return make_tree(edit, error);
}

/* ---- Life ---- */

struct series_edit *series_edit_open(struct file_operations *files, const char *store,
                                     const struct clock *clock, struct error_record *error)
{
    struct series_edit *edit = memory_new_zero(1, sizeof *edit);
    if (!edit) {
        error_set_internal(error, HEARTH_NO_MEMORY, ENOMEM, "no memory for series.json");
        return NULL;
    }
    edit->files = files;
    edit->lock.file = -1;
    buffer_init(&edit->text, SERIES_FILE_BYTES + 2);
    snprintf(edit->store, sizeof edit->store, "%s", store);
    enum hearth_error code =
        series_names_path(store, edit->path)
            ? file_make_directories(files, store, error)
            : error_set_internal(error, HEARTH_IO, ENAMETOOLONG, "the store's name is too long");
    if (code == HEARTH_OK)
        code = take_lock(edit, clock, error);
    if (code == HEARTH_OK)
        code = read_names(edit, error);
    if (code == HEARTH_OK)
        return edit;
    series_edit_close(edit);
    return NULL;
}

void series_edit_close(struct series_edit *edit)
{
    if (!edit)
        return;
    json_object_put(edit->root);
    series_names_free(edit->names);
    buffer_clean(&edit->text);
    write_lock_release(&edit->lock);
    memory_free(edit);
}

const struct series_names *series_edit_names(const struct series_edit *edit)
{
    return edit->names;
}

/* ---- Writing ---- */

static enum hearth_error write_file(struct series_edit *edit, const char *path, struct view text,
                                    struct error_record *error)
{
    size_t written;
    int file = file_open(edit->files, path, O_WRONLY | O_CREAT | O_TRUNC, 0640, error);
    if (file < 0)
        return error ? error->code : HEARTH_IO;
    enum hearth_error code =
        file_write_all(edit->files, file, path, text.data, text.length, 0, &written, error);
    if (code == HEARTH_OK)
        code = file_sync(edit->files, file, path, error);
    file_close(edit->files, file);
    return code;
}

static enum hearth_error replace(struct series_edit *edit, struct view text,
                                 struct error_record *error)
{
    char path[SERIES_PATH_BYTES + 8];
    snprintf(path, sizeof path, "%s.new", edit->path);
    enum hearth_error code = write_file(edit, path, text, error);
    if (code == HEARTH_OK)
        code = file_rename(edit->files, path, edit->path, error);
    return code == HEARTH_OK ? file_sync_directory(edit->files, edit->store, error) : code;
}

static enum hearth_error make_text(const struct series_edit *edit, struct buffer *text,
                                   struct error_record *error)
{
    const char *json = json_object_to_json_string_ext(
        edit->root, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE);
    if (json && buffer_append_text(text, json) == HEARTH_OK)
        buffer_append_byte(text, '\n');
    if (json && buffer_status(text) == HEARTH_BODY_TOO_LARGE)
        return error_set(error, HEARTH_CONFLICT, "series.json would be larger than %d bytes",
                         SERIES_FILE_BYTES);
    if (json && buffer_status(text) == HEARTH_OK)
        return HEARTH_OK;
    return error_set_internal(error, HEARTH_NO_MEMORY, ENOMEM, "no memory for series.json");
}

static enum hearth_error check_rules(struct view text, struct error_record *error)
{
    struct error_record inner = {0};
    struct series_names *names = series_names_parse(text, SERIES_STALE_AFTER_MS, &inner);
    bool good = names != NULL;
    series_names_free(names);
    if (good)
        return HEARTH_OK;
    return error_set(error, inner.code == HEARTH_CORRUPT ? HEARTH_CONFLICT : inner.code, "%s",
                     inner.detail);
}

enum hearth_error series_edit_save(struct series_edit *edit, struct error_record *error)
{
    struct error_record own = {0};
    struct buffer text;
    error = error ? error : &own;
    buffer_init(&text, SERIES_FILE_BYTES + 1);
    enum hearth_error code = make_text(edit, &text, error);
    if (code == HEARTH_OK)
        code = check_rules(buffer_view(&text), error);
    if (code == HEARTH_OK)
        code = replace(edit, buffer_view(&text), error);
    buffer_clean(&text);
    return code;
}
