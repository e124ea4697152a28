/*
 * live_store.c - group commit: what waits is checked, written, synced once, published, answered.
 *
 * A commit goes through its entries record by record. A record that is none goes to the quarantine;
 * one whose reading stands already, in the files or earlier in the batch, is a duplicate; the rest
 * is the batch, one write at the end of the current file and one sync. The batch's readings are in
 * the table of identities from the moment they are taken, under the numbers they will have, and are
 * taken back when the commit fails. A duplicate of the batch is answered with it, after its sync.
 *
 * When a write or sync fails the file is poisoned. That is published first, so that a successor
 * knows; then the file is set aside, the next one made, and the batch tried there, once. When that
 * fails, too, commits are refused for a second.
 *
 * When the file's name does not lead to it any more, somebody removed or moved it: nothing is
 * acknowledged from then on, and the store must be opened anew.
 */
#include "handlers/sensor/live_store.h"

#include "handlers/sensor/live_memory.h"

#include "handlers/sensor/live_past.h"
#include "handlers/sensor/live_store_parts.h"
#include "handlers/sensor/record.h"
#include "handlers/sensor/store_id.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

enum {
    QUARANTINE_LOG_NS = 1000000000, /* at most one line a second */
    RETRY_NS = 1000000000,          /* after a failure that the next file did not mend */
};

/* ---- Life ---- */

enum hearth_error live_store_prepare(const struct live_store_options *options,
                                     struct error_record *error)
{
    struct file_operations *files = options->files ? options->files : &file_system;
    char path[LIVE_PATH_BYTES];
    live_directory_path(options->directory, path);
    return file_make_directories(files, path, error);
}

enum hearth_error live_store_prepare_again(const struct live_store_options *options,
                                           const struct live_published *published,
                                           struct error_record *error)
{
    struct file_operations *files = options->files ? options->files : &file_system;
    struct live_past past;
    char path[LIVE_PATH_BYTES];
    live_past_get(published, options->directory, &past);
    if (!past.known)
        return live_store_prepare(options, error);
    live_directory_path(options->directory, path);
    int directory = file_open(files, path, O_RDONLY | O_DIRECTORY, 0, error);
    enum hearth_error code = directory >= 0 ? HEARTH_OK : error_from_errno(errno);
    file_close(files, directory);
    return code == HEARTH_NOT_FOUND
               ? error_set_internal(error, HEARTH_UNAVAILABLE, 0, "%s was removed or moved", path)
               : code;
}

/* Which store it is; in a pool that had one open there, the same. */
static enum hearth_error identify(struct live_store *store, struct error_record *error)
{
    struct live_past past;
    const char *directory = store->options.directory;
    live_past_get(store->published, directory, &past);
    store->state.place = live_past_place(directory);
    enum hearth_error code = store_id_open(
        store->files, directory, past.known ? past.state.id : NULL, store->state.id, error);
    return code == HEARTH_OK ? live_past_require_store(&past, directory, &store->state, error)
                             : code;
}

/* A predecessor may have made a file or a directory and died before its name was certain to last;
 * nothing is acknowledged into it before that. */
static enum hearth_error sync_names(struct live_store *store, struct error_record *error)
{
    char path[LIVE_PATH_BYTES];
    live_directory_path(store->options.directory, path);
    enum hearth_error code = file_sync_directory(store->files, path, error);
    if (code == HEARTH_OK)
        code = file_sync_directory(store->files, store->options.directory, error);
    if (code == HEARTH_OK)
        code = file_sync_above(store->files, store->options.directory, error);
    return code;
}

enum hearth_error live_store_open(const struct live_store_options *options,
                                  struct live_published *published, struct live_store **store,
                                  struct error_record *error)
{
    struct live_store *made = memory_new_zero(1, sizeof *made);
    if (!made)
        return error_set_internal(error, HEARTH_NO_MEMORY, 0, "no memory for the store");
    made->options = *options;
    made->files = options->files ? options->files : &file_system;
    made->published = published;
    live_metrics_init(&made->metrics, options->metrics);
    live_records_init(&made->records, made->files, made->options.directory);
    identity_init(&made->identity, live_records_at, &made->records);
    live_file_init(&made->current, made->files, made->options.directory);
    enum hearth_error code = quarantine_open(made->files, made->options.directory, options->clock,
                                             &made->quarantine, error);
    if (code == HEARTH_OK)
        code = identify(made, error);
    if (code == HEARTH_OK)
        code = sync_names(made, error);
    if (code == HEARTH_OK)
        code = live_store_recover(made, error);
    if (code != HEARTH_OK) {
        live_store_close(made);
        return code;
    }
    live_publish_condition(published, LIVE_CLEAN);
    live_store_publish(made);
    live_publish_lost(published, false);
    *store = made;
    return HEARTH_OK;
}

