/*
 * sum_pair.h - two numbers at a time, one for each quantity of a reading.
 *
 * Temperature and humidity of a reading are summed in the same way, so one instruction serves both:
 * with SSE2, which every 64-bit x86 has, in one register. Elsewhere the compiler makes of it what
 * it can; the results are the same.
 */
#ifndef HEARTH_SENSOR_SUM_PAIR_H
#define HEARTH_SENSOR_SUM_PAIR_H

#include <stdint.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

typedef uint64_t sum_pair __attribute__((vector_size(16)));  /* [enum quantity] */
typedef uint16_t sum_parts __attribute__((vector_size(16))); /* the same, in parts of 16 bits */

/* What pair_least and pair_greatest take lies between these: there, whole numbers are in the same
 * order as the floating point numbers of the same bits, which SSE2 can compare and none of which is
 * subnormal, infinite or not a number. */
#define PAIR_LEAST    (UINT64_C(1) << 52)
#define PAIR_GREATEST (UINT64_C(1) << 62)

static inline sum_pair pair_of(uint64_t temperature, uint64_t humidity)
{
    return (sum_pair){temperature, humidity};
}

static inline sum_pair pair_both(uint64_t number)
{
    return pair_of(number, number);
}

static inline sum_pair pair_least(sum_pair a, sum_pair b)
{
#ifdef __SSE2__
    return (sum_pair)_mm_min_pd((__m128d)a, (__m128d)b);
#else
    return pair_of(a[0] < b[0] ? a[0] : b[0], a[1] < b[1] ? a[1] : b[1]);
#endif
}

static inline sum_pair pair_greatest(sum_pair a, sum_pair b)
{
#ifdef __SSE2__
    return (sum_pair)_mm_max_pd((__m128d)a, (__m128d)b);
#else
    return pair_of(a[0] > b[0] ? a[0] : b[0], a[1] > b[1] ? a[1] : b[1]);
#endif
}

/* Of numbers below 2^32. */
static inline sum_pair pair_product(sum_pair a, sum_pair b)
{
#ifdef __SSE2__
    return (sum_pair)_mm_mul_epu32((__m128i)a, (__m128i)b);
#else
    return a * b;
#endif
}

#endif
