/*
 * keeper.c - the keeper's loop: gather the slots that wait, commit them as one, answer them all.
 * Beside it runs a thread that seals (keeper_sealing.h), and one that takes what other processes
 * hand over (keeper_server.h); a commit holds the store's lock, which is all that they share.
 *
 * While a commit is in the disk's hands the next slots fill; that is what makes groups. The keeper
 * sleeps only when nothing waits.
 *
 * A keeper that is told to stop takes nothing more, leaves what waits to its successor, and gives
 * the lock back last. The successor waits for the lock: for a predecessor of its own pool as long
 * as a slow disk may take, for a stranger only as long as a stopping program needs.
 */
#include "handlers/sensor/keeper/keeper.h"

#include "handlers/sensor/disk/live_memory.h"

#include "handlers/sensor/disk/store_lock.h"
#include "handlers/sensor/embedded_store.h"
#include "handlers/sensor/keeper/keeper_sealing.h"
#include "handlers/sensor/keeper/keeper_server.h"
#include "handlers/sensor/keeper/keeper_shared.h"
#include "handlers/sensor/keeper/slot_text.h"
#include "handlers/sensor/live/live_sealing.h"
#include "handlers/sensor/snapshot/snapshot.h"
#include "handlers/sensor/summary/summarizer.h"

#include <string.h>
#include <unistd.h>

enum {
    GATHER_MAX = 256, /* slots in a commit: at most 87,040 readings, 1 MB */
    IDLE_MS = 1000,   /* how often an idle keeper looks around */
    PREDECESSOR_PATIENCE_MS = 30000,
    STRANGER_PATIENCE_MS = 3000,
};

struct keeper {
    const struct services *services;
    const struct keeper_control *control;
    struct slots *slots;
    struct keeper_requests *requests;
    struct live_store *store;
    struct summarizer summarizer;
    struct keeper_sealing *sealing;
    struct keeper_server *server;
    size_t taken_count;
    int taken[GATHER_MAX];
    struct live_entry entries[GATHER_MAX];
    struct quarantine_entry *texts; /* of all entries, one after the other */
    size_t text_capacity;
};

/* ---- The shared area ---- */

size_t sensor_shared_bytes(const struct config *config, size_t threads)
{
    (void)config;
    return keeper_shared_bytes(threads);
}

enum hearth_error sensor_shared_init(const struct config *config, void *shared, size_t threads)
{
    (void)config;
    if (!shared)
        return HEARTH_MISUSE;
    keeper_shared_init(shared, threads);
    return HEARTH_OK;
}

void sensor_keeper_wake(void *shared)
{
    slots_ring(keeper_shared_slots(shared));
}

void sensor_keeper_died(void *shared)
{
    slots_keeper_died(keeper_shared_slots(shared));
}

void sensor_worker_ended(void *shared, int64_t pid)
{
    slots_worker_ended(keeper_shared_slots(shared), pid);
}

/* ---- From slots to entries ---- */

static bool body_is_sound(const struct slot_body *body)
{
    return body->record_count <= SLOT_RECORDS &&
           body->text_bytes <= SLOT_CONTENT_BYTES - body->record_count * RECORD_BYTES;
}

static size_t count_texts(struct keeper *keeper)
{
    size_t count = 0;
    for (size_t i = 0; i < keeper->taken_count; i++) {
        const struct slot_body *body = slots_body(keeper->slots, keeper->taken[i]);
        struct quarantine_entry entry;
        size_t at = 0;
        while (body_is_sound(body) && slot_text_next(body, &at, &entry))
            count++;
    }
    return count;
}

static bool reserve_texts(struct keeper *keeper, size_t count)
{
    if (count <= keeper->text_capacity)
        return true;
    struct quarantine_entry *grown = memory_resize(keeper->texts, count * sizeof *grown);
    if (!grown)
        return false;
    keeper->texts = grown;
    keeper->text_capacity = count;
    return true;
}

/* The bodies are the keeper's until it answers: entries point into them. `*text` is the first free
 * place for texts, of which `text_end` were counted. */
