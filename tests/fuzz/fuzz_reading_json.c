/*
 * fuzz_reading_json.c - any bytes as the body of PUT /data: as a JSON document, as lines, as
 * records.
 *
 * Whatever comes, the batch is only given records that decode, rejected texts that are parts of the
 * body in its order, and nothing at all of a document that was refused; and every reading counts.
 */
#include "tests/fuzz/fuzz_batch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef enum hearth_error dialect_fn(struct ingest_batch *batch, struct view body);

/* Gives back what became of it. */
static enum hearth_error try_dialect(dialect_fn *dialect, struct view body)
{
    struct fuzz_batch checked;
    fuzz_batch_begin(&checked, body);
    enum hearth_error error = dialect(&checked.batch, body);
    must(error == HEARTH_OK || error == HEARTH_BAD_BODY);
    must(error == HEARTH_OK || checked.batch.taken + checked.batch.refused == 0);
    fuzz_batch_end(&checked, error);
    must(dialect != ingest_binary || error ||
         checked.records + checked.rejected == body.length / RECORD_BYTES);
    return error;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = malloc(size + 1);
    must(copy != NULL);
    memcpy(copy, size > 0 ? (const char *)data : "", size);
    struct view body = view_from(copy, size);
    (void)try_dialect(ingest_json_document, body);
    must(try_dialect(ingest_json_lines, body) == HEARTH_OK);
    must((try_dialect(ingest_binary, body) == HEARTH_OK) == (size % RECORD_BYTES == 0));
    (void)ingest_looks_like_lines(body);
    free(copy);
    return 0;
}
