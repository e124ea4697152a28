/*
 * checksum64.c - XXH64: four lanes of 8 bytes each go round, then they and the rest are folded.
 */
#include "handlers/sensor/record/checksum64.h"

#include <endian.h>
#include <string.h>

enum { LANES = 4, LANE_BYTES = 8, STRIPE_BYTES = LANES * LANE_BYTES };

static const uint64_t prime1 = UINT64_C(0x9E3779B185EBCA87), prime2 = UINT64_C(0xC2B2AE3D27D4EB4F),
                      prime3 = UINT64_C(0x165667B19E3779F9), prime4 = UINT64_C(0x85EBCA77C2B2AE63),
                      prime5 = UINT64_C(0x27D4EB2F165667C5);

static uint64_t rotate(uint64_t number, unsigned by)
{
    return number << by | number >> (64 - by);
}

static uint64_t word8(const unsigned char *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof word);
    return le64toh(word);
}

static uint64_t word4(const unsigned char *at)
{
    uint32_t word;
    memcpy(&word, at, sizeof word);
    return le32toh(word);
}

static uint64_t round_of(uint64_t lane, uint64_t word)
{
    return rotate(lane + word * prime2, 31) * prime1;
}

static uint64_t fold(uint64_t hash, uint64_t lane)
{
    return (hash ^ round_of(0, lane)) * prime1 + prime4;
}

/* The whole stripes of 32 bytes. */
static uint64_t stripes(const unsigned char *at, size_t length)
{
    uint64_t a = prime1 + prime2, b = prime2, c = 0, d = 0 - prime1;
    for (; length >= STRIPE_BYTES; at += STRIPE_BYTES, length -= STRIPE_BYTES) {
        a = round_of(a, word8(at));
        b = round_of(b, word8(at + 8));
        c = round_of(c, word8(at + 16));
        d = round_of(d, word8(at + 24));
    }
    uint64_t hash = rotate(a, 1) + rotate(b, 7) + rotate(c, 12) + rotate(d, 18);
    return fold(fold(fold(fold(hash, a), b), c), d);
}

static uint64_t avalanche(uint64_t hash)
{
    hash = (hash ^ hash >> 33) * prime2;
    hash = (hash ^ hash >> 29) * prime3;
    return hash ^ hash >> 32;
}

uint64_t checksum64(const void *bytes, size_t length)
{
    const unsigned char *at = bytes;
    uint64_t hash = length >= STRIPE_BYTES ? stripes(at, length) : prime5;
    hash += length;
    at += length / STRIPE_BYTES * STRIPE_BYTES;
    size_t left = length % STRIPE_BYTES;
    for (; left >= 8; left -= 8, at += 8)
        hash = rotate(hash ^ round_of(0, word8(at)), 27) * prime1 + prime4;
    if (left >= 4) {
        hash = rotate(hash ^ word4(at) * prime1, 23) * prime2 + prime3;
        left -= 4;
        at += 4;
    }
    for (; left > 0; left--, at++)
        hash = rotate(hash ^ *at * prime5, 11) * prime1;
    return avalanche(hash);
}
