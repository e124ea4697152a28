/*
 * fuzz_import.c - any bytes as a file of readings, in pieces of any size.
 *
 * The first byte chooses the format, the second how large the pieces are. Fed whole or in pieces, a
 * file gives the same records and as many rejected readings; and an import that goes on at the
 * position of any batch gives what came behind it.
 */
#include "tests/fuzz/fuzz_batch.h"

#include "handlers/sensor/record/record.h"
#include "handlers/sensor/transfer/import.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_BATCHES = 64 };

struct collected {
    struct buffer records;
    uint64_t rejected;
    uint64_t position;
    /* Of each batch: its position, and what was there with it. */
    uint64_t positions[MAX_BATCHES], bytes[MAX_BATCHES];
    size_t batches;
};

static enum hearth_error collect(void *context, const struct import_batch *batch)
{
    struct collected *collected = context;
    must(batch->position >= collected->position);
    collected->position = batch->position;
    for (size_t i = 0; i < batch->count; i++)
        must(record_check(&batch->records[i]) == REJECT_NONE);
    must(buffer_append(&collected->records, view_from((const char *)batch->records,
                                                      batch->count * sizeof(struct record))) ==
         HEARTH_OK);
    for (size_t i = 0; i < batch->rejected_count; i++)
        collected->rejected += batch->rejected[i].count;
    if (collected->batches < MAX_BATCHES) {
        collected->positions[collected->batches] = batch->position;
        collected->bytes[collected->batches++] = collected->records.length;
    }
    return HEARTH_OK;
}

static enum hearth_error feed(struct import *import, struct view bytes, size_t step)
{
    struct error_record error = {0};
    enum hearth_error code = HEARTH_OK;
    while (!code && bytes.length > 0) {
        /* Each piece in memory of its own, so that nothing outlives it. */
        size_t length = step < bytes.length ? step : bytes.length;
        char *piece = malloc(length);
        must(piece != NULL);
        memcpy(piece, bytes.data, length);
        code = import_feed(import, view_from(piece, length), &error);
        free(piece);
        bytes = view_skip(bytes, length);
    }
    return code ? code : import_finish(import, &error);
}

static struct import *open_import(enum import_format format, struct collected *collected)
{
    struct error_record error = {0};
    const struct import_options options = {.format = format,
                                           .rolling_code = -1,
                                           .now_ms = FUZZ_NOW_MS,
                                           .future_tolerance_ms = 600000,
                                           .batch = collect,
                                           .context = collected};
    *collected = (struct collected){.batches = 0};
    buffer_init(&collected->records, 64u << 20);
    struct import *import = import_new(&options, &error);
    must(import != NULL);
    return import;
}

static enum hearth_error run(enum import_format format, struct view bytes, size_t step,
                             struct collected *collected)
{
    struct import_counts counts;
    struct import *import = open_import(format, collected);
    enum hearth_error code = feed(import, bytes, step);
    must(code == HEARTH_OK || code == HEARTH_BAD_BODY);
    import_counts(import, &counts);
    must(code || (counts.records == collected->records.length / sizeof(struct record) &&
                  counts.rejected == collected->rejected));
    must(code || collected->position <= bytes.length);
    import_free(import);
    return code;
}

/* Goes on at a batch of `whole`: what was stored before is not given again, the rest is. */
static void resume(enum import_format format, struct view bytes, const struct collected *whole,
                   size_t batch)
{
    struct collected rest;
    struct error_record error = {0};
    struct import *import = open_import(format, &rest);
    import_seek(import, whole->positions[batch]);
    if (!import_can_seek(import))
        must(import_feed(import, bytes, &error) == HEARTH_OK);
    must(import_can_seek(import) && rest.batches == 0);
    must(feed(import, view_skip(bytes, whole->positions[batch]), SIZE_MAX) == HEARTH_OK);
    must(whole->bytes[batch] + rest.records.length == whole->records.length);
    must(rest.records.length == 0 || memcmp(whole->records.data + whole->bytes[batch],
                                            rest.records.data, rest.records.length) == 0);
    import_free(import);
    buffer_clean(&rest.records);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct collected whole, pieces;
    enum import_format guess;
    if (size < 2)
        return 0;
    enum import_format format = (enum import_format)(data[0] % IMPORT_FORMAT_COUNT);
    struct view bytes = view_from((const char *)data + 2, size - 2);
    (void)import_format_guess(VIEW("readings"), bytes, &guess);
    enum hearth_error code = run(format, bytes, SIZE_MAX, &whole);
    must(run(format, bytes, 1u + data[1], &pieces) == code);
    must(code ||
         (whole.rejected == pieces.rejected && whole.records.length == pieces.records.length &&
          (whole.records.length == 0 ||
           memcmp(whole.records.data, pieces.records.data, whole.records.length) == 0)));
    for (size_t i = 0; !code && i < pieces.batches && i < 4; i++)
        resume(format, bytes, &pieces, i);
    buffer_clean(&whole.records);
    buffer_clean(&pieces.records);
    return 0;
}
