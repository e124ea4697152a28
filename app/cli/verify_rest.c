/*
 * verify_rest.c - what no row of the manifest vouches for: its own end, files nobody names, and the
 * live files.
 */
#include "app/cli/verify_work.h"
#include "handlers/sensor/live/live_directory.h"
#include "handlers/sensor/live/quarantine.h"
#include "handlers/sensor/sealed/sealed_names.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    REST_PATH_BYTES = 2048 + 128,
    STRAYS_TOLD = 20,
    TRIES = 20,
    PAUSE_NS = 100000000,
    SINCE_FILES = 256
};

static bool exists(const struct verify *verify, const char *name)
{
    char path[REST_PATH_BYTES];
    snprintf(path, sizeof path, "%s/%s", verify->store, name);
    return access(path, F_OK) == 0;
}

static bool live_file_stands(const struct verify *verify, uint64_t sequence)
{
    struct live_names names;
    bool found = false;
    if (live_directory_list(&file_system, verify->store, &names, NULL) != HEARTH_OK)
        return false;
    for (size_t i = 0; i < names.count; i++)
        found |= names.names[i].sequence == sequence;
    live_names_clean(&names);
    return found;
}

/* ---- The end of the manifest ---- */

/* Live files that were sealed since the manifest was read. */
struct since {
    uint64_t sequences[SINCE_FILES];
    size_t count;
};

static enum hearth_error see_row(void *context, const struct manifest_row *row)
{
    struct since *since = context;
    if (row->part == 1 && since->count < SINCE_FILES)
        since->sequences[since->count++] = row->file.sequence;
    return HEARTH_OK;
}

static bool is_sealed_since(const struct since *since, uint64_t sequence)
{
    for (size_t i = 0; i < since->count; i++)
        if (since->sequences[i] == sequence)
            return true;
    return false;
}

/* Does a keeper hold the store? Then a seal may be under way. */
static bool is_held(const struct verify *verify)
{
    char path[REST_PATH_BYTES];
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    snprintf(path, sizeof path, "%s/store.lock", verify->store);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    bool held = file >= 0 && fcntl(file, F_OFD_GETLK, &whole) == 0 && whole.l_type != F_UNLCK;
    if (file >= 0)
        close(file);
    return held;
}

/* Reads on from where the scan stopped; a seal that is under way comes to its end. Gives back how
 * many bytes are left then. */
static uint64_t read_on(const struct verify *verify, struct since *since)
{
    struct manifest_position position = verify->scan.position;
    uint64_t left = 0;
    *since = (struct since){0};
    for (int i = 0; i < TRIES; i++) {
        if (manifest_read(&file_system, verify->store, verify->scan.id, &position, NULL, see_row,
                          since, &left, NULL) != HEARTH_OK ||
            left == 0 || !is_held(verify))
            return left;
        nanosleep(&(struct timespec){.tv_nsec = PAUSE_NS}, NULL);
    }
    return left;
}

/* The first row of those left, if it is one. */
static bool left_row(const struct verify *verify, struct manifest_row *row)
{
    char path[REST_PATH_BYTES], text[MANIFEST_ROW_BYTES];
    const struct manifest_position *position = &verify->scan.position;
    snprintf(path, sizeof path, "%s/manifest/%04d.ndjson", verify->store, position->year);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = file >= 0 ? pread(file, text, sizeof text, (off_t)position->bytes) : -1;
    if (file >= 0)
        close(file);
    size_t end = got > 0 ? view_index_of(view_from(text, (size_t)got), '\n') : SIZE_MAX;
    return end != SIZE_MAX && manifest_row_parse(view_from(text, end), row);
}

void verify_end_of_manifest(struct verify *verify)
{
    struct manifest_row row;
    char where[64], name[SEALED_NAME_BYTES] = "";
    struct since since;
    uint64_t left = verify->scan.left_bytes > 0 ? read_on(verify, &since) : 0;
    if (left == 0)
        return;
    bool known = left_row(verify, &row);
    if (known)
        sealed_name_format(&row.file, name);
    if (known && live_file_stands(verify, row.file.sequence)) {
        verify_note(verify,
                    "sealing of live file %" PRIu64 " was broken off; opening goes on with it",
                    row.file.sequence);
        return;
    }
    snprintf(where, sizeof where, "manifest/%04d.ndjson", verify->scan.position.year);
    verify_problem(verify, where,
                   "its last %" PRIu64 " bytes are no complete set of rows%s%s, and the live file "
                   "that they are about is gone",
                   left, known ? ", from that of " : "", name);
}

