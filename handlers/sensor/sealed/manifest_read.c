/*
 * manifest_read.c - reading the manifest on from where one has come to, and checking its chain.
 *
 * Years are read in order, each file a block at a time. Rows wait until their set of parts is
 * complete; then they are visited, and the position moves behind them.
 *
 * What a crash leaves behind the last complete set can be anything: rows, rows with holes, zeros,
 * half a row. It is told from damage by what it cannot be: only the rows of one live file are
 * written before they are synced, so rows of two live files behind a line that is none mean that
 * the line was one. With `until` nothing of that is allowed: what was published is whole.
 */
#include "handlers/sensor/sealed/manifest.h"

#include "handlers/sensor/disk/live_memory.h"

#include "handlers/sensor/sealed/manifest_blame.h"
#include "handlers/sensor/text/exact_text.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

enum { BLOCK_BYTES = 64 * 1024, STORE_ID_DIGITS = 32 };

struct manifest_reader {
    struct file_operations *files;
    const char *store;
    struct error_record *error;
    manifest_visit_fn *visit;
    void *context;
    const struct manifest_position *until;
    bool years[MANIFEST_YEARS]; /* that have, or may have, a file */
    struct manifest_position position;
    unsigned char hash[MANIFEST_HASH_BYTES]; /* of the last row, its set complete or not */
    uint64_t *sequences;                     /* of the complete sets, in their order */
    size_t sequence_count, sequence_capacity;
    uint64_t highest;             /* of these */
    struct manifest_row *waiting; /* of the set that is not complete */
    size_t waiting_count, waiting_capacity;
    struct manifest_place set; /* where that begins */
    /* A line that is no row was met. */
    bool torn;
    struct manifest_place torn_at;
    uint64_t torn_sequence; /* of the rows around it; 0 = none yet */
    EVP_MD *sha256;
    EVP_MD_CTX *digest;
};

/* ---- Hashes ---- */

static bool hash_text(struct manifest_reader *reader, struct view text,
                      unsigned char hash[MANIFEST_HASH_BYTES])
{
    return EVP_DigestInit_ex2(reader->digest, NULL, NULL) == 1 && /* the one it was opened with */
           EVP_DigestUpdate(reader->digest, text.data, text.length) == 1 &&
           EVP_DigestFinal_ex(reader->digest, hash, NULL) == 1;
}

static enum hearth_error no_memory(struct error_record *error)
{
    return error_set_internal(error, HEARTH_NO_MEMORY, 0, "no memory to read the manifest");
}

/* The hash that the first row follows. */
static enum hearth_error start_chain(struct manifest_reader *reader,
                                     const unsigned char store_id[16])
{
    char digits[STORE_ID_DIGITS + 1];
    for (size_t i = 0; i < STORE_ID_DIGITS / 2; i++)
        snprintf(digits + 2 * i, 3, "%02x", store_id[i]);
    bool hashed = hash_text(reader, view_from(digits, STORE_ID_DIGITS), reader->position.hash);
    return hashed ? HEARTH_OK : no_memory(reader->error);
}

static enum hearth_error open_digest(struct manifest_reader *reader)
{
    reader->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    reader->digest = EVP_MD_CTX_new();
    bool opened = reader->sha256 && reader->digest &&
                  EVP_DigestInit_ex2(reader->digest, reader->sha256, NULL) == 1;
    return opened ? HEARTH_OK : no_memory(reader->error);
}

/* ---- Rows ---- */

static enum hearth_error blame(const struct manifest_reader *reader,
                               const struct manifest_place *place, const char *what)
{
    return manifest_blame(reader->files, reader->store, place, what, reader->error);
}

static enum hearth_error keep_waiting(struct manifest_reader *reader,
                                      const struct manifest_row *row)
{
    if (reader->waiting_count == reader->waiting_capacity) {
        size_t capacity = reader->waiting_capacity ? reader->waiting_capacity * 2 : 16;
        struct manifest_row *grown = memory_resize(reader->waiting, capacity * sizeof *grown);
        if (!grown)
            return no_memory(reader->error);
        reader->waiting = grown;
        reader->waiting_capacity = capacity;
    }
    reader->waiting[reader->waiting_count++] = *row;
    return HEARTH_OK;
}

