/*
 * manifest_write.c - the keeper's side of the manifest.
 *
 * The rows of one live file are one write behind what counts, and one sync. What a write that
 * failed left behind is cut off by the next one.
 *
 * After a failed sync the kernel may hold rows as clean that never reached the disk, and a second
 * sync would say yes to nothing. So the file is never synced again: the next append writes all rows
 * that count and the new ones to a file beside it, syncs that and gives it the name. The same when
 * the store is opened and a live file stands whose rows do: whoever wrote them may have died
 * between the failed sync and its answer. A manifest of a year is some hundred rows, so that costs
 * nothing.
 */
#include "handlers/sensor/sealed/manifest_write.h"

#include "handlers/sensor/disk/live_memory.h"

#include "handlers/sensor/sealed/manifest_blame.h"
#include "hearth/telemetry.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

enum { PATH_BYTES = 2048 + 64, TAIL_BYTES = 64 };

static void directory_path(const struct manifest_writer *writer, char path[PATH_BYTES])
{
    snprintf(path, PATH_BYTES, "%.2047s/manifest", writer->store);
}

/* Of the file, and of the directory itself: who made it may have died before. */
static enum hearth_error sync_names(const struct manifest_writer *writer,
                                    struct error_record *error)
{
    char path[PATH_BYTES];
    directory_path(writer, path);
    enum hearth_error code = file_sync_directory(writer->files, path, error);
    return code == HEARTH_OK ? file_sync_directory(writer->files, writer->store, error) : code;
}

/* ---- Opening ---- */

struct reading {
    struct manifest_writer *writer;
    manifest_visit_fn *visit;
    void *context;
};

static enum hearth_error see_row(void *context, const struct manifest_row *row)
{
    struct reading *reading = context;
    if (row->part == row->parts)
        reading->writer->sets++;
    if (row->file.sequence > reading->writer->sequence)
        reading->writer->sequence = row->file.sequence;
    return reading->visit ? reading->visit(reading->context, row) : HEARTH_OK;
}

/* The live file's number in a row that may be torn; false when it does not say. */
static bool tail_sequence(struct view tail, uint64_t *sequence)
{
    static const struct view start = {"{\"sequence\":", sizeof "{\"sequence\":" - 1};
    if (!view_starts_with(tail, start))
        return false;
    struct view rest = view_skip(tail, start.length);
    return view_to_uint64(view_split(&rest, ','), sequence);
}

/* Rows are left behind only while their live file stands. Else they did count, and are damaged. */
static enum hearth_error judge_tail(struct manifest_writer *writer, int file, const char *path,
                                    uint64_t from, manifest_live_fn *live_stands, void *context,
                                    struct error_record *error)
{
    char text[TAIL_BYTES];
    size_t got;
    uint64_t sequence = 0;
    enum hearth_error code =
        file_read_all(writer->files, file, path, text, sizeof text, from, &got, error);
    if (code != HEARTH_OK)
        return code;
    struct view tail = view_from(text, got);
    bool says = tail_sequence(tail, &sequence);
    /* One that does not say is a piece of a row, or zeros: of the file that is sealed next. */
    if ((!says || sequence > 0) && live_stands(context, says ? sequence : 0))
        return HEARTH_OK;
    return error_set_internal(error, HEARTH_CORRUPT, 0,
                              "%s is damaged from byte %" PRIu64
                              " on, and the readings of these rows are in no live file",
                              path, from);
}

/* What is left stands in the file of the position. */
static enum hearth_error cut_tail(struct manifest_writer *writer, manifest_live_fn *live_stands,
                                  void *context, struct error_record *error)
{
    char path[MANIFEST_PATH_BYTES];
    struct file_status status = {0};
    uint64_t end = writer->position.bytes;
    manifest_path(writer->store, writer->position.year, path);
    int file = file_open(writer->files, path, O_RDWR, 0, error);
    if (file < 0)
        return error_from_errno(errno);
    enum hearth_error code = file_status_of(writer->files, file, path, &status, error);
    if (code == HEARTH_OK)
        code = judge_tail(writer, file, path, end, live_stands, context, error);
    if (code == HEARTH_OK)
        code = file_cut(writer->files, file, path, end, error);
    if (code == HEARTH_OK)
        code = file_sync(writer->files, file, path, error);
    if (code == HEARTH_OK)
        LOG_WARN("sensor_manifest_cut", LOG_TEXT("file", path),
                 LOG_INTEGER("kept_bytes", (int64_t)end),
                 LOG_INTEGER("cut_bytes", (int64_t)(status.size_bytes - end)));
    file_close(writer->files, file);
    return code;
}

