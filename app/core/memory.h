/*
 * memory.h - the one door through which arenas and buffers get memory.
 *
 * It is malloc, realloc and free, and a place where a test can let memory run out: every caller
 * treats that as an error, and such code is only right if it has been run.
 */
#ifndef HEARTH_CORE_MEMORY_H
#define HEARTH_CORE_MEMORY_H

#include <stddef.h>
#include <stdint.h>

/* NULL when there is no memory. As malloc and realloc; freed by memory_free. */
void *memory_new(size_t size);
void *memory_resize(void *memory, size_t size);
void memory_free(void *memory);

/* Tests: the calling thread's next `count` allocations succeed, all after them fail; -1 = none
 * fails. */
void memory_fail_after(int64_t count);

#endif
