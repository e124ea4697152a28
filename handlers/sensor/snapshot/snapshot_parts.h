/*
 * snapshot_parts.h - the inside of the snapshots of a process, shared by the files that keep them
 * up (snapshots.c), give days out (snapshot_day.c, snapshot_suspect.c) and answer
 * (snapshot_range.c, snapshot_totals.c, snapshot_tail.c).
 */
#ifndef HEARTH_SENSOR_SNAPSHOT_PARTS_H
#define HEARTH_SENSOR_SNAPSHOT_PARTS_H

#include "handlers/sensor/live/live_copy.h"
#include "handlers/sensor/live/live_span.h"
#include "handlers/sensor/live/series_totals.h"
#include "handlers/sensor/sealed/catalogue.h"
#include "handlers/sensor/sealed/manifest.h"
#include "handlers/sensor/sealed/sealed_maps.h"
#include "handlers/sensor/snapshot/snapshot.h"
#include "handlers/sensor/summary/summary_years.h"

#include <pthread.h>

enum { SNAPSHOT_STORE_BYTES = 2048, SNAPSHOT_DAY_MS = 86400000 };

/* What is made of a catalogue when somebody asks for it first, and kept until it is asked of
 * another. */
struct suspect_run {
    _Atomic unsigned references;
    struct catalogue *catalogue; /* of which it is; a reference */
    size_t count;
    struct record records[]; /* of all suspect files, ascending, each once */
};

struct snapshots {
    struct file_operations *files;
    const struct live_published *published;
    char store[SNAPSHOT_STORE_BYTES];
    struct sealed_maps *maps;
    struct summary_years *years;

    pthread_mutex_t lock; /* guards what stands here; held while files are read */
    struct live_spans spans;
    struct live_state seen; /* as published when the store was looked at last */
    bool has_seen;
    bool is_current; /* catalogue and live copy are of `seen` */
    struct manifest_position position;
    struct catalogue *catalogue;
    struct live_copy *live;

    pthread_mutex_t totals_lock;        /* guards these; held while files are read */
    struct catalogue *totals_catalogue; /* a reference; NULL = none were made */
    struct series_totals totals;        /* of the good sealed readings in it */

    pthread_mutex_t suspects_lock; /* guards this; held while files are read */
    struct suspect_run *suspects;
};

/* What a day holds, until it is released. */
struct day_pins {
    struct day_pins *next, *previous;
    size_t first; /* index in the catalogue */
    size_t sealed_count;
    size_t mapped_count;
    struct sealed_map **maps;
    struct day_run *allocated_runs; /* NULL = the inline ones serve */
    struct sealed_map *inline_maps[DAY_PARTS_INLINE];
};

struct snapshot {
    struct snapshots *owner;
    struct live_state state;
    struct catalogue *catalogue;
    struct live_copy *live;
    struct suspect_run *suspects; /* NULL until somebody asks */
    struct day_pins *days, *spare;
    uint64_t faults_seen;       /* mapped_ranges_faults when it was opened */
    struct error_record damage; /* of a day that is released: names the file; code OK = none */
    /* Where the last searches ended. Days are mostly asked for one after the other. */
    struct snapshot_hint {
        size_t file, good, suspect, live_suspect;
    } * hint, hint_place;
    struct { /* the year whose summary was asked for last */
        int32_t first_day, end_day;
        size_t place;
    } year;
    bool year_taken[SUMMARY_YEARS];
    struct summary_year *years[SUMMARY_YEARS];
};

/* Brings catalogue, live copy and spans to what is published. Under the lock. */
HEARTH_MUST_CHECK enum hearth_error snapshots_refresh(struct snapshots *snapshots, bool again,
                                                      struct error_record *error);
/* Fills snapshot->suspects. */
HEARTH_MUST_CHECK enum hearth_error snapshot_require_suspects(struct snapshot *snapshot,
                                                              struct error_record *error);
/* Before the pins go. */
void snapshot_note_damage(struct snapshot *snapshot, const struct day_pins *pins);
void suspect_run_release(struct suspect_run *run); /* NULL is allowed */

/* The summary of a day, if it covers these files of the catalogue; else NULL. */
const struct summary_day *snapshot_summary(struct snapshot *snapshot, int32_t day, size_t first,
                                           size_t count);

/* The index of the first of `count` ascending records at `time_ms` or later, found from `*hint`,
 * which becomes it. */
size_t snapshot_seek(const struct record *records, size_t count, int64_t time_ms, size_t *hint);

#endif
