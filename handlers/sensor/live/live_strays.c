/*
 * live_strays.c - sealed files that no row of the manifest names: all names are looked up in the
 * list of the manifest's, and only what is not there is read.
 */
#include "handlers/sensor/live/live_strays.h"

#include "handlers/sensor/record/record.h"
#include "handlers/sensor/sealed/sealed_names.h"
#include "hearth/telemetry.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>

enum { PATH_BYTES = 2048 + SEALED_NAME_BYTES, BLOCK_RECORDS = 1024 };

struct strays {
    struct file_operations *files;
    const char *store;
    struct sealed_index *sealed;
    const struct live_names *live;
    struct error_record *error;
    enum hearth_error code;
    uint64_t highest, found; /* found: after the first as well, unread */
    struct sealed_file first;
};

/* Is its sealing under way? Once its rows stand it is over. */
static bool is_leftover(const struct strays *strays, uint64_t sequence)
{
    for (size_t i = 0; i < strays->live->count; i++)
        if (strays->live->names[i].sequence == sequence)
            return !sealed_index_has(strays->sealed, sequence);
    return false;
}

/* Do all of these stand in files that the manifest names? */
static enum hearth_error find_all(struct strays *strays, const struct record *records, size_t count,
                                  bool *known)
{
    enum hearth_error code = HEARTH_OK;
    for (size_t i = 0; i < count && *known; i++) {
        *known = record_check(&records[i]) == REJECT_NONE;
        if (*known)
            code = sealed_index_find(strays->sealed, &records[i], known, strays->error);
        if (code == HEARTH_NO_MEMORY)
            return code;
        *known = *known && code == HEARTH_OK;
    }
    return HEARTH_OK;
}

static enum hearth_error read_file(struct strays *strays, int file, const char *path, bool *known)
{
    struct record records[BLOCK_RECORDS];
    enum hearth_error code = HEARTH_OK;
    size_t got = sizeof records;
    *known = true;
    for (uint64_t at = 0; *known && code == HEARTH_OK && got == sizeof records; at += got) {
        code = file_read_all(strays->files, file, path, records, sizeof records, at, &got,
                             strays->error);
        if (code == HEARTH_OK)
            code = find_all(strays, records, got / RECORD_BYTES, known);
        if (got % RECORD_BYTES != 0)
            *known = false;
    }
    return code;
}

static enum hearth_error stands_elsewhere(struct strays *strays, const struct sealed_file *stray,
                                          bool *known)
{
    char name[SEALED_NAME_BYTES], path[PATH_BYTES];
    sealed_name_format(stray, name);
    snprintf(path, sizeof path, "%.2047s/%s", strays->store, name);
    int file = file_open(strays->files, path, O_RDONLY, 0, strays->error);
    if (file < 0)
        return error_from_errno(errno);
    enum hearth_error code = read_file(strays, file, path, known);
    file_close(strays->files, file);
    if (code == HEARTH_OK && *known)
        LOG_WARN("sensor_file_not_in_manifest", LOG_TEXT("file", path));
    return code;
}

/* Fits sealed_names_fn. */
static bool see_file(void *context, const struct sealed_file *file)
{
    struct strays *strays = context;
    bool known = false;
    if (file->sequence > strays->highest)
        strays->highest = file->sequence;
    if (sealed_index_lists(strays->sealed, file) || is_leftover(strays, file->sequence))
        return true;
    if (strays->found == 0 && strays->code == HEARTH_OK)
        strays->code = stands_elsewhere(strays, file, &known);
    if (strays->code == HEARTH_OK && !known && strays->found++ == 0)
        strays->first = *file;
    return true;
}

static enum hearth_error refuse(const struct strays *strays)
{
    char name[SEALED_NAME_BYTES], others[40] = "";
    sealed_name_format(&strays->first, name);
    if (strays->found > 1)
        snprintf(others, sizeof others, " (and %" PRIu64 " more)", strays->found - 1);
    return error_set_internal(strays->error, HEARTH_CORRUPT, 0,
                              "%s%s: no row of the manifest names it, so rows were lost: put the "
                              "manifest back as it was, or move such files out of the store and "
                              "`hearth import` them",
                              name, others);
}

enum hearth_error live_strays_look(struct file_operations *files, const char *store,
                                   struct sealed_index *sealed, const struct live_names *live,
                                   uint64_t *highest, struct error_record *error)
{
    struct error_record listing = {0};
    struct strays strays = {
        .files = files, .store = store, .sealed = sealed, .live = live, .error = error};
    if (sealed_names_each(files, store, see_file, &strays, &listing) != HEARTH_OK)
        LOG_ERROR("sensor_file_unreadable", LOG_TEXT("reason", error_name(listing.code)),
                  LOG_TEXT("detail", listing.detail));
    *highest = strays.highest;
    if (strays.code != HEARTH_OK)
        return strays.code;
    return strays.found > 0 ? refuse(&strays) : HEARTH_OK;
}