static void fill_entry(struct keeper *keeper, size_t index, size_t *text, size_t text_end)
{
    const struct slot_body *body = slots_body(keeper->slots, keeper->taken[index]);
    struct live_entry *entry = &keeper->entries[index];
    *entry = (struct live_entry){0};
    if (!body_is_sound(body))
        return;
    entry->records = (const struct record *)body->content;
    entry->record_count = body->record_count;
    if (*text < text_end)
        entry->rejected = &keeper->texts[*text];
    size_t at = 0;
    while (*text < text_end && slot_text_next(body, &at, &keeper->texts[*text])) {
        entry->rejected_count++;
        (*text)++;
    }
}

/* ---- Answers ---- */

static void answer_one(struct keeper *keeper, size_t index, enum hearth_error code, int number)
{
    const struct append_result *result = &keeper->entries[index].result;
    const struct slot_result answer = {
        .error = (uint32_t)code,
        .number = number,
        .accepted = (uint32_t)result->accepted,
        .duplicate = (uint32_t)result->duplicate,
        .quarantined = (uint32_t)result->quarantined,
        .first_ms = result->first_ms,
        .last_ms = result->last_ms,
    };
    slots_answer(keeper->slots, keeper->taken[index], &answer);
}

static void refuse_all(struct keeper *keeper, enum hearth_error code)
{
    for (size_t i = 0; i < keeper->taken_count; i++) {
        keeper->entries[i].result = (struct append_result){.first_ms = -1, .last_ms = -1};
        answer_one(keeper, i, code, 0);
    }
}

static void commit_taken(struct keeper *keeper)
{
    size_t texts = count_texts(keeper), text = 0;
    if (!reserve_texts(keeper, texts)) {
        refuse_all(keeper, HEARTH_NO_MEMORY);
        return;
    }
    for (size_t i = 0; i < keeper->taken_count; i++)
        fill_entry(keeper, i, &text, texts);
    live_store_commit(keeper->store, keeper->entries, keeper->taken_count);
    for (size_t i = 0; i < keeper->taken_count; i++) {
        bool sound = body_is_sound(slots_body(keeper->slots, keeper->taken[i]));
        answer_one(keeper, i, sound ? keeper->entries[i].outcome : HEARTH_INTERNAL,
                   keeper->entries[i].number);
    }
}

/* ---- Life ---- */

static void wake_sealing(struct keeper *keeper)
{
    struct live_finished finished;
    if (keeper_requests_wait(keeper->requests) ||
        live_store_next_finished(keeper->store, 0, &finished))
        keeper_sealing_wake(keeper->sealing);
}

static void run(struct keeper *keeper)
{
    while (!keeper->control->should_stop(keeper->control) && !live_store_is_lost(keeper->store)) {
        uint32_t rings = slots_rings(keeper->slots);
        keeper->taken_count = slots_gather(keeper->slots, keeper->taken, GATHER_MAX);
        if (keeper->taken_count > 0) {
            commit_taken(keeper);
            wake_sealing(keeper);
            continue;
        }
        live_store_tick(keeper->store);
        wake_sealing(keeper);
        slots_sleep(keeper->slots, rings, IDLE_MS);
    }
}

struct patience {
    const struct keeper_control *control;
    const struct clock *clock;
    int64_t until_ns;
};

static bool still_patient(void *context)
{
    const struct patience *patience = context;
    return clock_monotonic_ns(patience->clock) < patience->until_ns &&
           !patience->control->should_stop(patience->control);
}

static enum hearth_error take_lock(struct keeper *keeper, const struct live_store_options *options,
                                   struct store_lock *lock, struct error_record *error)
{
    bool predecessor = slots_keeper_pid(keeper->slots) != 0;
    int64_t patience_ms = predecessor ? PREDECESSOR_PATIENCE_MS : STRANGER_PATIENCE_MS;
    struct patience patience = {
        .control = keeper->control,
        .clock = options->clock,
        .until_ns = clock_monotonic_ns(options->clock) + patience_ms * 1000000,
    };
    enum hearth_error code =
        live_store_prepare_again(options, keeper_shared_published(keeper->services->shared), error);
    return code == HEARTH_OK ? store_lock_take(lock, options->directory, options->clock,
                                               still_patient, &patience, error)
                             : code;
}