enum hearth_error manifest_writer_open(struct manifest_writer *writer,
                                       struct file_operations *files, const char *store,
                                       const unsigned char store_id[MANIFEST_STORE_ID_BYTES],
                                       manifest_live_fn *live_stands, manifest_visit_fn *visit,
                                       void *context, struct error_record *error)
{
    char path[PATH_BYTES];
    uint64_t left_bytes = 0;
    struct reading reading = {writer, visit, context};
    *writer = (struct manifest_writer){.files = files, .store = store};
    directory_path(writer, path);
    enum hearth_error code = file_make_directories(files, path, error);
    if (code == HEARTH_OK)
        code = manifest_read(files, store, store_id, &writer->position, NULL, see_row, &reading,
                             &left_bytes, error);
    if (code == HEARTH_OK && left_bytes > 0)
        code = cut_tail(writer, live_stands, context, error);
    return code;
}

/* ---- Replacing a file that may not be synced again ---- */

/* The rows that count, then `more`, into a file of its own, in the place of the old one. */
static enum hearth_error write_beside(struct manifest_writer *writer, const char *path,
                                      const char *beside, const char *text, size_t length,
                                      struct error_record *error)
{
    size_t written;
    int file = file_open(writer->files, beside, O_RDWR | O_CREAT | O_TRUNC, 0640, error);
    if (file < 0)
        return error_from_errno(errno);
    enum hearth_error code =
        file_write_all(writer->files, file, beside, text, length, 0, &written, error);
    if (code == HEARTH_OK)
        code = file_sync(writer->files, file, beside, error);
    file_close(writer->files, file);
    if (code == HEARTH_OK)
        code = file_rename(writer->files, beside, path, error);
    else if (file_remove(writer->files, beside, NULL) != HEARTH_OK)
        errno = 0; /* it is overwritten another time */
    return code;
}

static enum hearth_error read_rows(struct manifest_writer *writer, const char *path, char *text,
                                   size_t length, struct error_record *error)
{
    size_t got = 0;
    int file = file_open(writer->files, path, O_RDONLY, 0, error);
    if (file < 0)
        return error_from_errno(errno);
    enum hearth_error code = file_read_all(writer->files, file, path, text, length, 0, &got, error);
    file_close(writer->files, file);
    if (code == HEARTH_OK && got < length)
        code = error_set_internal(error, HEARTH_CORRUPT, 0, "%s became shorter", path);
    return code;
}

static enum hearth_error replace_file(struct manifest_writer *writer, int32_t year, uint64_t kept,
                                      struct view rows, struct error_record *error)
{
    char path[MANIFEST_PATH_BYTES], beside[MANIFEST_PATH_BYTES + 8];
    size_t length = (size_t)kept + rows.length;
    manifest_path(writer->store, year, path);
    snprintf(beside, sizeof beside, "%s.new", path);
    char *text = memory_new(length + 1);
    if (!text)
        return error_set_internal(error, HEARTH_NO_MEMORY, 0, "no memory to write %s", path);
    enum hearth_error code =
        kept > 0 ? read_rows(writer, path, text, (size_t)kept, error) : HEARTH_OK;
    if (code == HEARTH_OK) {
        if (rows.length > 0)
            memcpy(text + kept, rows.data, rows.length);
        code = write_beside(writer, path, beside, text, length, error);
    }
    if (code == HEARTH_OK)
        code = sync_names(writer, error);
    memory_free(text);
    return code;
}

