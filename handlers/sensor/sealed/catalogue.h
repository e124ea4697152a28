/*
 * catalogue.h - which sealed files there are, at one moment.
 *
 * Ascending by (day, sequence), so that the files of a day stand together; the suspect ones, which
 * belong to no day, come first. 16 bytes a file. Never changes once made; a longer manifest makes
 * another one. References are counted; any thread.
 */
#ifndef HEARTH_SENSOR_CATALOGUE_H
#define HEARTH_SENSOR_CATALOGUE_H

#include "handlers/sensor/sealed/sealed_file.h"

#include <stdatomic.h>

struct catalogue {
    _Atomic unsigned references;
    uint64_t lineage;       /* the same for all that were made from one another */
    uint64_t last_sequence; /* no live file above this one is sealed */
    size_t suspect_count, count;
    struct sealed_file files[]; /* count; the first suspect_count are the suspect ones */
};

/* The files of `base` (NULL = none) and `count` more, which are put in order. One reference. NULL
 * when memory ran out. */
struct catalogue *catalogue_extend(const struct catalogue *base, struct sealed_file *more,
                                   size_t count);
struct catalogue *catalogue_keep(struct catalogue *catalogue);
void catalogue_release(struct catalogue *catalogue); /* NULL is allowed */
/* Is the live file of that number sealed? Mostly its number says that it is not; else all files are
 * looked at. */
bool catalogue_has_live(const struct catalogue *catalogue, uint64_t sequence);
/* The index of the first file of `day` or later; `hint`: where it may be, any number. */
size_t catalogue_find(const struct catalogue *catalogue, int32_t day, size_t hint);
/* The files of a day from its first on. */
size_t catalogue_day_count(const struct catalogue *catalogue, size_t first);

#endif
