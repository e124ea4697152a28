/*
 * snapshots.c - what a process knows of the store, kept up, and snapshots of it.
 *
 * Opening a snapshot brings catalogue and live copy to what the keeper has published, and takes a
 * reference to each. Mostly nothing has changed, or a few readings have come. When a live file was
 * sealed its readings leave the live copy in the same step in which its sealed files enter the
 * catalogue: the manifest says which live files are sealed, so that a reading is never in both, and
 * never in none.
 *
 * Whatever fails leaves things as they were, or empty, to be read again.
 */
#include "handlers/sensor/snapshot/snapshot_parts.h"

#include "handlers/sensor/disk/live_memory.h"

#include "handlers/sensor/record/record.h"

#include <string.h>

enum { ATTEMPTS = 10, GATHER_START = 256 };

/* ---- Life ---- */

struct snapshots *snapshots_new(struct file_operations *files, const char *store,
                                const struct live_published *published)
{
    struct snapshots *made = memory_new_zero(1, sizeof *made);
    size_t length = strlen(store);
    if (!made || length >= sizeof made->store) {
        memory_free(made);
        return NULL;
    }
    made->files = files;
    made->published = published;
    memcpy(made->store, store, length + 1);
    pthread_mutex_init(&made->lock, NULL);
    pthread_mutex_init(&made->totals_lock, NULL);
    pthread_mutex_init(&made->suspects_lock, NULL);
    made->maps = sealed_maps_new(files, made->store, SEALED_MAPS_LIMIT);
    made->years = summary_years_new(files, made->store);
    if (made->maps && made->years)
        return made;
    snapshots_free(made);
    return NULL;
}

/* Nothing is known. What others hold stays with them. */
static void forget(struct snapshots *snapshots)
{
    live_spans_clean(&snapshots->spans);
    catalogue_release(snapshots->catalogue);
    live_copy_release(snapshots->live);
    snapshots->catalogue = NULL;
    snapshots->live = NULL;
    snapshots->has_seen = snapshots->is_current = false;
    snapshots->position = (struct manifest_position){0};
}

void snapshots_free(struct snapshots *snapshots)
{
    if (!snapshots)
        return;
    forget(snapshots);
    catalogue_release(snapshots->totals_catalogue);
    series_totals_clean(&snapshots->totals);
    suspect_run_release(snapshots->suspects);
    sealed_maps_free(snapshots->maps);
    summary_years_free(snapshots->years);
    pthread_mutex_destroy(&snapshots->lock);
    pthread_mutex_destroy(&snapshots->totals_lock);
    pthread_mutex_destroy(&snapshots->suspects_lock);
    memory_free(snapshots);
}

/* ---- The catalogue ---- */

struct rows {
    struct sealed_file *files;
    size_t count, capacity;
};

static enum hearth_error take_row(void *context, const struct manifest_row *row)
{
    struct rows *rows = context;
    if (rows->count == rows->capacity) {
        size_t capacity = rows->capacity ? rows->capacity * 2 : 64;
        struct sealed_file *grown = memory_resize(rows->files, capacity * sizeof *grown);
        if (!grown)
            return HEARTH_NO_MEMORY;
        rows->files = grown;
        rows->capacity = capacity;
    }
    rows->files[rows->count++] = row->file;
    return HEARTH_OK;
}

static enum hearth_error update_catalogue(struct snapshots *snapshots, struct error_record *error)
{
    const struct live_state *state = &snapshots->spans.state;
    const struct manifest_position until = {.year = state->manifest_year,
                                            .bytes = state->manifest_bytes};
    struct manifest_position position = snapshots->position;
    struct rows rows = {0};
    enum hearth_error code = manifest_read(snapshots->files, snapshots->store, state->id, &position,
                                           &until, take_row, &rows, NULL, error);
    if (code == HEARTH_NO_MEMORY)
        error_set_internal(error, code, 0, "no memory for the sealed files");
    if (code == HEARTH_OK && (rows.count > 0 || !snapshots->catalogue)) {
        struct catalogue *made = catalogue_extend(snapshots->catalogue, rows.files, rows.count);
        if (made) {
            catalogue_release(snapshots->catalogue);
            snapshots->catalogue = made;
        } else {
            code = error_set_internal(error, HEARTH_NO_MEMORY, 0, "no memory for the sealed files");
        }
    }
    if (code == HEARTH_OK)
        snapshots->position = position;
    memory_free(rows.files);
    return code;
}

/* ---- The live copy ---- */

struct gathering {
    struct record *records;
    size_t count, capacity;
};

