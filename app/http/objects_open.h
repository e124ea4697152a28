/*
 * objects_open.h - the object store that a configuration names.
 */
#ifndef HEARTH_OBJECTS_OPEN_H
#define HEARTH_OBJECTS_OPEN_H

#include "hearth/config.h"
#include "hearth/object_store.h"

/* The directory of objects.directory, else "objects" in state.directory, into `path`. False when it
 * does not fit. */
bool objects_directory(const struct config *config, char *path, size_t size);

/* Opens the store; missing directories are made (0700): state.directory itself, and the store's.
 * NULL on failure, `error` says why. The caller frees it with store->free(store). */
struct object_store *objects_open(const struct config *config, struct error_record *error);

#endif
