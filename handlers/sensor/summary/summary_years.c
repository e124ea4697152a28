/*
 * summary_years.c - mapped summary files with counted references. A file is known by its device,
 * inode, size and time: it is always replaced as a whole, by renaming.
 */
#include "handlers/sensor/summary/summary_years.h"

#include "handlers/sensor/disk/live_memory.h"

#include "handlers/sensor/summary/summary.h"
#include "hearth/clock.h"
#include "hearth/telemetry.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

enum { PATH_BYTES = 2048 + 32, LOOK_AGAIN_NS = 1000000000 };

struct summary_year {
    _Atomic unsigned references;
    struct summary_file *file;
};

struct summary_place {
    struct summary_year *held; /* NULL = none of use */
    struct file_status status; /* of the one looked at last; inode 0 = there was none */
    int64_t looked_ns;
    uint64_t generation;
    bool looked;
};

struct summary_years {
    struct file_operations *files;
    const char *store;
    pthread_mutex_t lock; /* guards the places; held while a file is opened */
    struct summary_place places[SUMMARY_YEARS];
};

struct summary_years *summary_years_new(struct file_operations *files, const char *store)
{
    struct summary_years *years = memory_new_zero(1, sizeof *years);
    if (!years)
        return NULL;
    years->files = files;
    years->store = store;
    pthread_mutex_init(&years->lock, NULL);
    return years;
}

void summary_years_free(struct summary_years *years)
{
    if (!years)
        return;
    summary_years_forget(years);
    pthread_mutex_destroy(&years->lock);
    memory_free(years);
}

void summary_year_release(struct summary_year *held)
{
    if (!held || atomic_fetch_sub(&held->references, 1) != 1)
        return;
    summary_file_close(held->file);
    memory_free(held);
}

const struct summary_file *summary_year_file(const struct summary_year *held)
{
    return held->file;
}

void summary_years_forget(struct summary_years *years)
{
    pthread_mutex_lock(&years->lock);
    for (size_t i = 0; i < SUMMARY_YEARS; i++) {
        summary_year_release(years->places[i].held);
        years->places[i] = (struct summary_place){0};
    }
    pthread_mutex_unlock(&years->lock);
}

/* ---- Looking; under the lock ---- */

static struct file_status look(const struct summary_years *years, int32_t year)
{
    char path[PATH_BYTES];
    struct file_status status = {0};
    snprintf(path, sizeof path, "%s/summary/%04d.sum", years->store, (int)year);
    int file = file_open(years->files, path, O_RDONLY, 0, NULL);
    if (file >= 0 && file_status_of(years->files, file, path, &status, NULL) != HEARTH_OK)
        status = (struct file_status){0};
    file_close(years->files, file);
    return status;
}

static bool same_file(const struct file_status *a, const struct file_status *b)
{
    return a->device == b->device && a->inode == b->inode && a->size_bytes == b->size_bytes &&
           a->modified_ms == b->modified_ms;
}

static enum hearth_error open_year(const struct summary_years *years, int32_t year,
                                   struct summary_year **made)
{
    struct error_record error = {0};
    struct summary_year *held = memory_new_zero(1, sizeof *held);
    if (!held)
        return HEARTH_NO_MEMORY;
    atomic_init(&held->references, 1);
    held->file = summary_file_open(years->files, years->store, year, &error);
    if (held->file) {
        *made = held;
        return HEARTH_OK;
    }
    memory_free(held);
    if (error.code != HEARTH_NOT_FOUND)
        LOG_WARN("sensor_summary_passed_over", LOG_INTEGER("year", year),
                 LOG_TEXT("reason", error_name(error.code)), LOG_TEXT("detail", error.detail));
    return error.code;
}

/* A file of which a part could not be read is passed over until another one is put in its place. */
static void drop_damaged(struct summary_place *place, int32_t year)
{
    if (!place->held || !summary_file_damaged(place->held->file))
        return;
    LOG_WARN("sensor_summary_passed_over", LOG_INTEGER("year", year),
             LOG_TEXT("reason", error_name(HEARTH_CORRUPT)),
             LOG_TEXT("detail", "a part of it cannot be read"));
    summary_year_release(place->held);
    place->held = NULL;
}

static void renew(const struct summary_years *years, struct summary_place *place, int32_t year)
{
    struct file_status status = look(years, year);
    if (place->looked && same_file(&place->status, &status))
        return;
    summary_year_release(place->held);
    place->held = NULL;
    place->status = status;
    if (status.inode == 0)
        return;
    enum hearth_error code = open_year(years, year, &place->held);
    if (code != HEARTH_OK && code != HEARTH_CORRUPT) /* the next look may find it well */
        place->status = (struct file_status){0};
}

struct summary_year *summary_years_take(struct summary_years *years, int32_t year,
                                        uint64_t generation)
{
    if (year < SUMMARY_YEAR_FIRST || year >= SUMMARY_YEAR_FIRST + SUMMARY_YEARS)
        return NULL;
    struct summary_place *place = &years->places[year - SUMMARY_YEAR_FIRST];
    int64_t now_ns = clock_monotonic_ns(&clock_system);
    pthread_mutex_lock(&years->lock);
    if (!place->looked || place->generation != generation ||
        now_ns - place->looked_ns >= LOOK_AGAIN_NS) {
        renew(years, place, year);
        place->looked = true;
        place->generation = generation;
        place->looked_ns = now_ns;
    }
    drop_damaged(place, year);
    struct summary_year *held = place->held;
    if (held)
        atomic_fetch_add(&held->references, 1);
    pthread_mutex_unlock(&years->lock);
    return held;
}
