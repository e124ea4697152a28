/*
 * fcgi_master.h - what the master knows: shared by its life (fcgi_pool.c) and the reload
 * (fcgi_reload.c). The process has one thread.
 */
#ifndef HEARTH_FCGI_MASTER_H
#define HEARTH_FCGI_MASTER_H

#include "app/adapter/fcgi_children.h"
#include "app/adapter/fcgi_listener.h"
#include "app/adapter/fcgi_pool.h"

enum fcgi_phase {
    FCGI_PHASE_KEEPER,    /* the keeper is starting; nothing is served yet */
    FCGI_PHASE_WORKERS,   /* the first workers are starting */
    FCGI_PHASE_RUNNING,   /* children that die are replaced */
    FCGI_PHASE_RELOADING, /* workers with the new configuration are starting beside the old ones */
    FCGI_PHASE_REPLACING, /* the old workers drain, the keeper is handed over */
    FCGI_PHASE_STOPPING,  /* the workers drain */
    FCGI_PHASE_LAST,      /* the keeper finishes */
    FCGI_PHASE_ENDED
};

/* What a reload changes. */
struct fcgi_settings {
    struct config *config;
    size_t workers;      /* how many there should be */
    size_t threads;      /* of each */
    uint32_t generation; /* of the workers that run with it */
};

struct fcgi_master {
    const struct fcgi_pool_options *options;
    struct fcgi_listener listener;
    struct fcgi_shared shared;
    struct fcgi_children children;
    int signals;
    enum fcgi_phase phase;
    int exit_status;
    struct fcgi_settings now;
    struct fcgi_settings before; /* while RELOADING: what was in force; else without config */
    uint32_t last_generation;
    int64_t shut_ms; /* while STOPPING: when a TCP socket is shut; monotonic */
    bool reload_wanted;
    bool reload_waits; /* and it has been said */
    bool unsettled;    /* while RELOADING: an earlier reload is still draining */
    struct metric *reloads_done, *reloads_refused;
};

/* Beyond what a child allows itself, before it is killed. */
enum {
    FCGI_KILL_GRACE_MS = 2000,
    FCGI_KEEPER_PATIENCE_MS = 30000,
    FCGI_HURRY_MS = 2000,
    FCGI_SHUT_MS = 300
};

/* So many generations of workers may stand side by side: one that serves, and two at a time that
 * start or drain. */
enum { FCGI_GENERATIONS = 3 };

/* Has children started with these settings. */
void fcgi_master_use(struct fcgi_master *master, const struct fcgi_settings *settings);

/* Is there room for the workers of another generation beside all that still live? */
bool fcgi_reload_has_room(const struct fcgi_master *master);
/* Reads the configuration again and, when it can be used, starts RELOADING. */
void fcgi_reload_begin(struct fcgi_master *master);
/* All new workers are ready: REPLACING. */
void fcgi_reload_commit(struct fcgi_master *master);
/* A new worker failed: RUNNING or REPLACING again, as before. */
void fcgi_reload_abandon(struct fcgi_master *master, const char *reason);

#endif
