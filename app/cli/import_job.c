/*
 * import_job.c - reads a file, has it parsed (handlers/sensor/transfer/import.h), and hands each
 * batch to the store; behind each durable batch the state says how far it came.
 */
#include "app/cli/import_job.h"

#include "handlers/sensor/disk/file_operations.h"
#include "hearth/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    PIECE_BYTES = 8 << 20, /* about a batch of JSON lines: each costs a sync */
    DEADLINE_S = 120,
    ATTEMPTS = 20, /* while the keeper is being replaced */
    PAUSE_NS = 500000000,
};

/* ---- Batches ---- */

/* A keeper that has gone is replaced within seconds; sending a batch again is harmless. */
static enum hearth_error append(struct import_job *job, const struct import_batch *batch,
                                struct append_result *result)
{
    enum hearth_error code = HEARTH_OK;
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        int64_t deadline_ns = clock_monotonic_ns(&clock_system) + DEADLINE_S * INT64_C(1000000000);
        *result = (struct append_result){.first_ms = -1, .last_ms = -1};
        code = job->store->append(job->store, batch->records, batch->count, batch->rejected,
                                  batch->rejected_count, deadline_ns, result, job->error);
        if (code != HEARTH_UNAVAILABLE && code != HEARTH_DEADLINE)
            return code;
        nanosleep(&(struct timespec){.tv_nsec = PAUSE_NS}, NULL);
    }
    return code;
}

/* All of this run and the one before, as it is now. */
static void sum_up(struct import_job *job)
{
    struct import_counts counts;
    import_counts(job->import, &counts);
    job->total.counts = job->before.counts;
    import_counts_add(&job->total.counts, &counts);
}

static enum hearth_error remember(struct import_job *job, uint64_t position)
{
    if (!job->is_open_state)
        return HEARTH_OK;
    sum_up(job);
    job->state.total = job->total;
    job->state.position = position;
    return import_state_save(&job->state, job->error);
}

static enum hearth_error take_batch(void *context, const struct import_batch *batch)
{
    struct import_job *job = context;
    struct append_result result;
    job->records += batch->count;
    progress_show(&job->progress, batch->position, job->records);
    if (!job->store)
        return HEARTH_OK;
    enum hearth_error code = append(job, batch, &result);
    if (code != HEARTH_OK)
        return code;
    append_result_add(&job->total.stored, &result);
    return remember(job, batch->position);
}

/* ---- The file ---- */

static enum hearth_error fail_file(const struct import_job *job, const char *what)
{
    return error_set_internal(job->error, error_from_errno(errno), errno, "%s", what);
}

static enum hearth_error open_file(struct import_job *job)
{
    struct stat status;
    bool standard_input = strcmp(job->path, "-") == 0;
    job->file = standard_input ? STDIN_FILENO : open(job->path, O_RDONLY | O_CLOEXEC);
    if (job->file < 0 || fstat(job->file, &status) != 0)
        return fail_file(job, "open");
    if (S_ISDIR(status.st_mode))
        return error_set(job->error, HEARTH_BAD_REQUEST, "is a directory");
    job->is_regular = S_ISREG(status.st_mode) && !standard_input;
    job->state.size = job->is_regular ? (uint64_t)status.st_size : 0;
    return HEARTH_OK;
}

/* Up to a piece; 0 at the end. */
static enum hearth_error read_piece(const struct import_job *job, char *piece, size_t *got)
{
    ssize_t count;
    do
        count = read(job->file, piece, PIECE_BYTES);
    while (count < 0 && errno == EINTR);
    *got = count > 0 ? (size_t)count : 0;
    return count >= 0 ? HEARTH_OK : fail_file(job, "read");
}

static enum hearth_error choose_format(struct import_job *job, struct view head)
{
    if (job->format_name) {
        if (import_format_parse(view_of(job->format_name), &job->options.format))
            return HEARTH_OK;
        return error_set(job->error, HEARTH_BAD_REQUEST,
                         "--format %s: the formats are jsonl, csv and bin", job->format_name);
    }
    if (import_format_guess(view_of(job->is_regular ? job->path : ""), head, &job->options.format))
        return HEARTH_OK;
    return error_set(job->error, HEARTH_BAD_REQUEST,
                     "neither its name nor its beginning says what it is; say --format jsonl, csv "
                     "or bin");
}

