/*
 * content.c - stamps and hashes of files (see content.h).
 *
 * The table of hashes is direct-mapped: a stamp has one place, found from device and inode, and a
 * newcomer takes it. Losing an entry costs one reading of a file.
 */
#include "app/store/content.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "app/core/memory.h"

bool content_cache_init(struct content_cache *cache)
{
    cache->entries = calloc(CONTENT_CACHE_ENTRIES, sizeof *cache->entries);
    if (!cache->entries)
        return false;
    if (pthread_mutex_init(&cache->mutex, NULL) != 0) {
        free(cache->entries);
        cache->entries = NULL;
        return false;
    }
    return true;
}

void content_cache_clean(struct content_cache *cache)
{
    if (!cache->entries)
        return;
    pthread_mutex_destroy(&cache->mutex);
    free(cache->entries);
    cache->entries = NULL;
}

static struct content_cache_entry *cache_place(struct content_cache *cache,
                                               const struct content_stamp *stamp)
{
    /* Inode numbers come in rows: the multiplication (Knuth's) spreads them. */
    uint64_t mixed = (stamp->inode ^ (stamp->device << 40)) * UINT64_C(0x9E3779B97F4A7C15);
    return &cache->entries[(mixed >> 32) % CONTENT_CACHE_ENTRIES];
}

bool content_cache_find(struct content_cache *cache, const struct content_stamp *stamp,
                        unsigned char hash[CONTENT_HASH_BYTES])
{
    pthread_mutex_lock(&cache->mutex);
    const struct content_cache_entry *entry = cache_place(cache, stamp);
    bool found = content_stamp_equal(&entry->stamp, stamp);
    if (found)
        memcpy(hash, entry->hash, CONTENT_HASH_BYTES);
    pthread_mutex_unlock(&cache->mutex);
    return found;
}

void content_cache_keep(struct content_cache *cache, const struct content_stamp *stamp,
                        const unsigned char hash[CONTENT_HASH_BYTES])
{
    pthread_mutex_lock(&cache->mutex);
    struct content_cache_entry *entry = cache_place(cache, stamp);
    entry->stamp = *stamp;
    memcpy(entry->hash, hash, CONTENT_HASH_BYTES);
    pthread_mutex_unlock(&cache->mutex);
}

static int64_t nanoseconds(const struct timespec *time)
{
    return (int64_t)time->tv_sec * 1000000000 + time->tv_nsec;
}

bool content_stamp_read(int file, struct content_stamp *stamp)
{
    struct stat status;
    if (fstat(file, &status) != 0)
        return false;
    *stamp = (struct content_stamp){.device = status.st_dev,
                                    .inode = status.st_ino,
                                    .size_bytes = (uint64_t)status.st_size,
                                    .modified_ns = nanoseconds(&status.st_mtim),
                                    .changed_ns = nanoseconds(&status.st_ctim)};
    return true;
}

bool content_stamp_unwritten(const struct content_stamp *a, const struct content_stamp *b)
{
    return a->inode == b->inode && a->device == b->device && a->size_bytes == b->size_bytes &&
           a->modified_ns == b->modified_ns;
}

bool content_stamp_equal(const struct content_stamp *a, const struct content_stamp *b)
{
    return content_stamp_unwritten(a, b) && a->changed_ns == b->changed_ns;
}

int content_stamp_unsettled_ms(const struct content_stamp *stamp)
{
    /* The file system's own clock is the system's; an injected one has no say here. */
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    int64_t age_ms = (nanoseconds(&now) - stamp->changed_ns) / 1000000;
    if (age_ms < 0)
        return CONTENT_SETTLED_MS;
    return age_ms >= CONTENT_SETTLED_MS ? 0 : (int)(CONTENT_SETTLED_MS - age_ms);
}

bool content_hash_bytes(struct view bytes, unsigned char hash[CONTENT_HASH_BYTES])
{
    unsigned int size = 0;
    return EVP_Digest(bytes.data ? bytes.data : "", bytes.length, hash, &size, EVP_sha256(),
                      NULL) == 1;
}

