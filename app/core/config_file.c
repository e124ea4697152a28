/*
 * config_file.c - reading a small file whole.
 *
 * What a configuration names may be anything: a directory, a pipe nobody writes to, a disk image.
 * The file is opened without blocking, judged by fstat, and read in pieces up to the buffer's
 * maximum, so that none of these hangs or fills the memory of a pool that only wanted to reload.
 */
#include "app/core/config_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { PIECE_BYTES = 16384 };

static enum hearth_error judge(int file, struct stat *status, char *why, size_t why_size)
{
    if (fstat(file, status) != 0) {
        snprintf(why, why_size, "cannot be read: %s", strerror(errno));
        return HEARTH_IO;
    }
    if (S_ISREG(status->st_mode) || S_ISCHR(status->st_mode))
        return HEARTH_OK;
    snprintf(why, why_size, "%s",
             S_ISDIR(status->st_mode) ? "is a directory" : "is not a regular file");
    return HEARTH_BAD_REQUEST;
}

static enum hearth_error read_pieces(int file, struct buffer *out, char *why, size_t why_size)
{
    char piece[PIECE_BYTES];
    for (;;) {
        ssize_t got = read(file, piece, sizeof piece);
        if (got == 0)
            return HEARTH_OK;
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            snprintf(why, why_size, "cannot be read: %s", strerror(errno));
            return HEARTH_IO;
        }
        enum hearth_error error = buffer_append(out, view_from(piece, (size_t)got));
        if (error == HEARTH_BODY_TOO_LARGE)
            snprintf(why, why_size, "is larger than %zu bytes", out->max_bytes);
        if (error != HEARTH_OK)
            return error;
    }
}

enum hearth_error config_file_read(const char *path, struct buffer *out, struct stat *status,
                                   char *why, size_t why_size)
{
    struct stat own_status;
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (file < 0) {
        snprintf(why, why_size, "cannot be opened: %s", strerror(errno));
        return error_from_errno(errno);
    }
    enum hearth_error error = judge(file, status ? status : &own_status, why, why_size);
    if (error == HEARTH_OK)
        error = read_pieces(file, out, why, why_size);
    close(file);
    return error;
}
