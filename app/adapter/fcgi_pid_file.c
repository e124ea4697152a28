/*
 * fcgi_pid_file.c - see fcgi_pid_file.h. Written beside and renamed, so that nobody reads half.
 */
#include "app/adapter/fcgi_pid_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static enum hearth_error failed(struct error_record *error, const char *path)
{
    const int number = errno;
    return error_set(error, error_from_errno(number), "%s: %s", path, strerror(number));
}

enum hearth_error fcgi_pid_file_write(const char *path, struct error_record *error)
{
    char beside[PATH_MAX], text[24];
    if (path[0] == '\0') {
        return HEARTH_OK;
    }
    if ((size_t)snprintf(beside, sizeof beside, "%s.new", path) >= sizeof beside) {
        errno = ENAMETOOLONG;
        return failed(error, path);
    }
    const int fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd < 0) {
        return failed(error, beside);
    }
    const int length = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    const bool written = write(fd, text, (size_t)length) == length;
    if (close(fd) != 0 || !written || rename(beside, path) != 0) {
        const enum hearth_error code = failed(error, path);
        unlink(beside);
        return code;
    }
    return HEARTH_OK;
}

void fcgi_pid_file_remove(const char *path)
{
    char text[24] = "", ours[24];
    if (path[0] == '\0') {
        return;
    }
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return;
    }
    snprintf(ours, sizeof ours, "%ld\n", (long)getpid());
    const ssize_t length = read(fd, text, sizeof text - 1);
    close(fd);
    if (length > 0 && strcmp(text, ours) == 0) {
        unlink(path);
    }
}
