/*
 * fcgi_reload.c - a new configuration under a running pool.
 *
 * It commits when all new workers are ready. Until then a failure costs nothing: the new workers
 * go, the old ones never noticed. Then the old workers stop accepting and drain, and the keeper is
 * told to finish; its successor starts when it has given up its lock, and what workers ask
 * meanwhile waits in the shared area. Another reload need not wait for that: it may be what mends a
 * keeper that cannot start with the last one. The socket and the shared mapping stay as they are
 * for the pool's life.
 */
#include <string.h>

#include "app/adapter/dispatch.h"
#include "app/adapter/fcgi_master.h"

/* ---- What a reload cannot change ---- */

static void log_restart_needed(const char *key, const char *reason)
{
    LOG_WARN("restart_needed", LOG_TEXT("key", key), LOG_TEXT("detail", reason));
}

static void compare_socket(const struct config *now, const struct config *next)
{
    static const char *const keys[] = {"pool.listen", "pool.socket_mode", "pool.socket_group"};
    static const char reason[] = "a reload keeps the socket as it is";
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        if (strcmp(config_string(now, keys[i]), config_string(next, keys[i])) != 0) {
            log_restart_needed(keys[i], reason);
        }
    }
    if (config_integer(now, "pool.backlog") != config_integer(next, "pool.backlog")) {
        log_restart_needed("pool.backlog", reason);
    }
    if (strcmp(config_string(now, "pool.pid_file"), config_string(next, "pool.pid_file")) != 0) {
        log_restart_needed("pool.pid_file", "it was written at the start");
    }
}

/* Old and new workers would keep their data in different places, and what was answered by one could
 * not be found by the other. */
static bool rows_stay(const struct config_rows *rows, const struct config *now,
                      const struct config *next)
{
    bool stay = true;
    for (size_t i = 0; i < rows->count; i++) {
        const char *key = rows->rows[i].key;
        if (rows->rows[i].restart &&
            strcmp(config_string(now, key), config_string(next, key)) != 0) {
            log_restart_needed(key, "data cannot move under a running pool");
            stay = false;
        }
    }
    return stay;
}

static bool data_stays(const struct fcgi_master *master, const struct config *next)
{
    const struct module *const *modules = master->options->modules;
    bool stays = rows_stay(&config_program_rows, master->now.config, next);
    for (size_t i = 0; modules[i]; i++) {
        stays = rows_stay(&modules[i]->rows, master->now.config, next) && stays;
    }
    return stays;
}

/* Old and new workers run side by side for a while, over shared memory made for so many threads. */
static void choose_numbers(const struct fcgi_master *master, struct fcgi_settings *next)
{
    const size_t workers = (size_t)config_integer(next->config, "pool.workers");
    const size_t threads = (size_t)config_integer(next->config, "pool.threads");
    const size_t room = master->shared.max_threads - fcgi_children_threads(&master->children);
    if (2 * workers * threads > master->shared.max_threads || workers * threads > room) {
        log_restart_needed("pool.workers, pool.threads",
                           "shared memory was made for fewer threads; the numbers stay");
        return;
    }
    next->workers = workers;
    next->threads = threads;
}

/* ---- Begin ---- */

static struct config *load(const struct fcgi_master *master)
{
    struct config *next = NULL;
    struct config_problems problems;
    const enum hearth_error code =
        app_config_load(master->options->modules, master->options->config_path, &next, &problems);
    for (size_t i = 0; i < problems.count; i++) {
        LOG_ERROR("config_problem", LOG_TEXT("where", problems.items[i].where),
                  LOG_TEXT("key", problems.items[i].key),
                  LOG_TEXT("detail", problems.items[i].what));
    }
    config_problems_clean(&problems);
    return code == HEARTH_OK ? next : NULL;
}

static void refuse(const struct fcgi_master *master, const char *reason)
{
    LOG_ERROR("reload_refused", LOG_TEXT("detail", reason),
              LOG_INTEGER("generation", master->now.generation));
    metric_add(master->reloads_refused, 1);
}

bool fcgi_reload_has_room(const struct fcgi_master *master)
{
    const size_t living =
        fcgi_children_count(&master->children, FCGI_ANY_GENERATION, FCGI_CHILD_NONE);
    return living + master->now.workers <= FCGI_WORKER_SLOTS &&
           fcgi_children_threads(&master->children) + master->now.workers * master->now.threads <=
               master->shared.max_threads;
}

void fcgi_reload_begin(struct fcgi_master *master)
{
    char why[160];
    struct fcgi_settings next = master->now;
    master->reload_wanted = false;
    master->reload_waits = false;
    LOG_INFO("reload_began", LOG_TEXT("config", master->options->config_path));
    next.config = load(master);
    if (!next.config) {
        refuse(master, "the new configuration cannot be used");
        return;
    }
    if (!fcgi_shared_suffices(&master->shared, master->options->modules, next.config, why,
                              sizeof why)) {
        log_restart_needed("", why);
        config_free(next.config);
        refuse(master, "the new configuration needs a restart");
        return;
    }
    if (!data_stays(master, next.config)) {
        config_free(next.config);
        refuse(master, "the new configuration needs a restart");
        return;
    }
    if (fcgi_pool_log(next.config, master->options->foreground) != HEARTH_OK) {
        config_free(next.config);
        refuse(master, "the new log file cannot be opened");
        return;
    }
    compare_socket(master->now.config, next.config);
    choose_numbers(master, &next);
    next.generation = ++master->last_generation;
    master->before = master->now;
    master->now = next;
    master->children.worker_backoff = (struct fcgi_backoff){.young_deaths = 0};
    master->unsettled = master->phase == FCGI_PHASE_REPLACING;
    master->phase = FCGI_PHASE_RELOADING;
    fcgi_master_use(master, &master->now);
}

/* ---- End ---- */

void fcgi_reload_commit(struct fcgi_master *master)
{
    const int64_t patience_ms =
        config_integer(master->before.config, "pool.drain_timeout_ms") + FCGI_KILL_GRACE_MS;
    fcgi_children_end(&master->children, master->now.generation, true, patience_ms);
    fcgi_child_end(&master->children.keeper, FCGI_KEEPER_PATIENCE_MS);
    master->children.keeper_backoff = (struct fcgi_backoff){.young_deaths = 0};
    config_free(master->before.config);
    master->before.config = NULL;
    master->phase = FCGI_PHASE_REPLACING;
    metric_add(master->reloads_done, 1);
    LOG_INFO("reload_done", LOG_INTEGER("generation", master->now.generation));
}

void fcgi_reload_abandon(struct fcgi_master *master, const char *reason)
{
    fcgi_children_end(&master->children, master->now.generation, false, FCGI_HURRY_MS);
    config_free(master->now.config);
    master->now = master->before;
    master->before.config = NULL;
    master->children.worker_backoff = (struct fcgi_backoff){.young_deaths = 0};
    master->phase = master->unsettled ? FCGI_PHASE_REPLACING : FCGI_PHASE_RUNNING;
    fcgi_master_use(master, &master->now);
    if (fcgi_pool_log(master->now.config, master->options->foreground) != HEARTH_OK) {
        LOG_ERROR("log_failed", LOG_TEXT("detail", "the log file cannot be opened again"));
    }
    refuse(master, reason);
}
