/*
 * cell_pool.c - many small things of one size, in chunks.
 *
 * A chunk is so large that malloc maps it by itself: what is not touched of it takes no memory, and
 * all of it goes back to the system when the answer is sent, where many smaller ones would stay in
 * the heap below whatever came after them.
 */
#include "handlers/sensor/live/cell_pool.h"

#include "app/core/memory.h"

#include <string.h>

enum { CHUNK_CELLS = 8192 };

void cell_pool_init(struct cell_pool *pool, size_t cell_bytes, uint32_t max_count)
{
    *pool = (struct cell_pool){.cell_bytes = cell_bytes, .max_count = max_count};
}

void cell_pool_clean(struct cell_pool *pool)
{
    for (size_t i = 0; i < pool->chunk_count; i++)
        memory_free(pool->chunks[i]);
    memory_free(pool->chunks);
    cell_pool_init(pool, pool->cell_bytes, pool->max_count);
}

static bool add_chunk(struct cell_pool *pool)
{
    size_t most = pool->max_count / CHUNK_CELLS + 1;
    if (!pool->chunks)
        pool->chunks = memory_new(most * sizeof *pool->chunks);
    char *chunk = pool->chunks ? memory_new(CHUNK_CELLS * pool->cell_bytes) : NULL;
    if (!chunk)
        return false;
    pool->chunks[pool->chunk_count++] = chunk;
    return true;
}

void *cell_pool_add(struct cell_pool *pool)
{
    if (pool->count == pool->max_count)
        return NULL;
    if (pool->count == pool->chunk_count * CHUNK_CELLS && !add_chunk(pool))
        return NULL;
    pool->count++;
    return memset(cell_pool_get(pool, pool->count), 0, pool->cell_bytes);
}

void *cell_pool_get(const struct cell_pool *pool, uint32_t number)
{
    uint32_t place = number - 1;
    return pool->chunks[place / CHUNK_CELLS] + place % CHUNK_CELLS * pool->cell_bytes;
}
