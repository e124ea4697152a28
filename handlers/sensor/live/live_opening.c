/*
 * live_opening.c - opening a live store: every slot of every file is looked at once.
 *
 * First comes the manifest. A live file whose rows stand in it is sealed and no longer counts; it
 * is removed at the end, when what counts instead is published. One without rows counts, also when
 * later ones were sealed: it could not be read in its turn. Sealed files that the manifest should
 * name and does not keep the store shut (live_strays.h).
 *
 * Only the file with the highest number can hold what was never synced, since the next one is made
 * only when the one before is synced to its end. How far it is synced may be known from what a
 * predecessor published in the shared area: after a clean handover nothing needs to be done, after
 * a keeper that died only what lies behind. Without that knowledge (a new pool) the whole file is
 * made certain. A file that a predecessor marked as poisoned is set aside first of all.
 */
#include "handlers/sensor/live/live_past.h"
#include "handlers/sensor/live/live_recovery.h"
#include "handlers/sensor/live/live_store_parts.h"
#include "handlers/sensor/live/live_strays.h"
#include "handlers/sensor/record/record.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

struct opening {
    struct live_store *store;
    struct live_recovery recovery;
    struct live_names names;
    struct error_record *error;
    struct live_past past; /* the predecessor's word */
    bool same_files;       /* it is about the files that are there */
};

/* ---- The manifest ---- */

/* Do its rows stand? Those of them that were read by now. */
static bool is_sealed(const struct opening *opening, uint64_t sequence)
{
    const struct live_store *store = opening->store;
    return sequence <= store->manifest.sequence && sealed_index_has(&store->sealed, sequence);
}

/* All but the last file are finished, and that one when it is poisoned or a later one was sealed.
 */
static bool is_finished(const struct opening *opening, size_t index)
{
    const struct live_names *names = &opening->names;
    return index + 1 < names->count || names->names[index].poisoned ||
           names->names[index].sequence <= opening->store->manifest.sequence;
}

/* Fits manifest_live_fn. */
static bool live_stands(void *context, uint64_t sequence)
{
    const struct opening *opening = context;
    const struct live_names *names = &opening->names;
    for (size_t i = 0; i < names->count; i++) {
        uint64_t number = names->names[i].sequence;
        if (is_finished(opening, i) && (sequence == 0 || number == sequence) &&
            !is_sealed(opening, number))
            return true;
    }
    return false;
}

/* Fits manifest_visit_fn. */
static enum hearth_error take_row(void *context, const struct manifest_row *row)
{
    struct opening *opening = context;
    struct live_store *store = opening->store;
    if (sealed_index_reserve(&store->sealed, 1) != HEARTH_OK)
        return error_set_internal(opening->error, HEARTH_NO_MEMORY, 0,
                                  "no memory for the sealed files");
    sealed_index_add(&store->sealed, &row->file);
    if (row->part == row->parts)
        store->sealed_slots += row->slots;
    return HEARTH_OK;
}

/* A damaged sealed file shall not keep the store shut: its day is new enough. */
static void note_newest_sealed(struct live_store *store)
{
    struct error_record error = {0};
    int64_t newest_ms;
    const struct sealed_index *sealed = &store->sealed;
    if (sealed_index_newest(&store->sealed, &newest_ms, &error) != HEARTH_OK) {
        LOG_ERROR("sensor_file_unreadable", LOG_TEXT("reason", error_name(error.code)),
                  LOG_TEXT("detail", error.detail));
        newest_ms = (int64_t)sealed->entries[sealed->count - 1].file.day * DAY_MS;
    }
    if (newest_ms > store->state.newest_ms)
        store->state.newest_ms = newest_ms;
}

/* Who reads this wants to know what to do, and has no pool to ask. */
static enum hearth_error say_what_to_do(struct opening *opening)
{
    const struct error_record found = *opening->error;
    return error_set_internal(opening->error, HEARTH_CORRUPT, found.number,
                              "%s; hearth(1), WHEN VERIFY COMPLAINS, says what to do; the store is "
                              "%s",
                              found.detail, opening->store->options.directory);
}

static enum hearth_error read_manifest(struct opening *opening)
{
    struct live_store *store = opening->store;
    struct live_names *names = &opening->names;
    enum hearth_error code =
        manifest_writer_open(&store->manifest, store->files, store->options.directory,
                             store->state.id, live_stands, take_row, opening, opening->error);
    if (code != HEARTH_OK)
        return code == HEARTH_CORRUPT ? say_what_to_do(opening) : code;
    sealed_index_settle(&store->sealed);
    store->sealed_sets = store->manifest.sets;
    store->state.manifest_year = store->manifest.position.year;
    store->state.manifest_bytes = store->manifest.position.bytes;
    for (size_t i = names->count; i > 0; i--)
        if (is_sealed(opening, names->names[i - 1].sequence))
            store->interrupted = names->names[i - 1].sequence;
    note_newest_sealed(store);
    return HEARTH_OK;
}

