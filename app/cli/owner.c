/*
 * owner.c - working as the user whose data it is.
 *
 * `sudo hearth token new` must not leave files that the pool cannot read, and must not be led
 * astray, as root, by whoever may write in the pool's directory. So root becomes the owner before
 * it touches anything there. A link that somebody else than root made counts as his.
 */
#include "app/cli/owner.h"

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool owner_of(const char *path, struct stat *status)
{
    if (lstat(path, status) != 0)
        return false;
    return !S_ISLNK(status->st_mode) || status->st_uid != 0 || stat(path, status) == 0;
}

/* Cuts the last segment; false when nothing is left above. */
static bool go_up(char *path)
{
    char *slash = strrchr(path, '/');
    if (!slash || strcmp(path, "/") == 0)
        return false;
    slash[slash == path ? 1 : 0] = '\0';
    return true;
}

static enum hearth_error become(const struct stat *status, struct error_record *error)
{
    if (setgroups(0, NULL) == 0 && setresgid(status->st_gid, status->st_gid, status->st_gid) == 0 &&
        setresuid(status->st_uid, status->st_uid, status->st_uid) == 0)
        return HEARTH_OK;
    return error_set_internal(error, HEARTH_IO, errno, "cannot become user %u",
                              (unsigned)status->st_uid);
}

enum hearth_error owner_become(const char *path, struct error_record *error)
{
    char nearest[PATH_MAX];
    struct stat status;
    if (geteuid() != 0)
        return HEARTH_OK;
    int length = snprintf(nearest, sizeof nearest, "%s", path);
    if (length < 0 || (size_t)length >= sizeof nearest)
        return error_set_internal(error, HEARTH_IO, 0, "the path is too long");
    while (!owner_of(nearest, &status)) {
        if (!go_up(nearest))
            return HEARTH_OK;
    }
    return status.st_uid == 0 ? HEARTH_OK : become(&status, error);
}
