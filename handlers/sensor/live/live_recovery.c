/*
 * live_recovery.c - looking at every slot of a live file before it is used.
 *
 * Bad slots are collected into runs: neighbours with one reason make one line in the quarantine.
 * Either all are alike (a tail of zeros after a power loss), then the bytes stand there once with
 * the count; or they differ, then all bytes stand there, up to BAD_RUN_SLOTS of them.
 *
 * Settling: a process that was killed may have left readings in the page cache that were never
 * synced, or whose sync failed and left the pages marked clean. Answering a resend of them with
 * "duplicate" would be a promise on nothing. So what is not known to be synced is written again,
 * the same bytes to the same place, which makes the pages dirty, and then synced: only then does a
 * successful sync mean that they are on the disk.
 */
#include "handlers/sensor/live/live_recovery.h"

#include "handlers/sensor/disk/live_memory.h"

#include "handlers/sensor/record/record.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

enum { BLOCK_RECORDS = 4096, BLOCK_BYTES = BLOCK_RECORDS * RECORD_BYTES };

void live_recovery_init(struct live_recovery *recovery, struct file_operations *files,
                        const char *store, struct quarantine *quarantine, live_visit_fn *visit,
                        void *context)
{
    memset(recovery, 0, sizeof *recovery);
    recovery->files = files;
    recovery->store = store;
    recovery->quarantine = quarantine;
    recovery->visit = visit;
    recovery->context = context;
}

void live_recovery_clean(struct live_recovery *recovery)
{
    quarantined_runs_clean(&recovery->known);
    recovery->known_loaded = false;
}

/* ---- Runs of bad slots ---- */

/* Of more rubbish than one commit takes, what waits goes first. */
static enum hearth_error add_entry(struct live_recovery *recovery,
                                   const struct quarantine_entry *entry)
{
    enum hearth_error code = quarantine_add(recovery->quarantine, entry);
    if (code != HEARTH_BODY_TOO_LARGE || !quarantine_waits(recovery->quarantine))
        return code;
    code = quarantine_commit(recovery->quarantine, NULL);
    if (code == HEARTH_DISK_FULL)
        recovery->full = code;
    else if (code != HEARTH_OK)
        return code;
    return quarantine_add(recovery->quarantine, entry);
}

static enum hearth_error flush_run(struct live_recovery *recovery)
{
    struct bad_run *run = &recovery->run;
    if (run->count == 0)
        return HEARTH_OK;
    size_t slots = run->alike ? 1 : (size_t)run->count;
    const struct quarantine_entry entry = {
        .reason = record_reject_name(run->reason),
        .source = VIEW("recovery"),
        .raw = view_from((const char *)run->raw, slots * RECORD_BYTES),
        .count = run->count,
        .in_live = true,
        .sequence = run->sequence,
        .slot = run->slot,
    };
    recovery->quarantined_slots += run->count;
    run->count = 0;
    return add_entry(recovery, &entry);
}

/* Can this slot, the next one, be counted in with the run? */
static bool joins_run(const struct bad_run *run, const struct record *record,
                      enum record_reject reason)
{
    if (run->count == 0 || run->reason != reason)
        return false;
    size_t last = run->alike ? 0 : (size_t)run->count - 1;
    bool same = memcmp(&run->raw[last], record, RECORD_BYTES) == 0;
    if (run->count == 1)
        return true;
    return run->alike ? same : !same && run->count < BAD_RUN_SLOTS;
}

static enum hearth_error add_bad_slot(struct live_recovery *recovery, uint64_t sequence,
                                      uint64_t slot, const struct record *record,
                                      enum record_reject reason)
{
    struct bad_run *run = &recovery->run;
    if (!joins_run(run, record, reason)) {
        enum hearth_error code = flush_run(recovery);
        run->sequence = sequence;
        run->slot = slot;
        run->reason = reason;
        run->alike = true;
        run->raw[0] = *record;
        run->count = 1;
        return code;
    }
    run->alike = run->alike && memcmp(&run->raw[0], record, RECORD_BYTES) == 0;
    if (!run->alike)
        run->raw[run->count] = *record;
    run->count++;
    return HEARTH_OK;
}

