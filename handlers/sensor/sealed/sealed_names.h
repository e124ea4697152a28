/*
 * sealed_names.h - the sealed files that stand in a store, whatever the manifest says of them.
 */
#ifndef HEARTH_SENSOR_SEALED_NAMES_H
#define HEARTH_SENSOR_SEALED_NAMES_H

#include "handlers/sensor/disk/file_operations.h"
#include "handlers/sensor/sealed/sealed_file.h"

/* A file by its name: day and sequence; `records` is 0. Return false to stop. */
typedef bool sealed_names_fn(void *context, const struct sealed_file *file);

/* In no order. What has no name of a sealed file is passed over. A directory that cannot be listed
 * does not hide the others; its error is given back at the end. Errors: IO and the like. */
HEARTH_MUST_CHECK enum hearth_error sealed_names_each(struct file_operations *files,
                                                      const char *store, sealed_names_fn *visit,
                                                      void *context, struct error_record *error);

#endif
