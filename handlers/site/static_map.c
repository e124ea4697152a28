/*
 * static_map.c - builds the map from a list of the site's store.
 *
 * The store lists in the order of the keys' bytes, so the keys themselves are a sorted array in
 * which a compressed form is looked for; the entries are then sorted once more by their addresses.
 * The store takes no symbolic link for an object, so none gets into the map.
 */
#include "handlers/site/static_map.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hearth/limits.h"

enum { MAP_MAX_BYTES = 16 << 20 };

/* The keys while they are gathered. */
struct gathering {
    struct arena *arena;
    struct view *keys; /* sorted */
    size_t count, capacity;
    bool no_memory;
};

/* ---- Gathering keys ---- */

static bool is_left_behind(struct view key)
{
    return view_starts_with(key, VIEW(".")) || view_find(key, VIEW("/.")) != SIZE_MAX ||
           view_ends_with(key, VIEW("~"));
}

/* Doubling leaves the old arrays in the arena: as much again, once. */
static bool gather_grow(struct gathering *gathering)
{
    size_t capacity = gathering->capacity ? gathering->capacity * 2 : 64;
    struct view *grown = arena_array(gathering->arena, capacity, sizeof *grown);
    if (!grown)
        return false;
    if (gathering->count > 0)
        memcpy(grown, gathering->keys, gathering->count * sizeof *grown);
    gathering->keys = grown;
    gathering->capacity = capacity;
    return true;
}

static bool gather_key(void *context, const struct object_entry *entry)
{
    struct gathering *gathering = context;
    if (is_left_behind(view_of(entry->key)))
        return true;
    if (gathering->count == gathering->capacity && !gather_grow(gathering)) {
        gathering->no_memory = true;
        return false;
    }
    struct view key = arena_copy(gathering->arena, view_of(entry->key));
    gathering->no_memory = key.data == NULL;
    if (key.data)
        gathering->keys[gathering->count++] = key;
    return key.data != NULL;
}

static enum hearth_error gather(struct object_store *store, struct gathering *gathering,
                                struct error_record *error)
{
    static const char *const prefixes[] = {"pages/", "static/"};
    for (size_t i = 0; i < 2; i++) {
        struct object_list_options options = {.prefix = prefixes[i]};
        enum hearth_error failed = store->list(store, &options, gather_key, gathering, NULL, error);
        if (failed)
            return failed;
    }
    if (gathering->no_memory)
        return error_set_internal(error, HEARTH_NO_MEMORY, 0, "too many files in the site: %zu",
                                  gathering->count);
    return HEARTH_OK;
}

/* ---- From keys to entries ---- */

static int compare_views(struct view a, struct view b)
{
    size_t length = a.length < b.length ? a.length : b.length;
    int order = memcmp(a.data, b.data, length);
    return order != 0 ? order : (a.length > b.length) - (a.length < b.length);
}

static int compare_keys(const void *a, const void *b)
{
    return compare_views(*(const struct view *)a, *(const struct view *)b);
}

static int compare_entries(const void *a, const void *b)
{
    return compare_views(((const struct static_entry *)a)->path,
                         ((const struct static_entry *)b)->path);
}

static const char *find_key(const struct gathering *gathering, struct view key)
{
    const struct view *found =
        bsearch(&key, gathering->keys, gathering->count, sizeof *gathering->keys, compare_keys);
    return found ? found->data : NULL;
}

static bool is_compressed_form(const struct gathering *gathering, struct view key)
{
    return view_ends_with(key, VIEW(".gz")) &&
           find_key(gathering, view_slice(key, 0, key.length - 3)) != NULL;
}

/* NULL when there is none. */
static const char *find_compressed_form(const struct gathering *gathering, struct view key)
{
    char name[LIMIT_OBJECT_KEY + sizeof ".gz"];
    snprintf(name, sizeof name, "%.*s.gz", VIEW_ARGUMENTS(key));
    return find_key(gathering, view_of(name));
}

/* "pages/about.html" is at "/about". Empty, with NULL data, for what has no address. */
static struct view page_path(struct view key)
{
    struct view name = view_skip(key, sizeof "pages" - 1);
    if (!view_ends_with(name, VIEW(".html")) ||
        view_find(view_skip(name, 1), VIEW("/")) != SIZE_MAX)
        return VIEW_NONE;
    name = view_slice(name, 0, name.length - (sizeof ".html" - 1));
    return view_equal(name, VIEW("/home")) ? VIEW("/") : name;
}

/* "static/style.css" is at "/static/style.css". */
static struct view file_path(struct arena *arena, struct view key)
{
    char *path = arena_format(arena, "/%.*s", VIEW_ARGUMENTS(key));
    return view_of(path);
}

static enum hearth_error add_entry(struct static_map *map, const struct gathering *gathering,
                                   struct view key)
{
    bool page = view_starts_with(key, VIEW("pages/"));
    struct view path = page ? page_path(key) : file_path(map->arena, key);
    if (path.length == 0)
        return page ? HEARTH_OK : HEARTH_NO_MEMORY;
    map->entries[map->count++] =
        (struct static_entry){.path = path,
                              .key = key.data,
                              .gzip_key = find_compressed_form(gathering, key),
                              .type = media_type_of(key),
                              .kind = page ? STATIC_PAGE : STATIC_FILE};
    return HEARTH_OK;
}

static enum hearth_error fill(struct static_map *map, const struct gathering *gathering,
                              struct error_record *error)
{
    enum hearth_error result = HEARTH_OK;
    map->entries = arena_array(map->arena, gathering->count + 1, sizeof *map->entries);
    if (!map->entries)
        result = HEARTH_NO_MEMORY;
    for (size_t i = 0; !result && i < gathering->count; i++) {
        if (!is_compressed_form(gathering, gathering->keys[i]))
            result = add_entry(map, gathering, gathering->keys[i]);
    }
    if (result)
        return error_set_internal(error, result, 0, "too many files in the site: %zu",
                                  gathering->count);
    qsort(map->entries, map->count, sizeof *map->entries, compare_entries);
    return HEARTH_OK;
}

enum hearth_error static_map_build(struct object_store *store, struct static_map *map,
                                   struct error_record *error)
{
    *map = (struct static_map){.arena = arena_new(MAP_MAX_BYTES)};
    if (!map->arena)
        return error_set_internal(error, HEARTH_NO_MEMORY, 0, "no memory for the site's map");
    struct gathering gathering = {.arena = map->arena};
    enum hearth_error result = gather(store, &gathering, error);
    if (!result)
        result = fill(map, &gathering, error);
    if (result)
        static_map_clean(map);
    return result;
}

void static_map_clean(struct static_map *map)
{
    arena_free(map->arena);
    *map = (struct static_map){.arena = NULL};
}

const struct static_entry *static_map_find(const struct static_map *map, struct view path)
{
    struct static_entry wanted = {.path = path};
    if (path.length == 0 || map->count == 0)
        return NULL;
    return bsearch(&wanted, map->entries, map->count, sizeof wanted, compare_entries);
}
