/*
 * support_memory_readings.h - a reading store in memory, for tests of what stands on one.
 *
 * It keeps the promises of hearth/reading_store.h with an array and a mutex, and lets a test look
 * at what was quarantined, make appends fail, and slip something in while a range is read.
 */
#ifndef TESTS_SUPPORT_MEMORY_READINGS_H
#define TESTS_SUPPORT_MEMORY_READINGS_H

#include "hearth/reading_store.h"

#include <pthread.h>

struct memory_rejected {
    enum record_reject reason;
    char source[16];
    struct view raw; /* from malloc, so that a test may let the program's memory run out */
};

struct memory_readings {
    struct reading_store store; /* pass &memory.store */
    pthread_mutex_t lock;
    struct record *records; /* ascending */
    size_t count, capacity;
    struct memory_rejected *rejected;
    size_t rejected_count;
    struct record *arrived; /* what is not sealed, in the order of arrival */
    size_t arrived_count;
    uint64_t sequence; /* of what is not sealed */
    uint64_t generation;
    unsigned char id;   /* of the store; 0 until the test says otherwise */
    int appends, reads; /* calls; reads: range, latest, series, aggregate, tail */

    enum hearth_error fail_append; /* given back instead; nothing is stored */
    enum hearth_error fail_read;   /* all that reads, and state */
    size_t fail_after_blocks;      /* 0 = never: a range breaks with IO after so many blocks */
    size_t block_records;          /* records a visit; 0 = 1,000 */
    void (*before_visit)(struct memory_readings *memory, void *context); /* a range is fixed */
    void *before_visit_context;
};

/* free() of the table leaves the memory to memory_readings_clean, so that a test can look at it
 * after its app has ended. */
void memory_readings_init(struct memory_readings *memory);
void memory_readings_clean(struct memory_readings *memory);
/* Appends one; fails the test when that fails. */
void memory_readings_add(struct memory_readings *memory, const struct reading *reading);
/* As if what there is were sealed: no cursor into it leads anywhere any more. */
void memory_readings_seal(struct memory_readings *memory);

/* The store's aggregate: each bucket and series by itself, over all readings, without any summary.
 */
enum hearth_error memory_readings_aggregate(struct reading_store *store,
                                            const struct bucket_query *query,
                                            bucket_visit_fn *visit, void *context,
                                            struct aggregate_statistics *statistics,
                                            struct error_record *error);

#endif
