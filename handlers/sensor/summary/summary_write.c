/*
 * summary_write.c - the summary of a year, written anew beside the standing one.
 *
 * Days that the standing file covers rightly, whole and under the limits of today, are copied from
 * its mapping; the others are built from their records. The nodes of blocks, which are nearly all
 * of it, go to the new file as they come; totals and index, which follow them, are gathered in
 * memory. The head comes last, so that a file that is cut short has none.
 */
#include "handlers/sensor/summary/day_source.h"
#include "handlers/sensor/summary/summary_build.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "handlers/sensor/disk/mapped_ranges.h"
#include "handlers/sensor/disk/write_lock.h"
#include "handlers/sensor/record/checksum64.h"
#include "hearth/clock.h"

/* 366 days of 4,096 series each would take 200 MB. */
#define GATHERED_BYTES_MAX ((size_t)1 << 30)

enum { ENTRY_TOTALS_AT = 40, LOCK_WAIT_MS = 60000 };

struct summary_writer {
    struct file_operations *files;
    const char *store;
    struct day_source *source;
    int32_t year;
    struct summary_build_options options;
    struct summary_progress *progress;
    struct summary_file *standing; /* NULL = none, or all is to be built */
    struct summary_builder *builder;
    struct write_lock lock; /* STORE/summary/lock, for all years */
    int file;
    char path[SUMMARY_PATH_BYTES], temporary[SUMMARY_PATH_BYTES + 8];
    uint64_t written; /* bytes of the new file */
    uint32_t days, sources_done;
    struct buffer totals, days_index, sources_index;
};

static int32_t first_day_of(int32_t year)
{
    const struct civil_time january = {.year = year, .month = 1, .day = 1};
    return (int32_t)(civil_to_ms(&january) / DAY_MS);
}

/* ---- One day ---- */

static bool limits_agree(const struct summary_writer *writer, const struct summary_day *day)
{
    for (size_t i = 0; i < day->series_count; i++) {
        const unsigned char *series = summary_series_at(day, i);
        unsigned place = summary_series_place(series);
        int64_t limit_ms = writer->options.limit(writer->options.context, (int)(place >> 8) + 1,
                                                 (int)(place & 255), day->day);
        if (summary_series_limit_ms(series) != (limit_ms < 0 ? 0 : limit_ms))
            return false;
    }
    return true;
}

/* The day as the standing file has it; NULL when it must be built. */
static const struct summary_day *standing_day(const struct summary_writer *writer, int32_t day,
                                              const struct sealed_file *sealed, size_t count)
{
    if (!writer->standing)
        return NULL;
    const struct summary_day *found = summary_file_day(writer->standing, day, sealed, count);
    return found && summary_day_blocks_whole(found) && limits_agree(writer, found) ? found : NULL;
}

static enum hearth_error put(struct summary_writer *writer, const void *bytes, size_t count,
                             struct error_record *error)
{
    size_t written;
    enum hearth_error code = file_write_all(writer->files, writer->file, writer->temporary, bytes,
                                            count, writer->written, &written, error);
    writer->written += written;
    return code;
}

static struct view bytes_view(const unsigned char *bytes, size_t count)
{
    return view_from((const char *)bytes, count);
}

static void index_day(struct summary_writer *writer, const struct summary_day *day,
                      size_t source_count)
{
    unsigned char entry[SUMMARY_DAY_BYTES] = {0};
    summary_write32(entry, (uint32_t)day->day);
    summary_write32(entry + 4, day->records);
    summary_write32(entry + 8, day->block_records);
    summary_write32(entry + 12, day->last_ms);
    summary_write32(entry + 16, (uint32_t)day->series_count);
    summary_write32(entry + 20, (uint32_t)day->clocks);
    summary_write32(entry + 24, (uint32_t)day->tracks);
    summary_write32(entry + 28, (uint32_t)source_count);
    summary_write32(entry + 32, writer->sources_done);
    summary_write64(entry + ENTRY_TOTALS_AT, writer->totals.length); /* moved in the end */
    summary_write64(entry + 48, day->totals_checksum);
    summary_write64(entry + 56, writer->written);
    summary_write64(entry + 64, day->blocks_checksum);
    buffer_append(&writer->days_index, bytes_view(entry, sizeof entry));
}

