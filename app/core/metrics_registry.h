/*
 * metrics_registry.h - how a metrics registry lies in memory. For metrics*.c and their tests.
 *
 *     +----------------+--------+--------+--------+-------- - -
 *     | struct metrics | record | record | record |  untouched
 *     +----------------+--------+--------+--------+-------- - -
 *                      ^ first                    ^ used
 *
 * Records stand one behind the other, each on a cache line of its own, and are only ever added. A
 * family record (name, help, type, bounds) comes before the series records (labels, cells) that
 * belong to it. There are no pointers, only distances, so the memory may lie at another address in
 * another process; a `struct metric *` is good in the process that asked for it, and in children
 * that it forks.
 *
 * Who guards what: records are added under `lock`, a robust mutex shared between processes. A new
 * record is written behind `used` and becomes part of the registry by the one store that moves
 * `used`: whoever dies before that store leaves nothing, and the next holder of the lock writes
 * over it. Readers load `used` and never lock. Cells are atomics that everybody changes.
 */
#ifndef HEARTH_CORE_METRICS_REGISTRY_H
#define HEARTH_CORE_METRICS_REGISTRY_H

#include <pthread.h>
#include <stdatomic.h>

#include "hearth/telemetry.h"

enum {
    METRICS_MAX_NAME = 64,
    METRICS_MAX_HELP = 120,
    METRICS_MAX_LABELS = 160,
    METRICS_MAX_BOUNDS = 16,
    METRICS_LINE_BYTES = 64, /* a cache line */
};

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };
enum record_kind { RECORD_FAMILY, RECORD_SERIES };

struct record {
    uint32_t hash;       /* a family's: of its name; a series': of its labels */
    uint32_t back_bytes; /* a series': how far before it its family lies; a family's: 0 */
    uint16_t lines;      /* size in cache lines */
    uint8_t kind, type;  /* enum record_kind, enum metric_type */
    uint8_t bound_count; /* of a histogram */
    uint8_t text_length; /* a family's: of its name; a series': of its labels */
    uint8_t help_length; /* a family's */
};

struct family {
    struct record record;
    double bounds[]; /* behind them: name, NUL, help, NUL */
};

struct metric {
    struct record record;
    /* A counter's or a gauge's value; or a histogram's counts, one a bound and one for what lies
     * above them all, and the sum as the bits of a double. Behind them: labels, NUL. */
    _Atomic uint64_t cells[];
};

struct metrics {
    pthread_mutex_t lock;
    uint32_t first_bytes;    /* the first record, from the start of this */
    uint32_t capacity_bytes; /* likewise the end */
    uint32_t max_series;
    uint32_t refused_bytes;      /* the counter of refusals */
    _Atomic uint32_t used_bytes; /* where the next record will stand */
};

_Static_assert(sizeof(struct record) == 16, "the first 16 bytes of each record");
_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "cells are changed from several processes");

/* The record at `offset`, or NULL when `offset` has reached `end`. */
static inline const struct record *record_at(const struct metrics *metrics, uint32_t offset,
                                             uint32_t end)
{
    return offset < end ? (const struct record *)(const void *)((const char *)metrics + offset)
                        : NULL;
}

static inline uint32_t record_bytes(const struct record *record)
{
    return (uint32_t)record->lines * METRICS_LINE_BYTES;
}

static inline const struct family *metric_family(const struct metric *metric)
{
    return (const struct family *)(const void *)((const char *)metric - metric->record.back_bytes);
}

static inline struct view family_name(const struct family *family)
{
    return view_from((const char *)(family->bounds + family->record.bound_count),
                     family->record.text_length);
}

static inline struct view family_help(const struct family *family)
{
    struct view name = family_name(family);
    return view_from(name.data + name.length + 1, family->record.help_length);
}

static inline size_t metric_cell_count(const struct record *record)
{
    return record->type == METRIC_HISTOGRAM ? (size_t)record->bound_count + 2 : 1;
}

static inline struct view metric_labels(const struct metric *metric)
{
    return view_from((const char *)(metric->cells + metric_cell_count(&metric->record)),
                     metric->record.text_length);
}

/* metrics_text.c: the grammar of the exposition format. */
bool metrics_name_valid(struct view name);
/* `labels` as metrics_label makes them; `reserved` is a key they must not have (NULL = none). */
bool metrics_labels_valid(struct view labels, const char *reserved);

#endif
