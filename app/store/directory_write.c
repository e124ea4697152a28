/*
 * directory_write.c - puts and removes objects in a directory.
 *
 * A put writes the content to a temporary file and syncs it before it takes the key's lock. Under
 * the lock it looks at what stands there, judges the condition, and gives the file its name in one
 * step: rename(2), or link(2) where nothing may stand yet, so that even an editor that knows no
 * lock cannot get in between. Then the directories on the way are synced, all of them: one that was
 * found there may have been made a moment ago by a writer that has not come to its own sync.
 *
 * Directories come and go under other keys' locks. A name that turned into a directory, and a
 * directory that was removed, show as errors of the last step; then the way is made again.
 */
#include "app/store/directory_store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Where a key's object is, or would be: a name in its parent, or ".self\" in a directory of its
 * name. */
struct slot {
    int directory;
    const char *name;
};

struct write {
    struct directory_store *store;
    const char *key;
    const struct object_put_options *options;
    int temporary; /* the directory of temporary files */
    char name[DIRECTORY_TEMPORARY_NAME_SIZE];
};

/* ---- The temporary file ---- */

static enum hearth_error write_all(int file, struct view content)
{
    while (content.length > 0) {
        ssize_t written = write(file, content.data, content.length);
        if (written < 0 && errno != EINTR)
            return HEARTH_IO;
        if (written > 0)
            content = view_skip(content, (size_t)written);
    }
    return HEARTH_OK;
}

