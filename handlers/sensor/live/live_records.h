/*
 * live_records.h - the live files that are there, and which readings stand in them.
 *
 * Each file is a run with a table of identities of its own, whose numbers are the file's slots:
 * when a file is sealed, its run is dropped, and nothing else changes. One thread at a time.
 */
#ifndef HEARTH_SENSOR_LIVE_RECORDS_H
#define HEARTH_SENSOR_LIVE_RECORDS_H

#include "handlers/sensor/live/identity.h"
#include "handlers/sensor/live/live_directory.h"

struct live_records;

struct live_run {
    struct live_records *records; /* it is one of */
    struct live_name name;
    uint32_t slots;
    uint64_t twice; /* good slots whose reading stood somewhere before */
    struct identity identity;
};

struct live_records {
    struct file_operations *files;
    const char *store;      /* must outlive it */
    struct live_run **runs; /* ascending by number */
    size_t count, capacity;
    uint64_t slots; /* of all */
    /* The last block read, and the file it came from. */
    int file;
    const struct live_run *file_run;
    struct record *block;
    const struct live_run *block_run;
    uint32_t block_first, block_count;
};

void live_records_init(struct live_records *records, struct file_operations *files,
                       const char *store);
void live_records_clean(struct live_records *records);
/* A file behind the others. Errors: NO_MEMORY, UNAVAILABLE (over four billion slots). */
HEARTH_MUST_CHECK enum hearth_error live_records_add(struct live_records *records,
                                                     const struct live_name *name, uint64_t slots,
                                                     struct error_record *error);
/* The file with the highest number; NULL = there is none. */
struct live_run *live_records_last(const struct live_records *records);
/* The last file has so many slots now. */
void live_records_resize_last(struct live_records *records, uint32_t slots);
/* The last file was set aside; was removed; the one of that number was sealed. */
void live_records_rename_last(struct live_records *records, const struct live_name *name);
void live_records_drop_last(struct live_records *records);
void live_records_drop(struct live_records *records, uint64_t sequence);
/* Does the reading stand in any of them? */
HEARTH_MUST_CHECK enum identity_answer live_records_find(const struct live_records *records,
                                                         const struct record *record);
/* Good readings, each counted once. */
uint64_t live_records_readings(const struct live_records *records);
uint64_t live_records_twice(const struct live_records *records);

#endif
