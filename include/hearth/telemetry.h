/*
 * telemetry.h - logs, metrics, trace context.
 *
 * Logs: one JSON object a line (or `text` for people), written with a single write(2), so lines of
 * several processes and threads never mix. Query values, bodies and credentials are never logged.
 *
 * Metrics: a registry in memory the caller hands over. Given shared memory, all processes of a pool
 * count into the same cells, and a worker that dies takes nothing with it.
 *
 * Trace context: W3C Trace Context level 1 (`traceparent`). A request that came with a valid one is
 * answered with `traceresponse`, as drafted for level 2: the same format, with our span as the id,
 * so that the caller can find it. Each request's line in the log has `trace_id` and `span_id`.
 */
#ifndef HEARTH_TELEMETRY_H
#define HEARTH_TELEMETRY_H

#include "hearth/base.h"
#include "hearth/clock.h"

/* ---- Log ----------------------------------------------------------------------------------- */

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR, LOG_LEVEL_OFF };
enum log_format { LOG_FORMAT_JSON, LOG_FORMAT_TEXT };

enum log_field_type { LOG_FIELD_TEXT, LOG_FIELD_INTEGER, LOG_FIELD_NUMBER, LOG_FIELD_BOOLEAN };

struct log_field {
    const char *key; /* snake_case; a literal */
    enum log_field_type type;
    struct view text;
    int64_t integer;
    double number;
};

#define LOG_TEXT(k, s) ((struct log_field){.key = (k), .type = LOG_FIELD_TEXT, .text = view_of(s)})
#define LOG_VIEW(k, v) ((struct log_field){.key = (k), .type = LOG_FIELD_TEXT, .text = (v)})
#define LOG_INTEGER(k, i)                                                                          \
    ((struct log_field){.key = (k), .type = LOG_FIELD_INTEGER, .integer = (i)})
#define LOG_NUMBER(k, d) ((struct log_field){.key = (k), .type = LOG_FIELD_NUMBER, .number = (d)})
#define LOG_BOOLEAN(k, b)                                                                          \
    ((struct log_field){.key = (k), .type = LOG_FIELD_BOOLEAN, .integer = (b)})

struct log_options {
    enum log_level level;
    enum log_format format;
    const char *file;          /* path, copied; NULL or "" = standard error */
    const struct clock *clock; /* must outlive the log; NULL = the system's */
};

/* The process has one log. Before the first call: level INFO, JSON, standard error. Call it before
 * threads start. Errors, after which the log is as it was: HEARTH_IO (the file cannot be opened;
 * errno says why), HEARTH_NO_MEMORY. */
HEARTH_MUST_CHECK enum hearth_error log_configure(const struct log_options *options);
/* Opens the file again (after a rotation). On failure the old file stays and an error is logged.
 * Any thread. */
void log_reopen(void);
bool log_enabled(enum log_level level);
/* Any thread. `event` is snake_case and a literal. A line has at most 8 KB: in a longer one the
 * long texts are shortened until it fits, so that the fields behind them stay, and it ends in
 * `"cut":true`. A write that fails is dropped. Fields with the value of an empty view are left out;
 * a number that is not finite is null. errno is kept. */
void log_write(enum log_level level, const char *event, const struct log_field *fields,
               size_t count);

#define LOG_AT(level, event, ...)                                                                  \
    do {                                                                                           \
        if (log_enabled(level)) {                                                                  \
            const struct log_field log_fields_[] = {__VA_ARGS__};                                  \
            log_write((level), (event), log_fields_, sizeof log_fields_ / sizeof log_fields_[0]);  \
        }                                                                                          \
    } while (0)
/* Each takes an event name and at least one field. */
#define LOG_DEBUG(event, ...) LOG_AT(LOG_LEVEL_DEBUG, event, __VA_ARGS__)
#define LOG_INFO(event, ...)  LOG_AT(LOG_LEVEL_INFO, event, __VA_ARGS__)
#define LOG_WARN(event, ...)  LOG_AT(LOG_LEVEL_WARN, event, __VA_ARGS__)
#define LOG_ERROR(event, ...) LOG_AT(LOG_LEVEL_ERROR, event, __VA_ARGS__)

