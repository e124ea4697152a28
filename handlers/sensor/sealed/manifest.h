/*
 * manifest.h - the list of the sealed files, each row chained to the one before.
 *
 *   manifest/2025.ndjson   rows of what was sealed in 2025 (UTC year of the sealing), one a line:
 *
 * {"sequence":7,"part":1,"parts":2,"slots":4000,"file":"sealed/2025/09-14.00000007.bin",
 *  "records":3912,"sha256":"<64 hex>","previous":"<64 hex>","check":"<8 hex>"}
 *
 * (one line in the file, exactly these members in this order without white space, then '\n').
 * `parts` rows belong to one live file; `slots` are its slots, good and bad, on every part's row.
 * `previous` is the SHA-256 of the row before as it stands in the file, without its '\n', also over
 * the end of a year; of the very first row it is the SHA-256 of the store id's 32 hex digits
 * (STORE/store.id). `check` is the CRC-32 of the row's text before `,"check"`: the chain says of
 * each row but the last that it is as it was written, and this says it of the last one, too. A
 * sequence has one set. Mostly they ascend, but a live file that could not be read in its turn is
 * sealed after later ones: a live file is sealed once its last part's row stands, whatever other
 * rows do.
 *
 * The keeper alone appends. Rows behind the last complete set of parts are what a crash left: they
 * are cut off when the store is opened, and the live file, which is still there, is sealed again.
 * Readers go by the length that the keeper published and never see such rows.
 */
#ifndef HEARTH_SENSOR_MANIFEST_H
#define HEARTH_SENSOR_MANIFEST_H

#include "handlers/sensor/disk/file_operations.h"
#include "handlers/sensor/sealed/sealed_file.h"

enum { MANIFEST_HASH_BYTES = 32, MANIFEST_ROW_BYTES = 512 };

struct manifest_row {
    struct sealed_file file;
    uint32_t part, parts;
    uint64_t slots;
    unsigned char sha256[MANIFEST_HASH_BYTES];   /* of the sealed file */
    unsigned char previous[MANIFEST_HASH_BYTES]; /* of the row before */
};

/* The row's text with '\n'; its length. */
size_t manifest_row_format(const struct manifest_row *row, char text[MANIFEST_ROW_BYTES]);
/* `line` without '\n'. False unless it is exactly what manifest_row_format writes. */
bool manifest_row_parse(struct view line, struct manifest_row *row);

/* Where a reading of the manifest has come to; also what the keeper publishes. All zero = the
 * start. */
struct manifest_position {
    int32_t year;                            /* of the file read last, 0 = none */
    uint64_t bytes;                          /* of it */
    unsigned char hash[MANIFEST_HASH_BYTES]; /* of the last row, or of the store id */
};

/* A row in order. An error ends the reading and is what it returns. */
typedef enum hearth_error manifest_visit_fn(void *context, const struct manifest_row *row);

/* Reads the rows behind `position` up to `until` (NULL = to the end of the newest file), checks the
 * chain, and moves `position` behind the last complete set of parts; only rows of complete sets are
 * visited. What is behind it is counted in `*left_bytes` (may be NULL). Errors: CORRUPT (the detail
 * names file, line and what is wrong: not a row, chain broken, a file missing, a sequence that was
 * read before, a fork: two rows with one `previous`, both named), IO and the like, NO_MEMORY. */
HEARTH_MUST_CHECK enum hearth_error manifest_read(struct file_operations *files, const char *store,
                                                  const unsigned char store_id[16],
                                                  struct manifest_position *position,
                                                  const struct manifest_position *until,
                                                  manifest_visit_fn *visit, void *context,
                                                  uint64_t *left_bytes, struct error_record *error);

#endif
