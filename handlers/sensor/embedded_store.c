/*
 * embedded_store.c - the reading store over files of this machine; the default one.
 *
 * Reading is the same for all: a snapshot (snapshot.h) of what is published, taken for the call.
 * Appending either goes through the slots of the pool's shared area to the keeper process
 * (slots_append.c), or, without a pool, is a group commit of one on the caller's thread, under a
 * lock; then this process holds store.lock, and seals by itself. A reader of what another process
 * publishes cannot append.
 */
#include "handlers/sensor/embedded_store.h"

#include "handlers/sensor/disk/live_memory.h"

#include "handlers/sensor/aggregate/aggregate.h"
#include "handlers/sensor/disk/store_lock.h"
#include "handlers/sensor/keeper/keeper_requests.h"
#include "handlers/sensor/keeper/keeper_shared.h"
#include "handlers/sensor/keeper/slots_append.h"
#include "handlers/sensor/sealed/sealer.h"
#include "handlers/sensor/snapshot/snapshot.h"
#include "handlers/sensor/summary/summarizer.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    COMMIT_RECORDS = 65536, /* of a local append in one commit: 768 KB */
    COMMIT_TEXTS = 1024,
};

struct embedded {
    struct reading_store store; /* first: the functions are given this */
    const struct clock *clock;
    const struct live_published *published;
    struct snapshots *snapshots;
    struct metric *damaged; /* NULL counts nothing */
    char directory[LIVE_DIRECTORY_BYTES];
    /* In a pool. */
    struct slots *slots;
    struct keeper_requests *requests;
    /* Without one. */
    struct live_published own;
    struct live_store *live; /* guarded by `lock` */
    struct store_lock store_lock;
    pthread_mutex_t lock;
    struct summarizer summarizer;
    struct sealer *sealer;
    bool seals_by_hand;
};

static struct embedded *embedded_of(struct reading_store *store)
{
    return (struct embedded *)(void *)store;
}

/* ---- Reading ---- */

/* What is damaged stands in the log and is counted, whoever asked. */
static enum hearth_error finish_reading(const struct embedded *embedded, struct snapshot *snapshot,
                                        enum hearth_error code, const struct error_record *error)
{
    snapshot_close(snapshot);
    if (code != HEARTH_CORRUPT)
        return code;
    metric_add(embedded->damaged, 1);
    LOG_ERROR("sensor_damaged", LOG_TEXT("detail", error ? error->detail : ""));
    return code;
}

static enum hearth_error embedded_range(struct reading_store *store,
                                        const struct reading_range *range, range_visit_fn *visit,
                                        void *context, struct error_record *error)
{
    struct snapshot *snapshot;
    enum hearth_error code = snapshot_open(embedded_of(store)->snapshots, &snapshot, error);
    if (code == HEARTH_OK)
        code = snapshot_range(snapshot, range, visit, context, error);
    return finish_reading(embedded_of(store), snapshot, code, error);
}

static enum hearth_error embedded_latest(struct reading_store *store, struct latest_reading *latest,
                                         size_t capacity, size_t *count, struct error_record *error)
{
    struct snapshot *snapshot;
    *count = 0;
    enum hearth_error code = snapshot_open(embedded_of(store)->snapshots, &snapshot, error);
    if (code == HEARTH_OK)
        code = snapshot_latest(snapshot, latest, capacity, count, error);
    return finish_reading(embedded_of(store), snapshot, code, error);
}

static enum hearth_error embedded_series(struct reading_store *store, struct reading_series *series,
                                         size_t capacity, size_t *count, struct error_record *error)
{
    struct snapshot *snapshot;
    *count = 0;
    enum hearth_error code = snapshot_open(embedded_of(store)->snapshots, &snapshot, error);
    if (code == HEARTH_OK)
        code = snapshot_series(snapshot, series, capacity, count, error);
    return finish_reading(embedded_of(store), snapshot, code, error);
}

static enum hearth_error embedded_aggregate(struct reading_store *store,
                                            const struct bucket_query *query,
                                            bucket_visit_fn *visit, void *context,
                                            struct aggregate_statistics *statistics,
                                            struct error_record *error)
{
    struct snapshot *snapshot;
    enum hearth_error code = snapshot_open(embedded_of(store)->snapshots, &snapshot, error);
    if (code == HEARTH_OK)
        code = aggregate_run(snapshot, query, visit, context, statistics, error);
    return finish_reading(embedded_of(store), snapshot, code, error);
}

static enum hearth_error embedded_tail(struct reading_store *store, struct tail_cursor *cursor,
                                       struct record *records, size_t capacity,
                                       struct tail_result *result, struct error_record *error)
{
    return snapshots_tail(embedded_of(store)->snapshots, cursor, records, capacity, result, error);
}

