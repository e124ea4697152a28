/*
 * live_past.c - what a predecessor in the same pool published.
 */
#include "handlers/sensor/live/live_past.h"

#include <string.h>

/* FNV-1a. */
uint64_t live_past_place(const char *directory)
{
    uint64_t hash = UINT64_C(0xCBF29CE484222325);
    for (; *directory != '\0'; directory++)
        hash = (hash ^ (unsigned char)*directory) * UINT64_C(0x100000001B3);
    return hash;
}

void live_past_get(const struct live_published *published, const char *directory,
                   struct live_past *past)
{
    *past = (struct live_past){0};
    past->known = live_published_get(published, &past->state) &&
                  past->state.place == live_past_place(directory);
    past->condition = live_published_condition(published);
}

enum hearth_error live_past_require_store(const struct live_past *past, const char *directory,
                                          const struct live_state *now, struct error_record *error)
{
    if (!past->known || memcmp(past->state.id, now->id, sizeof now->id) == 0)
        return HEARTH_OK;
    return error_set_internal(error, HEARTH_UNAVAILABLE, 0,
                              "%s is not the store that was there: put it back, or start anew to "
                              "go on with this one",
                              directory);
}

enum hearth_error live_past_require_slots(const struct live_past *past, const char *directory,
                                          uint64_t slots, struct error_record *error)
{
    if (!past->known || slots >= past->state.slots)
        return HEARTH_OK;
    return error_set_internal(error, HEARTH_UNAVAILABLE, 0,
                              "of %llu readings in %s there are %llu: put the files back, or start "
                              "anew to go on with what there is",
                              (unsigned long long)past->state.slots, directory,
                              (unsigned long long)slots);
}
