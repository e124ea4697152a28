/*
 * live_span.h - the bytes of the live files that a reader may read, at one moment.
 *
 * Goes by what the keeper published (live_published.h) and by the names in the directory: the file
 * written to counts up to its synced length, one set aside up to the length in its name, a finished
 * one whole. The names are right between two equal even file generations; while the keeper changes
 * them (an odd one) a list that was made before serves, as long as the files it names are there.
 * Files are read with pread: one that is cut or on a failing disk is an error, never a signal.
 */
#ifndef HEARTH_SENSOR_LIVE_SPAN_H
#define HEARTH_SENSOR_LIVE_SPAN_H

#include "handlers/sensor/live/live_directory.h"
#include "handlers/sensor/live/live_published.h"
#include "hearth/reading_store.h"

enum { LIVE_SPAN_TO_END = -1 };

/* One file. */
struct live_span {
    struct live_name name;
    int64_t bytes;  /* readable, or LIVE_SPAN_TO_END: the file is finished, its size says */
    uint64_t taken; /* slots that the owner of the list has read; kept when it is made anew */
    bool finished;  /* and there will be no more: the owner's, kept as well */
};

struct live_spans {
    struct live_span *spans; /* ascending */
    size_t count;
    struct live_state state; /* as published */
    uint64_t listed;         /* the file generation of the names, even */
    bool is_listed;
};

/* Brings the list, all zero at first, to what is published now. `again`: a file was not where it
 * says. Waits while the names are being changed, a millisecond at a time. Errors: UNAVAILABLE
 * (nothing is published, or the names do not come to rest), IO, NO_MEMORY; then the list is as it
 * was. Free with live_spans_clean. */
HEARTH_MUST_CHECK enum hearth_error
live_spans_refresh(struct live_spans *spans, struct file_operations *files, const char *store,
                   const struct live_published *published, bool again, struct error_record *error);
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
