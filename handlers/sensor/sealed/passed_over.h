/*
 * passed_over.h - the finished live files that could not be read when they were to be sealed, and
 * when each is tried again. The inside of the sealer (sealer.c). One thread at a time.
 */
#ifndef HEARTH_SENSOR_PASSED_OVER_H
#define HEARTH_SENSOR_PASSED_OVER_H

#include "hearth/base.h"

struct passed_file {
    uint64_t sequence;
    enum hearth_error reason;
    int64_t retry_ns; /* monotonic */
};

/* All zero is empty. */
struct passed_over {
    struct passed_file *files; /* in no order */
    size_t count, capacity;
};

void passed_over_clean(struct passed_over *passed);
/* Adds it, or says anew why and until when. Errors: NO_MEMORY. */
HEARTH_MUST_CHECK enum hearth_error passed_over_add(struct passed_over *passed, uint64_t sequence,
                                                    enum hearth_error reason, int64_t retry_ns);
/* False when it is not there. */
bool passed_over_remove(struct passed_over *passed, uint64_t sequence);
/* HEARTH_OK: it is not there. */
enum hearth_error passed_over_reason(const struct passed_over *passed, uint64_t sequence);
/* May it be tried? One that is not there always. */
bool passed_over_is_due(const struct passed_over *passed, uint64_t sequence, int64_t now_ns);

#endif
