/*
 * support_metrics.h - a metrics registry in shared memory, and what it renders.
 */
#ifndef TESTS_SUPPORT_METRICS_H
#define TESTS_SUPPORT_METRICS_H

#include "hearth/telemetry.h"
#include "tests/unit/support.h"

struct test_registry {
    struct metrics *metrics;
    size_t size_bytes;
    struct buffer text;
};

struct test_registry *test_registry_new(size_t max_series);
void test_registry_free(struct test_registry *registry);
/* What is rendered, terminated, behind the counter of refusals that every registry begins with. */
const char *test_registry_render(struct test_registry *registry);
/* How many series were refused. */
unsigned long long test_registry_refused(struct test_registry *registry);

#endif
