/*
 * append_result.c - what became of an append that went in several parts.
 */
#include "hearth/reading_store.h"

void append_result_add(struct append_result *sum, const struct append_result *result)
{
    sum->accepted += result->accepted;
    sum->duplicate += result->duplicate;
    sum->quarantined += result->quarantined;
    if (result->first_ms >= 0 && (sum->first_ms < 0 || result->first_ms < sum->first_ms))
        sum->first_ms = result->first_ms;
    if (result->last_ms > sum->last_ms)
        sum->last_ms = result->last_ms;
}
