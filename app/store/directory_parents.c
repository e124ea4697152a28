/*
 * directory_parents.c - makes the directories that an object needs.
 *
 * In a directory a name is a file or a directory; in an object store "a" and "a/b" are two objects.
 * So when "a/b" is written and "a" is a file, that file moves to "a/.self\". No reader and no crash
 * may find "a" missing in between, so it goes like this, under the lock of "a":
 *
 *     .store\tmp/X/          made
 *     .store\tmp/X/.self\    a second name (hard link) of the file "a"; the directory is synced
 *     X and "a" exchanged    in one step (RENAME_EXCHANGE): "a" is the directory from here on
 *     .store\tmp/X           is the file's first name now, and is removed
 *
 * It never goes back; a directory is removed when it is empty, with the last object in it.
 */
#include "app/store/directory_store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* A directory X with the file as its ".self\", next to the file under its old name. */
struct move {
    int temporary;                            /* where X is made */
    int inside;                               /* X */
    int parent;                               /* where the file is */
    const char *leaf;                         /* the file's name there */
    char name[DIRECTORY_TEMPORARY_NAME_SIZE]; /* X */
    bool exchanged;                           /* X is in the tree; its name here is the file's */
};

static enum hearth_error move_prepare(struct move *move, int root, const char *key,
                                      struct error_record *error)
{
    directory_temporary_name(move->name);
    move->leaf = directory_leaf(key);
    move->temporary = directory_open_temporary(root);
    if (move->temporary < 0 || mkdirat(move->temporary, move->name, 0700) != 0)
        return directory_failed(error, "cannot make a directory for an object", view_of(key));
    move->inside = directory_enter(move->temporary, view_of(move->name));
    if (move->inside < 0)
        return directory_failed(error, "cannot make a directory for an object", view_of(key));
    return HEARTH_OK;
}

/* EPERM, EINVAL and the like: no hard links, or no exchange, on this file system. */
static enum hearth_error cannot_hold_both(struct error_record *error, const char *key)
{
    int number = errno;
    if (number == ENOSPC || number == EDQUOT || number == ENOMEM || number == EIO)
        return directory_failed(error, "cannot move an object", view_of(key));
    return error_set_internal(error, HEARTH_CONFLICT, number,
                              "this file system cannot hold an object and others below it: %s",
                              key);
}

static enum hearth_error move_exchange(struct move *move, const char *key,
                                       struct error_record *error)
{
    if (linkat(move->parent, move->leaf, move->inside, directory_self_name, 0) != 0)
        return cannot_hold_both(error, key);
    if (fsync(move->inside) != 0 && errno != EINVAL)
        return directory_failed(error, "cannot sync a directory of", view_of(key));
    if (renameat2(move->temporary, move->name, move->parent, move->leaf, RENAME_EXCHANGE) != 0)
        return cannot_hold_both(error, key);
    move->exchanged = true;
    /* Usually two names of one file, and then rename does nothing. But if an editor replaced the
     * file since it was linked, what came out of the exchange is the newer one. */
    if (renameat(move->temporary, move->name, move->inside, directory_self_name) != 0)
        return directory_failed(error, "cannot move an object", view_of(key));
    /* The exchange must be on disk before the file's other name goes. If it may not be, the name
     * stays, as one more leftover. */
    if (fsync(move->parent) != 0 && errno != EINVAL)
        return directory_failed(error, "cannot sync the directory of", view_of(key));
    unlinkat(move->temporary, move->name, 0);
    return HEARTH_OK;
}

static void move_clean(struct move *move)
{
    if (move->temporary >= 0 && !move->exchanged) {
        if (move->inside >= 0)
            unlinkat(move->inside, directory_self_name, 0);
        unlinkat(move->temporary, move->name, AT_REMOVEDIR);
    }
    directory_close(move->inside);
    directory_close(move->temporary);
    directory_close(move->parent);
}

/* Is there still a file to be moved? Other writers may have moved or removed it by now. */
static enum hearth_error move_needed(struct move *move, int root, const char *key, bool *needed,
                                     struct error_record *error)
{
    struct stat status;
    *needed = false;
    move->parent = directory_open_path(root, directory_parent(key));
    if (move->parent < 0 && errno != ENOENT && errno != ENOTDIR)
        return directory_failed(error, "cannot open the directory of an object", view_of(key));
    if (move->parent < 0 ||
        fstatat(move->parent, directory_leaf(key), &status, AT_SYMLINK_NOFOLLOW) != 0 ||
        S_ISDIR(status.st_mode))
        return HEARTH_OK;
    if (!S_ISREG(status.st_mode))
        return error_set_internal(error, HEARTH_CONFLICT, 0,
                                  "a link or a device stands in the way: %s", key);
    *needed = true;
    return HEARTH_OK;
}

static enum hearth_error move_inside_locked(int root, const char *key, struct error_record *error)
{
    struct move move = {.temporary = -1, .inside = -1, .parent = -1};
    bool needed;
    enum hearth_error result = move_needed(&move, root, key, &needed, error);
    if (!result && needed) {
        result = move_prepare(&move, root, key, error);
        if (!result)
            result = move_exchange(&move, key, error);
    }
    move_clean(&move);
    return result;
}

static enum hearth_error move_inside(const struct directory_store *store, struct view path,
                                     struct error_record *error)
{
    char key[LIMIT_OBJECT_KEY + 1];
    int lock;
    snprintf(key, sizeof key, "%.*s", VIEW_ARGUMENTS(path));
    enum hearth_error failed = directory_lock(store, path, &lock, error);
    if (failed)
        return failed;
    failed = move_inside_locked(store->root, key, error);
    directory_close(lock);
    return failed;
}

/* One step down, made when it is missing. -1: ENOTDIR (a file stands there), ENOENT (the parent was
 * removed meanwhile), or a failure. */
static int enter_or_make(int directory, struct view segment)
{
    char name[DIRECTORY_NAME_BYTES + 1];
    int inner = directory_enter(directory, segment);
    if (inner >= 0 || errno != ENOENT)
        return inner;
    snprintf(name, sizeof name, "%.*s", VIEW_ARGUMENTS(segment));
    if (mkdirat(directory, name, 0700) != 0 && errno != EEXIST)
        return -1;
    return directory_enter(directory, segment);
}

/* As far down as it goes. On -1 with ENOTDIR `reached` is the part of the path that is a file. */
static int walk_down(int root, struct view path, struct view *reached)
{
    int directory = directory_open_path(root, VIEW_NONE);
    struct view rest = path.length > 0 ? path : VIEW_NONE;
    while (directory >= 0 && rest.data) {
        struct view segment = view_split(&rest, '/');
        *reached = view_from(path.data, (size_t)(segment.data - path.data) + segment.length);
        int inner = enter_or_make(directory, segment);
        directory_close(directory);
        directory = inner;
    }
    return directory;
}

enum hearth_error directory_make_path(const struct directory_store *store, struct view path,
                                      int *directory, struct error_record *error)
{
    for (int attempt = 0; attempt < DIRECTORY_WRITE_ATTEMPTS; attempt++) {
        struct view reached = VIEW_NONE;
        *directory = walk_down(store->root, path, &reached);
        if (*directory >= 0)
            return HEARTH_OK;
        if (errno == ENOTDIR) {
            enum hearth_error failed = move_inside(store, reached, error);
            if (failed)
                return failed;
        } else if (errno != ENOENT) {
            return directory_failed(error, "cannot make a directory", path);
        }
    }
    return error_set_internal(error, HEARTH_UNAVAILABLE, 0,
                              "other writers keep removing the directory %.*s",
                              VIEW_ARGUMENTS(path));
}