enum hearth_error manifest_writer_confirm(struct manifest_writer *writer,
                                          struct error_record *error)
{
    if (writer->position.year == 0)
        return HEARTH_OK;
    enum hearth_error code =
        replace_file(writer, writer->position.year, writer->position.bytes, VIEW_NONE, error);
    writer->poisoned = code != HEARTH_OK;
    return code;
}

/* ---- Appending ---- */

/* The new rows, chained; `position` moves along. NULL when memory ran out. */
static char *format_rows(struct manifest_position *position, const struct manifest_part *parts,
                         size_t count, uint64_t slots, size_t *length)
{
    char *text = memory_new(count * MANIFEST_ROW_BYTES);
    *length = 0;
    for (size_t i = 0; text && i < count; i++) {
        struct manifest_row row = {.file = parts[i].file,
                                   .part = (uint32_t)i + 1,
                                   .parts = (uint32_t)count,
                                   .slots = slots};
        memcpy(row.sha256, parts[i].sha256, sizeof row.sha256);
        memcpy(row.previous, position->hash, sizeof row.previous);
        size_t bytes = manifest_row_format(&row, text + *length);
        if (!EVP_Digest(text + *length, bytes - 1, position->hash, NULL, EVP_sha256(), NULL)) {
            memory_free(text);
            return NULL;
        }
        *length += bytes;
    }
    return text;
}

/* What an earlier try left behind goes first. */
static enum hearth_error require_end(struct manifest_writer *writer, int file, const char *path,
                                     uint64_t end, struct error_record *error)
{
    struct file_status status;
    enum hearth_error code = file_status_of(writer->files, file, path, &status, error);
    if (code == HEARTH_OK && status.size_bytes < end)
        return error_set_internal(error, HEARTH_CORRUPT, 0, "%s became shorter", path);
    if (code == HEARTH_OK && status.size_bytes > end)
        code = file_cut(writer->files, file, path, end, error);
    return code;
}

static enum hearth_error append_rows(struct manifest_writer *writer, int32_t year, uint64_t end,
                                     struct view rows, struct error_record *error)
{
    char path[MANIFEST_PATH_BYTES];
    size_t written;
    manifest_path(writer->store, year, path);
    int file = file_open(writer->files, path, O_RDWR | (end == 0 ? O_CREAT : 0), 0640, error);
    if (file < 0)
        return error_from_errno(errno);
    enum hearth_error code = require_end(writer, file, path, end, error);
    if (code == HEARTH_OK && end == 0)
        code = sync_names(writer, error); /* it may be new */
    if (code == HEARTH_OK) {
        code =
            file_write_all(writer->files, file, path, rows.data, rows.length, end, &written, error);
        /* With a full disk alone the file is good, once it is cut back. */
        writer->poisoned =
            code != HEARTH_OK && (code != HEARTH_DISK_FULL ||
                                  file_cut(writer->files, file, path, end, NULL) != HEARTH_OK);
        if (code == HEARTH_OK) {
            code = file_sync(writer->files, file, path, error);
            writer->poisoned = code != HEARTH_OK;
        }
    }
    file_close(writer->files, file);
    return code;
}

enum hearth_error manifest_writer_append(struct manifest_writer *writer, int32_t year,
                                         const struct manifest_part *parts, size_t count,
                                         uint64_t slots, struct error_record *error)
{
    size_t length;
    struct manifest_position position = writer->position;
    if (year > position.year) {
        position.year = year;
        position.bytes = 0;
    }
    char *text = format_rows(&position, parts, count, slots, &length);
    if (!text)
        return error_set_internal(error, HEARTH_NO_MEMORY, 0, "no memory for the manifest");
    struct view rows = view_from(text, length);
    enum hearth_error code = writer->poisoned
                                 ? replace_file(writer, position.year, position.bytes, rows, error)
                                 : append_rows(writer, position.year, position.bytes, rows, error);
    memory_free(text);
    if (code != HEARTH_OK)
        return code;
    position.bytes += length;
    writer->position = position;
    writer->poisoned = false;
    if (parts[0].file.sequence > writer->sequence)
        writer->sequence = parts[0].file.sequence;
    writer->sets++;
    return HEARTH_OK;
}