static enum hearth_error gather(void *context, const struct record *slots, size_t count)
{
    struct gathering *gathering = context;
    if (gathering->capacity - gathering->count < count) {
        size_t capacity = gathering->capacity + gathering->capacity / 2 + count + GATHER_START;
        struct record *grown = memory_resize(gathering->records, capacity * sizeof *grown);
        if (!grown)
            return HEARTH_NO_MEMORY;
        gathering->records = grown;
        gathering->capacity = capacity;
    }
    for (size_t i = 0; i < count; i++)
        if (record_check(&slots[i]) == REJECT_NONE)
            gathering->records[gathering->count++] = slots[i];
    return HEARTH_OK;
}

static enum hearth_error no_memory_for_live(struct error_record *error)
{
    return error_set_internal(error, HEARTH_NO_MEMORY, 0, "no memory for the live readings");
}

/* Nothing of the live files is taken. */
static void forget_live(struct snapshots *snapshots)
{
    live_copy_release(snapshots->live);
    snapshots->live = NULL;
    for (size_t i = 0; i < snapshots->spans.count; i++) {
        snapshots->spans.spans[i].taken = 0;
        snapshots->spans.spans[i].finished = false;
    }
}

static enum hearth_error add_gathered(struct snapshots *snapshots, struct live_span *span,
                                      struct gathering *gathering, uint64_t slots,
                                      struct error_record *error)
{
    if (slots < span->taken)
        return error_set_internal(error, HEARTH_CORRUPT, 0, "live file %llu became shorter",
                                  (unsigned long long)span->name.sequence);
    enum hearth_error code = HEARTH_OK;
    if (gathering->count > 0)
        code = live_copy_own(&snapshots->live);
    if (code == HEARTH_OK && gathering->count > 0)
        code = live_copy_add(snapshots->live, span->name.sequence, gathering->records,
                             gathering->count);
    if (code != HEARTH_OK)
        return no_memory_for_live(error);
    span->taken = slots;
    span->finished = span->bytes == LIVE_SPAN_TO_END || span->name.poisoned;
    return HEARTH_OK;
}

/* What is new in one file. */
static enum hearth_error take_span(struct snapshots *snapshots, struct live_span *span,
                                   struct error_record *error)
{
    struct gathering gathering = {0};
    uint64_t slots = 0;
    bool known = span->bytes != LIVE_SPAN_TO_END && !span->name.poisoned &&
                 (uint64_t)span->bytes / RECORD_BYTES == span->taken;
    if (span->finished || known)
        return HEARTH_OK;
    enum hearth_error code = live_span_read(snapshots->files, snapshots->store, span, span->taken,
                                            gather, &gathering, &slots, error);
    if (code == HEARTH_NO_MEMORY)
        no_memory_for_live(error);
    if (code == HEARTH_OK)
        code = add_gathered(snapshots, span, &gathering, slots, error);
    memory_free(gathering.records);
    return code;
}

static bool is_live(const struct snapshots *snapshots, const struct live_span *span)
{
    return !catalogue_has_live(snapshots->catalogue, span->name.sequence);
}

/* Only what stands in files that are not sealed stays. */
static enum hearth_error keep_live(struct snapshots *snapshots)
{
    const struct live_spans *spans = &snapshots->spans;
    size_t count = 0;
    uint32_t *sources = memory_new((spans->count + 1) * sizeof *sources);
    if (!sources)
        return HEARTH_NO_MEMORY;
    for (size_t i = 0; i < spans->count; i++)
        if (is_live(snapshots, &spans->spans[i]))
            sources[count++] = (uint32_t)spans->spans[i].name.sequence;
    enum hearth_error code = live_copy_own(&snapshots->live);
    if (code == HEARTH_OK)
        code = live_copy_keep_of(snapshots->live, sources, count);
    memory_free(sources);
    return code;
}

/* Readings that are sealed now leave. */
static enum hearth_error drop_sealed(struct snapshots *snapshots, size_t sealed_before)
{
    const struct live_copy *live = snapshots->live;
    if (snapshots->catalogue->count == sealed_before ||
        (live->good.count == 0 && live->suspect.count == 0))
        return HEARTH_OK;
    return keep_live(snapshots);
}

static enum hearth_error update_live(struct snapshots *snapshots, size_t sealed_before,
                                     struct error_record *error)
{
    enum hearth_error code = HEARTH_OK;
    if (!snapshots->live)
        snapshots->live = live_copy_new();
    if (!snapshots->live || drop_sealed(snapshots, sealed_before) != HEARTH_OK) {
        forget_live(snapshots);
        return no_memory_for_live(error);
    }
    for (size_t i = 0; code == HEARTH_OK && i < snapshots->spans.count; i++)
        if (is_live(snapshots, &snapshots->spans.spans[i]))
            code = take_span(snapshots, &snapshots->spans.spans[i], error);
    if (code != HEARTH_NO_MEMORY && code != HEARTH_CORRUPT)
        return code;
    forget_live(snapshots);
    return code == HEARTH_CORRUPT ? HEARTH_NOT_FOUND : code; /* it is another file: once more */
}