/* ---- Going on where another run stopped ---- */

static enum hearth_error open_state(struct import_job *job)
{
    char manner[160];
    if (!job->store || !job->is_regular)
        return HEARTH_OK;
    snprintf(manner, sizeof manner, "%s %s %s %d", import_format_name(job->options.format),
             job->unit_name, job->zone_name, job->options.rolling_code);
    job->is_open_state = true;
    enum hearth_error code = import_state_init(&job->state, job->store_directory, job->path,
                                               job->file, manner, job->error);
    if (code != HEARTH_OK)
        return code;
    if (job->restart)
        import_state_remove(&job->state);
    job->going_on = !job->restart && import_state_load(&job->state);
    if (job->going_on) {
        job->before = job->total = job->state.total;
        job->resumed_at = job->state.position;
    }
    return HEARTH_OK;
}

/* `head` was read already. */
static enum hearth_error seek(struct import_job *job, char *piece, size_t head)
{
    size_t got = head;
    enum hearth_error code = HEARTH_OK;
    import_seek(job->import, job->state.position);
    while (code == HEARTH_OK && got > 0 && !import_can_seek(job->import)) {
        code = import_feed(job->import, view_from(piece, got), job->error);
        if (code == HEARTH_OK)
            code = read_piece(job, piece, &got);
    }
    if (code != HEARTH_OK)
        return code;
    progress_resume(&job->progress, job->state.position);
    if (lseek(job->file, (off_t)job->state.position, SEEK_SET) < 0)
        return fail_file(job, "seek");
    return HEARTH_OK;
}

/* ---- The run ---- */

static enum hearth_error feed_all(struct import_job *job, char *piece, size_t got)
{
    enum hearth_error code = HEARTH_OK;
    if (job->going_on) {
        code = seek(job, piece, got);
        if (code == HEARTH_OK)
            code = read_piece(job, piece, &got);
    }
    while (code == HEARTH_OK && got > 0) {
        code = import_feed(job->import, view_from(piece, got), job->error);
        if (code == HEARTH_OK)
            code = read_piece(job, piece, &got);
    }
    return code == HEARTH_OK ? import_finish(job->import, job->error) : code;
}

static enum hearth_error begin(struct import_job *job, struct view head)
{
    enum hearth_error code = choose_format(job, head);
    if (code == HEARTH_OK)
        code = open_state(job);
    if (code != HEARTH_OK)
        return code;
    job->options.batch = take_batch;
    job->options.context = job;
    job->import = import_new(&job->options, job->error);
    return job->import ? HEARTH_OK : HEARTH_NO_MEMORY;
}

static enum hearth_error run(struct import_job *job, char *piece)
{
    size_t got = 0;
    enum hearth_error code = open_file(job);
    if (code == HEARTH_OK)
        code = read_piece(job, piece, &got);
    if (code == HEARTH_OK)
        code = begin(job, view_from(piece, got));
    if (code != HEARTH_OK)
        return code;
    job->began = true;
    progress_start(&job->progress, job->store ? "importing" : "reading", job->state.size, true,
                   job->quiet);
    code = feed_all(job, piece, got);
    progress_end(&job->progress);
    if (code == HEARTH_OK || !job->is_open_state)
        sum_up(job); /* else what the state says, which is what was stored */
    snprintf(job->columns_ignored, sizeof job->columns_ignored, "%s",
             import_columns_ignored(job->import));
    if (code == HEARTH_OK && job->is_open_state)
        import_state_remove(&job->state);
    return code;
}

enum hearth_error import_job_run(struct import_job *job, struct error_record *error)
{
    int64_t start_ns = clock_monotonic_ns(&clock_system);
    char *piece = malloc(PIECE_BYTES);
    job->error = error;
    job->file = -1;
    job->total.stored = (struct append_result){.first_ms = -1, .last_ms = -1};
    if (!piece)
        return error_set_internal(error, HEARTH_NO_MEMORY, ENOMEM, "no memory to read %s",
                                  job->path);
    enum hearth_error code = run(job, piece);
    import_free(job->import);
    if (job->is_open_state)
        import_state_clean(&job->state);
    if (job->file > STDIN_FILENO)
        close(job->file);
    free(piece);
    job->elapsed_ms = (clock_monotonic_ns(&clock_system) - start_ns) / 1000000;
    return code;
}
