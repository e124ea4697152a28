/*
 * support_chance.h - chance that comes again: numbers from a seed, the same on every machine.
 */
#ifndef TESTS_SUPPORT_CHANCE_H
#define TESTS_SUPPORT_CHANCE_H

#include <stdint.h>

/* Per thread; each test that uses chance seeds it first. */
void chance_seed(uint64_t seed);
uint64_t chance_next(void);
/* 0 to `end` - 1; `end` > 0. */
int chance(int end);

#endif
