/*
 * metrics_render.c - the registry as Prometheus reads it (text exposition format 0.0.4).
 *
 * For each family, in order of registration, all records are gone through for its series: a family
 * is one piece in the output however its series were registered. Nothing is locked. A histogram's
 * buckets are read once and its count is their sum, so the two always agree; its sum may be ahead
 * or behind by what was being observed meanwhile.
 */
#include <inttypes.h>
#include <string.h>

#include "app/core/metrics_registry.h"
#include "app/core/number_text.h"

static const char *const type_names[] = {"counter", "gauge", "histogram"};

static void append_number(struct buffer *out, double number)
{
    char text[NUMBER_TEXT_SIZE];
    buffer_append(out, view_from(text, number_text(number, text)));
}

static void append_help(struct buffer *out, struct view help)
{
    for (size_t i = 0; i < help.length; i++) {
        if (help.data[i] == '\\')
            buffer_append(out, VIEW("\\\\"));
        else if (help.data[i] == '\n')
            buffer_append(out, VIEW("\\n"));
        else
            buffer_append_byte(out, help.data[i]);
    }
}

static void append_family_head(struct buffer *out, const struct family *family)
{
    struct view name = family_name(family), help = family_help(family);
    if (help.length > 0) {
        buffer_append(out, VIEW("# HELP "));
        buffer_append(out, name);
        buffer_append_byte(out, ' ');
        append_help(out, help);
        buffer_append_byte(out, '\n');
    }
    buffer_append(out, VIEW("# TYPE "));
    buffer_append(out, name);
    buffer_append_byte(out, ' ');
    buffer_append_text(out, type_names[family->record.type]);
    buffer_append_byte(out, '\n');
}

/* Name, suffix, braces where there is something to put into them, and a blank. `bound` is NULL but
 * for a bucket. */
static void append_series_name(struct buffer *out, const struct metric *series, const char *suffix,
                               const char *bound)
{
    struct view labels = metric_labels(series);
    buffer_append(out, family_name(metric_family(series)));
    buffer_append_text(out, suffix);
    if (labels.length > 0 || bound) {
        buffer_append_byte(out, '{');
        buffer_append(out, labels);
        if (bound)
            buffer_append_format(out, "%sle=\"%s\"", labels.length > 0 ? "," : "", bound);
        buffer_append_byte(out, '}');
    }
    buffer_append_byte(out, ' ');
}

static void append_count(struct buffer *out, const struct metric *series, const char *suffix,
                         const char *bound, uint64_t count)
{
    append_series_name(out, series, suffix, bound);
    buffer_append_format(out, "%" PRIu64 "\n", count);
}

static uint64_t cell_value(const struct metric *series, size_t cell)
{
    return atomic_load_explicit(&series->cells[cell], memory_order_relaxed);
}

static void append_histogram(struct buffer *out, const struct metric *series)
{
    const struct family *family = metric_family(series);
    size_t bound_count = family->record.bound_count;
    uint64_t count = 0;
    for (size_t i = 0; i < bound_count; i++) {
        char bound[NUMBER_TEXT_SIZE];
        number_text(family->bounds[i], bound);
        count += cell_value(series, i);
        append_count(out, series, "_bucket", bound, count);
    }
    count += cell_value(series, bound_count);
    append_count(out, series, "_bucket", "+Inf", count);
    uint64_t sum_bits = cell_value(series, bound_count + 1);
    double sum;
    memcpy(&sum, &sum_bits, sizeof sum);
    append_series_name(out, series, "_sum", NULL);
    append_number(out, sum);
    buffer_append_byte(out, '\n');
    append_count(out, series, "_count", NULL, count);
}

static void append_series(struct buffer *out, const struct metric *series)
{
    switch ((enum metric_type)series->record.type) {
    case METRIC_COUNTER:
        append_count(out, series, "", NULL, cell_value(series, 0));
        break;
    case METRIC_GAUGE:
        append_series_name(out, series, "", NULL);
        buffer_append_int64(out, (int64_t)cell_value(series, 0));
        buffer_append_byte(out, '\n');
        break;
    case METRIC_HISTOGRAM:
        append_histogram(out, series);
        break;
    }
}

/* A family whose first series was never made (its maker died) is left out. */
static void append_family(struct buffer *out, const struct metrics *metrics, uint32_t offset,
                          uint32_t end)
{
    const struct family *family =
        (const struct family *)(const void *)record_at(metrics, offset, end);
    const struct record *record;
    bool begun = false;
    while ((record = record_at(metrics, offset, end)) != NULL) {
        const struct metric *series = (const struct metric *)(const void *)record;
        offset += record_bytes(record);
        if (record->kind != RECORD_SERIES || metric_family(series) != family)
            continue;
        if (!begun)
            append_family_head(out, family);
        begun = true;
        append_series(out, series);
    }
}

enum hearth_error metrics_render(const struct metrics *metrics, struct buffer *out)
{
    uint32_t offset = metrics->first_bytes;
    uint32_t end = atomic_load_explicit(&metrics->used_bytes, memory_order_acquire);
    const struct record *record;
    while ((record = record_at(metrics, offset, end)) != NULL && buffer_status(out) == HEARTH_OK) {
        if (record->kind == RECORD_FAMILY)
            append_family(out, metrics, offset, end);
        offset += record_bytes(record);
    }
    return buffer_status(out);
}
