/*
 * sealer.c - turns finished live files into sealed files, the oldest first.
 *
 * A file that cannot be read is passed over (passed_over.h): it stays as it is, the later ones are
 * sealed, and it is tried again every minute. What the keeper knows of its readings it knows from
 * its own tables, so that nothing of it is taken twice meanwhile.
 *
 * The sealer has a list of the sealed files of its own (sealed_index.h), beside the store's, so
 * that it asks for doubled readings without holding up commits. A file without anything new in it
 * (empty, nothing but bad slots or doubled readings) gets no rows and is only removed.
 */
#include "handlers/sensor/sealed/sealer.h"

#include "handlers/sensor/disk/live_memory.h"

#include "handlers/sensor/live/live_metrics.h"
#include "handlers/sensor/live/live_sealing.h"
#include "handlers/sensor/sealed/passed_over.h"
#include "handlers/sensor/sealed/sealing.h"

#include <inttypes.h>
#include <pthread.h>

enum { RETRY_MS = 60000, NO_YEAR = INT32_MIN, DAY_MS = 86400000 };

struct sealer_metrics {
    struct metrics *metrics;
    struct metric *files, *readings, *seconds, *summary_errors, *unreadable, *unasked;
};

struct sealer {
    struct live_store *store;
    const struct clock *clock;
    sealer_summary_fn *summarize;
    void *context;
    struct sealer_metrics metrics;
    _Atomic bool ends;
    _Atomic int64_t retry_ns;  /* not due before; 0 = at once */
    _Atomic uint64_t behind;   /* summaries may be missing from this live file on; 0 = none are */
    _Atomic int64_t behind_ns; /* and are not tried again before */
    pthread_mutex_t lock;      /* held while it runs; guards the rest */
    struct sealed_index sealed;
    struct passed_over passed;
    enum hearth_error failing, summary_failing; /* for the log */
};

/* ---- Life ---- */

static void make_metrics(struct sealer_metrics *made, struct metrics *metrics)
{
    static const double seconds[] = {0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10};
    *made = (struct sealer_metrics){.metrics = metrics};
    if (!metrics)
        return;
    made->files =
        metrics_counter(metrics, "hearth_sensor_sealed_files_total", "Sealed files written.", "");
    made->readings = metrics_counter(metrics, "hearth_sensor_sealed_readings_total",
                                     "Readings moved from live files to sealed ones.", "");
    made->seconds = metrics_histogram(metrics, "hearth_sensor_seal_seconds",
                                      "Time the sealing of a live file took.", "", seconds,
                                      sizeof seconds / sizeof seconds[0]);
    made->summary_errors = metrics_counter(metrics, "hearth_sensor_summing_errors_total",
                                           "Years whose summaries could not be written.", "");
    made->unasked = live_metrics_unasked(metrics);
    made->unreadable = metrics_gauge(
        metrics, "hearth_sensor_unreadable_live_files",
        "Finished live files that could not be read when they were to be sealed.", "");
}

struct sealer *sealer_new(struct live_store *store, sealer_summary_fn *summarize, void *context,
                          struct error_record *error)
{
    const struct live_store_options *options = live_store_options(store);
    struct sealer *sealer = memory_new_zero(1, sizeof *sealer);
    if (!sealer) {
        error_set_internal(error, HEARTH_NO_MEMORY, 0, "no memory for the sealer");
        return NULL;
    }
    sealer->store = store;
    sealer->clock = options->clock;
    sealer->behind = live_store_interrupted(store);
    sealer->summarize = summarize;
    sealer->context = context;
    make_metrics(&sealer->metrics, options->metrics);
    sealed_index_init(&sealer->sealed, live_store_files(store), options->directory);
    if (live_store_copy_sealed(store, &sealer->sealed, error) != HEARTH_OK) {
        sealed_index_clean(&sealer->sealed);
        memory_free(sealer);
        return NULL;
    }
    pthread_mutex_init(&sealer->lock, NULL);
    return sealer;
}

void sealer_free(struct sealer *sealer)
{
    if (!sealer)
        return;
    sealed_index_clean(&sealer->sealed);
    passed_over_clean(&sealer->passed);
    pthread_mutex_destroy(&sealer->lock);
    memory_free(sealer);
}

void sealer_end(struct sealer *sealer)
{
    atomic_store(&sealer->ends, true);
}

