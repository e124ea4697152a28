/*
 * sealing.c - one finished live file becomes sealed files.
 *
 * What a live file's sealed files hold follows from its slots and from the files sealed before it,
 * so a try that was broken off is made again over what it left: the same names, the same bytes. A
 * file gets its name when it is whole and synced, and takes it from no other (sealing_name.h).
 *
 * An import seals hundreds of days at once. So a group of files is written first, and only then
 * each is synced: meanwhile the system writes them all, and the first sync does most of the work.
 */
#include "handlers/sensor/sealed/sealing.h"

#include "handlers/sensor/disk/live_memory.h"

#include "handlers/sensor/record/record.h"
#include "handlers/sensor/sealed/sealing_name.h"
#include "hearth/telemetry.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

enum { PATH_BYTES = 2048 + SEALED_NAME_BYTES + 8, DAY_MS = 86400000, GROUP_FILES = 64 };

/* ---- Reading ---- */

static enum hearth_error read_slots(struct sealing *sealing, const struct live_name *name,
                                    uint64_t slots, struct error_record *error)
{
    char path[LIVE_PATH_BYTES];
    size_t got = 0, bytes = (size_t)slots * RECORD_BYTES;
    live_path(sealing->store, name, path);
    int file = file_open(sealing->files, path, O_RDONLY, 0, error);
    if (file < 0)
        return error_from_errno(errno);
    enum hearth_error code =
        file_read_all(sealing->files, file, path, sealing->records, bytes, 0, &got, error);
    file_close(sealing->files, file);
    if (code == HEARTH_OK && got < bytes)
        code = error_set_internal(error, HEARTH_CORRUPT, 0, "%s became shorter", path);
    return code;
}

enum hearth_error sealing_read(struct sealing *sealing, struct file_operations *files,
                               const char *store, const struct live_name *name, uint64_t slots,
                               struct error_record *error)
{
    *sealing = (struct sealing){.files = files, .store = store, .sequence = name->sequence};
    sealing->records = memory_new(((size_t)slots + 1) * sizeof *sealing->records);
    if (!sealing->records)
        return error_set_internal(error, HEARTH_NO_MEMORY, 0, "no memory to seal %llu readings",
                                  (unsigned long long)slots);
    enum hearth_error code = read_slots(sealing, name, slots, error);
    for (uint64_t slot = 0; code == HEARTH_OK && slot < slots; slot++)
        if (record_check(&sealing->records[slot]) == REJECT_NONE)
            sealing->records[sealing->count++] = sealing->records[slot];
    sealing->bad_slots = slots - sealing->count;
    return code;
}

void sealing_clean(struct sealing *sealing)
{
    memory_free(sealing->records);
    memory_free(sealing->parts);
    *sealing = (struct sealing){0};
}

/* ---- Splitting ---- */

/* Of a file that cannot be read nothing is known, and the commit has asked when it could be. A
 * reading that was taken while such a file was missing, and is sealed before it comes back, stands
 * in both then: readers count it once, and `hearth verify` names its day. */
static enum hearth_error drop_known(struct sealing *sealing, struct sealed_index *sealed,
                                    struct error_record *error)
{
    size_t kept = 0;
    for (size_t i = 0; i < sealing->count; i++) {
        struct error_record unreadable = {0};
        bool known;
        enum hearth_error code =
            sealed_index_find(sealed, &sealing->records[i], &known, &unreadable);
        if (code == HEARTH_NO_MEMORY)
            return error_set_internal(error, code, 0, "%s", unreadable.detail);
        if (code != HEARTH_OK && sealing->unasked++ == 0)
            LOG_ERROR("sensor_file_unreadable", LOG_TEXT("reason", error_name(code)),
                      LOG_TEXT("detail", unreadable.detail));
        if (!known)
            sealing->records[kept++] = sealing->records[i];
    }
    sealing->count = kept;
    return HEARTH_OK;
}

static enum hearth_error drop_sealed(struct sealing *sealing, struct sealed_index *sealed,
                                     struct error_record *error)
{
    sealed_index_hold_failures(sealed, true);
    enum hearth_error code = drop_known(sealing, sealed, error);
    sealed_index_hold_failures(sealed, false);
    return code;
}

static bool is_suspect(const struct record *record)
{
    return record_time_quality(record) == TIME_SUSPECT;
}

