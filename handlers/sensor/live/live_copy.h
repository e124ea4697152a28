/*
 * live_copy.h - all live readings, sorted, each once, in memory.
 *
 * Readers of a snapshot hold a reference; what they hold never changes. The one who keeps it up
 * adds to it in place while nobody else holds it, else to a copy. Each reading remembers its live
 * file, so that the readings of a sealed one can be taken out. 16 bytes a reading.
 *
 * References: any thread. The rest: one thread.
 */
#ifndef HEARTH_SENSOR_LIVE_COPY_H
#define HEARTH_SENSOR_LIVE_COPY_H

#include "handlers/sensor/live/series_totals.h"

#include <stdatomic.h>

struct live_part {
    struct record *records; /* ascending, no two the same */
    uint32_t *sources;      /* the live file of each, the low 32 bits of its sequence */
    size_t count, capacity;
};

struct live_copy {
    _Atomic unsigned references;
    struct live_part good, suspect;
    struct series_totals totals; /* of the good ones */
};

struct live_copy *live_copy_new(void); /* empty, one reference; NULL when memory ran out */
struct live_copy *live_copy_keep(struct live_copy *copy);
void live_copy_release(struct live_copy *copy); /* NULL is allowed */

/* Makes `*copy` one that nobody else holds: it may be added to. Errors: NO_MEMORY. */
HEARTH_MUST_CHECK enum hearth_error live_copy_own(struct live_copy **copy);
/* Adds what stands in a live file: `records` in any order, good and suspect, all whole; they are
 * sorted in place. What is there already is passed over. Errors: NO_MEMORY (throw the copy away:
 * its totals are wrong). */
HEARTH_MUST_CHECK enum hearth_error live_copy_add(struct live_copy *copy, uint64_t sequence,
                                                  struct record *records, size_t count);
/* Takes out what came from other live files than `count` ones (the low 32 bits of their sequences,
 * ascending). Errors: NO_MEMORY (throw it away). */
HEARTH_MUST_CHECK enum hearth_error live_copy_keep_of(struct live_copy *copy,
                                                      const uint32_t *sources, size_t count);

#endif
