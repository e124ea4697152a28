/*
 * cell_pool.h - many small things of one size, numbered from 1 in the order in which they came.
 *
 * They lie in chunks, so that nothing is copied when there are more; what is there is what takes
 * memory. One thread at a time.
 */
#ifndef HEARTH_SENSOR_CELL_POOL_H
#define HEARTH_SENSOR_CELL_POOL_H

#include "hearth/base.h"

struct cell_pool {
    size_t cell_bytes;
    uint32_t count, max_count;
    char **chunks;
    size_t chunk_count;
};

/* Allocates nothing. */
void cell_pool_init(struct cell_pool *pool, size_t cell_bytes, uint32_t max_count);
void cell_pool_clean(struct cell_pool *pool);
/* A new one, zeroed; its number is then pool->count. NULL when there is no memory, or when
 * max_count is reached. */
void *cell_pool_add(struct cell_pool *pool);
/* Number 1 to pool->count. */
void *cell_pool_get(const struct cell_pool *pool, uint32_t number);

#endif
