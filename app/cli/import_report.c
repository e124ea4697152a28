/*
 * import_report.c - what came of an import.
 */
#include "app/cli/import_report.h"

#include "app/cli/figures.h"

#include <inttypes.h>
#include <stdio.h>

static bool is_bin(const struct import_job *job)
{
    return job->options.format == IMPORT_BIN;
}

/* ---- For people ---- */

static void print_reasons(const struct import_job *job)
{
    const struct import_counts *counts = &job->total.counts;
    char count[FIGURE_SIZE], line[FIGURE_SIZE];
    for (int reason = 1; reason < REJECT_COUNT; reason++) {
        if (counts->reasons[reason] == 0)
            continue;
        printf("  %-20s %10s", record_reject_name((enum record_reject)reason),
               figure_count(counts->reasons[reason], count));
        for (int i = 0; i < IMPORT_FIRST_LINES && counts->first_lines[reason][i] > 0; i++)
            printf("%s %s", i == 0 ? is_bin(job) ? "  first: record" : "  first: line" : ",",
                   figure_count(counts->first_lines[reason][i], line));
        putchar('\n');
    }
}

static void print_remarks(const struct import_job *job)
{
    const struct import_counts *counts = &job->total.counts;
    char figure[FIGURE_SIZE];
    if (counts->suspect > 0)
        printf("  %s suspect: before 2000, or in the future\n",
               figure_count(counts->suspect, figure));
    if (counts->nul_bytes > 0)
        printf("  %s NUL bytes were passed over\n", figure_count(counts->nul_bytes, figure));
    if (counts->ignored > 0)
        printf("  %s unknown members were passed over\n", figure_count(counts->ignored, figure));
    if (job->columns_ignored[0] != '\0')
        printf("  columns that mean nothing here: %s\n", job->columns_ignored);
}

void import_report_text(const struct import_job *job)
{
    const struct import_total *total = &job->total;
    char first[FIGURE_SIZE], second[FIGURE_SIZE], third[FIGURE_SIZE];
    printf("%s: ", job->path);
    if (job->store)
        printf("%s accepted, %s duplicate, %s quarantined",
               figure_count(total->stored.accepted, first),
               figure_count(total->stored.duplicate, second),
               figure_count(total->stored.quarantined, third));
    else
        printf("%s readings, %s would be quarantined; nothing was stored",
               figure_count(total->counts.records, first),
               figure_count(total->counts.rejected, second));
    if (job->elapsed_ms >= 1000)
        printf(", %s/s", figure_count(job->records * 1000 / (uint64_t)job->elapsed_ms, first));
    putchar('\n');
    print_reasons(job);
    print_remarks(job);
}

/* ---- JSON ---- */

static void append_reasons(const struct import_counts *counts, struct buffer *out)
{
    const char *between = "";
    buffer_append_text(out, ",\"reasons\":{");
    for (int reason = 1; reason < REJECT_COUNT; reason++) {
        if (counts->reasons[reason] == 0)
            continue;
        buffer_append_format(out, "%s\"%s\":{\"count\":%" PRIu64 ",\"lines\":[", between,
                             record_reject_name((enum record_reject)reason),
                             counts->reasons[reason]);
        for (int i = 0; i < IMPORT_FIRST_LINES && counts->first_lines[reason][i] > 0; i++)
            buffer_append_format(out, "%s%" PRIu64, i == 0 ? "" : ",",
                                 counts->first_lines[reason][i]);
        buffer_append_text(out, "]}");
        between = ",";
    }
    buffer_append_byte(out, '}');
}

void import_report_json(const struct import_job *job, bool finished, struct buffer *out)
{
    const struct import_counts *counts = &job->total.counts;
    const struct append_result *stored = &job->total.stored;
    buffer_append_text(out, "{\"file\":");
    buffer_append_json(out, view_of(job->path));
    buffer_append_format(out, ",\"format\":\"%s\",\"finished\":%s,\"lines\":%" PRIu64,
                         import_format_name(job->options.format), finished ? "true" : "false",
                         counts->lines);
    if (job->store)
        buffer_append_format(
            out, ",\"accepted\":%" PRIu64 ",\"duplicate\":%" PRIu64 ",\"quarantined\":%" PRIu64,
            stored->accepted, stored->duplicate, stored->quarantined);
    else
        buffer_append_format(out, ",\"readings\":%" PRIu64 ",\"quarantined\":%" PRIu64,
                             counts->records, counts->rejected);
    buffer_append_format(
        out, ",\"suspect\":%" PRIu64 ",\"ignored_members\":%" PRIu64 ",\"nul_bytes\":%" PRIu64,
        counts->suspect, counts->ignored, counts->nul_bytes);
    append_reasons(counts, out);
    buffer_append_format(out, ",\"seconds\":%.3f}", (double)job->elapsed_ms / 1000.0);
}
