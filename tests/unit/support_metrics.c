/*
 * support_metrics.c - a metrics registry as the pool has it: in anonymous shared memory.
 */
#include "tests/unit/support_metrics.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

struct test_registry *test_registry_new(size_t max_series)
{
    struct test_registry *registry = calloc(1, sizeof *registry);
    assert_non_null(registry);
    registry->size_bytes = metrics_size(max_series);
    void *memory =
        mmap(NULL, registry->size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(memory != MAP_FAILED);
    registry->metrics = metrics_create(memory, max_series);
    assert_non_null(registry->metrics);
    buffer_init(&registry->text, 16u << 20);
    return registry;
}

void test_registry_free(struct test_registry *registry)
{
    munmap(registry->metrics, registry->size_bytes);
    buffer_clean(&registry->text);
    free(registry);
}

const char *test_registry_render(struct test_registry *registry)
{
    buffer_reset(&registry->text);
    assert_int_equal(metrics_render(registry->metrics, &registry->text), HEARTH_OK);
    buffer_append_byte(&registry->text, '\0');
    assert_int_equal(buffer_status(&registry->text), HEARTH_OK);
    const char *first = strstr(registry->text.data, "\nhearth_metrics_refused_total ");
    assert_non_null(first);
    return strchr(first + 1, '\n') + 1;
}

unsigned long long test_registry_refused(struct test_registry *registry)
{
    test_registry_render(registry);
    const char *line = strstr(registry->text.data, "\nhearth_metrics_refused_total ");
    return strtoull(strchr(line + 1, ' '), NULL, 10);
}
