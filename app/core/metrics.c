/*
 * metrics.c - making series, and counting in them.
 *
 * metrics_registry.h says how a registry lies in memory and who guards what. A series is looked for
 * without the lock first: records never move and never change, so what lies before `used` can be
 * read while somebody adds behind it.
 */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "app/core/metrics_registry.h"

enum { MOST_SERIES = 1u << 20 }; /* distances are 32 bits */

static size_t whole_lines(size_t bytes)
{
    return (bytes + METRICS_LINE_BYTES - 1) / METRICS_LINE_BYTES;
}

static size_t family_lines(size_t bound_count, size_t name_length, size_t help_length)
{
    return whole_lines(sizeof(struct family) + bound_count * sizeof(double) + name_length +
                       help_length + 2);
}

static size_t series_lines(size_t cell_count, size_t labels_length)
{
    return whole_lines(sizeof(struct metric) + cell_count * sizeof(uint64_t) + labels_length + 1);
}

/* ---- The registry ---- */

/* Room for as many series, each the only one of its family, all texts as long as they may be. What
 * a histogram needs beyond that is less than what its further series have. */
size_t metrics_size(size_t max_series)
{
    if (max_series > MOST_SERIES)
        return SIZE_MAX;
    size_t lines =
        family_lines(0, METRICS_MAX_NAME, METRICS_MAX_HELP) + series_lines(1, METRICS_MAX_LABELS);
    /* One more for the counter of refusals; one line to align the first record. */
    return (whole_lines(sizeof(struct metrics)) + 1 + lines * (max_series + 1)) *
           METRICS_LINE_BYTES;
}

static bool lock_init(pthread_mutex_t *lock)
{
    pthread_mutexattr_t attributes;
    if (pthread_mutexattr_init(&attributes) != 0)
        return false;
    bool made = pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED) == 0 &&
                pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST) == 0 &&
                pthread_mutex_init(lock, &attributes) == 0;
    pthread_mutexattr_destroy(&attributes);
    return made;
}

struct metrics *metrics_create(void *memory, size_t max_series)
{
    struct metrics *metrics = memory;
    if (!metrics || max_series > MOST_SERIES || !lock_init(&metrics->lock))
        return NULL;
    size_t first = whole_lines(sizeof *metrics) * METRICS_LINE_BYTES;
    size_t past_line = ((uintptr_t)memory + first) % METRICS_LINE_BYTES;
    if (past_line > 0)
        first += METRICS_LINE_BYTES - past_line;
    metrics->first_bytes = (uint32_t)first;
    metrics->capacity_bytes = (uint32_t)metrics_size(max_series);
    metrics->max_series = (uint32_t)max_series + 1;
    atomic_init(&metrics->used_bytes, metrics->first_bytes);
    struct metric *refused = metrics_counter(
        metrics, "hearth_metrics_refused_total",
        "Series refused: no room, a bad name or label, or a type that differs.", "");
    if (!refused)
        return NULL;
    metrics->refused_bytes = (uint32_t)((char *)refused - (char *)metrics);
    return metrics;
}

static struct metric *refuse(struct metrics *metrics)
{
    if (metrics->refused_bytes > 0)
        metric_add((struct metric *)(void *)((char *)metrics + metrics->refused_bytes), 1);
    return NULL;
}

/* ---- Looking for a series ---- */

/* What a caller asks for. */
struct wanted {
    enum metric_type type;
    struct view name, help, labels;
    uint32_t name_hash, labels_hash;
    const double *bounds;
    size_t bound_count;
};

/* FNV-1a. */
static uint32_t text_hash(struct view text)
{
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < text.length; i++)
        hash = (hash ^ (unsigned char)text.data[i]) * 16777619u;
    return hash;
}

static bool bounds_valid(const double *bounds, size_t count)
{
    if (count > METRICS_MAX_BOUNDS || (count > 0 && !bounds))
        return false;
    for (size_t i = 0; i < count; i++)
        if (!isfinite(bounds[i]) || (i > 0 && bounds[i] <= bounds[i - 1]))
            return false;
    return true;
}

static bool wanted_valid(const struct wanted *wanted)
{
    return wanted->name.length <= METRICS_MAX_NAME && wanted->help.length <= METRICS_MAX_HELP &&
           wanted->labels.length <= METRICS_MAX_LABELS && metrics_name_valid(wanted->name) &&
           metrics_labels_valid(wanted->labels, wanted->type == METRIC_HISTOGRAM ? "le" : NULL) &&
           bounds_valid(wanted->bounds, wanted->bound_count);
}

struct found {
    struct family *family;
    struct metric *series;
    size_t series_count; /* of all records passed; all there are, unless the series was found */
};