/* Nearly always they ascend. */
static bool was_seen(const struct manifest_reader *reader, uint64_t sequence)
{
    if (sequence > reader->highest)
        return false;
    for (size_t i = reader->sequence_count; i > 0; i--)
        if (reader->sequences[i - 1] == sequence)
            return true;
    return false;
}

static enum hearth_error note_sequence(struct manifest_reader *reader, uint64_t sequence)
{
    if (reader->sequence_count == reader->sequence_capacity) {
        size_t capacity = reader->sequence_capacity ? reader->sequence_capacity * 2 : 64;
        uint64_t *grown = memory_resize(reader->sequences, capacity * sizeof *grown);
        if (!grown)
            return no_memory(reader->error);
        reader->sequences = grown;
        reader->sequence_capacity = capacity;
    }
    reader->sequences[reader->sequence_count++] = sequence;
    if (sequence > reader->highest)
        reader->highest = sequence;
    return HEARTH_OK;
}

/* Is it the row that a set needs next? */
static const char *wrong_in_set(const struct manifest_reader *reader,
                                const struct manifest_row *row)
{
    if (reader->waiting_count == 0) {
        if (row->part != 1)
            return "a set of parts begins in its middle";
        return was_seen(reader, row->file.sequence) ? "its live file was sealed before" : NULL;
    }
    const struct manifest_row *first = &reader->waiting[0];
    if (row->file.sequence != first->file.sequence)
        return "the set of parts before it is not complete";
    bool fits = row->part == reader->waiting_count + 1 && row->parts == first->parts &&
                row->slots == first->slots;
    return fits ? NULL : "its set of parts does not fit together";
}

/* All parts are there: visits them and moves the position behind them. */
static enum hearth_error complete_set(struct manifest_reader *reader, int32_t year, uint64_t end)
{
    uint64_t records = 0;
    for (size_t i = 0; i < reader->waiting_count; i++)
        records += reader->waiting[i].file.records;
    if (records > reader->waiting[0].slots)
        return blame(reader, &reader->set, "more records than its live file had slots");
    enum hearth_error noted = note_sequence(reader, reader->waiting[0].file.sequence);
    if (noted != HEARTH_OK)
        return noted;
    for (size_t i = 0; i < reader->waiting_count; i++) {
        enum hearth_error code = reader->visit(reader->context, &reader->waiting[i]);
        if (code != HEARTH_OK)
            return code;
    }
    reader->waiting_count = 0;
    reader->position.year = year;
    reader->position.bytes = end;
    memcpy(reader->position.hash, reader->hash, sizeof reader->hash);
    return HEARTH_OK;
}

static enum hearth_error take_row(struct manifest_reader *reader,
                                  const struct manifest_place *place, struct view line,
                                  const struct manifest_row *row)
{
    if (memcmp(row->previous, reader->hash, sizeof reader->hash) != 0)
        return manifest_blame_chain(reader->files, reader->store, place, row, reader->years,
                                    reader->error);
    const char *wrong = wrong_in_set(reader, row);
    if (wrong)
        return blame(reader, place, wrong);
    if (reader->waiting_count == 0)
        reader->set = *place;
    enum hearth_error code = keep_waiting(reader, row);
    if (code != HEARTH_OK)
        return code;
    if (!hash_text(reader, line, reader->hash))
        return no_memory(reader->error);
    return row->part == row->parts
               ? complete_set(reader, place->year, place->offset + line.length + 1)
               : HEARTH_OK;
}

/* ---- Lines ---- */

/* Rows among what a crash left belong to one live file, and to parts that come later than the line
 * that is none. Else that was a row, and is damaged. */
static enum hearth_error look_at_torn(struct manifest_reader *reader, bool is_row,
                                      const struct manifest_row *row)
{
    if (!is_row)
        return HEARTH_OK;
    if (reader->torn_sequence == 0)
        reader->torn_sequence = row->file.sequence;
    bool can_be =
        row->file.sequence == reader->torn_sequence && row->part > reader->waiting_count + 1;
    return can_be ? HEARTH_OK : blame(reader, &reader->torn_at, "not a row");
}

