/*
 * quarantine.h - what came as a reading and cannot be one, kept word for word.
 *
 * STORE/quarantine/NNNNNNNN.ndjson, one JSON object a line, appended and synced by the keeper
 * alone; a new file above 8 MB, and after a failed sync. A line without its newline at the end of a
 * file was never acknowledged and does not count. Members, in this order:
 *
 *   time        when it was quarantined, RFC 3339 in UTC
 *   reason      a name of RECORD_REJECTS, or TORN_TAIL (a live file's last bytes, fewer than 12)
 *   source      the dialect it came in ("json", "binary"), or "recovery"
 *   sequence, slot   of "recovery" only: the live file's number and the record's (byte 12 * slot)
 *   count       how many readings the line stands for: a run of bad slots is one line, and so are
 *               rejected readings that came side by side; pieces of a text all say the same
 *   part, parts, id  of a text too long for one line: its pieces share an id
 *   raw         the text, where it is UTF-8 and as a JSON string not longer than in base64; else
 *   raw_base64  the bytes (RFC 4648). For a run of slots: 12 bytes when all are alike, else all
 *
 * So a line never takes more than 4/3 of what came, and what stands before it: control bytes, each
 * of which is six characters in JSON, cannot make six bytes of one.
 */
#ifndef HEARTH_SENSOR_QUARANTINE_H
#define HEARTH_SENSOR_QUARANTINE_H

#include "handlers/sensor/disk/file_operations.h"
#include "hearth/clock.h"

struct quarantine_entry {
    const char *reason;
    struct view source, raw;
    uint64_t count; /* readings; 0 counts as 1 */
    bool in_live;   /* sequence and slot say where */
    uint64_t sequence, slot;
    unsigned part, parts; /* parts 0 or 1: whole */
    uint64_t id;
};

/* One line, with its newline. */
enum hearth_error quarantine_line(struct buffer *out, const struct quarantine_entry *entry,
                                  int64_t wall_ms);
/* Is it well-formed UTF-8 (RFC 3629)? */
bool quarantine_is_utf8(struct view text);
enum hearth_error quarantine_base64(struct buffer *out, struct view bytes);

/* The keeper's side. One thread. */
struct quarantine;

/* Makes the directory. `files` and `clock` must outlive it; `store` is copied. Errors: IO and the
 * like, NO_MEMORY. */
HEARTH_MUST_CHECK enum hearth_error quarantine_open(struct file_operations *files,
                                                    const char *store, const struct clock *clock,
                                                    struct quarantine **quarantine,
                                                    struct error_record *error);
void quarantine_close(struct quarantine *quarantine); /* NULL is allowed */
/* Takes it up for the next commit. Errors: NO_MEMORY, BODY_TOO_LARGE (64 MB wait already). */
HEARTH_MUST_CHECK enum hearth_error quarantine_add(struct quarantine *quarantine,
                                                   const struct quarantine_entry *entry);
bool quarantine_waits(const struct quarantine *quarantine);
/* Writes and syncs what was taken up; nothing waits then, whatever comes back. Errors: DISK_FULL,
 * IO and the like. */
HEARTH_MUST_CHECK enum hearth_error quarantine_commit(struct quarantine *quarantine,
                                                      struct error_record *error);
/* Forgets what was taken up. */
void quarantine_drop(struct quarantine *quarantine);

/* ---- The files' names ---- */

enum { QUARANTINE_PATH_BYTES = 2048 + 64 };

/* STORE/quarantine; `store` is shorter than 2,048 bytes. */
void quarantine_directory_path(const char *store, char path[QUARANTINE_PATH_BYTES]);
/* A file of that directory. */
void quarantine_path(const char *directory, uint64_t sequence, char path[QUARANTINE_PATH_BYTES]);
/* False when it is no quarantine file's name. */
bool quarantine_name_parse(const char *name, uint64_t *sequence);

/* ---- The slots that earlier recoveries quarantined (quarantine_known.c) ---- */

enum { QUARANTINED_SLOT_BYTES = 12 };

/* So many slots from that one on, which had these bytes (fewer than 12: a torn tail). */
struct quarantined_run {
    uint64_t sequence, slot, count;
    uint8_t length;
    unsigned char bytes[QUARANTINED_SLOT_BYTES];
};
struct quarantined_runs {
    struct quarantined_run *runs; /* ascending by sequence, bytes, slot */
    size_t count;
};
/* What stands in STORE/quarantine. Errors: IO and the like, NO_MEMORY. */
HEARTH_MUST_CHECK enum hearth_error quarantine_known(struct file_operations *files,
                                                     const char *store,
                                                     struct quarantined_runs *runs,
                                                     struct error_record *error);
/* Was this slot quarantined with these bytes? */
bool quarantined_runs_have(const struct quarantined_runs *runs, uint64_t sequence, uint64_t slot,
                           struct view bytes);
void quarantined_runs_clean(struct quarantined_runs *runs);

#endif
