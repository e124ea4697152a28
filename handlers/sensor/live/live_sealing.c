/*
 * live_sealing.c - the live store's side of sealing.
 *
 * When the rows of a file stand, its run goes and its sealed files enter the list, in one step
 * under the lock: a reading is known before, after, and never counted twice. The file itself is
 * removed in another step, when readers had the chance to learn of the rows.
 */
#include "handlers/sensor/live/live_sealing.h"

#include "handlers/sensor/live/live_recovery.h"
#include "handlers/sensor/live/live_store_parts.h"

const struct live_store_options *live_store_options(const struct live_store *store)
{
    return &store->options;
}

struct file_operations *live_store_files(const struct live_store *store)
{
    return store->files;
}

struct manifest_writer *live_store_manifest(struct live_store *store)
{
    return &store->manifest;
}

uint64_t live_store_interrupted(const struct live_store *store)
{
    return store->interrupted;
}

/* ---- Finished files ---- */

/* A higher number must be there: numbers are not used twice. */
static bool is_finished(const struct live_store *store, const struct live_run *run)
{
    return store->current.file >= 0 && run->name.sequence < store->current.sequence;
}

static bool find_finished(const struct live_store *store, uint64_t after,
                          struct live_finished *finished)
{
    for (size_t i = 0; i < store->records.count; i++) {
        const struct live_run *run = store->records.runs[i];
        if (run->name.sequence <= after || !is_finished(store, run))
            continue;
        *finished = (struct live_finished){run->name, run->slots};
        return true;
    }
    return false;
}

bool live_store_next_finished(struct live_store *store, uint64_t after,
                              struct live_finished *finished)
{
    pthread_mutex_lock(&store->lock);
    bool found = !store->current.lost && find_finished(store, after, finished);
    pthread_mutex_unlock(&store->lock);
    return found;
}

static enum hearth_error finish(struct live_store *store, struct error_record *error)
{
    const struct live_file *current = &store->current;
    if (current->lost)
        return error_set_internal(error, HEARTH_UNAVAILABLE, 0, "%s was removed or moved",
                                  current->path);
    if (current->file >= 0 && current->poisoned)
        return live_store_require_file(store, 0, error);
    bool is_needed = current->file >= 0 ? current->synced_bytes > 0 : store->records.count > 0;
    return is_needed ? live_store_next_file(store, error) : HEARTH_OK;
}

enum hearth_error live_store_finish(struct live_store *store, struct error_record *error)
{
    pthread_mutex_lock(&store->lock);
    enum hearth_error code = finish(store, error);
    pthread_mutex_unlock(&store->lock);
    return code;
}

/* ---- Bad slots ---- */

static enum hearth_error pass_over(void *context, const struct record *record, uint64_t slot)
{
    (void)context;
    (void)record;
    (void)slot;
    return HEARTH_OK;
}

/* Mostly they were quarantined when the store was opened; the disk may have been full then, or they
 * went bad since. */
enum hearth_error live_store_quarantine_slots(struct live_store *store,
                                              const struct live_finished *finished,
                                              struct error_record *error)
{
    struct live_recovery recovery;
    struct live_scan scan = {0};
    pthread_mutex_lock(&store->lock);
    live_recovery_init(&recovery, store->files, store->options.directory, store->quarantine,
                       pass_over, NULL);
    enum hearth_error code = live_recovery_scan(&recovery, &finished->name,
                                                finished->slots * RECORD_BYTES, &scan, error);
    if (code == HEARTH_OK)
        code = live_recovery_commit(&recovery, error);
    else
        quarantine_drop(store->quarantine);
    live_recovery_clean(&recovery);
    pthread_mutex_unlock(&store->lock);
    return code;
}

/* ---- Sealed files ---- */

enum hearth_error live_store_reserve_sealed(struct live_store *store, size_t count,
                                            struct error_record *error)
{
    pthread_mutex_lock(&store->lock);
    enum hearth_error code = sealed_index_reserve(&store->sealed, count);
    pthread_mutex_unlock(&store->lock);
    return code == HEARTH_OK ? code
                             : error_set_internal(error, code, 0, "no memory for the sealed files");
}

enum hearth_error live_store_copy_sealed(struct live_store *store, struct sealed_index *sealed,
                                         struct error_record *error)
{
    pthread_mutex_lock(&store->lock);
    enum hearth_error code = sealed_index_reserve(sealed, store->sealed.count);
    for (size_t i = 0; code == HEARTH_OK && i < store->sealed.count; i++)
        sealed_index_add(sealed, &store->sealed.entries[i].file);
    sealed_index_settle(sealed);
    pthread_mutex_unlock(&store->lock);
    return code == HEARTH_OK ? code
                             : error_set_internal(error, code, 0, "no memory for the sealed files");
}

void live_store_take_sealed(struct live_store *store, const struct live_finished *finished,
                            const struct manifest_part *parts, size_t count)
{
    pthread_mutex_lock(&store->lock);
    for (size_t i = 0; i < count; i++)
        sealed_index_add(&store->sealed, &parts[i].file);
    sealed_index_settle(&store->sealed);
    if (count > 0) {
        store->sealed_slots += finished->slots;
        store->sealed_sets++;
    }
    live_records_drop(&store->records, finished->name.sequence);
    store->state.manifest_year = store->manifest.position.year;
    store->state.manifest_bytes = store->manifest.position.bytes;
    live_store_publish(store);
    pthread_mutex_unlock(&store->lock);
}

/* Under the lock, but for the directory's sync, which nobody needs to wait for. */
enum hearth_error live_store_remove_file(struct live_store *store, const struct live_name *name,
                                         struct error_record *error)
{
    char path[LIVE_PATH_BYTES];
    live_path(store->options.directory, name, path);
    live_store_begin_change(store);
    enum hearth_error code = file_remove(store->files, path, error);
    live_store_end_change(store);
    return code == HEARTH_NOT_FOUND ? HEARTH_OK : code;
}

enum hearth_error live_store_remove_sealed(struct live_store *store,
                                           const struct live_finished *finished,
                                           struct error_record *error)
{
    char directory[LIVE_PATH_BYTES];
    live_directory_path(store->options.directory, directory);
    pthread_mutex_lock(&store->lock);
    enum hearth_error code = live_store_remove_file(store, &finished->name, error);
    pthread_mutex_unlock(&store->lock);
    return code == HEARTH_OK ? file_sync_directory(store->files, directory, error) : code;
}
