/*
 * content.h - a file's content as one version: its stamp, its hash, its tag.
 *
 * Files are replaced by Hearth and edited in place by people. A tag must follow the content in both
 * cases, without the content being read each time. So hashes are kept by the file's stamp (device,
 * inode, size, both times), and two traps are minded:
 *
 * - Timestamps tick (every 1 to 10 ms on many kernels): two edits within a tick leave the same
 *   stamp. A stamp is *settled* once its change time lies 100 ms back; only then does an equal
 * stamp later on mean equal content, and only then is a hash kept. (The same problem as git's
 * "racily clean" index entries.) The change time, not the modification time, decides: nobody can
 * set it.
 * - A file can change while it is read: the stamp is taken before and after.
 */
#ifndef HEARTH_STORE_CONTENT_H
#define HEARTH_STORE_CONTENT_H

#include <pthread.h>

#include "hearth/object_store.h"

enum {
    CONTENT_HASH_BYTES = 32,
    CONTENT_PIECE_BYTES = 65536,
    CONTENT_CACHE_ENTRIES = 2048, /* 160 KB, touched as it is used */
    CONTENT_SETTLED_MS = 100,
    CONTENT_ATTEMPTS = 8, /* so often is a file read again that changes while it is read */
};

struct content_stamp {
    uint64_t device, inode, size_bytes;
    int64_t modified_ns, changed_ns;
};

struct content_cache_entry {
    struct content_stamp stamp; /* inode 0 = empty */
    unsigned char hash[CONTENT_HASH_BYTES];
};

/* Any thread; the mutex guards the entries and is never held while a file is touched. */
struct content_cache {
    pthread_mutex_t mutex;
    struct content_cache_entry *entries;
};

/* False when memory ran out. */
bool content_cache_init(struct content_cache *cache);
void content_cache_clean(struct content_cache *cache);
bool content_cache_find(struct content_cache *cache, const struct content_stamp *stamp,
                        unsigned char hash[CONTENT_HASH_BYTES]);
void content_cache_keep(struct content_cache *cache, const struct content_stamp *stamp,
                        const unsigned char hash[CONTENT_HASH_BYTES]);

/* False with errno when the file cannot be asked. */
bool content_stamp_read(int file, struct content_stamp *stamp);
bool content_stamp_equal(const struct content_stamp *a, const struct content_stamp *b);
/* The same but for the change time, which also moves when the file loses its name to a successor,
 * or gets another link. For a file that is open all along, and was settled: a write since then
 * shows in the modification time. */
bool content_stamp_unwritten(const struct content_stamp *a, const struct content_stamp *b);
/* Milliseconds until the stamp is settled; 0 = it is. At most CONTENT_SETTLED_MS, also when the
 * clock was set back. Ask right after reading the stamp. */
int content_stamp_unsettled_ms(const struct content_stamp *stamp);

/* The hash of bytes in memory. False when memory ran out. */
bool content_hash_bytes(struct view bytes, unsigned char hash[CONTENT_HASH_BYTES]);
/* Fills `buffer` from `offset` on; fewer bytes only at the file's end. -1 with errno. */
int64_t content_read(int file, char *buffer, size_t size, uint64_t offset);
/* The hash of a file, kept or made, and the stamp it belongs to. Errors: IO (also when the file
 * keeps changing), NO_MEMORY. */
HEARTH_MUST_CHECK enum hearth_error content_hash_file(struct content_cache *cache, int file,
                                                      struct content_stamp *stamp,
                                                      unsigned char hash[CONTENT_HASH_BYTES],
                                                      struct error_record *error);

/* Size, time and tag, as the object store gives them. */
void content_describe(const struct content_stamp *stamp,
                      const unsigned char hash[CONTENT_HASH_BYTES], struct object_info *info);

#endif
