/*
 * live_store.c - group commit: what waits is checked, written, synced once, published, answered.
 *
 * A commit goes through its entries record by record. A record that is none goes to the quarantine;
 * one whose reading stands already, in live or sealed files or earlier in the batch, is a
 * duplicate; the rest is the batch, one write at the end of the current file and one sync. The
 * batch has a table of identities of its own, and goes into the file's when it is on the disk. A
 * duplicate of the batch is answered with it, after its sync.
 *
 * When a write or sync fails the file is poisoned. That is published first, so that a successor
 * knows; then the file is set aside, the next one made, and the batch tried there, once. When that
 * fails, too, commits are refused for a second.
 *
 * When the file's name does not lead to it any more, somebody removed or moved it: nothing is
 * acknowledged from then on, and the store must be opened anew.
 */
#include "handlers/sensor/live/live_store.h"

#include "handlers/sensor/disk/live_memory.h"

#include "handlers/sensor/disk/store_id.h"
#include "handlers/sensor/live/live_past.h"
#include "handlers/sensor/live/live_store_parts.h"
#include "handlers/sensor/record/record.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

enum {
    QUARANTINE_LOG_NS = 1000000000, /* at most one line a second */
    RETRY_NS = 1000000000,          /* after a failure that the next file did not mend */
    UNREADABLE_LOG_NS = 1000000000, /* at most one line a second */
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

/* Fits identity_record_fn. */
static const struct record *batch_record(void *context, uint32_t number)
{
    const struct live_store *store = context;
    return &store->batch[number];
}

static struct live_store *new_store(const struct live_store_options *options,
                                    struct live_published *published)
{
    struct live_store *made = memory_new_zero(1, sizeof *made);
    if (!made)
        return NULL;
    made->options = *options;
    made->files = options->files ? options->files : &file_system;
    made->published = published;
    live_metrics_init(&made->metrics, options->metrics);
    live_records_init(&made->records, made->files, made->options.directory);
    sealed_index_init(&made->sealed, made->files, made->options.directory);
    identity_init(&made->batch_identity, batch_record, made);
    live_file_init(&made->current, made->files, made->options.directory);
    pthread_mutex_init(&made->lock, NULL);
    return made;
}

enum hearth_error live_store_open(const struct live_store_options *options,
                                  struct live_published *published, struct live_store **store,
                                  struct error_record *error)
{
    struct live_store *made = new_store(options, published);
    if (!made)
        return error_set_internal(error, HEARTH_NO_MEMORY, 0, "no memory for the store");
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
    *store = made;
    return HEARTH_OK;
}

void live_store_close(struct live_store *store)
{
    if (!store)
        return;
    live_file_close(&store->current);
    quarantine_close(store->quarantine);
    identity_clean(&store->batch_identity);
    sealed_index_clean(&store->sealed);
    live_records_clean(&store->records);
    pthread_mutex_destroy(&store->lock);
    memory_free(store->batch);
    memory_free(store);
}

/* ---- Publishing ---- */

/* So that every commit and every seal raises it, and the same files give the same number. */
static uint64_t generation_of(const struct live_store *store)
{
    const struct live_state *state = &store->state;
    return ((state->sequence - 1) << 32) + state->synced_bytes / RECORD_BYTES + store->sealed_sets;
}

void live_store_publish(struct live_store *store)
{
    struct live_state *state = &store->state;
    bool open = store->current.file >= 0;
    uint64_t live_bytes = store->records.slots * RECORD_BYTES;
    state->sequence = open ? store->current.sequence : store->next_sequence;
    state->synced_bytes = open ? store->current.synced_bytes : 0;
    state->generation = generation_of(store);
    state->slots = store->records.slots + store->sealed_slots;
    state->readings = live_records_readings(&store->records) + store->sealed.readings;
    state->stored_bytes = live_bytes + store->sealed.readings * RECORD_BYTES;
    state->stored_twice = live_records_twice(&store->records);
    live_publish(store->published, state);
    if (store->mirror)
        live_publish(store->mirror, state);
    metric_set(store->metrics.live_bytes, (int64_t)live_bytes);
    if (state->newest_ms >= 0)
        metric_set(store->metrics.newest_seconds, state->newest_ms / 1000);
}

void live_store_publish_lost(struct live_store *store)
{
    live_publish_lost(store->published, store->current.lost);
    if (store->mirror)
        live_publish_lost(store->mirror, store->current.lost);
}

void live_store_mirror(struct live_store *store, struct live_published *mirror)
{
    pthread_mutex_lock(&store->lock);
    store->mirror = mirror;
    if (mirror) {
        live_publish(mirror, &store->state);
        live_publish_lost(mirror, store->current.lost);
    }
    pthread_mutex_unlock(&store->lock);
}

void live_store_state(struct live_store *store, struct live_state *state)
{
    pthread_mutex_lock(&store->lock);
    *state = store->state;
    pthread_mutex_unlock(&store->lock);
}

/* ---- The batch ---- */

static enum hearth_error reserve_batch(struct live_store *store, size_t count,
                                       struct error_record *error)
{
    if (count > IDENTITY_NUMBER_MAX)
        return error_set_internal(error, HEARTH_UNAVAILABLE, 0, "too many readings at once");
    if (count > store->batch_capacity) {
        struct record *grown = memory_resize(store->batch, count * sizeof *grown);
        if (!grown)
            return error_set_internal(error, HEARTH_NO_MEMORY, 0, "no memory for a batch");
        store->batch = grown;
        store->batch_capacity = count;
    }
    store->batch_count = 0;
    store->batch_ascends = true;
    store->batch_newest_ms = -1;
    enum hearth_error code = identity_reserve(&store->batch_identity, count);
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

static void log_unreadable(struct live_store *store, const struct error_record *error)
{
    int64_t now_ns = clock_monotonic_ns(store->options.clock);
    if (store->unreadable_logged_ns != 0 &&
        now_ns - store->unreadable_logged_ns < UNREADABLE_LOG_NS)
        return;
    LOG_ERROR("sensor_file_unreadable", LOG_TEXT("reason", error_name(error->code)),
              LOG_TEXT("detail", error->detail));
    store->unreadable_logged_ns = now_ns;
}

enum hearth_error live_store_find_sealed(struct live_store *store, const struct record *record,
                                         bool *known)
{
    enum hearth_error code = sealed_index_find(&store->sealed, record, known, &store->unreadable);
    if (code != HEARTH_OK)
        log_unreadable(store, &store->unreadable);
    return code;
}

/* A file that cannot be read now refuses the readings that may stand in it. One that is damaged
 * will not be better another time: what stood there is lost, and may come again. */
enum hearth_error live_store_find(struct live_store *store, const struct record *record,
                                  bool *known)
{
    enum identity_answer answer = live_records_find(&store->records, record);
    enum hearth_error code = HEARTH_OK;
    *known = answer == IDENTITY_KNOWN;
    if (answer == IDENTITY_UNREADABLE) {
        code = error_set_internal(&store->unreadable, HEARTH_IO, 0, "a live file cannot be read");
        log_unreadable(store, &store->unreadable);
    } else if (answer == IDENTITY_NEW) {
        code = live_store_find_sealed(store, record, known);
    }
    return code == HEARTH_CORRUPT ? HEARTH_OK : code;
}

/* As long as each is behind the one before, as in an import, nothing can stand there twice. */
static bool is_in_batch(struct live_store *store, const struct record *record)
{
    if (store->batch_count == 0)
        return false;
    if (store->batch_ascends && identity_before(&store->batch[store->batch_count - 1], record))
        return false;
    for (size_t i = 0; store->batch_ascends && i < store->batch_count; i++)
        identity_insert(&store->batch_identity, &store->batch[i], (uint32_t)i);
    store->batch_ascends = false;
    return identity_find(&store->batch_identity, record) == IDENTITY_KNOWN;
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
    bool known = is_in_batch(store, record);
    enum hearth_error code = known ? HEARTH_OK : live_store_find(store, record, &known);
    if (code != HEARTH_OK)
        return code;
    note_time(result, time_ms);
    if (known) {
        result->duplicate++;
        return HEARTH_OK;
    }
    if (!store->batch_ascends)
        identity_insert(&store->batch_identity, record, (uint32_t)store->batch_count);
    store->batch_count++;
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
    identity_clear(&store->batch_identity);
    store->batch_count = 0;
}

/* Room in the file's table, so that what is on the disk is known. */
static enum hearth_error reserve_in_file(struct live_store *store, struct error_record *error)
{
    struct live_run *run = live_records_last(&store->records);
    enum hearth_error code = identity_reserve(&run->identity, store->batch_count);
    return code == HEARTH_OK ? code
                             : error_set_internal(error, code, 0, "no room for more readings");
}

/* One try to get the batch into the current file. */
static enum hearth_error try_write(struct live_store *store, struct error_record *error)
{
    enum hearth_error code =
        live_store_require_file(store, store->batch_count * sizeof *store->batch, error);
    if (code == HEARTH_OK)
        code = reserve_in_file(store, error);
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
    struct live_run *run = live_records_last(&store->records);
    for (size_t i = 0; i < store->batch_count; i++)
        identity_insert(&run->identity, &store->batch[i], run->slots + (uint32_t)i);
    live_records_resize_last(&store->records, run->slots + (uint32_t)store->batch_count);
    identity_clear(&store->batch_identity);
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

bool live_store_is_lost(struct live_store *store)
{
    pthread_mutex_lock(&store->lock);
    bool lost = store->current.lost;
    pthread_mutex_unlock(&store->lock);
    return lost;
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

static void commit(struct live_store *store, struct live_entry *entries, size_t count)
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
        live_store_publish_lost(store);
    answer(store, entries, count, live, quarantined, error.number);
    metric_add(store->metrics.commits, 1);
    metric_observe(store->metrics.commit_seconds,
                   (double)(clock_monotonic_ns(store->options.clock) - began_ns) / 1e9);
}

void live_store_commit(struct live_store *store, struct live_entry *entries, size_t count)
{
    pthread_mutex_lock(&store->lock);
    commit(store, entries, count);
    pthread_mutex_unlock(&store->lock);
}

static void tick(struct live_store *store)
{
    struct error_record error = {0};
    if (store->current.poisoned || store->current.lost)
        return;
    if (live_store_confirm(store, &error) == HEARTH_UNAVAILABLE)
        log_failing(store, HEARTH_UNAVAILABLE, &error);
    else if (live_store_day_is_over(store))
        log_failing(store, live_store_next_file(store, &error), &error);
    if (store->current.lost)
        live_store_publish_lost(store);
}

void live_store_tick(struct live_store *store)
{
    pthread_mutex_lock(&store->lock);
    tick(store);
    pthread_mutex_unlock(&store->lock);
}
