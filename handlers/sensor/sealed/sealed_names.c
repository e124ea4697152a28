/*
 * sealed_names.c - the sealed files that stand in a store: one look at sealed/, one at each year in
 * it, and one at suspect/.
 */
#include "handlers/sensor/sealed/sealed_names.h"

#include "handlers/sensor/text/exact_text.h"

#include <stdio.h>

enum { PATH_BYTES = 2048 + 32, DIRECTORY_BYTES = 32, YEARS = 10000 };

struct walk {
    struct file_operations *files;
    const char *store;
    sealed_names_fn *visit;
    void *context;
    const char *directory; /* below the store's */
    bool stopped;
    bool years[YEARS];
    struct error_record first; /* error */
};

static bool see_year(void *context, const char *name)
{
    struct walk *walk = context;
    struct view rest = view_of(name);
    uint64_t year;
    if (exact_number(&rest, 4, YEARS - 1, &year) && rest.length == 0)
        walk->years[year] = true;
    return true;
}

static bool see_file(void *context, const char *name)
{
    struct walk *walk = context;
    struct sealed_file file = {0};
    char text[SEALED_NAME_BYTES];
    int length = snprintf(text, sizeof text, "%s/%s", walk->directory, name);
    if (length >= 0 && (size_t)length < sizeof text &&
        sealed_name_parse(view_from(text, (size_t)length), &file))
        walk->stopped = !walk->visit(walk->context, &file);
    return !walk->stopped;
}

/* A directory that is not there has no files. */
static void list(struct walk *walk, const char *directory, file_visit_fn *see)
{
    char path[PATH_BYTES];
    struct error_record error = {0};
    walk->directory = directory;
    snprintf(path, sizeof path, "%.2047s/%s", walk->store, directory);
    enum hearth_error code = file_list(walk->files, path, see, walk, &error);
    if (code != HEARTH_OK && code != HEARTH_NOT_FOUND && walk->first.code == HEARTH_OK)
        walk->first = error;
}

enum hearth_error sealed_names_each(struct file_operations *files, const char *store,
                                    sealed_names_fn *visit, void *context,
                                    struct error_record *error)
{
    struct walk walk = {.files = files, .store = store, .visit = visit, .context = context};
    char directory[DIRECTORY_BYTES];
    list(&walk, "sealed", see_year);
    for (int year = 0; year < YEARS && !walk.stopped; year++) {
        if (!walk.years[year])
            continue;
        snprintf(directory, sizeof directory, "sealed/%04d", year);
        list(&walk, directory, see_file);
    }
    if (!walk.stopped)
        list(&walk, "suspect", see_file);
    if (error && walk.first.code != HEARTH_OK)
        *error = walk.first;
    return walk.first.code;
}