static enum hearth_error take_line(struct manifest_reader *reader,
                                   const struct manifest_place *place, struct view line)
{
    struct manifest_row row;
    bool is_row = manifest_row_parse(line, &row);
    if (reader->torn)
        return look_at_torn(reader, is_row, &row);
    if (is_row)
        return take_row(reader, place, line, &row);
    if (reader->until)
        return blame(reader, place, "not a row");
    reader->torn = true;
    reader->torn_at = *place;
    reader->torn_sequence = reader->waiting_count > 0 ? reader->waiting[0].file.sequence : 0;
    return HEARTH_OK;
}

/* The lines of a block; `*used` = the bytes of those that end in it. What is longer than a row goes
 * as a line of its own. */
static enum hearth_error take_lines(struct manifest_reader *reader, struct manifest_place *place,
                                    struct view block, bool last, size_t *used)
{
    enum hearth_error code = HEARTH_OK;
    *used = 0;
    while (code == HEARTH_OK && *used < block.length) {
        struct view rest = view_skip(block, *used);
        size_t length = view_index_of(rest, '\n');
        bool ended = length != SIZE_MAX;
        if (!ended && !last && rest.length < MANIFEST_ROW_BYTES)
            break;
        if (!ended)
            length = rest.length;
        /* Without its end it is none, whatever it says. */
        code = take_line(reader, place, ended ? view_slice(rest, 0, length) : VIEW_NONE);
        *used += length + ended;
        place->offset += length + ended;
    }
    return code;
}

/* ---- Files ---- */

static enum hearth_error read_bytes(struct manifest_reader *reader, int file, const char *path,
                                    int32_t year, uint64_t from, uint64_t end)
{
    struct manifest_place place = {year, from};
    enum hearth_error code = HEARTH_OK;
    size_t kept = 0, got, used;
    char *block = memory_new(BLOCK_BYTES);
    if (!block)
        return no_memory(reader->error);
    while (code == HEARTH_OK && from < end) {
        size_t room = BLOCK_BYTES - kept;
        size_t step = end - from < room ? (size_t)(end - from) : room;
        code =
            file_read_all(reader->files, file, path, block + kept, step, from, &got, reader->error);
        if (code != HEARTH_OK)
            break;
        if (got < step) {
            code = blame(reader, &place, "the file became shorter");
            break;
        }
        from += got;
        kept += got;
        code = take_lines(reader, &place, view_from(block, kept), from == end, &used);
        kept -= used;
        memmove(block, block + used, kept);
    }
    memory_free(block);
    return code;
}

/* How far the year's file is read: from where the position is to its end, or to `until`. */
static enum hearth_error read_open_year(struct manifest_reader *reader, int file, const char *path,
                                        int32_t year, uint64_t *size)
{
    struct file_status status;
    enum hearth_error code = file_status_of(reader->files, file, path, &status, reader->error);
    if (code != HEARTH_OK)
        return code;
    const struct manifest_position *until = reader->until;
    uint64_t from = reader->position.year == year ? reader->position.bytes : 0;
    *size = until && until->year == year ? until->bytes : status.size_bytes;
    if (status.size_bytes < *size || status.size_bytes < from)
        return error_set_internal(reader->error, HEARTH_CORRUPT, 0,
                                  "%s is shorter than it was: %llu bytes", path,
                                  (unsigned long long)status.size_bytes);
    if (*size > from && (reader->waiting_count > 0 || reader->torn))
        return reader->torn ? blame(reader, &reader->torn_at, "not a row")
                            : blame(reader, &reader->set, "the year ends within a set of parts");
    return from < *size ? read_bytes(reader, file, path, year, from, *size) : HEARTH_OK;
}

/* The file of a year may be missing when nothing was sealed in it. */
static enum hearth_error read_year(struct manifest_reader *reader, int32_t year, uint64_t *size)
{
    char path[MANIFEST_PATH_BYTES];
    manifest_path(reader->store, year, path);
    *size = 0;
    int file = file_open(reader->files, path, O_RDONLY, 0, reader->error);
    if (file < 0) {
        enum hearth_error code = error_from_errno(errno);
        const struct manifest_position *until = reader->until;
        bool known = (year == reader->position.year && reader->position.bytes > 0) ||
                     (until && year == until->year && until->bytes > 0);
        if (code != HEARTH_NOT_FOUND)
            return code;
        reader->years[year] = false;
        return known ? error_set_internal(reader->error, HEARTH_CORRUPT, 0, "%s is missing", path)
                     : HEARTH_OK;
    }
    enum hearth_error code = read_open_year(reader, file, path, year, size);
    file_close(reader->files, file);
    return code;
}