static int64_t retry_after_ns(const struct sealer *sealer)
{
    return clock_monotonic_ns(sealer->clock) + (int64_t)RETRY_MS * 1000000;
}

/* ---- Summaries ---- */

static bool summarize_year(struct sealer *sealer, int32_t year)
{
    struct error_record error = {0};
    enum hearth_error code = sealer->summarize(sealer->context, year, &error);
    if (code != HEARTH_OK)
        metric_add(sealer->metrics.summary_errors, 1);
    if (code != HEARTH_OK && code != sealer->summary_failing)
        LOG_WARN("sensor_summary_failed", LOG_INTEGER("year", year),
                 LOG_TEXT("reason", error_name(code)), LOG_TEXT("detail", error.detail));
    sealer->summary_failing = code;
    return code == HEARTH_OK;
}

/* A year that could not be summed is tried again after a minute. */
static void fall_behind(struct sealer *sealer, uint64_t sequence)
{
    uint64_t behind = atomic_load(&sealer->behind);
    atomic_store(&sealer->behind_ns, retry_after_ns(sealer));
    if (behind == 0 || sequence < behind)
        atomic_store(&sealer->behind, sequence);
}

static int32_t year_of(const struct sealed_file *file)
{
    struct civil_time date;
    if (file->day == SEALED_SUSPECT_DAY)
        return NO_YEAR;
    civil_from_ms((int64_t)file->day * DAY_MS, &date);
    return date.year;
}

/* The parts ascend by day. */
static void summarize(struct sealer *sealer, const struct sealing *sealing)
{
    int32_t done = NO_YEAR;
    for (size_t i = 0; sealer->summarize && i < sealing->part_count; i++) {
        int32_t year = year_of(&sealing->parts[i].file);
        if (year != NO_YEAR && year != done && !summarize_year(sealer, year))
            fall_behind(sealer, sealing->parts[i].file.sequence);
        if (year != NO_YEAR)
            done = year;
    }
}

static bool is_behind(const struct sealer *sealer)
{
    return atomic_load(&sealer->behind) > 0 &&
           clock_monotonic_ns(sealer->clock) >= atomic_load(&sealer->behind_ns);
}

/* What a predecessor did not come to, or failed of late. */
static void catch_up(struct sealer *sealer, bool all)
{
    int32_t done = NO_YEAR;
    uint64_t from = all || is_behind(sealer) ? atomic_exchange(&sealer->behind, 0) : 0;
    for (size_t i = 0; sealer->summarize && from > 0 && i < sealer->sealed.count; i++) {
        const struct sealed_file *file = &sealer->sealed.entries[i].file;
        int32_t year = file->sequence >= from ? year_of(file) : NO_YEAR;
        if (year != NO_YEAR && year != done && !summarize_year(sealer, year))
            fall_behind(sealer, from);
        if (year != NO_YEAR)
            done = year;
    }
}

/* ---- One file ---- */

static enum hearth_error append_rows(struct sealer *sealer, const struct sealing *sealing,
                                     uint64_t slots, struct error_record *error)
{
    struct civil_time now;
    civil_from_ms(clock_wall_ms(sealer->clock), &now);
    return manifest_writer_append(live_store_manifest(sealer->store), now.year, sealing->parts,
                                  sealing->part_count, slots, error);
}

/* Everything before the rows stand, once the file is read: nobody sees it. */
static enum hearth_error prepare(struct sealer *sealer, struct sealing *sealing,
                                 const struct live_finished *finished, struct error_record *error)
{
    enum hearth_error code = HEARTH_OK;
    if (sealing->bad_slots > 0)
        code = live_store_quarantine_slots(sealer->store, finished, error);
    if (code == HEARTH_OK)
        code = sealing_split(sealing, &sealer->sealed, error);
    if (code == HEARTH_OK)
        code = live_store_reserve_sealed(sealer->store, sealing->part_count, error);
    if (code == HEARTH_OK && sealed_index_reserve(&sealer->sealed, sealing->part_count))
        code = error_set_internal(error, HEARTH_NO_MEMORY, 0, "no memory for the sealed files");
    if (code == HEARTH_OK)
        code = sealing_write(sealing, error);
    return code;
}

