/*
 * fuzz_time_zone.c - any bytes as a TZif file, and, of a zone that is read, both directions.
 */
#include "handlers/sensor/text/time_zone.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const int64_t moments_s[] = {
    INT64_C(-62135596800), INT64_C(-5000000000), 0, 1757894691, 4102444800, INT64_C(253370764800),
};

/* A moment's local time comes back as that moment or an earlier one of the same local time. */
static void check(const struct time_zone *zone, int64_t utc_ms)
{
    int64_t local_ms = time_zone_to_local_ms(zone, utc_ms);
    int64_t first_ms = time_zone_to_utc_ms(zone, local_ms);
    if (first_ms > utc_ms || time_zone_to_local_ms(zone, first_ms) != local_ms)
        abort();
    if (time_zone_next_change_s(zone, utc_ms / 1000) <= utc_ms / 1000)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error_record error = {0};
    struct time_zone *zone = time_zone_parse(view_from((const char *)data, size), &error);
    if (!zone && error.code == HEARTH_OK)
        abort();
    for (size_t i = 0; zone && i < sizeof moments_s / sizeof moments_s[0]; i++) {
        check(zone, moments_s[i] * 1000);
        int64_t change = time_zone_next_change_s(zone, moments_s[i]);
        if (change > INT64_C(-62135596800) && change < INT64_C(253370764800)) {
            check(zone, change * 1000);
            check(zone, change * 1000 - 1000);
        }
    }
    time_zone_free(zone);
    return 0;
}
