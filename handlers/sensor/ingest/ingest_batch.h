/*
 * ingest_batch.h - readings on their way into a store: what every dialect fills.
 *
 * A dialect turns bytes into ingest_batch_reading and ingest_batch_reject calls; they gather, and
 * whenever enough have come together the owner's commit takes them. Nothing here knows of requests
 * or files: PUT /data and its like commit to the store, `hearth import` to what it is told. One
 * thread.
 */
#ifndef HEARTH_SENSOR_INGEST_BATCH_H
#define HEARTH_SENSOR_INGEST_BATCH_H

#include "handlers/sensor/ingest/line_protocol.h"
#include "handlers/sensor/record/reading_fields.h"

/* Everything is valid during the call. An error ends the dialect, which returns it. */
typedef enum hearth_error ingest_commit_fn(void *context, const struct record *records,
                                           size_t count, const struct rejected_reading *rejected,
                                           size_t rejected_count);

struct ingest_batch_options {
    struct reading_options reading;
    const char *source;         /* what quarantine names; a literal, at most 9 characters */
    enum time_quality quality;  /* of a time that the sender gave: SENDER or IMPORTED */
    int64_t latest_ms;          /* a later time is suspect, as is one before 2000 */
    int max_json_depth;         /* of a reading in JSON */
    size_t max_records;         /* of a commit */
    ingest_commit_fn *commit;   /* Required. */
    void *context;              /* of commit */
    struct error_record *error; /* Required: where a dialect says what went wrong */
};

struct ingest_batch {
    struct ingest_batch_options options;

    struct buffer records;      /* struct record */
    struct buffer rejected;     /* struct rejected_reading, each of one or more side by side */
    bool rejected_a_moment_ago; /* and nothing was taken since */

    /* Since the beginning. */
    uint64_t taken, suspect; /* records */
    uint64_t repeated;       /* readings that a body said twice and that are not in `taken` */
    uint64_t refused;        /* readings, the sum of the reasons */
    uint64_t reasons[REJECT_COUNT];
    enum record_reject last_reason; /* of the newest of them */
    uint64_t ignored;               /* members without a meaning */
};

void ingest_batch_init(struct ingest_batch *batch, const struct ingest_batch_options *options);
void ingest_batch_clean(struct ingest_batch *batch);

/* ---- For the dialects, in the order of the bytes ---- */

/* A reading that is no record is rejected as `raw`. Rejected neighbours of one reason are kept as
 * one text, with what stands between them, up to what fits one entry of the quarantine: a body of
 * junk takes about the room on the disk that it took on the line. `raw` must live until the next
 * commit. Errors: the commit's, NO_MEMORY. */
HEARTH_MUST_CHECK enum hearth_error ingest_batch_reading(struct ingest_batch *batch,
                                                         struct reading *reading, struct view raw);
HEARTH_MUST_CHECK enum hearth_error ingest_batch_record(struct ingest_batch *batch,
                                                        const struct record *record);
HEARTH_MUST_CHECK enum hearth_error ingest_batch_reject(struct ingest_batch *batch,
                                                        enum record_reject reason, struct view raw);
/* Something good stood here, which comes later: what is rejected next is no neighbour of what was
 * rejected before. */
void ingest_batch_part(struct ingest_batch *batch);
/* Commits what is left. */
HEARTH_MUST_CHECK enum hearth_error ingest_batch_finish(struct ingest_batch *batch);
/* Before 2000, or too far ahead. */
bool ingest_batch_is_suspect(const struct ingest_batch *batch, int64_t time_ms);

/* ---- The dialects. The bytes must live, unchanged, until they return; the last commit is the
 * caller's. Errors: BAD_BODY (nothing of it was committed), the commit's, UNAVAILABLE (the sender's
 * zone cannot be read), NO_MEMORY. ---- */

/* n x 12 bytes; and one of them. */
HEARTH_MUST_CHECK enum hearth_error ingest_binary(struct ingest_batch *batch, struct view body);
HEARTH_MUST_CHECK enum hearth_error ingest_binary_record(struct ingest_batch *batch,
                                                         struct view bytes);
HEARTH_MUST_CHECK enum hearth_error ingest_json_document(struct ingest_batch *batch,
                                                         struct view body);
HEARTH_MUST_CHECK enum hearth_error ingest_json_lines(struct ingest_batch *batch, struct view body);
/* One of them, without the space around it. `raw` is what is rejected: the line, and what came with
 * it. */
HEARTH_MUST_CHECK enum hearth_error ingest_json_line(struct ingest_batch *batch, struct view line,
                                                     struct view raw);
/* Several lines of which the first that is not blank is an object by itself? */
bool ingest_looks_like_lines(struct view body);
/* InfluxDB line protocol: see ingest_line_protocol.c. */
HEARTH_MUST_CHECK enum hearth_error
ingest_line_protocol(struct ingest_batch *batch, struct view body, enum line_precision precision);

#endif
