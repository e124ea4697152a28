/*
 * objects_open.c - the object store that a configuration names: a directory, so far.
 */
#include "app/http/objects_open.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

bool objects_directory(const struct config *config, char *path, size_t size)
{
    const char *directory = config_string(config, "objects.directory");
    int length = directory[0]
                     ? snprintf(path, size, "%s", directory)
                     : snprintf(path, size, "%s/objects", config_string(config, "state.directory"));
    return length >= 0 && (size_t)length < size;
}

struct object_store *objects_open(const struct config *config, struct error_record *error)
{
    char path[PATH_MAX];
    const char *state = config_string(config, "state.directory");
    if (!objects_directory(config, path, sizeof path)) {
        error_set_internal(error, HEARTH_BAD_REQUEST, 0,
                           "the path of the object store is too long");
        return NULL;
    }
    bool own_directory = config_string(config, "objects.directory")[0] != '\0';
    if (!own_directory && mkdir(state, 0700) != 0 && errno != EEXIST) {
        error_set_internal(error, error_from_errno(errno), errno, "cannot make %s", state);
        return NULL;
    }
    return directory_store_new(path, error);
}
