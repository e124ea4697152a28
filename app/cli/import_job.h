/*
 * import_job.h - one file (or standard input) of readings on its way into the store.
 */
#ifndef HEARTH_CLI_IMPORT_JOB_H
#define HEARTH_CLI_IMPORT_JOB_H

#include "app/cli/import_state.h"
#include "app/cli/progress.h"

struct import_job {
    /* Set before: what all files of a command share. */
    const char *path;            /* "-" = standard input */
    struct reading_store *store; /* NULL = only count */
    const char *store_directory;
    const char *format_name; /* NULL = by the file */
    struct import_options options;
    const char *unit_name, *zone_name; /* of `options`, for the state */
    bool restart, quiet;
    /* While it runs. */
    int file;
    bool is_regular, is_open_state; /* `state` is in use */
    bool going_on;                  /* from a state that stood */
    uint64_t resumed_at;            /* then: its position */
    bool began;                     /* the file could be opened and its format is known */
    struct import *import;
    struct import_state state;
    struct import_total before; /* what an earlier run did */
    struct import_total total;  /* with that */
    struct progress progress;
    uint64_t records; /* of this run */
    int64_t elapsed_ms;
    char columns_ignored[256];
    struct error_record *error;
};

/* Reads it to its end. What came of it is in `total`, also after an error: then what was stored is
 * remembered, and another run goes on there. Errors: those of the file, the parser and the store.
 */
HEARTH_MUST_CHECK enum hearth_error import_job_run(struct import_job *job,
                                                   struct error_record *error);

#endif