static enum hearth_error embedded_state(struct reading_store *store, struct store_state *state,
                                        struct error_record *error)
{
    struct live_state live;
    if (live_published_lost(embedded_of(store)->published))
        return error_set(error, HEARTH_UNAVAILABLE, "the readings were removed or moved");
    if (!live_published_get(embedded_of(store)->published, &live))
        return error_set_internal(error, HEARTH_UNAVAILABLE, 0, "the store is not open yet");
    *state = (struct store_state){
        .generation = live.generation,
        .readings = live.readings,
        .stored_bytes = live.stored_bytes,
        .newest_ms = live.newest_ms,
    };
    memcpy(state->id, live.id, sizeof state->id);
    return HEARTH_OK;
}

/* ---- Appending ---- */

static enum hearth_error pool_append(struct reading_store *store, const struct record *records,
                                     size_t count, const struct rejected_reading *rejected,
                                     size_t rejected_count, int64_t deadline_ns,
                                     struct append_result *result, struct error_record *error)
{
    struct embedded *embedded = embedded_of(store);
    const struct slots_append append = {records, count, rejected, rejected_count};
    return slots_append(embedded->slots, getpid(), embedded->clock, &append, deadline_ns, result,
                        error);
}

static enum hearth_error commit_one(struct embedded *embedded, struct live_entry *entry,
                                    struct append_result *sum, struct error_record *error)
{
    pthread_mutex_lock(&embedded->lock);
    live_store_commit(embedded->live, entry, 1);
    pthread_mutex_unlock(&embedded->lock);
    if (entry->outcome != HEARTH_OK)
        return error_set_internal(error, entry->outcome, entry->number, "the store: %s",
                                  error_name(entry->outcome));
    append_result_add(sum, &entry->result);
    return HEARTH_OK;
}

/* Rejected texts, so many that a commit takes them. */
static enum hearth_error commit_texts(struct embedded *embedded,
                                      const struct rejected_reading *rejected, size_t count,
                                      struct append_result *sum, struct error_record *error)
{
    struct quarantine_entry *entries = memory_new_zero(count, sizeof *entries);
    if (!entries)
        return error_set_internal(error, HEARTH_NO_MEMORY, 0, "no memory for the quarantine");
    for (size_t i = 0; i < count; i++)
        entries[i] = (struct quarantine_entry){.reason = record_reject_name(rejected[i].reason),
                                               .source = view_of(rejected[i].source),
                                               .raw = rejected[i].raw,
                                               .count = rejected[i].count};
    struct live_entry entry = {.rejected = entries, .rejected_count = count};
    enum hearth_error code = commit_one(embedded, &entry, sum, error);
    memory_free(entries);
    return code;
}

/* What fails is in the log, and due again later: the readings are stored. */
static void seal_when_due(struct embedded *embedded)
{
    if (embedded->seals_by_hand || !sealer_is_due(embedded->sealer))
        return;
    enum hearth_error code = sealer_run(embedded->sealer, false, NULL);
    (void)code;
}

static enum hearth_error local_append(struct reading_store *store, const struct record *records,
                                      size_t count, const struct rejected_reading *rejected,
                                      size_t rejected_count, int64_t deadline_ns,
                                      struct append_result *result, struct error_record *error)
{
    struct embedded *embedded = embedded_of(store);
    enum hearth_error code = HEARTH_OK;
    size_t step;
    (void)deadline_ns; /* the work is done here: nobody else is waited for */
    *result = (struct append_result){.first_ms = -1, .last_ms = -1};
    for (size_t at = 0; code == HEARTH_OK && at < count; at += step) {
        step = count - at < COMMIT_RECORDS ? count - at : COMMIT_RECORDS;
        struct live_entry entry = {.records = records + at, .record_count = step};
        code = commit_one(embedded, &entry, result, error);
    }
    for (size_t at = 0; code == HEARTH_OK && at < rejected_count; at += step) {
        step = rejected_count - at < COMMIT_TEXTS ? rejected_count - at : COMMIT_TEXTS;
        code = commit_texts(embedded, rejected + at, step, result, error);
    }
    seal_when_due(embedded);
    return code;
}

static enum hearth_error reader_append(struct reading_store *store, const struct record *records,
                                       size_t count, const struct rejected_reading *rejected,
                                       size_t rejected_count, int64_t deadline_ns,
                                       struct append_result *result, struct error_record *error)
{
    (void)store;
    (void)records;
    (void)count;
    (void)rejected;
    (void)rejected_count;
    (void)deadline_ns;
    *result = (struct append_result){.first_ms = -1, .last_ms = -1};
    return error_set_internal(error, HEARTH_UNAVAILABLE, 0, "this store is open for reading only");
}

/* ---- Sealing ---- */

static enum hearth_error pool_seal(struct reading_store *store, int64_t deadline_ns,
                                   struct error_record *error)
{
    struct embedded *embedded = embedded_of(store);
    return keeper_requests_seal(embedded->requests, embedded->slots, embedded->clock, deadline_ns,
                                error);
}

static enum hearth_error local_seal(struct reading_store *store, int64_t deadline_ns,
                                    struct error_record *error)
{
    struct embedded *embedded = embedded_of(store);
    (void)deadline_ns; /* the work is done here: nobody else is waited for */
    return sealer_run(embedded->sealer, true, error);
}

/* ---- Life ---- */

