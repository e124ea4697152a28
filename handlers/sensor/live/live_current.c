/*
 * live_current.c - which file a live store writes to: setting one aside, going on to the next.
 */
#include "handlers/sensor/live/live_store_parts.h"

#include <errno.h>
#include <fcntl.h>

/* What is poisoned and trusted to nothing holds nothing that was acknowledged. */
static enum hearth_error discard(struct live_store *store, struct error_record *error)
{
    enum hearth_error code = live_file_discard(&store->current, error);
    if (code == HEARTH_OK)
        live_records_drop_last(&store->records);
    return code;
}

static enum hearth_error rename_aside(struct live_store *store, struct error_record *error)
{
    const struct live_name name = {store->current.sequence, true, store->current.synced_bytes};
    enum hearth_error code = live_file_set_aside(&store->current, error);
    if (code == HEARTH_OK)
        live_records_rename_last(&store->records, &name);
    return code;
}

/* A directory read while a file in it is renamed may show it under neither name. */
void live_store_begin_change(struct live_store *store)
{
    store->state.file_generation++; /* odd */
    live_store_publish(store);
}

void live_store_end_change(struct live_store *store)
{
    store->state.file_generation++; /* even */
    live_store_publish(store);
}

static enum hearth_error set_aside(struct live_store *store, struct error_record *error)
{
    int64_t trusted_bytes = (int64_t)store->current.synced_bytes;
    live_store_begin_change(store);
    enum hearth_error code =
        trusted_bytes == 0 ? discard(store, error) : rename_aside(store, error);
    if (code == HEARTH_OK)
        live_publish_condition(store->published, LIVE_CLEAN);
    live_store_end_change(store);
    if (code != HEARTH_OK)
        return code;
    LOG_WARN("sensor_file_set_aside", LOG_TEXT("file", store->current.path),
             LOG_INTEGER("trusted_bytes", trusted_bytes));
    return HEARTH_OK;
}

static enum hearth_error say_lost(struct live_store *store, const char *path,
                                  struct error_record *error)
{
    store->current.lost = true;
    return error_set_internal(error, HEARTH_UNAVAILABLE, 0, "%s was removed or moved", path);
}

enum hearth_error live_store_next_file(struct live_store *store, struct error_record *error)
{
    const struct live_name name = {.sequence = store->next_sequence};
    enum hearth_error code = live_file_create(&store->current, name.sequence, error);
    if (code == HEARTH_NOT_FOUND)
        return say_lost(store, store->current.path, error);
    if (code == HEARTH_OK)
        code = live_records_add(&store->records, &name, 0, error);
    if (code != HEARTH_OK) {
        live_file_close(&store->current);
        return code;
    }
    store->next_sequence++;
    store->current_day = clock_wall_ms(store->options.clock) / DAY_MS;
    store->state.file_generation += 2;
    live_store_publish(store);
    return HEARTH_OK;
}

bool live_store_day_is_over(const struct live_store *store)
{
    return store->current.file >= 0 && store->current.synced_bytes > 0 &&
           clock_wall_ms(store->options.clock) / DAY_MS != store->current_day;
}

static bool is_finished(const struct live_store *store, size_t more_bytes)
{
    uint64_t bytes = store->current.synced_bytes;
    return live_store_day_is_over(store) ||
           (bytes > 0 && bytes + more_bytes > store->options.live_bytes);
}

enum hearth_error live_store_require_file(struct live_store *store, size_t bytes,
                                          struct error_record *error)
{
    enum hearth_error code = HEARTH_OK;
    if (store->current.poisoned && store->current.file >= 0)
        code = set_aside(store, error);
    if (code == HEARTH_NOT_FOUND)
        return say_lost(store, store->current.path, error);
    if (code == HEARTH_OK && (store->current.file < 0 || is_finished(store, bytes)))
        code = live_store_next_file(store, error);
    return code;
}

enum hearth_error live_store_confirm(struct live_store *store, struct error_record *error)
{
    char path[LIVE_PATH_BYTES];
    if (store->current.file >= 0)
        return store->current.poisoned ? HEARTH_OK : live_file_confirm(&store->current, error);
    live_directory_path(store->options.directory, path);
    int directory = file_open(store->files, path, O_RDONLY | O_DIRECTORY, 0, error);
    enum hearth_error code = directory >= 0 ? HEARTH_OK : error_from_errno(errno);
    file_close(store->files, directory);
    return code == HEARTH_NOT_FOUND ? say_lost(store, path, error) : code;
}
