/*
 * fcgi_shared.c - an anonymous shared mapping, cut upwards: slots, registry, areas. Pages that are
 * never touched cost nothing.
 */
#include "app/adapter/fcgi_shared.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "hearth/limits.h"

enum { AREA_ALIGNMENT = 64 };

static size_t aligned(size_t bytes)
{
    return (bytes + AREA_ALIGNMENT - 1) / AREA_ALIGNMENT * AREA_ALIGNMENT;
}

static size_t count_modules(const struct module *const *modules)
{
    size_t count = 0;
    while (modules[count]) {
        count++;
    }
    return count;
}

static size_t wanted_bytes(const struct module *module, const struct config *config, size_t threads)
{
    return module->shared_bytes ? module->shared_bytes(config, threads) : 0;
}

/* Cuts the mapping. `shared->area_bytes` is filled. */
static enum hearth_error map(struct fcgi_shared *shared, size_t count)
{
    const size_t slots = aligned(FCGI_WORKER_SLOTS * sizeof(struct fcgi_worker_slot));
    const size_t registry = aligned(metrics_size(LIMIT_METRIC_SERIES));
    shared->size_bytes = slots + registry;
    for (size_t i = 0; i < count; i++) {
        shared->size_bytes += aligned(shared->area_bytes[i]);
    }
    char *base =
        mmap(NULL, shared->size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (base == MAP_FAILED) {
        return HEARTH_NO_MEMORY;
    }
    shared->base = base;
    shared->slots = (struct fcgi_worker_slot *)base;
    shared->metrics = metrics_create(base + slots, LIMIT_METRIC_SERIES);
    char *next = base + slots + registry;
    for (size_t i = 0; i < count; i++) {
        shared->areas[i] = shared->area_bytes[i] > 0 ? next : NULL;
        next += aligned(shared->area_bytes[i]);
    }
    return HEARTH_OK;
}

static enum hearth_error init_areas(struct fcgi_shared *shared, const struct module *const *modules,
                                    const struct config *config, struct error_record *error)
{
    for (size_t i = 0; modules[i]; i++) {
        if (shared->areas[i] && modules[i]->shared_init) {
            const enum hearth_error code =
                modules[i]->shared_init(config, shared->areas[i], shared->max_threads);
            if (code != HEARTH_OK) {
                return error_set(error, code, "module %s: its shared area cannot be made (%s)",
                                 modules[i]->name, error_name(code));
            }
        }
    }
    return HEARTH_OK;
}

enum hearth_error fcgi_shared_create(struct fcgi_shared *shared,
                                     const struct module *const *modules,
                                     const struct config *config, size_t max_threads,
                                     struct error_record *error)
{
    const size_t count = count_modules(modules);
    *shared = (struct fcgi_shared){.max_threads = max_threads};
    shared->areas = calloc(count + 1, sizeof *shared->areas);
    shared->area_bytes = calloc(count + 1, sizeof *shared->area_bytes);
    enum hearth_error code = HEARTH_NO_MEMORY;
    if (!shared->areas || !shared->area_bytes) {
        goto out;
    }
    for (size_t i = 0; i < count; i++) {
        shared->area_bytes[i] = wanted_bytes(modules[i], config, max_threads);
    }
    code = map(shared, count);
    if (code != HEARTH_OK) {
        goto out;
    }
    code = init_areas(shared, modules, config, error);
out:
    if (code == HEARTH_NO_MEMORY && error && error->detail[0] == '\0') {
        error_set(error, code, "there is no memory for the shared mapping");
    }
    if (code != HEARTH_OK) {
        fcgi_shared_destroy(shared);
    }
    return code;
}

void fcgi_shared_destroy(struct fcgi_shared *shared)
{
    if (shared->base) {
        munmap(shared->base, shared->size_bytes);
    }
    free(shared->areas);
    free(shared->area_bytes);
    *shared = (struct fcgi_shared){.base = NULL};
}

bool fcgi_shared_suffices(const struct fcgi_shared *shared, const struct module *const *modules,
                          const struct config *config, char *why, size_t why_size)
{
    for (size_t i = 0; modules[i]; i++) {
        const size_t bytes = wanted_bytes(modules[i], config, shared->max_threads);
        if (bytes > shared->area_bytes[i]) {
            snprintf(why, why_size, "module %s wants %zu bytes of shared memory and has %zu",
                     modules[i]->name, bytes, shared->area_bytes[i]);
            return false;
        }
    }
    return true;
}

/* ---- Slots ---- */

void fcgi_slot_metrics_find(struct fcgi_slot_metrics *found, struct metrics *metrics, size_t slot)
{
    char labels[32];
    snprintf(labels, sizeof labels, "worker=\"%zu\"", slot + 1);
    found->connections = metrics_gauge(metrics, "hearth_pool_connections",
                                       "Open connections from the web server.", labels);
    found->threads_busy = metrics_gauge(metrics, "hearth_pool_threads_busy",
                                        "Threads that handle a request.", labels);
    found->parked = metrics_gauge(
        metrics, "hearth_pool_parked_connections",
        "Connections whose request has not all arrived, set aside while threads are scarce.",
        labels);
}

void fcgi_slot_release(const struct fcgi_shared *shared, size_t slot)
{
    struct fcgi_slot_metrics series;
    fcgi_slot_metrics_find(&series, shared->metrics, slot);
    metric_set(series.connections, 0);
    metric_set(series.threads_busy, 0);
    metric_set(series.parked, 0);
    atomic_store(&shared->slots[slot].in_flight, 0);
    atomic_store(&shared->slots[slot].pid, 0);
}
