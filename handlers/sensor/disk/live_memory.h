/*
 * live_memory.h - zeroed memory through the door that tests can close (app/core/memory.h).
 */
#ifndef HEARTH_SENSOR_LIVE_MEMORY_H
#define HEARTH_SENSOR_LIVE_MEMORY_H

#include "app/core/memory.h"

#include <string.h>

/* As calloc. */
static inline void *memory_new_zero(size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes))
        return NULL;
    void *memory = memory_new(bytes);
    return memory ? memset(memory, 0, bytes) : NULL;
}

#endif