static int temporary_create(struct write *write)
{
    for (int attempt = 0; attempt < DIRECTORY_WRITE_ATTEMPTS; attempt++) {
        directory_temporary_name(write->name);
        int file = openat(write->temporary, write->name,
                          O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (file >= 0 || errno != EEXIST)
            return file;
    }
    return -1;
}

/* Written, synced, closed, and not yet an object. Removes it on failure. */
static enum hearth_error temporary_write(struct write *write, struct view content,
                                         struct content_stamp *stamp, struct error_record *error)
{
    int file = temporary_create(write);
    if (file < 0)
        return directory_failed(error, "cannot create a file for", view_of(write->key));
    bool written = write_all(file, content) == HEARTH_OK && fsync(file) == 0 &&
                   content_stamp_read(file, stamp);
    if (!written)
        directory_close(file);
    else
        written = close(file) == 0;
    if (written)
        return HEARTH_OK;
    enum hearth_error failed =
        directory_failed(error, "cannot write the content of", view_of(write->key));
    unlinkat(write->temporary, write->name, 0);
    return failed;
}

/* ---- Under the lock ---- */

/* Takes over `parent`. */
static void slot_find(int parent, const char *leaf, struct slot *slot)
{
    int inside = directory_enter(parent, view_of(leaf));
    *slot = (struct slot){.directory = parent, .name = leaf};
    if (inside >= 0) {
        directory_close(parent);
        *slot = (struct slot){.directory = inside, .name = directory_self_name};
    }
}

/* HEARTH_OK when the object has the tag that `wanted` asks for. */
static enum hearth_error check_tag(struct directory_store *directory, const char *key,
                                   struct view wanted, struct error_record *error)
{
    struct content_stamp stamp;
    unsigned char hash[CONTENT_HASH_BYTES];
    struct object_info info;
    int file = directory_open_object(directory->root, key);
    if (file < 0 && errno == ENOENT)
        return error_set(error, HEARTH_PRECONDITION_FAILED, "the object is not there");
    if (file < 0)
        return directory_failed(error, "cannot open", view_of(key));
    enum hearth_error failed = content_hash_file(&directory->cache, file, &stamp, hash, error);
    directory_close(file);
    if (failed)
        return failed;
    content_describe(&stamp, hash, &info);
    if (!view_equal(view_of(info.etag), wanted))
        return error_set(error, HEARTH_PRECONDITION_FAILED, "the object has changed");
    return HEARTH_OK;
}

/* Something stands under the name; but a directory that was made meanwhile, and may be gone again,
 * is no object. */
static bool object_stands(const struct slot *slot)
{
    struct stat status;
    return fstatat(slot->directory, slot->name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
           !S_ISDIR(status.st_mode);
}

/* Gives the temporary file its name. `again`: something came in between; make the way anew. */
static enum hearth_error place(const struct write *write, const struct slot *slot, bool *again,
                               struct error_record *error)
{
    bool create = write->options->if_absent;
    int result = create ? linkat(write->temporary, write->name, slot->directory, slot->name, 0)
                        : renameat(write->temporary, write->name, slot->directory, slot->name);
    if (result == 0 && create)
        unlinkat(write->temporary, write->name, 0);
    if (result == 0)
        return HEARTH_OK;
    if (create && errno == EEXIST && object_stands(slot))
        return error_set(error, HEARTH_PRECONDITION_FAILED, "the object stands already");
    *again = errno == EEXIST || errno == EISDIR || errno == ENOENT;
    return *again ? HEARTH_OK : directory_failed(error, "cannot put in place", view_of(write->key));
}

/* Takes over `parent`. */
static enum hearth_error place_locked(const struct write *write, int parent, bool *again,
                                      struct error_record *error)
{
    struct slot slot;
    enum hearth_error result = HEARTH_OK;
    slot_find(parent, directory_leaf(write->key), &slot);
    if (write->options->if_match.length > 0)
        result = check_tag(write->store, write->key, write->options->if_match, error);
    if (!result)
        result = place(write, &slot, again, error);
    directory_close(slot.directory);
    return result;
}

/* One try: the way is made without the key's lock, since an object in the way is moved under its
 * own. */
static enum hearth_error place_once(const struct write *write, bool *again,
                                    struct error_record *error)
{
    int parent, lock;
    enum hearth_error failed =
        directory_make_path(write->store, directory_parent(write->key), &parent, error);
    if (failed)
        return failed;
    failed = directory_lock(write->store, view_of(write->key), &lock, error);
    if (failed) {
        directory_close(parent);
        return failed;
    }
    failed = place_locked(write, parent, again, error);
    directory_close(lock);
    return failed;
}

static enum hearth_error place_in_tree(const struct write *write, struct error_record *error)
{
    for (int attempt = 0; attempt < DIRECTORY_WRITE_ATTEMPTS; attempt++) {
        bool again = false;
        enum hearth_error failed = place_once(write, &again, error);
        if (failed || !again)
            return failed;
    }
    return error_set_internal(error, HEARTH_UNAVAILABLE, 0,
                              "other writers keep removing the directory of %s", write->key);
}

/* ---- The tree around an object ---- */

/* Removes the directories above that are empty, from the innermost on. Others may be filling them:
 * rmdir fails then, or they make them again. */
static void prune(int root, const char *key)
{
    char path[LIMIT_OBJECT_KEY + 1];
    snprintf(path, sizeof path, "%s", key);
    while (path[0] != '\0') {
        int parent = directory_open_path(root, directory_parent(path));
        int removed = parent < 0 ? -1 : unlinkat(parent, directory_leaf(path), AT_REMOVEDIR);
        /* The key itself is a file more often than a directory, and gone by now. */
        bool go_on = removed == 0 || errno == ENOENT || errno == ENOTDIR;
        directory_close(parent);
        if (!go_on)
            return;
        path[directory_parent(path).length] = '\0';
    }
}

/* The object may be ".self\" in a directory of its own name, so the whole key is walked. */
static enum hearth_error sync_way(int root, const char *key, struct error_record *error)
{
    if (directory_sync_path(root, view_of(key)) != 0)
        return directory_failed(error, "cannot sync the directory of", view_of(key));
    return HEARTH_OK;
}

/* ---- Putting ---- */

static enum hearth_error write_object(struct write *write, struct view content,
                                      struct content_stamp *stamp, struct error_record *error)
{
    write->temporary = directory_open_temporary(write->store->root);
    if (write->temporary < 0)
        return directory_failed(error, "cannot make a temporary file for", view_of(write->key));
    enum hearth_error result = temporary_write(write, content, stamp, error);
    if (!result) {
        result = place_in_tree(write, error);
        if (result) {
            unlinkat(write->temporary, write->name, 0);
            prune(write->store->root, write->key);
        }
    }
    directory_close(write->temporary);
    return result ? result : sync_way(write->store->root, write->key, error);
}

enum hearth_error directory_put(struct object_store *store, const char *key, struct view content,
                                const struct object_put_options *options, struct object_info *info,
                                struct error_record *error)
{
    static const struct object_put_options unconditional = {.if_absent = false};
    struct write write = {.store = directory_store_of(store),
                          .key = key,
                          .options = options ? options : &unconditional};
    struct content_stamp stamp;
    unsigned char hash[CONTENT_HASH_BYTES];
    enum hearth_error failed = directory_check_key(key, error);
    if (failed)
        return failed;
    if (write.options->if_absent && write.options->if_match.length > 0)
        return error_set(error, HEARTH_BAD_REQUEST, "if_absent and if_match exclude each other");
    if (!content_hash_bytes(content, hash))
        return error_set_internal(error, HEARTH_NO_MEMORY, 0, "no memory to hash an object");
    failed = write_object(&write, content, &stamp, error);
    if (!failed)
        content_describe(&stamp, hash, info);
    return failed;
}

/* ---- Removing ---- */

static enum hearth_error remove_locked(struct directory_store *directory, const char *key,
                                       struct view if_match, struct error_record *error)
{
    struct slot slot;
    struct stat status;
    if (if_match.length > 0) {
        enum hearth_error differs = check_tag(directory, key, if_match, error);
        if (differs)
            return differs;
    }
    int parent = directory_open_path(directory->root, directory_parent(key));
    if (parent < 0 && (errno == ENOENT || errno == ENOTDIR))
        return HEARTH_OK;
    if (parent < 0)
        return directory_failed(error, "cannot open the directory of", view_of(key));
    slot_find(parent, directory_leaf(key), &slot);
    /* What is no file is no object, and is left alone. */
    bool there = fstatat(slot.directory, slot.name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
                 S_ISREG(status.st_mode);
    enum hearth_error result = HEARTH_OK;
    if (there && unlinkat(slot.directory, slot.name, 0) != 0 && errno != ENOENT)
        result = directory_failed(error, "cannot remove", view_of(key));
    directory_close(slot.directory);
    return result;
}

enum hearth_error directory_remove(struct object_store *store, const char *key,
                                   struct view if_match, struct error_record *error)
{
    struct directory_store *directory = directory_store_of(store);
    int lock;
    enum hearth_error failed = directory_check_key(key, error);
    if (failed)
        return failed;
    failed = directory_lock(directory, view_of(key), &lock, error);
    if (failed)
        return failed;
    failed = remove_locked(directory, key, if_match, error);
    directory_close(lock);
    if (failed)
        return failed;
    prune(directory->root, key);
    return sync_way(directory->root, key, error);
}
