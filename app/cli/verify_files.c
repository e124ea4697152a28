/*
 * verify_files.c - one sealed file: is it what the manifest says, and is each record good?
 */
#include "app/cli/figures.h"
#include "app/cli/verify_work.h"
#include "handlers/sensor/record/record.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

/* False when the record has no place in the file; `why` says why. */
static bool record_fits(const struct manifest_row *row, const struct record *record,
                        const struct record *previous, const char **why)
{
    enum record_reject reject = record_check(record);
    bool suspect_file = row->file.day == SEALED_SUSPECT_DAY;
    bool is_suspect = record_time_quality(record) == TIME_SUSPECT;
    *why = record_reject_name(reject);
    if (reject != REJECT_NONE)
        return false;
    *why = "is not behind the one before";
    if (previous && memcmp(previous->bytes, record->bytes, RECORD_BYTES) >= 0)
        return false;
    *why = suspect_file ? "is not suspect" : "is suspect";
    if (is_suspect != suspect_file)
        return false;
    *why = "is of another day";
    return suspect_file || scan_day_of(record) == row->file.day;
}

/* Tells the first that does not fit, and how many more there are. */
static bool check_records(struct verify *verify, const char *name, const struct manifest_row *row,
                          const struct record *records, size_t count)
{
    uint64_t wrong = 0;
    size_t first = 0;
    const char *why = "", *first_why = "";
    for (size_t i = 0; i < count; i++) {
        if (record_fits(row, &records[i], i > 0 ? &records[i - 1] : NULL, &why))
            continue;
        if (wrong++ == 0) {
            first = i;
            first_why = why;
        }
    }
    if (wrong > 0)
        verify_problem(verify, name, "record %zu, byte %zu: %s%s", first, first * RECORD_BYTES,
                       first_why, wrong > 1 ? "; and others" : "");
    verify->records += count;
    return wrong == 0;
}

static bool check_hash(struct verify *verify, const char *name, const struct manifest_row *row,
                       const struct scan_map *map)
{
    unsigned char hash[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    if (EVP_Digest(map->records ? (const void *)map->records : "", map->bytes, hash, &length,
                   EVP_sha256(), NULL) != 1) {
        verify_problem(verify, name, "its SHA-256 could not be made");
        return false;
    }
    if (memcmp(hash, row->sha256, MANIFEST_HASH_BYTES) == 0)
        return true;
    verify_problem(verify, name, "is not what was sealed: its SHA-256 is another one");
    return false;
}

bool verify_file(struct verify *verify, const struct manifest_row *row, const struct scan_map *map)
{
    char name[SEALED_NAME_BYTES];
    uint64_t expected = (uint64_t)row->file.records * RECORD_BYTES;
    sealed_name_format(&row->file, name);
    verify->files++;
    if (map->bytes != expected) {
        verify_problem(verify, name, "has %zu bytes, and had %" PRIu64 " when it was sealed",
                       map->bytes, expected);
        return false;
    }
    bool good = check_hash(verify, name, row, map);
    good = check_records(verify, name, row, map->records, row->file.records) && good;
    verify->done_bytes += map->bytes;
    progress_show(&verify->progress, verify->done_bytes, verify->records);
    return good;
}
