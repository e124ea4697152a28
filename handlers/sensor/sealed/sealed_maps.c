/*
 * sealed_maps.c - a hash table of mapped files, and a list of those without a pin, in the order in
 * which they were left. Files are opened and mapped outside of the lock; of two threads that map
 * the same file the second throws its mapping away.
 */
#include "handlers/sensor/sealed/sealed_maps.h"

#include "handlers/sensor/disk/live_memory.h"
#include "handlers/sensor/record/record.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>

enum { HASH_BITS = 13, HASH_PLACES = 1 << HASH_BITS, PATH_BYTES = 2048 + SEALED_NAME_BYTES };
enum { CHUNK_RECORDS = 256, WORD_RECORDS = 64 * CHUNK_RECORDS };

struct sealed_maps {
    struct file_operations *files;
    const char *store;
    size_t limit;
    pthread_mutex_t lock;               /* guards all below */
    size_t count;                       /* mapped, forgotten ones not counted */
    struct sealed_map *newest, *oldest; /* without a pin */
    struct sealed_map *places[HASH_PLACES];
};

struct sealed_maps *sealed_maps_new(struct file_operations *files, const char *store, size_t limit)
{
    struct sealed_maps *maps = memory_new_zero(1, sizeof *maps);
    if (!maps)
        return NULL;
    maps->files = files;
    maps->store = store;
    maps->limit = limit;
    pthread_mutex_init(&maps->lock, NULL);
    return maps;
}

static void unmap(struct sealed_map *map)
{
    mapped_range_remove(map->range);
    munmap((void *)map->records, (size_t)map->file.records * RECORD_BYTES);
    memory_free(map);
}

void sealed_maps_free(struct sealed_maps *maps)
{
    if (!maps)
        return;
    sealed_maps_forget(maps);
    pthread_mutex_destroy(&maps->lock);
    memory_free(maps);
}

/* ---- The table and the list; under the lock ---- */

static struct sealed_map **place_of(struct sealed_maps *maps, const struct sealed_file *file)
{
    uint64_t hash =
        ((uint64_t)(uint32_t)file->day << 32 ^ file->sequence) * UINT64_C(0x9E3779B97F4A7C15);
    return &maps->places[hash >> (64 - HASH_BITS)];
}

static struct sealed_map *find(struct sealed_maps *maps, const struct sealed_file *file)
{
    struct sealed_map *map = *place_of(maps, file);
    while (map && (map->file.day != file->day || map->file.sequence != file->sequence ||
                   map->file.records != file->records))
        map = map->chain;
    return map;
}

static void leave_list(struct sealed_maps *maps, struct sealed_map *map)
{
    *(map->newer ? &map->newer->older : &maps->newest) = map->older;
    *(map->older ? &map->older->newer : &maps->oldest) = map->newer;
    map->newer = map->older = NULL;
}

static void join_list(struct sealed_maps *maps, struct sealed_map *map)
{
    map->newer = NULL;
    map->older = maps->newest;
    *(maps->newest ? &maps->newest->newer : &maps->oldest) = map;
    maps->newest = map;
}

static void pin(struct sealed_maps *maps, struct sealed_map *map)
{
    if (map->pins++ == 0)
        leave_list(maps, map);
}

static void leave_table(struct sealed_maps *maps, struct sealed_map *map)
{
    struct sealed_map **at = place_of(maps, &map->file);
    while (*at != map)
        at = &(*at)->chain;
    *at = map->chain;
    map->chain = NULL;
    maps->count--;
}

/* Takes what is too much out; gives it back as a chain, to be unmapped without the lock. */
static struct sealed_map *take_oldest(struct sealed_maps *maps)
{
    struct sealed_map *taken = NULL;
    while (maps->count > maps->limit && maps->oldest) {
        struct sealed_map *map = maps->oldest;
        leave_list(maps, map);
        leave_table(maps, map);
        map->chain = taken;
        taken = map;
    }
    return taken;
}

static void unmap_chain(struct sealed_map *taken)
{
    while (taken) {
        struct sealed_map *next = taken->chain;
        unmap(taken);
        taken = next;
    }
}

/* ---- Mapping ---- */

static enum hearth_error map_open_file(struct sealed_maps *maps, int file, const char *path,
                                       struct sealed_map *map, struct error_record *error)
{
    struct file_status status;
    size_t bytes = (size_t)map->file.records * RECORD_BYTES;
    enum hearth_error code = file_status_of(maps->files, file, path, &status, error);
    if (code != HEARTH_OK)
        return code;
    if (status.size_bytes != bytes)
        return error_set_internal(error, HEARTH_CORRUPT, 0,
                                  "%s has %llu bytes, the manifest says %zu", path,
                                  (unsigned long long)status.size_bytes, bytes);
    void *mapped = mmap(NULL, bytes, PROT_READ, MAP_SHARED, file, 0);
    if (mapped == MAP_FAILED)
        return error_set_internal(error, error_from_errno(errno), errno, "map %s", path);
    map->records = mapped;
    map->range = mapped_range_add(mapped, bytes);
    if (map->range)
        return HEARTH_OK;
    munmap(mapped, bytes);
    return error_set_internal(error, HEARTH_NO_MEMORY, 0, "too many files are mapped for %s", path);
}