/* ---- Files that no row names ---- */

struct strays {
    struct verify *verify;
    struct since since;
    uint64_t found;
};

static bool is_named(const struct verify *verify, const struct sealed_file *file)
{
    size_t count;
    size_t first =
        file->day == SEALED_SUSPECT_DAY ? 0 : store_scan_rows(&verify->scan, file->day, &count);
    if (file->day == SEALED_SUSPECT_DAY)
        count = verify->scan.suspects;
    for (size_t i = first; i < first + count; i++) {
        if (verify->scan.rows[i].file.sequence == file->sequence)
            return true;
    }
    return false;
}

/* Fits sealed_names_fn. */
static bool see_file(void *context, const struct sealed_file *file)
{
    struct strays *strays = context;
    char name[SEALED_NAME_BYTES];
    if (is_named(strays->verify, file))
        return true;
    sealed_name_format(file, name);
    /* Sealed since the manifest was read, or by a seal that was broken off and will be done again.
     */
    bool later = !store_scan_is_sealed(&strays->verify->scan, file->sequence) &&
                 (is_sealed_since(&strays->since, file->sequence) ||
                  live_file_stands(strays->verify, file->sequence));
    if (!later && strays->found++ < STRAYS_TOLD)
        verify_problem(strays->verify, name,
                       "no row of the manifest names it: put the manifest back as it was, or move "
                       "the file out of the store and `hearth import` it");
    return true;
}

enum hearth_error verify_strays(struct verify *verify, struct error_record *error)
{
    struct strays strays = {.verify = verify};
    struct error_record inner = {0};
    /* What was sealed since counts as named. */
    read_on(verify, &strays.since);
    enum hearth_error code =
        sealed_names_each(&file_system, verify->store, see_file, &strays, &inner);
    if (strays.found > STRAYS_TOLD)
        verify_problem(verify, "sealed", "%" PRIu64 " more files that no row of the manifest names",
                       strays.found - STRAYS_TOLD);
    return code == HEARTH_OK ? code
                             : error_set_internal(error, code, inner.number, "%s", inner.detail);
}

/* ---- Live files and quarantine ---- */

struct live_check {
    struct verify *verify;
    struct quarantined_runs known;
};

static void see_bad_slot(void *context, const char *name, uint64_t sequence, uint64_t slot,
                         const char *reason, struct view bytes)
{
    struct live_check *check = context;
    char where[LIVE_NAME_BYTES + 8];
    if (quarantined_runs_have(&check->known, sequence, slot, bytes))
        return;
    snprintf(where, sizeof where, "live/%s", name);
    verify_problem(check->verify, where,
                   "slot %" PRIu64 ", byte %" PRIu64 ": %s; opening the store quarantines it", slot,
                   slot * RECORD_BYTES, reason);
}

static void tell_unreadable(struct verify *verify)
{
    for (size_t i = 0; i < verify->scan.unreadable_count; i++) {
        const struct unreadable_live *live = &verify->scan.unreadable[i];
        char name[LIVE_NAME_BYTES], where[LIVE_NAME_BYTES + 8];
        live_name_format(&live->name, name);
        snprintf(where, sizeof where, "live/%s", name);
        verify_problem(verify, where, "cannot be read (%s), and is not sealed", live->detail);
    }
}

enum hearth_error verify_live(struct verify *verify, struct error_record *error)
{
    struct live_check check = {.verify = verify};
    enum hearth_error code = HEARTH_OK;
    if (exists(verify, "quarantine"))
        code = quarantine_known(&file_system, verify->store, &check.known, error);
    if (code == HEARTH_OK)
        code = store_scan_live(&verify->scan, see_bad_slot, &check, error);
    tell_unreadable(verify);
    quarantined_runs_clean(&check.known);
    return code;
}