void live_store_close(struct live_store *store)
{
    if (!store)
        return;
    live_file_close(&store->current);
    quarantine_close(store->quarantine);
    identity_clean(&store->identity);
    live_records_clean(&store->records);
    memory_free(store->batch);
    memory_free(store);
}

void live_store_publish(struct live_store *store)
{
    struct live_state *state = &store->state;
    bool open = store->current.file >= 0;
    state->sequence = open ? store->current.sequence : store->next_sequence;
    state->synced_bytes = open ? store->current.synced_bytes : 0;
    state->generation = store->records.total;
    state->stored_bytes = (uint64_t)store->records.total * RECORD_BYTES;
    live_publish(store->published, state);
    metric_set(store->metrics.live_bytes, (int64_t)state->stored_bytes);
    if (state->newest_ms >= 0)
        metric_set(store->metrics.newest_seconds, state->newest_ms / 1000);
}

void live_store_state(const struct live_store *store, struct live_state *state)
{
    *state = store->state;
}

/* ---- The batch ---- */

static enum hearth_error reserve_batch(struct live_store *store, size_t count,
                                       struct error_record *error)
{
    if (count > (size_t)IDENTITY_NUMBER_MAX - store->records.total)
        return error_set_internal(error, HEARTH_UNAVAILABLE, 0, "too many unsealed readings");
    if (count > store->batch_capacity) {
        struct record *grown = memory_resize(store->batch, count * sizeof *grown);
        if (!grown)
            return error_set_internal(error, HEARTH_NO_MEMORY, 0, "no memory for a batch");
        store->batch = grown;
        store->batch_capacity = count;
    }
    store->records.batch = store->batch;
    store->batch_count = 0;
    store->batch_newest_ms = -1;
    enum hearth_error code = identity_reserve(&store->identity, count);
    return code == HEARTH_OK ? code
                             : error_set_internal(error, code, 0, "no room for more readings");
}

static void note_time(struct append_result *result, int64_t time_ms)
{
    if (result->first_ms < 0 || time_ms < result->first_ms)
        result->first_ms = time_ms;
    if (time_ms > result->last_ms)
        result->last_ms = time_ms;
}

static enum hearth_error take_record(struct live_store *store, const struct record *given,
                                     struct append_result *result)
{
    struct record *record = &store->batch[store->batch_count];
    *record = *given; /* what is checked is what is written, whatever happens to the original */
    enum record_reject reject = record_check(record);
    if (reject != REJECT_NONE) {
        result->quarantined++;
        return quarantine_add(
            store->quarantine,
            &(struct quarantine_entry){.reason = record_reject_name(reject),
                                       .source = VIEW("binary"),
                                       .raw = view_from((const char *)record, RECORD_BYTES)});
    }
    int64_t time_ms = record_time_ms(record);
    enum identity_answer answer = identity_find(&store->identity, record);
    if (answer == IDENTITY_UNREADABLE)
        return HEARTH_IO;
    note_time(result, time_ms);
    if (answer == IDENTITY_KNOWN) {
        result->duplicate++;
        return HEARTH_OK;
    }
    identity_insert(&store->identity, record,
                    store->records.total + (uint32_t)store->batch_count++);
    result->accepted++;
    if (record_time_quality(record) != TIME_SUSPECT && time_ms > store->batch_newest_ms)
        store->batch_newest_ms = time_ms;
    return HEARTH_OK;
}

