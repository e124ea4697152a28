/*
 * keeper_shared.h - the sensor module's area in the pool's shared mapping: what the keeper
 * publishes, what it was asked for, and the slots.
 */
#ifndef HEARTH_SENSOR_KEEPER_SHARED_H
#define HEARTH_SENSOR_KEEPER_SHARED_H

#include "handlers/sensor/keeper/keeper_requests.h"
#include "handlers/sensor/keeper/slots.h"
#include "handlers/sensor/live/live_published.h"

enum {
    KEEPER_SPARE_SLOTS = 16, /* besides one a thread: abandoned ones, and large batches */
};

size_t keeper_shared_bytes(size_t threads);
void keeper_shared_init(void *shared, size_t threads);
struct live_published *keeper_shared_published(void *shared);
struct keeper_requests *keeper_shared_requests(void *shared);
struct slots *keeper_shared_slots(void *shared);

#endif
