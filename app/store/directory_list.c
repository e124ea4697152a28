/*
 * directory_list.c - the keys of a directory store, in the order of their bytes.
 *
 * A walk over nested directories with a stack of its own. Each level holds the sorted names of one
 * directory that can still matter (those that fit `prefix` and lie behind `after`). A directory "a"
 * stands in that order as "a/", for that is how its keys go on ("a-b" < "a/b" < "a0"), and a second
 * time as "a", since the object "a" may be inside it.
 *
 * One descriptor is open at a time (two while it goes down), whatever the depth; coming back to a
 * level opens it anew. What disappears while the walk is on its way is left out. Contents are not
 * read unless tags are wanted.
 */
#include "app/store/directory_store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/core/memory.h"

/* A directory that is being listed. `names` are terminated strings one behind the other; one that
 * ends in '/' is a directory to go down into, any other may be an object. */
struct level {
    size_t path_length; /* of its path in walk.path, with the '/' behind it unless it is the root */
    char *text;
    const char **names;
    size_t count, next;
};

struct walk {
    struct directory_store *store;
    const struct object_list_options *options;
    struct view prefix, after;
    object_visit_fn *visit;
    void *context;
    struct error_record *error;

    char path[LIMIT_OBJECT_KEY + 2]; /* the key at hand */
    struct level *levels;
    size_t depth, capacity;
    int directory;          /* of the level `directory_depth`, or -1 */
    size_t directory_depth; /* 1 = the root */

    size_t visited;
    bool cut, stopped;
};

/* Names while they are gathered: offsets, because the text moves as it grows. */
struct names {
    char *text;
    size_t length, capacity;
    size_t count;
};

static enum hearth_error no_memory(const struct walk *walk)
{
    return error_set_internal(walk->error, HEARTH_NO_MEMORY, 0, "no memory to list objects");
}

/* ---- What can matter ---- */

/* As the keys are ordered: bytes, then length. */
static int compare_views(struct view a, struct view b)
{
    size_t length = a.length < b.length ? a.length : b.length;
    int order = length > 0 ? memcmp(a.data, b.data, length) : 0;
    if (order != 0)
        return order;
    return a.length < b.length ? -1 : a.length > b.length;
}

static bool key_wanted(const struct walk *walk, struct view key)
{
    return view_starts_with(key, walk->prefix) &&
           (!walk->after.data || compare_views(key, walk->after) > 0);
}

/* Can a key that begins with `path` ("a/b/") be wanted? */
static bool subtree_wanted(const struct walk *walk, struct view path)
{
    bool fits = view_starts_with(path, walk->prefix) || view_starts_with(walk->prefix, path);
    bool behind = !walk->after.data || compare_views(path, walk->after) > 0 ||
                  view_starts_with(walk->after, path);
    return fits && behind;
}

/* ---- Reading one directory ---- */

static bool names_add(struct names *names, const char *name, size_t length, bool subtree)
{
    size_t needed = names->length + length + 2;
    if (needed > names->capacity) {
        size_t capacity = needed * 2 + 1024;
        char *grown = memory_resize(names->text, capacity);
        if (!grown)
            return false;
        names->text = grown;
        names->capacity = capacity;
    }
    memcpy(names->text + names->length, name, length);
    names->length += length;
    if (subtree)
        names->text[names->length++] = '/';
    names->text[names->length++] = '\0';
    names->count++;
    return true;
}

enum entry_kind { ENTRY_FILE, ENTRY_DIRECTORY, ENTRY_NEITHER };

