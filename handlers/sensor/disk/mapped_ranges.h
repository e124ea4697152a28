/*
 * mapped_ranges.h - mapped files whose disk may fail.
 *
 * A page of a mapped file that cannot be read, or that was cut off, raises SIGBUS, which ends the
 * process. A range that is listed here gets a page of zeros in that place instead, and is marked as
 * damaged: whoever read it asks mapped_range_damaged when the reading is over, and believes nothing
 * of it then. All other faults go to who was there before.
 *
 * The handler is one of the process, from the first range on, and a thread that blocks SIGBUS does
 * not have it. Any thread.
 */
#ifndef HEARTH_SENSOR_MAPPED_RANGES_H
#define HEARTH_SENSOR_MAPPED_RANGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mapped_range;

/* Lists what mmap gave. NULL: more are mapped than can be listed. */
struct mapped_range *mapped_range_add(const void *begin, size_t bytes);
/* Before munmap, when nobody reads it any more. NULL is allowed. */
void mapped_range_remove(struct mapped_range *range);
bool mapped_range_damaged(const struct mapped_range *range);
/* How many pages of the process were put in place of bad ones: as long as it is the same, nothing
 * that was whole has been damaged. */
uint64_t mapped_ranges_faults(void);

#endif
