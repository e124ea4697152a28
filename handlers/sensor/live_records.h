/*
 * live_records.h - every slot of the live files under one number, and its bytes.
 *
 * Files in ascending order, slots in the order of the file: the number of a slot never changes
 * while its file is live, also when the file is set aside. What is being committed has the next
 * numbers. One thread.
 */
#ifndef HEARTH_SENSOR_LIVE_RECORDS_H
#define HEARTH_SENSOR_LIVE_RECORDS_H

#include "handlers/sensor/live_directory.h"
#include "hearth/reading_store.h"

struct live_run {
    struct live_name name;
    uint32_t first, slots;
};

struct live_records {
    struct file_operations *files;
    const char *store; /* must outlive it */
    struct live_run *runs;
    size_t count, capacity;
    uint32_t total;             /* slots */
    const struct record *batch; /* of the numbers from `total` on; the caller's */
    /* The last block read, and the file it came from. */
    int file;
    size_t file_run;
    struct record *block;
    uint32_t block_first, block_count;
};

void live_records_init(struct live_records *records, struct file_operations *files,
                       const char *store);
void live_records_clean(struct live_records *records);
/* A file behind the others. Errors: NO_MEMORY, UNAVAILABLE (over four billion slots: seal). */
HEARTH_MUST_CHECK enum hearth_error live_records_add(struct live_records *records,
                                                     const struct live_name *name, uint64_t slots,
                                                     struct error_record *error);
/* The last file has so many slots now. */
void live_records_resize_last(struct live_records *records, uint32_t slots);
/* The last file was set aside. */
/* The last file, which has no slots, is gone. */
void live_records_drop_last(struct live_records *records);
void live_records_rename_last(struct live_records *records, const struct live_name *name);
/* Fits identity_record_fn; `context` is the struct live_records. */
const struct record *live_records_at(void *context, uint32_t number);

#endif
