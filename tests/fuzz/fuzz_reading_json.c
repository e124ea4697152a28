/*
 * fuzz_reading_json.c - any bytes as the body of PUT /data: as a JSON document, as lines, as
 * records.
 *
 * Whatever comes, the store is only given records that decode, rejected texts that are parts of the
 * body in its order, and nothing at all of a document that was refused; and every reading counts.
 */
#include "handlers/sensor/ingest.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct checked_store {
    struct reading_store store;
    struct view rest; /* of the body, behind what was rejected so far */
    uint64_t records, rejected;
};

static void must(bool condition)
{
    if (!condition)
        abort();
}

static bool lies_within(struct view outer, struct view inner)
{
    return inner.length <= outer.length && inner.data >= outer.data &&
           inner.data + inner.length <= outer.data + outer.length;
}

static enum hearth_error check_append(struct reading_store *store, const struct record *records,
                                      size_t count, const struct rejected_reading *rejected,
                                      size_t rejected_count, int64_t deadline_ns,
                                      struct append_result *result, struct error_record *error)
{
    struct checked_store *checked = (struct checked_store *)store;
    (void)deadline_ns;
    (void)error;
    *result = (struct append_result){.accepted = count, .first_ms = -1, .last_ms = -1};
    for (size_t i = 0; i < count; i++) {
        struct reading reading;
        must(record_decode(&records[i], &reading) == REJECT_NONE);
    }
    for (size_t i = 0; i < rejected_count; i++) {
        must(rejected[i].reason > REJECT_NONE && rejected[i].reason < REJECT_COUNT);
        must(rejected[i].count > 0);
        result->quarantined += rejected[i].count;
        must(lies_within(checked->rest, rejected[i].raw));
        const char *end = rejected[i].raw.data + rejected[i].raw.length;
        checked->rest = view_skip(checked->rest, (size_t)(end - checked->rest.data));
    }
    checked->records += count;
    checked->rejected += result->quarantined;
    return HEARTH_OK;
}

enum form { FORM_DOCUMENT, FORM_LINES, FORM_BINARY, FORM_COUNT };

static enum hearth_error run(struct ingest *ingest, enum form form, struct buffer *body)
{
    enum hearth_error error;
    if (form == FORM_BINARY)
        error = ingest_binary(ingest, buffer_view(body));
    else if (form == FORM_LINES)
        error = ingest_json_lines(ingest, buffer_view(body));
    else
        error = ingest_json_document(ingest, buffer_view(body));
    return error ? error : ingest_finish(ingest);
}

static uint64_t sum_of(const uint64_t reasons[REJECT_COUNT])
{
    uint64_t sum = 0;
    for (int reason = 0; reason < REJECT_COUNT; reason++)
        sum += reasons[reason];
    return sum;
}

static void try_form(const struct sensor *pattern, enum form form, struct view input)
{
    struct error_record record = {0};
    const struct request request = {.clock = &clock_system, .error = &record};
    struct buffer body;
    buffer_init(&body, 16u << 20);
    must(buffer_append(&body, input) == HEARTH_OK);
    struct checked_store checked = {.store = {.append = check_append}, .rest = buffer_view(&body)};
    struct sensor sensor = *pattern;
    sensor.store = &checked.store;
    struct ingest ingest = {.sensor = &sensor,
                            .request = &request,
                            .identity = {.unit = UNIT_TENTHS_F, .time_zone = "UTC"},
                            .dialect = form == FORM_BINARY ? DIALECT_BINARY : DIALECT_JSON,
                            .now_ms = INT64_C(1757894691000),
                            .total = {.first_ms = -1, .last_ms = -1}};
    buffer_init(&ingest.records, 1u << 20);
    buffer_init(&ingest.rejected, 1u << 20);
    enum hearth_error error = run(&ingest, form, &body);
    must(error == HEARTH_OK || error == HEARTH_BAD_BODY);
    must(error == HEARTH_OK || form != FORM_LINES);
    must(error == HEARTH_OK || checked.records + checked.rejected == 0);
    must(ingest.total.accepted == checked.records && ingest.total.quarantined == checked.rejected);
    must(sum_of(ingest.reasons) == ingest.total.quarantined);
    must(form != FORM_BINARY || error ||
         ingest.total.accepted + ingest.total.quarantined == input.length / RECORD_BYTES);
    (void)ingest_looks_like_lines(buffer_view(&body));
    buffer_clean(&ingest.records);
    buffer_clean(&ingest.rejected);
    buffer_clean(&body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct time_zones *zones;
    if (!zones)
        zones = time_zones_new(TIME_ZONE_DIRECTORY);
    must(zones != NULL);
    const struct sensor sensor = {
        .zones = zones, .max_json_depth = 16, .future_tolerance_ms = 600000};
    for (int form = 0; form < FORM_COUNT; form++)
        try_form(&sensor, (enum form)form, view_from((const char *)data, size));
    return 0;
}