static enum entry_kind entry_kind(int directory, const struct dirent *entry)
{
    struct stat status;
    if (entry->d_type == DT_REG)
        return ENTRY_FILE;
    if (entry->d_type == DT_DIR)
        return ENTRY_DIRECTORY;
    if (entry->d_type != DT_UNKNOWN ||
        fstatat(directory, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0)
        return ENTRY_NEITHER;
    return S_ISREG(status.st_mode)   ? ENTRY_FILE
           : S_ISDIR(status.st_mode) ? ENTRY_DIRECTORY
                                     : ENTRY_NEITHER;
}

/* Adds what can matter of one entry; walk->path up to `base` is the directory's path. */
static bool gather_entry(struct walk *walk, size_t base, const struct dirent *entry,
                         struct names *names)
{
    struct view name = view_of(entry->d_name);
    if (base + name.length > LIMIT_OBJECT_KEY || !object_key_valid(name))
        return true;
    enum entry_kind kind = entry_kind(walk->directory, entry);
    if (kind == ENTRY_NEITHER)
        return true;
    memcpy(walk->path + base, name.data, name.length);
    walk->path[base + name.length] = '/';
    struct view key = view_from(walk->path, base + name.length);
    if (key_wanted(walk, key) && !names_add(names, name.data, name.length, false))
        return false;
    struct view below = view_from(walk->path, base + name.length + 1);
    return kind == ENTRY_FILE || !subtree_wanted(walk, below) ||
           names_add(names, name.data, name.length, true);
}

static enum hearth_error gather(struct walk *walk, size_t base, struct names *names)
{
    int copy = openat(walk->directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *entries = copy < 0 ? NULL : fdopendir(copy);
    if (!entries) {
        enum hearth_error failed = directory_failed(walk->error, "cannot list a directory below",
                                                    view_from(walk->path, base));
        directory_close(copy);
        return failed;
    }
    const struct dirent *entry;
    enum hearth_error result = HEARTH_OK;
    errno = 0;
    while (!result && (entry = readdir(entries)) != NULL) {
        if (!gather_entry(walk, base, entry, names))
            result = no_memory(walk);
        errno = 0;
    }
    if (!result && errno != 0)
        result = directory_failed(walk->error, "cannot list a directory below",
                                  view_from(walk->path, base));
    closedir(entries);
    return result;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Makes a sorted level of the names; takes over the text. */
static bool level_fill(struct level *level, const struct names *names)
{
    level->text = names->text;
    level->count = names->count;
    level->names = memory_new(names->count * sizeof *level->names);
    if (!level->names)
        return false;
    const char *name = names->text;
    for (size_t i = 0; i < names->count; i++) {
        level->names[i] = name;
        name += strlen(name) + 1;
    }
    qsort(level->names, level->count, sizeof *level->names, compare_names);
    return true;
}

/* ---- The stack ---- */

/* The directory of the level on top: from the level below where that is open, else from the root.
 */
static int open_level(const struct walk *walk)
{
    const struct level *top = &walk->levels[walk->depth - 1];
    if (walk->depth == 1)
        return directory_open_path(walk->store->root, VIEW_NONE);
    size_t start = walk->levels[walk->depth - 2].path_length, end = top->path_length - 1;
    if (walk->directory >= 0 && walk->directory_depth == walk->depth - 1)
        return directory_enter(walk->directory, view_from(walk->path + start, end - start));
    return directory_open_path(walk->store->root, view_from(walk->path, end));
}

/* Makes walk->directory that of the level on top. */
static bool open_top(struct walk *walk)
{
    if (walk->directory >= 0 && walk->directory_depth == walk->depth)
        return true;
    int directory = open_level(walk);
    directory_close(walk->directory);
    walk->directory = directory;
    walk->directory_depth = walk->depth;
    return directory >= 0;
}

/* A directory that was removed meanwhile is one without objects. */
static enum hearth_error open_failed(const struct walk *walk)
{
    if (errno == ENOENT || errno == ENOTDIR)
        return HEARTH_OK;
    return directory_failed(walk->error, "cannot open a directory on the way to",
                            view_of(walk->path));
}

/* A level for the directory whose path is the first `path_length` bytes of walk->path. */
static enum hearth_error push(struct walk *walk, size_t path_length)
{
    struct names names = {.text = NULL};
    if (walk->depth == walk->capacity) {
        size_t capacity = walk->capacity * 2 + 8;
        struct level *grown = memory_resize(walk->levels, capacity * sizeof *grown);
        if (!grown)
            return no_memory(walk);
        walk->levels = grown;
        walk->capacity = capacity;
    }
    struct level *level = &walk->levels[walk->depth++];
    *level = (struct level){.path_length = path_length};
    if (!open_top(walk))
        return open_failed(walk);
    enum hearth_error failed = gather(walk, path_length, &names);
    if (failed || names.count == 0) {
        memory_free(names.text);
        return failed;
    }
    return level_fill(level, &names) ? HEARTH_OK : no_memory(walk);
}

static void pop(struct walk *walk)
{
    struct level *level = &walk->levels[--walk->depth];
    memory_free(level->text);
    memory_free(level->names);
    if (walk->directory_depth > walk->depth) {
        directory_close(walk->directory);
        walk->directory = -1;
    }
}

/* ---- Visiting ---- */

/* Opens nothing unless tags are wanted: size and time come from the directory. */
static bool describe_without_tag(int directory, const char *name, struct object_info *info)
{
    struct stat status;
    if (fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) != 0)
        return false;
    if (S_ISDIR(status.st_mode)) {
        int inside = directory_enter(directory, view_of(name));
        bool found =
            inside >= 0 && fstatat(inside, directory_self_name, &status, AT_SYMLINK_NOFOLLOW) == 0;
        directory_close(inside);
        if (!found)
            return false;
    }
    info->size_bytes = (uint64_t)status.st_size;
    info->modified_ms = (int64_t)status.st_mtim.tv_sec * 1000 + status.st_mtim.tv_nsec / 1000000;
    info->etag[0] = '\0';
    return S_ISREG(status.st_mode);
}

static enum hearth_error describe_with_tag(struct walk *walk, const char *name,
                                           struct object_info *info, bool *found)
{
    struct content_stamp stamp;
    unsigned char hash[CONTENT_HASH_BYTES];
    int file = directory_open_object(walk->directory, name);
    *found = file >= 0;
    if (file < 0 && errno == ENOENT)
        return HEARTH_OK;
    if (file < 0)
        return directory_failed(walk->error, "cannot open", view_of(walk->path));
    enum hearth_error failed =
        content_hash_file(&walk->store->cache, file, &stamp, hash, walk->error);
    directory_close(file);
    if (!failed)
        content_describe(&stamp, hash, info);
    return failed;
}

/* The object of the top level's `name`; walk->path is its key. */
static enum hearth_error visit_object(struct walk *walk, const char *name)
{
    struct object_entry entry = {.key = walk->path};
    bool found = false;
    enum hearth_error failed = HEARTH_OK;
    if (!open_top(walk))
        return open_failed(walk);
    if (walk->options->with_etags)
        failed = describe_with_tag(walk, name, &entry.info, &found);
    else
        found = describe_without_tag(walk->directory, name, &entry.info);
    if (failed || !found)
        return failed;
    if (walk->options->limit > 0 && walk->visited == walk->options->limit) {
        walk->cut = true;
        return HEARTH_OK;
    }
    walk->visited++;
    walk->stopped = !walk->visit(walk->context, &entry);
    return HEARTH_OK;
}

static enum hearth_error step(struct walk *walk)
{
    struct level *top = &walk->levels[walk->depth - 1];
    if (top->next == top->count) {
        pop(walk);
        return HEARTH_OK;
    }
    const char *name = top->names[top->next++];
    size_t length = strlen(name), base = top->path_length;
    memcpy(walk->path + base, name, length + 1);
    return name[length - 1] == '/' ? push(walk, base + length) : visit_object(walk, name);
}

enum hearth_error directory_list(struct object_store *store,
                                 const struct object_list_options *options, object_visit_fn *visit,
                                 void *context, bool *more, struct error_record *error)
{
    struct walk walk = {.store = directory_store_of(store),
                        .options = options,
                        .prefix = view_of(options->prefix),
                        .after = view_of(options->after),
                        .visit = visit,
                        .context = context,
                        .error = error,
                        .directory = -1};
    enum hearth_error result = push(&walk, 0);
    while (!result && walk.depth > 0 && !walk.cut && !walk.stopped)
        result = step(&walk);
    if (more)
        *more = walk.cut;
    while (walk.depth > 0)
        pop(&walk);
    memory_free(walk.levels);
    directory_close(walk.directory);
    return result;
}
