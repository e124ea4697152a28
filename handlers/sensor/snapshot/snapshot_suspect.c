/*
 * snapshot_suspect.c - the sealed suspect readings, which belong to no day's files.
 *
 * Few ask for them and few there are, but they may be of any time. So the first who asks has all
 * suspect files read, sorted into one run, and kept until the store has more of them.
 */
#include "handlers/sensor/snapshot/snapshot_parts.h"

#include "handlers/sensor/disk/live_memory.h"

#include "handlers/sensor/record/record.h"

void suspect_run_release(struct suspect_run *run)
{
    if (!run || atomic_fetch_sub(&run->references, 1) != 1)
        return;
    catalogue_release(run->catalogue);
    memory_free(run);
}

static size_t count_records(const struct catalogue *catalogue)
{
    size_t count = 0;
    for (size_t i = 0; i < catalogue->suspect_count; i++)
        count += catalogue->files[i].records;
    return count;
}

static enum hearth_error add_file(struct snapshot *snapshot, const struct sealed_file *file,
                                  struct suspect_run *run, struct error_record *error)
{
    struct sealed_map *map;
    enum hearth_error code = sealed_maps_pin(snapshot->owner->maps, file, &map, error);
    if (code != HEARTH_OK)
        return code;
    code = sealed_map_verify(map, 0, file->records, error);
    memcpy(run->records + run->count, map->records, file->records * sizeof *run->records);
    run->count += file->records;
    if (code == HEARTH_OK)
        code = sealed_map_check(map, error);
    sealed_maps_unpin(snapshot->owner->maps, &map, 1);
    return code;
}

static enum hearth_error make_run(struct snapshot *snapshot, struct suspect_run **made,
                                  struct error_record *error)
{
    const struct catalogue *catalogue = snapshot->catalogue;
    size_t total = count_records(catalogue);
    struct suspect_run *run = memory_new(sizeof *run + total * sizeof run->records[0]);
    if (!run)
        return error_set_internal(error, HEARTH_NO_MEMORY, 0, "no memory for suspect readings");
    atomic_init(&run->references, 1);
    run->catalogue = catalogue_keep(snapshot->catalogue);
    run->count = 0;
    enum hearth_error code = HEARTH_OK;
    for (size_t i = 0; code == HEARTH_OK && i < catalogue->suspect_count; i++)
        code = add_file(snapshot, &catalogue->files[i], run, error);
    if (code == HEARTH_OK && record_sort(run->records, run->count) != HEARTH_OK)
        code = error_set_internal(error, HEARTH_NO_MEMORY, 0, "no memory for suspect readings");
    if (code != HEARTH_OK) {
        suspect_run_release(run);
        return code;
    }
    run->count = record_unique(run->records, run->count);
    *made = run;
    return HEARTH_OK;
}

static bool same_suspects(const struct catalogue *a, const struct catalogue *b)
{
    return a->lineage == b->lineage && a->suspect_count == b->suspect_count;
}

enum hearth_error snapshot_require_suspects(struct snapshot *snapshot, struct error_record *error)
{
    struct snapshots *owner = snapshot->owner;
    enum hearth_error code = HEARTH_OK;
    if (snapshot->suspects)
        return HEARTH_OK;
    pthread_mutex_lock(&owner->suspects_lock);
    if (!owner->suspects || !same_suspects(owner->suspects->catalogue, snapshot->catalogue)) {
        struct suspect_run *made = NULL;
        code = make_run(snapshot, &made, error);
        if (code == HEARTH_OK) {
            suspect_run_release(owner->suspects);
            owner->suspects = made;
        }
    }
    if (code == HEARTH_OK) {
        atomic_fetch_add(&owner->suspects->references, 1);
        snapshot->suspects = owner->suspects;
    }
    pthread_mutex_unlock(&owner->suspects_lock);
    return code;
}