int64_t content_read(int file, char *buffer, size_t size, uint64_t offset)
{
    size_t filled = 0;
    while (filled < size) {
        ssize_t got = pread(file, buffer + filled, size - filled, (off_t)(offset + filled));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        filled += (size_t)got;
    }
    return (int64_t)filled;
}

/* One reading from start to end, whatever the length turns out to be. */
static enum hearth_error hash_once(int file, char *piece, EVP_MD_CTX *digest,
                                   unsigned char hash[CONTENT_HASH_BYTES],
                                   struct error_record *error)
{
    if (EVP_DigestInit_ex(digest, EVP_sha256(), NULL) != 1)
        return error_set_internal(error, HEARTH_NO_MEMORY, 0, "no memory for a digest");
    uint64_t offset = 0;
    int64_t got;
    while ((got = content_read(file, piece, CONTENT_PIECE_BYTES, offset)) > 0) {
        if (EVP_DigestUpdate(digest, piece, (size_t)got) != 1)
            return error_set_internal(error, HEARTH_INTERNAL, 0, "the digest failed");
        offset += (uint64_t)got;
    }
    if (got < 0)
        return error_set_internal(error, HEARTH_IO, errno, "cannot read an object's content");
    if (EVP_DigestFinal_ex(digest, hash, NULL) != 1)
        return error_set_internal(error, HEARTH_INTERNAL, 0, "the digest failed");
    return HEARTH_OK;
}

static enum hearth_error hash_settled(struct content_cache *cache, int file, char *piece,
                                      EVP_MD_CTX *digest, struct content_stamp *stamp,
                                      unsigned char hash[CONTENT_HASH_BYTES],
                                      struct error_record *error)
{
    for (int attempt = 0; attempt < CONTENT_ATTEMPTS; attempt++) {
        struct content_stamp after;
        bool settled = content_stamp_unsettled_ms(stamp) == 0;
        enum hearth_error failed = hash_once(file, piece, digest, hash, error);
        if (failed)
            return failed;
        if (!content_stamp_read(file, &after))
            return error_set_internal(error, HEARTH_IO, errno, "cannot ask for a file's state");
        if (content_stamp_equal(stamp, &after)) {
            if (settled)
                content_cache_keep(cache, stamp, hash);
            return HEARTH_OK;
        }
        *stamp = after;
    }
    return error_set_internal(error, HEARTH_IO, 0, "a file keeps changing while it is read");
}

enum hearth_error content_hash_file(struct content_cache *cache, int file,
                                    struct content_stamp *stamp,
                                    unsigned char hash[CONTENT_HASH_BYTES],
                                    struct error_record *error)
{
    if (!content_stamp_read(file, stamp))
        return error_set_internal(error, HEARTH_IO, errno, "cannot ask for a file's state");
    if (content_cache_find(cache, stamp, hash))
        return HEARTH_OK;
    enum hearth_error result;
    char *piece = memory_new(CONTENT_PIECE_BYTES);
    EVP_MD_CTX *digest = EVP_MD_CTX_new();
    if (piece && digest)
        result = hash_settled(cache, file, piece, digest, stamp, hash, error);
    else
        result = error_set_internal(error, HEARTH_NO_MEMORY, 0, "no memory to hash an object");
    EVP_MD_CTX_free(digest);
    memory_free(piece);
    return result;
}

void content_describe(const struct content_stamp *stamp,
                      const unsigned char hash[CONTENT_HASH_BYTES], struct object_info *info)
{
    static const char digits[] = "0123456789abcdef";
    if (!info)
        return;
    info->size_bytes = stamp->size_bytes;
    info->modified_ms = stamp->modified_ns / 1000000;
    char *to = info->etag;
    *to++ = '"';
    for (size_t i = 0; i < CONTENT_HASH_BYTES; i++) {
        *to++ = digits[hash[i] >> 4];
        *to++ = digits[hash[i] & 15];
    }
    *to++ = '"';
    *to = '\0';
}
