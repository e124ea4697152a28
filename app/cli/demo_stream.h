/*
 * demo_stream.h - all readings of the make-believe station in the order in which they arrive.
 *
 * One in a hundred is late: every day, for some minutes, the line is down, and what was measured
 * then arrives hours or days later, in one piece.
 */
#ifndef HEARTH_CLI_DEMO_STREAM_H
#define HEARTH_CLI_DEMO_STREAM_H

#include "app/cli/demo_plan.h"
#include "hearth/reading_store.h"

enum { DEMO_BATCH_RECORDS = 65536 };

/* `day_over`: the readings that arrived by the end of a UTC day are all there now. An error ends
 * the stream. */
typedef enum hearth_error demo_batch_fn(void *context, const struct record *records, size_t count,
                                        bool day_over, int64_t now_ms, struct error_record *error);

struct demo_counts {
    uint64_t readings, late, gaps, swaps;
    int64_t first_ms, last_ms; /* -1 = no readings */
};

/* Errors: NO_MEMORY, and the batch function's. */
HEARTH_MUST_CHECK enum hearth_error demo_stream_run(const struct demo_plan *plan,
                                                    demo_batch_fn *batch, void *context,
                                                    struct demo_counts *counts,
                                                    struct error_record *error);

#endif
