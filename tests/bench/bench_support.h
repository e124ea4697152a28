/*
 * bench_support.h - what the benchmarks' programs share: times, and readings for the peers.
 */
#ifndef BENCH_SUPPORT_H
#define BENCH_SUPPORT_H

#include "hearth/reading_store.h"

/* A file of records (.bin), mapped. */
struct bench_file {
    const struct record *records;
    size_t count;
};

/* Ends the program, with a message, when that cannot be. Stays mapped. */
void bench_file_map(const char *path, struct bench_file *file);
/* The reading of a record that must be good. */
struct reading bench_file_reading(const struct bench_file *file, size_t index);

/* For times: in ms, of no particular start; and the median, which sorts them. */
double bench_now_ms(void);
double bench_processor_ms(void); /* of this thread: what a busy machine leaves of it is the rest */
double bench_median(double *times, size_t count);

#endif
