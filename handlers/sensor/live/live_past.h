/*
 * live_past.h - what a predecessor in the same pool published of the store that is to be opened.
 *
 * It says how far files are synced, and it says what must be there: a pool that had a store open
 * does not go on with another in its place, or with less of it. A disk that was unmounted, or a
 * directory that was moved, shall not be replaced by an empty store in silence. Who wants to go on
 * with what there is starts the program anew: then nothing is published. A keeper that itself takes
 * files away publishes what is left before it does.
 */
#ifndef HEARTH_SENSOR_LIVE_PAST_H
#define HEARTH_SENSOR_LIVE_PAST_H

#include "handlers/sensor/disk/file_operations.h"
#include "handlers/sensor/live/live_published.h"

struct live_past {
    bool known; /* of the store at this place; else the rest means nothing */
    struct live_state state;
    enum live_condition condition;
};

/* What tells one place from another. */
uint64_t live_past_place(const char *directory);
void live_past_get(const struct live_published *published, const char *directory,
                   struct live_past *past);
/* What was published must be there still. `now`: what was found. Errors: UNAVAILABLE. */
HEARTH_MUST_CHECK enum hearth_error live_past_require_store(const struct live_past *past,
                                                            const char *directory,
                                                            const struct live_state *now,
                                                            struct error_record *error);
HEARTH_MUST_CHECK enum hearth_error live_past_require_slots(const struct live_past *past,
                                                            const char *directory, uint64_t slots,
                                                            struct error_record *error);

#endif
