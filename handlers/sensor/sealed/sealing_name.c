/*
 * sealing_name.c - a sealed file gets its name, and takes it from no other. What stands there is
 * read only when the name is taken, which it hardly ever is.
 */
#include "handlers/sensor/sealed/sealing_name.h"

#include "handlers/sensor/disk/live_memory.h"
#include "handlers/sensor/record/record.h"
#include "hearth/telemetry.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

struct standing {
    struct record *records; /* to free */
    size_t bytes;
};

static enum hearth_error read_standing(struct sealing *sealing, const char *path,
                                       struct standing *standing, struct error_record *error)
{
    struct file_status status;
    int file = file_open(sealing->files, path, O_RDONLY, 0, error);
    if (file < 0)
        return error_from_errno(errno);
    enum hearth_error code = file_status_of(sealing->files, file, path, &status, error);
    if (code == HEARTH_OK) {
        standing->records = memory_new((size_t)status.size_bytes + 1);
        code = standing->records
                   ? file_read_all(sealing->files, file, path, standing->records,
                                   (size_t)status.size_bytes, 0, &standing->bytes, error)
                   : error_set_internal(error, HEARTH_NO_MEMORY, 0, "no memory to read %s", path);
    }
    file_close(sealing->files, file);
    return code;
}

/* Fits bsearch: by identity. */
static int compare(const void *left, const void *right)
{
    return record_same(left, right) ? 0 : memcmp(left, right, RECORD_BYTES);
}

/* Does it stand in the new file, or in another that is sealed? */
static enum hearth_error find(struct sealing *sealing, const struct sealed_file *file,
                              const struct record *records, const struct record *record,
                              bool *known)
{
    *known = record_check(record) == REJECT_NONE;
    if (!*known || bsearch(record, records, file->records, sizeof *record, compare))
        return HEARTH_OK;
    enum hearth_error code = sealed_index_find(sealing->sealed, record, known, NULL);
    return code == HEARTH_NO_MEMORY ? code : HEARTH_OK; /* what cannot be read proves nothing */
}

/* Would it be missed? */
static enum hearth_error judge(struct sealing *sealing, const struct sealed_file *file,
                               const struct record *records, const struct standing *standing,
                               struct error_record *error)
{
    char name[SEALED_NAME_BYTES];
    bool known = standing->bytes % RECORD_BYTES == 0;
    for (size_t i = 0; known && i < standing->bytes / RECORD_BYTES; i++)
        if (find(sealing, file, records, &standing->records[i], &known) != HEARTH_OK)
            return error_set_internal(error, HEARTH_NO_MEMORY, 0, "no memory to look for readings");
    if (known)
        return HEARTH_OK;
    sealed_name_format(file, name);
    return error_set_internal(error, HEARTH_CORRUPT, 0,
                              "%s stands already, no row of the manifest names it, and it has "
                              "readings that are nowhere else: move it out of the store and import "
                              "it",
                              name);
}

static enum hearth_error settle(struct sealing *sealing, const struct sealed_file *file,
                                const struct record *records, const char *beside, const char *path,
                                const struct standing *standing, struct error_record *error)
{
    size_t bytes = file->records * sizeof *records;
    if (standing->bytes == bytes && memcmp(standing->records, records, bytes) == 0)
        return file_remove(sealing->files, beside, error);
    enum hearth_error code = judge(sealing, file, records, standing, error);
    if (code != HEARTH_OK)
        return code;
    LOG_WARN("sensor_sealed_file_replaced", LOG_TEXT("file", path),
             LOG_INTEGER("bytes", (int64_t)standing->bytes),
             LOG_INTEGER("new_bytes", (int64_t)bytes));
    return file_rename(sealing->files, beside, path, error);
}

enum hearth_error sealing_name(struct sealing *sealing, const struct sealed_file *file,
                               const struct record *records, const char *beside, const char *path,
                               struct error_record *error)
{
    struct standing standing = {0};
    bool stands;
    enum hearth_error code = file_rename_new(sealing->files, beside, path, &stands, error);
    if (code != HEARTH_OK || !stands)
        return code;
    code = read_standing(sealing, path, &standing, error);
    if (code == HEARTH_OK && standing.records)
        code = settle(sealing, file, records, beside, path, &standing, error);
    memory_free(standing.records);
    return code;
}
