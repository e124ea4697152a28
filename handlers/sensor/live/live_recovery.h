/*
 * live_recovery.h - looking at every slot of a live file before it is used.
 *
 * Opening a store is: live_recovery_scan of each file in ascending order, live_recovery_commit,
 * then live_recovery_settle of the file that is written to. A bad slot is quarantined once, however
 * often the store is opened, and again when its bytes are others; it stays where it is; what is bad
 * at the end of the file written to is cut off. Nothing is changed before the quarantine is synced.
 * One thread.
 */
#ifndef HEARTH_SENSOR_LIVE_RECOVERY_H
#define HEARTH_SENSOR_LIVE_RECOVERY_H

#include "handlers/sensor/live/live_directory.h"
#include "handlers/sensor/live/quarantine.h"
#include "hearth/reading_store.h"

/* A good slot. An error ends the scan and is what it returns. */
typedef enum hearth_error live_visit_fn(void *context, const struct record *record, uint64_t slot);

enum { BAD_RUN_SLOTS = 340 }; /* of different bytes in one line: about 4 KB */

struct live_recovery {
    struct file_operations *files;
    const char *store;
    struct quarantine *quarantine;
    live_visit_fn *visit;
    void *context;
    /* What was found. */
    uint64_t quarantined_slots;
    uint64_t cut_bytes;
    /* Inside. */
    enum hearth_error full; /* DISK_FULL: an early commit of the quarantine failed */
    bool known_loaded;
    struct quarantined_runs known;
    struct bad_run {
        uint64_t sequence, slot, count;
        enum record_reject reason;
        bool alike; /* all have the bytes of the first */
        struct record raw[BAD_RUN_SLOTS];
    } run;
};

/* What a scan found in one file. */
struct live_scan {
    uint64_t size_bytes;     /* as it is */
    uint64_t good_end_bytes; /* behind the last good slot */
    int64_t modified_ms;
};

/* `files`, `store` and `quarantine` must outlive it; so must `context`. */
void live_recovery_init(struct live_recovery *recovery, struct file_operations *files,
                        const char *store, struct quarantine *quarantine, live_visit_fn *visit,
                        void *context);
void live_recovery_clean(struct live_recovery *recovery);
/* Size and time of a file. */
HEARTH_MUST_CHECK enum hearth_error live_recovery_look(struct live_recovery *recovery,
                                                       const struct live_name *name,
                                                       struct live_scan *scan,
                                                       struct error_record *error);
/* Every slot of [0, end): visits the good ones, takes the bad ones up for the quarantine. A torn
 * slot at the end is taken up, too. Fills scan->good_end_bytes. */
HEARTH_MUST_CHECK enum hearth_error live_recovery_scan(struct live_recovery *recovery,
                                                       const struct live_name *name, uint64_t end,
                                                       struct live_scan *scan,
                                                       struct error_record *error);
/* Syncs what was quarantined. */
HEARTH_MUST_CHECK enum hearth_error live_recovery_commit(struct live_recovery *recovery,
                                                         struct error_record *error);
/* Makes [0, end) of a file certain to be on the disk and cuts off what is behind it; bytes before
 * `synced` are on the disk already. */
HEARTH_MUST_CHECK enum hearth_error live_recovery_settle(struct live_recovery *recovery,
                                                         const struct live_name *name,
                                                         uint64_t synced, uint64_t end,
                                                         uint64_t size, struct error_record *error);

#endif
