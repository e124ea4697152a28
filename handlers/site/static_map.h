/*
 * static_map.h - which addresses have a file, decided once at start-up.
 *
 * A request is looked up here and nowhere else: no part of it ever becomes the name of a file.
 * Built before threads start, then only read.
 */
#ifndef HEARTH_SITE_STATIC_MAP_H
#define HEARTH_SITE_STATIC_MAP_H

#include "hearth/object_store.h"

enum static_kind { STATIC_PAGE, STATIC_FILE };

/* What a file is, by the end of its name. */
struct media_type {
    const char *suffix; /* ".css" */
    const char *name;   /* "text/css; charset=utf-8" */
    const char *policy; /* Content-Security-Policy for a file that can hold script; else NULL */
};

struct static_entry {
    struct view path;     /* as in request.path: "/", "/about", "/static/style.css" */
    const char *key;      /* in the site's store: "pages/home.html", "static/style.css" */
    const char *gzip_key; /* the same content compressed beforehand, or NULL */
    const struct media_type *type;
    enum static_kind kind;
};

struct static_map {
    struct arena *arena;          /* holds all below */
    struct static_entry *entries; /* sorted by path */
    size_t count;
};

/* Everything under "static/", and "pages/NAME.html" as "/NAME" ("/" for home.html). A "NAME.gz"
 * beside its "NAME" is that file's compressed form and has no address of its own. Left out: names
 * with a part that begins with '.', and names that end in '~' (what editors leave behind). On error
 * `map` is empty. Errors: the store's, NO_MEMORY (also for more than some 50,000 files). */
HEARTH_MUST_CHECK enum hearth_error
static_map_build(struct object_store *store, struct static_map *map, struct error_record *error);
void static_map_clean(struct static_map *map);
/* NULL when there is none. */
const struct static_entry *static_map_find(const struct static_map *map, struct view path);

/* Never NULL: application/octet-stream for an end that the table does not have. */
const struct media_type *media_type_of(struct view name);
/* The policy of pages, and of HTML files. */
extern const char page_policy[];

#endif
