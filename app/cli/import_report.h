/*
 * import_report.h - what came of an import, for people and as JSON.
 */
#ifndef HEARTH_CLI_IMPORT_REPORT_H
#define HEARTH_CLI_IMPORT_REPORT_H

#include "app/cli/import_job.h"

/* A line and, indented, what is remarkable. */
void import_report_text(const struct import_job *job);
/* An object: {"file", "format", "finished", "lines", "accepted", "duplicate", "quarantined",
 * "suspect", "ignored_members", "nul_bytes", "reasons": {NAME: {"count", "lines"}}, "seconds"}.
 * In a dry run "readings" in the place of accepted and duplicate. */
void import_report_json(const struct import_job *job, bool finished, struct buffer *out);

#endif