/* Behind the others; both stay in order. */
static enum hearth_error move_suspects(struct sealing *sealing, struct error_record *error)
{
    struct record *records = sealing->records;
    size_t kept = 0, suspects = 0;
    for (size_t i = 0; i < sealing->count; i++)
        sealing->suspects += is_suspect(&records[i]);
    if (sealing->suspects == 0)
        return HEARTH_OK;
    struct record *aside = memory_new(sealing->suspects * sizeof *aside);
    if (!aside)
        return error_set_internal(error, HEARTH_NO_MEMORY, 0, "no memory for suspect readings");
    for (size_t i = 0; i < sealing->count; i++) {
        if (is_suspect(&records[i]))
            aside[suspects++] = records[i];
        else
            records[kept++] = records[i];
    }
    memcpy(records + kept, aside, suspects * sizeof *aside);
    memory_free(aside);
    return HEARTH_OK;
}

static int32_t day_of(const struct record *record)
{
    return (int32_t)(record_time_ms(record) / DAY_MS);
}

/* How many of the records from `first` on belong to its part. */
static size_t part_end(const struct sealing *sealing, size_t first)
{
    size_t others = sealing->count - sealing->suspects, end = first + 1;
    if (first >= others)
        return sealing->count;
    while (end < others && day_of(&sealing->records[end]) == day_of(&sealing->records[first]))
        end++;
    return end;
}

static enum hearth_error make_parts(struct sealing *sealing, struct error_record *error)
{
    size_t parts = 0;
    for (size_t first = 0; first < sealing->count; first = part_end(sealing, first))
        parts++;
    sealing->parts = memory_new_zero(parts + 1, sizeof *sealing->parts);
    if (!sealing->parts)
        return error_set_internal(error, HEARTH_NO_MEMORY, 0, "no memory for %zu days", parts);
    for (size_t first = 0, end; first < sealing->count; first = end) {
        end = part_end(sealing, first);
        bool suspect = first >= sealing->count - sealing->suspects;
        sealing->parts[sealing->part_count++].file = (struct sealed_file){
            .day = suspect ? SEALED_SUSPECT_DAY : day_of(&sealing->records[first]),
            .records = (uint32_t)(end - first),
            .sequence = sealing->sequence,
        };
    }
    return HEARTH_OK;
}

enum hearth_error sealing_split(struct sealing *sealing, struct sealed_index *sealed,
                                struct error_record *error)
{
    size_t good = sealing->count;
    enum hearth_error code = record_sort(sealing->records, sealing->count);
    if (code != HEARTH_OK)
        return error_set_internal(error, code, 0, "no memory to sort %zu readings", good);
    sealing->count = record_unique(sealing->records, sealing->count);
    sealing->sealed = sealed;
    code = drop_sealed(sealing, sealed, error);
    sealing->doubled = good - sealing->count;
    if (code == HEARTH_OK)
        code = move_suspects(sealing, error);
    if (code == HEARTH_OK)
        code = make_parts(sealing, error);
    return code;
}

/* ---- Writing ---- */

/* Files that are written and not synced yet. */
struct group {
    size_t first, count; /* of the parts */
    int files[GROUP_FILES];
};

static void part_path(const struct sealing *sealing, const struct sealed_file *file,
                      char path[PATH_BYTES])
{
    char name[SEALED_NAME_BYTES];
    sealed_name_format(file, name);
    snprintf(path, PATH_BYTES, "%.2047s/%s", sealing->store, name);
}

static void beside_path(const struct sealing *sealing, const struct sealed_file *file,
                        char path[PATH_BYTES])
{
    char name[SEALED_NAME_BYTES];
    sealed_name_format(file, name);
    snprintf(path, PATH_BYTES, "%.2047s/%s.new", sealing->store, name);
}

/* STORE/sealed/2025 or STORE/suspect */
static void directory_path(const struct sealing *sealing, const struct sealed_file *file,
                           char path[PATH_BYTES])
{
    part_path(sealing, file, path);
    *strrchr(path, '/') = '\0';
}

