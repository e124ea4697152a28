/*
 * support_chance.c - splitmix64 (Steele, Lea, Flood 2014): good enough to stir test data.
 */
#include "tests/unit/support_chance.h"

static _Thread_local uint64_t state;

void chance_seed(uint64_t seed)
{
    state = seed;
}

uint64_t chance_next(void)
{
    uint64_t mixed = state += UINT64_C(0x9e3779b97f4a7c15);
    mixed = (mixed ^ mixed >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    mixed = (mixed ^ mixed >> 27) * UINT64_C(0x94d049bb133111eb);
    return mixed ^ mixed >> 31;
}

int chance(int end)
{
    return (int)(chance_next() % (uint64_t)end);
}