/* An error is this entry's alone; what of it is in the batch by then is stored all the same. */
static enum hearth_error take_entry(struct live_store *store, struct live_entry *entry)
{
    struct append_result *result = &entry->result;
    enum hearth_error code = HEARTH_OK;
    *result = (struct append_result){.first_ms = -1, .last_ms = -1};
    for (size_t i = 0; code == HEARTH_OK && i < entry->record_count; i++)
        code = take_record(store, &entry->records[i], result);
    for (size_t i = 0; code == HEARTH_OK && i < entry->rejected_count; i++) {
        const struct quarantine_entry *rejected = &entry->rejected[i];
        if (rejected->part <= 1) /* the first piece counts */
            result->quarantined += rejected->count ? rejected->count : 1;
        code = quarantine_add(store->quarantine, &entry->rejected[i]);
    }
    return code;
}

static void take_back(struct live_store *store)
{
    while (store->batch_count > 0) {
        store->batch_count--;
        identity_take_back(&store->identity, &store->batch[store->batch_count],
                           store->records.total + (uint32_t)store->batch_count);
    }
}

/* One try to get the batch into the current file. */
static enum hearth_error try_write(struct live_store *store, struct error_record *error)
{
    enum hearth_error code =
        live_store_require_file(store, store->batch_count * sizeof *store->batch, error);
    if (code != HEARTH_OK)
        return code;
    live_publish_condition(store->published, LIVE_WRITING);
    code = live_file_append(&store->current, store->batch, store->batch_count, error);
    live_publish_condition(store->published, code == HEARTH_OK         ? LIVE_WRITING
                                             : store->current.poisoned ? LIVE_POISONED
                                                                       : LIVE_CLEAN);
    if (code != HEARTH_OK && store->current.poisoned)
        LOG_ERROR("sensor_file_poisoned", LOG_TEXT("file", store->current.path),
                  LOG_INTEGER("trusted_bytes", (int64_t)store->current.synced_bytes),
                  LOG_TEXT("reason", error_name(code)), LOG_TEXT("detail", error->detail));
    return code;
}

/* A disk that fails for longer does not get a file after the other: it is asked once a second. */
static enum hearth_error write_batch(struct live_store *store, struct error_record *error)
{
    if (store->batch_count == 0)
        return live_store_confirm(store, error);
    int64_t now_ns = clock_monotonic_ns(store->options.clock);
    if (store->retry_ns != 0 && now_ns < store->retry_ns)
        return error_set_internal(error, HEARTH_UNAVAILABLE, 0, "the disk failed a moment ago");
    enum hearth_error code = try_write(store, error);
    if (code != HEARTH_OK && store->current.poisoned && store->retry_ns == 0)
        code = try_write(store, error);
    bool poisoned = code != HEARTH_OK && store->current.poisoned;
    store->retry_ns = poisoned ? now_ns + RETRY_NS : 0;
    return code;
}

/* The batch is on the disk: it counts. */
static void keep_batch(struct live_store *store)
{
    if (store->batch_count == 0)
        return;
    const struct live_run *last = &store->records.runs[store->records.count - 1];
    live_records_resize_last(&store->records, last->slots + (uint32_t)store->batch_count);
    store->state.readings += store->batch_count;
    if (store->batch_newest_ms > store->state.newest_ms)
        store->state.newest_ms = store->batch_newest_ms;
    metric_observe(store->metrics.batch_readings, (double)store->batch_count);
    store->batch_count = 0;
    live_store_publish(store);
    live_publish_condition(store->published, LIVE_CLEAN);
}

/* ---- Answers ---- */

static void log_quarantined(struct live_store *store, uint64_t count)
{
    int64_t now_ns = clock_monotonic_ns(store->options.clock);
    store->unlogged_quarantined += count;
    if (store->unlogged_quarantined == 0 ||
        (store->quarantine_logged_ns != 0 &&
         now_ns - store->quarantine_logged_ns < QUARANTINE_LOG_NS))
        return;
    LOG_WARN("sensor_quarantined", LOG_INTEGER("readings", (int64_t)store->unlogged_quarantined));
    store->unlogged_quarantined = 0;
    store->quarantine_logged_ns = now_ns;
}

