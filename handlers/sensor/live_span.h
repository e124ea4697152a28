/*
 * live_span.h - the bytes of the live files that a reader may read, at one moment.
 *
 * The inside of the reader (live_reader.c).
 */
#ifndef HEARTH_SENSOR_LIVE_SPAN_H
#define HEARTH_SENSOR_LIVE_SPAN_H

#include "handlers/sensor/live_directory.h"
#include "handlers/sensor/live_published.h"
#include "hearth/reading_store.h"

enum { LIVE_SPAN_TO_END = -1 };

/* One file. */
struct live_span {
    struct live_name name;
    int64_t bytes;          /* readable, or LIVE_SPAN_TO_END: the file is finished, its size says */
    int64_t from_ms, to_ms; /* times of the records in it, once they are known: from_ms <= to_ms */
};

struct live_spans {
    struct live_span *spans; /* ascending */
    size_t count;
    struct live_state state; /* as published */
};

/* Lists the directory and goes by what is published. Errors: UNAVAILABLE (nothing is), IO,
 * NO_MEMORY. Free with live_spans_clean. */
HEARTH_MUST_CHECK enum hearth_error live_spans_list(struct file_operations *files,
                                                    const char *store,
                                                    const struct live_published *published,
                                                    struct live_spans *spans,
                                                    struct error_record *error);
void live_spans_clean(struct live_spans *spans);

/* A block of slots, good and bad; not more than 4,096. An error ends the reading. */
typedef enum hearth_error live_block_fn(void *context, const struct record *slots, size_t count);

/* The slots from `first` on. NOT_FOUND: the file was renamed meanwhile: list again. `*slots` = how
 * many slots the span has in all. */
HEARTH_MUST_CHECK enum hearth_error live_span_read(struct file_operations *files, const char *store,
                                                   const struct live_span *span, uint64_t first,
                                                   live_block_fn *visit, void *context,
                                                   uint64_t *slots, struct error_record *error);

#endif