/* No number is used twice: not that of a row, nor that of a file whose row is lost. */
static enum hearth_error look_for_strays(struct opening *opening)
{
    struct live_store *store = opening->store;
    uint64_t highest;
    enum hearth_error code =
        live_strays_look(store->files, store->options.directory, &store->sealed, &opening->names,
                         &highest, opening->error);
    if (highest < store->manifest.sequence)
        highest = store->manifest.sequence;
    store->next_sequence = highest + 1;
    return code;
}

/* Their rows stand, but whether they are on the disk only the one who wrote them knew. */
static void remove_sealed(struct opening *opening)
{
    struct live_store *store = opening->store;
    struct error_record error = {0};
    enum hearth_error code =
        store->interrupted > 0 ? manifest_writer_confirm(&store->manifest, &error) : HEARTH_OK;
    for (size_t i = 0; code == HEARTH_OK && i < opening->names.count; i++)
        if (is_sealed(opening, opening->names.names[i].sequence))
            code = live_store_remove_file(store, &opening->names.names[i], &error);
    if (code != HEARTH_OK) /* another time: they do not count */
        LOG_WARN("sensor_sealed_file_stays", LOG_TEXT("reason", error_name(code)),
                 LOG_TEXT("detail", error.detail));
}

/* ---- Live files ---- */

/* One sealed file that cannot be read shall not keep the store shut. What is stored was asked for
 * when it came, so it hardly stands there as well; while the file is away the readings that may be
 * in it are refused. */
static enum hearth_error is_known(struct opening *opening, const struct record *record, bool *known)
{
    struct live_store *store = opening->store;
    enum identity_answer answer = live_records_find(&store->records, record);
    *known = answer == IDENTITY_KNOWN;
    if (answer == IDENTITY_UNREADABLE)
        return error_set_internal(opening->error, HEARTH_IO, 0, "a live file cannot be read");
    if (*known)
        return HEARTH_OK;
    enum hearth_error code = live_store_find_sealed(store, record, known);
    if (code == HEARTH_NO_MEMORY)
        return error_set_internal(opening->error, code, 0, "%s", store->unreadable.detail);
    if (code != HEARTH_OK)
        metric_add(store->metrics.unasked, 1);
    return HEARTH_OK;
}

/* A good slot: into the file's table of identities, unless its reading stands somewhere. */
static enum hearth_error index_slot(void *context, const struct record *record, uint64_t slot)
{
    struct opening *opening = context;
    struct live_store *store = opening->store;
    struct live_run *run = live_records_last(&store->records);
    bool known;
    enum hearth_error code = is_known(opening, record, &known);
    if (code != HEARTH_OK)
        return code;
    if (record_time_quality(record) != TIME_SUSPECT &&
        record_time_ms(record) > store->state.newest_ms)
        store->state.newest_ms = record_time_ms(record);
    if (known)
        run->twice++;
    else
        identity_insert(&run->identity, record, (uint32_t)slot);
    return HEARTH_OK;
}

static enum hearth_error reserve_table(struct opening *opening, size_t readings)
{
    struct live_run *run = live_records_last(&opening->store->records);
    enum hearth_error code = identity_reserve(&run->identity, readings);
    return code == HEARTH_OK
               ? code
               : error_set_internal(opening->error, code, 0, "no table for the readings");
}

static enum hearth_error scan_run(struct opening *opening, const struct live_name *name,
                                  uint64_t end, struct live_scan *scan)
{
    struct live_store *store = opening->store;
    enum hearth_error code =
        live_records_add(&store->records, name, end / RECORD_BYTES, opening->error);
    if (code == HEARTH_OK)
        code = reserve_table(opening, (size_t)(end / RECORD_BYTES));
    if (code != HEARTH_OK)
        return code;
    return live_recovery_scan(&opening->recovery, name, end, scan, opening->error);
}

/* A file that is finished or set aside. */
static enum hearth_error recover_finished(struct opening *opening, const struct live_name *name)
{
    struct live_scan scan;
    enum hearth_error code = live_recovery_look(&opening->recovery, name, &scan, opening->error);
    if (code != HEARTH_OK)
        return code;
    uint64_t end = scan.size_bytes;
    if (name->poisoned && name->trusted_bytes < end)
        end = name->trusted_bytes / RECORD_BYTES * RECORD_BYTES;
    return scan_run(opening, name, end, &scan);
}

