/*
 * live_published.h - what the keeper tells the readers: how far the live files may be read.
 *
 * One writer (whoever holds store.lock), any number of readers in any process, over shared memory
 * or over a process's own. Nobody waits: there are two copies, `version` says which one counts, and
 * the writer always fills the other. A reader that was overtaken reads again. A writer that is
 * killed in the middle leaves the copy that counts whole.
 *
 * The finished files are not listed here, since their names and sizes say all (live_directory.h);
 * `file_generation` tells a reader when to look at the directory again: a listing counts when the
 * same even number stood there before and after.
 */
#ifndef HEARTH_SENSOR_LIVE_PUBLISHED_H
#define HEARTH_SENSOR_LIVE_PUBLISHED_H

#include "hearth/base.h"

#include <stdatomic.h>

struct live_state {
    uint64_t sequence;     /* of the file written to */
    uint64_t synced_bytes; /* of it: readers stop here */
    /* The same files give the same number, also after a restart; every commit raises it, and so
     * does every seal: the number of the file written to, less one, times 2^32, plus its slots up
     * to what is synced, plus how many live files were sealed. */
    uint64_t generation;
    uint64_t slots; /* of all live files, up to what is synced, and of those that were sealed */
    /* Rises when a file is made, renamed or removed; odd while one is being renamed or removed. */
    uint64_t file_generation;
    uint64_t readings; /* good ones, each counted once */
    uint64_t stored_bytes;
    uint64_t stored_twice;  /* good slots whose reading stands in another slot before */
    int64_t newest_ms;      /* -1 = none; suspects do not count */
    uint64_t device, inode; /* of the directory of the live files; inode 0 = not said */
    uint64_t place;         /* the store directory's name, hashed (live_past.h) */
    unsigned char id[16];   /* the store's (store_id.h) */
    /* How far the manifest may be read (manifest.h); year 0 = nothing is sealed. */
    int32_t manifest_year;
    uint64_t manifest_bytes; /* of that year's file */
};

/* What the writer was about, for a successor that finds it dead. */
enum live_condition {
    LIVE_CLEAN,    /* the file ends at `synced_bytes` */
    LIVE_WRITING,  /* it may go on behind it, unsynced */
    LIVE_POISONED, /* a sync of it failed: it must be set aside, trusted up to `synced_bytes` */
};

enum { LIVE_STATE_FIELDS = 16 };

struct live_published {
    _Atomic uint64_t version; /* 0 = nothing published yet */
    _Atomic uint32_t condition;
    _Atomic uint32_t lost; /* files were removed or moved: there is nothing to go by */
    _Atomic uint64_t copies[2][LIVE_STATE_FIELDS];
};

/* Are both about the files of one directory, as far as they say? */
static inline bool live_state_same_directory(const struct live_state *a, const struct live_state *b)
{
    return a->inode == 0 || b->inode == 0 || (a->device == b->device && a->inode == b->inode);
}

/* Zeroed memory is a valid start. Writer only. */
void live_publish(struct live_published *published, const struct live_state *state);
void live_publish_condition(struct live_published *published, enum live_condition condition);
/* False when nothing was published yet. Any thread, any process. */
bool live_published_get(const struct live_published *published, struct live_state *state);
enum live_condition live_published_condition(const struct live_published *published);
/* Said by the writer that finds its files gone, unsaid by the one that opens them again. */
void live_publish_lost(struct live_published *published, bool lost);
bool live_published_lost(const struct live_published *published);

#endif
