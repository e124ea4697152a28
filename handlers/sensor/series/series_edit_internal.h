/*
 * series_edit_internal.h - an edit that is under way: the tree of series.json, and its lock.
 */
#ifndef HEARTH_SENSOR_SERIES_EDIT_INTERNAL_H
#define HEARTH_SENSOR_SERIES_EDIT_INTERNAL_H

#include "handlers/sensor/disk/write_lock.h"
#include "handlers/sensor/series/series_edit.h"
#include "handlers/sensor/series/series_names_internal.h"

#include <json-c/json.h>

struct series_edit {
    struct file_operations *files;
    struct write_lock lock;   /* STORE/series.lock */
    struct buffer text;       /* as it stood in the file */
    struct json_object *root; /* an object */
    struct series_names *names;
    char store[SERIES_PATH_BYTES], path[SERIES_PATH_BYTES];
};

#endif
