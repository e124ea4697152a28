/*
 * object_store.h - named blobs: posts, pages, auth state, archives.
 *
 * One table of functions, several implementations: a directory (app/store/directory_store.c), S3
 * later. One test suite is written against this table (tests/unit/object_store_suite.c), steered by
 * the capability flags.
 *
 * Keys: 1..LIMIT_OBJECT_KEY bytes of UTF-8, segments between '/', none of them empty, "." or "..",
 * no control bytes, no backslash, not beginning or ending with '/'. Any other key is
 * HEARTH_BAD_REQUEST, whatever the implementation.
 *
 * ETags are strong, made from the content, with their quotes: equal content, equal tag.
 *
 * All functions may be called from any thread at once. None holds a lock while it talks to a peer.
 */
#ifndef HEARTH_OBJECT_STORE_H
#define HEARTH_OBJECT_STORE_H

#include "hearth/base.h"

enum object_store_capability {
    OBJECT_STORE_PUT_IF_ABSENT = 1 << 0, /* put with if_absent is atomic */
    OBJECT_STORE_PUT_IF_MATCH = 1 << 1,  /* put with if_match is atomic */
    OBJECT_STORE_DURABLE = 1 << 2,       /* a put that returned OK survives a power loss */
    OBJECT_STORE_DELETE_IF_MATCH = 1 << 3,
};

enum {
    OBJECT_ETAG_SIZE = 72
}; /* quotes, 64 hex digits of SHA-256, terminator; room for S3's forms */

struct object_info {
    uint64_t size_bytes;
    int64_t modified_ms; /* wall clock */
    char etag[OBJECT_ETAG_SIZE];
};

struct object_get_options {
    struct view
        if_none_match;    /* empty = none; equal: HEARTH_OK with `*modified` = false, no bytes */
    struct view if_match; /* empty = none; differs: HEARTH_PRECONDITION_FAILED */
    uint64_t offset;      /* first byte */
    uint64_t length;      /* 0 = to the end; cut at the object's end */
};

/* Takes bytes as they come, in order. An error ends the get and is what it returns. */
typedef enum hearth_error object_receive_fn(void *context, struct view bytes);

struct object_put_options {
    bool if_absent;       /* If-None-Match: *. The object stands: HEARTH_PRECONDITION_FAILED */
    struct view if_match; /* empty = none. Differs or is gone: HEARTH_PRECONDITION_FAILED */
};

struct object_entry {
    const char *key;         /* valid during the call */
    struct object_info info; /* etag may be "" when `list` was not asked for it */
};

/* Return false to stop. */
typedef bool object_visit_fn(void *context, const struct object_entry *entry);

struct object_list_options {
    const char *prefix; /* "" = all; not bound to '/' */
    const char *after;  /* keys that sort behind this one; NULL = from the start */
    size_t limit;       /* at most so many; 0 = all */
    bool with_etags;    /* a directory must read the content for it, once */
};

struct object_store {
    unsigned capabilities;

    /* The content through `receive`; `info` (may be NULL) is filled before the first byte. A get
     * sees one version of the object, also while it is replaced. `*modified` may be NULL. Errors:
     * NOT_FOUND, RANGE_NOT_SATISFIABLE (offset behind the end), PRECONDITION_FAILED, BAD_REQUEST,
     * IO, UNAVAILABLE, NO_MEMORY, and what `receive` returned. */
    enum hearth_error (*get)(struct object_store *store, const char *key,
                             const struct object_get_options *options, object_receive_fn *receive,
                             void *context, struct object_info *info, bool *modified,
                             struct error_record *error);
    /* All of it or nothing of it. `options` and `info` may be NULL. Errors: PRECONDITION_FAILED,
     * DISK_FULL, BAD_REQUEST, IO, UNAVAILABLE, NO_MEMORY, CONFLICT (the storage cannot hold an
     * object "a" beside an object "a/b"). After any error but an IO on the last sync the old object
     * stands. */
    enum hearth_error (*put)(struct object_store *store, const char *key, struct view content,
                             const struct object_put_options *options, struct object_info *info,
                             struct error_record *error);
    /* Errors: NOT_FOUND, BAD_REQUEST, IO, UNAVAILABLE. */
    enum hearth_error (*head)(struct object_store *store, const char *key, struct object_info *info,
                              struct error_record *error);
    /* In the order of the keys' bytes. `*more` (may be NULL) says that `limit` cut the list.
     * Errors: IO, UNAVAILABLE, NO_MEMORY. */
    enum hearth_error (*list)(struct object_store *store, const struct object_list_options *options,
                              object_visit_fn *visit, void *context, bool *more,
                              struct error_record *error);
    /* `if_match` empty = unconditional. An object that is not there: HEARTH_OK, or
     * PRECONDITION_FAILED with if_match. Errors: PRECONDITION_FAILED, BAD_REQUEST, IO, UNAVAILABLE.
     */
    enum hearth_error (*remove)(struct object_store *store, const char *key, struct view if_match,
                                struct error_record *error);
    void (*free)(struct object_store *store);
};

/* Is it a key as described above? */
bool object_key_valid(struct view key);

/* A store in a directory, which is made when it is missing (0700). NULL on failure, `error` says
 * why. */
struct object_store *directory_store_new(const char *directory, struct error_record *error);

/* The whole object into `out`, whose maximum holds (BODY_TOO_LARGE). */
HEARTH_MUST_CHECK enum hearth_error object_get_all(struct object_store *store, const char *key,
                                                   struct buffer *out, struct object_info *info,
                                                   struct error_record *error);

#endif
