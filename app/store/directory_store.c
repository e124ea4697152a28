/*
 * directory_store.c - an object store in a directory: opening it, and reading.
 *
 * An object is a plain file whose path is its key (directory_store.h has the layout). Its tag is
 * the SHA-256 of its content, so a person may edit the file in place and every cache notices.
 *
 * A small object is read into memory and judged there, so that tag and bytes belong together. A
 * large one is hashed (once: content.h), then streamed; its stamp is looked at again before the
 * last piece is handed on, so that nobody gets a whole made of two versions.
 */
#include "app/store/directory_store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "app/core/memory.h"
#include "hearth/clock.h"

enum { SMALL_OBJECT_BYTES = 262144 }; /* of each thread that reads, while it does */

/* What a get was asked, and what is known of its object. */
struct reading {
    struct content_cache *cache;
    const char *key;
    const struct object_get_options *options;
    object_receive_fn *receive;
    void *context;
    struct object_info *info; /* may be NULL */
    bool *modified;           /* may be NULL */
    struct error_record *error;
    int file;
    struct content_stamp stamp;
    unsigned char hash[CONTENT_HASH_BYTES];
};

static enum hearth_error failed_to(const struct reading *reading, const char *what)
{
    return directory_failed(reading->error, what, view_of(reading->key));
}

static enum hearth_error open_failed(const char *key, struct error_record *error)
{
    if (errno == ENOENT)
        return error_set(error, HEARTH_NOT_FOUND, "there is no such object");
    return directory_failed(error, "cannot open", view_of(key));
}

/* ---- Conditions ---- */

/* Judges by tag and size. `*send` with `length` bytes from the offset on, or an end. */
static enum hearth_error judge(const struct reading *reading, bool *send, uint64_t *length)
{
    const struct object_get_options *options = reading->options;
    struct object_info info;
    content_describe(&reading->stamp, reading->hash, &info);
    if (reading->info)
        *reading->info = info;
    *send = false;
    if (options->if_match.length > 0 && !view_equal(view_of(info.etag), options->if_match))
        return error_set(reading->error, HEARTH_PRECONDITION_FAILED, "the object has changed");
    bool same =
        options->if_none_match.length > 0 && view_equal(view_of(info.etag), options->if_none_match);
    if (reading->modified)
        *reading->modified = !same;
    if (same)
        return HEARTH_OK;
    if (options->offset > 0 && options->offset >= info.size_bytes)
        return error_set(reading->error, HEARTH_RANGE_NOT_SATISFIABLE,
                         "the object ends before the range begins");
    *send = true;
    *length = info.size_bytes - options->offset;
    if (options->length > 0 && options->length < *length)
        *length = options->length;
    return HEARTH_OK;
}

/* ---- Small objects ---- */

/* The whole content into `bytes`, as one version with its hash. `*changed`: it was not one. */
static enum hearth_error read_version(struct reading *reading, char *bytes, bool *changed)
{
    struct content_stamp after;
    bool settled = content_stamp_unsettled_ms(&reading->stamp) == 0;
    size_t size = (size_t)reading->stamp.size_bytes;
    int64_t got = content_read(reading->file, bytes, size, 0);
    if (got < 0 || !content_stamp_read(reading->file, &after))
        return failed_to(reading, "cannot read");
    *changed = (size_t)got != size || !content_stamp_equal(&reading->stamp, &after);
    if (*changed || content_cache_find(reading->cache, &reading->stamp, reading->hash))
        return HEARTH_OK;
    if (!content_hash_bytes(view_from(bytes, size), reading->hash))
        return error_set_internal(reading->error, HEARTH_NO_MEMORY, 0, "no memory to hash");
    if (settled)
        content_cache_keep(reading->cache, &reading->stamp, reading->hash);
    return HEARTH_OK;
}

static enum hearth_error deliver_small(struct reading *reading, const char *bytes)
{
    bool send;
    uint64_t length = 0;
    enum hearth_error failed = judge(reading, &send, &length);
    if (failed || !send || length == 0)
        return failed;
    return reading->receive(reading->context,
                            view_from(bytes + reading->options->offset, (size_t)length));
}