/* ---- Together ---- */

static bool nothing_changed(const struct snapshots *snapshots, const struct live_state *state)
{
    const struct live_state *seen = &snapshots->seen;
    return snapshots->is_current && seen->sequence == state->sequence &&
           seen->synced_bytes == state->synced_bytes &&
           seen->manifest_year == state->manifest_year &&
           seen->manifest_bytes == state->manifest_bytes && seen->device == state->device &&
           seen->inode == state->inode;
}

/* Another directory, or one that was put back to what it was before: all is read again. */
static void notice_another_store(struct snapshots *snapshots, const struct live_state *state)
{
    const struct manifest_position *position = &snapshots->position;
    if (!snapshots->has_seen)
        return;
    bool back = state->manifest_year < position->year ||
                (state->manifest_year == position->year && state->manifest_bytes < position->bytes);
    if (live_state_same_directory(&snapshots->seen, state) && !back &&
        memcmp(snapshots->seen.id, state->id, sizeof state->id) == 0)
        return;
    forget(snapshots);
    sealed_maps_forget(snapshots->maps);
    summary_years_forget(snapshots->years);
}

static enum hearth_error refresh_once(struct snapshots *snapshots, bool again,
                                      struct error_record *error)
{
    struct live_state state;
    if (live_published_lost(snapshots->published))
        return error_set_internal(error, HEARTH_UNAVAILABLE, 0,
                                  "the readings in %s were removed or moved", snapshots->store);
    if (!live_published_get(snapshots->published, &state))
        return error_set_internal(error, HEARTH_UNAVAILABLE, 0, "the store is not open yet");
    if (!again && nothing_changed(snapshots, &state)) {
        snapshots->seen = state;
        return HEARTH_OK;
    }
    notice_another_store(snapshots, &state);
    enum hearth_error code = live_spans_refresh(
        &snapshots->spans, snapshots->files, snapshots->store, snapshots->published, again, error);
    if (code != HEARTH_OK)
        return code;
    size_t sealed_before = snapshots->catalogue ? snapshots->catalogue->count : 0;
    snapshots->seen = snapshots->spans.state;
    snapshots->has_seen = true;
    snapshots->is_current = false;
    code = update_catalogue(snapshots, error);
    if (code == HEARTH_OK)
        code = update_live(snapshots, sealed_before, error);
    snapshots->is_current = code == HEARTH_OK;
    return code;
}

enum hearth_error snapshots_refresh(struct snapshots *snapshots, bool again,
                                    struct error_record *error)
{
    enum hearth_error code = refresh_once(snapshots, again, error);
    for (int attempt = 1; attempt < ATTEMPTS && code == HEARTH_NOT_FOUND; attempt++)
        code = refresh_once(snapshots, true, error);
    if (code != HEARTH_NOT_FOUND)
        return code;
    return error_set_internal(error, HEARTH_UNAVAILABLE, 0,
                              "the readings in %s were removed or moved", snapshots->store);
}

enum hearth_error snapshot_open(struct snapshots *snapshots, struct snapshot **snapshot,
                                struct error_record *error)
{
    struct snapshot *made = memory_new_zero(1, sizeof *made);
    *snapshot = NULL;
    if (!made)
        return error_set_internal(error, HEARTH_NO_MEMORY, 0, "no memory for a snapshot");
    pthread_mutex_lock(&snapshots->lock);
    enum hearth_error code = snapshots_refresh(snapshots, false, error);
    if (code == HEARTH_OK) {
        made->owner = snapshots;
        made->state = snapshots->seen;
        made->catalogue = catalogue_keep(snapshots->catalogue);
        made->live = live_copy_keep(snapshots->live);
        made->hint = &made->hint_place;
        made->faults_seen = mapped_ranges_faults();
    }
    pthread_mutex_unlock(&snapshots->lock);
    if (code == HEARTH_OK)
        *snapshot = made;
    else
        memory_free(made);
    return code;
}

void snapshot_state(const struct snapshot *snapshot, struct store_state *state)
{
    *state = (struct store_state){
        .generation = snapshot->state.generation,
        .readings = snapshot->state.readings,
        .stored_bytes = snapshot->state.stored_bytes,
        .newest_ms = snapshot->state.newest_ms,
    };
    memcpy(state->id, snapshot->state.id, sizeof state->id);
}
