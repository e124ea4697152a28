/*
 * sealed_maps.h - the mapped sealed files of a process.
 *
 * Files are mapped when somebody needs them and stay mapped, up to half of what the system allows a
 * process (vm.max_map_count, 65,530); then the one that nobody has needed for the longest time
 * goes. Who reads all readings in their order needs each file once, so that the one that goes is
 * just the one that the next reader begins with: the limit is above the days of a long life, with a
 * late file now and then. A file that is pinned stays. Any thread.
 *
 * Where a mapped file cannot be read its readers see zeros (mapped_ranges.h). Who pinned it asks
 * sealed_map_check when done with reading; who pins it next has it mapped anew.
 *
 * Records are shown and summed after sealed_map_verify alone. It looks at the checksum of each once
 * in the life of a map, so many at a time, so that who reads little has little looked at.
 */
#ifndef HEARTH_SENSOR_SEALED_MAPS_H
#define HEARTH_SENSOR_SEALED_MAPS_H

#include "handlers/sensor/disk/file_operations.h"
#include "handlers/sensor/disk/mapped_ranges.h"
#include "handlers/sensor/sealed/sealed_file.h"
#include "hearth/reading_store.h"

enum { SEALED_MAPS_LIMIT = 32768 };

struct sealed_maps;

struct sealed_map {
    struct sealed_file file;
    const struct record *records; /* file.records of them */
    /* Inside. */
    struct mapped_range *range;
    unsigned pins;
    bool forgotten;
    struct sealed_map *chain;         /* of its hash */
    struct sealed_map *newer, *older; /* among those without a pin */
    _Atomic bool wrong;               /* a record's checksum is */
    _Atomic uint64_t verified[];      /* a bit for each chunk of records that are right */
};

/* `files` must outlive it, `store` as well. NULL when memory ran out. */
struct sealed_maps *sealed_maps_new(struct file_operations *files, const char *store, size_t limit);
void sealed_maps_free(struct sealed_maps *maps); /* NULL is allowed; nothing may be pinned */
/* Errors: CORRUPT (missing, or not of the size that the manifest says; the detail names it), IO,
 * NO_MEMORY. */
HEARTH_MUST_CHECK enum hearth_error sealed_maps_pin(struct sealed_maps *maps,
                                                    const struct sealed_file *file,
                                                    struct sealed_map **map,
                                                    struct error_record *error);
/* After reading: CORRUPT when a part of it could not be read (the detail names the file). */
HEARTH_MUST_CHECK enum hearth_error sealed_map_check(const struct sealed_map *map,
                                                     struct error_record *error);
/* Of records [first, first + count): CORRUPT when one of them, or of their neighbours, is not what
 * it was (the detail names file and record). */
HEARTH_MUST_CHECK enum hearth_error sealed_map_verify(struct sealed_map *map, size_t first,
                                                      size_t count, struct error_record *error);
void sealed_maps_unpin(struct sealed_maps *maps, struct sealed_map *const *pinned, size_t count);
/* The store is another one now: what is mapped is not asked for any more. */
void sealed_maps_forget(struct sealed_maps *maps);
/* How many are mapped: for tests. */
size_t sealed_maps_count(struct sealed_maps *maps);

#endif