/* ---- Years ---- */

static bool note_year(void *context, const char *name)
{
    struct manifest_reader *reader = context;
    struct view rest = view_of(name);
    uint64_t year;
    if (exact_number(&rest, 4, MANIFEST_YEARS - 1, &year) && view_equal(rest, VIEW(".ndjson")))
        reader->years[year] = true;
    return true;
}

/* Which years to read. Going on to a known end, those between need no look at the directory. */
static enum hearth_error find_years(struct manifest_reader *reader)
{
    const struct manifest_position *until = reader->until;
    if (reader->position.year > 0)
        reader->years[reader->position.year] = true;
    if (until && until->year > 0 && until->year < MANIFEST_YEARS)
        reader->years[until->year] = true;
    if (until && reader->position.year > 0) {
        for (int32_t year = reader->position.year; year < until->year; year++)
            reader->years[year] = true;
        return HEARTH_OK;
    }
    char path[MANIFEST_PATH_BYTES];
    snprintf(path, sizeof path, "%s/manifest", reader->store);
    enum hearth_error code = file_list(reader->files, path, note_year, reader, reader->error);
    return code == HEARTH_NOT_FOUND ? HEARTH_OK : code;
}

static enum hearth_error read_years(struct manifest_reader *reader, uint64_t *left_bytes)
{
    int32_t last = reader->until ? reader->until->year : MANIFEST_YEARS - 1;
    enum hearth_error code = HEARTH_OK;
    *left_bytes = 0;
    for (int32_t year = reader->position.year; code == HEARTH_OK && year <= last; year++) {
        uint64_t size;
        if (!reader->years[year])
            continue;
        code = read_year(reader, year, &size);
        if (code != HEARTH_OK || size == 0)
            continue;
        /* What is left stands in this file, also when none of its sets is complete. */
        if (year > reader->position.year) {
            reader->position.year = year;
            reader->position.bytes = 0;
        }
        *left_bytes = size - reader->position.bytes;
    }
    if (code == HEARTH_OK && reader->until && *left_bytes > 0)
        code = blame(reader, &reader->set, "what was published ends within a set of parts");
    return code;
}

static enum hearth_error read_all(struct manifest_reader *reader, const unsigned char store_id[16],
                                  uint64_t *left_bytes)
{
    enum hearth_error code = open_digest(reader);
    if (code == HEARTH_OK && reader->position.year == 0)
        code = start_chain(reader, store_id);
    if (code == HEARTH_OK)
        code = find_years(reader);
    memcpy(reader->hash, reader->position.hash, sizeof reader->hash);
    if (code == HEARTH_OK)
        code = read_years(reader, left_bytes);
    if (code == HEARTH_OK && reader->until && reader->until->year > reader->position.year) {
        reader->position.year = reader->until->year;
        reader->position.bytes = reader->until->bytes;
    }
    return code;
}

enum hearth_error manifest_read(struct file_operations *files, const char *store,
                                const unsigned char store_id[16],
                                struct manifest_position *position,
                                const struct manifest_position *until, manifest_visit_fn *visit,
                                void *context, uint64_t *left_bytes, struct error_record *error)
{
    uint64_t left = 0;
    if (until && until->year == position->year && until->bytes == position->bytes) {
        if (left_bytes)
            *left_bytes = 0;
        return HEARTH_OK;
    }
    if (until && (until->year < position->year || until->year >= MANIFEST_YEARS ||
                  (until->year == position->year && until->bytes < position->bytes)))
        return error_set_internal(error, HEARTH_CORRUPT, 0,
                                  "the manifest of %s became shorter than it was", store);
    struct manifest_reader *reader = memory_new_zero(1, sizeof *reader);
    if (!reader)
        return no_memory(error);
    reader->files = files;
    reader->store = store;
    reader->error = error;
    reader->visit = visit;
    reader->context = context;
    reader->until = until;
    reader->position = *position;
    enum hearth_error code = read_all(reader, store_id, &left);
    if (code == HEARTH_OK)
        *position = reader->position;
    if (left_bytes)
        *left_bytes = left;
    EVP_MD_free(reader->sha256);
    EVP_MD_CTX_free(reader->digest);
    memory_free(reader->waiting);
    memory_free(reader->sequences);
    memory_free(reader);
    return code;
}
