/*
 * import_state.h - how far the import of a file has come, so that one that was broken off goes on.
 *
 *   STORE/import/0123456789abcdef.json     the first 64 bits of the SHA-256 of the file's path
 *
 * It is written behind each batch that is durable in the store, and removed at the end. It is never
 * ahead of the store; when it is lost, or behind, readings are sent again and are duplicates. So it
 * is not synced. It counts only for the same file (path, size, time of change, SHA-256 of its first
 * 64 KB) read in the same way. Beside it, while an import runs, stands 0123456789abcdef.lock.
 */
#ifndef HEARTH_CLI_IMPORT_STATE_H
#define HEARTH_CLI_IMPORT_STATE_H

#include "handlers/sensor/disk/write_lock.h"
#include "handlers/sensor/transfer/import.h"
#include "hearth/base.h"

enum { IMPORT_STATE_PATH_BYTES = 2048 + 64, IMPORT_HEAD_BYTES = 65536 };

/* What became of a file's readings. */
struct import_total {
    struct append_result stored;
    struct import_counts counts;
};

struct import_state {
    char path[IMPORT_STATE_PATH_BYTES]; /* of the state */
    struct write_lock lock;
    char *source; /* the file's own path; owned */
    uint64_t size;
    int64_t modified_ns;
    char head_sha256[65];
    char manner[160]; /* format, unit, zone, code: how it is read */
    uint64_t position;
    struct import_total total;
};

/* For an open regular file. Errors: LOCKED (another process is importing it), IO and the like,
 * NO_MEMORY. Cleaned by the caller either way. */
HEARTH_MUST_CHECK enum hearth_error import_state_init(struct import_state *state, const char *store,
                                                      const char *path, int file,
                                                      const char *manner,
                                                      struct error_record *error);
void import_state_clean(struct import_state *state);
/* Takes position and total from what stands; false when that is nothing, or of another file. */
bool import_state_load(struct import_state *state);
/* Errors: IO and the like, NO_MEMORY. */
HEARTH_MUST_CHECK enum hearth_error import_state_save(const struct import_state *state,
                                                      struct error_record *error);
void import_state_remove(const struct import_state *state);

void import_counts_add(struct import_counts *sum, const struct import_counts *counts);

#endif
