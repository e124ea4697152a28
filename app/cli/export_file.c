/*
 * export_file.c - an answer into a file.
 */
#include "app/cli/export_file.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_BUFFER_BYTES = 1 << 20 };

/* The head says what a web client wants to know. */
static enum hearth_error take_head(struct response_sink *sink, const struct response_head *head)
{
    (void)sink;
    (void)head;
    return HEARTH_OK;
}

static enum hearth_error take_bytes(struct response_sink *sink, struct view bytes)
{
    struct export_file *file = (struct export_file *)(void *)sink;
    errno = 0;
    if (fwrite(bytes.data, 1, bytes.length, file->file) == bytes.length) {
        file->bytes += bytes.length;
        return HEARTH_OK;
    }
    file->number = errno ? errno : EIO;
    return error_from_errno(file->number);
}

static enum hearth_error take_end(struct response_sink *sink)
{
    (void)sink;
    return HEARTH_OK;
}

static void take_abort(struct response_sink *sink)
{
    (void)sink;
}

enum hearth_error export_file_open(struct export_file *file, const char *path,
                                   struct error_record *error)
{
    struct stat status;
    *file = (struct export_file){
        .sink = {.head = take_head, .write = take_bytes, .finish = take_end, .abort = take_abort},
        .path = path,
        .file = stdout};
    if (!path)
        return HEARTH_OK;
    bool special = stat(path, &status) == 0 && !S_ISREG(status.st_mode);
    int length =
        snprintf(file->temporary, sizeof file->temporary, "%s%s", path, special ? "" : ".part");
    if (length < 0 || (size_t)length >= sizeof file->temporary) {
        file->file = NULL;
        return error_set_internal(error, HEARTH_IO, ENAMETOOLONG, "the name is too long");
    }
    file->file = fopen(file->temporary, "we");
    if (!file->file)
        return error_set_internal(error, error_from_errno(errno), errno, "open %s",
                                  file->temporary);
    setvbuf(file->file, NULL, _IOFBF, FILE_BUFFER_BYTES);
    return HEARTH_OK;
}

static enum hearth_error fail(const struct export_file *file, int number,
                              struct error_record *error)
{
    return error_set_internal(error, error_from_errno(number), number, "write %s",
                              file->path ? file->path : "standard output");
}

static enum hearth_error keep(struct export_file *file, struct error_record *error)
{
    bool renamed = strcmp(file->temporary, file->path) != 0;
    if (renamed && rename(file->temporary, file->path) != 0)
        return fail(file, errno, error);
    return HEARTH_OK;
}

enum hearth_error export_file_close(struct export_file *file, bool good, struct error_record *error)
{
    FILE *open = file->file;
    file->file = NULL;
    if (!open)
        return HEARTH_OK;
    errno = 0;
    bool arrived = (file->path ? fclose(open) : fflush(open)) == 0;
    if (good && !arrived)
        file->number = errno ? errno : EIO;
    if (file->path && (!good || !arrived) && strcmp(file->temporary, file->path) != 0)
        unlink(file->temporary);
    if (file->number != 0)
        return fail(file, file->number, error);
    return good && file->path ? keep(file, error) : HEARTH_OK;
}
