/*
 * demo_output.h - readings into a file that `hearth import` takes: records, JSON lines as the
 * station's sender writes them, or CSV.
 */
#ifndef HEARTH_CLI_DEMO_OUTPUT_H
#define HEARTH_CLI_DEMO_OUTPUT_H

#include "hearth/reading_store.h"

#include <stdio.h>

enum demo_format { DEMO_BIN, DEMO_JSONL, DEMO_CSV };

struct demo_output {
    enum demo_format format;
    const char *path;
    FILE *file;
    char *text; /* room for a batch's lines; NULL for records */
};

/* By the end of the name: .bin, .jsonl or .csv. False when it is none. */
bool demo_format_of(const char *path, enum demo_format *format);
/* Makes the file, or empties it. Errors: IO and the like, NO_MEMORY. */
HEARTH_MUST_CHECK enum hearth_error demo_output_open(struct demo_output *output, const char *path,
                                                     enum demo_format format,
                                                     struct error_record *error);
HEARTH_MUST_CHECK enum hearth_error demo_output_write(struct demo_output *output,
                                                      const struct record *records, size_t count,
                                                      struct error_record *error);
/* Says whether all of it arrived. May be called again. */
HEARTH_MUST_CHECK enum hearth_error demo_output_close(struct demo_output *output,
                                                      struct error_record *error);

#endif
