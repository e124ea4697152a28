/*
 * live_store.h - the keeper's side of the live readings: recovery, group commit, duplicates.
 *
 *   STORE/live/         the readings as they came (live_directory.h)
 *   STORE/quarantine/   what cannot be a reading (quarantine.h)
 *   STORE/store.lock    one keeper a store (store_lock.h)
 *   STORE/store.id      which store it is (store_id.h)
 *   STORE/manifest/, sealed/, suspect/   what the sealer makes of finished live files (sealer.h)
 *
 * Whoever opens it holds store.lock. Any thread: a lock is held inside, over a whole commit.
 * Readers go by what it publishes (live_published.h) and read the files themselves (snapshot.h).
 *
 * A finished file (all but the one written to) is never changed by anything here, and its number is
 * always below that of the file written to, which is made first: the sealer takes finished files.
 */
#ifndef HEARTH_SENSOR_LIVE_STORE_H
#define HEARTH_SENSOR_LIVE_STORE_H

#include "handlers/sensor/live/live_published.h"
#include "handlers/sensor/live/quarantine.h"
#include "hearth/reading_store.h"
#include "hearth/telemetry.h"

enum { LIVE_DIRECTORY_BYTES = 2048 }; /* of the store directory's name */

struct live_store_options {
    char directory[LIVE_DIRECTORY_BYTES]; /* Required. Made when it is missing. */
    uint64_t live_bytes;                  /* Required. A live file is finished above this size. */
    const struct clock *clock;            /* Required. Must outlive the store. */
    struct metrics *metrics;              /* NULL = not counted. Must outlive the store. */
    struct file_operations *files;        /* NULL = the system's. Must outlive the store. */
    bool seals_by_hand;                   /* A local store seals when it is told, and else not. */
};

/* What one client wants stored, and what became of it. */
struct live_entry {
    const struct record *records; /* unchecked */
    size_t record_count;
    const struct quarantine_entry *rejected;
    size_t rejected_count;
    /* Out. */
    enum hearth_error outcome; /* HEARTH_OK: durable, all of it */
    int number;                /* errno, or 0 */
    struct append_result result;
};

struct live_store;

/* Makes the directory and store.lock's place; call before store_lock_take. */
HEARTH_MUST_CHECK enum hearth_error live_store_prepare(const struct live_store_options *options,
                                                       struct error_record *error);
/* The same in a pool: where a predecessor had the store open nothing is made, since what is missing
 * was removed or moved. Errors: UNAVAILABLE besides. */
HEARTH_MUST_CHECK enum hearth_error
live_store_prepare_again(const struct live_store_options *options,
                         const struct live_published *published, struct error_record *error);
/* Recovers and publishes. `published` must outlive the store; what a predecessor left there helps
 * to recover, and must be there (live_past.h). Errors: IO, DISK_FULL, CORRUPT, NO_MEMORY,
 * UNAVAILABLE (it is not). */
HEARTH_MUST_CHECK enum hearth_error live_store_open(const struct live_store_options *options,
                                                    struct live_published *published,
                                                    struct live_store **store,
                                                    struct error_record *error);
void live_store_close(struct live_store *store); /* NULL is allowed */

/* One group commit: everything durable, published, every entry's outcome filled. A reading that
 * stands already, or twice in the commit, is a duplicate; a record that is none is quarantined.
 * Outcomes besides OK: DISK_FULL, IO, NO_MEMORY, UNAVAILABLE, CORRUPT. */
void live_store_commit(struct live_store *store, struct live_entry *entries, size_t count);
/* Finishes the file written to when its UTC day is over, and looks whether it is still there. Call
 * now and then when idle. */
void live_store_tick(struct live_store *store);

/* Files were removed or moved under it. It refuses every commit with UNAVAILABLE: what its table
 * knows may be gone. Only opening again helps. */
bool live_store_is_lost(struct live_store *store);

/* Of tests and logs: what is in it now. */
void live_store_state(struct live_store *store, struct live_state *state);
/* Publishes at a second place as well, from now on; NULL = no more. */
void live_store_mirror(struct live_store *store, struct live_published *mirror);

#endif
