/*
 * time_zone_cache.c - the zones of one process.
 *
 * A list that only grows, under one mutex; names come from the configuration and from tokens, which
 * are few. A new version of tzdata is seen by the next worker, so after a reload of the pool.
 */
#include "handlers/sensor/text/time_zone.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct cached_zone {
    struct cached_zone *next;
    struct time_zone *zone;
    size_t name_length;
    char name[];
};

struct time_zones {
    const char *directory;
    pthread_mutex_t lock; /* guards `first` and what hangs on it, but not the zones themselves */
    struct cached_zone *first;
};

struct time_zones *time_zones_new(const char *directory)
{
    struct time_zones *zones = calloc(1, sizeof *zones);
    if (!zones)
        return NULL;
    zones->directory = directory;
    if (pthread_mutex_init(&zones->lock, NULL) != 0) {
        free(zones);
        return NULL;
    }
    return zones;
}

void time_zones_free(struct time_zones *zones)
{
    if (!zones)
        return;
    for (struct cached_zone *cached = zones->first; cached;) {
        struct cached_zone *next = cached->next;
        time_zone_free(cached->zone);
        free(cached);
        cached = next;
    }
    pthread_mutex_destroy(&zones->lock);
    free(zones);
}

static const struct time_zone *find_loaded(const struct time_zones *zones, struct view name)
{
    for (const struct cached_zone *cached = zones->first; cached; cached = cached->next)
        if (view_equal(view_from(cached->name, cached->name_length), name))
            return cached->zone;
    return NULL;
}

static const struct time_zone *load(struct time_zones *zones, struct view name,
                                    struct error_record *error)
{
    struct cached_zone *cached = malloc(sizeof *cached + name.length);
    if (!cached) {
        error_set_internal(error, HEARTH_NO_MEMORY, ENOMEM, "time zone");
        return NULL;
    }
    cached->zone = time_zone_load(zones->directory, name, error);
    if (!cached->zone) {
        free(cached);
        return NULL;
    }
    cached->name_length = name.length;
    if (name.length > 0)
        memcpy(cached->name, name.data, name.length);
    cached->next = zones->first;
    zones->first = cached;
    return cached->zone;
}

const struct time_zone *time_zones_find(struct time_zones *zones, struct view name,
                                        struct error_record *error)
{
    pthread_mutex_lock(&zones->lock);
    const struct time_zone *zone = find_loaded(zones, name);
    if (!zone)
        zone = load(zones, name, error);
    pthread_mutex_unlock(&zones->lock);
    return zone;
}
