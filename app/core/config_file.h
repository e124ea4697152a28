/*
 * config_file.h - reading a small file whole, with a reason for people when it cannot be.
 */
#ifndef HEARTH_CONFIG_FILE_H
#define HEARTH_CONFIG_FILE_H

#include "hearth/base.h"

#include <sys/stat.h>

/* Appends the content of `path` to `out`, whose maximum bounds the file. Never blocks: only regular
 * files and character devices are read. `status` is what fstat said and may be NULL. Errors: with
 * `why` filled ("is a directory", ...), or HEARTH_NO_MEMORY. */
HEARTH_MUST_CHECK enum hearth_error config_file_read(const char *path, struct buffer *out,
                                                     struct stat *status, char *why,
                                                     size_t why_size);

#endif
