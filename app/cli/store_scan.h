/*
 * store_scan.h - the files of a store, read without its lock and without opening it: for `hearth
 * verify` and `hearth stat`, which must not change what they look at.
 *
 * A pool may go on writing: what was sealed when the manifest was read, and what stood in the live
 * files behind that, is looked at; what comes later is not.
 */
#ifndef HEARTH_CLI_STORE_SCAN_H
#define HEARTH_CLI_STORE_SCAN_H

#include "handlers/sensor/disk/store_id.h"
#include "handlers/sensor/live/live_directory.h"
#include "handlers/sensor/sealed/manifest.h"
#include "handlers/sensor/snapshot/snapshot.h"

/* A live file that is not sealed and cannot be read. */
struct unreadable_live {
    struct live_name name;
    char detail[160];
};

struct store_scan {
    const char *store; /* must outlive it */
    unsigned char id[STORE_ID_BYTES];
    struct manifest_row *rows; /* by (day, sequence): the suspect ones come first */
    size_t count, suspects;    /* of the rows, those of suspect files */
    size_t capacity;
    struct manifest_position position; /* how far the manifest was read */
    uint64_t left_bytes;               /* behind it: no complete set of parts */
    struct manifest_row last;          /* the last one; sequence 0 = there is none */
    uint64_t highest;                  /* sequence of the rows */
    uint64_t sealed_records, sealed_bytes;

    struct record *live; /* the good ones of the live files, ascending, each once */
    size_t live_count;
    uint64_t live_files, live_bytes, live_slots;
    struct unreadable_live *unreadable; /* of which nothing is in `live` */
    size_t unreadable_count;
};

/* A slot of a live file that is no record; `reason` TORN_TAIL: fewer than 12 bytes at the end of a
 * finished file. */
typedef void scan_bad_slot_fn(void *context, const char *name, uint64_t sequence, uint64_t slot,
                              const char *reason, struct view bytes);

/* Reads the manifest. After an error (CORRUPT above all) the rows before it are there. Errors:
 * those of manifest_read; CORRUPT or NOT_FOUND for store.id. */
HEARTH_MUST_CHECK enum hearth_error store_scan_manifest(struct store_scan *scan, const char *store,
                                                        struct error_record *error);
/* Do the rows name the live file of that number? */
bool store_scan_is_sealed(const struct store_scan *scan, uint64_t sequence);
/* Reads the live files that are not sealed; one that cannot be read is noted. `bad_slot` may be
 * NULL. Errors: IO and the like (of the directory), NO_MEMORY. */
HEARTH_MUST_CHECK enum hearth_error store_scan_live(struct store_scan *scan,
                                                    scan_bad_slot_fn *bad_slot, void *context,
                                                    struct error_record *error);
void store_scan_clean(struct store_scan *scan);

/* A sealed file, mapped. */
struct scan_map {
    const struct record *records; /* NULL = empty */
    size_t bytes;                 /* as they are, not as the manifest says */
    struct mapped_range *range;   /* what cannot be read of it is zeros */
};
/* Errors: NOT_FOUND, IO and the like. */
HEARTH_MUST_CHECK enum hearth_error scan_map_open(struct scan_map *map, const char *store,
                                                  const struct sealed_file *file,
                                                  struct error_record *error);
/* Can all of it be read? Reads a byte of each page. */
bool scan_map_readable(const struct scan_map *map);
void scan_map_close(struct scan_map *map);

/* The live records of a day: where they begin in scan->live, and how many. */
size_t store_scan_live_day(const struct store_scan *scan, int32_t day, size_t *count);
/* The first day after `day` with sealed or live readings; INT32_MAX = none. Begin with INT32_MIN.
 * Suspect files do not count. */
int32_t store_scan_next_day(const struct store_scan *scan, int32_t day);
/* The rows of a day: where they begin, and how many. */
size_t store_scan_rows(const struct store_scan *scan, int32_t day, size_t *count);

static inline int32_t scan_day_of(const struct record *record)
{
    return (int32_t)(record_time_ms(record) / 86400000);
}

#endif
