/*
 * import.h - files of readings, piece by piece: JSON lines, CSV and records become batches.
 *
 *   import = import_new(&options, &error);
 *   while (there are bytes)
 *       import_feed(import, bytes, &error);      calls options.batch, any number of times
 *   import_finish(import, &error);               what stands behind the last newline
 *   import_free(import);
 *
 * It does no input or output: the caller reads the file, and does with each batch what it likes
 * (store it, or only count). A batch says up to which byte of the file everything has been handed
 * over, so that an import that was broken off goes on there. One thread.
 *
 *   jsonl  an object a line, see reading_json.h
 *   csv    RFC 4180, a header line names the columns: see import_csv.h
 *   bin    records of 12 bytes, see hearth/reading_store.h
 *
 * NUL bytes before a line (a power loss leaves them) are stripped, and the line is read. What is no
 * reading is rejected with its reason and its bytes, the rest goes on. In a file a reading without
 * a time is none. The sender's times get time quality 3 (imported), records keep what they say;
 * what cannot be right is suspect (2) in either.
 */
#ifndef HEARTH_SENSOR_IMPORT_H
#define HEARTH_SENSOR_IMPORT_H

#include "handlers/sensor/text/time_zone.h"
#include "hearth/auth.h"
#include "hearth/reading_store.h"

enum import_format { IMPORT_JSONL, IMPORT_CSV, IMPORT_BIN, IMPORT_FORMAT_COUNT };

/* "jsonl", "csv", "bin": also what quarantine names as the source. */
const char *import_format_name(enum import_format format);
bool import_format_parse(struct view name, enum import_format *format);
/* What a file is: by the end of its name (.jsonl .ndjson .json .csv .bin, also in front of .part
 * and the like), else by its first bytes (some hundred are enough). False when neither tells. */
bool import_format_guess(struct view file_name, struct view first_bytes,
                         enum import_format *format);

/* Records in the file's order, with their duplicates. Everything is valid during the call. */
struct import_batch {
    const struct record *records;
    size_t count; /* at most IMPORT_BATCH_RECORDS */
    const struct rejected_reading *rejected;
    size_t rejected_count;
    uint64_t position; /* of the file: what lies before it is in this batch or an earlier one */
};
enum { IMPORT_BATCH_RECORDS = 65536 };

/* An error ends the import and is what import_feed and import_finish return. */
typedef enum hearth_error import_batch_fn(void *context, const struct import_batch *batch);

struct import_options {
    enum import_format format;
    enum temperature_unit unit;   /* of a bare `temperature`; UNIT_TENTHS_F by default */
    const struct time_zone *zone; /* of times without an offset; NULL = UTC. Must outlive it. */
    int rolling_code;             /* of readings that name none; -1 = they are rejected */
    int64_t now_ms, future_tolerance_ms; /* a time after both together is suspect */
    import_batch_fn *batch;              /* Required. */
    void *context;
};

enum { IMPORT_FIRST_LINES = 4 }; /* so many places of each reason are remembered */

struct import_counts {
    uint64_t records;               /* given in batches, the suspect ones included */
    uint64_t suspect;               /* of them */
    uint64_t rejected;              /* readings, the sum of the reasons */
    uint64_t reasons[REJECT_COUNT]; /* by enum record_reject */
    uint64_t ignored;               /* unknown members of JSON */
    uint64_t nul_bytes;             /* stripped */
    /* Lines seen so far (of bin: records), since the beginning or since import_seek; and, counted
     * alike from 1, where the first of each reason stood; 0 = there were not so many. */
    uint64_t lines;
    uint64_t first_lines[REJECT_COUNT][IMPORT_FIRST_LINES];
};

struct import;

/* NULL: NO_MEMORY. */
struct import *import_new(const struct import_options *options, struct error_record *error);
void import_free(struct import *import); /* NULL is allowed */

/* The next bytes of the file, any number; some MB at a time are best, since batches end with them.
 * Every whole line (or record) among them is in a batch when it returns. Errors: BAD_BODY (the
 * header of a CSV names no usable columns; the detail says which), the batch function's, NO_MEMORY.
 * After an error: only import_free, _counts, _columns_ignored. */
HEARTH_MUST_CHECK enum hearth_error import_feed(struct import *import, struct view bytes,
                                                struct error_record *error);
/* The end of the file: a last line without its newline is read as well; one to eleven bytes of a
 * record are rejected. Errors: as above. */
HEARTH_MUST_CHECK enum hearth_error import_finish(struct import *import,
                                                  struct error_record *error);

void import_counts(const struct import *import, struct import_counts *counts);
/* Names of columns of a CSV that mean nothing, separated by ", "; "" = none. Lives as long. */
const char *import_columns_ignored(const struct import *import);

/* ---- Going on with an import that was broken off ----
 *
 * Seek to the position of the last batch that was stored; then feed the beginning of the file until
 * import_can_seek (a CSV needs its header, of the rest nothing is read; the other formats can at
 * once), and then from that position on. */

bool import_can_seek(const struct import *import);
/* `position`: of a batch of the same file. Before the first feed; once the header is there, also
 * then, as long as no batch was given. */
void import_seek(struct import *import, uint64_t position);

#endif