/* ---- Metrics ------------------------------------------------------------------------------- */

struct metrics; /* the registry: lives in the memory given to metrics_create */
struct metric;  /* one series: a name with its labels */

/* Bytes that a registry of `max_series` series needs. A histogram takes as many series as it has
 * buckets and two more. */
size_t metrics_size(size_t max_series);
/* Makes a registry in `memory` (16-byte aligned, `metrics_size(max_series)` bytes, zeroed; it must
 * outlive every use). Memory shared between processes is what it is made for: map it MAP_SHARED
 * before forking, and a `struct metric *` is good in the process that asked for it and in all that
 * it forks. NULL when `memory` is NULL, `max_series` is above 2^20 or there is no lock to be had.
 */
struct metrics *metrics_create(void *memory, size_t max_series);

/* Find or make a series. `name` as Prometheus wants it (`hearth_requests_total`), `labels` the text
 * between the braces, values escaped (`route="/data",method="PUT"`; see metrics_label), "" = none.
 * The same name and labels give the same series from every process, also after a restart of one,
 * and keep its value. NULL when the registry is full, a limit of name (64), help (120) or labels
 * (160 bytes) is passed, one of them is malformed, or the name has another type or other bounds
 * already: each is counted in hearth_metrics_refused_total, and every function below ignores NULL.
 * Not for a hot path: look a series up once, keep the pointer. Any thread, any process; a process
 * may die in it. */
struct metric *metrics_counter(struct metrics *metrics, const char *name, const char *help,
                               const char *labels);
struct metric *metrics_gauge(struct metrics *metrics, const char *name, const char *help,
                             const char *labels);
/* `bounds`: ascending upper bounds, at most 16, the same for every series of the name. */
struct metric *metrics_histogram(struct metrics *metrics, const char *name, const char *help,
                                 const char *labels, const double *bounds, size_t bound_count);

/* Lock-free, any thread, any process, NULL ignored. */
void metric_add(struct metric *metric, uint64_t amount);   /* counter */
void metric_change(struct metric *metric, int64_t amount); /* gauge, up or down */
void metric_set(struct metric *metric, int64_t value);     /* gauge */
void metric_observe(struct metric *metric, double value);  /* histogram; finite, else ignored */
int64_t metric_value(const struct metric *metric);         /* counter, gauge; histogram: count */

/* Appends `key="value"` with the value escaped, and a comma before it unless `labels` is empty.
 * False when it does not fit; `labels` is then as it was. */
bool metrics_label(char *labels, size_t size, const char *key, struct view value);

/* Prometheus text exposition format 0.0.4: families in order of registration, HELP and TYPE each
 * once. Errors: the buffer's. */
HEARTH_MUST_CHECK enum hearth_error metrics_render(const struct metrics *metrics,
                                                   struct buffer *out);

/* ---- Trace context --------------------------------------------------------------------------- */

struct trace_context {
    char trace_id[33];  /* 32 hex digits, never all zero */
    char parent_id[17]; /* the caller's span; "" when the trace starts here */
    char span_id[17];   /* ours */
    bool sampled;
};

enum { TRACE_HEADER_SIZE = sizeof "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" };

/* Goes on with a caller's `traceparent`, or starts a trace when it is empty or malformed (then
 * false; sampled, since every request is logged). Ids come from getrandom-seeded state, one per
 * thread, seeded anew in a forked child. */
bool trace_begin(struct trace_context *trace, struct view traceparent);
/* The header to send on, with our span as the parent; and the value of the answer's traceresponse,
 * with our span as the one that answered. */
void trace_format(const struct trace_context *trace, char text[TRACE_HEADER_SIZE]);
/* 16 hex digits, unique enough for a request id. */
void trace_random_id(char text[17]);

#endif