/* The descriptor in `*file` is the caller's, whatever comes back; -1 = none. */
static enum hearth_error write_part(struct sealing *sealing, struct manifest_part *part,
                                    const struct record *records, int *file,
                                    struct error_record *error)
{
    char path[PATH_BYTES];
    size_t written, bytes = part->file.records * sizeof *records;
    beside_path(sealing, &part->file, path);
    if (!EVP_Digest(records, bytes, part->sha256, NULL, EVP_sha256(), NULL))
        return error_set_internal(error, HEARTH_NO_MEMORY, 0, "no memory for the hash of %s", path);
    *file = file_open(sealing->files, path, O_RDWR | O_CREAT | O_TRUNC, 0640, error);
    if (*file < 0)
        return error_from_errno(errno);
    enum hearth_error code =
        file_write_all(sealing->files, *file, path, records, bytes, 0, &written, error);
    if (code == HEARTH_OK && sync_file_range(*file, 0, 0, SYNC_FILE_RANGE_WRITE) != 0)
        errno = 0; /* a hint, and no promise */
    return code;
}

static enum hearth_error name_part(struct sealing *sealing, const struct manifest_part *part,
                                   const struct record *records, int file,
                                   struct error_record *error)
{
    char path[PATH_BYTES], beside[PATH_BYTES];
    part_path(sealing, &part->file, path);
    beside_path(sealing, &part->file, beside);
    enum hearth_error code = file_sync(sealing->files, file, beside, error);
    return code == HEARTH_OK ? sealing_name(sealing, &part->file, records, beside, path, error)
                             : code;
}

/* On a full disk they take room. */
static void remove_unnamed(struct sealing *sealing, const struct group *group)
{
    char path[PATH_BYTES];
    for (size_t i = 0; i < group->count; i++) {
        beside_path(sealing, &sealing->parts[group->first + i].file, path);
        if (file_remove(sealing->files, path, NULL) != HEARTH_OK)
            errno = 0; /* it has its name, or is overwritten another time */
    }
}

static enum hearth_error write_group(struct sealing *sealing, struct group *group,
                                     const struct record **records, struct error_record *error)
{
    enum hearth_error code = HEARTH_OK;
    const struct record *first = *records;
    for (size_t i = 0; i < group->count; i++)
        group->files[i] = -1;
    for (size_t i = 0; i < group->count && code == HEARTH_OK; i++) {
        struct manifest_part *part = &sealing->parts[group->first + i];
        code = write_part(sealing, part, *records, &group->files[i], error);
        *records += part->file.records;
    }
    for (size_t i = 0; i < group->count && code == HEARTH_OK; i++) {
        const struct manifest_part *part = &sealing->parts[group->first + i];
        code = name_part(sealing, part, first, group->files[i], error);
        first += part->file.records;
    }
    for (size_t i = 0; i < group->count; i++)
        file_close(sealing->files, group->files[i]);
    if (code != HEARTH_OK)
        remove_unnamed(sealing, group);
    return code;
}

/* Calls `visit` for each directory once; neighbours share one. */
static enum hearth_error each_directory(struct sealing *sealing,
                                        enum hearth_error (*visit)(struct file_operations *files,
                                                                   const char *path,
                                                                   struct error_record *error),
                                        struct error_record *error)
{
    char path[PATH_BYTES], last[PATH_BYTES] = "";
    enum hearth_error code = HEARTH_OK;
    for (size_t i = 0; i < sealing->part_count && code == HEARTH_OK; i++) {
        directory_path(sealing, &sealing->parts[i].file, path);
        if (strcmp(path, last) != 0)
            code = visit(sealing->files, path, error);
        memcpy(last, path, sizeof last);
    }
    return code;
}

/* Those above as well: who made them may have died before their names were certain to last. */
static enum hearth_error sync_directories(struct sealing *sealing, struct error_record *error)
{
    char path[PATH_BYTES];
    enum hearth_error code = each_directory(sealing, file_sync_directory, error);
    bool days = sealing->count > sealing->suspects;
    snprintf(path, sizeof path, "%.2047s/sealed", sealing->store);
    if (code == HEARTH_OK && days)
        code = file_sync_directory(sealing->files, path, error);
    return code == HEARTH_OK ? file_sync_directory(sealing->files, sealing->store, error) : code;
}

enum hearth_error sealing_write(struct sealing *sealing, struct error_record *error)
{
    const struct record *records = sealing->records;
    struct group group = {0};
    if (sealing->part_count == 0)
        return HEARTH_OK;
    enum hearth_error code = each_directory(sealing, file_make_directories, error);
    while (code == HEARTH_OK && group.first < sealing->part_count) {
        size_t left = sealing->part_count - group.first;
        group.count = left < GROUP_FILES ? left : GROUP_FILES;
        code = write_group(sealing, &group, &records, error);
        group.first += group.count;
    }
    return code == HEARTH_OK ? sync_directories(sealing, error) : code;
}