/* ---- The threads beside it ---- */

static enum hearth_error start_threads(struct keeper *keeper,
                                       const struct live_store_options *options,
                                       struct error_record *error)
{
    struct error_record unheard = {0};
    const struct services *services = keeper->services;
    struct file_operations *files = options->files ? options->files : &file_system;
    keeper->summarizer = (struct summarizer){
        .files = files,
        .store = options->directory,
        .snapshots =
            snapshots_new(files, options->directory, keeper_shared_published(services->shared)),
        .stale_after_ms = config_integer(services->config, "sensor.stale_after_s") * 1000,
    };
    if (!keeper->summarizer.snapshots)
        return error_set_internal(error, HEARTH_NO_MEMORY, 0, "no memory for the summaries");
    keeper->sealing = keeper_sealing_start(keeper->store, summarizer_year, &keeper->summarizer,
                                           keeper->requests, error);
    if (!keeper->sealing)
        return error->code;
    const struct keeper_server_options server = {.directory = options->directory,
                                                 .store = keeper->store,
                                                 .requests = keeper->requests,
                                                 .sealing = keeper->sealing,
                                                 .clock = options->clock};
    keeper->server = keeper_server_start(&server, &unheard);
    if (!keeper->server) /* commands cannot reach it; workers can */
        LOG_WARN("sensor_socket_failed", LOG_TEXT("detail", unheard.detail));
    return HEARTH_OK;
}

static void stop_threads(struct keeper *keeper)
{
    keeper_server_stop(keeper->server);
    keeper_sealing_stop(keeper->sealing);
    snapshots_free(keeper->summarizer.snapshots);
}

/* With the lock held. */
static enum hearth_error keep(struct keeper *keeper, const struct live_store_options *options,
                              struct error_record *error)
{
    slots_keeper_begin(keeper->slots, getpid());
    enum hearth_error code = live_store_open(
        options, keeper_shared_published(keeper->services->shared), &keeper->store, error);
    if (code == HEARTH_OK)
        code = start_threads(keeper, options, error);
    if (code == HEARTH_OK) {
        keeper->control->ready(keeper->control);
        run(keeper);
        if (live_store_is_lost(keeper->store)) /* the next keeper opens what is there now */
            code =
                error_set_internal(error, HEARTH_UNAVAILABLE, 0,
                                   "the readings in %s were removed or moved", options->directory);
    }
    stop_threads(keeper);
    slots_keeper_end(keeper->slots, code != HEARTH_OK);
    live_store_close(keeper->store);
    return code;
}

enum hearth_error sensor_keeper_run(const struct services *services,
                                    const struct keeper_control *control,
                                    struct error_record *error)
{
    struct live_store_options options;
    struct store_lock lock = {.file = -1};
    struct keeper *keeper = memory_new_zero(1, sizeof *keeper);
    if (!keeper)
        return error_set_internal(error, HEARTH_NO_MEMORY, 0, "no memory for the keeper");
    keeper->services = services;
    keeper->control = control;
    keeper->slots = keeper_shared_slots(services->shared);
    keeper->requests = keeper_shared_requests(services->shared);
    enum hearth_error code = live_store_options_from(services, &options, error);
    if (code == HEARTH_OK)
        code = take_lock(keeper, &options, &lock, error);
    if (code == HEARTH_OK)
        code = keep(keeper, &options, error);
    else if (code == HEARTH_LOCKED && control->should_stop(control))
        code = HEARTH_OK;           /* told to end before its turn came */
    if (code == HEARTH_UNAVAILABLE) /* what was there is not */
        live_publish_lost(keeper_shared_published(services->shared), true);
    store_lock_release(&lock);
    memory_free(keeper->texts);
    memory_free(keeper);
    return code;
}