/* A kept hash may already say that nothing is to be sent. */
static bool decided_without_reading(struct reading *reading, enum hearth_error *outcome)
{
    bool send = true;
    uint64_t length;
    if (!content_cache_find(reading->cache, &reading->stamp, reading->hash))
        return false;
    *outcome = judge(reading, &send, &length);
    return !send;
}

static enum hearth_error get_small(struct reading *reading, bool *again)
{
    enum hearth_error outcome;
    if (decided_without_reading(reading, &outcome))
        return outcome;
    char *bytes = memory_new((size_t)reading->stamp.size_bytes + 1);
    if (!bytes)
        return error_set_internal(reading->error, HEARTH_NO_MEMORY, 0, "no memory for %s",
                                  reading->key);
    enum hearth_error result = read_version(reading, bytes, again);
    if (!result && !*again)
        result = deliver_small(reading, bytes);
    memory_free(bytes);
    return result;
}

/* ---- Large objects ---- */

static enum hearth_error stream(struct reading *reading, char *piece, uint64_t length)
{
    uint64_t offset = reading->options->offset, end = offset + length;
    while (offset < end) {
        uint64_t left = end - offset;
        size_t size = left < CONTENT_PIECE_BYTES ? (size_t)left : CONTENT_PIECE_BYTES;
        int64_t got = content_read(reading->file, piece, size, offset);
        struct content_stamp now;
        if (got < 0)
            return failed_to(reading, "cannot read");
        bool last = size == left;
        if ((size_t)got != size || (last && (!content_stamp_read(reading->file, &now) ||
                                             !content_stamp_unwritten(&reading->stamp, &now))))
            return error_set_internal(reading->error, HEARTH_IO, 0, "changed while it was read: %s",
                                      reading->key);
        enum hearth_error refused = reading->receive(reading->context, view_from(piece, size));
        if (refused)
            return refused;
        offset += size;
    }
    return HEARTH_OK;
}

static enum hearth_error stream_in_pieces(struct reading *reading, uint64_t length)
{
    char *piece = memory_new(CONTENT_PIECE_BYTES);
    if (!piece)
        return error_set_internal(reading->error, HEARTH_NO_MEMORY, 0, "no memory for %s",
                                  reading->key);
    enum hearth_error result = stream(reading, piece, length);
    memory_free(piece);
    return result;
}

/* `*waited`: this get has waited already. A stamp that has not settled would not show the next
 * change, so wait for that; once is enough, a clock that was set back would keep us for ever. */
static enum hearth_error get_large(struct reading *reading, bool *waited, bool *again)
{
    bool send;
    uint64_t length = 0;
    enum hearth_error failed = content_hash_file(reading->cache, reading->file, &reading->stamp,
                                                 reading->hash, reading->error);
    if (!failed)
        failed = judge(reading, &send, &length);
    if (failed || !send)
        return failed;
    int unsettled_ms = content_stamp_unsettled_ms(&reading->stamp);
    if (unsettled_ms == 0 || *waited)
        return stream_in_pieces(reading, length);
    nanosleep(&(struct timespec){.tv_nsec = unsettled_ms * 1000000L}, NULL);
    *waited = *again = true;
    return HEARTH_OK;
}

/* ---- The table ---- */

static enum hearth_error get_file(struct reading *reading)
{
    bool waited = false;
    for (int attempt = 0; attempt < CONTENT_ATTEMPTS; attempt++) {
        bool again = false;
        if (!content_stamp_read(reading->file, &reading->stamp))
            return failed_to(reading, "cannot ask for the state of");
        enum hearth_error failed = reading->stamp.size_bytes <= SMALL_OBJECT_BYTES
                                       ? get_small(reading, &again)
                                       : get_large(reading, &waited, &again);
        if (failed || !again)
            return failed;
    }
    return error_set_internal(reading->error, HEARTH_IO, 0, "keeps changing while it is read: %s",
                              reading->key);
}