/* How far the file written to is known to be synced. */
static uint64_t known_synced(const struct opening *opening, const struct live_name *name,
                             uint64_t size)
{
    const struct live_state *past = &opening->past.state;
    if (!opening->same_files || past->sequence != name->sequence)
        return 0;
    uint64_t synced = past->synced_bytes < size ? past->synced_bytes : size;
    return synced / RECORD_BYTES * RECORD_BYTES;
}

/* Quarantines, cuts, makes certain. With a full disk the quarantine cannot take what is bad: then
 * nothing is cut, and the file is finished as it is. */
static enum hearth_error settle_current(struct opening *opening, const struct live_name *name,
                                        const struct live_scan *scan, uint64_t synced,
                                        bool *writable)
{
    uint64_t end = scan->good_end_bytes > synced ? scan->good_end_bytes : synced;
    enum hearth_error code = live_recovery_commit(&opening->recovery, opening->error);
    if (code == HEARTH_DISK_FULL) {
        end = scan->size_bytes;
        *writable = false;
        code = HEARTH_OK;
    }
    bool clean = synced == scan->size_bytes && opening->past.condition == LIVE_CLEAN;
    if (code == HEARTH_OK && !clean)
        code = live_recovery_settle(&opening->recovery, name, synced, end, scan->size_bytes,
                                    opening->error);
    if (code == HEARTH_OK)
        live_records_resize_last(&opening->store->records, (uint32_t)(end / RECORD_BYTES));
    return code;
}

/* The file with the highest number, still open to be written to. */
static enum hearth_error recover_current(struct opening *opening, const struct live_name *name)
{
    struct live_store *store = opening->store;
    struct live_scan scan;
    bool writable = true;
    enum hearth_error code = live_recovery_look(&opening->recovery, name, &scan, opening->error);
    if (code != HEARTH_OK)
        return code;
    uint64_t synced = known_synced(opening, name, scan.size_bytes);
    code = scan_run(opening, name, scan.size_bytes, &scan);
    if (code == HEARTH_OK)
        code = settle_current(opening, name, &scan, synced, &writable);
    if (code != HEARTH_OK || !writable)
        return code;
    store->current_day = scan.modified_ms / DAY_MS;
    const struct live_run *run = live_records_last(&store->records);
    return live_file_open(&store->current, name->sequence, (uint64_t)run->slots * RECORD_BYTES,
                          opening->error);
}

/* A predecessor saw a sync fail and died before the file had its name. */
static enum hearth_error follow_poisoning(struct opening *opening)
{
    struct live_store *store = opening->store;
    char from[LIVE_PATH_BYTES], to[LIVE_PATH_BYTES], directory[LIVE_PATH_BYTES];
    struct live_name name = {.sequence = opening->past.state.sequence};
    live_path(store->options.directory, &name, from);
    name.poisoned = true;
    name.trusted_bytes = opening->past.state.synced_bytes;
    live_path(store->options.directory, &name, to);
    live_directory_path(store->options.directory, directory);
    opening->past.state.file_generation |= 1; /* readers wait until the opening is over */
    live_publish(store->published, &opening->past.state);
    enum hearth_error code = name.trusted_bytes == 0
                                 ? file_remove(store->files, from, opening->error)
                                 : file_rename(store->files, from, to, opening->error);
    if (code == HEARTH_NOT_FOUND)
        return HEARTH_OK;
    if (code == HEARTH_OK)
        code = file_sync_directory(store->files, directory, opening->error);
    if (code == HEARTH_OK)
        LOG_WARN("sensor_file_poisoned", LOG_TEXT("file", to),
                 LOG_INTEGER("trusted_bytes", (int64_t)name.trusted_bytes));
    return code;
}

/* What was published counts for the files it was published of. After a change of the directory, or
 * when somebody moved another one to its place, it would say which of the wrong files to trust. */
static enum hearth_error take_past(struct opening *opening)
{
    struct live_store *store = opening->store;
    struct file_status status = {0};
    char directory[LIVE_PATH_BYTES];
    live_directory_path(store->options.directory, directory);
    int file = file_open(store->files, directory, O_RDONLY | O_DIRECTORY, 0, opening->error);
    if (file < 0)
        return error_from_errno(errno);
    enum hearth_error code = file_status_of(store->files, file, directory, &status, opening->error);
    file_close(store->files, file);
    store->state.device = status.device;
    store->state.inode = status.inode;
    live_past_get(store->published, store->options.directory, &opening->past);
    /* Rises all the same, and is even, whatever a predecessor was about. */
    store->state.file_generation = (opening->past.state.file_generation | 1) + 1;
    opening->same_files = code == HEARTH_OK && opening->past.known &&
                          live_state_same_directory(&opening->past.state, &store->state);
    if (!opening->same_files)
        opening->past.condition = LIVE_CLEAN;
    return code;
}