static bool is_family(const struct record *record, const struct wanted *wanted)
{
    return record->kind == RECORD_FAMILY && record->hash == wanted->name_hash &&
           view_equal(family_name((const struct family *)(const void *)record), wanted->name);
}

static bool is_series(const struct record *record, const struct family *family,
                      const struct wanted *wanted)
{
    const struct metric *series = (const struct metric *)(const void *)record;
    return record->kind == RECORD_SERIES && record->hash == wanted->labels_hash &&
           metric_family(series) == family && view_equal(metric_labels(series), wanted->labels);
}

/* A histogram counts as its buckets (with that of +Inf), its sum and its count. */
static size_t series_weight(enum metric_type type, size_t bound_count)
{
    return type == METRIC_HISTOGRAM ? bound_count + 3 : 1;
}

static struct found find(struct metrics *metrics, const struct wanted *wanted)
{
    struct found found = {NULL, NULL, 0};
    uint32_t offset = metrics->first_bytes;
    uint32_t end = atomic_load_explicit(&metrics->used_bytes, memory_order_acquire);
    while (offset < end && !found.series) {
        void *place = (char *)metrics + offset;
        const struct record *record = place;
        if (is_family(record, wanted))
            found.family = place;
        else if (found.family && is_series(record, found.family, wanted))
            found.series = place;
        if (record->kind == RECORD_SERIES)
            found.series_count += series_weight(record->type, record->bound_count);
        offset += record_bytes(record);
    }
    return found;
}

/* One name has one type and one set of bounds. */
static bool family_fits(const struct family *family, const struct wanted *wanted)
{
    if (family->record.type != wanted->type || family->record.bound_count != wanted->bound_count)
        return false;
    for (size_t i = 0; i < wanted->bound_count; i++)
        if (family->bounds[i] != wanted->bounds[i])
            return false;
    return true;
}

/* ---- Adding records, under the lock ---- */

/* The place of the next record, or NULL when there is no room. */
static void *record_place(struct metrics *metrics, size_t lines)
{
    uint32_t used = atomic_load_explicit(&metrics->used_bytes, memory_order_relaxed);
    if (lines * METRICS_LINE_BYTES > metrics->capacity_bytes - used)
        return NULL;
    return (char *)metrics + used;
}

/* Makes the record at the place part of the registry. */
static void record_publish(struct metrics *metrics, const struct record *record)
{
    atomic_fetch_add_explicit(&metrics->used_bytes, record_bytes(record), memory_order_release);
}

static char *put_terminated(char *to, struct view text)
{
    if (text.length > 0)
        memcpy(to, text.data, text.length);
    to[text.length] = '\0';
    return to + text.length + 1;
}

static struct family *family_add(struct metrics *metrics, const struct wanted *wanted)
{
    size_t lines = family_lines(wanted->bound_count, wanted->name.length, wanted->help.length);
    struct family *family = record_place(metrics, lines);
    if (!family)
        return NULL;
    family->record = (struct record){.hash = wanted->name_hash,
                                     .lines = (uint16_t)lines,
                                     .kind = RECORD_FAMILY,
                                     .type = (uint8_t)wanted->type,
                                     .bound_count = (uint8_t)wanted->bound_count,
                                     .text_length = (uint8_t)wanted->name.length,
                                     .help_length = (uint8_t)wanted->help.length};
    for (size_t i = 0; i < wanted->bound_count; i++)
        family->bounds[i] = wanted->bounds[i];
    char *text = (char *)(family->bounds + wanted->bound_count);
    put_terminated(put_terminated(text, wanted->name), wanted->help);
    record_publish(metrics, &family->record);
    return family;
}

static struct metric *series_add(struct metrics *metrics, const struct family *family,
                                 const struct wanted *wanted)
{
    size_t cell_count = metric_cell_count(&family->record);
    size_t lines = series_lines(cell_count, wanted->labels.length);
    struct metric *metric = record_place(metrics, lines);
    if (!metric)
        return NULL;
    metric->record =
        (struct record){.hash = wanted->labels_hash,
                        .back_bytes = (uint32_t)((const char *)metric - (const char *)family),
                        .lines = (uint16_t)lines,
                        .kind = RECORD_SERIES,
                        .type = (uint8_t)wanted->type,
                        .bound_count = (uint8_t)wanted->bound_count,
                        .text_length = (uint8_t)wanted->labels.length};
    for (size_t i = 0; i < cell_count; i++)
        atomic_init(&metric->cells[i], 0);
    put_terminated((char *)(metric->cells + cell_count), wanted->labels);
    record_publish(metrics, &metric->record);
    return metric;
}

