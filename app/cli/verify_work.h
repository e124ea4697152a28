/*
 * verify_work.h - a verification that is under way: what was found, and how far it has come.
 */
#ifndef HEARTH_CLI_VERIFY_WORK_H
#define HEARTH_CLI_VERIFY_WORK_H

#include "app/cli/progress.h"
#include "app/cli/store_scan.h"
#include "handlers/sensor/summary/summary.h"

enum { VERIFY_PROBLEMS_MAX = 1000 }; /* so many are told */

struct verify {
    const char *store;
    bool json;
    struct store_scan scan;
    struct progress progress;
    uint64_t done_bytes, records;
    uint64_t files, days;
    uint64_t problems, notes;
    struct buffer found; /* JSON: the problems */
    /* The suspect readings of all files, ascending: a reading must not stand among them as well. */
    struct record *suspects;
    size_t suspect_count, suspect_capacity;
    /* The summary of the year that was asked for last. */
    int32_t summary_year;
    struct summary_file *summary;
    uint64_t summarized_days, unsummarized_days;
};

/* Something is wrong: where (a file below the store's directory, with its day), and what. */
void verify_problem(struct verify *verify, const char *where, const char *format, ...)
    HEARTH_PRINTF(3, 4);
/* Something worth knowing that is not wrong. */
void verify_note(struct verify *verify, const char *format, ...) HEARTH_PRINTF(2, 3);

/* Each gives an error only when it cannot go on (NO_MEMORY above all); what is wrong with the store
 * is a problem. */

/* Size, hash, goodness, order and day of a sealed file, which is mapped; false when its records
 * cannot be used. */
bool verify_file(struct verify *verify, const struct manifest_row *row, const struct scan_map *map);
/* The suspect files, which it remembers; then day by day each file, doubles, summaries. */
HEARTH_MUST_CHECK enum hearth_error verify_suspects(struct verify *verify,
                                                    struct error_record *error);
HEARTH_MUST_CHECK enum hearth_error verify_days(struct verify *verify, struct error_record *error);
/* What the manifest does not list: its own end, and files that no row names. */
void verify_end_of_manifest(struct verify *verify);
HEARTH_MUST_CHECK enum hearth_error verify_strays(struct verify *verify,
                                                  struct error_record *error);
/* The live files. */
HEARTH_MUST_CHECK enum hearth_error verify_live(struct verify *verify, struct error_record *error);

#endif
