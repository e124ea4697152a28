/*
 * manifest_blame.c - saying what is wrong with a manifest, once something is. The files are read
 * again for it, which nobody pays for as long as all is well.
 */
#include "handlers/sensor/sealed/manifest_blame.h"

#include "handlers/sensor/disk/live_memory.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { BLOCK_BYTES = 64 * 1024, PLACE_BYTES = 64, YEARS_BACK = 150 };

void manifest_path(const char *store, int32_t year, char path[MANIFEST_PATH_BYTES])
{
    snprintf(path, MANIFEST_PATH_BYTES, "%s/manifest/%04d.ndjson", store, (int)year);
}

/* A line with its '\n'; return false to stop. */
typedef bool line_visit_fn(void *context, struct view line, uint64_t offset);

/* The whole lines of a block; the bytes that they take, or SIZE_MAX when there shall be no more. */
static size_t visit_lines(struct view block, uint64_t offset, line_visit_fn *visit, void *context)
{
    size_t used = 0, end;
    while ((end = view_index_of(view_skip(block, used), '\n')) != SIZE_MAX) {
        if (!visit(context, view_slice(block, used, end + 1), offset + used))
            return SIZE_MAX;
        used += end + 1;
    }
    return used == 0 && block.length >= BLOCK_BYTES ? block.length : used;
}

/* As far as it can be read: a failure here hides nothing that is not said already. */
static void each_line(struct file_operations *files, const char *path, line_visit_fn *visit,
                      void *context)
{
    size_t kept = 0, got = 1, used = 0;
    uint64_t offset = 0;
    char *block = memory_new(BLOCK_BYTES);
    int file = block ? file_open(files, path, O_RDONLY, 0, NULL) : -1;
    while (file >= 0 && got > 0 && used != SIZE_MAX) {
        if (file_read_all(files, file, path, block + kept, BLOCK_BYTES - kept, offset + kept, &got,
                          NULL) != HEARTH_OK)
            break;
        kept += got;
        used = visit_lines(view_from(block, kept), offset, visit, context);
        if (used == SIZE_MAX)
            break;
        offset += used;
        kept -= used;
        memmove(block, block + used, kept);
    }
    file_close(files, file);
    memory_free(block);
}

/* ---- Which line is it? ---- */

struct counting {
    uint64_t until, lines;
};

static bool count_line(void *context, struct view line, uint64_t offset)
{
    struct counting *counting = context;
    (void)line;
    if (offset >= counting->until)
        return false;
    counting->lines++;
    return true;
}

static void format_place(struct file_operations *files, const char *store,
                         const struct manifest_place *place, char text[PLACE_BYTES])
{
    char path[MANIFEST_PATH_BYTES];
    struct counting counting = {place->offset, 0};
    manifest_path(store, place->year, path);
    each_line(files, path, count_line, &counting);
    snprintf(text, PLACE_BYTES, "manifest/%04d.ndjson line %" PRIu64, (int)place->year,
             counting.lines + 1);
}

enum hearth_error manifest_blame(struct file_operations *files, const char *store,
                                 const struct manifest_place *place, const char *what,
                                 struct error_record *error)
{
    char text[PLACE_BYTES];
    format_place(files, store, place, text);
    return error_set_internal(error, HEARTH_CORRUPT, 0, "%s: %s", text, what);
}

/* ---- Who else follows the same row? ---- */

struct search {
    const struct manifest_row *row;
    const struct manifest_place *end; /* look before it */
    struct manifest_place found;
    bool is_found;
};

static bool same_previous(void *context, struct view line, uint64_t offset)
{
    struct search *search = context;
    struct manifest_row row;
    if (search->found.year == search->end->year && offset >= search->end->offset)
        return false;
    if (!manifest_row_parse(view_slice(line, 0, line.length - 1), &row) ||
        memcmp(row.previous, search->row->previous, sizeof row.previous) != 0)
        return true;
    search->found.offset = offset;
    search->is_found = true;
    return false;
}

static bool find_fork(struct file_operations *files, const char *store, struct search *search)
{
    char path[MANIFEST_PATH_BYTES];
    int32_t last = search->end->year, first = last > YEARS_BACK ? last - YEARS_BACK : 0;
    for (int32_t year = first; year <= last && !search->is_found; year++) {
        manifest_path(store, year, path);
        search->found.year = year;
        each_line(files, path, same_previous, search);
    }
    return search->is_found;
}

enum hearth_error manifest_blame_chain(struct file_operations *files, const char *store,
                                       const struct manifest_place *place,
                                       const struct manifest_row *row, const bool *years,
                                       struct error_record *error)
{
    char here[PLACE_BYTES], there[PLACE_BYTES];
    struct search search = {.row = row, .end = place};
    format_place(files, store, place, here);
    if (find_fork(files, store, &search)) {
        format_place(files, store, &search.found, there);
        return error_set_internal(error, HEARTH_CORRUPT, 0,
                                  "%s and %s follow the same row: the chain forks", there, here);
    }
    if (place->offset == 0 && place->year > 0 && !years[place->year - 1])
        return error_set_internal(error, HEARTH_CORRUPT, 0,
                                  "%s: the chain is broken: the row before it was changed, or the "
                                  "file of a year before is missing",
                                  here);
    return error_set_internal(
        error, HEARTH_CORRUPT, 0,
        "%s: the chain is broken: the row before it is missing or was changed", here);
}