static void index_sources(struct summary_writer *writer, const struct sealed_file *sealed,
                          size_t count)
{
    for (size_t i = 0; i < count; i++) {
        unsigned char source[SUMMARY_SOURCE_BYTES] = {0};
        summary_write64(source, sealed[i].sequence);
        summary_write32(source + 8, sealed[i].records);
        buffer_append(&writer->sources_index, bytes_view(source, sizeof source));
    }
    writer->sources_done += (uint32_t)count;
}

static enum hearth_error append_day(struct summary_writer *writer, const struct summary_day *day,
                                    const struct sealed_file *sealed, size_t count,
                                    struct error_record *error)
{
    index_day(writer, day, count);
    index_sources(writer, sealed, count);
    buffer_append(&writer->totals, bytes_view(day->totals, day->totals_bytes));
    writer->days++;
    if (buffer_status(&writer->totals) != HEARTH_OK ||
        buffer_status(&writer->days_index) != HEARTH_OK ||
        buffer_status(&writer->sources_index) != HEARTH_OK)
        return error_set_internal(error, HEARTH_NO_MEMORY, 0, "no memory for a summary");
    return put(writer, day->keys, day->blocks_bytes, error);
}

static enum hearth_error build_day(struct summary_writer *writer, int32_t day,
                                   const struct sealed_file *sealed, size_t count,
                                   struct error_record *error)
{
    struct day_runs runs;
    const struct summary_day *built;
    enum hearth_error code = writer->source->look(writer->source, day, false, &runs, error);
    if (code != HEARTH_OK)
        return code;
    code = writer->source->map(writer->source, &runs, error);
    if (code == HEARTH_OK)
        code = summary_build_day(writer->builder, &runs, &writer->options, &built, error);
    if (code == HEARTH_OK)
        code = append_day(writer, built, sealed, count, error);
    writer->source->release(writer->source, &runs);
    writer->progress->days_built++;
    return code;
}

static enum hearth_error write_day(struct summary_writer *writer, int32_t day,
                                   struct error_record *error)
{
    const struct sealed_file *sealed;
    size_t count = writer->source->files(writer->source, day, &sealed);
    if (count == 0)
        return HEARTH_OK;
    const struct summary_day *standing = standing_day(writer, day, sealed, count);
    enum hearth_error code = standing ? append_day(writer, standing, sealed, count, error)
                                      : build_day(writer, day, sealed, count, error);
    if (code == HEARTH_OK)
        writer->progress->days_done++;
    return code;
}

/* ---- The file ---- */

static void write_head(const struct summary_writer *writer, unsigned char *head, uint64_t index_at,
                       uint64_t index_checksum)
{
    memset(head, 0, SUMMARY_HEAD_BYTES);
    summary_write64(head, SUMMARY_MAGIC);
    summary_write32(head + 8, SUMMARY_VERSION);
    summary_write32(head + 12, (uint32_t)writer->year);
    summary_write32(head + 16, writer->days);
    summary_write32(head + 20, writer->sources_done);
    summary_write64(head + 24, writer->written);
    summary_write64(head + 32, index_at);
    summary_write64(head + 40, index_checksum);
    summary_write64(head + 56, checksum64(head, 56));
}

/* Totals, then the index, then the head in front of all. */
static enum hearth_error finish(struct summary_writer *writer, struct error_record *error)
{
    unsigned char head[SUMMARY_HEAD_BYTES];
    struct buffer *index = &writer->days_index;
    for (uint32_t i = 0; i < writer->days; i++) {
        unsigned char *at = (unsigned char *)index->data + (size_t)i * SUMMARY_DAY_BYTES;
        summary_write64(at + ENTRY_TOTALS_AT,
                        writer->written + summary_read64(at + ENTRY_TOTALS_AT));
    }
    if (buffer_append(index, buffer_view(&writer->sources_index)) != HEARTH_OK)
        return error_set_internal(error, HEARTH_NO_MEMORY, 0, "no memory for a summary");
    const char *content = index->data ? index->data : "";
    enum hearth_error code = put(writer, writer->totals.data, writer->totals.length, error);
    uint64_t index_at = writer->written;
    if (code == HEARTH_OK)
        code = put(writer, content, index->length, error);
    write_head(writer, head, index_at, checksum64(content, index->length));
    writer->written = 0;
    return code == HEARTH_OK ? put(writer, head, sizeof head, error) : code;
}

