/*
 * config_paths.c - validators for rows that name a file or a directory.
 *
 * They look at what is there now, which may change until it is used; they find mistakes, and
 * promise nothing.
 */
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "app/core/config_validate.h"

static bool refuse(char *why, size_t why_size, const char *what)
{
    snprintf(why, why_size, "%s", what);
    return false;
}

bool config_validate_path(struct view value, char *why, size_t why_size)
{
    if (value.length > 0 && value.data[0] == '/')
        return true;
    return refuse(why, why_size, "must be a path from the root, like /var/lib/hearth");
}

/* False when there is nothing, or nothing that can be looked at. */
static bool look_at(struct view path, struct stat *status)
{
    char terminated[PATH_MAX];
    if (path.length >= sizeof terminated)
        return false;
    memcpy(terminated, path.data, path.length);
    terminated[path.length] = '\0';
    return stat(terminated, status) == 0;
}

bool config_validate_file(struct view value, char *why, size_t why_size)
{
    struct stat status;
    if (!config_validate_path(value, why, why_size))
        return false;
    if (look_at(value, &status) && S_ISDIR(status.st_mode))
        return refuse(why, why_size, "is a directory");
    return true;
}

bool config_validate_directory(struct view value, char *why, size_t why_size)
{
    struct stat status;
    if (!config_validate_path(value, why, why_size))
        return false;
    if (look_at(value, &status) && !S_ISDIR(status.st_mode))
        return refuse(why, why_size, "is not a directory");
    return true;
}

/* The next segment that means something; empty at the end. */
static struct view next_segment(struct view *path)
{
    struct view segment = VIEW_NONE;
    while (path->data && (segment.length == 0 || view_equal(segment, VIEW("."))))
        segment = view_split(path, '/');
    return view_equal(segment, VIEW(".")) ? VIEW_NONE : segment;
}

bool config_same_directory(const char *one, const char *other)
{
    struct stat first, second;
    if (stat(one, &first) == 0 && stat(other, &second) == 0)
        return first.st_dev == second.st_dev && first.st_ino == second.st_ino;
    struct view left = view_of(one), right = view_of(other), segment;
    do {
        segment = next_segment(&left);
        if (!view_equal(segment, next_segment(&right)))
            return false;
    } while (segment.length > 0);
    return true;
}