static void log_sealed(struct sealer *sealer, const struct sealing *sealing,
                       const struct live_finished *finished, int64_t began_ns)
{
    double seconds = (double)(clock_monotonic_ns(sealer->clock) - began_ns) / 1e9;
    metric_add(sealer->metrics.files, sealing->part_count);
    metric_add(sealer->metrics.readings, sealing->count);
    metric_add(sealer->metrics.unasked, sealing->unasked);
    metric_observe(sealer->metrics.seconds, seconds);
    LOG_INFO("sensor_sealed", LOG_INTEGER("sequence", (int64_t)finished->name.sequence),
             LOG_INTEGER("slots", (int64_t)finished->slots),
             LOG_INTEGER("readings", (int64_t)sealing->count),
             LOG_INTEGER("suspect", (int64_t)sealing->suspects),
             LOG_INTEGER("files", (int64_t)sealing->part_count),
             LOG_INTEGER("bad_slots", (int64_t)sealing->bad_slots),
             LOG_INTEGER("doubled", (int64_t)sealing->doubled), LOG_NUMBER("ms", seconds * 1e3));
}

static void take_into_own_list(struct sealer *sealer, const struct sealing *sealing)
{
    for (size_t i = 0; i < sealing->part_count; i++)
        sealed_index_add(&sealer->sealed, &sealing->parts[i].file);
    sealed_index_settle(&sealer->sealed);
}

/* The rows stand; nothing here can fail the seal. */
static void complete(struct sealer *sealer, const struct sealing *sealing,
                     const struct live_finished *finished)
{
    struct error_record error = {0};
    take_into_own_list(sealer, sealing);
    live_store_take_sealed(sealer->store, finished, sealing->parts, sealing->part_count);
    summarize(sealer, sealing);
    enum hearth_error code = live_store_remove_sealed(sealer->store, finished, &error);
    if (code != HEARTH_OK)
        LOG_WARN("sensor_sealed_file_stays",
                 LOG_INTEGER("sequence", (int64_t)finished->name.sequence),
                 LOG_TEXT("reason", error_name(code)), LOG_TEXT("detail", error.detail));
}

static enum hearth_error seal_read(struct sealer *sealer, struct sealing *sealing,
                                   const struct live_finished *finished, int64_t began_ns,
                                   bool *own_fault, struct error_record *error)
{
    enum hearth_error code = prepare(sealer, sealing, finished, error);
    *own_fault = code == HEARTH_CORRUPT; /* the name of its sealed file is taken */
    if (code == HEARTH_OK && sealing->part_count > 0)
        code = append_rows(sealer, sealing, finished->slots, error);
    if (code == HEARTH_OK) {
        complete(sealer, sealing, finished);
        log_sealed(sealer, sealing, finished, began_ns);
    }
    return code;
}

static enum hearth_error seal_one(struct sealer *sealer, const struct live_finished *finished,
                                  bool *own_fault, struct error_record *error)
{
    struct sealing sealing = {0};
    int64_t began_ns = clock_monotonic_ns(sealer->clock);
    enum hearth_error code = sealing_read(&sealing, live_store_files(sealer->store),
                                          live_store_options(sealer->store)->directory,
                                          &finished->name, finished->slots, error);
    *own_fault = code != HEARTH_OK && code != HEARTH_NO_MEMORY;
    if (code == HEARTH_OK)
        code = seal_read(sealer, &sealing, finished, began_ns, own_fault, error);
    sealing_clean(&sealing);
    return code;
}

/* ---- All of them ---- */

static void count_error(struct sealer *sealer, enum hearth_error code)
{
    char labels[64] = "";
    if (sealer->metrics.metrics &&
        metrics_label(labels, sizeof labels, "reason", view_of(error_name(code))))
        metric_add(metrics_counter(sealer->metrics.metrics, "hearth_sensor_seal_errors_total",
                                   "Tries to seal that failed, by reason.", labels),
                   1);
}

/* One line when it begins to fail, one when that is over. */
static void note_outcome(struct sealer *sealer, enum hearth_error code,
                         const struct error_record *error)
{
    atomic_store(&sealer->retry_ns, code == HEARTH_OK ? 0 : retry_after_ns(sealer));
    if (code != HEARTH_OK)
        count_error(sealer, code);
    if (code == sealer->failing)
        return;
    if (code != HEARTH_OK)
        LOG_ERROR("sensor_sealing_failing", LOG_TEXT("reason", error_name(code)),
                  LOG_TEXT("detail", error->detail));
    else
        LOG_INFO("sensor_sealing_recovered", LOG_TEXT("reason", error_name(sealer->failing)));
    sealer->failing = code;
}

