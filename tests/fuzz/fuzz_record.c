/*
 * fuzz_record.c - any bytes as records: what decodes encodes back to the same bytes, and what does
 * not is refused by both ways of looking. Then the records are sorted.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "handlers/sensor/record/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(int condition)
{
    if (!condition)
        abort();
}

static void round_trip(const struct record *record)
{
    struct reading reading;
    struct record again;
    enum record_reject reject = record_decode(record, &reading);
    demand(reject == record_check(record));
    demand(record_same(record, record));
    if (reject != REJECT_NONE)
        return;
    demand(record_encode(&reading, &again) == REJECT_NONE);
    demand(memcmp(record, &again, sizeof again) == 0);
    demand(reading.time_ms == record_time_ms(record));
    demand(reading.channel == record_channel(record));
    demand(reading.rolling_code == record_rolling_code(record));
}

/* Any twelve bytes with the version and the checksum put right. */
static void mended(const struct record *record)
{
    struct record good = *record;
    good.bytes[0] &= 0x3F;
    good.bytes[RECORD_BYTES - 1] = record_checksum(good.bytes, RECORD_BYTES - 1);
    enum record_reject reject = record_check(&good);
    demand(reject == REJECT_NONE || reject == REJECT_HUMIDITY_RANGE);
    round_trip(&good);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t count = size / RECORD_BYTES;
    struct record *records = malloc(count * sizeof *records + 1);
    demand(records != NULL);
    if (count > 0)
        memcpy(records, data, count * sizeof *records);
    for (size_t i = 0; i < count; i++) {
        round_trip(&records[i]);
        mended(&records[i]);
    }
    demand(record_sort(records, count) == HEARTH_OK);
    for (size_t i = 1; i < count; i++)
        demand(memcmp(&records[i - 1], &records[i], sizeof *records) <= 0);
    size_t left = record_unique(records, count);
    demand(left <= count && (left > 0) == (count > 0));
    for (size_t i = 1; i < left; i++)
        demand(!record_same(&records[i - 1], &records[i]));
    free(records);
    return 0;
}
