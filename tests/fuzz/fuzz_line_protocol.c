/*
 * fuzz_line_protocol.c - any bytes as the body of POST /write.
 *
 * The first byte chooses the precision. Every line is either refused or walked through to its end,
 * all of it lies in the body, and no two lines overlap; readings and rejected lines together are
 * never more than there are lines.
 */
#include "tests/fuzz/fuzz_batch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool lies_within(struct view outer, struct view inner)
{
    return inner.data >= outer.data && inner.data + inner.length <= outer.data + outer.length;
}

static void walk(struct view line)
{
    struct line_cursor cursor;
    struct line_item item;
    size_t fields = 0;
    if (!line_begin(line, &cursor))
        return;
    must(lies_within(line, cursor.measurement) && cursor.measurement.length > 0);
    must(!cursor.timestamp.data || lies_within(line, cursor.timestamp));
    while (line_item_next(&cursor, &item)) {
        must(item.key.length > 0 && lies_within(line, item.key) && lies_within(line, item.value));
        must(fields == 0 || item.kind != LINE_TAG);
        fields += item.kind != LINE_TAG;
    }
    must(fields > 0);
}

static uint64_t walk_all(struct view body)
{
    struct view rest = body, line;
    const char *last = body.data;
    uint64_t lines = 0;
    while (line_next(&rest, &line)) {
        must(lies_within(body, line) && line.length > 0 && line.data >= last);
        last = line.data + line.length;
        walk(line);
        lines++;
    }
    return lines;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_batch checked;
    if (size == 0)
        return 0;
    char *copy = malloc(size);
    must(copy != NULL);
    memcpy(copy, data, size);
    struct view body = view_from(copy + 1, size - 1);
    uint64_t lines = walk_all(body);
    fuzz_batch_begin(&checked, body);
    checked.in_order = false; /* lines that were to be put together are judged last */
    enum hearth_error error = ingest_line_protocol(
        &checked.batch, body, (enum line_precision)(data[0] % (LINE_PRECISION_H + 1)));
    must(error == HEARTH_OK);
    fuzz_batch_end(&checked, error);
    must(checked.records + checked.rejected + checked.batch.repeated <= lines);
    must(lines == 0 || checked.records + checked.rejected > 0);
    free(copy);
    return 0;
}
