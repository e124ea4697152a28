/*
 * sealed_index.h - have we got this reading in a sealed file? The keeper's list of them.
 *
 * A reading can stand only in the files of its UTC day and among the suspects, so a question opens
 * those and no others. Files are read with pread, a block at a time, and the blocks used last are
 * kept: a file on a failing disk is an error of that one question. Each file remembers where the
 * last question led, and the next one starts from there: a sorted resend takes a few comparisons a
 * reading.
 *
 * One thread at a time.
 */
#ifndef HEARTH_SENSOR_SEALED_INDEX_H
#define HEARTH_SENSOR_SEALED_INDEX_H

#include "handlers/sensor/disk/file_operations.h"
#include "handlers/sensor/sealed/sealed_file.h"
#include "hearth/reading_store.h"

struct sealed_block;
struct sealed_grid;

struct sealed_entry {
    struct sealed_file file;
    uint32_t at;              /* where in its block the last question led */
    struct sealed_grid *grid; /* its blocks; NULL = nothing was asked yet */
    bool has_span;
    int64_t first_ms, last_ms; /* of a suspect file, once it was looked at */
    enum hearth_error failed;  /* HEARTH_OK, or why it could not be read, while that is held */
};

struct sealed_index {
    struct file_operations *files;
    const char *store;            /* must outlive it */
    struct sealed_entry *entries; /* by day and sequence; the suspects come first */
    size_t count, capacity, suspects;
    uint64_t readings;
    /* The day asked for last, and its entries. */
    int64_t day;
    size_t day_first, day_end;
    /* No suspect reading has a time between these. */
    int64_t quiet_from_ms, quiet_to_ms;
    /* The blocks that are kept. */
    struct sealed_block **blocks;
    size_t block_count, block_capacity, block_records;
    uint64_t uses;
    bool holds_failures;
};

void sealed_index_init(struct sealed_index *index, struct file_operations *files,
                       const char *store);
void sealed_index_clean(struct sealed_index *index);
/* Room for `count` more files. Errors: NO_MEMORY. */
HEARTH_MUST_CHECK enum hearth_error sealed_index_reserve(struct sealed_index *index, size_t count);
/* There must be room. Settle when all are added, and before anything is asked. */
void sealed_index_add(struct sealed_index *index, const struct sealed_file *file);
void sealed_index_settle(struct sealed_index *index);
/* Is there a file of the live file of that number? Looks at all of them. */
bool sealed_index_has(const struct sealed_index *index, uint64_t sequence);
/* Is that very file there, by day and sequence? */
bool sealed_index_lists(const struct sealed_index *index, const struct sealed_file *file);
/* With `hold`, a file that cannot be read is asked once: from then on its error comes at once,
 * until this is called again. A failing disk takes seconds to say so, and there may be a hundred
 * thousand questions. */
void sealed_index_hold_failures(struct sealed_index *index, bool hold);
/* A file that cannot be read does not hide what another one says: an error means that the reading
 * may stand there, and stands in no other. Errors: CORRUPT (a file is missing or has another size),
 * IO, NO_MEMORY. */
HEARTH_MUST_CHECK enum hearth_error sealed_index_find(struct sealed_index *index,
                                                      const struct record *record, bool *known,
                                                      struct error_record *error);
/* The newest time, without suspects; -1 = there is none. Errors: as above. */
HEARTH_MUST_CHECK enum hearth_error
sealed_index_newest(struct sealed_index *index, int64_t *newest_ms, struct error_record *error);

#endif
