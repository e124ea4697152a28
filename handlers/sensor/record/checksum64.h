/*
 * checksum64.h - 64 bits that change when a stored byte does: XXH64 (Yann Collet), seed 0.
 *
 * Against damage, not against people: it is fast, so that what is mapped can be checked before it
 * is believed. https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md
 */
#ifndef HEARTH_SENSOR_CHECKSUM64_H
#define HEARTH_SENSOR_CHECKSUM64_H

#include <stddef.h>
#include <stdint.h>

/* checksum64("", 0) = 0xEF46DB3751D8E999 */
uint64_t checksum64(const void *bytes, size_t length);

#endif
