/*
 * live_directory.c - the names of the live files, and which there are.
 */
#include "handlers/sensor/live/live_directory.h"

#include "handlers/sensor/disk/live_memory.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SEQUENCE_DIGITS = 8 };

void live_name_format(const struct live_name *name, char text[LIVE_NAME_BYTES])
{
    if (name->poisoned)
        snprintf(text, LIVE_NAME_BYTES, "%08" PRIu64 ".poisoned-%" PRIu64 ".bin", name->sequence,
                 name->trusted_bytes);
    else
        snprintf(text, LIVE_NAME_BYTES, "%08" PRIu64 ".bin", name->sequence);
}

bool live_name_parse(const char *text, struct live_name *name)
{
    static const struct view poisoned = {"poisoned-", sizeof "poisoned-" - 1};
    struct view rest = view_of(text);
    if (!view_ends_with(rest, VIEW(".bin")))
        return false;
    rest.length -= strlen(".bin");
    struct view sequence = view_split(&rest, '.');
    *name = (struct live_name){.poisoned = rest.data != NULL};
    if (sequence.length < SEQUENCE_DIGITS || !view_to_uint64(sequence, &name->sequence))
        return false;
    if (!name->poisoned)
        return true;
    return view_starts_with(rest, poisoned) &&
           view_to_uint64(view_skip(rest, poisoned.length), &name->trusted_bytes);
}

void live_directory_path(const char *store, char path[LIVE_PATH_BYTES])
{
    snprintf(path, LIVE_PATH_BYTES, "%s/live", store);
}

void live_path(const char *store, const struct live_name *name, char path[LIVE_PATH_BYTES])
{
    char text[LIVE_NAME_BYTES];
    live_name_format(name, text);
    snprintf(path, LIVE_PATH_BYTES, "%s/live/%s", store, text);
}

struct lister {
    struct live_names *names;
    size_t capacity;
    bool no_memory;
};

static bool list_one(void *context, const char *text)
{
    struct lister *lister = context;
    struct live_names *names = lister->names;
    struct live_name name;
    if (!live_name_parse(text, &name)) {
        names->others++;
        return true;
    }
    if (names->count == lister->capacity) {
        size_t capacity = lister->capacity ? lister->capacity * 2 : 16;
        struct live_name *grown = memory_resize(names->names, capacity * sizeof *grown);
        if (!grown) {
            lister->no_memory = true;
            return false;
        }
        names->names = grown;
        lister->capacity = capacity;
    }
    names->names[names->count++] = name;
    return true;
}

static int compare_names(const void *left, const void *right)
{
    const struct live_name *a = left, *b = right;
    if (a->sequence != b->sequence)
        return a->sequence < b->sequence ? -1 : 1;
    return (int)b->poisoned - (int)a->poisoned;
}

enum hearth_error live_directory_list(struct file_operations *files, const char *store,
                                      struct live_names *names, struct error_record *error)
{
    char path[LIVE_PATH_BYTES];
    live_directory_path(store, path);
    *names = (struct live_names){0};
    struct lister lister = {.names = names};
    enum hearth_error code = file_list(files, path, list_one, &lister, error);
    if (code == HEARTH_OK && lister.no_memory)
        code = error_set_internal(error, HEARTH_NO_MEMORY, 0, "no memory to list %s", path);
    if (code != HEARTH_OK)
        live_names_clean(names);
    else if (names->count > 1)
        qsort(names->names, names->count, sizeof *names->names, compare_names);
    return code;
}

void live_names_clean(struct live_names *names)
{
    memory_free(names->names);
    *names = (struct live_names){0};
}