/* ---- Files that cannot be read ---- */

/* One line when it begins to be so, or to be so in another way. */
static enum hearth_error pass_over(struct sealer *sealer, const struct live_finished *finished,
                                   enum hearth_error code, const struct error_record *error)
{
    enum hearth_error before = passed_over_reason(&sealer->passed, finished->name.sequence);
    char name[LIVE_NAME_BYTES];
    if (passed_over_add(&sealer->passed, finished->name.sequence, code, retry_after_ns(sealer)) !=
        HEARTH_OK)
        return HEARTH_NO_MEMORY;
    count_error(sealer, code);
    metric_set(sealer->metrics.unreadable, (int64_t)sealer->passed.count);
    live_name_format(&finished->name, name);
    if (code != before)
        LOG_ERROR("sensor_live_file_unreadable", LOG_TEXT("file", name),
                  LOG_TEXT("reason", error_name(code)), LOG_TEXT("detail", error->detail));
    return HEARTH_OK;
}

static void note_readable(struct sealer *sealer, const struct live_finished *finished)
{
    char name[LIVE_NAME_BYTES];
    if (!passed_over_remove(&sealer->passed, finished->name.sequence))
        return;
    metric_set(sealer->metrics.unreadable, (int64_t)sealer->passed.count);
    live_name_format(&finished->name, name);
    LOG_INFO("sensor_live_file_readable", LOG_TEXT("file", name));
}

/* ---- Running ---- */

/* The next file that is not to be passed over now. */
static bool next_file(const struct sealer *sealer, uint64_t after, bool all,
                      struct live_finished *finished)
{
    int64_t now_ns = clock_monotonic_ns(sealer->clock);
    while (live_store_next_finished(sealer->store, after, finished)) {
        after = finished->name.sequence;
        if (all || passed_over_is_due(&sealer->passed, after, now_ns))
            return true;
    }
    return false;
}

bool sealer_is_due(struct sealer *sealer)
{
    struct live_finished finished;
    int64_t retry_ns = atomic_load(&sealer->retry_ns);
    if (is_behind(sealer))
        return true;
    if (retry_ns != 0 && clock_monotonic_ns(sealer->clock) < retry_ns)
        return false;
    if (pthread_mutex_trylock(&sealer->lock) != 0)
        return false; /* somebody is at it */
    bool due = next_file(sealer, 0, false, &finished);
    pthread_mutex_unlock(&sealer->lock);
    return due;
}

/* In order; `*first` is the first reason why a file was passed over. */
static enum hearth_error seal_all(struct sealer *sealer, bool all, struct error_record *first,
                                  struct error_record *error)
{
    struct live_finished finished = {0};
    enum hearth_error code = HEARTH_OK;
    while (code == HEARTH_OK && next_file(sealer, finished.name.sequence, all, &finished)) {
        bool own_fault;
        if (atomic_load(&sealer->ends))
            return error_set_internal(error, HEARTH_UNAVAILABLE, 0, "told to end");
        code = seal_one(sealer, &finished, &own_fault, error);
        if (code == HEARTH_OK)
            note_readable(sealer, &finished);
        if (!own_fault)
            continue;
        if (first->code == HEARTH_OK)
            *first = *error;
        code = pass_over(sealer, &finished, code, error);
    }
    return code;
}

enum hearth_error sealer_run(struct sealer *sealer, bool finish, struct error_record *error)
{
    struct error_record own = {0}, passed = {0};
    struct error_record *said = error ? error : &own;
    pthread_mutex_lock(&sealer->lock);
    catch_up(sealer, finish);
    enum hearth_error code = finish ? live_store_finish(sealer->store, said) : HEARTH_OK;
    if (code == HEARTH_OK)
        code = seal_all(sealer, finish, &passed, said);
    if (!atomic_load(&sealer->ends))
        note_outcome(sealer, code, said);
    pthread_mutex_unlock(&sealer->lock);
    if (code == HEARTH_OK && passed.code != HEARTH_OK) {
        *said = passed;
        code = passed.code;
    }
    return code;
}
