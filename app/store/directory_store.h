/*
 * directory_store.h - what the files of the directory store share.
 *
 * Layout under the store's directory:
 *
 *     posts/my-post.md     the object "posts/my-post.md": a plain file, to be edited in place
 *     a/.self\             the object "a" where objects "a/..." exist as well
 *     .store\lock          byte N is locked by the writer of a key whose hash is N
 *     .store\tmp/XXXX      what is being written; leftovers of a crash are swept at open
 *
 * No key can hold a backslash, so neither private name clashes with an object. Files whose names
 * cannot be keys, symbolic links, devices and the like are no objects: not read, not listed.
 *
 * Functions here that give back a descriptor or an int follow the system calls: -1 and errno.
 */
#ifndef HEARTH_DIRECTORY_STORE_H
#define HEARTH_DIRECTORY_STORE_H

#include "app/store/content.h"
#include "hearth/limits.h"

enum {
    DIRECTORY_NAME_BYTES = 255,        /* of a segment: what Linux file systems hold */
    DIRECTORY_LEFTOVER_S = 3600,       /* no write takes an hour */
    DIRECTORY_LOCK_WAIT_MS = 10000,    /* a writer holds it for milliseconds */
    DIRECTORY_WRITE_ATTEMPTS = 100,    /* against directories that come and go meanwhile */
    DIRECTORY_TEMPORARY_NAME_SIZE = 17 /* 16 hex digits, terminator */
};

extern const char directory_self_name[];    /* ".self\" */
extern const char directory_private_name[]; /* ".store\" */

struct directory_store {
    struct object_store store; /* first: this is what the caller holds */
    int root;                  /* the store's directory, open for reading */
    int lock_wait_ms;          /* DIRECTORY_LOCK_WAIT_MS, but in tests */
    struct content_cache cache;
};

static inline struct directory_store *directory_store_of(struct object_store *store)
{
    return (struct directory_store *)store;
}

/* ---- The table's functions, but those of directory_store.c ---- */

enum hearth_error directory_put(struct object_store *store, const char *key, struct view content,
                                const struct object_put_options *options, struct object_info *info,
                                struct error_record *error);
enum hearth_error directory_remove(struct object_store *store, const char *key,
                                   struct view if_match, struct error_record *error);
enum hearth_error directory_list(struct object_store *store,
                                 const struct object_list_options *options, object_visit_fn *visit,
                                 void *context, bool *more, struct error_record *error);

/* ---- directory_path.c: from keys to descriptors, never through a symbolic link ---- */

/* A valid key whose segments a file system can hold. Errors: BAD_REQUEST. */
HEARTH_MUST_CHECK enum hearth_error directory_check_key(const char *key,
                                                        struct error_record *error);
/* Without the last segment; empty when there is one alone. */
struct view directory_parent(const char *key);
const char *directory_leaf(const char *key);
/* One directory down. ENOTDIR when there is something else (a symbolic link too). */
int directory_enter(int directory, struct view segment);
/* All the way down; an empty path gives a descriptor of its own for `root`. */
int directory_open_path(int root, struct view path);
/* The object's file, for reading. ENOENT for whatever else there is. */
int directory_open_object(int root, const char *key);
/* Syncs the directories on the way, `root` and the last one included. One that has gone in the
 * meantime ends the way. */
int directory_sync_path(int root, struct view path);
/* close() that leaves errno alone. */
void directory_close(int file);

/* ---- directory_private.c: locks and temporary files ---- */

/* Locks the key among all threads and processes. Close the descriptor to unlock. Errors:
 * UNAVAILABLE after lock_wait_ms, DISK_FULL, IO. */
HEARTH_MUST_CHECK enum hearth_error directory_lock(const struct directory_store *directory,
                                                   struct view key, int *lock,
                                                   struct error_record *error);
/* The directory of temporary files, made when missing. */
int directory_open_temporary(int root);
void directory_temporary_name(char name[DIRECTORY_TEMPORARY_NAME_SIZE]);
/* Removes what has not changed for DIRECTORY_LEFTOVER_S before `now_s`. */
void directory_sweep(int root, int64_t now_s);

/* ---- directory_parents.c ---- */

/* Makes every directory on the way and opens the last. An object that stands in the way ("a" for
 * "a/b") moves inside. Errors: CONFLICT (the file system cannot do that), those of
 * directory_lock. */
HEARTH_MUST_CHECK enum hearth_error directory_make_path(const struct directory_store *store,
                                                        struct view path, int *directory,
                                                        struct error_record *error);

/* What errno means here: DISK_FULL, NO_MEMORY, else IO. `what` is the sentence's beginning. */
enum hearth_error directory_failed(struct error_record *error, const char *what, struct view key);

#endif
