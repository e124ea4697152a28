/*
 * export_file.h - standard output or a file as the place where an answer goes, so that the forms of
 * an export (handlers/sensor/transfer/export.h) serve both the web and the command line.
 */
#ifndef HEARTH_CLI_EXPORT_FILE_H
#define HEARTH_CLI_EXPORT_FILE_H

#include "hearth/response.h"

#include <stdio.h>

enum { EXPORT_PATH_BYTES = 4096 };

struct export_file {
    struct response_sink sink; /* first: give this to response_init */
    const char *path;          /* NULL = standard output */
    char temporary[EXPORT_PATH_BYTES];
    FILE *file;
    uint64_t bytes;
    int number; /* errno of what failed */
};

/* A file is written beside its place, PATH.part, and renamed when it is whole; what is no regular
 * file is written to as it is. Errors: IO and the like. */
HEARTH_MUST_CHECK enum hearth_error export_file_open(struct export_file *file, const char *path,
                                                     struct error_record *error);
/* `good`: keep it. May be called again. Errors: IO and the like (not all of it arrived). */
HEARTH_MUST_CHECK enum hearth_error export_file_close(struct export_file *file, bool good,
                                                      struct error_record *error);

#endif