static void embedded_free(struct reading_store *store)
{
    struct embedded *embedded = embedded_of(store);
    sealer_free(embedded->sealer);
    snapshots_free(embedded->snapshots);
    live_store_close(embedded->live);
    store_lock_release(&embedded->store_lock);
    pthread_mutex_destroy(&embedded->lock);
    memory_free(embedded);
}

/* Over `published`, or over its own. */
static struct embedded *embedded_new(const struct live_store_options *options,
                                     const struct live_published *published,
                                     struct error_record *error)
{
    struct file_operations *files = options->files ? options->files : &file_system;
    struct embedded *embedded = memory_new_zero(1, sizeof *embedded);
    if (embedded) {
        embedded->published = published ? published : &embedded->own;
        embedded->snapshots = snapshots_new(files, options->directory, embedded->published);
    }
    if (!embedded || !embedded->snapshots) {
        memory_free(embedded);
        error_set_internal(error, HEARTH_NO_MEMORY, 0, "no memory for the reading store");
        return NULL;
    }
    embedded->clock = options->clock;
    if (options->metrics)
        embedded->damaged = metrics_counter(
            options->metrics, "hearth_sensor_damaged_total",
            "Questions that damaged or missing readings left without an answer.", "");
    embedded->seals_by_hand = options->seals_by_hand;
    memcpy(embedded->directory, options->directory, sizeof embedded->directory);
    embedded->summarizer = (struct summarizer){
        .files = files, .store = embedded->directory, .snapshots = embedded->snapshots};
    embedded->store_lock.file = -1;
    pthread_mutex_init(&embedded->lock, NULL);
    embedded->store = (struct reading_store){
        .append = reader_append,
        .range = embedded_range,
        .latest = embedded_latest,
        .series = embedded_series,
        .state = embedded_state,
        .aggregate = embedded_aggregate,
        .tail = embedded_tail,
        .free = embedded_free,
    };
    return embedded;
}

enum hearth_error live_store_options_from(const struct services *services,
                                          struct live_store_options *options,
                                          struct error_record *error)
{
    const char *directory = config_string(services->config, "sensor.directory");
    *options = (struct live_store_options){
        .live_bytes = (uint64_t)config_integer(services->config, "sensor.live_bytes"),
        .clock = services->clock,
        .metrics = services->metrics,
    };
    int length = directory[0] != '\0'
                     ? snprintf(options->directory, sizeof options->directory, "%s", directory)
                     : snprintf(options->directory, sizeof options->directory, "%s/sensor",
                                config_string(services->config, "state.directory"));
    if (length < 0 || (size_t)length >= sizeof options->directory)
        return error_set_internal(error, HEARTH_BAD_REQUEST, 0,
                                  "the name of the readings' directory is too long");
    return HEARTH_OK;
}

struct reading_store *embedded_store_open(const struct services *services,
                                          struct error_record *error)
{
    struct live_store_options options;
    if (!services->shared)
        return embedded_store_local(services, error);
    if (live_store_options_from(services, &options, error) != HEARTH_OK)
        return NULL;
    struct embedded *embedded =
        embedded_new(&options, keeper_shared_published(services->shared), error);
    if (!embedded)
        return NULL;
    embedded->slots = keeper_shared_slots(services->shared);
    embedded->requests = keeper_shared_requests(services->shared);
    embedded->store.append = pool_append;
    embedded->store.seal = pool_seal;
    return &embedded->store;
}

struct reading_store *embedded_store_reader(const struct live_store_options *options,
                                            const struct live_published *published,
                                            struct error_record *error)
{
    struct embedded *embedded = embedded_new(options, published, error);
    return embedded ? &embedded->store : NULL;
}

struct reading_store *embedded_store_local(const struct services *services,
                                           struct error_record *error)
{
    struct live_store_options options;
    if (live_store_options_from(services, &options, error) != HEARTH_OK)
        return NULL;
    return embedded_store_local_with(&options, error);
}

static enum hearth_error open_locally(struct embedded *embedded,
                                      const struct live_store_options *options,
                                      struct error_record *error)
{
    enum hearth_error code = live_store_prepare(options, error);
    if (code == HEARTH_OK)
        code = store_lock_take(&embedded->store_lock, options->directory, options->clock, NULL,
                               NULL, error);
    if (code == HEARTH_OK)
        code = live_store_open(options, &embedded->own, &embedded->live, error);
    if (code != HEARTH_OK)
        return code;
    embedded->sealer = sealer_new(embedded->live, summarizer_year, &embedded->summarizer, error);
    return embedded->sealer ? HEARTH_OK : HEARTH_NO_MEMORY;
}

struct reading_store *embedded_store_local_with(const struct live_store_options *options,
                                                struct error_record *error)
{
    struct embedded *embedded = embedded_new(options, NULL, error);
    if (!embedded)
        return NULL;
    embedded->store.append = local_append;
    embedded->store.seal = local_seal;
    if (open_locally(embedded, options, error) == HEARTH_OK)
        return &embedded->store;
    embedded_free(&embedded->store);
    return NULL;
}