/* Nothing of such a file was ever acknowledged. When it cannot be removed now, it will be another
 * time. */
static bool is_discarded(struct opening *opening, const struct live_name *name)
{
    char path[LIVE_PATH_BYTES];
    if (!name->poisoned || name->trusted_bytes >= RECORD_BYTES)
        return false;
    live_path(opening->store->options.directory, name, path);
    enum hearth_error code = file_remove(opening->store->files, path, NULL);
    LOG_INFO("sensor_file_discarded", LOG_TEXT("file", path),
             LOG_TEXT("outcome", error_name(code)));
    return true;
}

static enum hearth_error recover_files(struct opening *opening)
{
    struct live_store *store = opening->store;
    enum hearth_error code = HEARTH_OK;
    for (size_t i = 0; code == HEARTH_OK && i < opening->names.count; i++) {
        const struct live_name *name = &opening->names.names[i];
        if (is_sealed(opening, name->sequence))
            continue;
        if (!is_finished(opening, i))
            code = recover_current(opening, name);
        else if (!is_discarded(opening, name))
            code = recover_finished(opening, name);
        if (store->next_sequence <= name->sequence)
            store->next_sequence = name->sequence + 1;
    }
    /* No number is used twice, even when its file was removed: readers know it by its number. */
    if (opening->same_files && opening->past.state.synced_bytes > 0 &&
        store->next_sequence <= opening->past.state.sequence)
        store->next_sequence = opening->past.state.sequence + 1;
    if (code == HEARTH_OK && quarantine_waits(store->quarantine)) {
        code = live_recovery_commit(&opening->recovery, opening->error);
        if (code == HEARTH_DISK_FULL) /* found again when the store is opened next */
            code = HEARTH_OK;
    }
    return code;
}

static void log_opening(const struct opening *opening, int64_t began_ns)
{
    const struct live_store *store = opening->store;
    int64_t ended_ns = clock_monotonic_ns(store->options.clock);
    enum log_level level = opening->recovery.quarantined_slots || opening->recovery.cut_bytes ||
                                   live_records_twice(&store->records)
                               ? LOG_LEVEL_WARN
                               : LOG_LEVEL_INFO;
    LOG_AT(level, "sensor_store_opened", LOG_TEXT("directory", store->options.directory),
           LOG_INTEGER("files", (int64_t)opening->names.count),
           LOG_INTEGER("sealed_files", (int64_t)store->sealed.count),
           LOG_INTEGER("readings", (int64_t)store->state.readings),
           LOG_INTEGER("quarantined_slots", (int64_t)opening->recovery.quarantined_slots),
           LOG_INTEGER("cut_bytes", (int64_t)opening->recovery.cut_bytes),
           LOG_INTEGER("stored_twice", (int64_t)store->state.stored_twice),
           LOG_INTEGER("other_files", (int64_t)opening->names.others),
           LOG_NUMBER("ms", (double)(ended_ns - began_ns) / 1e6));
}

enum hearth_error live_store_recover(struct live_store *store, struct error_record *error)
{
    struct opening opening = {.store = store, .error = error};
    int64_t began_ns = clock_monotonic_ns(store->options.clock);
    live_recovery_init(&opening.recovery, store->files, store->options.directory, store->quarantine,
                       index_slot, &opening);
    store->state.newest_ms = -1;
    store->next_sequence = 1;
    enum hearth_error code = take_past(&opening);
    if (code == HEARTH_OK && opening.same_files && opening.past.condition == LIVE_POISONED)
        code = follow_poisoning(&opening);
    if (code == HEARTH_OK)
        code = live_directory_list(store->files, store->options.directory, &opening.names, error);
    if (code == HEARTH_OK)
        code = read_manifest(&opening);
    if (code == HEARTH_OK)
        code = look_for_strays(&opening);
    sealed_index_hold_failures(&store->sealed, true);
    if (code == HEARTH_OK)
        code = recover_files(&opening);
    sealed_index_hold_failures(&store->sealed, false);
    if (code == HEARTH_OK)
        code = live_past_require_slots(&opening.past, store->options.directory,
                                       store->records.slots + store->sealed_slots, error);
    if (code == HEARTH_OK) {
        live_publish_condition(store->published, LIVE_CLEAN);
        live_store_publish(store);
        live_store_publish_lost(store);
        log_opening(&opening, began_ns);
        remove_sealed(&opening);
    }
    live_names_clean(&opening.names);
    live_recovery_clean(&opening.recovery);
    return code;
}