/* Was it quarantined, with these bytes, when the store was opened before? */
static enum hearth_error is_known(struct live_recovery *recovery, uint64_t sequence, uint64_t slot,
                                  struct view bytes, bool *known, struct error_record *error)
{
    if (!recovery->known_loaded) {
        enum hearth_error code =
            quarantine_known(recovery->files, recovery->store, &recovery->known, error);
        if (code != HEARTH_OK)
            return code;
        recovery->known_loaded = true;
    }
    *known = quarantined_runs_have(&recovery->known, sequence, slot, bytes);
    return HEARTH_OK;
}

static enum hearth_error bad_slot(struct live_recovery *recovery, uint64_t sequence, uint64_t slot,
                                  const struct record *record, enum record_reject reason,
                                  struct error_record *error)
{
    bool known;
    struct view bytes = view_from((const char *)record, RECORD_BYTES);
    enum hearth_error code = is_known(recovery, sequence, slot, bytes, &known, error);
    if (code == HEARTH_OK)
        code = known ? flush_run(recovery) : add_bad_slot(recovery, sequence, slot, record, reason);
    return code;
}

/* Bytes behind the last whole slot. */
static enum hearth_error torn_tail(struct live_recovery *recovery, uint64_t sequence, uint64_t slot,
                                   struct view bytes, struct error_record *error)
{
    bool known;
    enum hearth_error code = is_known(recovery, sequence, slot, bytes, &known, error);
    if (code != HEARTH_OK || known)
        return code;
    recovery->quarantined_slots++;
    return add_entry(recovery, &(struct quarantine_entry){.reason = "TORN_TAIL",
                                                          .source = VIEW("recovery"),
                                                          .raw = bytes,
                                                          .count = 1,
                                                          .in_live = true,
                                                          .sequence = sequence,
                                                          .slot = slot});
}

/* ---- Scanning ---- */

static enum hearth_error scan_block(struct live_recovery *recovery, uint64_t sequence,
                                    const struct record *block, size_t count, uint64_t slot,
                                    struct live_scan *scan, struct error_record *error)
{
    for (size_t i = 0; i < count; i++) {
        enum record_reject reject = record_check(&block[i]);
        enum hearth_error code;
        if (reject != REJECT_NONE) {
            code = bad_slot(recovery, sequence, slot + i, &block[i], reject, error);
        } else {
            scan->good_end_bytes = (slot + i + 1) * RECORD_BYTES;
            code = flush_run(recovery);
            if (code == HEARTH_OK)
                code = recovery->visit(recovery->context, &block[i], slot + i);
        }
        if (code != HEARTH_OK)
            return code;
    }
    return HEARTH_OK;
}

static enum hearth_error scan_file(struct live_recovery *recovery, const struct live_name *name,
                                   int file, const char *path, uint64_t end, struct record *block,
                                   struct live_scan *scan, struct error_record *error)
{
    uint64_t at = 0;
    enum hearth_error code = HEARTH_OK;
    while (code == HEARTH_OK && at < end) {
        size_t wanted = BLOCK_RECORDS * sizeof *block, got;
        if (end - at < wanted)
            wanted = (size_t)(end - at);
        code = file_read_all(recovery->files, file, path, block, wanted, at, &got, error);
        if (code != HEARTH_OK)
            return code;
        size_t count = got / RECORD_BYTES, rest = got % RECORD_BYTES;
        uint64_t slot = at / RECORD_BYTES;
        code = scan_block(recovery, name->sequence, block, count, slot, scan, error);
        if (code == HEARTH_OK && rest > 0)
            code = torn_tail(recovery, name->sequence, slot + count,
                             view_from((const char *)&block[count], rest), error);
        at = got < wanted ? end : at + got;
    }
    if (code == HEARTH_OK)
        code = flush_run(recovery);
    return code;
}

