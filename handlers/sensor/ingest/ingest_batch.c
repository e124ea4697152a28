/*
 * ingest_batch.c - readings on their way into a store: gathered, and committed when enough have
 * come together, so that a body of any shape costs the memory of one batch.
 */
#include "handlers/sensor/ingest/ingest_batch.h"

#include "handlers/sensor/keeper/slot_text.h"
#include "handlers/sensor/record/record.h"

enum {
    MAX_REJECTED = 1024,  /* texts of a commit: at most 4 MB of the body */
    FLOOD_REJECTED = 256, /* texts of a batch, behind which reasons may mix */
};
static const int64_t year_2000_ms = INT64_C(946684800000);

void ingest_batch_init(struct ingest_batch *batch, const struct ingest_batch_options *options)
{
    *batch = (struct ingest_batch){.options = *options};
    buffer_init(&batch->records, (options->max_records + 1) * sizeof(struct record));
    buffer_init(&batch->rejected, (MAX_REJECTED + 1) * sizeof(struct rejected_reading));
}

void ingest_batch_clean(struct ingest_batch *batch)
{
    buffer_clean(&batch->rejected);
    buffer_clean(&batch->records);
}

bool ingest_batch_is_suspect(const struct ingest_batch *batch, int64_t time_ms)
{
    return time_ms < year_2000_ms || time_ms > batch->options.latest_ms;
}

/* ---- Committing ---- */

enum hearth_error ingest_batch_finish(struct ingest_batch *batch)
{
    const struct record *records = (const void *)batch->records.data;
    const struct rejected_reading *rejected = (const void *)batch->rejected.data;
    size_t count = batch->records.length / sizeof *records;
    size_t texts = batch->rejected.length / sizeof *rejected;
    if (count == 0 && texts == 0)
        return HEARTH_OK;
    enum hearth_error error =
        batch->options.commit(batch->options.context, records, count, rejected, texts);
    buffer_reset(&batch->records);
    buffer_reset(&batch->rejected);
    return error;
}

static enum hearth_error commit_when_full(struct ingest_batch *batch)
{
    bool full = batch->records.length >= batch->options.max_records * sizeof(struct record) ||
                batch->rejected.length >= MAX_REJECTED * sizeof(struct rejected_reading);
    return full ? ingest_batch_finish(batch) : HEARTH_OK;
}

/* ---- What is rejected ---- */

/* The newest rejected text, when it may go on to the end of `raw`. */
static struct rejected_reading *neighbour(const struct ingest_batch *batch,
                                          enum record_reject reason, struct view raw)
{
    size_t texts = batch->rejected.length / sizeof(struct rejected_reading);
    if (!batch->rejected_a_moment_ago || texts == 0)
        return NULL;
    struct rejected_reading *newest = (struct rejected_reading *)(void *)batch->rejected.data;
    newest += texts - 1;
    bool alike = newest->reason == reason || texts > FLOOD_REJECTED;
    size_t length = (size_t)(raw.data + raw.length - newest->raw.data);
    return alike && length <= SLOT_TEXT_BYTES ? newest : NULL;
}

static enum hearth_error keep_rejected(struct ingest_batch *batch, enum record_reject reason,
                                       struct view raw)
{
    const struct rejected_reading rejected = {reason, raw, batch->options.source, 1};
    struct rejected_reading *newest = neighbour(batch, reason, raw);
    if (!newest)
        return buffer_append(&batch->rejected, view_from((const char *)&rejected, sizeof rejected));
    if (newest->reason != reason)
        newest->reason = REJECT_MIXED;
    newest->raw.length = (size_t)(raw.data + raw.length - newest->raw.data);
    newest->count++;
    return HEARTH_OK;
}

enum hearth_error ingest_batch_reject(struct ingest_batch *batch, enum record_reject reason,
                                      struct view raw)
{
    enum hearth_error error = keep_rejected(batch, reason, raw);
    if (error)
        return error;
    batch->rejected_a_moment_ago = true;
    batch->refused++;
    batch->reasons[reason]++;
    batch->last_reason = reason;
    return commit_when_full(batch);
}

void ingest_batch_part(struct ingest_batch *batch)
{
    batch->rejected_a_moment_ago = false;
}

/* ---- What is taken ---- */

enum hearth_error ingest_batch_record(struct ingest_batch *batch, const struct record *record)
{
    ingest_batch_part(batch);
    enum hearth_error error =
        buffer_append(&batch->records, view_from((const char *)record, sizeof *record));
    if (error)
        return error;
    batch->taken++;
    batch->suspect += record_time_quality(record) == TIME_SUSPECT;
    return commit_when_full(batch);
}

enum hearth_error ingest_batch_reading(struct ingest_batch *batch, struct reading *reading,
                                       struct view raw)
{
    struct record record;
    if (reading->time_quality == TIME_SENDER)
        reading->time_quality = batch->options.quality;
    if (ingest_batch_is_suspect(batch, reading->time_ms))
        reading->time_quality = TIME_SUSPECT;
    enum record_reject reject = record_encode(reading, &record);
    return reject ? ingest_batch_reject(batch, reject, raw) : ingest_batch_record(batch, &record);
}
