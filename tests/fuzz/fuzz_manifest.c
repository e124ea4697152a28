/*
 * fuzz_manifest.c - a manifest of any bytes: a line is a row only in the one spelling that is
 * written; reading ends in an error or in complete sets, and reading on from there finds the same.
 *
 * The first byte of the input deals the rest out to two years, and says whether the rows are
 * chained anew first: without that nothing behind the first row would ever be looked at.
 */
#include <errno.h>
#include <openssl/evp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "handlers/sensor/sealed/manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { YEARS = 2, FIRST_YEAR = 2025 };

static struct year_file {
    char *bytes;
    size_t size;
} years[YEARS];

static void demand(int condition)
{
    if (!condition)
        abort();
}

/* ---- Files in memory: a descriptor is the year's index + 1 ---- */

static int memory_open(struct file_operations *files, const char *path, int flags, mode_t mode)
{
    (void)files;
    (void)flags;
    (void)mode;
    const char *name = strrchr(path, '/');
    for (int i = 0; i < YEARS; i++) {
        char expected[32];
        snprintf(expected, sizeof expected, "/%d.ndjson", FIRST_YEAR + i);
        if (strcmp(name, expected) == 0 && years[i].bytes)
            return i + 1;
    }
    errno = ENOENT;
    return -1;
}

static int memory_close(struct file_operations *files, int file)
{
    (void)files;
    (void)file;
    return 0;
}

static ssize_t memory_pread(struct file_operations *files, int file, void *bytes, size_t count,
                            off_t offset)
{
    (void)files;
    const struct year_file *year = &years[file - 1];
    size_t at = (size_t)offset < year->size ? (size_t)offset : year->size;
    size_t step = year->size - at < count ? year->size - at : count;
    if (step > 0)
        memcpy(bytes, year->bytes + at, step);
    return (ssize_t)step;
}

static int memory_status(struct file_operations *files, int file, struct file_status *status)
{
    (void)files;
    *status = (struct file_status){.size_bytes = years[file - 1].size};
    return 0;
}

static int memory_list(struct file_operations *files, const char *path, file_visit_fn *visit,
                       void *context)
{
    (void)files;
    (void)path;
    for (int i = 0; i < YEARS; i++) {
        char name[32];
        snprintf(name, sizeof name, "%d.ndjson", FIRST_YEAR + i);
        if (years[i].bytes && !visit(context, name))
            break;
    }
    return 0;
}

static struct file_operations memory = {
    .open = memory_open,
    .close = memory_close,
    .pread = memory_pread,
    .status = memory_status,
    .list = memory_list,
};

/* ---- Rows ---- */

/* What is taken for a row is written just so. */
static bool check_row(struct view line, struct manifest_row *row)
{
    char text[MANIFEST_ROW_BYTES];
    if (!manifest_row_parse(line, row))
        return false;
    size_t length = manifest_row_format(row, text);
    demand(length == line.length + 1 && memcmp(text, line.data, line.length) == 0);
    return true;
}

/* A chain that is right has right checksums, or nothing but the last bit would ever be tried. */
static void check_again(char *line, size_t length)
{
    char end[sizeof ",\"check\":\"01234567\"}"];
    if (length < sizeof end - 1)
        return;
    size_t before = length - (sizeof end - 1);
    unsigned long check = crc32(0, (unsigned char *)line, (unsigned)before);
    snprintf(end, sizeof end, ",\"check\":\"%08lx\"}", check);
    memcpy(line + before, end, sizeof end - 1);
}

/* Copies the text to the year; rows follow `hash`, which moves along. */
static void make_year(struct year_file *year, struct view text, bool chained, unsigned char *hash)
{
    year->bytes = malloc(text.length + 1);
    demand(year->bytes != NULL);
    year->size = 0;
    while (text.length > 0) {
        struct manifest_row row;
        size_t end = view_index_of(text, '\n');
        size_t length = end == SIZE_MAX ? text.length : end + 1;
        char *at = year->bytes + year->size;
        memcpy(at, text.data, length);
        if (end != SIZE_MAX && chained)
            check_again(at, end);
        if (end != SIZE_MAX && check_row(view_from(at, end), &row) && chained) {
            char chained_text[MANIFEST_ROW_BYTES];
            memcpy(row.previous, hash, sizeof row.previous);
            demand(manifest_row_format(&row, chained_text) == length);
            memcpy(at, chained_text, length);
            demand(EVP_Digest(at, end, hash, NULL, EVP_sha256(), NULL) == 1);
        }
        year->size += length;
        text = view_skip(text, length);
    }
}

/* ---- Reading ---- */

struct seen {
    uint64_t rows, sets, sequence;
    uint32_t part;
};

static enum hearth_error look(void *context, const struct manifest_row *row)
{
    struct seen *seen = context;
    demand(row->part == seen->part + 1 && row->part <= row->parts);
    demand((row->file.sequence == seen->sequence) == (row->part > 1));
    seen->sequence = row->file.sequence;
    seen->part = row->part == row->parts ? 0 : row->part;
    seen->sets += seen->part == 0;
    seen->rows++;
    return HEARTH_OK;
}

static void read_twice(const unsigned char id[16])
{
    struct manifest_position whole = {0}, step = {0};
    struct seen all = {0}, again = {0};
    struct error_record error = {0};
    uint64_t left = 0;
    enum hearth_error code =
        manifest_read(&memory, "store", id, &whole, NULL, look, &all, &left, &error);
    demand(all.part == 0 || code != HEARTH_OK);
    if (code != HEARTH_OK) {
        demand(code == HEARTH_CORRUPT && error.detail[0] != '\0');
        return;
    }
    /* As a reader does, up to what is published, and once more from there. */
    demand(manifest_read(&memory, "store", id, &step, &whole, look, &again, NULL, &error) ==
           HEARTH_OK);
    demand(again.rows == all.rows && again.sets == all.sets);
    demand(step.year == whole.year && step.bytes == whole.bytes);
    again = (struct seen){0};
    demand(manifest_read(&memory, "store", id, &step, NULL, look, &again, &left, &error) ==
           HEARTH_OK);
    demand(again.rows == 0 && step.bytes == whole.bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const unsigned char id[16] = {1, 2, 3};
    static const char digits[] = "01020300000000000000000000000000";
    unsigned char hash[MANIFEST_HASH_BYTES];
    unsigned first = size > 0 ? data[0] : 0;
    struct view text = view_from((const char *)data + (size > 0), size - (size > 0));
    demand(EVP_Digest(digits, sizeof digits - 1, hash, NULL, EVP_sha256(), NULL) == 1);
    size_t cut = text.length * (first >> 1 & 15) / 15;
    while (cut < text.length && cut > 0 && text.data[cut - 1] != '\n')
        cut++;
    make_year(&years[0], view_slice(text, 0, cut), first & 1, hash);
    if (first & 32)
        make_year(&years[1], view_skip(text, cut), first & 1, hash);
    read_twice(id);
    for (int i = 0; i < YEARS; i++) {
        free(years[i].bytes);
        years[i] = (struct year_file){0};
    }
    return 0;
}