/* Two that write at once would write into one file. */
static enum hearth_error take_lock(struct summary_writer *writer, const char *directory,
                                   struct error_record *error)
{
    char path[SUMMARY_PATH_BYTES + 8];
    snprintf(path, sizeof path, "%s/lock", directory);
    enum hearth_error code =
        write_lock_take(&writer->lock, path, &clock_system, LOCK_WAIT_MS, error);
    if (code == HEARTH_LOCKED)
        error_set_internal(error, code, 0, "another process has been writing summaries for %d s",
                           LOCK_WAIT_MS / 1000);
    return code;
}

static enum hearth_error prepare(struct summary_writer *writer, bool rebuild,
                                 struct error_record *error)
{
    char directory[SUMMARY_PATH_BYTES];
    int length = snprintf(directory, sizeof directory, "%s/summary", writer->store);
    if (length < 0 || length >= SUMMARY_PATH_BYTES ||
        !summary_path(writer->store, writer->year, writer->path))
        return error_set_internal(error, HEARTH_IO, ENAMETOOLONG, "the store's name is too long");
    snprintf(writer->temporary, sizeof writer->temporary, "%s.new", writer->path);
    enum hearth_error code = file_make_directories(writer->files, directory, error);
    if (code == HEARTH_OK)
        code = take_lock(writer, directory, error);
    if (code != HEARTH_OK)
        return code;
    if (!rebuild)
        writer->standing = summary_file_open(writer->files, writer->store, writer->year, NULL);
    writer->builder = summary_builder_new();
    if (!writer->builder)
        return error_set_internal(error, HEARTH_NO_MEMORY, 0, "no memory for a summary");
    writer->file =
        file_open(writer->files, writer->temporary, O_RDWR | O_CREAT | O_TRUNC, 0640, error);
    writer->written = SUMMARY_HEAD_BYTES;
    return writer->file < 0 ? error_from_errno(errno) : HEARTH_OK;
}

/* Synced before it has its name, and the name before anything is said. */
static enum hearth_error replace(struct summary_writer *writer, struct error_record *error)
{
    char directory[SUMMARY_PATH_BYTES];
    snprintf(directory, sizeof directory, "%s", writer->path);
    *strrchr(directory, '/') = '\0';
    enum hearth_error code = file_sync(writer->files, writer->file, writer->temporary, error);
    if (code == HEARTH_OK)
        code = file_rename(writer->files, writer->temporary, writer->path, error);
    return code == HEARTH_OK ? file_sync_directory(writer->files, directory, error) : code;
}

static enum hearth_error write_year(struct summary_writer *writer, bool rebuild,
                                    struct error_record *error)
{
    int32_t from = first_day_of(writer->year), to = first_day_of(writer->year + 1);
    const struct sealed_file *sealed;
    uint64_t faults = mapped_ranges_faults();
    for (int32_t day = from; day < to; day++)
        writer->progress->days_all += writer->source->files(writer->source, day, &sealed) > 0;
    enum hearth_error code = prepare(writer, rebuild, error);
    for (int32_t day = from; code == HEARTH_OK && day < to; day++)
        code = write_day(writer, day, error);
    if (code == HEARTH_OK && mapped_ranges_faults() != faults) /* zeros may have been summed */
        code = error_set_internal(error, HEARTH_CORRUPT, 0,
                                  "the readings of %d cannot all be read: run hearth verify",
                                  (int)writer->year);
    if (code == HEARTH_OK)
        code = finish(writer, error);
    return code == HEARTH_OK ? replace(writer, error) : code;
}

enum hearth_error summary_write_over(struct file_operations *files, const char *store,
                                     struct day_source *source, int32_t year, bool rebuild,
                                     summary_limit_fn *limit, void *context,
                                     struct summary_progress *progress, struct error_record *error)
{
    struct summary_progress unwatched;
    struct summary_writer writer = {
        .files = files,
        .store = store,
        .source = source,
        .year = year,
        .options = {.limit = limit, .context = context},
        .progress = progress ? progress : &unwatched,
        .file = -1,
        .lock = {.file = -1},
    };
    *writer.progress = (struct summary_progress){0};
    buffer_init(&writer.totals, GATHERED_BYTES_MAX);
    buffer_init(&writer.days_index, GATHERED_BYTES_MAX);
    buffer_init(&writer.sources_index, GATHERED_BYTES_MAX);
    enum hearth_error code = write_year(&writer, rebuild, error);
    file_close(files, writer.file);
    write_lock_release(&writer.lock);
    summary_builder_free(writer.builder);
    summary_file_close(writer.standing);
    buffer_clean(&writer.totals);
    buffer_clean(&writer.days_index);
    buffer_clean(&writer.sources_index);
    return code;
}
