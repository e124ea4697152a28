/*
 * memory.c - malloc, with a countdown that a test may set.
 */
#include "app/core/memory.h"

#include <stdbool.h>
#include <stdlib.h>

static _Thread_local int64_t allowed_allocations = -1;

static bool refused(void)
{
    if (allowed_allocations < 0)
        return false;
    if (allowed_allocations == 0)
        return true;
    allowed_allocations--;
    return false;
}

void *memory_new(size_t size)
{
    return refused() ? NULL : malloc(size);
}

void *memory_resize(void *memory, size_t size)
{
    return refused() ? NULL : realloc(memory, size);
}

void memory_free(void *memory)
{
    free(memory);
}

void memory_fail_after(int64_t count)
{
    allowed_allocations = count;
}