/* True with the lock held. A holder that died left nothing half done: see metrics_registry.h. */
static bool lock(struct metrics *metrics)
{
    int result = pthread_mutex_lock(&metrics->lock);
    if (result == EOWNERDEAD)
        result = pthread_mutex_consistent(&metrics->lock);
    return result == 0;
}

static struct metric *find_or_add(struct metrics *metrics, const struct wanted *wanted)
{
    struct found found = find(metrics, wanted);
    if (found.family && !family_fits(found.family, wanted))
        return NULL;
    if (found.series || !lock(metrics))
        return found.series;
    /* Somebody may have added it in between, with another type even. */
    found = find(metrics, wanted);
    size_t weight = series_weight(wanted->type, wanted->bound_count);
    if (!found.series && found.series_count + weight <= metrics->max_series) {
        if (!found.family)
            found.family = family_add(metrics, wanted);
        if (found.family && family_fits(found.family, wanted))
            found.series = series_add(metrics, found.family, wanted);
    }
    pthread_mutex_unlock(&metrics->lock);
    return found.series;
}

static struct metric *series_get(struct metrics *metrics, struct wanted wanted)
{
    if (!metrics)
        return NULL;
    if (!wanted_valid(&wanted))
        return refuse(metrics);
    wanted.name_hash = text_hash(wanted.name);
    wanted.labels_hash = text_hash(wanted.labels);
    struct metric *series = find_or_add(metrics, &wanted);
    return series ? series : refuse(metrics);
}

struct metric *metrics_counter(struct metrics *metrics, const char *name, const char *help,
                               const char *labels)
{
    return series_get(metrics, (struct wanted){.type = METRIC_COUNTER,
                                               .name = view_of(name),
                                               .help = view_of(help),
                                               .labels = view_of(labels)});
}

struct metric *metrics_gauge(struct metrics *metrics, const char *name, const char *help,
                             const char *labels)
{
    return series_get(metrics, (struct wanted){.type = METRIC_GAUGE,
                                               .name = view_of(name),
                                               .help = view_of(help),
                                               .labels = view_of(labels)});
}

struct metric *metrics_histogram(struct metrics *metrics, const char *name, const char *help,
                                 const char *labels, const double *bounds, size_t bound_count)
{
    return series_get(metrics, (struct wanted){.type = METRIC_HISTOGRAM,
                                               .name = view_of(name),
                                               .help = view_of(help),
                                               .labels = view_of(labels),
                                               .bounds = bounds,
                                               .bound_count = bound_count});
}

/* ---- Counting ---- */

/* Relaxed throughout: a reading of the metrics orders nothing. */

static void cell_add(_Atomic uint64_t *cell, uint64_t amount)
{
    atomic_fetch_add_explicit(cell, amount, memory_order_relaxed);
}

void metric_add(struct metric *metric, uint64_t amount)
{
    if (metric && metric->record.type == METRIC_COUNTER)
        cell_add(&metric->cells[0], amount);
}

void metric_change(struct metric *metric, int64_t amount)
{
    if (metric && metric->record.type == METRIC_GAUGE)
        cell_add(&metric->cells[0], (uint64_t)amount);
}

void metric_set(struct metric *metric, int64_t value)
{
    if (metric && metric->record.type == METRIC_GAUGE)
        atomic_store_explicit(&metric->cells[0], (uint64_t)value, memory_order_relaxed);
}

static double double_of(uint64_t bits)
{
    double number;
    memcpy(&number, &bits, sizeof number);
    return number;
}

static uint64_t bits_of(double number)
{
    uint64_t bits;
    memcpy(&bits, &number, sizeof bits);
    return bits;
}

static void cell_add_double(_Atomic uint64_t *cell, double amount)
{
    uint64_t old = atomic_load_explicit(cell, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(cell, &old, bits_of(double_of(old) + amount),
                                                  memory_order_relaxed, memory_order_relaxed))
        continue;
}

/* What is not finite is left out: it would spoil the sum for ever. */
void metric_observe(struct metric *metric, double value)
{
    if (!metric || metric->record.type != METRIC_HISTOGRAM || !isfinite(value))
        return;
    const struct family *family = metric_family(metric);
    size_t bucket = 0, count = metric->record.bound_count;
    while (bucket < count && value > family->bounds[bucket])
        bucket++;
    cell_add(&metric->cells[bucket], 1);
    cell_add_double(&metric->cells[count + 1], value);
}

int64_t metric_value(const struct metric *metric)
{
    if (!metric)
        return 0;
    uint64_t value = 0;
    size_t count = metric->record.type == METRIC_HISTOGRAM ? metric->record.bound_count + 1u : 1;
    for (size_t i = 0; i < count; i++)
        value += atomic_load_explicit(&metric->cells[i], memory_order_relaxed);
    return (int64_t)value;
}
