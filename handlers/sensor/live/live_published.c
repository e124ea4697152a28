/*
 * live_published.c - what the keeper tells the readers. All accesses are sequentially consistent:
 * a reader that saw any word of a newer copy also sees the newer version, and reads again.
 */
#include "handlers/sensor/live/live_published.h"

#include <string.h>

enum { ID_FIELD = 11 }; /* and the one behind it */

void live_publish(struct live_published *published, const struct live_state *state)
{
    uint64_t version = atomic_load(&published->version) + 1;
    _Atomic uint64_t *copy = published->copies[version & 1];
    uint64_t fields[LIVE_STATE_FIELDS] = {
        state->sequence,
        state->synced_bytes,
        state->generation,
        state->file_generation,
        state->readings,
        state->stored_bytes,
        (uint64_t)state->newest_ms,
        state->device,
        state->inode,
        state->stored_twice,
        state->place,
        0, /* the id's */
        0,
        state->slots,
        (uint64_t)state->manifest_year,
        state->manifest_bytes,
    };
    memcpy(&fields[ID_FIELD], state->id, sizeof state->id);
    for (size_t i = 0; i < LIVE_STATE_FIELDS; i++)
        atomic_store(&copy[i], fields[i]);
    atomic_store(&published->version, version);
}

void live_publish_condition(struct live_published *published, enum live_condition condition)
{
    atomic_store(&published->condition, (uint32_t)condition);
}

bool live_published_get(const struct live_published *published, struct live_state *state)
{
    uint64_t fields[LIVE_STATE_FIELDS];
    uint64_t version;
    do {
        version = atomic_load(&published->version);
        if (version == 0)
            return false;
        const _Atomic uint64_t *copy = published->copies[version & 1];
        for (size_t i = 0; i < LIVE_STATE_FIELDS; i++)
            fields[i] = atomic_load(&copy[i]);
    } while (atomic_load(&published->version) != version);
    *state = (struct live_state){
        .sequence = fields[0],
        .synced_bytes = fields[1],
        .generation = fields[2],
        .file_generation = fields[3],
        .readings = fields[4],
        .stored_bytes = fields[5],
        .newest_ms = (int64_t)fields[6],
        .device = fields[7],
        .inode = fields[8],
        .stored_twice = fields[9],
        .place = fields[10],
        .slots = fields[ID_FIELD + 2],
        .manifest_year = (int32_t)fields[ID_FIELD + 3],
        .manifest_bytes = fields[ID_FIELD + 4],
    };
    memcpy(state->id, &fields[ID_FIELD], sizeof state->id);
    return true;
}

enum live_condition live_published_condition(const struct live_published *published)
{
    return (enum live_condition)atomic_load(&published->condition);
}

void live_publish_lost(struct live_published *published, bool lost)
{
    atomic_store(&published->lost, lost);
}

bool live_published_lost(const struct live_published *published)
{
    return atomic_load(&published->lost) != 0;
}
