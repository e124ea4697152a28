/*
 * bench_support.c - see bench_support.h.
 */
#include "tests/bench/bench_support.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static void fail(const char *path, const char *why)
{
    fprintf(stderr, "%s: %s\n", path, why);
    exit(1);
}

void bench_file_map(const char *path, struct bench_file *file)
{
    struct stat status;
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0 || fstat(descriptor, &status) < 0)
        fail(path, strerror(errno));
    void *memory = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, descriptor, 0);
    if (memory == MAP_FAILED)
        fail(path, strerror(errno));
    close(descriptor);
    *file = (struct bench_file){memory, (size_t)status.st_size / RECORD_BYTES};
}

struct reading bench_file_reading(const struct bench_file *file, size_t index)
{
    struct reading reading = {0};
    if (record_decode(&file->records[index], &reading) != REJECT_NONE)
        fail("a file of readings", "it holds a bad record");
    return reading;
}

double bench_now_ms(void)
{
    return (double)clock_monotonic_ns(&clock_system) / 1e6;
}

double bench_processor_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static int compare_times(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

double bench_median(double *times, size_t count)
{
    qsort(times, count, sizeof times[0], compare_times);
    return times[count / 2];
}