/* Not one line a request: one when it begins, one when it is over. */
static void log_failing(struct live_store *store, enum hearth_error code,
                        const struct error_record *error)
{
    if (code != HEARTH_OK)
        live_metrics_count_error(&store->metrics, code);
    if (code == store->failing || (store->retry_ns != 0 && code == HEARTH_UNAVAILABLE))
        return;
    if (code != HEARTH_OK)
        LOG_ERROR("sensor_store_failing", LOG_TEXT("reason", error_name(code)),
                  LOG_TEXT("detail", error->detail));
    else
        LOG_INFO("sensor_store_recovered", LOG_TEXT("reason", error_name(store->failing)));
    store->failing = code;
}

static enum hearth_error outcome_of(const struct live_entry *entry, enum hearth_error live,
                                    enum hearth_error quarantined)
{
    if (live != HEARTH_OK)
        return live;
    if (entry->outcome != HEARTH_OK)
        return entry->outcome;
    bool in_quarantine = entry->result.quarantined > 0 || entry->rejected_count > 0;
    return in_quarantine ? quarantined : HEARTH_OK;
}

static void answer(struct live_store *store, struct live_entry *entries, size_t count,
                   enum hearth_error live, enum hearth_error quarantined, int number)
{
    uint64_t accepted = 0, duplicate = 0, rejected = 0;
    for (size_t i = 0; i < count; i++) {
        const struct append_result *result = &entries[i].result;
        entries[i].outcome = outcome_of(&entries[i], live, quarantined);
        entries[i].number = entries[i].outcome == HEARTH_OK ? 0 : number;
        if (entries[i].outcome != HEARTH_OK)
            continue;
        accepted += result->accepted;
        duplicate += result->duplicate;
        rejected += result->quarantined;
    }
    metric_add(store->metrics.accepted, accepted);
    metric_add(store->metrics.duplicate, duplicate);
    metric_add(store->metrics.quarantined, rejected);
    log_quarantined(store, rejected);
}

bool live_store_is_lost(const struct live_store *store)
{
    return store->current.lost;
}

static enum hearth_error require_present(const struct live_store *store, struct error_record *error)
{
    if (!store->current.lost)
        return HEARTH_OK;
    return error_set_internal(error, HEARTH_UNAVAILABLE, 0, "%s was removed or moved",
                              store->current.path);
}

static size_t count_records(const struct live_entry *entries, size_t count)
{
    size_t records = 0;
    for (size_t i = 0; i < count; i++)
        records += entries[i].record_count;
    return records;
}

void live_store_commit(struct live_store *store, struct live_entry *entries, size_t count)
{
    struct error_record error = {0};
    int64_t began_ns = clock_monotonic_ns(store->options.clock);
    /* One place more: a record is copied there before it is known to be a duplicate. */
    enum hearth_error live = require_present(store, &error);
    if (live == HEARTH_OK)
        live = reserve_batch(store, count_records(entries, count) + 1, &error);
    enum hearth_error quarantined = HEARTH_OK;
    for (size_t i = 0; live == HEARTH_OK && i < count; i++)
        entries[i].outcome = take_entry(store, &entries[i]);
    bool writes = store->batch_count > 0 || quarantine_waits(store->quarantine);
    if (live == HEARTH_OK)
        live = write_batch(store, &error);
    if (live == HEARTH_OK) {
        keep_batch(store);
        quarantined = quarantine_commit(store->quarantine, &error);
    } else {
        take_back(store);
        quarantine_drop(store->quarantine);
    }
    if (writes || live != HEARTH_OK)
        log_failing(store, live != HEARTH_OK ? live : quarantined, &error);
    if (store->current.lost)
        live_publish_lost(store->published, true);
    answer(store, entries, count, live, quarantined, error.number);
    metric_add(store->metrics.commits, 1);
    metric_observe(store->metrics.commit_seconds,
                   (double)(clock_monotonic_ns(store->options.clock) - began_ns) / 1e9);
}

void live_store_tick(struct live_store *store)
{
    struct error_record error = {0};
    if (store->current.poisoned || store->current.lost)
        return;
    if (live_store_confirm(store, &error) == HEARTH_UNAVAILABLE)
        log_failing(store, HEARTH_UNAVAILABLE, &error);
    else if (live_store_day_is_over(store))
        log_failing(store, live_store_next_file(store, &error), &error);
    if (store->current.lost)
        live_publish_lost(store->published, true);
}