static enum hearth_error map_file(struct sealed_maps *maps, const struct sealed_file *file,
                                  struct sealed_map **made, struct error_record *error)
{
    char name[SEALED_NAME_BYTES], path[PATH_BYTES];
    size_t words = file->records / WORD_RECORDS + 1;
    struct sealed_map *map = memory_new_zero(1, sizeof *map + words * sizeof map->verified[0]);
    if (!map)
        return error_set_internal(error, HEARTH_NO_MEMORY, 0, "no memory to map sealed files");
    map->file = *file;
    sealed_name_format(file, name);
    snprintf(path, sizeof path, "%s/%s", maps->store, name);
    int descriptor = file_open(maps->files, path, O_RDONLY, 0, error);
    enum hearth_error code = descriptor < 0 ? error_from_errno(errno) : HEARTH_OK;
    if (code == HEARTH_NOT_FOUND)
        code = error_set_internal(error, HEARTH_CORRUPT, ENOENT, "%s is missing", path);
    if (code == HEARTH_OK)
        code = map_open_file(maps, descriptor, path, map, error);
    file_close(maps->files, descriptor);
    if (code != HEARTH_OK)
        memory_free(map);
    else
        *made = map;
    return code;
}

/* Pins what is there by now, else puts `made` there. */
static struct sealed_map *insert(struct sealed_maps *maps, struct sealed_map *made)
{
    struct sealed_map *map = find(maps, &made->file);
    if (map) {
        pin(maps, map);
        return map;
    }
    struct sealed_map **place = place_of(maps, &made->file);
    made->chain = *place;
    *place = made;
    made->pins = 1;
    maps->count++;
    return made;
}

enum hearth_error sealed_maps_pin(struct sealed_maps *maps, const struct sealed_file *file,
                                  struct sealed_map **map, struct error_record *error)
{
    struct sealed_map *made = NULL;
    pthread_mutex_lock(&maps->lock);
    *map = find(maps, file);
    if (*map)
        pin(maps, *map);
    pthread_mutex_unlock(&maps->lock);
    if (*map)
        return HEARTH_OK;
    enum hearth_error code = map_file(maps, file, &made, error);
    if (!made)
        return code;
    pthread_mutex_lock(&maps->lock);
    *map = insert(maps, made);
    struct sealed_map *taken = take_oldest(maps);
    pthread_mutex_unlock(&maps->lock);
    if (*map != made)
        unmap(made);
    unmap_chain(taken);
    return HEARTH_OK;
}

enum hearth_error sealed_map_check(const struct sealed_map *map, struct error_record *error)
{
    char name[SEALED_NAME_BYTES];
    if (!mapped_range_damaged(map->range))
        return HEARTH_OK;
    sealed_name_format(&map->file, name);
    return error_set_internal(error, HEARTH_CORRUPT, 0, "%s cannot be read", name);
}

static enum hearth_error verify_chunk(struct sealed_map *map, size_t chunk,
                                      struct error_record *error)
{
    char name[SEALED_NAME_BYTES];
    size_t first = chunk * CHUNK_RECORDS, end = first + CHUNK_RECORDS;
    if (end > map->file.records)
        end = map->file.records;
    for (size_t i = first; i < end; i++) {
        if (record_check(&map->records[i]) == REJECT_NONE)
            continue;
        atomic_store(&map->wrong, true);
        if (mapped_range_damaged(map->range))
            return sealed_map_check(map, error);
        sealed_name_format(&map->file, name);
        return error_set_internal(error, HEARTH_CORRUPT, 0, "%s: record %zu is not what was sealed",
                                  name, i);
    }
    return HEARTH_OK;
}

enum hearth_error sealed_map_verify(struct sealed_map *map, size_t first, size_t count,
                                    struct error_record *error)
{
    enum hearth_error code = HEARTH_OK;
    for (size_t chunk = first / CHUNK_RECORDS;
         code == HEARTH_OK && chunk * CHUNK_RECORDS < first + count; chunk++) {
        _Atomic uint64_t *word = &map->verified[chunk / 64];
        uint64_t bit = UINT64_C(1) << chunk % 64;
        if ((atomic_load_explicit(word, memory_order_relaxed) & bit) != 0)
            continue;
        code = verify_chunk(map, chunk, error);
        if (code == HEARTH_OK)
            atomic_fetch_or_explicit(word, bit, memory_order_relaxed);
    }
    return code;
}

void sealed_maps_unpin(struct sealed_maps *maps, struct sealed_map *const *pinned, size_t count)
{
    struct sealed_map *taken = NULL;
    pthread_mutex_lock(&maps->lock);
    for (size_t i = 0; i < count; i++) {
        struct sealed_map *map = pinned[i];
        if (!map->forgotten && (mapped_range_damaged(map->range) || atomic_load(&map->wrong))) {
            leave_table(maps, map);
            map->forgotten = true;
        }
        if (--map->pins > 0)
            continue;
        if (map->forgotten) {
            map->chain = taken;
            taken = map;
        } else {
            join_list(maps, map);
        }
    }
    pthread_mutex_unlock(&maps->lock);
    unmap_chain(taken);
}

void sealed_maps_forget(struct sealed_maps *maps)
{
    struct sealed_map *taken = NULL;
    pthread_mutex_lock(&maps->lock);
    for (size_t i = 0; i < HASH_PLACES; i++) {
        struct sealed_map *map;
        while ((map = maps->places[i]) != NULL) {
            leave_table(maps, map);
            map->forgotten = true;
            if (map->pins > 0)
                continue;
            leave_list(maps, map);
            map->chain = taken;
            taken = map;
        }
    }
    pthread_mutex_unlock(&maps->lock);
    unmap_chain(taken);
}

size_t sealed_maps_count(struct sealed_maps *maps)
{
    pthread_mutex_lock(&maps->lock);
    size_t count = maps->count;
    pthread_mutex_unlock(&maps->lock);
    return count;
}