static int open_live(struct live_recovery *recovery, const struct live_name *name, int flags,
                     char path[LIVE_PATH_BYTES], struct error_record *error)
{
    live_path(recovery->store, name, path);
    return file_open(recovery->files, path, flags, 0, error);
}

enum hearth_error live_recovery_look(struct live_recovery *recovery, const struct live_name *name,
                                     struct live_scan *scan, struct error_record *error)
{
    char path[LIVE_PATH_BYTES];
    struct file_status status;
    int file = open_live(recovery, name, O_RDONLY, path, error);
    if (file < 0)
        return error_from_errno(errno);
    enum hearth_error code = file_status_of(recovery->files, file, path, &status, error);
    file_close(recovery->files, file);
    if (code == HEARTH_OK)
        *scan =
            (struct live_scan){.size_bytes = status.size_bytes, .modified_ms = status.modified_ms};
    return code;
}

enum hearth_error live_recovery_scan(struct live_recovery *recovery, const struct live_name *name,
                                     uint64_t end, struct live_scan *scan,
                                     struct error_record *error)
{
    char path[LIVE_PATH_BYTES];
    struct record *block = memory_new(BLOCK_RECORDS * sizeof *block);
    if (!block)
        return error_set_internal(error, HEARTH_NO_MEMORY, 0, "no memory to read the live files");
    scan->good_end_bytes = 0;
    int file = open_live(recovery, name, O_RDONLY, path, error);
    enum hearth_error code = file < 0
                                 ? error_from_errno(errno)
                                 : scan_file(recovery, name, file, path, end, block, scan, error);
    file_close(recovery->files, file);
    memory_free(block);
    return code;
}

enum hearth_error live_recovery_commit(struct live_recovery *recovery, struct error_record *error)
{
    enum hearth_error code = quarantine_commit(recovery->quarantine, error);
    if (code == HEARTH_OK && recovery->full != HEARTH_OK)
        code = error_set_internal(error, recovery->full, 0, "no room for the quarantine");
    recovery->full = HEARTH_OK;
    return code;
}

/* ---- Settling ---- */

static enum hearth_error write_again(struct live_recovery *recovery, int file, const char *path,
                                     uint64_t from, uint64_t end, struct error_record *error)
{
    char *block = memory_new(BLOCK_BYTES);
    enum hearth_error code = HEARTH_OK;
    if (!block)
        return error_set_internal(error, HEARTH_NO_MEMORY, 0, "no memory to write %s again", path);
    while (code == HEARTH_OK && from < end) {
        size_t wanted = BLOCK_BYTES, got, written;
        if (end - from < wanted)
            wanted = (size_t)(end - from);
        code = file_read_all(recovery->files, file, path, block, wanted, from, &got, error);
        if (code == HEARTH_OK && got < wanted)
            code = error_set_internal(error, HEARTH_IO, 0, "%s became shorter", path);
        if (code == HEARTH_OK)
            code = file_write_all(recovery->files, file, path, block, got, from, &written, error);
        from += wanted;
    }
    memory_free(block);
    return code;
}

enum hearth_error live_recovery_settle(struct live_recovery *recovery, const struct live_name *name,
                                       uint64_t synced, uint64_t end, uint64_t size,
                                       struct error_record *error)
{
    char path[LIVE_PATH_BYTES];
    int file = open_live(recovery, name, O_RDWR, path, error);
    if (file < 0)
        return error_from_errno(errno);
    enum hearth_error code = HEARTH_OK;
    if (end < size) {
        code = file_cut(recovery->files, file, path, end, error);
        recovery->cut_bytes = size - end;
    }
    if (code == HEARTH_OK && synced < end)
        code = write_again(recovery, file, path, synced, end, error);
    if (code == HEARTH_OK)
        code = file_sync(recovery->files, file, path, error);
    file_close(recovery->files, file);
    return code;
}
