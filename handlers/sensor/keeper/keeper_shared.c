/*
 * keeper_shared.c - the sensor module's area in the pool's shared mapping. Both parts begin on a
 * page of their own, wherever the area begins; every process sees it at the same address.
 */
#include "handlers/sensor/keeper/keeper_shared.h"

enum { PAGE_BYTES = 4096 };

struct first_page {
    struct live_published published;
    struct keeper_requests requests;
};

_Static_assert(sizeof(struct first_page) <= PAGE_BYTES, "what is published fits a page");

static char *first_page(void *shared)
{
    size_t over = (uintptr_t)shared % PAGE_BYTES;
    return (char *)shared + (over == 0 ? 0 : PAGE_BYTES - over);
}

size_t keeper_shared_bytes(size_t threads)
{
    return 2 * (size_t)PAGE_BYTES + slots_bytes(threads + KEEPER_SPARE_SLOTS);
}

void keeper_shared_init(void *shared, size_t threads)
{
    slots_init(first_page(shared) + PAGE_BYTES, threads + KEEPER_SPARE_SLOTS);
}

struct live_published *keeper_shared_published(void *shared)
{
    return &((struct first_page *)(void *)first_page(shared))->published;
}

struct keeper_requests *keeper_shared_requests(void *shared)
{
    return &((struct first_page *)(void *)first_page(shared))->requests;
}

struct slots *keeper_shared_slots(void *shared)
{
    return (struct slots *)(void *)(first_page(shared) + PAGE_BYTES);
}