static enum hearth_error directory_get(struct object_store *store, const char *key,
                                       const struct object_get_options *options,
                                       object_receive_fn *receive, void *context,
                                       struct object_info *info, bool *modified,
                                       struct error_record *error)
{
    static const struct object_get_options whole = {.length = 0};
    struct directory_store *directory = directory_store_of(store);
    struct reading reading = {.cache = &directory->cache,
                              .key = key,
                              .options = options ? options : &whole,
                              .receive = receive,
                              .context = context,
                              .info = info,
                              .error = error};
    reading.modified = modified;
    enum hearth_error result = directory_check_key(key, error);
    if (result)
        return result;
    reading.file = directory_open_object(directory->root, key);
    if (reading.file < 0)
        return open_failed(key, error);
    result = get_file(&reading);
    directory_close(reading.file);
    return result;
}

static enum hearth_error directory_head(struct object_store *store, const char *key,
                                        struct object_info *info, struct error_record *error)
{
    struct directory_store *directory = directory_store_of(store);
    struct content_stamp stamp;
    unsigned char hash[CONTENT_HASH_BYTES];
    enum hearth_error result = directory_check_key(key, error);
    if (result)
        return result;
    int file = directory_open_object(directory->root, key);
    if (file < 0)
        return open_failed(key, error);
    result = content_hash_file(&directory->cache, file, &stamp, hash, error);
    if (!result)
        content_describe(&stamp, hash, info);
    directory_close(file);
    return result;
}

static void directory_free(struct object_store *store)
{
    struct directory_store *directory = directory_store_of(store);
    if (!directory)
        return;
    directory_close(directory->root);
    content_cache_clean(&directory->cache);
    free(directory);
}

/* ---- Opening ---- */

static void sync_parent(const char *path, const char *slash)
{
    char parent[4096];
    size_t length = slash ? (size_t)(slash - path) : 0;
    if (length >= sizeof parent)
        return;
    memcpy(parent, path, length);
    parent[length] = '\0';
    int directory = open(slash ? (length ? parent : "/") : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory >= 0)
        fsync(directory);
    directory_close(directory);
}

/* Every missing directory of `path`, from the outermost on. `path` is changed and restored. */
static bool make_directories(char *path)
{
    for (char *end = path + 1;; end++) {
        if (*end != '/' && *end != '\0')
            continue;
        char kept = *end;
        *end = '\0';
        bool made = mkdir(path, 0700) == 0;
        bool there = made || errno == EEXIST;
        if (made)
            sync_parent(path, strrchr(path, '/'));
        *end = kept;
        if (!there || kept == '\0')
            return there;
    }
}

static int open_root(const char *path)
{
    int root = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (root >= 0 || errno != ENOENT || path[0] == '\0')
        return root;
    char *copy = strdup(path);
    if (!copy)
        return -1;
    bool made = make_directories(copy);
    free(copy);
    return made ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
}

struct object_store *directory_store_new(const char *path, struct error_record *error)
{
    struct directory_store *directory = calloc(1, sizeof *directory);
    if (!directory) {
        error_set_internal(error, HEARTH_NO_MEMORY, 0, "no memory for the object store");
        return NULL;
    }
    directory->store = (struct object_store){
        .capabilities = OBJECT_STORE_PUT_IF_ABSENT | OBJECT_STORE_PUT_IF_MATCH |
                        OBJECT_STORE_DURABLE | OBJECT_STORE_DELETE_IF_MATCH,
        .get = directory_get,
        .put = directory_put,
        .head = directory_head,
        .list = directory_list,
        .remove = directory_remove,
        .free = directory_free,
    };
    directory->lock_wait_ms = DIRECTORY_LOCK_WAIT_MS;
    directory->root = open_root(path);
    if (directory->root < 0) {
        directory_failed(error, "cannot open the object store", view_of(path));
        directory_free(&directory->store);
        return NULL;
    }
    if (!content_cache_init(&directory->cache)) {
        error_set_internal(error, HEARTH_NO_MEMORY, 0, "no memory for the object store");
        directory_free(&directory->store);
        return NULL;
    }
    directory_sweep(directory->root, clock_wall_ms(&clock_system) / 1000);
    return &directory->store;
}
