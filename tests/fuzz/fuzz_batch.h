/*
 * fuzz_batch.h - a batch that holds what a dialect makes of any bytes against what it promises:
 * records decode, rejected texts are parts of what came, and every reading counts.
 */
#ifndef TESTS_FUZZ_BATCH_H
#define TESTS_FUZZ_BATCH_H

#include "handlers/sensor/ingest/ingest_batch.h"

#include <stdlib.h>
#include <string.h>

#define FUZZ_NOW_MS INT64_C(1757894691000)

struct fuzz_batch {
    struct ingest_batch batch;
    struct error_record error;
    struct view body;
    bool in_order;    /* texts come in the order of the body, none twice */
    const char *last; /* behind the newest text */
    uint64_t records, rejected;
};

static inline void must(bool condition)
{
    if (!condition)
        abort();
}

static inline void fuzz_check_text(struct fuzz_batch *checked, const struct rejected_reading *text)
{
    const char *end = text->raw.data + text->raw.length;
    must(text->reason > REJECT_NONE && text->reason < REJECT_COUNT);
    must(text->count > 0 && text->raw.length > 0);
    must(text->raw.data >= checked->body.data && end <= checked->body.data + checked->body.length);
    must(!checked->in_order || text->raw.data >= checked->last);
    checked->last = end;
    checked->rejected += text->count;
}

static inline enum hearth_error fuzz_commit(void *context, const struct record *records,
                                            size_t count, const struct rejected_reading *rejected,
                                            size_t rejected_count)
{
    struct fuzz_batch *checked = context;
    for (size_t i = 0; i < count; i++) {
        struct reading reading;
        must(record_decode(&records[i], &reading) == REJECT_NONE);
    }
    checked->records += count;
    for (size_t i = 0; i < rejected_count; i++)
        fuzz_check_text(checked, &rejected[i]);
    return HEARTH_OK;
}

static inline struct time_zones *fuzz_zones(void)
{
    static struct time_zones *zones;
    if (!zones)
        zones = time_zones_new(TIME_ZONE_DIRECTORY);
    must(zones != NULL);
    return zones;
}

static inline void fuzz_batch_begin(struct fuzz_batch *checked, struct view body)
{
    *checked = (struct fuzz_batch){.body = body, .last = body.data, .in_order = true};
    const struct ingest_batch_options options = {
        .reading = {.time_zone = VIEW("America/Denver"),
                    .zones = fuzz_zones(),
                    .now_ms = FUZZ_NOW_MS},
        .source = "fuzz",
        .latest_ms = FUZZ_NOW_MS + 600000,
        .max_json_depth = 16,
        .max_records = 64,
        .commit = fuzz_commit,
        .context = checked,
        .error = &checked->error,
    };
    ingest_batch_init(&checked->batch, &options);
}

static inline void fuzz_batch_end(struct fuzz_batch *checked, enum hearth_error error)
{
    uint64_t sum = 0;
    if (!error)
        must(ingest_batch_finish(&checked->batch) == HEARTH_OK);
    for (int reason = 0; reason < REJECT_COUNT; reason++)
        sum += checked->batch.reasons[reason];
    must(sum == checked->batch.refused);
    must(error || (sum == checked->rejected && checked->batch.taken == checked->records));
    ingest_batch_clean(&checked->batch);
}

#endif
