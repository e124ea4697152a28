/*
 * live_store_parts.h - the inside of a live store, shared by its opening (live_opening.c), its
 * commits (live_store.c), what they are written to (live_current.c), and its side of sealing
 * (live_sealing.c).
 */
#ifndef HEARTH_SENSOR_LIVE_STORE_PARTS_H
#define HEARTH_SENSOR_LIVE_STORE_PARTS_H

#include "handlers/sensor/live/identity.h"
#include "handlers/sensor/live/live_file.h"
#include "handlers/sensor/live/live_metrics.h"
#include "handlers/sensor/live/live_records.h"
#include "handlers/sensor/live/live_store.h"
#include "handlers/sensor/sealed/manifest_write.h"
#include "handlers/sensor/sealed/sealed_index.h"

#include <pthread.h>

enum { DAY_MS = 86400000 };

struct live_store {
    struct live_store_options options;
    struct file_operations *files;
    struct live_published *published;
    struct manifest_writer manifest; /* after opening: the sealer's */
    uint64_t interrupted;            /* live_store_interrupted; set by the opening */
    /* Guards all below; held by every function of live_store.h and live_sealing.h. */
    pthread_mutex_t lock;
    struct live_published *mirror; /* a second place to publish at; NULL = none */
    struct live_metrics metrics;
    struct quarantine *quarantine;
    struct live_records records;
    struct sealed_index sealed;
    uint64_t sealed_slots, sealed_sets; /* of the live files that were sealed; how many */
    struct live_file current;
    uint64_t next_sequence; /* of the file after `current` */
    int64_t current_day;    /* days since the epoch; of the first write to `current` */
    struct live_state state;
    int64_t retry_ns; /* monotonic: nothing is written before; 0 = all is well */
    /* The batch being committed. */
    struct record *batch;
    size_t batch_count, batch_capacity;
    bool batch_ascends;             /* up to now; then it needs no table */
    struct identity batch_identity; /* of the batch alone; numbers are places in it */
    int64_t batch_newest_ms;
    /* For the log: one line when it begins to fail, one when that is over. */
    enum hearth_error failing;
    uint64_t unlogged_quarantined;
    int64_t quarantine_logged_ns, unreadable_logged_ns;
    struct error_record unreadable; /* what was found last */
};

/* Recovers every live file and fills records, identity, current and state. */
HEARTH_MUST_CHECK enum hearth_error live_store_recover(struct live_store *store,
                                                       struct error_record *error);
/* Publishes `state`, whose sums it takes from the records. */
void live_store_publish(struct live_store *store);
void live_store_publish_lost(struct live_store *store);
/* Around a change of the directory that a reader who lists it could take for less than there is. */
void live_store_begin_change(struct live_store *store);
void live_store_end_change(struct live_store *store);
/* Removes a live file that was sealed. */
HEARTH_MUST_CHECK enum hearth_error live_store_remove_file(struct live_store *store,
                                                           const struct live_name *name,
                                                           struct error_record *error);
/* Does it stand in any file? Logs what cannot be read. Errors: IO, NO_MEMORY. */
HEARTH_MUST_CHECK enum hearth_error live_store_find(struct live_store *store,
                                                    const struct record *record, bool *known);
/* In any sealed file? Errors: CORRUPT besides. */
HEARTH_MUST_CHECK enum hearth_error
live_store_find_sealed(struct live_store *store, const struct record *record, bool *known);
/* A good file with room for so many bytes; a poisoned one is set aside first. */
HEARTH_MUST_CHECK enum hearth_error live_store_require_file(struct live_store *store, size_t bytes,
                                                            struct error_record *error);
HEARTH_MUST_CHECK enum hearth_error live_store_next_file(struct live_store *store,
                                                         struct error_record *error);
bool live_store_day_is_over(const struct live_store *store);
/* What a duplicate is a duplicate of must be there, too. UNAVAILABLE: it was removed or moved. */
HEARTH_MUST_CHECK enum hearth_error live_store_confirm(struct live_store *store,
                                                       struct error_record *error);

#endif
